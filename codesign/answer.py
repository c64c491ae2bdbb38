"""The answer, as text on one screen and as one JSON object; the same keys and lines for every verb."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from html import escape
from importlib.metadata import PackageNotFoundError, version
from textwrap import wrap
from typing import Any

from codesign import modes
from codesign.design import Audit, Check, CostItem, Design, Margin, Outcome, Plan, Schedule, Sizes, YearClaim

PACKAGES = ("codesign-dc", "pyomo", "highspy", "casadi", "numpy", "scipy", "pandas", "pydantic")


WIDTH = 110
HTML_LINES = 8
"""Of the answer, above the table of sizes."""


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide a result; loads none of them."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def share_by_grade(items: Iterable[CostItem]) -> dict[str, float]:
    """Return the share of annual cost by the grade of its price's source, income counted as it is paid."""
    total: dict[str, float] = {}
    for item in items:
        total[item.grade] = total.get(item.grade, 0.0) + abs(item.usd_per_year)
    whole = sum(total.values())
    return {grade: usd / whole for grade, usd in sorted(total.items())} if whole else {}


NOT_BINDING = ("economic", "spare: ", "the least on offer")


def binding(sizes: Sizes) -> tuple[str, ...]:
    """Return the limits that set sizes, without repetition."""
    named = (
        size.set_by.removeprefix("standard rating: ").removeprefix("listed size: ").removesuffix(" @ static")
        for size in sizes.values()
    )
    return tuple(dict.fromkeys(name for name in named if name and not name.startswith(NOT_BINDING)))


# JSON


def as_json(result: Design | Plan | Audit, seconds: float | None = None) -> dict[str, Any]:
    """Return the object that `--json` prints; null where there is no plan."""
    if isinstance(result, Audit):
        return _of_audit(result, seconds)
    if isinstance(result, Plan):
        return _of_plan(result, seconds)
    return _of_design(result, seconds)


def _of_plan(plan: Plan, seconds: float | None = None) -> dict[str, Any]:
    cost = plan.cost_usd_per_year
    return {
        "site": plan.site_name,
        "outcome": plan.outcome.value,
        "reason": plan.reason,
        "plan_cost_usd_per_year": cost,
        "cost_usd_per_year": cost,
        "bound_usd_per_year": plan.bound_usd_per_year,
        "gap": plan.gap,
        "influenced_gap": plan.influenced_gap,
        **_of_year(None),
        "it_mw": plan.it_mw,
        "poi_peak_mw": plan.poi_peak_mw,
        "pue": plan.pue,
        "wue_l_per_kwh": 0.0 if plan.solved else None,  # no equipment here evaporates water
        "capex_usd_per_kw_it": plan.capex_usd_per_kw_it,
        "sizes": {name: asdict(size) for name, size in plan.sizes.items()},
        "margins": [],
        "covered": [],
        "not_covered": [],
        "seconds": plan.seconds if seconds is None else seconds,
        "versions": versions(),
    }


def _of_design(design: Design, seconds: float | None) -> dict[str, Any]:
    claim = design.certificate
    return {
        **_of_plan(design.plan),
        "outcome": claim.outcome.value,
        "reason": claim.reason,
        "plan_cost_usd_per_year": claim.plan_cost_usd_per_year,
        "cost_usd_per_year": claim.cost_usd_per_year,
        "bound_usd_per_year": claim.bound_usd_per_year,
        "gap": claim.gap,
        "influenced_gap": claim.influenced_gap,
        **_of_year(claim.year),
        "margins": [asdict(row) for row in design.check.margins],
        "covered": list(claim.covered),
        "not_covered": list(claim.not_covered),
        "seconds": claim.seconds if seconds is None else seconds,
        "versions": dict(claim.versions),
    }


def _of_year(year: YearClaim | None) -> dict[str, Any]:
    return {
        "year_cost_usd_per_year": year and year.cost_usd_per_year,
        "year_demand_usd_per_year": year and year.demand_usd_per_year,
        "year_unserved_mwh": year and year.unserved_heat_mwh + year.unserved_power_mwh,
        "year_unserved_usd_per_year": year and year.unserved_usd_per_year,
        "year_hours_short": year and year.hours_short,
        "year_short": year and year.short,
        "year_worst_day": year and year.worst_day,
        "days_added": list(year.added) if year else None,
    }


