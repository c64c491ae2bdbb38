"""The certificate's facts: outcome, cost and bound, margins, what is covered and what is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from codesign import modes
from codesign.answer import binding, demand_in_year, short_in_year
from codesign.design import Design, Margin, Outcome
from codesign.reporting.text import escaped, number, quantity, share, usd, where, words, worst_of_each

Cell = str


def holds(design: Design) -> bool:
    """Whether the design claims to be certified and its own margins say nothing else."""
    return design.outcome is Outcome.CERTIFIED and design.check.holds


def certificate(design: Design) -> str:
    """Return the section."""
    claim = design.certificate
    return (
        f"{_verdict(design)}{_facts(design)}<h3>Worst margin of each limit</h3>{_margins(design)}"
        '<div class="lists">'
        f"{_listed('Covered', [f'scenario {words(name)}' for name in claim.covered], 'no scenario')}"
        f"{_listed('Not covered', claim.not_covered, 'nothing is named', kind='not')}"
        f"{_listed('Assumptions', claim.assumptions, 'none is named')}</div>{_broken_down(design)}"
    )


def _verdict(design: Design) -> str:
    outcome, reason = design.outcome, design.certificate.reason or design.outcome.advice
    if holds(design):
        return _banner("good", "Certified", reason)
    if outcome is Outcome.CERTIFIED:
        broken = ", ".join(dict.fromkeys(row.limit for row in design.check.worst)) or "a run is incomplete"
        return _banner(
            "bad", "Not certified", f"the folder claims it, but its own check does not hold: {broken}"
        )
    said = "Not certified" if outcome is Outcome.NOT_CERTIFIED else f"Not certified: {words(outcome.value)}"
    return _banner("bad", said, reason)


def _banner(kind: str, said: str, reason: str) -> str:
    sign = "✓" if kind == "good" else "✗"
    return (
        f'<div class="verdict {kind}" role="status"><p class="outcome">{sign} {escaped(said)}</p>'
        f"<p>{escaped(reason)}</p></div>"
    )


def _facts(design: Design) -> str:
    claim, plan = design.certificate, design.plan
    rows = [
        ("Cost", usd(claim.cost_usd_per_year)), ("Proven bound", usd(claim.bound_usd_per_year)),
        ("Gap", share(claim.gap)), ("Influenced gap", share(claim.influenced_gap)),
        ("Static optimum, before transients", usd(claim.plan_cost_usd_per_year)),
        ("Rounds of plan and check", str(claim.rounds)),
    ]  # fmt: skip
    if (year := claim.year) is not None:
        rows += [
            (f"Cost on all {year.days} days of the year", usd(year.cost_usd_per_year)),
            ("Bound and gap are for", "the representative days"), ("Short in the year", short_in_year(year)),
        ]  # fmt: skip
        if said := demand_in_year(year, plan):
            rows.append(("Demand charge of the year", said))
        if year.added:
            rows.append(("Days added, as short before", ", ".join(year.added)))
    if plan.it_mw is not None:
        rows.append(("IT, annual mean", quantity(plan.it_mw, "mw")))
    if plan.poi_peak_mw is not None:
        rows.append(("Peak at the POI", quantity(plan.poi_peak_mw, "mw")))
    if plan.pue is not None:
        rows.append(("PUE", f"{plan.pue:.4f}"))
    if plan.capex_usd_per_kw_it is not None:
        rows.append(("Investment", f"{plan.capex_usd_per_kw_it:,.0f} USD per kW of IT"))
    if claim.cost_share_by_grade:
        shares = ", ".join(f"{grade} {part:.0%}" for grade, part in claim.cost_share_by_grade.items())
        rows.append(("Cost by grade of its price's source", shares))
    if binding(plan.sizes):
        rows.append(("Limits that set sizes", ", ".join(words(name) for name in binding(plan.sizes))))
    body = "".join(f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>" for name, value in rows)
    return f'<dl class="facts">{body}</dl>'


def _margins(design: Design) -> str:
    rows = worst_of_each(design.check.margins)
    if not rows:
        return "<p>No limit was judged.</p>"
    cells = [
        (
            escaped(words(row.limit)),
            _margin(row),
            escaped(where(row)),
        )
        for row in rows
    ]
    return table(("limit", "margin", "where and when"), cells, bad=[row.margin < 0.0 for row in rows])


def _margin(row: Margin) -> Cell:
    told = escaped(quantity(row.margin, row.unit))
    if row.margin < 0.0:
        return f"{told}, broken"
    return f"<strong>{told}</strong>" if row.margin == 0.0 else told


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]], *, bad: Sequence[bool] = ()) -> str:
    """Return a table of cells that are HTML; a row marked bad stands out."""
    top = "".join(f"<th>{name}</th>" for name in head)
    body = ""
    for i, row in enumerate(rows):
        kind = ' class="bad"' if i < len(bad) and bad[i] else ""
        body += (
            f"<tr{kind}>"
            + "".join(
                f'<td class="value">{cell}</td>' if j == 1 else f"<td>{cell}</td>"
                for j, cell in enumerate(row)
            )
            + "</tr>"
        )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _listed(title: str, entries: Iterable[str], nothing: str, *, kind: str = "") -> str:
    items = "".join(f"<li>{escaped(entry)}</li>" for entry in entries) or f"<li>{escaped(nothing)}</li>"
    return f'<div class="{kind}"><h3>{escaped(title)}</h3><ul>{items}</ul></div>'


def _broken_down(design: Design) -> str:
    """Return schedule, cost items and provenance, folded."""
    claim, plan = design.certificate, design.plan
    schedule = table(
        ("job", "mode", "period, s", "offset, s", "events"),
        [
            (
                escaped(f"{row.job} {row.copy}"), escaped(modes.said(row)), number(row.period_s),
                number(row.offset_s),
                escaped(", ".join(f"{kind} at {number(start)} s" for kind, start in row.events)),
            )
            for row in design.schedule
        ],
    )  # fmt: skip
    items = [
        (escaped(item.name), f"{item.usd_per_year:,.0f}", escaped(item.grade))
        for item in sorted(plan.cost_items, key=lambda item: -item.usd_per_year)
    ]
    if items:
        total = sum(item.usd_per_year for item in plan.cost_items)
        items.append(("<strong>total</strong>", f"<strong>{total:,.0f}</strong>", ""))
    costs = table(("cost item", "USD a year", "grade of its price"), items)
    versions = ", ".join(f"{name} {version}" for name, version in claim.versions.items())
    made = (
        f"<p>Site {escaped(claim.site_digest)}<br>Cards {escaped(claim.cards_digest)}<br>{escaped(versions)}"
        f"<br>{number(claim.seconds)} s of computing</p>"
    )
    return "".join(
        f"<details><summary>{title}</summary>{content}</details>"
        for title, content in (("Schedule", schedule), ("Cost items", costs), ("Digests and versions", made))
    )
