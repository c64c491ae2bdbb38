"""The exact static evaluation: operation, cost and every static margin for given sizes, setting and schedule.

Everything is nonlinear physics at the operating point; nothing is interpolated. Operation is chosen anew for
the sizes (fan speeds and machines at the least power, storage at the least excess, then the least loss), so
the same call serves a plan, a changed design and the search for what set a size. That holds at any price:
where power is paid for being drawn, a plant could waste it (fans at full speed, machines that nobody needs,
storage turned over), but what is designed here does not: the law of plan, bound, plant and audit alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from codesign import (
    catalogue,
    climate,
    cycle,
    modes,
    ranges,
    smoothing,
    steady,
    stopping,
    streams,
    window,
)
from codesign.components.transformer import Transformer
from codesign.design import CostItem, Margin, Schedule, Setting, Size, Table
from codesign.residue import residue
from codesign.site import Site
from codesign.sizing import COMPONENT, card_of
from codesign.stops import course, worst
from codesign.workload import Assignment

MONTHS = 12
ONE_AWAY, AWAY = "poi_window_one_away", "away"
STOP, RESTART = "job_stop", "job_restart"
"""Limits on a stop at any moment, and on a return at any moment that nothing announced."""
REDUNDANT = "n+1"
HOT_SPOT_OUT, HOT_SPOT = "transformers, one out", "transformers"
CAPITAL = ("transformer", "cdu", "cdu_flow", "fws_pump", "dry_cooler", "chiller", "buffer", "fan_wall",
           "air_chiller", "storage_power", "storage_energy")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a design is and costs, static limits only."""

    sizes: Mapping[str, Size]
    dispatch: Table
    hours: Table
    cost_items: tuple[CostItem, ...]
    capex_usd: float
    margins: tuple[Margin, ...]
    metering_mw: float = 0.0
    """By how much the meter reads more than an hour's mean (`codesign.metering`)."""

    @property
    def metered_mw(self) -> float:
        """Highest reading of the meter."""
        return float(self.hours["poi_mw"].max()) + self.metering_mw

    @property
    def cost_usd_per_year(self) -> float:
        return sum(item.usd_per_year for item in self.cost_items)

    @property
    def broken(self) -> tuple[Margin, ...]:
        """Broken limits."""
        return tuple(m for m in self.margins if m.margin < 0.0)


