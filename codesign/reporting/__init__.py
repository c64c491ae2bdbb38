"""The report: one HTML page about a design, to be opened anywhere, offline.

    certificate   outcome, cost and bound, margins, what is covered and what is not
    single_line   sizes and margins on the single-line and flow diagram (content: boxes)
    poi           the load at the POI before and after storage, in time and as a spectrum
    transients    every scenario against its limits
    page          the page of these; figures, text, style: what they share

Every number is read from the design or computed by the functions that made it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from codesign.design import Design
from codesign.errors import Fault, InputError
from codesign.folder import holds_design

HEAD_BYTES = 1024


def html(design: Design) -> str:
    """Return the page about a design."""
    from codesign.reporting.page import page

    return page(design)


def report(design: Design, path: str | Path) -> Path:
    """Write the page at once or not at all; InputError where anything but an older report stands."""
    target = Path(path).absolute()
    prepare(target)
    text = html(design)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(fresh).chmod(0o666 & ~_umask())
        Path(fresh).replace(target)
    finally:
        Path(fresh).unlink(missing_ok=True)
    return target


def prepare(path: str | Path) -> None:
    """Refuse a place that holds anything but an older report, or that lies in a design folder."""
    target = Path(path).absolute()
    if holds_design(target.parent):
        raise _refused(target, "in a design folder", "a place outside every design folder")
    if target.is_symlink() or (target.exists() and not _is_report(target)):
        found = "a link" if target.is_symlink() else "a folder" if target.is_dir() else "another file"
        raise _refused(target, found, "a new file, or an older report of this tool")


def _is_report(path: Path) -> bool:
    from codesign.reporting.page import GENERATOR

    if not path.is_file():
        return False
    with path.open("rb") as file:
        return GENERATOR.encode() in file.read(HEAD_BYTES)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _refused(path: Path, value: str, expected: str) -> InputError:
    return InputError([Fault(str(path), "", value, expected)])
