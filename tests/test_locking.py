"""The start gate as a queue: closed forms, our own loop, and step times measured on large training jobs.

The measured file is not part of the project: step times of all runs with columns organisation, gpus, gpu,
run, index, train_step_s, from the public training results v4.0, v4.1 and v5.1 of mlcommons. CODESIGN_DATA
names the folder that holds mlperf_step_times.csv.gz.
"""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import codesign
from codesign.errors import InputError
from codesign.locking import Lock, lateness_s, menu, steady_lateness_s

pytestmark = pytest.mark.slow

DATA = Path(os.environ.get("CODESIGN_DATA") or "nowhere") / "mlperf_step_times.csv.gz"
measured = pytest.mark.skipif(not DATA.is_file(), reason="measured traces not found")

WARM_UP = 2


def looped(steps: np.ndarray, period_s: float, start: float = 0.0) -> np.ndarray:
    late, lates = start, []
    for step in steps:
        late = max(0.0, late + step - period_s)
        lates.append(late)
    return np.array(lates)


def noisy(seed: int, colour: float = 0.0, steps: int = 400) -> np.ndarray:
    """Steps of 3 s with a tail, their excess wandering where colour is above 0."""
    draw = np.random.default_rng(seed)
    excess = draw.exponential(0.05, steps)
    for i in range(1, steps):
        excess[i] = colour * excess[i - 1] + (1 - colour) * excess[i]
    return 3.0 + excess


# closed form


@pytest.mark.parametrize("period_s", [10.0, 10.5])
def test_steps_that_never_overrun_are_never_late(period_s: float) -> None:
    assert (lateness_s(np.full(50, 10.0), period_s) == 0.0).all()


def test_a_period_below_the_step_falls_behind_by_the_difference_a_step() -> None:
    assert lateness_s(np.full(4, 10.0), 9.5) == pytest.approx([0.5, 1.0, 1.5, 2.0], rel=1e-12)


def test_an_overrun_is_worked_off_by_the_slack_a_step() -> None:
    steps = np.full(10, 10.0)
    steps[2] = 12.0
    assert lateness_s(steps, 10.5) == pytest.approx([0, 0, 1.5, 1.0, 0.5, 0, 0, 0, 0, 0], abs=1e-12)


def test_deterministic_steps_take_the_least_slack_and_nothing_else() -> None:
    assert menu(np.full(20, 4.0), (0.03, 0.001, 0.01)) == (Lock(0.001, 0.0, 0.99),)


def test_two_step_times_give_the_chance_of_the_queue() -> None:
    """S = T + 1 with chance p, else T - 1: a walk on 0, 1, 2, ... at p/(1-p) = r, so P(W >= k) = r^k."""
    draw = np.random.default_rng(1)
    steps = np.where(draw.random(400_000) < 0.3, 11.0, 9.0)
    late = lateness_s(steps, 10.0)
    for k in (1, 2, 3):
        assert (late >= k - 0.5).mean() == pytest.approx((0.3 / 0.7) ** k, rel=0.05)


# the recursion


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("colour", [0.0, 0.9])
@pytest.mark.parametrize("slack", [-0.01, 0.0005, 0.01, 0.05])
def test_the_running_minimum_is_the_loop(seed: int, colour: float, slack: float) -> None:
    steps = noisy(seed, colour)
    period_s = (1 + slack) * steps.mean()
    assert lateness_s(steps, period_s) == pytest.approx(looped(steps, period_s), abs=1e-10)


@pytest.mark.parametrize("seed", range(8))
def test_the_second_repetition_is_every_later_one(seed: int) -> None:
    steps = noisy(seed, 0.9)
    period_s = 1.002 * steps.mean()
    late = looped(np.tile(steps, 5), period_s).reshape(5, -1)
    assert steady_lateness_s(steps, period_s) == pytest.approx(late[4], abs=1e-10)
    assert (late[0] <= late[4] + 1e-10).all()


# the menu


def test_more_slack_is_less_late_and_what_buys_nothing_goes() -> None:
    found = menu(noisy(3, 0.9), (0.05, 0.002, 0.2, 0.005, 0.01, 0.3, 0.005))
    slacks, jitters = [lock.slack_pu for lock in found], [lock.jitter_s for lock in found]
    assert slacks == sorted(set(slacks))
    assert jitters == sorted(set(jitters), reverse=True)
    assert jitters[-1] == 0.0
    assert 0.3 not in slacks


def test_the_jitter_is_a_lateness_that_occurred() -> None:
    steps = noisy(5, 0.5)
    (lock,) = menu(steps, [0.004], quantile=0.9)
    late = steady_lateness_s(steps, 1.004 * steps.mean())
    assert lock.jitter_s in late
    assert 0.9 <= (late <= lock.jitter_s).mean() <= 0.9 + 1 / len(late)


