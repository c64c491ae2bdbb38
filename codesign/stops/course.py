"""What a stop meets: the planned course of a schedule with its storage, and the falls that its copies make.

A class is a group of copies in step with each other: they fall alike, so one of them speaks for all. The
course is the nominal one: every job on its tick, unlocked jobs where the plan has them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from codesign import realising, window, workload
from codesign.components.storage import Storage
from codesign.design import Schedule
from codesign.site import Site

S_PER_H = 3600.0
KEPT = 0.05
"""A recovery is followed until the window has passed and the filter holds this share of a step."""


@dataclass(frozen=True, slots=True)
class Fall:
    """What one copy of a class takes away when it stops, at every step of the macro clock [K, MW]."""

    job: str
    copy: int
    count: int
    mw: np.ndarray

    @property
    def place(self) -> str:
        """The copy as a margin names it."""
        return f"{self.job} {self.copy}"


@dataclass(frozen=True, slots=True)
class Store:
    """A storage's linear law at its sizes: power [MW], usable energy [MJ], MJ in store by MJ in and out."""

    power_mw: float
    usable_mj: float
    charged: float
    discharged: float


@dataclass(frozen=True, slots=True)
class Course:
    """The planned course by step of the macro clock, periodic.

    Attributes
    ----------
    load_mw, planned_mw
        Power of the jobs [K], and what the storage adds to it, charge less discharge [K].
    stored_mj
        Energy above the storage's least at the start of each step [K].
    filtered_mw
        The net power behind the rule's high-pass, once an order [order, K].
    """

    load_mw: np.ndarray
    planned_mw: np.ndarray
    stored_mj: np.ndarray
    filtered_mw: np.ndarray

    @property
    def net_mw(self) -> np.ndarray:
        """Power of jobs and storage together."""
        return self.load_mw + self.planned_mw


def steps(site: Site) -> int:
    """Return the steps of a recovery: the window, and KEPT of the filter's memory an order."""
    forgotten = math.log(KEPT) / math.log(window.high_pass_coefficient(site))
    return window.steps(site) + math.ceil(site.poi.filter_order * forgotten - 1e-9)


def falls(site: Site, schedule: Schedule) -> tuple[Fall, ...]:
    """Return the fall of every distinct copy, from its level to idle, the largest first.

    None where the site has no rule on changes of power.
    """
    if not window.applies(site):
        return ()
    grouped: dict[object, list[workload.Assignment]] = {}
    for row in schedule:
        key = (row.job, row.mode, row.offset_s, row.events, row.pod)
        grouped.setdefault(key, []).append(row)
    made = []
    for rows in grouped.values():
        first = rows[0]
        away = workload.assignment_mw(site, first) - workload.idle_mw(site, first)
        made.append(Fall(first.job, first.copy, len(rows), away))
    return tuple(sorted(made, key=lambda fall: (-round(float(fall.mw.max()), 9), fall.job, fall.copy)))


def returning(site: Site, row: workload.Assignment) -> Fall:
    """Return what one copy adds when it comes back unannounced, as a fall with its sign turned."""
    back = workload.idle_mw(site, row) - workload.assignment_mw(site, row)
    return Fall(row.job, row.copy, 1, back)


def store(part: Storage | None, power_mw: float, energy_mwh: float) -> Store:
    """Return the linear law by which a dispatch is planned: inner values, above soc_min_pu."""
    if part is None:
        return Store(0.0, 0.0, 1.0, 1.0)
    usable_mj = S_PER_H * (part.soc_max_pu - part.soc_min_pu) * energy_mwh
    return Store(power_mw, usable_mj, part.efficiency_charge, 1.0 / part.efficiency_discharge)


def judged(part: Storage | None, power_mw: float, energy_mwh: float) -> Store:
    """Return the linear law by which a stop is judged: inner efficiencies in the whole window, above low_pu.

    What is planned by the inner window holds by this one: the reserve at its ends is what the energy of a
    real course may differ by.
    """
    if part is None:
        return Store(0.0, 0.0, 1.0, 1.0)
    usable_mj = S_PER_H * (part.high_pu - part.low_pu) * energy_mwh
    return Store(power_mw, usable_mj, part.efficiency_charge, 1.0 / part.efficiency_discharge)


def widest(part: Storage, power_mw: float, energy_mwh: float) -> Store:
    """Return a linear law that allows at least what the storage can: outer values, for a bound."""
    usable_mj = S_PER_H * (part.high_pu - part.low_pu) * energy_mwh
    out = 1.0 / part.outer_efficiency_discharge
    return Store(power_mw, usable_mj, part.outer_efficiency_charge, out)


def rating_pu(part: Storage) -> float:
    """Return the share of its rating that a dispatch is planned by: the rest closes its real course."""
    return 1.0 - (realising.TRIM_PU if part.time_constant_s > 0.0 else 0.0)


def course(
    site: Site, load_mw: np.ndarray, dispatch: Mapping[str, np.ndarray], least_mwh: float = 0.0
) -> Course:
    """Return the planned course of a load with a dispatch (charge_mw, discharge_mw, soc_mwh) [K each]."""
    planned = np.asarray(dispatch["charge_mw"] - dispatch["discharge_mw"], float)
    filtered = window.high_pass_orders(np.asarray(load_mw, float) + planned, site)
    stored = S_PER_H * (np.asarray(dispatch["soc_mwh"], float) - least_mwh)
    return Course(np.asarray(load_mw, float), planned, np.maximum(stored, 0.0), np.array(filtered))


def load_mw(site: Site, schedule: Schedule) -> np.ndarray:
    """Return the power of all jobs at their places over the macro period [K, MW]."""
    none = np.zeros(workload.macro_steps(site))
    return np.asarray(sum((workload.assignment_mw(site, row) for row in schedule), none))


def ahead(values: np.ndarray, steps_ahead: int) -> np.ndarray:
    """Return for every step the values of the steps from it on, periodic [K, steps_ahead]."""
    k = np.arange(len(values))[:, None] + np.arange(steps_ahead)[None, :]
    return np.asarray(values[k % len(values)])


def shares_of_larger(found: tuple[Fall, ...], horizon: int) -> np.ndarray:
    """Return whether a fall is a share of an earlier one at the same slot over the horizon [falls, K].

    Where the planned course holds and the larger fall has a recovery, their mean by the share is one.
    """
    windows = [ahead(fall.mw, horizon) for fall in found]
    covered = np.zeros((len(found), len(found[0].mw) if found else 0), bool)
    for i, own in enumerate(windows):
        for larger in windows[:i]:
            square = np.sum(larger * larger, axis=1)
            same_way = np.sum(own * larger, axis=1)
            share = np.divide(same_way, square, out=np.zeros_like(square), where=square > 0.0)
            same = np.max(np.abs(own - share[:, None] * larger), axis=1) <= 1e-9
            covered[i] |= same & (share >= 0.0) & (share <= 1.0)
    return covered
