"""The clocks apart: the exchange against every schedule, the stop of a job, settings left out by bound."""

from __future__ import annotations

import itertools
import math
from functools import partial

import numpy as np
import pytest
from tiny import TOY, opposed, random_site, steady_hall

import codesign
from codesign import catalogue, evaluation, streams, window, workload
from codesign.design import Schedule, Setting
from codesign.planning import attempt, exchange, split
from codesign.site import Site
from codesign.stops import course

pytestmark = pytest.mark.slow


def window_mw(site: Site, schedule: Schedule) -> float:
    parts = streams.of(site, schedule)
    return streams.widest_window(site, parts, [part.power_mw for part in parts])[0]


@pytest.mark.parametrize("seed", [0, 3, 5])
def test_exchange_finds_a_schedule_as_narrow_as_any(seed: int) -> None:
    site = random_site(seed).with_({"jobs.tune.locked": True, "jobs.tune.jitter_s": 0.0})
    copies = [(name, copy) for name, job in site.jobs.items() for copy in range(job.count)]
    everywhere = [workload.placements(site, name) for name, _ in copies]
    least = math.inf
    for places in itertools.product(*everywhere):
        rows = [
            workload.assignment(site, name, copy, place)
            for (name, copy), place in zip(copies, places, strict=True)
        ]
        least = min(least, window_mw(site, Schedule(rows)))
    assert window_mw(site, exchange.schedule(site)) == pytest.approx(least, abs=0.1 * least)


def test_what_exchange_says_of_a_schedule_is_what_its_places_sum_to() -> None:
    """From the worst order, so that copies must move after they are placed."""
    site = steady_hall()
    moves = {name: exchange.Moves(site, name) for name, job in site.jobs.items() if job.locked}
    order = [(name, copy) for name in moves for copy in range(site.jobs[name].count)][::-1]
    base = np.zeros((2, window.steps(site), workload.macro_steps(site)))
    measure = partial(exchange._measure, limit_mw=window.room_mw(site), weight=20.0)
    value, at = exchange._exchanged(base, moves, order, measure)
    total = base + sum(moves[name].change_mw(at[name, copy]) for name, copy in order)
    assert value == pytest.approx(measure(total), rel=1e-12)


def test_a_table_too_large_is_made_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    site = random_site(2)
    whole = exchange.schedule(site)
    monkeypatch.setattr(exchange, "TABLE_BYTES", 0)
    assert exchange.Moves(site, "tune").table is None
    assert exchange.schedule(site) == whole


def test_exchange_is_the_same_every_time() -> None:
    site = steady_hall()
    assert exchange.schedule(site) == exchange.schedule(site)


def test_coinciding_checkpoints_break_the_rule_that_staggered_ones_keep() -> None:
    """The three jobs of twelve racks in step, checkpoints in one slot or in three; no storage."""
    hall = steady_hall()
    site = hall.with_({"jobs.pretrain.racks": 12})

    def checkpoints(starts: list[float]) -> Schedule:
        return Schedule(
            [
                workload.assignment(site, "midtrain", copy, workload.Placement(0.0, (start,)))
                for copy, start in enumerate(starts)
            ]
        )

    limit = window.room_mw(site)
    assert window_mw(site, checkpoints([0.0, 0.0, 0.0])) > limit
    assert window_mw(site, checkpoints([0.0, 30.0, 60.0])) < limit


def test_the_schedule_of_the_hall_beats_aligned_jobs() -> None:
    site = steady_hall()
    aligned = [
        workload.assignment(site, name, copy, workload.placements(site, name)[0])
        for name, job in site.jobs.items()
        for copy in range(job.count)
    ]
    assert window_mw(site, exchange.schedule(site)) < 0.5 * window_mw(site, Schedule(aligned))


