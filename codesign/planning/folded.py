"""A lower bound of what storage for stops costs, whatever the schedule: the folded programme.

Take any schedule and sizes that hold every stop. Turn time so that the copy that stops stands at its first
placement, and average planned dispatch and recoveries over the K / C turns of a shorter clock C that divides
the macro clock K: all rows are linear with the same coefficients in every turn, so the means satisfy them.
The copy is then replaced by its folded course and fall, every other copy by a mean of turned folded courses.

    least cost_P P + cost_E E    over P, E, shares of the turned courses of the other copies (their number in
                                 all), a C-periodic dispatch, one recovery for each slot of C

The value V of this programme gives the row  cost_P P + cost_E E >= V  (`outer`). It holds for any one copy:
the job that falls deepest is taken. With several modes V is the least over them, and the other jobs run in
any mix. A linear programme: whole numbers of copies would only raise it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from scipy import sparse

from codesign import catalogue, evaluation, modes, window, workload
from codesign.design import Size
from codesign.linear import Kept
from codesign.site import Site
from codesign.stops import course
from codesign.timing import spent

MOST_STEPS = 60
"""Of the folded clock: the largest divisor of the macro clock up to it."""
MOST_COURSES = 4000
"""Turned folded courses of all jobs; beyond, no row is derived."""
MOST_PATTERNS = 8
"""Courses that differ by more than a turn of the copy that stops; beyond, no row is derived."""
ROUNDED, NOTHING_USD = 1e-6, 1.0
"""Taken off its value for the solver's tolerance; and a value below which a stop asks for no storage."""


@lru_cache(maxsize=64)
def least_usd(site: Site, card: str) -> float:
    """Return V for a card, of several modes the least; 0 where no row is derived [USD a year]."""
    if not window.applies(site):
        return 0.0
    with spent("stops"):
        steps = _clock(site)
        others = {name: _courses(site, name, steps) for name in site.jobs}
        if sum(len(each) for each in others.values()) > MOST_COURSES:
            return 0.0
        job = _deepest(site)
        patterns = list(_patterns(site, job, steps))
        if len(patterns) > MOST_PATTERNS:
            return 0.0
        values = [_Folded(site, card, steps, job, own, fall, others).usd() for own, fall in patterns]
    value = (1.0 - ROUNDED) * min(values)
    return value if value > NOTHING_USD else 0.0


def _clock(site: Site) -> int:
    whole = workload.macro_steps(site)
    return max(each for each in range(1, min(whole, MOST_STEPS) + 1) if whole % each == 0)


@lru_cache(maxsize=256)
def _running(site: Site, mode_of: tuple[tuple[str, str], ...]) -> Site:
    """Return the site with all copies of every job in a mode."""
    mode, ways = dict(mode_of), {}
    for name, job in site.jobs.items():
        ways[name] = next(way for way in modes.ways(job) if way.mode == mode[name])
    return modes.running(site, modes.uniform(site, ways))


def _in_modes(site: Site, name: str) -> Iterator[Site]:
    """Yield the site with a job in each of its modes, the others in their first."""
    first = {each: job.modes[0] for each, job in site.jobs.items()}
    for mode in site.jobs[name].modes:
        yield _running(site, tuple({**first, name: mode}.items()))


def _folded(values: np.ndarray, steps: int) -> np.ndarray:
    return np.asarray(values.reshape(-1, steps).mean(axis=0))


def _courses(site: Site, name: str, steps: int) -> np.ndarray:
    """Return the turned folded courses of one copy in all modes, each once [courses, steps]."""
    found: dict[bytes, np.ndarray] = {}
    for plant in _in_modes(site, name):
        for place in workload.placements(plant, name):
            folded = _folded(workload.template_mw(plant, name, place), steps)
            if np.round(folded, 9).tobytes() in found:
                continue  # and so are its turns
            for turn in range(steps):
                turned = np.roll(folded, turn)
                found[np.round(turned, 9).tobytes()] = turned
    return np.array(list(found.values()))


