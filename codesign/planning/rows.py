"""The row builder: columns, tagged rows and costs of one Pyomo model.

Every row says what it is: `outer` (each point of the true problem satisfies it), `exact`, or `inner` (it
makes a plan safe). A bound is read from outer and exact rows only: see `bound_model`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyomo.environ as pyo
from pyomo.core.base.constraint import ConstraintData

from codesign import stopping


class Kind(StrEnum):
    """What a row is to the true problem."""

    OUTER = "outer"
    EXACT = "exact"
    INNER = "inner"


OBJECTIVE = 1e-3
"""Objective per USD. HiGHS prunes what is better by less than its feasibility tolerance, 1e-6 in the
objective's unit: in thousand USD that is a tenth of a cent a year, in million USD it was a dollar."""

class _Row(ConstraintData):
    """A row that heeds the time limit when the model is compiled, row by row."""

    __slots__ = ()

    def to_bounded_expression(self, evaluate_bounds: bool = False) -> Any:
        stopping.pace()
        return super().to_bounded_expression(evaluate_bounds)


class _Family(pyo.ConstraintList):
    """Rows of one name."""

    _ComponentDataClass = _Row


BOUND_KINDS = frozenset({Kind.OUTER, Kind.EXACT})


@dataclass(frozen=True, slots=True)
class Menu:
    """A choice of exactly one option: its binary by option."""

    picks: dict[Any, Any]

    def total(self, value: Any) -> Any:
        """Return sum of value(option) over the pick, a linear expression."""
        return sum(value(option) * pick for option, pick in self.picks.items())

    def chosen(self, values: Any) -> Any:
        """Return the option picked in a solution."""
        return max(self.picks, key=lambda option: values[self.picks[option]])


class Rows:
    """Builder handed to the components' planning blocks; they see columns and arithmetic, never Pyomo."""

    def __init__(self, name: str) -> None:
        self.model = pyo.ConcreteModel(name)
        self.kinds: dict[str, Kind] = {}
        self.costs: dict[str, Any] = {}

    def amount(self, name: str, low: float | None = 0.0, high: float | None = None) -> Any:
        """Return a new continuous column."""
        return self._new(name, pyo.Reals, low, high)

    def count(self, name: str, high: int) -> Any:
        """Return a new integer column in 0..high."""
        return self._new(name, pyo.Integers, 0, high)

    def menu(self, name: str, options: Iterable[Hashable]) -> Menu:
        """Return a choice of exactly one of the options."""
        menu = Menu({option: self._new(name, pyo.Integers, 0, 1) for option in options})
        self.exact(f"{name}.one", sum(menu.picks.values()) == 1)
        return menu

    def product(self, name: str, first: Menu, second: Menu) -> dict[tuple[Any, Any], Any]:
        """Return columns that are 1 exactly for the pair of options picked in both menus."""
        pair = {(a, b): self.amount(name, 0.0, 1.0) for a in first.picks for b in second.picks}
        for a, pick in first.picks.items():
            self.exact(f"{name}.first", sum(pair[a, b] for b in second.picks) == pick)
        for b, pick in second.picks.items():
            self.exact(f"{name}.second", sum(pair[a, b] for a in first.picks) == pick)
        return pair

    def outer(self, name: str, relation: Any) -> None:
        """Add a row that every point of the true problem satisfies."""
        self._row(name, relation, Kind.OUTER)

    def exact(self, name: str, relation: Any) -> None:
        """Add a row of the true problem itself."""
        self._row(name, relation, Kind.EXACT)

    def inner(self, name: str, relation: Any) -> None:
        """Add a row that makes a plan safe; it never enters a bound."""
        self._row(name, relation, Kind.INNER)

    def cost(self, name: str, usd_per_year: Any) -> None:
        """Add an annual cost term."""
        self.costs[name] = self.costs.get(name, 0.0) + usd_per_year

    def close(self) -> pyo.ConcreteModel:
        """Set the objective, in thousand USD a year, and return the model."""
        self.model.annual_cost_kusd = pyo.Objective(expr=sum(self.costs.values()) * OBJECTIVE)
        return self.model

    @property
    def names(self) -> Sequence[str]:
        """Names of the row families."""
        return tuple(self.kinds)

    def drop(self, name: str) -> None:
        """Take a family of rows out of the model."""
        self.model.component(name).deactivate()

    def restore(self, name: str) -> None:
        """Bring a family of rows back."""
        self.model.component(name).activate()

    def _new(self, name: str, domain: Any, low: float | None, high: float | None) -> Any:
        stopping.pace()
        columns = self.model.component(f"{name}.x")
        if columns is None:
            columns = pyo.VarList()
            self.model.add_component(f"{name}.x", columns)
        column = columns.add()
        column.domain, column.lower, column.upper = domain, low, high
        return column

    def _row(self, name: str, relation: Any, kind: Kind) -> None:
        stopping.pace()
        known = self.kinds.setdefault(name, kind)
        if known is not kind:
            raise ValueError(f"rows {name!r} are {known}, not {kind}")
        family = self.model.component(name)
        if family is None:
            family = _Family()
            self.model.add_component(name, family)
        if isinstance(relation, bool):  # a relation of constants: nothing to decide
            if not relation:
                family.add(pyo.Constraint.Infeasible)
            return
        family.add(relation)


def bound_rows_only(rows: Rows) -> bool:
    """Whether every active row may enter a bound: the one place where that is decided."""
    return all(kind in BOUND_KINDS for name, kind in rows.kinds.items() if rows.model.component(name).active)


def drop_inner(rows: Rows) -> None:
    """Leave only the rows that a bound may be read from."""
    for name, kind in rows.kinds.items():
        if kind not in BOUND_KINDS:
            rows.drop(name)
