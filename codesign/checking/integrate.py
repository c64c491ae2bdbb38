"""The judge's integrator: CVODES on the plant's own rates; knows no controller and no optimal control
problem.

Tolerances 1e-9, relative and of the states' natural sizes; dense output every step/20 or every 0.05 s,
whichever is longer, both ends included. The net heat and the heat that enters are integrated as quadratures
beside the states, under the same error control.
"""

from __future__ import annotations

from dataclasses import dataclass

import casadi as ca
import numpy as np

from codesign.checking.stack import Stack, Vector
from codesign.timing import spent

RELATIVE, ABSOLUTE = 1e-9, 1e-9
LEAST_POINTS, FINEST_S = 20, 0.05


class IntegrationError(RuntimeError):
    """CVODES gave up inside an interval."""


@dataclass(frozen=True, slots=True)
class Interval:
    """One interval of constant controls and disturbances: dense states, one row a time, and its heat."""

    times_s: Vector
    states: Vector
    net_heat_kj: float
    heat_kj: float

    @property
    def end(self) -> Vector:
        return self.states[-1]


class Integrator:
    """Integrate a stack over one step."""

    def __init__(self, stack: Stack, step_s: float) -> None:
        self.stack = stack
        self.points = max(1, min(LEAST_POINTS, round(step_s / FINEST_S)))
        self.times_s = np.linspace(0.0, step_s, self.points + 1)
        counts = [len(names) for names in (stack.states, stack.controls, stack.disturbances, stack.sizes)]
        x, u, d, p = (ca.SX.sym(letter, count) for letter, count in zip("xudp", counts, strict=True))
        sx, sq = ca.SX.sym("sx", counts[0]), ca.SX.sym("sq")
        rate, heat = stack.rate(x * sx, u, d, p) / sx, stack.heat(x * sx, u, d, p) / sq
        given = {"x": x, "p": ca.vertcat(u, d, p, sx, sq), "ode": rate, "quad": heat}
        options = {"reltol": RELATIVE, "abstol": ABSOLUTE, "quad_err_con": True, "max_num_steps": 100_000}
        self.step = ca.integrator("judge", "cvodes", given, 0.0, list(self.times_s[1:]), options)

    def run(self, x: Vector, u: Vector, d: Vector, p: Vector) -> Interval:
        """Return the interval that starts at x; raises IntegrationError."""
        scales = self.stack.scales(p)
        given = np.concatenate([u, d, p, scales.state, [scales.heat_kw]])
        try:
            with spent("integrate"):
                out = self.step(x0=x / scales.state, p=given)
        except RuntimeError as error:
            raise IntegrationError(str(error).splitlines()[-1]) from None
        states = np.vstack([x, np.array(out["xf"]).T * scales.state])
        if not np.isfinite(states).all():
            raise IntegrationError("a state is not finite")
        heat = np.array(out["qf"]) * scales.heat_kw
        return Interval(self.times_s, states, float(heat[0, -1]), float(heat[1, -1]))
