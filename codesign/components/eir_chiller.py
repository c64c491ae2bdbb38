"""Chiller by DOE-2 / EnergyPlus electric-EIR curves; here on the air side's cold loop.

symbol   name            unit   meaning                                                       (of one machine)
T_e      leaving_c       degC   leaving chilled water
T_c      entering_c      degC   entering condenser, by the card's `condenser`: water, or outdoor air (dry
                                bulb), warmer by air.warmer_k at altitude; not below entering_held_c: in
                                colder air the machine's own control holds its condensing pressure (the card's
                                held_source)
f, g     capft, eirft    1      c1 + c2 T_e + c3 T_e**2 + c4 T_c + c5 T_c**2 + c6 T_e T_c
h        eirfplr         1      d1 + d2 r + d3 r**2, fraction of full-load power at part load r
A        capacity_at_kw  kW     capacity_kw f
P        power_kw        kW     A/cop g h(max(r, plr_min_unloading)) min(1, r/plr_min), r = Q/A

Form: EnergyPlus engineering reference, Chiller:Electric:EIR; h is of available capacity, so r does not enter
twice. Beyond its range the machine is not on offer (RANGES); the law is held at the ends there, so that it
stays finite for a search that passes by, and nothing held so is certified. `capft`, `eirft` and `eirfplr` are
the bare polynomials, which the check points of the cards evaluate.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from codesign.components.air import warmer_k
from codesign.components.base import beyond, point
from codesign.smooth import Value, clip, smooth_max

PART_LOAD_WIDTH = 0.002
"""Rounding of the corners at the least loads, over those loads: power there is 0.1 % low at most."""
AIR, WATER = "air", "water"
"""What enters the condenser."""


def _biquadratic(c: tuple[float, ...], leaving_c: Value, entering_c: Value) -> Value:
    """c1 + c2 T_e + c3 T_e**2 + c4 T_c + c5 T_c**2 + c6 T_e T_c."""
    return (
        c[0]
        + c[1] * leaving_c
        + c[2] * leaving_c**2
        + c[3] * entering_c
        + c[4] * entering_c**2
        + c[5] * leaving_c * entering_c
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EirChiller:
    """One electric-EIR chiller."""

    RANGES: ClassVar = {
        "leaving_c": ("leaving_min_c", "leaving_max_c"),
        "entering_c": ("entering_min_c", "entering_max_c"),
    }

    condenser: str
    condenser_lift_k: float
    capacity_kw: float
    cop_reference: float
    leaving_reference_c: float
    entering_reference_c: float
    leaving_min_c: float
    leaving_max_c: float
    entering_min_c: float
    entering_held_c: float
    entering_max_c: float
    plr_min: float
    plr_min_unloading: float
    plr_max: float
    capft_c: tuple[float, ...]
    eirft_c: tuple[float, ...]
    eirfplr_c: tuple[float, ...]
    water_l: float
    cost_usd_per_kw: float
    life_years: float
    om_pu: float

    def __post_init__(self) -> None:
        """ValueError for curves that tangents or the rating do not allow, or an unknown medium."""
        for name, length in (("capft_c", 6), ("eirft_c", 6), ("eirfplr_c", 3)):
            object.__setattr__(self, name, tuple(float(c) for c in getattr(self, name)))
            if len(getattr(self, name)) != length:
                raise ValueError(f"{name}: {length} coefficients expected, {len(getattr(self, name))} given")
        if self.condenser not in (AIR, WATER):
            raise ValueError(f"condenser: {AIR} or {WATER} expected, {self.condenser} given")
        if self.eirfplr_c[2] < 0:
            raise ValueError("eirfplr_c: a third coefficient of at least 0; below it power is concave")
        if not self.entering_min_c <= self.entering_held_c < self.entering_max_c:
            raise ValueError("entering_held_c: a temperature between entering_min_c and entering_max_c")
        self._check_curves()

    def _check_curves(self) -> None:
        """ValueError for curves that are not near 1 at the reference or not positive over their range."""
        at = self.leaving_reference_c, self.entering_reference_c
        for name, value in (
            ("capft_c", self.capft(*at)),
            ("eirft_c", self.eirft(*at)),
            ("eirfplr_c", self.eirfplr(1.0)),
        ):
            if not 0.95 <= value <= 1.05:
                raise ValueError(f"{name}: {value:.4f} at the reference point, more than 5 % from 1")
        leaving = np.linspace(self.leaving_min_c, self.leaving_max_c, 9)[:, np.newaxis]
        entering = np.linspace(self.entering_held_c, self.entering_max_c, 17)
        for name, curve in (("capft_c", self.capft), ("eirft_c", self.eirft)):
            if not (least := float(np.min(curve(leaving, entering)))) > 0:
                raise ValueError(f"{name}: {least:.4f} within the card's range, where it must be above 0")
        load = np.linspace(min(self.plr_min_unloading, 1.0), 1.0, 21)
        if not (least := float(np.min(self.eirfplr(load)))) > 0:
            raise ValueError(f"eirfplr_c: {least:.4f} within the card's range, where it must be above 0")

    # physics: floats, arrays, CasADi symbols
    def capft(self, leaving_c: Value, entering_c: Value) -> Value:
        """Capacity over reference capacity, bare polynomial."""
        return _biquadratic(self.capft_c, leaving_c, entering_c)

    def eirft(self, leaving_c: Value, entering_c: Value) -> Value:
        """Energy input ratio over its reference, bare polynomial."""
        return _biquadratic(self.eirft_c, leaving_c, entering_c)

    def eirfplr(self, part_load: Value) -> Value:
        """Fraction of full-load power, bare polynomial."""
        a, b, c = self.eirfplr_c
        return a + b * part_load + c * part_load**2

    def _held(self, leaving_c: Value, entering_c: Value, air_density_pu: float) -> tuple[Value, Value]:
        return (
            clip(leaving_c, self.leaving_min_c, self.leaving_max_c),
            clip(self.equivalent_c(entering_c, air_density_pu), self.entering_held_c, self.entering_max_c),
        )

    def equivalent_c(self, entering_c: Value, air_density_pu: float = 1.0) -> Value:
        """Entering temperature at sea level at which it condenses as at this one; the range ends at it."""
        return entering_c + warmer_k(self.condenser_lift_k, air_density_pu)

    def out_of_range(
        self, leaving_c: float, entering_c: float, air_density_pu: float = 1.0
    ) -> dict[str, float]:
        """Inputs beyond the card's range: name -> excess over the end, K (signed)."""
        felt_c = self.equivalent_c(entering_c, air_density_pu)  # thin air does not warm what is too cold
        judged_c = entering_c if entering_c < self.entering_min_c else felt_c
        return beyond(self, leaving_c=leaving_c, entering_c=judged_c)

    def capacity_at_kw(self, leaving_c: Value, entering_c: Value, air_density_pu: float = 1.0) -> Value:
        """Full-load capacity of one machine, kW."""
        return self.capacity_kw * self.capft(*self._held(leaving_c, entering_c, air_density_pu))

    def _power_kw(self, duty_kw: Value, full_kw: Value, eirft: Value) -> Value:
        """Power from duty and full-load capacity, kW; below the end of part load by cycling."""
        load = duty_kw / full_kw
        unloaded = smooth_max(load, self.plr_min_unloading, PART_LOAD_WIDTH * self.plr_min_unloading)
        cycling = load / smooth_max(load, self.plr_min, PART_LOAD_WIDTH * self.plr_min)
        return full_kw / self.cop_reference * eirft * self.eirfplr(unloaded) * cycling

    def power_kw(
        self,
        duty_kw: Value,
        machines: Value,
        leaving_c: Value,
        entering_c: Value,
        air_density_pu: float = 1.0,
    ) -> Value:
        """Electric power of equally loaded machines for the duty of all of them, kW; machines > 0."""
        full_kw = machines * self.capacity_at_kw(leaving_c, entering_c, air_density_pu)
        eirft = self.eirft(*self._held(leaving_c, entering_c, air_density_pu))
        return self._power_kw(duty_kw, full_kw, eirft)

    def cop_bare(self, load_pu: Value, leaving_c: Value, entering_c: Value, standard_c: float) -> Value:
        """COP of the bare polynomials at a share of the full-load capacity at the condenser's `standard_c`.

        Convention of the AHRI 550/590 part-load points. It extrapolates: for check points only.
        """
        duty_kw = load_pu * self.capacity_kw * self.capft(leaving_c, standard_c)
        full_kw = self.capacity_kw * self.capft(leaving_c, entering_c)
        return duty_kw / self._power_kw(duty_kw, full_kw, self.eirft(leaving_c, entering_c))

    def cop_held(self, load_pu: Value, leaving_c: Value, entering_c: Value, standard_c: float) -> Value:
        """The same as the component runs: condensing held in cold air, else at the ends of the range."""
        duty_kw = load_pu * self.capacity_at_kw(leaving_c, standard_c)
        return duty_kw / self.power_kw(duty_kw, 1.0, leaving_c, entering_c)

    def capex_usd(self, count: Value) -> Value:
        """Investment for `count` machines."""
        return count * self.cost_usd_per_kw * self.capacity_kw

    def evaluate(self, at: Mapping[str, float]) -> dict[str, float]:
        """One machine at a point: leaving_c, entering_c, air_density_pu, duty_kw (full load if left out)."""
        given = point(
            at,
            leaving_c=self.leaving_reference_c,
            entering_c=self.entering_reference_c,
            air_density_pu=1.0,
            duty_kw=math.nan,
        )
        where = {key: given[key] for key in ("leaving_c", "entering_c", "air_density_pu")}
        full_kw = self.capacity_at_kw(**where)
        duty = full_kw if math.isnan(given["duty_kw"]) else given["duty_kw"]
        power, beyond = self.power_kw(duty, 1.0, **where), self.out_of_range(**where)
        return {
            "capacity_at_kw": full_kw,
            "power_kw": power,
            "cop": duty / power,
            "leaving_c_beyond_range": beyond.get("leaving_c", 0.0),
            "entering_c_beyond_range": beyond.get("entering_c", 0.0),
        }

    # plan: exact table over the counts of fan walls and machines; nothing is chosen by the hour

    # plant: the water of the evaporator is part of the fan wall's loop

    # limits
    def limits(
        self,
        duty_kw: Value,
        machines: Value,
        leaving_c: Value,
        entering_c: Value,
        air_density_pu: float = 1.0,
    ) -> dict[str, Value]:
        """Excess over each limit (<= 0 holds), kW; the card's overload (plr_max) is not used."""
        most_kw = machines * self.capacity_at_kw(leaving_c, entering_c, air_density_pu)
        return {"air_chiller_capacity": duty_kw - most_kw}
