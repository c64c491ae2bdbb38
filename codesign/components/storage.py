"""Fast storage: supercapacitors or lithium cells behind a converter.

symbol   name                  unit   meaning
c, d     charge_mw, discharge_mw  MW  power at the busbar, both >= 0
e        soc_mwh               MWh    energy held                                                      (state)
E, P     energy_mwh, power_mw         sizes
eta      efficiency_charge, efficiency_discharge
t        discharge_min_s       s      energy held over rated power, at least (the cells' highest rate)
N        cycle_life_efc        1      equivalent full cycles to end of life (nameplate energy discharged)

de/dt = eta_c c - d/eta_d (per hour); soc_min_pu E <= e <= soc_max_pu E. Cycle life as a yearly allowance:
discharged energy a year <= E N/life, so that the storage lives as long as its calendar.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from codesign.components.base import point
from codesign.smooth import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """One kind of fast storage."""

    efficiency_charge: float
    efficiency_discharge: float
    soc_min_pu: float
    soc_max_pu: float
    discharge_min_s: float
    cycle_life_efc: float
    calendar_life_years: float
    cost_usd_per_kw: float
    cost_usd_per_kwh: float
    life_years: float
    om_pu: float

    # physics: floats, arrays, CasADi symbols
    def throughput_max_mwh_per_year(self, energy_mwh: Value) -> Value:
        """Energy that may be discharged a year so that cycling does not outpace the calendar, MWh."""
        return energy_mwh * self.cycle_life_efc / self.calendar_life_years

    def energy_min_mwh(self, power_mw: Value) -> Value:
        """Least energy behind a power, MWh: cells do not discharge faster than their highest rate."""
        return power_mw * self.discharge_min_s / 3600

    def capex_usd(self, power_mw: Value, energy_mwh: Value) -> Value:
        """Investment for converter and cells."""
        return 1000 * (self.cost_usd_per_kw * power_mw + self.cost_usd_per_kwh * energy_mwh)

    def evaluate(self, at: Mapping[str, float]) -> dict[str, float]:
        """A storage at a point: power_mw, energy_mwh, charge_mw, discharge_mw."""
        given = point(at, power_mw=1.0, energy_mwh=0.1, charge_mw=0.0, discharge_mw=0.0)
        energy = given["energy_mwh"]
        return {
            "rate_mwh_per_s": self.rate(0.0, given["charge_mw"], given["discharge_mw"]),
            "usable_mwh": (self.soc_max_pu - self.soc_min_pu) * energy,
            "throughput_max_mwh_per_year": self.throughput_max_mwh_per_year(energy),
            "capex_usd": self.capex_usd(given["power_mw"], energy),
        }

    # plan: exact rows at fixed efficiencies: balance, power, usable energy, rate, cycles a year

    # plant
    def rate(self, soc_mwh: Value, charge_mw: Value, discharge_mw: Value) -> Value:
        """Rate of the energy held, MWh/s."""
        return (self.efficiency_charge * charge_mw - discharge_mw / self.efficiency_discharge) / 3600

    # limits
    def limits(
        self, soc_mwh: Value, charge_mw: Value, discharge_mw: Value, power_mw: Value, energy_mwh: Value
    ) -> dict[str, Value]:
        """Excess over each limit (<= 0 holds): MWh, MWh, MW, MW."""
        return {
            "storage_energy_low": self.soc_min_pu * energy_mwh - soc_mwh,
            "storage_energy_high": soc_mwh - self.soc_max_pu * energy_mwh,
            "storage_charge": charge_mw - power_mw,
            "storage_discharge": discharge_mw - power_mw,
        }
