"""The best recovery from a stop, as a linear programme: the room that it leaves, and what that depends on.

symbol      meaning                                                                          unit
c_t d_t     charge and discharge in step t after the stop, t = 0 .. H - 1                    MW
e_t         energy above the storage's least at the end of step t                            MJ
y_t         the net power behind the rule's high-pass (one column an order)                  MW
v           widest change within the window, less the room: the excess, negative where       MW
            there is spare

    least v:   |y_t - y_{t-l}| <= room + v     for every lag l of the window, past steps included
               0 <= c, d <= P, 0 <= e <= U     balance and filter as in the plan

The programme always has a point (storage at rest). It is convex in all that a stop meets: by its dual the
excess is at least a linear function of power, energy, stored energy, last net power, last filtered values
and load (a Benders cut), whatever the schedule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from codesign import window
from codesign.linear import Kept
from codesign.site import Site
from codesign.stops.course import Course, Fall, Store, steps

Key = tuple[str, int] | tuple[str, int, int]
"""("power", 0) [MW], ("usable", 0) [MJ], ("stored", k) [MJ], ("net", k), ("load", k), ("fall", t) [MW] and
("filtered", order, k): step k of the macro clock, step t after the stop."""


@dataclass(frozen=True, slots=True)
class Cut:
    """excess >= constant + sum of coefficient times quantity, for every course, storage and fall."""

    slot: int
    constant: float
    terms: Mapping[Key, float]

    def value(self, quantity: Mapping[Key, float]) -> float:
        """Return the right-hand side at quantities."""
        return self.constant + sum(slope * quantity[key] for key, slope in self.terms.items())


class Recovery:
    """The programme of one site and one storage, solved for one stop after the other from the last basis."""

    def __init__(self, site: Site, own: Store) -> None:
        self.site, self.own = site, own
        self.horizon, self.lags, self.order = steps(site), window.steps(site), site.poi.filter_order
        self.room = window.room_mw(site)
        self._build()

    def _build(self) -> None:
        h, lags, orders, a = self.horizon, self.lags, self.order, window.high_pass_coefficient(self.site)
        step_s, own = self.site.clock.step_s, self.own
        self.charge, self.discharge, self.energy = 0, h, 2 * h
        self.y, self.excess = 3 * h, (3 + orders) * h
        entries: list[tuple[int, int, float]] = []
        self.balance, self.filter = 0, h
        for t in range(h):
            entries += [(t, self.energy + t, 1.0), (t, t, -step_s * own.charged)]
            entries += [(t, h + t, step_s * own.discharged)]
            entries += [(t, self.energy + t - 1, -1.0)] if t else []
        for order in range(orders):
            for t in range(h):
                row, out = self.filter + order * h + t, self.y + order * h + t
                entries.append((row, out, 1.0))
                into = [(self.y + (order - 1) * h, 1.0)]
                if order == 0:
                    into = [(self.charge, 1.0), (self.discharge, -1.0)]
                entries += [(row, first + t, -sign) for first, sign in into]
                if t:
                    entries.append((row, out - 1, -a))
                    entries += [(row, first + t - 1, sign) for first, sign in into]
        last, row = self.y + (orders - 1) * h, self.filter + orders * h
        self.first = row
        for t in range(min(lags, h)):  # against what was before the stop
            entries += [(row, last + t, 1.0), (row, self.excess, -1.0)]
            entries += [(row + 1, last + t, -1.0), (row + 1, self.excess, -1.0)]
            row += 2
        self.within = row
        for lag in range(1, min(lags, h - 1) + 1):
            for t in range(lag, h):
                for sign in (1.0, -1.0):
                    entries += [(row, last + t, sign), (row, last + t - lag, -sign), (row, self.excess, -1.0)]
                    row += 1
        at, to, value = (np.array(each) for each in zip(*entries, strict=True))
        columns = self.excess + 1
        matrix = sparse.coo_array((value, (at, to)), shape=(row, columns))
        self.row_low, self.row_high = np.full(row, -np.inf), np.full(row, self.room)
        self.low, self.high = np.full(columns, -np.inf), np.full(columns, np.inf)
        self.low[: 3 * h] = 0.0
        self.high[: 2 * h], self.high[2 * h : 3 * h] = own.power_mw, own.usable_mj
        cost = np.zeros(columns)
        cost[self.excess] = 1.0
        self.kept = Kept(cost, self.low, self.high, matrix, self.row_low, self.row_high)

    def least(self, planned: Course, fall: Fall, slot: int) -> tuple[float, Cut]:
        """Return the least excess of a stop at a slot [MW], and the cut that its dual gives."""
        load, steps_all = planned.load_mw, len(planned.load_mw)
        k = (slot + np.arange(self.horizon)) % steps_all
        before, a = (slot - 1) % steps_all, window.high_pass_coefficient(self.site)
        fallen = load[k] - fall.mw[k]
        right = np.zeros(self.first)
        right[0] = min(planned.stored_mj[slot], self.own.usable_mj)
        right[self.filter] = a * planned.filtered_mw[0, before] + fallen[0] - planned.net_mw[before]
        right[self.filter + 1 : self.filter + self.horizon] = np.diff(fallen)
        for order in range(1, self.order):
            row = self.filter + order * self.horizon
            right[row] = a * planned.filtered_mw[order, before] - planned.filtered_mw[order - 1, before]
        past = (slot - 1 - np.arange(self.lags)) % steps_all
        y, edges = planned.filtered_mw[-1, past], []
        ends: list[int] = []
        for t in range(min(self.lags, self.horizon)):  # lags t+1 .. W reach before the stop
            reach = y[: self.lags - t]
            ends += [int(past[np.argmin(reach)]), int(past[np.argmax(reach)])]
            edges += [self.room + reach.min(), self.room - reach.max()]
        low = np.concatenate([right, np.full(len(edges), -np.inf)])
        self.kept.set_rows(low, np.concatenate([right, edges]))
        answer = self.kept.solve()
        if answer is None:
            raise AssertionError("the storage at rest is a recovery")
        return answer.objective, self._cut(slot, answer.row_dual, answer.column_dual, before, k, ends)

    def _cut(
        self, slot: int, dual: np.ndarray, reduced: np.ndarray, before: int, k: np.ndarray, ends: list[int]
    ) -> Cut:  # fmt: skip
        h, a = self.horizon, window.high_pass_coefficient(self.site)
        terms: dict[Key, float] = {}

        def add(key: Key, value: float) -> None:
            if value != 0.0:
                terms[key] = terms.get(key, 0.0) + value

        at_most = np.minimum(dual[self.first :], 0.0)
        constant = self.room * float(at_most.sum())
        for index, end in enumerate(ends):
            add(("filtered", self.order - 1, end), float(at_most[index]) * (1.0 if index % 2 == 0 else -1.0))
        add(("stored", slot), float(dual[0]))
        jumps = dual[self.filter : self.filter + h]
        add(("filtered", 0, before), a * float(jumps[0]))
        add(("net", before), -float(jumps[0]))
        for t in range(h):
            slope = float(jumps[t] - (jumps[t + 1] if t + 1 < h else 0.0))
            add(("load", int(k[t])), slope)
            add(("fall", t), -slope)
        for order in range(1, self.order):
            slope = float(dual[self.filter + order * h])
            add(("filtered", order, before), a * slope)
            add(("filtered", order - 1, before), -slope)
        full = np.minimum(reduced[: 3 * h], 0.0)
        add(("power", 0), float(full[: 2 * h].sum()))
        add(("usable", 0), float(full[2 * h :].sum()))
        return Cut(slot, constant, terms)


def quantities(planned: Course, fall: Fall, own: Store, cut: Cut) -> dict[Key, float]:
    """Return the values of a cut's quantities on a course."""
    found: dict[Key, float] = {}
    for key in cut.terms:
        match key[0]:
            case "power":
                found[key] = own.power_mw
            case "usable":
                found[key] = own.usable_mj
            case "stored":
                found[key] = float(planned.stored_mj[key[1]])
            case "net":
                found[key] = float(planned.net_mw[key[1]])
            case "load":
                found[key] = float(planned.load_mw[key[1]])
            case "fall":
                found[key] = float(fall.mw[(cut.slot + key[1]) % len(fall.mw)])
            case _:
                found[key] = float(planned.filtered_mw[key[1], key[-1]])
    return found
