"""A bench in its file, and what a site's row is held against: such a file, or the site's reference."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from codesign import reading, writing
from codesign.bench import TOLERANCE, Bench, Comparison, Earlier, Row
from codesign.design import Outcome
from codesign.errors import Fault, InputError, nearest
from codesign.folder import TOOL

KIND, SCHEMA_VERSION = "bench", 1


def earlier(sites: Mapping[str, Path], against: Path | None = None) -> dict[str, Earlier]:
    """Return what each site's row is held against: the row in a file, else its reference."""
    before = None if against is None else {row.name: row for row in read(against).rows}
    found = {}
    for name, path in sites.items():
        kept = path.parent / "reference.toml"
        row, rtol = reference(kept, name) if kept.exists() else (None, 0.0)
        if before is not None:
            found[name] = Earlier(str(against), before.get(name), TOLERANCE + rtol)
        else:
            found[name] = Earlier(str(kept), row, TOLERANCE + rtol)
    return found


def reference(path: Path, name: str) -> tuple[Row, float]:
    """Return the row that a reference.toml tells, and its tolerance."""
    data = reading.parsed(path)
    keys = ("outcome", "cost_usd_per_year", "bound_usd_per_year", "site_digest", "cards_digest")
    told = {"name": name} | {key: data[key] for key in keys if key in data}
    faults = [Fault(str(path), *fault) for fault in _wrong(told, ("outcome",))]
    rtol = data.get("rtol", 0.0)
    if not _from_zero(rtol):
        faults.append(Fault(str(path), "rtol", rtol, "a number of at least 0"))
    if faults:
        raise InputError(faults)
    return Row(**told), rtol


def prepare(path: Path) -> None:
    """Refuse a name that is not of a .json file, and a place that holds anything but an older bench."""
    _form(path)
    writing.refuse(path, KIND, _is_bench)


def write(bench: Bench, compared: Sequence[Comparison], path: Path) -> Path:
    """Write a bench at once; an older one is replaced, anything else refused."""
    _form(path)
    return writing.write(as_json(bench, compared), path, KIND, _is_bench)


def as_json(bench: Bench, compared: Sequence[Comparison] = ()) -> str:
    """Return the object as text; floats are written so that they read back exactly."""
    whole = {
        "tool": TOOL, "schema_version": SCHEMA_VERSION, "versions": dict(bench.versions),
        "machine": dict(bench.machine),
        KIND: [asdict(row) | {key: getattr(row, key) for key in _DERIVED} for row in bench.rows],
        "compared": [asdict(each) for each in compared],
    }  # fmt: skip
    return json.dumps(whole, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def read(path: Path) -> Bench:
    """Read a bench; InputError with every fault."""
    _form(path)
    data = reading.parsed(path)
    for key, asked in (("tool", TOOL), ("schema_version", SCHEMA_VERSION)):
        if data.get(key) != asked:
            raise reading.refused(path, key, data.get(key, "missing"), f"{asked!r}, of a {KIND} of this tool")
    rows, faults = data.get(KIND), list[Fault]()
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise reading.refused(path, KIND, "missing" if rows is None else rows, "a list of rows")
    for i, row in enumerate(rows):
        for key, value, expected, *near in _wrong(row, _KEYS):
            faults.append(Fault(str(path), f"{KIND}.{i}.{key}", value, expected, *near))
    for key, holds in (("versions", _texts), ("machine", _facts)):
        if not holds(data.get(key)):
            faults.append(Fault(str(path), key, data.get(key, "missing"), "a table of texts"))
    names = [row.get("name") for row in rows]
    faults += [
        Fault(str(path), f"{KIND}.{i}.name", name, "no name twice")
        for i, name in enumerate(names)
        if name in names[:i]
    ]
    if faults:
        raise InputError(faults)
    made = [Row(**{key: row[key] for key in _KEYS}) for row in rows]
    return Bench(rows=tuple(made), versions=data["versions"], machine=data["machine"])


def _wrong(row: Mapping[str, Any], needed: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield (key, value, expected, nearest) of what is unknown, missing or not what its key asks for."""
    for key, value in row.items():
        if key not in _ASKED:
            if key not in _DERIVED:
                yield key, "unknown", f"one of {', '.join(_ASKED)}", nearest(key, _ASKED)
        elif not _ASKED[key][0](value):
            yield key, value, _ASKED[key][1], None
    for key in needed:
        if key not in row:
            yield key, "missing", _ASKED[key][1], None


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300


def _from_zero(value: Any) -> bool:
    return _finite(value) and value >= 0


def _whole(value: Any) -> bool:
    return value is None or (_from_zero(value) and isinstance(value, int))


def _amount(value: Any) -> bool:
    return value is None or _from_zero(value)


def _number(value: Any) -> bool:
    return value is None or _finite(value)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


def _facts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str | int) for each in value.values())


_OUTCOMES = tuple(outcome.value for outcome in Outcome)
_USD, _SHARE = "a number [USD a year], or null", "a number, or null"
_ASKED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_text, "a text"), "reason": (_text, "a text"),
    "outcome": (lambda value: value in _OUTCOMES, f"one of {', '.join(_OUTCOMES)}"),
    "cost_usd_per_year": (_number, _USD), "bound_usd_per_year": (_number, _USD),
    "gap": (_number, _SHARE), "influenced_gap": (_number, _SHARE),
    "rounds": (_whole, "a whole number of at least 0, or null"),
    "milp_solves": (_whole, "a whole number of at least 0, or null"),
    "wall_s": (_amount, "a number of at least 0 [s], or null"),
    "peak_mib": (_amount, "a number of at least 0 [MiB], or null"),
    "cpu_s": (
        lambda value: isinstance(value, dict) and all(_from_zero(each) for each in value.values()),
        "numbers of at least 0 [s], by part",
    ),
    "site_digest": (_text, "a text"), "cards_digest": (_text, "a text"),
}  # fmt: skip
_KEYS = tuple(each.name for each in fields(Row))
_DERIVED = ("whole_cpu_s", "whole_per_core")


def _is_bench(path: Path) -> bool:
    """Whether a file can be read as a bench; an empty one is nothing to keep."""
    try:
        read(path)
    except InputError:
        return path.is_file() and path.stat().st_size == 0
    return True


def _form(path: Path) -> None:
    if path.suffix != ".json":
        raise reading.refused(path, "", path.suffix or "no ending", "a name that ends in .json")
