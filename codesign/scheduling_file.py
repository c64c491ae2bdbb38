"""The schedule for the cluster's scheduler: one record a job copy, as CSV or JSON.

Times are seconds on one clock that all copies share, its zero chosen freely.  A locked copy's start gate
opens at gate_tick_s + n period_s, n = 0, 1, 2, ...; an iteration starts there or, when the one before it
overran, at that one's end, jitter_s late at most.  An event starts at first_s + n interval_s, the boundary of
an iteration.  A copy that is not locked keeps no tick: its places say where it was planned, not when it runs.

    schedule.csv     one row a copy; columns KIND.first_s, KIND.interval_s, KIND.duration_s for each kind of
                     event that any copy has, empty where a copy has none
    schedule.json    {"tool", "schema_version", "schedule": [one object a copy, with a list of events]}

Floats are written by repr, which reads back exactly.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from io import StringIO
from pathlib import Path
from typing import Any

from codesign import reading, writing
from codesign.design import Design, Plan
from codesign.errors import Fault, InputError, nearest
from codesign.folder import TOOL
from codesign.site import Site

SCHEMA_VERSION = 1
MAX_BYTES = 50_000_000
KIND = "schedule"
FORMS = (".csv", ".json")
TIMES = ("first_s", "interval_s", "duration_s")


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A slow event: its first start on the common clock, then every interval."""

    kind: str
    first_s: float
    interval_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Record:
    """One job copy. gate_tick_s is the first iteration boundary, offset_s modulo period_s; events by kind."""

    job: str
    copy: int
    pod: str
    mode: str
    period_s: float
    offset_s: float
    gate_tick_s: float
    locked: bool
    jitter_s: float
    events: tuple[EventRecord, ...]


Records = tuple[Record, ...]

KEYS = tuple(each.name for each in fields(Record))
PLAIN = KEYS[:-1]
"""What every row of a CSV has."""


def to_records(made: Design | Site, plan: Plan | None = None) -> Records:
    """Return the schedule of a design, or of a plan for a site, in the plan's order.

    InputError where there is no schedule, or one of other jobs than the site's.
    """
    site, plan = (made.site, made.plan) if isinstance(made, Design) else (made, plan)
    if plan is None or not plan.schedule:
        raise InputError([Fault(site.name, "schedule", "none", "a plan with a schedule")])
    records, faults = [], list[Fault]()
    for assigned in plan.schedule:
        job, place = site.jobs.get(assigned.job), f"schedule.{assigned.job}.{assigned.copy}"
        if job is None:
            expected = f"a job of the site: {', '.join(site.jobs)}"
            faults.append(Fault(site.name, place, assigned.job, expected, nearest(assigned.job, site.jobs)))
            continue
        kinds, starts = {event.kind: event for event in job.events}, dict(assigned.events)
        if kinds.keys() != starts.keys():
            expected = f"the job's events: {', '.join(kinds) or 'none'}"
            faults.append(Fault(site.name, f"{place}.events", ", ".join(starts) or "none", expected))
            continue
        records.append(
            Record(
                job=assigned.job, copy=assigned.copy, pod=assigned.pod, mode=assigned.mode,
                period_s=assigned.period_s, offset_s=assigned.offset_s,
                gate_tick_s=assigned.offset_s % assigned.period_s, locked=job.locked, jitter_s=job.jitter_s,
                events=tuple(
                    EventRecord(kind, starts[kind], kinds[kind].interval_s, kinds[kind].duration_s)
                    for kind in sorted(kinds)
                ),
            )
        )  # fmt: skip
    if faults:
        raise InputError(faults)
    return tuple(records)


# write


def write(records: Iterable[Record], path: str | Path) -> Path:
    """Write a .csv or .json file; refused where anything but an older schedule of this tool stands."""
    return write_csv(records, path) if _form(Path(path)) == ".csv" else write_json(records, path)


def write_csv(records: Iterable[Record], path: str | Path) -> Path:
    """Write one row a job copy, whatever the name's ending; an older schedule is replaced."""
    return writing.write(as_csv(records), path, KIND, _is_schedule)


def write_json(records: Iterable[Record], path: str | Path) -> Path:
    """Write one object a job copy, whatever the name's ending; an older schedule is replaced."""
    return writing.write(as_json(records), path, KIND, _is_schedule)


def prepare(path: str | Path) -> None:
    """Refuse a name of neither form, and a place that holds anything but an older schedule."""
    _form(Path(path))
    writing.refuse(path, KIND, _is_schedule)


def as_csv(records: Iterable[Record]) -> str:
    """Return the text of a .csv file."""
    rows = tuple(records)
    kinds = sorted({event.kind for row in rows for event in row.events})
    text = StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow([*PLAIN, *(f"{kind}.{time}" for kind in kinds for time in TIMES)])
    for row in rows:
        events = {event.kind: event for event in row.events}
        times = [
            _cell(getattr(events[kind], time)) if kind in events else "" for kind in kinds for time in TIMES
        ]
        out.writerow([*(_cell(getattr(row, name)) for name in PLAIN), *times])
    return text.getvalue()


def as_json(records: Iterable[Record]) -> str:
    """Return the text of a .json file."""
    whole = {
        "tool": TOOL,
        "schema_version": SCHEMA_VERSION,
        "schedule": [asdict(record) for record in records],
    }
    return json.dumps(whole, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"a schedule is not finite: {value}")
    return repr(value) if isinstance(value, float) else str(value)


def _is_schedule(path: Path) -> bool:
    """Whether a file can be read as a schedule; an empty one is nothing to keep."""
    try:
        read(path)
    except InputError:
        return path.is_file() and path.stat().st_size == 0
    return True


def _form(path: Path) -> str:
    if path.suffix not in FORMS:
        raise reading.refused(
            path, "", path.suffix or "no ending", f"a name that ends in {' or '.join(FORMS)}"
        )
    return path.suffix


# read


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
        faults.append(Fault(str(place), f"{key}.{name}", value, expected, near))
    given = row.get("events", [])
    if not isinstance(given, list):
        return None
    events = []
    for i, event in enumerate(given):
        if not isinstance(event, dict):
            faults.append(Fault(str(place), f"{key}.events.{i}", event, "an object"))
            continue
        for name, value, expected in _wrong(event, ("kind", *TIMES)):
            faults.append(Fault(str(place), f"{key}.events.{i}.{name}", value, expected))
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


_ASKED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "job": (_text, "a text"), "pod": (_text, "a text"), "mode": (_text, "a text"), "kind": (_text, "a text"),
    "copy": (lambda value: _from_zero(value) and isinstance(value, int), "a whole number of at least 0"),
    "locked": (lambda value: isinstance(value, bool), "true or false"),
    "period_s": (_above_zero, "a number above 0 [s]"),
    "interval_s": (_above_zero, "a number above 0 [s]"),
    "duration_s": (_above_zero, "a number above 0 [s]"),
    "offset_s": (_from_zero, "a number of at least 0 [s]"),
    "gate_tick_s": (_from_zero, "a number of at least 0 [s]"),
    "jitter_s": (_from_zero, "a number of at least 0 [s]"),
    "first_s": (_from_zero, "a number of at least 0 [s]"),
    "events": (lambda value: isinstance(value, list), "a list"),
}  # fmt: skip

_CELLS: Mapping[str, Callable[[str], Any]] = {
    "copy": int, "locked": lambda entry: {"true": True, "false": False}[entry],
    **{name: float for name in _ASKED if name.endswith("_s")},
}  # fmt: skip


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made
