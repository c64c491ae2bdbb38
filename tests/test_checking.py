"""The check: functions, programme, controller, judge, scenarios, slopes; the tiny site with sizes by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import codesign
from codesign import catalogue, duration, evaluation, window, workload
from codesign.auditing import motion
from codesign.auditing.hall import Hall
from codesign.checking import check, ocp, runs, scenarios, uncovered
from codesign.checking.closed_loop import Run
from codesign.checking.closed_loop import run as closed_loop
from codesign.checking.controller import Controller
from codesign.checking.integrate import Integrator
from codesign.checking.ocp import Data, Problem
from codesign.checking.rule import Meter, RangeRule, Recorded
from codesign.checking.scenarios import BUILDERS, Timeline, names, timeline
from codesign.checking.sensitivity import Oracle, sensitivities
from codesign.checking.solver import Solution, Solver
from codesign.checking.stack import Scales, vector
from codesign.checking.steady import Start, start, static_margins
from codesign.consistency import fine_step
from codesign.design import Design, Outcome, Plan, ScenarioResult, Schedule, Setting, Size, Sizes, Stop, Table
from codesign.site import Site

pytestmark = pytest.mark.slow

TINY = Path(__file__).parent / "data" / "tiny"
SHORT = {
    "scenarios.nominal_hot.duration_s": 20, "scenarios.chiller_trip.duration_s": 300,
    "scenarios.cdu_pump_trip.duration_s": 25, "scenarios.job_abort_restart.duration_s": 40,
    "scenarios.job_abort_restart.at_s": 10, "scenarios.job_abort_restart.off_s": 20,
}  # fmt: skip
SIZES = {
    "transformer": Size("pad-1000", 2, 2.0, "mva"), "cdu": Size("cdu-600", 3, 1800.0, "kw"),
    "cdu_flow": Size(None, None, 440.0, "l_per_min"), "fws_pump": Size("fws-pump", None, 10.0, "kg_per_s"),
    "dry_cooler": Size("cell-250", 3, 750.0, "kw"), "chiller": Size("warm-250", 3, 750.0, "kw"),
    "buffer": Size("buffer", None, 4.0, "m3"), "fan_wall": Size("wall-50", 3, 150.0, "kw"),
    "air_chiller": Size("air-100", 2, 200.0, "kw"), "contract": Size(None, None, 0.9, "mw"),
    "storage_power": Size("supercap-row", None, 0.1, "mw"),
    "storage_energy": Size("supercap-row", None, 0.002, "mwh"),
}  # fmt: skip


@cache
def site() -> Site:
    """With CDUs whose range of flow begins low enough for three of them beside four racks."""
    low = {"cdu": {"cdu-600": {"fws_flow_min_kg_per_s": 1.0}}}
    return codesign.load(TINY).with_({**SHORT, "cards": low})


def planned(of: Site | None = None, **changes: float) -> Plan:
    """A plan with sizes by hand, operated as the exact evaluation does; `changes` replace a size's value."""
    sizes = Sizes({name: replace(size, value=changes.get(name, size.value)) for name, size in SIZES.items()})
    schedule = Schedule(
        workload.assignment(site(), job, 0, workload.placements(site(), job)[0]) for job in site().jobs
    )
    setting = Setting(32.0, 4.0)
    exact = evaluation.evaluate(of or site(), setting, sizes, schedule)
    return Plan(
        outcome=Outcome.NOT_CERTIFIED, reason="by hand", site_name=site().name, sizes=Sizes(exact.sizes),
        setting=setting, schedule=schedule, dispatch=exact.dispatch, hours=exact.hours,
    )  # fmt: skip


@cache
def plan() -> Plan:
    return planned()


@cache
def begin() -> Start:
    return start(site(), plan())


@cache
def result(scenario: str) -> ScenarioResult:
    return runs.run(site(), plan(), scenario)


def scales() -> Scales:
    return begin().stack.scales(begin().p)


def resting(problem: Problem, **changes: Any) -> Data:
    """The programme's data at the plan's steady state."""
    at, n = begin(), problem.horizon
    poi = float(at.stack.output_of("poi_mw", at.x, at.u, at.d, at.p))
    rest = Recorded((-poi,), (0.0,)) if problem.rule is not None else Recorded()
    rows = (np.tile(at.d, (n, 1)), np.tile(at.u, (n, 1)), np.tile(at.x, (n, 1)))
    return replace(Data(at.x, at.p, at.stack.scales(at.p), *rows, at.u, rest), **changes)


