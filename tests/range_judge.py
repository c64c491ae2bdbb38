"""Whether any input of a card lies beyond the card's range in a plan or a design; arithmetic of its own.

Reads models/*.toml and the site's [cards...], not `codesign.catalogue`, and takes from a design what it says
of itself: sizes, setting, schedule, hours, dispatch, trajectories. Returns a line for every input that lies
outside. A value may lie outside only where the card names a source that the machine's own control holds it
there (`held_source`: condensing pressure of an air chiller in cold air, down to its entering_min_c).
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MODELS = Path(__file__).parents[1] / "models"
PG25_KJ_PER_L_K, WATER_KJ_PER_KG_K = 4.008, 4.18
COMPONENT = {"air_chiller": "eir_chiller", "storage_power": "storage", "storage_energy": "storage"}
NOTHING = 1e-9
STATIC, MOVING = 1e-6, 2e-3
"""Relative width at which a value lies on an end: of static values, and of integrated ones."""

Array = NDArray[np.float64]
Card = Mapping[str, Any]
Lines = Iterator[str]


@cache
def _file(component: str) -> dict[str, Any]:
    return tomllib.loads((MODELS / f"{component}.toml").read_text(encoding="utf-8"))


def card(site: Any, component: str, name: str) -> dict[str, Any]:
    """A card with the site's own values."""
    own = (site.cards.get(component) or {}).get(name) or {}
    return {**_file(component)[name], **own}


def outside(what: str, values: Any, low: float, high: float, width: float = STATIC) -> Lines:
    """Say where values are below `low` or above `high`."""
    found = np.atleast_1d(np.asarray(values, float))
    if not len(found):
        return
    slack = width * max(abs(end) for end in (low, high) if math.isfinite(end))
    least, most = float(found.min()), float(found.max())
    if not (least >= low - slack and most <= high + slack):
        yield f"{what}: {least:.6g} to {most:.6g}, range {low:g} to {high:g}"


def pressure_pu(altitude_m: float) -> float:
    """Standard atmosphere."""
    return float((1 - 2.25577e-5 * altitude_m) ** 5.2559)


# the racks' level, by hand from the site file


def levels(site: Any, name: str, mode: str) -> Array:
    """A job's level over its period and in its events, per unit of nominal power, each step's mean."""
    job, step_s = site.jobs[name], site.clock.step_s
    if job.profile is None:
        values = [phase.level_pu for phase in job.phases]
        shares = [phase.share for phase in job.phases]
    else:
        rows = np.asarray(site.series.profiles[job.profile]["power_pu"], float)
        values = list(rows / {"plateau": 1.0, "peak": rows.max(), "mean": rows.mean()}[job.per_unit_of])
        shares = [1 / len(values)] * len(values)
    ends = np.cumsum(shares) * job.period_s / sum(shares)
    begins = ends - np.asarray(shares) * job.period_s / sum(shares)
    steps = round(job.period_s / step_s)
    means = []
    for k in range(steps):
        held = np.minimum(ends, (k + 1) * step_s) - np.maximum(begins, k * step_s)
        means.append(float(np.maximum(held, 0.0) @ np.asarray(values)) / step_s)
    kind, _, level = mode.partition("_")
    shaped = [
        max(x, float(level)) if kind == "floor" else min(x, float(level)) if kind == "cap" else x
        for x in means
    ]
    return job.plateau_pu * np.array([*shaped, *(event.level_pu for event in job.events)])


def rack_flow(rack: Card, level_pu: float, supply_c: float) -> float:
    """The maker's rule, l/min of one rack."""
    heat_kw = rack["liquid_pu"] * rack["nominal_kw"] * level_pu
    return 60.0 * heat_kw / (PG25_KJ_PER_L_K * (rack["return_target_c"] - supply_c))


# static: setting, sizes, hours


def of_plan(site: Any, plan: Any) -> list[str]:
    """Everything of a plan that lies outside."""
    return [*_racks(site, plan), *_air(site, plan), *_water(site, plan), *_electrical(site, plan)]


def _sized(site: Any, plan: Any, name: str) -> tuple[dict[str, Any], int]:
    size = plan.sizes[name]
    return card(site, COMPONENT.get(name, name), size.card), int(size.count or 0)


