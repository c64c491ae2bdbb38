"""A linear or mixed-integer programme kept in HiGHS: solved, given more rows or other bounds, solved again.

Every status is checked. A warm run that fails is repeated from scratch once (HiGHS answers `kSolveError` to a
few warm starts), then without presolve (whose answer it may not be able to take back); then it raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from codesign import stopping
from codesign.errors import SolverError

LONG = 2000
"""Rows from which the limits of the work are looked at within a run too, not only before it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An optimum: its objective, columns, the duals of the rows and the reduced costs of the columns."""

    objective: float
    x: np.ndarray
    row_dual: np.ndarray
    column_dual: np.ndarray


class Kept:
    """min cost x, low <= x <= high, row_low <= A x <= row_high, held by the solver between runs."""

    def __init__(
        self, cost: np.ndarray, low: np.ndarray, high: np.ndarray, matrix: Any, row_low: np.ndarray,
        row_high: np.ndarray, *, tolerance: float = 1e-9, solver: str = "simplex",
    ) -> None:  # fmt: skip
        columns = matrix.tocsc()
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(cost), len(row_low)
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = np.asarray(cost, float), low, high
        lp.row_lower_, lp.row_upper_ = np.asarray(row_low, float), np.asarray(row_high, float)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_ = columns.indptr, columns.indices
        lp.a_matrix_.value_ = columns.data
        self._take(lp, tolerance, solver)

    @classmethod
    def of(cls, lp: highspy.HighsLp, *, tolerance: float = 1e-9, solver: str = "simplex") -> Kept:
        """Keep a programme that HiGHS has read already."""
        made = cls.__new__(cls)
        made._take(lp, tolerance, solver)
        return made

    def _take(self, lp: highspy.HighsLp, tolerance: float, solver: str) -> None:
        self._highs, self._first = highspy.Highs(), solver
        self._options(tolerance, solver)
        self._checked(self._highs.passModel(lp), "passModel")
        if lp.num_row_ > LONG:
            for interrupt in (self._highs.cbSimplexInterrupt, self._highs.cbIpmInterrupt):
                interrupt.subscribe(lambda event: event.interrupt(stopping.asked() is not None))

    def _options(self, tolerance: float, solver: str) -> None:
        for option, value in (
            ("output_flag", False), ("threads", 1), ("random_seed", 0), ("solver", solver),
            ("primal_feasibility_tolerance", tolerance), ("dual_feasibility_tolerance", tolerance),
        ):  # fmt: skip
            self._checked(self._highs.setOptionValue(option, value), f"setOptionValue({option})")

    def option(self, name: str, value: Any) -> None:
        """Set an option of the solver."""
        self._checked(self._highs.setOptionValue(name, value), f"setOptionValue({name})")

    def set_rows(self, low: np.ndarray, high: np.ndarray) -> None:
        """Replace the bounds of the first len(low) rows."""
        index = np.arange(len(low), dtype=np.int32)
        change = self._highs.changeRowsBounds  # type: ignore[attr-defined]
        self._checked(change(len(low), index, low, high), "changeRowsBounds")

    def set_columns(self, low: np.ndarray, high: np.ndarray) -> None:
        """Replace the bounds of all columns."""
        index = np.arange(len(low), dtype=np.int32)
        self._checked(self._highs.changeColsBounds(len(low), index, low, high), "changeColsBounds")

    def add_row(self, low: float, columns: Sequence[int], values: Sequence[float], high: float) -> None:
        """Append one row; terms of one column are added up."""
        total: dict[int, float] = {}
        for column, value in zip(columns, values, strict=True):
            total[int(column)] = total.get(int(column), 0.0) + float(value)
        index = np.array(list(total), dtype=np.int32)
        self._checked(
            self._highs.addRow(low, high, len(index), index, np.array(list(total.values()), float)), "addRow"
        )

    def solve(self) -> Answer | None:
        """Return an optimum, or None where no point satisfies all rows.

        Raises
        ------
        SolverError
            HiGHS proved neither, from the last basis and from scratch.
        StoppedError
            Time is up or the user asked to stop, before or within the run.
        """
        kinds = highspy.HighsModelStatus
        for attempt in range(3):
            stopping.heed()
            self.option("time_limit", self._highs.getRunTime() + stopping.left_s())
            if attempt:
                self._checked(self._highs.clearSolver(), "clearSolver")
                self.option("solver", self._first)
                self.option("presolve", "choose" if attempt == 1 else "off")
            ran = self._highs.run()
            status = self._highs.getModelStatus()
            if ran != highspy.HighsStatus.kError and status == kinds.kOptimal:
                solution = self._highs.getSolution()
                self.option("solver", "simplex")  # from this basis on
                return Answer(
                    self._highs.getInfo().objective_function_value, np.array(solution.col_value),
                    np.array(solution.row_dual), np.array(solution.col_dual),
                )  # fmt: skip
            if ran != highspy.HighsStatus.kError and status == kinds.kInfeasible:
                return None
            stopping.heed()
        raise SolverError(f"HiGHS ended with {self._highs.modelStatusToString(status)}: nothing is proven")

    @staticmethod
    def _checked(status: highspy.HighsStatus, call: str) -> None:
        if status == highspy.HighsStatus.kError:
            raise SolverError(f"HiGHS {call} answered {status.name}")
