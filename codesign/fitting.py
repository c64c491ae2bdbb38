"""What a stored result must hold so that it can be read at all: ids, cards, jobs, columns, rows.

Whether the numbers are right is for the audit; here each fault names the key that no reader could do without.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from codesign import catalogue
from codesign.design import DISPATCH_COLUMNS, HOUR_COLUMNS, Plan, ScenarioResult, Size, Table
from codesign.errors import Fault, nearest
from codesign.schema import MODE
from codesign.site import Site
from codesign.sizing import AMOUNTS, COMPONENT, COUNTED

SIZES = (*COUNTED, *AMOUNTS, "contract")


Found = Iterator[tuple[str, Any, str, str | None]]


def plan_faults(site: Site, plan: Plan, file: str) -> list[Fault]:
    """Return what is missing or unknown in a plan; nothing for a plan without sizes."""
    if not plan.solved:
        return []
    every = (
        *_sizes(site, plan), *_setting(plan), *_schedule(site, plan),
        *_columns("hours", plan.hours, HOUR_COLUMNS), *_columns("dispatch", plan.dispatch, DISPATCH_COLUMNS),
    )  # fmt: skip
    return [Fault(file, *each) for each in every]


def run_faults(plan: Plan, runs: Iterable[ScenarioResult], file: str) -> list[Fault]:
    """Return the runs whose hour is none of the plan's."""
    expected = f"a row of hours, 0 to {plan.hours.rows - 1}"
    return [
        Fault(file, f"runs.{run.id}.hour", run.hour, expected)
        for run in runs
        if not 0 <= run.hour < plan.hours.rows
    ]


def _sizes(site: Site, plan: Plan) -> Found:
    for name in SIZES:
        if name not in plan.sizes:
            yield f"sizes.{name}", "missing", "a size", None
    for name, size in plan.sizes.items():
        if name not in SIZES:
            yield f"sizes.{name}", "a size", f"one of {', '.join(SIZES)}", nearest(name, SIZES)
        else:
            yield from _size(site, name, size)


def _size(site: Site, name: str, size: Size) -> Found:
    if size.value < 0.0:
        yield f"sizes.{name}.value", size.value, "at least 0", None
    if name == "contract":
        return
    component = COMPONENT.get(name, name)
    known = [each.name for each in catalogue.cards(component)]
    known += [own for own in site.cards.get(component, {}) if own not in known]
    if size.card is None:
        if name in COUNTED and size.count:
            yield f"sizes.{name}.card", "none", f"one of {', '.join(known)}", None
    elif size.card not in known:
        yield f"sizes.{name}.card", size.card, f"one of {', '.join(known)}", nearest(size.card, known)
    if name in COUNTED and (size.count is None or size.count < 0):
        yield f"sizes.{name}.count", size.count, "a whole number, at least 0", None


def _setting(plan: Plan) -> Found:
    if plan.setting is None:
        yield "setting", "missing", "fws_supply_c and approach_k", None


def _schedule(site: Site, plan: Plan) -> Found:
    if not plan.schedule:
        yield "schedule", "empty", "one row a job copy", None
    for index, row in enumerate(plan.schedule):
        place = f"schedule.{index}"
        for key, name, known in (("job", row.job, site.jobs), ("pod", row.pod, site.pods)):
            if name not in known:
                yield f"{place}.{key}", name, f"one of {', '.join(known)}", nearest(name, known)
        if not MODE.match(row.mode):
            yield f"{place}.mode", row.mode, "baseline, floor_X or cap_X", None
        if not row.period_s > 0.0:
            yield f"{place}.period_s", row.period_s, "above 0 [s]", None
        kinds = [event.kind for event in site.jobs[row.job].events] if row.job in site.jobs else []
        if row.job in site.jobs and sorted(kind for kind, _ in row.events) != sorted(kinds):
            there = ", ".join(kind for kind, _ in row.events) or "none"
            yield f"{place}.events", there, f"one start of each of: {', '.join(kinds) or 'none'}", None


def _columns(name: str, table: Table, needed: tuple[str, ...]) -> Found:
    for column in needed:
        if column not in table:
            yield f"{name}.{column}", "missing", "a column", None
    texts = {column for column in table if table[column].dtype.kind == "U"}
    for column in sorted(texts - {"date"} & set(needed)):
        yield f"{name}.{column}", "texts", "numbers", None
    if "date" in table and table.rows and "date" not in texts:
        yield f"{name}.date", "numbers", "dates", None
    if not table.rows:
        yield name, "no rows", "at least one", None
