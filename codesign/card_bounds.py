"""What a site may put in place of a card's values: numbers that such a machine can have.

A card's own values are checked by its source; what a site states itself is checked here, so that no plan
rests on a machine that breaks the first or the second law, or whose law is not finite over its own range.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from codesign.components.base import part_range

FACTOR = 1e4
"""A number further than this from the card's own is of another machine, or in another unit."""
ABOVE_ZERO = (math.nextafter(0.0, 1.0), 1.0)
SHARE = (0.0, 1.0)
TEMPERATURE_C = (-100.0, 400.0)

BOUNDS: Mapping[str, tuple[float, float]] = {
    "carnot_pu": ABOVE_ZERO, "effectiveness": ABOVE_ZERO, "fan_min_pu": ABOVE_ZERO, "plr_min": ABOVE_ZERO,
    "plr_min_unloading": ABOVE_ZERO, "air_floor_pu": ABOVE_ZERO, "liquid_pu": ABOVE_ZERO,
    "gpu_pu": ABOVE_ZERO, "load_min_pu": SHARE, "fixed_pu": SHARE, "om_pu": SHARE,
    "window_min_pu": ABOVE_ZERO, "window_max_pu": ABOVE_ZERO, "usable_power_pu": ABOVE_ZERO,
    "end_energy_pu": ABOVE_ZERO, "end_resistance_pu": (1.0, 10.0),
    "water_split": SHARE, "flow_exponent": SHARE, "water_exponent": SHARE, "air_exponent": SHARE,
    "leakage_pu_per_k": (0.0, 0.05), "capacity_pu_per_k_leaving": (-0.1, 0.1),
    "capacity_pu_per_k_ambient": (-0.1, 0.1), "lift_min_k": (1.0, 100.0), "condenser_lift_k": (0.0, 50.0),
    "plr_max": (1.0, 2.0), "life_years": (1.0, 100.0),
}  # fmt: skip
"""Bounds by key, whichever component has it; ABOVE_ZERO: above 0 and at most 1."""
EFFICIENCY = ("efficiency", "fixed_efficiency")
MEDIA = ("condenser", "coolant")
"""What a machine is made for; another medium is another card."""
ZERO_ALLOWED = ("cost_", "om_pu", "head_", "leakage_", "fixed_pu", "load_min_pu")
ORDERED = (
    ("gpu_pu", "liquid_pu"), ("window_min_pu", "window_max_pu"), ("plr_min_unloading", "plr_max"),
    ("plr_min", "plr_max"), ("hot_spot_max_c", "hot_spot_emergency_c"), ("supply_max_c", "return_target_c"),
    ("return_target_c", "return_max_c"),
)  # fmt: skip
"""Keys of one component of which the first is at most the second."""


def refusal(key: str, value: Any, old: Any) -> str | None:
    """Return what was expected in place of a value, None when it may stand by itself."""
    if isinstance(old, tuple):
        same = isinstance(value, list | tuple) and len(value) == len(old)
        fits = same and all(number(each) and abs(each) <= FACTOR for each in value)
        return None if fits else f"{len(old)} finite numbers"
    if key in MEDIA:
        return None if value == old else f"{old}, its medium; another medium is another card"
    if not isinstance(old, int | float):
        return None if isinstance(value, type(old)) else f"a {type(old).__name__}"
    if not number(value):
        return "a finite number"
    if isinstance(old, int) and value != int(value):
        return "a whole number"
    return _bounds(key, float(value), float(old))


def _bounds(key: str, value: float, old: float) -> str | None:
    low, high = BOUNDS.get(key, (-math.inf, math.inf))
    if key.startswith(EFFICIENCY):
        low, high = ABOVE_ZERO
    if key.endswith("_c"):
        low, high = TEMPERATURE_C
    if not low <= value <= high:
        least = "above 0" if low == ABOVE_ZERO[0] else f"of at least {low:g}"
        return f"a number {least} and at most {high:g}"
    if key.endswith("_c") or (key in BOUNDS and low < 0):
        return None
    if value < 0 <= old:
        return "a number of at least 0"
    if value == 0 < old and not key.startswith(ZERO_ALLOWED):
        return "a number above 0"
    if value and old and not 1 / FACTOR <= value / old <= FACTOR:
        span = f"{old / FACTOR:g} to {old * FACTOR:g}"
        return f"a number from {span}, within {FACTOR:g} times the card's {old:g}"
    return None


def number(value: Any) -> bool:
    """Return whether a value is a number that a float holds."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and abs(value) <= sys.float_info.max


def unfit(
    kind: type[Any], parameters: Mapping[str, Any], own: Mapping[str, Any]
) -> Iterator[tuple[str, Any, str]]:
    """Yield (key, value, what was expected) of values that may not stand together; `own`: the card's."""
    for low, high in ORDERED:
        if low in parameters and high in parameters and parameters[low] > parameters[high]:
            yield low, parameters[low], f"at most {high} = {parameters[high]:g}"
    for ends in getattr(kind, "RANGES", {}).values():
        least, most = (parameters.get(end, end) if isinstance(end, str) else end for end in ends)
        if number(least) and number(most) and not least < most:
            key = ends[0] if ends[0] in parameters else ends[1]
            yield key, parameters[key], f"a range from low to high, not from {least:g} to {most:g}"
            return
    part: Any = None
    try:
        part = kind(**parameters)
    except ArithmeticError:
        pass
    except ValueError as error:
        key, _, words = str(error).partition(": ")
        yield key, parameters.get(key), words
        return
    try:
        finite = part is not None and not any(math.isnan(value) for value in part.evaluate({}).values())
    except ArithmeticError:
        finite = False
    if not finite:
        key = next(key for key in parameters if parameters[key] != own.get(key))
        yield key, parameters[key], "a value that with the others gives finite physics at the card's point"
        return
    if hasattr(part, "leaving_reference_c") and not hasattr(part, "capft_c"):
        yield from _warm(part)


def _warm(part: Any) -> Iterator[tuple[str, Any, str]]:
    """A warm chiller has capacity everywhere in its range."""
    leaving, dry_bulb = (part_range(part, name) for name in ("leaving_c", "dry_bulb_c"))
    corners = np.array([[part.capacity_at_kw(e, a) for a in dry_bulb] for e in leaving])
    if not corners.min() > 0:
        expected = f"a capacity above 0 over the card's range, where it falls to {corners.min():.4g} kW"
        yield "capacity_pu_per_k_leaving", part.capacity_pu_per_k_leaving, expected
