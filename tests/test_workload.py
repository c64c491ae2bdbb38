"""Workload: profiles, placements, superposition, events, the window rule's filter. All checks are closed form
or our own brute force unless they say otherwise."""

from pathlib import Path

import numpy as np
import pytest
from scipy import signal

from codesign import window, workload
from codesign.errors import InputError
from codesign.site import Site, load
from codesign.workload import Placement

TOY = Path(__file__).parent.parent / "instances" / "toy_1mw"


GIVEN = {
    "clock.step_s": 1.0,
    "clock.offset_slot_s": 1.0,
    "clock.event_slot_s": 10.0,
    "clock.macro_s": 100.0,
    "poi.allocated_share": 0.02,
    "poi.window_s": 5.0,
    "jobs.pretrain.racks": 3,
    "jobs.pretrain.period_s": 10.0,
    "jobs.pretrain.plateau_pu": 0.95,
    "jobs.pretrain.events": [
        {"kind": "checkpoint", "interval_s": 100.0, "duration_s": 16.0, "level_pu": 0.28}
    ],
    "jobs.tune.period_s": 5.0,
    "jobs.tune.plateau_pu": 0.95,
    "jobs.tune.phases": [
        {"name": "compute", "share": 0.8, "level_pu": 1.0},
        {"name": "communicate", "share": 0.2, "level_pu": 0.7},
    ],
}
"""What the numbers below rest on, whatever the toy becomes."""


@pytest.fixture(scope="module")
def toy() -> Site:
    return load(TOY).with_(GIVEN)


@pytest.fixture(scope="module")
def fine() -> Site:
    """The toy at a step that every bin of the measured profile is a multiple of."""
    return load(TOY).with_(GIVEN | {"clock.step_s": 10 / 540})


# profile


def test_measured_profile_keeps_the_bins(fine: Site) -> None:
    bins = np.array(fine.series.profiles["training_notch.csv"]["power_pu"])
    level = workload.profile(fine.jobs["pretrain"], fine)
    assert level == pytest.approx(np.repeat(0.95 * bins, 10), rel=1e-9)


def test_resampling_keeps_the_mean(toy: Site, fine: Site) -> None:
    for name, job in toy.jobs.items():
        coarse = workload.profile(job, toy)
        assert len(coarse) == job.period_s / toy.clock.step_s
        assert coarse.mean() == pytest.approx(workload.profile(fine.jobs[name], fine).mean(), rel=1e-9)


def test_named_phases(toy: Site) -> None:
    level = workload.profile(toy.jobs["tune"], toy)
    assert level == pytest.approx([0.95, 0.95, 0.95, 0.95, 0.7 * 0.95], rel=1e-12)


def test_a_phase_inside_a_step_is_averaged(toy: Site) -> None:
    site = toy.with_({"jobs.tune.phases.0.share": 0.7, "jobs.tune.phases.1.share": 0.3})
    level = workload.profile(site.jobs["tune"], site)
    assert level == pytest.approx([0.95, 0.95, 0.95, 0.85 * 0.95, 0.7 * 0.95], rel=1e-12)


def test_quantiles_bracket_the_profile(toy: Site) -> None:
    spread = workload.quantiles(toy.jobs["pretrain"], toy)
    assert list(spread) == ["p05", "p25", "p50", "p75", "p95"]
    stack = np.array(list(spread.values()))
    assert (np.diff(stack, axis=0) >= 0).all()
    level = workload.profile(toy.jobs["pretrain"], toy)
    assert ((spread["p05"] <= level) & (level <= spread["p95"])).all()
    assert workload.quantiles(toy.jobs["tune"], toy) == {}


@pytest.mark.parametrize(("jobs", "percent"), [(2, 11.7), (3, 7.9), (4, 4.9), (6, 2.5)])
def test_even_offsets_flatten_the_measured_profile(fine: Site, jobs: int, percent: float) -> None:
    """Peak to peak of the sum over its mean; our own calculation, kept."""
    level = workload.profile(fine.jobs["pretrain"], fine)
    total = sum(np.roll(level, round(i * len(level) / jobs)) for i in range(jobs))
    assert 100 * np.ptp(total) / np.mean(total) == pytest.approx(percent, abs=0.5)


# placements


def test_placements_count_offsets_inside_slots(toy: Site) -> None:
    places = workload.placements(toy, "pretrain")
    assert places[0] == Placement(0.0, (0.0,))
    assert places[1] == Placement(1.0, (0.0,))
    assert places[10] == Placement(0.0, (10.0,))
    assert len(places) == len(set(places)) == 10 * 10
    assert [p.offset_s for p in workload.placements(toy, "tune")] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert {p.event_slots for p in workload.placements(toy, "tune")} == {()}


def test_every_kind_of_event_has_its_own_slot(toy: Site) -> None:
    site = _with_evaluation(toy)
    places = workload.placements(site, "pretrain")
    assert len(places) == 10 * 10 * 5
    assert places[0].event_slots == (0.0, 0.0)
    assert places[10].event_slots == (0.0, 10.0)
    assert places[50].event_slots == (10.0, 0.0)


