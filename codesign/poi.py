"""Rules at the point of interconnection, as far as they are drafted; a site may override each number.

ercot_2026_draft   a large load may change by at most 10 MW within any 5 s, judged on power above 0.1 Hz up to
                   55 Hz, first-order filter; a draft, so the certificate says so
none               no rule on changes of power, as for a site that names none: a window of no length
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

NO_RULE = "none"
RULES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "ercot_2026_draft": MappingProxyType(
            {"window_mw": 10.0, "window_s": 5.0, "band_hz": (0.1, 55.0), "filter_order": 1}
        ),
        NO_RULE: MappingProxyType(
            {
                "allocated_share": 1.0, "window_mw": 1e4, "window_s": 0.0, "band_hz": (0.1, 55.0),
                "filter_order": 1,
            }
        ),
    }
)

BY_RULE = frozenset({"rule", *(key for numbers in RULES.values() for key in numbers)})
"""Keys of [poi] that a site file may leave out: what `resolved` fills in."""


def resolved(poi: Any) -> Any:
    """Return the table with the numbers of its rule where it states none; with no rule named: of none.

    An unknown rule is a fault of its own; the first rule's numbers then keep it from causing others.
    """
    if not isinstance(poi, dict):
        return poi
    poi = {"rule": NO_RULE, **poi}
    rule = poi["rule"]
    known = rule if isinstance(rule, str) and rule in RULES else next(iter(RULES))
    return {**RULES[known], **poi}


def without_rule(poi: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table without the numbers that its rule brings, so that another rule brings its own."""
    own = RULES.get(poi["rule"], {})
    return {key: value for key, value in poi.items() if own.get(key) != _plain(value)}


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
