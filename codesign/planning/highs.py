"""The bridge to HiGHS: a Pyomo model is compiled to standard form and passed as arrays.

Every status is checked before a value is read, names travel with rows and columns, a MIP start may be given,
and the dual bound is read back. Coefficients below `DROP` are dropped: HiGHS answers them with a warning
(cosines of 1e-17 are enough).
"""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import highspy
import numpy as np
import pyomo.environ as pyo
from pyomo.common.errors import InfeasibleConstraintException
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

from codesign import stopping
from codesign.errors import SolverError
from codesign.timing import spent

LARGE = 20_000
"""Rows from which a linear programme goes to the interior point method."""
DROP = 1.001e-9
"""Coefficients below this absolute value are dropped (models are scaled to 1e-4 .. 1e4)."""
CANARY = 9.0
"""The known optimum of the model that every process solves first."""


class Status(enum.Enum):
    """What HiGHS proved."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    TIME_LIMIT = "time_limit"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Solution:
    """Outcome of one solve; `values` is None where no feasible point is known.

    Attributes
    ----------
    objective, bound
        Primal and dual objective in the unit of the model; `bound` is -inf where nothing was proven.
    values
        id of the Pyomo variable -> value; `by_name` the same by name (a start for a model built alike).
    """

    status: Status
    objective: float
    bound: float
    values: Mapping[int, float] | None
    by_name: Mapping[str, float]
    seconds: float

    def __getitem__(self, variable: pyo.Var) -> float:
        if self.values is None:
            raise SolverError(
                f"no value of {variable.name}: the model has no feasible point ({self.status.value})"
            )
        return self.values[id(variable)]


def checked(status: highspy.HighsStatus, call: str) -> None:
    """Raise where a HiGHS call did not answer kOk."""
    if status != highspy.HighsStatus.kOk:
        raise SolverError(f"HiGHS {call} answered {status.name}")


@spent("build")
def compiled(model: pyo.ConcreteModel) -> tuple[highspy.HighsLp, list[pyo.Var]]:
    """Return the arrays of a linear Pyomo model and its variables in column order."""
    form = LinearStandardFormCompiler().write(model, mixed_form=True, set_sense=None)
    lower, upper = _row_bounds(form)
    variables = list(form.columns)
    matrix = form.A.tocsc()
    matrix.data[np.abs(matrix.data) < DROP] = 0.0
    matrix.eliminate_zeros()
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(variables), len(form.rows)
    lp.col_cost_ = np.asarray(form.c.todense()).ravel()
    lp.offset_ = float(form.c_offset[0])
    lp.col_lower_ = np.array([-math.inf if v.lb is None else v.lb for v in variables])
    lp.col_upper_ = np.array([math.inf if v.ub is None else v.ub for v in variables])
    lp.row_lower_, lp.row_upper_ = lower, upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    kind = highspy.HighsVarType
    lp.integrality_ = [kind.kContinuous if v.is_continuous() else kind.kInteger for v in variables]
    lp.col_names_ = [v.name for v in variables]
    lp.row_names_ = [_row_name(row) for row in form.rows]
    return lp, variables


def solve(
    model: pyo.ConcreteModel,
    *,
    time_limit_s: float = math.inf,
    gap: float = 1e-4,
    start: Mapping[str, float] | None = None,
    log: bool = False,
    progress: Callable[[float, float], None] | None = None,
    stop: Callable[[], bool] | None = None,
    enough: float = math.inf,
    continuous: bool = False,
) -> Solution:
    """Minimise a linear Pyomo model.

    Ends with the limits that it lies within (`codesign.stopping`), as at its own time limit.

    Parameters
    ----------
    gap
        Relative gap at which HiGHS stops.
    start
        Values by variable name; columns without a value are left to HiGHS.
    progress
        Called with (incumbent, bound) as HiGHS finds a better incumbent, and when it ends.
    stop
        Asked now and then; HiGHS ends with its best point once it answers true.
    enough
        Dual bound at which HiGHS may end, interrupted, before its gap is closed.
    continuous
        The rows leave the integer columns no choice: a linear programme, by the interior point method where
        it is large.

    Raises
    ------
    SolverError
        HiGHS refused an input or ended in a status that proves nothing.
    """
    proven()
    try:
        lp, variables = compiled(model)
    except InfeasibleConstraintException:  # a row of constants that does not hold
        return Solution(Status.INFEASIBLE, math.inf, math.inf, None, {}, 0.0)
    if continuous:
        lp.integrality_ = [highspy.HighsVarType.kContinuous] * len(variables)
    began = time.perf_counter()
    time_limit_s = min(time_limit_s, stopping.left_s())
    linear = continuous or all(v.is_continuous() for v in variables)
    for seed, first in ((0, start), (1, None)):  # a run that fails is tried once more, without its start
        left = time_limit_s - (time.perf_counter() - began)
        highs = _loaded(lp, gap=gap, time_limit_s=max(left, 0.0), seed=seed, log=log)
        if continuous and lp.num_row_ > LARGE:
            checked(highs.setOptionValue("solver", "ipm"), "setOptionValue(solver)")
        if first:
            known = [(column, first[v.name]) for column, v in enumerate(variables) if v.name in first]
            columns = np.array([column for column, _ in known], dtype=np.int32)
            highs.setSolution(len(known), columns, np.array([value for _, value in known]))
        if progress is not None:
            _listen(highs, progress)
        _heed(highs, stop, enough, linear)
        with spent("milp"):
            status = highs.run()
        if status != highspy.HighsStatus.kError:
            answer = _answer(highs, variables, continuous, time.perf_counter() - began)
            if progress is not None and answer.values is not None:
                progress(answer.objective, answer.bound)
            return answer
    raise SolverError("HiGHS run answered kError, twice")


@lru_cache(maxsize=1)
def proven() -> None:
    """Refuse a HiGHS that calls a wrong point optimal: min 2 x + 3 z, x + z >= 4.5, z integer, both in 0..10.

    The optimum is 9, at z = 0. The presolve of 1.14.0 answers 15 (HiGHS issues 2957, 2975 and 3043).

    Raises
    ------
    SolverError
        The answer is another one: no plan by this HiGHS could be trusted.
    """
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = 2, 1
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = np.array([2.0, 3.0]), np.zeros(2), np.full(2, 10.0)
    lp.row_lower_, lp.row_upper_ = np.array([4.5]), np.array([highspy.kHighsInf])
    lp.integrality_ = [highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger]
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.array([0, 2], dtype=np.int32)
    lp.a_matrix_.index_, lp.a_matrix_.value_ = np.array([0, 1], dtype=np.int32), np.ones(2)
    highs = _loaded(lp, gap=0.0, time_limit_s=10.0, seed=0, log=False)
    checked(highs.run(), "run")
    answer = highs.getInfo().objective_function_value
    if abs(answer - CANARY) > 1e-6:
        version = highs.version()
        raise SolverError(
            f"HiGHS {version} calls {answer:g} the least cost of a model of which it is {CANARY:g}: "
            "install highspy 1.13.1 or 1.15.1"
        )


def _loaded(lp: highspy.HighsLp, *, gap: float, time_limit_s: float, seed: int, log: bool) -> highspy.Highs:
    highs = highspy.Highs()
    for option, value in (
        ("output_flag", log),
        ("threads", 1),
        ("random_seed", seed),
        ("mip_rel_gap", gap),
        ("mip_abs_gap", 0.0),
        ("time_limit", time_limit_s),
    ):
        checked(highs.setOptionValue(option, value), f"setOptionValue({option})")
    checked(highs.passModel(lp), "passModel")
    return highs


def _answer(highs: highspy.Highs, variables: list[pyo.Var], continuous: bool, seconds: float) -> Solution:
    kinds = highspy.HighsModelStatus
    status = highs.getModelStatus()
    info = highs.getInfo()
    integer = not continuous and any(not v.is_continuous() for v in variables)
    if status == kinds.kInfeasible:
        return Solution(Status.INFEASIBLE, math.inf, math.inf, None, {}, seconds)
    known = {
        kinds.kOptimal: Status.OPTIMAL,
        kinds.kTimeLimit: Status.TIME_LIMIT,
        kinds.kInterrupt: Status.INTERRUPTED,
    }
    if status not in known:
        raise SolverError(f"HiGHS ended with {highs.modelStatusToString(status)}: nothing is proven")
    feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    if status == kinds.kOptimal and not feasible:
        raise SolverError("HiGHS calls its point optimal but not feasible within tolerance")
    objective = info.objective_function_value if feasible else math.inf
    proven = objective if status == kinds.kOptimal else -math.inf
    bound = info.mip_dual_bound if integer else proven
    values, by_name = None, {}
    if feasible:
        column = highs.getSolution().col_value
        if continuous and any(
            abs(value - round(value)) > 1e-6
            for v, value in zip(variables, column, strict=True)
            if v.is_integer()
        ):
            raise SolverError("a linear programme left an integer column with a choice")
        values = {id(v): column[i] for i, v in enumerate(variables)}
        by_name = {v.name: column[i] for i, v in enumerate(variables)}
    return Solution(known[status], objective, bound, values, by_name, seconds)


def _listen(highs: highspy.Highs, progress: Callable[[float, float], None]) -> None:
    def improved(event: object) -> None:
        data = event.data_out  # type: ignore[attr-defined]
        progress(data.mip_primal_bound, data.mip_dual_bound)

    highs.cbMipImprovingSolution.subscribe(improved)


def _heed(highs: highspy.Highs, stop: Callable[[], bool] | None, enough: float, linear: bool) -> None:
    """Let HiGHS end where a limit, a question or the dual bound says so; ask a linear programme as well."""

    def ended() -> bool:
        return (stop is not None and stop()) or stopping.asked() is not None

    def asked(event: object) -> None:
        proven = enough < math.inf and event.data_out.mip_dual_bound >= enough  # type: ignore[attr-defined]
        event.interrupt(proven or ended())  # type: ignore[attr-defined]

    if not linear:
        highs.cbMipInterrupt.subscribe(asked)
        return
    for interrupt in (highs.cbSimplexInterrupt, highs.cbIpmInterrupt):
        interrupt.subscribe(lambda event: event.interrupt(ended()))


def _row_bounds(form: Any) -> tuple[np.ndarray, np.ndarray]:
    rhs = np.asarray(form.rhs, dtype=np.float64)
    sense = np.array([row.bound_type for row in form.rows])
    lower = np.where(sense == 1, -math.inf, rhs)
    upper = np.where(sense == -1, math.inf, rhs)
    return lower, upper


def _row_name(row: object) -> str:
    return str(row.constraint.name)  # type: ignore[attr-defined]