def _out(site: Any, piece: str, count: int) -> list[int]:
    """Units that run: all, and one less where one may be out."""
    spare = getattr(site.equipment, piece).redundancy == "n+1"
    return [count, count - 1] if spare and count > 1 else [count]


def _rack(site: Any) -> dict[str, Any]:
    (kind,) = {pod.rack for pod in site.pods.values()}
    return card(site, "rack", kind)


def _racks(site: Any, plan: Any) -> Lines:
    rack = _rack(site)
    supply_c = plan.setting.fws_supply_c + plan.setting.approach_k
    low, high = rack["valid"]["supply_c"]
    yield from outside("rack supply", supply_c, low, min(high, rack["supply_max_c"]))
    for row in plan.schedule:
        yield from outside(
            f"rack level of {row.job}", levels(site, row.job, row.mode), *rack["valid"]["level_pu"]
        )


def _air(site: Any, plan: Any) -> Lines:
    """Dry bulb at machines that carry load, as it is and as thin air lets a condenser feel it."""
    hours, setting = plan.hours, plan.setting
    db = np.asarray(hours["dry_bulb_c"])
    thin = 1 / pressure_pu(site.climate.altitude_m) - 1
    machine, count = _sized(site, plan, "chiller")
    on = (hours["chillers_on"] > NOTHING) | (hours["cycling_pu"] > NOTHING) | (hours["chiller_kw"] > 1e-4)
    if count and on.any():
        low, high = machine["ambient_min_c"], machine["ambient_max_c"]
        yield from outside("air at chillers that run", db[on], low, high)
        yield from outside(
            "air at chillers that run, as felt", db[on] + machine["condenser_lift_k"] * thin, -math.inf, high
        )
        yield from outside(
            "water behind chillers", setting.fws_supply_c, machine["leaving_min_c"], machine["leaving_max_c"]
        )
    cell, cells = _sized(site, plan, "dry_cooler")
    loaded = (hours["dry_cooler_kw"] > 1e-4) | (hours["dry_cooler_power_kw"] > 1e-6)
    yield from outside("air at dry coolers", db[loaded], cell["ambient_min_c"], cell["ambient_max_c"])
    if loaded.any() and not cells:
        yield "dry coolers: heat, and no cell"
    machine, count = _sized(site, plan, "air_chiller")
    loaded = hours["air_chiller_kw"] > 1e-4
    if machine["condenser"] != "air":
        yield f"air chiller: a condenser of {machine['condenser']} in outdoor air"
    if not machine.get("held_source"):
        yield "air chiller: its card names no source for what it holds in cold air"
    low, high = machine["entering_min_c"], machine["entering_max_c"]
    yield from outside("air at air chillers", db[loaded], low, high)
    felt = db[loaded] + machine["condenser_lift_k"] * thin
    yield from outside("air at air chillers, as felt", felt, -math.inf, high)
    transformer, _ = _sized(site, plan, "transformer")
    yield from outside("air at transformers", db, *transformer["valid"]["ambient_c"])


def _water(site: Any, plan: Any) -> Lines:
    setting, sizes, rack = plan.setting, plan.sizes, _rack(site)
    supply_c = setting.fws_supply_c + setting.approach_k
    peak = max(float(levels(site, row.job, row.mode)[: _steps(site, row.job)].max()) for row in plan.schedule)
    flow = rack_flow(rack, peak, supply_c) * _racks_with_flow(site)
    cdu, count = _sized(site, plan, "cdu")
    cell, cells = _sized(site, plan, "dry_cooler")
    pump, _ = _sized(site, plan, "fws_pump")
    tcs_max, rated = cdu["tcs_max_l_per_min"], sizes["cdu_flow"].value
    heats = _liquid_kw(site, plan, rack)
    for running in _out(site, "cdu", count):
        each = flow / running
        yield from outside(
            f"TCS flow of {running} CDUs", each, cdu["tcs_min_l_per_min"], min(tcs_max, rated), 1e-4
        )
        heat_kw = heats / running
        yield from outside(f"heat of {running} CDUs", heat_kw, 0.0, cdu["capacity_kw"], 1e-3)
        fws = _fws_flow(cdu, heat_kw, each, supply_c, setting.fws_supply_c)
        yield from outside(
            f"FWS flow of {running} CDUs",
            fws,
            cdu["fws_flow_min_kg_per_s"],
            cdu["fws_flow_max_kg_per_s"],
            2e-3,
        )
        most = min(pump["flow_max_pu"] * pump["flow_reference_kg_per_s"], sizes["fws_pump"].value)
        yield from outside("flow of the FWS pumps", running * fws, 0.0, most, 2e-3)
        if running == count and cells:
            for left in _out(site, "dry_cooler", cells):
                low, high = cell["water_min_kg_per_s"], cell["water_max_kg_per_s"]
                yield from outside(f"water of {left} cells", running * fws / left, low, high, 2e-3)
    buffer, _ = _sized(site, plan, "buffer")
    yield from outside("buffer", sizes["buffer"].value, 0.0, buffer["volume_max_m3"])
    wall, _ = _sized(site, plan, "fan_wall")
    chilled_c = site.equipment.air_chiller.chilled_water_c
    yield from outside(
        "water of fan walls", chilled_c, wall["chilled_water_min_c"], wall["chilled_water_max_c"]
    )
    yield from outside("speed of fan walls", plan.hours["fan_wall_pu"], wall["fan_min_pu"], 1.0)
    machine, _ = _sized(site, plan, "air_chiller")
    yield from outside(
        "water behind air chillers", chilled_c, machine["leaving_min_c"], machine["leaving_max_c"]
    )


