"""A metering window that is not whole turns of the schedule. Excesses by hand and by trying every window."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tiny import random_site, unchecked

import codesign
from codesign import evaluation, metering, streams, workload
from codesign.design import Plan
from codesign.planning import bound, highs, joint
from codesign.site import Site

pytestmark = pytest.mark.slow

STEADY = 1
ODD_MIN = 0.55
"""33 s: sixteen and a half steps of 2 s, a turn of ten and 6.5 more."""


@cache
def site(window_min: float = ODD_MIN, seed: int = STEADY) -> Site:
    return random_site(seed).with_({"energy.metering_window_min": window_min, "poi.allocated_share": 0.04})


@cache
def plan(window_min: float = ODD_MIN, method: str = "joint") -> Plan:
    found = codesign.plan(site(window_min).with_({"solver.method": method}), gap=1e-6)
    assert found.solved, found.reason
    return found


def evaluated(window_min: float = ODD_MIN) -> evaluation.Evaluation:
    found = plan(window_min)
    assert found.setting is not None
    return evaluation.evaluate(site(window_min), found.setting, found.sizes, found.schedule)


def by_hand(course: np.ndarray, length: float, fine: int = 20) -> float:
    """The highest mean over every window that begins at a part of a step."""
    whole = np.repeat(course, fine)
    total = np.cumsum(np.tile(whole, 2 + int(np.ceil(length / len(course)))))
    width = round(length * fine)
    return float((total[width : width + len(whole)] - total[: len(whole)]).max() / width)


def test_a_square_wave_by_hand() -> None:
    """Up and down for five steps of 2 s each, a window of one and a half turns: a third of half the swing."""
    half = site(0.5)
    assert metering.rest_steps(half) == 5.0
    course = np.repeat([1.0, 0.4], 5)
    part = streams.Stream(name="locked", power_mw=course, shift_steps=0, copies=(("locked", 0),))
    assert metering.excess_mw(half, (part,), [course]) == pytest.approx(0.3 / 3, rel=1e-12)
    assert metering.excess_mw(site(1.0), (part,), [course]) == 0.0


@pytest.mark.parametrize("window_min", [0.5, 0.55, 0.1, 0.031, 1.2345])
def test_no_window_reads_more(window_min: float) -> None:
    of, random = site(window_min), np.random.default_rng(7)
    length = metering.window_steps(of)
    for _ in range(5):
        course = random.uniform(0.0, 1.0, 10)
        part = streams.Stream(name="locked", power_mw=course, shift_steps=0, copies=(("locked", 0),))
        found = course.mean() + metering.excess_mw(of, (part,), [course])
        fine = 20 if round(length * 20, 9).is_integer() else 2000
        assert found == pytest.approx(by_hand(course, length, fine), rel=1e-3)
        assert found >= by_hand(course, length, fine) - 1e-3 / length


def test_jobs_that_shift_are_at_their_worst_shift() -> None:
    """Two copies at any phase read twice what one does."""
    of, course = site(), np.repeat([1.0, 0.4], 5)
    alone = streams.Stream(name="a", power_mw=course, shift_steps=None, copies=(("a", 0),))
    both = replace(alone, copies=(("a", 0), ("b", 3)))
    one = metering.excess_mw(of, (alone,), [course])
    assert one > 0.0
    assert metering.excess_mw(of, (both,), [course]) == pytest.approx(2 * one, rel=1e-12)


def test_the_meter_sets_contract_demand_and_margin() -> None:
    exact = evaluated()
    assert exact.metering_mw > 1e-4
    assert exact.metered_mw == pytest.approx(float(exact.hours["poi_mw"].max()) + exact.metering_mw)
    assert plan().sizes["contract"].value == pytest.approx(exact.metered_mw, abs=1e-7)
    items = {item.name: item.usd_per_year for item in exact.cost_items}
    energy = site().energy
    assert items["demand"] == pytest.approx(12 * energy.demand_charge_usd_per_mw_month * exact.metered_mw)
    assert min(m.margin for m in exact.margins if m.limit == "contract") == pytest.approx(0.0, abs=1e-7)


def test_the_bound_holds_for_the_plan_and_the_evaluation() -> None:
    found = plan()
    assert found.bound_usd_per_year is not None
    assert found.cost_usd_per_year is not None
    assert found.bound_usd_per_year <= found.cost_usd_per_year * (1 + 1e-9)
    assert found.gap is not None
    assert found.gap < 1e-4
    assert plan(method="split").cost_usd_per_year >= found.bound_usd_per_year * (1 - 1e-9)  # type: ignore[operator]


@pytest.mark.parametrize("method", ["joint", "split"])
def test_of_all_schedules_the_meter_reads_least(method: str) -> None:
    """Without a rule and a storage nothing but the meter tells schedules apart: all of them are tried."""
    free = {
        "poi.rule": "none", "equipment.storage.power_mw": [0.0, 0.03],
        "equipment.storage.energy_mwh": [0.0, 0.0004], "solver.method": method,
    }  # fmt: skip
    odd = codesign.plan(site().with_(free), gap=1e-7)
    whole = codesign.plan(site(1.0).with_(free), gap=1e-7)
    length, least = metering.window_steps(site()), np.inf
    copies = [name for name, job in site().jobs.items() for _ in range(job.count)]
    for places in itertools.product(*(workload.placements(site(), name) for name in copies)):
        course = sum(
            (workload.template_mw(site(), name, place) for name, place in zip(copies, places, strict=True)),
            np.zeros(10),
        )
        least = min(least, by_hand(course, length) - float(course.mean()))
    energy = site().energy
    rate = 12 * energy.demand_charge_usd_per_mw_month + energy.contract_charge_usd_per_mw_year
    assert odd.cost_usd_per_year is not None
    assert odd.bound_usd_per_year is not None
    assert whole.cost_usd_per_year is not None
    best = whole.cost_usd_per_year + rate * least
    assert least > 1e-4
    assert odd.bound_usd_per_year <= best * (1 + 1e-7)
    if method == "joint":
        assert odd.cost_usd_per_year == pytest.approx(best, rel=1e-7)
        assert odd.bound_usd_per_year == pytest.approx(best, rel=1e-5)
    else:
        assert best * (1 - 1e-7) <= odd.cost_usd_per_year <= best * 1.01


def test_every_schedule_is_dearer_by_what_its_meter_reads() -> None:
    """The enumeration's optimum for whole turns is below, and the plan for them equals it."""
    whole = plan(1.0)
    assert whole.cost_usd_per_year is not None
    assert plan().cost_usd_per_year is not None
    energy = site().energy
    rate = 12 * energy.demand_charge_usd_per_mw_month + energy.contract_charge_usd_per_mw_year
    assert plan().cost_usd_per_year - whole.cost_usd_per_year <= rate * evaluated().metering_mw + 1.0
    assert plan().cost_usd_per_year >= whole.cost_usd_per_year - 1.0


def test_rows_of_the_meter_are_exact_and_read_by_the_bound() -> None:
    setting = plan().setting
    assert setting is not None
    model = joint.build(site(), setting, {}, joint.Points())
    assert "metering" in model.rows.kinds
    assert bound.bound_rows_only(model.rows)
    answer = highs.solve(model.rows.model, time_limit_s=60.0, gap=1e-6)
    assert answer.values is not None


def test_the_audit_tries_every_window() -> None:
    good = unchecked(site(), plan())
    not_run = ("scenario", "outcome")
    assert not [each for each in codesign.audit(good).breaches if each.limit not in not_run]
    sizes = dict(plan().sizes)
    mean = float(plan().hours["poi_mw"].max())
    sizes["contract"] = replace(sizes["contract"], value=mean)
    thin = replace(good, plan=replace(plan(), sizes=type(plan().sizes)(sizes)))
    assert "contract" in {each.limit for each in codesign.audit(thin).breaches}
