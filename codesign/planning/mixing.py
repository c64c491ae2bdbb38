"""In which way every copy runs, where jobs have several: a lower bound over all mixes, and a mix to plan.

Load only adds.  Take a design that holds for a mix M, and a mix P in which no copy draws more on average: the
same sizes hold for P, with a contract smaller by the difference of the IT power, and every hour draws less by
at least that much.  With V the least annual cost without lost work, L the mean IT power,

    V(M) >= V(P) + E (L(M) - L(P)),   E = energy, demand and contract of one MW all year,

an hour of negative price counting NEGATIVE times in E, since cooling and losses fall with the load as well.
So the mean-field master of P, the lightest copies of a set of mixes, bounds the set:

    V(P) + min over M in the set of E (L(M) - L(P)) + lost work of M,

a sum over jobs, each at its best.  Sets are halved where that sum leaves the lightest (`bounded`).  Flow
follows the highest level in use, so a rack of P may leak more than in M, at a smaller flow: twice E times the
difference is taken off.  Locks enter a bound by their lost work alone.

A mix to plan is found by descent (`chosen`): every job in another way, then copies one by one, tried with
schedule and storage; left out where even the least storage that the stop of a job or the schedule could do
with makes it dearer, or saves less than WORTH times the gap asked for.  Storage of power P changes no lagged
difference of the high-passed power by more than P times the sum of |h|, h what an impulse does to it.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from codesign import catalogue, climate, evaluation, modes, smoothing, steady, streams, window, workload
from codesign.design import Schedule, Setting, Size
from codesign.modes import Mix, Way
from codesign.planning.attempt import Need
from codesign.site import Site

NEGATIVE = 1.5
LEAK = 2.0
MOST_MASTERS = 16
"""Masters solved a setting, beyond the first, to raise its bound."""
MOST_TRIED = 60
WORTH = 2.0
COMPOSITIONS = 20_000
"""Ways to share out the copies of one job over its modes, at most."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A site as it runs, its schedule, the storage that this needs, and the annual cost of the storage."""

    site: Site
    schedule: Schedule
    need: Need
    usd_per_year: float


def usd_per_mw(site: Site) -> float:
    """Return E, the annual cost of one MW at the POI all year [USD]."""
    hours, energy = climate.hours(site), site.energy
    price = np.where(hours.price_usd_per_mwh < 0.0, NEGATIVE, 1.0) * hours.price_usd_per_mwh
    fixed = evaluation.MONTHS * energy.demand_charge_usd_per_mw_month + energy.contract_charge_usd_per_mw_year
    return float(hours.weight_h_per_year @ price) + fixed


@lru_cache(maxsize=256)
def copy_mw(site: Site, name: str, mode: str) -> float:
    """Return the mean power of one copy of a job in a mode [MW]."""
    ways = {each: modes.ways(job)[0] for each, job in site.jobs.items()}
    ways[name] = next(way for way in modes.ways(site.jobs[name]) if way.mode == mode)
    alone = modes.running(site, modes.uniform(site, ways))
    return float(workload.template_mw(alone, name, workload.placements(alone, name)[0]).mean())


def lightest(site: Site) -> Site:
    """Return the running site in which every copy draws least."""
    return modes.running(site, modes.uniform(site, {name: _by_load(site, name)[0] for name in site.jobs}))


def work_usd(site: Site, name: str, way: Way) -> float:
    """Return energy, demand, contract and lost work of one copy in a way [USD a year]."""
    return usd_per_mw(site) * copy_mw(site, name, way.mode) + modes.lost_work_usd_per_year(site, name, way)


def _by_load(site: Site, name: str) -> list[Way]:
    """Return a job's modes, each in its lock of least lost work, by rising mean power."""
    cheapest: dict[str, Way] = {}
    for way in modes.ways(site.jobs[name]):
        known = cheapest.get(way.mode)
        if known is None or way.slack_pu < known.slack_pu:
            cheapest[way.mode] = way
    return sorted(cheapest.values(), key=lambda way: copy_mw(site, name, way.mode))


# bound


Counts = tuple[int, ...]
"""Copies in each of a job's modes, by rising mean power."""


