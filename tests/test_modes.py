"""Modes and locks: what they do to a level, what they cost, and which of them a plan takes.

Oracles: energy of floors and throughput of caps as published; every mix of a small site planned for itself.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import random_site, unchecked

import codesign
from codesign import evaluation, modes, workload
from codesign.design import Plan, Setting
from codesign.errors import InputError
from codesign.modes import Way
from codesign.planning import bound, mixing
from codesign.site import Site

pytestmark = pytest.mark.slow

HALL = Path(__file__).parents[1] / "instances" / "hall_20mw"
ANYWHERE = {"jobs.tune.locked": True, "jobs.tune.jitter_s": 0.0}
CALM_STOPS = {"jobs.pretrain.idle_pu": 0.9, "jobs.tune.idle_pu": 0.9}
"""A stop that takes little away, so that the schedule alone sizes the storage."""


def in_mode(site: Site, name: str, mode: str) -> Site:
    one = {each: modes.ways(job)[0] for each, job in site.jobs.items()}
    return modes.running(site, modes.uniform(site, {**one, name: Way(mode)}))


def shape(site: Site, name: str, mode: str = "baseline") -> np.ndarray:
    site = in_mode(site, name, mode)
    return workload.profile(site.jobs[name], site)


# levels


@pytest.mark.parametrize(
    ("floor", "mean_shape", "raw_samples"),
    [
        (0.70, 0.0, 0.005),
        (0.80, 0.001, 0.010),
        (0.85, 0.005, 0.015),
        (0.90, 0.011, 0.023),
        (0.95, 0.019, 0.037),
    ],
)
def test_a_floor_costs_less_than_on_raw_samples_and_more_than_on_the_mean_shape(
    floor: float, mean_shape: float, raw_samples: float
) -> None:
    """Published for the measured job: energy of a floor on its samples of 2 s, and on their folded mean."""
    site = codesign.load(HALL)
    filled = shape(site, "pretrain", f"floor_{floor:g}")
    more = filled.mean() / shape(site, "pretrain").mean() - 1.0
    assert mean_shape - 0.001 <= more <= raw_samples
    assert filled.min() >= floor * site.jobs["pretrain"].plateau_pu - 1e-12


def test_a_cap_cuts_every_phase_that_reaches_it() -> None:
    site = codesign.load(HALL)
    bare, cut = shape(site, "pretrain"), shape(site, "pretrain", "cap_0.853")
    limit = 0.853 * site.jobs["pretrain"].plateau_pu
    assert cut.max() <= limit + 1e-12
    assert (cut <= bare + 1e-12).all()
    assert cut.mean() >= np.minimum(bare, limit).mean() - 0.05 * bare.mean()


def test_named_phases_are_filled_and_cut_as_they_stand() -> None:
    site = codesign.load(HALL)
    level = site.jobs["tune"].plateau_pu * np.array([1.0, 1.0, 1.0, 0.9])
    assert shape(site, "tune") == pytest.approx(level)
    assert shape(site, "tune", "floor_0.95") == pytest.approx(np.maximum(level, 0.95 * 0.95))
    assert shape(site, "tune", "cap_0.95") == pytest.approx(np.minimum(level, 0.95 * 0.95))


def test_a_floor_holds_through_a_checkpoint() -> None:
    site = in_mode(codesign.load(HALL), "pretrain", "floor_0.9")
    wave = workload.template_mw(site, "pretrain", workload.placements(site, "pretrain")[0])
    assert wave.min() == pytest.approx(0.9 * 0.95 * 36 * 0.132, rel=1e-6)


@pytest.mark.parametrize(
    ("cap_w", "published"), [(1055, 1.0), (900, 0.947), (700, 0.770), (550, 0.613), (450, 0.496)]
)
def test_throughput_of_caps_is_the_published_one(cap_w: float, published: float) -> None:
    job = codesign.load(HALL).jobs["pretrain"]
    assert modes.throughput_pu(job, Way(f"cap_{cap_w / 1055:.4g}")) == pytest.approx(published, abs=0.002)


@pytest.mark.parametrize(
    ("mean_w", "plateau_w", "measured"),
    [
        (146, 227, 0.759), (169, 227, 0.881), (189, 227, 0.937), (211, 227, 0.977),
        (144, 218, 0.842), (165, 218, 0.914), (182, 218, 0.950), (203, 218, 0.982),
        (167, 266, 0.726), (189, 266, 0.906), (211, 266, 0.941), (231, 266, 0.982),
        (157, 234, 0.854), (175, 234, 0.923), (193, 234, 0.979), (208, 234, 0.994),
    ],
)  # fmt: skip
def test_the_caps_of_measured_training_cost_no_more_than_the_curve(
    mean_w: float, plateau_w: float, measured: float
) -> None:
    """BERT and ResNet-50 to a fixed epoch on V100 and A40: power-limit sweeps of zeus (75a8b93)."""
    job = codesign.load(HALL).jobs["pretrain"]
    assert modes.throughput_pu(job, Way(f"cap_{mean_w / plateau_w:.4g}")) <= measured + 0.01


def test_lost_work_is_gpu_hours_times_their_price() -> None:
    """One job of 36 racks of 72 GPUs at 1 % slack, and its own figure for a cap."""
    site = codesign.load(HALL).with_(
        {
            "jobs.pretrain.modes": ["baseline", "cap_0.9"], "jobs.pretrain.throughput_pu": {"cap_0.9": 0.98},
            "jobs.pretrain.lost_work_usd_per_gpu_h": 2.0,
        }
    )  # fmt: skip
    whole = 36 * 72 * 8760 * 2.0
    lost = modes.lost_work_usd_per_year(site, "pretrain", Way("baseline", True, 0.01, 0.1))
    assert lost == pytest.approx(whole * 0.01 / 1.01)
    assert modes.lost_work_usd_per_year(site, "pretrain", Way("cap_0.9")) == pytest.approx(whole * 0.02)
    assert modes.lost_work_usd_per_year(site, "pretrain", Way("baseline", False)) == 0.0


# mixes


def menu_site(seed: int) -> Site:
    """A small site whose jobs have modes and locks to choose from."""
    draw = random.Random(seed + 1000)
    changes: dict[str, Any] = {
        **ANYWHERE,
        "jobs.pretrain.modes": draw.choice(
            [["baseline", "floor_0.9"], ["baseline", "cap_0.85"], ["baseline", "cap_0.9", "floor_0.8"]]
        ),
        "jobs.tune.modes": draw.choice([["baseline"], ["baseline", "cap_0.8"]]),
        "jobs.pretrain.lost_work_usd_per_gpu_h": draw.choice([0.02, 0.1, 0.2, 1.0]),
        "jobs.tune.lost_work_usd_per_gpu_h": draw.choice([0.02, 0.1, 0.2, 1.0]),
    }
    if draw.random() < 0.5:
        changes["jobs.pretrain.locks"] = [
            {"slack_pu": 0.001, "jitter_s": 1.0}, {"slack_pu": 0.01, "jitter_s": 0.0},
        ]  # fmt: skip
    return random_site(seed).with_(changes)


def test_every_mix_is_counted_once() -> None:
    """Two copies over three ways, one over two: 6 x 2."""
    site = random_site(0).with_(
        {
            **ANYWHERE, "jobs.pretrain.count": 2, "jobs.pretrain.modes": ["baseline", "floor_0.8", "cap_0.9"],
            "jobs.tune.modes": ["baseline", "cap_0.9"],
        }
    )  # fmt: skip
    found = list(modes.mixes(site))
    assert len(found) == len(set(found)) == 12
    for mix in found:
        assert {name: sum(n for _, n in each) for name, each in mix} == {"pretrain": 2, "tune": 1}


def test_a_schedule_keeps_its_copies_through_a_running_site_and_back() -> None:
    site = codesign.load(HALL).with_({"jobs.midtrain.modes": ["baseline", "floor_0.9"]})
    ways = {name: modes.ways(job)[0] for name, job in site.jobs.items()}
    mix = dict(modes.uniform(site, ways)) | {"midtrain": ((Way("baseline"), 1), (Way("floor_0.9"), 2))}
    running = modes.running(site, tuple(mix.items()))
    assert modes.decided(running)
    assert {name: job.count for name, job in running.jobs.items() if "midtrain" in name} == {
        "midtrain~1": 1, "midtrain~2": 2,
    }  # fmt: skip
    rows = [
        workload.assignment(running, name, copy, workload.placements(running, name)[copy % 4])
        for name, job in running.jobs.items()
        for copy in range(job.count)
    ]
    asked = modes.as_asked(site, codesign.design.Schedule(rows))
    assert [(row.copy, row.mode) for row in asked if row.job == "midtrain"] == [
        (0, "baseline"), (1, "floor_0.9"), (2, "floor_0.9"),
    ]  # fmt: skip
    again, schedule = modes.as_run(site, asked)
    assert again == running
    assert list(schedule) == rows


def test_a_job_with_a_choice_has_no_level() -> None:
    site = codesign.load(HALL).with_({"jobs.tune.modes": ["baseline", "floor_0.9"]})
    with pytest.raises(ValueError, match="several ways"):
        workload.profile(site.jobs["tune"], site)


@pytest.mark.parametrize("seed", range(20))
def test_the_least_of_a_span_draws_no_more_than_any_of_it_copy_by_copy(seed: int) -> None:
    draw = random.Random(seed)
    site = codesign.load(HALL).with_(
        {"jobs.tune.count": draw.randint(1, 4), "jobs.tune.modes": ["baseline", "cap_0.95", "floor_0.93"]}
    )
    sets = mixing.Sets(site, Setting(34.0, 4.0))
    counts = sets.all["tune"]
    first = draw.randrange(len(counts))
    span = (first, draw.randrange(first, len(counts)))

    def copies(of: tuple[int, ...]) -> np.ndarray:
        return np.repeat(sets.mw["tune"], of)

    least = copies(sets.least("tune", span))
    assert len(least) == site.jobs["tune"].count
    for each in counts[span[0] : span[1] + 1]:
        assert (least <= copies(each) + 1e-12).all()


def test_wrong_modes_and_locks_are_refused() -> None:
    site = codesign.load(HALL)
    lock = {"slack_pu": 0.01, "jitter_s": 0.1}
    for changes, said in (
        ({"jobs.tune.modes": ["floor_1.5"]}, "floor_X"),
        ({"jobs.tune.modes": ["cap_0.0"]}, "above 0"),
        ({"jobs.tune.locks": [lock], "jobs.tune.jitter_s": 0.1}, "either locks"),
        ({"jobs.tune.locks": [lock, {**lock, "jitter_s": 0.0}]}, "different slack_pu"),
        ({"jobs.tune.locks": [{**lock, "jitter_s": 4.0}]}, "below period_s"),
        ({"jobs.tune.throughput_pu": {"cap_0.5": 0.5}}, "modes that the job has"),
    ):
        with pytest.raises(InputError, match=said):
            site.with_(changes)


# plans


def solved(site: Site) -> Plan:
    plan = codesign.plan(site, gap=1e-7)
    assert plan.solved, plan.reason
    return plan


def bracket(site: Site) -> None:
    """Every mix for itself, by the joint model, against the split's bound and cost."""
    least = bound = float("inf")
    for mix in modes.mixes(site):
        one = codesign.plan(modes.running(site, mix), gap=1e-6)
        least = min(least, one.cost_usd_per_year or float("inf"))
        bound = min(bound, one.bound_usd_per_year or float("inf"))
    apart = codesign.plan(site.with_({"solver.method": "split"}), gap=1e-6)
    if not apart.solved:
        assert least == float("inf") or apart.outcome is not codesign.Outcome.INFEASIBLE
        return
    assert (apart.bound_usd_per_year or 0.0) <= least * (1 + 1e-6)
    assert bound <= (apart.cost_usd_per_year or 0.0) * (1 + 1e-6)


