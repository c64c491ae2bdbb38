"""The plan: sizes, modes and offsets at least annual cost, with a proven lower bound.

joint     one MILP a setting (FWS supply, approach): sizes x schedule x day clock;
          rows tagged outer, exact, inner
split     the same clocks apart, for sites too large for one model (`solver.method`)
plan      every setting; curves sharpened at the optimum until model and exact cost agree;
          bound = least over settings
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from codesign import evaluation, modes, steady
from codesign.design import Outcome, Plan, Schedule, Setting, Sizes
from codesign.errors import Fault, InputError, SolverError
from codesign.planning import bound, explain, joint, mixing, split
from codesign.planning.attempt import Cut, Found, Run, add_cuts, sharpen
from codesign.planning.highs import Status
from codesign.planning.joint import Points
from codesign.planning.rows import OBJECTIVE, bound_rows_only, drop_inner
from codesign.reasons import with_reasons
from codesign.site import Site

SHARPENED = 2e-9
"""Relative difference of exact and model cost at which the curves are sharp enough."""
MOST_ROUNDS = 12
BOUND_ROUNDING = 1e-6
"""A bound above the cost of a plan by more, relatively, is wrong and refused."""
MOST_MIXES = 500
"""Of the joint model, which is built for each."""
NOT_FOUND = "a relaxation has a solution, but no plan was found that holds exactly; infeasible is not proven"


def plan(
    site: Site,
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
    began = time.perf_counter()
    fixed = explain.checked_sizes(site, sizes or {})
    gap = site.solver.gap if gap is None else gap
    warmest_first = sorted(
        site.equipment.cooling.fws_supply_c, reverse=True
    )  # cheapest as a rule: the others then stop early
    settings = [Setting(t, a) for t, a in product(warmest_first, site.equipment.cdu.approach_k)]
    found, faults, runs = Found(), [], []
    least = mixing.lightest(site)
    for setting in settings:
        broken = steady.setting_margins(least, setting)
        faults += broken
        if not broken:
            runs.append(Run(site, setting, fixed, gap, began + time_limit_s, log, progress, stop))
    if site.solver.method == "split":
        split.search(runs, cuts, with_bound, found, split.Known() if known is None else known)
    else:
        for run, mix in product(runs, _mixes(site)):
            one = replace(run, site=modes.running(site, mix))
            if not steady.setting_margins(one.site, one.setting):
                _search(one, cuts, with_bound, found)
    solved = [run.setting for run in runs]
    seconds = time.perf_counter() - began
    if found.exact is None:
        return _none(site, found, fixed, faults, solved, stop, seconds)
    return _report(site, found, cuts, settings, seconds)


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
    points, start = Points(), None
    given: Schedule | None = None
    setting_bound = -math.inf
    for _ in range(MOST_ROUNDS):
        model = joint.build(run.site, run.setting, run.fixed, points, given)
        add_cuts(model, cuts)
        if given is None and not cuts and not bound_rows_only(model.rows):
            drop_inner(model.rows)
        answer = run.solve(model.rows.model, "", start)
        if given is None and bound_rows_only(model.rows):
            setting_bound = max(setting_bound, bound.bound_usd(model.rows, answer))
        if answer.status not in (Status.OPTIMAL, Status.INFEASIBLE):
            found.unproven = answer.status
        if answer.values is None:
            break
        found.relaxation_feasible = True
        sizes, schedule = joint.read(model, answer), joint.read_schedule(model, answer)
        if given is None and _for_given(run.site):
            given, start = schedule, None
            continue
        exact = evaluation.evaluate(run.site, run.setting, sizes, schedule)
        sizes = Sizes(evaluation.settled(exact, run.fixed))
        exact = evaluation.evaluate(run.site, run.setting, sizes, schedule)
        found.keep(run, exact, sizes, schedule, answer.objective / OBJECTIVE)
        if (
            answer.status is not Status.OPTIMAL
            or OBJECTIVE * exact.cost_usd_per_year - answer.objective <= SHARPENED * answer.objective
        ):
            break
        if found.exact is not None and setting_bound >= found.exact.cost_usd_per_year:
            break
        sharpen(model, points, answer, sizes, exact)
        start = answer.by_name
    if with_bound:
        found.bound_usd = min(found.bound_usd, setting_bound)


def _for_given(site: Site) -> bool:
    """Whether storage is sized for a schedule that is given: jitter, jobs without a lock, or one away."""
    return site.poi.one_job_absent or any(not job.locked or job.jitter_s > 0.0 for job in site.jobs.values())


def _none(site: Site, found: Found, fixed: dict[str, Any], faults: list[Any], solved: list[Setting],
          stop: Callable[[], bool] | None, seconds: float) -> Plan:  # fmt: skip
    """No plan: proven infeasible with the reason, or stopped too early to say."""
    if found.unproven is None and not found.relaxation_feasible:
        reason = explain.reason(site, fixed, faults, solved, stop)
        return Plan(outcome=Outcome.INFEASIBLE, reason=reason, site_name=site.name, seconds=seconds)
    if found.unproven is None:
        return Plan(outcome=Outcome.NOT_CERTIFIED, reason=NOT_FOUND, site_name=site.name, seconds=seconds)
    outcome = Outcome.INTERRUPTED if found.unproven is Status.INTERRUPTED else Outcome.TIME_LIMIT
    return Plan(
        outcome=outcome, reason="stopped before any plan was found", site_name=site.name, seconds=seconds
    )


def _report(site: Site, found: Found, cuts: Sequence[Cut], settings: list[Setting], seconds: float) -> Plan:
    exact = found.exact
    if exact is None or found.sizes is None or found.schedule is None or found.setting is None:
        raise AssertionError("a report needs a plan")
    outcome, reason = Outcome.NOT_CERTIFIED, "planned; the transients were not checked"
    if found.unproven is not None:
        outcome = Outcome.INTERRUPTED if found.unproven is Status.INTERRUPTED else Outcome.TIME_LIMIT
        reason = "stopped early: the best plan found so far; transients not checked"
    known = math.isfinite(found.bound_usd)
    if known and found.bound_usd > exact.cost_usd_per_year * (1 + BOUND_ROUNDING):
        raise SolverError(
            f"bound {found.bound_usd:.9g} above the cost {exact.cost_usd_per_year:.9g} of a plan"
        )
    result = Plan(
        outcome=outcome, reason=reason, site_name=site.name, sizes=found.sizes, setting=found.setting,
        schedule=modes.as_asked(site, found.schedule), dispatch=exact.dispatch, hours=exact.hours,
        cost_items=exact.cost_items,
        cost_usd_per_year=exact.cost_usd_per_year, model_cost_usd_per_year=found.model_usd,
        bound_usd_per_year=min(found.bound_usd, exact.cost_usd_per_year) if known else None,  # rounding only
        fixed_usd_per_year=bound.unavoidable_usd_per_year(mixing.lightest(site), settings),
        capex_usd=exact.capex_usd, seconds=seconds,
    )  # fmt: skip
    return replace(result, sizes=with_reasons(site, result, [*found.needs, *cuts]))
