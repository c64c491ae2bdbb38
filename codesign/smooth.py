"""The few functions that plain arithmetic lacks, for floats, NumPy arrays and CasADi expressions alike.

Physics is written once and runs unchanged on all three: an argument is dispatched on its own type, and CasADi
is never imported from here (an expression of CasADi proves that it is loaded).
"""

import math
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Value: TypeAlias = Any
"""A float, a NumPy array or a CasADi expression."""


def _library(x: Value) -> Any:
    """The module whose functions apply to `x`: math, numpy or casadi."""
    if type(x).__module__.startswith("casadi"):
        return sys.modules["casadi"]
    return np if isinstance(x, np.ndarray) else math


def exp(x: Value) -> Value:
    """e**x."""
    return _library(x).exp(x)


def log(x: Value) -> Value:
    """Natural logarithm."""
    return _library(x).log(x)


def sqrt(x: Value) -> Value:
    """Square root."""
    return _library(x).sqrt(x)


def sinh(x: Value) -> Value:
    """Hyperbolic sine."""
    return _library(x).sinh(x)


def clip(x: Value, low: float, high: float) -> Value:
    """`x` held at the ends of [low, high]; exact, with a kink at each end."""
    library = _library(x)
    if library is math:
        return min(max(x, low), high)
    if library is np:
        return np.clip(x, low, high)
    return library.fmin(library.fmax(x, low), high)


def smooth_max(a: Value, b: Value, width: float) -> Value:
    """The larger of two, rounded: width/2 too high where a = b, width**2/(4 |a - b|) far from there."""
    return (a + b + sqrt((a - b) ** 2 + width**2)) / 2


def smooth_min(a: Value, b: Value, width: float) -> Value:
    """The smaller of two, rounded; smooth_min + smooth_max = a + b exactly."""
    return (a + b - sqrt((a - b) ** 2 + width**2)) / 2


def positive(x: Value, width: float) -> Value:
    """`x` where it is positive, 0 elsewhere; differentiable twice, never above: by (width/x)**2 far out."""
    above = clip(x, 0.0, math.inf)
    return above**3 / (above**2 + width**2)


def counterflow_duty(conductance: Value, hot: Value, cold: Value, difference_k: Value) -> Value:
    """Duty of a counterflow exchanger, kW, without a branch at equal capacity rates (kW/K).

    Q = UA phi/(1 + UA phi/C_cold) (T_hot_in - T_cold_in), phi(a) = (1 - e**-a)/a, a = UA/C_hot - UA/C_cold,
    written as exp(-a/2) sinh(s)/s with s = sqrt(a**2/4 + 1e-8); relative error below 2e-9 for |a| < 60.
    Same as effectiveness = (1 - e**(-N(1-Z)))/(1 - Z e**(-N(1-Z))), Incropera, eq. 11.29.
    """
    a = conductance / hot - conductance / cold
    s = sqrt(a * a / 4 + 1e-8)
    weighted = conductance * exp(-a / 2) * sinh(s) / s
    return weighted / (1 + weighted / cold) * difference_k


def crossflow_duty(conductance: Value, low: Value, high: Value, difference_k: Value) -> Value:
    """Duty of a crossflow exchanger, both sides unmixed, from the lower and the higher capacity rate, kW.

    effectiveness = 1 - exp(N**0.22/Z (exp(-Z N**0.78) - 1)), N = UA/C_min, Z = C_min/C_max.
    Incropera, eq. 11.32.
    """
    n, z = conductance / low, low / high
    return low * (1 - exp(n**0.22 / z * (exp(-z * n**0.78) - 1))) * difference_k


def floored(flow_pu: Value) -> Value:
    """A flow per unit of its rating, not below 2 %: keeps its fractional powers differentiable at rest."""
    return smooth_max(flow_pu, FLOW_FLOOR_PU, 0.2 * FLOW_FLOOR_PU)


FLOW_FLOOR_PU = 0.02


def bisect(rises: Callable[[float], float], target: float, low: float, high: float) -> float:
    """The argument in [low, high] at which the rising function `rises` meets `target`, to the last float.

    `low` where it is met there already, infinity where not even `high` meets it (but for rounding, 1e-12).
    """
    if rises(low) >= target:
        return low
    if rises(high) < target:
        return high if rises(high) >= target - 1e-12 * abs(target) else math.inf
    while True:
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            return high
        if rises(middle) < target:
            low = middle
        else:
            high = middle
