"""What shifts against what: the jobs of a schedule as streams, and their sum at its worst.

Streams that cannot shift against each other (locked jobs without jitter) are one stream and share one
dispatch: exact. A job with jitter, or an unlocked one, is a stream of its own, with a dispatch that follows
the job's own phase: causal, a restriction of what a controller could do, so it is safe in a plan and belongs
in no bound. Its rows take the envelope of their own quantity: of the level, or of the lagged difference, one
per lag.

A start is up to jitter_s late, never early (`codesign.locking`). A shift by part of a step is averaged over
each step, as every shape is that the clock carries; so the course is linear between whole shifts, and an
envelope needs these and the last. Where the streams are too many for dispatches of their own (OWN_STEPS), one
with a jitter below a step has none: the common one keeps to the clock, and what the shift changes is added.

Unlocked copies of a job are one stream with one dispatch, each at a phase of its own. Their iterations are
held at every alignment. Planned events are short: a stream is *calm* but for the time from a window before an
event until the filter has forgotten it; calm copies take their calm part of power, stored energy and window.
Phases wander independently, so that copies k_j of the jobs j are in an event together

    S / d * prod_j C(n_j, k_j) f_j^k_j        times a year,

f_j the share of time in an event, S / d the year over their shortest event's part in an overlap. What is
expected at least once a year is held (`met`), unless the site asks for every alignment.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from codesign import window, workload
from codesign.site import Site

S_PER_YEAR = 8760.0 * 3600.0
FORGOTTEN = 1e-10
"""Share of a step that the filter still holds when it has forgotten it."""
MOST_CASES = 5000
"""Numbers of copies in an event together that are looked at; beyond, all of them are taken together."""
OWN_STEPS = 3000
"""Steps of all streams that shift, up to which each has a dispatch of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Power that moves as one, by how many steps it may be late (None: any), and whether storage follows it.

    Its waveform is that of the macro period; of its own shorter period where it may shift at will. `copies`
    share waveform and dispatch, each later by some steps; `calm` says where no event is near.
    """

    name: str  # "locked", or JOB_COPY of the first copy
    power_mw: np.ndarray
    shift_steps: float | None
    own: bool = True
    copies: tuple[tuple[str, int], ...]  # name, steps later than the waveform
    calm: np.ndarray | None = None

    @property
    def count(self) -> int:
        """Copies."""
        return len(self.copies)


def of(site: Site, schedule: workload.Schedule) -> tuple[Stream, ...]:
    """Return the schedule's streams: all steady jobs as one, unlocked copies of a job, every other copy."""
    step, steps = site.clock.step_s, workload.macro_steps(site)
    together = np.zeros(steps)
    alone, free = [], dict[str, list[tuple[str, int]]]()
    late = sum(steps for a in schedule if site.jobs[a.job].locked and site.jobs[a.job].jitter_s > 0.0)
    for a in schedule:
        job = site.jobs[a.job]
        power = workload.assignment_mw(site, a)
        name = f"{a.job}_{a.copy}"
        if not job.locked:
            free.setdefault(a.job, []).append((name, round(_later_s(site, a) / step)))
        elif job.jitter_s == 0.0:
            together = together + power
        else:
            shift = job.jitter_s / step
            own = shift >= 1.0 or late <= OWN_STEPS
            alone.append(Stream(name=name, power_mw=power, shift_steps=shift, own=own, copies=((name, 0),)))
    return (
        Stream(name="locked", power_mw=together, shift_steps=0, copies=(("locked", 0),)),
        *alone,
        *(_unlocked(site, job, tuple(copies)) for job, copies in free.items()),
    )


def _unlocked(site: Site, name: str, copies: tuple[tuple[str, int], ...]) -> Stream:
    job, step = site.jobs[name], site.clock.step_s
    power = workload.template_mw(site, name, workload.placements(site, name)[0])
    if not job.events:
        power = power[: round(job.period_s / step)]
        return Stream(name=copies[0][0], power_mw=power, shift_steps=None, copies=copies)
    calm = np.ones(len(power), bool)
    memory = math.ceil(math.log(FORGOTTEN) / math.log(window.high_pass_coefficient(site)))
    for event in job.events:
        for turn in range(round(site.clock.macro_s / event.interval_s)):
            start = round(turn * event.interval_s / step)
            last = start + round(event.duration_s / step) + site.poi.filter_order * memory
            calm[np.arange(start - window.steps(site) - 1, last + 1) % len(power)] = False
    lags = range(1, window.steps(site) + 1)
    if not all((calm & np.roll(calm, -lag)).any() for lag in lags):
        return Stream(name=copies[0][0], power_mw=power, shift_steps=None, copies=copies)
    return Stream(name=copies[0][0], power_mw=power, shift_steps=None, copies=copies, calm=calm)


def _later_s(site: Site, row: workload.Assignment) -> float:
    """Return how much later than at its job's first placement a copy runs; its events keep their distance."""
    return dict(row.events)[site.jobs[row.job].events[0].kind] if row.events else row.offset_s


