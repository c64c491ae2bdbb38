"""Transformers, metering and the line: hour by hour, at the mean power of the hour (see `alike`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from codesign import catalogue, climate, cycle, ranges
from codesign.components.transformer import Transformer
from codesign.evaluation import MONTHS, transformer_allowed_pu
from codesign.planning import alike
from codesign.planning.menus import unit_menu
from codesign.planning.rows import Menu, Rows
from codesign.planning.storage import FastStorage
from codesign.site import Site

LOAD_POINTS = 8
KW = 1e3
"""Power rows are in kW: the solver's absolute tolerance on a row is then worth cents a year, not dollars."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Menu of transformers, contract, and the columns of each hour [MW]."""

    transformer: Menu
    contract_mw: Any
    load_mw: list[Any]
    poi_mw: list[Any]


def plan(
    rows: Rows,
    site: Site,
    load_mw: list[Any],
    other_mw: list[Any],
    storage: FastStorage,
    range_mw: tuple[float, float],
    fixed: dict[str, Any],
    loads: dict[tuple[Any, int], list[float]],
) -> Grid:
    """Add the grid side.

    `load_mw` is the mean power behind the transformers by hour, `other_mw` the part of it that jobs and
    storage do not draw, `range_mw` what the mean can be; `loads` holds further supporting points of the
    losses.
    """
    menu = unit_menu(rows, site, "transformer", fixed)
    hours = climate.hours(site)
    contract = rows.amount("contract_mw")
    metered = rows.amount("metered_mw")
    other = rows.amount("other_peak_mw", None)
    price = hours.weight_h_per_year * hours.price_usd_per_mwh
    leaders = alike.leaders(site)
    poi, loads_mw = dict[int, Any](), {h: rows.amount("load_mw") for h in sorted(set(leaders))}
    for h, load in loads_mw.items():
        rows.exact("load_balance", KW * load == KW * load_mw[h])
        loss = _losses(rows, site, menu, load, range_mw, h, loads)
        power = rows.amount("poi_mw", None)
        rows.exact("poi_balance", KW * power == KW * (load + loss))
        rows.exact("metered", KW * metered >= KW * (power + storage.metering_mw))
        rows.exact("other_peak", other >= other_mw[h] + loss)
        rows.cost("energy", float(sum(price[k] for k, leader in enumerate(leaders) if leader == h)) * power)
        poi[h] = power
    rows.exact("contract", KW * contract >= KW * metered)
    rows.exact("contract_max", contract <= site.poi.contract_max_mw)
    if "contract.value" in fixed:
        rows.exact("contract_fixed", contract == fixed["contract.value"])
    rows.exact("interconnection", storage.peak_mw + other <= site.poi.interconnection_limit_mw)
    rows.cost("demand", MONTHS * site.energy.demand_charge_usd_per_mw_month * metered)
    rows.cost("contract", site.energy.contract_charge_usd_per_mw_year * contract)
    return Grid(menu, contract, [loads_mw[h] for h in leaders], [poi[h] for h in leaders])


def _losses(rows: Rows, site: Site, menu: Menu, load: Any, range_mw: tuple[float, float], h: int,
            loads: dict[tuple[Any, int], list[float]]) -> Any:  # fmt: skip
    """Losses above the supporting lines of the option picked; hot spot of the mean in limits, one out too."""
    low, high = range_mw
    ambient = float(climate.hours(site).dry_bulb_c[h])
    loss = rows.amount("transformer_loss_mw")
    carried = {option: rows.amount("carried_mw") for option in menu.picks}
    rows.exact("carried", KW * sum(carried.values()) == KW * load)
    lines, chords = {}, {}
    for (card, units), pick in menu.picks.items():
        part = catalogue.build(site, "transformer", card)
        option = (card, units)
        if units == 0:
            rows.outer("hot_spot", pick <= 0)
            lines[option], chords[option] = [(0.0, 0.0)], (0.0, 0.0)
            continue
        if ranges.spare_k(site, "transformer", card)[h] < 0.0:
            rows.exact(ranges.TRANSFORMER, pick <= 0)
        pf, allowed = site.poi.power_factor, _allowed_pu(site, part, units, ambient)
        rows.exact("carried_least", carried[option] >= low * pick)
        rows.exact("carried_most", carried[option] <= high * pick)
        rows.outer("hot_spot", carried[option] <= units * allowed * part.rating_mva * pf * pick)
        lines[option], chords[option] = _lines(part, units, pf, tuple(loads.get((option, h), ())), low, high)
    for i in range(max(len(each) for each in lines.values())):
        picked = {o: each[min(i, len(each) - 1)] for o, each in lines.items()}
        rows.outer("transformer_loss", KW * loss >= KW * _on(picked, carried, menu))
    rows.outer("transformer_loss_chord", loss <= _on(chords, carried, menu))
    return loss


def under_course(rows: Rows, site: Site, grid: Grid, shape_mw: np.ndarray) -> None:
    """Add what the transformers carry of a known load course, whose mean alone the other rows hold."""
    dry_bulb_c, factor = climate.hours(site).dry_bulb_c, site.poi.power_factor
    for h, load in enumerate(grid.load_mw):
        if alike.leaders(site)[h] != h:
            continue
        ambient = float(dry_bulb_c[h])

        def carried_mw(option: Any, ambient: float = ambient) -> float:
            part = catalogue.build(site, "transformer", option[0])
            return factor * cycle.planned_mva(site, part, option[1], ambient, shape_mw) if option[1] else 0.0

        rows.inner("hot_spot_course", KW * load <= KW * grid.transformer.total(carried_mw))


@lru_cache(maxsize=4096)
def _lines(
    part: Transformer, units: int, power_factor: float, more_mw: tuple[float, ...], low: float, high: float
) -> tuple[list[tuple[float, float]], tuple[float, float]]:
    """Return the lines under the losses and the chord above, kept: few hours have points of their own."""
    at = [*np.linspace(low, high, LOAD_POINTS), *more_mw]
    return part.loss_lines(units, power_factor, at, low, high)


@lru_cache(maxsize=65_536)
def _allowed_pu(site: Site, part: Transformer, units: int, ambient_c: float) -> float:
    return transformer_allowed_pu(site, part, units, ambient_c)


def _on(lines: dict[Any, tuple[float, float]], carried: dict[Any, Any], menu: Menu) -> Any:
    """Return the line of the option picked, over what it carries."""
    return sum(slope * carried[o] + intercept * menu.picks[o] for o, (slope, intercept) in lines.items())
