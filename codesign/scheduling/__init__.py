"""The schedule for the cluster's scheduler: one record a job copy, as CSV or JSON.

Times are seconds on one clock that all copies share, its zero chosen freely.  A locked copy's start gate
opens at gate_tick_s + n period_s, n = 0, 1, 2, ...; an iteration starts there or, when the one before it
overran, at that one's end, jitter_s late at most.  An event starts at first_s + n interval_s, the boundary of
an iteration.  A copy that is not locked keeps no tick: its places say where it was planned, not when it runs.

A copy's pod is its group's name, with the pod's number from 1 where the group has several: a.1.  A copy
larger than a pod names all of its pods, those that it fills first: a.1+a.2.

    schedule.csv     one row a copy; columns KIND.first_s, KIND.interval_s, KIND.duration_s for each kind of
                     event that any copy has, empty where a copy has none
    schedule.json    {"tool", "schema_version", "schedule": [one object a copy, with a list of events]}

Floats are written by repr, which reads back exactly.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

from codesign import reading, writing
from codesign.errors import InputError
from codesign.folder import TOOL
from codesign.scheduling.parsing import SCHEMA_VERSION
from codesign.scheduling.parsing import read as read
from codesign.scheduling.records import PLAIN, TIMES, Record
from codesign.scheduling.records import EventRecord as EventRecord
from codesign.scheduling.records import Records as Records
from codesign.scheduling.records import to_records as to_records

FORMS = (".csv", ".json")
KIND = "schedule"


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
