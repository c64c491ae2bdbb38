"""Standard output whose reader may leave: what comes after is dropped, the verdict's exit code stays."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TextIO


class Leaving:
    """A text stream; once its reader has left, what is written goes nowhere. A full disk is an OSError."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream, self._name = stream, name

    def write(self, text: str) -> int:
        """Write as the stream does."""
        return int(self._kept(self._stream.write, text) or 0)

    def flush(self) -> None:
        """Flush as the stream does."""
        self._kept(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _kept(self, call: Any, *given: Any) -> Any:
        try:
            return call(*given)
        except BrokenPipeError:
            self._close()
        except OSError as error:
            self._close()
            raise OSError(error.errno, error.strerror, self._name) from None
        return None

    def _close(self) -> None:
        """Point the stream's descriptor to nowhere: what is still buffered must not fail again."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextmanager
def logs_on_stderr(log: bool) -> Iterator[None]:
    """Send what solvers write to the process's standard output to stderr: stdout is for the answer."""
    with ExitStack() as stack:
        if log:
            sys.stdout.flush()
            with suppress(OSError):  # a closed descriptor has nothing to keep apart
                kept = os.dup(1)
                os.dup2(2, 1)
                stack.callback(_restored, kept)
        yield


def _restored(kept: int) -> None:
    """Give standard output back, once what C libraries hold in their buffers is out."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).fflush(None)
    os.dup2(kept, 1)
    os.close(kept)


@contextmanager
def guarded() -> Iterator[None]:
    """Guard stdout and stderr, closed ones included, while a command runs."""
    before = sys.stdout, sys.stderr
    nowhere: list[TextIO] = []
    for name, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
        if stream is None:  # closed by the shell: >&-
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  closed below
            nowhere.append(stream)
        setattr(sys, name, Leaving(stream, name))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in nowhere:
            stream.close()
