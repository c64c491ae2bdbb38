"""The mix that is planned: in which way every copy runs, where jobs have several, found by descent.

Every job in another way, then copies one by one, tried with schedule and storage; left out where even the
least storage that the stop of a job or the schedule could do with makes it dearer, or saves less than WORTH
times the gap asked for.  Storage of power P changes no lagged difference of the high-passed power by more
than P times the sum of |h|, h what an impulse does to it.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from codesign import catalogue, evaluation, modes, stopping, streams, window, workload
from codesign.design import Schedule, Size
from codesign.errors import StoppedError
from codesign.modes import Mix, Way
from codesign.planning import folded, mixing
from codesign.planning.attempt import ALIKE, Need, cheaper
from codesign.site import Site

MOST_TRIED, FEW_TRIED = 60, 12
LONG_STEPS = 300
"""Of the macro clock: from here on a mix takes seconds to try, and few are. A mix that keeps no clock
takes minutes, for more storage on the hall by half: it is tried where no other was found."""
WORTH = 2.0


@dataclass(frozen=True, slots=True)
class Tried:
    """A site as it runs, its schedule, the storage that this needs, and the annual cost of the storage."""

    site: Site
    schedule: Schedule
    need: Need
    usd_per_year: float


def chosen(site: Site, attempt: Callable[[Site, float, float], Tried | None], gap: float) -> Tried | None:
    """Return the cheapest mix found with its schedule and storage; None where none has a storage.

    `attempt` makes the schedule of a running site, and the storage that it needs; None where the storage
    cannot cost less than the first amount given, of the second a cheaper one is not looked for [USD a year].
    """
    best: Tried | None = None
    best_usd = math.inf
    tried: set[Mix] = set()
    long = workload.macro_steps(site) >= LONG_STEPS
    most = FEW_TRIED if long else MOST_TRIED
    least_usd = min(folded.least_usd(site, card) for card in site.equipment.storage.cards)

    def better(mix: Mix) -> bool:
        nonlocal best, best_usd
        if mix in tried or len(tried) >= most:
            return False
        if long and best is not None and not all(way.locked for _, own in mix for way, _ in own):
            return False
        made, base_usd = modes.running(site, mix), mix_usd(site, mix)
        worth = max(WORTH * gap, 1e-9)
        below_usd = math.inf if best is None else best_usd - worth * abs(best_usd) - base_usd
        if least_usd >= below_usd:
            return False
        tried.add(mix)
        found = attempt(made, below_usd, least_usd + worth * abs(base_usd))
        if found is None or not cheaper(base_usd + found.usd_per_year, best_usd, ALIKE):
            return False
        best, best_usd = found, base_usd + found.usd_per_year
        return True

    with contextlib.suppress(StoppedError):  # whoever attempts knows of it; the best so far is kept
        _descended(site, better)
    return best


def _descended(site: Site, better: Callable[[Mix], bool]) -> None:
    """Go from mix to better mix until no move is."""
    current = _held(site)
    better(current)
    cheapest = modes.uniform(site, {name: _cheapest(site, name) for name in site.jobs})
    if better(cheapest):
        current = cheapest
    for moves in (_jobs_moved, _copies_moved):
        moved = True
        while moved:
            moved = False
            for mix in moves(site, current):
                stopping.heed()
                if better(mix):
                    current, moved = mix, True
                    break


def mix_usd(site: Site, mix: Mix) -> float:
    """Return energy, demand, contract and lost work of a mix [USD a year]."""
    return sum(count * mixing.work_usd(site, name, way) for name, found in mix for way, count in found)


def window_usd(running: Site, schedule: Schedule) -> float:
    """Return the annual cost of the storage that a schedule's window ranges ask for at least."""
    parts = streams.of(running, schedule)
    bare = [part.power_mw for part in parts]
    limit, power_mw = window.room_mw(running), 0.0
    for lag, most in enumerate(_impulse(running), start=1):
        widest, _ = streams.widest_window(running, parts, bare, lags=(lag,))
        power_mw = max(power_mw, (widest - limit) / most)
    return min(storage_usd(running, card, power_mw) for card in running.equipment.storage.cards)


def _impulse(site: Site) -> list[float]:
    """Return by lag the sum of |y_{k+lag} - y_k| that an impulse of 1 MW leaves behind the high-pass."""
    y = np.zeros(2 + 40 * window.steps(site))
    y[1] = 1.0
    for _ in range(site.poi.filter_order):
        y = window.high_pass(y, 0.0, window.high_pass_coefficient(site))
    made = []
    for lag in range(1, window.steps(site) + 1):
        late = np.concatenate([np.zeros(lag), y])
        made.append(float(np.abs(np.concatenate([y, np.zeros(lag)]) - late).sum()) + float(np.abs(y[-1])))
    return made


def storage_usd(site: Site, card: str, power_mw: float, energy_mwh: float | None = None) -> float:
    """Return the annual cost of a storage, by default of the least energy that its power allows [USD]."""
    part = catalogue.build(site, "storage", card)
    energy = part.energy_min_mwh(power_mw) if energy_mwh is None else energy_mwh
    power = evaluation.annual_usd(site, "storage_power", Size(card, None, power_mw, "mw"))
    return power + evaluation.annual_usd(site, "storage_energy", Size(card, None, energy, "mwh"))


def _cheapest(site: Site, name: str) -> Way:
    return min(modes.ways(site.jobs[name]), key=lambda way: mixing.work_usd(site, name, way))


def _held(site: Site) -> Mix:
    """Return the mix in which every job keeps the clock at the least cost, where it has a lock."""
    found = {}
    for name, job in site.jobs.items():
        locked = [way for way in modes.ways(job) if way.locked]
        found[name] = min(locked or modes.ways(job), key=lambda way: mixing.work_usd(site, name, way))
    return modes.uniform(site, found)


def _jobs_moved(site: Site, current: Mix) -> Iterator[Mix]:
    """Yield the mixes in which all copies of one job run in another way, the cheapest first."""
    made = [
        tuple(
            (each, ((way, site.jobs[each].count),)) if each == name else (each, own) for each, own in current
        )
        for name, _ in current
        for way in modes.ways(site.jobs[name])
    ]
    yield from sorted((mix for mix in made if mix != current), key=lambda mix: mix_usd(site, mix))


def _copies_moved(site: Site, current: Mix) -> Iterator[Mix]:
    """Yield the mixes in which one copy of a job runs in another way, the cheapest first."""
    made = []
    for name, found in current:
        for old, way in itertools.product(dict(found), modes.ways(site.jobs[name])):
            if old != way:
                count = dict(found)
                count[old], count[way] = count[old] - 1, count.get(way, 0) + 1
                own = tuple(sorted((each, n) for each, n in count.items() if n))
                made.append(tuple((each, own if each == name else rest) for each, rest in current))
    yield from sorted(dict.fromkeys(made), key=lambda mix: mix_usd(site, mix))