def evaluate(
    site: Site, setting: Setting, sizes: Mapping[str, Size], schedule: Schedule, *, one_away: bool = True
) -> Evaluation:
    """Evaluate sizes and schedule; a contract below the metered peak is a broken margin, not corrected.

    A group with nothing installed is operated as one unit; its margins say that there is none. Without
    `one_away` the window rule with a copy away is left out, which is a dispatch a copy.
    """
    stopping.heed()
    site, schedule = modes.as_run(site, schedule)
    hours = climate.hours(site)
    load = steady.it_load(site, setting)
    cdus = max(int(sizes["cdu"].count or 0), 1)
    point = steady.fws_point(site, setting, card_of(sizes, "cdu"), card_of(sizes, "fws_pump"), cdus)
    rejection = steady.reject(site, setting, sizes, point)
    air = steady.air_side(site, setting, sizes)
    mechanical = (
        point.cdu_pump_kw + point.fws_pump_kw + rejection.power_kw + air.fan_power_kw + air.chiller_power_kw
    ) / 1e3
    standby = standby_mw(site, sizes)
    fast = _storage(site, sizes, schedule, load.beside_jobs_mw + float(mechanical.max()) + standby)
    transformer = catalogue.build(site, "transformer", card_of(sizes, "transformer"))
    units = max(int(sizes["transformer"].count or 0), 1)
    stored_loss = fast.loss_mw + standby
    secondary = load.it_mw + mechanical + stored_loss
    mva = secondary / site.poi.power_factor
    loss = transformer.loss_kw(mva, units) / 1e3
    table = Table({
        "date": hours.date, "hour_of_day": hours.hour_of_day, "weight_h_per_year": hours.weight_h_per_year,
        "dry_bulb_c": hours.dry_bulb_c, "price_usd_per_mwh": hours.price_usd_per_mwh,
        "it_mw": np.full(len(mva), load.it_mw), "chillers_on": rejection.chillers_on,
        "cycling_pu": rejection.cycling_pu, "chiller_kw": rejection.chiller_kw,
        "dry_cooler_kw": rejection.dry_cooler_kw, "fan_pu": rejection.fan_pu,
        "chiller_power_kw": rejection.chiller_power_kw, "dry_cooler_power_kw": rejection.fan_kw,
        "cdu_pump_kw": np.full(len(mva), point.cdu_pump_kw),
        "fws_pump_kw": np.full(len(mva), point.fws_pump_kw),
        "fan_wall_pu": np.full(len(mva), air.fan_pu),
        "fan_wall_power_kw": np.full(len(mva), air.fan_power_kw),
        "air_chiller_kw": np.full(len(mva), air.coil_kw), "air_chiller_power_kw": air.chiller_power_kw,
        "mechanical_mw": mechanical, "storage_loss_mw": np.full(len(mva), stored_loss),
        "transformer_loss_mw": loss, "poi_mw": secondary + loss,
        "poi_peak_mw": fast.peak_mw + standby + load.beside_jobs_mw + mechanical + loss,
    })  # fmt: skip
    items, capex = costs(site, sizes, table, fast.metering_mw)
    step = np.arange(len(fast.charge_mw)) * site.clock.step_s
    columns = {
        "time_s": step, "charge_mw": fast.charge_mw, "discharge_mw": fast.discharge_mw,
        "soc_mwh": fast.soc_mwh,
        **{f"charge_mw.{name}": charge for name, (charge, _) in fast.shares.items()},
        **{f"discharge_mw.{name}": discharge for name, (_, discharge) in fast.shares.items()},
    }  # fmt: skip
    found = (
        *steady.heat_path_margins(site, setting, sizes, rejection),
        *steady.air_margins(site, setting, sizes),
        *_electrical_margins(site, sizes, schedule, table, fast),
        *_stop_margins(site, sizes, schedule, fast),
    )
    holds = window.applies(site) and fast.window_mw <= window.room_mw(site) + residue(site, "mw")
    if one_away and holds:
        margins_away, more = _away(site, sizes, schedule)
        found, columns = (*found, *margins_away), {**columns, **more}
    margins = tuple(
        replace(m, margin=0.0) if -residue(site, m.unit) <= m.margin <= 0.0 else m for m in found
    )
    return Evaluation(
        sizes=sizes, dispatch=Table(columns), hours=table, cost_items=items, capex_usd=capex,
        margins=margins, metering_mw=fast.metering_mw,
    )  # fmt: skip


def _storage(
    site: Site, sizes: Mapping[str, Size], schedule: Schedule, other_mw: float
) -> smoothing.Dispatch:
    """Return the dispatch; beside the line only where the one without it comes too close to its limit."""
    power, energy = sizes["storage_power"], sizes["storage_energy"]
    free = dispatch(site, schedule, power.card, power.value, energy.value)
    if free.peak_mw + other_mw <= site.poi.interconnection_limit_mw:
        return free
    return dispatch(site, schedule, power.card, power.value, energy.value, other_mw)


def standby_mw(site: Site, sizes: Mapping[str, Size]) -> float:
    """Return what the storage draws whatever it does: the converter ready to act, and leakage [MW]."""
    power, energy = sizes["storage_power"], sizes["storage_energy"]
    if power.card is None:
        return 0.0
    return float(catalogue.build(site, "storage", power.card).standby_mw(power.value, energy.value))


def _stop_margins(
    site: Site, sizes: Mapping[str, Size], schedule: Schedule, fast: smoothing.Dispatch
) -> list[Margin]:
    """Return for every distinct copy the room that the best recovery leaves at its worst moment."""
    if not window.applies(site):
        return []
    step_s = site.clock.step_s
    return [
        Margin(STOP, "static", each.fall.place, each.slot * step_s, each.spare_mw, "mw", "waveform")
        for each in worst_stops(site, sizes, schedule, fast.columns)
    ]


