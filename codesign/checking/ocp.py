"""The optimal control problem: one nonlinear programme a plant, horizon and step; all data are parameters.

min   sum_k  W_U |(u_k - ur_k)/su|^2 + W_MOVE |(u_k - u_{k-1})/su|^2 + W_X |(x_{k+1} - xr_k)/sx|^2
             + W_PAIR u_ki u_kj/su^2 + W_REST u_ki/su, where ur_ki = 0 + W_HOLD |(e_{k+1} - er_k)/se|^2
             + RHO 1'e_k + RHO_RANGE r_k  +  PEAK RHO_RANGE max_k r_k
s.t.  x_{k+1} = x_k + dt sum_i b_i f(X_ki, u_k, d_k, p)    Radau IIA, one or two stages; the last is x_{k+1}
      h(x_k, u_k, d_k, p)/sh + back_off <= e_k             limits at both ends, exact L1 penalty
      h(x_{k+1}, u_k, d_k, p)/sh + back_off <= e_k
      h(u_k, d_k, p)/sh <= 0                               limits of the controls alone, hard
      |u_k - u_{k-1}| <= ramp dt                           slow controls, hard
      |y_j - y_i| <= R + r_j,   (j - i) dt <= window       range rule on a high-passed output and its past

su, sx, sh are natural sizes, of the site's own machines and limits: data, as sizes are. In them a programme
is the same however large its hall is, and the penalties stay above what a multiplier can be. With P the
storage's rating, R the range rule's limit and M = P + R = 40 su, a control lies at most M off its reference:
the cost's slope is at most (2 W_U + 4 W_MOVE) 40/su = 40/M a MW, and moving one filtered sample alone takes
at most 1 + N (1 - pole), about 6, moves: 240/M, or 24 for a slack of R/10; RHO_RANGE is four times that.
Temperatures: a tenth of all chillers moves a loop by 0.01-0.03 K of 5 K in a step: up to 100 against RHO.
Machines are spared before the range rule, and of what the rule cannot have, the largest slack counts more.
W_PAIR acts on the two directions of one machine, of which one is zero; it follows at once and pays no W_MOVE.
W_HOLD acts on stored energy while no event is known: a plan may keep it so that any stop can be taken in.

With a target limit the same rows make the elastic margin oracle: max t, the target's rows h/sh + t <= 0, all
others with their slacks; sizes and start are parameters: the multipliers lam_p are the sensitivities of the
margin.

The whole programme is SX, with one-stage Radau as the controller's model; whatever is printed is integrated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import casadi as ca
import numpy as np

from codesign.checking.rule import RangeRule, Recorded
from codesign.checking.solver import Solution
from codesign.checking.stack import NATURAL, PER_UNIT, Scales, Stack, Vector

RHO, RHO_RANGE = 1000.0, 100.0  # machines are spared before the range rule
PEAK = 5.0  # weight of the range rule's largest slack in a stage's: what cannot be met is levelled
W_U, W_MOVE, W_X = 1e-2, 1e-3, 1e-3
W_HOLD = 0.1  # on stored energy off its planned course while no event is known
W_REST, REST = 0.02, 1e-9  # on a control that the plan has at rest: there its square has no slope
W_PAIR = 10.0  # on the product of two controls of which one is zero
W_ORACLE, RHO_ORACLE = 1e-2, 1e-2  # shares of tracking cost and penalties beside the margin oracle's t
FAR = 1e6  # stands for "no recorded past" in the range rule
RADAU = {1: (((1.0,),),), 2: (((5 / 12, -1 / 12), (3 / 4, 1 / 4)),)}


@dataclass(frozen=True, slots=True)
class Data:
    """Everything a solve needs; one row a stage in the arrays."""

    start: Vector
    sizes: Vector
    scales: Scales
    disturbances: Vector
    control_reference: Vector
    state_reference: Vector
    last_control: Vector
    recorded: Recorded = field(default_factory=Recorded)
    held: bool = False  # whether the stored course of the plan is held: no event is known
    tracking: float = 1.0  # share of the tracking cost beside the penalties


class Problem:
    """The programme's symbols, rows and index maps; solvers are made from it once."""

    def __init__(
        self, stack: Stack, horizon: int, step_s: float, *, rule: RangeRule | None = None, order: int = 1,
        back_off: Vector | None = None, tracked: Iterable[str] | None = None, held: Iterable[str] = (),
        target: str | None = None,
    ) -> None:  # fmt: skip
        self.stack, self.horizon, self.step_s, self.order, self.target = stack, horizon, step_s, order, target
        self.rule = rule if rule is not None and rule.lags(step_s) >= 1 else None
        self.soft = [i for i, limit in enumerate(stack.limits) if not limit.hard and limit.name != target]
        self.hard = [i for i, limit in enumerate(stack.limits) if limit.hard and limit.name != target]
        self.aimed = [i for i, limit in enumerate(stack.limits) if limit.name == target]
        self.back_off = np.zeros(len(stack.limits)) if back_off is None else np.asarray(back_off)
        kept = set(stack.states if tracked is None else tracked)
        self.tracked = [i for i, name in enumerate(stack.states) if name in kept]
        self.held = [i for i, name in enumerate(stack.states) if name in set(held)]
        at_once = {i for pair in stack.exclusive for i in pair}
        self.moving = [i for i in range(len(stack.controls)) if i not in at_once]
        self._w: list[ca.SX] = []
        self._low: list[float] = []
        self._high: list[float] = []
        self._rows: list[ca.SX] = []
        self._row_low: list[float] = []
        self._labels: list[dict[str, int]] = [{} for _ in range(horizon)]
        self._cost: ca.SX = ca.SX(0)
        self._penalty: ca.SX = ca.SX(0)
        self._weights: list[tuple[slice, float]] = []
        self._build()

    def _variable(
        self, name: str, count: int, low: Any = -np.inf, high: Any = np.inf
    ) -> tuple[ca.SX, slice]:
        symbol, start = ca.SX.sym(name, count), len(self._low)
        self._w.append(symbol)
        self._low += list(np.broadcast_to(low, count))
        self._high += list(np.broadcast_to(high, count))
        return symbol, slice(start, start + count)

    def _slack(self, name: str, count: int, weight: float) -> tuple[ca.SX, slice]:
        symbol, at = self._variable(name, count, 0.0)
        self._penalty += weight * ca.sum1(symbol)
        self._weights.append((at, weight))
        return symbol, at

    def _equal(self, stage: int, name: str, row: ca.SX) -> None:
        self._row(stage, {f"{name} {i}": row[i] for i in range(row.shape[0])}, 0.0)

    def _at_most_zero(self, stage: int, rows: dict[str, ca.SX]) -> None:
        self._row(stage, rows, -np.inf)

    def _row(self, stage: int, rows: dict[str, ca.SX], low: float) -> None:
        for name, row in rows.items():
            self._labels[stage][name] = len(self._rows)
            self._rows.append(row)
            self._row_low.append(low)

    def _parameters(self) -> dict[str, ca.SX]:
        """Return the parameters' symbols by name; note where each stands in the vector."""
        s, n = self.stack, self.horizon
        nx, nu, nd = len(s.states), len(s.controls), len(s.disturbances)
        sections = self.rule.sections if self.rule else 0
        shapes = {
            "start": (nx, 1), "sizes": (len(s.sizes), 1), "sx": (nx, 1), "su": (nu, 1),
            "sh": (len(s.limits), 1), "d": (nd, n), "ur": (nu, n), "xr": (nx, n), "last": (nu, 1),
            "held": (1, 1), "tracking": (1, 1), "memory": (sections, 1), "past": (2, n if self.rule else 0),
        }  # fmt: skip
        stops = np.cumsum([0, *(rows * columns for rows, columns in shapes.values())])
        self.given = {name: slice(a, b) for name, a, b in zip(shapes, stops[:-1], stops[1:], strict=True)}
        return {name: ca.SX.sym(name, *shape) for name, shape in shapes.items()}

    def _build(self) -> None:
        s, given = self.stack, self._parameters()
        p, x, u_before = given["sizes"], given["start"], given["last"]
        self._sx, self._su, self._sh, self._hold = given["sx"], given["su"], given["sh"], given["held"]
        control_low = s.control_low / NATURAL[PER_UNIT]  # above 0 for shares alone
        control_high = s.control_high / NATURAL[PER_UNIT]  # finite for shares alone
        memory = ca.vertsplit(given["memory"]) if self.rule else []
        filtered: list[ca.SX] = []
        self.at_u: list[slice] = []
        self.at_x: list[slice] = []
        self.at_e: list[slice] = []
        self.at_range: list[slice] = []
        self.t = self._variable("t", 1)[0] if self.target else ca.SX(0)
        self.peak = self._slack("peak", 1, PEAK * RHO_RANGE)[0] if self.rule is not None else ca.SX(0)
        self._shared = len(self._low)
        for k in range(self.horizon):
            d = given["d"][:, k]
            scaled, at = self._variable(f"u{k}", len(s.controls), control_low, control_high)
            self.at_u.append(at)
            u = scaled * self._su
            after = self._step(k, x, u, d, p)
            self._ramps(k, u - u_before, s.ramp(p) * self.step_s)
            self._limits(k, x, after, u, d, p)
            if self.rule is not None:
                sample = s.output_of(self.rule.output, x, u, d, p)
                memory = self._range(k, sample, memory, given["past"], filtered)
            self._track(u - given["ur"][:, k], u - u_before, after - given["xr"][:, k])
            self._cost += W_REST * ca.dot(given["ur"][:, k] <= REST * self._su, scaled)
            for i, j in s.exclusive:
                self._penalty += W_PAIR * scaled[i] * scaled[j]
            x, u_before = after, u
        share, penalties = (W_ORACLE, RHO_ORACLE) if self.target else (given["tracking"], 1.0)
        self.symbols = {
            "x": ca.vertcat(*self._w), "f": share * self._cost - self.t + penalties * self._penalty,
            "g": ca.vertcat(*self._rows), "p": ca.vertcat(*[ca.vec(symbol) for symbol in given.values()]),
        }  # fmt: skip
        self.bounds = {
            "lbx": np.array(self._low), "ubx": np.array(self._high),
            "lbg": np.array(self._row_low), "ubg": np.zeros(len(self._row_low)),
        }  # fmt: skip

    def _track(self, off: ca.SX, change: ca.SX, miss: ca.SX) -> None:
        """Add a stage's cost: controls off their reference, their change, states off their reference."""
        pull = miss / self._sx
        self._cost += W_U * ca.sumsqr(off / self._su)
        self._cost += W_MOVE * ca.sumsqr((change / self._su)[self.moving])
        self._cost += W_X * ca.sumsqr(pull[self.tracked])
        if self.held:
            self._cost += self._hold * W_HOLD * ca.sumsqr(pull[self.held])

    def _step(self, k: int, x: ca.SX, u: ca.SX, d: ca.SX, p: ca.SX) -> ca.SX:
        """Add one Radau IIA step from x; return its end."""
        s, (table,) = self.stack, RADAU[self.order]
        points = []
        for i in range(self.order):
            scaled, at = self._variable(f"x{k}_{i}", len(s.states))
            points.append(scaled * self._sx)
        self.at_x.append(at)
        rates = [s.rate(point, u, d, p) for point in points]
        for i, (point, row) in enumerate(zip(points, table, strict=True)):
            moved = sum((b * rate for b, rate in zip(row, rates, strict=True)), ca.SX.zeros(len(s.states)))
            self._equal(k, f"step {i}", (point - x - self.step_s * moved) / self._sx)
        return points[-1]

    def _ramps(self, k: int, change: ca.SX, most: ca.SX) -> None:
        """Add the slow controls' largest change, up and down."""
        for j, i in enumerate(self.stack.slow):
            name, scale = self.stack.controls[i], self._su[i]
            up, down = (change[i] - most[j]) / scale, (-change[i] - most[j]) / scale
            self._at_most_zero(k, {f"{name} up": up, f"{name} down": down})

    def _limits(self, k: int, x: ca.SX, after: ca.SX, u: ca.SX, d: ca.SX, p: ca.SX) -> None:
        """Add the limits at both ends of the interval; at the given start those that the controls act on."""
        limits = self.stack.limits
        e, at = self._slack(f"e{k}", len(self.soft), RHO)
        self.at_e.append(at)
        for end, point in enumerate((x, after)):
            value = self.stack.limit(point, u, d, p) / self._sh

            def imposed(i: int, end: int = end) -> bool:
                return end == 0 if limits[i].hard else end == 1 or k > 0 or limits[i].steerable

            rows = {
                i: value[i] + self.back_off[i] - e[j]
                for j, i in enumerate(self.soft)
                if imposed(i)
            }
            rows |= {i: value[i] for i in self.hard if imposed(i)}
            rows |= {i: value[i] + self.t for i in self.aimed if imposed(i)}
            self._at_most_zero(k, {f"{limits[i].key} {end}": row for i, row in rows.items()})

    def _range(
        self, k: int, sample: ca.SX, memory: list[Any], past: ca.SX, filtered: list[ca.SX]
    ) -> list[Any]:
        """Add the range rule's rows of stage k against every stage and recorded sample inside the window."""
        rule = self.rule
        assert rule is not None
        after, value = rule.advance(memory, sample, rule.pole(self.step_s))
        y, _ = self._variable(f"y{k}", 1)
        kept, _ = self._variable(f"m{k}", rule.sections)
        self._equal(k, rule.name, ca.vertcat(y - value / rule.scale, kept - ca.vertcat(*after) / rule.scale))
        aimed = rule.name == self.target
        e, at = (self.t, slice(0, 0)) if aimed else self._slack(f"r{k}", 1, RHO_RANGE)
        self.at_range.append(at)
        self._at_most_zero(k, {} if aimed else {f"{rule.name} peak": e - self.peak})
        allowed = (rule.limit - rule.back_off) / rule.scale + (-e if aimed else e)
        rows = {"lowest": y - past[0, k] / rule.scale, "highest": past[1, k] / rule.scale - y}
        for lag, earlier in enumerate(reversed(filtered[-rule.lags(self.step_s) :]), start=1):
            rows |= {f"up {lag}": y - earlier, f"down {lag}": earlier - y}
        self._at_most_zero(k, {f"{rule.name} {name}": row - allowed for name, row in rows.items()})
        filtered.append(y)
        return [kept[i] * rule.scale for i in range(rule.sections)]

    def parameters(self, data: Data) -> Vector:
        """Return the parameter vector; of the range rule's past, each stage's extremes."""
        sizes = data.scales
        parts = [data.start, data.sizes, sizes.state, sizes.control, sizes.limit, data.disturbances,
                 data.control_reference, data.state_reference, data.last_control, data.held, data.tracking]
        flat = [np.asarray(part, dtype=float).ravel() for part in parts]
        if self.rule is not None:
            samples = data.recorded.samples
            back = [max(0, self.rule.lags(self.step_s) - k) for k in range(self.horizon)]
            inside = [samples[max(0, len(samples) - lags) :] if lags else () for lags in back]
            flat.append(np.array(data.recorded.memory))
            flat.append(
                np.array([[min(part, default=FAR), max(part, default=-FAR)] for part in inside]).ravel()
            )
        return np.concatenate(flat)

    def guess(self, data: Data) -> Vector:
        """Return a start: the state held, the controls at their reference, no slack."""
        w = np.zeros(len(self._low))
        for k in range(self.horizon):
            w[self.at_u[k]] = data.control_reference[k] / data.scales.control
            for i in range(self.order):
                at = self.at_x[k]
                shift = (self.order - 1 - i) * len(self.stack.states)
                w[at.start - shift : at.stop - shift] = data.start / data.scales.state
        return w

    def shifted(self, solution: Solution, steps: int) -> Solution:
        """Return a solution `steps` stages on, its last stage repeated; rows without a partner get zero."""
        source = np.minimum(np.arange(self.horizon) + steps, self.horizon - 1)
        stages = np.arange(self._shared, len(self._low)).reshape(self.horizon, -1)
        moved = np.concatenate([np.arange(self._shared), stages[source].ravel()])
        lam_g = np.zeros_like(solution.lam_g)
        for k, j in enumerate(source):
            pairs = [
                (row, self._labels[j][name])
                for name, row in self._labels[k].items()
                if name in self._labels[j]
            ]
            rows, origins = zip(*pairs, strict=True)  # every stage has its step's rows
            lam_g[list(rows)] = solution.lam_g[list(origins)]
        return replace(solution, primal=solution.primal[moved], lam_x=solution.lam_x[moved], lam_g=lam_g)

    def controls(self, primal: Vector, scales: Scales) -> Vector:
        return np.array([primal[at] for at in self.at_u]) * scales.control

    def states(self, primal: Vector, scales: Scales) -> Vector:
        return np.array([primal[at] for at in self.at_x]) * scales.state

    def penalty(self, primal: Vector) -> float:
        """Return the penalties of all slacks, as the programme weighs them."""
        return float(sum(weight * primal[at].sum() for at, weight in self._weights))

    def slacks(self, primal: Vector) -> dict[str, Vector]:
        """Return each limit's slack by stage, in its natural size."""
        values = np.array([primal[at] for at in self.at_e]).reshape(self.horizon, len(self.soft))
        named = {self.stack.limits[i].key: values[:, j] for j, i in enumerate(self.soft)}
        if self.rule is not None and self.rule.name != self.target:
            named[self.rule.name] = np.array([primal[at] for at in self.at_range]).ravel()
        return named

    def natural(self, key: str, scales: Scales) -> float:
        """Return the natural size of a limit or of the range rule, in its own unit."""
        if self.rule is not None and key == self.rule.name:
            return self.rule.scale
        return float(next(scales.limit[i] for i, row in enumerate(self.stack.limits) if row.key == key))