def row(run: ScenarioResult, limit: str) -> Any:
    (found,) = [margin for margin in run.margins if margin.limit == limit]
    return found


# stack


def test_the_stack_says_what_the_plant_says() -> None:
    at, stack = begin(), begin().stack
    point = (at.x + 0.3, at.u * 0.9, at.d, at.p)
    x, u, d, p = (
        dict(zip(group, values, strict=True))
        for group, values in zip(
            (stack.states, stack.controls, stack.disturbances, stack.sizes), point, strict=True
        )
    )
    said = (
        (stack.output, stack.plant.outputs(x, u, d, p).values()),
        (stack.limit, [limit.excess for limit in stack.plant.limits(x, u, d, p).values()]),
    )
    for function, values in said:
        np.testing.assert_allclose(np.array(function(*point)).ravel(), list(values), rtol=1e-9, atol=1e-9)
    rates = stack.plant.rates(x, u, d, p)
    due = [rates[name] for name in stack.states]
    np.testing.assert_allclose(np.array(stack.rate(*point)).ravel(), due, rtol=1e-9, atol=1e-9)


def test_hard_limits_are_those_of_the_controls_alone() -> None:
    hard = {limit.name for limit in begin().stack.limits if limit.hard}
    flows = {"cdu_tcs_range", "cdu_fws_range", "fws_pump_range", "dry_cooler_water_range"}
    assert hard == flows | {"tcs_flow", "fws_flow", "storage_charge", "storage_discharge"}


def test_a_missing_and_an_unknown_name_are_refused() -> None:
    with pytest.raises(KeyError, match=r"missing: .*b.*unknown: .*c"):
        vector(("a", "b"), {"a": 1.0, "c": 2.0})


def test_the_start_is_at_rest() -> None:
    at = begin()
    rate = np.array(at.stack.rate(at.x, at.u, at.d, at.p)).ravel()
    assert np.abs(rate / at.stack.scales(at.p).state).max() < 1e-9


# programme


def rule(sections: int = 1, limit: float = 0.2) -> RangeRule:
    return RangeRule("poi_window", "poi", "poi_mw", "mw", limit, 5.0, 0.1, sections)


@pytest.mark.parametrize("sections", [1, 2])
def test_the_recorder_filters_as_the_workload_does(sections: int) -> None:
    samples = np.random.default_rng(1).uniform(0.5, 1.0, 30)
    meter, filtered = Meter(rule(sections), 0.5), samples
    for sample in samples:
        meter.add(float(sample))
    for _ in range(sections):
        filtered = window.high_pass(filtered, 0.0, rule().pole(0.5))
    np.testing.assert_allclose(meter.samples, filtered[-10:], atol=1e-12)


@cache
def small(order: int = 1) -> tuple[Problem, Solver]:
    problem = Problem(begin().stack, 12, 0.5, rule=rule(), order=order)
    return problem, Solver(problem.symbols, problem.bounds)


def test_at_rest_nothing_moves() -> None:
    problem, solver = small()
    data = resting(problem)
    solution = solver.solve(problem.parameters(data), problem.guess(data))
    assert solution.solved
    assert all(slack.max() < 1e-6 for slack in problem.slacks(solution.primal).values())
    np.testing.assert_allclose(problem.states(solution.primal, scales())[-1], begin().x, atol=0.05)


def test_a_warm_solve_finds_what_a_cold_one_finds() -> None:
    problem, solver = small()
    falls = resting(problem).disturbances.copy()
    falls[4:8, 0] = 0.4
    data = resting(problem, disturbances=falls)
    cold = solver.solve(problem.parameters(data), problem.guess(data))
    later = replace(
        data, start=problem.states(cold.primal, scales())[0], disturbances=np.vstack([falls[1:], falls[-1:]])
    )
    shifted = problem.shifted(cold, 1)
    warm = solver.solve(problem.parameters(later), shifted.primal, shifted)
    again = solver.solve(problem.parameters(later), problem.guess(later))
    assert cold.solved
    assert warm.solved
    assert again.solved
    assert warm.iterations < again.iterations
    move = (
        problem.controls(warm.primal, scales())[0] - problem.controls(again.primal, scales())[0]
    ) / scales().control
    assert np.abs(move).max() < 0.02


