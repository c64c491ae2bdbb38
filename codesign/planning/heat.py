"""The heat path of the plan: CDUs, FWS pumps, dry coolers, warm chillers and buffer at one setting.

At a fixed FWS supply and approach the exchangers' temperatures and flows depend on the number of CDUs only,
so effectiveness-NTU enters as an exact table. So does the operation: the least power that rejects the heat is
a table over (CDUs, cells, machines) and the dry bulb. With a number of machines on, power is convex in what
the cells take, since the cube of the fan speed is convex in their duty and the machines' power is affine in
the rest; each optimum is thus where one more kW costs the same on both sides, or at an end.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from codesign import catalogue, climate, ranges, steady
from codesign.climate import Array
from codesign.components.chiller import Chiller
from codesign.components.dry_cooler import SPEED_STEP
from codesign.design import Setting
from codesign.planning import alike
from codesign.planning.menus import amount_menu, unit_menu
from codesign.planning.rows import Menu, Rows
from codesign.residue import HEAT_PU
from codesign.site import Site

ROUNDING = 1e-9
"""Heat that may be missing of a state of operation, relatively."""
STEEP = 1e-12
"""Least rise of a duty with the fan speed [kW]: air as warm as the water takes up nothing."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A group of dry-cooler cells on the water of one CDU count; off where their card is not on offer."""

    site: Site
    point: steady.FwsPoint
    card: str
    count: int

    def duty_kw(self, fan_pu: Array, dry_bulb_c: Array) -> Array:
        """Return the duty at a fan speed and dry bulb, elementwise."""
        if self.count == 0:
            return np.zeros(len(dry_bulb_c))
        cell = catalogue.build(self.site, "dry_cooler", self.card)
        water, density = self.point.flow_kg_per_s / self.count, climate.air_density_pu(self.site)
        duty = cell.duty_kw(fan_pu, self.point.return_c, dry_bulb_c, water, density)
        return np.asarray(self._running(dry_bulb_c) * duty)

    def fan_kw(self, fan_pu: Array, dry_bulb_c: Array) -> Array:
        """Return the fan power at a dry bulb, elementwise."""
        cell = catalogue.build(self.site, "dry_cooler", self.card)
        density = cell.density_pu(dry_bulb_c, climate.air_density_pu(self.site))
        return np.asarray(self._running(dry_bulb_c) * cell.fan_power_kw(fan_pu, density))

    def _running(self, dry_bulb_c: Array) -> Array:
        left = ranges.air_spare_k(self.site, "dry_cooler", self.card, dry_bulb_c, dry_bulb_c)
        return self.count * (left >= 0.0).astype(float)

    def most_kw(self, dry_bulb_c: Array) -> Array:
        """Return the duty at full speed."""
        return self.duty_kw(np.ones(len(dry_bulb_c)), dry_bulb_c)

    def marginal(self, fan_pu: Array, dry_bulb_c: Array) -> Array:
        """Return the fan power of one more kW of duty, which rises with the speed."""
        below, above = np.maximum(fan_pu - SPEED_STEP, 0.0), np.minimum(fan_pu + SPEED_STEP, 1.0)
        rise = self.duty_kw(above, dry_bulb_c) - self.duty_kw(below, dry_bulb_c)
        return (self.fan_kw(above, dry_bulb_c) - self.fan_kw(below, dry_bulb_c)) / np.maximum(rise, STEEP)


def least_power_kw(
    cells: Cells, machine: Chiller, most: int, leaving_c: float, dry_bulb_c: Array, offered: Array
) -> Array:
    """Return the least power of fans and machines (most + 1, n) with 0..`most` machines; inf: none will do.

    Machines that are on, k of them, carry k times their least load to k times their capacity; one alone may
    cycle below its least load. `offered` is 0 where the machines are not on offer: they are off there.
    """
    n, heat, density = len(dry_bulb_c), cells.point.heat_kw, climate.air_density_pu(cells.site)
    cap = np.asarray(machine.capacity_at_kw(leaving_c, dry_bulb_c, density)) * offered
    least = machine.load_min_pu * cap
    idle = np.asarray(machine.power_kw(0.0, 1.0, leaving_c, dry_bulb_c, density)) * np.ones(n)
    slope = np.asarray(machine.power_kw(1.0, 0.0, leaving_c, dry_bulb_c, density)) * np.ones(n)
    cycling = slope + idle / np.maximum(least, STEEP)
    states = [(0.0 * cap, 0.0 * cap, 0.0 * idle, slope), (0.0 * cap, least, 0.0 * idle, cycling)]
    states += [(k * least, k * cap, k * idle, slope) for k in range(1, most + 1)]
    low, high, fixed, each = (np.concatenate(part) for part in zip(*states, strict=True))
    db = np.tile(dry_bulb_c, len(states))
    twice = np.tile(dry_bulb_c, 2)
    even = steady.inverse(lambda fan: cells.marginal(fan, twice), np.concatenate([slope, cycling]))
    free, free_cycling = np.split(heat - cells.duty_kw(even, twice), 2)
    wanted = np.concatenate([free, free_cycling, *[free] * most])
    machines = np.minimum(np.maximum(wanted, low), high)
    fan = steady.inverse(lambda speed: cells.duty_kw(speed, db), heat - machines)
    possible = (cells.duty_kw(fan, db) >= heat - machines - ROUNDING * heat) & (low <= heat)
    power = np.where(possible, cells.fan_kw(fan, db) + fixed + each * machines, np.inf)
    power = power.reshape(len(states), n)
    if most == 0:
        return power[:1]
    some = np.minimum(np.minimum(power[0], power[1]), np.minimum.accumulate(power[2:]))
    return np.vstack([power[:1], some])


