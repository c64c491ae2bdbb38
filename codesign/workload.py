"""Jobs as power over time: profiles, placements, events, and the POI window rule's filter.

A job's racks follow one periodic profile, per unit of the rack's nominal power, on the electrical clock
(clock.step_s).  A placement shifts the profile by an offset and puts each kind of slow event into a slot of
the macro clock.  Everything here repeats with the macro period: K = macro_s / step_s samples, sample k holds
over [k, k + 1) steps.
"""

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign import catalogue, modes, resolution
from codesign.errors import Fault, InputError
from codesign.site import Site

Array = NDArray[np.float64]

KW_PER_MW = 1e3
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
PLACEMENTS_MAX = 100_000
QUANTILES = ("p05", "p25", "p50", "p75", "p95")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a job copy may stand: offset [s] of its period; one slot [s] of the macro clock a kind of event.

    An event of a copy starts at offset_s + its slot, the boundary of an iteration.
    """

    offset_s: float
    event_slots: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """One job copy, placed. events: (kind, first start [s] on the macro clock).

    Without a lock slack and jitter are 0, and the places say nothing.
    """

    job: str
    copy: int
    mode: str
    locked: bool
    slack_pu: float
    jitter_s: float
    period_s: float
    offset_s: float
    events: tuple[tuple[str, float], ...]
    pod: str


Schedule = tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class IdleRacks:
    """Racks of a group of pods that are on and that no job uses: their number, level and rack card."""

    pod: str
    racks: int
    level_pu: float
    rack: str

    @property
    def name(self) -> str:
        """Name in the plant; no job copy has it, as names of pods begin with a letter."""
        return f"idle_{self.pod}"


def macro_steps(site: Site) -> int:
    """Return K, the steps of the macro period."""
    return round(site.clock.macro_s / site.clock.step_s)


def profile(job: Any, site: Site) -> Array:
    """Return a job's level over one period in its mode, per unit of nominal power [period_s / step_s].

    The source's bins (equal for a series, by share for named phases) are averaged over each step by overlap,
    so the mean is kept.  What 1 in a series stands for is what its author states (`resolution`).
    """
    return _profile(site, _name(job, site))


def quantiles(job: Any, site: Site) -> dict[str, Array]:
    """Return the profile's quantiles over the measured iterations, resampled and scaled as profile() is.

    Keys p05 to p95, as far as the series carries them; empty for named phases. Before the mode.
    """
    if job.profile is None:
        return {}
    series = site.series.profiles[job.profile]
    mean = np.asarray(series["power_pu"], float)
    scale = job.plateau_pu / resolution.reference(job.per_unit_of, mean)
    steps, shares = round(job.period_s / site.clock.step_s), np.full(len(mean), 1 / len(mean))
    return {
        name: _frozen(scale * resolution.resampled(np.asarray(series[f"{name}_pu"], float), shares, steps))
        for name in QUANTILES
        if f"{name}_pu" in series
    }


def not_resolved_hz(site: Site) -> float:
    """Return the frequency above which the load is not known [Hz].

    1/(2 T), T the longest that a profile was averaged over, at least the clock's step.
    """
    averaging = [job.averaging_s for job in site.jobs.values() if job.profile is not None and job.averaging_s]
    return 1 / (2 * max(*averaging, site.clock.step_s, 0.0))


@lru_cache(maxsize=1024)
def placements(site: Site, name: str) -> tuple[Placement, ...]:
    """Return a job's placements: event slots outside, offsets inside; the first is (0, first slots)."""
    job, clock = site.jobs[name], site.clock
    offsets = _slots(job.period_s, clock.offset_slot_s)
    slots = [_slots(event.interval_s, clock.event_slot_s) for event in job.events]
    number = len(offsets) * math.prod(len(each) for each in slots)
    if number > PLACEMENTS_MAX:
        expected = f"at most {PLACEMENTS_MAX} placements (offsets times event slots)"
        raise InputError([Fault(site.name, f"jobs.{name}", number, expected, None)])
    return tuple(Placement(o, s) for s in itertools.product(*slots) for o in offsets)


