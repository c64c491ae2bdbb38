"""The scenarios again: start, disturbances, every interval from its recorded start, margins, heat balance.

The trajectory is a claim about the plant's rates: from each recorded sample, with the recorded controls
and disturbances, an integrator of this package's own must arrive at the next sample. Controls are not
judged, only obeyed: whoever chose them. Margins are read on the integrated solution at the dense points
that the check's judge states (step/20, at least 0.05 s).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign import catalogue, climate, duration, modes, window, workload
from codesign.auditing import radau
from codesign.auditing.hall import Hall
from codesign.auditing.ledger import Ledger
from codesign.auditing.levels import level_pu
from codesign.design import Check, Margin, ScenarioResult, Stop, Table
from codesign.plant import Group, Limit, Plant

Array = NDArray[np.float64]
Parts = tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]

SLOW_STEP_S, FAST_STEP_S = 5.0, 0.5
SLOW = ("chiller_trip",)
WITHIN_K = 1e-3
WITHIN_PU = 1e-4  # of the largest value of a state that is no temperature
MARGIN_PU = 2e-3  # of a limit's natural scale
BALANCE_PU = 1e-6
OUTPUT_PU = 1e-6
RAMP_PU = 1e-3
BEYOND_K = 1e-3


def judge(ledger: Ledger, hall: Hall, check: Check) -> None:
    """Judge every scenario that was run."""
    plant, sizes = plant_of(hall), sizes_of(hall)
    for run in check.scenarios:
        if run.id in PRESCRIBED or run.id in duration.names(hall.site):
            _run(ledger, hall, plant, sizes, run, check)
    ledger.judged.append("trajectories integrated again, their margins and heat balance")


def plant_of(hall: Hall) -> Plant:
    """Return the plant of a hall."""
    site = hall.site
    groups = tuple(
        Group(
            name=f"{row.job}_{row.copy}",
            racks=number * site.jobs[row.job].racks,
            rack=catalogue.build(site, "rack", site.pods[row.pod].rack),
        )
        for row, number in workload.alike(hall.plan.schedule)
    ) + tuple(
        Group(name=f"idle_{pod}", racks=racks, rack=catalogue.build(site, "rack", site.pods[pod].rack))
        for pod, (racks, _) in hall.idle.items()
    )
    storage = hall.storage
    if storage is None:  # none bought: a size of zero has no voltage
        stand_in = catalogue.build(site, "storage", site.equipment.storage.cards[0])
        storage = replace(stand_in, time_constant_s=0.0)
    return Plant(
        groups=groups, cdu=hall.cdu, fws_pump=hall.fws_pump, dry_cooler=hall.dry_cooler,
        chiller=hall.chiller, buffer=hall.buffer, fan_wall=hall.fan_wall, air_chiller=hall.air_chiller,
        transformer=hall.transformer, storage=storage, power_factor=site.poi.power_factor,
        interconnection_limit_mw=site.poi.interconnection_limit_mw,
        window_mw=window.limit_mw(site) if window.applies(site) else None,
        filter_order=site.poi.filter_order, filter_hz=site.poi.band_hz[0], air_density_pu=hall.density_pu,
    )  # fmt: skip


def sizes_of(hall: Hall) -> dict[str, float]:
    """Return the sizes under the plant's names."""
    named = {f"{name}_count": float(count) for name, count in hall.count.items()}
    value = hall.value
    return {
        **named, "cdu_flow_l_per_min": value["cdu_flow"], "fws_pump_flow_kg_per_s": value["fws_pump"],
        "buffer_m3": value["buffer"], "storage_power_mw": value["storage_power"],
        "storage_energy_mwh": value["storage_energy"],
    }  # fmt: skip


