"""What a job's author states of its power, and what the clock's step keeps of it.

per_unit_of   1 in the profile is           the file's values are
plateau       the plateau                   taken as they stand
peak          the highest value             divided by their maximum
mean          the mean                      divided by their mean

1 is then plateau_pu of the rack's nominal power. A median is no reference: it is the valley of a job that
computes for less than half of its period.

The clock takes means over its step. A named phase must keep its level in one step, to LOSS_PU of the range of
levels. The peak and the valley of a profile must be kept to as much, where it was averaged over less than
the step; where it was averaged over the step or longer, to AVERAGED_LOSS_PU: a mean over a span A turns the
shortest notch into a triangle of width 2 A, and a mean over a step up to A keeps at least half of a triangle,
wherever the step begins. A profile that loses more was not averaged over what its site says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.errors import Fault

Array = NDArray[np.float64]
Columns = Mapping[str, tuple[Any, ...]]

LOSS_PU = 0.05
AVERAGED_LOSS_PU = 0.5
MOST_PARTS = 1000
"""Parts of a step that are tried for the step that would do."""
DIGITS = 9


def per_unit(per_unit_of: str, values: Array) -> Array:
    """Return a profile's values per unit of what its author states."""
    return values / reference(per_unit_of, values)


def reference(per_unit_of: str, values: Array) -> float:
    """Return what 1 stands for in the unit of a profile's values."""
    match per_unit_of:
        case "peak":
            return float(values.max())
        case "mean":
            return float(values.mean())
    return 1.0


def source(job: Any, profiles: Mapping[str, Columns]) -> tuple[Array, Array]:
    """Return a job's levels over one period and their shares of it: phases as named, or a profile's bins."""
    if job.profile is None:
        levels = np.array([phase.level_pu for phase in job.phases], float)
        shares = np.array([phase.share for phase in job.phases], float)
        return levels, shares / shares.sum()
    levels = per_unit(job.per_unit_of, np.asarray(profiles[job.profile]["power_pu"], float))
    return levels, np.full(len(levels), 1 / len(levels))


def resampled(levels: Array, shares: Array, steps: int) -> Array:
    """Average piecewise-constant levels over equal steps, by overlap: the mean is kept [steps]."""
    edges = np.concatenate([[0.0], np.cumsum(shares)])
    integral = np.concatenate([[0.0], np.cumsum(shares * levels)])
    return np.asarray(np.diff(np.interp(np.linspace(0.0, 1.0, steps + 1), edges, integral)) * steps)


def losses(
    job: Any, levels: Array, shares: Array, step_s: float, allowed_pu: float
) -> list[tuple[str, float, float]]:
    """Return (what, its level, its level in means over the step) of all that loses more than allowed."""
    span = float(np.ptp(levels))
    sampled = resampled(levels, shares, round(job.period_s / step_s))
    allowed = span * allowed_pu
    if job.profile is None:
        kept = [(f"phase {each.name}", float(each.level_pu)) for each in job.phases if each.share > 0.0]
        nearest = [(what, level, float(sampled[np.abs(sampled - level).argmin()])) for what, level in kept]
    else:
        nearest = [
            ("valley", float(levels.min()), float(sampled.min())),
            ("peak", float(levels.max()), float(sampled.max())),
        ]
    return [each for each in nearest if round(abs(each[2] - each[1]) - allowed, DIGITS) > 0.0]


def _allowed_pu(job: Any, step_s: float) -> float:
    measured = job.profile is not None and job.averaging_s is not None
    return AVERAGED_LOSS_PU if measured and job.averaging_s >= step_s * (1 - 1e-9) else LOSS_PU


def taken(job: Any, levels: Array, shares: Array, step_s: float) -> tuple[float, float]:
    """Return by how much the step lifts a job's valley and lowers its peak, per unit of its range."""
    span = float(np.ptp(levels))
    if not span:
        return 0.0, 0.0
    sampled = resampled(levels, shares, round(job.period_s / step_s))
    return float(sampled.min() - levels.min()) / span, float(levels.max() - sampled.max()) / span


def faults(name: str, job: Any, columns: Columns | None, step_s: float) -> Iterator[Fault]:
    """Yield what is wrong with a job's profile beside the clock's step; `columns` are of its profile."""
    key = f"jobs.{name}"
    if job.averaging_s is not None and job.period_s < job.averaging_s * (1 - 1e-9):
        expected = f"at least what the profile was averaged over, averaging_s = {job.averaging_s:g} [s]"
        yield Fault("", f"{key}.period_s", job.period_s, expected)
    if job.profile is not None and columns is None:
        return
    levels, shares = source(job, {} if columns is None else {job.profile: columns})
    lost = losses(job, levels, shares, step_s, _allowed_pu(job, step_s))
    if not lost:
        return
    what, level, kept = max(lost, key=lambda each: abs(each[1] - each[2]))
    of = f"the {what} of jobs.{name}" if job.profile is not None else f"{what} of jobs.{name}"
    said = f"{of} at {level:.4g} becomes {kept:.4g} in means over a step"
    parts = range(2, MOST_PARTS)
    fine = next((n for n in parts if not losses(job, levels, shares, step_s / n, LOSS_PU)), None)
    remedy = "a shorter step" if fine is None else f"at most {step_s / fine:.4g}"
    yield Fault("", "clock.step_s", step_s, f"{remedy}: {said} [s]")
