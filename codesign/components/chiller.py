"""Chiller: air-cooled trim machine on warm water, a fixed fraction of Carnot; trips and restarts.

symbol   name               unit   meaning                                                    (of one machine)
T_e      leaving_c          degC   leaving water, held inside leaving_min_c..leaving_max_c
T_a      dry_bulb_c         degC   ambient dry bulb, held inside ambient_min_c..ambient_max_c; warmer by
                                   air.warmer_k at altitude
A        capacity_at_kw     kW     capacity_kw (1 + k_e (T_e - T_e,ref) + k_a (T_a - T_a,ref))
COP      cop                1      min(cop_max, carnot_pu (T_e - pinch + 273.15)/max(lift_min, T_a + lift -
                                   T_e + pinch))
P        power_kw           kW     A/COP (fixed_pu n + (1 - fixed_pu) Q/A), n machines on

Carnot-fraction form for air-cooled machines on warm water: condensing at dry bulb + 12 K (8-16), evaporating
at leaving water - 2 K, fraction 0.5 (0.4-0.6), COP capped, lift bounded; all estimates, as is the capacity
law. No catalogue curve known to the project is valid above 12.8 degC leaving water. Trip: availability 0 for
off_s, then rising in reload_s.
Held at the ends of its range the law stays finite for a search that passes by; beyond them the machine is
not on offer (RANGES), and nothing held so is certified.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from codesign.components.air import warmer_k
from codesign.components.base import beyond, fws_kw_per_k, point, water_kj_per_k
from codesign.smooth import Value, clip, smooth_max, smooth_min


@dataclass(frozen=True, slots=True, kw_only=True)
class Chiller:
    """One air-cooled warm-water chiller."""

    RANGES: ClassVar = {
        "leaving_c": ("leaving_min_c", "leaving_max_c"),
        "dry_bulb_c": ("ambient_min_c", "ambient_max_c"),
    }

    capacity_kw: float
    leaving_reference_c: float
    ambient_reference_c: float
    capacity_pu_per_k_leaving: float
    capacity_pu_per_k_ambient: float
    carnot_pu: float
    evaporator_pinch_k: float
    condenser_lift_k: float
    cop_max: float
    lift_min_k: float
    fixed_pu: float
    load_min_pu: float
    leaving_min_c: float
    leaving_max_c: float
    ambient_min_c: float
    ambient_max_c: float
    off_s: float
    reload_s: float
    evaporator_l: float
    loop_l_per_kw_min: float
    ramp_pu_per_min: float
    cost_usd_per_kw: float
    life_years: float
    om_pu: float

    # physics: floats, arrays, CasADi symbols
    def _held(self, leaving_c: Value, dry_bulb_c: Value, air_density_pu: float) -> tuple[Value, Value]:
        return (
            clip(leaving_c, self.leaving_min_c, self.leaving_max_c),
            clip(self.equivalent_c(dry_bulb_c, air_density_pu), self.ambient_min_c, self.ambient_max_c),
        )

    def equivalent_c(self, dry_bulb_c: Value, air_density_pu: float = 1.0) -> Value:
        """Dry bulb at sea level at which the machine condenses as at this one, degC; the range ends at it."""
        return dry_bulb_c + warmer_k(self.condenser_lift_k, air_density_pu)

    def out_of_range(
        self, leaving_c: float, dry_bulb_c: float, air_density_pu: float = 1.0
    ) -> dict[str, float]:
        """Inputs beyond the card's range: name -> excess over the end, K (signed)."""
        felt_c = self.equivalent_c(dry_bulb_c, air_density_pu)  # thin air does not warm what is too cold
        judged_c = dry_bulb_c if dry_bulb_c < self.ambient_min_c else felt_c
        return beyond(self, leaving_c=leaving_c, dry_bulb_c=judged_c)

    def cop(self, leaving_c: Value, dry_bulb_c: Value, air_density_pu: float = 1.0) -> Value:
        """Coefficient of performance at full load."""
        leaving, ambient = self._held(leaving_c, dry_bulb_c, air_density_pu)
        evaporating = leaving - self.evaporator_pinch_k
        lift = smooth_max(ambient + self.condenser_lift_k - evaporating, self.lift_min_k, 0.5)
        return smooth_min(self.carnot_pu * (evaporating + 273.15) / lift, self.cop_max, 0.2)

    def capacity_at_kw(self, leaving_c: Value, dry_bulb_c: Value, air_density_pu: float = 1.0) -> Value:
        """Full-load capacity of one machine, kW."""
        leaving, ambient = self._held(leaving_c, dry_bulb_c, air_density_pu)
        return self.capacity_kw * (
            1
            + self.capacity_pu_per_k_leaving * (leaving - self.leaving_reference_c)
            + self.capacity_pu_per_k_ambient * (ambient - self.ambient_reference_c)
        )

    def power_kw(
        self,
        duty_kw: Value,
        machines_on: Value,
        leaving_c: Value,
        dry_bulb_c: Value,
        air_density_pu: float = 1.0,
    ) -> Value:
        """Electric power of the machines that are on for the duty of all of them, kW."""
        full_kw = self.capacity_at_kw(leaving_c, dry_bulb_c, air_density_pu)
        fixed_kw = self.fixed_pu * full_kw * machines_on
        return (fixed_kw + (1 - self.fixed_pu) * duty_kw) / self.cop(leaving_c, dry_bulb_c, air_density_pu)

    def availability(
        self, since_trip_s: float, off_s: float | None = None, reload_s: float | None = None
    ) -> float:
        """Share of a tripped machine's capacity, 0..1; the card's times unless a scenario states its own."""
        if since_trip_s < 0:
            return 1.0
        off, reload = self.off_s if off_s is None else off_s, self.reload_s if reload_s is None else reload_s
        return min(max((since_trip_s - off) / reload, 0.0), 1.0) if reload > 0 else float(since_trip_s >= off)

    def capex_usd(self, count: Value) -> Value:
        """Investment for `count` machines."""
        return count * self.cost_usd_per_kw * self.capacity_kw

    def evaluate(self, at: Mapping[str, float]) -> dict[str, float]:
        """One machine at a point: leaving_c, dry_bulb_c, air_density_pu, duty_kw (full load if left out)."""
        given = point(
            at,
            leaving_c=self.leaving_reference_c,
            dry_bulb_c=self.ambient_reference_c,
            air_density_pu=1.0,
            duty_kw=math.nan,
        )
        ambient = {key: given[key] for key in ("leaving_c", "dry_bulb_c", "air_density_pu")}
        full_kw = self.capacity_at_kw(**ambient)
        duty = full_kw if math.isnan(given["duty_kw"]) else given["duty_kw"]
        beyond = self.out_of_range(**ambient)
        return {
            "capacity_at_kw": full_kw,
            "cop": self.cop(**ambient),
            "power_kw": self.power_kw(duty, 1.0, **ambient),
            "leaving_c_beyond_range": beyond.get("leaving_c", 0.0),
            "dry_bulb_c_beyond_range": beyond.get("dry_bulb_c", 0.0),
        }

    # plan: power is affine in machines on and duty, so the rows are exact; one may cycle below its least load
    def loop_min_l(self, count: float) -> float:
        """Least water volume of the loop of `count` machines, l."""
        return self.loop_l_per_kw_min * count * self.capacity_kw

    # plant
    def heat_kj_per_k(self, count: Value, pipe_l: float) -> Value:
        """Heat capacity of the water in the evaporators and the piping behind them, kJ/K."""
        return water_kj_per_k(count * self.evaporator_l + pipe_l)

    def rate(self, out_c: Value, in_c: Value, flow_kg_per_s: Value, duty_kw: Value, kj_per_k: Value) -> Value:
        """Rate of the temperature behind the evaporators, K/s; flow and duty of all machines."""
        return (fws_kw_per_k(flow_kg_per_s) * (in_c - out_c) - duty_kw) / kj_per_k

    # limits
    def limits(
        self,
        duty_kw: Value,
        machines_on: Value,
        leaving_c: Value,
        dry_bulb_c: Value,
        air_density_pu: float = 1.0,
    ) -> dict[str, Value]:
        """Excess over each limit (<= 0 holds), kW."""
        most_kw = machines_on * self.capacity_at_kw(leaving_c, dry_bulb_c, air_density_pu)
        return {"chiller_capacity": duty_kw - most_kw}
