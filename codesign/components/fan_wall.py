"""Fan wall: the racks' share of heat from the hot aisle to a chilled-water loop of its own.

symbol   name               unit   meaning
n        units              1      units running
y        fan_pu             1      fan speed
d        air_density_pu     1      air density over that at sea level, at the room's temperature
C        air capacity rate  kW/K   n y d air_kw_per_k
Q        air_heat_kw        kW     heat of the racks to the room
P        fan_power_kw       kW     n fan_kw d y**3; all of it heats the air
T_h      hot_aisle_c        degC   air entering the coils                                              (state)
T_w      chilled_water_c    degC   water of the loop                                                   (state)
T_s      cold_aisle_c       degC   air leaving the fans, the racks' inlet

Coil of constant effectiveness e on the air side: e C (T_h - T_w); T_s = T_h - e (T_h - T_w) + P/C. In the
steady state e C (T_h - T_w) = Q + P, hence T_s - T_w = (Q (1/e - 1) + P/e)/C. Hot-aisle containment: the
racks draw what the fans give. Less air is cooled a little nearer to the water; that is left out, on the safe
side. Effectiveness is an estimate; size and fan power are those of a Vertiv PW170, scaled.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from codesign.components.base import point, water_kj_per_k
from codesign.smooth import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class FanWall:
    """One fan-wall unit."""

    RANGES: ClassVar = {
        "chilled_water_c": ("chilled_water_min_c", "chilled_water_max_c"),
        "fan_pu": ("fan_min_pu", 1.0),
    }

    capacity_kw: float
    air_kw_per_k: float
    effectiveness: float
    chilled_water_min_c: float
    chilled_water_max_c: float
    fan_min_pu: float
    fan_kw: float
    chilled_water_l: float
    room_kj_per_k: float
    cost_usd_per_kw: float
    life_years: float
    om_pu: float

    # physics: floats, arrays, CasADi symbols
    def fan_power_kw(self, fan_pu: Value, air_density_pu: float = 1.0) -> Value:
        """Fan power of one unit, kW."""
        return self.fan_kw * air_density_pu * fan_pu**3

    def air_rate_kw_per_k(self, fan_pu: Value, units: Value, air_density_pu: float = 1.0) -> Value:
        """Capacity rate of the air through all units, kW/K."""
        return units * self.air_kw_per_k * air_density_pu * fan_pu

    def coil_kw(
        self,
        hot_aisle_c: Value,
        chilled_water_c: Value,
        fan_pu: Value,
        units: Value,
        air_density_pu: float = 1.0,
    ) -> Value:
        """Heat from air to water in all units, kW."""
        rate = self.air_rate_kw_per_k(fan_pu, units, air_density_pu)
        return self.effectiveness * rate * (hot_aisle_c - chilled_water_c)

    def cold_aisle_c(self, hot_aisle_c: Value, chilled_water_c: Value, fan_pu: Value) -> Value:
        """Air behind the fans, degC; fan power and air flow follow the density alike."""
        cooled = hot_aisle_c - self.effectiveness * (hot_aisle_c - chilled_water_c)
        return cooled + self.fan_kw * fan_pu**2 / self.air_kw_per_k

    def hot_aisle_c(
        self,
        air_heat_kw: Value,
        chilled_water_c: Value,
        fan_pu: Value,
        units: Value,
        air_density_pu: float = 1.0,
    ) -> Value:
        """Hot aisle in the steady state, degC; fan_pu > 0."""
        heat = air_heat_kw + units * self.fan_power_kw(fan_pu, air_density_pu)
        rate = self.air_rate_kw_per_k(fan_pu, units, air_density_pu)
        return chilled_water_c + heat / (self.effectiveness * rate)

    def cold_aisle_at_c(
        self,
        air_heat_kw: Value,
        units: Value,
        fan_pu: Value,
        chilled_water_c: Value,
        air_density_pu: float = 1.0,
    ) -> Value:
        """Cold aisle in the steady state, degC; fan_pu > 0."""
        hot_aisle_c = self.hot_aisle_c(air_heat_kw, chilled_water_c, fan_pu, units, air_density_pu)
        return self.cold_aisle_c(hot_aisle_c, chilled_water_c, fan_pu)

    def required_fan_pu(
        self,
        air_heat_kw: float,
        units: float,
        chilled_water_c: float,
        supply_air_max_c: float,
        air_density_pu: float = 1.0,
    ) -> float:
        """Slowest fan speed that keeps the cold aisle in the steady state; infinite where none does.

        At least fan_min_pu: the drives do not run slower, and more air makes the cold aisle colder.
        """
        rise_k, rate = supply_air_max_c - chilled_water_c, units * self.air_kw_per_k * air_density_pu
        heat_kw = air_heat_kw * (1 / self.effectiveness - 1)
        fans_kw = units * self.fan_kw * air_density_pu / self.effectiveness
        if air_heat_kw <= 0:
            return self.fan_min_pu
        if units <= 0 or rise_k <= 0:
            return math.inf
        # excess(y) = heat + fans y**3 - rate rise y is convex: the first root lies before its minimum
        low, high = 0.0, min(1.0, math.sqrt(rate * rise_k / (3 * fans_kw)) if fans_kw > 0 else 1.0)
        if heat_kw + fans_kw * high**3 > rate * rise_k * high:
            return math.inf
        while (middle := 0.5 * (low + high)) not in (low, high):
            if heat_kw + fans_kw * middle**3 > rate * rise_k * middle:
                low = middle
            else:
                high = middle
        return max(high, self.fan_min_pu)

    def capex_usd(self, count: Value) -> Value:
        """Investment for `count` units."""
        return count * self.cost_usd_per_kw * self.capacity_kw

    def evaluate(self, at: Mapping[str, float]) -> dict[str, float]:
        """One unit at a point: air_heat_kw, chilled_water_c, fan_pu, supply_air_max_c, air_density_pu."""
        given = point(
            at,
            air_heat_kw=self.capacity_kw,
            chilled_water_c=10.0,
            fan_pu=1.0,
            supply_air_max_c=27.0,
            air_density_pu=1.0,
        )
        heat, water, fan = given["air_heat_kw"], given["chilled_water_c"], given["fan_pu"]
        density = given["air_density_pu"]
        hot = self.hot_aisle_c(heat, water, fan, 1.0, density) if fan > 0 and density > 0 else math.nan
        return {
            "hot_aisle_c": hot,
            "cold_aisle_c": self.cold_aisle_c(hot, water, fan),
            "coil_kw": self.coil_kw(hot, water, fan, 1.0, density),
            "fan_power_kw": self.fan_power_kw(fan, density),
            "required_fan_pu": self.required_fan_pu(heat, 1.0, water, given["supply_air_max_c"], density),
        }

    # plan: exact table over the count at the slowest speed that holds the cold aisle

    # plant
    def rate(
        self,
        state: Mapping[str, Value],
        units: Value,
        fan_pu: Value,
        air_heat_kw: Value,
        chiller_kw: Value,
        water_kj_per_k: Value,
        air_density_pu: float = 1.0,
    ) -> dict[str, Value]:
        """Rates of the hot aisle and of the chilled water, K/s."""
        coil = self.coil_kw(state["hot_aisle_c"], state["chilled_water_c"], fan_pu, units, air_density_pu)
        heat = air_heat_kw + units * self.fan_power_kw(fan_pu, air_density_pu)
        return {
            "hot_aisle_c": (heat - coil) / (units * self.room_kj_per_k),
            "chilled_water_c": (coil - chiller_kw) / water_kj_per_k,
        }

    def heat_kj_per_k(self, units: Value, chiller_l: Value) -> Value:
        """Heat capacity of the chilled-water loop, kJ/K."""
        return water_kj_per_k(units * self.chilled_water_l + chiller_l)
