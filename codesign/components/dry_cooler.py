"""Dry cooler: water to ambient air in cells, fans on speed control, in series before the chillers.

symbol   name                   unit   meaning                                               (all of one cell)
m        water_kg_per_s         kg/s   water flow;  m_0 rated
y        fan_pu                 1      fan speed
a        air_pu                 1      air flow over rated: (floor + (1 - floor) y) times air_density_pu
UA       conductance_kw_per_k   kW/K   UA_0 / (s (m/m_0)**-0.85 + (1 - s) a**-0.8), s the water side's share
                                       of resistance
C_a      air_kw_per_k           kW/K   air capacity rate at a = 1
Q        duty_kw                kW     heat rejected; nothing is taken up from air warmer than the water
                                       (bypass)
P        fan_kw y**3            kW     fan power

Crossflow effectiveness-NTU, both sides unmixed (smooth.crossflow_duty); exponents and the split of
resistance: Modelica Buildings, `Fluid/HeatExchangers/BaseClasses` (hA ~ m**0.85 water, m**0.8 air, ratio 0.5
nominal). The floor is natural convection with the fans off: 12.5 % of capacity, reached with an air flow of
6.25 %.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from codesign.components.base import fws_kw_per_k, point, water_kj_per_k
from codesign.smooth import Value, bisect, crossflow_duty, floored, smooth_max, smooth_min
from codesign.tangents import parametric_tangents

BYPASS_WIDTH_K = 0.1
SPEED_STEP = 1e-4  # of the slopes of the supporting lines
"""Rounding of the bypass, K: bias 25 W per MW at 10 K of initial temperature difference."""


def air_density_pu(altitude_m: float) -> float:
    """Air density over that at sea level, ICAO standard atmosphere's pressure ratio."""
    return float((1 - 2.25577e-5 * altitude_m) ** 5.25588)


@dataclass(frozen=True, slots=True, kw_only=True)
class DryCooler:
    """One dry-cooler cell."""

    capacity_kw: float
    water_kg_per_s: float
    conductance_kw_per_k: float
    air_kw_per_k: float
    fan_kw: float
    air_floor_pu: float
    water_split: float
    water_exponent: float
    air_exponent: float
    water_l: float
    cost_usd_per_kw: float
    life_years: float
    om_pu: float

    # physics: floats, arrays, CasADi symbols
    def air_pu(self, fan_pu: Value, air_density_pu: float = 1.0) -> Value:
        """Air mass flow over its rating."""
        return (self.air_floor_pu + (1 - self.air_floor_pu) * fan_pu) * air_density_pu

    def duty_kw(
        self,
        fan_pu: Value,
        water_in_c: Value,
        dry_bulb_c: Value,
        water_kg_per_s: Value,
        air_density_pu: float = 1.0,
    ) -> Value:
        """Heat rejected by one cell, kW."""
        air, flow = self.air_pu(fan_pu, air_density_pu), floored(water_kg_per_s / self.water_kg_per_s)
        conductance = self.conductance_kw_per_k / (
            self.water_split * flow**-self.water_exponent + (1 - self.water_split) * air**-self.air_exponent
        )
        water_rate, air_rate = fws_kw_per_k(self.water_kg_per_s * flow), self.air_kw_per_k * air
        width = 0.02 * self.air_kw_per_k
        low = smooth_min(water_rate, air_rate, width)
        high = water_rate + air_rate - low
        return crossflow_duty(
            conductance, low, high, smooth_max(water_in_c - dry_bulb_c, 0.0, BYPASS_WIDTH_K)
        )

    def fan_power_kw(self, fan_pu: Value) -> Value:
        """Fan power of one cell, kW."""
        return self.fan_kw * fan_pu**3

    def fan_for_duty(
        self,
        duty_kw: float,
        water_in_c: float,
        dry_bulb_c: float,
        water_kg_per_s: float,
        air_density_pu: float = 1.0,
    ) -> float:
        """Fan speed of a cell for a duty; 0 where natural convection does, infinite where none does."""
        return bisect(
            lambda fan: self.duty_kw(fan, water_in_c, dry_bulb_c, water_kg_per_s, air_density_pu),
            duty_kw,
            0.0,
            1.0,
        )

    def capex_usd(self, count: Value) -> Value:
        """Investment for `count` cells."""
        return count * self.cost_usd_per_kw * self.capacity_kw

    def evaluate(self, at: Mapping[str, float]) -> dict[str, float]:
        """One cell at a point: fan_pu, water_in_c, dry_bulb_c, water_kg_per_s, air_density_pu."""
        given = point(
            at,
            fan_pu=1.0,
            water_in_c=46.0,
            dry_bulb_c=35.0,
            water_kg_per_s=self.water_kg_per_s,
            air_density_pu=1.0,
        )
        duty, water = self.duty_kw(**given), fws_kw_per_k(given["water_kg_per_s"])
        difference = given["water_in_c"] - given["dry_bulb_c"]
        return {
            "duty_kw": duty,
            "water_out_c": given["water_in_c"] - duty / water,
            "effectiveness_of_water": duty / water / difference if difference else math.nan,
            "fan_power_kw": self.fan_power_kw(given["fan_pu"]),
        }

    # plan: fan power is convex in the duty (cube of the speed, duty concave in it): supporting lines, outer
    def fan_lines(
        self,
        fan_pu: np.ndarray,
        water_in_c: float,
        dry_bulb_c: float,
        water_kg_per_s: float,
        air_density_pu: float = 1.0,
    ) -> list[tuple[float, float]]:
        """Lines (kW per kW, kW) that support one cell's fan power over its duty, at the given speeds."""
        given = (water_in_c, dry_bulb_c, water_kg_per_s, air_density_pu)
        below, above = np.maximum(fan_pu - SPEED_STEP, 0.0), np.minimum(fan_pu + SPEED_STEP, 1.0)
        rise = self.duty_kw(above, *given) - self.duty_kw(below, *given)
        slope = (self.fan_power_kw(above) - self.fan_power_kw(below)) / rise
        return parametric_tangents(self.duty_kw(fan_pu, *given), self.fan_power_kw(fan_pu), slope)

    # plant
    def heat_kj_per_k(self, count: Value, pipe_l: float) -> Value:
        """Heat capacity of the water in the cells and the piping behind them, kJ/K."""
        return water_kj_per_k(count * self.water_l + pipe_l)

    def rate(self, out_c: Value, in_c: Value, flow_kg_per_s: Value, duty_kw: Value, kj_per_k: Value) -> Value:
        """Rate of the temperature behind the cells, K/s; flow and duty of all cells."""
        return (fws_kw_per_k(flow_kg_per_s) * (in_c - out_c) - duty_kw) / kj_per_k