def unlocked_places(site: Site, name: str) -> tuple[Placement, ...]:
    """Return where the copies of an unlocked job stand in a plan: its events spread over the macro clock.

    They run at any phase; a place stands for one. Copies without events are left in step.
    """
    places, job = placements(site, name), site.jobs[name]
    if not job.events:
        return (places[0],) * job.count
    first = list(site.jobs).index(name)
    turns = [(GOLDEN * (first + 1) + GOLDEN * copy * len(site.jobs)) % 1.0 for copy in range(job.count)]
    return tuple(places[int(turn * len(places))] for turn in turns)


def assignment(site: Site, job: str, copy: int, placement: Placement) -> Assignment:
    """Return a job copy at a placement; the site's jobs have one way to run in (`codesign.modes`)."""
    spec = site.jobs[job]
    starts = zip(spec.events, placement.event_slots, strict=True)
    return Assignment(
        job=job, copy=copy, mode=_one_mode(spec), locked=spec.locked, slack_pu=spec.slack_pu,
        jitter_s=spec.jitter_s, period_s=spec.period_s, offset_s=placement.offset_s,
        events=tuple((event.kind, placement.offset_s + slot) for event, slot in starts), pod=_pod(site, job),
    )  # fmt: skip


def idle_racks(site: Site) -> tuple[IdleRacks, ...]:
    """Return the racks without a job that draw their idle power, by group of pods."""
    used = dict.fromkeys(site.pods, 0)
    for name, job in site.jobs.items():
        used[_pod(site, name)] += job.count * job.racks
    return tuple(
        IdleRacks(name, pod.count * pod.racks - used[name], pod.idle_pu, pod.rack)
        for name, pod in site.pods.items()
        if pod.unused == "idle" and pod.count * pod.racks > used[name]
    )


def placement_of(site: Site, assigned: Assignment) -> Placement:
    """Return the placement of an assigned copy."""
    start = dict(assigned.events)
    kinds = (event.kind for event in site.jobs[assigned.job].events)
    return Placement(assigned.offset_s, tuple(start[kind] - assigned.offset_s for kind in kinds))


@lru_cache(maxsize=4096)
def template_mw(site: Site, name: str, placement: Placement) -> Array:
    """Return the dynamic power of one copy's racks (leakage not included) over the macro period [K, MW]."""
    return _frozen(_racks_mw(site, name, _pod(site, name)) * _level(site, name, placement))


def assignment_mw(site: Site, assigned: Assignment) -> Array:
    """Return the dynamic power of an assigned copy's racks over the macro period [K, MW]."""
    level = _level(site, assigned.job, placement_of(site, assigned))
    return _frozen(_racks_mw(site, assigned.job, assigned.pod) * level)


def idle_mw(site: Site, assigned: Assignment) -> float:
    """Return the power of a copy's racks while the job is stopped [MW]."""
    job = site.jobs[assigned.job]
    return _racks_mw(site, assigned.job, assigned.pod) * job.idle_pu * job.plateau_pu


def levels(site: Site, schedule: Schedule) -> dict[tuple[str, int], Array]:
    """Return every (job, copy)'s level over the macro period, per unit of the rack's nominal power [K]."""
    return {(a.job, a.copy): _level(site, a.job, placement_of(site, a)) for a in schedule}


def alike(schedule: Schedule) -> tuple[tuple[Assignment, int], ...]:
    """Return the schedule's groups of copies in step with each other: (the first of them, how many).

    Copies of a job with the same offset and events are one load. Copy 0 of each job stands alone: a scenario
    may stop it.
    """
    found: dict[Any, list[Assignment]] = {}
    for row in schedule:
        key = (row.job, row.copy == 0, row.mode, row.offset_s, row.events, row.pod)
        found.setdefault(key, []).append(row)
    return tuple((rows[0], len(rows)) for rows in found.values())


def mean_level(job: Any, site: Site) -> float:
    """Return the mean level over the macro period, events included, per unit of the rack's nominal power.

    It is the same at every placement.
    """
    name = _name(job, site)
    return float(_level(site, name, placements(site, name)[0]).mean())


