"""What the components share: coolants, points to evaluate at, ranges.

RANGES of a component: input -> the keys of the card that hold its two ends (a number where an end is none of
the card's). Beyond its range an option is not on offer; what a machine's own control holds is part of the
law, not of the range.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from codesign.smooth import Value

PG25, WATER = "pg25", "water"
"""Media of a port."""
PG25_KJ_PER_L_K = 4.008
"""TCS coolant, 25 % propylene glycol at 40 degC: CoolProp 8.0 and Dow LC-25 (06/2023) agree on rho c_p."""
WATER_KJ_PER_KG_K = 4.18
WATER_KG_PER_L = 0.992
"""FWS water at 40 degC (CoolProp 8.0: 992.3 kg/m3, 4179 J/kgK)."""


def tcs_kw_per_k(flow_l_per_min: Value, kj_per_l_k: float = PG25_KJ_PER_L_K) -> Value:
    """Capacity rate of a TCS flow, kW/K."""
    return kj_per_l_k / 60 * flow_l_per_min


def fws_kw_per_k(flow_kg_per_s: Value) -> Value:
    """Capacity rate of an FWS flow, kW/K."""
    return WATER_KJ_PER_KG_K * flow_kg_per_s


def water_kj_per_k(volume_l: Value) -> Value:
    """Heat capacity of FWS water, kJ/K."""
    return WATER_KG_PER_L * WATER_KJ_PER_KG_K * volume_l


def point(at: Mapping[str, float], **defaults: float) -> dict[str, float]:
    """The operating point `at` with defaults for what it leaves out; ValueError names the valid keys."""
    unknown = sorted(set(at) - set(defaults))
    if unknown:
        raise ValueError(f"unknown {', '.join(unknown)}; valid are {', '.join(defaults)}")
    return {**defaults, **{key: float(value) for key, value in at.items()}}


def spare(value: Value, low: float, high: float) -> Value:
    """Distance of a value to the nearer end of its range, negative beyond; floats and arrays."""
    return np.minimum(high - value, value - low)


def beyond(part: Any, **inputs: float) -> dict[str, float]:
    """Inputs beyond the ranges that a component states (its RANGES): name -> excess over the end, signed."""
    ends = {name: part_range(part, name) for name in inputs}
    held = {name: min(max(value, ends[name][0]), ends[name][1]) for name, value in inputs.items()}
    return {name: value - held[name] for name, value in inputs.items() if value != held[name]}


def part_range(part: Any, name: str) -> tuple[float, float]:
    """The range of one input of a component; an end that is a number is no key of the card."""
    low, high = (getattr(part, end) if isinstance(end, str) else end for end in part.RANGES[name])
    return float(low), float(high)
