"""The claim of the year again: every dry bulb of the series operated anew, by a search of its own.

Least power by trying every number of machines on a grid of fan speeds, refined around the best; limits state
by state from the components. Loss and peak of the storage are those of the recorded hours, which are judged
elsewhere. The demand charge is billed on the peak of each calendar month.
"""

from __future__ import annotations

import math

import numpy as np

from codesign import climate, days
from codesign.auditing.hall import Hall, Loops, outages
from codesign.auditing.ledger import Ledger
from codesign.auditing.waves import metering_excess_mw
from codesign.climate import Array
from codesign.design import Design, YearClaim

GRID, REFINED = 65, 4
ROUNDING_MW = 1e-6
"""A shortage by no more may be rounding: an hour of it may be counted or not."""
CENT = 0.01
ENERGY_MWH = 1e-3


def judge(ledger: Ledger, hall: Hall, design: Design) -> None:
    """Judge cost, unserved energy, hours and worst day; without the claim nothing is claimed."""
    claim = design.certificate.year
    if claim is None:
        return
    if not days.covers_year(hall.site):
        ledger.breach("year", "certificate", "a claim", "none: the series are not a whole year")
        return
    loops = hall.loops(hall.count["cdu"])
    if not math.isfinite(loops.heat_kw):
        return
    year_days = days.whole_year(hall.site)
    hours = climate.hours(
        type(hall.site).model_construct(**{**dict(hall.site), "days": year_days, "representative_days": None})
    )
    each, at = np.unique(hours.dry_bulb_c, return_inverse=True)
    load_mw, poi_mw = _power(hall, loops, each)
    paid = hours.weight_h_per_year * hours.price_usd_per_mwh * poi_mw[at]
    metered = (poi_mw[at] + metering_excess_mw(hall)).tolist()
    _cost(ledger, hall, claim, float(paid.sum()), _billed_mw(hours.date.tolist(), metered))
    heat, power, limits = _short(hall, loops, each, load_mw, poi_mw)
    first = np.flatnonzero(np.diff(hours.span, prepend=-1))  # of each span, which weighs for it

    def worst(values: Array) -> Array:
        """The greatest of a span's readings, by span."""
        return np.asarray(np.maximum.reduceat(values[at], first))

    weight, dates = float(hours.weight_h_per_year[0]), hours.date[first]
    found = weight * worst(heat).sum(), weight * worst(power).sum()
    for name, said, mwh in zip(
        ("heat", "power"), (claim.unserved_heat_mwh, claim.unserved_power_mwh), found, strict=True
    ):
        ledger.same("year", f"unserved {name}", said, float(mwh), "MWh", ENERGY_MWH)
    short = worst(heat) + worst(power)
    low, high = (weight * int((short > least).sum()) for least in (ROUNDING_MW, 0.0))
    if not low - 1e-9 <= claim.hours_short <= high + 1e-9:
        ledger.breach("year", "hours short", claim.hours_short, f"{low:g} to {high:g} found again", "h")
    by_day = {day.date: weight * float(short[dates == day.date].sum()) for day in year_days}
    _named(ledger, claim, by_day, {name: weight * float(worst(mw).sum()) for name, mw in limits.items()})
    ledger.equal("year", "days", claim.days, len(year_days))
    design_days = {day.date for day in hall.site.days if day.weight_days == 0.0}
    if missing := [date for date in claim.added if date not in design_days]:
        ledger.breach("year", "days added", missing[0], "a design day of the site")
    ledger.judged.append("year: cost and unserved energy, every dry bulb operated anew")


def _billed_mw(dates: list[str], poi_mw: list[float]) -> float:
    """Return the sum of the peaks of the calendar months, ISO 8601 dates."""
    months: dict[str, list[float]] = {}
    for date, mw in zip(dates, poi_mw, strict=True):
        months.setdefault(date[5:7], []).append(mw)
    return sum(max(each) for each in months.values())


