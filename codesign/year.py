"""A plan on every day of the year: what the representative days did not show.

The plan's sizes, setting and schedule are evaluated exactly on all days, operation chosen anew. Where an hour
breaks a static limit, what is missing is counted as unserved and priced, so that a plan made for too few days
is dear rather than merely wrong. The bound of a plan is that of its representative days, not of the year.
A limit is short in a span by what it is short at the worst of its readings (`climate`). The year is billed as
a utility bills it: the demand charge on each calendar month's own peak. A plan has few days and no months; it
takes twelve times the highest peak of its days, which is no less where those hold the year's highest.

symbol  name            unit      meaning
s_l     short_mw        MW        by how much limit l is broken in an hour, each state of redundancy apart
H       heat_mw         MW        unserved heat: worst state of the rejection + that of the air chillers
P       power_mw        MW        unserved power: the greatest of contract, interconnection and hot spot
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from codesign import catalogue, climate, days, evaluation, modes, steady
from codesign.climate import Array
from codesign.components.base import beyond
from codesign.design import CostItem, Margin, Plan, Setting, Table, YearClaim
from codesign.errors import Fault, InputError
from codesign.schema import Day
from codesign.site import Site
from codesign.sizing import card_of, unit_size

UNSERVED_USD_PER_MWH = 10_000.0
HEAT = ("heat_rejection", "air_chiller_capacity")
POWER = ("contract", "interconnection", "hot_spot")
SEPARATOR = " @ "
ALIKE_MWH, ALIKE_MW = 1e-6, 1e-6
"""What two days' shortages may differ by and still be equal: a watt, below what any limit is kept to."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """One limit broken in the year, in one state; most_mw stands at `date`, `hour_of_day` [h]."""

    limit: str
    place: str
    hours_per_year: float
    energy_mwh: float
    most_mw: float
    date: str
    hour_of_day: float


@dataclass(frozen=True, slots=True, kw_only=True)
class YearEvaluation:
    """A plan on all days.

    hours, rows as in `Plan.hours`, of every day: its columns and
        unserved_heat_mw unserved_power_mw, the most of the row's span
    short_mw, the same rows: a column LIMIT @ PLACE for every limit that is broken in some hour
    span: index of each row's span
    broken: broken limits, those that do not depend on the hour among them
    """

    cost_items: tuple[CostItem, ...]
    hours: Table
    short_mw: Table
    span: NDArray[np.int64]
    broken: tuple[Margin, ...]
    unserved_usd_per_mwh: float

    @property
    def cost_usd_per_year(self) -> float:
        """Cost without what is unserved."""
        return sum(item.usd_per_year for item in self.cost_items)

    @property
    def energy_usd_per_year(self) -> float:
        return self._item("energy")

    @property
    def demand_usd_per_year(self) -> float:
        return self._item("demand")

    @property
    def unserved_heat_mwh(self) -> float:
        """Unserved heat a year."""
        return float(self.hours["weight_h_per_year"] @ self.hours["unserved_heat_mw"])

    @property
    def unserved_power_mwh(self) -> float:
        """Unserved electricity a year."""
        return float(self.hours["weight_h_per_year"] @ self.hours["unserved_power_mw"])

    @property
    def unserved_usd_per_year(self) -> float:
        return self.unserved_usd_per_mwh * (self.unserved_heat_mwh + self.unserved_power_mwh)

    @property
    def hours_short(self) -> float:
        """Hours a year in which a limit that depends on the hour is broken."""
        short = self.hours["unserved_heat_mw"] + self.hours["unserved_power_mw"] > 0.0
        return float(self.hours["weight_h_per_year"] @ short)

    @property
    def shortages(self) -> tuple[Shortage, ...]:
        """Every limit broken in some hour, the greatest energy first."""
        weight, made = self.hours["weight_h_per_year"], []
        for name, short in self.short_mw.items():
            limit, _, place = name.partition(SEPARATOR)
            at = int(short.argmax())
            made.append(
                Shortage(
                    limit, place, float(weight @ (self.most(short) > 0.0)),
                    float(weight @ self.most(short)), float(short[at]),
                    str(self.hours["date"][at]), float(self.hours["hour_of_day"][at]),
                )
            )  # fmt: skip
        return tuple(sorted(made, key=lambda each: -each.energy_mwh))

    @property
    def unserved_by_day_mwh(self) -> dict[str, float]:
        """Unserved heat and electricity by date, days without any left out."""
        short = self.hours["unserved_heat_mw"] + self.hours["unserved_power_mw"]
        return _by_day(self.hours, short)

    @property
    def worst_day(self) -> str | None:
        """Date with the most unserved; None where nothing is."""
        by_day = self.unserved_by_day_mwh
        return max(by_day, key=by_day.__getitem__) if by_day else None

    def most(self, values: Array) -> Array:
        """Return by row the greatest value of its span."""
        return _most(self.span, values)

    def _item(self, name: str) -> float:
        return sum(item.usd_per_year for item in self.cost_items if item.name == name)


