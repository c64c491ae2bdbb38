"""The plan of a site that is too large for the joint model: clocks apart, with a bound that holds.

1. mean-field master   sizes and day clock at the jobs' mean power and what every schedule needs of the
                       storage: a relaxation, so its dual bound is the setting's bound; over all mixes of
                       modes where jobs have several (`mixing`)
2. schedule            greedy and exchange on both clocks (`exchange`), the mix by descent (`mixing`)
3. storage             for that schedule: least annual cost that keeps the window rule
4. day                 the master again with the storage, its loss and the highest power given

The last is evaluated exactly; its cost is the plan's. Settings are tried warmest first; one is left out of
the plan's search only where its bound is above the cost of a plan that honours every cut. Curves are
sharpened where model and exact cost differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyomo.environ as pyo

from codesign import cycle, evaluation, modes, ranges, stopping, window, workload
from codesign.design import Schedule, Setting
from codesign.errors import StoppedError
from codesign.planning import bound, descent, electrical, exchange, joint, mixing, storage, stored
from codesign.planning import schedule as offsets
from codesign.planning.attempt import Cut, Found, Need, Run, add_cuts, settled, sharpen
from codesign.planning.highs import Status
from codesign.planning.joint import Points
from codesign.planning.rows import OBJECTIVE, Rows
from codesign.residue import residue
from codesign.site import Site
from codesign.sizing import amounts as amounts_of
from codesign.sizing import listed
from codesign.workload import Assignment

PEAK_USD_PER_MW = 1.0
"""Price of the highest power in the storage programme: of equal storages the calmer."""
ROOM = 1e-8
"""The storage asked for is larger than its programme says by this, relatively: rows hold to a tolerance."""
MOST_ROUNDS = 6
LEARN_ROUNDS = 2
"""Storages tried at the efficiencies of the last one's real course: further ones move its size by 2e-4."""
MOST_COURSES = 3
"""Courses without one copy that are added to the storage programme at a time."""
SHARP = 0.05
"""Curves are sharp enough where exact and model cost differ by less than this share of the gap allowed."""


@dataclass(frozen=True, slots=True)
class Master:
    """What the mean-field master says of a setting: its bound, and a point to start from if there is one."""

    bound_usd: float
    start: Mapping[str, float] | None
    unproven: Status | None


@dataclass(slots=True)
class Known:
    """What earlier calls found of this very site and these sizes; cuts change none of it."""

    masters: dict[tuple[Setting, Site], Master] = field(default_factory=dict)
    """By setting and site as it runs."""
    mix: descent.Tried | None = None


def search(runs: Sequence[Run], cuts: Sequence[Cut], with_bound: bool, found: Found, known: Known) -> None:
    """Bound and plan every setting in turn; keep the cheapest plan.

    A master ends once its bound is above the cost of the best plan: its setting cannot hold a cheaper one.
    """
    for run in runs:
        lower_usd = _lower_usd(run, found, known, -math.inf)
        unsolved = Master(-math.inf, None, found.unproven)
        solved = known.masters.get((run.setting, mixing.lightest(run.site)), unsolved)
        if with_bound and modes.decided(run.site):
            found.bound_usd = min(found.bound_usd, lower_usd)
        found.relaxation_feasible |= solved.start is not None
        if lower_usd >= found.cost_usd or (solved.start is None and solved.unproven is not None):
            continue
        if known.mix is None:
            known.mix = _chosen(run, found)
        if known.mix is not None:
            try:
                _day(run, cuts, known.mix, solved.start or {}, found)
            except StoppedError as stopped:
                found.unproven = Status(stopped.outcome.value)
    for run in runs:
        if with_bound and not modes.decided(run.site):
            enough_usd = (
                -math.inf if found.exact is None else found.cost_usd - run.gap * abs(found.cost_usd)
            )
            found.bound_usd = min(found.bound_usd, _lower_usd(run, found, known, enough_usd))


