"""The air share of the plan: fan walls and the chillers of their loop, an exact table over both counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codesign import steady
from codesign.design import Setting, Size
from codesign.planning import alike
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
    leaders = alike.leaders(site)
    power: dict[int, Any] = dict.fromkeys(leaders, 0.0)
    for (wall, chiller), pick in pair.items():
        sizes = {"fan_wall": _units(wall), "air_chiller": _units(chiller)}
        broken = [m for m in steady.air_margins(site, setting, sizes) if m.margin < 0.0]
        for margin in broken:
            rows.exact(margin.limit, pick <= 0)
        if not broken:
            air = steady.air_side(site, setting, sizes)
            for h in power:
                power[h] += (air.fan_power_kw + float(air.chiller_power_kw[h])) * pick
    columns = {h: rows.amount("air_kw") for h in power}
    for h, column in columns.items():
        rows.exact("air_power", column == power[h])
    return AirPath(walls, chillers, [columns[h] for h in leaders])


def _units(option: tuple[str, int]) -> Size:
    card, count = option
    return Size(card, count, 0.0, "kw")
