"""How jobs run: operating modes, locks, and the site once both are decided for every copy.

mode        level of the racks, per unit of the job's plateau             what it costs
baseline    as the profile has it                                         nothing
floor_X     never below X: the racks burn power in the valleys            energy
cap_X       never above X                                                 throughput

A profile is the mean over many iterations, and the mean hides the valleys' depth: what a floor fills and a
cap cuts is taken over the measured quantiles of each phase (`shaped`).  A capped job does less work an
iteration and keeps its period: throughput from `throughput_pu`, by default the published curve of CAP.

A lock gives up slack_pu of the mean step and starts jitter_s late at most (`codesign.locking`).  A job with
`locks` may take any of them, or none and run unlocked; else `locked`, `slack_pu` and `jitter_s` are its one
way.

    ways(job)                   every (mode, lock) that a job may run in
    lightest(site)              the mix in which every copy draws least
    running(site, mix)          the site with every copy's way decided: one job a (job, way)
    as_run(site, schedule)      that site, and the schedule in its names
    as_asked(site, schedule)    back

Source of CAP: fixed work (bf16 matrix products) on one B300 at power limits of 900, 700, 550 and 450 W
against a plateau of 1055 W, gpu-power-lab, results b300-consolidated (one card, 2-4 s windows; for training
grade E). No cap sweep of training on Hopper or Blackwell is public. Older cards trained to a fixed epoch
(zeus, V100 and A40) keep no less than the curve, within 1 %, down to 0.62 of their plateau: 0.94 against 0.89
at 0.79, 0.73 against 0.73 at 0.63; deeper caps cost an A40 more, 0.39 against 0.63 at 0.53. A job states its
own figures in throughput_pu.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from codesign.fields import FrozenDict
from codesign.schema import mode_level

if TYPE_CHECKING:
    from codesign.design import Plan, Schedule
    from codesign.site import Site

Array = NDArray[np.float64]

CAP = ((0.427, 0.496), (0.521, 0.613), (0.664, 0.770), (0.853, 0.947), (1.0, 1.0))
"""Throughput against the cap, both per unit of the plateau's."""
HOURS_PER_YEAR = 8760.0
SPLIT = "~"
"""Between a job's name and the number of the way, in a running site; no name of a file has it."""
SAMPLES = (np.arange(400) + 0.5) / 400
AT = {"p05": 0.05, "p25": 0.25, "p50": 0.50, "p75": 0.75, "p95": 0.95}


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """A mode and a lock; without a lock slack and jitter are 0."""

    mode: str
    locked: bool = True
    slack_pu: float = 0.0
    jitter_s: float = 0.0


Mix = tuple[tuple[str, tuple[tuple[Way, int], ...]], ...]
"""By job: how many copies run in which way."""


def ways(job: Any) -> tuple[Way, ...]:
    """Return every way that a job may run in: modes in their order, locks by slack, unlocked last."""
    if job.locks:
        locks = [(True, lock.slack_pu, lock.jitter_s) for lock in job.locks] + [(False, 0.0, 0.0)]
    else:
        locks = [(True, job.slack_pu, job.jitter_s) if job.locked else (False, 0.0, 0.0)]
    return tuple(Way(mode, *lock) for mode in job.modes for lock in locks)


def decided(site: Site) -> bool:
    """Whether every job has one way to run in."""
    return all(len(ways(job)) == 1 for job in site.jobs.values())


def throughput_pu(job: Any, way: Way) -> float:
    """Return the work done a year over that of the baseline without a lock."""
    kind, level = mode_level(way.mode)
    at = np.array(CAP)
    done = float(np.interp(level, at[:, 0], at[:, 1])) if kind == "cap" else 1.0
    return float(job.throughput_pu.get(way.mode, done)) / (1.0 + way.slack_pu)


def lost_work_usd_per_year(site: Site, name: str, way: Way) -> float:
    """Return the value of the work that one copy of a job does not do in this way."""
    from codesign import catalogue

    job = site.jobs[name]
    rack = catalogue.build(site, "rack", site.pods[job.pod or next(iter(site.pods))].rack)
    gpu_h = HOURS_PER_YEAR * job.racks * rack.gpus
    return float(gpu_h * job.lost_work_usd_per_gpu_h * (1.0 - throughput_pu(job, way)))


def said(row: Any) -> str:
    """Return how a job copy runs, in words."""
    if not row.locked:
        return f"{row.mode}, not locked"
    if not (row.slack_pu or row.jitter_s):
        return str(row.mode)
    return f"{row.mode}, gate of {row.slack_pu:.2%} slack, {row.jitter_s:g} s late at most"


# shapes


