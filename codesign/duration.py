"""Which scenarios a site has, and how long each runs: until its event and the recovery it names are over.

A job that stops does so at the worst moment of its class, unless the site states a second: the slot of the
macro clock at which the best recovery from the planned dispatch leaves the least room. Such a run begins
LEAD_S to twice that before the stop, with the stored energy that the plan has there; the copy comes back,
unannounced, after AWAY_S at the latest. `job_abort_restart` is the largest job or the one that the site
names, `job_stop.JOB` each other one.
"""

from __future__ import annotations

import math
from typing import Any

from codesign import catalogue, modes, window, workload
from codesign.site import Site
from codesign.workload import Schedule

ABORT, STOPS = "job_abort_restart", "job_stop."
LEAD_S, AWAY_S = 10.0, 15.0
SCENARIOS = ("nominal_hot", "chiller_trip", "cdu_pump_trip", ABORT)


def names(site: Site) -> tuple[str, ...]:
    """Return the scenarios that the site asks for and can have: those of the table, then the other stops."""
    asked = [name for name in SCENARIOS if getattr(site.scenarios, name, None) is not None]
    kept = tuple(name for name in asked if name != "chiller_trip" or site.equipment.chiller.on_offer)
    return kept + (tuple(f"{STOPS}{job}" for job in _others(site)) if ABORT in kept else ())


def _others(site: Site) -> list[str]:
    """Return the jobs whose worst stop is a run of its own."""
    if not window.applies(site):
        return []
    jobs = dict.fromkeys(modes.asked_name(name) for name in site.jobs)
    return [job for job in jobs if not at_worst(site, ABORT) or job != stopped(site, ABORT)]


def asked(site: Site, scenario: str) -> Any:
    """Return what the site says of a scenario."""
    return getattr(site.scenarios, ABORT if scenario.startswith(STOPS) else scenario)


def at_worst(site: Site, scenario: str) -> bool:
    """Whether a scenario is a stop at the worst moment of its class."""
    return scenario.startswith(STOPS) or (
        scenario == ABORT and asked(site, ABORT).at_s is None and window.applies(site)
    )


def stopped(site: Site, scenario: str) -> str:
    """Return the job, as the site names it, of which a copy stops."""
    if scenario.startswith(STOPS):
        return scenario.removeprefix(STOPS)
    named = asked(site, ABORT).job or max(site.jobs, key=lambda name: site.jobs[name].racks)
    return modes.asked_name(named)


def away_s(site: Site, scenario: str) -> float:
    """Return how long a copy that stopped is away [s]."""
    off_s = float(asked(site, scenario).off_s)
    return min(off_s, AWAY_S) if at_worst(site, scenario) else off_s


def over_s(site: Site, schedule: Schedule, scenario: str) -> float:
    """Return when a scenario's event and the recovery that it names are over [s]; 0 where it has none.

    A tripped chiller has loaded again, the standby pump of the slowest CDU on offer is up, and of a job that
    came back the window rule has seen the last.
    """
    said = asked(site, scenario)
    if at_worst(site, scenario):
        return 2 * LEAD_S + away_s(site, scenario) + float(site.poi.window_s)
    match scenario:
        case "chiller_trip":
            return float(said.at_s + said.off_s + said.reload_s)
        case "cdu_pump_trip":
            found = [catalogue.build(site, "cdu", name) for name in site.equipment.cdu.cards]
            return float(said.at_s + max(each.standby_delay_s + each.standby_ramp_s for each in found))
        case "job_abort_restart":
            return float(workload.abort(site, schedule)[1] + said.off_s + site.poi.window_s)
    return 0.0


def run_s(site: Site, schedule: Schedule, scenario: str) -> float:
    """Return how long a scenario is run [s]."""
    over = over_s(site, schedule, scenario)
    return over if at_worst(site, scenario) else max(float(asked(site, scenario).duration_s), over)


def steps(site: Site, schedule: Schedule, scenario: str, step_s: float) -> int:
    """Return the steps of a run: whole ones, at least one."""
    return max(1, math.ceil(run_s(site, schedule, scenario) / step_s - 1e-9))
