"""What a size would change: the elastic margin oracle of one limit in one scenario, and its multipliers.

max t  s.t. the controller's rows, every other limit elastic (exact penalty, beyond what the recorded run
itself broke), and the target's rows h/sh + t <= 0; from the recorded state at the fault (or LEAD_STEPS before
the worst instant, when that lies far behind it), with the disturbances as they came. Sizes and start are
parameters, so that for the programme's value v = -f: dv/dp = +lam_p (CasADi's sign; a test compares with
finite differences). A start that is a share of a size moves with it (PROPORTIONAL).

The oracle knows the whole course and has one Radau stage: its value is not a margin; its slopes serve
back-off cuts, which never enter a bound. Slopes of a solve that did not converge are discarded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from codesign import modes
from codesign.checking.ocp import Data, Problem
from codesign.checking.rule import Meter, RangeRule, Recorded
from codesign.checking.runs import BACK_OFF_PU, HELD, range_rule, run, tracked
from codesign.checking.scenarios import Timeline, timeline
from codesign.checking.solver import PRECISE, Solution, Solver
from codesign.checking.stack import Vector
from codesign.checking.steady import Start, start
from codesign.design import Plan, ScenarioResult
from codesign.site import Site

LEAD_STEPS, TAIL_STEPS, MOST_STEPS = 40, 20, 120
PROPORTIONAL = {"storage_mwh": "storage_energy_mwh"}  # state at the start -> the size that it is a share of


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Slopes of a margin against the plant's sizes, in the limit's unit; empty when not converged."""

    limit: str
    scenario: str
    unit: str
    value: float
    slopes: dict[str, float]
    status: str


class Oracle:
    """The programme of one limit in one scenario; solved again for other sizes by the tests."""

    def __init__(
        self, begin: Start, line: Timeline, rule: RangeRule, result: ScenarioResult, limit: str
    ) -> None:
        self.begin, self.line, self.rule, self.limit = begin, line, rule, limit
        stack = begin.stack
        worst = next(row for row in result.margins if row.limit == limit)
        last = min(line.steps, int(worst.time_s / line.step_s) + 1 + TAIL_STEPS)
        first = line.fault_step or 0
        self.first = first if first < last <= first + MOST_STEPS else max(0, last - LEAD_STEPS)
        self.steps = last - self.first
        others = {row.limit: min(row.margin, 0.0) for row in result.margins if row.limit != limit}
        self.scales = stack.scales(begin.p)
        allowed = np.array([
            others.get(row.name, 0.0) / natural - BACK_OFF_PU.get(row.unit, 0.0)
            for row, natural in zip(stack.limits, self.scales.limit, strict=True)
        ])  # fmt: skip
        relaxed = replace(rule, limit=rule.limit - others.get(rule.name, 0.0), back_off=0.0)
        self.problem = Problem(
            stack,
            self.steps,
            line.step_s,
            rule=relaxed,
            tracked=tracked(stack),
            held=HELD,
            target=limit,
            back_off=allowed,
        )
        self.solver = Solver(self.problem.symbols, self.problem.bounds, PRECISE)
        keys = [row.key for row in stack.limits if row.name == limit]
        self.scale = self.problem.natural(keys[0], self.scales) if keys else rule.scale
        self.unit = worst.unit
        self.states = np.array([result.states[name] for name in stack.states]).T
        self.controls = np.array([result.controls[name] for name in stack.controls]).T
        self.samples = result.outputs[rule.output]

    def solve(self, sizes: Vector, before: Solution | None = None) -> Solution:
        """Return the oracle's solution for sizes near the plan's."""
        data = self.data(sizes)
        guess = self.guess(data) if before is None else before.primal
        return self.solver.solve(self.problem.parameters(data), guess)

    def data(self, sizes: Vector) -> Data:
        """Return the programme's data for sizes; the start moves with the sizes that set it."""
        line, rows = self.line, slice(self.first, self.first + self.steps)
        x = self.states[self.first].copy()
        for state, size in self._moving():
            if self.begin.p[size] > 0.0:
                x[state] *= sizes[size] / self.begin.p[size]
        meter = Meter(self.rule, line.step_s)
        for sample in self.samples[: self.first]:
            meter.add(float(sample))
        if self.first == 0:
            meter.rest(float(self.samples[0]))
        last = self.controls[max(0, self.first - 1)] if self.first else self.begin.u
        recorded = meter.recorded if self.problem.rule is not None else Recorded()
        references = line.references(self.first, self.steps)
        held = line.holds(self.first)
        return Data(x, sizes, self.scales, line.actual[rows], *references, last, recorded, held)

    def guess(self, data: Data) -> Vector:
        """Return a start: the recorded run."""
        problem, scales = self.problem, self.scales
        w = problem.guess(data)
        for k in range(self.steps):
            w[problem.at_u[k]] = self.controls[self.first + k] / scales.control
            w[problem.at_x[k]] = self.states[self.first + k + 1] / scales.state
        return w

    def slopes(self, solution: Solution) -> dict[str, float]:
        """Return d margin / d size, in the limit's own unit."""
        lam = solution.lam_p * self.scale
        sizes, states = lam[self.problem.given["sizes"]].copy(), lam[self.problem.given["start"]]
        for state, size in self._moving():
            if self.begin.p[size] > 0.0:
                sizes[size] += states[state] * self.states[self.first][state] / self.begin.p[size]
        return dict(zip(self.begin.stack.sizes, (float(value) for value in sizes), strict=True))

    def _moving(self) -> list[tuple[int, int]]:
        stack = self.begin.stack
        return [
            (stack.states.index(state), stack.sizes.index(size))
            for state, size in PROPORTIONAL.items() if state in stack.states and size in stack.sizes
        ]  # fmt: skip


def sensitivities(
    site: Site, plan: Plan, scenario: str, limit: str, result: ScenarioResult | None = None
) -> Sensitivity:
    """Return the slopes of a limit's margin in a scenario, which is run where no result is given."""
    site, plan = modes.plan_as_run(site, plan)
    result = run(site, plan, scenario) if result is None else result
    begin = start(site, plan, result.hour)
    oracle = Oracle(begin, timeline(site, plan, begin, scenario), range_rule(site), result, limit)
    solution = oracle.solve(begin.p)
    slopes = oracle.slopes(solution) if solution.solved else {}
    return Sensitivity(limit, scenario, oracle.unit, -solution.value * oracle.scale, slopes, solution.status)
