"""Fast storage for a fixed schedule: one linear programme over the macro clock.

symbol    meaning                                                                       unit
p_i       power of stream i over the macro period                                       MW
c_i d_i   charge and discharge that follow stream i (at the terminals)                  MW
n_i       p_i + c_i - d_i, the stream behind its share of the storage                   MW
e_i       energy stored for stream i above the storage's least, periodic                MWh
n~        n after the rule's high-pass                                                  MW
v         excess over the window limit and the interconnection limit (elastic)          MW

What can shift against what, and how far, is in `codesign.streams`. Streams that shift have a share of the
storage each, whose dispatch follows the stream's own phase; its rows take the envelope of their own quantity.

The programme books a constant efficiency each way. For a storage whose loss follows its power the answer is
made one that keeps the law (`codesign.realising`), and the programme solved again at the efficiencies it had.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from codesign import metering, realising, streams, window
from codesign.components.storage import Storage
from codesign.errors import SolverError
from codesign.linear import Answer, Kept
from codesign.site import Site
from codesign.stops import course, worst
from codesign.stops.programme import Cut, Key, Recovery
from codesign.timing import spent

S_PER_H = 3600.0
H_PER_YEAR = 8760.0
TOLERANCES = ((1e-10, "simplex"), (1e-8, "simplex"), (1e-8, "ipm"), (1e-7, "simplex"), (1e-7, "ipm"))
"""Tolerance and method of the dispatch, in turn: the simplex method gives up on a few at the tightest."""

LARGE = 20_000
"""Rows from which the interior point method is asked: the simplex method took a hundred times as long."""
COARSE = TOLERANCES[1:]
ELASTIC = ((1e-8, "ipm"), (1e-7, "ipm"))
EXCESS_COST = 1e4
"""Objective per MW of excess against 1 per MW of loss: any excess that can be avoided is avoided."""
TIGHT_MW = 1e-8
"""A stop is planned for with so much room to spare: rows hold to a tolerance."""
PROVEN_MW = 1e-7
"""An excess of the cuts above this proves that no dispatch of the storage holds every stop."""
MOST_ROUNDS = 30
LIFE_COST = 10.0
"""Objective per MW of mean discharge beyond the cycle life: the window rule is kept first, then the life."""
LIFE_ROOM = 1e-3
"""Share of the cycle life that the trim of a real course may use."""
SOLVES = 5
"""Most solves of one dispatch for the efficiencies of a storage whose loss follows its power."""
BINDS = 1e-9
"""Dual value from which a cut decides the dispatch."""
ROOM_COST = 1e-5
"""Objective per MWh stored: of equal dispatches the emptiest, which leaves room for the stop of a job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """The storage over the macro period; the widest window range (and when) and highest power it leaves."""

    charge_mw: np.ndarray
    discharge_mw: np.ndarray
    soc_mwh: np.ndarray
    shares: Mapping[str, tuple[np.ndarray, np.ndarray]]  # charge, discharge by stream if several
    window_mw: float
    window_time_s: float
    peak_mw: float
    efficiency: tuple[float, float] | None = None
    """Of a storage whose loss follows its power: energy taken over drawn, and given over taken out."""
    metering_mw: float = 0.0
    """By how much a metering window's highest mean is above the mean."""
    stop_mw: float = 0.0  # some stop exceeds the room by at least this under every dispatch
    cuts: tuple[tuple[course.Fall, Cut], ...] = ()  # those that decide its cost

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """The storage as a whole, by the name of its column."""
        return {"charge_mw": self.charge_mw, "discharge_mw": self.discharge_mw, "soc_mwh": self.soc_mwh}

    @property
    def loss_mw(self) -> float:
        """Mean loss over the period, without what the storage draws at rest."""
        return float(np.mean(self.charge_mw - self.discharge_mw))


