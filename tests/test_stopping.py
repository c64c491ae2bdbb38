"""Limits of time and the user's stop: kept in every stage, never told as a proof, on whatever machine."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import casadi as ca
import numpy as np
import pytest
from test_apart import sleeping
from tiny import random_site

import codesign
from codesign import apart, checking, linear, planning, refining, stopping
from codesign.checking.sensitivity import Sensitivity
from codesign.checking.solver import Solver
from codesign.design import Check, Margin, Outcome, Plan
from codesign.errors import Fault, InputError, StoppedError
from codesign.planning import highs

pytestmark = pytest.mark.slow


class Clock:
    """A clock that a test turns."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(stopping, "clock_s", made)
    return made


def test_the_earliest_of_the_limits_counts_and_ends_with_them(clock: Clock) -> None:
    assert stopping.left_s() == float("inf")
    with stopping.within(10.0):
        with stopping.within(20.0):
            assert stopping.left_s() == 10.0
        with stopping.within(4.0):
            clock.now_s = 4.0
            with pytest.raises(StoppedError) as stopped:
                stopping.heed()
            assert stopped.value.outcome is Outcome.TIME_LIMIT
        stopping.heed()
        assert stopping.left_s() == 6.0
    clock.now_s = 1e9
    stopping.heed()


def test_every_question_is_asked_and_goes_before_the_clock(clock: Clock) -> None:
    answers = {"outer": False, "inner": False}
    with stopping.within(5.0, lambda: answers["outer"]), stopping.within(stop=lambda: answers["inner"]):
        stopping.heed()
        for name in answers:
            answers[name] = True
            assert stopping.asked() is Outcome.INTERRUPTED
            answers[name] = False
        clock.now_s, answers["outer"] = 6.0, True
        assert stopping.asked() is Outcome.INTERRUPTED


def test_what_keeps_the_best_found_has_a_little_longer_and_is_asked_nothing(clock: Clock) -> None:
    for limit_s, more_s in ((1.0, 4.0), (1000.0, 80.0)):
        clock.now_s = 0.0
        with stopping.within(limit_s, lambda: True):
            clock.now_s = limit_s + 0.99 * more_s
            assert stopping.asked() is not None
            with stopping.finishing():
                stopping.heed()
                clock.now_s = limit_s + more_s
                assert stopping.asked() is Outcome.TIME_LIMIT
        assert more_s < max(0.1 * limit_s, 5.0)


