"""A schedule read back from either form; every fault names its place, its value and what was expected."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from codesign import reading
from codesign.errors import Fault, InputError, nearest, written
from codesign.fields import NAME
from codesign.folder import TOOL
from codesign.scheduling.records import KEYS, PLAIN, TIMES, EventRecord, Record, Records

SCHEMA_VERSION = 1
MAX_BYTES = 50_000_000
_NUMBER = r"\.[1-9][0-9]*"
POD = re.compile(rf"({NAME[1:-1]})({_NUMBER}(\+\1{_NUMBER})*)?")


def read(path: str | Path) -> Records:
    """Read either form, told by its first character; InputError with every fault."""
    place = Path(path)
    text = reading.text(place, MAX_BYTES)
    faults: list[Fault] = []
    rows = _rows_of_json(text, place) if text.lstrip()[:1] in ("{", "[") else _rows_of_csv(text, place)
    records = [_record(row, key, place, faults) for key, row in rows]
    seen: set[tuple[str, int]] = set()
    for (key, _), record in zip(rows, records, strict=True):
        if record is not None and (record.job, record.copy) in seen:
            faults.append(Fault(str(place), key, f"{record.job} {record.copy}", "no job copy twice"))
        seen |= {(record.job, record.copy)} if record is not None else set()
    if faults:
        raise InputError(faults)
    return tuple(record for record in records if record is not None)


Rows = list[tuple[str, Mapping[str, Any]]]


def _rows_of_json(text: str, place: Path) -> Rows:
    try:
        whole = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise reading.refused(place, "", str(error), "JSON, no key twice") from None
    keys = {"tool": TOOL, "schema_version": SCHEMA_VERSION, "schedule": None}
    if not isinstance(whole, dict) or not isinstance(whole.get("schedule"), list):
        raise reading.refused(place, "schedule", "missing", "an object with a list of job copies")
    for key in {**keys, **whole}:
        if key not in keys:
            raise reading.refused(place, key, "unknown", f"keys {', '.join(keys)}", nearest(key, keys))
        if key != "schedule" and whole.get(key) != keys[key]:
            raise reading.refused(place, key, whole.get(key), repr(keys[key]))
    rows: Rows = []
    for i, row in enumerate(whole["schedule"]):
        if not isinstance(row, dict):
            raise reading.refused(place, f"schedule.{i}", row, "an object")
        rows.append((f"schedule.{i}", row))
    return rows


def _rows_of_csv(text: str, place: Path) -> Rows:
    """Return each row as JSON would hold it; an entry that is no number stays the text that it is."""
    lines = csv.reader(StringIO(text), strict=True)
    rows: Rows = []
    try:
        header = next(lines, [])
        kinds = _kinds(header, place)
        for entries in lines:
            key = f"line {lines.line_num}"
            if len(entries) != len(header):
                raise reading.refused(place, key, f"{len(entries)} entries", f"{len(header)} entries")
            row = dict(zip(header, entries, strict=True))
            made: dict[str, Any] = {name: _value(name, row[name]) for name in PLAIN}
            made["events"] = [
                {"kind": kind, **{time: _value(time, row[f"{kind}.{time}"]) for time in TIMES}}
                for kind in kinds
                if any(row[f"{kind}.{time}"] for time in TIMES)
            ]
            rows.append((key, made))
    except csv.Error as error:
        raise reading.refused(place, "", str(error), "comma-separated values") from None
    return rows


def _kinds(header: Sequence[str], place: Path) -> list[str]:
    kinds = list(dict.fromkeys(name.rpartition(".")[0] for name in header[len(PLAIN) :]))
    if [*header] != [*PLAIN, *(f"{kind}.{time}" for kind in kinds for time in TIMES)] or "" in kinds:
        expected = f"{','.join(PLAIN)} and KIND.{', KIND.'.join(TIMES)} for each kind of event"
        raise reading.refused(place, "header", ",".join(header), expected)
    return kinds


def _value(name: str, entry: str) -> Any:
    convert: Callable[[str], Any] = _CELLS.get(name, str)
    try:
        return convert(entry)
    except (ValueError, KeyError):
        return entry


def _record(row: Mapping[str, Any], key: str, place: Path, faults: list[Fault]) -> Record | None:
    """Return a row as a record, None where a fault was found."""
    before = len(faults)
    for name, value, expected in _wrong(row, KEYS):
        near = nearest(name, KEYS) if name not in KEYS else None
        faults.append(Fault(str(place), f"{key}.{name}", written(value), expected, near))
    given = row.get("events", [])
    if not isinstance(given, list):
        return None
    events = []
    for i, event in enumerate(given):
        if not isinstance(event, dict):
            faults.append(Fault(str(place), f"{key}.events.{i}", written(event), "an object"))
            continue
        for name, value, expected in _wrong(event, ("kind", *TIMES)):
            faults.append(Fault(str(place), f"{key}.events.{i}.{name}", written(value), expected))
        events.append(event)
    kinds = [str(event.get("kind")) for event in events]
    if kinds != sorted(set(kinds)):
        faults.append(Fault(str(place), f"{key}.events", ", ".join(kinds), "events by kind, no kind twice"))
    if len(faults) > before:
        return None
    made: dict[str, Any] = {
        name: float(value) if name.endswith("_s") else value for name, value in row.items()
    }
    made["events"] = tuple(
        EventRecord(event["kind"], *(float(event[time]) for time in TIMES)) for event in events
    )
    record = Record(**made)
    if record.gate_tick_s != record.offset_s % record.period_s:
        expected = "offset_s modulo period_s"
        faults.append(Fault(str(place), f"{key}.gate_tick_s", record.gate_tick_s, expected))
        return None
    return record


def _wrong(row: Mapping[str, Any], names: Sequence[str]) -> Iterator[tuple[str, Any, str]]:
    """Yield (name, value, expected) of what is unknown, missing or not what its name asks for."""
    for name in row:
        if name not in names:
            yield name, row[name], f"one of {', '.join(names)}"
    for name in names:
        holds, expected = _ASKED[name]
        if name not in row:
            yield name, "missing", expected
        elif not holds(row[name]):
            yield name, row[name], expected


def _finite(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and -1e300 < value < 1e300


def _above_zero(value: Any) -> bool:
    return _finite(value) and value > 0


def _from_zero(value: Any) -> bool:
    return _finite(value) and value >= 0


def _text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200


def _pod(value: Any) -> bool:
    return isinstance(value, str) and POD.fullmatch(value) is not None


_ASKED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "job": (_text, "a text"), "mode": (_text, "a text"), "kind": (_text, "a text"),
    "pod": (_pod, "a group of pods, a, or some of its pods, a.1 or a.1+a.2"),
    "copy": (lambda value: _from_zero(value) and isinstance(value, int), "a whole number of at least 0"),
    "locked": (lambda value: isinstance(value, bool), "true or false"),
    "period_s": (_above_zero, "a number above 0 [s]"),
    "interval_s": (_above_zero, "a number above 0 [s]"),
    "duration_s": (_above_zero, "a number above 0 [s]"),
    "offset_s": (_from_zero, "a number of at least 0 [s]"),
    "gate_tick_s": (_from_zero, "a number of at least 0 [s]"),
    "jitter_s": (_from_zero, "a number of at least 0 [s]"),
    "slack_pu": (_from_zero, "a number of at least 0 [per unit of the mean step]"),
    "first_s": (_from_zero, "a number of at least 0 [s]"),
    "events": (lambda value: isinstance(value, list), "a list"),
}  # fmt: skip

_CELLS: Mapping[str, Callable[[str], Any]] = {
    "copy": int, "locked": lambda entry: {"true": True, "false": False}[entry],
    **{name: float for name in _ASKED if name.endswith(("_s", "_pu"))},
}  # fmt: skip


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made