def _lower_usd(run: Run, found: Found, known: Known, enough_usd: float) -> float:
    """Return a bound of a setting over all mixes, raised until it is enough."""

    def master_usd(site: Site, enough: float) -> float:
        case = run.setting, site
        if case not in known.masters:
            until = enough if math.isfinite(enough) else found.cost_usd
            try:
                known.masters[case] = _mastered(replace(run, site=site), until, run.site)
            except StoppedError as stopped:
                found.unproven = Status(stopped.outcome.value)
                return -math.inf
        solved = known.masters[case]
        if solved.unproven is not None:
            found.unproven = solved.unproven
        return solved.bound_usd

    if modes.decided(run.site):
        return master_usd(run.site, found.cost_usd)
    return mixing.bounded(run.site, run.setting, master_usd, enough_usd)


def _chosen(run: Run, found: Found) -> descent.Tried | None:
    def attempt(site: Site, below_usd: float, enough_usd: float) -> descent.Tried | None:
        best: descent.Tried | None = None
        try:
            for tried in _tries(replace(run, site=site), found, below_usd):
                if best is None or tried.usd_per_year < best.usd_per_year:
                    best = tried
                if best.usd_per_year <= enough_usd:
                    break
        except StoppedError as stopped:
            found.unproven = Status(stopped.outcome.value)
            if best is None:
                raise
        return best

    best = descent.chosen(run.site, attempt, run.gap)
    if best is None or not _from_ranges(run):
        return best
    try:
        need = _need(replace(run, site=best.site), best.schedule, found)
    except StoppedError as stopped:
        found.unproven = Status(stopped.outcome.value)
        return best
    return None if need is None else replace(best, need=need)


def _from_ranges(run: Run) -> bool:
    """Whether the storage is one card of any power and energy within a range: a linear programme finds it."""
    names = ("storage_power", "storage_energy")
    ranges = all(isinstance(amounts_of(run.site, name), tuple) for name in names)
    return ranges and len(run.site.equipment.storage.cards) == 1


def _tries(run: Run, found: Found, below_usd: float) -> Iterator[descent.Tried]:
    """Yield the schedule of each weight with the least storage that it needs.

    Where a linear programme finds the storage, schedules are compared by what it says: stops are priced, but
    absent copies, returns and the real course's losses wait for the schedule that is taken.
    """
    site, before = run.site, list[Schedule]()
    for weight in exchange.WEIGHTS:
        stopping.heed()
        schedule = exchange.schedule(site, weight)
        if schedule in before:
            continue
        before.append(schedule)
        if math.isfinite(below_usd) and descent.window_usd(site, schedule) >= below_usd:
            continue
        if _from_ranges(run):
            need = _programmed(run, schedule, [], found, {}, dispatched=False, below_usd=below_usd)
        else:
            need = _need(run, schedule, found)
        if need is None:
            continue
        usd = mixing.usd_per_mw(site) * need.loss_mw
        if need.card is not None:
            usd += descent.storage_usd(site, need.card, need.power_mw, need.energy_mwh)
        yield descent.Tried(site, schedule, need, usd)


def _mastered(run: Run, enough_usd: float, of: Site) -> Master:
    """Solve the master; where it bounds mixes, without lower ends of flows: a heavier one may keep them."""
    model = master(run.site, run.setting, run.fixed, Points(), of)
    for name in model.rows.names if not modes.decided(of) else ():
        if name.endswith(ranges.LOW_END):
            model.rows.drop(name)
    answer = run.solve(model.rows.model, "bound", enough_usd=enough_usd)
    least = math.inf if answer.status is Status.INFEASIBLE else bound.bound_usd(model.rows, answer)
    proven = answer.status in (Status.OPTIMAL, Status.INFEASIBLE) or least >= enough_usd
    start = None if answer.values is None else answer.by_name
    return Master(least, start, None if proven else answer.status)