@dataclass(frozen=True, slots=True)
class HeatPath:
    """Menus and sizes of the heat path; `power_kw` holds one linear expression an hour."""

    cdu: Menu
    dry_cooler: Menu
    chiller: Menu
    cdu_flow: Any
    fws_pump: Any
    buffer: Any
    power_kw: list[Any]


def plan(rows: Rows, site: Site, setting: Setting, fixed: dict[str, Any]) -> HeatPath:
    """Add the heat path: a combination of counts that cannot reject the heat in some hour is out."""
    cdu = unit_menu(rows, site, "cdu", fixed)
    cells = unit_menu(rows, site, "dry_cooler", fixed)
    machines = unit_menu(rows, site, "chiller", fixed)
    pump_card = site.equipment.fws_pump.cards[0]
    cdu_flow = _cdu_flow(rows, site, setting, cdu, fixed)
    fws_pump = amount_menu(rows, site, "fws_pump", pump_card, fixed)
    buffer = amount_menu(rows, site, "buffer", site.equipment.buffer.cards[0], fixed)
    largest_m3 = catalogue.build(site, "buffer", site.equipment.buffer.cards[0]).volume_max_m3
    rows.exact(ranges.BUFFER, buffer <= largest_m3)
    points = _cdu_rows(rows, site, setting, cdu, fws_pump, pump_card)
    rows.exact(
        "loop_volume",
        1e3 * buffer >= machines.total(lambda o: catalogue.build(site, "chiller", o[0]).loop_min_l(o[1])),
    )
    pumps = cdu.total(lambda o: points[o].cdu_pump_kw + points[o].fws_pump_kw if o in points else 0.0)
    pairs = Menu(rows.product("cdu_cells", cdu, cells))
    groups = rows.product("cells_chillers", pairs, machines)
    power = [kw + pumps for kw in _rejection(rows, site, setting, groups, points)]
    return HeatPath(cdu, cells, machines, cdu_flow, fws_pump, buffer, power)


def _outage(site: Site, equipment: str) -> int:
    return 1 if getattr(site.equipment, equipment).redundancy == "n+1" else 0


def _cdu_flow(rows: Rows, site: Site, setting: Setting, cdu: Menu, fixed: dict[str, Any]) -> Any:
    """Rated flow of one CDU: with one out the rest carry the racks' flow. Cost counts every CDU."""
    load, out = steady.it_load(site, setting), _outage(site, "cdu")
    parts = {}
    for option, pick in cdu.picks.items():
        card, count = option
        part = amount_menu(rows, site, "cdu_flow", card, fixed, pick=pick, units=count)
        need = load.tcs_flow_l_per_min / (count - out) if count > out else None
        if need is None:
            rows.exact("cdu_duty", pick <= 0)
        else:
            rows.exact("cdu_flow", part >= need * pick)
        parts[option] = part
    return parts


def _cdu_rows(
    rows: Rows, site: Site, setting: Setting, cdu: Menu, fws_pump: Any, pump_card: str
) -> dict[Any, steady.FwsPoint]:
    """CDUs that cannot hold the supply temperature are out; FWS pumps carry the flow of the worst outage."""
    points, out = {}, _outage(site, "cdu")
    need: Any = 0.0
    for option, pick in cdu.picks.items():
        card, count = option
        running = [n for n in {count, count - out} if n >= 1]
        states = [steady.fws_point(site, setting, card, pump_card, n) for n in running]
        if count - out < 1 or not all(np.isfinite(s.flow_kg_per_s) and s.hx_spare_kw >= 0.0 for s in states):
            rows.exact("cdu_duty", pick <= 0)
            continue
        if not _within(rows, site, setting, card, pump_card, running, pick):
            continue
        points[option] = steady.fws_point(site, setting, card, pump_card, count)
        need = need + max(s.flow_kg_per_s for s in states) * pick
    rows.exact("fws_flow", fws_pump >= need)
    return points