def counted(monkeypatch: pytest.MonkeyPatch, told: list[str]) -> None:
    """Write down every solver run."""

    def wrapped(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            told.append(name)
            return call(*args, **options)

        return run

    monkeypatch.setattr(highs, "_loaded", wrapped("milp", highs._loaded))
    monkeypatch.setattr(linear.Kept, "solve", wrapped("dispatch", linear.Kept.solve))


@pytest.mark.parametrize("method", ["joint", "split"])
def test_a_plan_stopped_at_any_look_claims_no_more_than_it_has(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Stopped at several looks, from the first to the last; once only reasons are left the plan is whole."""
    site = random_site(1).with_({"solver.method": method, "poi.one_job_absent": False})
    looks, runs = itertools.count(), list[str]()
    counted(monkeypatch, runs)
    whole = codesign.plan(site, stop=lambda: next(looks) < 0)
    total, cost = next(looks), whole.cost_usd_per_year
    assert whole.outcome is Outcome.NOT_CERTIFIED
    assert cost is not None
    solved = 0
    for last in sorted({0, 1, total // 4, total // 2, (3 * total) // 4, total - 9}):
        looks, after = itertools.count(), list[int]()

        def stop(looks: Iterator[int] = looks, last: int = last, after: list[int] = after) -> bool:
            asked = next(looks) > last
            if asked and not after:
                after.append(len(runs))
            return asked

        plan = codesign.plan(site, stop=stop)
        if plan.outcome is whole.outcome:
            assert (plan.cost_usd_per_year, plan.bound_usd_per_year) == (cost, whole.bound_usd_per_year)
            solved += 1
            continue
        assert plan.outcome is Outcome.INTERRUPTED, (last, plan.reason)
        assert runs[after[0] :].count("milp") <= 1, "a solve that was made ready before the stop, at most"
        if plan.cost_usd_per_year is None:
            continue
        solved += 1
        assert plan.cost_usd_per_year >= cost * (1 - 1e-6)
        assert plan.fixed_usd_per_year is not None
        if plan.bound_usd_per_year is not None:
            assert plan.fixed_usd_per_year <= plan.bound_usd_per_year <= cost * (1 + 1e-6)
    assert solved, "a late stop keeps a plan"


def test_no_stage_goes_on_when_time_is_up(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look takes a tenth of a second: limits of some looks end within the larger of 10 % and 5 s."""
    site = random_site(1).with_({"solver.method": "split", "poi.one_job_absent": False})

    def ticking() -> float:
        clock.now_s += 0.1
        return clock.now_s

    monkeypatch.setattr(stopping, "clock_s", ticking)
    for limit_s in (0.3, 2.0, 20.0):
        began = clock.now_s
        plan = codesign.plan(site, time_limit_s=limit_s)
        assert clock.now_s - began <= limit_s + max(0.1 * limit_s, 5.0)
        assert plan.outcome is not Outcome.INFEASIBLE


def miss(site: codesign.Site, plan: Plan, **_: object) -> Check:
    """A check in which the buffer is too small."""
    row = Margin("tcs_supply", "chiller_trip", "tcs", 60.0, -0.5, "k", "integrated")
    return Check(static=(row,), covered=("chiller_trip",))


@pytest.mark.parametrize("ended", [Outcome.INTERRUPTED, Outcome.TIME_LIMIT])
def test_a_stop_while_planning_again_is_no_claim_about_sizes(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, ended: Outcome
) -> None:
    asked = False
    plan = planning.plan

    def planned(*args: Any, **options: Any) -> Plan:
        nonlocal asked
        if options.get("cuts"):
            asked = ended is Outcome.INTERRUPTED
            clock.now_s += 1e4
        return plan(*args, **options)

    slopes = Sensitivity("tcs_supply", "chiller_trip", "k", -0.5, {"buffer_m3": 1.0}, "Solve_Succeeded")
    monkeypatch.setattr(planning, "plan", planned)
    monkeypatch.setattr(checking, "check", miss)
    monkeypatch.setattr(Check, "__getitem__", lambda *_: None)
    monkeypatch.setattr(refining, "sensitivities", lambda *_: slopes)
    design = codesign.solve(random_site(1), time_limit_s=1000.0, stop=lambda: asked)
    assert design.outcome is ended
    assert "no size" not in design.plan.reason
    assert "tcs_supply misses by 0.5 k" in design.plan.reason
    assert design.plan.solved, "the plan before is kept"


def refusing(progress: Callable[..., None]) -> None:
    raise InputError([Fault("site.toml", "clock.step_s", 1, "another")])


def ended_from_outside(progress: Callable[..., None]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def test_processes_that_say_nothing_end_with_their_limits() -> None:
    looks = itertools.count()
    with stopping.within(stop=lambda: next(looks) > 3), pytest.raises(StoppedError):
        apart.each([partial(sleeping)] * 2, 2)


def test_what_a_process_refuses_is_refused_here() -> None:
    with pytest.raises(InputError, match=r"clock\.step_s = 1: expected another"):
        apart.each([refusing])


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM")
def test_a_process_that_sigterm_ended_was_stopped_and_did_not_fail() -> None:
    with pytest.raises(StoppedError):
        apart.each([ended_from_outside])


def test_a_long_solve_ends_between_two_of_its_iterations() -> None:
    """Rosenbrock's valley takes 21 iterations; the user stops after a few looks."""
    x, p = ca.SX.sym("x", 2), ca.SX.sym("p")
    valley = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2 + p
    bounds = {"lbg": np.array([-10.0]), "ubg": np.array([10.0])}
    solver = Solver({"x": x, "f": valley, "g": x[0] + x[1], "p": p}, bounds)
    start, looks = np.array([-1.2, 1.0]), itertools.count()
    assert solver.solve(np.zeros(1), start).iterations > 12
    with stopping.within(stop=lambda: next(looks) > 3), pytest.raises(StoppedError):
        solver.solve(np.zeros(1), start)
    assert next(looks) < 8
