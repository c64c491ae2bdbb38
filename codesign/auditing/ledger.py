"""What an audit writes down: every breach, each limit's rows as they are found again, and what it looked at.

A row of a limit is its least margin at one place ("one cdu out"): over all hours where the place that is
written down names an hour ("2023-08-18 15:00, one cdu out"), over all moments of a waveform.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from codesign.design import Breach

RELATIVE = 1e-6
STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:00")

UNITS = {
    "kW": "kw", "degC": "k", "MVA": "mva", "l/min": "l_per_min", "kg/s": "kg_per_s", "MW": "mw", "MWh": "mwh",
    "l": "l", "m3": "m3", "1": "pu", "s": "s", "MWh/year": "mwh_per_year",
}  # fmt: skip
"""Unit of a value -> unit of its margin in a certificate."""


@dataclass(slots=True)
class Row:
    """The least margin of a limit at a place, and every time [s] at which it is met."""

    unit: str
    margin: float = math.inf
    by_time_s: dict[float, float] = field(default_factory=dict)

    def take(self, margin: float, time_s: float | None) -> None:
        """Take one more judgement in."""
        self.margin = min(self.margin, margin)
        if time_s is not None:
            self.by_time_s[time_s] = min(self.by_time_s.get(time_s, math.inf), margin)


def parted(place: str) -> tuple[str, str]:
    """Return where a limit was judged and in which hour, both empty where the place says nothing of it."""
    parts = place.split(", ")
    stamps = [part for part in parts if STAMP.fullmatch(part)]
    return ", ".join(part for part in parts if part not in stamps), "".join(stamps[:1])


class Ledger:
    """Collects breaches; a comparison with NaN is a breach."""

    def __init__(self) -> None:
        self.breaches: list[Breach] = []
        self.rows: dict[tuple[str, str], Row] = {}  # limits of a certificate, by limit and place
        self.stamps: dict[tuple[str, str, str], float] = {}  # margin by limit, place and hour
        self.judged: list[str] = []

    def breach(
        self, limit: str, place: str, value: float | str, allowed: float | str, unit: str = ""
    ) -> None:
        """Write a breach down."""
        self.breaches.append(Breach(limit, place, value, allowed, unit))

    def most(
        self, limit: str, place: str, value: float, allowed: float, unit: str, within: float = 0.0, *,
        row: str | None = None, time_s: float | None = None,
    ) -> None:  # fmt: skip
        """A limit of the certificate: `value` <= `allowed`; `row` names its place where `place` says more."""
        self._row(limit, place if row is None else row, allowed - value, unit, time_s)
        self.at_most(limit, place, value, allowed, unit, within)

    def least(
        self, limit: str, place: str, value: float, allowed: float, unit: str, within: float = 0.0, *,
        row: str | None = None, time_s: float | None = None,
    ) -> None:  # fmt: skip
        """A limit of the certificate: `value` >= `allowed`; `row` names its place where `place` says more."""
        self._row(limit, place if row is None else row, value - allowed, unit, time_s)
        self.at_least(limit, place, value, allowed, unit, within)

    def at_most(
        self, what: str, place: str, value: float, allowed: float, unit: str, within: float = 0.0
    ) -> None:
        """What must be so for the record to be possible: `value` <= `allowed`."""
        if not value <= allowed + _slack(value, allowed, within):
            self.breach(what, place, value, allowed, unit)

    def at_least(
        self, what: str, place: str, value: float, allowed: float, unit: str, within: float = 0.0
    ) -> None:
        """What must be so for the record to be possible: `value` >= `allowed`."""
        if not value >= allowed - _slack(value, allowed, within):
            self.breach(what, place, value, allowed, unit)

    def _row(self, limit: str, place: str, margin: float, unit: str, time_s: float | None) -> None:
        where, stamp = parted(place)
        self.rows.setdefault((limit, where), Row(UNITS[unit])).take(margin, time_s)
        if stamp:
            key = limit, where, stamp
            self.stamps[key] = min(self.stamps.get(key, math.inf), margin)

    def same(
        self, what: str, place: str, value: float, expected: float, unit: str, within: float = 1e-9
    ) -> None:
        """A recorded number against the one found again, within 1e-6 of it or `within`."""
        if not abs(value - expected) <= max(within, RELATIVE * abs(expected)):
            self.breach(what, place, value, f"{expected!r} found again", unit)

    def equal(self, what: str, place: str, value: object, expected: object) -> None:
        """A recorded name, count or digest against what it must be."""
        if value != expected:
            self.breach(what, place, str(value), str(expected))

    def among(self, what: str, place: str, value: object, options: object) -> None:
        """A choice against its list, or an amount against a list or a range with `min` and `max`."""
        low, high = getattr(options, "min", None), getattr(options, "max", None)
        if isinstance(value, int | float) and low is not None and high is not None:
            held = low - 1e-9 <= value <= high + 1e-9
        elif isinstance(options, list | tuple):
            held = value in options
        else:
            held = value == options
        if not held:
            self.breach(what, place, str(value), f"one of {options}")


def _slack(value: float, allowed: float, within: float) -> float:
    return max(within, 1e-9 * max(abs(value), abs(allowed)) if math.isfinite(value) else 0.0)
