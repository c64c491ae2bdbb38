"""A verdict does not depend on how large the site is: units and rack power times s, counts kept.

The physics of such a site is that of the first, so equal temperature margins and power margins in proportion
are no belief about the controller, but what any honest check must say.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from scaled import power_of, scaled_plan, scaled_site
from test_checking import plan, site

from codesign import modes
from codesign.checking import runs
from codesign.checking.scenarios import BUILDERS
from codesign.checking.steady import static_margins
from codesign.design import Design, Margin, Plan
from codesign.site import Site

pytestmark = pytest.mark.slow

SHORT = {
    "scenarios.nominal_hot.duration_s": 6, "scenarios.chiller_trip.duration_s": 60,
    "scenarios.chiller_trip.at_s": 5, "scenarios.chiller_trip.off_s": 20,
    "scenarios.chiller_trip.reload_s": 20,
    "scenarios.cdu_pump_trip.at_s": 2, "scenarios.cdu_pump_trip.duration_s": 12,
    "scenarios.job_abort_restart.at_s": 4, "scenarios.job_abort_restart.off_s": 6,
    "scenarios.job_abort_restart.duration_s": 16,
}  # fmt: skip
WITHIN_K, WITHIN_PU = 1e-3, 1e-3


@cache
def of_size(s: float) -> tuple[Site, Plan]:
    """The tiny site and its plan, s times as large."""
    larger = scaled_site(site().with_(SHORT), s)
    return larger, scaled_plan(larger, plan(), s)


@cache
def margins(s: float, scenario: str) -> dict[str, Margin]:
    run = runs.run(*of_size(s), scenario)
    assert run.status == "complete"
    return {row.limit: row for row in run.margins}


def same(base: Margin, other: Margin, s: float) -> bool:
    """Whether a margin of temperature or share is equal, and one of an amount in proportion."""
    if base.unit in ("k", "c", "pu"):
        return abs(other.margin - base.margin) <= WITHIN_K
    resolved = 2e-7 * (1 + 1 / s) if base.limit in ("job_stop", "job_restart") else 1e-9  # told so far, in MW
    return abs(other.margin / s - base.margin) <= WITHIN_PU * abs(base.margin) + resolved


def compared(scenario: str, s: float) -> None:
    base, other = margins(1.0, scenario), margins(s, scenario)
    assert base.keys() == other.keys()
    off = [(row.margin, other[name]) for name, row in base.items() if not same(row, other[name], s)]
    assert not off


def test_what_is_an_amount() -> None:
    amounts = ("capacity_kw", "tcs_side_l", "conductance_kw_per_k", "plate_volume_ml", "rating_mva")
    others = ("cost_usd_per_kw", "loop_l_per_kw_min", "leakage_pu_per_k", "tcs_kj_per_l_k", "off_s")
    assert [power_of(name) for name in amounts] == [1] * len(amounts)
    assert [power_of(name) for name in others] == [0] * len(others)
    assert power_of("die_lid_k_per_w") == power_of("wall_resistance_k_per_kw") == -1


@pytest.mark.parametrize("s", [0.1, 10.0, 100.0])
def test_static_margins_of_every_size(s: float) -> None:
    base, other = static_margins(*of_size(1.0)), static_margins(*of_size(s))
    assert [row.limit for row in base] == [row.limit for row in other]
    off = [(a, b) for a, b in zip(base, other, strict=True) if not same(a, b, s)]
    assert not off


@pytest.mark.parametrize("scenario", ["cdu_pump_trip", "job_abort_restart"])
def test_a_site_ten_times_as_large(scenario: str) -> None:
    compared(scenario, 10.0)


@pytest.mark.slow
@pytest.mark.parametrize("s", [0.1, 10.0, 100.0])
@pytest.mark.parametrize("scenario", BUILDERS)
def test_sites_of_other_sizes(scenario: str, s: float) -> None:
    compared(scenario, s)


HALL = {
    "scenarios.nominal_hot.duration_s": 10, "scenarios.chiller_trip.at_s": 10,
    "scenarios.chiller_trip.duration_s": 240, "scenarios.cdu_pump_trip.at_s": 3,
    "scenarios.cdu_pump_trip.duration_s": 15, "scenarios.job_abort_restart.at_s": 12,
    "scenarios.job_abort_restart.off_s": 10, "scenarios.job_abort_restart.duration_s": 30,
}  # fmt: skip


@cache
def hall(s: float) -> tuple[Site, Plan]:
    """The stored hall and its sizes, s times as large."""
    design = Design.load(Path(__file__).parent / "designs" / "hall_20mw")
    larger = scaled_site(design.site.with_(HALL), s)
    return modes.plan_as_run(larger, scaled_plan(larger, design.plan, s))


@cache
def hall_margins(s: float, scenario: str) -> dict[str, Margin]:
    run = runs.run(*hall(s), scenario)
    assert run.status == "complete"
    return {row.limit: row for row in run.margins}


@pytest.mark.slow
@pytest.mark.parametrize("s", [0.1, 10.0])
@pytest.mark.parametrize("scenario", BUILDERS)
def test_the_hall_at_other_sizes(scenario: str, s: float) -> None:
    base, other = hall_margins(1.0, scenario), hall_margins(s, scenario)
    off = [(row.margin, other[name]) for name, row in base.items() if not same(row, other[name], s)]
    assert not off
