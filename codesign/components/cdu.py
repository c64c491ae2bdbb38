"""CDU: exchanger between the racks' loop (TCS) and the hall's loop (FWS), its pumps, and the TCS piping.

symbol   name                     unit    meaning                                            (all of one unit)
V        tcs_l_per_min            l/min   TCS flow;  V_0 flow_l_per_min, the card's reference
m        fws_kg_per_s             kg/s    FWS flow;  m_0 fws_reference_kg_per_s
UA       conductance_kw_per_k     kW/K    1/UA = r_1 (V/V_0)**-n + r_2 (m/m_0)**-n + r_wall
Q        duty_kw                  kW      heat from TCS to FWS
P        pump_kw                  kW      (head_fixed + head_friction (V/V_0)**2) V/efficiency; all of it
                                          heats the TCS
T_ret    tcs_return_c             degC    return pipe, mixed                                           (state)
T_hot    cdu_hot_out_c            degC    TCS side, leaving the exchanger                              (state)
T_cold   cdu_cold_out_c           degC    FWS side, leaving the exchanger and the FWS pump             (state)
T_sup    tcs_supply_c             degC    supply pipe, after the pump                                  (state)

Exchanger: counterflow effectiveness-NTU (smooth.counterflow_duty). Conductance law and its exponent: fit to
the Frontier CDU table, 160-400 gpm primary, within 0.8 %. The outlets follow the static duty through the
volume of their side; pump heat enters at the supply node: rho c V_sup dT_sup = C (T_hot - T_sup) + P.
Efficiency is wire to external water: the exchanger's and the filter's pressure drop are in it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from codesign.components.base import fws_kw_per_k, point, tcs_kw_per_k, water_kj_per_k
from codesign.smooth import Value, bisect, counterflow_duty, floored


@dataclass(frozen=True, slots=True, kw_only=True)
class CDU:
    """A coolant distribution unit."""

    RANGES: ClassVar = {
        "tcs_l_per_min": ("tcs_min_l_per_min", "tcs_max_l_per_min"),
        "fws_kg_per_s": ("fws_flow_min_kg_per_s", "fws_flow_max_kg_per_s"),
    }

    capacity_kw: float
    approach_k: float
    flow_l_per_min: float
    fws_reference_kg_per_s: float
    coolant: str
    tcs_min_l_per_min: float
    tcs_max_l_per_min: float
    fws_flow_min_kg_per_s: float
    fws_flow_max_kg_per_s: float
    tcs_resistance_k_per_kw: float
    fws_resistance_k_per_kw: float
    wall_resistance_k_per_kw: float
    flow_exponent: float
    tcs_kj_per_l_k: float
    head_fixed_kpa: float
    head_friction_kpa: float
    efficiency: float
    supply_l: float
    return_l: float
    tcs_side_l: float
    fws_side_l: float
    pump_lag_s: float
    valve_lag_s: float
    coast_down_s: float
    standby_delay_s: float
    standby_ramp_s: float
    cost_usd_per_kw: float
    cost_usd_per_l_per_min: float
    life_years: float
    om_pu: float

    # physics: floats, arrays, CasADi symbols
    def capacity_rate_kw_per_k(self, tcs_l_per_min: Value) -> Value:
        """Capacity rate of a TCS flow, kW/K."""
        return tcs_kw_per_k(tcs_l_per_min, self.tcs_kj_per_l_k)

    def conductance_kw_per_k(self, tcs_l_per_min: Value, fws_kg_per_s: Value) -> Value:
        """UA of one unit, kW/K."""
        tcs_pu = floored(tcs_l_per_min / self.flow_l_per_min)
        fws_pu = floored(fws_kg_per_s / self.fws_reference_kg_per_s)
        return 1 / (
            self.tcs_resistance_k_per_kw * tcs_pu**-self.flow_exponent
            + self.fws_resistance_k_per_kw * fws_pu**-self.flow_exponent
            + self.wall_resistance_k_per_kw
        )

    def duty_kw(self, hot_in_c: Value, cold_in_c: Value, tcs_l_per_min: Value, fws_kg_per_s: Value) -> Value:
        """Heat from TCS to FWS in one unit, kW; none where either flow stands still.

        At the floors of the flows the duty is at most what either floor carries between the inlets; times the
        shares of the floors that flow, it is at most what either flow carries.
        """
        hot = self.flow_l_per_min * floored(tcs_l_per_min / self.flow_l_per_min)
        cold = self.fws_reference_kg_per_s * floored(fws_kg_per_s / self.fws_reference_kg_per_s)
        at_floors = counterflow_duty(
            self.conductance_kw_per_k(tcs_l_per_min, fws_kg_per_s),
            self.capacity_rate_kw_per_k(hot),
            fws_kw_per_k(cold),
            hot_in_c - cold_in_c,
        )
        return at_floors * (tcs_l_per_min / hot) * (fws_kg_per_s / cold)

    def pump_kw(self, tcs_l_per_min: Value) -> Value:
        """Electric power of one unit's pumps, kW; all of it becomes heat of the TCS."""
        head_kpa = self.head_fixed_kpa + self.head_friction_kpa * (tcs_l_per_min / self.flow_l_per_min) ** 2
        return head_kpa * tcs_l_per_min / 60_000 / self.efficiency

    def fws_flow_for(self, duty_kw: float, hot_in_c: float, cold_in_c: float, tcs_l_per_min: float) -> float:
        """FWS flow of one unit that carries a duty, kg/s; infinite where no flow up to the largest does."""
        return bisect(
            lambda fws: self.duty_kw(hot_in_c, cold_in_c, tcs_l_per_min, fws),
            duty_kw,
            0.0,
            self.fws_flow_max_kg_per_s,
        )

    def pump_availability(self, since_trip_s: float) -> float:
        """Share of the tripped unit's flow, 0..1: coast-down, then the standby pump's delay and ramp."""
        if since_trip_s < 0:
            return 1.0
        standby = min(max((since_trip_s - self.standby_delay_s) / self.standby_ramp_s, 0.0), 1.0)
        return max(math.exp(-since_trip_s / self.coast_down_s), standby)

    def capex_usd(self, count: Value, flow_l_per_min: Value) -> Value:
        """Investment for `count` units with pumps for `flow_l_per_min` each."""
        return count * (
            self.cost_usd_per_kw * self.capacity_kw + self.cost_usd_per_l_per_min * flow_l_per_min
        )

    def evaluate(self, at: Mapping[str, float]) -> dict[str, float]:
        """One unit at a point: hot_in_c, cold_in_c, tcs_l_per_min, fws_kg_per_s."""
        given = point(
            at,
            hot_in_c=55.0,
            cold_in_c=36.0,
            tcs_l_per_min=self.flow_l_per_min,
            fws_kg_per_s=self.fws_reference_kg_per_s,
        )
        tcs, fws, duty = given["tcs_l_per_min"], given["fws_kg_per_s"], self.duty_kw(**given)
        return {
            "conductance_kw_per_k": self.conductance_kw_per_k(tcs, fws),
            "duty_kw": duty,
            "duty_kw_per_k_of_inlets": self.duty_kw(1.0, 0.0, tcs, fws),
            "pump_kw": self.pump_kw(tcs),
        }

    # plan: exact table over the count; at a fixed setting flow, duty and pump power follow from it

    # plant
    def rate(
        self,
        state: Mapping[str, Value],
        count: Value,
        running: Value,
        tcs_l_per_min: Value,
        fws_kg_per_s: Value,
        fws_supply_c: Value,
        racks_kw: Value,
        fws_pump_kw: Value,
    ) -> dict[str, Value]:
        """Rates of the TCS loop and of both exchanger sides, K/s.

        `count` installed units of which `running` (a real number while one coasts down) carry `tcs_l_per_min`
        each; `fws_kg_per_s` a unit flows through all. `racks_kw` is the enthalpy flow from the racks' outlets
        above 0 degC, so that a standstill needs no division.
        """
        hot = self.capacity_rate_kw_per_k(running * tcs_l_per_min)
        cold = fws_kw_per_k(count * fws_kg_per_s)
        duty = running * self.duty_kw(state["tcs_return_c"], fws_supply_c, tcs_l_per_min, fws_kg_per_s)
        pump = running * self.pump_kw(tcs_l_per_min)
        tcs_kj = count * self.tcs_kj_per_l_k
        return {
            "tcs_return_c": (racks_kw - hot * state["tcs_return_c"]) / (tcs_kj * self.return_l),
            "cdu_hot_out_c": (hot * (state["tcs_return_c"] - state["cdu_hot_out_c"]) - duty)
            / (tcs_kj * self.tcs_side_l),
            "tcs_supply_c": (hot * (state["cdu_hot_out_c"] - state["tcs_supply_c"]) + pump)
            / (tcs_kj * self.supply_l),
            "cdu_cold_out_c": (cold * (fws_supply_c - state["cdu_cold_out_c"]) + duty + fws_pump_kw)
            / (count * water_kj_per_k(self.fws_side_l)),
        }

    def stored_kj(self, state: Mapping[str, Value], count: Value) -> Value:
        """Heat held by the TCS loop and both exchanger sides, kJ above 0 degC."""
        tcs = (
            self.return_l * state["tcs_return_c"]
            + self.tcs_side_l * state["cdu_hot_out_c"]
            + self.supply_l * state["tcs_supply_c"]
        )
        return count * (self.tcs_kj_per_l_k * tcs + water_kj_per_k(self.fws_side_l) * state["cdu_cold_out_c"])
