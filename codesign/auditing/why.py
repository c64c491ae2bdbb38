"""What set each size, as far as the heat path says it again: with one unit or 10 % less, that limit breaks.

Every reason has one of the forms that there are and names a limit that was judged. Of the heat path's sizes
a limit that is said to break must break with less, and where the reason is cost none may.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from codesign.auditing import hall
from codesign.auditing.hall import Hall
from codesign.auditing.ledger import Ledger
from codesign.auditing.paper import COUNTED
from codesign.design import Design, Outcome, Plan, Size, Sizes

LESS = 0.9
FORMS = ("standard rating: ", "listed size: ", "spare: ")
ECONOMIC = "economic"
ELSEWHERE = ("storage_life", "storage_rate", "storage_voltage", "poi_window")
"""Limits of the storage that have no row of their own in every design."""
AGAIN = ("cdu", "cdu_flow", "fws_pump", "dry_cooler", "fan_wall", "buffer")
"""Sizes of which the heat path says alone what breaks without them."""


def judge(ledger: Ledger, the_hall: Hall, design: Design) -> None:
    """Judge the reason of every size."""
    static = {limit for limit, _ in ledger.rows} | set(ELSEWHERE)
    runs = {run.id: {row.limit for row in run.margins} for run in design.check.scenarios}
    for name, size in design.sizes.items():
        said, place = size.set_by, f"{name}, set_by"
        if not said:
            if design.outcome is Outcome.CERTIFIED:
                ledger.breach("sizes", place, "missing", "what set it")
            continue
        limit, _, scenario = said.partition(" @ ")
        known = limit in static if scenario == "static" else limit in runs.get(scenario, ())
        if not (said == ECONOMIC or known or said.startswith(FORMS)):
            ledger.breach("sizes", place, said, "a limit that was judged, or one of the other reasons")
        elif name in AGAIN and (said == ECONOMIC or scenario == "static"):
            broken = set(_breaks(the_hall, name))
            if (said == ECONOMIC and broken) or (scenario == "static" and limit not in broken):
                expected = ", ".join(sorted(broken)) or "no limit of the heat path breaks with less"
                ledger.breach("sizes", place, said, expected)
    ledger.judged.append("what set the sizes of the heat path")


def _breaks(the_hall: Hall, name: str) -> Iterator[str]:
    """Yield the limits of the heat path that break with one unit, or 10 % less of a size."""
    plan, size = the_hall.plan, the_hall.plan.sizes[name]
    less = _smaller(plan, name, size)
    if less is None:
        return
    again = Ledger()
    changed = replace(plan, sizes=Sizes({**plan.sizes, name: less}))
    hall.judge(again, Hall(the_hall.site, changed), False)
    yield from (breach.limit for breach in again.breaches)


def _smaller(plan: Plan, name: str, size: Size) -> Size | None:
    if name not in COUNTED:
        return replace(size, value=LESS * size.value) if size.value > 0.0 else None
    if not size.count:
        return None
    return replace(size, count=size.count - 1, value=size.value * (size.count - 1) / size.count)
