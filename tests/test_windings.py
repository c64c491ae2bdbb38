"""Transformers under a load course: IEC 60076-7 by closed form and worked example, outages, legal losses."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from tiny import TOY, random_site, unchecked

import codesign
from codesign import catalogue, cycle, evaluation
from codesign.auditing.windings import Windings
from codesign.components.transformer import Transformer

pytestmark = pytest.mark.slow

LEAST_EFFICIENCY = {500: 99.35, 750: 99.40, 1000: 99.43, 1500: 99.48, 2000: 99.51, 2500: 99.53}
"""kVA: per cent at half load, 10 CFR 431.196(b)(2), liquid-immersed, three-phase, from 2016 on."""


def part(card: str = "pad-1000", **changes: float) -> Transformer:
    built: Transformer = catalogue.card("transformer", card).build()
    return dataclasses.replace(built, **changes)


def integrated(
    unit: Transformer, x: dict[str, float], load: float, ambient: float, s: float
) -> dict[str, float]:
    run = solve_ivp(
        lambda _, y: list(unit.rate(dict(zip(x, y, strict=True)), load, ambient).values()),
        (0.0, s), list(x.values()), rtol=1e-10, atol=1e-10,
    )  # fmt: skip
    return dict(zip(x, (float(v) for v in run.y[:, -1]), strict=True))


# IEC 60076-7


@pytest.mark.parametrize("card", ["pad-1000", "power-40-onan"])
@pytest.mark.parametrize("minutes", [5.0, 30.0, 120.0, 600.0])
def test_hot_spot_after_a_step_is_the_standards_closed_form(card: str, minutes: float) -> None:
    """Functions f1 and f2 of the standard (2018, equations 6 to 8), from rest to K = 1.2."""
    unit, load, t = part(card), 1.2, 60.0 * minutes
    ratio = unit.load_loss_kw / unit.no_load_kw
    start = unit.steady(0.0, 20.0)
    oil = unit.top_oil_rise_k * ((1 + ratio * load**2) / (1 + ratio)) ** unit.oil_exponent
    f1 = 1 - math.exp(-t / (unit.k11 * unit.oil_time_s))
    f2 = unit.k21 * (1 - math.exp(-t / (unit.k22 * unit.winding_time_s))) - (unit.k21 - 1) * (
        1 - math.exp(-t * unit.k22 / unit.oil_time_s)
    )
    gradient = unit.hot_spot_factor * unit.gradient_k * load**unit.winding_exponent
    begin_k = start["top_oil_c"] - 20.0
    expected = 20.0 + begin_k + (oil - begin_k) * f1 + gradient * f2
    found = unit.hot_spot_c(integrated(unit, start, load, 20.0, t))
    assert found == pytest.approx(expected, abs=0.1)  # the floor of K**y at rest


def test_worked_example_of_the_standard() -> None:
    """250 MVA, ONAF, six steps of load (annex of the standard, figures recalled): hot spot within 1.5 K."""
    unit = part(
        "power-40-onan", top_oil_rise_k=38.3, gradient_k=14.5, hot_spot_factor=1.4, oil_time_s=9000.0,
        winding_time_s=420.0, no_load_kw=1.0, load_loss_kw=1000.0,
    )  # fmt: skip
    state, before = {"top_oil_c": 38.3, "winding1_k": 0.0, "winding2_k": 0.0}, 0.0
    for minute, load, expected in ((190, 1.0, 83.8), (365, 0.6, 54.2), (500, 1.5, 127.0), (705, 0.3, None),
                                   (730, 2.1, 138.6)):  # fmt: skip
        state = integrated(unit, state, load, 25.6, 60.0 * (minute - before))
        before = minute
        if expected is not None:
            assert unit.hot_spot_c(state) == pytest.approx(expected, abs=1.5), minute


def test_ageing_sets_what_a_longer_outage_allows() -> None:
    """V = 1 at 110 degC, 17.2 at 140 (upgraded paper); one per cent of 180,000 h may be used."""
    unit = part()
    assert unit.emergency_c(24.0) == unit.hot_spot_emergency_c == 140.0
    for hours in (168.0, 720.0):
        limit = unit.emergency_c(hours)
        assert hours * math.exp(15000 / 383 - 15000 / (limit + 273)) == pytest.approx(1800.0)
    assert [round(unit.emergency_c(h)) for h in (104.0, 168.0, 720.0)] == [140, 135, 119]
    assert unit.emergency_c(5000.0) == unit.hot_spot_max_c


# the course


def periodic(seed: int, steps: int = 60) -> np.ndarray:
    draw = np.random.default_rng(seed)
    edges = np.sort(draw.integers(1, steps, 4))
    wave = np.repeat(draw.uniform(0.2, 1.0, 5), np.diff(np.concatenate([[0], edges, [steps]])))
    return np.asarray(wave - wave.mean())


@pytest.mark.parametrize("card", ["pad-1000", "power-40-onan"])
def test_an_outage_is_the_integrated_one(card: str) -> None:
    """Two hours of a square cycle on one unit after rest at half of it: against the plant's own rates."""
    unit, step_s, ambient = part(card), 60.0, 30.0
    after = np.repeat([1.15, 0.35], [15, 5])
    before = 0.5 * after
    oil, first, second = (float(each.mean()) for each in unit._settled(before, step_s))
    state = {"top_oil_c": ambient + oil, "winding1_k": first, "winding2_k": second}
    highest = 0.0
    for k in range(120):
        state = integrated(unit, state, float(after[k % len(after)]), ambient, step_s)
        highest = max(highest, float(unit.hot_spot_c(state)))
    found = ambient + unit.outage_rise_k(after, before, step_s, 7200.0)
    assert highest - 0.2 <= found <= highest + 3.0  # the highest step is taken to come last
    assert found < ambient + unit.cycle_rise_k(after, step_s) + 1e-9 or unit.k21 > 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(-20.0, 44.0), st.sampled_from([3.0, 24.0, 400.0]))
