"""What the components share: coolants, points to evaluate at."""

from collections.abc import Mapping

from codesign.smooth import Value

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
