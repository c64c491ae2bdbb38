"""Scenario timelines: what happens at each step, and what the controller knows of it, and when.

scenario            step          load                what happens
nominal_hot         clock.step_s  real waveforms      nothing
chiller_trip        5 s           cycle-mean power    running trim chillers lost for off_s, then reload linearly over reload_s
cdu_pump_trip       clock.step_s  real waveforms      one CDU's pump coasts down; its standby starts after a delay, with a ramp
job_abort_restart   clock.step_s  real waveforms      one job drops to idle_pu, returns after off_s with its profile

All at the hottest hour of the plan. Schedule and weather are known ahead; a fault from the step at which it happens, its
further course (restart times, standby delay, the job's return) from then on. Within a step a disturbance is constant; a
share that falls or returns within a step takes the lower of its values at the step's two ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from codesign import catalogue, workload
from codesign.checking.stack import Vector
from codesign.checking.steady import Start
from codesign.design import Plan
from codesign.site import Site

SLOW_STEP_S = 5.0
SLOW_HORIZON, FAST_HORIZON_S, FAST_HORIZON = 40, 10.0, (10, 40)  # steps; s; least and most steps


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

    def known(self, step: int) -> Vector:
        """Return the disturbances of the horizon that starts at `step`, as known there."""
        seen = self.fault_step is None or step >= self.fault_step
        return (self.actual if seen else self.nominal)[step : step + self.horizon]


def names(site: Site) -> tuple[str, ...]:
    """Return the scenarios that the site asks for, in the order of the table above."""
    return tuple(name for name in BUILDERS if getattr(site.scenarios, name, None) is not None)


def timeline(site: Site, plan: Plan, start: Start, scenario: str) -> Timeline:
    """Return the timeline of a scenario."""
    return BUILDERS[scenario](site, plan, start)


def _nominal_hot(site: Site, plan: Plan, start: Start) -> Timeline:
    return _fast(site, plan, start, "nominal_hot", None)


def _cdu_pump_trip(site: Site, plan: Plan, start: Start) -> Timeline:
    scenario = site.scenarios.cdu_pump_trip
    cdu = catalogue.build(site, "cdu", plan.sizes["cdu"].card)

    def fault(time_s: Vector, actual: Vector) -> None:
        actual[:, _column(start, "cdu_available")] = _lower_end(cdu.pump_availability, time_s - scenario.at_s, site.clock.step_s)

    return _fast(site, plan, start, "cdu_pump_trip", fault)


def _job_abort_restart(site: Site, plan: Plan, start: Start) -> Timeline:
    scenario = site.scenarios.job_abort_restart
    job = scenario.job or max(site.jobs, key=lambda name: site.jobs[name].racks)

    def fault(time_s: Vector, actual: Vector) -> None:
        gone = (time_s >= scenario.at_s - 1e-9) & (time_s < scenario.at_s + scenario.off_s - 1e-9)
        actual[gone, _column(start, f"{group(job, 0)}.level_pu")] = site.jobs[job].idle_pu

    return _fast(site, plan, start, "job_abort_restart", fault)


def _chiller_trip(site: Site, plan: Plan, start: Start) -> Timeline:
    scenario = site.scenarios.chiller_trip
    step_s = SLOW_STEP_S
    steps = round(scenario.duration_s / step_s)
    rows = steps + SLOW_HORIZON
    nominal = np.tile(start.d, (rows, 1))
    actual = nominal.copy()
    running = start.d[_column(start, "chillers_on")]
    lost = running if scenario.units == "all" else min(float(scenario.units), running)

    def availability(since_s: float) -> float:
        back = 1.0 if since_s < 0 else min(max((since_s - scenario.off_s) / scenario.reload_s, 0.0), 1.0)
        return 1.0 - (1.0 - back) * (lost / running if running else 1.0)

    since_s = np.arange(rows) * step_s - scenario.at_s
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


def group(job: str, copy: int) -> str:
    """Return the plant's name of one job copy's racks."""
    return f"{job}_{copy}"


def _fast(site: Site, plan: Plan, start: Start, name: str, fault: Callable[[Vector, Vector], None] | None) -> Timeline:
    """Return a timeline on the clock's step with the schedule's waveforms and the plan's storage dispatch."""
    step_s = site.clock.step_s
    horizon = int(np.clip(round(FAST_HORIZON_S / step_s), *FAST_HORIZON))
    steps = round(getattr(site.scenarios, name).duration_s / step_s)
    rows = steps + horizon
    nominal = np.tile(start.d, (rows, 1))
    for (job, copy), level in workload.levels(site, plan.schedule).items():
        nominal[:, _column(start, f"{group(job, copy)}.level_pu")] = np.resize(level, rows)
    controls, states = np.tile(start.u, (rows, 1)), np.tile(start.x, (rows, 1))
    for column, array, names in (
        ("charge_mw", controls, start.stack.controls), ("discharge_mw", controls, start.stack.controls),
        ("soc_mwh", states, start.stack.states),
    ):  # fmt: skip
        series = np.asarray(plan.dispatch[column])
        shift = 1 if column == "soc_mwh" else 0  # the programme refers to the state at a step's end
        place = names.index("storage_mwh" if shift else column)
        array[:, place] = np.resize(np.roll(series, -shift), rows)
    actual = nominal.copy()
    if fault is not None:
        fault(np.arange(rows) * step_s, actual)
    return Timeline(name, step_s, steps, horizon, _first_change(nominal, actual), nominal, actual, controls, states)


def _column(start: Start, name: str) -> int:
    return start.stack.disturbances.index(name)


def _lower_end(share: Callable[[float], float], time_s: Vector, step_s: float) -> Vector:
    """Return a share's lower value at each step's two ends; what happens at a step's end belongs to the next step."""
    just = 1e-9 * step_s
    return np.array([min(share(float(t) + just), share(float(t) + step_s - just)) for t in time_s])


def _first_change(nominal: Vector, actual: Vector) -> int | None:
    changed = np.flatnonzero((nominal != actual).any(axis=1))
    return int(changed[0]) if len(changed) else None
