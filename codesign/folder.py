"""The design folder: written beside its place and swapped in by renames, read back bit for bit.

    D/design.json        the plan: cost, sizes, setting, schedule, storage dispatch, hours
    D/certificate.json   the claim: certificate, margins, and what each scenario's run reports of itself
    D/trajectories.csv   one row a scenario and sample
    D/site/              the resolved site with its series and cards

Floats are written by `repr`, which reads back exactly; NaN and infinity are neither written nor read. A kill
at any moment leaves the older D, the new D, or D.old, which `recover` (called by every verb) puts back;
`codesign.place` says how.
"""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from codesign import fitting, place
from codesign import site as sites
from codesign.design import (
    Certificate,
    Check,
    Design,
    Margin,
    Plan,
    ScenarioResult,
    Table,
)
from codesign.errors import Fault, InputError
from codesign.reading import refused
from codesign.typed import Reader

TOOL = "codesign-dc"
SCHEMA_VERSION = 1
MAX_BYTES = 500_000_000
CONTENT = ("design.json", "certificate.json", "trajectories.csv", "site", ".DS_Store")
KINDS = ("state", "control", "disturbance", "output")


# write


def save(design: Design, path: str | Path) -> Path:
    """Write a design folder and swap it in; InputError where something else stands there, or no room is."""
    target = Path(path).absolute()
    prepare(target)
    fresh = place.fresh_of(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.mkdir()
        _write(design, fresh)
        place.swap(fresh, target)
    except OSError as error:
        raise place.unusable(target, error) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def prepare(path: str | Path) -> None:
    """Put right what a kill left, refuse a place that holds anything else, prove that it takes a design."""
    target = Path(path).absolute()
    try:
        recover(target)
        _refuse_others(target)
    except OSError as error:
        raise place.unusable(target, error) from None
    place.prove(target)


def recover(path: str | Path) -> bool:
    """Put `D.old` back where a kill between the two renames of `save` left no D; return whether it did."""
    return place.recover(Path(path).absolute(), holds_design)


def _refuse_others(target: Path) -> None:
    old = place.old_of(target)
    if old.exists():
        raise refused(old, "", "a folder", "nothing: the older design stands there for a moment")
    if not target.exists() and not target.is_symlink():
        return
    if not holds_design(target):
        raise refused(target, "", "a folder", "a new place, or an older design of this tool")
    others = sorted({each.name for each in target.iterdir()} - set(CONTENT))
    if others:
        raise refused(target, "", ", ".join(others[:5]), "an older design of this tool and nothing beside it")


def holds_design(path: Path) -> bool:
    """Whether the folder was written by this tool."""
    try:
        return bool(_json(path / "design.json").get("tool") == TOOL)
    except InputError:
        return False


def _write(design: Design, folder: Path) -> None:
    plan = {"tool": TOOL, "schema_version": SCHEMA_VERSION, **_plain(design.plan)}
    runs = {
        run.id: {name: value for name, value in _plain(run).items() if name not in _IN_TRAJECTORIES}
        for run in design.check.scenarios
    }
    check = {
        name: value for name, value in _plain(design.check).items() if name not in ("static", "scenarios")
    }
    certificate = {
        **_plain(design.certificate),
        "margins": [_plain(margin) for margin in design.check.margins],
        "check": check,
        "runs": runs,
    }
    (folder / "design.json").write_text(_dump(plan), encoding="utf-8")
    (folder / "certificate.json").write_text(_dump(certificate), encoding="utf-8")
    with (folder / "trajectories.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(_rows(design.check.scenarios))
    design.site.save(folder / "site")


_IN_TRAJECTORIES = ("id", "time_s", "states", "controls", "disturbances", "outputs", "margins")


def _dump(value: Any) -> str:
    return json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    """Return a value as JSON types; ValueError at NaN or infinity."""
    if isinstance(value, Table | Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"a result is not finite: {value}")
    return value


def _rows(runs: Iterable[ScenarioResult]) -> Iterator[list[str]]:
    tables = [run.columns() for run in runs]
    names = list(dict.fromkeys(name for table in tables for name in table if name != "time_s"))
    yield ["scenario", "time_s", *names]
    for run, table in zip(runs, tables, strict=True):
        columns = [table[name].tolist() if name in table else None for name in ("time_s", *names)]
        if not all(math.isfinite(entry) for column in columns if column for entry in column):
            raise ValueError(f"{run.id}: a trajectory is not finite")
        for k in range(len(run.time_s)):
            yield [run.id, *("" if column is None else repr(column[k]) for column in columns)]


# read


def load(path: str | Path) -> Design:
    """Read a design folder; InputError with every fault of its files."""
    folder = Path(path).absolute()
    try:
        recover(folder)
        with place.held(folder, exclusive=False):
            return _load(folder)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise refused(folder, "", why, "a readable design folder") from None


def _load(folder: Path) -> Design:
    file = folder if folder.is_file() and folder.suffix in (".toml", ".json") else folder / "site.toml"
    if not (folder / "design.json").exists() and (file.is_file() or (folder / "site.json").is_file()):
        raise refused(folder, "", "a site", "a design folder, as codesign-dc solve SITE --out DIR writes it")
    if not folder.is_dir():
        raise refused(folder, "", "nothing", "a design folder")
    plan, claim = _json(folder / "design.json"), _json(folder / "certificate.json")
    faults: list[Fault] = []
    of_plan = Reader(str(folder / "design.json"), faults)
    of_claim = Reader(str(folder / "certificate.json"), faults)
    of_plan.expect(plan.pop("tool", None), TOOL, "tool")
    of_plan.expect(plan.pop("schema_version", None), SCHEMA_VERSION, "schema_version")
    margins = of_claim.read(tuple[Margin, ...], claim.pop("margins", None), "margins")
    check, runs = claim.pop("check", None), claim.pop("runs", None)
    certificate = of_claim.read(Certificate, claim, "")
    the_plan = of_plan.read(Plan, plan, "")
    results = _runs(of_claim, runs, margins, folder / "trajectories.csv")
    extra: dict[str, Any] = {"static": [], "scenarios": []}
    the_check = of_claim.read(Check, {**check, **extra} if isinstance(check, dict) else check, "check")
    if faults:
        raise InputError(faults)
    known = {"static", *(run.id for run in results)}
    orphans = [row for row in margins if row.scenario not in known]
    if orphans:
        raise refused(folder / "certificate.json", "margins", orphans[0].scenario, f"one of {sorted(known)}")
    site = sites.load(folder / "site")
    unfit = fitting.plan_faults(site, the_plan, str(folder / "design.json"))
    unfit += fitting.run_faults(the_plan, results, str(folder / "certificate.json"))
    if unfit:
        raise InputError(unfit)
    static = tuple(row for row in margins if row.scenario == "static")
    whole = replace(the_check, static=static, scenarios=results)
    return Design(site=site, plan=the_plan, check=whole, certificate=certificate)


def _runs(
    reader: Reader, runs: Any, margins: tuple[Margin, ...] | None, path: Path
) -> tuple[ScenarioResult, ...]:
    if not isinstance(runs, dict):
        reader.fault("runs", runs, "an object")
        return ()
    tables, results = _trajectories(path), []
    for name in [*tables, *runs]:
        if (name in tables) != (name in runs):
            reader.fault(f"runs.{name}", "missing", f"a run in certificate.json and its rows in {path.name}")
    for name in runs:
        if name not in tables or not isinstance(runs[name], dict):
            continue
        own = [row for row in margins or () if row is not None and row.scenario == name]
        time_s = tables[name]["time_s"].tolist()
        parts = {
            f"{kind}s": {
                column.removeprefix(f"{kind}."): values.tolist()
                for column, values in tables[name].items()
                if column.startswith(f"{kind}.")
            }
            for kind in KINDS
        }
        whole = {**runs[name], **parts, "id": name, "time_s": time_s, "margins": [_plain(row) for row in own]}
        results.append(reader.read(ScenarioResult, whole, f"runs.{name}"))
    return tuple(result for result in results if result is not None)


def _trajectories(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return the columns of every scenario, samples in the order of time."""
    lines = csv.reader(StringIO(_text(path)))
    header = next(lines, [])
    if header[:2] != ["scenario", "time_s"] or len(set(header)) != len(header):
        raise refused(path, "header", ",".join(header[:3]), "scenario,time_s,... and no name twice")
    samples: dict[str, list[list[str]]] = {}
    for row in lines:
        if len(row) != len(header):
            raise refused(path, f"line {lines.line_num}", f"{len(row)} entries", f"{len(header)} entries")
        samples.setdefault(row[0], []).append(row[1:])
    tables = {}
    for name, rows in samples.items():
        columns = dict(zip(header[1:], zip(*rows, strict=True), strict=True))
        kept = {column: _floats(path, column, texts) for column, texts in columns.items() if any(texts)}
        order = np.argsort(kept["time_s"], kind="stable")
        tables[name] = {column: values[order] for column, values in kept.items()}
    return tables


def _floats(path: Path, column: str, texts: Iterable[str]) -> np.ndarray:
    try:
        values = np.array([float(text) for text in texts])
    except ValueError as error:
        raise refused(path, column, str(error), "numbers") from None
    if not np.isfinite(values).all():
        raise refused(path, column, "not finite", "finite numbers")
    return values


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise refused(path, "", f"{path.stat().st_size} bytes", f"at most {MAX_BYTES}")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise refused(path, "", type(error).__name__, "a readable text file of a design") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_text(path), parse_constant=_not_finite, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise refused(path, "", str(error), "JSON, finite numbers, no key twice") from None
    if not isinstance(value, dict):
        raise refused(path, "", type(value).__name__, "an object")
    return value


def _not_finite(text: str) -> float:
    raise ValueError(f"{text} is not a number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made
