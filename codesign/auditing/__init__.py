"""The independent verdict: a design judged again from its site, by other code than the one that made it.

    stated   static margins, every row both ways
    why      what set the sizes of the heat path
    paper    digests, sizes against the site's lists, the schedule, which scenarios there are
    hall     static limits of the heat path and the transformers, hour by hour, in plain loops
    levels   waveforms from the schedule
    stops    a stop or a return of every copy at every moment
    waves    storage dispatch, window rule, interconnection, contract
    money    cost from cards and hours, with the grade of each price
    gain     fixed part, bound, gaps
    year     cost and unserved energy on every day of the series, operated anew
    motion   every recorded interval integrated again, starts, disturbances, margins, heat balance

Uses component physics, the plant's rates, NumPy and SciPy; loads no optimiser, no controller and no
solver.
"""

from __future__ import annotations

import time
from pathlib import Path

from codesign import folder, modes, proving
from codesign.auditing import gain, hall, money, motion, paper, stated, waste, waves, why, year
from codesign.auditing.ledger import Ledger
from codesign.design import Audit, Design
from codesign.site import Site


def audit(design: Design | str | Path, site: Site | None = None, *, bound: bool = False) -> Audit:
    """Judge a design, or a design folder, from the site alone and return every breach.

    `site` takes the place of the one stored with the design. A folder whose design cannot be read (nothing
    there, NaN, missing rows) raises InputError with every fault. With `bound` the relaxation is solved anew,
    in a process of its own, and a bound above the one proven there is refused; without it, the bound is taken
    as stated.
    """
    started = time.perf_counter()
    if not isinstance(design, Design):
        design = folder.load(design)
    ledger = Ledger()
    site = design.site if site is None else site
    _judge(ledger, design, site)
    if bound:
        gain.proven(ledger, design, proving.bound_usd_per_year(site), site.solver.gap)
    return Audit(
        site_name=site.name,
        breaches=tuple(ledger.breaches),
        judged=tuple(ledger.judged),
        seconds=time.perf_counter() - started,
        design=design,
    )


def _judge(ledger: Ledger, design: Design, site: Site) -> None:
    plan = design.plan
    claims = plan.cost_usd_per_year is not None  # a design changed by hand claims neither cost nor operation
    paper.digests(ledger, design, site)
    sizes, schedule = paper.sizes(ledger, site, plan), paper.schedule(ledger, site, plan)
    paper.scenarios(ledger, site, design)
    if not sizes or not {(row.job, row.pod) for row in plan.schedule} <= {
        (j, p) for j in site.jobs for p in site.pods
    }:
        return
    asked = site
    site, plan = modes.plan_as_run(site, plan)
    the_hall = hall.Hall(site, plan)
    hall.judge(ledger, the_hall, claims)
    if schedule:
        waves.judge(ledger, the_hall, claims)
    if claims:
        waste.judge(ledger, the_hall)
        metering_mw = waves.metering_excess_mw(the_hall) if schedule else 0.0
        money.judge(ledger, site, asked, design, metering_mw)
        year.judge(ledger, the_hall, design)
    if schedule and claims:
        stated.judge(ledger, design)
        why.judge(ledger, the_hall, design)
        motion.judge(ledger, the_hall, design.check)
