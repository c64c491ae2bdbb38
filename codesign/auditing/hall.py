"""Static limits again, hour by hour in plain loops, from racks to ambient and to the transformers.

The recorded operation is taken as a claim: every duty must be possible, every power must be what the
components give, every balance must close, and with one unit of a redundant group out the rest must still
carry the load. Written from the component physics and the site alone; shares nothing with what made the
plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import brentq

from codesign import catalogue, climate, workload
from codesign.auditing.ledger import RELATIVE, Ledger
from codesign.auditing.levels import level_pu
from codesign.auditing.windings import Windings
from codesign.components.base import WATER_KJ_PER_KG_K
from codesign.components.rack import GAIN_MAX
from codesign.design import Plan
from codesign.site import Site

CLAIMED = (
    "cdu_pump_kw", "fws_pump_kw", "fan_wall_power_kw", "air_chiller_kw", "air_chiller_power_kw",
    "dry_cooler_power_kw", "chiller_power_kw",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Racks:
    """All racks at their mean level; flow of one rack and junction at the highest level of any profile."""

    count: int
    dynamic_mw: float
    leakage_mw: float
    idle_mw: float
    liquid_kw: float
    air_kw: float
    flow_l_per_min: float
    peak_junction_c: float
    junction_max_c: float
    peak_gain_pu: float
    supply_max_c: float
    flow_max_l_per_min: float

    @property
    def it_mw(self) -> float:
        """Mean IT power."""
        return self.dynamic_mw + self.leakage_mw


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """TCS and FWS with a number of CDUs running; flow infinite where they cannot hold the supply."""

    pump_kw: float
    duty_kw: float
    most_kw: float
    fws_kg_per_s: float
    fws_pump_kw: float
    return_c: float

    @property
    def heat_kw(self) -> float:
        """Heat that dry coolers and chillers reject."""
        return self.duty_kw + self.fws_pump_kw


NONE_KW = 1e-7
"""Heat that is taken for none."""


class Hall:
    """The components that a plan bought, and the setting it runs them at."""

    def __init__(self, site: Site, plan: Plan) -> None:
        if plan.setting is None:
            raise ValueError("no setting")
        self.site, self.plan = site, plan
        self.supply_c, self.fws_c = (
            plan.setting.fws_supply_c + plan.setting.approach_k,
            plan.setting.fws_supply_c,
        )
        sizes = plan.sizes

        def build(component: str, size: str) -> Any:
            return catalogue.build(site, component, str(sizes[size].card))

        self.count = {name: int(size.count) for name, size in sizes.items() if size.count is not None}
        self.value = {name: size.value for name, size in sizes.items()}
        self.cdu = build("cdu", "cdu")
        self.fws_pump = build("fws_pump", "fws_pump")
        self.dry_cooler = build("dry_cooler", "dry_cooler")
        self.chiller = build("chiller", "chiller")
        self.buffer = build("buffer", "buffer")
        self.fan_wall = build("fan_wall", "fan_wall")
        self.air_chiller = build("eir_chiller", "air_chiller")
        self.transformer = build("transformer", "transformer")
        bought = sizes["storage_power"].card is not None
        self.storage = build("storage", "storage_power") if bought else None
        self.mean_level = {
            f"{row.job}_{row.copy}": math.fsum(level) / len(level)
            for row, level in ((row, level_pu(site, row).tolist()) for row in plan.schedule)
        }
        self.idle = unused(site)
        self.mean_level |= {f"idle_{pod}": level for pod, (_, level) in self.idle.items()}
        self.density_pu = climate.air_density_pu(site)
        self.racks = self._racks()

    def _racks(self) -> Racks:
        """Sum the racks of every job copy; the flow rule follows the highest level of any profile."""
        rows, peak = [], 0.0
        for row in self.plan.schedule:
            job = self.site.jobs[row.job]
            rack = catalogue.build(self.site, "rack", self.site.pods[row.pod].rack)
            rows.append((job.racks, rack, self.mean_level[f"{row.job}_{row.copy}"]))
            peak = max(peak, float(workload.profile(job, self.site).max()))
        for pod, (racks, level) in self.idle.items():
            rows.append((racks, catalogue.build(self.site, "rack", self.site.pods[pod].rack), level))
        flow = max(rack.required_flow_l_per_min(peak, self.supply_c) for _, rack, _ in rows)
        total = dict.fromkeys(("dynamic_mw", "leakage_mw", "liquid_kw", "air_kw"), 0.0)
        for racks, rack, mean in rows:
            excess = rack.steady_excess_k(mean, self.supply_c, flow)
            total["dynamic_mw"] += racks * rack.nominal_kw * mean / 1e3
            total["leakage_mw"] += racks * rack.leakage_kw(mean, excess) / 1e3
            total["liquid_kw"] += racks * rack.liquid_kw(mean, excess)
            total["air_kw"] += racks * rack.air_kw(mean)
        return Racks(
            idle_mw=sum(
                racks * level * float(catalogue.build(self.site, "rack", self.site.pods[pod].rack).nominal_kw)
                for pod, (racks, level) in self.idle.items()
            )
            / 1e3,
            count=sum(racks for racks, _, _ in rows),
            flow_l_per_min=flow,
            peak_junction_c=max(rack.steady_junction_c(peak, self.supply_c, flow) for _, rack, _ in rows),
            peak_gain_pu=max(
                rack.leakage_pu_per_k
                * rack.rated_w
                * peak
                * (rack.steady_junction_c(peak, self.supply_c, flow) - self.supply_c)
                / rack.steady_gpu_w(peak, self.supply_c, flow)
                for _, rack, _ in rows
            ),
            junction_max_c=min(rack.junction_max_c for _, rack, _ in rows),
            supply_max_c=min(rack.supply_max_c for _, rack, _ in rows),
            flow_max_l_per_min=min(rack.flow_max_l_per_min for _, rack, _ in rows),
            **total,
        )

    @property
    def tcs_l_per_min(self) -> float:
        """TCS flow of the hall."""
        return self.racks.count * self.racks.flow_l_per_min

    def loops(self, running: int) -> Loops:
        """Return both loops with `running` CDUs sharing the load."""
        each = self.tcs_l_per_min / running
        pump = running * self.cdu.pump_kw(each)
        rate = self.cdu.capacity_rate_kw_per_k(self.tcs_l_per_min)
        hot = self.supply_c + self.racks.liquid_kw / rate
        duty = self.racks.liquid_kw + pump

        def short_kw(fws_kg_per_s: float) -> float:
            return float(running * self.cdu.duty_kw(hot, self.fws_c, each, fws_kg_per_s) - duty)

        top = self.cdu.fws_flow_max_kg_per_s
        most = duty + short_kw(top)
        flow = running * brentq(short_kw, 0.0, top, xtol=1e-12, rtol=1e-14) if most >= duty else math.inf
        fws_pump = self.fws_pump.pump_kw(flow) if math.isfinite(flow) else math.inf
        return Loops(
            pump_kw=pump,
            duty_kw=duty,
            most_kw=most,
            fws_kg_per_s=flow,
            fws_pump_kw=fws_pump,
            return_c=self.fws_c + (duty + fws_pump) / (WATER_KJ_PER_KG_K * flow),
        )

    def cooler_kw(self, cells: int, fan_pu: float, dry_bulb_c: float, loops: Loops) -> float:
        """Return what `cells` dry coolers reject; nothing where their card is not on offer."""
        cell = self.dry_cooler
        if cells < 1 or not cell.ambient_min_c <= dry_bulb_c <= cell.ambient_max_c:
            return 0.0
        water = loops.fws_kg_per_s / cells
        return float(
            cells * self.dry_cooler.duty_kw(fan_pu, loops.return_c, dry_bulb_c, water, self.density_pu)
        )

    def machine_kw(self, dry_bulb_c: float) -> float:
        """Return what one warm chiller carries; nothing where its card is not on offer."""
        at = self.chiller.equivalent_c(dry_bulb_c, self.density_pu)
        if dry_bulb_c < self.chiller.ambient_min_c or at > self.chiller.ambient_max_c:
            return 0.0
        return float(self.chiller.capacity_at_kw(self.fws_c, dry_bulb_c, self.density_pu))

    def air_machine_kw(self, dry_bulb_c: float) -> float:
        """Return what one air chiller carries; nothing where its card is not on offer."""
        at = self.air_chiller.equivalent_c(dry_bulb_c, self.density_pu)
        if dry_bulb_c < self.air_chiller.entering_min_c or at > self.air_chiller.entering_max_c:
            return 0.0
        water = self.site.equipment.air_chiller.chilled_water_c
        return float(self.air_chiller.capacity_at_kw(water, dry_bulb_c, self.density_pu))

    def cell_fans_kw(self, fan_pu: float, dry_bulb_c: float) -> float:
        """Return the fan power of all dry coolers; none where their card is not on offer."""
        cell = self.dry_cooler
        if not cell.ambient_min_c <= dry_bulb_c <= cell.ambient_max_c:
            return 0.0
        density = cell.density_pu(dry_bulb_c, self.density_pu)
        return float(self.count["dry_cooler"] * cell.fan_power_kw(fan_pu, density))

    @cached_property
    def windings(self) -> Windings:
        """The transformers under the schedule's load course."""
        return Windings(self.site, self.plan, self.transformer, self.count["transformer"])


