"""The bound of a site proven again, in a process of its own: where alone an audit meets the optimiser.

The task is handed over by name; planning is loaded in that process alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from importlib import import_module

from codesign import apart
from codesign.errors import SolverError
from codesign.site import Site


def bound_usd_per_year(site: Site, time_limit_s: float = math.inf) -> float:
    """Return the least bound over all settings, from the relaxation solved anew [USD a year].

    Raises
    ------
    SolverError
        The relaxation has no solution, or there was no time to prove one.
    """
    (bound,) = apart.each([partial(_proven, site, time_limit_s)])
    if bound is None or not math.isfinite(bound):
        raise SolverError(f"{site.name}: no bound was proven")
    return bound


def _proven(site: Site, time_limit_s: float, progress: Callable[..., None]) -> float | None:
    planning = import_module("codesign.planning")
    plan = planning.plan(site, time_limit_s=time_limit_s)
    bound: float | None = plan.bound_usd_per_year
    return bound
