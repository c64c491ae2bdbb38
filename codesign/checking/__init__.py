"""The check: a plan's sizes and schedule against the nonlinear plant, in closed loop, in every scenario.

    steady        where a run starts                scenarios     what happens, and who knows it when
    stack         the plant as CasADi functions     integrate     the judge's integrator
    ocp           the optimal control problem       margins       what the judges read
    controller    solve, fall back, answer          sensitivity   what a size would change
    closed_loop   controller against plant          runs          one scenario from start to verdict
    rule          the window rule and its recorder  solver        IPOPT, cold and warm

Static limits are judged first; when one is broken no scenario is run. The verdict on a scenario comes from
CVODES and from the waveform, never from the controller's own prediction; the model error of the controller
(one Radau stage) is a back-off inside it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from codesign import apart, duration, modes
from codesign.checking.runs import Progress, run
from codesign.checking.scenarios import names
from codesign.checking.steady import static_margins
from codesign.design import Check, Plan, ScenarioResult
from codesign.site import Site


def check(
    site: Site, plan: Plan, *, scenarios: Sequence[str] | None = None, log: bool = False,
    progress: Progress | None = None, stop_on_static: bool = True, workers: int = 1,
) -> Check:  # fmt: skip
    """Return the margin of every limit: static ones, then those of each scenario.

    scenarios       ids to run, by default all that the site asks for
    log             print one line a solve on stderr
    progress        called with scenario, steps done and steps
    stop_on_static  run no scenario when a static limit is broken
    workers         scenarios at a time, above 1 in processes of their own (the caller guards its main)
    """
    began = time.monotonic()
    site, plan = modes.plan_as_run(site, plan)
    asked = names(site) if scenarios is None else tuple(scenarios)
    static = static_margins(site, plan)
    runs = () if stop_on_static and any(row.margin < 0.0 for row in static) else asked
    made = _runs([(site, plan, name) for name in runs], log, progress, workers)
    skipped = [f"scenario {name}" for name in dict.fromkeys((*names(site), *asked)) if name not in runs]
    short = {result.id: uncovered(site, plan, result) for result in made}
    skipped += [f"scenario {name}: {why}" for name, why in short.items() if why]
    return Check(
        static=static, scenarios=tuple(made), covered=tuple(name for name, why in short.items() if not why),
        not_covered=tuple(skipped), seconds=time.monotonic() - began,
    )  # fmt: skip


def uncovered(site: Site, plan: Plan, result: ScenarioResult) -> str:
    """Return why a run does not cover its scenario; empty where event and recovery ran to their end."""
    if result.status != "complete":
        return result.status
    over_s = duration.over_s(site, plan.schedule, result.id)
    ran = f"ended at {result.time_s[-1]:g} s, the event is over at {over_s:g} s"
    return "" if result.time_s[-1] >= over_s - 1e-9 else ran


def results(
    site: Site, cases: Sequence[tuple[Plan, str]], *, progress: Progress | None = None, workers: int = 1
) -> list[ScenarioResult]:
    """Return one scenario each of several plans of a site, whatever their static limits."""
    runs = [(*modes.plan_as_run(site, plan), scenario) for plan, scenario in cases]
    return _runs(runs, False, progress, workers)


def _runs(
    cases: Sequence[tuple[Site, Plan, str]], log: bool, progress: Progress | None, workers: int
) -> list[ScenarioResult]:
    if workers <= 1 or len(cases) <= 1:
        return [run(*case, log=log, progress=progress) for case in cases]
    longest = sorted(range(len(cases)), key=lambda i: -_duration_s(*cases[i]))
    found = apart.each([partial(run, *cases[i], log=log) for i in longest], workers, progress)
    by_case = dict(zip(longest, found, strict=True))
    return [by_case[i] for i in range(len(cases))]


def _duration_s(site: Site, plan: Plan, scenario: str) -> float:
    return duration.run_s(site, plan.schedule, scenario)