def unused(site: Site) -> dict[str, tuple[int, float]]:
    """Return racks that are on and that no job uses, by pod: how many, and their level."""
    first, left = next(iter(site.pods)), {name: pod.count * pod.racks for name, pod in site.pods.items()}
    for job in site.jobs.values():
        left[job.pod or first] -= job.count * job.racks
    on = {name: pod for name, pod in site.pods.items() if pod.unused == "idle"}
    return {name: (left[name], pod.idle_pu) for name, pod in on.items() if left[name] > 0}


def outages(redundancy: str, unit: str) -> list[tuple[int, str]]:
    """Return (units out, place) of the states in which a group must carry its load."""
    return [(0, "all running"), *([(1, f"one {unit} out")] if redundancy == "n+1" else [])]


def judge(ledger: Ledger, hall: Hall, claims: bool) -> None:
    """Judge the static heat path and the transformers; with `claims`, the recorded operation too."""
    _racks(ledger, hall)
    if not _loops(ledger, hall):
        return
    loops = hall.loops(hall.count["cdu"])
    hours = climate.hours(hall.site)
    _ranges(ledger, hall, loops)
    for h in range(len(hours.dry_bulb_c)):
        place = f"{hours.date[h]} {climate.clock(hours.hour_of_day[h])}"
        _rejection(ledger, hall, loops, float(hours.dry_bulb_c[h]), place)
        _air(ledger, hall, loops, float(hours.dry_bulb_c[h]), place)
    if claims and _same_hours(ledger, hall):
        for h in range(hall.plan.hours.rows):
            _hour(ledger, hall, loops, h)
        _transformers(ledger, hall)
    ledger.judged.append("heat path, hour by hour, one unit out")


