"""The heat path of the plan: CDUs, FWS pumps, dry coolers, warm chillers and buffer at one setting.

At a fixed FWS supply and approach the exchangers' temperatures and flows depend on the number of CDUs only,
so effectiveness-NTU enters as an exact table; dry-cooler duty depends on (CDUs, cells); fan power is convex
in the duty and enters by supporting lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from codesign import catalogue, climate, steady
from codesign.design import Setting
from codesign.planning.menus import amount_menu, unit_menu
from codesign.planning.rows import Menu, Rows
from codesign.site import Site

FAN_POINTS = np.array([0.0, 0.08, 0.16, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.93, 1.0])


@dataclass(frozen=True, slots=True)
class Cells:
    """A group of dry-cooler cells on the water of one CDU count."""

    site: Site
    point: steady.FwsPoint
    card: str
    count: int

    def at(self, fan_pu: np.ndarray, h: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (duty, fan power) in hour h [kW]."""
        cell = catalogue.build(self.site, "dry_cooler", self.card)
        db, water = climate.hours(self.site).dry_bulb_c[h], self.point.flow_kg_per_s / self.count
        duty = cell.duty_kw(fan_pu, self.point.return_c, db, water, climate.air_density_pu(self.site))
        return self.count * duty, self.count * cell.fan_power_kw(fan_pu)

    def most_kw(self, h: int) -> float:
        """Return the duty at full speed."""
        return float(self.at(np.array([1.0]), h)[0][0])

    def speed_pu(self, duty_kw: float, h: int) -> float:
        """Return the fan speed of a duty."""
        return float(steady.inverse(lambda fan: self.at(fan, h)[0], np.array([duty_kw]))[0])

    def lines(self, more_pu: np.ndarray, h: int) -> list[tuple[float, float]]:
        """Return (kW per kW, kW) of the lines that support the fan power, at FAN_POINTS and more."""
        cell = catalogue.build(self.site, "dry_cooler", self.card)
        db, water = float(climate.hours(self.site).dry_bulb_c[h]), self.point.flow_kg_per_s / self.count
        speeds, density = np.concatenate([FAN_POINTS, more_pu]), climate.air_density_pu(self.site)
        each = cell.fan_lines(speeds, self.point.return_c, db, water, density)
        return [(slope, self.count * intercept) for slope, intercept in each]

    def chord(self, h: int) -> tuple[float, float]:
        """Return (kW per kW, kW) of the line that the fan power stays below."""
        duty, power = self.at(np.array([1.0]), h)
        return float(power[0] / duty[0]), 0.0


@dataclass(slots=True)
class HeatPath:
    """Menus and hourly columns of the heat path; `power_kw` holds one linear expression an hour."""

    cdu: Menu
    dry_cooler: Menu
    chiller: Menu
    cdu_flow: Any
    fws_pump: Any
    buffer: Any
    power_kw: list[Any]
    pair: dict[tuple[Any, Any], Any]
    duty: dict[tuple[Any, Any, int], Any]
    tables: dict[tuple[Any, Any], Cells] = field(default_factory=dict)
    fan: list[Any] = field(default_factory=list)


def plan(
    rows: Rows,
    site: Site,
    setting: Setting,
    fixed: dict[str, Any],
    speeds: dict[tuple[Any, Any, int], list[float]],
) -> HeatPath:
    """Add the heat path; `speeds` holds further fan speeds of supporting lines by (CDUs, cells, hour)."""
    cdu = unit_menu(rows, site, "cdu", fixed)
    cells = unit_menu(rows, site, "dry_cooler", fixed)
    machines = unit_menu(rows, site, "chiller", fixed)
    pump_card = site.equipment.fws_pump.cards[0]
    cdu_flow = _cdu_flow(rows, site, setting, cdu, fixed)
    fws_pump = amount_menu(rows, site, "fws_pump", pump_card, fixed)
    buffer = amount_menu(rows, site, "buffer", site.equipment.buffer.cards[0], fixed)
    points = _cdu_rows(rows, site, setting, cdu, fws_pump, pump_card)
    pair = rows.product("cdu_cells", cdu, cells)
    path = HeatPath(cdu, cells, machines, cdu_flow, fws_pump, buffer, [], pair, {})
    rows.exact(
        "loop_volume",
        1e3 * buffer >= machines.total(lambda o: catalogue.build(site, "chiller", o[0]).loop_min_l(o[1])),
    )
    _rejection(rows, site, setting, path, points, speeds)
    return path


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
        points[option] = steady.fws_point(site, setting, card, pump_card, count)
        need = need + max(s.flow_kg_per_s for s in states) * pick
    rows.exact("fws_flow", fws_pump >= need)
    return points