def _of_audit(audit: Audit, seconds: float | None) -> dict[str, Any]:
    told = _of_design(audit.design, None) if audit.design else _of_plan(_NOTHING)
    return {
        **told,
        "site": audit.site_name,
        "outcome": (Outcome.CERTIFIED if audit.holds else Outcome.NOT_CERTIFIED).value,
        "reason": "every claim was found again from the site" if audit.holds else str(audit.breaches[0]),
        "breaches": [asdict(breach) for breach in audit.breaches],
        "judged": list(audit.judged),
        "seconds": audit.seconds if seconds is None else seconds,
        "versions": versions(),
    }


_NOTHING = Plan(outcome=Outcome.NOT_CERTIFIED, reason="", site_name="")


# text


def text_of_design(design: Design) -> str:
    """Return the answer on one screen."""
    claim, plan = design.certificate, design.plan
    lines = [
        f"{plan.site_name}: {claim.outcome.value}",
        f"  {claim.reason}" if claim.reason else f"  {claim.outcome.advice}",
        *_money(claim.cost_usd_per_year, claim.bound_usd_per_year, claim.gap, claim.influenced_gap),
    ]
    before = claim.plan_cost_usd_per_year
    if before is not None and claim.cost_usd_per_year is not None:
        more = claim.cost_usd_per_year - before
        lines.append(f"  transients  {_usd(more)} more than the static optimum ({_usd(before)})")
    lines += [*_year(claim.year, plan), *_power(plan), *_shares(claim.cost_share_by_grade), *_what(plan)]
    lines += [*_margins(design.check), *_list("not covered", claim.not_covered)]
    lines += _list("assumed", claim.assumptions)
    return "\n".join(lines)


def html_of_design(design: Design) -> str:
    """Return the first lines of the answer and the sizes as a table, for a notebook."""
    head = "\n".join(text_of_design(design).splitlines()[:HTML_LINES])
    columns = ("size", "card", "count", "value", "unit", "set by")
    rows = [
        (name, size.card or "", size.count or "", f"{size.value:g}", size.unit, size.set_by)
        for name, size in design.sizes.items()
    ]
    cells = ["".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows]
    top = "".join(f"<th>{name}</th>" for name in columns)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<pre>{escape(head)}</pre><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def text_of_plan(plan: Plan) -> str:
    """Return the plan on one screen."""
    lines = [
        f"{plan.site_name}: {plan.outcome.value}",
        f"  {plan.reason or plan.outcome.advice}",
        *_money(plan.cost_usd_per_year, plan.bound_usd_per_year, plan.gap, plan.influenced_gap),
        *_power(plan),
        *_shares(share_by_grade(plan.cost_items)),
        *_what(plan),
    ]
    return "\n".join(lines)


def text_of_check(check: Check) -> str:
    """Return the margins, worst of each limit, and what was not looked at."""
    verdict = "holds" if check.holds else "does not hold"
    lines = [f"{verdict}; checked: {', '.join(check.covered) or 'static limits only'}"]
    return "\n".join([*lines, *_margins(check), *_list("not covered", check.not_covered)])


def text_of_audit(audit: Audit) -> str:
    """Return the verdict and every breach."""
    if audit.holds:
        return "\n".join([f"{audit.site_name}: accepted", *_list("judged again", audit.judged)])
    lines = [f"{audit.site_name}: refused, {len(audit.breaches)} broken"]
    return "\n".join([*lines, *(f"  {breach}" for breach in audit.breaches)])


def _money(cost: float | None, bound: float | None, gap: float | None, influenced: float | None) -> list[str]:
    if cost is None:
        return []
    parts = [f"cost        {_usd(cost)}", "" if bound is None else f"bound {_usd(bound)}"]
    parts += [_share("gap", gap), _share("influenced gap", influenced)]
    return ["  " + "   ".join(part for part in parts if part)]


def _year(year: YearClaim | None, plan: Plan) -> Iterator[str]:
    """Cost on every day beside that on the days planned for, and what those did not show."""
    if year is None:
        return
    cost = f"{_usd(year.cost_usd_per_year)} on all {year.days} days (bound and gap: representative days)"
    yield f"  year        {cost}"
    if said := demand_in_year(year, plan):
        yield f"              demand charge {said}"
    yield f"              {short_in_year(year)}"
    if year.added:
        yield f"              planned for too, as short before: {', '.join(year.added)}"


def demand_in_year(year: YearClaim, plan: Plan) -> str:
    """Return the demand charge by calendar month beside that of the plan, in words; empty where unknown."""
    planned = sum(item.usd_per_year for item in plan.cost_items if item.name == "demand")
    if year.demand_usd_per_year is None:
        return ""
    less = planned - year.demand_usd_per_year
    amount = f"{abs(less):,.0f} USD/year {'below' if less >= 0.0 else 'above'} the plan's"
    return f"by calendar month {_usd(year.demand_usd_per_year)}, {amount}, 12 x the highest peak of its days"


