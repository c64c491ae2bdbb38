"""The whole line: plan, check, cut, plan again, until certified or stopped with the reason.

A site that leaves the choice of its days gets those on which its plan is short in the year added first, at
weight 0, and is planned again: before the check, which then runs on the plan that is meant.

A broken margin m of a scenario comes back as a back-off cut on the sizes, m + (dm/dx)'(x - x_k) >= 0, with
the slopes of the check's margin oracle. Cuts are inner: the bound stays that of the first plan, which has
none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from codesign import (
    apart,
    catalogue,
    checking,
    days,
    evaluation,
    modes,
    planning,
    steady,
    stopping,
    window,
    workload,
    worst,
    year,
)
from codesign import site as sites
from codesign.answer import share_by_grade, versions
from codesign.checking.scenarios import names
from codesign.checking.sensitivity import sensitivities
from codesign.checking.steady import VALUED
from codesign.design import (
    Certificate,
    Check,
    Design,
    Margin,
    Outcome,
    Plan,
    ScenarioResult,
    Sizes,
    YearClaim,
)  # fmt: skip
from codesign.errors import StoppedError
from codesign.planning.attempt import Cut, amount
from codesign.planning.split import Known
from codesign.reasons import ECONOMIC, SPARE, costs_more, smaller
from codesign.site import Site
from codesign.sizing import card_of
from codesign.uncovered import never_covered, sampled

MOST_ROUNDS = 8
MOST_ADDED = 3
"""Times that days are added; each time up to three."""
OTHER_DAYS = "days of the year other than the representative ones: the site's series are not a whole year"
OTHER_DAYS_STATIC = "transients on days of the year other than the representative ones, and a bound for them"
STOPPED = (Outcome.INTERRUPTED, Outcome.TIME_LIMIT)
SIZE_OF = {named: name for name, named in VALUED.items()}
"""The plant's parameter -> size id; counted ones are `NAME_count`."""