def test_storage_for_a_stop_takes_in_the_fall_beyond_the_window() -> None:
    """A flat job: the fall beyond the window must go in at once, and be let out as the filter forgets.

    By hand: y falls by the fall F, the room r is allowed, so F - r goes in; then y rises by (1 - a) r a step
    if the net power is held, so the storage may take (1 - a) r less in each further step. The return is the
    mirror: as much must go out, which takes more from the store than the stop brings in. A dispatch that is
    not at rest before it saves a thousandth of that.
    """
    flat = [{"name": "even", "share": 1.0, "level_pu": 1.0}]
    changes = {"jobs": {"pretrain": {"count": 1, "racks": 6, "period_s": 10.0, "phases": flat}}}
    ranges = {"power_mw": {"min": 0, "max": 1}, "energy_mwh": {"min": 0, "max": 0.02}}
    site = codesign.load(TOY).with_(
        {**changes, **{f"equipment.storage.{key}": value for key, value in ranges.items()}}
    )
    schedule = exchange.schedule(site)
    run = attempt.Run(site=site, setting=Setting(36.0, 4.0), fixed={}, gap=1e-6, log=False, progress=None)
    need = split._need(run, schedule, attempt.Found())
    assert need is not None
    fall, limit = course.falls(site, schedule)[0].mw[0], window.room_mw(site)
    assert need.power_mw == pytest.approx(fall - limit, rel=1e-5)
    held = (1.0 - window.high_pass_coefficient(site)) * limit
    part = catalogue.build(site, "storage", "supercap-row")
    into = [max(fall - limit - k * held, 0.0) for k in range(course.steps(site))]
    usable_mj = sum(into) * site.clock.step_s / part.efficiency_discharge
    least_mwh = usable_mj / 3600.0 / (part.soc_max_pu - part.soc_min_pu)
    assert need.energy_mwh == pytest.approx(max(least_mwh, part.energy_min_mwh(need.power_mw)), rel=2e-3)


@pytest.mark.parametrize(("supply_c", "expected"), [([24, 30], [30.0]), ([30, 36], [36.0, 30.0])])
def test_a_setting_whose_bound_is_above_a_plan_is_left_out(
    supply_c: list[int], expected: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both orders: the cheaper setting first, and last."""
    site = random_site(0).with_({"equipment.cooling.fws_supply_c": supply_c, "solver.method": "split"})
    planned: list[float] = []
    day = split._day

    def counted(run: attempt.Run, *rest: object) -> None:
        planned.append(run.setting.fws_supply_c)
        day(run, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(split, "_day", counted)
    plan = codesign.plan(site, gap=1e-6)
    assert plan.solved
    assert planned == expected
    both = [
        codesign.plan(site.with_({"equipment.cooling.fws_supply_c": [each]}), gap=1e-6) for each in supply_c
    ]
    assert plan.cost_usd_per_year == pytest.approx(min(each.cost_usd_per_year or math.inf for each in both))
    least = min(each.bound_usd_per_year or math.inf for each in both)
    assert plan.bound_usd_per_year == pytest.approx(least, rel=1e-6)


def test_what_was_proven_of_a_setting_is_not_proven_again(monkeypatch: pytest.MonkeyPatch) -> None:
    site, known = random_site(0).with_({"solver.method": "split"}), split.Known()
    first = codesign.plan(site, known=known)
    monkeypatch.setattr(split, "master", None)
    assert codesign.plan(site, known=known).cost_usd_per_year == first.cost_usd_per_year


def test_master_has_only_rows_that_a_bound_may_be_read_from() -> None:
    from codesign.planning.rows import bound_rows_only

    site = random_site(1)
    run = attempt.Run(site, Setting(34.0, 4.0), {}, 1e-4, False, None)
    assert bound_rows_only(split.master(site, run.setting, {}, attempt.Points()).rows)


@pytest.mark.parametrize("method", ["joint", "split"])
def test_a_cancellation_must_hold_while_one_job_is_away(method: str) -> None:
    """Together the two need no storage beyond the stop of a job; alone each swings by 0.34 MW."""
    both = codesign.plan(opposed().with_({"solver.method": method}), gap=1e-6)
    site = opposed(one_job_absent=True).with_({"solver.method": method})
    plan = codesign.plan(site, gap=1e-6)
    assert both.solved
    assert plan.solved
    assert both.setting is not None
    names = [
        row.place
        for row in evaluation.evaluate(site, both.setting, both.sizes, both.schedule).broken
        if row.limit == evaluation.ONE_AWAY
    ]
    assert names == ["poi, pair 0 away", "poi, pair 1 away"]
    larger = [plan.sizes[name].value > both.sizes[name].value for name in ("storage_power", "storage_energy")]
    assert any(larger)
    assert plan.setting is not None
    assert not evaluation.evaluate(site, plan.setting, plan.sizes, plan.schedule).broken


def test_a_schedule_without_one_copy_is_counted_once_a_place() -> None:
    site = steady_hall()
    schedule = exchange.schedule(site)
    away = schedule.one_away()
    assert all(len(rest) == len(schedule) - 1 and row not in rest for row, rest in away)
    assert len(away) == len({(row.job, row.offset_s, row.events) for row in schedule})
