"""Where a job's stop is worst, and where its run begins."""

from __future__ import annotations

import numpy as np

from codesign import catalogue, modes, workload
from codesign.design import Plan, Stop
from codesign.duration import LEAD_S
from codesign.site import Site
from codesign.stops import course, worst

DIGITS = 6
"""Decimals of a MW to which values are alike; of alike moments the first is taken."""


def worst_stop(site: Site, plan: Plan, job: str) -> Stop:
    """Return the copy of a job, and the slot, whose best recovery leaves the least room.

    The run begins where the planned power behind the rule's high-pass is nearest to rest, which is how a run
    begins, LEAD_S to twice that before the stop.
    """
    power, energy = plan.sizes["storage_power"], plan.sizes["storage_energy"]
    part = catalogue.build(site, "storage", power.card) if power.card else None
    least_mwh = part.soc_min_pu * energy.value if part else 0.0
    own = course.store(part, power.value, energy.value)
    planned = course.course(site, course.load_mw(site, plan.schedule), plan.dispatch, least_mwh)
    falls = [fall for fall in course.falls(site, plan.schedule) if modes.asked_name(fall.job) == job]
    found = worst.worst(site, planned, falls, own)
    at = min(found, key=lambda each: (round(each.spare_mw, DIGITS), each.fall.job, each.fall.copy))
    step_s, steps = site.clock.step_s, len(planned.load_mw)
    leads = np.arange(int(np.ceil(LEAD_S / step_s)), int(2 * LEAD_S / step_s) + 1)
    off_rest = np.abs(planned.filtered_mw[:, (at.slot - leads) % steps]).sum(axis=0)
    lead = int(leads[int(np.argmin(np.round(off_rest, DIGITS)))])
    begins = (at.slot - lead) % steps
    return Stop(
        job=at.fall.job, copy=at.fall.copy, at_s=at.slot * step_s, begins_s=begins * step_s,
        lead_s=lead * step_s,
    )  # fmt: skip


def group_of(plan: Plan, stop: Stop) -> tuple[workload.Assignment, int]:
    """Return the copies in step of which one stops: the first of them, how many."""
    (row,) = [row for row in plan.schedule if (row.job, row.copy) == (stop.job, stop.copy)]
    key = (row.job, row.copy == 0, row.mode, row.offset_s, row.events, row.pod)
    for first, number in workload.alike(plan.schedule):
        if (first.job, first.copy == 0, first.mode, first.offset_s, first.events, first.pod) == key:
            return first, number
    raise ValueError(f"{stop.job} {stop.copy}: not in the schedule")
