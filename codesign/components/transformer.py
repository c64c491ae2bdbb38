"""Transformer: losses, and the top-oil and hot-spot temperatures of IEC 60076-7.

symbol   name                unit   meaning                                                      (of one unit)
K        load_pu             1      apparent power over rating
P0, Pk   no_load_kw, load_loss_kw   loss = P0 + Pk K**2;  R = Pk/P0
T_o      top_oil_c           degC   top oil                                                            (state)
h1, h2   winding1_k, winding2_k  K  the two parts of the hot spot's rise over the oil                  (state)
T_h      hot_spot_c          degC   T_o + h1 - h2

dT_o = (top_oil_rise_k ((1 + R K**2)/(1 + R))**x + T_a - T_o)/(k11 tau_o)
dh1  = (k21 g K**y - h1)/(k22 tau_w)
dh2  = ((k21 - 1) g K**y - h2) k22/tau_o;  g = hot_spot_factor gradient_k
Differential form of IEC 60076-7:2018, section 8.2. A small smooth floor keeps K**y differentiable without
load.

Emergency: hot_spot_emergency_c, or less where an outage of D hours would take more than LIFE_SHARE of the
insulation's life: V D <= LIFE_SHARE LIFE_H with V = exp(15000/383 - 15000/(T_h + 273)), thermally upgraded
paper (IEC 60076-7:2018, equation 3); 140 degC for 104 hours, 135 for a week, 119 for a month.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from codesign.components.base import point
from codesign.smooth import Value, bisect, smooth_max
from codesign.tangents import chord, tangents

LIFE_H = 180_000.0
"""Normal insulation life at 110 degC (IEEE C57.91; R)."""
LIFE_SHARE = 0.01
"""Share of that life that one emergency may take (R: planning practice after IEEE C57.91)."""
MOMENTS = np.geomspace(1e-3, 1.0, 40)
"""Shares of an outage at which the hot spot on its way to the cycle's is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """One transformer of a standard rating."""

    rating_mva: float
    no_load_kw: float
    load_loss_kw: float
    top_oil_rise_k: float
    gradient_k: float
    hot_spot_factor: float
    oil_time_s: float
    winding_time_s: float
    k11: float
    k21: float
    k22: float
    oil_exponent: float
    winding_exponent: float
    hot_spot_max_c: float
    hot_spot_emergency_c: float
    load_max_pu: float
    cost_usd_per_kva: float
    life_years: float
    om_pu: float

    # physics: floats, arrays, CasADi symbols
    def loss_kw(self, load_mva: Value, units: Value) -> Value:
        """Losses of equal units in parallel that share a load, kW; units > 0."""
        return units * self.no_load_kw + self.load_loss_kw * (load_mva / self.rating_mva) ** 2 / units

    def marginal_loss_pu(self, load_mva: Value, units: Value) -> Value:
        """What losses add to a small change of the load of equal units, kVA per kVA; units > 0."""
        return 2 * self.load_loss_kw * load_mva / (1000 * self.rating_mva**2 * units)

    def oil_rise_k(self, load_pu: Value) -> Value:
        """Top oil over ambient at which a steady load settles, K."""
        ratio = self.load_loss_kw / self.no_load_kw
        return self.top_oil_rise_k * ((1 + ratio * load_pu**2) / (1 + ratio)) ** self.oil_exponent

    def winding_rise_k(self, load_pu: Value) -> Value:
        """Hot spot over top oil at which a steady load settles, K."""
        load = smooth_max(load_pu, 0.01, 0.005)
        return self.hot_spot_factor * self.gradient_k * load**self.winding_exponent

    def hot_spot_steady_c(self, load_pu: Value, ambient_c: Value) -> Value:
        """Hot spot at which a steady load settles, degC."""
        return ambient_c + self.oil_rise_k(load_pu) + self.winding_rise_k(load_pu)

    def load_limit_pu(self, ambient_c: Value, hot_spot_max_c: float | None = None) -> Value:
        """Largest steady load, at most load_max_pu, whose hot spot keeps its limit; 0 where none does."""
        if isinstance(ambient_c, np.ndarray):
            return np.array([self.load_limit_pu(float(a), hot_spot_max_c) for a in ambient_c])
        limit = self.hot_spot_max_c if hot_spot_max_c is None else hot_spot_max_c
        load = bisect(lambda k: self.hot_spot_steady_c(k, ambient_c), limit, 0.0, self.load_max_pu)
        return self.load_max_pu if math.isinf(load) else load

    def steady(self, load_pu: Value, ambient_c: Value) -> dict[str, Value]:
        """The three states in the steady state: degC, K, K."""
        rise = self.winding_rise_k(load_pu)
        return {
            "top_oil_c": ambient_c + self.oil_rise_k(load_pu),
            "winding1_k": self.k21 * rise,
            "winding2_k": (self.k21 - 1) * rise,
        }

    def emergency_c(self, outage_h: float) -> float:
        """Highest hot spot allowed in an outage of that length, degC; never below the normal limit."""
        ageing = LIFE_SHARE * LIFE_H / outage_h
        by_life_c = 15000.0 / (15000.0 / 383.0 - math.log(ageing)) - 273.0
        return min(self.hot_spot_emergency_c, max(self.hot_spot_max_c, by_life_c))

    # a load course that repeats: constant in a step, in the settled cycle
    def _settled(self, load_pu: Value, step_s: float) -> tuple[Value, Value, Value]:
        """Top oil over ambient and the two winding parts at the end of every step, K [K] each."""
        load = np.asarray(load_pu, float)
        rise = self.winding_rise_k(load)
        return (
            _periodic(self.oil_rise_k(load), step_s / (self.k11 * self.oil_time_s)),
            _periodic(self.k21 * rise, step_s / (self.k22 * self.winding_time_s)),
            _periodic((self.k21 - 1) * rise, step_s * self.k22 / self.oil_time_s),
        )

    def cycle_rise_k(self, load_pu: Value, step_s: float) -> float:
        """Highest hot spot over ambient of a load course [K] that repeats without end, K."""
        oil, first, second = self._settled(load_pu, step_s)
        return float((oil + first - second).max())

    def outage_rise_k(self, load_pu: Value, before_pu: Value, step_s: float, outage_s: float) -> float:
        """Highest hot spot over ambient of a course that repeats for `outage_s` after another, K.

        What is left of the course before dies away from its mean.
        """
        after, before = self._settled(load_pu, step_s), self._settled(before_pu, step_s)
        left = [float(b.mean() - a.mean()) for a, b in zip(after, before, strict=True)]
        at = outage_s * MOMENTS
        fading = (
            left[0] * np.exp(-at / (self.k11 * self.oil_time_s))
            + left[1] * np.exp(-at / (self.k22 * self.winding_time_s))
            - left[2] * np.exp(-at * self.k22 / self.oil_time_s)
        )
        return float((after[0] + after[1] - after[2]).max() + fading.max())

    def outage_least_rise_k(self, load_pu: float, before_pu: float, outage_s: float) -> float:
        """What no course of these mean loads stays below at the end of an outage, K: both laws are convex."""
        oil, winding = self.oil_rise_k(load_pu), self.winding_rise_k(load_pu)
        oil_left = math.exp(-outage_s / (self.k11 * self.oil_time_s))
        first_left = math.exp(-outage_s / (self.k22 * self.winding_time_s))
        second_left = math.exp(-outage_s * self.k22 / self.oil_time_s)
        share = self.k21 * first_left - (self.k21 - 1) * second_left
        before = self.winding_rise_k(before_pu if share >= 0.0 else self.load_max_pu)
        return float(
            oil + winding + oil_left * (self.oil_rise_k(before_pu) - oil) + share * (before - winding)
        )

    def hot_spot_c(self, state: Mapping[str, Value]) -> Value:
        """Hot spot, degC."""
        return state["top_oil_c"] + state["winding1_k"] - state["winding2_k"]

    def capex_usd(self, count: Value) -> Value:
        """Investment for `count` units."""
        return count * self.cost_usd_per_kva * 1000 * self.rating_mva

    def evaluate(self, at: Mapping[str, float]) -> dict[str, float]:
        """One unit at a point: load_pu, ambient_c."""
        given = point(at, load_pu=1.0, ambient_c=20.0)
        return {
            "loss_kw": self.loss_kw(given["load_pu"] * self.rating_mva, 1.0),
            "hot_spot_steady_c": self.hot_spot_steady_c(**given),
            "load_limit_pu": self.load_limit_pu(given["ambient_c"]),
            **self.steady(**given),
        }

    # plan: losses are convex in the load: supporting lines, outer, under a chord
    def loss_lines(
        self, units: int, power_factor: float, at_mw: Sequence[float], low_mw: float, high_mw: float
    ) -> tuple[list[tuple[float, float]], tuple[float, float]]:
        """Lines (MW per MW, MW) that support the losses of `units` over the load, and the chord above."""

        def loss_mw(load_mw: float) -> float:
            return float(self.loss_kw(load_mw / power_factor, units)) / 1e3

        return tangents(loss_mw, at_mw, low_mw, high_mw), chord(loss_mw, low_mw, high_mw)

    # plant
    def rate(self, state: Mapping[str, Value], load_pu: Value, ambient_c: Value) -> dict[str, Value]:
        """Rates of the three states, K/s."""
        settled = self.steady(load_pu, ambient_c)
        return {
            "top_oil_c": (settled["top_oil_c"] - state["top_oil_c"]) / (self.k11 * self.oil_time_s),
            "winding1_k": (settled["winding1_k"] - state["winding1_k"]) / (self.k22 * self.winding_time_s),
            "winding2_k": (settled["winding2_k"] - state["winding2_k"]) * self.k22 / self.oil_time_s,
        }

    # limits
    def limits(self, state: Mapping[str, Value]) -> dict[str, Value]:
        """Excess over each limit (<= 0 holds), K."""
        return {"hot_spot": self.hot_spot_c(state) - self.hot_spot_max_c}


def _periodic(target: NDArray[np.float64], steps: float) -> NDArray[np.float64]:
    """Settled first-order lag of a periodic target at the ends of its steps, each `steps` time constants."""
    keep = math.exp(-steps)
    once = np.asarray(lfilter([1.0 - keep], [1.0, -keep], target))
    last = once[-1] / -math.expm1(-steps * len(target))
    return once + last * np.exp(-steps * np.arange(1, len(target) + 1))
