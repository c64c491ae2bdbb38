"""Stops in the plan: the planned course by its columns, the cuts of the stops that it does not hold as rows.

A cut (`codesign.stops.programme`) says of one stop by how much it exceeds the room at least: linear in the
sizes and in the states and loads of the course, so it is one row of the model that chooses them. It holds for
every schedule of a site in which all jobs keep the clock: there it is `outer`. Elsewhere it belongs to a
schedule that is given (`inner`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from codesign import catalogue, evaluation, window, workload
from codesign.design import Schedule
from codesign.planning.rows import Rows
from codesign.site import Site
from codesign.sizing import amounts
from codesign.smoothing import TIGHT_MW
from codesign.stops import course, worst
from codesign.stops.programme import Cut, Recovery

S_PER_H = 3600.0


@dataclass(frozen=True, slots=True)
class Placed:
    """Columns of one stream by step of its own period; `later` is by how many steps each copy is late."""

    later: tuple[int, ...]
    stored_mj: Mapping[str, Sequence[Any]]  # by card
    net_mw: Sequence[Any]
    filtered_mw: Sequence[Sequence[Any]]  # by order

    def total(self, columns: Sequence[Any], k: int) -> Any:
        """Return the sum over all copies at a step of the macro clock."""
        return sum(columns[(k - later) % len(columns)] for later in self.later)


@dataclass(frozen=True, slots=True)
class Course:
    """Columns of the planned course: power of the jobs by step, and the streams that make it up."""

    load_mw: Sequence[Any]
    parts: Sequence[Placed]

    def quantity(self, key: Any, card: str | None, power_mw: Any, usable_mj: Any) -> Any:
        """Return a quantity of a cut, other than a fall, as a linear expression."""
        match key[0]:
            case "power":
                return power_mw
            case "usable":
                return usable_mj
            case "load":
                return self.load_mw[key[1]]
            case "stored" if card is not None:
                return sum(
                    part.total(part.stored_mj[card], key[1]) for part in self.parts if card in part.stored_mj
                )
            case "stored":
                return 0.0
            case "net":
                return sum(part.total(part.net_mw, key[1]) for part in self.parts)
        return sum(part.total(part.filtered_mw[key[1]], key[-1]) for part in self.parts)

    def read(self, site: Site, card: str | None, value: Callable[[Any], float]) -> course.Course:
        """Return the course of a solution with one card."""
        steps = range(len(self.load_mw))
        load = np.array([value(each) for each in self.load_mw])
        net = np.array([value(sum(part.total(part.net_mw, k) for part in self.parts)) for k in steps])
        stored = np.zeros(len(load))
        if card is not None:
            stored = np.array([value(self.quantity(("stored", k), card, 0.0, 0.0)) for k in steps])
        filtered = window.high_pass_orders(net, site)
        return course.Course(load, net - load, np.maximum(stored, 0.0), np.array(filtered))


def excess_mw(
    cut: Cut, of: Course, fast: Any, site: Site, card: str | None, fall: Callable[[int], Any]
) -> Any:
    """Return by how much a stop, `fall(t)` in step t, exceeds the room at least, less what other cards relax.

    At most zero is the row: where another card is picked than the one the cut was made with, it says nothing.
    """
    power_mw = 0.0
    if card is not None:
        power_mw = course.rating_pu(catalogue.build(site, "storage", card)) * fast.power_mw[card]
    usable_mj = usable_pu(site, card) * fast.energy_mwh[card] if card else 0.0
    total = cut.constant
    for key, slope in cut.terms.items():
        quantity = fall(key[1]) if key[0] == "fall" else of.quantity(key, card, power_mw, usable_mj)
        total = total + slope * quantity
    other = [pick for each, pick in fast.card.items() if each != card and (card is None or each is not None)]
    return total - most_mw(site) * sum(other) if other else total


def most_mw(site: Site) -> float:
    """Return more than any stop can exceed the room by, whatever storage stands: the rows of other cards."""
    options = amounts(site, "storage_power")
    peak = sum(
        job.count * float(workload.template_mw(site, name, workload.placements(site, name)[0]).max())
        for name, job in site.jobs.items()
    )
    return float(2.0 ** (site.poi.filter_order + 2) * (peak + max(options)))


def usable_pu(site: Site, card: str) -> float:
    """Return the usable energy of a card, MJ per MWh of its size."""
    part = catalogue.build(site, "storage", card)
    return float(S_PER_H * (part.soc_max_pu - part.soc_min_pu))


def broken(
    site: Site, planned: course.Course, falls: Sequence[course.Fall], own: course.Store
) -> list[worst.Broken]:  # fmt: skip
    """Return the stops that a planned course does not hold with a storage."""
    return worst.broken(site, planned, falls, own, TIGHT_MW, Recovery(site, own))


@dataclass(frozen=True, slots=True)
class Stop:
    """A cut of one stop, or return: the copy as it is placed, and the card that the cut was made with."""

    row: workload.Assignment
    returns: bool
    card: str | None
    cut: Cut

    def fall_mw(self, site: Site) -> np.ndarray:
        """Return what the copy takes away, or brings, by step of the macro clock."""
        away = workload.assignment_mw(site, self.row) - workload.idle_mw(site, self.row)
        return -away if self.returns else away


@dataclass(slots=True)
class Known:
    """Cuts that were found of a running site, and the courses without one copy that its storage must hold."""

    stops: list[Stop] = field(default_factory=list)
    away: list[workload.Assignment] = field(default_factory=list)
    learnt: set[Any] = field(default_factory=set)
    refused: list[tuple[Schedule, str | None, float, float]] = field(default_factory=list)
    """Schedules with sizes that a return breaks: another schedule is chosen, or a larger storage."""

    def take(
        self, site: Site, schedule: Schedule, card: str | None, power_mw: float, energy_mwh: float
    ) -> bool:
        """Judge sizes for a schedule; keep the proof where a stop or a return does not hold. Whether all do.

        Returns are looked at where all stops hold.
        """
        before = len(self.stops)
        rows = [row for row, _ in schedule.one_away()]
        self.judge(site, schedule, card, power_mw, energy_mwh, rows)
        return len(self.stops) == before

    def learn(
        self, site: Site, schedule: Schedule, card: str | None, power_mw: float, energy_mwh: float
    ) -> bool:
        """Keep what decides the dispatch of sizes that hold: with it the model knows what its loss is.

        Whether there was something to learn.
        """
        key = schedule, card, power_mw, energy_mwh
        if key in self.learnt or not window.applies(site):
            return False
        self.learnt.add(key)
        best = evaluation.dispatch(site, schedule, card, power_mw, energy_mwh)
        rows = {(row.job, row.copy): row for row in schedule}
        self.stops += [Stop(rows[fall.job, fall.copy], False, card, cut) for fall, cut in best.cuts]
        return bool(best.cuts)

    def judge(
        self, site: Site, schedule: Schedule, card: str | None, power_mw: float, energy_mwh: float,
        away: Sequence[workload.Assignment],
    ) -> None:  # fmt: skip
        """Add the proof that stops, or the returns of copies that are away, do not hold."""
        if not window.applies(site):
            return
        best = evaluation.dispatch(site, schedule, card, power_mw, energy_mwh)
        rows = {(row.job, row.copy): row for row in schedule}
        if best.stop_mw:
            self.stops += [Stop(rows[fall.job, fall.copy], False, card, cut) for fall, cut in best.cuts]
            return
        for row, rest in schedule.one_away():
            if row not in away:
                continue
            back = evaluation.dispatch(site, rest, card, power_mw, energy_mwh, returns=row, coarse=True)
            if back.stop_mw:
                case = schedule, card, power_mw, energy_mwh
                self.refused += [] if case in self.refused else [case]
                self.away += [] if row in self.away else [row]
                self.stops += [Stop(row, True, card, cut) for _, cut in back.cuts]


def add(rows: Rows, site: Site, fast: Any, offsets: Any, known: Known, given: Schedule | None) -> None:
    """Add the cuts of stops to a model: of every schedule where none is given, else of that one."""
    cards = [catalogue.build(site, "storage", card) for card in fast.power_mw if card]
    steady = all(job.locked and job.jitter_s == 0.0 for job in site.jobs.values())
    exact = steady and given is None and all(part.time_constant_s == 0.0 for part in cards)
    name, row_of = ("job_stops", rows.outer) if exact else ("job_stops_given", rows.inner)
    if given is None and not steady:
        return
    present: dict[Any, Any] = {}
    for stop in known.stops:
        if stop.returns or (stop.card not in fast.card):
            continue
        share = _present(rows, site, offsets, stop.row, given, present)
        if isinstance(share, float) and share == 0.0:
            continue
        mw = stop.fall_mw(site)

        def fall(t: int, mw: np.ndarray = mw, slot: int = stop.cut.slot, share: Any = share) -> Any:
            return float(mw[(slot + t) % len(mw)]) * share

        row_of(name, excess_mw(stop.cut, fast.course, fast, site, stop.card, fall) <= 0.0)
    for case in known.refused if given is None and not exact else ():
        _refuse(rows, site, fast, offsets, *case)


def _refuse(
    rows: Rows, site: Site, fast: Any, offsets: Any, schedule: Schedule, card: str | None, power_mw: float,
    energy_mwh: float,
) -> None:  # fmt: skip
    """Ask for another schedule than one whose returns a storage does not hold, or for a larger storage."""
    places = {(row.job, workload.placements(site, row.job).index(workload.placement_of(site, row)))
              for row in schedule}  # fmt: skip
    moved: Any = len(schedule) - sum(offsets.count[each] for each in places)
    if card is not None:
        for name, column, at in (
            ("storage_power", fast.power_mw[card], power_mw),
            ("storage_energy", fast.energy_mwh[card], energy_mwh),
        ):
            options = amounts(site, name)
            more = [0.05 * at] if isinstance(options, tuple) else [v - at for v in options if v > at]
            if more and min(more) > 0.0:
                larger = rows.count("storage_larger", 1)
                rows.inner("storage_larger", column >= (at + min(more)) * larger)
                moved = moved + larger
    rows.inner("schedule_refused", moved >= 1)


def _present(
    rows: Rows, site: Site, offsets: Any, row: workload.Assignment, given: Schedule | None,
    present: dict[Any, Any],
) -> Any:  # fmt: skip
    """Return 1 where some copy stands as this one does, as a number or a column."""
    if given is not None:
        return float(any(replace(each, copy=row.copy) == row for each in given))
    key = row.job, workload.placement_of(site, row)
    if key not in present:
        number = workload.placements(site, row.job).index(key[1])
        count, copies = offsets.count[row.job, number], site.jobs[row.job].count
        present[key] = count
        if copies > 1:
            present[key] = rows.count("some_placed", 1)
            rows.exact("some_placed", copies * present[key] >= count)
    return present[key]


def add_away(
    rows: Rows, site: Site, fast: Any, row: workload.Assignment, course_of: Course, known: Known
) -> None:
    """Add the cuts of a copy's return to a model that holds the course without it."""
    for stop in known.stops:
        if not stop.returns or stop.row != row or stop.card not in fast.card:
            continue
        mw = stop.fall_mw(site)

        def fall(t: int, mw: np.ndarray = mw, slot: int = stop.cut.slot) -> Any:
            return float(mw[(slot + t) % len(mw)])

        rows.inner("job_returns", excess_mw(stop.cut, course_of, fast, site, stop.card, fall) <= 0.0)
