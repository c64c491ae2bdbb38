"""Why a site has no plan, in the site's own words; and the sizes that a user may hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from codesign import modes, workload
from codesign.design import Margin, Setting
from codesign.errors import Fault, InputError, StoppedError, nearest, written
from codesign.planning import conflict, mixing
from codesign.planning.joint import ORDER
from codesign.site import Site
from codesign.sizing import COUNTED

LIMITS = {
    "contract_max": "poi.contract_max_mw is below the least metered peak",
    "interconnection": "poi.interconnection_limit_mw is below the least instantaneous peak",
    "poi_window": "the POI window rule cannot be kept with the storage and offsets on offer",
    "also_window": "the storage on offer cannot keep the window rule with one job copy away",
    "hot_spot": "no transformer on offer carries the load with one unit out",
    "cdu_flow": "no CDU flow on offer feeds the racks with one CDU out",
    "cdu_duty": "no number of CDUs on offer holds the TCS supply with one CDU out",
    "cdu_capacity": "no number of CDUs on offer carries the heat within their rating with one CDU out",
    "cdu_tcs_range": "the racks' flow is beyond the range of every CDU on offer, also with one out",
    "cdu_fws_range": "the facility water of a CDU is beyond the range of every one on offer",
    "cdu_tcs_range_least": "the racks' flow is less than the range of every CDU on offer asks for",
    "cdu_fws_range_least": "the facility water is less than the range of every CDU on offer asks for",
    "dry_cooler_water_range_least": "the facility water is less than the range of every dry cooler asks for",
    "fws_pump_range": "the facility water is beyond the range of the FWS pump on offer",
    "chiller_range": "in an hour in which chillers are needed the air is beyond the range of every one",
    "dry_cooler_range": "in an hour in which dry coolers are needed the air is beyond the range of every one",
    "dry_cooler_water_range": "the water of a dry cooler is beyond the range of every one on offer",
    "air_chiller_range": "in some hour the air is beyond the range of every air chiller on offer",
    "transformer_range": "in some hour the air is beyond the range of every transformer on offer",
    "fws_flow": "no FWS pump on offer carries the flow with one CDU out",
    "heat_rejection": "the dry coolers and chillers on offer cannot reject the heat with one unit out",
    "loop_volume": "no buffer on offer gives the chillers their loop volume",
    "buffer_range": "the buffer that the limits ask for is beyond the range of the one on offer",
    "cold_aisle": "the fan walls on offer cannot hold the cold aisle with one unit out",
    "air_chiller_capacity": "the air chillers on offer cannot carry the air share with one unit out",
    "job_stop": "no storage on offer takes in the stop of a job at any moment within the window rule",
    "job_stops": "no storage on offer takes in the stop of a job at any moment within the window rule",
    "storage_rate": "no storage energy on offer carries its power",
    "storage_life": "the storage on offer wears out before its calendar life",
}
OUT = re.compile(r" with one [\w]+ out$")
GROUPS = {
    "hot_spot": ("transformer",), "cdu_flow": ("cdu",), "cdu_duty": ("cdu",), "fws_flow": ("cdu",),
    "heat_rejection": ("dry_cooler", "chiller"), "cold_aisle": ("fan_wall",),
    "air_chiller_capacity": ("air_chiller",),
}  # fmt: skip
"""Equipment of a limit of which a unit may be out."""
UNTOLD = "no design keeps every limit, which is proven; stopped before the limits that conflict were found"


def in_words(site: Site, limit: str) -> str:
    """Return what a limit that cannot be kept means; a unit is out only where one may be."""
    groups = GROUPS.get(limit, ())
    may = any(getattr(site.equipment, each).redundancy == "n+1" for each in groups)
    words = LIMITS.get(limit, "no option on offer lies within the range of its card")
    return words if may or not groups else OUT.sub("", words)


def checked_sizes(site: Site, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Return sizes to hold by dotted name, validated."""
    faults = []
    for path, value in sizes.items():
        name, _, key = path.removeprefix("sizes.").partition(".")
        keys = ("count", "card") if name in COUNTED else ("value", "card")
        if name not in ORDER:
            faults.append(
                Fault("", f"sizes.{name}", written(value), f"one of {', '.join(ORDER)}", nearest(name, ORDER))
            )
        elif key not in keys:
            expected = f"one of {', '.join(keys)}"
            faults.append(Fault("", f"sizes.{path}", written(value), expected, nearest(key, keys)))
        elif key == "count" and not (isinstance(value, int) and 0 <= value <= 1_000_000):
            faults.append(Fault("", f"sizes.{path}", written(value), "a whole number >= 0", None))
        elif key == "value" and not (isinstance(value, int | float) and 0.0 <= value < 1e9):
            faults.append(Fault("", f"sizes.{path}", written(value), "a number >= 0", None))
    if faults:
        raise InputError(faults)
    return {path.removeprefix("sizes."): value for path, value in sizes.items()}


