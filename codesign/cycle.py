"""What transformers carry: the schedule's load course over the macro period, for as long as an outage lasts.

symbol  name        unit   meaning
S       allowed     MVA    largest mean load of all units in an hour with which every state holds
w       shape_mw    MW     course of jobs and storage over the macro period less its mean [K]
D       outage_h    h      how long one unit is out, the rest carrying S and the whole of w

All running, the cycle repeats without end under the normal limit. One out, it repeats for D after normal
operation, under the limit that D allows (`Transformer.emergency_c`). In both the highest step of the course
stays within the largest load. Oil and windings answer to the cycle through their time constants, so neither
its mean nor its highest step alone says what a unit carries: a valley of 30 s hardly cools it.
Unlocked jobs are taken at their highest level all the time, as no schedule holds their valleys.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from codesign import workload
from codesign.components.transformer import Transformer
from codesign.design import Schedule
from codesign.site import Site

Array = NDArray[np.float64]

HOUR_S = 3600.0
TABLE = 33
"""Loads at which a plan tabulates the hot spot's rise; it is convex, so chords are above it."""
RESERVE_K = 0.1
"""What a plan keeps of the hot spot for the part of the storage in the course, which it does not know yet."""


def shape_mw(site: Site, schedule: Schedule, net_mw: Array | None = None) -> Array:
    """Return the course of jobs as scheduled and storage (charge less discharge), less its mean [K].

    With unlocked jobs the mean of the shape is above 0: they are at their highest level.
    """
    course = np.zeros(workload.macro_steps(site))
    for assigned in schedule:
        wave = workload.assignment_mw(site, assigned)
        course += (wave if assigned.locked else np.full(len(wave), float(wave.max()))) - wave.mean()
    return course if net_mw is None else course + net_mw - net_mw.mean()


def allowed_mva(
    site: Site, part: Transformer, units: int, ambient_c: float, shape: Array | None = None
) -> float:
    """Return the largest mean load of `units`, one of a redundant group out too; 0 where there is none.

    Without a shape that of the mean alone: by convexity no course allows more (outer).
    """
    key = b"" if shape is None else np.ascontiguousarray(shape, float).tobytes()
    least = np.inf
    for running in states(site, units):
        if running < 1:
            return 0.0
        state = _State(part, units, running, site.poi.power_factor, site.clock.step_s, _outage_s(site))
        least = min(least, _allowed(state, round(ambient_c, 9), key))
    return float(least)


def states(site: Site, units: int) -> tuple[int, ...]:
    """Return how many units run in each state that must hold."""
    return (units, units - 1) if site.equipment.transformer.redundancy == "n+1" else (units,)


def planned_mva(site: Site, part: Transformer, units: int, ambient_c: float, shape: Array) -> float:
    """Return no more than `allowed_mva`, from a table of the rise: what a plan may count on (inner)."""
    least = np.inf
    for running in states(site, units):
        if running < 1:
            return 0.0
        state = _State(part, units, running, site.poi.power_factor, site.clock.step_s, _outage_s(site))
        load, rise = _table(state, np.ascontiguousarray(shape, float).tobytes())
        least = min(least, float(np.interp(state.limit_c - RESERVE_K - ambient_c, rise, load, left=0.0)))
    return least


class _State:
    """`running` of `units` transformers under a load course."""

    def __init__(
        self, part: Transformer, units: int, running: int, factor: float, step_s: float, outage_s: float
    ) -> None:
        self.part, self.units, self.running = part, units, running
        self.factor, self.step_s, self.outage_s = factor, step_s, outage_s
        normal = running == units
        self.limit_c = part.hot_spot_max_c if normal else part.emergency_c(outage_s / HOUR_S)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _State) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def most_mva(self, shape: Array) -> float:
        """Mean load at which the highest step of the course is at the largest load."""
        carried = self.running * self.part.rating_mva * self.part.load_max_pu
        return carried - float(shape.max(initial=0.0)) / self.factor

    def rise_k(self, mva: float, shape: Array | None) -> float:
        """Highest hot spot over ambient at a mean load."""
        if shape is None:
            return self._mean_rise_k(mva)
        course = np.maximum(mva + shape / self.factor, 0.0)
        after, before = (course / (n * self.part.rating_mva) for n in (self.running, self.units))
        if self.running == self.units:
            return self.part.cycle_rise_k(after, self.step_s)
        return self.part.outage_rise_k(after, before, self.step_s, self.outage_s)

    def _mean_rise_k(self, mva: float) -> float:
        """The least that any course of this mean load comes to: its mean at the end of the outage."""
        part, load = self.part, mva / (self.running * self.part.rating_mva)
        if self.running == self.units:
            return float(part.oil_rise_k(load) + part.winding_rise_k(load))
        return part.outage_least_rise_k(load, mva / (self.units * part.rating_mva), self.outage_s)


def _outage_s(site: Site) -> float:
    return HOUR_S * site.equipment.transformer.outage_h


@lru_cache(maxsize=16_384)
def _allowed(state: _State, ambient_c: float, key: bytes) -> float:
    shape = np.frombuffer(key) if key else None
    most = state.most_mva(np.zeros(1) if shape is None else shape)
    if most <= 0.0:
        return 0.0
    limit_k = state.limit_c - ambient_c

    def beyond_k(mva: float) -> float:
        return state.rise_k(mva, shape) - limit_k

    if beyond_k(most) <= 0.0:
        return most
    return float(brentq(beyond_k, 0.0, most, xtol=1e-12, rtol=1e-14)) if beyond_k(0.0) < 0.0 else 0.0


@lru_cache(maxsize=1024)
def _table(state: _State, key: bytes) -> tuple[Array, Array]:
    shape = np.frombuffer(key)
    load = np.linspace(0.0, max(state.most_mva(shape), 0.0), TABLE)
    return load, np.array([state.rise_k(float(each), shape) for each in load])
