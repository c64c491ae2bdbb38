"""A site at a point of interconnection without a rule on changes of power: planned, judged, told."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import brute_force
import numpy as np
import pytest
from test_resolution import refused
from tiny import random_site, unchecked

import codesign
from codesign import evaluation, refining, uncovered, window
from codesign.checking import runs
from codesign.design import Plan
from codesign.reporting import poi as poi_page
from codesign.site import Site

pytestmark = pytest.mark.slow

DECK = brute_force.cards(Path(__file__).parents[1] / "models")
STEADY, UNLOCKED = 1, 3
SHORT = {
    "scenarios.job_abort_restart.duration_s": 4, "scenarios.job_abort_restart.at_s": 1,
    "scenarios.job_abort_restart.off_s": 1,
}  # fmt: skip


@cache
def site(seed: int = STEADY, method: str = "joint") -> Site:
    none = {"poi.rule": "none", "poi.allocated_share": 1.0}
    return random_site(seed).with_({**none, "solver.method": method, **SHORT})


@cache
def plan(seed: int = STEADY, method: str = "joint") -> Plan:
    found = codesign.plan(site(seed, method), gap=1e-7 if method == "joint" else 1e-2)
    assert found.solved, found.reason
    return found


def evaluated() -> evaluation.Evaluation:
    found = plan()
    assert found.setting is not None
    return evaluation.evaluate(site(), found.setting, found.sizes, found.schedule)


def test_a_site_that_names_no_rule_has_none(tmp_path: Path) -> None:
    folder = site().save(tmp_path / "saved")
    text = (folder / "site.toml").read_text()
    kept = [
        line
        for line in text.splitlines()
        if not line.startswith(("rule", "window_", "band_hz", "filter_order", "allocated_share"))
    ]
    (folder / "site.toml").write_text("\n".join(kept) + "\n")
    assert codesign.load(folder) == site()


def test_numbers_of_a_window_need_a_rule() -> None:
    assert "poi.rule" in refused(lambda: site().with_({"poi.window_mw": 5.0}))
    assert "poi.allocated_share" in refused(lambda: site().with_({"poi.rule": "ercot_2026_draft"}))
    back = site().with_({"poi.rule": "ercot_2026_draft", "poi.allocated_share": 0.03})
    assert (back.poi.window_s, back.poi.window_mw) == (5.0, 10.0)


def test_a_window_shorter_than_the_step_is_refused() -> None:
    found = refused(lambda: random_site(STEADY).with_({"poi.window_s": 1.5}))
    assert "at most poi.window_s = 1.5" in found["clock.step_s"]


def test_no_storage_is_needed_and_no_window_is_judged() -> None:
    limits = {margin.limit for margin in evaluated().margins}
    assert not limits & {"poi_window", "job_stop", "job_restart", "poi_window_one_away"}
    assert "interconnection" in limits
    assert all(np.isfinite(margin.margin) for margin in evaluated().margins)
    assert not window.applies(site())


def test_the_plan_is_the_cheapest_of_all(tmp_path: Path) -> None:
    """Enumerated under a rule so wide that nothing can break it: the same optimum."""
    wide = {"poi.rule": "ercot_2026_draft", "poi.allocated_share": 1.0, "poi.window_mw": 1e4}
    best = brute_force.best(*brute_force.read(site().with_(wide).save(tmp_path / "site")), DECK)
    assert plan().cost_usd_per_year == pytest.approx(best.cost, rel=2e-5)
    assert plan().bound_usd_per_year == pytest.approx(best.cost, rel=2e-5)


def test_clocks_apart_find_it_too() -> None:
    assert plan(method="split").cost_usd_per_year == pytest.approx(plan().cost_usd_per_year, rel=1e-2)
    bound = plan(method="split").bound_usd_per_year
    assert bound is not None
    assert bound <= plan().cost_usd_per_year * (1 + 1e-9)


def test_a_scenario_runs_and_judges_no_window() -> None:
    result = runs.run(site(), plan(), "job_abort_restart")
    assert result.status == "complete"
    assert "poi_window" not in {margin.limit for margin in result.margins}


def test_the_audit_and_the_page_take_it() -> None:
    good = unchecked(site(), plan())
    left = [each for each in codesign.audit(good).breaches if each.limit not in ("scenario", "outcome")]
    assert not left
    assert "Window rule" not in poi_page.poi(good)
    assert "Power" in poi_page.poi(good)


def test_the_certificate_says_so() -> None:
    assert any("names no rule" in said for said in uncovered.never_covered(site()))
    assert not any("rule" in said and "draft" in said for said in refining._assumptions(site(), plan(), 1.0))
