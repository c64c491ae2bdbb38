"""The place of a design folder D: proven before work begins, swapped in by renames, put right after a kill.

A save writes `D.new-PID` beside D, moves D to `D.old`, moves the new folder to D, and removes the older
one under a name of its own. Renames are done under an exclusive lock of the parent folder (`flock`), reading
under a shared one: a reader meets the older design or the new one, whole, never the moment between. The lock
ends with its process. Where the parent cannot be locked (a file system or a system without `flock`), renames
alone protect: a reader may then have to read again.

A kill leaves the older D, the new D, or `D.old`; `recover` puts that right.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from codesign.errors import InputError
from codesign.reading import refused

try:
    import fcntl
except ImportError:  # pragma: no cover  no such lock on Windows
    fcntl = None  # type: ignore[assignment]

PROBE_BYTES = 65_536
"""Written and removed to prove that a place takes a file; a full disk does not."""

IsOurs = Callable[[Path], bool]


@contextmanager
def held(folder: Path, *, exclusive: bool) -> Iterator[None]:
    """Hold the lock of a folder's parent; wait for it."""
    with ExitStack() as stack:
        if fcntl is not None:
            with suppress(OSError):
                handle = os.open(folder.parent, os.O_RDONLY)
                stack.callback(os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield


def prove(target: Path) -> None:
    """Make what a save will make, and remove it; InputError where that is not possible."""
    missing = [each for each in (target.parent, *target.parent.parents) if not _exists(each)]
    fresh = fresh_of(target)
    shutil.rmtree(fresh, ignore_errors=True)  # of an earlier process of this number
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.mkdir()
        with (fresh / "design.json").open("wb") as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise unusable(target, error) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        for each in missing:
            with suppress(OSError):
                each.rmdir()


def unusable(target: Path, error: OSError) -> InputError:
    """Return the error of a place that cannot take a design, with what the system says of it."""
    why = error.strerror or type(error).__name__
    return refused(target, "--out", why, "a place where a folder can be made and has room")


def swap(fresh: Path, target: Path) -> None:
    """Move a fresh folder to its place and remove what stood there."""
    old, gone = old_of(target), fresh.with_name(f"{fresh.name}-gone")
    with held(target, exclusive=True):
        if target.exists():
            target.rename(old)
        fresh.rename(target)
        if old.exists():
            old.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def recover(target: Path, is_ours: IsOurs) -> bool:
    """Put `D.old` back where a kill left no D, remove it where D stands; return whether it was put back.

    What a killed save left beside D is removed as well. Nothing else is touched.
    """
    _sweep(target)
    old = old_of(target)
    if not _exists(old):
        return False
    gone = fresh_of(target).with_name(f"{fresh_of(target).name}-gone")
    with held(target, exclusive=True):  # a save that is under way ends first
        if not _exists(old) or not is_ours(old):
            return False
        if not target.exists():
            old.rename(target)
            return True
        if not is_ours(target):
            return False
        old.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
    return False


def old_of(target: Path) -> Path:
    """Return where an older design stands for a moment."""
    return target.with_name(f"{target.name}.old")


def fresh_of(target: Path) -> Path:
    """Return where this process writes a new design."""
    return target.with_name(f"{target.name}.new-{os.getpid()}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long
        return False


def _sweep(target: Path) -> None:
    """Remove what saves of processes that are gone were writing."""
    head = f"{target.name}.new-"
    try:
        stale = [each for each in target.parent.iterdir() if each.name.startswith(head)]
    except OSError:
        return
    for each in stale:
        if not _alive(each.name.removeprefix(head).removesuffix("-gone")):
            shutil.rmtree(each, ignore_errors=True)


def _alive(pid: str) -> bool:
    if os.name == "nt":  # signal 0 is not a question there
        return True
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