def test_the_bound_holds_over_every_mix() -> None:
    bracket(
        random_site(3).with_(
            {
                **ANYWHERE, "jobs.pretrain.count": 1, "jobs.pretrain.modes": ["baseline", "cap_0.85"],
                "jobs.pretrain.lost_work_usd_per_gpu_h": 0.1, "jobs.tune.modes": ["baseline", "floor_0.9"],
            }
        )
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25))
def test_the_bound_holds_over_every_mix_of_more_sites(seed: int) -> None:
    bracket(menu_site(seed))


def test_a_bound_is_raised_where_modes_differ_much() -> None:
    """At 1 USD per GPU-hour no cap pays: the bound must see that, not stay at the capped load."""
    site = random_site(1).with_(
        {**ANYWHERE, "jobs.pretrain.modes": ["baseline", "cap_0.6"], "solver.method": "split"}
    )
    plan = solved(site)
    plain = solved(site.with_({"jobs.pretrain.modes": ["baseline"]}))
    assert {row.mode for row in plan.schedule} == {"baseline"}
    assert plan.cost_usd_per_year == pytest.approx(plain.cost_usd_per_year, rel=1e-9)
    assert (plan.bound_usd_per_year or 0.0) >= (plain.bound_usd_per_year or 0.0) * (1 - 1e-3)