def master(
    site: Site, setting: Setting, fixed: dict[str, object], points: Points, of: Site | None = None
) -> joint.Joint:
    """Build the mean-field master of one setting: outer and exact rows only.

    It may bound all mixes of the site `of`, by default only its own.
    The storage loses nothing; where a loss all year would be paid for, as much as it can.
    """
    first = {name: workload.placements(site, name)[0] for name in site.jobs}
    mean_mw = sum(
        job.count * float(workload.template_mw(site, name, first[name]).mean())
        for name, job in site.jobs.items()
    )
    loss_mw = 0.0 if mixing.usd_per_mw(site) >= 0.0 else None
    return joint.build_day(
        site, setting, fixed, points, loss_mw=loss_mw, peak_mw=mean_mw, of=site if of is None else of
    )


def _need(run: Run, schedule: Schedule, found: Found) -> Need | None:
    """Return the storage of least annual cost that a schedule needs, stops and any one copy away included."""
    kept: list[Assignment] = []
    while True:
        need = _stored(run, schedule, kept, found)
        new = [] if need is None else _too_wide(run.site, schedule, need, kept)
        if not new:
            return need
        kept += new


def _too_wide(
    site: Site, schedule: Schedule, need: Need, kept: Sequence[Assignment]
) -> list[Assignment]:  # fmt: skip
    """Return copies whose absence or return the storage does not hold, the worst of those not yet kept."""
    if not window.applies(site):
        return []
    limit, wide = window.room_mw(site), []
    for row, rest in schedule.one_away():
        best = evaluation.dispatch(
            site, rest, need.card, need.power_mw, need.energy_mwh, returns=row, coarse=True
        )
        away = best.window_mw - limit if site.poi.one_job_absent and row.locked else 0.0
        if (away > residue(site, "mw") or best.stop_mw) and row not in kept:
            wide.append((round(max(away, best.stop_mw), 9), row))
    return [row for _, row in sorted(wide, key=lambda each: -each[0])[:MOST_COURSES]]


def _stored(run: Run, schedule: Schedule, kept: Sequence[Assignment], found: Found) -> Need | None:
    """Return the storage that keeps the window rule on all courses and takes in the stop of any copy.

    Found again at the efficiencies of its real course where its loss follows its power.
    """
    real: dict[str, tuple[float, float]] = {}
    for _ in range(LEARN_ROUNDS):
        need = _programmed(run, schedule, kept, found, real)
        if need is None or need.card is None:
            break
        best = evaluation.dispatch(run.site, schedule, need.card, need.power_mw, need.energy_mwh)
        if not storage.learn(run.site, real, need.card, best.efficiency):
            break
    return need


def _programmed(
    run: Run, schedule: Schedule, kept: Sequence[Assignment], found: Found, real: storage.Efficiencies,
    *, dispatched: bool = True, below_usd: float = math.inf,
) -> Need | None:  # fmt: skip
    """Return the storage that the programme says, with the loss and peak of its dispatch, or its own.

    None where there is none, or from ranges none that costs less than `below_usd` a year.
    """
    site, rows, fixed = run.site, Rows(f"{run.site.name}, storage"), dict(run.fixed)
    one = _from_ranges(run)
    if one:  # from nothing upwards: the card is no choice
        fixed.setdefault("storage_power.card", site.equipment.storage.cards[0])
    fast = storage.plan(rows, site, offsets.plan(rows, site, schedule), fixed, schedule, real)
    away = [
        (row, storage.also(rows, site, rest, fast, real)) for row, rest in schedule.one_away() if row in kept
    ]  # fmt: skip
    rows.cost("loss", max(mixing.usd_per_mw(site), 0.0) * fast.loss_mw)
    rows.cost("peak", PEAK_USD_PER_MW * fast.peak_mw)
    rows.close()
    most_usd = below_usd + PEAK_USD_PER_MW * site.poi.interconnection_limit_mw
    chosen = (
        stored.ranged(run, rows, schedule, fast, away, most_usd)
        if one
        else stored.listed(run, rows, schedule, fast, away)
    )
    if chosen is None:
        return None
    if isinstance(chosen, Status):
        found.unproven = chosen if chosen is not Status.INFEASIBLE else found.unproven
        return None
    card, power_mw, energy_mwh = chosen
    if card is not None and power_mw <= 0.0 and None in storage.cards(site, run.fixed):
        card = None
    if card is None:
        best = evaluation.dispatch(site, schedule, None, 0.0, 0.0)
        return Need(None, 0.0, 0.0, best.loss_mw, best.peak_mw, best.metering_mw)
    power_mw, energy_mwh = _with_room(run, power_mw, energy_mwh)
    if one and not dispatched:
        loss_mw, peak_mw = (float(pyo.value(each)) for each in (fast.loss_mw, fast.peak_mw))
        return Need(card, power_mw, energy_mwh, loss_mw, peak_mw)
    best = evaluation.dispatch(site, schedule, card, power_mw, energy_mwh)
    return Need(card, power_mw, energy_mwh, best.loss_mw, best.peak_mw, best.metering_mw)


