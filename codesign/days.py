"""Representative days: real days that stand for the year, and design days that only limit.

    days_of_year(site)       every whole local day of the series: dry bulb and price by hour (`readings`)
    hours_without(site)      hours of the year that the series leave out
    medoids(features, n)     n clusters of days, each with the real day in its middle
    design_days(year, ...)   the hottest day, the day of the greatest cooling need, the dearest day
    calibrated(...)          weights near the clusters' sizes that keep the year's mean price and dry bulb
    choose(site, n)          all of it, as the site file's `days`

Hierarchical clustering with Ward's criterion and real days as medoids (M. Hoffmann et al., "A review on time
series aggregation methods for energy system models", Energies 13 (2020) 641). Days that set sizes are rare
and no cluster's middle: they are added with weight 0, so that they limit and do not cost.

Prices are skewed, and the middle day of a cluster of dear days is cheaper than their mean: weighed by the
size of its cluster alone, eight days of Dallas cost a tenth less energy than its year. Weights are thus
calibrated, as a survey's are to known totals: of all weights that give the year's mean price and dry bulb,
those nearest to the sizes in chi-square distance (J.-C. Deville, C.-E. Sarndal, "Calibration estimators in
survey sampling", J. Am. Stat. Assoc. 87 (1992) 376-382).

What is chosen is part of the site and of its digest, so it must not hang on the last bit of a sum or of a
least-squares solve, which differs between processors: weights are whole millionths of a day, and of values
that are equal within ALIKE the earliest day is taken.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial.distance import cdist

from codesign import climate
from codesign.climate import HOUR_S, HOURS_A_DAY, Array
from codesign.errors import Fault, InputError
from codesign.readings import NO_GAP
from codesign.schema import Day
from codesign.site import Site

DAYS_A_YEAR = 365.0
WHOLE_YEAR = (365, 366)
LEAP_DAY = "02-29"
EVERY_DAY = "as of every day of the year; a clock set forward? Stamp it in one offset from UTC all year"
DAY_S = HOURS_A_DAY * HOUR_S
ALIKE = 1e-9
"""Part by which two values may differ and still be equal: far above rounding, far below any reading."""
WEIGHT_STEPS = 1_000_000
"""Steps of a weight in a day."""
FREE_APPROACH_K = 6.0
"""Dry bulb below the FWS supply at which dry coolers alone still hold it; 5 to 8 K are usual."""
LOAD_PU_PER_K = 0.013
"""Proxy of the load: chillers take over within 15 K above free cooling and draw 0.2 of the heat (COP 5)."""


@dataclass(frozen=True, eq=False, slots=True)
class Year:
    """The local days of a year: n dates (ISO 8601); arrays (n, 24) in degC and USD/MWh by local hour.

    dry_bulb_c, price_usd_per_mwh: means of the hour; high_c, low_c: its highest and lowest dry bulb.
    """

    dates: tuple[str, ...]
    dry_bulb_c: Array
    high_c: Array
    low_c: Array
    price_usd_per_mwh: Array

    def __len__(self) -> int:
        return len(self.dates)

    def features(self) -> Array:
        """Return (n, 48): temperatures, then prices, each less its mean over its standard deviation.

        One mean and one deviation a quantity, not an hour: an hour that hardly varies does not count more.
        """
        return np.hstack([_standardised(self.dry_bulb_c), _standardised(self.price_usd_per_mwh)])


@dataclass(frozen=True, slots=True)
class Cluster:
    """Days that one of them stands for: indices into the year."""

    medoid: int
    members: tuple[int, ...]


@lru_cache(maxsize=8)
def days_of_year(site: Site) -> Year:
    """Return the local days of a year that both series cover, joined on UTC.

    Raises InputError when their dates are not one turn of the calendar, with the first gap between them.
    """
    weather, price = climate.weather_of(site), climate.price_of(site)
    dates, lacking = list[str](), dict[str, Fault]()
    for date, fault in _whole_days(site):
        if fault is None:
            dates.append(date)
        else:
            lacking[date] = fault
    _hold_one_turn(site, dates, lacking)
    rows = []
    for date in dates:
        day_s = climate.day_begin_s(site, date)
        for begin_s in range(day_s, day_s + DAY_S, HOUR_S):
            air = weather.over(begin_s, begin_s + HOUR_S)
            rows.append((air.mean, air.high, air.low, price.over(begin_s, begin_s + HOUR_S).mean))
    columns = np.array(rows, np.float64).T.reshape(4, len(dates), HOURS_A_DAY)
    columns.flags.writeable = False
    return Year(tuple(dates), *columns)


def hours_without(site: Site) -> float:
    """Return the hours of a year of 8760 h that no whole day of both series covers: 0 for a whole year."""
    dates = {date[5:] for date, fault in _whole_days(site) if fault is None}
    return HOURS_A_DAY * max(DAYS_A_YEAR - len(dates - {LEAP_DAY}), 0.0)


def _whole_days(site: Site) -> Iterator[tuple[str, Fault | None]]:
    """Yield the local dates of the weather, each with its first gap, in the weather or else in the prices."""
    both = (
        ("climate.series", climate.weather_of(site), site.climate.utc_offset_h),
        ("energy.price_series", climate.price_of(site), site.energy.utc_offset_h),
    )
    for date in sorted({time[:10] for time in site.series.weather["time"]}):
        begin_s, fault = climate.day_begin_s(site, date), None
        for key, series, offset_h in both:
            gap = series.gap(begin_s, begin_s + DAY_S)
            if gap is not None and fault is None:
                fault = Fault(site.name, key, gap.text(offset_h), f"{NO_GAP} of {date}, {EVERY_DAY}")
        yield date, fault


def _hold_one_turn(site: Site, dates: list[str], lacking: dict[str, Fault]) -> None:
    """Refuse whole days that are not each day of the calendar once; 29 February may be there."""
    turns = Counter(date[5:] for date in dates)
    if len(turns) == len(dates) == WHOLE_YEAR[LEAP_DAY in turns]:
        return
    found = f"{len(dates)} whole days that energy.price_series covers too"
    expected = "the 365 or 366 days of one year"
    if again := [date for date in dates if turns[date[5:]] > 1]:
        first, second, *_ = (date for date in dates if date[5:] == again[0][5:])
        found, expected = f"{found}, {first} and {second} among them", f"{expected}, one turn of the calendar"
    elif within := [date for date in lacking if dates and dates[0] < date < dates[-1]]:
        raise InputError([lacking[within[0]]])
    raise InputError([Fault(site.name, "climate.series", found, expected)])


def medoids(features: Array, number: int) -> tuple[Cluster, ...]:
    """Return `number` clusters of the rows (n, k), in the order of their medoids.

    Ward's criterion on Euclidean distance; a medoid has the least sum of distances to its cluster, the
    earliest of equals.
    """
    if number >= len(features):
        return tuple(Cluster(i, (i,)) for i in range(len(features)))
    made = []
    for members in _merged(features, number):
        at = np.array(members)
        distance = cdist(features[at], features[at]).sum(axis=1)
        made.append(Cluster(members[_first_least(distance)], members))
    return tuple(sorted(made, key=lambda cluster: cluster.medoid))


def _merged(features: Array, number: int) -> list[tuple[int, ...]]:
    """Return Ward's clusters: again and again the two whose union adds least to the squared deviations.

    Of pairs alike the one of the earliest days. By the update of J. H. Ward, "Hierarchical grouping to
    optimize an objective function", J. Am. Stat. Assoc. 58 (1963) 236-244, in the form of Lance and Williams.
    """
    size = np.ones(len(features))
    apart = cdist(features, features, "sqeuclidean")
    zero = ALIKE * float(apart.max())
    np.fill_diagonal(apart, np.inf)
    members: dict[int, tuple[int, ...]] = {i: (i,) for i in range(len(features))}
    while len(members) > number:
        one, other = divmod(_first_least(apart.ravel(), zero), len(features))
        rest = np.array([i for i in members if i not in (one, other)], int)
        union = (size[one] + size[rest]) * apart[one, rest] + (size[other] + size[rest]) * apart[other, rest]
        union = (union - size[rest] * apart[one, other]) / (size[one] + size[other] + size[rest])
        apart[one, rest] = apart[rest, one] = union
        apart[other, :] = apart[:, other] = np.inf
        size[one] += size[other]
        members[one] = tuple(sorted((*members[one], *members.pop(other))))
    return list(members.values())


def _first_least(values: Array, zero: float = 0.0) -> int:
    """Return the first index whose value is the least, within ALIKE of it or within `zero`."""
    least = float(values.min())
    return int((values <= least + max(ALIKE * abs(least), zero)).argmax())


def calibrated(size: Array, values: Array, mean: Array) -> Array:
    """Return weights (n,) that keep the sum of `size` and give `values` (k, n) their `mean` (k,).

    Least sum((w - size)**2 / size), which is linear in the conditions. The last condition is left out, and
    the next, where the weights would not all be above 0 or do not exist.
    """
    for kept in range(len(values), 0, -1):
        scale = np.abs(values[:kept]).max(axis=1, keepdims=True)
        scale = np.where(scale > 0.0, scale, 1.0)
        rows = np.vstack([np.ones(len(size)), values[:kept] / scale])
        due = float(size.sum()) * np.array([1.0, *(mean[:kept] / scale[:, 0])])
        by_row = np.linalg.lstsq((rows * size) @ rows.T, due - rows @ size, rcond=ALIKE)[0]
        weight = size * (1.0 + by_row @ rows)
        if (weight > 1.0 / WEIGHT_STEPS).all() and np.allclose(rows @ weight, due, rtol=ALIKE, atol=0.0):
            return np.asarray(weight)
    return size


def rounded(weights: Array) -> tuple[float, ...]:
    """Return weights (n,) [d] in whole millionths of a day that sum to 365 days.

    What rounding leaves of the sum goes to the heaviest, the first of equals.
    """
    steps = [round(weight * WEIGHT_STEPS) for weight in weights.tolist()]
    steps[steps.index(max(steps))] += round(DAYS_A_YEAR * WEIGHT_STEPS) - sum(steps)
    return tuple(each / WEIGHT_STEPS for each in steps)


def covers_year(site: Site) -> bool:
    """Whether both series have every hour of one year."""
    try:
        days_of_year(site)
    except InputError:
        return False
    return True


def design_days(site: Site) -> tuple[Day, ...]:
    """Return the days by computed need, weight 0, each once, by date (see `needs`)."""
    year = days_of_year(site)
    found = {_first_least(-need) for need in needs(year, free_c(site)).values()}
    return tuple(Day(date=year.dates[at], weight_days=0.0) for at in sorted(found))


def needs(year: Year, free_c: float) -> dict[str, Array]:
    """Return what makes a day a design day, (n,) each: the greatest entry is the day, the first of equals.

    hottest: highest reading [degC]; cooling: sum of the dry bulb above free cooling [K h], a proxy of the
    electricity for cooling; dearest: sum of price times load, the load 1 + LOAD_PU_PER_K a kelvin above free
    cooling [USD per MW of free-cooled load].
    """
    above_k = np.maximum(year.dry_bulb_c - free_c, 0.0)
    cost = year.price_usd_per_mwh * (1.0 + LOAD_PU_PER_K * above_k)
    return {
        "hottest": year.high_c.max(axis=1), "cooling": above_k.sum(axis=1), "dearest": cost.sum(axis=1),
    }  # fmt: skip


def free_c(site: Site) -> float:
    """Return the dry bulb [degC] up to which dry coolers do alone, at the coldest supply on offer (a proxy).

    At the coldest: an hour counts once any setting on offer would need a machine.
    """
    return min(site.equipment.cooling.fws_supply_c) - FREE_APPROACH_K


def choose(site: Site, number: int, *, design: bool = True) -> tuple[Day, ...]:
    """Return `number` real days whose weights sum to 365, by date; then the design days beside them.

    Weather and prices decide, joined; the site's own `days` do not matter. The weights give the year's mean
    price and dry bulb wherever such weights exist.
    """
    year = days_of_year(site)
    clusters = medoids(year.features(), number)
    price, dry_bulb = year.price_usd_per_mwh.mean(axis=1), year.dry_bulb_c.mean(axis=1)
    at = [cluster.medoid for cluster in clusters]
    size = np.array([len(cluster.members) for cluster in clusters]) * (DAYS_A_YEAR / len(year))
    weights = calibrated(size, np.array([price[at], dry_bulb[at]]), np.array([price.mean(), dry_bulb.mean()]))
    chosen = [Day(date=year.dates[i], weight_days=w) for i, w in zip(at, rounded(weights), strict=True)]
    there = {day.date for day in chosen}
    added = [day for day in design_days(site) if day.date not in there] if design else []
    return (*chosen, *added)


def whole_year(site: Site) -> tuple[Day, ...]:
    """Return every day of the series' year, equal weights that sum to 365."""
    dates = days_of_year(site).dates
    return tuple(Day(date=date, weight_days=DAYS_A_YEAR / len(dates)) for date in dates)


def _standardised(values: Array) -> Array:
    spread = float(values.std())
    return (values - values.mean()) / (spread if spread > 0.0 else 1.0)
