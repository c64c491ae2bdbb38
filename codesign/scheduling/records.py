"""One record a job copy: where it is, when its gate opens, when its events start."""

from __future__ import annotations

from dataclasses import dataclass, fields

from codesign import packing
from codesign.design import Design, Plan
from codesign.errors import Fault, InputError, nearest, written
from codesign.site import Site

TIMES = ("first_s", "interval_s", "duration_s")


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A slow event: its first start on the common clock, then every interval."""

    kind: str
    first_s: float
    interval_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Record:
    """One job copy. gate_tick_s is the first iteration boundary, offset_s modulo period_s; events by kind.

    pod is where it stands: its group's name, with the pod's number where the group has several, a.1; a copy
    larger than a pod a.1+a.2.
    """

    job: str
    copy: int
    pod: str
    mode: str
    period_s: float
    offset_s: float
    gate_tick_s: float
    locked: bool
    slack_pu: float
    jitter_s: float
    events: tuple[EventRecord, ...]


Records = tuple[Record, ...]

KEYS = tuple(each.name for each in fields(Record))
PLAIN = KEYS[:-1]
"""What every row of a CSV has."""


def to_records(made: Design | Site, plan: Plan | None = None) -> Records:
    """Return the schedule of a design, or of a plan for a site, in the plan's order.

    InputError where there is no schedule, or one of other jobs, copies or pods than the site's.
    """
    site, plan = (made.site, made.plan) if isinstance(made, Design) else (made, plan)
    if plan is None or not plan.schedule:
        raise InputError([Fault(site.name, "schedule", "none", "a plan with a schedule")])
    stands, records, faults = packing.places(site), [], list[Fault]()
    for assigned in plan.schedule:
        job, place = site.jobs.get(assigned.job), f"schedule.{assigned.job}.{assigned.copy}"
        if job is None:
            expected = f"a job of the site: {', '.join(site.jobs)}"
            near = nearest(assigned.job, site.jobs)
            faults.append(Fault(site.name, place, written(assigned.job), expected, near))
            continue
        stand = stands.get((assigned.job, assigned.copy))
        if stand is None:
            faults.append(Fault(site.name, place, assigned.copy, f"a copy from 0 to {job.count - 1}"))
            continue
        if stand.group != assigned.pod:
            expected = f"the job's group of pods, {stand.group}"
            faults.append(Fault(site.name, f"{place}.pod", written(assigned.pod), expected))
            continue
        kinds, starts = {event.kind: event for event in job.events}, dict(assigned.events)
        if kinds.keys() != starts.keys():
            expected = f"the job's events: {', '.join(kinds) or 'none'}"
            faults.append(Fault(site.name, f"{place}.events", ", ".join(starts) or "none", expected))
            continue
        records.append(
            Record(
                job=assigned.job, copy=assigned.copy, pod=packing.label(site, stand), mode=assigned.mode,
                period_s=assigned.period_s, offset_s=assigned.offset_s,
                gate_tick_s=assigned.offset_s % assigned.period_s, locked=assigned.locked,
                slack_pu=assigned.slack_pu, jitter_s=assigned.jitter_s,
                events=tuple(
                    EventRecord(kind, starts[kind], kinds[kind].interval_s, kinds[kind].duration_s)
                    for kind in sorted(kinds)
                ),
            )
        )  # fmt: skip
    if faults:
        raise InputError(faults)
    return tuple(records)