def _steps(site: Any, name: str) -> int:
    return round(site.jobs[name].period_s / site.clock.step_s)


def _racks_with_flow(site: Any) -> int:
    """Racks of jobs, and idle ones: those that are off are shut off from the water."""
    first = next(iter(site.pods))
    used = dict.fromkeys(site.pods, 0)
    for job in site.jobs.values():
        used[job.pod or first] += job.count * job.racks
    idle = [pod.count * pod.racks - used[name] for name, pod in site.pods.items() if pod.unused == "idle"]
    return sum(used.values()) + sum(idle)


def _liquid_kw(site: Any, plan: Any, rack: Card) -> float:
    """Heat to the water, at least: from the plan's IT power less what goes to air at the racks' levels."""
    it_kw = 1e3 * float(np.min(plan.hours["it_mw"]))
    return rack["liquid_pu"] * it_kw


def _fws_flow(cdu: Card, heat_kw: float, tcs: float, supply_c: float, cold_c: float) -> float:
    """FWS flow of one unit at which it carries the heat, by halves, counterflow; the most where none does."""
    hot_kw_per_k = PG25_KJ_PER_L_K * tcs / 60.0
    hot_c = supply_c + heat_kw / hot_kw_per_k
    low, high = 1e-3, cdu["fws_flow_max_kg_per_s"]
    for _ in range(60):
        flow = (low + high) / 2
        cold_kw_per_k = WATER_KJ_PER_KG_K * flow
        exponent = cdu["flow_exponent"]
        resistance = cdu["tcs_resistance_k_per_kw"] * (tcs / cdu["flow_l_per_min"]) ** -exponent
        resistance += cdu["fws_resistance_k_per_kw"] * (flow / cdu["fws_reference_kg_per_s"]) ** -exponent
        resistance += cdu["wall_resistance_k_per_kw"]
        least, most = sorted((hot_kw_per_k, cold_kw_per_k))
        ntu, ratio = 1 / (resistance * least), least / most
        if abs(1 - ratio) < 1e-9:
            effectiveness = ntu / (1 + ntu)
        else:
            left = math.exp(-ntu * (1 - ratio))
            effectiveness = (1 - left) / (1 - ratio * left)
        low, high = (flow, high) if effectiveness * least * (hot_c - cold_c) < heat_kw else (low, flow)
    return high


def _electrical(site: Any, plan: Any) -> Lines:
    transformer, count = _sized(site, plan, "transformer")
    mva = np.asarray(plan.hours["poi_mw"]) / site.poi.power_factor
    for running in _out(site, "transformer", count):
        load = mva / (running * transformer["rating_mva"])
        yield from outside(
            f"mean load of {running} transformers", load, *transformer["valid"]["load_pu"], 1e-3
        )
    power_mw, energy_mwh = (plan.sizes[name].value for name in ("storage_power", "storage_energy"))
    if power_mw > 1e-6:
        store = card(site, "storage", plan.sizes["storage_power"].card)
        low, high = store["valid"]["energy_per_power_s"]
        yield from outside("storage, energy over power", 3600.0 * energy_mwh / power_mw, low, high, 1e-4)
        for name in ("charge_mw", "discharge_mw"):
            yield from outside(f"storage, {name}", plan.dispatch[name], 0.0, power_mw, 1e-4)
        soc = np.asarray(plan.dispatch["soc_mwh"]) / energy_mwh
        low, high = (store["end_energy_pu"] * store[f"window_{end}_pu"] for end in ("min", "max"))
        yield from outside("stored energy", soc, low, high, 1e-4)