def worst_stops(
    site: Site, sizes: Mapping[str, Size], schedule: Schedule, planned: Mapping[str, np.ndarray]
) -> tuple[worst.Worst, ...]:
    """Return the worst slot of every distinct copy under a dispatch (charge_mw, discharge_mw, soc_mwh)."""
    power, energy = sizes["storage_power"], sizes["storage_energy"]
    part = catalogue.build(site, "storage", power.card) if power.card else None
    least_mwh = part.low_pu * energy.value if part else 0.0
    own = course.judged(part, power.value, energy.value)
    of_all = course.course(site, course.load_mw(site, schedule), planned, least_mwh)
    return worst.worst(site, of_all, course.falls(site, schedule), own)


def _away(
    site: Site, sizes: Mapping[str, Size], schedule: Schedule
) -> tuple[list[Margin], dict[str, np.ndarray]]:
    """Return the margins while one copy is away, and what each stream's storage does then.

    The window rule, if the site asks for it, and the copy's return at the worst moment. Columns AWAY JOB
    COPY.STREAM, charge less discharge, and AWAY JOB COPY.soc_mwh.
    """
    power, energy = sizes["storage_power"], sizes["storage_energy"]
    part = catalogue.build(site, "storage", power.card) if power.card else None
    least_mwh = part.low_pu * energy.value if part else 0.0
    own = course.judged(part, power.value, energy.value)
    margins, columns = [], {}
    for row, rest in schedule.one_away():
        best = dispatch(site, rest, power.card, power.value, energy.value, returns=row, coarse=True)
        if site.poi.one_job_absent and row.locked:  # else held at every alignment: the rest is calmer
            spare = window.room_mw(site) - best.window_mw
            place = f"poi, {row.job} {row.copy} away"
            margins.append(Margin(ONE_AWAY, "static", place, best.window_time_s, spare, "mw", "waveform"))
        without = course.course(site, course.load_mw(site, rest), best.columns, least_mwh)
        back = worst.worst(site, without, (course.returning(site, row),), own)[0]
        at_s = back.slot * site.clock.step_s
        margins.append(Margin(RESTART, "static", back.fall.place, at_s, back.spare_mw, "mw", "waveform"))
        name = f"{AWAY} {row.job} {row.copy}"
        for share, (charge, discharge) in (
            best.shares or {"locked": (best.charge_mw, best.discharge_mw)}
        ).items():
            columns[f"{name}.{share}"] = charge - discharge
        columns[f"{name}.soc_mwh"] = best.soc_mwh
    return margins, columns


def dispatch(
    site: Site, schedule: Schedule, card: str | None, power_mw: float, energy_mwh: float,
    other_mw: float = -math.inf, *, returns: Assignment | None = None, coarse: bool = False,
) -> smoothing.Dispatch:  # fmt: skip
    """Return `smoothing.dispatch` for a schedule, kept: it does not depend on other sizes or on the days.

    It is planned for the stop of any copy at any moment; where a copy `returns` that is away, for that alone.
    `coarse`: of a course without one copy; within the cycle life at any price where the site asks for it.
    """
    return _dispatched(_without_days(site), schedule, card, power_mw, energy_mwh, other_mw, returns, coarse)


@lru_cache(maxsize=128)
def _dispatched(
    site: Site, schedule: Schedule, card: str | None, power_mw: float, energy_mwh: float, other_mw: float,
    returns: Assignment | None, coarse: bool,
) -> smoothing.Dispatch:  # fmt: skip
    jumps = course.falls(site, schedule) if returns is None else (course.returning(site, returns),)
    return smoothing.dispatch(
        site, streams.of(site, schedule), catalogue.build(site, "storage", card) if card else None,
        power_mw=power_mw, energy_mwh=energy_mwh, other_mw=other_mw,
        tolerances=smoothing.COARSE if coarse else smoothing.TOLERANCES, stops=jumps,
        keep_life=coarse and site.poi.one_job_absent,
    )  # fmt: skip


