"""The verb that hands a design's schedule to the cluster's scheduler: schedule."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from codesign.cli_designs import DOES_NOT_HOLD, DONE, DesignArgument, Json


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(schedule)


def schedule(
    folder: DesignArgument,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="schedule.csv or schedule.json to write.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Give the schedule, one row a job copy: start gate, offset and events. To stdout without --out."""
    from codesign import scheduling
    from codesign.design import Design, Outcome

    if out is not None:
        scheduling.prepare(out)
    design = Design.load(folder)
    records = scheduling.to_records(design)
    if out is not None:
        scheduling.write(records, out)
        print(f"saved in {out}", file=sys.stderr)
    if as_json:
        sys.stdout.write(scheduling.as_json(records))
    elif out is None:
        sys.stdout.write(scheduling.as_csv(records))
    if design.outcome is Outcome.CERTIFIED:
        return DONE
    print(f"the design is {design.outcome.value}: {design.certificate.reason}", file=sys.stderr)
    return DOES_NOT_HOLD