# in motion: trajectories


def of_design(site: Any, design: Any) -> list[str]:
    """Everything of a design that lies outside: its plan, and every sample of every run."""
    found = of_plan(site, design.plan)
    for run in design.check.scenarios:
        found += [f"{run.id}: {line}" for line in _moving(site, design.plan, run)]
    return found


def _moving(site: Any, plan: Any, run: Any) -> Lines:
    states, controls, given = run.states, run.controls, run.disturbances
    rack = _rack(site)
    low, high = rack["valid"]["supply_c"]
    yield from outside("rack supply", states["tcs_supply_c"], low, min(high, rack["supply_max_c"]), MOVING)
    for name in given:
        if name.endswith(".level_pu"):
            yield from outside(name, given[name], *rack["valid"]["level_pu"])
    cdu, count = _sized(site, plan, "cdu")
    tcs = np.asarray(states["tcs_flow_l_per_min"]) / count
    yield from outside("TCS flow of a CDU", tcs, cdu["tcs_min_l_per_min"], cdu["tcs_max_l_per_min"], MOVING)
    fws = np.asarray(states["fws_flow_kg_per_s"])
    ends = cdu["fws_flow_min_kg_per_s"], cdu["fws_flow_max_kg_per_s"]
    yield from outside("FWS flow of a CDU", fws / count, *ends, MOVING)
    pump, _ = _sized(site, plan, "fws_pump")
    yield from outside(
        "flow of the FWS pumps", fws, 0.0, pump["flow_max_pu"] * pump["flow_reference_kg_per_s"], MOVING
    )
    cell, cells = _sized(site, plan, "dry_cooler")
    db = np.asarray(given["dry_bulb_c"])
    if cells:
        yield from outside(
            "water of a cell", fws / cells, cell["water_min_kg_per_s"], cell["water_max_kg_per_s"], MOVING
        )
        moved = np.asarray(controls["fan_pu"]) > 1e-3
        yield from outside("air at dry coolers", db[moved], cell["ambient_min_c"], cell["ambient_max_c"])
    machine, _ = _sized(site, plan, "chiller")
    running = np.asarray(given["chillers_on"]) * np.asarray(given["chiller_available"]) > 1e-3
    yield from outside(
        "air at chillers that run", db[running], machine["ambient_min_c"], machine["ambient_max_c"]
    )
    water = np.asarray(states["chiller_out_c"])[running]
    yield from outside(
        "water behind chillers", water, machine["leaving_min_c"], machine["leaving_max_c"], MOVING
    )
    air, _ = _sized(site, plan, "air_chiller")
    wall, _ = _sized(site, plan, "fan_wall")
    low = max(air["leaving_min_c"], wall["chilled_water_min_c"])
    high = min(air["leaving_max_c"], wall["chilled_water_max_c"])
    yield from outside("water of the air side", states["chilled_water_c"], low, high, MOVING)
    yield from outside("air at air chillers", db, air["entering_min_c"], air["entering_max_c"])
    yield from outside("speed of fan walls", controls["fan_wall_pu"], wall["fan_min_pu"], 1.0, MOVING)
    yield from _stored(site, plan, states, controls)


def _stored(site: Any, plan: Any, states: Any, controls: Any) -> Lines:
    power_mw, energy_mwh = (plan.sizes[name].value for name in ("storage_power", "storage_energy"))
    if power_mw <= 1e-6:
        return
    store = card(site, "storage", plan.sizes["storage_power"].card)
    low, high = (store["end_energy_pu"] * store[f"window_{end}_pu"] for end in ("min", "max"))
    yield from outside("stored energy", np.asarray(states["storage_mwh"]) / energy_mwh, low, high, MOVING)
    for name in ("charge_mw", "discharge_mw"):
        yield from outside(f"storage, {name}", controls[name], 0.0, power_mw, MOVING)
