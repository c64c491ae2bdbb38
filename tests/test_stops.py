"""A job that stops at any moment: the law against programmes written out here and hand arithmetic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog
from tiny import TOY

import codesign
from codesign import catalogue, smoothing, streams, window, workload
from codesign.design import Schedule
from codesign.stops import course, programme, recovery, worst

pytestmark = pytest.mark.slow

ETA = 0.975


def toy(order: int = 1) -> codesign.Site:
    return codesign.load(TOY).with_({"poi.filter_order": order})


def drawn(site: codesign.Site, seed: int, own: course.Store) -> tuple[course.Course, course.Fall]:
    """A periodic course with a storage that follows nothing in particular, and the fall of a notched job."""
    draw = np.random.default_rng(seed)
    steps = workload.macro_steps(site)
    load = 0.9 + 0.1 * np.repeat(draw.random(steps // 5), 5)
    power = draw.uniform(-0.3, 0.3, steps) * own.power_mw
    stored = np.full(steps, 0.5 * own.usable_mj) + 0.2 * own.usable_mj * draw.uniform(-1.0, 1.0, steps)
    charge, discharge = np.maximum(power, 0.0), np.maximum(-power, 0.0)
    soc = stored / 3600.0
    dispatch = {"charge_mw": charge, "discharge_mw": discharge, "soc_mwh": soc}
    fall = course.Fall("job", 0, 1, 0.25 * np.repeat(draw.random(steps // 2), 2))
    return course.course(site, load, dispatch), fall


def best_spare_mw(site: codesign.Site, planned: course.Course, fall: np.ndarray, slot: int, own: course.Store,
                  horizon: int) -> float:  # fmt: skip
    """The law as it is written: every y an explicit sum over the steps since the beginning, no filter states.

    The filter is linear: what storage and stop add to the planned course is filtered from rest.
    """
    steps, h = len(planned.load_mw), site.clock.step_s
    a = math.exp(-2 * math.pi * 0.1 * h)
    response = np.zeros(horizon)
    response[0] = 1.0  # of a unit impulse in n
    for _ in range(site.poi.filter_order):
        out, before, y = [], 0.0, 0.0
        for value in response:
            y = a * y + value - before
            before = value
            out.append(y)
        response = np.array(out)
    steps_of = [(slot + t) % steps for t in range(horizon)]
    planned_y = np.array([planned.filtered_mw[-1][k] for k in steps_of])
    # columns c, d, v; what is added to the planned net power: c - d - planned storage - fall
    known = np.array([-planned.planned_mw[k] - fall[k] for k in steps_of])
    into = np.array([[response[t - i] if i <= t else 0.0 for i in range(horizon)] for t in range(horizon)])
    constant = planned_y + into @ known
    matrix: list[np.ndarray] = []
    right: list[float] = []
    room, window_steps = window.room_mw(site), round(site.poi.window_s / h)
    for t in range(horizon):
        row = np.concatenate([into[t], -into[t], [0.0]])
        for lag in range(1, window_steps + 1):
            if lag <= t:
                other, base = np.concatenate([into[t - lag], -into[t - lag], [0.0]]), constant[t - lag]
            else:
                other, base = np.zeros(2 * horizon + 1), planned.filtered_mw[-1][(slot + t - lag) % steps]
            for sign in (1.0, -1.0):
                matrix.append(sign * (row - other) - np.concatenate([np.zeros(2 * horizon), [1.0]]))
                right.append(room - sign * (constant[t] - base))
    flow = np.tril(np.ones((horizon, horizon))) * h
    energy = np.hstack([own.charged * flow, -own.discharged * flow, np.zeros((horizon, 1))])
    matrix += [*energy, *(-energy)]
    start = planned.stored_mj[slot]
    right += [own.usable_mj - start] * horizon + [start] * horizon
    bounds = [(0.0, own.power_mw)] * (2 * horizon) + [(None, None)]
    cost = np.concatenate([np.zeros(2 * horizon), [1.0]])
    answer = linprog(cost, A_ub=np.array(matrix), b_ub=np.array(right), bounds=bounds)
    assert answer.status == 0
    return -float(answer.fun)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_least_excess_is_that_of_the_programme_written_out(order: int) -> None:
    site, own = toy(order), course.Store(0.12, 0.9, ETA, 1 / ETA)
    solver = programme.Recovery(site, own)
    horizon = course.steps(site)
    assert horizon == 5 + math.ceil(order * math.log(20) / (2 * math.pi * 0.1))
    for seed in range(3):
        planned, fall = drawn(site, seed, own)
        for slot in (0, 3, 41, 98):
            excess, cut = solver.least(planned, fall, slot)
            assert -excess == pytest.approx(
                best_spare_mw(site, planned, fall.mw, slot, own, horizon), abs=1e-7
            )
            assert cut.value(programme.quantities(planned, fall, own, cut)) == pytest.approx(excess, abs=1e-7)


@pytest.mark.parametrize("order", [1, 2])
def test_a_greedy_recovery_is_a_proof_and_finds_most(order: int) -> None:
    site, own = toy(order), course.Store(0.15, 1.2, ETA, 1 / ETA)
    solver, room = programme.Recovery(site, own), window.room_mw(site)
    kept = possible = 0
    for seed in range(4):
        planned, fall = drawn(site, seed, own)
        well = recovery.holds(site, planned, fall, own, room)
        spare = np.array([-solver.least(planned, fall, k)[0] for k in range(100)])
        assert (spare[well] >= -1e-8).all()
        kept, possible = kept + int(well.sum()), possible + int((spare >= 0.0).sum())
    assert 0.7 * possible <= kept < 400


@pytest.mark.parametrize("order", [1, 2])
def test_a_cut_holds_for_every_other_course_and_storage(order: int) -> None:
    """The dual of one stop bounds the excess of others: other course, stored energy, sizes and fall."""
    site = toy(order)
    own = course.Store(0.1, 0.5, ETA, 1 / ETA)
    cuts = [(k, programme.Recovery(site, own).least(*drawn(site, 7, own), k)[1]) for k in (2, 10, 57)]
    tight = 0
    for seed, power, usable in ((1, 0.05, 0.2), (2, 0.1, 0.5), (3, 0.3, 1.5)):
        other = course.Store(power, usable, ETA, 1 / ETA)
        planned, fall = drawn(site, seed, other)
        solver = programme.Recovery(site, other)
        for slot, cut in cuts:
            excess, _ = solver.least(planned, fall, slot)
            bound = cut.value(programme.quantities(planned, fall, other, cut))
            assert bound <= excess + 1e-8
            tight += bound > excess - 0.2
    assert tight >= 3


def test_a_stop_of_a_flat_job_takes_its_fall_beyond_the_room_at_once() -> None:
    """By hand: y falls by the fall at once, the room is allowed, the storage must take the rest in."""
    site = toy()
    flat = np.full(100, 1.0)
    calm = {"charge_mw": np.zeros(100), "discharge_mw": np.zeros(100), "soc_mwh": np.zeros(100)}
    planned, room = course.course(site, flat, calm), window.room_mw(site)
    fall = course.Fall("job", 0, 1, np.full(100, room + 0.05))
    for power, expected in ((0.05, 0.0), (0.04, -0.01), (0.0, -0.05)):
        own = course.Store(power, 3.6, 1.0, 1.0)
        found = worst.worst(site, planned, (fall,), own)[0]
        assert found.spare_mw == pytest.approx(expected, abs=1e-7)
    a = math.exp(-2 * math.pi * 0.1)
    # held at the room's end, y gives back a share 1 - a of the room a step: 0.05 of charge is over in one
    assert (1 - a) * room > 0.05
    for usable, holds in ((0.05, True), (0.049, False)):
        own = course.Store(0.05, usable, 1.0, 1.0)
        assert bool(recovery.holds(site, planned, fall, own, room).all()) is holds
        spare = worst.worst(site, planned, (fall,), own)[0].spare_mw
        assert (spare >= 0.0) is holds


def test_the_worst_slot_is_the_least_over_all_slots() -> None:
    site, own = toy(), course.Store(0.12, 0.6, ETA, 1 / ETA)
    for seed in range(3):
        planned, fall = drawn(site, seed, own)
        found = worst.worst(site, planned, (fall,), own)[0]
        horizon = course.steps(site)
        each = [best_spare_mw(site, planned, fall.mw, k, own, horizon) for k in range(100)]
        assert found.spare_mw == pytest.approx(min(each), abs=2e-7)
        assert each[found.slot] == pytest.approx(min(each), abs=2e-6)


def test_equal_copies_are_one_class_and_shares_of_a_fall_are_covered() -> None:
    site = toy()
    places = workload.placements(site, "pretrain")
    rows = [workload.assignment(site, "pretrain", copy, places[0]) for copy in range(2)]
    rows.append(workload.assignment(site, "tune", 0, workload.placements(site, "tune")[0]))
    found = course.falls(site, Schedule(rows))
    assert [(each.job, each.count) for each in found] == [("pretrain", 2), ("tune", 1)]
    assert found[0].mw.max() == pytest.approx(3 * 0.12 * (workload.profile(site.jobs["pretrain"], site).max()
                                                         - 0.33 * 0.95), rel=0.2)  # fmt: skip
    half = course.Fall("half", 0, 1, 0.5 * found[0].mw)
    other = course.Fall("other", 0, 1, np.roll(0.5 * found[0].mw, 3))
    covered = course.shares_of_larger((found[0], half, other), 10)
    assert covered[1].all()
    assert not covered[0].any()
    assert not covered[2].all()


def test_a_dispatch_is_planned_for_stops_and_costs_loss() -> None:
    """With storage for it, a dispatch planned for stops holds all of them; one that is not holds few."""
    site = toy()
    rows: list[Any] = []
    for name, job in site.jobs.items():
        rows += [
            workload.assignment(site, name, copy, workload.placements(site, name)[0])
            for copy in range(job.count)
        ]
    schedule = Schedule(rows)
    part = catalogue.build(site, "storage", "supercap-row")
    found = course.falls(site, schedule)
    made = {}
    for stops in ((), found):
        plan = smoothing.dispatch(
            site,
            streams.of(site, schedule),
            part,
            power_mw=0.3,
            energy_mwh=0.0013,
            other_mw=-np.inf,
            stops=stops,
        )
        own = course.store(part, 0.3, 0.0013)
        planned = course.course(site, course.load_mw(site, schedule), plan.columns, part.soc_min_pu * 0.0013)
        spare = [
            best_spare_mw(site, planned, fall.mw, k, own, course.steps(site))
            for fall in found
            for k in range(0, 100, 3)
        ]
        made[bool(stops)] = plan, min(spare)
    assert made[True][1] >= -1e-7
    assert made[False][1] < -0.01
    assert made[True][0].loss_mw > made[False][0].loss_mw
    assert made[True][0].window_mw <= window.room_mw(site) + 1e-7