def evaluate_year(
    site: Site,
    plan: Plan,
    *,
    on: Sequence[Day] | None = None,
    hour_step_h: int | None = None,
    unserved_usd_per_mwh: float = UNSERVED_USD_PER_MWH,
) -> YearEvaluation:
    """Evaluate a plan on every day of the site's series.

    Parameters
    ----------
    on
        The days to take instead, with weights that sum to 365; the site's own give the plan's cost. They have
        no months: the demand charge is then the plan's, too.
    hour_step_h
        Step within a day; the site's by default. A finer one shows hours between the plan's.
    unserved_usd_per_mwh
        Price of heat and of electricity that a limit leaves unserved.

    Raises
    ------
    InputError
        The series are not one whole year, or the plan has no sizes.
    """
    setting = _setting(plan)
    taken = days.whole_year(site) if on is None else on
    step = site.clock.hour_step_h if hour_step_h is None else hour_step_h
    year = site.with_({"days": [day.model_dump() for day in taken], "clock.hour_step_h": step})
    exact = evaluation.evaluate(year, setting, plan.sizes, plan.schedule, one_away=False)
    short: dict[str, Array] = {}
    for limit, place, spare in _spare_mw(year, setting, plan, exact):
        missing = np.where(spare < 0.0, -spare, 0.0)
        if missing.any():
            short[f"{limit}{SEPARATOR}{place}"] = missing
    span = climate.hours(year).span
    heat = sum((_worst_state(short, limit, exact.hours.rows) for limit in HEAT), np.zeros(exact.hours.rows))
    power = np.max([_worst_state(short, limit, exact.hours.rows) for limit in POWER], axis=0)
    unserved = {"unserved_heat_mw": _most(span, heat), "unserved_power_mw": _most(span, power)}
    hours = Table({**exact.hours, **unserved})
    items = exact.cost_items if on is not None else tuple(_by_month(site, exact))
    return YearEvaluation(
        cost_items=items, hours=hours, short_mw=Table(short), span=span, broken=exact.broken,
        unserved_usd_per_mwh=unserved_usd_per_mwh,
    )  # fmt: skip


def _by_month(site: Site, exact: evaluation.Evaluation) -> Iterator[CostItem]:
    """Yield the cost items, the demand charge on the peak of each calendar month."""
    peak_mw: dict[str, float] = {}
    metered_mw = (exact.hours["poi_mw"] + exact.metering_mw).tolist()
    for date, mw in zip(exact.hours["date"].tolist(), metered_mw, strict=True):
        peak_mw[date[5:7]] = max(mw, peak_mw.get(date[5:7], 0.0))
    usd = site.energy.demand_charge_usd_per_mw_month * math.fsum(peak_mw.values())
    for item in exact.cost_items:
        yield replace(item, usd_per_year=usd) if item.name == "demand" else item


def _most(span: NDArray[np.int64], values: Array) -> Array:
    """Return by row the greatest value of its span."""
    most = np.full(int(span.max()) + 1, -np.inf)
    np.maximum.at(most, span, values)
    return np.asarray(most[span])


