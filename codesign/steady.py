"""The static hall: what a site with given sizes does in periodic steady state, and by how much it holds.

The chain from IT to ambient and from rack to POI, written with the components' own functions. The plan calls
it with numbers (table entries), the check starts from it, and every static margin is read off it.

symbol  name                  unit    meaning
T_s     tcs_supply_c          degC    TCS supply = FWS supply + approach
V       tcs_flow_l_per_min    l/min   TCS flow of the hall, by the racks' flow rule at the plateau
Q_h     hx_kw                 kW      heat through the CDU exchangers: liquid heat + CDU pump heat
G       fws_flow_kg_per_s     kg/s    FWS flow at which the running CDUs hold T_s
Q       heat_kw               kW      heat to reject: Q_h + FWS pump heat
y       fan_pu                1       dry-cooler fan speed
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from codesign import catalogue, climate, ranges, workload
from codesign.components.base import part_range, spare
from codesign.components.cdu import CDU
from codesign.components.rack import GAIN_MAX, Rack
from codesign.design import Margin, Setting, Size
from codesign.residue import HEAT_PU
from codesign.site import Site
from codesign.sizing import card_of

WATER_KJ_PER_KG_K = 4.18
GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


def tcs_supply_c(setting: Setting) -> float:
    """Return the TCS supply setpoint: FWS supply plus the CDU approach."""
    return setting.fws_supply_c + setting.approach_k


@dataclass(frozen=True, slots=True, kw_only=True)
class ItLoad:
    """The racks at their mean and at their peak, at one setting."""

    dynamic_mw: float
    leakage_mw: float
    idle_mw: float
    liquid_kw: float
    air_kw: float
    racks: int
    rack_flow_l_per_min: float
    peak_level_pu: float
    peak_junction_c: float
    peak_gain_pu: float
    peak_supply_limit_c: float

    @property
    def it_mw(self) -> float:
        return self.dynamic_mw + self.leakage_mw

    @property
    def beside_jobs_mw(self) -> float:
        """Power of the racks beside the jobs' dynamic power: leakage, and racks without a job."""
        return self.leakage_mw + self.idle_mw

    @property
    def tcs_flow_l_per_min(self) -> float:
        return self.racks * self.rack_flow_l_per_min


@dataclass(frozen=True, slots=True, kw_only=True)
class FwsPoint:
    """The CDUs and the FWS loop with some CDUs running; flow is inf where the supply cannot be held."""

    running: int
    cdu_pump_kw: float
    hx_kw: float
    tcs_return_c: float
    hx_spare_kw: float
    flow_kg_per_s: float
    fws_pump_kw: float
    heat_kw: float
    return_c: float


def rack(site: Site) -> Rack:
    """Return the rack of the site's pods (one kind)."""
    (name,) = {pod.rack for pod in site.pods.values()}
    return catalogue.build(site, "rack", name)


@lru_cache(maxsize=256)
def it_load(site: Site, setting: Setting) -> ItLoad:
    """Return the racks' power, heat and flow at a setting; the highest level of any profile sets the flow."""
    r = rack(site)
    peak = max(float(workload.profile(job, site).max()) for job in site.jobs.values())
    flow = r.required_flow_l_per_min(peak, tcs_supply_c(setting))
    dynamic = leakage = liquid = air = 0.0
    racks = 0
    idle = workload.idle_racks(site)
    for n, level in (
        *((job.count * job.racks, workload.mean_level(job, site)) for job in site.jobs.values()),
        *((group.racks, group.level_pu) for group in idle),
    ):
        excess = r.steady_excess_k(level, tcs_supply_c(setting), flow)
        dynamic += n * r.nominal_kw * level / 1e3
        leakage += n * r.leakage_kw(level, excess) / 1e3
        liquid += n * r.liquid_kw(level, excess)
        air += n * r.air_kw(level)
        racks += n
    return ItLoad(
        dynamic_mw=dynamic, leakage_mw=leakage,
        idle_mw=sum(group.racks * r.nominal_kw * group.level_pu for group in idle) / 1e3,
        liquid_kw=liquid, air_kw=air, racks=racks,
        rack_flow_l_per_min=flow, peak_level_pu=peak,
        peak_junction_c=r.steady_junction_c(peak, tcs_supply_c(setting), flow),
        peak_gain_pu=r.gain_pu(peak, flow),
        peak_supply_limit_c=r.supply_max_c,
    )  # fmt: skip


