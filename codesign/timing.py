"""CPU seconds by part of the work, always counted: of this process, all its threads, the solvers' included.

    with spent("milp"): highs.run()         or @spent("build") above a function
    before = snapshot(); ...; snapshot() - before

A part within a part counts once: the inner one takes its time away from the outer. Each thread keeps its own
account, from a clock that the process has in common: work in several threads at once is counted in each.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was spent until now: CPU seconds and entries, by part."""

    cpu_s: Mapping[str, float] = field(default_factory=dict)
    entries: Mapping[str, int] = field(default_factory=dict)

    def __sub__(self, before: Snapshot) -> Snapshot:
        return Snapshot(
            {part: value - before.cpu_s.get(part, 0.0) for part, value in self.cpu_s.items()},
            {part: count - before.entries.get(part, 0) for part, count in self.entries.items()},
        )


class _Account(threading.local):
    def __init__(self) -> None:
        self.open: list[str] = []
        self.since_s = 0.0
        self.cpu_s: dict[str, float] = {}
        self.entries: dict[str, int] = {}

    def book(self) -> None:
        """Give the time since the last booking to the innermost open part."""
        now_s = time.process_time()
        if self.open:
            part = self.open[-1]
            self.cpu_s[part] = self.cpu_s.get(part, 0.0) + now_s - self.since_s
        self.since_s = now_s


_account = _Account()


@contextmanager
def spent(part: str) -> Iterator[None]:
    """Count what follows as this part's, but for what is spent in parts within it."""
    account = _account
    account.book()
    account.open.append(part)
    account.entries[part] = account.entries.get(part, 0) + 1
    try:
        yield
    finally:
        account.book()
        account.open.pop()


def snapshot() -> Snapshot:
    """Return what this thread spent until now, open parts included."""
    _account.book()
    return Snapshot(dict(_account.cpu_s), dict(_account.entries))
