"""The verb that shows a design: report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from codesign.cli_designs import DOES_NOT_HOLD, DONE, DesignArgument


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(report)


def report(
    folder: DesignArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the page.")],
) -> int:
    """Write one HTML page about a design: certificate, sizes, load at the POI, transients."""
    from codesign import reporting
    from codesign.design import Design
    from codesign.reporting.certificate import holds

    reporting.prepare(out)
    design = Design.load(folder)
    print(f"{reporting.report(design, out)} is written")
    if holds(design):
        return DONE
    print(f"the design is {design.outcome.value}: {design.certificate.reason}", file=sys.stderr)
    return DOES_NOT_HOLD
