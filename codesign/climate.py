"""Weather and prices of the representative days, joined on UTC.

Both series carry their own constant offset from UTC: weather is stamped in the site's standard time, prices
in whatever the market publishes.  A representative day is a local day of the weather series.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.components import air
from codesign.errors import Fault, InputError
from codesign.site import Site

Array = NDArray[np.float64]
HOURS_A_DAY = 24


@dataclass(frozen=True, eq=False, slots=True)
class Hours:
    """The modelled hours, one entry per (day, hour), days in the file's order; arrays are read-only.

    day_index: index into site.days; hour_of_day: local [h]; utc: POSIX time [s]; date: local, ISO 8601;
    dry_bulb_c [degC]; price_usd_per_mwh [USD/MWh]; weight_h_per_year: hours a year that the entry stands for.
    """

    day_index: NDArray[np.int64]
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
    """Return the modelled hours of a site.

    Raises InputError, all faults at once, when a day's hour is missing from the weather or from the prices.
    """
    weather = dict(zip(*weather_utc(site), strict=True))
    price = dict(zip(*price_utc(site), strict=True))
    faults: list[Fault] = []
    rows: list[tuple[int, float, int, str, float, float, float]] = []
    step = site.clock.hour_step_h
    for index, day in enumerate(site.days):
        for hour in range(0, HOURS_A_DAY, step):
            local = f"{day.date}T{hour:02d}:00"
            utc = utc_s(local, site.climate.utc_offset_h)
            for series, key, offset_h in (
                (weather, "climate.series", site.climate.utc_offset_h),
                (price, "energy.price_series", site.energy.utc_offset_h),
            ):
                if utc not in series:
                    expected = f"an hour stamped {stamp(utc, offset_h)} for days.{index}.date"
                    faults.append(Fault(site.name, key, "missing", expected, None))
            if utc in weather and utc in price:
                weight = float(day.weight_days) * step
                rows.append((index, float(hour), utc, str(day.date), weather[utc], price[utc], weight))
    if faults:
        raise InputError(faults)
    columns = list(zip(*rows, strict=True))
    kinds = (np.int64, np.float64, np.int64, np.str_, np.float64, np.float64, np.float64)
    return Hours(*(_frozen(np.array(column, kind)) for column, kind in zip(columns, kinds, strict=True)))


def weather_utc(site: Site) -> tuple[Sequence[int], Sequence[float]]:
    """Return POSIX times [s] and dry-bulb temperatures [degC] of the weather series."""
    rows = site.series.weather
    return [utc_s(t, site.climate.utc_offset_h) for t in rows["time"]], [float(v) for v in rows["dry_bulb_c"]]


def price_utc(site: Site) -> tuple[Sequence[int], Sequence[float]]:
    """Return POSIX times [s] and prices [USD/MWh] of the price series."""
    rows = site.series.price
    times = [utc_s(t, site.energy.utc_offset_h) for t in rows["time"]]
    return times, [float(v) for v in rows["price_usd_per_mwh"]]


def utc_s(time: str, offset_h: float) -> int:
    """Return the POSIX time [s] of an ISO 8601 stamp in a zone offset_h ahead of UTC."""
    zone = dt.timezone(dt.timedelta(hours=offset_h))
    return round(dt.datetime.fromisoformat(time).replace(tzinfo=zone).timestamp())


def stamp(utc: int, offset_h: float) -> str:
    """Return the ISO 8601 stamp of a POSIX time [s] in a zone offset_h ahead of UTC."""
    zone = dt.timezone(dt.timedelta(hours=offset_h))
    return dt.datetime.fromtimestamp(utc, zone).strftime("%Y-%m-%dT%H:%M")


def air_density_pu(site: Site) -> float:
    """Return the air density at the site's altitude over that at sea level, at an equal temperature."""
    return air.pressure_pu(site.climate.altitude_m)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
