"""A single file, written at once or not at all, and never over what is not an older one of its kind."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from codesign.errors import Fault, InputError
from codesign.folder import holds_design

IsOurs = Callable[[Path], bool]


def write(text: str, path: str | Path, kind: str, is_ours: IsOurs) -> Path:
    """Write beside the place, then rename into it: a kill leaves the old file or the new one.

    `kind` names what is written; `is_ours` tells an older one, which is replaced. InputError otherwise.
    """
    target = Path(path).absolute()
    refuse(target, kind, is_ours)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(fresh).chmod(0o666 & ~_umask())
        Path(fresh).replace(target)
    finally:
        Path(fresh).unlink(missing_ok=True)
    return target


def refuse(path: str | Path, kind: str, is_ours: IsOurs) -> None:
    """Refuse a link, a folder, a place inside a design folder, and any file but an older one of ours."""
    target = Path(path).absolute()
    expected = f"a new file, or an older {kind} of this tool"
    if holds_design(target.parent):
        raise _refused(target, "in a design folder", "a place outside every design folder")
    if target.is_symlink():
        raise _refused(target, "a link", expected)
    if target.is_dir():
        raise _refused(target, "a folder", expected)
    if target.exists() and not is_ours(target):
        raise _refused(target, "another file", expected)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _refused(path: Path, found: str, expected: str) -> InputError:
    return InputError([Fault(str(path), "", found, expected)])