def _transformers(ledger: Ledger, hall: Hall) -> None:
    """Hours that are hotter or more loaded than every other: the mean load under the whole course."""
    hours, units = hall.plan.hours, hall.count["transformer"]
    place = {}
    for h in range(hours.rows):
        mva = float(hours["poi_mw"][h] - hours["transformer_loss_mw"][h]) / hall.site.poi.power_factor
        when = f"{hours['date'][h]} {climate.clock(hours['hour_of_day'][h])}"
        place[float(hours["dry_bulb_c"][h]), mva] = when
    worst: list[tuple[float, float]] = []
    for ambient, mva in sorted(place, reverse=True):
        if not worst or mva > worst[-1][1]:
            worst.append((ambient, mva))
    ambients = np.array([ambient for ambient, _ in worst])
    redundant = hall.site.equipment.transformer.redundancy == "n+1"
    for out, where in outages(hall.site.equipment.transformer.redundancy, "transformer"):
        row = "transformers, one out" if redundant else "transformers"
        most = hall.windings.carried_mva(ambients, out) if units > out else 0.0 * ambients
        for at, carried in zip(worst, most, strict=True):
            ledger.most(
                "hot_spot", f"{place[at]}, {where}", at[1], float(carried), "MVA", 1e-6,
                row=f"{place[at]}, {row}",
            )  # fmt: skip


def _racks(ledger: Ledger, hall: Hall) -> None:
    racks = hall.racks
    ledger.most("junction", "rack", racks.peak_junction_c, racks.junction_max_c, "degC")
    ledger.most("thermal_runaway", "rack", racks.peak_gain_pu, GAIN_MAX, "1", 1e-5)
    ledger.most("tcs_supply", "rack", hall.supply_c, racks.supply_max_c, "degC")
    ledger.most("rack_flow", "rack", racks.flow_l_per_min, racks.flow_max_l_per_min, "l/min")


