"""Where a run starts and what it is pulled to: the plan's plant, and its steady state of an hour, as vectors.

The plan's static chain is a fixed point of the plant's rates at the hour's mean load: a run begins at rest,
and whatever moves afterwards was moved by the scenario.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from codesign import catalogue, climate, evaluation, steady, window, workload
from codesign.checking.stack import Stack, Vector, vector
from codesign.components.storage import Storage
from codesign.design import Margin, Plan, Setting
from codesign.plant import Group, Plant
from codesign.site import Site

COUNTED = ("cdu", "dry_cooler", "chiller", "fan_wall", "air_chiller", "transformer")
VALUED = {
    "cdu_flow": "cdu_flow_l_per_min", "fws_pump": "fws_pump_flow_kg_per_s", "buffer": "buffer_m3",
    "storage_power": "storage_power_mw", "storage_energy": "storage_energy_mwh",
}  # fmt: skip
"""The plant's sizes: `NAME_count` for those counted, and these for those with a value."""


@dataclass(frozen=True, slots=True)
class Start:
    """A stack with the plan's steady state: states, controls, disturbances, sizes."""

    stack: Stack
    hour: int
    x: Vector
    u: Vector
    d: Vector
    p: Vector


def start(site: Site, plan: Plan, hour: int | None = None) -> Start:
    """Return the steady state of an hour of the plan, by default of its hottest."""
    hour = hot_hour(site) if hour is None else hour
    hall, p = plant(site, plan), sizes(plan)
    stack, load, table = stacked(hall), steady.it_load(site, setting(plan)), plan.hours
    x, u, d = hall.steady(
        {
            group(row.job, row.copy): workload.mean_level(site.jobs[row.job], site)
            for row, _ in workload.alike(plan.schedule)
        }
        | {idle.name: idle.level_pu for idle in workload.idle_racks(site)},
        float(table["dry_bulb_c"][hour]),
        p,
        tcs_flow_l_per_min=load.tcs_flow_l_per_min,
        tcs_supply_c=steady.tcs_supply_c(setting(plan)),
        fws_supply_c=setting(plan).fws_supply_c,
        chilled_water_c=site.equipment.air_chiller.chilled_water_c,
        fan_wall_pu=float(table["fan_wall_pu"][hour]),
        dry_cooler_kw=float(table["dry_cooler_kw"][hour]),
        chillers_on=float(table["chillers_on"][hour]),
        storage_mwh=float(plan.dispatch["soc_mwh"][0]),
    )
    return Start(
        stack, hour, vector(stack.states, x), vector(stack.controls, u), vector(stack.disturbances, d),
        vector(stack.sizes, p),
    )  # fmt: skip


@lru_cache(maxsize=4)
def stacked(hall: Plant) -> Stack:
    """Return a plant's functions, kept: sizes are arguments of them."""
    return Stack(hall)


def hot_hour(site: Site) -> int:
    """Return the hottest hour of the representative days, the first of equals."""
    return int(np.argmax(climate.hours(site).dry_bulb_c))


def static_margins(site: Site, plan: Plan) -> tuple[Margin, ...]:
    """Return the margins of the static limits, by the exact evaluation."""
    return evaluation.evaluate(site, setting(plan), plan.sizes, plan.schedule).margins


def setting(plan: Plan) -> Setting:
    """Return the plan's setting; a plan without one has no plant."""
    if plan.setting is None:
        raise ValueError(f"{plan.site_name}: a plan that was not solved has nothing to check")
    return plan.setting


def group(job: str, copy: int) -> str:
    """Return the plant's name of the racks of a job copy and of those in step with it."""
    return f"{job}_{copy}"


def sizes(plan: Plan) -> dict[str, float]:
    """Return the plan's sizes under the plant's names."""
    counts = {f"{name}_count": float(plan.sizes[name].count or 0) for name in COUNTED}
    return counts | {named: float(plan.sizes[name].value) for name, named in VALUED.items()}


def plant(site: Site, plan: Plan) -> Plant:
    """Return the plant of the plan's cards and schedule."""

    def part(name: str, component: str | None = None) -> Any:
        return catalogue.build(site, component or name, str(plan.sizes[name].card))

    groups = tuple(
        Group(
            name=group(row.job, row.copy),
            racks=number * site.jobs[row.job].racks,
            rack=catalogue.build(site, "rack", site.pods[row.pod].rack),
        )
        for row, number in workload.alike(plan.schedule)
    ) + tuple(
        Group(name=idle.name, racks=idle.racks, rack=catalogue.build(site, "rack", idle.rack))
        for idle in workload.idle_racks(site)
    )
    return Plant(
        groups=groups,
        **{name: part(name) for name in ("cdu", "fws_pump", "dry_cooler", "chiller", "buffer", "fan_wall")},
        air_chiller=part("air_chiller", "eir_chiller"),
        transformer=part("transformer"),
        storage=_storage(site, plan),
        power_factor=site.poi.power_factor,
        interconnection_limit_mw=site.poi.interconnection_limit_mw,
        window_mw=window.limit_mw(site) if window.applies(site) else None,
        filter_order=site.poi.filter_order,
        filter_hz=site.poi.band_hz[0],
        air_density_pu=climate.air_density_pu(site),
    )


def _storage(site: Site, plan: Plan) -> Storage:
    """Return the storage; where none is bought, the first on offer stands in, with size zero.

    Without a size there is no voltage: the stand-in has no series resistance.
    """
    bought = plan.sizes["storage_power"].card
    card: Storage = catalogue.build(site, "storage", bought or site.equipment.storage.cards[0])
    return card if bought else replace(card, time_constant_s=0.0)
