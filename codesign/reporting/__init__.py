"""The report: one HTML page about a design, to be opened anywhere, offline.

    certificate   outcome, cost and bound, margins, what is covered and what is not
    single_line   sizes and margins on the single-line and flow diagram (content: boxes)
    poi           the load at the POI before and after storage, in time and as a spectrum
    transients    every scenario against its limits
    page          the page of these; figures, text, style: what they share

Every number is read from the design or computed by the functions that made it.
"""

from __future__ import annotations

from pathlib import Path

from codesign import writing
from codesign.design import Design

HEAD_BYTES = 1024
KIND = "report"


def html(design: Design) -> str:
    """Return the page about a design."""
    from codesign.reporting.page import page

    return page(design)


def report(design: Design, path: str | Path) -> Path:
    """Write the page at once or not at all; InputError where anything but an older report stands."""
    prepare(path)
    return writing.write(html(design), path, KIND, _is_report)


def prepare(path: str | Path) -> None:
    """Refuse a place that holds anything but an older report, or that lies in a design folder."""
    writing.refuse(path, KIND, _is_report)


def _is_report(path: Path) -> bool:
    from codesign.reporting.page import GENERATOR

    if not path.is_file():
        return False
    with path.open("rb") as file:
        return GENERATOR.encode() in file.read(HEAD_BYTES)
