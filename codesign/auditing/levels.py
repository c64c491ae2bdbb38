"""Waveforms from the schedule, step by step.

A job's level is its profile's period, shifted by its offset. An event starts at an iteration boundary, holds
its level for its duration, and returns once every interval.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign import catalogue, workload
from codesign.site import Site
from codesign.workload import Assignment

Wave = NDArray[np.float64]


def level_pu(site: Site, row: Assignment) -> Wave:
    """Return a job copy's level over the macro period, one value a step."""
    job, step = site.jobs[row.job], site.clock.step_s
    shape = workload.profile(job, site)
    period, offset = len(shape), round(row.offset_s / step)
    steps = round(site.clock.macro_s / step)
    level = np.array([shape[(k - offset) % period] for k in range(steps)])
    starts = dict(row.events)
    for event in job.events:
        length = round(event.duration_s / step)
        for turn in range(round(site.clock.macro_s / event.interval_s)):
            begin = round((starts[event.kind] + turn * event.interval_s) / step)
            for k in range(begin, begin + length):
                level[k % steps] = _held(row.mode, event.level_pu) * job.plateau_pu
    return level


def _held(mode: str, level: float) -> float:
    """Return an event's level per unit of the plateau: a floor fills it, a cap cuts it."""
    kind, _, limit = mode.partition("_")
    if kind == "floor":
        return max(level, float(limit))
    return min(level, float(limit)) if kind == "cap" else level


def power_mw(site: Site, row: Assignment) -> Wave:
    """Return the dynamic power of a job copy's racks over the macro period."""
    rack = catalogue.build(site, "rack", site.pods[row.pod].rack)
    return site.jobs[row.job].racks * rack.nominal_kw / 1e3 * level_pu(site, row)
