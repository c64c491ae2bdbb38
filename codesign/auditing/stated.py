"""The static margins that a design states against those found again: row by row, both ways.

A row is a limit at a place. Its margin, unit, judge, hour and time must be what is found again; where several
hours or moments are as bad as the worst, any of them may be named. A row that is missing is refused, and so
is one more.
"""

from __future__ import annotations

import math

from codesign.auditing.ledger import RELATIVE, Ledger, Row, parted
from codesign.design import Design, Margin

WITHIN = 1e-6
"""Of a margin in its own unit: what the solvers behind it leave open."""
WAVEFORM = (
    "poi_window", "poi_window_one_away", "job_stop", "job_restart", "storage_charge", "storage_discharge",
    "storage_energy_low", "storage_energy_high", "storage_voltage",
)  # fmt: skip
"""Limits that are read off a waveform, and so have a moment in it."""
S_PER_H = 3600.0


def judge(ledger: Ledger, design: Design) -> None:
    """Compare the static margins of a design that claims some."""
    claimed: dict[tuple[str, str], Margin] = {}
    for margin in design.check.static:
        key = margin.limit, parted(margin.place)[0]
        if key in claimed:
            ledger.breach("margin", _named(key), "stated twice", "one row")
        claimed[key] = margin
    for key in sorted(ledger.rows.keys() - claimed.keys()):
        ledger.breach("margin", _named(key), "missing", f"{ledger.rows[key].margin!r} found again")
    for key, margin in claimed.items():
        row = ledger.rows.get(key)
        if row is None:
            ledger.breach("margin", _named(key), margin.margin, "a limit that was found again")
        else:
            _row(ledger, key, margin, row)
    ledger.judged.append("static margins, every row both ways")


def _row(ledger: Ledger, key: tuple[str, str], claim: Margin, row: Row) -> None:
    name, within = _named(key), max(WITHIN, RELATIVE * abs(row.margin))
    if not _alike(claim.margin, row.margin, within):
        ledger.breach("margin", name, claim.margin, f"{row.margin!r} found again", claim.unit)
    ledger.equal("margin", f"{name}, unit", claim.unit, row.unit)
    ledger.equal("margin", f"{name}, judge", claim.judge, "waveform" if key[0] in WAVEFORM else "static")
    limit, where = key
    stamp = parted(claim.place)[1]
    hours = {at: left for (one, place, at), left in ledger.stamps.items() if (one, place) == (limit, where)}
    if bool(hours) != bool(stamp):
        expected = f"one of {len(hours)} hours" if hours else "no hour"
        ledger.breach("margin", f"{name}, hour", stamp or "none", expected)
    elif stamp and not hours.get(stamp, math.inf) <= row.margin + within:
        ledger.breach("margin", f"{name}, hour", stamp, "the hour with the least to spare")
    if stamp:
        ledger.equal("margin", f"{name}, time", claim.time_s, S_PER_H * int(stamp[-5:-3]))
    elif row.by_time_s:
        if not row.by_time_s.get(claim.time_s, math.inf) <= row.margin + within:
            ledger.breach("margin", f"{name}, time", claim.time_s, "the moment with the least to spare", "s")
    else:
        ledger.equal("margin", f"{name}, time", claim.time_s, 0.0)


def _alike(claimed: float, found: float, within: float) -> bool:
    """Whether two margins are the same; one that misses by rounding is stated as none."""
    return abs(claimed - found) <= within or (claimed == found)


def _named(key: tuple[str, str]) -> str:
    return f"{key[0]}, static, {key[1]}" if key[1] else f"{key[0]}, static"