def test_the_window_rule_binds_and_its_slack_is_what_storage_cannot_carry() -> None:
    """A fall of 0.20 MW, storage takes 0.1 MW, the rule 0.05 MW: 0.05 MW are left (own calculation)."""
    tight = Problem(begin().stack, 12, 0.5, rule=rule(limit=0.05))
    falls = resting(tight).disturbances.copy()
    falls[:, 0] -= 0.2 / 0.396
    data = resting(tight, disturbances=falls)
    solution = Solver(tight.symbols, tight.bounds).solve(tight.parameters(data), tight.guess(data))
    assert solution.solved
    left = tight.slacks(solution.primal)["poi_window"][0] * rule(limit=0.05).scale
    assert 0.03 < left < 0.06
    charge = tight.controls(solution.primal, scales())[0][begin().stack.controls.index("charge_mw")]
    assert charge == pytest.approx(0.1, abs=1e-5)


def test_limits_hold_at_the_interval_s_end() -> None:
    """Room for 0.02 MW over 0.5 s in a storage that is told to charge at 0.1 MW: it takes 0.02 MW."""
    problem, stack, at = Problem(begin().stack, 1, 0.5), begin().stack, begin()
    soc, charge = stack.states.index("storage_mwh"), stack.controls.index("charge_mw")
    full = at.x.copy()
    full[soc] = catalogue.build(site(), "storage", "supercap-row").high_pu  # at end of life
    full[soc] *= at.p[stack.sizes.index("storage_energy_mwh")]
    u = at.u.copy()
    u[charge] = 0.02
    full[soc] -= 0.5 * float(stack.rate(full, u, at.d, at.p)[soc])
    u[charge] = 0.1
    data = resting(problem, start=full, control_reference=u[None, :])
    solution = Solver(problem.symbols, problem.bounds).solve(problem.parameters(data), problem.guess(data))
    assert solution.solved
    assert problem.controls(solution.primal, scales())[0][charge] == pytest.approx(0.02, abs=1e-4)


def test_two_radau_stages_are_nearer_to_the_integrator_than_one() -> None:
    at = begin()
    steps, error = 12, {}
    d = at.d.copy()
    d[0] = 0.3
    integrator, x = Integrator(at.stack, 0.5), at.x
    for _ in range(steps):
        x = integrator.run(x, at.u, d, at.p).end
    for order in (1, 2):
        problem = Problem(at.stack, steps, 0.5, order=order)
        data = resting(problem, disturbances=np.tile(d, (steps, 1)))
        for slot in problem.at_u:  # the controls held: what is left is a simulation
            problem.bounds["lbx"][slot] = problem.bounds["ubx"][slot] = at.u / scales().control
        solution = Solver(problem.symbols, problem.bounds).solve(
            problem.parameters(data), problem.guess(data)
        )
        assert solution.solved
        error[order] = np.abs(problem.states(solution.primal, scales())[-1] - x)[:8].max()
    assert error[2] < 0.1 * error[1]


# judge


def test_the_judge_agrees_with_another_integrator() -> None:
    at, stack = begin(), begin().stack
    d = at.d.copy()
    d[0] = 0.3

    def rate(_: float, x: np.ndarray) -> np.ndarray:
        return np.array(stack.rate(x, at.u, d, at.p)).ravel()

    interval = Integrator(stack, 5.0).run(at.x, at.u, d, at.p)
    other = solve_ivp(rate, (0.0, 5.0), at.x, method="Radau", rtol=1e-9, atol=1e-9, t_eval=interval.times_s)
    assert len(interval.times_s) == 21
    np.testing.assert_allclose(interval.states, other.y.T, atol=2e-6)


@pytest.mark.parametrize("scenario", BUILDERS)
def test_every_scenario_holds_and_balances_its_heat(scenario: str) -> None:
    run = result(scenario)
    assert run.status == "complete"
    assert run.energy_residual_pu < 1e-6
    assert run.failed_solves == 0
    assert {margin.judge for margin in run.margins} == {"integrated", "waveform"}
    assert len({margin.limit for margin in run.margins}) == len(run.margins)
    assert [margin.limit for margin in run.margins if margin.margin < 0] == []