def met(site: Site, parts: Sequence[Stream]) -> tuple[tuple[int, ...], ...]:
    """Return how many copies of each stream are in an event together: the largest cases to be held."""
    whole = tuple(part.count for part in parts)
    shares = {i: 1.0 - float(part.calm.mean()) for i, part in enumerate(parts) if part.calm is not None}
    free = list(shares)
    if site.poi.unlocked_alignment == "any" or math.prod(whole[i] + 1 for i in free) > MOST_CASES:
        return (whole,)
    year_s = S_PER_YEAR
    found: list[tuple[int, ...]] = []
    for counts in itertools.product(*(range(whole[i], -1, -1) for i in free)):
        chance = math.prod(math.comb(whole[i], n) * shares[i] ** n for i, n in zip(free, counts, strict=True))
        there = [i for i, n in zip(free, counts, strict=True) if n]
        length_s = min((shares[i] * len(parts[i].power_mw) for i in there), default=1.0) * site.clock.step_s
        if not there or chance * year_s * sum(counts) / length_s >= 1.0:
            found.append(counts)
    largest = [
        counts
        for counts in found
        if not any(
            other != counts and all(a >= b for a, b in zip(other, counts, strict=True)) for other in found
        )
    ]
    made = []
    for counts in largest:
        case = list(whole)
        for i, n in zip(free, counts, strict=True):
            case[i] = n
        made.append(tuple(case))
    return tuple(made)


def calm_pairs(part: Stream, lag: int) -> np.ndarray:
    """Return at which steps a stream is calm, and calm again a lag later."""
    if part.calm is None:
        return np.zeros(len(part.power_mw), bool)
    return np.asarray(part.calm & np.roll(part.calm, -lag))


def _calm_change_mw(part: Stream, filtered_mw: np.ndarray, lag: int, sign: float) -> float:
    """Return the greatest lagged difference of a stream between two steps at which it is calm."""
    if part.calm is None:
        return 0.0
    return float((sign * (np.roll(filtered_mw, -lag) - filtered_mw))[calm_pairs(part, lag)].max())


def recorded(parts: Sequence[Stream], dispatch: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Return what the recorded storage adds to one copy of every stream, charge less discharge [MW]."""
    if not any(f"charge_mw.{name}" in dispatch for part in parts for name, _ in part.copies):
        whole = dispatch["charge_mw"] - dispatch["discharge_mw"]
        return [whole if i == 0 else np.zeros(len(part.power_mw)) for i, part in enumerate(parts)]
    found = []
    for part in parts:
        (name, later), steps = part.copies[0], len(part.power_mw)
        own = np.zeros(steps)
        if f"charge_mw.{name}" in dispatch:
            own = np.roll(dispatch[f"charge_mw.{name}"] - dispatch[f"discharge_mw.{name}"], -later)[:steps]
        found.append(own)
    return found


def together(parts: Sequence[Stream], courses: Sequence[np.ndarray], steps: int) -> np.ndarray:
    """Return the sum over the macro period of a course of every stream, each copy where it is planned."""
    return np.sum(
        [
            np.roll(np.resize(course, steps), later)
            for part, course in zip(parts, courses, strict=True)
            for _, later in part.copies
        ],
        axis=0,
    )


def widest_window(
    site: Site, parts: tuple[Stream, ...], nets: list[np.ndarray], lags: Sequence[int] | None = None
) -> tuple[float, float]:
    """Return the largest change of the high-passed sum within the rule's window, and when [MW, s].

    Every stream is at its worst shift, with the events that are met together.
    """
    filtered = [window.high_pass_periodic(net, site) for net in nets]
    cases = met(site, parts)
    widest, at = 0.0, 0.0
    for lag in range(1, window.steps(site) + 1) if lags is None else lags:
        for sign in (1.0, -1.0):
            worst = [
                at_worst(sign * (np.roll(y, -lag) - y), part) for y, part in zip(filtered, parts, strict=True)
            ]
            calm = [_calm_change_mw(part, y, lag, sign) for y, part in zip(filtered, parts, strict=True)]
            for case in cases:
                change = sum(
                    (
                        n * each + (part.count - n) * rest
                        for part, n, each, rest in zip(parts, case, worst, calm, strict=True)
                    ),
                    np.zeros(len(nets[0])),
                )
                if change.max() > widest:
                    widest, at = float(change.max()), float(change.argmax() * site.clock.step_s)
    return widest, at


def highest(parts: tuple[Stream, ...], nets: list[np.ndarray]) -> float:
    """Return the highest power of the sum, every stream at its worst shift [MW]."""
    return float(
        sum(
            (part.count * at_worst(net, part) for net, part in zip(nets, parts, strict=True)),
            np.zeros(len(nets[0])),
        ).max()
    )


def at_worst(values: np.ndarray, part: Stream) -> np.ndarray:
    """Return the greatest value at every step over all shifts of a stream."""
    if part.shift_steps is None:
        return values.max(keepdims=True)
    return np.max([moved(values, shift) for shift in shifts(part.shift_steps)], axis=0)


def shifts(late_steps: float) -> tuple[float, ...]:
    """Return the shifts between which a late start's course is linear: 0, 1, 2, ..., late_steps [steps]."""
    return tuple(dict.fromkeys((*map(float, range(math.floor(late_steps + 1e-9) + 1)), float(late_steps))))


def moved(values: np.ndarray, shift: float) -> np.ndarray:
    """Return a periodic course some steps later (last axis), averaged over each step as shapes are."""
    whole = math.floor(shift + 1e-9)
    part = shift - whole
    now = np.roll(values, whole, axis=-1)
    return now if part <= 1e-9 else (1.0 - part) * now + part * np.roll(values, whole + 1, axis=-1)
