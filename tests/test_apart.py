"""Work in processes of its own: results in order, words on the way, ends that are told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial

import pytest

from codesign import apart
from codesign.errors import SolverError


def squared(number: int, progress: Callable[..., None]) -> int:
    progress("squared", number)
    return number**2


def failing(progress: Callable[..., None]) -> None:
    raise ZeroDivisionError("of all numbers")


def ending(progress: Callable[..., None]) -> None:
    os._exit(7)


def sleeping(progress: Callable[..., None]) -> int:
    progress("asleep", os.getpid())
    time.sleep(600)
    return 0


def threads(progress: Callable[..., None]) -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_results_come_in_order_and_words_on_the_way() -> None:
    heard: list[tuple[str, int]] = []
    numbers = [3, 1, 2]
    found = apart.each([partial(squared, n) for n in numbers], 2, lambda *words: heard.append(words))
    assert found == [9, 1, 4]
    assert sorted(heard) == [("squared", 1), ("squared", 2), ("squared", 3)]


def test_what_a_process_raises_is_quoted() -> None:
    with pytest.raises(SolverError, match=r"(?s)ZeroDivisionError: of all numbers"):
        apart.each([failing])


def test_a_process_that_ends_without_a_result_is_told() -> None:
    with pytest.raises(SolverError, match="without a result, exit code 7"):
        apart.each([ending])


def test_what_is_raised_here_ends_them_all() -> None:
    pids: list[int] = []

    def hear(_: str, pid: int) -> None:
        pids.append(pid)
        if len(pids) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apart.each([sleeping, sleeping], 2, hear)
    assert len(pids) == 2
    assert not any(alive(pid) for pid in pids)


def test_every_process_has_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert apart.each([threads]) == ["1"]
    assert apart.each([threads, threads], 2) == ["1", "1"]
    assert "OMP_NUM_THREADS" not in os.environ
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert apart.each([threads, threads], 2) == ["3", "3"]