def dispatch(
    site: Site,
    parts: tuple[streams.Stream, ...],
    card: Storage | None,
    *,
    power_mw: float,
    energy_mwh: float,
    other_mw: float,
    tolerances: Sequence[tuple[float, str]] = TOLERANCES,
    stops: Sequence[course.Fall] = (),
    keep_life: bool = False,
) -> Dispatch:
    """Return the dispatch with the least excess, then the least loss, then the least energy stored.

    It is planned for stops: at every step each of the falls given must leave a recovery (`codesign.stops`),
    by cuts that are added until all do, or until it is proven that no dispatch of this storage holds them.

    Parameters
    ----------
    power_mw, energy_mwh
        Size of the storage.
    other_mw
        Power at the POI beside the streams, at its annual peak; -inf leaves the line out.
    stops
        What a stop may take away at any step.
    keep_life
        The cycle life comes before the window rule: for a course that stands for others. Otherwise the rule
        is kept first, and what is short shows as life.

    Raises
    ------
    SolverError
        The programme could not be solved (it is elastic, so always feasible).
    """
    sizes = power_mw, energy_mwh, other_mw
    found, excess_mw = _kept(site, parts, card, *sizes, tolerances, stops, True)
    if keep_life or card is None or excess_mw <= PROVEN_MW:
        return found
    # what the life forbids is asked for beyond it: the simplex method fails on this programme
    return _kept(site, parts, card, *sizes, ELASTIC, stops, False)[0]


def _kept(
    site: Site, parts: tuple[streams.Stream, ...], card: Storage | None, power_mw: float, energy_mwh: float,
    other_mw: float, tolerances: Sequence[tuple[float, str]], stops: Sequence[course.Fall], keep_life: bool,
) -> tuple[Dispatch, float]:  # fmt: skip
    """Return a dispatch under the law of its storage, and its excess over window, line and stops [MW]."""
    own = None if card is None or card.time_constant_s == 0.0 else card
    efficiency = (own.efficiency_charge, own.efficiency_discharge) if own else None
    cuts: list[tuple[course.Fall, Cut]] = []  # they hold at all efficiencies
    for _ in range(SOLVES):
        lp = _Programme(site, parts, card, power_mw, energy_mwh, other_mw, efficiency, keep_life)
        x = _planned(lp, stops, cuts, tolerances)
        excess_mw = lp.excess_mw(x)
        if own is None or energy_mwh <= 0.0:
            return replace(lp.read(x), stop_mw=lp.stop_mw, cuts=lp.cuts), excess_mw
        found, real = lp.read_real(x, own, energy_mwh)
        if abs(real.trim_mw) <= realising.SETTLED_PU * power_mw:
            break
        efficiency = real.efficiency
    return replace(found, stop_mw=lp.stop_mw, cuts=lp.cuts), excess_mw


def _planned(
    lp: _Programme, stops: Sequence[course.Fall], cuts: list[tuple[course.Fall, Cut]],
    tolerances: Sequence[tuple[float, str]],
) -> np.ndarray:
    if lp.rows > LARGE:
        tolerances = [(tolerance, "ipm") for tolerance, _ in tolerances]
    for number, (tolerance, method) in enumerate(tolerances):
        try:
            with spent("dispatch"):
                return lp.planned(stops, cuts, tolerance, method)
        except SolverError as error:
            if number == len(tolerances) - 1:
                raise SolverError(f"storage dispatch: {error}") from error
    raise AssertionError("no tolerance is given")


class _Rows:
    """Sparse rows under construction."""

    def __init__(self) -> None:
        self.row: list[np.ndarray] = []
        self.column: list[np.ndarray] = []
        self.value: list[np.ndarray] = []
        self.rhs: np.ndarray = np.zeros(0)

    def add(self, terms: Sequence[tuple[np.ndarray, float]], rhs: np.ndarray) -> None:
        """Append len(rhs) rows; a term is (column of each row, coefficient)."""
        count = len(rhs)
        index = np.arange(len(self.rhs), len(self.rhs) + count)
        for column, value in terms:
            self.row.append(index)
            self.column.append(np.broadcast_to(column, (count,)))
            self.value.append(np.full(count, value))
        self.rhs = np.concatenate([self.rhs, rhs])