def test_a_recorded_interval_integrates_to_the_next_sample() -> None:
    run, stack = result("cdu_pump_trip"), begin().stack
    x, u, d = (np.array(list(table.values())).T for table in (run.states, run.controls, run.disturbances))
    k = int(np.argmin(run.disturbances["cdu_available"]))

    def rate(_: float, state: np.ndarray) -> np.ndarray:
        return np.array(stack.rate(state, u[k], d[k], begin().p)).ravel()

    end = solve_ivp(rate, (0.0, 0.5), x[k], method="Radau", rtol=1e-9, atol=1e-9).y[:, -1]
    np.testing.assert_allclose(end, x[k + 1], atol=1e-5)


def test_margins_are_read_between_the_samples_too() -> None:
    run = result("cdu_pump_trip")
    die = max(run.states[f"{name}.die_c"].max() for name in ("big_0", "small_0"))
    junction_max_c = begin().stack.plant.groups[0].rack.junction_max_c  # type: ignore[attr-defined]
    assert row(run, "junction").margin <= junction_max_c - die + 1e-9


def test_the_same_run_gives_the_same_numbers() -> None:
    assert runs.run(site(), plan(), "nominal_hot") == result("nominal_hot")


# scenarios


def test_a_fault_is_known_from_the_moment_it_happens() -> None:
    line = timeline(site(), plan(), begin(), "chiller_trip")
    column = begin().stack.disturbances.index("chiller_available")
    assert line.fault_step == 12
    assert (line.known(11)[:, column] == 1.0).all()
    assert (line.known(12)[:9, column] == 0.0).all()
    np.testing.assert_allclose(line.known(12)[9:12, column], [0.0, 5 / 180, 10 / 180], atol=1e-9)


def test_the_standby_pump_follows_its_card() -> None:
    line = timeline(site(), plan(), begin(), "cdu_pump_trip")
    cdu = begin().stack.plant.cdu  # type: ignore[attr-defined]
    share = line.actual[:, begin().stack.disturbances.index("cdu_available")]
    ends = [cdu.pump_availability(0.5 * k - 10.0) for k in range(len(share) + 1)]
    assert line.fault_step == 20
    np.testing.assert_allclose(share[20:], np.minimum(ends[20:-1], ends[21:]), atol=1e-6)


def test_the_largest_job_drops_and_returns_with_its_profile() -> None:
    line = timeline(site(), plan(), begin(), "job_abort_restart")
    level = line.actual[:, begin().stack.disturbances.index("big_0.level_pu")]
    job = site().jobs["big"]
    assert (level[20:60] == job.idle_pu * job.plateau_pu).all()
    assert (level[60:80] == line.nominal[60:80, begin().stack.disturbances.index("big_0.level_pu")]).all()


def test_a_run_lasts_until_the_recovery_is_over() -> None:
    """By hand: trip at 60 s, 45 s off, 180 s of reload; stop at 90 s, 20 s away, a window of 5 s after."""
    tail = {"chiller_trip.duration_s": 285, "job_abort_restart.at_s": 90,
            "job_abort_restart.duration_s": 111}  # fmt: skip
    late = site().with_({f"scenarios.{key}": value for key, value in tail.items()})
    schedule = plan().schedule
    assert duration.over_s(late, schedule, "chiller_trip") == 285.0
    assert duration.run_s(late, schedule, "job_abort_restart") == 115.0
    assert timeline(late, plan(), begin(), "job_abort_restart").steps == 230
    assert duration.run_s(late, schedule, "nominal_hot") == 20.0


def test_a_scenario_that_ends_early_is_not_covered() -> None:
    run = result("cdu_pump_trip")
    assert uncovered(site(), plan(), run) == ""
    short = replace(run, time_s=run.time_s[:30])
    assert uncovered(site(), plan(), short).startswith("ended at 14.5 s, the event is over at ")
    broken = replace(run, status="integration failed at 3 s: a state is not finite")
    assert uncovered(site(), plan(), broken) == broken.status


