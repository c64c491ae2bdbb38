"""What no judge looked at and a utility engineer would ask for, by what the site leaves open; in words."""

from __future__ import annotations

from codesign import modes, resolution, window, workload
from codesign.site import Site

HOURS_A_YEAR = 8760
TOLD_PU = 0.05
"""Share of a profile's range that the step may take before it is told."""
GROUPS = {
    "transformer": "transformers", "cdu": "CDUs", "dry_cooler": "dry coolers", "chiller": "chillers",
    "fan_wall": "fan walls", "air_chiller": "air chillers",
}  # fmt: skip


def never_covered(site: Site) -> tuple[str, ...]:
    """Return what is covered by no limit and no scenario, whatever the plan is."""
    return (
        _fast(site),
        "losses of UPS, rectifiers and distribution below the transformers: in no power, cost or PUE",
        "air flow within the rack, server fans and recirculation: the air side ends at the cold aisle",
        *_no_rule(site),
        *_alone(site),
        *_hours(site),
    )


def _fast(site: Site) -> str:
    """What is faster than the load is known: sub-second swings, with the reason for the frequency."""
    measured = [job.averaging_s for job in site.jobs.values() if job.profile is not None and job.averaging_s]
    why = [f"steps of {site.clock.step_s:g} s"]
    if measured:
        why.insert(0, f"profiles averaged over {max(measured):g} s")
    return (
        f"load changes above {workload.not_resolved_hz(site):.3g} Hz ({', '.join(why)}): not resolved, "
        "so no sub-second swing, resonance or sub-synchronous oscillation"
    )


def _no_rule(site: Site) -> tuple[str, ...]:
    said = "changes of power at the POI: the site names no rule; contract and interconnection limit alone"
    return () if window.applies(site) else (said,)


def _alone(site: Site) -> tuple[str, ...]:
    """Groups of which no unit may be out."""
    equipment = site.equipment
    groups = [
        words
        for name, words in GROUPS.items()
        if getattr(equipment, name).redundancy == "n" and max(getattr(equipment, name).count) > 0
    ]
    return (f'one unit out of {", ".join(groups)}: redundancy "n"',) if groups else ()


def _hours(site: Site) -> tuple[str, ...]:
    """Hours of the calendar year for which the site has no weather."""
    leap = {f"02-29T{hour:02d}" for hour in range(24)}
    known = {stamp[5:13] for stamp in site.series.weather["time"]} - leap
    missing = HOURS_A_YEAR - len(known)
    return (f"{missing} of {HOURS_A_YEAR} hours of the year: no weather in the series",) if missing else ()


def sampled(site: Site) -> tuple[str, ...]:
    """Return what means over the clock's step take of the peaks and valleys of profiles, if it is much."""
    told = {}
    for name, job in site.jobs.items():
        lifted, lowered = resolution.taken(
            job, *resolution.source(job, site.series.profiles), site.clock.step_s
        )
        if job.profile is not None and max(lifted, lowered) > TOLD_PU:
            told[modes.asked_name(name)] = f"{lifted:.0%} of the valley and {lowered:.0%} of the peak"
    if not told:
        return ()
    each = "; ".join(f"{name} {words}" for name, words in told.items())
    return (f"steps of {site.clock.step_s:g} s take of the swing of profiles: {each}",)