def reason(
    site: Site,
    fixed: dict[str, Any],
    faults: list[Margin],
    solved: list[Setting],
) -> str:
    """Return the limits that cannot be kept together, and what each would have to be."""
    said = [
        f"{m.limit} at {m.place} misses by {-m.margin:.3g} {m.unit}{_of_load(site, m.limit)}" for m in faults
    ]
    if solved:
        try:
            said += _conflicts(site, fixed, solved)
        except StoppedError:
            said.append(UNTOLD)
    return "; ".join(dict.fromkeys(said))


def _conflicts(site: Site, fixed: dict[str, Any], solved: list[Setting]) -> Iterator[str]:
    """Yield each set of limits that cannot be kept together, and which value of which key alone is enough."""
    models = conflict.Models(site, solved, fixed)
    sets = list(conflict.conflicts(models, [*models.ranges(LIMITS), *LIMITS]))
    if not sets:
        held = f" (held: {', '.join(sorted(fixed))})" if fixed else ""
        yield f"what is on offer contradicts itself, whatever the limits{held}"
        return
    for each in sets:
        named = [f"{name}: {in_words(site, name)}{_of_load(site, name)}" for name in each.limits]
        if len(named) > 1:
            yield f"{len(named)} limits cannot be kept together: {'; '.join(named)}"
        else:
            yield named[0]
        if not each.proven:
            yield f"{', '.join(each.limits)}: not proven irreducible, some of it may be kept"
    if len(sets) > 1:
        yield f"none alone is enough: of each of the {len(sets)} sets one limit must move"
        return
    yield from _alone(site, fixed, solved, sets[0].limits)


def _alone(site: Site, fixed: dict[str, Any], solved: list[Setting], limits: Sequence[str]) -> Iterator[str]:
    """Yield for each limit of a set the value that alone makes a plan possible, or that none does."""
    relaxed = site.solver.method == "split" or any(not j.locked or j.jitter_s for j in site.jobs.values())
    at_least = "at least " if relaxed else ""
    for name in limits:
        said = list[str]()
        try:
            for key in conflict.KEYS.get(name, ()):
                found = conflict.enough(site, solved, fixed, key)
                if found is not None and found.value is not None:
                    said.append(f"{key} = {at_least}{found.value:g} (now {found.now:g})")
        except StoppedError:
            said.append("stopped before every value was tried")
        yield f"{name}, alone enough: {' or '.join(said) or 'none'}"


def _of_load(site: Site, limit: str) -> str:
    """Return the profile that decides a limit, with its valley and peak over the racks' nominal power."""
    site = mixing.lightest(site)
    courses = {name: workload.profile(job, site) for name, job in site.jobs.items()}
    if limit in ("junction", "rack_flow", "thermal_runaway"):
        worst = max(courses, key=lambda name: float(courses[name].max()))
    elif limit in ("poi_window", "job_stop", "job_stops"):
        worst = max(courses, key=lambda name: site.jobs[name].racks * float(np.ptp(courses[name])))
    else:
        return ""
    low, high = float(courses[worst].min()), float(courses[worst].max())
    what = site.jobs[worst].profile or "its phases"
    return f" (jobs.{modes.asked_name(worst)}, {what}: {low:.3g} to {high:.3g} per unit of nominal power)"
