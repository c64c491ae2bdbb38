"""The plan: sizes, modes and offsets at least annual cost, with a proven lower bound.

joint     one MILP a setting (FWS supply, approach): sizes x schedule x day clock;
          rows tagged outer, exact, inner
split     the same clocks apart, for sites too large for one model (`solver.method`)
plan      every setting; curves sharpened at the optimum until model and exact cost agree;
          bound = least over settings
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from codesign import apart, cycle, modes, steady, stopping
from codesign import site as sites
from codesign.design import Outcome, Plan, Schedule, Setting
from codesign.errors import Fault, InputError, SolverError, StoppedError
from codesign.planning import (
    bound,
    covering,
    electrical,
    explain,
    footprint,
    joint,
    mixing,
    split,
    storage,
)
from codesign.planning.attempt import Cut, Found, Run, add_cuts, settled, sharpen
from codesign.planning.highs import Status
from codesign.planning.joint import Points
from codesign.planning.rows import OBJECTIVE, bound_rows_only, drop_inner
from codesign.reasons import with_reasons
from codesign.site import Site

SHARPENED = 2e-9
"""Relative difference of exact and model cost at which the curves are sharp enough."""
MOST_ROUNDS = 12
MOST_STOPS = 400
"""Sizes with a schedule that may break the law of stops before one holds."""
BOUND_ROUNDING = 1e-6
"""A bound above the cost of a plan by more, relatively, is wrong and refused."""
MOST_MIXES = 500
"""Of the joint model, which is built for each."""
NONE_WITH_CUTS = "no sizes on offer satisfy the back-off cuts of the check"
NOT_FOUND = "a relaxation has a solution, but no plan was found that holds exactly; infeasible is not proven"


def plan(
    site: Site | str | Path,
    *,
    time_limit_s: float = math.inf,
    gap: float | None = None,
    sizes: Mapping[str, Any] | None = None,
    cuts: Sequence[Cut] = (),
    with_bound: bool = True,
    known: split.Known | None = None,
    log: bool = False,
    progress: Callable[[str, float, float], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Plan:
    """Return the cheapest plan and a lower bound.

    Parameters
    ----------
    site
        A site, or the path of its folder or file.
    time_limit_s
        For all settings together.
    gap
        Relative gap at which each MILP stops; the site's `solver.gap` by default.
    sizes
        Sizes to keep, by dotted path: ``{"cdu.count": 3, "cdu_flow.value": 900}``.
    cuts
        Back-off cuts of the check.
    with_bound
        False leaves the bound out where cuts are given (it is that of the plan without them).
    known
        What `split` found of this very site and these sizes; read, and added to.

    Raises
    ------
    InputError
        A size that does not exist, or a value it cannot take; more mixes of modes than the joint model can
        try one by one.
    SolverError
        HiGHS failed; no number is returned.
    """
    apart.end_where_imported()
    site = sites.given(site)
    began = stopping.clock_s()
    fixed = explain.checked_sizes(site, sizes or {})
    with stopping.within(time_limit_s, stop):
        made = _planned(
            site, fixed, site.solver.gap if gap is None else gap, cuts, with_bound,
            split.Known() if known is None else known, log, progress,
        )  # fmt: skip
    return replace(made, seconds=stopping.clock_s() - began)


def _planned(
    site: Site, fixed: dict[str, Any], gap: float, cuts: Sequence[Cut], with_bound: bool, known: split.Known,
    log: bool, progress: Callable[[str, float, float], None] | None,
) -> Plan:  # fmt: skip
    """Plan within the limits that are set."""
    warmest_first = sorted(
        site.equipment.cooling.fws_supply_c, reverse=True
    )  # cheapest as a rule: the others then stop early
    settings = [Setting(t, a) for t, a in product(warmest_first, site.equipment.cdu.approach_k)]
    found, faults, runs = Found(), [], []
    least = mixing.lightest(site)
    footprint.refuse(least)
    for setting in settings:
        broken = steady.setting_margins(least, setting)
        faults += broken
        if not broken:
            runs.append(Run(site, setting, fixed, gap, log, progress))
    if site.solver.method == "split":
        split.search(runs, cuts, with_bound, found, known)
    else:
        for run, mix in product(runs, _mixes(site)):
            one = replace(run, site=modes.running(site, mix))
            if not steady.setting_margins(one.site, one.setting):
                _search(one, cuts, with_bound, found)
    if found.exact is None:
        return _none(site, found, fixed, faults, [run.setting for run in runs], cuts)
    return _report(site, found, cuts, settings, gap)


def _mixes(site: Site) -> list[modes.Mix]:
    """Return every mix of the site, for one model each."""
    number = math.prod(
        math.comb(job.count + len(modes.ways(job)) - 1, job.count) for job in site.jobs.values()
    )
    if number > MOST_MIXES:
        expected = (
            f'"split", or jobs with at most {MOST_MIXES} ways to share out their copies (here {number})'
        )
        raise InputError([Fault(site.name, "solver.method", "joint", expected)])
    return list(modes.mixes(site))


def _search(run: Run, cuts: Sequence[Cut], with_bound: bool, found: Found) -> None:
    """Solve one setting; keep it if it is the cheapest so far."""
    proven = Proven()
    try:
        _rounds(run, cuts, found, proven)
    except StoppedError as stopped:
        found.unproven = Status(stopped.outcome.value)
    if with_bound:
        found.bound_usd = min(found.bound_usd, proven.bound_usd)


@dataclass(slots=True)
class Proven:
    """The bound of one setting so far."""

    bound_usd: float = -math.inf


def _rounds(run: Run, cuts: Sequence[Cut], found: Found, proven: Proven) -> None:
    """Solve one setting, its curves sharpened, until model and exact cost agree."""
    points, start = Points(), None
    given: Schedule | None = None
    before_usd, rounds = math.inf, 0
    stops = found.stops.setdefault(run.site, covering.Known())
    bounding, seen = _for_given(run.site), set[tuple[Any, ...]]()
    for _ in range(MOST_STOPS):
        stopping.heed()
        model = joint.build(run.site, run.setting, run.fixed, points, given, None if bounding else stops)
        add_cuts(model, cuts)
        if given is not None:
            electrical.under_course(model.rows, run.site, model.grid, cycle.shape_mw(run.site, given))
        choosing = given is None and _for_given(run.site) and not bounding  # a schedule, with stops in mind
        if given is None and not cuts and not choosing and not bound_rows_only(model.rows):
            drop_inner(model.rows)
        answer = run.solve(model.rows.model, "", start)
        if given is None and bound_rows_only(model.rows):
            proven.bound_usd = max(proven.bound_usd, bound.bound_usd(model.rows, answer))
        if answer.status not in (Status.OPTIMAL, Status.INFEASIBLE):
            found.unproven = answer.status
        if answer.values is None:
            break
        found.relaxation_feasible = True
        sizes, schedule = joint.read(model, answer), joint.read_schedule(model, answer)
        power, energy = sizes["storage_power"], sizes["storage_energy"]
        if given is None and _for_given(run.site):
            case, bounding, start = (schedule, power, energy), False, None
            again = case in seen or not all(job.locked and not job.jitter_s for job in run.site.jobs.values())
            seen.add(case)
            if again or stops.take(run.site, schedule, power.card, power.value, energy.value):
                given = schedule
            continue
        if answer.status is Status.OPTIMAL and not stops.take(
            run.site, schedule, power.card, power.value, energy.value
        ):
            if stops.away and given is None:
                given = schedule
            start = None
            continue
        rounds += 1
        exact, sizes = settled(run, sizes, schedule)
        if given is None and any(margin.limit == "hot_spot" for margin in exact.broken):
            given, start = schedule, None  # its load course asks for more than its mean does
            continue
        model_usd = answer.objective / OBJECTIVE
        better = found.keep(run, exact, sizes, schedule, model_usd)
        if storage.learned(run.site, points.real, sizes, schedule) and answer.status is Status.OPTIMAL:
            start = answer.by_name
            continue
        miss_usd = exact.cost_usd_per_year - model_usd
        near = miss_usd <= SHARPENED * abs(model_usd)
        if answer.status is not Status.OPTIMAL or near or rounds >= MOST_ROUNDS:
            break
        if found.exact is not None and proven.bound_usd >= found.exact.cost_usd_per_year:
            break
        moved = abs(model_usd - before_usd) > SHARPENED * abs(model_usd)
        more = stops.learn(run.site, schedule, power.card, power.value, energy.value)
        sharper = sharpen(model, points, answer, sizes, exact)
        if not (more or (sharper and (moved or better))):
            break  # another round would be this one again: where a loss is paid for, no line under it helps
        before_usd = model_usd
        start = answer.by_name


def _for_given(site: Site) -> bool:
    """Whether storage is sized for a schedule that is given.

    Jitter, jobs without a lock, one away, or a storage whose loss follows its power.
    """
    shifting = any(not job.locked or job.jitter_s > 0.0 for job in site.jobs.values())
    return site.poi.one_job_absent or shifting or storage.lawful(site, site.equipment.storage.cards)


def _none(site: Site, found: Found, fixed: dict[str, Any], faults: list[Any], solved: list[Setting],
          cuts: Sequence[Cut]) -> Plan:  # fmt: skip
    """No plan: proven infeasible with the reason, or stopped too early to say."""
    if found.unproven is None and not found.relaxation_feasible:
        reason = NONE_WITH_CUTS if cuts else explain.reason(site, fixed, faults, solved)
        return Plan(outcome=Outcome.INFEASIBLE, reason=reason, site_name=site.name)
    if found.unproven is None:
        return Plan(outcome=Outcome.NOT_CERTIFIED, reason=NOT_FOUND, site_name=site.name)
    return Plan(
        outcome=_ended(found.unproven), reason="stopped before any plan was found", site_name=site.name
    )


def _ended(status: Status) -> Outcome:
    return Outcome.INTERRUPTED if status is Status.INTERRUPTED else Outcome.TIME_LIMIT


def _report(site: Site, found: Found, cuts: Sequence[Cut], settings: list[Setting], gap: float) -> Plan:
    exact = found.exact
    if exact is None or found.sizes is None or found.schedule is None or found.setting is None:
        raise AssertionError("a report needs a plan")
    outcome, reason = Outcome.NOT_CERTIFIED, "planned; the transients were not checked"
    if found.unproven is not None:
        outcome = _ended(found.unproven)
        reason = "stopped early: the best plan found so far; transients not checked"
    cost_usd = exact.cost_usd_per_year
    fixed_usd = bound.unavoidable_usd_per_year(mixing.lightest(site), settings)
    proven_usd = max(found.bound_usd, fixed_usd)  # what is stopped early has proven no more than that
    known = math.isfinite(found.bound_usd) or (found.unproven is not None and found.bound_usd < 0.0)
    if known and proven_usd > cost_usd + BOUND_ROUNDING * abs(cost_usd):
        raise SolverError(f"bound {proven_usd:.9g} above the cost {cost_usd:.9g} of a plan")
    result = Plan(
        outcome=outcome, reason=reason, site_name=site.name, sizes=found.sizes, setting=found.setting,
        schedule=modes.as_asked(site, found.schedule), dispatch=exact.dispatch, hours=exact.hours,
        cost_items=exact.cost_items,
        cost_usd_per_year=cost_usd, model_cost_usd_per_year=found.model_usd,
        bound_usd_per_year=min(proven_usd, cost_usd) if known else None,  # rounding only
        fixed_usd_per_year=fixed_usd, capex_usd=exact.capex_usd,
    )  # fmt: skip
    if found.unproven is None and not cuts and (missed := gap_missed(site, result, gap)):
        result = replace(result, reason=f"{reason}; {missed}")
    return replace(result, sizes=with_reasons(site, result, cuts))


def gap_missed(site: Site, plan: Plan, asked: float) -> str:
    """Return that the gap of a plan is wider than it was asked for, and why; empty where it is not."""
    if plan.gap is None or plan.gap <= asked + BOUND_ROUNDING:
        return ""
    if plan.outcome in (Outcome.INTERRUPTED, Outcome.TIME_LIMIT):
        why = "it was stopped early"
    elif (plan.hours["price_usd_per_mwh"] < 0.0).any():
        why = "at negative prices the bound lets transformers and storage lose more than they do"
    elif site.solver.method == "split":
        why = "the bound is of sizes and hours alone, without what this schedule needs of the storage"
    elif _for_given(site):
        why = "the bound knows of jobs that shift by their mean course alone"
    else:
        why = "model and exact cost did not meet"
    return f"the gap asked for, {asked:.2g}, was missed: {plan.gap:.2g}, since {why}"
