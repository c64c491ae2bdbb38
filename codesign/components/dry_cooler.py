"""Dry cooler: water to ambient air in cells, fans on speed control, in series before the chillers.

symbol   name                   unit   meaning                                               (all of one cell)
m        water_kg_per_s         kg/s   water flow;  m_0 rated
y        fan_pu                 1      fan speed
d        density_pu             1      air density over that of the rating: the altitude's, times (T_ref +
                                       273.15)/(T_db + 273.15)
a        air_pu                 1      air flow over rated: (floor + (1 - floor) y) d
UA       conductance_kw_per_k   kW/K   UA_0 / (s (m/m_0)**-0.85 + (1 - s) a**-0.8), s the water side's share
                                       of resistance
C_a      air_kw_per_k           kW/K   air capacity rate at a = 1
Q        duty_kw                kW     heat rejected; nothing is taken up from air warmer than the water
                                       (bypass)
P        fan_kw y**3 d          kW     fan power (fan laws)

Crossflow effectiveness-NTU, both sides unmixed (smooth.crossflow_duty); exponents and the split of
resistance: Modelica Buildings, `Fluid/HeatExchangers/BaseClasses` (hA ~ m**0.85 water, m**0.8 air, ratio 0.5
nominal). The floor is natural convection with the fans off: 12.5 % of capacity, reached with an air flow of
6.25 %.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from codesign.components.air import KELVIN
from codesign.components.base import fws_kw_per_k, point, water_kj_per_k
from codesign.smooth import Value, bisect, crossflow_duty, floored, positive, smooth_min
from codesign.tangents import parametric_tangents

BYPASS_WIDTH_K = 0.1
"""Rounding of the bypass, K: 100 W per MW too low at 10 K of initial temperature difference."""
SPEED_STEP = 1e-4  # of the slopes of the supporting lines


@dataclass(frozen=True, slots=True, kw_only=True)
class DryCooler:
    """One dry-cooler cell."""

    RANGES: ClassVar = {
        "dry_bulb_c": ("ambient_min_c", "ambient_max_c"),
        "water_kg_per_s": ("water_min_kg_per_s", "water_max_kg_per_s"),
    }

    capacity_kw: float
    water_kg_per_s: float
    conductance_kw_per_k: float
    air_kw_per_k: float
    fan_kw: float
    air_reference_c: float
    ambient_min_c: float
    ambient_max_c: float
    water_min_kg_per_s: float
    water_max_kg_per_s: float
    air_floor_pu: float
    water_split: float
    water_exponent: float
    air_exponent: float
    water_l: float
    cost_usd_per_kw: float
    life_years: float
    om_pu: float

    # physics: floats, arrays, CasADi symbols
    def density_pu(self, dry_bulb_c: Value, air_density_pu: float = 1.0) -> Value:
        """Density of the air drawn over that of the rating; air_density_pu is the altitude's."""
        return air_density_pu * (self.air_reference_c + KELVIN) / (dry_bulb_c + KELVIN)

    def air_pu(self, fan_pu: Value, density_pu: Value = 1.0) -> Value:
        """Air mass flow over its rating."""
        return (self.air_floor_pu + (1 - self.air_floor_pu) * fan_pu) * density_pu

    def duty_kw(
        self,
        fan_pu: Value,
        water_in_c: Value,
        dry_bulb_c: Value,
        water_kg_per_s: Value,
        air_density_pu: float = 1.0,
    ) -> Value:
        """Heat rejected by one cell, kW; at most what its water carries, none where that stands still."""
        air = self.air_pu(fan_pu, self.density_pu(dry_bulb_c, air_density_pu))
        flow = floored(water_kg_per_s / self.water_kg_per_s)
        conductance = self.conductance_kw_per_k / (
            self.water_split * flow**-self.water_exponent + (1 - self.water_split) * air**-self.air_exponent
        )
        water_rate, air_rate = fws_kw_per_k(self.water_kg_per_s * flow), self.air_kw_per_k * air
        width = 0.02 * self.air_kw_per_k
        low = smooth_min(water_rate, air_rate, width)
        high = water_rate + air_rate - low
        warmer_k = positive(water_in_c - dry_bulb_c, BYPASS_WIDTH_K)
        running_pu = water_kg_per_s / (self.water_kg_per_s * flow)
        return crossflow_duty(conductance, low, high, warmer_k) * running_pu

    def fan_power_kw(self, fan_pu: Value, density_pu: Value = 1.0) -> Value:
        """Fan power of one cell, kW."""
        return self.fan_kw * fan_pu**3 * density_pu

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
        cooled_k = duty / water if water else math.nan
        density = self.density_pu(given["dry_bulb_c"], given["air_density_pu"])
        return {
            "duty_kw": duty,
            "water_out_c": given["water_in_c"] - cooled_k,
            "effectiveness_of_water": cooled_k / difference if difference else math.nan,
            "fan_power_kw": self.fan_power_kw(given["fan_pu"], density),
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
        density = self.density_pu(dry_bulb_c, air_density_pu)
        slope = (self.fan_power_kw(above, density) - self.fan_power_kw(below, density)) / rise
        return parametric_tangents(self.duty_kw(fan_pu, *given), self.fan_power_kw(fan_pu, density), slope)

    # plant
    def heat_kj_per_k(self, count: Value, pipe_l: float) -> Value:
        """Heat capacity of the water in the cells and the piping behind them, kJ/K."""
        return water_kj_per_k(count * self.water_l + pipe_l)

    def rate(self, out_c: Value, in_c: Value, flow_kg_per_s: Value, duty_kw: Value, kj_per_k: Value) -> Value:
        """Rate of the temperature behind the cells, K/s; flow and duty of all cells."""
        return (fws_kw_per_k(flow_kg_per_s) * (in_c - out_c) - duty_kw) / kj_per_k
