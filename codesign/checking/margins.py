"""Margins: the distance to every limit at its worst place and instant, read off the integrated trajectory.

judge        from
integrated   every limit of the plant at every dense output of every interval, with that interval's controls
waveform     the range rule on its samples (at steps' starts), high-passed; at rest before the first

What lies beyond a limit by less than TOLERANCE_PU of its natural size (1e-3 K, 5e-6 of the power that the
storage and the window rule have together) is taken to lie on it: that is the resolution of controls and
start, far above the integrator's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from codesign import window
from codesign.checking.integrate import Interval
from codesign.checking.rule import RangeRule
from codesign.checking.stack import Stack, Vector
from codesign.design import Margin

TOLERANCE_PU = 2e-4


def integrated(
    stack: Stack, scenario: str, step_s: float, intervals: Sequence[Interval], u: Vector, d: Vector, p: Vector
) -> tuple[Margin, ...]:
    """Return the margin of each limit of the plant, one a name; u and d hold one row an interval."""
    count = [len(interval.times_s) for interval in intervals]
    states = np.vstack([interval.states for interval in intervals])
    times = np.concatenate([k * step_s + interval.times_s for k, interval in enumerate(intervals)])
    values = stack.evaluate(stack.limit, states, np.repeat(u, count, axis=0), np.repeat(d, count, axis=0), p)
    natural, worst = stack.scales(p).limit, dict[str, Margin]()
    for j, limit in enumerate(stack.limits):
        at = int(values[:, j].argmax())
        margin = settle(-float(values[at, j]), float(natural[j]))
        found = Margin(limit.name, scenario, limit.place, float(times[at]), margin, limit.unit, "integrated")
        if limit.name not in worst or margin < worst[limit.name].margin:
            worst[limit.name] = found
    return tuple(worst.values())


def waveform(rule: RangeRule, scenario: str, step_s: float, output: Vector) -> Margin:
    """Return the margin of the range rule on an output read at every step; its time ends the widest pair."""
    filtered = output
    for _ in range(rule.sections):
        filtered = window.high_pass(filtered, 0.0, rule.pole(step_s))
    widest, when = 0.0, 0
    for lag in range(1, min(rule.lags(step_s), len(filtered) - 1) + 1):
        spread = np.abs(filtered[lag:] - filtered[:-lag])
        at = int(spread.argmax())
        if spread[at] > widest:
            widest, when = float(spread[at]), at + lag
    margin = settle(rule.limit - widest, rule.scale)
    return Margin(rule.name, scenario, rule.place, when * step_s, margin, rule.unit, "waveform")


def settle(margin: float, scale: float) -> float:
    """Return a margin, taken to be zero within the tolerance below it."""
    return 0.0 if -TOLERANCE_PU * scale <= margin <= 0.0 else margin


def energy_residual_pu(stack: Stack, intervals: Sequence[Interval], u: Vector, d: Vector, p: Vector) -> float:
    """Return |heat in - heat out - rise of the stored heat| over the heat carried, for the whole run."""
    ends = np.vstack([intervals[0].states[0], intervals[-1].end])
    outputs = stack.evaluate(stack.output, ends, u[[0, -1]], d[[0, -1]], p)
    stored = outputs[:, stack.outputs.index("stored_kj")]
    net = sum(interval.net_heat_kj for interval in intervals)
    return abs(net - float(stored[1] - stored[0])) / sum(abs(interval.heat_kj) for interval in intervals)
