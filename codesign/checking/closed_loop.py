"""The closed loop: controller against integrated plant, step by step; records what the judges read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from codesign.checking.controller import Controller, Move
from codesign.checking.integrate import IntegrationError, Integrator, Interval
from codesign.checking.ocp import Data
from codesign.checking.rule import Meter, RangeRule, Recorded
from codesign.checking.scenarios import Timeline
from codesign.checking.stack import Vector
from codesign.checking.steady import Start
from codesign.timing import spent


@dataclass(frozen=True, slots=True)
class Run:
    """A closed loop's record: one interval, move, control and disturbance row a step."""

    status: str
    intervals: tuple[Interval, ...]
    controls: Vector
    disturbances: Vector
    moves: tuple[Move, ...]

    @property
    def starts(self) -> Vector:
        """States at every step's start, and the last interval's end."""
        return np.array([interval.states[0] for interval in self.intervals] + [self.intervals[-1].end])


@spent("check")
def run(
    start: Start, line: Timeline, controller: Controller, integrator: Integrator, rule: RangeRule | None,
    progress: Callable[[int, int], None] | None = None,
) -> Run:  # fmt: skip
    """Run a timeline; ends early, and says so, where the integrator gives up."""
    stack, x, last_u, scales = start.stack, start.x, start.u, start.stack.scales(start.p)
    meter = Meter(rule, line.step_s) if rule is not None else None
    intervals: list[Interval] = []
    controls: list[Vector] = []
    moves: list[Move] = []
    status = "complete"
    controller.forget()
    for k in range(line.steps):
        known, d = line.known(k), line.actual[k]
        if meter is not None and k == 0:
            first = stack.output_of(meter.rule.output, x, line.control_reference[0], known[0], start.p)
            meter.rest(float(first))
        recorded = meter.recorded if meter is not None else Recorded()
        data = Data(x, start.p, scales, known, *line.references(k), last_u, recorded, line.holds(k))
        move = controller.move(data)
        u = controller.obey(move.controls[0], last_u, d, start.p)
        moves.append(move)
        if meter is not None:
            meter.add(float(stack.output_of(meter.rule.output, x, u, d, start.p)))
        try:
            interval = integrator.run(x, u, d, start.p)
        except IntegrationError as error:
            status = f"integration failed at {k * line.step_s:g} s: {error}"
            break
        intervals.append(interval)
        controls.append(u)
        x, last_u = interval.end, u
        if progress is not None:
            progress(k + 1, line.steps)
    return Run(status, tuple(intervals), np.array(controls), line.actual[: len(controls)], tuple(moves))