def _rejection(rows: Rows, site: Site, setting: Setting, path: HeatPath, points: dict[Any, steady.FwsPoint],
               speeds: dict[tuple[Any, Any, int], list[float]]) -> None:  # fmt: skip
    """Each hour: dry coolers and chillers reject the heat; with any one unit out they still could."""
    hours = climate.hours(site)
    pairs = {(c, d): pick for (c, d), pick in path.pair.items() if c in points}
    heat = {(c, d): points[c].heat_kw for c, d in pairs}
    tables = {(c, d): Cells(site, points[c], *d) for c, d in pairs}
    path.tables = tables
    out, out_cell = _outage(site, "chiller"), _outage(site, "dry_cooler")
    fewer = {
        pair: steady.dry_cooler_most_kw(site, table.card, table.count - out_cell, table.point)
        for pair, table in tables.items()
    }
    for h in range(len(hours.dry_bulb_c)):
        caps = {o: _capacity_kw(site, o[0], setting, h) for o in path.chiller.picks}
        most_kw = {pair: table.most_kw(h) for pair, table in tables.items()}
        for pair, pick in pairs.items():
            path.duty[*pair, h] = _duty(rows, pick, most_kw[pair])
        fan = rows.amount("fan_kw")
        path.fan.append(fan)
        _fan_lines(rows, pairs, path, tables, speeds, fan, h)
        need = sum(heat[pair] * pick for pair, pick in pairs.items())
        chiller_kw, chiller_power = _chillers(rows, site, setting, path.chiller, h)
        rows.exact("heat_balance", sum(path.duty[*pair, h] for pair in pairs) + chiller_kw == need)
        for cells_most, machines_out in (
            (most_kw, out),
            ({pair: each[h] for pair, each in fewer.items()}, 0),
        ):
            most = sum(cells_most[pair] * pick for pair, pick in pairs.items())
            chilled = path.chiller.total(lambda o, c=caps, gone=machines_out: max(o[1] - gone, 0) * c[o])
            rows.exact("heat_rejection", most + chilled >= need)
        pumps = path.cdu.total(
            lambda o: points[o].cdu_pump_kw + points[o].fws_pump_kw if o in points else 0.0
        )
        path.power_kw.append(fan + chiller_power + pumps)


def _capacity_kw(site: Site, card: str, setting: Setting, h: int) -> float:
    machine = catalogue.build(site, "chiller", card)
    return float(machine.capacity_at_kw(setting.fws_supply_c, climate.hours(site).dry_bulb_c[h]))


def _duty(rows: Rows, pick: Any, most_kw: float) -> Any:
    """Duty of one pair of counts: 0 unless picked, at most that of full speed; a bypass takes the rest."""
    duty = rows.amount("dry_cooler_kw")
    rows.exact("dry_cooler_most", duty <= most_kw * pick)
    return duty


def _fan_lines(rows: Rows, pairs: dict[Any, Any], path: HeatPath, tables: dict[Any, Any],
               speeds: dict[Any, list[float]], fan: Any, h: int) -> None:  # fmt: skip
    """Fan power above every supporting line of the pair picked (the others have duty 0 and pick 0)."""
    lines = {pair: tables[pair].lines(np.array(speeds.get((*pair, h), [])), h) for pair in pairs}
    for i in range(max(len(each) for each in lines.values())):
        terms = [
            (lines[pair][min(i, len(lines[pair]) - 1)], path.duty[*pair, h], pick)
            for pair, pick in pairs.items()
        ]
        rows.outer("fan_power", fan >= sum(line[0] * duty + line[1] * pick for line, duty, pick in terms))
    chords = {pair: tables[pair].chord(h) for pair in pairs}
    rows.outer("fan_power_chord", fan <= sum(
        chords[pair][0] * path.duty[*pair, h] + chords[pair][1] * pick for pair, pick in pairs.items()
    ))  # fmt: skip


def _chillers(rows: Rows, site: Site, setting: Setting, menu: Menu, h: int) -> tuple[Any, Any]:
    """Machines on, or one cycling below its minimum load: return duty and power.

    Exact, since power is affine in both.
    """
    db = climate.hours(site).dry_bulb_c[h]
    leaving = setting.fws_supply_c
    duty, power = 0.0, 0.0
    for card in {card for card, _ in menu.picks}:
        machine = catalogue.build(site, "chiller", card)
        most = max(count for name, count in menu.picks if name == card)
        if most == 0:
            continue
        cap = float(machine.capacity_at_kw(leaving, db))
        least = machine.load_min_pu * cap
        idle, slope = machine.power_line(leaving, float(db))
        on, cycles = rows.count("chillers_on", most), rows.count("chiller_cycles", 1)
        cycling, kw = rows.amount("cycling_pu", 0.0, 1.0), rows.amount("chiller_kw")
        installed = sum(count * pick for (name, count), pick in menu.picks.items() if name == card)
        rows.exact("chiller_cycling", cycling <= cycles)
        rows.exact("chillers_installed", on + cycles <= installed)
        rows.exact("chiller_cycles_alone", on + most * cycles <= most)
        rows.exact("chiller_most", kw <= cap * on + least * cycling)
        rows.exact("chiller_least", kw >= least * (on + cycling))
        duty, power = duty + kw, power + idle * (on + cycling) + slope * kw
    return duty, power