def _loops(ledger: Ledger, hall: Hall) -> bool:
    """Judge CDUs, FWS pumps, air; return whether the loops can be computed with all running."""
    whole = True
    for out, place in outages(hall.site.equipment.cdu.redundancy, "cdu"):
        running = hall.count["cdu"] - out
        if running < 1:
            ledger.least("cdu_duty", place, 0.0, hall.racks.liquid_kw, "kW")
            whole = whole and out > 0
            continue
        loops = hall.loops(running)
        ledger.most("cdu_flow", place, hall.tcs_l_per_min / running, hall.value["cdu_flow"], "l/min")
        ledger.least("cdu_duty", place, loops.most_kw, loops.duty_kw, "kW")
        _cdu_ranges(ledger, hall, loops, running, place)
        if math.isfinite(loops.fws_kg_per_s):
            ledger.most("fws_flow", place, loops.fws_kg_per_s, hall.value["fws_pump"], "kg/s", 1e-6)
        elif out == 0:
            whole = False
    walls, machines = hall.count["fan_wall"], hall.count["air_chiller"]
    spec = hall.site.equipment
    for out, place in outages(spec.fan_wall.redundancy, "fan wall"):
        if walls - out < 1:
            ledger.breach("cold_aisle", place, walls - out, "at least 1", "units")
            continue
        cold = hall.fan_wall.cold_aisle_at_c(
            hall.racks.air_kw, walls - out, 1.0, spec.air_chiller.chilled_water_c, hall.density_pu
        )
        ledger.most("cold_aisle", place, cold, spec.fan_wall.supply_air_max_c, "degC")
    machine = hall.chiller
    need_l = machine.loop_l_per_kw_min * machine.capacity_kw * hall.count["chiller"]
    ledger.least("loop_volume", "fws", 1e3 * hall.value["buffer"], need_l, "l")
    ledger.most("buffer_range", "fws", hall.value["buffer"], hall.buffer.volume_max_m3, "m3")
    return whole and walls > 0 and machines > 0


def _cdu_ranges(ledger: Ledger, hall: Hall, loops: Loops, running: int, place: str) -> None:
    """Rating of a CDU and the ranges of its card and of the pumps' for what flows in it."""
    cdu, each = hall.cdu, hall.tcs_l_per_min / running
    ledger.most("cdu_capacity", place, loops.duty_kw, running * cdu.capacity_kw, "kW")
    ledger.most("cdu_tcs_range", place, each, cdu.tcs_max_l_per_min, "l/min")
    ledger.least("cdu_tcs_range", place, each, cdu.tcs_min_l_per_min, "l/min")
    if math.isfinite(loops.fws_kg_per_s):
        fws = loops.fws_kg_per_s / running
        ledger.most("cdu_fws_range", place, fws, cdu.fws_flow_max_kg_per_s, "kg/s", 1e-9)
        ledger.least("cdu_fws_range", place, fws, cdu.fws_flow_min_kg_per_s, "kg/s", 1e-9)
        most = hall.fws_pump.flow_max_pu * hall.fws_pump.flow_reference_kg_per_s
        ledger.most("fws_pump_range", place, loops.fws_kg_per_s, most, "kg/s", 1e-9)


def _ranges(ledger: Ledger, hall: Hall, loops: Loops) -> None:
    """The ranges that do not depend on the air: racks' supply, water of a cell, chilled water."""
    for row in hall.plan.schedule:
        card = catalogue.site_card(hall.site, "rack", hall.site.pods[row.pod].rack)
        ledger.least("rack_range", "rack", hall.supply_c, card.valid["supply_c"][0], "degC")
    for out, place in outages(hall.site.equipment.dry_cooler.redundancy, "dry cooler"):
        if hall.count["dry_cooler"] - out >= 1:
            water, cell = loops.fws_kg_per_s / (hall.count["dry_cooler"] - out), hall.dry_cooler
            ledger.most("dry_cooler_water_range", place, water, cell.water_max_kg_per_s, "kg/s", 1e-9)
            ledger.least("dry_cooler_water_range", place, water, cell.water_min_kg_per_s, "kg/s", 1e-9)
    water_c = hall.site.equipment.air_chiller.chilled_water_c
    for part in (hall.air_chiller, hall.fan_wall):
        name = "leaving" if part is hall.air_chiller else "chilled_water"
        low, high = getattr(part, f"{name}_min_c"), getattr(part, f"{name}_max_c")
        if not low <= water_c <= high:
            ledger.breach("chilled water", type(part).__name__, water_c, f"{low:g} to {high:g}", "degC")


