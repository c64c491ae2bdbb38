"""The plant as CasADi functions: gathers names, builds each function once, knows no equipment.

function       arguments     returns
rate           x, u, d, p    dx/dt                                   [1/s of each state's unit]
limit          x, u, d, p    value of every limit, kept when <= 0    [unit of the limit]
output         x, u, d, p    every output that the plant names
heat           x, u, d, p    net heat into the plant, heat into it   [kW]
ramp           p             largest change of the slow controls     [1/s of each control's unit]
scales         p             natural sizes of states, controls, limits, heat

x states, u controls, d disturbances, p sizes: column vectors in the order of the plant's own name lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import casadi as ca
import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

PER_UNIT = "_pu"  # a control whose name ends so lives in [0, 1]; every other control is >= 0
NATURAL = {"_c": 5.0, "_k": 5.0, PER_UNIT: 0.2}
"""Natural change of what is no amount, by the end of its name; that of an amount is the plant's to tell."""


class PlantLike(Protocol):
    """What is asked of a plant: names, and laws as plain arithmetic on mappings."""

    @property
    def states(self) -> tuple[str, ...]: ...
    @property
    def controls(self) -> tuple[str, ...]: ...
    @property
    def exclusive(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def disturbances(self) -> tuple[str, ...]: ...
    @property
    def sizes(self) -> tuple[str, ...]: ...

    def rates(self, x: Any, u: Any, d: Any, p: Any) -> Mapping[str, Any]: ...
    def outputs(self, x: Any, u: Any, d: Any, p: Any) -> Mapping[str, Any]: ...
    def limits(self, x: Any, u: Any, d: Any, p: Any) -> Mapping[str, Any]: ...  # excess, unit, scale, place
    def ramps(self, p: Any) -> Mapping[str, Any]: ...
    def scales(self, p: Any) -> Mapping[str, Any]: ...
    @property
    def least_controls(self) -> Mapping[str, float]: ...
    def out_of_range(self, x: Any, d: Any) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True)
class Limit:
    """One named limit.

    hard       a function of controls alone: what the machine can be told to do, obeyed without slack
    steerable  the controls act on it at once (otherwise only through the states, from the interval's end on)
    """

    key: str
    name: str
    place: str
    unit: str
    hard: bool
    steerable: bool

    @property
    def cut(self) -> bool:
        """Whether less of its controls mends it: all but the lower end of a range."""
        return not self.key.endswith(".low")


@dataclass(frozen=True, slots=True)
class Scales:
    """Natural sizes at the sizes of a plan, in the units of states, controls and limits; of heat, kW.

    They make numbers of order one of a hall of any size; they are no part of the physics.
    """

    state: Vector
    control: Vector
    limit: Vector
    heat_kw: float


class Stack:
    """A plant's laws as CasADi functions, with the scales of its states and controls."""

    def __init__(self, plant: PlantLike) -> None:
        self.plant = plant
        self.states, self.controls = tuple(plant.states), tuple(plant.controls)
        self.disturbances, self.sizes = tuple(plant.disturbances), tuple(plant.sizes)
        self.exclusive = [(self.controls.index(a), self.controls.index(b)) for a, b in plant.exclusive]
        names = (self.states, self.controls, self.disturbances, self.sizes)
        vectors = [ca.SX.sym(letter, len(group)) for letter, group in zip("xudp", names, strict=True)]
        x, u, d, p = (
            {name: vector[i] for i, name in enumerate(group)}
            for group, vector in zip(names, vectors, strict=True)
        )
        rates, outputs, limits = plant.rates(x, u, d, p), plant.outputs(x, u, d, p), plant.limits(x, u, d, p)
        value = _column([entry[0] for entry in limits.values()])
        by_state = _touches(value, vectors[0])
        self.acts = _touches(value, vectors[1])  # limits x controls
        self.limits = tuple(
            Limit(key, key.split(".")[0], place, unit, not any(by_state[i]), any(self.acts[i]))
            for i, (key, (_, unit, _, place)) in enumerate(limits.items())
        )
        self.outputs = tuple(outputs)
        self.rate = _function("rate", vectors, [rates[name] for name in self.states])
        self.limit = ca.Function("limit", vectors, [value], {"cse": True})
        self.output = _function("output", vectors, list(outputs.values()))
        entering, leaving = outputs["heat_in_kw"], outputs["heat_out_kw"]
        self.heat = _function("heat", vectors, [entering - leaving, entering])
        ramps = plant.ramps(p)
        self.slow = [self.controls.index(name) for name in ramps]
        self.ramp = _function("ramp", [vectors[3]], list(ramps.values()))
        own = plant.scales(p)
        sizes = [[_natural(name, own) for name in names] for names in (self.states, self.controls)]
        rows = [*sizes, [entry[2] for entry in limits.values()], [own["heat_kw"]]]
        self._scales = ca.Function("scales", [vectors[3]], [_column(row) for row in rows], {"cse": True})
        least = plant.least_controls
        self.control_low = np.array([least.get(name, 0.0) for name in self.controls])
        self.control_high = np.array([1.0 if name.endswith(PER_UNIT) else np.inf for name in self.controls])

    def output_of(self, name: str, x: Any, u: Any, d: Any, p: Any) -> Any:
        """Return one output at a point (numbers or symbols)."""
        return self.output(x, u, d, p)[self.outputs.index(name)]

    def scales(self, p: Vector) -> Scales:
        """Return the natural sizes at sizes p."""
        state, control, limit, heat = (np.array(row).ravel() for row in self._scales(p))
        return Scales(state, control, limit, float(heat[0]))

    def evaluate(self, function: ca.Function, x: Vector, u: Vector, d: Vector, p: Vector) -> Vector:
        """Return a function's rows at many points; x, u, d hold one point a row."""
        return np.array(function(x.T, u.T, d.T, p[:, None] if len(x) > 1 else p)).T


def _natural(name: str, own: Mapping[str, Any]) -> Any:
    """Return the natural change of a state or control: by its unit, or the plant's own."""
    return next((size for end, size in NATURAL.items() if name.endswith(end)), None) or own[name]


def vector(names: tuple[str, ...], values: Mapping[str, float]) -> Vector:
    """Return values in the order of names; a missing or an unknown name is an error."""
    missing, unknown = set(names) - set(values), set(values) - set(names)
    if missing or unknown:
        raise KeyError(f"missing: {sorted(missing)}; unknown: {sorted(unknown)}")
    return np.array([float(values[name]) for name in names])


def _column(entries: list[Any]) -> ca.SX:
    return ca.vertcat(*[ca.SX(entry) for entry in entries])


def _function(name: str, arguments: list[ca.SX], entries: list[Any]) -> ca.Function:
    return ca.Function(name, arguments, [_column(entries)], {"cse": True})


def _touches(value: ca.SX, symbol: ca.SX) -> NDArray[np.bool_]:
    """Return which rows of a value depend on which entries of a symbol."""
    sparsity = ca.jacobian_sparsity(value, symbol)
    pattern = np.zeros(sparsity.shape, dtype=bool)
    pattern[sparsity.row(), sparsity.get_col()] = True
    return pattern
