"""The verb that measures what instances take and holds them against an earlier measurement: bench."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from codesign.answer import WIDTH
from codesign.cli_designs import DOES_NOT_HOLD, DONE, Json, Limit
from codesign.cli_progress import Teller

if TYPE_CHECKING:
    from codesign.bench import Bench, Comparison, Row

LABEL, COLUMN = 24, 19


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(bench)


def bench(
    sites: Annotated[list[Path], typer.Argument(metavar="SITE...", help="Folders of sites, or site files.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.json", help="Where to keep the measurement.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against", metavar="FILE.json", help="An earlier one; else each site's reference.toml."
        ),
    ] = None,
    time_limit_s: Limit = None,
    as_json: Json = False,
) -> int:
    """Solve and audit sites, each in a process of its own: cost, bound, CPU seconds by part, memory.

    Exit code 3 where a cost or a bound is worse than before, or a certificate is lost; never for a time.
    """
    from codesign import bench as measuring
    from codesign import bench_file

    if out is not None:
        bench_file.prepare(out)
    by_name = measuring.named(sites)
    before = bench_file.earlier(by_name, against)
    limit_s = math.inf if time_limit_s is None else time_limit_s
    try:
        with Teller() as teller:
            found = measuring.run(by_name, time_limit_s=limit_s, progress=teller.stage)
    except KeyboardInterrupt:
        raise typer.Abort from None  # typer's own exit code would be 130
    compared = [measuring.compare(row, before[row.name]) for row in found.rows]
    if out is not None:
        bench_file.write(found, compared, out)
        print(f"saved in {out}", file=sys.stderr)
    print(bench_file.as_json(found, compared).rstrip() if as_json else _table(found, compared))
    return DOES_NOT_HOLD if any(each.worse for each in compared) else DONE


def _table(found: Bench, compared: Sequence[Comparison]) -> str:
    """Return one column an instance, as many side by side as the width takes, then the verdicts."""
    pairs, lines = list(zip(found.rows, compared, strict=True)), list[str]()
    wide = max(1, (WIDTH - LABEL) // COLUMN)
    for at in range(0, len(pairs), wide):
        columns = [list(_column(row, to)) for row, to in pairs[at : at + wide]]
        for each in zip(*columns, strict=True):
            lines.append(
                (f"{each[0][0]:<{LABEL}}" + "".join(f"{cell:>{COLUMN}}" for _, cell in each)).rstrip()
            )
        lines.append("")
    if any(each.old_per_new for each in compared):
        lines.append("in brackets: the earlier value over this one")
    machine = found.machine
    lines.append(f"{machine['cores']} cores, {machine['machine']}, {machine['system']}")
    lines += wrap(", ".join(f"{name} {version}" for name, version in found.versions.items()), WIDTH)
    return "\n".join([*lines, *(line for each in compared for line in _verdict(each))])


def _column(row: Row, to: Comparison) -> Iterator[tuple[str, str]]:
    """Yield (label, cell) from top to bottom; in brackets the earlier value over this one."""

    def cell(value: float | None, key: str, form: str = ",.2f") -> str:
        ratio = to.old_per_new.get(key)
        return ("-" if value is None else f"{value:{form}}") + (f" ({ratio:.2f})" if ratio else "")

    yield "", row.name
    yield "outcome", row.outcome
    yield "cost, USD a year", cell(row.cost_usd_per_year, "", ",.0f")
    yield "bound, USD a year", cell(row.bound_usd_per_year, "", ",.0f")
    yield "gap", _share(row.gap)
    yield "influenced gap", _share(row.influenced_gap)
    yield "rounds, plan and check", cell(row.rounds, "", "d")
    yield "MILP solves", cell(row.milp_solves, "", "d")
    yield "CPU s", cell(row.whole_cpu_s, "whole_cpu_s")
    for part, seconds in row.cpu_s.items():
        yield f"  {part}", cell(seconds, part)
    yield "CPU s / solvers' CPU s", cell(row.whole_per_core, "")
    yield "wall s", cell(row.wall_s, "wall_s")
    yield "peak MiB", cell(row.peak_mib, "peak_mib", ",.0f")


def _verdict(to: Comparison) -> Iterator[str]:
    if not to.against:
        yield f"{to.name}: nothing to compare with"
        return
    changed = "" if to.same_site else "; the site or its cards changed since"
    if not to.worse:
        yield f"{to.name}: no worse than in {to.against}{changed}"
    for worse in to.worse:
        yield f"{to.name}: WORSE than in {to.against}: {worse}{changed}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3%}" if abs(value) >= 5e-6 else f"{value:.1e}"
