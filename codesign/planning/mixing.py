"""A lower bound over all mixes: in which way every copy runs, where jobs have several.

Load only adds.  Take a design that holds for a mix M, and a mix P in which no copy draws more on average: the
same sizes hold for P, with a contract smaller by the difference of the IT power, and every hour draws less by
at least that much.  With V the least annual cost without lost work, L the mean IT power,

    V(M) >= V(P) + s E (L(M) - L(P)),   E = energy, demand and contract of one MW all year,

an hour of negative price counting NEGATIVE times in E, since cooling and losses fall with the load as well.
So the mean-field master of P, the lightest copies of a set of mixes, bounds the set:

    V(P) + min over M in the set of s E (L(M) - L(P)) + lost work of M,

a sum over jobs, each at its best.  Sets are halved where that sum leaves the lightest (`bounded`).  Flow
follows the highest level in use, so a rack of P may leak more than in M, at a smaller flow: twice E times the
difference is taken off.  L is power as metered; a rack that is cooled better draws less than that of one more
MW, by the least slope s <= 1 of the steady racks over their level.  Locks enter a bound by their lost work
alone.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from codesign import climate, evaluation, modes, steady, stopping, workload
from codesign.design import Setting
from codesign.modes import Mix, Way
from codesign.site import Site

NEGATIVE = 1.5
LEAK = 2.0
SLOPE_STEP = 1e-3
MOST_MASTERS = 16
"""Masters solved a setting, beyond the first, to raise its bound."""
COMPOSITIONS = 20_000
"""Ways to share out the copies of one job over its modes, at most."""


def usd_per_mw(site: Site, slope: float = 1.0) -> float:
    """Return E, the annual cost of one MW at the POI all year [USD]; what is paid for it times a slope."""
    hours, energy = climate.hours(site), site.energy
    price = np.where(hours.price_usd_per_mwh < 0.0, NEGATIVE, slope) * hours.price_usd_per_mwh
    fixed = evaluation.MONTHS * energy.demand_charge_usd_per_mw_month + energy.contract_charge_usd_per_mw_year
    return float(hours.weight_h_per_year @ price) + slope * fixed


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

    def __init__(self, site: Site, setting: Setting) -> None:
        self.site = site
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
        heaviest = self.running({name: each[-1] for name, each in self.all.items()})
        most = steady.it_load(heaviest, setting)
        self.most_l_per_min, slope = most.rack_flow_l_per_min, _least_slope(site, setting, most)
        self.usd_per_mw = usd_per_mw(site, slope)

    def load_mw(self, name: str, counts: Counts) -> float:
        return sum(n * mw for n, mw in zip(counts, self.mw[name], strict=True))

    def usd(self, name: str, counts: Counts) -> float:
        """s E times mean power, and lost work."""
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
    sets = Sets(site, setting)
    whole: Spans = tuple((name, (0, len(each) - 1)) for name, each in sets.all.items())
    heap = [(_span_usd(sets, setting, whole, master_usd, enough_usd), 0, whole)]
    for number in itertools.count(1):
        usd, _, spans = heap[0]
        halves = [] if usd >= enough_usd or number > MOST_MASTERS // 2 else _halves(sets, spans)
        if not halves or stopping.asked() is not None:
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
    most = sets.most_l_per_min
    own = steady.it_load(plant, setting)
    if most <= own.rack_flow_l_per_min:
        return 0.0
    levels = [(job.count * job.racks, workload.mean_level(job, plant)) for job in plant.jobs.values()]
    levels += [(group.racks, group.level_pu) for group in workload.idle_racks(plant)]
    least_mw = sum(
        racks * rack.leakage_kw(level, rack.steady_excess_k(level, supply_c, most)) / 1e3
        for racks, level in levels
    )
    return float(LEAK * max(sets.usd_per_mw, 0.0) * max(own.leakage_mw - least_mw, 0.0))


def _least_slope(site: Site, setting: Setting, most: steady.ItLoad) -> float:
    """Return the least rise of a rack's steady power over the metered one, at most 1.

    The power of a GPU is w (A - B w)/(1 - C w) in its metered watts w: its slope is monotone in w and rises
    with C, so it is least at rest or at the highest level, at the largest flow.
    """
    rack, supply_c = steady.rack(site), steady.tcs_supply_c(setting)

    def kw(level: float) -> float:
        excess = rack.steady_excess_k(level, supply_c, most.rack_flow_l_per_min)
        return float(rack.it_kw(level, excess)) / rack.nominal_kw

    ends = (0.0, most.peak_level_pu)
    return min(1.0, *((kw(end + SLOPE_STEP) - kw(end - SLOPE_STEP)) / (2 * SLOPE_STEP) for end in ends))


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
