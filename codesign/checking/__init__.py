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

import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from codesign import modes
from codesign.checking.runs import Progress, run
from codesign.checking.scenarios import names
from codesign.checking.steady import static_margins
from codesign.design import Check, Plan
from codesign.site import Site


def check(
    site: Site, plan: Plan, *, scenarios: Sequence[str] | None = None, log: bool = False,
    progress: Progress | None = None, stop_on_static: bool = True, one_away: bool = True, workers: int = 1,
) -> Check:  # fmt: skip
    """Return the margin of every limit: static ones, then those of each scenario.

    scenarios       ids to run, by default all that the site asks for
    log             print one line a solve on stderr
    progress        called with scenario, steps done and steps; with several workers at each scenario's end
    stop_on_static  run no scenario when a static limit is broken
    one_away        judge the window rule with a copy away as well, where the site asks for it
    workers         processes; above 1 each scenario runs in a fresh one (the caller's module guards its main)
    """
    began = time.monotonic()
    site, plan = modes.plan_as_run(site, plan)
    asked = names(site) if scenarios is None else tuple(scenarios)
    static = static_margins(site, plan, one_away=one_away)
    runs = () if stop_on_static and any(row.margin < 0.0 for row in static) else asked
    if workers > 1 and len(runs) > 1:
        results = []
        with ProcessPoolExecutor(min(workers, len(runs)), multiprocessing.get_context("spawn")) as pool:
            for result in pool.map(partial(run, site, plan, log=log), runs):
                results.append(result)
                if progress is not None:
                    progress(result.id, len(result.time_s) - 1, len(result.time_s) - 1)
    else:
        results = [run(site, plan, name, log=log, progress=progress) for name in runs]
    skipped = tuple(f"scenario {name}" for name in dict.fromkeys((*names(site), *asked)) if name not in runs)
    seconds = time.monotonic() - began
    return Check(static=static, scenarios=tuple(results), covered=runs, not_covered=skipped, seconds=seconds)