def steady(
    hall: Hall, plant: Plant, hour: int, slot: int = 0
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Return states, controls and disturbances of the plan's steady state of an hour."""
    site, table = hall.site, hall.plan.hours
    return plant.steady(
        {group.name: hall.mean_level[group.name] for group in plant.groups},
        float(table["dry_bulb_c"][hour]),
        sizes_of(hall),
        tcs_flow_l_per_min=hall.tcs_l_per_min,
        tcs_supply_c=hall.supply_c,
        fws_supply_c=hall.fws_c,
        chilled_water_c=site.equipment.air_chiller.chilled_water_c,
        fan_wall_pu=float(table["fan_wall_pu"][hour]),
        dry_cooler_kw=float(table["dry_cooler_kw"][hour]),
        chillers_on=float(table["chillers_on"][hour]),
        storage_mwh=float(hall.plan.dispatch["soc_mwh"][slot]),
    )


# what each scenario prescribes


def _lower_end(share: Callable[[float], float], time_s: Array, step_s: float) -> Array:
    """Return a share's lower value at each step's two ends; what happens at an end is the next step's."""
    just = 1e-9 * step_s
    return np.array([min(share(t + just), share(t + step_s - just)) for t in time_s.tolist()])


def _nominal_hot(hall: Hall, asked: Any, time_s: Array, step_s: float, given: dict[str, Array]) -> None:
    pass


def _chiller_trip(hall: Hall, asked: Any, time_s: Array, step_s: float, given: dict[str, Array]) -> None:
    running = float(given["chillers_on"][0])
    lost = running if asked.units == "all" else min(float(asked.units), running)

    def available(since_s: float) -> float:
        back = 1.0 if since_s < 0 else min(max((since_s - asked.off_s) / asked.reload_s, 0.0), 1.0)
        return 1.0 - (1.0 - back) * (lost / running if running else 1.0)

    given["chiller_available"] = _lower_end(available, time_s - asked.at_s, step_s)


def _cdu_pump_trip(hall: Hall, asked: Any, time_s: Array, step_s: float, given: dict[str, Array]) -> None:
    card = hall.cdu

    def available(since_s: float) -> float:
        if since_s < 0:
            return 1.0
        standby = min(max((since_s - card.standby_delay_s) / card.standby_ramp_s, 0.0), 1.0)
        return max(math.exp(-since_s / card.coast_down_s), standby)

    given["cdu_available"] = _lower_end(available, time_s - asked.at_s, step_s)


def _job_abort_restart(hall: Hall, asked: Any, time_s: Array, step_s: float, given: dict[str, Array]) -> None:
    jobs = hall.site.jobs
    name, at_s = workload.abort(hall.site, hall.plan.schedule)
    gone = (time_s > at_s - 1e-9) & (time_s < at_s + asked.off_s - 1e-9)
    column = f"{name}_0.level_pu"
    given[column] = np.where(gone, jobs[name].idle_pu * jobs[name].plateau_pu, given[column])


PRESCRIBED: dict[str, Callable[[Hall, Any, Array, float, dict[str, Array]], None]] = {
    "nominal_hot": _nominal_hot,
    "chiller_trip": _chiller_trip,
    "cdu_pump_trip": _cdu_pump_trip,
    "job_abort_restart": _job_abort_restart,
}


def step_of(hall: Hall, scenario: str) -> float:
    """Return the step of a scenario: 5 s, or equal parts of the clock's step, none above 0.5 s."""
    return SLOW_STEP_S if scenario in SLOW else hall.site.clock.step_s / _parts(hall)


def _parts(hall: Hall) -> int:
    return math.ceil(hall.site.clock.step_s / FAST_STEP_S - 1e-9)


def dense_times_s(step_s: float) -> Array:
    """Return the times within a step at which limits are read: both ends, and every step/20 or 0.05 s."""
    return np.linspace(0.0, step_s, max(1, min(20, round(step_s / 0.05))) + 1)


def _stopped(hall: Hall, scenario: str, stop: Stop, time_s: Array, given: dict[str, Array]) -> None:
    """The copy that stops is idle while it is away; racks in step with it take the mean of all levels."""
    schedule, job = hall.plan.schedule, hall.site.jobs[stop.job]
    own = next(row for row in schedule if (row.job, row.copy) == (stop.job, stop.copy))
    step = [
        row
        for row in schedule
        if (row.job, row.copy == 0, row.mode, row.pod) == (own.job, own.copy == 0, own.mode, own.pod)
        and (row.offset_s, row.events) == (own.offset_s, own.events)
    ]
    gone = (time_s > stop.lead_s - 1e-9) & (
        time_s < stop.lead_s + duration.away_s(hall.site, scenario) - 1e-9
    )
    column = f"{step[0].job}_{step[0].copy}.level_pu"
    idle = job.idle_pu * job.plateau_pu
    mean = (idle + (len(step) - 1) * given[column]) / len(step)
    given[column] = np.where(gone, mean, given[column])


def _moment(ledger: Ledger, hall: Hall, run: ScenarioResult, check: Check) -> bool:
    """Whether the stop of a run is one of its job, where the static limits have its class's worst."""
    site, stop, before = hall.site, run.stop, len(ledger.breaches)
    worst = duration.at_worst(site, run.id)
    ledger.equal("stop", f"{run.id}, at the worst moment", stop is not None, worst)
    if stop is None or not worst:
        return len(ledger.breaches) == before
    if (stop.job, stop.copy) not in {(row.job, row.copy) for row in hall.plan.schedule}:
        ledger.breach("stop", run.id, f"{stop.job} {stop.copy}", "a copy of the schedule")
        return False
    macro_s, lead_s = site.clock.macro_s, duration.LEAD_S
    job = duration.stopped(site, run.id)
    ledger.equal("stop", f"{run.id}, job", modes.asked_name(stop.job), job)
    moments = np.array([stop.at_s, stop.lead_s, stop.begins_s]) / site.clock.step_s
    at, lead, begins = (int(step) for step in np.round(moments))
    on_steps = bool(np.all(np.abs(moments - np.round(moments)) < 1e-6))
    ledger.equal("stop", f"{run.id}, begin", (begins + lead) % round(macro_s / site.clock.step_s), at)
    if not (on_steps and 0.0 <= stop.begins_s < macro_s and lead_s <= stop.lead_s <= 2 * lead_s):
        ledger.breach("stop", run.id, stop.lead_s, f"{lead_s:g} to {2 * lead_s:g} s before the stop", "s")
    stops = [row for row in check.static if row.limit == "job_stop"]
    own = [row for row in stops if modes.asked_name(row.place.split(" ")[0]) == job]
    least = min((row.margin for row in own), default=0.0)
    due = [(row.place, row.time_s) for row in own if row.margin <= least + 2e-6]
    if own and (f"{stop.job} {stop.copy}", stop.at_s) not in due:
        ledger.breach("stop", run.id, f"{stop.job} {stop.copy} at {stop.at_s:g} s", f"one of {due}")
    return len(ledger.breaches) == before


def disturbances(
    hall: Hall, scenario: str, steps: int, start: Mapping[str, float], stop: Stop | None = None
) -> dict[str, Array]:
    """Return the disturbances of each step as schedule, weather and scenario prescribe them."""
    step_s = step_of(hall, scenario)
    first = 0 if stop is None else round(stop.begins_s / hall.site.clock.step_s)
    given = {name: np.full(steps, value) for name, value in start.items()}
    if scenario not in SLOW:
        for row, _ in workload.alike(hall.plan.schedule):
            level = level_pu(hall.site, row)
            due = [level[(first + k // _parts(hall)) % len(level)] for k in range(steps)]
            given[f"{row.job}_{row.copy}.level_pu"] = np.array(due)
    time_s = np.arange(float(steps)) * step_s
    if stop is not None:
        _stopped(hall, scenario, stop, time_s, given)
    else:
        PRESCRIBED[scenario](hall, duration.asked(hall.site, scenario), time_s, step_s, given)
    return given


# judging


def _run(
    ledger: Ledger, hall: Hall, plant: Plant, sizes: dict[str, float], run: ScenarioResult, check: Check
) -> None:
    if not (_moment(ledger, hall, run, check) and _shape(ledger, hall, plant, run)):
        return
    slot = 0 if run.stop is None else round(run.stop.begins_s / hall.site.clock.step_s)
    try:
        x, u, d = steady(hall, plant, run.hour, slot)
    except ValueError as error:
        ledger.breach("start", run.id, str(error), "a steady state")
        return
    for name, value in x.items():
        recorded = float(run.states[name][0])
        if not abs(recorded - value) <= _within(name, run.states[name]):
            ledger.breach("start", f"{run.id}, {name}", recorded, f"{value!r}, the plan's steady state")
    steps = len(run.time_s) - 1
    for name, due in disturbances(hall, run.id, steps, d, run.stop).items():
        told = run.disturbances[name][:-1]
        wrong = np.flatnonzero(~(np.abs(told - due) <= 1e-6 * np.maximum(np.abs(due), 1.0)))
        if len(wrong):
            k = int(wrong[0])
            place = f"{run.id}, {name}, {run.time_s[k]:g} s"
            ledger.breach("disturbance", place, float(told[k]), f"{float(due[k])!r}, as prescribed")
    _obeyed(ledger, run, u, plant.ramps(sizes), step_of(hall, run.id), plant.least_controls)
    _integrated(ledger, plant, sizes, run, hall)


def _shape(ledger: Ledger, hall: Hall, plant: Plant, run: ScenarioResult) -> bool:
    """Whether names, times and the hour are those of the scenario."""
    before, step_s = len(ledger.breaches), step_of(hall, run.id)
    for kind in ("states", "controls", "disturbances"):
        table: Table = getattr(run, kind)
        ledger.equal("trajectory", f"{run.id}, {kind}", sorted(table), sorted(getattr(plant, kind)))
        if table.rows != len(run.time_s):
            ledger.breach("trajectory", f"{run.id}, {kind}", f"{table.rows} samples", f"{len(run.time_s)}")
        elif kind != "states" and any(values[-1] != values[-2] for values in table.values()):
            ledger.breach("trajectory", f"{run.id}, {kind}", "the last row differs", "the row before it")
    due = duration.steps(hall.site, hall.plan.schedule, run.id, step_s) + 1
    if run.status == "complete":
        ledger.equal("trajectory", f"{run.id}, samples", len(run.time_s), due)
    if any(abs(t - k * step_s) > 1e-9 for k, t in enumerate(run.time_s)) or len(run.time_s) < 2:
        ledger.breach("trajectory", f"{run.id}, time_s", "differs", f"steps of {step_s:g} s")
    dry_bulb = climate.hours(hall.site).dry_bulb_c
    if not 0 <= run.hour < len(dry_bulb) or dry_bulb[run.hour] < max(dry_bulb):
        ledger.breach("trajectory", f"{run.id}, hour", run.hour, "the hottest hour")
    return len(ledger.breaches) == before


def _within(name: str, values: Array) -> float:
    return WITHIN_K if name.endswith(("_c", "_k")) else WITHIN_PU * float(np.max(np.abs(values))) + 1e-9


def _obeyed(
    ledger: Ledger,
    run: ScenarioResult,
    start: Mapping[str, float],
    ramps: Mapping[str, float],
    step_s: float,
    least: Mapping[str, float],
) -> None:
    """No control is below its least, shares end at 1, slow machines keep their ramps from the start on."""
    for name, values in run.controls.items():
        place = f"{run.id}, {name}"
        if not values.min() >= least.get(name, 0.0) - 1e-9:
            ledger.breach("control", place, float(values.min()), least.get(name, 0.0))
        if name.endswith("_pu") and not values.max() <= 1.0 + 1e-9:
            ledger.breach("control", place, float(values.max()), 1.0)
        most = ramps.get(name, math.inf) * step_s
        fastest = float(np.max(np.abs(np.diff(values, prepend=start[name]))))
        if not fastest <= most * (1.0 + RAMP_PU):
            ledger.breach("ramp", place, fastest, most)


def _integrated(ledger: Ledger, plant: Plant, p: dict[str, float], run: ScenarioResult, hall: Hall) -> None:
    """Integrate every interval from its recorded start; judge its end, the limits on the way and the heat."""
    names, step_s = plant.states, step_of(hall, run.id)
    u = {name: values[:-1] for name, values in run.controls.items()}
    d = {name: values[:-1] for name, values in run.disturbances.items()}
    recorded = np.array([run.states[name] for name in names])

    def rate(x: Array) -> Array:
        rates = plant.rates(dict(zip(names, x, strict=True)), u, d, p)
        return np.array([np.broadcast_to(rates[name], x.shape[1:]) for name in names])

    try:
        with np.errstate(all="ignore"):  # a tampered point may lie anywhere
            path = radau.integrate(rate, recorded[:, :-1], dense_times_s(step_s))
    except radau.NotIntegratedError as error:
        ledger.breach("trajectory", run.id, str(error), "an integrable trajectory")
        return
    for i, name in enumerate(names):
        miss = np.abs(path[-1, i] - recorded[i, 1:])
        k = int(np.argmax(miss))
        if not miss[k] <= _within(name, recorded[i]):
            place = f"{run.id}, {name}, {run.time_s[k + 1]:g} s"
            ledger.breach(
                "trajectory", place, float(recorded[i, k + 1]), f"{float(path[-1, i, k])!r} integrated"
            )
    _held(ledger, plant, run)
    dense = {name: path[:, i, :] for i, name in enumerate(names)}
    _heat(ledger, plant, (dense, u, d), p, run)
    _outputs(ledger, plant, p, run)
    found = _margins(plant, (dense, u, d), p, run, step_s)
    if hall.site.poi.window_s:
        found["poi_window"] = _window(hall, run, step_s)
    _compare(ledger, run, found, step_s)


def _held(ledger: Ledger, plant: Plant, run: ScenarioResult) -> None:
    """Inputs beyond a card's range are counted as recorded."""
    found: dict[str, int] = {}
    for k in range(len(run.time_s)):
        x = {name: float(values[k]) for name, values in run.states.items()}
        d = {name: float(values[k]) for name, values in run.disturbances.items()}
        for name, excess in plant.out_of_range(x, d).items():
            found[name] = found.get(name, 0) + (abs(excess) > BEYOND_K)
    told = {name: steps for name, steps in found.items() if steps}
    ledger.equal(
        "range", f"{run.id}, inputs held", dict(sorted(run.out_of_range.items())), dict(sorted(told.items()))
    )


def _heat(ledger: Ledger, plant: Plant, at: Parts, p: dict[str, float], run: ScenarioResult) -> None:
    """What enters and does not leave is stored: stored heat is linear in the states, so its rate is exact."""
    x, u, d = at
    rates, now = plant.rates(x, u, d, p), plant.outputs(x, u, d, p)
    after = plant.outputs({name: x[name] + rates[name] for name in x}, u, d, p)
    net = now["heat_in_kw"] - now["heat_out_kw"] - (after["stored_kj"] - now["stored_kj"])
    worst = float(np.max(np.abs(net) / np.abs(now["heat_in_kw"])))
    for where, value in (("found again", worst), ("recorded", run.energy_residual_pu)):
        if not abs(value) <= BALANCE_PU:
            ledger.breach("heat balance", f"{run.id}, {where}", value, BALANCE_PU, "1")


def _outputs(ledger: Ledger, plant: Plant, p: dict[str, float], run: ScenarioResult) -> None:
    outputs = plant.outputs(run.states, run.controls, run.disturbances, p)
    ledger.equal("trajectory", f"{run.id}, outputs", sorted(run.outputs), sorted(outputs))
    for name in outputs.keys() & run.outputs.keys():
        value, recorded = np.broadcast_to(outputs[name], len(run.time_s)), run.outputs[name]
        miss = np.abs(value - recorded)
        k = int(np.argmax(miss))
        if not miss[k] <= OUTPUT_PU * max(float(np.max(np.abs(value))), 1e-3):
            place = f"{run.id}, {name}, {run.time_s[k]:g} s"
            ledger.breach("trajectory", place, float(recorded[k]), f"{float(value[k])!r} from the states")


@dataclass(frozen=True, slots=True)
class Found:
    """A limit on the integrated solution: its least margin, and the margin by place at the times [s]."""

    margin: float
    unit: str
    scale: float
    times_s: Array
    by_place: Mapping[str, Array]

    def worst_at(self, place: str, time_s: float, step_s: float) -> bool:
        """Whether the margin at a place and time is as small as the least."""
        if place not in self.by_place:
            return False
        near = np.abs(self.times_s - time_s) <= 1e-6 * step_s
        return bool(near.any()) and float(self.by_place[place][near].min()) <= self.margin + self.within

    @property
    def within(self) -> float:
        """What two integrators may differ by."""
        return MARGIN_PU * self.scale


def _margins(
    plant: Plant, at: Parts, p: dict[str, float], run: ScenarioResult, step_s: float
) -> dict[str, Found]:
    """Return every limit on the integrated solution."""
    dense = dense_times_s(step_s)[:, np.newaxis] + np.array(run.time_s[:-1])
    parts: dict[str, dict[str, Array]] = {}
    of: dict[str, Limit] = {}
    for key, limit in plant.limits(*at, p).items():
        name, left = key.split(".")[0], np.broadcast_to(-np.asarray(limit.excess, float), dense.shape)
        places = parts.setdefault(name, {})
        before = places.get(limit.place)
        places[limit.place] = left if before is None else np.minimum(left, before)
        of.setdefault(name, limit)
    return {
        name: Found(
            min(float(left.min()) for left in places.values()), of[name].unit, float(of[name].scale), dense,
            places,
        )
        for name, places in parts.items()
    }  # fmt: skip


def _window(hall: Hall, run: ScenarioResult, step_s: float) -> Found:
    """Return the window rule on the samples at the steps' starts, by the later of two; at rest before."""
    site = hall.site
    a = math.exp(-2 * math.pi * site.poi.band_hz[0] * step_s)
    values = run.outputs["poi_mw"][:-1].tolist()
    for _ in range(site.poi.filter_order):
        passed = [0.0]
        for k in range(1, len(values)):
            passed.append(a * passed[-1] + values[k] - values[k - 1])
        values = passed
    widest = np.zeros(len(values))
    lags = math.floor(site.poi.window_s / step_s + 1e-9)
    for later in range(len(values)):
        for earlier in range(max(0, later - lags), later):
            widest[later] = max(widest[later], abs(values[later] - values[earlier]))
    limit = window.limit_mw(site)
    left = limit - widest
    return Found(float(left.min()), "mw", 0.1 * limit, np.array(run.time_s[:-1]), {"poi": left})


def _compare(ledger: Ledger, run: ScenarioResult, found: Mapping[str, Found], step_s: float) -> None:
    """Every margin is recorded once, as found again, where and when it is least; none is negative."""
    ledger.equal("margin", f"{run.id}, limits", sorted(row.limit for row in run.margins), sorted(found))
    recorded: dict[str, Margin] = {row.limit: row for row in run.margins}
    for name, again in found.items():
        if not again.margin >= -again.within:
            ledger.breach(name, run.id, again.margin, "a margin >= 0", again.unit)
        row = recorded.get(name)
        if row is None:
            continue
        if not abs(row.margin - again.margin) <= again.within:
            told = f"{again.margin!r} found again"
            ledger.breach("margin", f"{run.id}, {name}", row.margin, told, again.unit)
        judge = "waveform" if name == "poi_window" else "integrated"
        place = f"{run.id}, {name}, unit and judge"
        ledger.equal("margin", place, (row.unit, row.judge), (again.unit, judge))
        if not again.worst_at(row.place, row.time_s, step_s):
            said = f"{row.place}, {row.time_s:g} s"
            ledger.breach("margin", f"{run.id}, {name}, place and time", said, "where and when it is least")