def _cost(ledger: Ledger, hall: Hall, claim: YearClaim, energy_usd: float, billed_mw: float) -> None:
    """Energy and demand of the year beside the items that do not depend on the days."""
    demand = hall.site.energy.demand_charge_usd_per_mw_month * billed_mw
    said = float("nan") if claim.demand_usd_per_year is None else claim.demand_usd_per_year
    ledger.same("year", "demand", said, demand, "USD/year", CENT)
    rest = sum(i.usd_per_year for i in hall.plan.cost_items if i.name not in ("energy", "demand"))
    ledger.same("year", "cost", claim.cost_usd_per_year, rest + energy_usd + demand, "USD/year", CENT)


def _named(
    ledger: Ledger, claim: YearClaim, by_day: dict[str, float], by_limit: dict[str, float]
) -> None:
    """The worst day and the limit named are such; of those that are equally short any may be named."""
    for what, said, amounts in (
        ("worst day", claim.worst_day, by_day),
        ("short", claim.short, by_limit),
    ):
        most = max(amounts.values(), default=0.0)
        if not (amounts.get(said, 0.0) >= most * (1 - 1e-6) - ENERGY_MWH if said else most <= ENERGY_MWH):
            worst = max(amounts, key=lambda name: amounts[name]) if amounts else ""
            ledger.breach("year", what, said, f"{worst} found again")


def _power(hall: Hall, loops: Loops, dry_bulb_c: Array) -> tuple[Array, Array]:
    """Return the mean power behind the transformers and at the POI by dry bulb [MW]."""
    site, walls = hall.site, hall.count["fan_wall"]
    water, spec = site.equipment.air_chiller.chilled_water_c, site.equipment.fan_wall
    heat_kw, thin = hall.racks.air_kw, hall.density_pu
    fan_pu = min(hall.fan_wall.required_fan_pu(heat_kw, walls, water, spec.supply_air_max_c, thin), 1.0)
    fans = walls * float(hall.fan_wall.fan_power_kw(fan_pu, thin))
    air = hall.air_chiller.power_kw(heat_kw + fans, hall.count["air_chiller"], water, dry_bulb_c, thin)
    rejected = _least_kw(hall, loops, dry_bulb_c)
    mechanical = (loops.pump_kw + loops.fws_pump_kw + rejected + fans + air) / 1e3
    load = hall.racks.it_mw + mechanical + float(hall.plan.hours["storage_loss_mw"][0])
    loss = hall.transformer.loss_kw(load / site.poi.power_factor, hall.count["transformer"]) / 1e3
    return load, load + loss


def _least_kw(hall: Hall, loops: Loops, dry_bulb_c: Array) -> Array:
    """Return the least power of dry coolers and machines; where none will do, that of all at full load."""
    machine, cells, machines = hall.chiller, hall.count["dry_cooler"], hall.count["chiller"]
    heat, fws, air_c = loops.heat_kw, hall.fws_c, dry_bulb_c[:, np.newaxis]
    thin = hall.density_pu
    cap = np.array([[hall.machine_kw(float(c))] for c in dry_bulb_c])
    offered = cap > 0.0
    low = machine.load_min_pu * cap

    ends = hall.dry_cooler.ambient_min_c, hall.dry_cooler.ambient_max_c
    running = cells * ((air_c >= ends[0]) & (air_c <= ends[1]))

    def cooled(fan_pu: Array) -> Array:
        if cells < 1:
            return np.zeros(fan_pu.shape)
        water = loops.fws_kg_per_s / cells
        duty = hall.dry_cooler.duty_kw(fan_pu, loops.return_c, air_c, water, thin)
        return np.asarray(running * duty)

    def fans(fan_pu: Array) -> Array:
        density = hall.dry_cooler.density_pu(air_c, thin)
        return np.asarray(running * hall.dry_cooler.fan_power_kw(fan_pu, density))

    def least(on: int, cycles: bool) -> Array:
        """The optimum with machines on; full speed does if any does, and is on the grid."""
        floor, most = (0.0 * low, low) if cycles else (on * low, on * cap)
        centre, half = np.full_like(air_c, 0.5), 0.5
        for _ in range(1 + REFINED):
            fan = np.clip(centre + half * np.linspace(-1.0, 1.0, GRID), 0.0, 1.0)
            duty = np.maximum(heat - cooled(fan), floor)
            if cycles:
                chilled = duty / np.where(offered, low, 1.0) * machine.power_kw(low, 1, fws, air_c, thin)
            else:
                chilled = machine.power_kw(duty, on, fws, air_c, thin)
            power = fans(fan) + chilled
            runs = offered | (on == 0 and not cycles)
            power = np.where(runs & (duty <= most + 1e-9 * heat) & (floor <= heat), power, math.inf)
            at = power.argmin(axis=1)[:, np.newaxis]
            centre, half = np.take_along_axis(fan, at, axis=1), 2.0 * half / (GRID - 1)
        return np.take_along_axis(power, at, axis=1)[:, 0]

    tried = [least(on, False) for on in range(machines + 1)]
    tried += [least(0, True)] if machines and machine.load_min_pu > 0.0 else []
    found, full = np.min(tried, axis=0), cooled(np.ones_like(air_c))
    chilled = np.minimum(machines * cap, np.maximum(heat - full, 0.0))
    rest = machine.power_kw(chilled, machines * offered, fws, air_c, thin)
    full_fans = fans(np.ones_like(air_c))
    return np.where(np.isfinite(found), found, (full_fans + np.asarray(rest))[:, 0])


