"""IPOPT with MUMPS on a programme: cold, or warm from the last solution's variables and multipliers.

Warm starts carry the multipliers, with a small barrier and small pushes off the bounds; MUMPS does not
permute or scale, since the programme is scaled by hand. Measured, not derived.

A law that holds its input at the end of a range has a kink there, on which a solve may step to and fro: it is
accepted after four iterations within 1e-4 (scaled), and its status says so. Slopes take no such solution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import casadi as ca
import numpy as np

from codesign import stopping
from codesign.checking.stack import Vector
from codesign.timing import spent

COLD: dict[str, Any] = {
    "print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes", "ipopt.bound_relax_factor": 0.0,
    "ipopt.mumps_permuting_scaling": 0, "ipopt.mumps_scaling": 0, "ipopt.max_iter": 300, "ipopt.tol": 1e-7,
    "ipopt.acceptable_tol": 1e-4, "ipopt.acceptable_iter": 4, "ipopt.acceptable_constr_viol_tol": 1e-4,
    "ipopt.acceptable_compl_inf_tol": 1e-4,
}  # fmt: skip
WARM: dict[str, Any] = {
    **COLD, "ipopt.tol": 1e-5, "ipopt.max_iter": 50,
    "ipopt.warm_start_init_point": "yes", "ipopt.mu_init": 1e-6,
    "ipopt.warm_start_bound_push": 1e-8, "ipopt.warm_start_bound_frac": 1e-8,
    "ipopt.warm_start_slack_bound_push": 1e-8, "ipopt.warm_start_slack_bound_frac": 1e-8,
    "ipopt.warm_start_mult_bound_push": 1e-8,
}  # fmt: skip
PRECISE: dict[str, Any] = {
    **COLD, "ipopt.tol": 1e-8, "ipopt.acceptable_tol": 1e-6, "ipopt.acceptable_iter": 15,
    "ipopt.max_iter": 500,
}  # fmt: skip
SOLVED = ("Solve_Succeeded", "Solved_To_Acceptable_Level")


@dataclass(frozen=True, slots=True)
class Solution:
    """A solve's answer; `primal` and the multipliers are scaled and in the programme's own order."""

    status: str
    iterations: int
    value: float
    primal: Vector
    lam_x: Vector
    lam_g: Vector
    lam_p: Vector

    @property
    def solved(self) -> bool:
        return self.status in SOLVED


class _Asked(ca.Callback):
    """Ends a solve, between two of its iterations, once the limits of the work say so."""

    def __init__(self, columns: int, rows: int, given: int) -> None:
        ca.Callback.__init__(self)
        self.sizes = {"x": columns, "f": 1, "g": rows, "lam_x": columns, "lam_g": rows, "lam_p": given}
        self.construct("asked", {})

    def get_n_in(self) -> int:
        return int(ca.nlpsol_n_out())

    def get_n_out(self) -> int:
        return 1

    def get_sparsity_in(self, index: int) -> Any:
        return ca.Sparsity.dense(self.sizes[ca.nlpsol_out(index)], 1)

    def eval(self, arguments: Any) -> list[int]:
        return [int(stopping.asked() is not None)]


class Solver:
    """A programme's solvers, cold and warm, from the same derivatives."""

    @spent("check")
    def __init__(
        self, symbols: Mapping[str, ca.SX], bounds: Mapping[str, Vector], options: Mapping[str, Any] = COLD
    ) -> None:
        self.bounds = bounds
        columns, rows, given = (symbols[key].numel() for key in ("x", "g", "p"))
        self.asked = _Asked(columns, rows, given)
        self.cold = ca.nlpsol("cold", "ipopt", symbols, {**options, "iteration_callback": self.asked})
        shared = {"jac_g": "nlp_jac_g", "grad_f": "nlp_grad_f", "hess_lag": "nlp_hess_l"}
        again = {key: self.cold.get_function(name) for key, name in shared.items()}
        self.warm = ca.nlpsol("warm", "ipopt", symbols, {**WARM, **again})

    def solve(self, parameters: Vector, guess: Vector, before: Solution | None = None) -> Solution:
        """Solve from a guess; with a solution `before`, start from its multipliers too.

        Raises StoppedError where the limits of the work say so: before the solve, or in a long (cold) one.
        """
        stopping.heed()
        function, start = self.cold, {"x0": guess}
        if before is not None:
            function, start = self.warm, {"x0": guess, "lam_x0": before.lam_x, "lam_g0": before.lam_g}
        with spent("nlp"):
            out = function(p=parameters, **start, **self.bounds)
        stats = function.stats()
        if stats["return_status"] == "User_Requested_Stop":
            stopping.heed()
        flat = {key: np.array(value).ravel() for key, value in out.items()}
        return Solution(
            stats["return_status"], int(stats["iter_count"]), float(flat["f"][0]), flat["x"], flat["lam_x"],
            flat["lam_g"], flat["lam_p"],
        )  # fmt: skip
