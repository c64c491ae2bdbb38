"""Many short stiff integrations at once: Radau IIA of three stages (order 5) on a graded mesh.

x_{k+1} = x_k + Z_3,  Z = h (A x I) F(x_k + Z): simplified Newton with the Jacobian of the step's start.
Hairer & Wanner, Solving Ordinary Differential Equations II, table IV.5.6. Inputs jump at an interval's
start, so its first piece is cut into steps that grow by `GROWTH` from `FIRST_S`. A test holds it to
`scipy.integrate.solve_ivp`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROOT = np.sqrt(6.0)
A = np.array([
    [(88 - 7 * ROOT) / 360, (296 - 169 * ROOT) / 1800, (-2 + 3 * ROOT) / 225],
    [(296 + 169 * ROOT) / 1800, (88 + 7 * ROOT) / 360, (-2 - 3 * ROOT) / 225],
    [(16 - ROOT) / 36, (16 + ROOT) / 36, 1 / 9],
])  # fmt: skip
FIRST_S, GROWTH = 0.01, 2.0
NEWTON_MAX = 40
NEWTON_TOLERANCE = 1e-8


class NotIntegratedError(ArithmeticError):
    """Newton's method did not settle: the recorded point is far from any solution."""


def integrate(rate: Callable[[Array], Array], start: Array, times_s: Array) -> Array:
    """Return the solutions at `times_s` (first entry: the start), shape (times, states, intervals).

    `rate` maps states of shape (states, intervals) to their rates; inputs are constant within each interval.
    """
    points = [start]
    for i, (before, after) in enumerate(pairwise(times_s)):
        x = points[-1]
        for step in _pieces(float(after - before), graded=i == 0):
            x = _step(rate, x, step)
        points.append(x)
    return np.array(points)


def _pieces(length_s: float, graded: bool) -> list[float]:
    """Return the lengths of the steps over one stretch."""
    pieces, left, step = [], length_s, FIRST_S if graded else length_s
    while left > 1.5 * step:
        pieces.append(step)
        left -= step
        step *= GROWTH
    return [*pieces, left]


def _step(rate: Callable[[Array], Array], x: Array, h: float) -> Array:
    states, intervals = x.shape
    scale = np.maximum(np.abs(x), 1.0)
    system = np.eye(3 * states) - h * np.einsum("ab,kij->kaibj", A, _jacobian(rate, x, scale)).reshape(
        intervals, 3 * states, 3 * states
    )
    inverse = np.linalg.inv(system)
    z = np.zeros((3, states, intervals))
    for _ in range(NEWTON_MAX):
        f = np.array([rate(x + z[stage]) for stage in range(3)])
        residual = h * np.einsum("ab,bik->aik", A, f) - z
        step = np.einsum("kij,jk->ik", inverse, residual.reshape(3 * states, intervals)).reshape(z.shape)
        z += step
        if not np.isfinite(z).all():
            break
        if float(np.max(np.abs(step) / scale)) < NEWTON_TOLERANCE:
            return x + z[2]
    raise NotIntegratedError("no convergence")


def _jacobian(rate: Callable[[Array], Array], x: Array, scale: Array) -> Array:
    """Return d rate / d state by forward differences, shape (intervals, states, states)."""
    base, columns = rate(x), []
    for j in range(len(x)):
        moved = x.copy()
        by = 1e-7 * scale[j]
        moved[j] += by
        columns.append((rate(moved) - base) / by)
    return np.moveaxis(np.array(columns), (0, 1, 2), (2, 1, 0))
