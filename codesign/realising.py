"""A linear dispatch made one that keeps the storage's own law, step by step, at end of life.

A linear programme books what a storage takes and gives at constant efficiencies. Under the law the energy
comes out otherwise, so over a period it would rise or fall. The dispatch is moved by a constant power, the
trim: no difference of the power at the POI changes, and the energy is periodic again. The efficiencies that
the moved course had are those that the programme is solved with once more, until the trim is next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.components.storage import Storage

Course = NDArray[np.float64]
PASSES = 12
TRIM_PU = 1e-4
"""Of its rated power a linear programme leaves so much to the trim."""
SETTLED_PU = 2e-5
"""A trim below this share of the rated power is next to nothing."""
CLOSED_PU = 1e-12
"""A period's rise of the energy below this share of the nameplate energy counts as none."""


@dataclass(frozen=True, slots=True)
class Real:
    """A dispatch under the law: net power (charge less discharge), energy, and what was taken off it."""

    net_mw: Course
    soc_mwh: Course
    trim_mw: float
    efficiency: tuple[float, float]
    """Energy taken over energy drawn, and energy given to the busbar over energy taken out."""


def real(card: Storage, energy_mwh: float, step_s: float, net_mw: Course, start_mwh: float) -> Real:
    """Return the periodic course of a net power under the law, less the trim that closes it.

    Parameters
    ----------
    net_mw
        Charge less discharge at the busbar, by step of the period, MW.
    start_mwh
        Energy at the period's start, MWh; moved where the course would leave the window that a linear
        programme may plan, as far as it has room at the other end.
    """
    trim, course = _closed(card, energy_mwh, step_s, net_mw, start_mwh)
    low, high = card.soc_min_pu * energy_mwh, card.soc_max_pu * energy_mwh
    short, over = max(low - course.min(), 0.0), max(course.max() - high, 0.0)
    if max(short, over) > 1e-9 * energy_mwh:
        lift = (short - over) / 2 if short and over else short - over
        trim, course = _closed(card, energy_mwh, step_s, net_mw, start_mwh + lift)
    net = net_mw - trim
    change = np.diff(course)
    charging, discharging = net > 0.0, net < 0.0
    drawn, given = net[charging].sum(), -net[discharging].sum()
    hours = step_s / 3600.0
    taken, spent = change[charging].sum() / hours, -change[discharging].sum() / hours
    efficiency = (
        float(taken / drawn) if drawn > 0.0 else card.efficiency_charge,
        float(given / spent) if spent > 0.0 else card.efficiency_discharge,
    )
    return Real(net, course[:-1], trim, efficiency)


def course_mwh(card: Storage, step_s: float, net_mw: Course, start_mwh: float) -> Course:
    """Return the energy held from the start to the end of a net power, one value more than steps."""
    course = [start_mwh]
    for net in net_mw.tolist():
        course.append(_after(card, step_s, course[-1], max(net, 0.0), max(-net, 0.0)))
    return np.array(course)


def _closed(
    card: Storage, energy_mwh: float, step_s: float, net_mw: Course, start_mwh: float
) -> tuple[float, Course]:
    """Return the trim at which the energy ends where it began, and the course (secant steps)."""
    hours = len(net_mw) * step_s / 3600.0

    def rise(trim: float) -> tuple[float, Course]:
        course = course_mwh(card, step_s, net_mw - trim, start_mwh)
        return float(course[-1] - course[0]), course

    trim, (miss, course) = 0.0, rise(0.0)
    slope = hours
    for _ in range(PASSES):
        if abs(miss) <= CLOSED_PU * energy_mwh:
            break
        step = miss / slope
        missed, (miss, course) = miss, rise(trim + step)
        trim += step
        if miss != missed:
            slope = (missed - miss) / step
    return trim, course


def _after(card: Storage, step_s: float, soc: float, charge: float, discharge: float) -> float:
    """Return the energy after a step at constant power: one Runge-Kutta step of fourth order."""
    one = card.rate(soc, charge, discharge)
    if card.time_constant_s == 0.0:
        return float(soc + step_s * one)
    two = card.rate(soc + step_s / 2 * one, charge, discharge)
    three = card.rate(soc + step_s / 2 * two, charge, discharge)
    four = card.rate(soc + step_s * three, charge, discharge)
    return float(soc + step_s / 6 * (one + 2 * two + 2 * three + four))