def add_worst(
    site: Site,
    plan: Plan,
    most: int = 3,
    *,
    hour_step_h: int | None = None,
    unserved_usd_per_mwh: float = UNSERVED_USD_PER_MWH,
    found: YearEvaluation | None = None,
) -> Site:
    """Return the site with the worst days of its plan added at weight 0; the site itself where none is due.

    A limit is due when what it leaves unserved in the year costs more than to serve it
    (`serving_usd_per_year`). Up to `most` days are added, the most unserved first, but none whose due limits
    all miss by no more than on a day that is there; what differs by less than ALIKE_MWH or ALIKE_MW is
    equal. At weight 0 a day limits the next plan and costs nothing.
    `found` is what `evaluate_year` says of this very plan, where that is known.
    """
    if found is None:
        found = evaluate_year(site, plan, hour_step_h=hour_step_h, unserved_usd_per_mwh=unserved_usd_per_mwh)
    due = [name for name, short in found.short_mw.items() if _due(site, plan, found, name, short)]
    there = {day.date for day in site.days}
    missed: dict[str, dict[str, float]] = {}
    for name in due:
        for date, mw in _by_day(found.hours, found.short_mw[name], most=True).items():
            missed.setdefault(date, {})[name] = mw
    unserved, added = found.unserved_by_day_mwh, list[str]()
    for date in sorted(missed, key=lambda each: (-round(unserved[each] / ALIKE_MWH), each)):
        covered = any(
            all(mw <= missed[other].get(name, 0.0) + ALIKE_MW for name, mw in missed[date].items())
            for other in (*added, *(there & missed.keys()))
        )
        if len(added) < most and not covered:
            added.append(date)
    if not added:
        return site
    extra = [Day(date=date, weight_days=0.0) for date in added]
    changed: dict[str, object] = {"days": [day.model_dump() for day in (*site.days, *extra)]}
    if site.representative_days is not None:
        changed["representative_days"] = site.representative_days.model_dump()
    return site.with_(changed)


def claim(found: YearEvaluation, added: Sequence[str] = ()) -> YearClaim:
    """Return what a certificate says of the year."""
    shortages = found.shortages
    return YearClaim(
        days=len(np.unique(found.hours["date"])), cost_usd_per_year=found.cost_usd_per_year,
        demand_usd_per_year=found.demand_usd_per_year,
        unserved_heat_mwh=found.unserved_heat_mwh, unserved_power_mwh=found.unserved_power_mwh,
        unserved_usd_per_mwh=found.unserved_usd_per_mwh, hours_short=found.hours_short,
        short=f"{shortages[0].limit}{SEPARATOR}{shortages[0].place}" if shortages else "",
        worst_day=found.worst_day or "", added=tuple(added),
    )  # fmt: skip


def serving_usd_per_year(site: Site, plan: Plan, limit: str, short_mw: float, dry_bulb_c: float) -> float:
    """Return the annual cost of what would serve a shortage: whole units of the plan's cards, or contract.

    Heat: chillers or dry-cooler cells, whichever is cheaper, at their capacity in that hour. Nothing that can
    be bought moves the interconnection limit; 0 leaves it to the plan.
    """
    setting, kw = _setting(plan), 1e3 * short_mw
    match limit:
        case "heat_rejection":
            return min(
                _units_usd(site, plan, name, kw, _unit_kw(site, setting, plan, name, dry_bulb_c))
                for name in ("chiller", "dry_cooler")
                if name != "chiller" or site.equipment.chiller.on_offer
            )
        case "air_chiller_capacity":
            each = _unit_kw(site, setting, plan, "air_chiller", dry_bulb_c)
            return _units_usd(site, plan, "air_chiller", kw, each)
        case "hot_spot":
            part = catalogue.build(site, "transformer", card_of(plan.sizes, "transformer"))
            each = 1e3 * part.rating_mva * site.poi.power_factor
            return _units_usd(site, plan, "transformer", kw, each)
        case "contract":
            return short_mw * site.energy.contract_charge_usd_per_mw_year
    return 0.0


def _due(site: Site, plan: Plan, found: YearEvaluation, name: str, short: Array) -> bool:
    """Whether serving a limit costs less than leaving its shortage unserved."""
    at = int(short.argmax())
    unserved = found.unserved_usd_per_mwh * float(found.hours["weight_h_per_year"] @ found.most(short))
    limit = name.partition(SEPARATOR)[0]
    return unserved > serving_usd_per_year(
        site, plan, limit, float(short[at]), float(found.hours["dry_bulb_c"][at])
    )


