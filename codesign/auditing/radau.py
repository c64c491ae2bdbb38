"""Many short stiff integrations at once: Radau IIA of three stages (order 5) on a graded mesh.

x_{k+1} = x_k + Z_3,  Z = h (A x I) F(x_k + Z): simplified Newton with a Jacobian that serves equal steps
as long as it converges. Hairer & Wanner, Solving Ordinary Differential Equations II, table IV.5.6. Inputs
jump at an interval's start, so its first piece is cut into steps that grow by `GROWTH` from `FIRST_S`. A
test holds it to `scipy.integrate.solve_ivp`.
"""

from __future__ import annotations

import math
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
NEWTON_MAX = 12
NEWTON_TOLERANCE = 1e-8


class NotIntegratedError(ArithmeticError):
    """Newton's method did not settle: the recorded point is far from any solution."""


def integrate(rate: Callable[[Array], Array], start: Array, times_s: Array) -> Array:
    """Return the solutions at `times_s` (first entry: the start), shape (times, states, intervals).

    `rate` maps states of shape (states, ..., intervals) to their rates; inputs are constant within each
    interval.
    """
    points, known = [start], (0.0, np.zeros(0))
    for i, (before, after) in enumerate(pairwise(times_s)):
        x = points[-1]
        for h in _pieces(float(after - before), graded=i == 0):
            if not math.isclose(h, known[0], rel_tol=1e-9):
                known = h, _inverse(rate, x, h)
            end = _step(rate, x, h, known[1])
            if end is None:  # the Jacobian has aged
                known = h, _inverse(rate, x, h)
                end = _step(rate, x, h, known[1])
            if end is None:
                raise NotIntegratedError("no convergence")
            x = end
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


def _inverse(rate: Callable[[Array], Array], x: Array, h: float) -> Array:
    """Return the inverse of I - h A x J at x, one matrix an interval."""
    states, intervals = x.shape
    coupled = np.einsum("ab,kij->kaibj", A, _jacobian(rate, x)).reshape(intervals, 3 * states, 3 * states)
    system = np.eye(3 * states) - h * coupled
    return np.linalg.inv(system) if np.isfinite(system).all() else np.zeros_like(system)


def _step(rate: Callable[[Array], Array], x: Array, h: float, inverse: Array) -> Array | None:
    """Return the end of a step from x, None where Newton's method does not settle."""
    states, intervals = x.shape
    scale = _scale(x)
    z = np.zeros((3, states, intervals))
    for _ in range(NEWTON_MAX):
        f = np.moveaxis(rate(x[:, None] + np.moveaxis(z, 0, 1)), 1, 0)
        residual = h * np.einsum("ab,bik->aik", A, f) - z
        step = np.matmul(inverse, residual.reshape(3 * states, intervals).T[:, :, None])[:, :, 0].T
        z += step.reshape(z.shape)
        if not np.isfinite(z).all():
            return None
        if float(np.max(np.abs(step.reshape(z.shape)) / scale)) < NEWTON_TOLERANCE:
            return x + z[2] if inverse.any() else None
    return None


def _scale(x: Array) -> Array:
    return np.maximum(np.abs(x), 1.0)


def _jacobian(rate: Callable[[Array], Array], x: Array) -> Array:
    """Return d rate / d state by forward differences, shape (intervals, states, states)."""
    by = 1e-7 * _scale(x)
    moved = x[:, None] + np.eye(len(x))[:, :, None] * by
    return np.moveaxis((rate(moved) - rate(x)[:, None]) / by, 2, 0)