class _Programme:
    def __init__(self, site: Site, parts: tuple[streams.Stream, ...], card: Storage | None, power_mw: float,
                 energy_mwh: float, other_mw: float,
                 efficiency: tuple[float, float] | None = None,
                 keep_life: bool = False) -> None:  # fmt: skip
        self.site, self.parts, self.other_mw = site, parts, other_mw
        self.steps = len(parts[0].power_mw)
        self.size = 0
        self.low: list[np.ndarray] = []
        self.high: list[np.ndarray] = []
        self.costs: list[np.ndarray] = []
        self.upper, self.equal = _Rows(), _Rows()
        if card is None:
            power_mw = energy_mwh = 0.0
        elif efficiency is not None:
            power_mw *= 1.0 - realising.TRIM_PU
        linear = (card.efficiency_charge, card.efficiency_discharge) if card else (1.0, 1.0)
        self.efficiency = efficiency or linear
        self.idle_mwh = card.soc_min_pu * energy_mwh if card else 0.0
        usable_mwh = (card.soc_max_pu - card.soc_min_pu) * energy_mwh if card else 0.0
        self.over_window, self.over_line, self.over_stop = (self.new(1, cost=EXCESS_COST) for _ in range(3))
        self.filters: list[list[np.ndarray]] = []
        self.stop_mw, self.cuts = 0.0, tuple[tuple[course.Fall, Cut], ...]()
        self.own = course.store(card, power_mw, energy_mwh)
        self.owning = [part for part in parts if part.own]
        self.cases = streams.met(site, self.owning)
        alone = len(self.owning) == 1 and self.owning[0].count == 1
        self.storage = [self._store(power_mw, usable_mwh, part, alone) for part in self.owning]
        if not alone:
            self._share(power_mw, usable_mwh)
        if card is not None:
            self._life(card, energy_mwh, keep_life)
        self._window(
            [self._filtered(part, *store[:2]) for part, store in zip(self.owning, self.storage, strict=True)]
        )
        if other_mw > -np.inf:
            self._line()

    def new(
        self, count: int, *, low: float = 0.0, high: float | np.ndarray = np.inf, cost: float = 0.0
    ) -> np.ndarray:
        index = np.arange(self.size, self.size + count)
        self.size += count
        self.low.append(np.full(count, low))
        self.high.append(np.full(count, high))
        self.costs.append(np.full(count, cost))
        return index

    @property
    def cost(self) -> np.ndarray:
        return np.concatenate(self.costs)

    @property
    def rows(self) -> int:
        return len(self.upper.rhs)

    def matrix(self, rows: _Rows) -> Any:
        if not rows.value:  # neither a rule nor a line nor a storage
            return sparse.csr_array((len(rows.rhs), self.size))
        entries = (np.concatenate(rows.value), (np.concatenate(rows.row), np.concatenate(rows.column)))
        return sparse.csr_array(sparse.coo_array(entries, shape=(len(rows.rhs), self.size)))

    def planned(
        self, stops: Sequence[course.Fall], cuts: list[tuple[course.Fall, Cut]], tolerance: float, method: str
    ) -> np.ndarray:
        """Solve; add to the cuts those of the stops that do not hold, and solve again until none is left."""
        low = np.concatenate([np.full(self.rows, -np.inf), self.equal.rhs])
        kept = Kept(
            self.cost, np.concatenate(self.low), np.concatenate(self.high),
            sparse.vstack([self.matrix(self.upper), self.matrix(self.equal)]), low,
            np.concatenate([self.upper.rhs, self.equal.rhs]), tolerance=tolerance, solver=method,
        )  # fmt: skip
        for fall, cut in cuts:
            self._cut(kept, fall, cut)
        answer = self._solved(kept)
        made, excess = self.read(answer.x), float(answer.x[self.over_stop[0]])
        if not stops:
            return np.asarray(answer.x)
        solver = Recovery(self.site, self.own)
        for _ in range(MOST_ROUNDS):
            planned = course.course(self.site, self.load_mw, made.columns, self.idle_mwh)
            broken = worst.broken(self.site, planned, stops, self.own, TIGHT_MW, solver)
            if not broken or excess > PROVEN_MW:
                break
            for each in broken:
                self._cut(kept, each.fall, each.cut)
            cuts += [(each.fall, each.cut) for each in broken]
            answer = self._solved(kept)
            made, excess = self.read(answer.x), float(answer.x[self.over_stop[0]])
        bind = np.abs(answer.row_dual[len(answer.row_dual) - len(cuts) :]) > BINDS
        self.cuts = tuple(cut for cut, binds in zip(cuts, bind, strict=True) if binds)
        self.stop_mw = excess if excess > PROVEN_MW else 0.0
        return np.asarray(answer.x)

    @staticmethod
    def _solved(kept: Kept) -> Answer:
        answer = kept.solve()
        if answer is None:
            raise SolverError("an elastic programme was called infeasible")
        return answer

    @property
    def load_mw(self) -> np.ndarray:
        return streams.together(self.parts, [part.power_mw for part in self.parts], self.steps)

    def _cut(self, kept: Kept, fall: course.Fall, cut: Cut) -> None:
        """Add one cut: what a stop exceeds the room by is at most the excess of all stops."""
        columns, values, rest = [int(self.over_stop[0])], [-1.0], cut.constant
        for key, slope in cut.terms.items():
            terms, known = self._quantity(key, cut, fall)
            columns += [column for column, _ in terms]
            values += [slope * value for _, value in terms]
            rest += slope * known
        kept.add_row(-np.inf, columns, values, -rest - TIGHT_MW)

    def _quantity(self, key: Key, cut: Cut, fall: course.Fall) -> tuple[list[tuple[int, float]], float]:
        """Return a quantity of a cut as columns of this programme and a constant."""
        match key[0]:
            case "power":
                return [], self.own.power_mw
            case "usable":
                return [], self.own.usable_mj
            case "fall":
                return [], float(fall.mw[(cut.slot + key[1]) % self.steps])
            case "load":
                return [], float(self.load_mw[key[1]])
            case "stored":
                return self._placed([store[2] for store in self.storage], key[1], S_PER_H), 0.0
            case "net":
                charge = self._placed([store[0] for store in self.storage], key[1])
                discharge = self._placed([store[1] for store in self.storage], key[1], -1.0)
                return charge + discharge, float(self.load_mw[key[1]])
        order, k = key[1:]  # type: ignore[misc]
        known = 0.0
        for part in self.parts:
            if not part.own:
                known += float(window.high_pass_orders(part.power_mw, self.site)[order][k])
        return self._placed([each[order] for each in self.filters], k), known

    def _placed(
        self, columns: Sequence[np.ndarray], k: int, value: float = 1.0
    ) -> list[tuple[int, float]]:  # fmt: skip
        """Return the columns that make up a total at a step, every copy where it is planned."""
        return [
            (int(own[(k - later) % len(own)]), value)
            for own, part in zip(columns, self.owning, strict=True)
            for _, later in part.copies
        ]

    def _store(
        self, power_mw: float, energy_mwh: float, part: streams.Stream, alone: bool
    ) -> tuple[np.ndarray, ...]:
        """Charge, discharge and energy of one copy's share; its ceiling columns when the size is shared."""
        h, k, n = self.site.clock.step_s / S_PER_H, len(part.power_mw), part.count
        charge, discharge = self.new(k, high=power_mw, cost=n), self.new(k, high=power_mw, cost=-n)
        energy = self.new(k, high=energy_mwh, cost=n * ROOM_COST)
        in_eff, out_eff = self.efficiency
        self.equal.add(
            [(np.roll(energy, -1), 1.0), (energy, -1.0), (charge, -h * in_eff), (discharge, h / out_eff)],
            np.zeros(k),
        )
        if alone:
            return charge, discharge, energy
        rating, range_, calm_rating, calm_range = (self.new(1) for _ in range(4))
        for column in (charge, discharge):
            self.upper.add([(column, 1.0), (rating, -1.0)], np.zeros(k))
        self.upper.add([(energy, 1.0), (range_, -1.0)], np.zeros(k))
        if part.calm is not None:
            for column, most in ((charge, calm_rating), (discharge, calm_rating), (energy, calm_range)):
                self.upper.add([(column[part.calm], 1.0), (most, -1.0)], np.zeros(int(part.calm.sum())))
        return charge, discharge, energy, rating, range_, calm_rating, calm_range

    def _share(self, power_mw: float, energy_mwh: float) -> None:
        """Copies in an event have their rating and range, the others those of their calm steps."""
        for case, (busy, calm, size) in itertools.product(self.cases, ((3, 5, power_mw), (4, 6, energy_mwh))):
            terms = [(store[busy], float(n)) for store, n in zip(self.storage, case, strict=True)]
            terms += [
                (store[calm], float(part.count - n))
                for store, part, n in zip(self.storage, self.owning, case, strict=True)
                if n < part.count
            ]
            self.upper.add(terms, np.array([size]))

    def _life(self, card: Storage, energy_mwh: float, keep: bool) -> None:
        """Equivalent full cycles a year within the card's life."""
        h = self.site.clock.step_s / S_PER_H
        periods = H_PER_YEAR * S_PER_H / self.site.clock.macro_s
        kept = 1.0 - (LIFE_ROOM if card.time_constant_s > 0.0 else 0.0)
        allowed = kept * card.throughput_max_mwh_per_year(energy_mwh) / periods
        turns = [part.count * self.steps // len(part.power_mw) for part in self.owning]
        terms = [(c, h * n) for store, n in zip(self.storage, turns, strict=True) for c in store[1]]
        over = self.new(1, high=0.0 if keep else self.own.power_mw, cost=LIFE_COST)
        self.upper.add([*terms, (over, -h * self.steps)], np.array([allowed]))

    def _filtered(self, part: streams.Stream, charge: np.ndarray, discharge: np.ndarray) -> np.ndarray:
        """Columns of the stream behind its storage after the rule's high-pass, periodic."""
        inputs: list[tuple[np.ndarray, float]] = [(charge, 1.0), (discharge, -1.0)]
        power = part.power_mw
        a = window.high_pass_coefficient(self.site)
        self.filters.append([])
        for _ in range(self.site.poi.filter_order):
            out = self.new(len(power), low=-np.inf)
            self.filters[-1].append(out)
            terms = [(out, 1.0), (np.roll(out, 1), -a)]
            for column, sign in inputs:
                terms += [(column, -sign), (np.roll(column, 1), sign)]
            self.equal.add(terms, power - np.roll(power, 1))
            inputs, power = [(out, 1.0)], np.zeros(len(power))
        return out

    def _window(self, filtered: list[np.ndarray]) -> None:
        """Every lag within the window: sum of each stream's worst difference <= limit + excess."""
        limit, none = window.room_mw(self.site), np.zeros(self.steps)
        bare = [
            (part, window.high_pass_periodic(part.power_mw, self.site)) for part in self.parts if not part.own
        ]
        for lag in range(1, window.steps(self.site) + 1):
            for sign in (1.0, -1.0):
                locked: list[tuple[np.ndarray, float]] = [(self.over_window, -1.0)]
                events: list[tuple[int, np.ndarray, np.ndarray]] = []
                for i, (part, y) in enumerate(zip(self.owning, filtered, strict=True)):
                    change = [(np.roll(y, -lag), sign), (y, -sign)]
                    if part.shift_steps == 0:
                        locked += change
                    else:
                        events.append(
                            (i, *self._worst(change, part, np.zeros(len(y)), streams.calm_pairs(part, lag)))
                        )
                known = sum((streams.at_worst(sign * (np.roll(y, -lag) - y), part) for part, y in bare), none)
                for case in self.cases:
                    terms = [*locked, *((busy, float(case[i])) for i, busy, _ in events)]
                    terms += [
                        (calm, float(self.owning[i].count - case[i]))
                        for i, _, calm in events
                        if case[i] < self.owning[i].count
                    ]
                    self.upper.add(terms, limit - known)

    def _line(self) -> None:
        """Instantaneous power at the POI <= interconnection limit + excess."""
        terms: list[tuple[np.ndarray, float]] = [(self.over_line, -1.0)]
        known = np.full(self.steps, self.other_mw)
        for part in self.parts:
            known = known + (0.0 if part.own else streams.at_worst(part.power_mw, part))
        for part, store in zip(self.owning, self.storage, strict=True):
            if part.shift_steps == 0:
                terms += [(store[0], 1.0), (store[1], -1.0)]
                known = known + part.power_mw
            else:
                level, _ = self._worst([(store[0], 1.0), (store[1], -1.0)], part, part.power_mw)
                terms.append((level, float(part.count)))
        self.upper.add(terms, self.site.poi.interconnection_limit_mw - known)

    def _worst(
        self, terms: list[tuple[np.ndarray, float]], part: streams.Stream, known: np.ndarray,
        calm: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Columns that stay above the terms at every admissible shift of the stream, and at calm steps."""
        if part.shift_steps is None:
            worst, quiet = self.new(1, low=-np.inf), self.new(1, low=-np.inf)
            calm = np.zeros(len(known), bool) if calm is None else calm
            for most, steps in ((worst, ~calm), (quiet, calm)):
                some = [(column[steps], value) for column, value in terms]
                self.upper.add([*some, (most, -1.0)], -known[steps])
            self.upper.add([(quiet, 1.0), (worst, -1.0)], np.zeros(1))
            return np.broadcast_to(worst, (self.steps,)), np.broadcast_to(quiet, (self.steps,))
        worst = self.new(self.steps, low=-np.inf)
        for shift in streams.shifts(part.shift_steps):
            whole = int(shift + 1e-9)
            late = shift - whole
            moved = [
                (np.roll(column, whole + more), share * value)
                for column, value in terms
                for more, share in ((0, 1.0 - late), (1, late))
                if share > 1e-9
            ]
            self.upper.add([*moved, (worst, -1.0)], -streams.moved(known, shift))
        return worst, worst

    def excess_mw(self, x: np.ndarray) -> float:
        """Return the largest excess over window, line and stops."""
        return float(max(x[column[0]] for column in (self.over_window, self.over_line, self.over_stop)))

    def read_real(self, x: np.ndarray, card: Storage, energy_mwh: float) -> tuple[Dispatch, realising.Real]:
        """Return the dispatch under the law of its storage, the trim shared out by copies."""
        linear = self.read(x)
        net = linear.charge_mw - linear.discharge_mw
        real = realising.real(card, energy_mwh, self.site.clock.step_s, net, float(linear.soc_mwh[0]))
        each = real.trim_mw / max(sum(len(part.copies) for part in self.owning), 1)
        charge, discharge = np.maximum(real.net_mw, 0.0), np.maximum(-real.net_mw, 0.0)
        found = self.read(x, each)
        return replace(found, charge_mw=charge, discharge_mw=discharge, soc_mwh=real.soc_mwh,
                       efficiency=real.efficiency), real  # fmt: skip

    def read(self, x: np.ndarray, trim_mw: float = 0.0) -> Dispatch:
        """Return the dispatch, every copy's share less a constant trim."""
        charge, discharge, soc = ([np.maximum(x[store[i]], 0.0) for store in self.storage] for i in range(3))
        if trim_mw:
            nets_mw = [c - d - trim_mw for c, d in zip(charge, discharge, strict=True)]
            charge, discharge = ([np.maximum(sign * net, 0.0) for net in nets_mw] for sign in (1.0, -1.0))
        stored = {p.name: c - d for p, c, d in zip(self.owning, charge, discharge, strict=True)}
        nets = [part.power_mw + stored.get(part.name, 0.0) for part in self.parts]
        window, at = streams.widest_window(self.site, self.parts, nets)
        placed = [
            (name, [np.roll(np.resize(each[i], self.steps), later) for each in (charge, discharge, soc)])
            for i, part in enumerate(self.owning)
            for name, later in part.copies
        ]
        shares = {name: (own[0], own[1]) for name, own in placed}
        together = [np.sum([own[i] for _, own in placed], axis=0) for i in range(3)]
        return Dispatch(
            charge_mw=together[0], discharge_mw=together[1],
            soc_mwh=self.idle_mwh + together[2], shares=shares if len(shares) > 1 else {},
            window_mw=window, window_time_s=at, peak_mw=streams.highest(self.parts, nets),
            metering_mw=metering.excess_mw(self.site, self.parts, nets),
        )  # fmt: skip
