"""The air share of the plan: fan walls and the chillers of their loop, an exact table over both counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from codesign import climate, steady
from codesign.design import Setting, Size
from codesign.planning.menus import unit_menu
from codesign.planning.rows import Menu, Rows
from codesign.site import Site


@dataclass(frozen=True, slots=True)
class AirPath:
    """Menus of the air side and its power, one linear expression an hour."""

    fan_wall: Menu
    air_chiller: Menu
    power_kw: list[Any]


def plan(rows: Rows, site: Site, setting: Setting, fixed: dict[str, Any]) -> AirPath:
    """Add the air side: a pair of counts that breaks a static limit is out."""
    walls = unit_menu(rows, site, "fan_wall", fixed)
    chillers = unit_menu(rows, site, "air_chiller", fixed)
    pair = rows.product("air_pair", walls, chillers)
    power = [0.0] * len(climate.hours(site).dry_bulb_c)
    for (wall, chiller), pick in pair.items():
        sizes = {"fan_wall": _units(wall), "air_chiller": _units(chiller)}
        broken = [m for m in steady.air_margins(site, setting, sizes) if m.margin < 0.0]
        for margin in broken:
            rows.exact(margin.limit, pick <= 0)
        if not broken:
            air = steady.air_side(site, setting, sizes)
            power = [
                p + (air.fan_power_kw + float(k)) * pick
                for p, k in zip(power, np.asarray(air.chiller_power_kw), strict=True)
            ]
    return AirPath(walls, chillers, power)


def _units(option: tuple[str, int]) -> Size:
    card, count = option
    return Size(card, count, 0.0, "kw")