def test_a_job_stops_at_the_worst_moment_of_its_class_unless_the_site_states_a_second() -> None:
    assert names(site()) == (*BUILDERS, "job_stop.big", "job_stop.small")
    free = site().with_({"scenarios.job_abort_restart.at_s": None})
    assert names(free) == (*BUILDERS, "job_stop.small")
    line = timeline(free, plan(), begin(), "job_abort_restart")
    assert line.stop is not None
    course = workload.levels(free, plan().schedule)["big", 0]
    shifted = np.repeat(np.roll(course, -round(line.stop.begins_s)), 2)
    column = begin().stack.disturbances.index("big_0.level_pu")
    first, last = (round(2 * time_s) for time_s in (line.stop.lead_s, line.stop.lead_s + 15.0))
    np.testing.assert_array_equal(line.nominal[:first, column], shifted[:first])
    np.testing.assert_array_equal(line.actual[last : last + 10, column], shifted[last : last + 10])
    idle = free.jobs["big"].idle_pu * free.jobs["big"].plateau_pu
    assert (line.actual[first:last, column] == idle).all()
    assert line.fault_step == first
    assert (line.stop.begins_s + line.stop.lead_s) % 100.0 == line.stop.at_s
    assert line.steps == 2 * (20 + 15 + 5)


def test_the_audit_prescribes_the_same_stop() -> None:
    """With one of two copies in step: the racks of both take the mean, so the power is that of one."""
    two = site().with_({"jobs.small.count": 3, "pods.a.racks": 3, "scenarios.job_abort_restart.at_s": None})
    rows = [workload.assignment(two, job, copy, workload.placements(two, job)[0])
            for job, copy in (("big", 0), ("small", 0), ("small", 1), ("small", 2))]  # fmt: skip
    at = replace(plan(), schedule=Schedule(rows))
    for copy in (0, 1):
        stop = Stop(job="small", copy=copy, at_s=12.0, begins_s=97.0, lead_s=15.0)
        start_at = start(two, at)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scenarios, "worst_stop", lambda *_, stop=stop: stop)
            line = timeline(two, at, start_at, "job_stop.small")
        d = dict(zip(start_at.stack.disturbances, start_at.d, strict=True))
        due = motion.disturbances(Hall(two, at), "job_stop.small", line.steps, d, stop)
        for i, name in enumerate(start_at.stack.disturbances):
            np.testing.assert_allclose(line.actual[: line.steps, i], due[name], atol=1e-12, err_msg=name)


def test_a_fine_step_divides_the_clocks() -> None:
    assert fine_step(site()) == (0.5, 2)
    line = timeline(site(), plan(), begin(), "nominal_hot")
    level = next(iter(workload.levels(site(), plan().schedule).values()))
    np.testing.assert_array_equal(line.nominal[:40, 0], np.repeat(level[:20], 2))


# controller


def stuck(*_: Any) -> Solution:
    none = np.zeros(0)
    return Solution("Restoration_Failed", 3, 0.0, none, none, none, none)


def short_run(controller: Controller, line: Timeline) -> Run:
    return closed_loop(
        begin(), line, controller, Integrator(begin().stack, line.step_s), runs.range_rule(site())
    )


def test_without_a_solution_the_plan_is_held_and_said_so() -> None:
    line = replace(timeline(site(), plan(), begin(), "nominal_hot"), steps=4)
    controller = Controller(runs.problem(begin().stack, line.horizon, line.step_s, runs.range_rule(site())))
    controller.solver.solve = stuck  # type: ignore[method-assign]
    record = short_run(controller, line)
    assert [move.kind for move in record.moves] == ["held"] * 4
    assert record.moves[0].status == "Restoration_Failed"
    judged = runs.judge(begin(), line, runs.range_rule(site()), record)
    assert judged.failed_solves == 4
    slow = begin().stack.controls.index("fws_flow_kg_per_s")
    assert (record.controls[:, slow] == begin().u[slow]).all()