def quiet_moment_s(site: Site, schedule: Schedule, off_s: float, duration_s: float) -> float:
    """Return the moment at which a job that is off for off_s comes least close to any planned event [s].

    It maximises the least distance, on the macro clock, of the stop and of the return to any event's start or
    end, and to the beginning and end of the duration; the earliest of equals.
    """
    step, macro_s = site.clock.step_s, site.clock.macro_s
    edges = []
    for assigned in schedule:
        length_s = {
            event.kind: (event.duration_s, event.interval_s) for event in site.jobs[assigned.job].events
        }
        for kind, start in assigned.events:
            held_s, interval_s = length_s[kind]
            turns = interval_s * np.arange(round(macro_s / interval_s))
            edges += [*(start + turns), *(start + held_s + turns)]
    stop_s = step * np.arange(max(math.floor((duration_s - off_s) / step + 1e-9), 0) + 1)
    least = np.minimum(stop_s, duration_s - off_s - stop_s)
    for moment in (stop_s, stop_s + off_s):
        for edge in edges:
            apart = (moment - edge) % macro_s
            least = np.minimum(least, np.minimum(apart, macro_s - apart))
    return float(stop_s[int(np.argmax(np.round(least / step, 6)))])


def abort(site: Site, schedule: Schedule) -> tuple[str, float]:
    """Return the job that the abort stops, the largest unless the site names one, and the moment [s]."""
    asked = site.scenarios.job_abort_restart
    job = asked.job or max(site.jobs, key=lambda name: site.jobs[name].racks)
    if asked.at_s is not None:
        return job, asked.at_s
    return job, quiet_moment_s(site, schedule, asked.off_s, asked.duration_s)


# inside


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array


def _name(job: Any, site: Site) -> str:
    """Return a job's name; jobs that are equal share their profile and mean, so the first will do."""
    return next(name for name, spec in site.jobs.items() if spec is job or spec == job)


def _pod(site: Site, name: str) -> str:
    return site.jobs[name].pod or next(iter(site.pods))


def _racks_mw(site: Site, name: str, pod: str) -> float:
    """Return the nominal power of one copy's racks [MW]."""
    rack = catalogue.build(site, "rack", site.pods[pod].rack)
    return float(site.jobs[name].racks * rack.nominal_kw / KW_PER_MW)


def _slots(length_s: float, slot_s: float) -> tuple[float, ...]:
    """Return the multiples of a slot below a length [s]."""
    return tuple(i * slot_s for i in range(max(1, math.ceil(length_s / slot_s - 1e-9))))


@lru_cache(maxsize=1024)
def _profile(site: Site, name: str) -> Array:
    job = site.jobs[name]
    steps = round(job.period_s / site.clock.step_s)
    level = job.plateau_pu * resolution.resampled(*resolution.source(job, site.series.profiles), steps)
    return _frozen(modes.shaped(_one_mode(job), level, quantiles(job, site), job.plateau_pu))


def _one_mode(job: Any) -> str:
    """Return the mode of a job whose way is decided."""
    if len(job.modes) != 1 or job.locks:
        raise ValueError("a job with several ways to run in has no level: decide them first (codesign.modes)")
    return str(job.modes[0])


@lru_cache(maxsize=4096)
def _level(site: Site, name: str, placement: Placement) -> Array:
    """Return a copy's level over the macro period [K]; an event holds its level for its duration."""
    job, step, steps = site.jobs[name], site.clock.step_s, macro_steps(site)
    shape = _profile(site, name)
    level = np.resize(np.roll(shape, round(placement.offset_s / step)), steps)
    for event, slot in zip(job.events, placement.event_slots, strict=True):
        turns = round(site.clock.macro_s / event.interval_s)
        first_s = slot + placement.offset_s
        starts = np.round((first_s + event.interval_s * np.arange(turns)) / step).astype(int)
        held = (starts[:, None] + np.arange(round(event.duration_s / step))) % steps
        level[held] = modes.held(_one_mode(job), event.level_pu) * job.plateau_pu
    return _frozen(level)
