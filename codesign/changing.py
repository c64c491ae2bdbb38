"""A design with something changed by dotted path.

    sizes.ID.count, sizes.ID.card      counted sizes; the value follows
    sizes.ID.value                     sizes that are an amount
    setting.fws_supply_c, setting.approach_k
    schedule.offsets                   "aligned": every copy at the first slot of its period
    schedule.events                    "aligned": every copy's events in the slots of its job's first copy
    schedule.JOB.COPY.offset_s         one copy

A changed design claims nothing: its cost, bound, margins and scenarios belong to what it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from codesign import sizing
from codesign.design import Check, Design, Outcome, Plan, Schedule, Setting, Size, Sizes
from codesign.errors import Fault, InputError, nearest, written
from codesign.site import Site
from codesign.workload import Assignment

ALIGNED = "aligned"


def change(design: Design, changes: Mapping[str, Any]) -> Design:
    """Return the design with `changes` made; InputError with every fault of them."""
    plan = design.plan
    faults: list[Fault] = []
    for path, value in changes.items():
        try:
            plan = _apply(design.site, plan, path, value)
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
    if plan == design.plan:
        return design
    listed = ", ".join(f"{path}={value}" for path, value in changes.items())
    reason = f"changed by hand, nothing claimed: {listed}"
    sizes = Sizes({name: replace(size, set_by="") for name, size in plan.sizes.items()})
    unclaimed: dict[str, Any] = dict.fromkeys(
        ("cost_usd_per_year", "bound_usd_per_year", "fixed_usd_per_year")
    )
    plan = replace(
        plan, outcome=Outcome.NOT_CERTIFIED, reason=reason, sizes=sizes, cost_items=(), capex_usd=None,
        model_cost_usd_per_year=None, **unclaimed,
    )  # fmt: skip
    claim = replace(
        design.certificate, outcome=Outcome.NOT_CERTIFIED, reason=reason, plan_cost_usd_per_year=None,
        gap=None, influenced_gap=None, cost_share_by_grade={}, covered=(), rounds=0,
        not_covered=design.check.covered + design.certificate.not_covered, **unclaimed,
    )  # fmt: skip
    return replace(design, plan=plan, check=Check(), certificate=claim)


def _apply(site: Site, plan: Plan, path: str, value: Any) -> Plan:
    match path.split("."):
        case ["sizes", *_]:
            name, attribute = _size_path(path, plan.sizes)
            made = _resized(site, name, plan.sizes[name], attribute, _checked(path, attribute, value))
            return replace(plan, sizes=Sizes({**plan.sizes, name: made}))
        case ["setting", ("fws_supply_c" | "approach_k") as name] if isinstance(plan.setting, Setting):
            return replace(plan, setting=replace(plan.setting, **{name: _number(path, value)}))
        case ["schedule", ("offsets" | "events") as what]:
            if value != ALIGNED:
                raise _fault(path, value, f'"{ALIGNED}"')
            return replace(plan, schedule=_aligned(plan.schedule, what))
        case ["schedule", job, copy, "offset_s"]:
            known = [f"schedule.{row.job}.{row.copy}.offset_s" for row in plan.schedule]
            if path not in known:
                raise _fault(path, value, "an offset of the schedule", known)
            offset_s = _number(path, value)
            same = [(row.job, str(row.copy)) == (job, copy) for row in plan.schedule]
            moved = (
                _moved(row, offset_s) if hit else row for hit, row in zip(same, plan.schedule, strict=True)
            )
            return replace(plan, schedule=Schedule(moved))
    roads = [f"sizes.{name}.{attribute}" for name in plan.sizes for attribute in _attributes(name)]
    roads += ["schedule.offsets", "schedule.events", "setting.fws_supply_c", "setting.approach_k"]
    raise _fault(path, value, "a path of the design", roads)


def _attributes(name: str) -> tuple[str, ...]:
    if name in sizing.COUNTED:
        return "count", "card"
    return ("value",) if name == "contract" else ("value", "card")


def _size_path(path: str, names: Iterable[str]) -> tuple[str, str]:
    known = [f"sizes.{name}.{attribute}" for name in names for attribute in _attributes(name)]
    if path not in known:
        raise _fault(path, "", "a size", known)
    _, name, attribute = path.split(".")
    return name, attribute


def _checked(path: str, attribute: str, value: Any) -> Any:
    checks: dict[str, Callable[[str, Any], Any]] = {"count": _count, "value": _number, "card": _card}
    return checks[attribute](path, value)


def _number(path: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise _fault(path, value, "a finite number >= 0")
    return float(value)


def _count(path: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000:
        raise _fault(path, value, "a whole number >= 0")
    return value


def _card(path: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _fault(path, value, "a card's name")
    return value


def _resized(site: Site, name: str, size: Size, attribute: str, value: Any) -> Size:
    """Return the size changed; what set the old one does not hold for it."""
    if name in sizing.COUNTED:
        card = value if attribute == "card" else size.card
        count = value if attribute == "count" else size.count
        if card is None or count is None:
            raise _fault(f"sizes.{name}.card", "none", "a card, to count units of it")
        made = sizing.unit_size(site, name, card, count)
    else:
        made = replace(size, **{attribute: value}, set_by="")
    return size if replace(made, set_by=size.set_by) == size else made


def _aligned(schedule: Schedule, what: str) -> Schedule:
    if what == "offsets":
        return Schedule(_moved(row, 0.0) for row in schedule)
    first = {row.job: _moved(row, 0.0).events for row in reversed(schedule)}
    return Schedule(
        _moved(replace(row, offset_s=0.0, events=first[row.job]), row.offset_s) for row in schedule
    )


def _moved(row: Assignment, offset_s: float) -> Assignment:
    """Return a copy at another offset; its events keep their slots, which count from it."""
    events = tuple((kind, start_s - row.offset_s + offset_s) for kind, start_s in row.events)
    return replace(row, offset_s=offset_s, events=events)


def _fault(path: str, value: Any, expected: str, known: Iterable[str] = ()) -> InputError:
    return InputError([Fault("--set", path, written(value), expected, nearest(path, known))])
