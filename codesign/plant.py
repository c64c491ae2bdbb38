"""The hall in motion: heat from dies to ambient, power from racks to the POI, from the components' rates.

    racks -> TCS return -> CDUs -> TCS supply -> racks
             FWS: buffer -> CDUs -> FWS pump -> dry coolers -> chillers -> buffer
    racks' air -> hot aisle -> fan walls -> chilled water -> air chillers
    racks + pumps + fans + compressors + storage -> transformers -> POI -> the window rule's high-pass

A plant knows names: `states`, `controls`, `disturbances`, `sizes`. Its laws take a mapping for each (x, u, d,
p) and return mappings; values are floats, arrays or CasADi symbols. A steady state of the static chain is a
fixed point of `rates`, and heat_in_kw - heat_out_kw is the rate of stored_kj identically: what leaves one
node enters the next.

symbol                  unit       meaning
GROUP.level_pu          1          metered power of the racks of a group (a job's copy) over their nominal
                                   power
tcs_flow_l_per_min      l/min      TCS flow of the hall with all CDUs running; the share of a stopped one is
                                   missing
cdu_available           1          flow of the one CDU that trips over its due, 0..1
chiller_available       1          share of the commanded chiller duty that arrives, 0..1
chillers_on             1          machines running
dry_cooler_open_pu      1          share of the coolers' duty taken, by the three-way valve; 1 unless it is
                                   too cold
filter_mw               MW         low-passed POI power; the rule's signal is what it leaves over
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from codesign.components.base import WATER_KJ_PER_KG_K, tcs_kw_per_k
from codesign.components.buffer import Buffer
from codesign.components.cdu import CDU
from codesign.components.chiller import Chiller
from codesign.components.dry_cooler import DryCooler
from codesign.components.eir_chiller import EirChiller
from codesign.components.fan_wall import FanWall
from codesign.components.fws_pump import FwsPump
from codesign.components.rack import Rack
from codesign.components.storage import Storage
from codesign.components.transformer import Transformer
from codesign.smooth import Value

Values = Mapping[str, Value]

RACK_STATES = ("die_c", "lid_c", "plate_c", "coolant_c")
TCS_STATES = ("tcs_return_c", "cdu_hot_out_c", "cdu_cold_out_c", "tcs_supply_c")
FWS_STATES = ("dry_cooler_out_c", "chiller_out_c", "fws_supply_c")
AIR_STATES = ("hot_aisle_c", "chilled_water_c")
OIL_STATES = ("top_oil_c", "winding1_k", "winding2_k")
CONTROLS = (
    "tcs_flow_l_per_min", "fws_flow_kg_per_s", "fan_pu", "chiller_kw", "fan_wall_pu", "air_chiller_kw",
    "charge_mw", "discharge_mw",
)  # fmt: skip
DISTURBANCES = ("dry_bulb_c", "cdu_available", "chiller_available", "chillers_on", "dry_cooler_open_pu")
SIZES = (
    "cdu_count", "cdu_flow_l_per_min", "fws_pump_flow_kg_per_s", "dry_cooler_count", "chiller_count",
    "buffer_m3", "fan_wall_count", "air_chiller_count", "transformer_count",
    "storage_power_mw", "storage_energy_mwh",
)  # fmt: skip


FAN_RAMP_PU_PER_S = 1 / 30
"""Fan drives, rest to full speed in 30 s; E: drives are set to 20-60 s, for the belts and against surges."""
PUMP_RAMP_PU_PER_S = 0.1
"""Pump drives, rest to rated flow in 10 s; E: drives are set to 5-20 s, against water hammer."""

NATURAL_PU = 0.1
"""Natural change of a duty or a flow, of what is installed; of stored energy, of what the storage holds."""
LEAST_PU = 1e-3
"""Beside it a share of the racks' power, so that what is not installed has a natural size too."""
SWING_PU = 1 / 40
"""Natural change of the storage's power, of its rating and the largest change that the window rule allows."""
STORED_S, HELD_S = 3.6, 1.0
"""Natural excess of stored energy, as a time at that change of power; least natural change of it."""


