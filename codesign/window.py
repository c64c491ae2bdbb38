"""The POI window rule: its filter, its limit, and the range that it looks at.

The window rule looks at the largest change within window_s of the signal behind a first-order high-pass,

    y_k = a y_{k-1} + p_k - p_{k-1},   a = exp(-2 pi f dt),   f = band_hz[0]

once for every order of the filter: at order 1 exact for a power held within each step, just after its
jump.  Source of the rule's numbers: the site file, by the rule's name.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter

from codesign.poi import NO_RULE
from codesign.site import Site

Array = NDArray[np.float64]

FOLLOWS_PU = 0.015
"""What transformer losses and leakage are taken to add to a change of power of jobs and storage.

Losses add twice the load loss per unit of rating, times the load (`marginal_loss_pu` of the card): 0.3 to
0.7 % in the instances. Leakage is a share of the metered power, where racks are cooled otherwise than as
metered: within 0.5 % from 36 to 40 degC of supply, +1.4 % at 45. Grade E; the scenarios integrate both, and a
certificate says what each of them adds.
"""


def applies(site: Site) -> bool:
    """Whether the site has a rule on changes of power."""
    return bool(site.poi.rule != NO_RULE)


def high_pass_coefficient(site: Site) -> float:
    """Return a = exp(-2 pi f step) of y_k = a y_{k-1} + p_k - p_{k-1}.

    Power that is constant within a step jumps at its start: y_k is the first-order high-pass just after the
    jump, exactly. Until the next jump it only decays.
    """
    return float(np.exp(-2 * np.pi * site.poi.band_hz[0] * site.clock.step_s))


def high_pass(p: ArrayLike, start: float, coefficient: float) -> Array:
    """Return one first-order high-pass of p from y_0 = start (0: settled on p_0) [unit of p]."""
    p = np.asarray(p, float)
    if not len(p):
        return p.copy()
    y, _ = lfilter((1.0, -1.0), (1.0, -coefficient), p[1:], zi=[coefficient * start - p[0]])
    return np.concatenate([[start], y])


def high_pass_periodic(p_mw: ArrayLike, site: Site) -> Array:
    """Return the settled response of the rule's high-pass to a periodic power [MW]; linear in p_mw."""
    return high_pass_orders(p_mw, site)[-1]


def high_pass_orders(p_mw: ArrayLike, site: Site) -> list[Array]:
    """Return the settled response to a periodic power after each order of the rule's high-pass [MW]."""
    made: list[Array] = []
    for _ in range(site.poi.filter_order):
        made.append(high_pass_once(made[-1] if made else np.asarray(p_mw, float), site))
    return made


def high_pass_once(p_mw: ArrayLike, site: Site) -> Array:
    """Return the settled response of one order of the rule's high-pass to a periodic power [MW]."""
    y, a = np.asarray(p_mw, float), high_pass_coefficient(site)
    at_rest, _ = lfilter((1.0, -1.0), (1.0, -a), y, zi=[-y[-1]])
    last = at_rest[-1] / -math.expm1(len(y) * math.log(a))  # y_{-1} = y_{K-1}
    return np.asarray(at_rest + last * a ** np.arange(1, len(y) + 1))


def limit_mw(site: Site) -> float:
    """Return the largest change allowed within the window: the rule's, times the site's share of it [MW]."""
    return float(site.poi.window_mw * site.poi.allocated_share)


def room_mw(site: Site) -> float:
    """Return the largest change within the window that jobs and storage may make together [MW]."""
    return limit_mw(site) / (1.0 + FOLLOWS_PU)


def steps(site: Site) -> int:
    """Return the longest lag inside the rule's window, in steps."""
    return _lags(site.poi.window_s, site.clock.step_s)


def range_mw(y: ArrayLike, window_s: float, step_s: float, *, periodic: bool = False) -> float:
    """Return max |y_{k+l} - y_k| over all k and all lags l up to the window [unit of y]."""
    y = np.asarray(y, float)
    lags = min(_lags(window_s, step_s), len(y) - 1)
    later = (lambda lag: np.roll(y, -lag) - y) if periodic else (lambda lag: y[lag:] - y[:-lag])
    return max((float(np.abs(later(lag)).max()) for lag in range(1, lags + 1)), default=0.0)


def _lags(window_s: float, step_s: float) -> int:
    return math.floor(window_s / step_s + 1e-9)