def solve(
    site: Site | str | Path,
    *,
    time_limit_s: float = math.inf,
    gap: float | None = None,
    sizes: Mapping[str, Any] | None = None,
    log: bool = False,
    progress: Callable[[str, float, float], None] | None = None,
    scenario_progress: Callable[[str, int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
    workers: int = 1,
) -> Design:
    """Return a certified design, or the best one with the reason why it is not.

    Parameters are those of `codesign.plan`; `time_limit_s` is for the whole line, `scenario_progress` is
    called with (scenario, step, steps) by the check, which runs `workers` scenarios at a time (above 1 in
    processes of their own: InputError, before planning, where the caller's script does not guard its main).
    """
    apart.end_where_imported()
    site = sites.given(site)
    if workers > 1:
        apart.prove()
    with stopping.within(time_limit_s, stop):
        return _solved(site, gap, sizes, log, progress, scenario_progress, workers)


def _solved(
    site: Site, gap: float | None, sizes: Mapping[str, Any] | None, log: bool,
    progress: Callable[[str, float, float], None] | None,
    scenario_progress: Callable[[str, int, int], None] | None, workers: int,
) -> Design:  # fmt: skip
    """Run the line within the limits that are set."""
    began, wanted = stopping.clock_s(), site.solver.gap if gap is None else gap
    known = Known()

    def planned(of: Site) -> Plan:
        nonlocal known
        known = Known()  # of another site nothing is proven yet
        return planning.plan(of, gap=gap, sizes=sizes, known=known, log=log, progress=progress)

    asked = site
    site, first, seen = _with_worst(site, planned(site), planned)
    plan, cuts, check = first, list[Cut](), Check()
    outcome, reason, rounds = first.outcome, first.reason, 0
    unshown: tuple[str, ...] = ()
    unchecked = Check(not_covered=tuple(f"scenario {name}" for name in names(site)))

    def tell(scenario: str, step: int, steps: int) -> None:
        if scenario_progress is not None:
            scenario_progress(scenario, step, steps)
        stopping.heed()

    while plan.solved:
        rounds += 1
        try:
            _heed(first)
            check = checking.check(site, plan, log=log, progress=tell, workers=workers)
        except StoppedError as stopped:
            outcome, reason, check = stopped.outcome, "stopped before every scenario was run", unchecked
            break
        if check.holds:
            outcome, reason = Outcome.CERTIFIED, "every limit holds in every scenario of the site"
            break
        outcome, reason = Outcome.NOT_CERTIFIED, _broken(site, check)
        try:
            new = _cuts(site, plan, check, rounds)
        except StoppedError as stopped:
            outcome, reason = stopped.outcome, f"{reason}; stopped before sizes that mend it were looked for"
            break
        if not new:
            reason += "; no size has a known effect on it"
            break
        if rounds == MOST_ROUNDS:
            reason += f"; {MOST_ROUNDS} rounds of cuts did not mend it"
            break
        cuts += new
        again = planning.plan(
            site, gap=gap, sizes=sizes, cuts=cuts, with_bound=False, known=known, log=log, progress=progress
        )
        if not again.solved:
            outcome, reason = _not_mended(again, reason)
            break
        plan = replace(
            again, bound_usd_per_year=first.bound_usd_per_year, fixed_usd_per_year=first.fixed_usd_per_year
        )
    if outcome is Outcome.CERTIFIED:
        plan, unshown = _shown(site, plan, tell, workers)
    plan = replace(plan, outcome=outcome, reason=reason)
    year_of = _year(site, plan, first, seen, [day.date for day in site.days[len(asked.days) :]])
    seconds = stopping.clock_s() - began
    claim = _certificate(site, first, plan, check, rounds, seconds, unshown, year_of, wanted)
    return Design(site=site, plan=plan, check=check, certificate=claim)


def _not_mended(again: Plan, reason: str) -> tuple[Outcome, str]:
    """Return how the line ends where a plan with the cuts of the check was not found, and why."""
    if again.outcome in STOPPED:
        return again.outcome, f"{reason}; stopped before it was known whether another plan mends it"
    if again.outcome is Outcome.INFEASIBLE:
        return Outcome.NOT_CERTIFIED, f"{reason}; no size on offer mends it ({again.reason})"
    return Outcome.NOT_CERTIFIED, f"{reason}; no plan that mends it was found ({again.reason})"


def _with_worst(
    site: Site, plan: Plan, planned: Callable[[Site], Plan]
) -> tuple[Site, Plan, year.YearEvaluation | None]:
    """Add the days on which the plan is short, plan again; return the last plan's year where it was asked."""
    if site.representative_days is None or not plan.solved or not days.covers_year(site):
        return site, plan, None
    seen = _evaluated(site, plan)
    for _ in range(MOST_ADDED if seen is not None else 0):
        more = year.add_worst(site, plan, found=seen) if plan.outcome is Outcome.NOT_CERTIFIED else site
        if more is site:
            break
        again = planned(more)
        if not again.solved or again.bound_usd_per_year is None:  # nothing on offer serves them, or no time
            break
        site, plan, seen = more, again, _evaluated(more, again)
    return site, plan, seen


def _evaluated(site: Site, plan: Plan) -> year.YearEvaluation | None:
    """Return a plan on all days of the year; None where there is no time for it."""
    try:
        with stopping.finishing():
            return year.evaluate_year(site, plan)
    except StoppedError:
        return None


def _year(
    site: Site, plan: Plan, first: Plan, seen: year.YearEvaluation | None, added: Sequence[str]
) -> YearClaim | None:
    """Return the plan on all days; `seen` is that of the first plan."""
    if not plan.solved or not days.covers_year(site):
        return None
    amounts = [{name: (s.card, s.count, s.value) for name, s in each.sizes.items()} for each in (plan, first)]
    same = amounts[0] == amounts[1] and (plan.schedule, plan.setting) == (first.schedule, first.setting)
    found = seen if seen is not None and same else _evaluated(site, plan)
    return None if found is None else year.claim(found, added)


def _shown(
    site: Site, plan: Plan, tell: Callable[[str, int, int], None], workers: int
) -> tuple[Plan, tuple[str, ...]]:
    """Keep a scenario as a size's reason only where the smaller size breaks the limit when it is run.

    A cut is a line through one point: it can refuse a size that the scenario itself allows. Also returns the
    sizes for which it could not be run, or not to its end.
    """
    cases = dict[str, tuple[Plan, str]]()
    for name, size in plan.sizes.items():
        scenario, less = size.set_by.partition(" @ ")[2], smaller(site, name, size)
        if scenario not in ("", "static") and less is not None:
            cases[name] = replace(plan, sizes=Sizes({**plan.sizes, name: less})), scenario
    try:
        results = checking.results(site, list(cases.values()), progress=tell, workers=workers)
        return _told(site, plan, cases, results)
    except StoppedError:
        return plan, tuple(cases)


def _told(
    site: Site, plan: Plan, cases: Mapping[str, tuple[Plan, str]], results: Sequence[ScenarioResult]
) -> tuple[Plan, tuple[str, ...]]:
    """Return the plan with what the runs of smaller sizes say of its reasons; sizes of runs cut short."""
    sizes, unshown = dict(plan.sizes), list[str]()
    for (name, (tried, _)), result in zip(cases.items(), results, strict=True):
        size = plan.sizes[name]
        limit = size.set_by.partition(" @ ")[0]
        if any(row.limit == limit and row.margin < 0.0 for row in result.margins):
            continue
        if result.status != "complete":
            unshown.append(name)
            continue
        reason = ECONOMIC if costs_more(site, plan, name, tried.sizes[name]) else f"{SPARE}{size.set_by}"
        sizes[name] = replace(size, set_by=reason)
    return replace(plan, sizes=Sizes(sizes)), tuple(unshown)


def _heed(first: Plan) -> None:
    """Raise where the work has to end, or the plan did already."""
    stopping.heed()
    if first.outcome in STOPPED:
        raise StoppedError(first.outcome)


def _cuts(site: Site, plan: Plan, check: Check, rounds: int) -> list[Cut]:
    """One cut a broken limit and scenario; slopes of an oracle that did not converge make none."""
    made = []
    for row in _worst_by_limit(check):
        found = sensitivities(site, plan, row.scenario, row.limit, check[row.scenario])
        gradient = {_size_id(name): slope for name, slope in found.slopes.items() if slope != 0.0}
        if any(slope > 0.0 for slope in gradient.values()):
            at = {name: amount(plan.sizes[name]) for name in gradient}
            name = f"{row.scenario}_{row.limit}_{rounds}"
            made.append(Cut(name, row.margin, gradient, at, row.limit, row.scenario))
    return made


def _size_id(name: str) -> str:
    return SIZE_OF.get(name, name.removesuffix("_count"))


def _worst_by_limit(check: Check) -> list[Margin]:
    worst: dict[tuple[str, str], Margin] = {}
    for row in check.margins:
        if row.margin < 0.0 and row.scenario != "static":
            key = (row.scenario, row.limit)
            if key not in worst or row.margin < worst[key].margin:
                worst[key] = row
    return list(worst.values())


def _broken(site: Site, check: Check) -> str:
    """Return the miss to name: the worst of the static limits, which were judged first, else the worst."""
    row = worst.worst(site, check.static) or worst.worst(site, check.margins)
    if row is not None:
        where = f"{row.place}, {row.scenario}, at {row.time_s:g} s"
        return f"{row.limit} misses by {-row.margin:.4g} {row.unit} ({where})"
    return (
        "; ".join(f"{run.id}: {run.status}" for run in check.scenarios if run.status != "complete")
        or "nothing was checked"
    )


def _certificate(
    site: Site, first: Plan, plan: Plan, check: Check, rounds: int, seconds: float, unshown: Sequence[str],
    year_of: YearClaim | None, asked: float,
) -> Certificate:  # fmt: skip
    return Certificate(
        outcome=plan.outcome, reason=plan.reason, plan_cost_usd_per_year=first.cost_usd_per_year,
        cost_usd_per_year=plan.cost_usd_per_year, bound_usd_per_year=plan.bound_usd_per_year, gap=plan.gap,
        influenced_gap=plan.influenced_gap, fixed_usd_per_year=plan.fixed_usd_per_year, year=year_of,
        cost_share_by_grade=share_by_grade(plan.cost_items), covered=check.covered,
        not_covered=(*check.not_covered, *_not_covered(site, plan, year_of)),
        assumptions=(*_assumptions(site, plan, asked), *_unshown(unshown)),
        rounds=rounds, versions=versions(), site_digest=site.digest, cards_digest=site.cards_digest,
        seconds=seconds,
    )  # fmt: skip


STOPS_NOT_COVERED = (
    "a stop while another copy is away, a second stop within a recovery, jitter within a recovery",
    "a job that starts later than the jitter of its lock",
    "what follows a recovery (the window and the filter's memory); in it the storage is judged at its middle "
    "efficiencies, in closed loop for the stop that the scenario runs alone",
)


def _not_covered(site: Site, plan: Plan, year_of: YearClaim | None) -> tuple[str, ...]:
    """What no judge looked at, whatever the site asks for."""
    adds_pu = _marginal_loss_pu(site, plan) if plan.solved else 0.0
    kept = f"static limits keep {window.FOLLOWS_PU:.1%}"
    beyond = (
        (f"POI window at other phases: transformers add {adds_pu:.1%} to a change, {kept}",)
        if adds_pu > window.FOLLOWS_PU
        else ()
    )
    return (
        *never_covered(site),
        *beyond,
        "voltage sags, fault ride-through, flicker and voltage steps at the POI",
        "a fault while another lasts; faults at other hours than the hottest",
        *(STOPS_NOT_COVERED if window.applies(site) else ()),
        "trips of air chillers, fan walls, FWS pumps, transformers, storage; loss of the grid",
        OTHER_DAYS if year_of is None else OTHER_DAYS_STATIC,
        *_means(site),
        *(_late(modes.as_run(site, plan.schedule)[0]) if plan.solved else ()),
    )


def _means(site: Site) -> tuple[str, ...]:
    """What a scenario on means leaves out."""
    said = "a chiller trip under the jobs' waveforms: it is run at the mean power of each, in steps of 5 s"
    return (said,) if "chiller_trip" in names(site) else ()


def _late(site: Site) -> tuple[str, ...]:
    """Jobs of which a copy that is late by one step of the clock is held by nothing."""
    step_s = site.clock.step_s
    late = {
        modes.asked_name(name) for name, job in site.jobs.items() if job.locked and job.jitter_s < step_s
    }
    said = f"a copy late by one step of {step_s:g} s, while its gate holds less: {', '.join(sorted(late))}"
    return (said,) if late else ()


def _assumptions(site: Site, plan: Plan, asked_gap: float) -> tuple[str, ...]:
    """What decides the result and is not shown by it."""
    missed = planning.gap_missed(site, plan, asked_gap) if plan.solved else ""
    site, _ = modes.as_run(site, plan.schedule)
    held = {(modes.asked_name(name), job.jitter_s) for name, job in site.jobs.items() if job.locked}
    gates = [f"{name} to {late_s:g} s" for name, late_s in sorted(held)]
    free = sorted({modes.asked_name(name) for name, job in site.jobs.items() if not job.locked})
    rule = f"POI rule {site.poi.rule} is a draft; its high-pass is of order {site.poi.filter_order}"
    said = [rule] if window.applies(site) else []
    if gates:
        said.append(f"start gates hold {', '.join(gates)}; later starts are not looked at")
    if free:
        once = site.poi.unlocked_alignment == "once_a_year"
        events = "those planned events that meet once a year" if once else "their planned events"
        said.append(f"unlocked ({', '.join(free)}): iterations at every alignment, and {events}, are held")
    said.append("scenarios run at the planned phases; jitter and alignments are in the static limits alone")
    if plan.solved and window.applies(site):
        said.append(
            f"static limits, and so the bound, keep {window.FOLLOWS_PU:.1%} of the POI window for the losses "
            "and leakage that follow jobs and storage; transformers add "
            f"{_marginal_loss_pu(site, plan):.2%} at the peak, "
            f"the racks' leakage {_leakage_pu(site, plan):+.2%}"
        )
    if missed:
        said.append(missed)
    if plan.solved and (plan.hours["price_usd_per_mwh"] < 0.0).any():
        said.append("at negative prices nothing is drawn for the price: fans, machines, storage waste none")
    said.append("power is constant within a step of the clock; edges are instantaneous")
    said += sampled(site)
    said.append(
        "hourly mean power sets energy, demand and losses; "
        "the demand charge falls on the year's highest hour in every month"
    )
    if plan.solved:
        said.append(f"copper loss of the ripple is left out: {_ripple_loss_usd(site, plan):.0f} USD/year")
    said.append(
        "the abort leaves a job's racks at its idle level; schedule and weather are known to the controller"
    )
    if window.applies(site):
        said.append("a stop or a return at any moment is known within the same step of the clock")
    return tuple(said)


def _unshown(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    return (f"what set {', '.join(names)} is read from a cut; the smaller size was not run to the end",)


def _marginal_loss_pu(site: Site, plan: Plan) -> float:
    """Return what the transformers' losses add to a change of power at the highest mean power."""
    part = catalogue.build(site, "transformer", card_of(plan.sizes, "transformer"))
    mva = float(evaluation.transformer_mva(site, plan.hours).max())
    return (
        float(part.marginal_loss_pu(mva, int(plan.sizes["transformer"].count or 1))) / site.poi.power_factor
    )


def _leakage_pu(site: Site, plan: Plan) -> float:
    """Return what the racks' leakage adds to a change of their metered power."""
    if plan.setting is None:
        raise ValueError("a plan without a setting has no racks at work")
    load = steady.it_load(modes.as_run(site, plan.schedule)[0], plan.setting)
    return load.leakage_mw / load.dynamic_mw


def _ripple_loss_usd(site: Site, plan: Plan) -> float:
    """Load loss of the POI waveform's variance about its mean, at the mean energy price."""
    part = catalogue.build(site, "transformer", card_of(plan.sizes, "transformer"))
    site, schedule = modes.as_run(site, plan.schedule)
    power = sum((workload.assignment_mw(site, a) for a in schedule), np.zeros(workload.macro_steps(site)))
    net = power + plan.dispatch["charge_mw"] - plan.dispatch["discharge_mw"]
    mva = float(np.std(net)) / site.poi.power_factor
    units = int(plan.sizes["transformer"].count or 1)
    extra_mw = (part.loss_kw(mva, units) - part.loss_kw(0.0, units)) / 1e3
    hours = plan.hours
    return extra_mw * float(hours["weight_h_per_year"] @ hours["price_usd_per_mwh"])
