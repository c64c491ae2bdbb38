"""When work ends early: a time limit and a question, heeded by whatever runs within them.

    with within(time_limit_s, stop):
        ...                              # every loop below calls heed(), solvers are given left_s()

Limits lie within each other: the earliest end counts, and every question is asked.  What heeds holds no
result that its caller cannot do without; the caller catches `StoppedError` and answers with the best it has.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from codesign.design import Outcome
from codesign.errors import StoppedError

PACE = 256
"""Calls of `pace` between two looks at the clock."""
FINISH_PU, FINISH_S = 0.08, 4.0
"""What keeping the best found may take beyond the limit: the larger of this share of it and these seconds."""


@dataclass(slots=True)
class _Limits:
    ends_s: float
    most_s: float
    questions: tuple[Callable[[], bool], ...]
    paced: int = 0


def clock_s() -> float:
    """Return the time by which limits are kept [s]."""
    return time.monotonic()


_limits: ContextVar[_Limits | None] = ContextVar("limits", default=None)


@contextmanager
def within(time_limit_s: float = math.inf, stop: Callable[[], bool] | None = None) -> Iterator[None]:
    """Let what follows end after a time, or once a question is answered with yes."""
    outer, questions = _limits.get(), () if stop is None else (stop,)
    ends_s, most_s = clock_s() + time_limit_s, time_limit_s
    if outer is not None:
        if outer.ends_s <= ends_s:
            ends_s, most_s = outer.ends_s, outer.most_s
        questions = (*outer.questions, *questions)
    with _set(_Limits(ends_s, most_s, tuple(dict.fromkeys(questions)))):
        yield


@contextmanager
def finishing() -> Iterator[None]:
    """Let what follows, which keeps the best found, end a little later and be asked nothing."""
    limits = _limits.get()
    if limits is None:
        yield
        return
    more_s = max(FINISH_PU * limits.most_s, FINISH_S)
    with _set(_Limits(limits.ends_s + more_s, limits.most_s, ())):
        yield


@contextmanager
def _set(limits: _Limits) -> Iterator[None]:
    token = _limits.set(limits)
    try:
        yield
    finally:
        _limits.reset(token)


def left_s() -> float:
    """Return the seconds that are left, infinite where nothing limits them."""
    limits = _limits.get()
    return math.inf if limits is None else max(limits.ends_s - clock_s(), 0.0)


def asked() -> Outcome | None:
    """Return how the work ends if it has to: by the user before by the clock."""
    limits = _limits.get()
    if limits is None:
        return None
    if any(question() for question in limits.questions):
        return Outcome.INTERRUPTED
    return Outcome.TIME_LIMIT if clock_s() >= limits.ends_s else None


def heed() -> None:
    """Raise StoppedError where the work has to end."""
    if (outcome := asked()) is not None:
        raise StoppedError(outcome)


def pace() -> None:
    """Heed now and then: for loops whose steps take microseconds."""
    limits = _limits.get()
    if limits is not None:
        limits.paced += 1
        if limits.paced >= PACE:
            limits.paced = 0
            heed()