class Limit(NamedTuple):
    """A limit's excess (<= 0 holds), its unit, its natural size in that unit, and where it is."""

    excess: Value
    unit: str
    scale: Value
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Racks under the same load: copies of a job that are in step."""

    name: str
    racks: int
    rack: Rack


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """The components of a hall, in the order of the heat; counts and sizes come as arguments."""

    groups: tuple[Group, ...]
    cdu: CDU
    fws_pump: FwsPump
    dry_cooler: DryCooler
    chiller: Chiller
    buffer: Buffer
    fan_wall: FanWall
    air_chiller: EirChiller
    transformer: Transformer
    storage: Storage
    power_factor: float
    interconnection_limit_mw: float | None = None
    window_mw: float | None = None
    filter_order: int = 1
    filter_hz: float = 0.1
    air_density_pu: float = 1.0

    def __post_init__(self) -> None:
        """ValueError where the racks' coolant is not the one that the CDU card states."""
        if not math.isclose(tcs_kw_per_k(1.0), self.cdu.capacity_rate_kw_per_k(1.0), rel_tol=1e-9):
            raise ValueError(f"CDU with a coolant of {self.cdu.tcs_kj_per_l_k} kJ/l K: racks run on PG25")

    # names
    @property
    def states(self) -> tuple[str, ...]:
        """State names."""
        racks = tuple(f"{group.name}.{state}" for group in self.groups for state in RACK_STATES)
        flows = ("tcs_flow_l_per_min", "fws_flow_kg_per_s")
        electrical = ("storage_mwh", *self.filter_states, *OIL_STATES)
        return (*racks, *TCS_STATES, *flows, *FWS_STATES, *AIR_STATES, *electrical)

    @property
    def filter_states(self) -> tuple[str, ...]:
        """States of the window rule's high-pass, one for each order."""
        return ("filter_mw", *(f"filter{i}_mw" for i in range(2, self.filter_order + 1)))[: self.filter_order]

    @property
    def controls(self) -> tuple[str, ...]:
        """Control names."""
        return CONTROLS

    @property
    def exclusive(self) -> tuple[tuple[str, str], ...]:
        """Pairs of controls of which one is zero: the two directions of one machine."""
        return (("charge_mw", "discharge_mw"),)

    @property
    def disturbances(self) -> tuple[str, ...]:
        """Disturbance names."""
        return (*(f"{group.name}.level_pu" for group in self.groups), *DISTURBANCES)

    @property
    def sizes(self) -> tuple[str, ...]:
        """Size names."""
        return SIZES

    # parts of the heat path
    def _of(self, group: Group, x: Values) -> dict[str, Value]:
        return {state: x[f"{group.name}.{state}"] for state in RACK_STATES}

    def _running_cdus(self, d: Values, p: Values) -> Value:
        return p["cdu_count"] - 1 + d["cdu_available"]

    def _unit_flow_l_per_min(self, x: Values, p: Values) -> Value:
        """TCS flow of one running CDU."""
        return x["tcs_flow_l_per_min"] / p["cdu_count"]

    def _rack_flow_l_per_min(self, group: Group, x: Values, d: Values, p: Values) -> Value:
        """TCS flow of one rack: the hall's flow in proportion to nominal liquid heat."""
        share = group.rack.liquid_pu * group.rack.nominal_kw
        whole = sum(each.racks * each.rack.liquid_pu * each.rack.nominal_kw for each in self.groups)
        return share / whole * self._running_cdus(d, p) * self._unit_flow_l_per_min(x, p)

    def _racks_kw(self, x: Values, d: Values, p: Values) -> Value:
        """Enthalpy flow out of all racks above 0 degC."""
        return sum(
            group.racks
            * (
                tcs_kw_per_k(self._rack_flow_l_per_min(group, x, d, p))
                * group.rack.plates_out_c(x[f"{group.name}.coolant_c"], x["tcs_supply_c"])
                + group.rack.beside_gpu_kw(d[f"{group.name}.level_pu"])
            )
            for group in self.groups
        )

    def _dry_cooler_kw(self, x: Values, u: Values, d: Values, p: Values) -> Value:
        cells = p["dry_cooler_count"]
        water = x["fws_flow_kg_per_s"] / cells
        one = self.dry_cooler.duty_kw(
            u["fan_pu"], x["cdu_cold_out_c"], d["dry_bulb_c"], water, self.air_density_pu
        )
        return cells * d["dry_cooler_open_pu"] * one

    def _air_heat_kw(self, d: Values) -> Value:
        return sum(group.racks * group.rack.air_kw(d[f"{group.name}.level_pu"]) for group in self.groups)

    def _capacities_kj_per_k(self, p: Values) -> dict[str, Value]:
        """Heat capacity of the nodes between the CDUs' outlet and their inlet, and of the chilled water."""
        pipe = self.fws_pump.pipe_l
        return {
            "dry_cooler_out_c": self.dry_cooler.heat_kj_per_k(p["dry_cooler_count"], pipe),
            "chiller_out_c": self.chiller.heat_kj_per_k(p["chiller_count"], pipe),
            "fws_supply_c": self.buffer.heat_kj_per_k(p["buffer_m3"], pipe),
            "chilled_water_c": self.fan_wall.heat_kj_per_k(
                p["fan_wall_count"], p["air_chiller_count"] * self.air_chiller.water_l
            ),
        }

    # parts of the electrical path
    def powers_kw(self, x: Values, u: Values, d: Values, p: Values) -> dict[str, Value]:
        """Electric power of what moves heat, kW."""
        ambient, chillers_on = d["dry_bulb_c"], d["chillers_on"] * d["chiller_available"]
        duty = u["chiller_kw"] * d["chiller_available"]
        machines, water, density = p["air_chiller_count"], x["chilled_water_c"], self.air_density_pu
        return {
            "cdu_pump_kw": self._running_cdus(d, p) * self.cdu.pump_kw(self._unit_flow_l_per_min(x, p)),
            "fws_pump_kw": self.fws_pump.pump_kw(x["fws_flow_kg_per_s"]),
            "dry_cooler_fan_kw": p["dry_cooler_count"]
            * self.dry_cooler.fan_power_kw(u["fan_pu"], self.dry_cooler.density_pu(ambient, density)),
            "chiller_power_kw": self.chiller.power_kw(
                duty, chillers_on, x["chiller_out_c"], ambient, density
            ),
            "fan_wall_fan_kw": p["fan_wall_count"] * self.fan_wall.fan_power_kw(u["fan_wall_pu"], density),
            "air_chiller_power_kw": self.air_chiller.power_kw(
                u["air_chiller_kw"], machines, water, ambient, density
            ),
        }

    def _it_kw(self, x: Values, d: Values, p: Values) -> Value:
        power: Value = 0.0
        for group in self.groups:
            at = self._of(group, x)
            flow = self._rack_flow_l_per_min(group, x, d, p)
            excess_k = group.rack.excess_k(at["plate_c"], at["coolant_c"], flow)
            power = power + group.racks * group.rack.it_kw(d[f"{group.name}.level_pu"], excess_k)
        return power

    def _poi(self, x: Values, u: Values, d: Values, p: Values) -> tuple[Value, Value]:
        """Power at the POI, MW, and load of one transformer, per unit."""
        demand_kw = self._it_kw(x, d, p) + sum(self.powers_kw(x, u, d, p).values())
        at_rest_mw = self.storage.standby_mw(p["storage_power_mw"], p["storage_energy_mwh"])
        secondary_mw = demand_kw / 1000 + at_rest_mw + u["charge_mw"] - u["discharge_mw"]
        mva, units = secondary_mw / self.power_factor, p["transformer_count"]
        loss_mw = self.transformer.loss_kw(mva, units) / 1000
        return secondary_mw + loss_mw, mva / (units * self.transformer.rating_mva)

    def _high_passed(self, x: Values, poi_mw: Value) -> list[Value]:
        """POI power behind every stage of the high-pass, MW."""
        signal, stages = poi_mw, []
        for state in self.filter_states:
            signal = signal - x[state]
            stages.append(signal)
        return stages

    # laws
    def rates(self, x: Values, u: Values, d: Values, p: Values) -> dict[str, Value]:
        """Rate of every state, per second."""
        poi_mw, load_pu = self._poi(x, u, d, p)
        return {
            **self._rack_rates(x, d, p),
            **self._loop_rates(x, u, d, p),
            **self._air_rates(x, u, d, p),
            "storage_mwh": self.storage.rate(x["storage_mwh"], u["charge_mw"], u["discharge_mw"]),
            **{
                state: 2 * math.pi * self.filter_hz * passed
                for state, passed in zip(self.filter_states, self._high_passed(x, poi_mw), strict=True)
            },
            **self.transformer.rate({state: x[state] for state in OIL_STATES}, load_pu, d["dry_bulb_c"]),
        }

    def _rack_rates(self, x: Values, d: Values, p: Values) -> dict[str, Value]:
        rates: dict[str, Value] = {}
        for group in self.groups:
            flow = self._rack_flow_l_per_min(group, x, d, p)
            one = group.rack.rate(self._of(group, x), flow, x["tcs_supply_c"], d[f"{group.name}.level_pu"])
            rates |= {f"{group.name}.{state}": rate for state, rate in one.items()}
        return rates

    def _loop_rates(self, x: Values, u: Values, d: Values, p: Values) -> dict[str, Value]:
        fws, held = x["fws_flow_kg_per_s"], self._capacities_kj_per_k(p)
        return {
            **self.cdu.rate(
                {state: x[state] for state in TCS_STATES},
                p["cdu_count"],
                self._running_cdus(d, p),
                self._unit_flow_l_per_min(x, p),
                fws / p["cdu_count"],
                x["fws_supply_c"],
                self._racks_kw(x, d, p),
                self.fws_pump.pump_kw(fws),
            ),
            "tcs_flow_l_per_min": (u["tcs_flow_l_per_min"] - x["tcs_flow_l_per_min"]) / self.cdu.pump_lag_s,
            "fws_flow_kg_per_s": self.fws_pump.rate(fws, u["fws_flow_kg_per_s"]),
            "dry_cooler_out_c": self.dry_cooler.rate(
                x["dry_cooler_out_c"],
                x["cdu_cold_out_c"],
                fws,
                self._dry_cooler_kw(x, u, d, p),
                held["dry_cooler_out_c"],
            ),
            "chiller_out_c": self.chiller.rate(
                x["chiller_out_c"],
                x["dry_cooler_out_c"],
                fws,
                u["chiller_kw"] * d["chiller_available"],
                held["chiller_out_c"],
            ),
            "fws_supply_c": self.buffer.rate(
                x["fws_supply_c"], x["chiller_out_c"], fws, held["fws_supply_c"]
            ),
        }

    def _air_rates(self, x: Values, u: Values, d: Values, p: Values) -> dict[str, Value]:
        return self.fan_wall.rate(
            {state: x[state] for state in AIR_STATES},
            p["fan_wall_count"],
            u["fan_wall_pu"],
            self._air_heat_kw(d),
            u["air_chiller_kw"],
            self._capacities_kj_per_k(p)["chilled_water_c"],
            self.air_density_pu,
        )

    def outputs(self, x: Values, u: Values, d: Values, p: Values) -> dict[str, Value]:
        """What is read off the plant; heat_in_kw - heat_out_kw is the rate of stored_kj."""
        powers, (poi_mw, load_pu) = self.powers_kw(x, u, d, p), self._poi(x, u, d, p)
        it_kw, dry_kw = self._it_kw(x, d, p), self._dry_cooler_kw(x, u, d, p)
        chilled_kw = u["chiller_kw"] * d["chiller_available"]
        heating = ("cdu_pump_kw", "fws_pump_kw", "fan_wall_fan_kw")
        passed = self._high_passed(x, poi_mw)
        return {
            "it_mw": it_kw / 1000,
            "poi_mw": poi_mw,
            "poi_filtered_mw": passed[-1] if passed else poi_mw,
            "mechanical_kw": sum(powers.values()),
            **powers,
            "chiller_duty_kw": chilled_kw,
            "dry_cooler_kw": dry_kw,
            "tcs_flow_running_l_per_min": self._running_cdus(d, p) * self._unit_flow_l_per_min(x, p),
            "cold_aisle_c": self._cold_aisle_c(x, u),
            "transformer_load_pu": load_pu,
            "hot_spot_c": self.transformer.hot_spot_c(x),
            "heat_in_kw": it_kw + sum(powers[name] for name in heating),
            "heat_out_kw": dry_kw + chilled_kw + u["air_chiller_kw"],
            "stored_kj": self._stored_kj(x, p),
        }

    def _cold_aisle_c(self, x: Values, u: Values) -> Value:
        return self.fan_wall.cold_aisle_c(x["hot_aisle_c"], x["chilled_water_c"], u["fan_wall_pu"])

    def _stored_kj(self, x: Values, p: Values) -> Value:
        """Heat held above 0 degC, kJ."""
        held = {
            **self._capacities_kj_per_k(p),
            "hot_aisle_c": p["fan_wall_count"] * self.fan_wall.room_kj_per_k,
        }
        racks = sum(group.racks * group.rack.stored_kj(self._of(group, x)) for group in self.groups)
        return racks + self.cdu.stored_kj(x, p["cdu_count"]) + sum(kj * x[node] for node, kj in held.items())

    def ramps(self, p: Values) -> dict[str, Value]:
        """Largest change of a control in one second; a control that is not named follows at once."""
        share_per_s = self.chiller.ramp_pu_per_min / 60
        machines = p["chiller_count"] + (p["chiller_count"] < 0.5)  # of none the capacity is the limit
        return {
            "chiller_kw": share_per_s * machines * self.chiller.capacity_kw,
            "air_chiller_kw": share_per_s * p["air_chiller_count"] * self.air_chiller.capacity_kw,
            "fan_pu": FAN_RAMP_PU_PER_S,
            "fan_wall_pu": FAN_RAMP_PU_PER_S,
            "tcs_flow_l_per_min": PUMP_RAMP_PU_PER_S * p["cdu_count"] * p["cdu_flow_l_per_min"],
            "fws_flow_kg_per_s": PUMP_RAMP_PU_PER_S * p["fws_pump_flow_kg_per_s"],
        }

    def out_of_range(self, x: Mapping[str, float], d: Mapping[str, float]) -> dict[str, float]:
        """Component inputs beyond the range of their card, by `component.input`: excess over its end, K."""
        density = self.air_density_pu
        inputs = {
            "chiller": self.chiller.out_of_range(x["chiller_out_c"], d["dry_bulb_c"], density),
            "air_chiller": self.air_chiller.out_of_range(x["chilled_water_c"], d["dry_bulb_c"], density),
        }
        return {f"{part}.{name}": k for part, beyond in inputs.items() for name, k in beyond.items()}

    # natural sizes: they scale programmes and set tolerances
    @property
    def racks_kw(self) -> float:
        """Nominal power of all racks, kW."""
        return sum(group.racks * group.rack.nominal_kw for group in self.groups)

    @property
    def swing_mw(self) -> float:
        """Largest change of the POI power that matters: the window rule's, at most the racks' power, MW."""
        whole_mw = self.racks_kw / 1000
        return NATURAL_PU * whole_mw if self.window_mw is None else min(self.window_mw, whole_mw)

    def _natural_mw(self, p: Values) -> Value:
        return SWING_PU * (p["storage_power_mw"] + self.swing_mw)

    def _natural_kw(self, count: Value, capacity_kw: float) -> Value:
        return NATURAL_PU * count * capacity_kw + LEAST_PU * self.racks_kw

    def scales(self, p: Values) -> dict[str, Value]:
        """Natural change of every state and control that grows with the hall, in its unit; `heat_kw`."""
        power_mw = self._natural_mw(p)
        return {
            "tcs_flow_l_per_min": NATURAL_PU * p["cdu_count"] * p["cdu_flow_l_per_min"],
            "fws_flow_kg_per_s": NATURAL_PU * p["fws_pump_flow_kg_per_s"],
            "chiller_kw": self._natural_kw(p["chiller_count"], self.chiller.capacity_kw),
            "air_chiller_kw": self._natural_kw(p["air_chiller_count"], self.air_chiller.capacity_kw),
            "charge_mw": power_mw,
            "discharge_mw": power_mw,
            "storage_mwh": NATURAL_PU * p["storage_energy_mwh"] + HELD_S / 3600 * power_mw,
            **dict.fromkeys(self.filter_states, power_mw),
            "heat_kw": self.racks_kw,
        }

    # limits
    def limits(self, x: Values, u: Values, d: Values, p: Values) -> dict[str, Limit]:
        """Every limit that time can break, by `limit` or `limit.place`."""
        limits: dict[str, Limit] = {}
        power_mw, energy_mwh = self._natural_mw(p), 2 * SWING_PU * STORED_S / 3600 * self.swing_mw
        supply, cold_aisle_c = x["tcs_supply_c"], self._cold_aisle_c(x, u)
        for group in self.groups:
            flow = self._rack_flow_l_per_min(group, x, d, p)
            level = d[f"{group.name}.level_pu"]
            excess = group.rack.limits(self._of(group, x), supply, flow, level)
            limits[f"junction.{group.name}"] = Limit(excess["junction"], "k", 5.0, group.name)
            limits[f"tcs_supply.{group.name}"] = Limit(excess["tcs_supply"], "k", 5.0, group.name)
            limits[f"rack_flow.{group.name}"] = Limit(
                excess["rack_flow"], "l_per_min", NATURAL_PU * group.rack.flow_max_l_per_min, group.name
            )
            runaway = Limit(excess["thermal_runaway"], "pu", 0.1, group.name)
            limits[f"thermal_runaway.{group.name}"] = runaway
        racks = [group.rack for group in self.groups]
        air_max_c, return_max_c = min(r.air_max_c for r in racks), min(r.return_max_c for r in racks)
        power, energy = p["storage_power_mw"], p["storage_energy_mwh"]
        stored = self.storage.limits(x["storage_mwh"], u["charge_mw"], u["discharge_mw"], power, energy)
        limits |= {
            "tcs_return": Limit(x["tcs_return_c"] - return_max_c, "k", 5.0, "tcs"),
            "cold_aisle": Limit(cold_aisle_c - air_max_c, "k", 5.0, "room"),
            "tcs_flow": Limit(
                u["tcs_flow_l_per_min"] / p["cdu_count"] - p["cdu_flow_l_per_min"],
                "l_per_min", NATURAL_PU * p["cdu_flow_l_per_min"], "cdu",
            ),
            "fws_flow": Limit(
                u["fws_flow_kg_per_s"] - p["fws_pump_flow_kg_per_s"],
                "kg_per_s", NATURAL_PU * p["fws_pump_flow_kg_per_s"], "fws_pump",
            ),
            "chiller_capacity": Limit(
                self.chiller.limits(
                    u["chiller_kw"], d["chillers_on"], x["chiller_out_c"], d["dry_bulb_c"],
                    self.air_density_pu,
                )["chiller_capacity"],
                "kw", self._natural_kw(p["chiller_count"], self.chiller.capacity_kw), "chiller",
            ),
            "air_chiller_capacity": Limit(
                self.air_chiller.limits(
                    u["air_chiller_kw"], p["air_chiller_count"], x["chilled_water_c"], d["dry_bulb_c"],
                    self.air_density_pu,
                )["air_chiller_capacity"],
                "kw", self._natural_kw(p["air_chiller_count"], self.air_chiller.capacity_kw), "air_chiller",
            ),
            "hot_spot": Limit(self.transformer.limits(x)["hot_spot"], "k", 10.0, "transformer"),
            "storage_energy_low": Limit(stored["storage_energy_low"], "mwh", energy_mwh, "storage"),
            "storage_energy_high": Limit(stored["storage_energy_high"], "mwh", energy_mwh, "storage"),
            "storage_charge": Limit(stored["storage_charge"], "mw", power_mw, "storage"),
            "storage_discharge": Limit(stored["storage_discharge"], "mw", power_mw, "storage"),
            **self._flow_ranges(u, p),
            **self._water_ranges(x, d),
        }  # fmt: skip
        if "storage_voltage" in stored:
            limits["storage_voltage"] = Limit(stored["storage_voltage"], "mw", power_mw, "storage")
        if self.interconnection_limit_mw is not None:
            excess = self._poi(x, u, d, p)[0] - self.interconnection_limit_mw
            limits["interconnection"] = Limit(excess, "mw", power_mw, "poi")
        return limits

    def _flow_ranges(self, u: Values, p: Values) -> dict[str, Limit]:
        """Ends of the cards' ranges of flow; commands are judged, which the flows follow between."""
        cdus, cells = p["cdu_count"], p["dry_cooler_count"]
        tcs, fws, cell = u["tcs_flow_l_per_min"] / cdus, u["fws_flow_kg_per_s"], self.dry_cooler
        least_kg, most_kg = self.cdu.fws_flow_min_kg_per_s, self.cdu.fws_flow_max_kg_per_s
        natural_l, natural_kg = NATURAL_PU * p["cdu_flow_l_per_min"], NATURAL_PU * p["fws_pump_flow_kg_per_s"]
        ends = {
            "cdu_tcs_range.high": (tcs - self.cdu.tcs_max_l_per_min, "l_per_min", natural_l, "cdu"),
            "cdu_tcs_range.low": (self.cdu.tcs_min_l_per_min - tcs, "l_per_min", natural_l, "cdu"),
            "cdu_fws_range.high": (fws - cdus * most_kg, "kg_per_s", natural_kg, "cdu"),
            "cdu_fws_range.low": (cdus * least_kg - fws, "kg_per_s", natural_kg, "cdu"),
            "fws_pump_range": (fws - self.fws_pump.flow_max_kg_per_s, "kg_per_s", natural_kg, "fws_pump"),
        }
        water = {
            "dry_cooler_water_range.high": fws - cells * cell.water_max_kg_per_s,
            "dry_cooler_water_range.low": cells * cell.water_min_kg_per_s - fws,
        }
        some = cells > 0.5  # of no cells there is no range
        limits = {key: Limit(*each) for key, each in ends.items()}
        return limits | {
            key: Limit(some * excess - (1 - some) * natural_kg, "kg_per_s", natural_kg, "dry_cooler")
            for key, excess in water.items()
        }

    def _water_ranges(self, x: Values, d: Values) -> dict[str, Limit]:
        """Ends of the cards' ranges of water: behind chillers that run, and through the air side's loop.

        Of the air side's two ranges the nearer end of each stands, under the name of the card that has it.
        """
        machine, running = self.chiller, d["chillers_on"] * d["chiller_available"] > 1e-6
        out, chilled = x["chiller_out_c"], x["chilled_water_c"]
        width_k = machine.leaving_max_c - machine.leaving_min_c
        air = self.air_chiller.leaving_min_c, self.air_chiller.leaving_max_c
        wall = self.fan_wall.chilled_water_min_c, self.fan_wall.chilled_water_max_c
        low = "air_chiller" if air[0] >= wall[0] else "fan_wall"
        high = "air_chiller" if air[1] <= wall[1] else "fan_wall"

        def gated(excess_k: Value) -> Value:
            return running * excess_k - (1 - running) * width_k

        return {
            "chiller_range.high": Limit(gated(out - machine.leaving_max_c), "k", 5.0, "chiller"),
            "chiller_range.low": Limit(gated(machine.leaving_min_c - out), "k", 5.0, "chiller"),
            f"{low}_range.low": Limit(max(air[0], wall[0]) - chilled, "k", 5.0, low),
            f"{high}_range.high": Limit(chilled - min(air[1], wall[1]), "k", 5.0, high),
        }

    @property
    def least_controls(self) -> dict[str, float]:
        """Least value of a control that is not 0: fan drives do not run slower than their card says."""
        return {"fan_wall_pu": self.fan_wall.fan_min_pu}

    # the steady state
    def steady(
        self,
        level_pu: Values,
        dry_bulb_c: float,
        p: Mapping[str, float],
        *,
        tcs_flow_l_per_min: float,
        tcs_supply_c: float,
        fws_supply_c: float,
        chilled_water_c: float,
        fan_wall_pu: float,
        dry_cooler_kw: float,
        chillers_on: float,
        storage_mwh: float = 0.0,
    ) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
        """States, controls, disturbances of the static chain: the fixed point of `rates` at constant levels.

        The dry coolers take `dry_cooler_kw`, the chillers the rest. ValueError where CDUs or coolers cannot.
        """
        x: dict[str, float] = {"tcs_flow_l_per_min": tcs_flow_l_per_min, "tcs_supply_c": tcs_supply_c}
        d = {f"{g.name}.level_pu": float(level_pu[g.name]) for g in self.groups}
        d |= {"dry_bulb_c": dry_bulb_c, "cdu_available": 1.0, "chiller_available": 1.0}
        d |= {"chillers_on": chillers_on, "dry_cooler_open_pu": 1.0}
        count, each = p["cdu_count"], tcs_flow_l_per_min / p["cdu_count"]
        for g in self.groups:
            flow = self._rack_flow_l_per_min(g, x, d, p)
            one = g.rack.steady(d[f"{g.name}.level_pu"], tcs_supply_c, flow)
            x |= {f"{g.name}.{state}": value for state, value in one.items()}
        rate, pump_kw = self.cdu.capacity_rate_kw_per_k(tcs_flow_l_per_min), count * self.cdu.pump_kw(each)
        x["tcs_return_c"] = self._racks_kw(x, d, p) / rate
        x["cdu_hot_out_c"] = tcs_supply_c - pump_kw / rate
        duty = rate * (x["tcs_return_c"] - x["cdu_hot_out_c"])
        fws = count * self.cdu.fws_flow_for(duty / count, x["tcs_return_c"], fws_supply_c, each)
        if not 0 < fws < math.inf:
            raise ValueError(f"no FWS flow of the CDUs carries {duty:.1f} kW at {fws_supply_c} degC")
        heat = duty + self.fws_pump.pump_kw(fws)
        x |= {"fws_flow_kg_per_s": fws, "fws_supply_c": fws_supply_c, "chiller_out_c": fws_supply_c}
        x["cdu_cold_out_c"] = fws_supply_c + heat / (WATER_KJ_PER_KG_K * fws)
        chiller_kw = heat - dry_cooler_kw
        x["dry_cooler_out_c"] = fws_supply_c + chiller_kw / (WATER_KJ_PER_KG_K * fws)
        fan, open_pu = self._cooler_setting(dry_cooler_kw, x["cdu_cold_out_c"], dry_bulb_c, fws, p)
        d["dry_cooler_open_pu"] = open_pu
        air = self._air_heat_kw(d)
        units = p["fan_wall_count"]
        x |= {
            "chilled_water_c": chilled_water_c,
            "hot_aisle_c": self.fan_wall.hot_aisle_c(
                air, chilled_water_c, fan_wall_pu, units, self.air_density_pu
            ),
            "storage_mwh": storage_mwh,
        }
        u = {
            "tcs_flow_l_per_min": tcs_flow_l_per_min,
            "fws_flow_kg_per_s": fws,
            "fan_pu": fan,
            "chiller_kw": chiller_kw,
            "fan_wall_pu": fan_wall_pu,
            "air_chiller_kw": air + units * self.fan_wall.fan_power_kw(fan_wall_pu, self.air_density_pu),
            "charge_mw": 0.0,
            "discharge_mw": 0.0,
        }
        poi_mw, load_pu = self._poi(x, u, d, p)
        x |= dict.fromkeys(self.filter_states, 0.0)
        if self.filter_states:
            x[self.filter_states[0]] = poi_mw
        x |= self.transformer.steady(load_pu, dry_bulb_c)
        return x, u, d

    def _cooler_setting(
        self,
        duty_kw: float,
        water_in_c: float,
        dry_bulb_c: float,
        fws_kg_per_s: float,
        p: Mapping[str, float],
    ) -> tuple[float, float]:
        """Fan speed and valve opening of the dry coolers for a duty of all cells."""
        cells = p["dry_cooler_count"]
        around = (water_in_c, dry_bulb_c, fws_kg_per_s / cells, self.air_density_pu)
        fan = self.dry_cooler.fan_for_duty(duty_kw / cells, *around)
        if math.isinf(fan):
            raise ValueError(f"{cells:g} dry coolers reject less than {duty_kw:.1f} kW at {dry_bulb_c} degC")
        return fan, duty_kw / cells / self.dry_cooler.duty_kw(fan, *around)