def shaped(mode: str, level: Array, quantiles: Mapping[str, Array], plateau: float) -> Array:
    """Return a level, its quantiles by name if there are some, after a mode [unit of level].

    Between the quantiles the level is taken as linear in its rank, beyond them as constant.
    """
    kind, limit = mode_level(mode)
    if kind == "baseline":
        return level
    limit *= plateau
    if quantiles:
        rank = [AT[name] for name in quantiles]
        values = np.array([quantiles[name] for name in quantiles])
        level_at = np.array([np.interp(SAMPLES, rank, column) for column in values.T])
    else:
        level_at = level[:, None]
    if kind == "floor":
        return np.maximum(level + np.maximum(limit - level_at, 0.0).mean(axis=1), limit)
    return np.minimum(level - np.maximum(level_at - limit, 0.0).mean(axis=1), limit)


def held(mode: str, level: float) -> float:
    """Return a constant level after a mode, per unit of the plateau."""
    kind, limit = mode_level(mode)
    return {"baseline": level, "floor": max(level, limit), "cap": min(level, limit)}[kind]


# mixes


def mixes(site: Site) -> Iterator[Mix]:
    """Yield every way to distribute the copies of every job over its ways."""
    options = [
        [(name, each) for each in _distributions(ways(job), job.count)] for name, job in site.jobs.items()
    ]
    yield from itertools.product(*options)


def uniform(site: Site, way_of: Mapping[str, Way]) -> Mix:
    """Return the mix in which all copies of a job run in the same way."""
    return tuple((name, ((way_of[name], job.count),)) for name, job in site.jobs.items())


def mix_of(site: Site, schedule: Schedule) -> Mix:
    """Return the mix of a schedule in the site's own names."""
    number: dict[str, dict[Way, int]] = {name: {} for name in site.jobs}
    for row in schedule:
        way = way_of(row)
        number[row.job][way] = number[row.job].get(way, 0) + 1
    return tuple((name, tuple(sorted(each.items()))) for name, each in number.items())


def way_of(row: Any) -> Way:
    """Return the way in which a job copy runs."""
    return Way(row.mode, row.locked, row.slack_pu, row.jitter_s)


@lru_cache(maxsize=256)
def running(site: Site, mix: Mix) -> Site:
    """Return the site with this mix: a job in several ways is several jobs, NAME~1, NAME~2, ..."""
    jobs: dict[str, Any] = {}
    for name, found in mix:
        job = site.jobs[name]
        for index, (way, count) in enumerate(found):
            own = name if len(found) == 1 else f"{name}{SPLIT}{index + 1}"
            same = job.count == count and ways(job) == (way,)
            jobs[own] = job if same else job.model_copy(update={
                "count": count, "modes": (way.mode,), "locks": (), "locked": way.locked,
                "slack_pu": way.slack_pu, "jitter_s": way.jitter_s,
            })  # fmt: skip
    if jobs == dict(site.jobs):
        return site
    changed = {**dict(site), "jobs": FrozenDict(jobs)}
    abort = site.scenarios.job_abort_restart
    if abort.job is not None and abort.job not in jobs:
        stopped = next(name for name in jobs if asked_name(name) == abort.job)
        abort = abort.model_copy(update={"job": stopped})
        changed["scenarios"] = site.scenarios.model_copy(update={"job_abort_restart": abort})
    return type(site).model_construct(**changed)


@lru_cache(maxsize=256)
def as_run(site: Site, schedule: Schedule) -> tuple[Site, Schedule]:
    """Return the site as the schedule runs it, and the schedule in its names."""
    if decided(site):
        return site, schedule
    mix = dict(mix_of(site, schedule))
    number: dict[tuple[str, Way], int] = {}
    rows = []
    for row in schedule:
        found, way = [each for each, _ in mix[row.job]], way_of(row)
        if len(found) > 1:
            copy = number[row.job, way] = number.get((row.job, way), -1) + 1
            row = replace(row, job=f"{row.job}{SPLIT}{found.index(way) + 1}", copy=copy)
        rows.append(row)
    return running(site, tuple(mix.items())), type(schedule)(rows)


def plan_as_run(site: Site, plan: Plan) -> tuple[Site, Plan]:
    """Return the site as a plan's schedule runs it, and the plan in its names."""
    site, schedule = as_run(site, plan.schedule)
    return site, replace(plan, schedule=schedule)


def as_asked(site: Site, schedule: Schedule) -> Schedule:
    """Return a running site's schedule in the names of the site it was made from, copies counted anew."""
    if decided(site):
        return schedule
    number: dict[str, int] = dict.fromkeys(site.jobs, -1)
    rows = []
    for row in schedule:
        name = asked_name(row.job)
        number[name] += 1
        rows.append(replace(row, job=name, copy=number[name]))
    return type(schedule)(rows)


def asked_name(name: str) -> str:
    """Return a job's name in the site file from its name in a running site."""
    return name.partition(SPLIT)[0]


def _distributions(options: tuple[Way, ...], copies: int) -> Iterator[tuple[tuple[Way, int], ...]]:
    """Yield every way to share copies out, the options used only."""
    if len(options) == 1:
        yield ((options[0], copies),) if copies else ()
        return
    for first in range(copies, -1, -1):
        rest = _distributions(options[1:], copies - first)
        yield from (((options[0], first), *each) if first else each for each in rest)
