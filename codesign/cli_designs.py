"""The verbs that make and judge designs: solve, plan, check, audit."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codesign.cli_output import logs_on_stderr
from codesign.cli_progress import Teller, listening
from codesign.errors import Fault, InputError, written

if TYPE_CHECKING:
    from codesign.design import Audit, Design, Outcome, Plan
    from codesign.site import Site

DONE, INFEASIBLE, DOES_NOT_HOLD = 0, 2, 3

SiteArgument = Annotated[Path, typer.Argument(metavar="SITE", help="A site's folder, or its site.toml.")]
DesignArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A design folder, as solve writes it.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Log = Annotated[bool, typer.Option("--log", help="Show the solvers' own logs, on stderr.")]
Limit = Annotated[float | None, typer.Option("--time-limit-s", min=0.0, help="Stop with the best found.")]
SetOfSite = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="poi.contract_max_mw=1.4, sizes.cdu.count=3 (kept fixed)."
    ),
]
SetOfDesign = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="sizes.cdu.count=1, schedule.offsets=aligned."),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where to save the design folder.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for verb in (solve, plan, check, audit):
        app.command()(verb)


def solve(
    site: SiteArgument,
    out: Out = None,
    changes: SetOfSite = None,
    time_limit_s: Limit = None,
    as_json: Json = False,
    log: Log = False,
) -> int:
    """Plan, check and refine until certified: the whole line."""
    from codesign import folder, refining
    from codesign.apart import cores

    the_site, sizes = _site(site, changes)
    if out is not None:
        folder.prepare(out)
    else:
        _say("nothing is saved; --out DIR keeps the design")
    with logs_on_stderr(log), listening() as stop, Teller(silent=log) as teller:
        design = refining.solve(
            the_site, time_limit_s=_seconds(time_limit_s), sizes=sizes, log=log, stop=stop,
            progress=teller.plan, scenario_progress=teller.check, workers=cores(),
        )  # fmt: skip
    _print(design, as_json)  # before it is saved: a full disk must not lose it
    if out is not None and design.plan.solved:
        folder.save(design, out)
        _say(f"saved in {out}")
    elif out is not None:
        _say("nothing is saved: there is no design")
    return _exit_code(design.outcome)


def plan(
    site: SiteArgument,
    changes: SetOfSite = None,
    without: Annotated[
        str | None,
        typer.Option("--without", metavar="offsets", help="Plan again with every job unlocked, and compare."),
    ] = None,
    time_limit_s: Limit = None,
    as_json: Json = False,
    log: Log = False,
) -> int:
    """Plan only: sizes and schedule at least cost, with a bound. No scenario is run, nothing is saved."""
    from codesign import planning, worth
    from codesign.answer import as_json as told
    from codesign.design import Outcome

    if without not in (None, worth.OFFSETS):
        raise InputError([Fault("plan", "--without", written(without), worth.OFFSETS)])
    the_site, sizes = _site(site, changes)
    with logs_on_stderr(log), listening() as stop, Teller(silent=log) as teller:
        options: dict[str, Any] = {
            "time_limit_s": _seconds(time_limit_s), "sizes": sizes, "log": log, "stop": stop,
            "progress": teller.plan,
        }  # fmt: skip
        if without is None:
            the_plan = planning.plan(the_site, **options)
        else:
            found = worth.of_offsets(the_site, **options)
            the_plan = found.plan
    if without is None:
        _print(the_plan, as_json)
    elif as_json:
        print(json.dumps({**told(the_plan), "without_offsets": worth.as_json(found)}, allow_nan=False))
    else:
        print(f"{the_plan}\n{worth.text(found)}")
    return (
        DONE
        if the_plan.outcome is Outcome.NOT_CERTIFIED and the_plan.solved
        else _exit_code(the_plan.outcome)
    )


def check(
    folder: DesignArgument,
    changes: SetOfDesign = None,
    scenario: Annotated[
        list[str] | None, typer.Option("--scenario", help="Only this one; may be repeated.")
    ] = None,
    out: Out = None,
    as_json: Json = False,
    log: Log = False,
) -> int:
    """Check a design's sizes and schedule again: static limits, then every scenario in closed loop."""
    from codesign import trying
    from codesign.design import Design
    from codesign.folder import prepare

    design = Design.load(folder)
    if out is not None:
        prepare(out)
    tried = design.with_(_assignments(changes))
    _known_scenarios(design.site, scenario)
    with logs_on_stderr(log), Teller(silent=log) as teller:
        checked = trying.check(tried, scenarios=scenario, log=log, progress=teller.check)
    _print(checked, as_json)  # before it is saved
    if out is not None:
        checked.save(out)
    return DONE if checked.check.holds else DOES_NOT_HOLD


def audit(
    folder: DesignArgument,
    site: Annotated[
        Path | None,
        typer.Option("--site", help="Judge against this site, not the one stored with the design."),
    ] = None,
    changes: SetOfDesign = None,
    bound: Annotated[
        bool, typer.Option("--bound", help="Prove the bound again: the relaxation is solved anew.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Judge a design again from its site alone, without the code that made it."""
    from codesign import auditing
    from codesign import site as sites
    from codesign.design import Design

    against = None if site is None else sites.load(site)
    if changes:
        verdict = auditing.audit(Design.load(folder).with_(_assignments(changes)), against, bound=bound)
    else:
        verdict = auditing.audit(folder, against, bound=bound)
    _print(verdict, as_json)
    return DONE if verdict.holds else DOES_NOT_HOLD


def _site(path: Path, changes: Sequence[str] | None) -> tuple[Site, dict[str, Any]]:
    """Return the site with its changes made, and the sizes to keep."""
    from codesign import site as sites

    given = _assignments(changes)
    sizes = {name.removeprefix("sizes."): value for name, value in given.items() if name.startswith("sizes.")}
    rest = {name: value for name, value in given.items() if not name.startswith("sizes.")}
    the_site = sites.load(path)
    return (the_site.with_(rest) if rest else the_site), sizes


def _assignments(changes: Sequence[str] | None) -> dict[str, Any]:
    from codesign.site import parse_assignment

    return dict(parse_assignment(change) for change in changes or ())


def _known_scenarios(site: Site, asked: Sequence[str] | None) -> None:
    from codesign import duration
    from codesign.errors import nearest

    known = list(duration.names(site))
    wrong = [name for name in asked or () if name not in known]
    if wrong:
        expected = f"one of {', '.join(known)}"
        raise InputError(
            [Fault("check", "--scenario", written(name), expected, nearest(name, known)) for name in wrong]
        )


def _seconds(time_limit_s: float | None) -> float:
    return math.inf if time_limit_s is None else time_limit_s


def _print(result: Design | Plan | Audit, as_json: bool) -> None:
    if not as_json:
        print(result, flush=True)
        return
    from codesign.answer import as_json as told

    print(json.dumps(told(result), allow_nan=False), flush=True)


def _exit_code(outcome: Outcome) -> int:
    return {"certified": DONE, "infeasible": INFEASIBLE}.get(outcome.value, DOES_NOT_HOLD)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
