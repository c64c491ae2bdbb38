"""Outdoor air at altitude: what every component that moves air draws.

A fan moves a volume: at equal speed its mass flow, and its power with it, follow the density (fan laws,
ASHRAE Handbook HVAC Systems and Equipment, fans). Pressure: standard atmosphere, ICAO Doc 7488; the same
polynomial is ASHRAE Handbook Fundamentals (2017), chapter 1, eq. 3. Density: ideal gas, dry air; moisture
takes off at most 2 % at 30 degC and is left out.
"""

from codesign.smooth import Value

SEA_LEVEL_PA = 101_325.0
GAS_J_PER_KG_K = 287.042
KELVIN = 273.15


def pressure_pu(altitude_m: float) -> float:
    """Air pressure over that at sea level: the density over that at sea level at an equal temperature."""
    return float((1 - 2.25577e-5 * altitude_m) ** 5.2559)


def density_kg_per_m3(dry_bulb_c: Value, altitude_m: float) -> Value:
    """Density of dry air."""
    return SEA_LEVEL_PA * pressure_pu(altitude_m) / (GAS_J_PER_KG_K * (dry_bulb_c + KELVIN))


def warmer_k(lift_k: float, air_density_pu: Value) -> Value:
    """What thin air adds to the lift of an air-cooled condenser, K: as if the air entered warmer by it.

    The condenser keeps its effectiveness, so its lift over the entering air is in inverse proportion to the
    air flow; the true effectiveness rises a little as the flow falls, so the addition is on the safe side.
    Compared with Carrier, Engineering Guide for Altitude Effects: air-cooled condensers carry 0.95, 0.90,
    0.85 and 0.80 of their duty at 762, 1,525, 2,285 and 3,050 m, where this law gives 0.91, 0.83, 0.76, 0.69.
    """
    return lift_k * (1 / air_density_pu - 1)
