"""Rack: GPUs under cold plates, the rest of the liquid-cooled parts, and a share of heat to the room's air.

symbol   name                    unit     meaning
u        level_pu                1        dynamic power over nominal rack power, at the leakage reference
                                          temperature
T_d      die_c                   degC     die (junction); the limit is on it                           (state)
T_l      lid_c                   degC     lid                                                          (state)
T_p      plate_c                 degC     cold plate                                                   (state)
T_f      coolant_c               degC     coolant in and after the plate                               (state)
T_s      supply_c                degC     TCS supply
V        flow_l_per_min          l/min    TCS flow of the rack; every GPU gets an equal part of it
R_dl     die_lid_k_per_w         K/W      die to lid;  R_lp lid to plate
R_c      plate_coolant_k_per_w   K/W      plate to coolant at plate_flow_l_per_min a GPU, times
                                          (V/V_ref)**-flow_exponent
lambda   leakage_pu_per_k        1/K      leakage over nominal GPU power, a kelvin above leakage_reference_c
T*       return_target_c         degC     return temperature that the maker's flow table holds

Static: T_d = T_s + P (R_dl + R_lp + R_c(V)) + P/(rho c V): outlet reference, the fixed point of the network
below.
Network, one GPU: C_d dT_d = P(u, T_d) - (T_d - T_l)/R_dl;  C_l dT_l = (T_d - T_l)/R_dl - (T_l - T_p)/R_lp;
C_p dT_p = (T_l - T_p)/R_lp - (T_p - T_f)/R_c;  rho c V_p dT_f = (T_p - T_f)/R_c - rho c V (T_f - T_s).
Flow rule: V = Q/(rho c (T* - T_s)); fits Lenovo's GB300 NVL72 table (LP2357) within 1 %.
The plate's and the die's parameters are estimates, chosen for 81 degC at 1200 W, 40 degC in and 1.6 l/min.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from codesign.components.base import PG25_KJ_PER_L_K, point, tcs_kw_per_k
from codesign.smooth import Value, floored


@dataclass(frozen=True, slots=True, kw_only=True)
class Rack:
    """A liquid-cooled rack of equal GPUs."""

    nominal_kw: float
    liquid_pu: float
    gpu_pu: float
    gpus: int
    supply_max_c: float
    return_target_c: float
    return_max_c: float
    flow_max_l_per_min: float
    junction_max_c: float
    leakage_pu_per_k: float
    leakage_reference_c: float
    die_lid_k_per_w: float
    lid_plate_k_per_w: float
    plate_coolant_k_per_w: float
    plate_flow_l_per_min: float
    flow_exponent: float
    die_j_per_k: float
    lid_j_per_k: float
    plate_j_per_k: float
    plate_volume_ml: float
    cold_aisle_max_c: float
    air_max_c: float

    # physics: floats, arrays, CasADi symbols
    def gpu_w(self, level_pu: Value, junction_c: Value) -> Value:
        """Power of one GPU with its leakage, W."""
        rated_w = 1000 * self.nominal_kw * self.gpu_pu / self.gpus
        return rated_w * (level_pu + self.leakage_pu_per_k * (junction_c - self.leakage_reference_c))

    def leakage_kw(self, junction_c: Value) -> Value:
        """Power of the rack beyond its dynamic power, kW; negative below the reference temperature."""
        return self.nominal_kw * self.gpu_pu * self.leakage_pu_per_k * (junction_c - self.leakage_reference_c)

    def it_kw(self, level_pu: Value, junction_c: Value) -> Value:
        """Electric power of the rack, kW."""
        return self.nominal_kw * level_pu + self.leakage_kw(junction_c)

    def liquid_kw(self, level_pu: Value, junction_c: Value) -> Value:
        """Heat to the TCS, kW: all of the leakage and a share of the dynamic power."""
        return self.liquid_pu * self.nominal_kw * level_pu + self.leakage_kw(junction_c)

    def air_kw(self, level_pu: Value) -> Value:
        """Heat to the room, kW."""
        return (1 - self.liquid_pu) * self.nominal_kw * level_pu

    def beside_gpu_kw(self, level_pu: Value) -> Value:
        """Heat to the TCS from the parts that are no GPUs, kW."""
        return (self.liquid_pu - self.gpu_pu) * self.nominal_kw * level_pu

    def plate_resistance_k_per_w(self, flow_l_per_min: Value) -> Value:
        """Plate to coolant, K/W of one GPU, at a flow of the whole rack."""
        flow_pu = floored(flow_l_per_min / (self.gpus * self.plate_flow_l_per_min))
        return self.plate_coolant_k_per_w * flow_pu**-self.flow_exponent

    def required_flow_l_per_min(
        self, level_pu: Value, supply_c: Value, coolant_kj_per_l_k: float = PG25_KJ_PER_L_K
    ) -> Value:
        """Flow of the maker's rule, l/min: holds the return temperature at its target."""
        heat_kw = self.liquid_pu * self.nominal_kw * level_pu
        return heat_kw / (tcs_kw_per_k(1.0, coolant_kj_per_l_k) * (self.return_target_c - supply_c))

    def _gpu_w_per_k(self, flow_l_per_min: Value) -> Value:
        """Capacity rate of one GPU's coolant, W/K."""
        return 1000 * tcs_kw_per_k(flow_l_per_min) / self.gpus

    def steady_junction_c(self, level_pu: Value, supply_c: Value, flow_l_per_min: Value) -> Value:
        """Die temperature in the steady state, degC; flow > 0. Closed form, since leakage is linear."""
        resistance = (
            self.die_lid_k_per_w
            + self.lid_plate_k_per_w
            + self.plate_resistance_k_per_w(flow_l_per_min)
            + 1 / self._gpu_w_per_k(flow_l_per_min)
        )
        at_zero_w = self.gpu_w(level_pu, 0.0)
        slope_w_per_k = self.gpu_w(level_pu, 1.0) - at_zero_w
        return (supply_c + resistance * at_zero_w) / (1 - resistance * slope_w_per_k)

    def steady(self, level_pu: Value, supply_c: Value, flow_l_per_min: Value) -> dict[str, Value]:
        """The four temperatures in the steady state, degC; flow > 0."""
        die_c = self.steady_junction_c(level_pu, supply_c, flow_l_per_min)
        power_w = self.gpu_w(level_pu, die_c)
        coolant_c = supply_c + power_w / self._gpu_w_per_k(flow_l_per_min)
        plate_c = coolant_c + power_w * self.plate_resistance_k_per_w(flow_l_per_min)
        lid_c = plate_c + power_w * self.lid_plate_k_per_w
        return {"die_c": die_c, "lid_c": lid_c, "plate_c": plate_c, "coolant_c": coolant_c}

    def outlet_c(self, level_pu: Value, coolant_c: Value, flow_l_per_min: Value) -> Value:
        """Temperature at the rack's outlet, degC; flow > 0."""
        return coolant_c + self.beside_gpu_kw(level_pu) / tcs_kw_per_k(flow_l_per_min)

    def evaluate(self, at: Mapping[str, float]) -> dict[str, float]:
        """Steady state at a point: level_pu, supply_c, and flow_l_per_min (the maker's rule if left out)."""
        given = point(at, level_pu=1.0, supply_c=40.0, flow_l_per_min=math.nan)
        rule = self.required_flow_l_per_min(given["level_pu"], given["supply_c"])
        if math.isnan(given["flow_l_per_min"]):
            given["flow_l_per_min"] = rule
        steady = self.steady(**given)
        level, flow, die = given["level_pu"], given["flow_l_per_min"], steady["die_c"]
        return {
            "required_flow_l_per_min": rule,
            **steady,
            "outlet_c": self.outlet_c(level, steady["coolant_c"], flow),
            "it_kw": self.it_kw(level, die),
            "liquid_kw": self.liquid_kw(level, die),
            "air_kw": self.air_kw(level),
            "leakage_kw": self.leakage_kw(die),
        }

    # plan: constants at a fixed setting; power at the mean level, flow at the highest

    # plant
    def rate(
        self, state: Mapping[str, Value], flow_l_per_min: Value, supply_c: Value, level_pu: Value
    ) -> dict[str, Value]:
        """Rates of the four temperatures, K/s."""
        die, lid, plate, coolant = (state[key] for key in ("die_c", "lid_c", "plate_c", "coolant_c"))
        to_lid = (die - lid) / self.die_lid_k_per_w
        to_plate = (lid - plate) / self.lid_plate_k_per_w
        to_coolant = (plate - coolant) / self.plate_resistance_k_per_w(flow_l_per_min)
        carried = self._gpu_w_per_k(flow_l_per_min) * (coolant - supply_c)
        return {
            "die_c": (self.gpu_w(level_pu, die) - to_lid) / self.die_j_per_k,
            "lid_c": (to_lid - to_plate) / self.lid_j_per_k,
            "plate_c": (to_plate - to_coolant) / self.plate_j_per_k,
            "coolant_c": (to_coolant - carried) / (self.plate_volume_ml * PG25_KJ_PER_L_K),
        }

    def stored_kj(self, state: Mapping[str, Value]) -> Value:
        """Heat held by the four nodes of all GPUs, kJ above 0 degC."""
        one_j = (
            self.die_j_per_k * state["die_c"]
            + self.lid_j_per_k * state["lid_c"]
            + self.plate_j_per_k * state["plate_c"]
            + self.plate_volume_ml * PG25_KJ_PER_L_K * state["coolant_c"]
        )
        return self.gpus * one_j / 1000

    # limits
    def limits(self, state: Mapping[str, Value], supply_c: Value, flow_l_per_min: Value) -> dict[str, Value]:
        """Excess over each limit (<= 0 holds): K, K, l/min."""
        return {
            "junction": state["die_c"] - self.junction_max_c,
            "tcs_supply": supply_c - self.supply_max_c,
            "rack_flow": flow_l_per_min - self.flow_max_l_per_min,
        }
