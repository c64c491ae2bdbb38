"""Files of a site, read within bounds: what is not a regular file, or too large, deep or long, is refused.

A site file may build on another: `extends = "../base/site.toml"`. Its keys replace those of the base, tables
are merged; paths in each file are relative to that file's folder and stay inside it unless the site says
`[files] allow_outside = true`.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from codesign.errors import Fault, InputError, written
from codesign.fields import MAX_LIST

MAX_SITE_BYTES = 2_000_000
MAX_SERIES_BYTES = 50_000_000
MAX_DEPTH = 12
MAX_TEXT = 5_000
MAX_NODES = 200_000
MAX_CHAIN = 10
MAX_FAULTS = 10  # shown of one series

_PART = r"""(?:[\w-]++|"[^"\n]{0,200}+"|'[^'\n]{0,200}+')"""
_LONG_KEY = re.compile(rf"(?<![\w-])(?:{_PART}[ \t]*+\.[ \t]*+){{{MAX_DEPTH + 1}}}")
"""A dotted key of too many parts: tomllib takes time that grows with the square of their number."""


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
        if b"\0" in os.fsencode(given):
            raise ValueError
        if not given.is_dir():
            return given
        found = [each for each in (given / "site.toml", given / "site.json") if each.exists()]
    except (OSError, ValueError):
        raise refused(
            str(path), "", "not a path", "a folder with site.toml or site.json, or such a file"
        ) from None
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
    good = isinstance(base, str) and "\0" not in base and Path(base).suffix in (".toml", ".json")
    if not good or Path(base).is_absolute():
        raise refused(path, "extends", written(base), "a relative path to a site file, .toml or .json")
    files = data.get("files")
    outside = isinstance(files, dict) and files.get("allow_outside") is True
    if not outside and not Path(os.path.realpath(path.parent / base)).is_relative_to(here.parent):
        expected = "a site file inside the folder, or [files] allow_outside = true"
        raise refused(path, "extends", written(base), expected)
    return _merged(document(path.parent / base, (*chain, here)), data)


def parsed(path: Path) -> dict[str, Any]:
    """Return the data of one TOML or JSON file, within bounds."""
    content = text(path, MAX_SITE_BYTES)
    try:
        if path.suffix == ".json":
            data = json.loads(content, parse_constant=_not_finite, object_pairs_hook=_unique)
        else:
            if _LONG_KEY.search(content):
                raise RecursionError
            data = tomllib.loads(content)
    except RecursionError:
        raise refused(path, "", "nested too deeply", f"at most {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise refused(
            path, "", "not readable", f"{'JSON' if path.suffix == '.json' else 'TOML'}; {error}"
        ) from None
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
                if isinstance(value, dict) and not _is_key(name):
                    yield Fault(file, key, "a key", "keys of at most 200 characters in Unicode", None)
                    continue
                waiting.append((f"{key}.{name}" if key else str(name), each, depth + 1))
        elif not isinstance(value, int | float | dt.date | dt.time | None):
            yield Fault(file, key, type(value).__name__, "a number, a text, a list or a table", None)


def _is_key(name: Any) -> bool:
    return isinstance(name, str) and len(name) <= 200 and _encodes(name)


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