def _air(ledger: Ledger, hall: Hall, loops: Loops, dry_bulb_c: float, place: str) -> None:
    """In an hour, what is needed is within the range of its card."""
    spec, count, heat = hall.site.equipment, hall.count, loops.heat_kw
    thin = hall.density_pu
    limits: list[tuple[str, float, float, float]] = []  # limit, the air at its upper end, both ends
    fewer_cells = count["dry_cooler"] - (spec.dry_cooler.redundancy == "n+1")
    fewer_machines = count["chiller"] - (spec.chiller.redundancy == "n+1")
    machine, cell, part = hall.chiller, hall.dry_cooler, hall.air_chiller
    if count["chiller"] and hall.cooler_kw(fewer_cells, 1.0, dry_bulb_c, loops) < heat - NONE_KW:
        at = machine.equivalent_c(dry_bulb_c, thin)
        limits.append(("chiller_range", at, machine.ambient_min_c, machine.ambient_max_c))
    if count["dry_cooler"] and max(fewer_machines, 0) * hall.machine_kw(dry_bulb_c) < heat - NONE_KW:
        limits.append(("dry_cooler_range", dry_bulb_c, cell.ambient_min_c, cell.ambient_max_c))
    at = part.equivalent_c(dry_bulb_c, thin)
    limits.append(("air_chiller_range", at, part.entering_min_c, part.entering_max_c))
    low, high = catalogue.site_card(
        hall.site, "transformer", str(hall.plan.sizes["transformer"].card)
    ).valid.get("ambient_c", (-math.inf, math.inf))
    if math.isfinite(low):
        limits.append(("transformer_range", dry_bulb_c, low, high))
    for limit, value, least, most in limits:
        where = f"{place}, {limit.removesuffix('_range').replace('_', ' ')}"
        ledger.least(limit, where, dry_bulb_c, least, "degC")
        ledger.most(limit, where, value, most, "degC")


def _rejection(ledger: Ledger, hall: Hall, loops: Loops, dry_bulb_c: float, place: str) -> None:
    cells, machines, heat = hall.count["dry_cooler"], hall.count["chiller"], loops.heat_kw
    one = hall.machine_kw(dry_bulb_c)
    groups = [(0, 0, "all running")]
    groups += [
        (1, 0, where)
        for out, where in outages(hall.site.equipment.dry_cooler.redundancy, "dry cooler")
        if out
    ]
    groups += [
        (0, 1, where)
        for out, where in outages(hall.site.equipment.chiller.redundancy, "chiller")
        if out and machines
    ]
    for cells_out, machines_out, where in groups:
        most = (
            hall.cooler_kw(cells - cells_out, 1.0, dry_bulb_c, loops) + max(machines - machines_out, 0) * one
        )
        ledger.least("heat_rejection", f"{place}, {where}", most, heat, "kW", RELATIVE * heat)


def _same_hours(ledger: Ledger, hall: Hall) -> bool:
    """Whether the recorded hours are those of the site."""
    table, hours = hall.plan.hours, climate.hours(hall.site)
    columns: Mapping[str, Any] = {
        "date": hours.date, "hour_of_day": hours.hour_of_day, "weight_h_per_year": hours.weight_h_per_year,
        "dry_bulb_c": hours.dry_bulb_c, "price_usd_per_mwh": hours.price_usd_per_mwh,
    }  # fmt: skip
    for name, expected in columns.items():
        if name not in table or list(table[name]) != list(expected):
            ledger.breach("hours", name, "differs", "the site's")
            return False
    return True


