"""The joint model of one setting: sizes, offsets on both clocks and the day clock in one MILP.

Its cost is in million USD a year. It is the plan of a small site and the oracle of larger ones. The assembler
holds no equipment equation.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from codesign import climate, steady
from codesign.design import Schedule, Setting, Size, Sizes
from codesign.evaluation import lost_work_usd_per_year
from codesign.planning import air, covering, electrical, heat, highs, schedule, storage
from codesign.planning.rows import Rows
from codesign.site import Site
from codesign.sizing import listed, unit_size
from codesign.timing import spent


@dataclass(slots=True)
class Points:
    """Further points at which curves get a supporting line."""

    loads: dict[Any, list[float]] = field(default_factory=dict)
    """Loads by (transformers, hour)."""
    real: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Efficiencies of a storage's real course by card, where its loss follows its power."""


@dataclass(slots=True)
class Joint:
    """The model and the handles by which a solution is read."""

    site: Site
    setting: Setting
    fixed: dict[str, Any]
    rows: Rows
    offsets: schedule.Offsets | None
    given: Schedule | None
    storage: storage.FastStorage
    heat: heat.HeatPath
    air: air.AirPath
    grid: electrical.Grid


@spent("build")
def build(
    site: Site, setting: Setting, fixed: dict[str, Any], points: Points, given: Schedule | None = None,
    stops: covering.Known | None = None,
) -> Joint:  # fmt: skip
    """Build the model; `fixed` holds sizes by dotted name, `given` a schedule to keep, `stops` known cuts."""
    known = covering.Known() if stops is None else stops
    rows = _named(site, setting)
    offsets = schedule.plan(rows, site, given)
    fast = storage.plan(rows, site, offsets, fixed, given, points.real)
    covering.add(rows, site, fast, offsets, known, given)
    for row, rest in () if given is None else given.one_away():
        if site.poi.one_job_absent or row in known.away:
            away = storage.also(rows, site, rest, fast, points.real)
            covering.add_away(rows, site, fast, row, away, known)
    return _assembled(site, setting, fixed, rows, points, fast, offsets, given)


@spent("build")
def build_day(
    site: Site, setting: Setting, fixed: dict[str, Any], points: Points, *, loss_mw: float | None,
    peak_mw: float, metering_mw: float = 0.0, of: Site | None = None,
) -> Joint:  # fmt: skip
    """Build the model without the schedule: storage as sizes, beside a mean loss and a highest power.

    A bound over all mixes of the site `of` has the folded row of stops. Without a loss it is whatever the
    storage can lose: for a bound where drawing power is paid for all year.
    """
    rows = _named(site, setting)
    fast = storage.without_dispatch(
        rows, site, fixed, loss_mw=loss_mw or 0.0, peak_mw=peak_mw, metering_mw=metering_mw, of=of
    )
    if loss_mw is None:
        lost = rows.amount("storage_loss_mw")
        rows.outer("storage_loss_most", lost <= sum(fast.power_mw.values()))
        fast = replace(fast, loss_mw=lost)
    return _assembled(site, setting, fixed, rows, points, fast, None, None)


def _named(site: Site, setting: Setting) -> Rows:
    return Rows(f"{site.name}, FWS {setting.fws_supply_c} degC")


def _assembled(site: Site, setting: Setting, fixed: dict[str, Any], rows: Rows, points: Points,
               fast: storage.FastStorage, offsets: schedule.Offsets | None,
               given: Schedule | None) -> Joint:  # fmt: skip
    load = steady.it_load(site, setting)
    rows.cost("lost_work", lost_work_usd_per_year(site))
    path = heat.plan(rows, site, setting, fixed)
    breath = air.plan(rows, site, setting, fixed)
    hours = range(len(climate.hours(site).dry_bulb_c))
    mechanical = [rows.amount("mechanical_mw") for _ in hours]
    for h in hours:
        rows.exact("mechanical", 1e3 * mechanical[h] == path.power_kw[h] + breath.power_kw[h])
    mean_mw = [load.it_mw + m + fast.loss_mw for m in mechanical]
    other_mw = [load.beside_jobs_mw + m for m in mechanical]
    grid = electrical.plan(
        rows, site, mean_mw, other_mw, fast, mean_range_mw(site, load), fixed, points.loads
    )
    rows.close()
    return Joint(site, setting, fixed, rows, offsets, given, fast, path, breath, grid)