def _within(
    rows: Rows, site: Site, setting: Setting, card: str, pump_card: str, running: list[int], pick: Any
) -> bool:
    """Take a CDU option out that is beyond its rating or the upper end of a range; whether it is left in.

    Beyond a lower end it is out too, by rows of their own: a bound over mixes of ways leaves them out, as a
    heavier mix may lie within.
    """
    cdu = catalogue.build(site, "cdu", card)
    broken, least = [], []
    for n in running:
        each = steady.it_load(site, setting).tcs_flow_l_per_min / n
        fws = steady.fws_point(site, setting, card, pump_card, n).flow_kg_per_s / n
        low = {ranges.CDU_TCS: each < cdu.tcs_min_l_per_min, ranges.CDU_FWS: fws < cdu.fws_flow_min_kg_per_s}
        least += [name for name, is_low in low.items() if is_low]
        margins = steady.cdu_margins(site, setting, card, pump_card, n, "")
        broken += [m.limit for m in margins if m.margin < 0.0 and not low.get(m.limit, False)]
    for name in least:
        rows.exact(name + ranges.LOW_END, pick <= 0)
    for name in broken:
        rows.exact(name, pick <= 0)
    return not broken


def _rejection(rows: Rows, site: Site, setting: Setting, groups: dict[Any, Any],
               points: dict[Any, steady.FwsPoint]) -> list[Any]:  # fmt: skip
    """Return the power of fans and machines by hour: the least that rejects the heat, at any price."""
    leaders, out = alike.leaders(site), _outage(site, "chiller")
    most = {card: max(count for _, (name, count) in groups if name == card) for _, (card, _) in groups}
    offered: list[tuple[Any, Array]] = []  # pick, power by leader
    for ((cdus, cells), (card, count)), pick in groups.items():
        if cdus not in points:
            continue
        for name in _beyond_water(rows, site, points[cdus], cells[0], cells[1], pick):
            rows.exact(name, pick <= 0)
        table = _table(site, setting, points[cdus], *cells, card, most[card])
        if limit := table.broken(count, out):
            rows.exact(limit, pick <= 0)
            continue
        offered.append((pick, table.power_kw[count]))
    columns = {}
    for i, h in enumerate(sorted(set(leaders))):
        columns[h] = rows.amount("rejection_kw")
        rows.exact("rejection_power", columns[h] == sum(float(kw[i]) * pick for pick, kw in offered))
    return [columns[h] for h in leaders]


def _beyond_water(
    rows: Rows, site: Site, point: steady.FwsPoint, card: str, count: int, pick: Any
) -> list[str]:
    """Return the limit that too much water for a cell breaks; for too little add a row of its own."""
    cell = catalogue.build(site, "dry_cooler", card)
    margins = steady.cell_water_margins(site, card, count, point)
    broken = [m.limit for m in margins if m.margin < 0.0]
    if not broken:
        return []
    if point.flow_kg_per_s / count < cell.water_min_kg_per_s:
        rows.exact(ranges.CELL_WATER + ranges.LOW_END, pick <= 0)
        return []
    return broken[:1]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells of one count beside machines of one card, by machines and dry bulb [kW].

    power_kw: least power (most + 1, n); each_kw: capacity of a machine; cells_kw, fewer_kw: duty of all cells
    at full speed, and with one of a redundant group out; none of either where its card is not on offer.
    """

    heat_kw: float
    power_kw: Array
    each_kw: Array
    cells_kw: Array
    fewer_kw: Array
    cells_offered: Array
    machines_offered: Array

    def broken(self, machines: int, out: int) -> str | None:
        """Return the limit that keeps the heat from being rejected at some dry bulb, any redundant unit out.

        None where it is rejected at every one; the range of a card that is not on offer there is named first.
        """
        spare = np.minimum(
            self.cells_kw + max(machines - out, 0) * self.each_kw, self.fewer_kw + machines * self.each_kw
        )
        short = (spare < (1 - HEAT_PU) * self.heat_kw) | ~np.isfinite(self.power_kw[machines])
        if not short.any():
            return None
        if machines and (short & (self.machines_offered == 0.0)).any():
            return ranges.CHILLER
        return ranges.DRY_COOLER if (short & (self.cells_offered == 0.0)).any() else "heat_rejection"


@lru_cache(maxsize=4096)
def _table(
    site: Site, setting: Setting, point: steady.FwsPoint, cell: str, count: int, card: str, most: int
) -> Table:
    """Return the table over the dry bulbs of the hours that lead others; kept, as models are built anew."""
    at = sorted(set(alike.leaders(site)))
    dry_bulb_c, density = climate.hours(site).dry_bulb_c[at], climate.air_density_pu(site)
    cells, machine = Cells(site, point, cell, count), catalogue.build(site, "chiller", card)
    fewer = Cells(site, point, cell, max(count - _outage(site, "dry_cooler"), 0))
    machines_offered = ranges.on_offer(site, "chiller", card)[at]
    each = machines_offered * machine.capacity_at_kw(setting.fws_supply_c, dry_bulb_c, density)
    return Table(
        heat_kw=point.heat_kw,
        power_kw=least_power_kw(cells, machine, most, setting.fws_supply_c, dry_bulb_c, machines_offered),
        each_kw=each, cells_kw=cells.most_kw(dry_bulb_c), fewer_kw=fewer.most_kw(dry_bulb_c),
        cells_offered=ranges.on_offer(site, "dry_cooler", cell)[at], machines_offered=machines_offered,
    )  # fmt: skip