def test_the_mean_allows_no_less_and_the_plan_no_more_than_the_course(
    seed: int, ambient: float, outage_h: float
) -> None:
    site = codesign.load(TOY).with_({"equipment.transformer.outage_h": outage_h})
    for card in ("pad-1000", "power-40-onan"):
        unit = part(card)
        shape = 0.7 * unit.rating_mva * periodic(seed)
        law = cycle.allowed_mva(site, unit, 3, ambient, shape)
        assert cycle.allowed_mva(site, unit, 3, ambient) >= law - 1e-9
        assert cycle.planned_mva(site, unit, 3, ambient, shape) <= law + 1e-9
        assert cycle.planned_mva(site, unit, 3, ambient, shape) >= 0.96 * law - 0.02
        if law > 0.0:
            course = law + shape / site.poi.power_factor
            assert course.max() / 2 <= unit.rating_mva * unit.load_max_pu * (1 + 1e-9)


def test_a_longer_outage_and_a_valley_allow_less() -> None:
    site, unit = codesign.load(TOY), part()
    shape = np.where(np.arange(60) < 15, -0.72, 0.24)  # 30 s at 0.28 of a plateau of 1 MW, in 120 s
    flat, course = cycle.allowed_mva(site, unit, 2, 35.0), cycle.allowed_mva(site, unit, 2, 35.0, shape)
    assert course < flat - 0.05
    month = site.with_({"equipment.transformer.outage_h": 720.0})
    assert cycle.allowed_mva(month, unit, 2, 35.0, shape) < course
    assert cycle.allowed_mva(site, unit, 1, 35.0, shape) == 0.0
    single = site.with_({"equipment.transformer.redundancy": "n"})
    assert cycle.allowed_mva(single, unit, 2, 35.0, shape) > course


def test_unlocked_jobs_are_at_their_highest() -> None:
    site = random_site(0).with_({"jobs.tune.locked": True})
    schedule = codesign.plan(site).schedule
    free = site.with_({"jobs.pretrain.locked": False})
    rows = type(schedule)([dataclasses.replace(r, locked=r.job != "pretrain") for r in schedule])
    locked, unlocked = cycle.shape_mw(site, schedule), cycle.shape_mw(free, rows)
    assert locked.mean() == pytest.approx(0.0, abs=1e-12)
    assert unlocked.mean() > 0.0
    assert unlocked.max() >= locked.max() - 1e-12