def test_placement_and_assignment_agree(toy: Site) -> None:
    site = _with_evaluation(toy)
    for place in workload.placements(site, "pretrain")[::7]:
        assigned = workload.assignment(site, "pretrain", 1, place)
        assert (assigned.copy, assigned.offset_s, assigned.pod) == (1, place.offset_s, "a")
        assert [kind for kind, _ in assigned.events] == ["checkpoint", "evaluation"]
        assert [start for _, start in assigned.events] == [place.offset_s + s for s in place.event_slots]
        expected = workload.template_mw(site, "pretrain", place)
        assert np.array_equal(workload.assignment_mw(site, assigned), expected)
        level = workload.levels(site, (assigned,))["pretrain", 1]
        assert level * 3 * 0.132 == pytest.approx(expected, rel=1e-14)


def test_too_many_placements_are_refused(toy: Site) -> None:
    site = _with_evaluation(toy).with_({"clock.event_slot_s": 10.0, "clock.macro_s": 900.0})
    events = [
        {"kind": f"kind_{i}", "interval_s": 900.0, "duration_s": 16.0, "level_pu": 0.3} for i in range(3)
    ]
    with pytest.raises(InputError, match="placements"):
        workload.placements(site.with_({"jobs.pretrain.events": events}), "pretrain")


# power


def test_a_shift_is_a_roll(toy: Site) -> None:
    first = workload.template_mw(toy, "pretrain", Placement(0.0, (20.0,)))
    shifted = workload.template_mw(toy, "pretrain", Placement(3.0, (20.0,)))
    assert np.array_equal(shifted, np.roll(first, 3))


def test_jobs_superpose(toy: Site) -> None:
    schedule = tuple(
        workload.assignment(toy, name, copy, workload.placements(toy, name)[index])
        for name, copy, index in (("pretrain", 0, 0), ("pretrain", 1, 57), ("tune", 0, 3))
    )
    total = sum(workload.assignment_mw(toy, a) for a in schedule)
    found = workload.levels(toy, schedule)
    by_hand = np.zeros(workload.macro_steps(toy))
    for (job, _), level in found.items():
        by_hand += toy.jobs[job].racks * 0.132 * level
    assert total == pytest.approx(by_hand, rel=1e-14)


def test_an_event_holds_its_level_from_its_boundary(toy: Site) -> None:
    shape = workload.profile(toy.jobs["pretrain"], toy)
    level = workload.template_mw(toy, "pretrain", Placement(4.0, (90.0,))) / (3 * 0.132)
    plain = [shape[(k - 4) % 10] for k in range(100)]
    held = [(94 + k) % 100 for k in range(16)]
    for k in range(100):
        assert level[k] == pytest.approx(0.28 * 0.95 if k in held else plain[k], rel=1e-12)


def test_a_frequent_event_repeats(toy: Site) -> None:
    level = workload.template_mw(_with_evaluation(toy), "pretrain", Placement(0.0, (0.0, 20.0))) / (3 * 0.132)
    held = np.flatnonzero(np.isclose(level, 0.5 * 0.95, rtol=1e-12))
    assert held.tolist() == [20, 21, 22, 23, 24, 70, 71, 72, 73, 74]


def test_mean_level_counts_events(toy: Site) -> None:
    shape = workload.profile(toy.jobs["pretrain"], toy)
    by_hand = (8 * shape.sum() + shape[6:].sum() + 16 * 0.28 * 0.95) / 100
    assert workload.mean_level(toy.jobs["pretrain"], toy) == pytest.approx(by_hand, rel=1e-12)
    for place in workload.placements(toy, "pretrain")[::9]:
        mean = workload.template_mw(toy, "pretrain", place).mean() / (3 * 0.132)
        assert mean == pytest.approx(by_hand, rel=1e-12)


def test_arrays_are_cached_and_read_only(toy: Site) -> None:
    place = Placement(2.0, (30.0,))
    power = workload.template_mw(toy, "pretrain", place)
    assert power is workload.template_mw(load(TOY).with_(GIVEN), "pretrain", place)
    with pytest.raises(ValueError, match="read-only"):
        power[0] = 0.0


# window rule


def test_coefficient(toy: Site) -> None:
    assert window.high_pass_coefficient(toy) == pytest.approx(
        np.exp(-0.2 * np.pi * toy.clock.step_s), rel=1e-15
    )


def test_filter_is_exact_just_after_the_jumps_of_a_held_power(toy: Site) -> None:
    a, w = window.high_pass_coefficient(toy), 0.2 * np.pi
    p = np.array([0.0, 1.0, 1.0, 0.4, 0.4, 0.4, 0.9])
    jumps, t = np.diff(p, prepend=0.0), np.arange(len(p)) * toy.clock.step_s
    expected = [sum(jumps[: k + 1] * np.exp(-w * (t[k] - t[: k + 1]))) for k in range(len(p))]
    assert window.high_pass(p, 0.0, a) == pytest.approx(expected, abs=1e-14)


