"""Work in processes of its own, some at a time: heard as it goes, ended with its caller.

Processes are spawned: each imports the caller's script, which must guard its main. `prove` finds out before
work begins.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from codesign import stopping
from codesign.design import Outcome
from codesign.errors import Fault, InputError, SolverError, StoppedError

T = TypeVar("T")

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What the linear algebra of a process reads when it starts."""
UNGUARDED = 78
"""Exit code of a process that found its caller's script at work while it imported it."""
ASKED_S = 0.2
"""How often the limits of the work are looked at while no process says anything."""


def each(
    tasks: Sequence[Callable[..., T]], most: int = 1, hear: Callable[..., None] | None = None
) -> list[T]:
    """Return the tasks' results in their order, up to `most` running at a time.

    A task can be pickled and is called with `progress`, whose arguments `hear` gets here. Each has one thread
    for linear algebra: a second one took twice the CPU seconds of the check and no less time. Whatever is
    raised here, by `hear` too, ends all of them, and so do the limits that the work lies within.

    Raises
    ------
    InputError
        A process refused its input: as it was raised there.
    SolverError
        A process raised something else, which is quoted, or ended without a result.
    StoppedError
        Time is up, the user asked to stop, or a process was ended from outside by SIGTERM.
    """
    end_where_imported()
    results: dict[int, T] = {}
    waiting, running = list(enumerate(tasks)), dict[Connection, tuple[int, BaseProcess]]()
    try:
        while waiting or running:
            while waiting and len(running) < most:
                index, task = waiting.pop(0)
                with _one_thread():
                    here, worker = _started(task)
                running[here] = index, worker
            stopping.heed()
            ready = wait(list(running), ASKED_S)
            for here, (index, worker) in list(running.items()):
                if here not in ready:
                    continue
                kind, value = _heard(here, worker)
                if kind == "progress" and hear is not None:
                    hear(*value)
                elif kind == "result":
                    results[index] = value
                    worker.join()
                    del running[here]
    finally:
        for _, worker in running.values():
            worker.kill()
            worker.join()
    return [results[index] for index in range(len(tasks))]


def prove() -> None:
    """Start one process that does nothing; InputError where the script that runs does not guard its main."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is None or spec.name.partition(".")[0] != "codesign":
        each([_nothing])


def end_where_imported() -> None:
    """End a process that only imports its caller's script: a main that is not guarded ran its work there."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(UNGUARDED)


def _nothing(progress: Callable[..., None]) -> None:
    """A task to start a process with."""


def cores() -> int:
    """Return the cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _started(task: Callable[..., Any]) -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(there, task), daemon=True)
    worker.start()
    there.close()
    return here, worker


def _heard(here: Connection, worker: BaseProcess) -> tuple[str, Any]:
    try:
        kind, value = here.recv()
    except EOFError:
        worker.join()
        if worker.exitcode == -signal.SIGTERM:
            raise StoppedError(Outcome.INTERRUPTED) from None
        if worker.exitcode == UNGUARDED:
            raise _unguarded() from None
        raise SolverError(f"a process ended without a result, exit code {worker.exitcode}") from None
    if kind == "refused":
        raise value
    if kind == "raised":
        raise SolverError(f"in a process of its own:\n{value}")
    return kind, value


def _unguarded() -> InputError:
    script = getattr(sys.modules.get("__main__"), "__file__", None) or "the script"
    expected = 'if __name__ == "__main__": before the work, as each worker imports the script; or workers=1'
    return InputError([Fault(str(script), "__main__", "not guarded", expected)])


def _work(there: Connection, task: Callable[..., Any]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the caller hears it, and ends this process
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_caller, daemon=True).start()
    try:
        there.send(("result", task(progress=lambda *words: there.send(("progress", words)))))
    except InputError as error:
        there.send(("refused", error))
    except Exception:
        there.send(("raised", traceback.format_exc()))


def _end_with_caller() -> None:
    caller = multiprocessing.parent_process()
    if caller is not None:
        caller.join()
        os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let processes that start meanwhile have one thread, where the caller's environment says nothing."""
    own = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(own, "1"))
    try:
        yield
    finally:
        for name in own:
            del os.environ[name]