def test_the_plateau_with_one_unit_out_sizes_the_transformers() -> None:
    """A rating that carries the mean with one out, and not the plateau beside the checkpoints, is refused."""
    offer = {"equipment.transformer.count": [2], "equipment.transformer.cards": ["pad-1000"]}
    site = random_site(0).with_(offer)
    plan = codesign.plan(site)
    assert plan.setting is not None
    mva, ambient = evaluation.transformer_mva(site, plan.hours), plan.hours["dry_bulb_c"]
    course = evaluation.shape_mw(site, plan.schedule, plan.dispatch)

    def short(rating: float, shape: np.ndarray | None) -> bool:
        unit = part(rating_mva=rating)
        return any(
            cycle.allowed_mva(site, unit, 2, float(a), shape) < m for a, m in zip(ambient, mva, strict=True)
        )

    ratings = np.arange(0.05, 1.5, 0.002)
    by_mean = next(r for r in ratings if not short(r, None))
    by_course = next(r for r in ratings if not short(r, course))
    assert by_course > 1.02 * by_mean
    between = {'cards.transformer."pad-1000".rating_mva': round(0.5 * (by_mean + by_course), 4)}
    tight = site.with_(between)
    static = {m.limit: m for m in evaluation.evaluate(tight, plan.setting, plan.sizes, plan.schedule).margins}
    assert static["hot_spot"].margin < 0.0
    found = codesign.audit(unchecked(tight, plan))
    assert any(each.limit == "hot_spot" for each in found.breaches)
    both = tight.with_({"equipment.transformer.cards": ["pad-1000", "pad-1500"]})
    assert codesign.plan(both).sizes["transformer"].card == "pad-1500"


@given(st.integers(0, 10_000), st.floats(0.3, 2.5))
@settings(max_examples=25, deadline=None)
def test_the_audits_own_loops_agree(seed: int, mva: float) -> None:
    site = codesign.load(TOY)
    unit = part()
    own = object.__new__(Windings)
    own.part, own.units, own.step_s, own.factor = unit, 3, site.clock.step_s, 1.0
    own.outage_s, own.beside_mva = 3600.0 * site.equipment.transformer.outage_h, list(periodic(seed))
    loads = np.array([mva, 0.5 * mva])
    for out, running in ((0, 3), (1, 2)):
        state = cycle._State(unit, 3, running, 1.0, site.clock.step_s, own.outage_s)
        expected = [state.rise_k(each, np.array(own.beside_mva)) for each in loads]
        assert own.rise_k(loads, out) == pytest.approx(expected, abs=1e-9)


# cards


@pytest.mark.parametrize(("kva", "per_cent"), LEAST_EFFICIENCY.items())
def test_pad_mounts_keep_the_least_efficiency_and_little_more(kva: int, per_cent: float) -> None:
    unit = part(f"pad-{kva}")
    half_kva = kva / 2
    loss_kw = float(unit.loss_kw(half_kva / 1e3, 1.0))
    assert 100 * half_kva / (half_kva + loss_kw) >= per_cent - 1e-9
    assert 100 * half_kva / (half_kva + loss_kw) == pytest.approx(per_cent, abs=0.002)
    assert unit.top_oil_rise_k + unit.hot_spot_factor * unit.gradient_k == pytest.approx(78.0)  # IEC 60076-2


def test_a_larger_pad_mount_is_cheaper_a_kva() -> None:
    costs = [part(f"pad-{kva}").cost_usd_per_kva for kva in LEAST_EFFICIENCY]
    assert costs == sorted(costs, reverse=True)
    price = [kva * cost for kva, cost in zip(LEAST_EFFICIENCY, costs, strict=True)]
    slope = np.polyfit(np.log(list(LEAST_EFFICIENCY)), np.log(price), 1)[0]
    assert slope == pytest.approx(0.7, abs=0.01)
