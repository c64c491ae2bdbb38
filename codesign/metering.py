"""What a meter reads of a periodic course: its highest mean over a window, wherever that begins.

A course of K steps repeats, a window holds T = n K + r steps. Its mean is that of the course, and beside it

    excess = r/T (highest mean of r steps in a row less the mean of the course) >= 0

which is 0 where the window is whole turns. A mean is linear in the window's start between the moments at
which one of its ends meets a step, so those moments are enough. Jobs that shift are at their worst shift.
Power beside jobs and storage, and the transformers' losses, are those of the hour's mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from codesign import streams
from codesign.site import Site

TURN = 1e-9
"""Part of a turn below which a window is whole turns."""


def window_steps(site: Site) -> float:
    """Return the metering window in steps of the clock."""
    return 60.0 * site.energy.metering_window_min / site.clock.step_s


def rest_steps(site: Site) -> float:
    """Return what is left of the metering window beside whole turns of the macro clock, in steps."""
    steps = round(site.clock.macro_s / site.clock.step_s)
    turns = window_steps(site) / steps
    rest = turns - math.floor(turns)
    return 0.0 if min(rest, 1.0 - rest) <= TURN * max(turns, 1.0) else rest * steps


def excess_mw(site: Site, parts: Sequence[streams.Stream], nets: Sequence[np.ndarray]) -> float:
    """Return by how much the highest mean over a metering window is above the mean of the streams [MW]."""
    rest = rest_steps(site)
    if not rest:
        return 0.0
    means = [means_over(net, rest) for net in nets]
    top = max(streams.highest(tuple(parts), [each[side] for each in means]) for side in (0, 1))
    mean = sum(part.count * float(net.mean()) for part, net in zip(parts, nets, strict=True))
    return max(rest / window_steps(site) * (top - mean), 0.0)


def means_over(course: np.ndarray, steps: float) -> np.ndarray:
    """Return the means of a periodic course over some steps: windows that begin, then that end, at step k."""
    edges = np.arange(len(course), dtype=float)
    begins = np.stack([edges, edges - steps])
    return (_until(course, begins + steps) - _until(course, begins)) / steps


def _until(course: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the integral of a periodic course from 0 to some moments, in steps."""
    whole = np.concatenate([[0.0], np.cumsum(course)])
    turns = np.floor(at / len(course))
    return np.asarray(turns * whole[-1] + np.interp(at - turns * len(course), np.arange(len(whole)), whole))
