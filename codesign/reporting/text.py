"""Numbers, units and names as a reader sees them; everything that reaches the page is escaped here."""

from __future__ import annotations

import html
from collections.abc import Iterable

from codesign.design import Margin
from codesign.units import SPELLED

TIMES, DASH, MINUS = "\u00d7", "\u2013", "\u2212"

WHOLE = 9999.5
"""From here on four digits would end in a power of ten."""

SHORT = ("tcs", "fws", "cdu", "poi")

BESIDE = {"mva": "MVA", "l": "l", "c": "degC"}
"""Units of results that no key of a site file ends in."""


def unit(name: str) -> str:
    """Return a unit as it is written: `kg_per_s` -> `kg/s`."""
    return (SPELLED | BESIDE).get(name, name).replace("degC", "°C").replace("m3", "m³")


def number(value: float) -> str:
    """Return a number to four digits, large ones whole, tiny ones in powers of ten; no minus before zero."""
    return f"{value + 0.0:{',.0f' if abs(value) >= WHOLE else '.4g'}}".replace("-", MINUS)


def quantity(value: float, of: str) -> str:
    """Return a number with its unit."""
    return f"{number(value)} {unit(of)}".rstrip()


def usd(value: float | None) -> str:
    """Return annual money; "none" where there is none."""
    return "none" if value is None else f"{value:,.0f} USD a year"


def share(value: float | None) -> str:
    """Return a gap; "none" where there is none."""
    return "none" if value is None else f"{value:.3%}" if abs(value) >= 5e-6 else f"{value:.1e}"


def words(name: str) -> str:
    """Return an identifier as words: `cdu_pump_trip` -> `CDU pump trip`."""
    return " ".join(word.upper() if word in SHORT else word for word in name.split("_"))


def escaped(text: object) -> str:
    """Return text that is safe inside an element and inside a quoted attribute."""
    return html.escape(str(text), quote=True)


def clipped(text: str, most: int) -> str:
    """Return text of at most `most` characters, the cut shown."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def worst_of_each(margins: Iterable[Margin]) -> list[Margin]:
    """Return the worst margin of each limit and unit, the broken first, then in the order given."""
    worst: dict[tuple[str, str], Margin] = {}
    for row in margins:
        key = row.limit, row.unit
        if key not in worst or row.margin < worst[key].margin:
            worst[key] = row
    return sorted(worst.values(), key=lambda row: row.margin >= 0.0)


def where(row: Margin) -> str:
    """Return where and when a margin is at its worst."""
    if row.scenario == "static":
        at = f", {number(row.time_s)} s of the periodic waveform" if row.judge == "waveform" else ""
        return f"static, {row.place}{at}"
    return f"{words(row.scenario)}, {row.place}, {number(row.time_s)} s"
