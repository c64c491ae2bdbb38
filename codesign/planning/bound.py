"""The bound: read in one place, from models of outer and exact rows only."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from codesign import climate, steady
from codesign.design import Setting
from codesign.evaluation import MONTHS
from codesign.planning.highs import Solution
from codesign.planning.rows import OBJECTIVE, Rows, bound_rows_only
from codesign.site import Site


def bound_usd(rows: Rows, solution: Solution) -> float:
    """Return the dual bound of a solved model [USD a year].

    Raises
    ------
    ValueError
        The model holds inner rows: what HiGHS proved about it says nothing about the true problem.
    """
    if not bound_rows_only(rows):
        raise ValueError("a bound is read from outer and exact rows only")
    return solution.bound / OBJECTIVE


def unavoidable_usd_per_year(site: Site, settings: Iterable[Setting]) -> float:
    """Return a lower bound of what no design can avoid: energy, demand and contract of the IT power alone.

    At the least leakage of any setting; an hour with a negative price is taken at the interconnection limit.
    """
    it = min(steady.it_load(site, setting).it_mw for setting in settings)
    hours, energy = climate.hours(site), site.energy
    power = np.where(hours.price_usd_per_mwh >= 0.0, it, site.poi.interconnection_limit_mw)
    fixed = MONTHS * energy.demand_charge_usd_per_mw_month + energy.contract_charge_usd_per_mw_year
    return float(hours.weight_h_per_year @ (hours.price_usd_per_mwh * power)) + fixed * it
