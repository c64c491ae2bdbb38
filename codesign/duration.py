"""How long a scenario runs: as its site says, and until its event and the recovery it names are over."""

from __future__ import annotations

import math

from codesign import catalogue, workload
from codesign.site import Site
from codesign.workload import Schedule


def over_s(site: Site, schedule: Schedule, scenario: str) -> float:
    """Return when a scenario's event and the recovery that it names are over [s]; 0 where it has none.

    A tripped chiller has loaded again, the standby pump of the slowest CDU on offer is up, and of a job that
    came back the window rule has seen the last.
    """
    asked = getattr(site.scenarios, scenario)
    match scenario:
        case "chiller_trip":
            return float(asked.at_s + asked.off_s + asked.reload_s)
        case "cdu_pump_trip":
            found = [catalogue.build(site, "cdu", name) for name in site.equipment.cdu.cards]
            return float(asked.at_s + max(each.standby_delay_s + each.standby_ramp_s for each in found))
        case "job_abort_restart":
            return float(workload.abort(site, schedule)[1] + asked.off_s + site.poi.window_s)
    return 0.0


def run_s(site: Site, schedule: Schedule, scenario: str) -> float:
    """Return how long a scenario is run [s]."""
    return max(float(getattr(site.scenarios, scenario).duration_s), over_s(site, schedule, scenario))


def steps(site: Site, schedule: Schedule, scenario: str, step_s: float) -> int:
    """Return the steps of a run: whole ones, at least one."""
    return max(1, math.ceil(run_s(site, schedule, scenario) / step_s - 1e-9))
