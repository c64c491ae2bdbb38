"""A design tried again: operation chosen anew where something was changed, then everything checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from codesign import checking, evaluation, worst
from codesign.answer import share_by_grade, versions
from codesign.checking.scenarios import names
from codesign.design import Check, Design, Outcome, Sizes
from codesign.site import Site


def operated(design: Design) -> Design:
    """Return a changed design with the operation that suits it, and its cost; an unchanged one as it is."""
    plan = design.plan
    if plan.cost_usd_per_year is not None or plan.setting is None:
        return design
    exact = evaluation.evaluate(design.site, plan.setting, plan.sizes, plan.schedule)
    plan = replace(
        plan, sizes=Sizes(exact.sizes), dispatch=exact.dispatch, hours=exact.hours,
        cost_items=exact.cost_items, cost_usd_per_year=exact.cost_usd_per_year, capex_usd=exact.capex_usd,
    )  # fmt: skip
    shares = share_by_grade(exact.cost_items)
    claim = replace(design.certificate, cost_usd_per_year=exact.cost_usd_per_year, cost_share_by_grade=shares)
    return replace(design, plan=plan, certificate=claim)


def check(
    design: Design,
    *,
    scenarios: Sequence[str] | None = None,
    log: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Design:
    """Return the design with its check made again; certified if all holds in every scenario of its site.

    A changed design has no bound: it may hold, and whether it is the cheapest one that does is not claimed.
    """
    tried = operated(design)
    found = checking.check(tried.site, tried.plan, scenarios=scenarios, log=log, progress=progress)
    asked = set(names(tried.site))
    whole = found.holds and asked <= set(found.covered)
    claim = replace(
        tried.certificate, outcome=Outcome.CERTIFIED if whole else Outcome.NOT_CERTIFIED,
        reason=_reason(tried.site, found, whole), covered=found.covered,
        not_covered=_not_covered(tried, found), versions=versions(), seconds=found.seconds,
    )  # fmt: skip
    return replace(tried, check=found, certificate=claim)


def _reason(site: Site, check: Check, whole: bool) -> str:
    if whole:
        return "every limit holds in every scenario of the site"
    static = [row for row in check.margins if row.scenario == "static"]
    row = worst.worst(site, static) or worst.worst(site, check.margins)
    if row is not None:
        where = f"{row.place}, {row.scenario}, at {row.time_s:g} s"
        return f"{row.limit} misses by {-row.margin:.4g} {row.unit} ({where})"
    stopped = [f"{run.id}: {run.status}" for run in check.scenarios if run.status != "complete"]
    return "; ".join(stopped) or "not every scenario of the site was run"


def _not_covered(design: Design, check: Check) -> tuple[str, ...]:
    """Return what the check left out, and the assumptions' part of the old claim that no scenario changes."""
    kept = [
        text
        for text in design.certificate.not_covered
        if not text.startswith("scenario ") and text not in dict(design.site.scenarios)
    ]
    return tuple(dict.fromkeys((*check.not_covered, *kept)))