def _with_room(run: Run, power_mw: float, energy_mwh: float) -> tuple[float, float]:
    """Return modules of the site's lists, or a little more than the amounts within their ranges."""
    made = []
    for name, value in (("storage_power", power_mw), ("storage_energy", energy_mwh)):
        options = amounts_of(run.site, name)
        if f"{name}.value" in run.fixed:
            made.append(float(run.fixed[f"{name}.value"]))
        elif isinstance(options, tuple):
            made.append(min((1 + ROOM) * value, options[1]))
        else:
            made.append(listed(run.site, name, value))
    return made[0], made[1]


def _day(run: Run, cuts: Sequence[Cut], mix: descent.Tried, start: Mapping[str, float], found: Found) -> None:
    """Plan one setting around the schedule; sharpen the curves until model and exact cost agree."""
    run, schedule, need = replace(run, site=mix.site), mix.schedule, mix.need
    site, points = run.site, Points()
    fixed = dict(run.fixed) if need.card is None else {**run.fixed, "storage_power.card": need.card}
    for _ in range(MOST_ROUNDS):
        model = joint.build_day(
            site, run.setting, fixed, points,
            loss_mw=need.loss_mw, peak_mw=need.peak_mw, metering_mw=need.metering_mw,
        )  # fmt: skip
        _at_least(model, need)
        best = evaluation.dispatch(site, schedule, need.card, need.power_mw, need.energy_mwh)
        course = cycle.shape_mw(site, schedule, best.charge_mw - best.discharge_mw)
        electrical.under_course(model.rows, site, model.grid, course)
        add_cuts(model, cuts)
        answer = run.solve(model.rows.model, "", start)
        if answer.status not in (Status.OPTIMAL, Status.INFEASIBLE):
            found.unproven = answer.status
        if answer.values is None:
            return
        sizes = joint.read(model, answer)
        exact, sizes = settled(run, sizes, schedule)
        found.keep(run, exact, sizes, schedule, answer.objective / OBJECTIVE)
        miss_usd = exact.cost_usd_per_year - answer.objective / OBJECTIVE
        holds = not exact.broken and miss_usd <= SHARP * run.gap * abs(exact.cost_usd_per_year)
        if holds or answer.status is not Status.OPTIMAL:
            return
        if not sharpen(model, points, answer, sizes, exact):
            return  # the curves are as sharp as they get: another round would be this one again
        start = answer.by_name


def _at_least(model: joint.Joint, need: Need) -> None:
    rows, fast = model.rows, model.storage
    if need.card is None:
        rows.inner("storage_card_needed", fast.card[None] >= 1)
        return
    rows.inner("storage_card_needed", fast.card[need.card] >= 1)
    rows.inner("storage_needed", fast.power_mw[need.card] >= need.power_mw)
    rows.inner("storage_needed", fast.energy_mwh[need.card] >= need.energy_mwh)
