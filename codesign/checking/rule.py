"""The range rule and its recorder: how far an output may swing in any window, behind a high-pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class RangeRule:
    """Largest range of an output, after a high-pass of first-order sections in cascade, in any window.

    y_k = a y_{k-1} + v_k - v_{k-1},  a = exp(-2 pi f dt)  one section; exact just after each step of a held v
    """

    name: str
    place: str
    output: str
    unit: str
    limit: float
    window_s: float
    high_pass_hz: float
    sections: int = 1
    back_off: float = 0.0  # kept off the limit by the controller, in `unit`

    def pole(self, step_s: float) -> float:
        """Return a."""
        return float(np.exp(-2.0 * np.pi * self.high_pass_hz * step_s))

    def lags(self, step_s: float) -> int:
        """Return the longest lag inside the window, in steps."""
        return int(np.floor(self.window_s / step_s + 1e-9))

    @property
    def scale(self) -> float:
        return 0.1 * self.limit

    def advance(self, memory: Any, sample: Any, pole: float) -> tuple[list[Any], Any]:
        """Return the sections' next memory and the filtered sample; a memory is a y - v of the last one."""
        after, value = [], sample
        for section in memory:
            filtered = section + value
            after.append(pole * filtered - value)
            value = filtered
        return after, value


@dataclass(frozen=True, slots=True)
class Recorded:
    """The range rule's past: the sections' memory and the filtered samples inside the window."""

    memory: tuple[float, ...] = ()
    samples: tuple[float, ...] = ()


class Meter:
    """The range rule's recorder: filters the samples as they come."""

    def __init__(self, rule: RangeRule, step_s: float) -> None:
        self.rule, self.pole, self.keep = rule, rule.pole(step_s), max(1, rule.lags(step_s))
        self.memory = [0.0] * rule.sections
        self.samples: list[float] = []

    def rest(self, sample: float) -> None:
        """Start from rest at `sample`: filtered zero."""
        self.memory = [-sample] + [0.0] * (self.rule.sections - 1)

    def add(self, sample: float) -> None:
        if not self.samples:
            self.rest(sample)
        self.memory, filtered = self.rule.advance(self.memory, sample, self.pole)
        self.samples = [*self.samples, filtered][-self.keep :]

    @property
    def recorded(self) -> Recorded:
        return Recorded(tuple(self.memory), tuple(self.samples))