def test_filter_is_the_transfer_function() -> None:
    p, a = np.random.default_rng(1).normal(size=300), 0.9
    expected = signal.lfilter([1, -1], [1, -a], p - p[0])
    assert window.high_pass(p, 0.0, a) == pytest.approx(expected, abs=1e-13)


def test_filter_is_the_recursion() -> None:
    p, a, y = np.random.default_rng(2).normal(size=50), 0.7, [0.3]
    for k in range(1, len(p)):
        y.append(a * y[-1] + p[k] - p[k - 1])
    assert window.high_pass(p, 0.3, a) == pytest.approx(y, abs=1e-14)
    assert len(window.high_pass([], 0.0, a)) == 0


@pytest.mark.parametrize("order", [1, 2, 3])
def test_periodic_filter_is_the_settled_one(toy: Site, order: int) -> None:
    site = toy.with_({"poi.filter_order": order})
    p = workload.template_mw(site, "pretrain", Placement(3.0, (40.0,)))
    a, settled = window.high_pass_coefficient(site), np.tile(p, 5)
    for _ in range(order):
        settled = signal.lfilter([1, -1], [1, -a], settled)
    assert window.high_pass_periodic(p, site) == pytest.approx(settled[-len(p) :], abs=1e-13)


def test_periodic_filter_is_linear_and_drops_the_mean(toy: Site) -> None:
    one, two = np.random.default_rng(3).normal(size=(2, 100))
    both = window.high_pass_periodic(2 * one - two + 7.0, toy)
    apart = 2 * window.high_pass_periodic(one, toy) - window.high_pass_periodic(two, toy)
    assert both == pytest.approx(apart, abs=1e-13)
    assert window.high_pass_periodic(np.full(100, 5.0), toy) == pytest.approx(np.zeros(100), abs=1e-13)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize(
    ("window_s", "step_s"), [(5.0, 0.5), (5.0, 2.0), (0.3, 0.1), (0.5, 1.0), (500.0, 1.0)]
)
def test_window_range_is_the_brute_one(window_s: float, step_s: float, periodic: bool) -> None:
    y = np.random.default_rng(4).normal(size=60).cumsum()
    worst = 0.0
    for k in range(len(y)):
        for lag in range(len(y)):
            if lag * step_s <= window_s + 1e-9 and (periodic or k + lag < len(y)):
                worst = max(worst, abs(y[(k + lag) % len(y)] - y[k]))
    assert window.range_mw(y, window_s, step_s, periodic=periodic) == worst


@pytest.mark.parametrize(("jobs", "percent"), [(2, 11.7), (3, 7.9), (4, 4.9), (6, 2.5)])
def test_evenly_offset_jobs_calm_the_sum_and_hardly_lower_its_peak(
    toy: Site, jobs: int, percent: float
) -> None:
    """The measured iteration, folded: peak to peak of n equal jobs in per cent of their mean; published."""
    shape = np.repeat(np.asarray(toy.series.profiles["training_notch.csv"]["power_pu"], float), 2)
    total = np.sum([np.roll(shape, round(len(shape) * i / jobs)) for i in range(jobs)], axis=0)
    assert 100 * np.ptp(total) / total.mean() == pytest.approx(percent, abs=0.5)
    assert 1.0 < total.max() / total.mean() < shape.max() / shape.mean() < 1.04


def test_the_quiet_moment_is_the_brute_one(toy: Site) -> None:
    """Every stop on a fine grid: none keeps farther from events, the beginning and the end."""
    slots = [workload.Placement(0.0, (0.0,)), workload.Placement(4.0, (60.0,))]
    schedule = tuple(workload.assignment(toy, "pretrain", copy, place) for copy, place in enumerate(slots))
    edges = [start + add for a in schedule for _, start in a.events for add in (0.0, 16.0)]

    def apart(stop: float) -> float:
        around = [abs((moment - edge + 50) % 100 - 50) for moment in (stop, stop + 40) for edge in edges]
        return min(*around, stop, 60 - stop)

    found = workload.quiet_moment_s(toy, schedule, 40.0, 100.0)
    assert apart(found) == max(apart(float(stop)) for stop in range(61))


def test_window_of_the_draft_rule(toy: Site) -> None:
    assert window.limit_mw(toy) == pytest.approx(0.2, rel=1e-15)
    assert window.steps(toy) == 5


def test_what_the_profile_does_not_resolve(toy: Site) -> None:
    site = toy.with_({"jobs.pretrain.averaging_s": 2.0})
    assert workload.not_resolved_hz(site) == 0.25


def _with_evaluation(site: Site) -> Site:
    """The toy with a second kind of event, twice a macro period."""
    events = [
        {"kind": "checkpoint", "interval_s": 100.0, "duration_s": 16.0, "level_pu": 0.28},
        {"kind": "evaluation", "interval_s": 50.0, "duration_s": 5.0, "level_pu": 0.5},
    ]
    return site.with_({"jobs.pretrain.events": events})
