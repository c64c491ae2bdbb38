"""Scenario timelines: what happens at each step, and what the controller knows of it, and when.

scenario            load             what happens
nominal_hot         waveforms        nothing
chiller_trip        cycle mean       running trim chillers lost for off_s, then reload linearly over reload_s
cdu_pump_trip       waveforms        one CDU's pump coasts down; its standby starts after a delay, with a ramp
job_abort_restart   waveforms        one job drops to idle_pu, at the worst moment of its class; returns
job_stop.JOB        waveforms        the same for each other job

All at the hottest hour of the plan: chiller_trip in steps of 5 s, the others in equal parts, at most 0.5 s
long, of the clock's step. Schedule and weather are known ahead; a fault from the step at which it happens,
its further course (restart times, standby delay, the job's return) from then on. Within a step a disturbance
is constant; a share that falls or returns within a step takes the lower of its values at the step's two ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from codesign import catalogue, duration, workload
from codesign.checking.stack import Vector
from codesign.checking.steady import Start, group
from codesign.checking.stopping import group_of, worst_stop
from codesign.consistency import SLOW_STEP_S, fine_step
from codesign.design import Plan, Stop
from codesign.site import Site

SLOW_HORIZON, FAST_HORIZON_S, FAST_HORIZON = 40, 10.0, (10, 40)  # steps; s; least and most steps


Fault = Callable[[Vector, float, Vector], None]  # times, step; writes the disturbances as they come


@dataclass(frozen=True, slots=True)
class Timeline:
    """One scenario, step by step; arrays run a horizon beyond the end.

    nominal    disturbances as expected before the fault        actual    as they come
    """

    id: str
    step_s: float
    steps: int
    horizon: int
    fault_step: int | None
    nominal: Vector
    actual: Vector
    control_reference: Vector
    state_reference: Vector
    stop: Stop | None = None

    def known(self, step: int) -> Vector:
        """Return the disturbances of the horizon that starts at `step`, as known there."""
        return (self.nominal if self.holds(step) else self.actual)[step : step + self.horizon]

    def holds(self, step: int) -> bool:
        """Whether no event is known at `step`: the planned course of the stored energy is held."""
        return self.fault_step is None or step < self.fault_step

    def references(self, step: int, steps: int | None = None) -> tuple[Vector, Vector]:
        """Return the control and state references of the steps from `step` on, by default of a horizon."""
        rows = slice(step, step + (self.horizon if steps is None else steps))
        return self.control_reference[rows], self.state_reference[rows]


def names(site: Site) -> tuple[str, ...]:
    """Return the scenarios that the site asks for and can have, in the order of the table above."""
    return duration.names(site)


def timeline(site: Site, plan: Plan, start: Start, scenario: str) -> Timeline:
    """Return the timeline of a scenario."""
    if duration.at_worst(site, scenario):
        return _stop(site, plan, start, scenario)
    return BUILDERS[scenario](site, plan, start)


def _stop(site: Site, plan: Plan, start: Start, scenario: str) -> Timeline:
    """Return the timeline of a stop at the worst moment of a job's class.

    Where the copy is one of several in step, the racks of all take the mean of their levels: power is exact.
    """
    stop = worst_stop(site, plan, duration.stopped(site, scenario))
    row, number = group_of(plan, stop)
    job, away_s = site.jobs[stop.job], duration.away_s(site, scenario)

    def fault(time_s: Vector, step_s: float, actual: Vector) -> None:
        gone = (time_s >= stop.lead_s - 1e-9) & (time_s < stop.lead_s + away_s - 1e-9)
        column = _column(start, f"{group(row.job, row.copy)}.level_pu")
        rest = (number - 1) * actual[gone, column]
        actual[gone, column] = (rest + job.idle_pu * job.plateau_pu) / number

    return _fast(site, plan, start, scenario, fault, stop)


def _nominal_hot(site: Site, plan: Plan, start: Start) -> Timeline:
    return _fast(site, plan, start, "nominal_hot", None)


def _cdu_pump_trip(site: Site, plan: Plan, start: Start) -> Timeline:
    scenario = site.scenarios.cdu_pump_trip
    cdu = catalogue.build(site, "cdu", str(plan.sizes["cdu"].card))

    def fault(time_s: Vector, step_s: float, actual: Vector) -> None:
        share = _lower_end(cdu.pump_availability, time_s - scenario.at_s, step_s)
        actual[:, _column(start, "cdu_available")] = share

    return _fast(site, plan, start, "cdu_pump_trip", fault)


def _job_abort_restart(site: Site, plan: Plan, start: Start) -> Timeline:
    scenario = site.scenarios.job_abort_restart
    job, at_s = workload.abort(site, plan.schedule)

    def fault(time_s: Vector, step_s: float, actual: Vector) -> None:
        gone = (time_s >= at_s - 1e-9) & (time_s < at_s + scenario.off_s - 1e-9)
        idle_pu = site.jobs[job].idle_pu * site.jobs[job].plateau_pu
        actual[gone, _column(start, f"{group(job, 0)}.level_pu")] = idle_pu

    return _fast(site, plan, start, "job_abort_restart", fault)


def _chiller_trip(site: Site, plan: Plan, start: Start) -> Timeline:
    scenario = site.scenarios.chiller_trip
    step_s = SLOW_STEP_S
    steps = duration.steps(site, plan.schedule, "chiller_trip", step_s)
    rows = steps + SLOW_HORIZON
    nominal = np.tile(start.d, (rows, 1))
    actual = nominal.copy()
    running = start.d[_column(start, "chillers_on")]
    lost = running if scenario.units == "all" else min(float(scenario.units), running)

    def availability(since_s: float) -> float:
        back = 1.0 if since_s < 0 else min(max((since_s - scenario.off_s) / scenario.reload_s, 0.0), 1.0)
        return 1.0 - (1.0 - back) * (lost / running if running else 1.0)

    since_s = step_s * np.arange(rows, dtype=float) - scenario.at_s
    actual[:, _column(start, "chiller_available")] = _lower_end(availability, since_s, step_s)
    return Timeline(
        "chiller_trip", step_s, steps, SLOW_HORIZON, _first_change(nominal, actual), nominal, actual,
        np.tile(start.u, (rows, 1)), np.tile(start.x, (rows, 1)),
    )  # fmt: skip


BUILDERS: dict[str, Callable[[Site, Plan, Start], Timeline]] = {
    "nominal_hot": _nominal_hot,
    "chiller_trip": _chiller_trip,
    "cdu_pump_trip": _cdu_pump_trip,
    "job_abort_restart": _job_abort_restart,
}


def _fast(
    site: Site, plan: Plan, start: Start, name: str, fault: Fault | None, stop: Stop | None = None
) -> Timeline:
    """Return a timeline with the schedule's waveforms and the plan's storage dispatch, in fine steps."""
    step_s, parts = fine_step(site)
    horizon = int(np.clip(round(FAST_HORIZON_S / step_s), *FAST_HORIZON))
    steps = duration.steps(site, plan.schedule, name, step_s)
    rows = steps + horizon
    begins = 0 if stop is None else round(stop.begins_s / step_s)

    def course(series: Vector) -> Vector:
        return np.resize(np.roll(np.repeat(series, parts), -begins), rows)

    nominal = np.tile(start.d, (rows, 1))
    first = tuple(row for row, _ in workload.alike(plan.schedule))
    for (job, copy), level in workload.levels(site, first).items():
        nominal[:, _column(start, f"{group(job, copy)}.level_pu")] = course(level)
    controls, states = np.tile(start.u, (rows, 1)), np.tile(start.x, (rows, 1))
    for column in ("charge_mw", "discharge_mw"):
        controls[:, start.stack.controls.index(column)] = course(plan.dispatch[column])
    energy = np.append(plan.dispatch["soc_mwh"], plan.dispatch["soc_mwh"][0])
    ends = np.interp((np.arange(parts * (len(energy) - 1)) + 1.0) / parts, np.arange(len(energy)), energy)
    states[:, start.stack.states.index("storage_mwh")] = np.resize(np.roll(ends, -begins), rows)
    actual = nominal.copy()
    if fault is not None:
        fault(step_s * np.arange(rows, dtype=float), step_s, actual)
    return Timeline(
        name, step_s, steps, horizon, _first_change(nominal, actual), nominal, actual, controls, states, stop
    )


def _column(start: Start, name: str) -> int:
    return start.stack.disturbances.index(name)


def _lower_end(share: Callable[[float], float], time_s: Vector, step_s: float) -> Vector:
    """Return a share's lower value at each step's two ends; what happens at an end is the next step's."""
    just = 1e-9 * step_s
    return np.array([min(share(float(t) + just), share(float(t) + step_s - just)) for t in time_s])


def _first_change(nominal: Vector, actual: Vector) -> int | None:
    changed = np.flatnonzero((nominal != actual).any(axis=1))
    return int(changed[0]) if len(changed) else None
