"""Transformers under the schedule's load course again: step by step, all loads at once.

The course is made anew from levels and recorded storage; unlocked jobs are at their highest level all the
time. One out, the rest carry the whole of it for the outage that the site states.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from codesign.auditing.levels import power_mw
from codesign.climate import Array
from codesign.components.transformer import MOMENTS, Transformer
from codesign.design import Plan
from codesign.site import Site

ROUNDS = 45


class Windings:
    """The transformers of a plan and what they carry beside the mean of an hour."""

    def __init__(self, site: Site, plan: Plan, part: Transformer, units: int) -> None:
        self.part, self.units, self.step_s = part, units, site.clock.step_s
        self.outage_s = 3600.0 * site.equipment.transformer.outage_h
        self.factor = site.poi.power_factor
        net = plan.dispatch["charge_mw"] - plan.dispatch["discharge_mw"]
        course = [float(each) for each in net - np.mean(net)]
        for row in plan.schedule:
            wave = [float(each) for each in power_mw(site, row)]
            mean, top = math.fsum(wave) / len(wave), max(wave)
            course = [c + (p if row.locked else top) - mean for c, p in zip(course, wave, strict=True)]
        self.beside_mva = [each / self.factor for each in course]

    def limit_c(self, out: int) -> float:
        """Highest hot spot with so many units out."""
        return self.part.emergency_c(self.outage_s / 3600.0) if out else self.part.hot_spot_max_c

    def rise_k(self, mva: Array, out: int) -> Array:
        """Return the highest hot spot over ambient at each mean load, with so many units out."""
        part = self.part
        lags = {
            "oil": part.k11 * part.oil_time_s,
            "first": part.k22 * part.winding_time_s,
            "second": part.oil_time_s / part.k22,
        }
        after = {name: self._settled(mva, out, name, lag) for name, lag in lags.items()}
        together = [o + f - s for o, f, s in zip(*after.values(), strict=True)]
        highest = np.max(together, axis=0)
        if not out:
            return np.asarray(highest)
        left = {
            name: np.mean(self._settled(mva, 0, name, lag), axis=0) - np.mean(after[name], axis=0)
            for name, lag in lags.items()
        }
        fading = [
            left["oil"] * math.exp(-at / lags["oil"])
            + left["first"] * math.exp(-at / lags["first"])
            - left["second"] * math.exp(-at / lags["second"])
            for at in (self.outage_s * float(share) for share in MOMENTS)
        ]
        return np.asarray(highest + np.max(fading, axis=0))

    def carried_mva(self, dry_bulb_c: Array, out: int) -> Array:
        """Return the largest mean load at each dry bulb, by bisection; 0 where none holds."""
        running = self.units - out
        most = running * self.part.rating_mva * self.part.load_max_pu - max(self.beside_mva)
        if running < 1 or most <= 0.0:
            return np.zeros(len(dry_bulb_c))
        low, high = np.zeros(len(dry_bulb_c)), np.full(len(dry_bulb_c), most)
        limit_k = self.limit_c(out) - dry_bulb_c
        whole, none = self.rise_k(high, out) <= limit_k, self.rise_k(low, out) > limit_k
        for _ in range(ROUNDS):
            middle = 0.5 * (low + high)
            holds = self.rise_k(middle, out) <= limit_k
            low, high = np.where(holds, middle, low), np.where(holds, high, middle)
        return np.where(none, 0.0, np.where(whole, most, low))

    def short_mva(self, mva: Array, dry_bulb_c: Array, out: int) -> Array:
        """Return by how much each mean load is above what is carried at its dry bulb; 0 where it is not."""
        running = self.units - out
        most = running * self.part.rating_mva * self.part.load_max_pu - max(self.beside_mva)
        if running < 1:
            return mva
        holds = (mva <= most) & (self.rise_k(mva, out) <= self.limit_c(out) - dry_bulb_c)
        short = 0.0 * mva
        if not holds.all():
            short[~holds] = mva[~holds] - self.carried_mva(dry_bulb_c[~holds], out)
        return np.maximum(short, 0.0)

    def _settled(self, mva: Array, out: int, name: str, lag_s: float) -> list[Any]:
        """One lag at the end of every step, in the cycle that it settles to."""
        part, carried = self.part, (self.units - out) * self.part.rating_mva
        law: Callable[[Any], Any] = {
            "oil": part.oil_rise_k,
            "first": lambda load: part.k21 * part.winding_rise_k(load),
            "second": lambda load: (part.k21 - 1) * part.winding_rise_k(load),
        }[name]
        keep = math.exp(-self.step_s / lag_s)
        targets = law(np.maximum(mva[:, np.newaxis] + np.array(self.beside_mva), 0.0) / carried).T
        value = 0.0 * mva
        for target in targets:
            value = keep * value + (1.0 - keep) * target
        value, found = value / (1.0 - keep ** len(targets)), []
        for target in targets:
            value = keep * value + (1.0 - keep) * target
            found.append(value)
        return found