def test_caps_are_for_work_that_is_worth_little() -> None:
    site = random_site(3).with_(
        {**ANYWHERE, "jobs.pretrain.modes": ["baseline", "cap_0.85"], "solver.method": "split"}
    )
    dear = solved(site.with_({"jobs.pretrain.lost_work_usd_per_gpu_h": 1.0}))
    cheap = solved(site.with_({"jobs.pretrain.lost_work_usd_per_gpu_h": 0.02}))
    assert "cap_0.85" not in {row.mode for row in dear.schedule}
    assert "cap_0.85" in {row.mode for row in cheap.schedule}
    assert (cheap.it_mw or 0.0) < (dear.it_mw or 0.0)
    (lost,) = (item.usd_per_year for item in cheap.cost_items if item.name == "lost_work")
    assert lost > 0.0


@pytest.mark.parametrize(("usd_per_gpu_h", "held"), [(1.0, True), (10.0, False)])
def test_a_lock_or_a_storage(usd_per_gpu_h: float, held: bool) -> None:
    """The same site: where work is worth 1 USD an hour a gate is cheaper than a storage, at 10 it is not."""
    site = random_site(3).with_(
        {
            **ANYWHERE, **CALM_STOPS, "jobs.pretrain.count": 2,
            "jobs.pretrain.lost_work_usd_per_gpu_h": usd_per_gpu_h,
            "jobs.pretrain.locks": [{"slack_pu": 0.003, "jitter_s": 0.5}],
            "equipment.storage.power_mw": [0.0, 0.03, 0.08, 0.16, 0.3],
            "equipment.storage.energy_mwh": [0.0, 0.0004, 0.002], "solver.method": "split",
        }
    )  # fmt: skip
    plan = solved(site)
    locked = [row.locked for row in plan.schedule if row.job == "pretrain"]
    assert any(locked) is held
    assert (plan.sizes["storage_power"].value == 0.0) is held
    unlocked = solved(site.with_({"jobs.pretrain.locks": [], "jobs.pretrain.locked": False}))
    gates = solved(
        site.with_(
            {"jobs.pretrain.locks": [], "jobs.pretrain.slack_pu": 0.003, "jobs.pretrain.jitter_s": 0.5}
        )
    )
    least = min(unlocked.cost_usd_per_year or 0.0, gates.cost_usd_per_year or 0.0)
    assert (plan.cost_usd_per_year or 0.0) <= least * (1 + 1e-7)


