"""Supporting lines of convex functions: what the plan keeps of a curve.

A line that supports a convex function from below never cuts off a point of the true problem, so rows made of
these lines are `outer`; at its own point a line is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

STEP = 1e-5


def tangents(
    function: Callable[[float], float], at: Iterable[float], low: float, high: float
) -> list[tuple[float, float]]:
    """Return (slope, intercept) of the supporting lines of a convex function on [low, high], one a point.

    Slopes are central differences (one-sided at the ends); each line is then lowered by whatever it exceeds
    the function anywhere on a fine grid, so that rounding cannot lift it above.
    """
    grid = np.linspace(low, high, 201)
    values = np.array([function(x) for x in grid])
    step = max(STEP * (high - low), 1e-12)
    lines = []
    for point in at:
        left, right = max(low, point - step), min(high, point + step)
        slope = (function(right) - function(left)) / (right - left) if right > left else 0.0
        intercept = function(point) - slope * point
        lines.append((float(slope), float(intercept - max(0.0, np.max(slope * grid + intercept - values)))))
    return lines


def parametric_tangents(x: np.ndarray, y: np.ndarray, slope: np.ndarray) -> list[tuple[float, float]]:
    """Return the supporting lines at points (x, y) of a convex curve with known slopes, below all points."""
    intercept = y - slope * x
    above = (slope[:, None] * x[None, :] + intercept[:, None] - y[None, :]).max(axis=1)
    return [(float(s), float(i - max(0.0, a))) for s, i, a in zip(slope, intercept, above, strict=True)]


def chord(function: Callable[[float], float], low: float, high: float) -> tuple[float, float]:
    """Return (slope, intercept) of the line that a convex function on [low, high] stays below."""
    slope = (function(high) - function(low)) / (high - low)
    return slope, function(low) - slope * low