@lru_cache(maxsize=64)
def _without_days(site: Site) -> Site:
    return type(site).model_construct(**{**dict(site), "days": (), "representative_days": None})


def annuity(rate: float, years: float) -> float:
    """Return the capital recovery factor r / (1 - (1 + r)^-n)."""
    return 1.0 / years if rate == 0.0 else rate / (1.0 - (1.0 + rate) ** -years)


def investment_usd(site: Site, name: str, size: Size) -> float:
    """Return the investment in one size; for `cdu_flow`, `count` CDUs of rated flow `value` each."""
    if size.card is None:
        return 0.0
    part = catalogue.build(site, COMPONENT.get(name, name), size.card)
    match name:
        case "cdu":
            return part.capex_usd(size.count, 0.0)
        case "cdu_flow":
            return part.capex_usd(size.count, size.value) - part.capex_usd(size.count, 0.0)
        case "storage_power":
            return part.capex_usd(size.value, 0.0)
        case "storage_energy":
            return part.capex_usd(0.0, size.value)
        case "fws_pump" | "buffer":
            return part.capex_usd(size.value)
    return part.capex_usd(size.count)


def annual_usd(site: Site, name: str, size: Size) -> float:
    """Return the annual cost of one size: annuity over the shorter of project and card life, plus O&M."""
    if size.card is None:
        return 0.0
    part = catalogue.build(site, COMPONENT.get(name, name), size.card)
    years = min(site.finance.life_years, part.life_years)
    return investment_usd(site, name, size) * (annuity(site.finance.discount_rate, years) + part.om_pu)


def costs(
    site: Site, sizes: Mapping[str, Size], hours: Table, metering_mw: float = 0.0
) -> tuple[tuple[CostItem, ...], float]:
    """Return the annual cost items and the investment; the meter reads `metering_mw` above an hour's mean."""
    items, capex = [], 0.0
    for name in CAPITAL:
        size = sizes[name]
        card = size.card
        if card is None:
            continue
        if name == "cdu_flow":
            size = replace(size, count=sizes["cdu"].count)
        capex += investment_usd(site, name, size)
        grade = catalogue.cost_grade(site, COMPONENT.get(name, name), card)
        items.append(CostItem(f"capital.{name}", annual_usd(site, name, size), grade))
    energy = float(hours["weight_h_per_year"] @ (hours["price_usd_per_mwh"] * hours["poi_mw"]))
    metered = float(hours["poi_mw"].max()) + metering_mw
    items += [
        CostItem("energy", energy, "site"),
        CostItem("demand", MONTHS * site.energy.demand_charge_usd_per_mw_month * metered, "site"),
        CostItem("contract", site.energy.contract_charge_usd_per_mw_year * sizes["contract"].value, "site"),
    ]
    if lost := lost_work_usd_per_year(site):
        items.append(CostItem("lost_work", lost, "site"))
    return tuple(items), capex


def lost_work_usd_per_year(site: Site) -> float:
    """Return the value of the work that the jobs of a running site do not do."""
    return sum(
        job.count * modes.lost_work_usd_per_year(site, name, modes.ways(job)[0])
        for name, job in site.jobs.items()
    )


def transformer_mva(site: Site, hours: Table) -> np.ndarray:
    """Return the mean apparent power behind the transformers by hour."""
    return (hours["poi_mw"] - hours["transformer_loss_mw"]) / site.poi.power_factor


def transformer_allowed_pu(site: Site, part: Transformer, units: int, ambient_c: float) -> float:
    """Return the load over the rating of all units that keeps the hot spot, by the mean alone (outer)."""
    stopping.pace()
    return cycle.allowed_mva(site, part, units, ambient_c) / (units * part.rating_mva)


def hot_spot_place(site: Site) -> str:
    """Return the place of the hot spot's margin: one unit is out only where one may be."""
    return HOT_SPOT_OUT if site.equipment.transformer.redundancy == REDUNDANT else HOT_SPOT