def _patterns(site: Site, name: str, steps: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield folded course and fall of the copy that stops, by mode; once for all that are turns of it."""
    for plant in _in_modes(site, name):
        seen: set[bytes] = set()
        for place in workload.placements(plant, name):
            row = workload.assignment(plant, name, 0, place)
            own = _folded(workload.assignment_mw(plant, row), steps)
            if np.round(own, 9).tobytes() in seen:
                continue
            seen |= {np.round(np.roll(own, turn), 9).tobytes() for turn in range(steps)}
            yield own, own - workload.idle_mw(plant, row)


def _deepest(site: Site) -> str:
    """Return the job whose copies fall deepest in the mode in which they fall least."""

    def fall_mw(name: str) -> float:
        deepest = []
        for plant in _in_modes(site, name):
            row = workload.assignment(plant, name, 0, workload.placements(plant, name)[0])
            deepest.append(float(workload.assignment_mw(plant, row).max()) - workload.idle_mw(plant, row))
        return round(min(deepest), 9)

    return max(site.jobs, key=fall_mw)


class _Folded:
    """The programme of one copy; columns in the order of `_columns`."""

    def __init__(
        self, site: Site, card: str, steps: int, job: str, own: np.ndarray, fall: np.ndarray,
        others: dict[str, np.ndarray],
    ) -> None:  # fmt: skip
        self.site, self.steps, self.horizon = site, steps, course.steps(site)
        self.part = catalogue.build(site, "storage", card)
        self.card, self.own, self.fall = card, own, fall
        self.numbers = {name: site.jobs[name].count - (name == job) for name in others}
        self.courses = others
        self.size = 0
        self.entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.low_rows: list[np.ndarray] = []
        self.high_rows: list[np.ndarray] = []
        self.low_columns: list[np.ndarray] = []
        self.rows = 0

    def usd(self) -> float:
        """Return the least cost of power and energy."""
        power, energy = self._new(1), self._new(1)
        unit_size = Size(self.card, None, 1.0, "")
        cost_power = evaluation.annual_usd(self.site, "storage_power", unit_size)
        cost_energy = evaluation.annual_usd(self.site, "storage_energy", unit_size)
        unit = course.widest(self.part, 1.0, 1.0)
        per_mw = float(self.part.energy_min_mwh(1.0))
        self._add([(energy, 1.0), (power, -per_mw)], 0.0, np.inf, 1)
        load = self._load()
        planned = self._planned(power, energy, load, unit)
        for slot in range(self.steps):
            self._branch(slot, power, energy, load, planned, unit)
        cost = np.zeros(self.size)
        cost[power], cost[energy] = cost_power / 1e3, cost_energy / 1e3
        at, to, value = (np.concatenate([each[i] for each in self.entries]) for i in range(3))
        answer = Kept(
            cost, np.concatenate(self.low_columns), np.full(self.size, np.inf),
            sparse.coo_array((value, (at, to)), shape=(self.rows, self.size)),
            np.concatenate(self.low_rows), np.concatenate(self.high_rows), tolerance=1e-7, solver="ipm",
        ).solve()  # fmt: skip
        if answer is None:
            raise AssertionError("a storage large enough holds every stop")
        return 1e3 * answer.objective

    def _new(self, count: int, low: float = 0.0) -> np.ndarray:
        self.size += count
        self.low_columns.append(np.full(count, low))
        return np.arange(self.size - count, self.size)

    def _add(
        self, terms: list[tuple[np.ndarray, float | np.ndarray]], low: float | np.ndarray,
        high: float | np.ndarray, count: int,
    ) -> None:  # fmt: skip
        """Append rows; a term is a column a row, or one for all, with a coefficient."""
        at = np.arange(self.rows, self.rows + count)
        for column, value in terms:
            self.entries.append(
                (at, np.broadcast_to(column, (count,)), np.broadcast_to(np.asarray(value, float), (count,)))
            )
        self.low_rows.append(np.broadcast_to(np.asarray(low, float), (count,)))
        self.high_rows.append(np.broadcast_to(np.asarray(high, float), (count,)))
        self.rows += count

    def _load(self) -> np.ndarray:
        """Columns of the folded load: the copy that stops, and shares of the turned courses of the others."""
        load = self._new(self.steps, -np.inf)
        at = np.arange(self.rows, self.rows + self.steps)
        self._add([(load, 1.0)], self.own, self.own, self.steps)
        for name, courses in self.courses.items():
            if not self.numbers[name]:
                continue
            share = self._new(len(courses))
            rows, columns = np.repeat(at, len(courses)), np.tile(share, self.steps)
            self.entries.append((rows, columns, -courses.T.ravel()))
            self.entries.append(
                (np.full(len(courses), self.rows), share, np.ones(len(courses)))
            )
            self._add([], float(self.numbers[name]), float(self.numbers[name]), 1)
        return load

    def _within(self, charge: np.ndarray, discharge: np.ndarray, stored: np.ndarray, power: np.ndarray,
                energy: np.ndarray, unit: course.Store) -> None:  # fmt: skip
        for column in (charge, discharge):
            self._add([(column, 1.0), (power, -1.0)], -np.inf, 0.0, len(column))
        self._add([(stored, 1.0), (energy, -unit.usable_mj)], -np.inf, 0.0, len(stored))

    def _planned(self, power: np.ndarray, energy: np.ndarray, load: np.ndarray, unit: course.Store
                 ) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:  # fmt: skip
        """Stored energy, net power and filtered power of the periodic dispatch, within the window."""
        n, step_s = self.steps, self.site.clock.step_s
        charge, discharge, stored = (self._new(n) for _ in range(3))
        self._within(charge, discharge, stored, power, energy, unit)
        flow = [(charge, -step_s * unit.charged), (discharge, step_s * unit.discharged)]
        self._add([(np.roll(stored, -1), 1.0), (stored, -1.0), *flow], 0.0, 0.0, n)
        net = self._new(n, -np.inf)
        self._add([(net, 1.0), (load, -1.0), (charge, -1.0), (discharge, 1.0)], 0.0, 0.0, n)
        a, filtered, into = window.high_pass_coefficient(self.site), list[np.ndarray](), net
        for _ in range(self.site.poi.filter_order):
            y = self._new(n, -np.inf)
            self._add([(y, 1.0), (np.roll(y, 1), -a), (into, -1.0), (np.roll(into, 1), 1.0)], 0.0, 0.0, n)
            filtered.append(y)
            into = y
        room = window.room_mw(self.site)
        for lag in range(1, window.steps(self.site) + 1):
            self._add([(into, 1.0), (np.roll(into, lag), -1.0)], -room, room, n)
        return stored, net, filtered

    def _branch(
        self, slot: int, power: np.ndarray, energy: np.ndarray, load: np.ndarray,
        planned: tuple[np.ndarray, np.ndarray, list[np.ndarray]], unit: course.Store,
    ) -> None:  # fmt: skip
        """The recovery from a stop at a slot: states of the dispatch before it, its own columns after."""
        h, step_s, a = self.horizon, self.site.clock.step_s, window.high_pass_coefficient(self.site)
        stored, net, filtered = planned
        k, before = (slot + np.arange(h)) % self.steps, (slot - 1) % self.steps
        charge, discharge, after = (self._new(h) for _ in range(3))
        self._within(charge, discharge, after, power, energy, unit)
        earlier = np.concatenate([[stored[slot]], after[:-1]])
        flow = [(charge, -step_s * unit.charged), (discharge, step_s * unit.discharged)]
        self._add([(after, 1.0), (earlier, -1.0), *flow], 0.0, 0.0, h)
        own, gone = self._new(h, -np.inf), -self.fall[k]
        self._add([(own, 1.0), (load[k], -1.0), (charge, -1.0), (discharge, 1.0)], gone, gone, h)
        into, last_in = own, net[before]
        for order in filtered:
            y = self._new(h, -np.inf)
            y_before = np.concatenate([[order[before]], y[:-1]])
            into_before = np.concatenate([[last_in], into[:-1]])
            self._add([(y, 1.0), (y_before, -a), (into, -1.0), (into_before, 1.0)], 0.0, 0.0, h)
            into, last_in = y, order[before]
        room, last = window.room_mw(self.site), filtered[-1]
        for lag in range(1, window.steps(self.site) + 1):
            t = np.arange(h) - lag
            past = np.where(t >= 0, into[np.maximum(t, 0)], last[(slot + t) % self.steps])
            self._add([(into, 1.0), (past, -1.0)], -room, room, h)