def test_after_a_failure_the_tail_of_the_last_moves_is_held() -> None:
    line = replace(timeline(site(), plan(), begin(), "nominal_hot"), steps=3)
    controller = Controller(runs.problem(begin().stack, line.horizon, line.step_s, runs.range_rule(site())))
    solve, first = controller.solver.solve, []

    def once(*arguments: Any) -> Solution:
        if first:
            return stuck()
        first.append(solve(*arguments))
        return first[0]

    controller.solver.solve = once  # type: ignore[method-assign]
    record = short_run(controller, line)
    assert [move.kind for move in record.moves] == ["cold", "held", "held"]
    assert record.moves[1].status == "Restoration_Failed > Restoration_Failed"
    promised = controller.problem.controls(first[0].primal, scales())
    np.testing.assert_array_equal(record.moves[2].controls[0], promised[2])


def test_no_machine_is_told_what_it_cannot_do() -> None:
    at, stack = begin(), begin().stack
    controller = Controller(small()[0])
    wild = at.u * 3.0 + 1.0
    u = controller.obey(wild, at.u, at.d, at.p)
    excess = np.array(stack.limit(at.x, u, at.d, at.p)).ravel()
    assert all(excess[i] <= 0.0 for i, limit in enumerate(stack.limits) if limit.hard and limit.cut)
    assert min(u[stack.controls.index("charge_mw")], u[stack.controls.index("discharge_mw")]) == 0.0
    ramp = np.array(stack.ramp(at.p)).ravel() * 0.5
    assert (np.abs(u - at.u)[stack.slow] <= ramp + 1e-12).all()
    assert (u <= stack.control_high).all()


def test_slack_that_need_not_be_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where staying at the plan costs more than the window rule's slack, the second solve keeps the rule."""
    monkeypatch.setattr(ocp, "W_U", 30.0)
    problem = Problem(begin().stack, 12, 0.5, rule=rule(limit=0.12))
    falls = resting(problem).disturbances.copy()
    falls[:, 0] -= 0.2 / 0.396  # 0.20 MW, of which the storage takes 0.1 MW
    data = resting(problem, disturbances=falls)
    first = Solver(problem.symbols, problem.bounds).solve(problem.parameters(data), problem.guess(data))
    assert problem.slacks(first.primal)["poi_window"].max() > 1.0
    move = Controller(problem).move(data)
    assert "avoidable" in move.status
    assert "poi_window" not in move.unmet


def test_slack_that_must_be_is_left() -> None:
    problem = Problem(begin().stack, 12, 0.5, rule=rule(limit=0.05))
    falls = resting(problem).disturbances.copy()
    falls[:, 0] -= 0.2 / 0.396
    move = Controller(problem).move(resting(problem, disturbances=falls))
    assert "avoidable" not in move.status
    assert move.unmet["poi_window"][1] > 0.03


# the answer when something does not hold


@cache
def strict() -> Site:
    """The tiny site under a window of 0.13 MW."""
    abort = {"at_s": 30, "off_s": 9, "duration_s": 40}
    changes = {f"scenarios.job_abort_restart.{key}": value for key, value in abort.items()}
    return site().with_({"poi.allocated_share": 0.013, **changes})


def test_the_planned_course_of_the_stored_energy_is_held_until_the_event() -> None:
    """Under a window that asks for storage in every iteration; after the event the course is left."""
    abort = {"at_s": 14, "off_s": 4, "duration_s": 20}
    changes = {f"scenarios.job_abort_restart.{key}": value for key, value in abort.items()}
    tight = strict().with_({"poi.allocated_share": 0.009, **changes})
    at = planned(tight)
    assert np.ptp(at.dispatch["soc_mwh"]) > 5e-5
    frame = runs.run(tight, at, "job_abort_restart").to_frame()
    course = np.append(at.dispatch["soc_mwh"], at.dispatch["soc_mwh"][0])
    off = np.abs(frame["state.storage_mwh"] - np.interp(frame["time_s"], np.arange(len(course)), course))
    before = frame["time_s"] <= 14.0
    assert off[before].max() < 0.002 * at.sizes["storage_energy"].value
    assert off[~before].max() > 0.01 * at.sizes["storage_energy"].value


@cache
def weak() -> ScenarioResult:
    """Storage of 0.02 MW: the abort of the largest job does not fit into the window rule."""
    return runs.run(strict(), planned(storage_power=0.02), "job_abort_restart")


