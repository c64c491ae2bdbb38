"""Racks that are on and that no job uses. Powers by hand: a number of racks x a level x nominal power."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tiny import random_site, unchecked

import codesign
from codesign import catalogue, evaluation, steady, workload
from codesign.checking.steady import plant, start
from codesign.design import Plan
from codesign.site import Site

pytestmark = pytest.mark.slow

STEADY = 1


@cache
def site(unused: str = "idle") -> Site:
    """A tiny site of six racks that work and two that do not."""
    jobs = {"jobs.pretrain.count": 2, "jobs.pretrain.racks": 2, "jobs.tune.racks": 2}
    changed = {**jobs, "pods.a.racks": 8, "pods.a.unused": unused, "poi.allocated_share": 0.05}
    return random_site(STEADY).with_(changed)


@cache
def plan() -> Plan:
    found = codesign.plan(site(), gap=1e-3)
    assert found.solved
    return found


def load(of: Site) -> steady.ItLoad:
    setting = plan().setting
    assert setting is not None
    return steady.it_load(of, setting)


def test_a_rack_without_a_job_draws_its_idle_power() -> None:
    rack = catalogue.build(site(), "rack", "gb200-nvl72")
    idle, off = load(site()), load(site("off"))
    assert [(each.pod, each.racks, each.level_pu) for each in workload.idle_racks(site())] == [("a", 2, 0.2)]
    assert workload.idle_racks(site("off")) == ()
    assert idle.idle_mw == pytest.approx(0.4 * rack.nominal_kw / 1e3)
    assert idle.dynamic_mw - off.dynamic_mw == pytest.approx(0.4 * rack.nominal_kw / 1e3)
    assert idle.air_kw - off.air_kw == pytest.approx(0.4 * (1 - rack.liquid_pu) * rack.nominal_kw)
    assert (idle.racks, off.racks) == (8, 6)
    assert idle.tcs_flow_l_per_min == pytest.approx(8 / 6 * off.tcs_flow_l_per_min)


def test_racks_that_are_off_are_as_good_as_none() -> None:
    assert load(site("off")) == load(site().with_({"pods.a.racks": 6}))


def test_idle_power_is_paid_for_and_in_every_limit() -> None:
    exact, off = (evaluated(unused) for unused in ("idle", "off"))
    more = load(site()).it_mw - load(site("off")).it_mw
    assert more > 0.01
    assert (exact.hours["poi_mw"] - off.hours["poi_mw"] > more).all()
    assert (exact.hours["poi_peak_mw"] - off.hours["poi_peak_mw"] > more).all()
    assert exact.cost_usd_per_year > off.cost_usd_per_year


def evaluated(unused: str) -> evaluation.Evaluation:
    found = plan()
    assert found.setting is not None
    return evaluation.evaluate(site(unused), found.setting, found.sizes, found.schedule)


def test_the_plan_knows_it() -> None:
    gap, cost = plan().gap, plan().cost_usd_per_year
    assert gap is not None
    assert cost is not None
    assert 0.0 <= gap <= 1e-3
    assert cost == pytest.approx(evaluated("idle").cost_usd_per_year, rel=1e-9)


def test_the_plant_rests_with_idle_racks() -> None:
    at = start(site(), plan())
    names = [group.name for group in plant(site(), plan()).groups]
    assert names[-1] == "idle_a"
    assert at.d[at.stack.disturbances.index("idle_a.level_pu")] == 0.2
    hall = plant(site(), plan())
    x, u, d, p = (
        dict(zip(keys, map(float, values), strict=True))
        for keys, values in (
            (hall.states, at.x), (hall.controls, at.u), (hall.disturbances, at.d), (hall.sizes, at.p),
        )
    )  # fmt: skip
    rates = hall.rates(x, u, d, p)
    at_rest = [name for name in hall.states if name.endswith("_c") and "oil" not in name]
    assert np.abs([rates[name] for name in at_rest]).max() < 1e-6
    assert hall.outputs(x, u, d, p)["it_mw"] == pytest.approx(load(site()).it_mw, rel=1e-9)


def test_the_audit_finds_the_same_power() -> None:
    not_run = ("scenario", "outcome")
    good = unchecked(site(), plan())
    assert not [each for each in codesign.audit(good).breaches if each.limit not in not_run]
    forgotten = replace(good, plan=replace(plan(), hours=evaluated("off").hours))
    assert "it_mw" in {each.limit for each in codesign.audit(forgotten).breaches}