def _hour(ledger: Ledger, hall: Hall, loops: Loops, h: int) -> None:
    """One recorded hour: possible, and what it says."""
    row = {name: column[h] for name, column in hall.plan.hours.items()}
    place = f"{row['date']} {climate.clock(row['hour_of_day'])}"
    dry_bulb, spec = float(row["dry_bulb_c"]), hall.site.equipment
    heat, on, cycling = loops.heat_kw, float(row["chillers_on"]), float(row["cycling_pu"])
    cap = hall.machine_kw(dry_bulb)
    low = hall.chiller.load_min_pu * cap
    tolerance = RELATIVE * heat
    steady_kw = float(row["chiller_kw"]) - cycling * low
    ledger.at_least("fan speed", place, float(row["fan_pu"]), 0.0, "1", 1e-9)
    ledger.at_most("fan speed", place, float(row["fan_pu"]), 1.0, "1", 1e-9)
    ledger.at_most("cycling", place, abs(cycling - 0.5), 0.5, "1", 1e-9)
    ledger.equal("chillers_on", place, on, round(on))
    ledger.at_most("chillers_on", place, on + (cycling > 1e-9), hall.count["chiller"], "machines")
    ledger.at_least("chiller_load", place, steady_kw, on * low, "kW", tolerance)
    ledger.at_most("chiller_capacity", place, steady_kw, on * cap, "kW", tolerance)
    possible = hall.cooler_kw(hall.count["dry_cooler"], float(row["fan_pu"]), dry_bulb, loops)
    ledger.at_most("dry_cooler_duty", place, float(row["dry_cooler_kw"]), possible, "kW", tolerance)
    ledger.same("heat balance", place, float(row["dry_cooler_kw"] + row["chiller_kw"]), heat, "kW")
    walls, machines, water = (
        hall.count["fan_wall"],
        hall.count["air_chiller"],
        spec.air_chiller.chilled_water_c,
    )
    speed = float(row["fan_wall_pu"])
    thin = hall.density_pu
    fans = walls * float(hall.fan_wall.fan_power_kw(speed, thin))
    coil = hall.racks.air_kw + fans
    ledger.at_most("fan speed", place, speed, 1.0, "1", 1e-9)
    ledger.at_least("fan speed", place, speed, hall.fan_wall.fan_min_pu, "1", 1e-9)
    cold = float(hall.fan_wall.cold_aisle_at_c(hall.racks.air_kw, walls, speed, water, thin))
    ledger.at_most("cold_aisle as operated", place, cold, spec.fan_wall.supply_air_max_c, "degC", 1e-6)
    for out, where in outages(spec.air_chiller.redundancy, "air chiller"):
        most = (machines - out) * hall.air_machine_kw(dry_bulb)
        ledger.least("air_chiller_capacity", f"{place}, {where}", most, coil, "kW", tolerance)
    found = {
        "cdu_pump_kw": loops.pump_kw,
        "fws_pump_kw": loops.fws_pump_kw,
        "fan_wall_power_kw": fans,
        "air_chiller_kw": coil,
        "air_chiller_power_kw": float(hall.air_chiller.power_kw(coil, machines, water, dry_bulb, thin)),
        "dry_cooler_power_kw": hall.cell_fans_kw(float(row["fan_pu"]), dry_bulb),
        "chiller_power_kw": float(hall.chiller.power_kw(steady_kw, on, hall.fws_c, dry_bulb, thin))
        + cycling * float(hall.chiller.power_kw(low, 1.0, hall.fws_c, dry_bulb, thin)),
    }
    for name, expected in found.items():
        ledger.same(name, place, float(row[name]), expected, "kW", tolerance)
    _power_balance(ledger, hall, row, place, sum(found[name] for name in CLAIMED if name != "air_chiller_kw"))
    rejected = float(row["dry_cooler_kw"] + row["chiller_kw"] + row["air_chiller_kw"])
    heating = found["cdu_pump_kw"] + found["fws_pump_kw"] + found["fan_wall_power_kw"]
    ledger.same("heat balance", f"{place}, hall", rejected, 1e3 * hall.racks.it_mw + heating, "kW")


def _power_balance(
    ledger: Ledger, hall: Hall, row: Mapping[str, Any], place: str, mechanical_kw: float
) -> None:
    units, site = hall.count["transformer"], hall.site
    ledger.same("it_mw", place, float(row["it_mw"]), hall.racks.it_mw, "MW")
    ledger.same("mechanical_mw", place, float(row["mechanical_mw"]), mechanical_kw / 1e3, "MW")
    secondary = hall.racks.it_mw + mechanical_kw / 1e3 + float(row["storage_loss_mw"])
    mva = secondary / site.poi.power_factor
    loss = float(hall.transformer.loss_kw(mva, units)) / 1e3
    ledger.same("transformer_loss_mw", place, float(row["transformer_loss_mw"]), loss, "MW")
    ledger.same("poi_mw", place, float(row["poi_mw"]), secondary + loss, "MW")
