"""The worst moment of every class: greedy recoveries first, the programme for what they leave open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from codesign import window
from codesign.site import Site
from codesign.stops.course import Course, Fall, Store, shares_of_larger, steps
from codesign.stops.programme import Cut, Recovery
from codesign.stops.recovery import begin, holds

DIGITS = 6
"""Spares that agree to so many decimals of a MW are alike; of alike slots the first in order is the worst."""


@dataclass(frozen=True, slots=True)
class Worst:
    """The slot at which the best recovery of a class leaves the least room [MW], negative where it breaks."""

    fall: Fall
    slot: int
    spare_mw: float


@dataclass(frozen=True, slots=True)
class Broken:
    """A stop that no recovery holds: its excess [MW] and the cut that says why."""

    fall: Fall
    slot: int
    excess_mw: float
    cut: Cut


def worst(site: Site, planned: Course, found: Sequence[Fall], own: Store) -> tuple[Worst, ...]:
    """Return the worst slot of every class: exact, for each class over all slots of the macro clock."""
    if not window.applies(site):
        return ()
    solver = Recovery(site, own)
    return tuple(_worst(site, planned, fall, own, solver) for fall in found)


def _worst(site: Site, planned: Course, fall: Fall, own: Store, solver: Recovery) -> Worst:
    """Ask the programme from the likeliest slot on; drop what greedily holds more than the least so far."""
    order = np.lexsort((np.arange(len(fall.mw)), -np.round(_first_step_mw(site, planned, fall), DIGITS)))
    room, least, at, asked = window.room_mw(site), np.inf, 0, 0
    left = [int(k) for k in order]
    while left:
        batch, left = left[: 1 if not asked else 16], left[1 if not asked else 16 :]
        for slot in batch:
            spare = round(-solver.least(planned, fall, slot)[0], DIGITS + 1)
            if round(spare, DIGITS) < round(least, DIGITS):
                least, at = spare, slot
        asked += len(batch)
        if left and (len(batch) == 1 or asked % 64 == 1):
            kept = holds(site, planned, fall, own, room - round(least, DIGITS), np.array(left))
            left = [slot for slot, well in zip(left, kept, strict=True) if not well]
    return Worst(fall, at, least)


def _first_step_mw(site: Site, planned: Course, fall: Fall) -> np.ndarray:
    """Return by slot how far a stop throws the filtered power beyond its last values, storage as planned."""
    slots = np.arange(len(fall.mw))
    start, a = begin(site, planned, slots), window.high_pass_coefficient(site)
    known = a * start.filtered_mw.sum(axis=0) - start.net_mw - start.filtered_mw[:-1].sum(axis=0)
    y = known + planned.net_mw - fall.mw
    return np.maximum(start.past_mw.max(axis=1) - y, y - start.past_mw.min(axis=1))


def broken(
    site: Site, planned: Course, found: Sequence[Fall], own: Store, tight_mw: float, solver: Recovery
) -> list[Broken]:
    """Return every stop whose best recovery leaves less than half of `tight_mw`, the worst first.

    Falls that are shares of a larger one at the same slot are left out.
    """
    made: list[Broken] = []
    if not window.applies(site):
        return made
    covered = shares_of_larger(tuple(found), steps(site))
    for index, fall in enumerate(found):
        slots = np.flatnonzero(~covered[index])
        slots = slots[~holds(site, planned, fall, own, window.room_mw(site) - 0.5 * tight_mw, slots)]
        for slot in slots.tolist():
            excess, cut = solver.least(planned, fall, slot)
            if excess > -0.5 * tight_mw:
                made.append(Broken(fall, slot, excess, cut))
    return sorted(made, key=lambda each: (-round(each.excess_mw, DIGITS), each.fall.place, each.slot))