def hot_spot_spare_mva(
    site: Site, sizes: Mapping[str, Size], hours: Table, shape_mw: np.ndarray, *, every: bool = False
) -> np.ndarray:
    """Return the apparent power to spare by hour under the course, one transformer of a redundant group out.

    inf in an hour that is no hotter and no more loaded than another, unless `every` hour is asked for.
    """
    part = catalogue.build(site, "transformer", card_of(sizes, "transformer"))
    units = int(sizes["transformer"].count or 0)
    ambient, load = hours["dry_bulb_c"], transformer_mva(site, hours)
    spare, highest = np.full(len(load), np.inf), -np.inf
    for h in np.lexsort((-load, -ambient)):
        if every or load[h] > highest:
            spare[h] = cycle.allowed_mva(site, part, units, float(ambient[h]), shape_mw) - load[h]
            highest = max(highest, float(load[h]))
    return spare


def shape_mw(site: Site, schedule: Schedule, dispatch: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the course of jobs and storage that the transformers carry, less its mean [K, MW]."""
    return cycle.shape_mw(site, schedule, dispatch["charge_mw"] - dispatch["discharge_mw"])


def _electrical_margins(
    site: Site, sizes: Mapping[str, Size], schedule: Schedule, hours: Table, fast: smoothing.Dispatch
) -> list[Margin]:
    course = cycle.shape_mw(site, schedule, fast.charge_mw - fast.discharge_mw)
    kelvin = ranges.spare_k(site, "transformer", card_of(sizes, "transformer"))
    spare_mva = hot_spot_spare_mva(site, sizes, hours, course)
    rows = [
        steady.worst(ranges.TRANSFORMER, "transformer", kelvin, "k", hours),
        steady.worst("hot_spot", hot_spot_place(site), spare_mva, "mva", hours),
    ]
    contract = sizes["contract"].value
    window_spare = window.room_mw(site) - fast.window_mw
    rows += _storage_margins(site, sizes, fast)
    if window.applies(site):
        rows.append(
            Margin("poi_window", "static", "poi", fast.window_time_s, window_spare, "mw", "waveform")
        )
    rows += [
        Margin("interconnection", "static", "poi", 0.0,
               site.poi.interconnection_limit_mw - float(hours["poi_peak_mw"].max()), "mw", "static"),
        steady.worst("contract", "poi", contract - hours["poi_mw"] - fast.metering_mw, "mw", hours),
        Margin("contract_max", "static", "poi", 0.0, site.poi.contract_max_mw - contract, "mw", "static"),
    ]  # fmt: skip
    return rows


def _storage_margins(site: Site, sizes: Mapping[str, Size], fast: smoothing.Dispatch) -> list[Margin]:
    """Return what the storage's rating, window, power at the voltage of the moment and life have to spare."""
    power, energy = sizes["storage_power"], sizes["storage_energy"]
    if power.card is None:
        return []
    card, step_s = catalogue.build(site, "storage", power.card), site.clock.step_s
    rate = energy.value - card.energy_min_mwh(power.value)
    a_year = float(fast.discharge_mw.mean()) * smoothing.H_PER_YEAR
    life = energy.value * (1.0 - a_year / max(card.throughput_max_mwh_per_year(energy.value), 1e-12))
    rows = [
        Margin("storage_rate", "static", "storage", 0.0, rate, "mwh", "static"),
        Margin("storage_life", "static", "storage", 0.0, life, "mwh", "static"),
    ]
    excess = card.limits(fast.soc_mwh, fast.charge_mw, fast.discharge_mw, power.value, energy.value)
    for name, values in excess.items():
        at = int(np.argmax(values))
        unit = "mwh" if name.startswith("storage_energy") else "mw"
        rows.append(Margin(name, "static", "storage", at * step_s, -float(values[at]), unit, "waveform"))
    return rows


def settled(exact: Evaluation, fixed: Mapping[str, object]) -> dict[str, Size]:
    """Return the sizes with the contract at the metered peak of the exact evaluation, unless it is held."""
    if "contract.value" in fixed:
        return dict(exact.sizes)
    return {**exact.sizes, "contract": replace(exact.sizes["contract"], value=exact.metered_mw)}