def short_in_year(year: YearClaim) -> str:
    """Return what a design leaves unserved in the year, in words."""
    if not year.short:
        return "no static limit is short on any of them"
    amount = year.unserved_heat_mwh + year.unserved_power_mwh
    price = f"{year.unserved_usd_per_year:,.0f} USD at {year.unserved_usd_per_mwh:,.0f} USD/MWh"
    when = f"{year.hours_short:.4g} h, most on {year.worst_day}"
    return f"unserved {amount:.4g} MWh ({price}) in {when}: {year.short}"


def _power(plan: Plan) -> Iterator[str]:
    if plan.it_mw is None:
        return
    parts = [f"IT {plan.it_mw:.4g} MW", f"POI peak {plan.poi_peak_mw:.4g} MW", f"PUE {plan.pue:.4f}"]
    if plan.capex_usd_per_kw_it is not None:
        parts.append(f"{plan.capex_usd_per_kw_it:,.0f} USD per kW-IT")
    yield f"  power       {'   '.join(parts)}"
    flow = (plan.sizes["cdu"].count or 0) * plan.sizes["cdu_flow"].value / (1e3 * plan.it_mw)
    amounts = [f"CDU flow {flow:.3g} l/min per kW-IT, all units running"]
    if power := plan.sizes["storage_power"].value:
        amounts.append(
            f"storage {3600 * plan.sizes['storage_energy'].value / power:.3g} s at its rated power"
        )
    yield f"  amounts     {'   '.join(amounts)}"


def _shares(shares: Mapping[str, float]) -> Iterator[str]:
    if shares:
        parts = "   ".join(f"{grade} {share:.0%}" for grade, share in shares.items())
        yield f"  cost by     {parts}   (grade of the price's source)"


def _what(plan: Plan) -> Iterator[str]:
    if not plan.solved:
        return
    if binding(plan.sizes):
        yield from wrap(
            ", ".join(binding(plan.sizes)), WIDTH, initial_indent="  binds       ", subsequent_indent=14 * " "
        )
    yield "sizes"
    for name, size in plan.sizes.items():
        what = ("" if size.count is None else f"{size.count} x ") + (size.card or "")
        what = "none" if size.count == 0 else what
        yield f"  {name:<15} {what:<20} {size.value:>10.5g} {size.unit:<10} {size.set_by}".rstrip()
    if (setting := plan.setting) is not None:
        of = f"FWS supply {setting.fws_supply_c:g} degC, CDU approach {setting.approach_k:g} K"
        yield f"  {'setting':<15} {of}"
    yield "schedule"
    yield from _schedule(plan.schedule)


def _schedule(schedule: Schedule) -> Iterator[str]:
    for row in schedule:
        events = "".join(f", {kind} at {start:g} s" for kind, start in row.events)
        clock = f"period {row.period_s:g} s, offset {row.offset_s:g} s"
        yield f"  {f'{row.job} {row.copy}':<15} {modes.said(row)}, {clock}{events}"


def _margins(check: Check) -> Iterator[str]:
    worst: dict[tuple[str, str], Margin] = {}
    for row in check.margins:
        key = row.limit, row.unit
        if key not in worst or row.margin < worst[key].margin:
            worst[key] = row
    if worst:
        yield "margins (the worst of each limit)"
    for row in sorted(worst.values(), key=lambda row: row.margin >= 0.0):
        broken = "" if row.margin >= 0.0 else "  BROKEN"
        where = f"{row.scenario}, {row.place}, {row.time_s:g} s"
        yield f"  {row.limit:<20} {row.margin + 0.0:>11.4g} {row.unit:<9} {where} ({row.judge}){broken}"
    for run in check.scenarios:
        if run.status != "complete":
            yield f"  {run.id}: {run.status}"
        for name, steps in run.out_of_range.items():
            yield f"  {run.id}: {name} beyond its card's range in {steps} steps"


def _list(title: str, entries: Iterable[str]) -> Iterator[str]:
    entries = list(entries)
    if entries:
        yield title
    for entry in entries:
        yield from wrap(entry, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _usd(value: float) -> str:
    return f"{value:,.0f} USD a year"


def _share(name: str, value: float | None) -> str:
    return "" if value is None else f"{name} {value:.3%}" if abs(value) >= 5e-6 else f"{name} {value:.1e}"
