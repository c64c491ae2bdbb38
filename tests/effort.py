"""What a call costs beside a piece of work of fixed size: the same on a slow machine as on a fast one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

PIECE = 1_000_000


@contextmanager
def at_most(pieces: float) -> Iterator[None]:
    """Hold what runs within to the CPU time of so many pieces of work."""
    piece_s = _piece_s()
    began_s = time.process_time()
    yield
    spent = (time.process_time() - began_s) / piece_s
    assert spent < pieces, f"the work of {spent:.1f} pieces, expected below {pieces:g}"


@cache
def _piece_s() -> float:
    """Return the CPU seconds of one piece: a million entries put into a dict, the slowest of three."""
    took_s = []
    for _ in range(3):
        began_s = time.process_time()
        made = {}
        for i in range(PIECE):
            made[i] = str(i)
        took_s.append(time.process_time() - began_s)
    return max(took_s)