class Sets:
    """The mixes of a site as spans of each job's distributions over its modes, ordered by mean power."""

    def __init__(self, site: Site) -> None:
        self.site, self.usd_per_mw = site, usd_per_mw(site)
        self.modes = {name: _by_load(site, name) for name in site.jobs}
        self.mw = {name: [copy_mw(site, name, w.mode) for w in each] for name, each in self.modes.items()}
        self.lost = {
            name: [modes.lost_work_usd_per_year(site, name, w) for w in each]
            for name, each in self.modes.items()
        }
        self.all = {
            name: sorted(_shared(len(each), site.jobs[name].count), key=lambda c: self.load_mw(name, c))
            for name, each in self.modes.items()
        }

    def load_mw(self, name: str, counts: Counts) -> float:
        return sum(n * mw for n, mw in zip(counts, self.mw[name], strict=True))

    def usd(self, name: str, counts: Counts) -> float:
        """E times mean power, and lost work."""
        lost = sum(n * usd for n, usd in zip(counts, self.lost[name], strict=True))
        return self.usd_per_mw * self.load_mw(name, counts) + lost

    def least(self, name: str, span: tuple[int, int]) -> Counts:
        """The distribution whose copies draw no more than those of any in the span, one by one."""
        reached = [list(itertools.accumulate(counts)) for counts in self.all[name][span[0] : span[1] + 1]]
        most = [max(column) for column in zip(*reached, strict=True)]
        return tuple(b - a for a, b in itertools.pairwise((0, *most)))

    def best(self, name: str, span: tuple[int, int]) -> int:
        """Index of the distribution in the span with the least `usd`."""
        return min(range(span[0], span[1] + 1), key=lambda i: self.usd(name, self.all[name][i]))

    def running(self, counts: dict[str, Counts]) -> Site:
        """The site as a mix runs it."""
        mix: Mix = tuple(
            (name, tuple((w, n) for w, n in zip(self.modes[name], each, strict=True) if n))
            for name, each in counts.items()
        )
        return modes.running(self.site, mix)


Spans = tuple[tuple[str, tuple[int, int]], ...]


def bounded(
    site: Site, setting: Setting, master_usd: Callable[[Site, float], float], enough_usd: float
) -> float:
    """Return a lower bound of a setting over all mixes, raised until it is enough or masters run out.

    `master_usd(running site, enough)` gives the master's bound with that site's own lost work; it may stop
    once it has proven `enough`.
    """
    sets = Sets(site)
    whole: Spans = tuple((name, (0, len(each) - 1)) for name, each in sets.all.items())
    heap = [(_span_usd(sets, setting, whole, master_usd, enough_usd), 0, whole)]
    for number in itertools.count(1):
        usd, _, spans = heap[0]
        halves = [] if usd >= enough_usd or number > MOST_MASTERS // 2 else _halves(sets, spans)
        if not halves:
            return usd
        heapq.heappop(heap)
        for index, half in enumerate(halves):
            part = max(usd, _span_usd(sets, setting, half, master_usd, enough_usd))
            heapq.heappush(heap, (part, 2 * number + index, half))
    raise AssertionError


def _span_usd(
    sets: Sets, setting: Setting, spans: Spans, master_usd: Callable[[Site, float], float], enough_usd: float
) -> float:
    """Bound one set of mixes by the master of its lightest copies."""
    light = {name: sets.least(name, span) for name, span in spans}
    plant = sets.running(light)
    more = sum(
        sets.usd(name, sets.all[name][sets.best(name, span)])
        - sets.usd_per_mw * sets.load_mw(name, light[name])
        for name, span in spans
    )
    rest = more - evaluation.lost_work_usd_per_year(plant) - _leak_usd(sets, setting, plant)
    return master_usd(plant, enough_usd - rest) + rest


def _leak_usd(sets: Sets, setting: Setting, plant: Site) -> float:
    """What the racks of a plant may leak more than at the flow of any other mix, priced."""
    rack, supply_c = steady.rack(sets.site), steady.tcs_supply_c(setting)
    heaviest = sets.running({name: each[-1] for name, each in sets.all.items()})
    most = steady.it_load(heaviest, setting).rack_flow_l_per_min
    own = steady.it_load(plant, setting)
    if most <= own.rack_flow_l_per_min:
        return 0.0
    least_mw = sum(
        job.count * job.racks * rack.leakage_kw(
            rack.steady_junction_c(workload.mean_level(job, plant), supply_c, most)
        ) / 1e3
        for job in plant.jobs.values()
    )  # fmt: skip
    return float(LEAK * sets.usd_per_mw * max(own.leakage_mw - least_mw, 0.0))


def _halves(sets: Sets, spans: Spans) -> list[Spans]:
    """Split the job whose best distribution is farthest above its lightest copies; none if all are there."""

    def above_mw(name: str, span: tuple[int, int]) -> float:
        best = sets.all[name][sets.best(name, span)]
        return sets.load_mw(name, best) - sets.load_mw(name, sets.least(name, span))

    name, span = max(spans, key=lambda each: above_mw(*each))
    if span[0] == span[1] or above_mw(name, span) <= 1e-12:
        return []
    cut = max(sets.best(name, span), span[0] + 1)
    made = []
    for half in ((span[0], cut - 1), (cut, span[1])):
        made.append(tuple((each, half if each == name else own) for each, own in spans))
    return made


def _shared(options: int, copies: int) -> list[Counts]:
    if options == 1:
        return [(copies,)]
    return [(n, *rest) for n in range(copies, -1, -1) for rest in _shared(options - 1, copies - n)]


# plan


