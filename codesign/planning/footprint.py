"""Memory that a site's models ask for, from the site alone: refused before anything is built.

symbol  meaning                                  symbol  meaning
K       steps of the macro clock                 P       placements of all locked jobs
L       lags of the window rule                  n_i     shifts of stream i between which a late start lies
C       storage cards on offer                   O       order of the rule's filter

Terms (nonzeros), counted as `storage`, `schedule` and `electrical` write them: superposition K (P + 1); a
dispatch K (17 C + 4 O), the window 4 L K; for each stream that shifts a dispatch of its own and, by lag and
sign, 3 n_i K of its envelope.  A term takes BYTES of memory from Pyomo's expression to the solver's factors
(measured on tiny sites of 16,000 to 66,000 rows: 1,250 to 1,350).  A table of the exchange is no part of it:
a large one is made piece by piece.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codesign import climate, streams, window, workload
from codesign.design import Schedule
from codesign.errors import Fault, InputError
from codesign.site import Site

BYTES = 2000
"""Of memory by term, half more than measured: branch and bound keeps cuts and nodes."""
BUDGET_BYTES = 8 * 2**30
"""What a model may take on any machine."""
SHARE = 0.8
"""Of the memory that is free, at most."""
MEMINFO, CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max")
EVERY_HOUR, MENUS = 40, 400
"""Terms of an hour and of a model whatever the menus, roughly."""
COURSES_AWAY = 4
"""Courses without one copy beside the whole schedule in a storage programme of the clocks apart."""


def refuse(site: Site) -> None:
    """Raise InputError where the site's largest model does not fit, with a key and a value that would do.

    The site's jobs have one way to run in (`codesign.modes`).
    """
    terms, allowed = most_terms(site), allowed_bytes()
    if terms * BYTES <= allowed:
        return
    need = f"a model of {terms:,} terms and about {terms * BYTES / 2**30:.3g} GiB, of {allowed / 2**30:.3g}"
    for key, now, value in _coarser(site):
        smaller = _changed(site, key, value)
        if smaller is not None and most_terms(smaller) * BYTES <= allowed:
            shown = f'"{value}"' if isinstance(value, str) else f"{value:g}"
            raise InputError([Fault(site.name, key, now, f"{shown}, which would fit: now {need}")])
    expected = f"a shorter clock, or fewer kinds of jobs or of storage cards: now {need}"
    raise InputError([Fault(site.name, "clock.macro_s", site.clock.macro_s, expected)])


def allowed_bytes() -> float:
    """Return the memory that a model may take: the budget, or what this machine has free if that is less."""
    free = [float(BUDGET_BYTES)]
    if MEMINFO.exists():
        rows = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines() if ":" in line)
        if "MemAvailable" in rows:
            free.append(SHARE * 1024.0 * float(rows["MemAvailable"].split()[0]))
    if CGROUP.exists() and (most := CGROUP.read_text().strip()).isdigit():
        free.append(SHARE * float(most))
    return min(free)


def most_terms(site: Site) -> int:
    """Return the terms of the largest model that the site's method builds."""
    if site.solver.method == "split":
        return max(_storage_terms(site, COURSES_AWAY), _day_terms(site))
    steps = workload.macro_steps(site)
    places = sum(len(workload.placements(site, name)) for name, job in site.jobs.items() if job.locked)
    free = _dispatch_terms(site, steps) + steps * (places + 3)
    copies = sum(job.count for job in site.jobs.values() if job.locked)
    given = _storage_terms(site, copies) if _is_given(site) else 0
    return max(free, given) + _day_terms(site)


def _is_given(site: Site) -> bool:
    return site.poi.one_job_absent or any(not job.locked or job.jitter_s > 0.0 for job in site.jobs.values())


def _dispatch_terms(site: Site, steps: int, own_window: bool = True) -> int:
    """Charge, discharge, energy, net power, life and loss of every card; filter; window at all lags."""
    cards = len(site.equipment.storage.cards)
    lags = 4 * window.steps(site) if own_window else 0
    return steps * (17 * cards + 4 * site.poi.filter_order + lags)


def _storage_terms(site: Site, away: int) -> int:
    """The programme for a given schedule, and for courses without one copy."""
    steps = workload.macro_steps(site)
    whole = _dispatch_terms(site, steps) + 2 * steps
    shifting = any(not job.locked or job.jitter_s > 0.0 for job in site.jobs.values())
    each = _stream_terms(site) if shifting else _dispatch_terms(site, steps)
    courses = away if site.poi.one_job_absent else 0
    return whole + each * (courses + (1 if shifting else 0))


def _stream_terms(site: Site) -> int:
    """A dispatch of every stream that has its own, its envelopes, and the rows that add them up."""
    parts, cards = streams.of(site, _any_schedule(site)), len(site.equipment.storage.cards)
    steps, lags = workload.macro_steps(site), 2 * window.steps(site)
    cases, total, across = len(streams.met(site, parts)), 0, 0
    for part in parts:
        if not part.own:
            continue
        own = len(part.power_mw)
        calm = 0 if part.calm is None else int(part.calm.sum())
        total += _dispatch_terms(site, own, own_window=False) + 6 * cards * calm
        if part.shift_steps == 0:
            across += 2
            continue
        shifts = 1 if part.shift_steps is None else len(streams.shifts(part.shift_steps))
        total += own * shifts * (2 + 3 * lags) + 3 * lags * calm
        across += 2 if calm else 1
    return total + steps * (lags * cases * across + 2)


def _any_schedule(site: Site) -> Schedule:
    """Return a schedule of the site's jobs, each at its first placement: as many streams as any."""
    rows = [
        workload.assignment(site, name, copy, workload.placements(site, name)[0])
        for name, job in site.jobs.items()
        for copy in range(job.count)
    ]
    return Schedule(rows)


def _day_terms(site: Site) -> int:
    """Rejection, air and losses of every hour that differs, over the options of the menus."""
    spec, hours = site.equipment, len(set(climate.hours(site).dry_bulb_c.tolist()))

    def options(name: str) -> int:
        found = getattr(spec, name)
        return len(found.cards) * len(found.count)

    path = math.prod(options(name) for name in ("cdu", "dry_cooler", "chiller"))
    air = options("fan_wall") * options("air_chiller")
    each = EVERY_HOUR + path + air + 30 * options("transformer")
    return hours * each + 4 * path + 4 * air + MENUS


def _coarser(site: Site) -> Iterator[tuple[str, Any, Any]]:
    """Yield (key, value now, another value) that make the models smaller, what costs least first."""
    clock = site.clock
    if site.solver.method != "split":
        yield "solver.method", site.solver.method, "split"
    for key in ("event_slot_s", "offset_slot_s", "step_s"):
        now = getattr(clock, key)
        yield from ((f"clock.{key}", now, factor * now) for factor in (2, 3, 4, 5, 6, 8, 10))
    yield from (("clock.macro_s", clock.macro_s, clock.macro_s / part) for part in (2, 3, 4, 5, 6, 8, 10, 12))
    for name, job in site.jobs.items():
        if job.jitter_s > 0.0:
            yield f"jobs.{name}.jitter_s", job.jitter_s, 0.0


def _changed(site: Site, key: str, value: Any) -> Site | None:
    """Return the site with a value changed; None where it may not have it."""
    try:
        changed = site.with_({key: value})
        most_terms(changed)
    except InputError:
        return None
    return changed