def test_more_jitter_is_never_cheaper() -> None:
    site = random_site(3).with_(
        {**ANYWHERE, **CALM_STOPS, "jobs.pretrain.count": 2, "poi.allocated_share": 0.03}
    )
    costs = [
        solved(site.with_({"jobs.pretrain.jitter_s": jitter_s})).cost_usd_per_year or 0.0
        for jitter_s in (0.0, 0.5, 2.0, 3.0)
    ]
    for less, more in itertools.pairwise(costs):
        assert more >= less * (1 - 1e-9)
    assert costs[-1] > costs[0]


def _offered(site: Site) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return site.equipment.cooling.fws_supply_c, site.equipment.cdu.approach_k


def test_the_audit_finds_a_mixed_plan_again() -> None:
    """Two copies of a job in two ways: levels, lost work and limits by the audit's own arithmetic."""
    site = random_site(3).with_(
        {
            **ANYWHERE, "jobs.pretrain.count": 2, "solver.method": "split",
            "jobs.pretrain.modes": ["baseline", "floor_0.9", "cap_0.85"],
            "jobs.pretrain.locks": [{"slack_pu": 0.001, "jitter_s": 0.5}],
        }
    )  # fmt: skip
    mix = dict(modes.uniform(site, {name: modes.ways(job)[0] for name, job in site.jobs.items()}))
    mix["pretrain"] = (Way("cap_0.85", True, 0.001, 0.5), 1), (Way("floor_0.9", False), 1)
    one = solved(modes.running(site, tuple(mix.items())))
    plan = replace(one, site_name=site.name, schedule=modes.as_asked(site, one.schedule))
    assert plan.setting is not None
    exact = evaluation.evaluate(site, plan.setting, plan.sizes, plan.schedule)
    assert exact.cost_usd_per_year == pytest.approx(one.cost_usd_per_year, rel=1e-12)
    settings = [Setting(t, a) for t, a in itertools.product(*_offered(site))]
    fixed = bound.unavoidable_usd_per_year(mixing.lightest(site), settings)
    plan = replace(plan, fixed_usd_per_year=fixed)  # of the site, whatever the mix
    design = unchecked(site, plan)
    verdict = codesign.audit(design)
    assert {breach.limit for breach in verdict.breaches} == {"scenario", "outcome"}, str(verdict)
    other = [replace(row, slack_pu=0.5 * row.slack_pu) for row in plan.schedule]
    tampered = replace(design, plan=replace(plan, schedule=codesign.design.Schedule(other)))
    assert "schedule" in {breach.limit for breach in codesign.audit(tampered).breaches}


def test_the_joint_model_refuses_more_mixes_than_it_can_try() -> None:
    site = codesign.load(HALL).with_(
        {"solver.method": "joint", "jobs.tune.modes": [f"floor_{x / 100:g}" for x in range(80, 90)]}
    )
    with pytest.raises(InputError, match="split"):
        codesign.plan(site)


def test_the_leak_of_a_smaller_flow_is_taken_off_the_bound() -> None:
    """Where caps lower the flow, the racks that no cap reaches leak more."""
    site = random_site(1).with_({**ANYWHERE, "jobs.pretrain.modes": ["baseline", "cap_0.6"]})
    setting = Setting(34.0, 4.0)
    sets = mixing.Sets(site, setting)
    lightest = mixing.lightest(site)
    heaviest = sets.running({name: each[-1] for name, each in sets.all.items()})
    assert mixing._leak_usd(sets, setting, heaviest) == 0.0
    assert mixing._leak_usd(sets, setting, lightest) >= 0.0
