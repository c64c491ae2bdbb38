"""Fast storage behind its converter: a capacitor bank, or cells whose loss is in proportion to their power.

symbol   name                    unit   meaning
c, d     charge_mw, discharge_mw   MW   power at the busbar, both >= 0
e        soc_mwh                 MWh    energy held                                                    (state)
E, P     energy_mwh, power_mw           sizes: nameplate energy of the new store, rating of the converter
eta      fixed_efficiency_charge, fixed_efficiency_discharge   of what loses in proportion (converter)
p        cell power, MW          = d/eta_d - eta_c c
tau      R C at end of life, s   = time_constant_s x end_resistance_pu x end_energy_pu; 0 for cells without
x        2 tau p/e               = 4 R p/V^2, the share of the matched power that is drawn
t        discharge_min_s         s      energy over power, at least (the cells' highest rate)
N        cycle_life_efc          1      equivalent full cycles to end of life (nameplate energy discharged)

A capacitor of voltage V (e = C V^2/2) with series resistance R gives p = V I - I^2 R at its terminals, so

    de/dt = -V I = -2 p/(1 + sqrt(1 - 2 tau p/e)),      p <= V^2/4R = e/(2 tau)       (matched impedance)

from the smaller root of the quadratic. With tau = 0 this is de/dt = -p: one law for both kinds. Everything is
judged at end of life: end_energy_pu of the capacitance, end_resistance_pu times the resistance. The window of
voltage is one of energy: window_min_pu and window_max_pu = (V/V_rated)^2; V is that behind the resistance.

Rating. P is held at every voltage of the window: eta_c, eta_d P is at most `usable_power_pu` of the matched
power at the window's lower end (IEC 62391-2 calls 0.12 V^2/R usable, 0.48 of V^2/4R).

Linear programmes take a constant efficiency. Inner values: `efficiency_charge`, `efficiency_discharge` stand
in the middle of what the rating allows, and soc_min_pu..soc_max_pu leaves at both ends what the energy of one
window can be off by; so a course that moves no more than this keeps the law's window. Outer values, for a
bound: the efficiencies of the converter alone (`outer_efficiency_charge`, ...) in the whole window
(`low_pu`..`high_pu`), power at its upper end (`outer_energy_min_mwh`).
Cycle life as a yearly allowance: discharged energy a year <= E N/life.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt as root

from codesign.components.base import point
from codesign.smooth import Value, smooth_max, sqrt

S_PER_H = 3600.0
EMPTY_MWH = 1e-7
"""Energy below which a capacitor counts as empty: keeps the law defined there."""
FLOOR_PU, ROUND_PU = 0.02, 1e-5
"""1 - x is held above this share, rounded so: beyond the matched power the law has no meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """One kind of fast storage."""

    fixed_efficiency_charge: float
    fixed_efficiency_discharge: float
    time_constant_s: float
    usable_power_pu: float
    window_min_pu: float
    window_max_pu: float
    end_energy_pu: float
    end_resistance_pu: float
    discharge_min_s: float
    no_load_pu: float
    leakage_pu_per_h: float
    cycle_life_efc: float
    calendar_life_years: float
    cost_usd_per_kw: float
    cost_usd_per_kwh: float
    life_years: float
    om_pu: float

    # the law at end of life
    @property
    def end_time_constant_s(self) -> float:
        """R C at end of life."""
        return self.time_constant_s * self.end_resistance_pu * self.end_energy_pu

    @property
    def low_pu(self) -> float:
        """Least energy held, over the nameplate energy."""
        return self.window_min_pu * self.end_energy_pu

    @property
    def high_pu(self) -> float:
        """Most energy held, over the nameplate energy."""
        return self.window_max_pu * self.end_energy_pu

    def cell_mw(self, charge_mw: Value, discharge_mw: Value) -> Value:
        """Power that leaves the cells' terminals, below 0 while they are charged."""
        return discharge_mw / self.fixed_efficiency_discharge - self.fixed_efficiency_charge * charge_mw

    def rate(self, soc_mwh: Value, charge_mw: Value, discharge_mw: Value) -> Value:
        """Rate of the energy held, MWh/s."""
        cells = self.cell_mw(charge_mw, discharge_mw)
        if self.time_constant_s == 0.0:
            return -cells / S_PER_H
        held = smooth_max(soc_mwh, EMPTY_MWH, 0.1 * EMPTY_MWH)
        left = 1 - 2 * self.end_time_constant_s / S_PER_H * cells / held
        return -2 * cells / (1 + sqrt(smooth_max(left, FLOOR_PU, ROUND_PU))) / S_PER_H

    def deliverable_mw(self, soc_mwh: Value) -> Value:
        """Most power that the busbar can have at this energy, V^2/4R behind the converter, MW."""
        if self.time_constant_s == 0.0:
            raise ValueError("cells without a series resistance have no matched power")
        matched = S_PER_H * soc_mwh / (2 * self.end_time_constant_s)
        return self.fixed_efficiency_discharge * matched

    def standby_mw(self, power_mw: Value, energy_mwh: Value) -> Value:
        """Power drawn whatever the storage does: the converter ready to act, and leakage of the cells, MW."""
        return self.no_load_pu * power_mw + self.leakage_pu_per_h * energy_mwh

    def throughput_max_mwh_per_year(self, energy_mwh: Value) -> Value:
        """Energy that may be discharged a year so that cycling does not outpace the calendar, MWh."""
        return energy_mwh * self.cycle_life_efc / self.calendar_life_years

    @property
    def _rated_s(self) -> float:
        return max(self.discharge_min_s, self._rated_at(self.usable_power_pu, self.low_pu))

    def _rated_at(self, share_pu: float, held_pu: float) -> float:
        """Energy over power at which a share of the matched power at this energy is the rating, s."""
        return 2 * self.end_time_constant_s / (share_pu * held_pu * self.fixed_efficiency_discharge)

    def energy_min_mwh(self, power_mw: Value) -> Value:
        """Least nameplate energy behind a rating: cells' highest rate, usable power at the lowest voltage."""
        return power_mw * self._rated_s / S_PER_H

    def outer_energy_min_mwh(self, power_mw: Value) -> Value:
        """Least nameplate energy that could give a power at all: V^2/4R at the window's upper end."""
        return power_mw * max(self.discharge_min_s, self._rated_at(1.0, self.high_pu)) / S_PER_H

    # inner values: for linear programmes that make a plan
    @property
    def _factors(self) -> tuple[float, float]:
        """Energy taken in over cell power at the rating and the lowest voltage, and energy given over it."""
        share = self.usable_power_pu if self.time_constant_s else 0.0
        return 2 / (1 + root(1 + share)), 2 / (1 + root(1 - share))

    @property
    def efficiency_charge(self) -> float:
        """Energy held over energy drawn, in the middle between rated power and next to none."""
        return self.fixed_efficiency_charge * (1 + self._factors[0]) / 2

    @property
    def efficiency_discharge(self) -> float:
        """Energy given over energy held, in the middle between rated power and next to none."""
        return self.fixed_efficiency_discharge / ((1 + self._factors[1]) / 2)

    @property
    def reserve_pu(self) -> float:
        """Share of the window that the energy of one window can be off by at these efficiencies."""
        taken, given = self._factors
        return max((1 - taken) / (1 + taken), (given - 1) / (given + 1))

    @property
    def soc_min_pu(self) -> float:
        """Least energy that a linear programme may plan, over the nameplate energy."""
        return self.low_pu + self.reserve_pu * (self.high_pu - self.low_pu)

    @property
    def soc_max_pu(self) -> float:
        """Most energy that a linear programme may plan, over the nameplate energy."""
        return self.high_pu - self.reserve_pu * (self.high_pu - self.low_pu)

    # outer values: what every store of this kind allows, for a bound
    @property
    def outer_efficiency_charge(self) -> float:
        """Energy held over energy drawn, at most."""
        return self.fixed_efficiency_charge

    @property
    def outer_efficiency_discharge(self) -> float:
        """Energy given over energy held, at most."""
        return self.fixed_efficiency_discharge

    # money
    def capex_usd(self, power_mw: Value, energy_mwh: Value) -> Value:
        """Investment for converter and cells."""
        return 1000 * (self.cost_usd_per_kw * power_mw + self.cost_usd_per_kwh * energy_mwh)

    def round_trip_pu(self, discharge_s: float) -> float:
        """Energy returned over energy drawn in one cycle of the window, new, at one power each way.

        The power empties the nameplate energy in `discharge_s`. By Simpson's rule over the energy.
        """
        steps, out, back = 200, 0.0, 0.0
        width = (self.window_max_pu - self.window_min_pu) / steps
        power = 1.0 / discharge_s
        for k in range(steps + 1):
            weight = width / 3 * (1 if k in (0, steps) else 4 if k % 2 else 2)
            share = 2 * self.time_constant_s * power / (self.window_min_pu + k * width)
            out += weight * (1 + root(1 - share)) / 2
            back += weight * (1 + root(1 + share)) / 2
        return self.fixed_efficiency_charge * self.fixed_efficiency_discharge * out / back

    def evaluate(self, at: Mapping[str, float]) -> dict[str, float]:
        """A storage at a point: power_mw, energy_mwh, soc_mwh, charge_mw, discharge_mw."""
        full = self.high_pu * at.get("energy_mwh", 0.1)
        given = point(at, power_mw=1.0, energy_mwh=0.1, soc_mwh=full, charge_mw=0.0, discharge_mw=0.0)
        power, energy, soc = given["power_mw"], given["energy_mwh"], given["soc_mwh"]
        rate = self.rate(soc, given["charge_mw"], given["discharge_mw"])
        lost = given["charge_mw"] - given["discharge_mw"] - S_PER_H * rate
        found = {
            "rate_mwh_per_s": rate,
            "loss_mw": lost,
            "standby_mw": self.standby_mw(power, energy),
            "low_mwh": self.low_pu * energy,
            "high_mwh": self.high_pu * energy,
            "energy_min_mwh": self.energy_min_mwh(power),
            "throughput_max_mwh_per_year": self.throughput_max_mwh_per_year(energy),
            "capex_usd": self.capex_usd(power, energy),
        }
        if self.time_constant_s:
            found |= {"end_time_constant_s": self.end_time_constant_s,
                      "deliverable_mw": self.deliverable_mw(soc)}  # fmt: skip
        return found

    # limits
    def limits(
        self, soc_mwh: Value, charge_mw: Value, discharge_mw: Value, power_mw: Value, energy_mwh: Value
    ) -> dict[str, Value]:
        """Excess over each limit (<= 0 holds): MWh, MWh, MW, MW, and MW over V^2/4R for a capacitor."""
        found = {
            "storage_energy_low": self.low_pu * energy_mwh - soc_mwh,
            "storage_energy_high": soc_mwh - self.high_pu * energy_mwh,
            "storage_charge": charge_mw - power_mw,
            "storage_discharge": discharge_mw - power_mw,
        }
        if self.time_constant_s:
            found["storage_voltage"] = discharge_mw - self.deliverable_mw(soc_mwh)
        return found
