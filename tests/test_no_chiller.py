"""A site without trim chillers: cold days, dry coolers alone; its optimum is enumerated."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import brute_force
import pytest
from tiny import random_site, unchecked

import codesign
from codesign import catalogue, checking, evaluation
from codesign.checking.scenarios import names
from codesign.design import Plan
from codesign.schema import Chillers
from codesign.site import Site

DECK = brute_force.cards(Path(__file__).parents[1] / "models")
STEADY = 1
COLD = {
    "days": [{"date": "2023-12-20", "weight_days": 365}], "equipment.cooling.fws_supply_c": [36],
    "equipment.dry_cooler.count": [3, 4, 5], "poi.allocated_share": 0.04,
}  # fmt: skip
SHORT = {
    "scenarios.nominal_hot.duration_s": 2,
    "scenarios.cdu_pump_trip.duration_s": 6, "scenarios.cdu_pump_trip.at_s": 1,
    "scenarios.job_abort_restart.duration_s": 3, "scenarios.job_abort_restart.at_s": 1,
    "scenarios.job_abort_restart.off_s": 1,
}  # fmt: skip


@cache
def site(**more: Any) -> Site:
    return random_site(STEADY).with_({**COLD, **SHORT, "equipment.chiller.count": [0], **more})


@cache
def plan() -> Plan:
    found = codesign.plan(site(), gap=1e-7)
    assert found.solved, found.reason
    return found


def test_a_site_may_say_nothing_of_chillers(tmp_path: Path) -> None:
    folder = site().save(tmp_path / "saved")
    text = (folder / "site.toml").read_text()
    head, rest = text.split("[equipment.chiller]\n")
    (folder / "site.toml").write_text(head + rest[rest.index("\n[") :])
    bare = codesign.load(folder)
    assert bare.equipment.chiller == Chillers()
    assert not bare.equipment.chiller.on_offer
    assert catalogue.card("chiller", bare.equipment.chiller.cards[0])


def test_the_plan_is_the_cheapest_of_all(tmp_path: Path) -> None:
    best = brute_force.best(*brute_force.read(site().save(tmp_path / "site")), DECK)
    assert plan().cost_usd_per_year == pytest.approx(best.cost, rel=2e-5)
    assert plan().bound_usd_per_year == pytest.approx(best.cost, rel=2e-5)
    assert plan().sizes["chiller"].count == 0


def test_none_is_an_option_beside_some(tmp_path: Path) -> None:
    """Both counts on offer: none is bought, as the cells alone are cheaper, and the bound is the same."""
    either = site().with_({"equipment.chiller.count": [0, 2], "equipment.chiller.cards": ["warm-250"]})
    found = codesign.plan(either, gap=1e-7)
    assert found.cost_usd_per_year == pytest.approx(plan().cost_usd_per_year, rel=1e-9)
    assert found.sizes["chiller"].count == 0


def test_without_chillers_a_hot_day_is_refused() -> None:
    hot = site().with_({"days": [{"date": "2023-08-18", "weight_days": 365}]})
    found = codesign.plan(hot)
    assert found.outcome.value == "infeasible"
    assert "heat_rejection" in found.reason


def test_no_chiller_is_out_and_none_trips() -> None:
    spare = plan().setting
    assert spare is not None
    exact = evaluation.evaluate(site(), spare, plan().sizes, plan().schedule)
    places = {margin.place for margin in exact.margins if margin.limit == "heat_rejection"}
    assert not [place for place in places if "chiller" in place]
    assert "chiller_trip" not in names(site())
    assert "chiller_trip" in names(site().with_({"equipment.chiller.count": [0, 2]}))


def test_the_check_runs_and_the_audit_takes_it() -> None:
    check = checking.check(site(), plan(), scenarios=("job_abort_restart",))
    assert [run.status for run in check.scenarios] == ["complete"]
    design = unchecked(site(), plan())
    left = [each for each in codesign.audit(design).breaches if each.limit not in ("scenario", "outcome")]
    assert not left
    assert "no chiller" not in str(plan())
    assert "none" in str(plan())
