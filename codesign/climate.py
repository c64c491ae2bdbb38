"""Weather and prices of the representative days, joined on UTC.

Both series carry their own constant offset from UTC: weather is stamped in the site's standard time, prices
in whatever the market publishes.  A representative day is a local day of the weather series, in spans of
clock.hour_step_h.

A span is an entry at its mean dry bulb and mean price, with the hours a year that it stands for (`readings`
states the rule). Where the dry bulb varies within the span, an entry of weight 0 follows at its highest
reading, and in the span of the day's lowest reading one there: no energy is counted at them, but every limit,
the range of a card, the contract and the metered peak hold at what the air really was. Hourly steps of hourly
readings have one entry an hour.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.components import air
from codesign.readings import Readings, Span, stamped, utc_s
from codesign.site import Site

Array = NDArray[np.float64]
HOURS_A_DAY = 24
HOUR_S = 3600


@dataclass(frozen=True, eq=False, slots=True)
class Hours:
    """The modelled hours, one or more entries a span, days in the file's order; arrays are read-only.

    day_index: index into site.days; span: index of the span, of one entry that may weigh, its first, and at
    most two of weight 0; hour_of_day: local [h], where the span or the reading begins; utc: POSIX time [s];
    date: local, ISO 8601; dry_bulb_c [degC]; price_usd_per_mwh [USD/MWh], of the span; weight_h_per_year:
    hours a year that the entry stands for.
    """

    day_index: NDArray[np.int64]
    span: NDArray[np.int64]
    hour_of_day: Array
    utc: NDArray[np.int64]
    date: NDArray[np.str_]
    dry_bulb_c: Array
    price_usd_per_mwh: Array
    weight_h_per_year: Array

    def __len__(self) -> int:
        return len(self.dry_bulb_c)


@lru_cache(maxsize=64)
def hours(site: Site) -> Hours:
    """Return the modelled hours of a site, whose days have no gap (`consistency`)."""
    weather, price, step_s = weather_of(site), price_of(site), HOUR_S * site.clock.hour_step_h
    rows: list[tuple[int, int, float, int, str, float, float, float]] = []
    spans = count()
    for index, day in enumerate(site.days):
        day_s, weight = day_begin_s(site, day.date), float(day.weight_days) * site.clock.hour_step_h
        low_s = weather.over(day_s, day_s + HOURS_A_DAY * HOUR_S).low_s
        for begin_s in range(day_s, day_s + HOURS_A_DAY * HOUR_S, step_s):
            outdoor, cost = (series.over(begin_s, begin_s + step_s) for series in (weather, price))
            span = next(spans)
            for at_s, dry_bulb, weighs in entries(outdoor, begin_s, weight, low_s):
                hour = (at_s - day_s) / HOUR_S
                rows.append((index, span, hour, at_s, str(day.date), dry_bulb, cost.mean, weighs))
    columns = list(zip(*rows, strict=True))
    kinds = (np.int64, np.int64, np.float64, np.int64, np.str_, np.float64, np.float64, np.float64)
    return Hours(*(_frozen(np.array(column, kind)) for column, kind in zip(columns, kinds, strict=True)))


def entries(outdoor: Span, begin_s: int, weight: float, low_s: int) -> Iterator[tuple[int, float, float]]:
    """Yield (POSIX time [s], dry bulb [degC], weight) of a span: its mean, then what limits alone hold at.

    low_s: POSIX time [s] of the day's lowest reading.
    """
    yield begin_s, outdoor.mean, weight
    if outdoor.high > outdoor.mean:
        yield outdoor.high_s, outdoor.high, 0.0
    if outdoor.low < outdoor.mean and outdoor.low_s == low_s:
        yield outdoor.low_s, outdoor.low, 0.0


def day_begin_s(site: Site, date: str) -> int:
    """Return the POSIX time [s] at which a local day of the weather begins."""
    return utc_s(f"{date}T00:00", site.climate.utc_offset_h)


def clock(hour_of_day: float) -> str:
    """Return an hour of the day as hours and minutes."""
    minutes = round(60 * float(hour_of_day))
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def weather_of(site: Site) -> Readings:
    """Return the dry bulbs [degC] of the weather series."""
    rows = site.series.weather
    return stamped(rows["time"], rows["dry_bulb_c"], site.climate.utc_offset_h)


def price_of(site: Site) -> Readings:
    """Return the prices [USD/MWh] of the price series."""
    rows = site.series.price
    return stamped(rows["time"], rows["price_usd_per_mwh"], site.energy.utc_offset_h)


def air_density_pu(site: Site) -> float:
    """Return the air density at the site's altitude over that at sea level, at an equal temperature."""
    return air.pressure_pu(site.climate.altitude_m)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
