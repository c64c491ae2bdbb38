"""Rack: GPUs under cold plates, the rest of the liquid-cooled parts, and a share of heat to the room's air.

symbol   name                    unit     meaning
u        level_pu                1        metered power over nominal rack power, as a job's profile holds it:
                                          with the leakage at the junction T* of the reference conditions
T_d      die_c                   degC     die (junction); the limit is on it                           (state)
T_l      lid_c                   degC     lid                                                          (state)
T_p      plate_c                 degC     cold plate                                                   (state)
T_f      coolant_c               degC     mean coolant in the plate                                    (state)
T_s      supply_c                degC     TCS supply
V        flow_l_per_min          l/min    TCS flow of the rack; every GPU gets an equal part of it; W its
                                          capacity rate
R_dl     die_lid_k_per_w         K/W      die to lid;  R_lp lid to plate
R_c      plate_coolant_k_per_w   K/W      plate to mean coolant at plate_flow_l_per_min a GPU, times
                                          (V/V_ref)**-flow_exponent
R        resistance_k_per_w      K/W      R_dl + R_lp + R_c(V) + 1/(2 W);  R* at plate_flow_l_per_min
lambda   leakage_pu_per_k        1/K      change of a GPU's power, over that power, a kelvin of its junction
T*       metered_junction_c      degC     leakage_reference_c - R* P_rated (1 - u): steady junction at level u
                                          where the plate has its reference flow and rated power comes to
                                          leakage_reference_c
T_r      return_target_c         degC     return temperature that the maker's flow table holds

Power of a GPU: P = P_rated u (1 + lambda (T_d - T*)). A profile holds its leakage already; what counts here
is the deviation of a junction that is cooled otherwise than where the profile was metered. In the plant T_d
- T* is read off the plate, e = T_p - T_c* - (R_c* + 1/(2 W*)) (T_p - T_f)/R_c(V) with T_c* the coolant of the
reference, and P = P_rated u (1 + lambda e/(1 - lambda P_rated u R*)): the same fixed point, and a notch that
ends before the plate follows is the profile's own. After a fall of the flow it leads by the plate's seconds.
Runaway: a fixed point is stable where the gain R dP/dT = lambda P_rated u R < 1; GAIN_MAX is kept.
Static: T_d = T_s + P R(V), the fixed point of the network below.
Network, one GPU: C_d dT_d = P - (T_d - T_l)/R_dl;  C_l dT_l = (T_d - T_l)/R_dl - (T_l - T_p)/R_lp;
C_p dT_p = (T_l - T_p)/R_lp - (T_p - T_f)/R_c;  rho c V_p dT_f = (T_p - T_f)/R_c - 2 W (T_f - T_s); the outlet
is at 2 T_f - T_s. The coolant is the plate's mean, not its outlet: the OCP record of a 1 kW plate (PG25, OAI
System Liquid Cooling Guidelines, 2023, figure 7) leaves 0.0015 K/W at 0.4 l/min beside the whole caloric rise
of 0.0374, less than at 2.4 l/min (0.0135); beside half of it 0.0202 to 0.0166, what a plate does.
Flow rule: V = Q/(rho c (T_r - T_s)); fits Lenovo's GB300 NVL72 table (LP2357) within 1 %.
The plate's and the die's parameters are estimates, chosen for 81 degC at 1200 W, 40 degC in and 1.6 l/min and
for the shape of the OCP record.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from codesign.components.base import PG25_KJ_PER_L_K, point, tcs_kw_per_k
from codesign.smooth import Value, floored

GAIN_MAX = 0.5
"""Largest gain R dP/dT allowed: a gain margin of 2 (6 dB) to thermal runaway, as loops are commonly set."""
MEAN = 0.5
"""Share of the caloric rise between supply and mean coolant of the plate."""


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

    def __post_init__(self) -> None:
        """ValueError for a leakage beyond what a rack at rest in its reference conditions can have."""
        gain = self.gain_pu(1.0, self.gpus * self.plate_flow_l_per_min)
        if gain >= 1.0:
            raise ValueError(
                f"leakage_pu_per_k: a gain R dP/dT below 1 at rated power (here {gain:.3g}), "
                "else no junction temperature is steady"
            )
        if self.leakage_pu_per_k * self.leakage_reference_c >= 1.0:
            raise ValueError(
                f"leakage_pu_per_k: below {1.0 / self.leakage_reference_c:.3g}, else power is negative at a "
                "junction of 0 degC"
            )

    # physics: floats, arrays, CasADi symbols
    @property
    def rated_w(self) -> float:
        """Power of one GPU at level 1 in the reference conditions, W."""
        return 1000 * self.nominal_kw * self.gpu_pu / self.gpus

    @property
    def _reference_flow(self) -> float:
        return self.gpus * self.plate_flow_l_per_min

    def _coolant_w_per_k(self, flow_l_per_min: Value) -> Value:
        """Heat of one GPU over the mean coolant's rise above the supply, W/K."""
        return 1000 * tcs_kw_per_k(flow_l_per_min) / self.gpus / MEAN

    def resistance_k_per_w(self, flow_l_per_min: Value) -> Value:
        """Die to supply, K/W of one GPU, at a flow of the whole rack; flow > 0."""
        inside = self.die_lid_k_per_w + self.lid_plate_k_per_w
        outside = self.plate_resistance_k_per_w(flow_l_per_min) + 1 / self._coolant_w_per_k(flow_l_per_min)
        return inside + outside

    def metered_junction_c(self, level_pu: Value) -> Value:
        """Junction at which a profile's level is metered, degC."""
        return self.leakage_reference_c - self.resistance_k_per_w(self._reference_flow) * self.rated_w * (
            1 - level_pu
        )

    def gain_pu(self, level_pu: Value, flow_l_per_min: Value) -> Value:
        """Gain R dP/dT of the loop of leakage and temperature; runaway from 1 on."""
        flow = floored(flow_l_per_min / self._reference_flow) * self._reference_flow
        return self.leakage_pu_per_k * self.rated_w * level_pu * self.resistance_k_per_w(flow)

    def excess_k(self, plate_c: Value, coolant_c: Value, flow_l_per_min: Value) -> Value:
        """What the plate is warmer than in the reference conditions at the same heat, K."""
        flow = self._reference_flow
        metered = self.plate_resistance_k_per_w(flow) + 1 / self._coolant_w_per_k(flow)
        supply_c = self.metered_junction_c(0.0)
        heat_w = (plate_c - coolant_c) / self.plate_resistance_k_per_w(flow_l_per_min)
        return plate_c - supply_c - metered * heat_w

    def leakage_w(self, level_pu: Value, excess_k: Value) -> Value:
        """Power of one GPU beyond the profile's, W; negative where it is cooled better than as metered."""
        own = self.leakage_pu_per_k * self.rated_w * level_pu
        return own * excess_k / (1 - own * self.resistance_k_per_w(self._reference_flow))

    def gpu_w(self, level_pu: Value, excess_k: Value) -> Value:
        """Power of one GPU with its leakage, W."""
        return self.rated_w * level_pu + self.leakage_w(level_pu, excess_k)

    def leakage_kw(self, level_pu: Value, excess_k: Value) -> Value:
        """Power of the rack beyond the profile's, kW."""
        return self.gpus * self.leakage_w(level_pu, excess_k) / 1000

    def it_kw(self, level_pu: Value, excess_k: Value) -> Value:
        """Electric power of the rack, kW."""
        return self.nominal_kw * level_pu + self.leakage_kw(level_pu, excess_k)

    def liquid_kw(self, level_pu: Value, excess_k: Value) -> Value:
        """Heat to the TCS, kW: all of the leakage's deviation and a share of the profile's power."""
        return self.liquid_pu * self.nominal_kw * level_pu + self.leakage_kw(level_pu, excess_k)

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

    def steady_gpu_w(self, level_pu: Value, supply_c: Value, flow_l_per_min: Value) -> Value:
        """Power of one GPU in the steady state, W; flow > 0. Closed form, since leakage is linear."""
        level_w = self.rated_w * level_pu
        cold = 1 + self.leakage_pu_per_k * (supply_c - self.metered_junction_c(level_pu))
        gain = self.leakage_pu_per_k * level_w * self.resistance_k_per_w(flow_l_per_min)
        return level_w * cold / (1 - gain)

    def steady_junction_c(self, level_pu: Value, supply_c: Value, flow_l_per_min: Value) -> Value:
        """Die temperature in the steady state, degC; flow > 0."""
        power_w = self.steady_gpu_w(level_pu, supply_c, flow_l_per_min)
        return supply_c + self.resistance_k_per_w(flow_l_per_min) * power_w

    def steady(self, level_pu: Value, supply_c: Value, flow_l_per_min: Value) -> dict[str, Value]:
        """The four temperatures in the steady state, degC; flow > 0."""
        power_w = self.steady_gpu_w(level_pu, supply_c, flow_l_per_min)
        coolant_c = supply_c + power_w / self._coolant_w_per_k(flow_l_per_min)
        plate_c = coolant_c + power_w * self.plate_resistance_k_per_w(flow_l_per_min)
        lid_c = plate_c + power_w * self.lid_plate_k_per_w
        die_c = lid_c + power_w * self.die_lid_k_per_w
        return {"die_c": die_c, "lid_c": lid_c, "plate_c": plate_c, "coolant_c": coolant_c}

    def steady_excess_k(self, level_pu: Value, supply_c: Value, flow_l_per_min: Value) -> Value:
        """`excess_k` of the steady state, K; flow > 0."""
        at = self.steady(level_pu, supply_c, flow_l_per_min)
        return self.excess_k(at["plate_c"], at["coolant_c"], flow_l_per_min)

    def outlet_c(self, level_pu: Value, coolant_c: Value, supply_c: Value, flow_l_per_min: Value) -> Value:
        """Temperature at the rack's outlet, degC; flow > 0."""
        return self.plates_out_c(coolant_c, supply_c) + self.beside_gpu_kw(level_pu) / tcs_kw_per_k(
            flow_l_per_min
        )

    def plates_out_c(self, coolant_c: Value, supply_c: Value) -> Value:
        """Temperature at the plates' outlet, degC."""
        return supply_c + (coolant_c - supply_c) / MEAN

    def evaluate(self, at: Mapping[str, float]) -> dict[str, float]:
        """Steady state at a point: level_pu, supply_c, and flow_l_per_min (the maker's rule if left out)."""
        given = point(at, level_pu=1.0, supply_c=40.0, flow_l_per_min=math.nan)
        rule = self.required_flow_l_per_min(given["level_pu"], given["supply_c"])
        if math.isnan(given["flow_l_per_min"]):
            given["flow_l_per_min"] = rule
        steady, excess = self.steady(**given), self.steady_excess_k(**given)
        level, supply, flow = given["level_pu"], given["supply_c"], given["flow_l_per_min"]
        return {
            "required_flow_l_per_min": rule,
            **steady,
            "outlet_c": self.outlet_c(level, steady["coolant_c"], supply, flow),
            "it_kw": self.it_kw(level, excess),
            "liquid_kw": self.liquid_kw(level, excess),
            "air_kw": self.air_kw(level),
            "leakage_kw": self.leakage_kw(level, excess),
            "gain_pu": self.gain_pu(level, flow),
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
        carried = self._coolant_w_per_k(flow_l_per_min) * (coolant - supply_c)
        power_w = self.gpu_w(level_pu, self.excess_k(plate, coolant, flow_l_per_min))
        return {
            "die_c": (power_w - to_lid) / self.die_j_per_k,
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
    def limits(
        self, state: Mapping[str, Value], supply_c: Value, flow_l_per_min: Value, level_pu: Value
    ) -> dict[str, Value]:
        """Excess over each limit (<= 0 holds): K, K, l/min, 1."""
        return {
            "junction": state["die_c"] - self.junction_max_c,
            "tcs_supply": supply_c - self.supply_max_c,
            "rack_flow": flow_l_per_min - self.flow_max_l_per_min,
            "thermal_runaway": self.gain_pu(level_pu, flow_l_per_min) - GAIN_MAX,
        }
