"""Series: columns of a CSV text by name; the suffix of a name is its unit, lines from # on are comments.

Times are ISO 8601 without a zone (the site states the offset from UTC), in order, no stamp twice, some on the
hour: a reading holds from its stamp on (`readings`), so stamps in the middle of their hours would move the
weather by half an hour. What marks a missing value (-9999, 9999, 999) is no reading.
A profile has equal bins.
"""

from __future__ import annotations

import csv
import datetime as dt
import math
from collections import Counter
from collections.abc import Mapping
from io import StringIO
from itertools import pairwise
from typing import Any

from codesign.errors import Fault, InputError, nearest, written
from codesign.fields import In
from codesign.reading import MAX_FAULTS, refused
from codesign.units import metric, unit

MAX_ROWS = 1_000_000
MAX_COLUMNS = 100

Table = dict[str, tuple[Any, ...]]

WEATHER: Mapping[str, In | None] = {
    "time": None, "dry_bulb_c": In(-60, 60), "relative_humidity_percent": In(0, 100),
}  # fmt: skip
PRICE: Mapping[str, In | None] = {"time": None, "price_usd_per_mwh": In(-2000, 25_000)}
"""Prices that a market allows: the widest known are those of Australia, -1,000 to 17,500 AUD/MWh (AEMC, floor
and cap of the National Electricity Market, 2024-25)."""
PROFILE: Mapping[str, In | None] = {
    "phase_pu": In(0, 1), "power_pu": In(0, 3),
    **{f"{name}_pu": In(0, 3) for name in ("p05", "p25", "p50", "p75", "p95")},
}  # fmt: skip
COLUMNS = {"climate.series": WEATHER, "energy.price_series": PRICE}
"""Columns by dotted key; those of every other series are PROFILE."""
MISSING = frozenset((-9999.0, -999.0, 9999.0, 99999.0, -99999.0, 9999.9, -9999.9))
"""What stands for a missing value in many files; 999 only where no such value can be."""
REQUIRED = ("time", "dry_bulb_c", "price_usd_per_mwh", "phase_pu", "power_pu")


def read(content: str, file: str, spec: Mapping[str, In | None]) -> Table:
    """Return the columns of a CSV text, of those that may stand there; InputError with its faults."""
    lines = (line for line in StringIO(content) if not line.startswith("#") and line.strip())
    rows = csv.reader(lines, strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        if len(header) > MAX_COLUMNS:
            raise refused(file, "header", f"{len(header)} columns", f"at most {MAX_COLUMNS}")
        convert, faults = _header(header, file, spec)
        if faults:
            raise InputError(faults)
        made: dict[str, list[Any]] = {name: [] for name, _ in convert}
        for number, row in enumerate(rows, start=1):
            if number > MAX_ROWS:
                raise refused(file, "rows", f"more than {MAX_ROWS}", f"at most {MAX_ROWS}")
            if len(faults) >= MAX_FAULTS:
                break
            if len(row) != len(header):
                expected = f"{len(header)} entries{_hint(row, header)}"
                faults.append(Fault(file, f"row {number}", f"{len(row)} entries", expected, None))
                continue
            for (name, change), entry in zip(convert, row, strict=True):
                value, expected = _entry(entry, spec[name], change)
                if expected:
                    expected = f"{expected} [{unit(name)}]" if unit(name) else expected
                    expected += _remedy(entry)
                    faults.append(Fault(file, f"row {number}, {name}", written(entry), expected, None))
                made[name].append(value)
    except csv.Error as error:
        raise refused(file, "", str(error), "comma-separated values") from None
    faults += [] if faults else _order(made, file)
    if faults:
        raise InputError(faults[:MAX_FAULTS])
    return {name: tuple(values) for name, values in made.items()}


def _header(
    header: list[str], file: str, columns: Mapping[str, Any]
) -> tuple[list[tuple[str, Any]], list[Fault]]:
    convert: list[tuple[str, Any]] = []
    faults = []
    for name in header:
        other = metric(name, columns)
        if name not in columns and other is None:
            expected = f"columns {', '.join(columns)}"
            expected += "; commas between them, points within numbers" if ";" in name else ""
            faults.append(Fault(file, f"column {name}", "unknown", expected, nearest(name, columns)))
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
        if value in MISSING:
            raise ValueError
        value = change(value) if change else value
        if not math.isfinite(value) or not bounds.holds(value):
            raise ValueError
        return value, ""
    except (ValueError, OverflowError):
        time = "a time such as 2023-08-18T05:00, without a zone, from 1970 to 2200"
        return None, time if bounds is None else f"a number {bounds}"


def _hint(row: list[str], header: list[str]) -> str:
    """Return what may have split a row: a comma within numbers."""
    split = len(header) < len(row) <= 2 * len(header)
    return "; decimal comma? Write 0.25 for 0,25" if split and all(map(_digits, row[1:])) else ""


def _remedy(entry: str) -> str:
    """Return what an entry that is no value may be, and what helps."""
    text = entry.strip()
    if text.count(",") == 1 and _digits(text.replace(",", "")):
        return "; decimal comma? Write 0.25 for 0,25"
    try:
        marks = float(text) in MISSING | {999.0, 99.9} or math.isnan(float(text))
    except ValueError:
        marks = text == ""
    return "; a missing value? Fill it in from the hours around it or from another source" if marks else ""


def _digits(text: str) -> bool:
    return text.strip().lstrip("+-").replace(".", "", 1).isdigit()


def _order(made: Mapping[str, list[Any]], file: str) -> list[Fault]:
    """Return what is wrong with a series as a whole."""
    key = next(iter(made))
    rows = made.get("time") or made.get("phase_pu") or []
    if not rows:
        return [Fault(file, "rows", "none", "at least one row", None)]
    for number, (early, late) in enumerate(pairwise(rows), start=2):
        if late <= early:
            return [_disorder(file, "time" if "time" in made else key, number, early, late)]
    if "time" in made:
        return _off_the_hour(rows, file)
    if "phase_pu" in made:
        width = 1.0 / len(rows)
        if any(abs(phase - rows[0] - i * width) > 0.1 * width for i, phase in enumerate(rows)):
            return [
                Fault(
                    file, "phase_pu", "bins of different width", f"{len(rows)} equal bins of a period", None
                )
            ]
        if max(made["power_pu"]) < 0.01:
            return [Fault(file, "power_pu", "nothing", "a peak of at least 0.01 per unit", None)]
    return []


def _disorder(file: str, key: str, number: int, early: Any, late: Any) -> Fault:
    """Return what is wrong with a row that is not later than the one before."""
    place = f"row {number}, {key}"
    if key != "time":
        return Fault(file, place, late, f"more than {early}, of the row before: rows in order", None)
    if late == early:
        expected = "no stamp twice; a clock set back? Stamp the series in one offset from UTC all year"
        return Fault(file, place, f"{late} again", expected, None)
    return Fault(file, place, written(late), f"later than {early}, of the row before: rows in order", None)


def _off_the_hour(rows: list[str], file: str) -> list[Fault]:
    """Return the first stamp where none is on the hour."""
    minutes = Counter(stamp.partition(":")[2] for stamp in rows)
    if minutes["00"]:
        return []
    (usual, _), *_ = minutes.most_common(1)
    expected = (
        f"stamps on the hour, where a reading's time begins: stamps lie at :{usual}; move them all alike "
        "to the begin of the time that they stand for"
    )
    return [Fault(file, "row 1, time", written(rows[0]), expected, None)]
