"""The verbs that need no solver: schema, cards, card, new."""

import json
import math
import re
import shutil
import sys
import tempfile
from dataclasses import fields
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from codesign.errors import Fault, InputError, nearest, written

GRADES = "A read in the original; B a maker's number in a transcription; C secondary; E estimate; R recalled"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

At = Annotated[
    list[str] | None,
    typer.Option("--at", metavar="KEY=VALUE", help="A point to evaluate the physics at; may be repeated."),
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for verb in (schema, cards, card, new):
        app.command()(verb)


def schema() -> None:
    """Print the JSON Schema of a site file."""
    from codesign import site

    print(json.dumps(site.json_schema(), indent=2))


def cards(
    component: Annotated[
        str | None, typer.Argument(help="Only the cards of this component; COMPONENT/NAME shows one card.")
    ] = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """List what can be bought: source, grade, licence, cost."""
    from codesign import catalogue

    if component is not None and "/" in component:
        card(component, at, as_json)
        return
    if at:
        raise InputError([Fault("cards", "--at", at[0], "COMPONENT/NAME before it", None)])
    found = catalogue.cards(component)
    if as_json:
        print(json.dumps({f"{each.component}/{each.name}": _described(each) for each in found}, indent=2))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("card", "grade", "cost", "cost grade", "licence", "source"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "card")
    for each in found:
        cost = ", ".join(f"{value:g} {key.removeprefix('cost_')}" for key, value in _costs(each).items())
        name = f"{each.component}/{each.name}"
        table.add_row(name, each.grade, cost or "given", each.cost_grade or "", each.licence, each.source)
    console = Console(width=None if sys.stdout.isatty() else 160, markup=False, highlight=False)
    console.print(table)
    console.print(GRADES)


def card(
    name: Annotated[str, typer.Argument(metavar="COMPONENT/NAME", help="For example rack/gb200-nvl72.")],
    at: At = None,
    as_json: Json = False,
) -> None:
    """Show one card and evaluate its physics at a point."""
    from codesign import catalogue

    component, slash, which = name.partition("/")
    if not slash:
        known = [f"{each.component}/{each.name}" for each in catalogue.cards()]
        raise InputError([Fault("card", "name", written(name), "COMPONENT/NAME", nearest(name, known))])
    found = catalogue.card(component, which)
    point_at = dict(_pair(each) for each in at or ())
    values = evaluate(found, point_at)
    if as_json:
        clean = {key: value if math.isfinite(value) else None for key, value in values.items()}
        print(json.dumps({**_described(found), "at": clean}, indent=2))
        return
    print(f"{component}/{which}")
    for label, value in _described(found).items():
        if isinstance(value, dict):
            print(f"  {label}")
            for key, number in value.items():
                print(f"    {key:32} {number}")
        elif value is not None:
            print(f"  {label:34} {value}")
    print("  physics" + (f" at {', '.join(at)}" if at else " at its default point"))
    for key, number in values.items():
        print(f"    {key:32} {number:.6g}")
    for key, value in point_at.items():
        low, high = found.valid.get(key, (-math.inf, math.inf))
        if not low <= value <= high:
            print(f"  outside the card's range: {key}={value:g}, valid {low:g} to {high:g}")
    for check in found.checks:
        point = ", ".join(f"{key}={value}" for key, value in check.inputs.items())
        print(f"  check point ({check.kind}): {check.call}({point}) = {check.expect} +- {check.tolerance}")


def new(
    name: Annotated[Path, typer.Argument(help="The folder to make; its last part names the site.")],
    source: Annotated[str, typer.Option("--from", help="The site to start from.")] = "toy_1mw",
) -> None:
    """Make a folder with a site to edit, from one that the tool brings along."""
    from codesign import site

    known = [each.name for each in _sites().iterdir() if each.joinpath("site.toml").is_file()]
    if source not in known:
        expected = f"one of {', '.join(sorted(known))}"
        raise InputError([Fault("new", "--from", written(source), expected, nearest(source, known))])
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name.name):
        expected = "letters, digits, '_', '-' and '.', at most 64"
        raise InputError([Fault("new", "NAME", written(name.name), expected, None)])
    if name.exists():
        raise InputError([Fault("new", "NAME", str(name), "a folder that does not exist yet", None)])
    name.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=name.parent, prefix=f".{name.name}.") as scratch:
        made = Path(scratch) / name.name
        made.mkdir()
        for each in _sites().joinpath(source).iterdir():
            if each.is_file() and each.name != "reference.toml":
                made.joinpath(each.name).write_bytes(each.read_bytes())
        text = made.joinpath("site.toml").read_text(encoding="utf-8")
        text = re.sub(r"(?m)^name = .*$", f'name = "{name.name}"', text, count=1)
        made.joinpath("site.toml").write_text(text, encoding="utf-8")
        site.load(made)
        shutil.move(made, name)
    print(f"{name / 'site.toml'} is yours to edit")


def evaluate(found: Any, at: dict[str, float]) -> dict[str, float]:
    """Return a card's physics at a point. Raises InputError, with the nearest key, for a wrong point."""
    part = found.build()
    try:
        values = part.evaluate(at)
    except ValueError as error:
        valid = [key for key in re.split(r"[ ,;]+", str(error).partition("valid are")[2]) if key]
        unknown = next((key for key in at if valid and key not in valid), None)
        near = nearest(unknown, valid) if unknown else None
        where = f"{found.component}/{found.name}"
        expected = f"one of {', '.join(valid)}" if unknown else str(error)
        raise InputError([Fault(where, "--at", written(unknown or at), expected, near)]) from None
    return {key: float(value) for key, value in values.items()}


def _pair(text: str) -> tuple[str, float]:
    """Parse KEY=VALUE."""
    key, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError([Fault("card", "--at", written(text), "KEY=VALUE, the value a finite number", None)])
    return key.strip(), number


def _described(found: Any) -> dict[str, Any]:
    values = {
        each.name: getattr(found, each.name) for each in fields(found) if each.name not in ("checks", "name")
    }
    return {key: dict(value) if hasattr(value, "items") else value for key, value in values.items()}


def _costs(found: Any) -> dict[str, float]:
    return {key: value for key, value in found.parameters.items() if key.startswith("cost_")}


def _sites() -> Traversable:
    """Return the folder of the sites: inside the installed package, or beside it in a checkout."""
    inside = resources.files("codesign").joinpath("instances")
    return inside if inside.is_dir() else Path(__file__).parent.parent / "instances"
