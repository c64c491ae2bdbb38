"""What an audit writes down: every breach, the least margin of each limit, and what it looked at."""

from __future__ import annotations

import math

from codesign.design import Breach

RELATIVE = 1e-6


class Ledger:
    """Collects breaches; a comparison with NaN is a breach."""

    def __init__(self) -> None:
        self.breaches: list[Breach] = []
        self.margins: dict[str, float] = {}  # static limits: least margin, in the limit's unit
        self.judged: list[str] = []

    def breach(
        self, limit: str, place: str, value: float | str, allowed: float | str, unit: str = ""
    ) -> None:
        """Write a breach down."""
        self.breaches.append(Breach(limit, place, value, allowed, unit))

    def most(
        self, limit: str, place: str, value: float, allowed: float, unit: str, within: float = 0.0
    ) -> None:
        """A static limit: `value` <= `allowed`."""
        slack = max(within, 1e-9 * max(abs(value), abs(allowed)) if math.isfinite(value) else 0.0)
        self.margins[limit] = min(self.margins.get(limit, math.inf), allowed - value)
        if not value <= allowed + slack:
            self.breach(limit, place, value, allowed, unit)

    def least(
        self, limit: str, place: str, value: float, allowed: float, unit: str, within: float = 0.0
    ) -> None:
        """A static limit: `value` >= `allowed`."""
        slack = max(within, 1e-9 * max(abs(value), abs(allowed)) if math.isfinite(value) else 0.0)
        self.margins[limit] = min(self.margins.get(limit, math.inf), value - allowed)
        if not value >= allowed - slack:
            self.breach(limit, place, value, allowed, unit)

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
