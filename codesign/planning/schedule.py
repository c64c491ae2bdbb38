"""Offsets on both clocks: identical jobs are counted, never enumerated; superposition is exact.

    P(k) = sum_j sum_q z[j,q] w_jq(k)        z[j,q] integer, sum_q z[j,q] = N_j

q is a placement: an iteration offset and, for a job with slow events, their slots. One job is anchored at its
first placement (offsets are counted from it). Unlocked jobs enter by their mean: what a schedule cannot
place, averages out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from codesign import workload
from codesign.design import Schedule
from codesign.planning.rows import Rows
from codesign.site import Site


@dataclass(frozen=True, slots=True)
class Offsets:
    """Counts by (job, placement) and the power of all jobs, one linear expression a step [MW]."""

    count: dict[tuple[str, int], Any]
    power_mw: list[Any]


def plan(rows: Rows, site: Site, given: Schedule | None = None) -> Offsets:
    """Add the counts; a given schedule is taken as it is."""
    steps = workload.macro_steps(site)
    if given is not None:
        total = sum(
            (workload.assignment_mw(site, a) for a in given if site.jobs[a.job].locked), np.zeros(steps)
        )
        return Offsets({}, [float(p) for p in total + _unlocked_mw(site)])
    count: dict[tuple[str, int], Any] = {}
    templates: dict[tuple[str, int], np.ndarray] = {}
    anchored = anchor(site)
    for name, job in site.jobs.items():
        if not job.locked:
            continue
        places = workload.placements(site, name)
        for q, place in enumerate(places):
            count[name, q] = rows.count("placed", job.count)
            templates[name, q] = workload.template_mw(site, name, place)
        rows.exact("jobs_placed", sum(count[name, q] for q in range(len(places))) == job.count)
        if name == anchored:
            rows.exact("anchor", count[name, 0] >= 1)
    power = [rows.amount("jobs_mw") for _ in range(steps)]
    flat = _unlocked_mw(site)
    for k in range(steps):
        rows.exact(
            "superposition", power[k] == flat + sum(float(w[k]) * count[key] for key, w in templates.items())
        )
    return Offsets(count, power)


def anchor(site: Site) -> str | None:
    """Return the locked job whose one copy swings most."""
    swing = {
        name: float(np.ptp(workload.template_mw(site, name, workload.placements(site, name)[0])))
        for name, job in site.jobs.items()
        if job.locked
    }
    return max(swing, key=lambda name: swing[name]) if swing else None


def _unlocked_mw(site: Site) -> float:
    total = 0.0
    for name, job in site.jobs.items():
        if not job.locked:
            total += job.count * float(
                workload.template_mw(site, name, workload.placements(site, name)[0]).mean()
            )
    return total


def read(site: Site, offsets: Offsets, values: Any) -> Schedule:
    """Return the schedule of a solution, copies in order of placement; unlocked jobs stand anywhere."""
    assignments = []
    for name, job in site.jobs.items():
        places = workload.placements(site, name)
        if job.locked:
            counts = [round(values[offsets.count[name, q]]) for q in range(len(places))]
            copies = [place for place, n in zip(places, counts, strict=True) for _ in range(n)]
        else:
            copies = list(workload.unlocked_places(site, name))
        assignments += [workload.assignment(site, name, copy, place) for copy, place in enumerate(copies)]
    return Schedule(assignments)