def test_a_broken_limit_is_named_with_place_time_and_amount() -> None:
    found = row(weak(), "poi_window")
    assert weak().status == "complete"
    assert found.margin < -0.005
    assert (found.place, found.time_s, found.unit, found.judge) == ("poi", 30.0, "mw", "waveform")
    assert [margin.limit for margin in weak().margins if margin.margin < 0] == ["poi_window"]


def test_a_slope_is_the_finite_difference() -> None:
    small_plan = planned(storage_power=0.02)
    at = start(strict(), small_plan)
    line = timeline(strict(), small_plan, at, "job_abort_restart")
    oracle = Oracle(at, line, runs.range_rule(strict()), weak(), "poi_window")
    solution = oracle.solve(at.p)
    assert solution.status == "Solve_Succeeded"
    slopes = oracle.slopes(solution)
    dominant = slopes["storage_power_mw"] * at.p[at.stack.sizes.index("storage_power_mw")]
    for name in ("storage_power_mw", "dry_cooler_count"):
        i, ends = at.stack.sizes.index(name), []
        for sign in (1.0, -1.0):
            p = at.p.copy()
            p[i] *= 1.0 + 1e-2 * sign
            ends.append(-oracle.solve(p).value * oracle.scale)
        assert slopes[name] * at.p[i] == pytest.approx((ends[0] - ends[1]) / 2e-2, abs=1e-3 * dominant), name


def test_more_storage_mends_what_the_slope_says() -> None:
    found = sensitivities(strict(), planned(storage_power=0.02), "job_abort_restart", "poi_window", weak())
    assert 0.8 < found.slopes["storage_power_mw"] < 2.2
    lacking = -row(weak(), "poi_window").margin
    more = round(0.02 + lacking / found.slopes["storage_power_mw"], 4)
    mended = runs.run(strict(), planned(storage_power=more), "job_abort_restart")
    assert row(mended, "poi_window").margin > -0.1 * lacking


def test_slopes_of_a_failed_solve_are_discarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Solver, "solve", stuck)
    found = sensitivities(strict(), planned(storage_power=0.02), "job_abort_restart", "poi_window", weak())
    assert found.slopes == {}
    assert found.status == "Restoration_Failed"


# the whole check


def test_a_broken_static_limit_ends_the_check() -> None:
    fewer = planned(cdu_flow=150.0)
    assert any(margin.margin < 0 for margin in static_margins(site(), fewer))
    found = check(site(), fewer)
    assert found.scenarios == ()
    assert found.covered == ()
    assert found.not_covered == tuple(f"scenario {name}" for name in names(site()))
    assert not found.holds


def test_progress_and_coverage_are_told() -> None:
    told: list[tuple[str, int, int]] = []
    found = check(
        site(), plan(), scenarios=["nominal_hot"], stop_on_static=False,
        progress=lambda *step: told.append(step),
    )  # fmt: skip
    assert told[0] == ("nominal_hot", 1, 40)
    assert told[-1] == ("nominal_hot", 40, 40)
    assert found.covered == ("nominal_hot",)
    assert set(found.not_covered) == {f"scenario {name}" for name in names(site())} - {"scenario nominal_hot"}
    assert isinstance(found["nominal_hot"].states, Table)


@pytest.mark.slow
def test_two_processes_give_the_same_numbers() -> None:
    found = check(site(), plan(), scenarios=["nominal_hot", "chiller_trip"], stop_on_static=False, workers=2)
    assert found.scenarios == (result("nominal_hot"), result("chiller_trip"))


def test_storage_stays_where_the_plan_has_it_while_the_load_is_low() -> None:
    """The toy during its checkpoints: pulled to a mean filter state it drifted by half of its energy."""
    design = Design.load(Path(__file__).parent / "designs" / "toy_1mw")
    short = design.site.with_({"scenarios.nominal_hot.duration_s": 16})
    frame = runs.run(short, design.plan, "nominal_hot").to_frame()
    planned_mwh = design.plan.dispatch["soc_mwh"]
    at = np.interp(frame["time_s"], np.arange(len(planned_mwh)) * short.clock.step_s, planned_mwh)
    off = np.abs(frame["state.storage_mwh"].to_numpy() - at).max()
    assert off < 0.15 * design.sizes["storage_energy"].value