def _unit_kw(site: Site, setting: Setting, plan: Plan, name: str, dry_bulb_c: float) -> float:
    """Return what one more unit of the plan's card carries at a dry bulb; nothing beyond its range."""
    card, density = card_of(plan.sizes, name), climate.air_density_pu(site)
    if name == "chiller":
        machine = catalogue.build(site, "chiller", card)
        if machine.out_of_range(setting.fws_supply_c, dry_bulb_c, density):
            return 0.0
        return float(machine.capacity_at_kw(setting.fws_supply_c, dry_bulb_c, density))
    if name == "air_chiller":
        water_c = site.equipment.air_chiller.chilled_water_c
        machine = catalogue.build(site, "eir_chiller", card)
        if machine.out_of_range(water_c, dry_bulb_c, density):
            return 0.0
        return float(machine.capacity_at_kw(water_c, dry_bulb_c, density))
    cell, point = catalogue.build(site, "dry_cooler", card), _point(site, setting, plan)
    flow = point.flow_kg_per_s / (int(plan.sizes["dry_cooler"].count or 0) + 1)
    if beyond(cell, dry_bulb_c=dry_bulb_c, water_kg_per_s=flow):
        return 0.0
    return float(cell.duty_kw(1.0, point.return_c, dry_bulb_c, flow, density))


def _units_usd(site: Site, plan: Plan, name: str, kw: float, each_kw: float) -> float:
    if each_kw <= 0.0:
        return math.inf
    unit = unit_size(site, name, card_of(plan.sizes, name), 1)
    return math.ceil(kw / each_kw) * evaluation.annual_usd(site, name, unit)


def _spare_mw(
    year: Site, setting: Setting, plan: Plan, exact: evaluation.Evaluation
) -> Iterator[tuple[str, str, Array]]:
    """Yield (limit, place, MW to spare by hour) of every limit that depends on the hour and is broken."""
    year, schedule = modes.as_run(year, plan.schedule)
    broken = {(margin.limit, _state(margin)) for margin in exact.broken}
    sizes, hours, point = plan.sizes, exact.hours, _point(year, setting, plan)
    spares = [
        ("contract", "poi", sizes["contract"].value - hours["poi_mw"] - exact.metering_mw),
        ("interconnection", "poi", year.poi.interconnection_limit_mw - hours["poi_peak_mw"]),
    ]
    if np.isfinite(point.flow_kg_per_s):
        rejection = steady.reject(year, setting, sizes, point)
        for place, kw in steady.rejection_spare_kw(year, setting, sizes, point, rejection):
            spares.append(("heat_rejection", place, kw / 1e3))
    for place, kw in steady.air_spare_kw(year, sizes, steady.air_side(year, setting, sizes)):
        spares.append(("air_chiller_capacity", place, kw / 1e3))
    if ("hot_spot", evaluation.hot_spot_place(year)) in broken:  # a bisection an hour
        course = evaluation.shape_mw(year, schedule, exact.dispatch)
        mva = evaluation.hot_spot_spare_mva(year, sizes, hours, course, every=True)
        spares.append(("hot_spot", evaluation.hot_spot_place(year), mva * year.poi.power_factor))
    yield from (each for each in spares if each[:2] in broken)


def _state(margin: Margin) -> str:
    """Return the place of a margin without its date: "one chiller out, 2023-08-18 17:00"."""
    place, comma, when = margin.place.rpartition(", ")
    return place if comma and when[:1].isdigit() else margin.place


def _point(site: Site, setting: Setting, plan: Plan) -> steady.FwsPoint:
    cdus = max(int(plan.sizes["cdu"].count or 0), 1)
    return steady.fws_point(site, setting, card_of(plan.sizes, "cdu"), card_of(plan.sizes, "fws_pump"), cdus)


def _setting(plan: Plan) -> Setting:
    if plan.setting is None or not plan.solved:
        raise InputError([Fault("plan", "sizes", "none", "a plan with sizes and a setting", None)])
    return plan.setting


def _worst_state(short: dict[str, Array], limit: str, rows: int) -> Array:
    """Return the shortage of a limit by hour, the worst of its states."""
    states = [values for name, values in short.items() if name.partition(SEPARATOR)[0] == limit]
    return np.max(states, axis=0) if states else np.zeros(rows)


def _by_day(hours: Table, values: Array, *, most: bool = False) -> dict[str, float]:
    """Return by date the hourly values' weighted sum over one day, or their greatest; zeros left out."""
    dates, first, index = np.unique(hours["date"], return_index=True, return_inverse=True)
    made = np.zeros(len(dates))
    if most:
        np.maximum.at(made, index, values)
    else:
        np.add.at(made, index, values * hours["weight_h_per_year"])
    return {str(dates[i]): float(made[i]) for i in np.argsort(first) if made[i] > 0.0}
