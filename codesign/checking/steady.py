"""Where a run starts and what it is pulled to: the plan's steady state of an hour, as vectors.

The plan's static chain is a fixed point of the plant's rates at the hour's mean load, so that a run begins at rest and whatever
moves afterwards was moved by the scenario.
"""

from __future__ import annotations

from dataclasses import dataclass

from codesign import steady
from codesign.checking.stack import Stack, Vector, vector
from codesign.design import Plan
from codesign.site import Site


@dataclass(frozen=True, slots=True)
class Start:
    """A stack with the plan's steady state: states, controls, disturbances, sizes."""

    stack: Stack
    hour: int
    x: Vector
    u: Vector
    d: Vector
    p: Vector


def start(site: Site, plan: Plan, hour: int | None = None) -> Start:
    """Return the steady state of an hour of the plan, by default of its hottest."""
    hour = steady.hot_hour(site, plan) if hour is None else hour
    stack = Stack(steady.plant(site, plan))
    names = (stack.states, stack.controls, stack.disturbances, stack.sizes)
    values = (vector(group, point) for group, point in zip(names, steady.plant_point(site, plan, hour), strict=True))
    return Start(stack, hour, *values)
