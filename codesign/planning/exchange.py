"""A schedule by greedy placement and exchange: the narrowest window range on both clocks.

Jobs are placed from the largest swing down, each where the sum is narrowest; then every copy is moved in turn
as long as that narrows it, from several random orders. The range is the window rule's, of the high-passed
sum: copies that can shift (jitter, no lock) enter with their worst lagged difference, one per lag. No storage
is seen here: what the rule does not allow is left to it. How long and how far a sum is beyond the limit
counts beside its range: one checkpoint may set the range whatever the others do, and what storage costs is
then how often they add to it. The weight of that excess is a choice (WEIGHTS): the caller asks the storage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from codesign import stopping, streams, window, workload
from codesign.design import Schedule
from codesign.site import Site
from codesign.workload import Placement

STARTS, SWEEPS, SEED = 8, 6, 20_251
WEIGHTS = (20.0, 0.0)
"""Of the mean excess against the range, in the order in which they are worth trying (measured on the hall:
storage of 61 thousand USD a year against 89)."""
CALM = 0.05
"""Of the mean change against the range: ties go to the calmer sum."""


Measure = Callable[[np.ndarray], float]


TABLE_BYTES = 2**29
"""Of the table of one job's changes, beyond which each is made when it is asked for."""


class Moves:
    """A job's placements and what each does: worst lagged difference up and down [2, lags, K]."""

    def __init__(self, site: Site, name: str) -> None:
        job = site.jobs[name]
        self.site, self.name = site, name
        self.places = workload.placements(site, name) if job.locked else workload.placements(site, name)[:1]
        self.late = streams.shifts(job.jitter_s / site.clock.step_s if job.locked else 0.0)
        self.table: np.ndarray | None = None
        if table_bytes(site, len(self.places)) <= TABLE_BYTES:
            self.table = np.stack([self._made(place) for place in self.places])

    def change_mw(self, place: int) -> np.ndarray:
        """Return what a placement does."""
        return self._made(self.places[place]) if self.table is None else self.table[place]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.change_mw(place) for place in range(len(self.places)))

    def _made(self, place: Placement) -> np.ndarray:
        stopping.pace()
        y = window.high_pass_periodic(workload.template_mw(self.site, self.name, place), self.site)
        up = np.stack([np.roll(y, -lag) - y for lag in range(1, _lags(self.site) + 1)])
        both = np.stack([up, -up])
        return np.asarray(np.max([streams.moved(both, shift) for shift in self.late], axis=0))


def table_bytes(site: Site, places: int) -> int:
    """Return the size of a table of changes."""
    return places * 2 * _lags(site) * workload.macro_steps(site) * 8


def schedule(site: Site, weight: float = WEIGHTS[0]) -> Schedule:
    """Return the best schedule found; unlocked jobs stand anywhere."""
    moves = {name: Moves(site, name) for name in site.jobs}
    copies = [(name, copy) for name, job in site.jobs.items() if job.locked for copy in range(job.count)]
    steps, lags = workload.macro_steps(site), _lags(site)
    base = np.zeros((2, lags, steps))
    for name, job in site.jobs.items():
        if not job.locked:
            worst = moves[name].change_mw(0).max(axis=2, keepdims=True)  # at any phase
            base = base + job.count * worst
    swing = {name: float(each.change_mw(0).max()) for name, each in moves.items()}
    copies.sort(key=lambda each: -swing[each[0]])
    measure = partial(_measure, limit_mw=window.room_mw(site), weight=weight)
    random = np.random.default_rng(SEED)
    best, best_at = np.inf, dict.fromkeys(copies, 0)
    for start in range(STARTS if copies else 0):
        order = (
            copies if start == 0 else [copies[0], *random.permutation(np.array(copies[1:], object)).tolist()]
        )
        order = [(str(name), int(copy)) for name, copy in order]
        value, at = _exchanged(base, moves, order, measure)
        if value < best - 1e-9:
            best, best_at = value, at
    assignments = []
    for name, job in site.jobs.items():
        if job.locked:
            chosen = sorted(best_at[name, copy] for copy in range(job.count))
            taken = [moves[name].places[q] for q in chosen]
        else:
            taken = list(workload.unlocked_places(site, name))
        assignments += [workload.assignment(site, name, copy, place) for copy, place in enumerate(taken)]
    return Schedule(assignments)


def _lags(site: Site) -> int:
    """Return how many lags are looked at: those within the rule's window, one where there is no rule."""
    return max(window.steps(site), 1)


def _exchanged(
    base: np.ndarray, moves: dict[str, Moves], order: list[tuple[str, int]], measure: Measure
) -> tuple[float, dict[tuple[str, int], int]]:
    """Place in this order, then move one copy at a time while it helps; the first copy stays put."""
    total, at = base.copy(), dict.fromkeys(order, 0)
    for copy in order:
        at[copy] = 0 if copy == order[0] else _narrowest(total, moves[copy[0]], measure)[1]
        total = total + moves[copy[0]].change_mw(at[copy])
    value = measure(total)
    for _ in range(SWEEPS):
        before = value
        for copy in order[1:]:
            changes = moves[copy[0]].change_mw
            rest = total - changes(at[copy])
            found, place = _narrowest(rest, moves[copy[0]], measure)
            if found < value - 1e-9:
                value, at[copy] = found, place
            total = rest + changes(at[copy])
        if value >= before - 1e-9:
            break
    return value, at


def _narrowest(rest: np.ndarray, job: Moves, measure: Measure) -> tuple[float, int]:
    stopping.heed()
    values = [measure(rest + change) for change in job]
    place = int(np.argmin(values))
    return values[place], place


def _measure(change: np.ndarray, limit_mw: float, weight: float) -> float:
    """Return the range, the weighted mean excess over the limit, and a little of the mean change."""
    worst = change.max(axis=(0, 1))
    excess = float(np.mean(np.maximum(worst - limit_mw, 0.0)))
    return float(worst.max()) + weight * excess + CALM * float(np.mean(np.maximum(worst, 0.0)))