def chosen(site: Site, attempt: Callable[[Site, float, float], Tried | None], gap: float) -> Tried | None:
    """Return the cheapest mix found with its schedule and storage; None where none has a storage.

    `attempt` makes the schedule of a running site, and the storage that it needs; None where the storage
    cannot cost less than the first amount given, of the second a cheaper one is not looked for [USD a year].
    """
    best: Tried | None = None
    best_usd = float("inf")
    tried: set[Mix] = set()

    def better(mix: Mix) -> bool:
        nonlocal best, best_usd
        if mix in tried or len(tried) >= MOST_TRIED:
            return False
        made, base_usd = modes.running(site, mix), mix_usd(site, mix)
        worth = max(WORTH * gap, 1e-9)
        below_usd, least_usd = best_usd * (1.0 - worth) - base_usd, stop_usd(made)
        if least_usd >= below_usd:
            return False
        tried.add(mix)
        found = attempt(made, below_usd, least_usd + worth * base_usd)
        if found is None or base_usd + found.usd_per_year >= best_usd * (1 - 1e-9):
            return False
        best, best_usd = found, base_usd + found.usd_per_year
        return True

    current = _held(site)
    better(current)
    cheapest = modes.uniform(site, {name: _cheapest(site, name) for name in site.jobs})
    if better(cheapest):
        current = cheapest
    for moves in (_jobs_moved, _copies_moved):
        moved = True
        while moved:
            moved = False
            for mix in moves(site, current):
                if better(mix):
                    current, moved = mix, True
                    break
    return best


def mix_usd(site: Site, mix: Mix) -> float:
    """Return energy, demand, contract and lost work of a mix [USD a year]."""
    return sum(count * work_usd(site, name, way) for name, found in mix for way, count in found)


def stop_usd(running: Site) -> float:
    """Return the annual cost of the storage that the stop of a job asks for, whatever the schedule."""
    step, _ = smoothing.abort_step_mw(running)
    power_mw = max(step - window.room_mw(running), 0.0)
    return min(storage_usd(running, card, power_mw) for card in running.equipment.storage.cards)


def window_usd(running: Site, schedule: Schedule) -> float:
    """Return the annual cost of the storage that a schedule's window ranges ask for at least."""
    parts = streams.of(running, schedule)
    bare = [part.power_mw for part in parts]
    limit, power_mw = window.room_mw(running), 0.0
    for lag, most in enumerate(_impulse(running), start=1):
        widest, _ = streams.widest_window(running, parts, bare, lags=(lag,))
        power_mw = max(power_mw, (widest - limit) / most)
    return min(storage_usd(running, card, power_mw) for card in running.equipment.storage.cards)


def _impulse(site: Site) -> list[float]:
    """Return by lag the sum of |y_{k+lag} - y_k| that an impulse of 1 MW leaves behind the high-pass."""
    y = np.zeros(2 + 40 * window.steps(site))
    y[1] = 1.0
    for _ in range(site.poi.filter_order):
        y = window.high_pass(y, 0.0, window.high_pass_coefficient(site))
    made = []
    for lag in range(1, window.steps(site) + 1):
        late = np.concatenate([np.zeros(lag), y])
        made.append(float(np.abs(np.concatenate([y, np.zeros(lag)]) - late).sum()) + float(np.abs(y[-1])))
    return made


def storage_usd(site: Site, card: str, power_mw: float, energy_mwh: float | None = None) -> float:
    """Return the annual cost of a storage, by default of the least energy that its power allows [USD]."""
    part = catalogue.build(site, "storage", card)
    energy = part.energy_min_mwh(power_mw) if energy_mwh is None else energy_mwh
    power = evaluation.annual_usd(site, "storage_power", Size(card, None, power_mw, "mw"))
    return power + evaluation.annual_usd(site, "storage_energy", Size(card, None, energy, "mwh"))


def _cheapest(site: Site, name: str) -> Way:
    return min(modes.ways(site.jobs[name]), key=lambda way: work_usd(site, name, way))


def _held(site: Site) -> Mix:
    """Return the mix in which every job keeps the clock at the least cost, where it has a lock."""
    found = {}
    for name, job in site.jobs.items():
        locked = [way for way in modes.ways(job) if way.locked]
        found[name] = min(locked or modes.ways(job), key=lambda way: work_usd(site, name, way))
    return modes.uniform(site, found)


def _jobs_moved(site: Site, current: Mix) -> Iterator[Mix]:
    """Yield the mixes in which all copies of one job run in another way, the cheapest first."""
    made = [
        tuple(
            (each, ((way, site.jobs[each].count),)) if each == name else (each, own) for each, own in current
        )
        for name, _ in current
        for way in modes.ways(site.jobs[name])
    ]
    yield from sorted((mix for mix in made if mix != current), key=lambda mix: mix_usd(site, mix))


def _copies_moved(site: Site, current: Mix) -> Iterator[Mix]:
    """Yield the mixes in which one copy of a job runs in another way, the cheapest first."""
    made = []
    for name, found in current:
        for old, way in itertools.product(dict(found), modes.ways(site.jobs[name])):
            if old != way:
                count = dict(found)
                count[old], count[way] = count[old] - 1, count.get(way, 0) + 1
                own = tuple(sorted((each, n) for each, n in count.items() if n))
                made.append(tuple((each, own if each == name else rest) for each, rest in current))
    yield from sorted(dict.fromkeys(made), key=lambda mix: mix_usd(site, mix))
