"""The verb that shows a design: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(report)


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A design folder, as solve writes it.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the page.")],
) -> None:
    """Write one HTML page about a design: certificate, sizes, load at the POI, transients."""
    from codesign import reporting
    from codesign.design import Design

    reporting.prepare(out)
    written = reporting.report(Design.load(folder), out)
    print(f"{written} is written")