def test_several_runs_share_a_period_and_the_worst_counts() -> None:
    runs = [noisy(1, 0.9, 300), noisy(2, 0.9, 400)]
    mean = np.concatenate(runs).mean()
    (lock,) = menu(runs, [0.005])
    alone = [np.quantile(steady_lateness_s(run, 1.005 * mean), 0.99, method="higher") for run in runs]
    assert lock == Lock(0.005, max(alone), 0.99)


def test_a_run_slower_than_the_ticks_is_no_lock() -> None:
    runs = [np.full(100, 10.0), np.full(100, 10.2)]
    assert menu(runs, [0.005]) == ()
    assert menu(runs, [0.005, 0.02]) == (Lock(0.02, 0.0, 0.99),)
    assert np.isinf(steady_lateness_s(runs[1], 10.2)).all()


@pytest.mark.parametrize(
    ("steps", "slacks", "quantile", "key"),
    [
        ([], [0.01], 0.99, "step_times_s"),
        ([1.0, float("nan")], [0.01], 0.99, "step_times_s.1"),
        ([1.0, -1.0], [0.01], 0.99, "step_times_s.1"),
        ([[1.0, 2.0], []], [0.01], 0.99, "step_times_s"),
        (3.0, [0.01], 0.99, "step_times_s"),
        (["slow"], [0.01], 0.99, "step_times_s"),
        ([1.0], [0.0], 0.99, "slacks"),
        ([1.0], [float("inf")], 0.99, "slacks"),
        ([1.0], [0.01], 1.0, "quantile"),
    ],
)
def test_what_is_no_step_time_is_refused(
    steps: object, slacks: list[float], quantile: float, key: str
) -> None:
    with pytest.raises(InputError) as caught:
        menu(steps, slacks, quantile)  # type: ignore[arg-type]
    assert caught.value.faults[0].key == key


@pytest.mark.parametrize("period_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_period_is_a_time(period_s: float) -> None:
    with pytest.raises(InputError, match="period_s"):
        lateness_s([1.0], period_s)


# measured


@cache
def logged() -> pd.DataFrame:
    return pd.read_csv(DATA).set_index(["organisation", "gpus", "gpu", "run"]).sort_index()


def run_of(organisation: str, gpus: int, gpu: str, run: int = 1) -> np.ndarray:
    rows = logged().loc[(organisation, gpus, gpu, run)].sort_values("index")
    return rows["train_step_s"].to_numpy()[WARM_UP:]


@measured
@pytest.mark.parametrize(
    ("organisation", "gpus", "gpu", "slack", "p95_s", "p99_s"),
    [
        ("smc-dc-power", 512, "H100", 0.0005, 0.08, 0.10),
        ("NVIDIA", 2560, "GB200 NVL72", 0.01, 1.8, 1.9),
        ("NVIDIA", 2560, "GB200 NVL72", 0.03, 0.13, 0.53),
        ("NVIDIA", 5120, "GB200 NVL72", 0.01, 0.24, 0.33),
        ("NVIDIA", 512, "GB200 NVL72", 0.01, 0.27, 1.1),
        ("Oracle", 3072, "H100", 0.06, 0.49, 0.58),
    ],
)
def test_measured_runs(
    organisation: str, gpus: int, gpu: str, slack: float, p95_s: float, p99_s: float
) -> None:
    """First run of each job, two steps dropped; figures of another calculation, in two digits."""
    steps = run_of(organisation, gpus, gpu)
    for quantile, expected in ((0.95, p95_s), (0.99, p99_s)):
        (lock,) = menu(steps, [slack], quantile)
        assert lock.jitter_s == pytest.approx(expected, abs=0.02)


@measured
def test_a_gate_asks_a_fifth_of_what_the_quantile_of_the_step_asks() -> None:
    steps = run_of("smc-dc-power", 512, "H100")
    by_quantile = np.quantile(steps, 0.99) / steps.mean() - 1
    assert by_quantile == pytest.approx(0.0027, abs=0.0001)
    (lock,) = menu(steps, [0.0005])
    assert lock.jitter_s < 0.11
    assert by_quantile / lock.slack_pu > 5


@measured
def test_runs_of_one_job_differ_tenfold() -> None:
    alone = [menu(run_of("NVIDIA", 512, "GB200 NVL72", run), [0.01])[0].jitter_s for run in (1, 2, 3)]
    assert max(alone) > 7.0
    assert min(alone) < 1.0


@measured
def test_the_locks_of_the_hall_are_those_of_the_measured_steps() -> None:
    site = codesign.load(Path(__file__).parents[1] / "instances" / "hall_20mw")
    runs = [run_of("smc-dc-power", 512, "H100", run) for run in (1, 2, 3)]
    for job in site.jobs.values():
        for lock in job.locks:
            (found,) = menu(runs, [lock.slack_pu])
            assert lock.jitter_s == pytest.approx(found.jitter_s, abs=0.003)
