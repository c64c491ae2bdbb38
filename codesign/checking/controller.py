"""The controller: model predictive, warm started, with a recorded fallback; it always answers.

warm solve -> cold solve -> the tail of the last accepted moves (their last one held). Every status is kept.
A solve that leaves slack checks that it had to: the programme is solved again with next to nothing but its
penalties (RELAXED of the tracking cost); where that leaves less, it is obeyed, and its status says so.
The slacks of the solve that is obeyed name the limit, the time and the amount that no admissible control
avoids in the model's eyes; margins are the judge's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from codesign.checking.ocp import Data, Problem
from codesign.checking.solver import Solution, Solver
from codesign.checking.stack import Vector

SHRINK = (1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1.0)  # shares taken off, one after another, until obeyed
RELAXED = 1e-3  # share of the tracking cost in the solve that asks whether a slack had to be
AVOIDED = 1e-2  # share of the penalties by which that solve must be better to be obeyed
MET = 1e-6  # slack below this share of a limit's natural size counts as none


@dataclass(frozen=True, slots=True)
class Move:
    """Controls for the coming steps, one row a step, and how they came about."""

    controls: Vector
    kind: str  # "warm", "cold" or "held"
    status: str
    iterations: int
    unmet: dict[str, tuple[int, float]]  # limit -> first stage with slack, largest slack in the limit's unit


class Controller:
    """Owns the solver and the memory of the last accepted solution."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.solver = problem, Solver(problem.symbols, problem.bounds)
        self.last: Solution | None = None
        self.age, self.least = 0, 0.0

    def forget(self) -> None:
        """Drop the memory: another run starts."""
        self.last, self.age, self.least = None, 0, 0.0

    def move(self, data: Data) -> Move:
        """Return the controls from `data.start` on; one step has passed since the last call."""
        self.age += 1
        parameters = self.problem.parameters(data)
        statuses, iterations = [], 0
        if self.last is not None:
            before = self.problem.shifted(self.last, self.age)
            solution = self.solver.solve(parameters, before.primal, before)
            statuses.append(solution.status)
            iterations += solution.iterations
            if solution.solved:
                return self._accept(data, solution, "warm", statuses, iterations)
        solution = self.solver.solve(parameters, self.problem.guess(data))
        statuses.append(solution.status)
        iterations += solution.iterations
        if solution.solved:
            return self._accept(data, solution, "cold", statuses, iterations)
        if self.last is None:
            held = data.control_reference
        else:
            controls = self.problem.controls(self.last.primal, data.scales)
            held = controls[np.minimum(np.arange(self.problem.horizon) + self.age, self.problem.horizon - 1)]
        return Move(held, "held", " > ".join(statuses), iterations, {})

    def _accept(
        self, data: Data, solution: Solution, kind: str, statuses: list[str], iterations: int
    ) -> Move:
        problem, price = self.problem, self.problem.penalty(solution.primal)
        slack = self._slack(solution)
        if slack and price > (1 + AVOIDED) * self.least:  # more than the step before proved to be needed
            again = self._relaxed(data, solution)
            iterations += again.iterations
            if again.solved and problem.penalty(again.primal) < (1 - AVOIDED) * price:
                solution, price = again, problem.penalty(again.primal)
                statuses = [*statuses, f"avoidable {again.status}"]
        self.least = price if slack else 0.0
        self.last, self.age = solution, 0
        unmet = {
            key: (stage, most * problem.natural(key, data.scales))
            for key, (stage, most) in self._slack(solution).items()
        }
        controls = problem.controls(solution.primal, data.scales)
        return Move(controls, kind, " > ".join(statuses), iterations, unmet)

    def _slack(self, solution: Solution) -> dict[str, tuple[int, float]]:
        """Return by limit the first stage with slack and the largest slack, in its natural size."""
        found = {}
        for key, slack in self.problem.slacks(solution.primal).items():
            stages = np.flatnonzero(slack > MET)
            if len(stages):
                found[key] = (int(stages[0]), float(slack.max()))
        return found

    def _relaxed(self, data: Data, before: Solution) -> Solution:
        """Solve again, from a solution that has slack, for the least penalties."""
        parameters = self.problem.parameters(replace(data, tracking=RELAXED))
        warm = self.solver.solve(parameters, before.primal, before)
        return warm if warm.solved else self.solver.solve(parameters, before.primal)

    def obey(self, u: Vector, before: Vector, d: Vector, p: Vector) -> Vector:
        """Return controls that no machine refuses: within ramps, one of a pair, cut by the least share."""
        stack, slow, u = self.problem.stack, self.problem.stack.slow, u.copy()
        most = np.array(stack.ramp(p)).ravel() * self.problem.step_s
        u[slow] = np.clip(u[slow], before[slow] - most, before[slow] + most)
        u = np.clip(u, stack.control_low, stack.control_high)
        for i, j in stack.exclusive:
            u[i], u[j] = max(u[i] - u[j], 0.0), max(u[j] - u[i], 0.0)
        for share in SHRINK:
            excess = np.array(stack.limit(np.zeros(len(stack.states)), u, d, p)).ravel()
            bounds = [i for i, limit in enumerate(stack.limits) if limit.hard and limit.cut]
            over = [i for i in bounds if excess[i] > 0.0]
            if not over:
                break
            u = np.where(stack.acts[over].any(axis=0), u * (1.0 - share), u)
        return u
