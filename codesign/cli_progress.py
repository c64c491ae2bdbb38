"""What a long run tells: one line renewed on a terminal, plain lines elsewhere; Ctrl-C and SIGTERM.

All of it goes to stderr, so that stdout holds the answer and nothing else.
"""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

from rich.console import Console
from rich.status import Status

QUIET_S = 5.0  # between two plain lines of one stage
CLOSED = 1e-3
"""Gap at which a planning stage is as good as done: told at once."""


class Teller:
    """Progress of plan and check: stage, incumbent, bound, gap; scenario, steps done."""

    def __init__(self, silent: bool = False) -> None:
        self._console = Console(file=sys.stderr)
        self._live = self._console.is_terminal and not silent
        self._status: Status | None = None
        self._silent, self._told_at = silent, dict[str, float]()
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        if self._live:
            self._status = self._console.status("starting")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def plan(self, stage: str, best: float, bound: float) -> None:
        """Tell a planning stage's incumbent and bound, USD a year."""
        told, closed = [f"best {best:,.0f}" if math.isfinite(best) else "no plan yet"], False
        if math.isfinite(bound):
            told.append(f"bound {bound:,.0f}")
        if math.isfinite(best) and math.isfinite(bound) and best:
            gap = round((best - bound) / abs(best), 4) + 0.0  # no -0.00 %
            told.append(f"gap {gap:.2%}")
            closed = gap <= CLOSED
        self._tell(f"plan, {stage}", ", ".join(told), last=closed)

    def check(self, scenario: str, done: int, steps: int) -> None:
        """Tell how far a scenario is."""
        self._tell(f"check, {scenario}", f"step {done} of {steps}", last=done >= steps)

    def stage(self, text: str) -> None:
        """Tell that another part of the work begins."""
        self._tell(text, "", last=True)

    def _tell(self, stage: str, detail: str, last: bool = False) -> None:
        if self._silent:
            return
        now = time.monotonic()
        line = f"[{now - self._began:6.1f} s] {stage}" + (f": {detail}" if detail else "")
        if self._status is not None:
            self._status.update(line.replace("[", r"\[", 1))
        elif last or now - self._told_at.get(stage, -math.inf) >= QUIET_S:
            print(line, file=sys.stderr, flush=True)
            self._told_at[stage] = now


class Stop:
    """Set by the first Ctrl-C or SIGTERM; the second one interrupts at once."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> bool:
        return self.asked

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        again = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        print(f"stopping with the best found; {again} again to leave at once", file=sys.stderr, flush=True)


@contextmanager
def listening() -> Iterator[Stop]:
    """Turn Ctrl-C and SIGTERM into a question that the work asks between its steps."""
    stop = Stop()
    before = {number: signal.signal(number, stop._hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, heard in before.items():
            signal.signal(number, heard)


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does: KeyboardInterrupt, nothing half done."""

    def hear(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, hear)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