def _short(
    hall: Hall, loops: Loops, dry_bulb_c: Array, load_mw: Array, poi_mw: Array
) -> tuple[Array, Array, dict[str, Array]]:
    """Return unserved heat and power by dry bulb [MW], and each limit's shortage by its name."""
    site, spec, count = hall.site, hall.site.equipment, hall.count
    machine = np.array([hall.machine_kw(float(c)) for c in dry_bulb_c])
    states = [(0, 0, "all running")]
    fewer = outages(spec.chiller.redundancy, "chiller")[1:] if count["chiller"] else []
    states += [(0, out, place) for out, place in fewer]
    states += [(out, 0, place) for out, place in outages(spec.dry_cooler.redundancy, "dry cooler")[1:]]
    rejection, air, power = dict[str, Array](), dict[str, Array](), dict[str, Array]()
    for cells_out, machines_out, place in states:
        cells = count["dry_cooler"] - cells_out
        most = np.array([hall.cooler_kw(cells, 1.0, float(c), loops) for c in dry_bulb_c])
        most = most + max(count["chiller"] - machines_out, 0) * machine
        rejection[f"heat_rejection @ {place}"] = (loops.heat_kw - most) / 1e3
    hours, walls = hall.plan.hours, count["fan_wall"]
    water = spec.air_chiller.chilled_water_c
    heat_kw, thin = hall.racks.air_kw, hall.density_pu
    fan_pu = min(
        hall.fan_wall.required_fan_pu(heat_kw, walls, water, spec.fan_wall.supply_air_max_c, thin), 1.0
    )
    coil = heat_kw + walls * float(hall.fan_wall.fan_power_kw(fan_pu, thin))
    each = np.array([hall.air_machine_kw(float(c)) for c in dry_bulb_c])
    for out, place in outages(spec.air_chiller.redundancy, "air chiller"):
        air[f"air_chiller_capacity @ {place}"] = (coil - (count["air_chiller"] - out) * each) / 1e3
    power["contract @ poi"] = poi_mw + metering_excess_mw(hall) - hall.value["contract"]
    beyond = float(hours["poi_peak_mw"][0] - hours["poi_mw"][0])  # peak of jobs and storage over their mean
    power["interconnection @ poi"] = poi_mw + beyond - site.poi.interconnection_limit_mw
    rest = ", one out" if site.equipment.transformer.redundancy == "n+1" else ""
    factor = site.poi.power_factor
    power[f"hot_spot @ transformers{rest}"] = factor * np.max(
        [
            hall.windings.short_mva(load_mw / factor, dry_bulb_c, out)
            for out, _ in outages(spec.transformer.redundancy, "transformer")
        ],
        axis=0,
    )
    shortages = [
        {name: np.maximum(mw, 0.0) for name, mw in group.items()} for group in (rejection, air, power)
    ]
    worst = [np.max(list(group.values()), axis=0) for group in shortages]
    return worst[0] + worst[1], worst[2], {name: mw for group in shortages for name, mw in group.items()}
