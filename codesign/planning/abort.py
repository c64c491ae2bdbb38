"""A stop of the largest job on top of a given schedule: the storage that takes it in.

From the moment of the scenario on, power follows the schedule without that copy; storage and filter start
from where the planned dispatch has them, and nothing before knew of the stop. A linear programme of its own:
it holds for one moment of one schedule, so its sizes belong to a plan (`inner`) and to no bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign import catalogue, smoothing, window, workload
from codesign.design import Schedule
from codesign.planning.attempt import Run
from codesign.planning.menus import amount_menu
from codesign.planning.rows import Rows
from codesign.site import Site
from codesign.timing import spent

AFTER_S = 20.0
"""How long the course is followed after the job's return: the window and the filter's memory."""


@dataclass(frozen=True, slots=True)
class Before:
    """What stands when the job stops: its moment (a step), and the courses by step up to it."""

    step: int
    load_mw: np.ndarray  # of the whole macro period, every job running
    fall_mw: np.ndarray  # what the stopped copy takes away
    net_mw: np.ndarray
    stored_mwh: float  # above the storage's least


@spent("build")
def storage(
    run: Run, schedule: Schedule, card: str, dispatch: smoothing.Dispatch, power_mw: float, energy_mwh: float
) -> tuple[float, float] | None:
    """Return power [MW] and energy [MWh] at least annual cost, none smaller than those given.

    None where no size on offer will do (the check then says by how much it misses), where time is up, or
    where the rule's filter is not of first order.
    """
    site = run.site
    if site.poi.filter_order != 1:
        return None
    before = _before(site, schedule, card, dispatch, energy_mwh)
    rows = Rows(f"{site.name}, stop of a job")
    power = amount_menu(rows, site, "storage_power", card, run.fixed)
    energy = amount_menu(rows, site, "storage_energy", card, run.fixed)
    rows.inner("abort_least", power >= power_mw)
    rows.inner("abort_least", energy >= energy_mwh)
    part = catalogue.build(site, "storage", card)
    rows.exact("storage_rate", energy >= part.energy_min_mwh(power))
    usable = smoothing.S_PER_H * (part.soc_max_pu - part.soc_min_pu) * energy
    step_s, a = site.clock.step_s, window.high_pass_coefficient(site)
    lags, limit = window.steps(site), window.room_mw(site)
    period = len(before.load_mw)
    gone = round(site.scenarios.job_abort_restart.off_s / step_s)
    y_all = window.high_pass_periodic(before.net_mw, site)
    past = range(before.step - lags - 1, before.step)
    net = {k: float(before.net_mw[k % period]) for k in past}
    y = {k: float(y_all[k % period]) for k in past}
    stored: float = smoothing.S_PER_H * before.stored_mwh
    for k in range(before.step, before.step + gone + round(AFTER_S / step_s)):
        stopped = before.fall_mw[k % period] if k < before.step + gone else 0.0
        charge, discharge, after = (rows.amount(f"abort_{what}") for what in ("charge", "discharge", "soc"))
        rows.inner("abort_power", charge <= power)
        rows.inner("abort_power", discharge <= power)
        rows.inner("abort_energy", after <= usable)
        flow = step_s * (part.efficiency_charge * charge - discharge / part.efficiency_discharge)
        rows.inner("abort_balance", after - stored == flow)
        stored = after
        net[k], y[k] = rows.amount("abort_net", None), rows.amount("abort_filter", None)
        load = float(before.load_mw[k % period] - stopped)
        rows.inner("abort_net", net[k] == load + charge - discharge)
        rows.inner("abort_filter", y[k] == a * y[k - 1] + net[k] - net[k - 1])
        for lag in range(1, lags + 1):
            rows.inner("abort_window", (-limit, y[k] - y[k - lag], limit))
    rows.close()
    answer = run.solve(rows.model)
    return None if answer.values is None else (answer[power], answer[energy])


def _before(
    site: Site, schedule: Schedule, card: str, dispatch: smoothing.Dispatch, energy_mwh: float
) -> Before:
    job, at_s = workload.abort(site, schedule)
    step = round(at_s / site.clock.step_s)
    load = np.sum([workload.assignment_mw(site, row) for row in schedule], axis=0)
    stopped = next(row for row in schedule if row.job == job and row.copy == 0)
    least = catalogue.build(site, "storage", card).soc_min_pu * energy_mwh
    return Before(
        step, load, workload.assignment_mw(site, stopped) - workload.idle_mw(site, stopped),
        load + dispatch.charge_mw - dispatch.discharge_mw,
        float(dispatch.soc_mwh[step % len(load)]) - least,
    )  # fmt: skip
