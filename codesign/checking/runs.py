"""One scenario from start to verdict."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np

from codesign import window
from codesign.checking import closed_loop, margins
from codesign.checking.controller import Controller
from codesign.checking.integrate import Integrator
from codesign.checking.ocp import Problem
from codesign.checking.rule import RangeRule
from codesign.checking.scenarios import Timeline, timeline
from codesign.checking.stack import Stack, Vector
from codesign.checking.steady import Start, start
from codesign.design import Plan, ScenarioResult, Table
from codesign.site import Site

Progress = Callable[[str, int, int], None]  # scenario, steps done, steps

BACK_OFF_PU = {"k": 0.1, "c": 0.1, "mw": 0.02, "kw": 0.01, "l_per_min": 0.15}
"""What the controller keeps off a limit for its own model's error, of its natural size, by its unit.

Radau-1 against CVODES, measured: 0.13-0.45 K on junctions (largest while flows move), 1.4 l/min of 130.
Powers follow at once; stored energy is linear in them: exact.
"""

BEYOND_K = 1e-3  # an input this near the end of its range is inside
HELD = ("storage_mwh",)
"""States whose planned course is held before an event: from each of its points the plan takes in a stop."""
RANGE_BACK_OFF_PU = 1e-3  # of the range rule's limit: a sample is known exactly when its step is decided


def run(
    site: Site, plan: Plan, scenario: str, *, log: bool = False, progress: Progress | None = None
) -> ScenarioResult:
    """Run one scenario in closed loop and judge it."""
    begin = start(site, plan)
    line, rule = timeline(site, plan, begin, scenario), range_rule(site)
    begin = _begun(site, plan, begin, line)
    tell = None if progress is None else partial(progress, scenario)
    controller, integrator = _machines(begin.stack, line.horizon, line.step_s, rule)
    record = closed_loop.run(begin, line, controller, integrator, rule, tell)
    if log:
        for step, move in enumerate(record.moves):
            slack = " ".join(f"{key}@{stage}:{most:.3g}" for key, (stage, most) in move.unmet.items())
            text = (
                f"{scenario} {step * line.step_s:g} s {move.kind} {move.iterations} it {move.status} {slack}"
            )
            print(text, file=sys.stderr)
    return judge(begin, line, rule, record)


@lru_cache(maxsize=4)
def _machines(
    stack: Stack, horizon: int, step_s: float, rule: RangeRule | None
) -> tuple[Controller, Integrator]:
    """Return controller and integrator, kept: one step and horizon have the same, for any sizes."""
    return Controller(problem(stack, horizon, step_s, rule)), Integrator(stack, step_s)


def problem(stack: Stack, horizon: int, step_s: float, rule: RangeRule | None, order: int = 1) -> Problem:
    """Return the controller's programme."""
    back_off = np.array([0.0 if limit.hard else BACK_OFF_PU.get(limit.unit, 0.0) for limit in stack.limits])
    return Problem(
        stack, horizon, step_s, rule=rule, order=order, back_off=back_off, tracked=tracked(stack), held=HELD
    )


def tracked(stack: Stack) -> list[str]:
    """Return the states that are pulled to the plan: those of the whole plant, not those of racks.

    The rule's filter is left out: it measures. Pulled to the mean load it made storage charge whenever the
    load was low, until it was full (a hall of 20 MW: from half to full in 40 s).
    """
    return [name for name in stack.states if "." not in name and not name.startswith("filter")]


def range_rule(site: Site) -> RangeRule:
    """Return the site's window rule at the POI; without one its window holds no step."""
    return RangeRule(
        name="poi_window", place="poi", output="poi_mw", unit="mw", limit=window.limit_mw(site),
        window_s=site.poi.window_s, high_pass_hz=site.poi.band_hz[0],
        sections=site.poi.filter_order, back_off=RANGE_BACK_OFF_PU * window.limit_mw(site),
    )  # fmt: skip


def _begun(site: Site, plan: Plan, begin: Start, line: Timeline) -> Start:
    """Return the start with the energy that the plan has stored where the run begins."""
    if line.stop is None:
        return begin
    x = begin.x.copy()
    slot = round(line.stop.begins_s / site.clock.step_s)
    x[begin.stack.states.index("storage_mwh")] = float(plan.dispatch["soc_mwh"][slot])
    return replace(begin, x=x)


def judge(begin: Start, line: Timeline, rule: RangeRule, record: closed_loop.Run) -> ScenarioResult:
    """Return the trajectory with every margin, the heat balance and what the record says of the solves."""
    stack, u, d = begin.stack, record.controls, record.disturbances
    states, rows = record.starts, np.minimum(np.arange(len(u) + 1), len(u) - 1)
    outputs = stack.evaluate(stack.output, states, u[rows], d[rows], begin.p)
    samples = outputs[:-1, stack.outputs.index(rule.output)]
    rows_of_limits = margins.integrated(stack, line.id, line.step_s, record.intervals, u, d, begin.p)
    looks = rule.lags(line.step_s) >= 1
    waveform = (margins.waveform(rule, line.id, line.step_s, samples),) if looks else ()
    return ScenarioResult(
        id=line.id, hour=begin.hour, status=record.status,
        time_s=tuple(float(k * line.step_s) for k in range(len(states))),
        states=_table(stack.states, states), controls=_table(stack.controls, u[rows]),
        disturbances=_table(stack.disturbances, d[rows]), outputs=_table(stack.outputs, outputs),
        margins=(*rows_of_limits, *waveform),
        out_of_range=_held(stack, states, d[rows]),
        energy_residual_pu=margins.energy_residual_pu(stack, record.intervals, u, d, begin.p),
        failed_solves=sum(move.kind == "held" for move in record.moves), stop=line.stop,
    )  # fmt: skip


def _held(stack: Stack, states: Vector, disturbances: Vector) -> dict[str, int]:
    """Return at how many steps a component's input was beyond its range."""
    count: dict[str, int] = {}
    for x, d in zip(states.tolist(), disturbances.tolist(), strict=True):
        beyond = stack.plant.out_of_range(
            dict(zip(stack.states, x, strict=True)), dict(zip(stack.disturbances, d, strict=True))
        )
        for name, excess in beyond.items():
            count[name] = count.get(name, 0) + (abs(excess) > BEYOND_K)
    return {name: steps for name, steps in count.items() if steps}


def _table(names: tuple[str, ...], values: Vector) -> Table:
    return Table({name: values[:, i] for i, name in enumerate(names)})
