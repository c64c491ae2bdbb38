"""Files of a site, read within bounds: what is not a regular file, too large, too deep or too long is refused.

A site file may build on another: `extends = "../base/site.toml"`. Its keys replace those of the base, tables are
merged; paths in each file are relative to that file's folder and stay inside it unless [files] allow_outside.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from codesign.errors import Fault, InputError, nearest
from codesign.fields import MAX_LIST, In
from codesign.units import metric, unit

MAX_SITE_BYTES = 2_000_000
MAX_SERIES_BYTES = 50_000_000
MAX_ROWS = 1_000_000
MAX_DEPTH = 12
MAX_TEXT = 5_000
MAX_NODES = 200_000
MAX_CHAIN = 10
MAX_FAULTS = 10  # shown of one series

Table = dict[str, tuple[Any, ...]]

WEATHER: Mapping[str, In | None] = {
    "time": None, "dry_bulb_c": In(-60, 60), "relative_humidity_percent": In(0, 100),
}  # fmt: skip
PRICE: Mapping[str, In | None] = {"time": None, "price_usd_per_mwh": In(-1e5, 1e5)}
PROFILE: Mapping[str, In | None] = {
    "phase_pu": In(0, 1), "power_pu": In(0, 3),
    **{f"{name}_pu": In(0, 3) for name in ("p05", "p25", "p50", "p75", "p95")},
}  # fmt: skip
COLUMNS = {"climate.series": WEATHER, "energy.price_series": PRICE}
"""Columns by dotted key; those of every other series are PROFILE."""
REQUIRED = ("time", "dry_bulb_c", "price_usd_per_mwh", "phase_pu", "power_pu")


class Located(str):
    """A path as written in a site file, with the folder it is relative to."""

    __slots__ = ("folder",)
    folder: Path

    @classmethod
    def of(cls, text: str, folder: Path) -> Located:
        """Return the path written in a file of a folder."""
        made = cls(text)
        made.folder = folder
        return made


def text(path: Path, limit: int, key: str = "") -> str:
    """Return a regular file's text; its size is judged before it is read."""
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise refused(path, key, "not a file", "a file")
        if info.st_size > limit:
            raise refused(path, key, f"{info.st_size} bytes", f"at most {limit} bytes")
        with path.open("rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise refused(path, key, "growing", f"at most {limit} bytes")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise refused(path, key, "missing", "a file") from None
    except OSError as error:
        raise refused(path, key, error.strerror or type(error).__name__, "a readable file") from None
    except UnicodeDecodeError:
        raise refused(path, key, "not UTF-8", "a text file in UTF-8") from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise refused(path, key, "not a path", "a path") from None


def refused(path: Path | str, key: str, value: Any, expected: str, near: str | None = None) -> InputError:
    """Return the error of one fault."""
    return InputError([Fault(str(path), key, value, expected, near)])


def site_path(path: str | Path) -> Path:
    """Return the site file of a folder, or the file itself."""
    given = Path(path)
    try:
        if not given.is_dir():
            return given
        found = [each for each in (given / "site.toml", given / "site.json") if each.exists()]
    except (OSError, ValueError):
        raise refused(str(path), "", "not a path", "a folder with site.toml or site.json, or such a file") from None
    if len(found) != 1:
        value = "both" if found else "neither"
        raise refused(given, "", value, "a folder with either site.toml or site.json")
    return found[0]


def document(path: Path, chain: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return a site file as plain data, merged over the one it extends; paths in it are Located."""
    here = Path(os.path.realpath(path))
    if here in chain:
        names = " -> ".join(each.name if each.parent == here.parent else str(each) for each in (*chain, here))
        raise refused(path, "extends", names, "no cycle of references")
    if len(chain) >= MAX_CHAIN:
        raise refused(path, "extends", f"{len(chain)} files", f"a chain of at most {MAX_CHAIN} site files")
    data = parsed(path)
    _locate(data, path.parent)
    base = data.pop("extends", None)
    if base is None:
        return data
    if not isinstance(base, str) or Path(base).is_absolute() or Path(base).suffix not in (".toml", ".json"):
        raise refused(path, "extends", base, "a relative path to a site.toml or site.json")
    return _merged(document(path.parent / base, (*chain, here)), data)


def parsed(path: Path) -> dict[str, Any]:
    """Return the data of one TOML or JSON file, within bounds."""
    content = text(path, MAX_SITE_BYTES)
    try:
        if path.suffix == ".json":
            data = json.loads(content, parse_constant=_not_finite, object_pairs_hook=_unique)
        else:
            data = tomllib.loads(content)
    except RecursionError:
        raise refused(path, "", "nested too deeply", f"at most {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise refused(path, "", "not readable", f"{'JSON' if path.suffix == '.json' else 'TOML'}; {error}") from None
    if not isinstance(data, dict):
        raise refused(path, "", type(data).__name__, "a table")
    if faults := list(bound_faults(data, str(path))):
        raise InputError(faults[:MAX_FAULTS])
    return data


def bound_faults(data: Any, file: str) -> Iterator[Fault]:
    """Yield what is too deep, too long or too much in plain data."""
    left, waiting = MAX_NODES, [("", data, 0)]
    while waiting:
        key, value, depth = waiting.pop()
        left -= 1
        if left < 0:
            yield Fault(file, "", f"more than {MAX_NODES} values", f"at most {MAX_NODES}", None)
            return
        if depth > MAX_DEPTH:
            yield Fault(file, key, "nested too deeply", f"at most {MAX_DEPTH} levels", None)
        elif isinstance(value, str):
            if len(value) > MAX_TEXT:
                yield Fault(file, key, f"{len(value)} characters", f"at most {MAX_TEXT}", None)
            elif not _encodes(value):
                yield Fault(file, key, "half a character", "a text in Unicode", None)
        elif isinstance(value, list | tuple | dict):
            if len(value) > MAX_LIST:
                yield Fault(file, key, f"{len(value)} entries", f"at most {MAX_LIST}", None)
                continue
            for name, each in value.items() if isinstance(value, dict) else enumerate(value):
                if isinstance(name, str) and (len(name) > 200 or not _encodes(name)):
                    yield Fault(file, key, "a key", "keys of at most 200 characters in Unicode", None)
                    continue
                waiting.append((f"{key}.{name}" if key else str(name), each, depth + 1))


def _encodes(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _not_finite(text: str) -> float:
    raise ValueError(f"{text} is not a finite number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice in one table")
    return made


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(base)
    for key, value in over.items():
        old = made.get(key)
        made[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return made


# paths


def paths(data: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Yield (table, key, dotted key) of every path to a series in a site's data."""
    for section, key in (("climate", "series"), ("energy", "price_series")):
        table = data.get(section)
        if isinstance(table, dict) and isinstance(table.get(key), str):
            yield table, key, f"{section}.{key}"
    jobs = data.get("jobs")
    for name, job in jobs.items() if isinstance(jobs, dict) else ():
        if isinstance(job, dict) and isinstance(job.get("profile"), str):
            yield job, "profile", f"jobs.{name}.profile"


def _locate(data: Mapping[str, Any], folder: Path) -> None:
    for table, key, _ in paths(data):
        table[key] = Located.of(table[key], folder)


def resolved(path: Located, outside: bool) -> Path:
    """Return the file that a path means; ValueError, saying what was expected, where it may not go."""
    if Path(path).suffix != ".csv" or "\0" in path or len(path) > 500:
        raise ValueError("the path of a .csv file")
    target = Path(os.path.realpath(path.folder / path))
    inside = target.is_relative_to(os.path.realpath(path.folder))
    if not outside and (Path(path).is_absolute() or not inside):
        raise ValueError("a relative path inside the site's folder, or [files] allow_outside = true")
    return target


# series


def series(content: str, file: str, columns: Mapping[str, In | None]) -> Table:
    """Return the columns of a CSV text; lines that start with # are comments. InputError with its faults."""
    lines = (line for line in StringIO(content) if not line.startswith("#") and line.strip())
    rows = csv.reader(lines, strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        convert, faults = _header(header, file, columns)
        if faults:
            raise InputError(faults)
        made: dict[str, list[Any]] = {name: [] for name, _ in convert}
        for number, row in enumerate(rows, start=1):
            if number > MAX_ROWS:
                raise refused(file, "rows", f"more than {MAX_ROWS}", f"at most {MAX_ROWS}")
            if len(faults) >= MAX_FAULTS:
                break
            if len(row) != len(header):
                faults.append(Fault(file, f"row {number}", f"{len(row)} entries", f"{len(header)} entries", None))
                continue
            for (name, change), entry in zip(convert, row, strict=True):
                value, expected = _entry(entry, columns[name], change)
                if expected:
                    faults.append(Fault(file, f"row {number}, {name}", entry, f"{expected} {unit(name)}".strip(), None))
                made[name].append(value)
    except csv.Error as error:
        raise refused(file, "", str(error), "comma-separated values") from None
    faults += [] if faults else _order(made, file)
    if faults:
        raise InputError(faults[:MAX_FAULTS])
    return {name: tuple(values) for name, values in made.items()}


def _header(header: list[str], file: str, columns: Mapping[str, Any]) -> tuple[list[tuple[str, Any]], list[Fault]]:
    convert: list[tuple[str, Any]] = []
    faults = []
    for name in header:
        other = metric(name, columns)
        if name not in columns and other is None:
            expected = f"columns {', '.join(columns)}"
            faults.append(Fault(file, "header", name, expected, nearest(name, columns)))
        convert.append((name, None) if other is None else other)
    names = [name for name, _ in convert]
    faults += [
        Fault(file, "header", "missing", f"a column {name}", nearest(name, header))
        for name in columns
        if name in REQUIRED and name not in names
    ]
    if len(set(names)) != len(names):
        faults.append(Fault(file, "header", ",".join(header), "no column twice", None))
    return convert, faults


def _entry(entry: str, bounds: In | None, change: Any) -> tuple[Any, str]:
    """Return (value, "") or (None, what was expected)."""
    try:
        if bounds is None:
            moment = dt.datetime.fromisoformat(entry.strip())
            if moment.tzinfo is not None or not 1970 <= moment.year <= 2200:
                raise ValueError
            on_minute = not moment.second and not moment.microsecond
            return moment.isoformat(timespec="minutes") if on_minute else moment.isoformat(), ""
        value = float(entry)
        value = change(value) if change else value
        if not math.isfinite(value) or not bounds.holds(value):
            raise ValueError
        return value, ""
    except (ValueError, OverflowError):
        time = "a time such as 2023-08-18T05:00, without a zone, from 1970 to 2200"
        return None, time if bounds is None else f"a number {bounds}"


def _order(made: Mapping[str, list[Any]], file: str) -> list[Fault]:
    """Return what is wrong with a series as a whole."""
    key = next(iter(made))
    rows = made.get("time") or made.get("phase_pu") or []
    if not rows:
        return [Fault(file, "rows", "none", "at least one row", None)]
    if any(late <= early for early, late in zip(rows, rows[1:], strict=False)):
        return [Fault(file, key, "not in order", "each row later than the one before", None)]
    if "phase_pu" in made:
        width = 1.0 / len(rows)
        if any(abs(phase - rows[0] - i * width) > 0.1 * width for i, phase in enumerate(rows)):
            return [Fault(file, "phase_pu", "bins of different width", f"{len(rows)} equal bins of a period", None)]
        if sorted(made["power_pu"])[len(rows) // 2] < 0.01:
            return [Fault(file, "power_pu", "nothing", "a median above 0.01 per unit", None)]
    return []