def mean_range_mw(site: Site, load: steady.ItLoad) -> tuple[float, float]:
    """Return the least and the most that the hourly mean behind the transformers can be."""
    most = min(site.poi.contract_max_mw, site.poi.interconnection_limit_mw)
    return load.it_mw, max(most, 1.5 * load.it_mw)


def read_schedule(joint: Joint, values: highs.Solution) -> Schedule:
    """Return the schedule of a solution, or the one that the model was given."""
    if joint.given is not None:
        return joint.given
    if joint.offsets is None:
        raise ValueError("a model without the clocks of the schedule has none")
    return schedule.read(joint.site, joint.offsets, values)


def read(joint: Joint, values: highs.Solution) -> Sizes:
    """Return the sizes of a solution."""
    site, path = joint.site, joint.heat

    def amount(name: str, column: Any) -> float:
        return float(joint.fixed.get(f"{name}.value", listed(site, name, values[column])))

    card = storage.read_card(joint.storage, values)
    cdu = path.cdu.chosen(values)
    sizes: dict[str, Size] = {}
    for name, menu in (
        ("transformer", joint.grid.transformer), ("cdu", path.cdu), ("dry_cooler", path.dry_cooler),
        ("chiller", path.chiller), ("fan_wall", joint.air.fan_wall), ("air_chiller", joint.air.air_chiller),
    ):  # fmt: skip
        sizes[name] = unit_size(site, name, *menu.chosen(values))
    sizes["cdu_flow"] = Size(cdu[0], None, amount("cdu_flow", path.cdu_flow[cdu]), "l_per_min")
    sizes["fws_pump"] = Size(
        site.equipment.fws_pump.cards[0], None, amount("fws_pump", path.fws_pump), "kg_per_s"
    )
    sizes["buffer"] = Size(site.equipment.buffer.cards[0], None, amount("buffer", path.buffer), "m3")
    for name, columns, unit in (
        ("storage_power", joint.storage.power_mw, "mw"), ("storage_energy", joint.storage.energy_mwh, "mwh"),
    ):  # fmt: skip
        value = 0.0 if card is None else amount(name, columns[card])
        sizes[name] = Size(card, None, value, unit)
    sizes["contract"] = Size(None, None, values[joint.grid.contract_mw], "mw")
    return Sizes({name: sizes[name] for name in ORDER})


ORDER = ("transformer", "contract", "storage_power", "storage_energy", "cdu", "cdu_flow", "fws_pump",
         "dry_cooler", "chiller", "buffer", "fan_wall", "air_chiller")  # fmt: skip


def size_expressions(joint: Joint) -> dict[str, Any]:
    """Return each size as a linear expression of the model: counts for units, else the amount."""
    path, grid = joint.heat, joint.grid
    menus = {"transformer": grid.transformer, "cdu": path.cdu, "dry_cooler": path.dry_cooler,
             "chiller": path.chiller, "fan_wall": joint.air.fan_wall,
             "air_chiller": joint.air.air_chiller}  # fmt: skip
    return {
        **{name: menu.total(lambda option: option[1]) for name, menu in menus.items()},
        "cdu_flow": sum(path.cdu_flow.values()), "fws_pump": path.fws_pump, "buffer": path.buffer,
        "storage_power": sum(joint.storage.power_mw.values()),
        "storage_energy": sum(joint.storage.energy_mwh.values()),
    }  # fmt: skip
