"""Locking a job to the common clock: what a start gate costs in speed, and how late it still starts.

A start gate is a queue.  Tick n stands at n T; iteration n starts at its tick or, when the one before
overran, at that one's end.  With S the time of a step without its wait, the lateness W of a start obeys

    W' = max(0, W + S - T),   T = (1 + slack) mean(S)

(D. V. Lindley, The theory of queues with a single server, Proc. Cambridge Phil. Soc. 48 (1952), 277-289).  An
overrun is worked off by slack a step, so on a machine whose steps wander it lasts many periods, and a
quantile of S says little about it: the step times are taken in their measured order.

The price of a lock is its slack, by which the period exceeds the mean step; what it buys is jitter_s.  Jobs
without a gate drift against each other by 0.02 to 1.2 % of their period on the same machine (step times
logged in public training results).  Drop the first steps of a run: after a start they are slow, once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codesign.errors import Fault, InputError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lock:
    """A way to lock: slack_pu of the mean step given up, starts at most jitter_s late at the quantile.

    Lateness has one side: a start lies in [tick, tick + jitter_s].
    """

    slack_pu: float
    jitter_s: float
    quantile: float


def lateness_s(step_times_s: ArrayLike, period_s: float) -> Array:
    """Return how late the start after each step is, the first start being on its tick [s].

    W_n = C_n - min(0, min_k<=n C_k) with C_n = sum_i<=n (S_i - T): Lindley's recursion without a loop, to the
    rounding of the sum, about 1e-16 of the run's duration.
    """
    steps = _steps(step_times_s)
    if not 0 < period_s < np.inf:
        raise _refused("period_s", period_s, "a finite number above 0 [s]")
    ahead = np.cumsum(steps - period_s)
    return ahead - np.minimum(0.0, np.minimum.accumulate(ahead))


def steady_lateness_s(step_times_s: ArrayLike, period_s: float) -> Array:
    """Return the lateness of a run that is repeated without end, over one of its repetitions [s].

    Exact from the second repetition on: where the first one's sum is least, a start is on its tick.  Infinite
    where the mean step is not shorter than the period: the lateness then grows for ever.
    """
    steps = _steps(step_times_s)
    if steps.mean() >= period_s:
        return np.full(len(steps), np.inf)
    return lateness_s(np.tile(steps, 2), period_s)[len(steps) :]


def menu(
    step_times_s: ArrayLike | Sequence[ArrayLike], slacks: Iterable[float], quantile: float = 0.99
) -> tuple[Lock, ...]:
    """Return the locks worth having, by rising slack and falling jitter, from measured step times [s].

    One run, or several of the same job: then one period for all, (1 + slack) times the mean of all their
    steps, and the jitter of the worst run (runs of one job differ up to tenfold).  A slack that leaves some
    run slower than its ticks is no lock and left out.  The jitter is a lateness that occurred, the first at
    or above the quantile, over the repeated run (steady_lateness_s).
    """
    runs = _runs(step_times_s)
    if not 0 < quantile < 1:
        raise _refused("quantile", quantile, "a number between 0 and 1")
    wanted = sorted({float(slack) for slack in slacks})
    for slack in wanted:
        if not 0 < slack < np.inf:
            raise _refused("slacks", slack, "finite numbers above 0, per unit of the mean step")
    mean_s, kept = float(np.concatenate(runs).mean()), list[Lock]()
    for slack in wanted:
        late = [steady_lateness_s(run, (1.0 + slack) * mean_s) for run in runs]
        jitter_s = max(float(np.quantile(each, quantile, method="higher")) for each in late)
        if jitter_s < (kept[-1].jitter_s if kept else np.inf):
            kept.append(Lock(slack, jitter_s, quantile))
    return tuple(kept)


def _runs(step_times_s: Any) -> list[Array]:
    """Return each run's steps, of one run or several of different length."""
    try:
        several = len(step_times_s) > 0 and np.ndim(step_times_s[0]) > 0
    except (TypeError, KeyError, IndexError):
        several = False
    return [_steps(each) for each in (step_times_s if several else [step_times_s])]


def _steps(step_times_s: ArrayLike) -> Array:
    expected = "a flat list of finite step times above 0 [s], at least one"
    try:
        steps = np.asarray(step_times_s, float)
    except (TypeError, ValueError):
        raise _refused("step_times_s", type(step_times_s).__name__, expected) from None
    if steps.ndim != 1 or not len(steps):
        raise _refused("step_times_s", f"shape {steps.shape}", expected)
    wrong = ~(np.isfinite(steps) & (steps > 0))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise _refused(f"step_times_s.{at}", float(steps[at]), expected)
    return steps


def _refused(key: str, value: Any, expected: str) -> InputError:
    return InputError([Fault("locking", key, value, expected)])