@lru_cache(maxsize=4096)
def fws_point(site: Site, setting: Setting, cdu_card: str, pump_card: str, running: int) -> FwsPoint:
    """Return the FWS side with `running` CDUs sharing the load equally."""
    cdu: CDU = catalogue.build(site, "cdu", cdu_card)
    load = it_load(site, setting)
    per_unit = load.tcs_flow_l_per_min / running
    pump_kw = running * cdu.pump_kw(per_unit)
    rate = cdu.capacity_rate_kw_per_k(load.tcs_flow_l_per_min)
    return_c = tcs_supply_c(setting) + load.liquid_kw / rate
    hx = load.liquid_kw + pump_kw
    most = cdu.duty_kw(return_c, setting.fws_supply_c, per_unit, cdu.fws_flow_max_kg_per_s)
    each = cdu.fws_flow_for(hx / running, return_c, setting.fws_supply_c, per_unit)
    flow = running * each
    fws_pump = catalogue.build(site, "fws_pump", pump_card)
    fws_kw = fws_pump.pump_kw(flow) if np.isfinite(flow) else np.inf
    heat = hx + fws_kw
    return FwsPoint(
        running=running, cdu_pump_kw=pump_kw, hx_kw=hx, tcs_return_c=return_c,
        hx_spare_kw=running * most - hx, flow_kg_per_s=flow, fws_pump_kw=fws_kw, heat_kw=heat,
        return_c=setting.fws_supply_c + heat / (WATER_KJ_PER_KG_K * flow),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Dry coolers and warm chillers hour by hour at the least electric power; arrays over the hours."""

    fan_pu: np.ndarray
    dry_cooler_kw: np.ndarray
    fan_kw: np.ndarray
    chillers_on: np.ndarray
    cycling_pu: np.ndarray
    chiller_kw: np.ndarray
    chiller_power_kw: np.ndarray
    short_kw: np.ndarray

    @property
    def power_kw(self) -> np.ndarray:
        return self.fan_kw + self.chiller_power_kw


def reject(site: Site, setting: Setting, sizes: Mapping[str, Size], point: FwsPoint) -> Rejection:
    """Return the cheapest way to reject the heat in every hour: fan speed against machines on.

    A machine cycles below its minimum load; beyond their cards' ranges machines and cells are off. For each
    number of machines the power is convex in the fan speed (cube of the speed, and the duty is concave in
    it), so a golden-section search finds the optimum.
    """
    hours = climate.hours(site)
    cell = catalogue.build(site, "dry_cooler", card_of(sizes, "dry_cooler"))
    machine = catalogue.build(site, "chiller", card_of(sizes, "chiller"))
    n, machines = int(sizes["dry_cooler"].count or 0), int(sizes["chiller"].count or 0)
    db = hours.dry_bulb_c
    density = climate.air_density_pu(site)
    leaving = setting.fws_supply_c
    offered = ranges.on_offer(site, "chiller", card_of(sizes, "chiller"))
    cells = n * ranges.on_offer(site, "dry_cooler", card_of(sizes, "dry_cooler"))
    cap = offered * machine.capacity_at_kw(leaving, db, density)
    least = machine.load_min_pu * cap
    heat = np.full(len(db), point.heat_kw)

    def duty(fan: np.ndarray) -> np.ndarray:
        if n == 0:
            return np.zeros(len(db))
        return cells * cell.duty_kw(fan, point.return_c, db, point.flow_kg_per_s / n, density)

    def fans(fan: np.ndarray) -> np.ndarray:
        return np.asarray(cells * cell.fan_power_kw(fan, cell.density_pu(db, density)))

    def speed(kw: np.ndarray) -> np.ndarray:
        return inverse(duty, kw)

    best = {key: np.zeros(len(db)) for key in ("fan", "on", "cycling", "chiller", "chiller_power")}
    best["power"] = np.full(len(db), np.inf)
    for on, cycles in [
        (0, False),
        *([(0, True)] if machines else []),
        *[(k, False) for k in range(1, machines + 1)],
    ]:
        low = least if cycles else on * least
        high = on * cap if not cycles else least
        floor = np.zeros(len(db)) if cycles else low
        fan_low, fan_high = speed(heat - high), speed(heat - floor)
        possible = (duty(fan_low) >= heat - high - 1e-9 * heat) & (floor <= heat)
        possible &= (offered > 0.0) | (on == 0 and not cycles)

        def chilled(fan: np.ndarray, floor: np.ndarray = floor) -> np.ndarray:
            return np.maximum(heat - duty(fan), floor)  # a bypass takes what the cells would cool too much

        def power(fan: np.ndarray, on: int = on, cycles: bool = cycles, low: np.ndarray = low) -> np.ndarray:
            chiller = chilled(fan)
            return fans(fan) + _chiller_power(machine, chiller, on, cycles, leaving, db, density, low)

        fan = _golden(power, fan_low, fan_high)
        cost = np.where(possible, power(fan), np.inf)
        better = cost < best["power"] - 1e-12
        chiller = chilled(fan) if (on or cycles) else np.zeros(len(db))
        for key, value in (
            ("power", cost), ("fan", fan), ("on", np.full(len(db), float(on))),
            ("cycling", _over(chiller, least) if cycles else np.zeros(len(db))), ("chiller", chiller),
            ("chiller_power", _chiller_power(machine, chiller, on, cycles, leaving, db, density, low)),
        ):  # fmt: skip
            best[key] = np.where(better, value, best[key])
    stuck = ~np.isfinite(best["power"])
    full = np.ones(len(db))
    most = duty(full) + machines * cap
    fan = np.where(stuck, full, best["fan"])
    fan = np.where(cells > 0.0, fan, 0.0)
    running = np.where(stuck, machines * offered, best["on"])
    chiller = np.where(stuck, np.minimum(machines * cap, np.maximum(heat - duty(full), 0.0)), best["chiller"])
    chiller_power = np.where(
        stuck, machine.power_kw(chiller, running, leaving, db, density), best["chiller_power"]
    )
    return Rejection(
        fan_pu=fan, dry_cooler_kw=heat - chiller, fan_kw=fans(fan), chillers_on=running,
        cycling_pu=np.where(stuck, 0.0, best["cycling"]), chiller_kw=chiller, chiller_power_kw=chiller_power,
        short_kw=np.where(stuck, np.maximum(heat - most, 1e-6), 0.0),
    )  # fmt: skip


def _chiller_power(machine: Any, kw: np.ndarray, on: int, cycles: bool, leaving_c: float, db: np.ndarray,
                   density: float, least_kw: np.ndarray) -> np.ndarray:  # fmt: skip
    if cycles:
        return _over(kw, least_kw) * machine.power_kw(least_kw, 1, leaving_c, db, density)
    return machine.power_kw(kw, on, leaving_c, db, density) if on else np.zeros(len(kw))


def _over(kw: np.ndarray, least_kw: np.ndarray) -> np.ndarray:
    """Return kw / least_kw, 0 where a machine has no least load: it is not on offer, or needs none."""
    return np.divide(kw, least_kw, out=np.zeros(len(kw)), where=least_kw > 0.0)


def inverse(duty: Callable[[np.ndarray], np.ndarray], target_kw: np.ndarray) -> np.ndarray:
    """Return the fan speed in [0, 1] at which the duty comes nearest to the target."""
    low, high = np.zeros(len(target_kw)), np.ones(len(target_kw))
    low = np.where(duty(high) <= target_kw, 1.0, low)
    high = np.where(duty(np.zeros(len(target_kw))) >= target_kw, 0.0, high)
    high = np.maximum(high, low * (low >= 1.0))
    for _ in range(60):
        middle = 0.5 * (low + high)
        more = duty(middle) < target_kw
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return 0.5 * (low + high)


def _golden(power: Any, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the minimiser of a convex function in [low, high], elementwise."""
    a, b = low.copy(), np.maximum(high, low)
    for _ in range(45):
        left, right = b - GOLDEN * (b - a), a + GOLDEN * (b - a)
        worse = power(left) > power(right)
        a, b = np.where(worse, left, a), np.where(worse, b, right)
    middle = 0.5 * (a + b)
    options = np.stack([low, middle, np.maximum(high, low)])
    values = np.stack([power(option) for option in options])
    return options[values.argmin(axis=0), np.arange(len(low))]


@dataclass(frozen=True, slots=True, kw_only=True)
class AirSide:
    """Fan walls and their chillers; chiller power over the hours."""

    fan_pu: float
    fan_power_kw: float
    coil_kw: float
    chiller_power_kw: np.ndarray
    chiller_capacity_kw: np.ndarray


def air_side(site: Site, setting: Setting, sizes: Mapping[str, Size]) -> AirSide:
    """Return the air share at the lowest fan speed that holds the cold aisle, full speed where none does.

    A group with nothing installed is taken as one unit.
    """
    wall = catalogue.build(site, "fan_wall", card_of(sizes, "fan_wall"))
    chiller = catalogue.build(site, "eir_chiller", card_of(sizes, "air_chiller"))
    walls, machines = max(int(sizes["fan_wall"].count or 0), 1), max(int(sizes["air_chiller"].count or 0), 1)
    spec, db = site.equipment, climate.hours(site).dry_bulb_c
    water = spec.air_chiller.chilled_water_c
    heat, density = it_load(site, setting).air_kw, climate.air_density_pu(site)
    fan_pu = min(wall.required_fan_pu(heat, walls, water, spec.fan_wall.supply_air_max_c, density), 1.0)
    fans = walls * wall.fan_power_kw(fan_pu, density)
    coil = heat + fans
    return AirSide(
        fan_pu=fan_pu, fan_power_kw=fans, coil_kw=coil,
        chiller_power_kw=chiller.power_kw(coil, machines, water, db, density),
        chiller_capacity_kw=ranges.on_offer(site, "eir_chiller", card_of(sizes, "air_chiller"))
        * chiller.capacity_at_kw(water, db, density),
    )  # fmt: skip


def worst(limit: str, place: str, left: np.ndarray, unit: str, hours: Mapping[str, Any]) -> Margin:
    """Return the margin of the hour with the least to spare; its time is the hour's place in the day."""
    at = int(np.argmin(left))
    where = f"{place}, {hours['date'][at]} {climate.clock(hours['hour_of_day'][at])}"
    return Margin(
        limit, "static", where, 3600.0 * float(hours["hour_of_day"][at]), float(left[at]), unit, "static"
    )


def heat_path_margins(
    site: Site, setting: Setting, sizes: Mapping[str, Size], rejection: Rejection
) -> list[Margin]:
    """Return the static margins from junction to ambient, with one unit of each redundant group out."""
    load, hours = it_load(site, setting), _dated(site)
    cdus, flow = int(sizes["cdu"].count or 0), sizes["cdu_flow"].value
    rows = _rack_margins(site, setting)
    machines = int(sizes["chiller"].count or 0)
    card, pump = card_of(sizes, "cdu"), card_of(sizes, "fws_pump")
    for out, place in _outages(site.equipment.cdu.redundancy, "cdu"):
        running = cdus - out
        if running < 1:
            rows.append(_static("cdu_duty", place, -load.liquid_kw, "kw"))
            continue
        point = fws_point(site, setting, card, pump, running)
        rows.append(_static("cdu_flow", place, flow - load.tcs_flow_l_per_min / running, "l_per_min"))
        rows += cdu_margins(site, setting, card, pump, running, place)
        if np.isfinite(point.flow_kg_per_s):
            rows.append(_static("fws_flow", place, sizes["fws_pump"].value - point.flow_kg_per_s, "kg_per_s"))
    if not cdus:
        return rows
    point = fws_point(site, setting, card, pump, cdus)
    if not np.isfinite(point.flow_kg_per_s):
        return rows
    cells = int(sizes["dry_cooler"].count or 0)
    rows += cell_water_margins(site, card_of(sizes, "dry_cooler"), cells, point)
    rows += _offer_margins(site, setting, sizes, point)
    rows += [
        worst("heat_rejection", place, kw, "kw", hours)
        for place, kw in rejection_spare_kw(site, setting, sizes, point, rejection)
    ]
    machine = catalogue.build(site, "chiller", card_of(sizes, "chiller"))
    spare_l = 1e3 * sizes["buffer"].value - machine.loop_min_l(machines)
    rows.append(_static("loop_volume", "fws", spare_l, "l"))
    largest_m3 = catalogue.build(site, "buffer", card_of(sizes, "buffer")).volume_max_m3
    rows.append(_static(ranges.BUFFER, "fws", largest_m3 - sizes["buffer"].value, "m3"))
    return rows


def cdu_margins(
    site: Site, setting: Setting, card: str, pump_card: str, running: int, place: str
) -> list[Margin]:
    """Return what `running` CDUs may not exceed: exchanger, rating, ranges of both flows and the pumps."""
    cdu: CDU = catalogue.build(site, "cdu", card)
    pump = catalogue.build(site, "fws_pump", pump_card)
    point = fws_point(site, setting, card, pump_card, running)
    each = it_load(site, setting).tcs_flow_l_per_min / running
    rows = [
        _static("cdu_duty", place, point.hx_spare_kw, "kw"),
        _static(ranges.CDU_CAPACITY, place, running * cdu.capacity_kw - point.hx_kw, "kw"),
        _static(ranges.CDU_TCS, place, float(spare(each, *part_range(cdu, "tcs_l_per_min"))), "l_per_min"),
    ]
    if np.isfinite(point.flow_kg_per_s):
        fws = float(spare(point.flow_kg_per_s / running, *part_range(cdu, "fws_kg_per_s")))
        pumped = pump.flow_max_kg_per_s - point.flow_kg_per_s
        rows += [_static(ranges.CDU_FWS, place, fws, "kg_per_s")]
        rows += [_static(ranges.FWS_PUMP, place, pumped, "kg_per_s")]
    return rows


def cell_water_margins(site: Site, card: str, cells: int, point: FwsPoint) -> list[Margin]:
    """Return the distance of the water of one dry-cooler cell to the ends of its range, also with one out."""
    ends = part_range(catalogue.build(site, "dry_cooler", card), "water_kg_per_s")
    each = {out: point.flow_kg_per_s / max(cells - out, 1) for out in (0, 1)}
    return [
        _static(ranges.CELL_WATER, place, float(spare(each[out], *ends)), "kg_per_s")
        for out, place in _outages(site.equipment.dry_cooler.redundancy, "dry cooler")
        if cells - out >= 1
    ]


def _offer_margins(
    site: Site, setting: Setting, sizes: Mapping[str, Size], point: FwsPoint
) -> list[Margin]:
    """Return by how many kelvin machines and cells are within their range of air where they are needed."""
    rows, hours = [], _dated(site)
    cells, machines = int(sizes["dry_cooler"].count or 0), int(sizes["chiller"].count or 0)
    cell, machine = card_of(sizes, "dry_cooler"), card_of(sizes, "chiller")
    fewer_cells = cells - (site.equipment.dry_cooler.redundancy == "n+1")
    fewer_machines = machines - (site.equipment.chiller.redundancy == "n+1")
    cooled = dry_cooler_most_kw(site, cell, fewer_cells, point)
    chilled = max(fewer_machines, 0) * chiller_kw(site, machine, setting)
    for limit, component, card, count, others in (
        (ranges.CHILLER, "chiller", machine, machines, cooled),
        (ranges.DRY_COOLER, "dry_cooler", cell, cells, chilled),
    ):
        needed = others < (1 - HEAT_PU) * point.heat_kw
        if count and needed.any():
            kelvin = np.where(needed, ranges.spare_k(site, component, card), np.inf)
            rows.append(worst(limit, component.replace("_", " "), kelvin, "k", hours))
    return rows


def chiller_kw(site: Site, card: str, setting: Setting) -> np.ndarray:
    """Return the capacity of one warm chiller over the hours; none where it is not on offer."""
    machine, db = catalogue.build(site, "chiller", card), climate.hours(site).dry_bulb_c
    most = machine.capacity_at_kw(setting.fws_supply_c, db, climate.air_density_pu(site))
    return np.asarray(ranges.on_offer(site, "chiller", card) * most)


def rejection_spare_kw(
    site: Site, setting: Setting, sizes: Mapping[str, Size], point: FwsPoint, rejection: Rejection
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (place, kW to spare by hour) of all running and of any one unit of a redundant group out."""
    cells, machines = int(sizes["dry_cooler"].count or 0), int(sizes["chiller"].count or 0)
    each_kw = chiller_kw(site, card_of(sizes, "chiller"), setting)

    def left(cells: int, machines: int) -> np.ndarray:
        most = dry_cooler_most_kw(site, card_of(sizes, "dry_cooler"), cells, point)
        return np.asarray(most + max(machines, 0) * each_kw - point.heat_kw)

    short = rejection.short_kw
    yield (
        "all running",
        np.where(short > 0.0, np.minimum(left(cells, machines), -short), left(cells, machines)),
    )
    for out, place in _outages(site.equipment.chiller.redundancy, "chiller")[1:] if machines else ():
        yield place, left(cells, machines - out)
    for out, place in _outages(site.equipment.dry_cooler.redundancy, "dry cooler")[1:]:
        yield place, left(cells - out, machines)


def dry_cooler_most_kw(site: Site, card: str, cells: int, point: FwsPoint) -> np.ndarray:
    """Return the duty of the running cells with all fans at full speed, over the hours."""
    db = climate.hours(site).dry_bulb_c
    cell = catalogue.build(site, "dry_cooler", card)
    if cells < 1:
        return np.zeros(len(db))
    each = cell.duty_kw(1.0, point.return_c, db, point.flow_kg_per_s / cells, climate.air_density_pu(site))
    return np.asarray(cells * ranges.on_offer(site, "dry_cooler", card) * each)


def air_margins(site: Site, setting: Setting, sizes: Mapping[str, Size]) -> list[Margin]:
    """Return the static margins of the air share, with one unit out."""
    wall = catalogue.build(site, "fan_wall", card_of(sizes, "fan_wall"))
    air, spec, rows = air_side(site, setting, sizes), site.equipment, []
    heat, water = it_load(site, setting).air_kw, spec.air_chiller.chilled_water_c
    walls = int(sizes["fan_wall"].count or 0)
    for out, place in _outages(spec.fan_wall.redundancy, "fan wall"):
        if walls - out < 1:
            rows.append(_static("cold_aisle", place, -heat, "kw"))
            continue
        hottest = wall.cold_aisle_at_c(heat, walls - out, 1.0, water, climate.air_density_pu(site))
        rows.append(_static("cold_aisle", place, spec.fan_wall.supply_air_max_c - hottest, "k"))
    kelvin = ranges.spare_k(site, "eir_chiller", card_of(sizes, "air_chiller"))
    rows.append(worst(ranges.AIR_CHILLER, "air chiller", kelvin, "k", _dated(site)))
    rows += [
        worst("air_chiller_capacity", place, kw, "kw", _dated(site))
        for place, kw in air_spare_kw(site, sizes, air)
    ]
    return rows


def air_spare_kw(site: Site, sizes: Mapping[str, Size], air: AirSide) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (place, kW of the air chillers to spare by hour) of all running and of one out."""
    machines = int(sizes["air_chiller"].count or 0)
    for out, place in _outages(site.equipment.air_chiller.redundancy, "air chiller"):
        yield place, np.asarray((machines - out) * air.chiller_capacity_kw - air.coil_kw)


def _outages(redundancy: str, unit: str) -> list[tuple[int, str]]:
    return [(0, "all running"), (1, f"one {unit} out")] if redundancy == "n+1" else [(0, "all running")]


def _static(limit: str, place: str, margin: float, unit: str) -> Margin:
    return Margin(limit, "static", place, 0.0, float(margin), unit, "static")


def _dated(site: Site) -> Mapping[str, Any]:
    hours = climate.hours(site)
    return {"date": hours.date, "hour_of_day": hours.hour_of_day, "dry_bulb_c": hours.dry_bulb_c}


def setting_margins(site: Site, setting: Setting) -> list[Margin]:
    """Return the limits that a setting breaks whatever the sizes."""
    if tcs_supply_c(setting) >= rack(site).return_target_c:
        return [_static("rack_flow", "rack", rack(site).return_target_c - tcs_supply_c(setting), "k")]
    return [m for m in (*_rack_margins(site, setting), *_air_ranges(site)) if m.margin < 0.0]


def _air_ranges(site: Site) -> Iterator[Margin]:
    """Yield the best card's margin of each group that has to run in every hour, whatever its size."""
    for limit, component, cards in (
        (ranges.AIR_CHILLER, "eir_chiller", site.equipment.air_chiller.cards),
        (ranges.TRANSFORMER, "transformer", site.equipment.transformer.cards),
    ):
        kelvin = max((ranges.spare_k(site, component, card) for card in cards), key=lambda k: float(k.min()))
        yield worst(limit, limit.removesuffix("_range").replace("_", " "), kelvin, "k", _dated(site))


def _rack_margins(site: Site, setting: Setting) -> list[Margin]:
    load, r = it_load(site, setting), rack(site)
    (name,) = {pod.rack for pod in site.pods.values()}
    least_c, _ = catalogue.site_card(site, "rack", name).valid["supply_c"]
    return [
        _static(ranges.RACK, "rack", tcs_supply_c(setting) - least_c, "k"),
        _static("junction", "rack", r.junction_max_c - load.peak_junction_c, "k"),
        _static("thermal_runaway", "rack", GAIN_MAX - load.peak_gain_pu, "pu"),
        _static("tcs_supply", "rack", r.supply_max_c - tcs_supply_c(setting), "k"),
        _static("rack_flow", "rack", r.flow_max_l_per_min - load.rack_flow_l_per_min, "l_per_min"),
    ]
