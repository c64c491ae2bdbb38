"""Spans of a series: means and extremes by hand, gaps, and series of a site that are not hourly."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import TOY, random_site

import codesign
from codesign import climate, days, evaluation, readings
from codesign.design import Plan
from codesign.errors import InputError
from codesign.readings import Gap, Readings, Span
from codesign.site import Site

TINY = Path(__file__).parent / "data" / "tiny"
QUARTER, HOUR = 900, 3600


# the rule


def test_a_reading_holds_until_the_next_one() -> None:
    """Quarters of an hour, then an hour, then half an hour: weighed by time."""
    times = [0, QUARTER, 2 * QUARTER, 3 * QUARTER, HOUR, 2 * HOUR, 2 * HOUR + 1800]
    series = Readings.of(times, [20.0, 100.0, 100.0, 100.0, 40.0, 10.0, 30.0])
    assert series.over(0, HOUR) == Span(80.0, 100.0, QUARTER, 20.0, 0)
    assert series.over(HOUR, 2 * HOUR) == Span(40.0, 40.0, HOUR, 40.0, HOUR)
    whole = series.over(0, 3 * HOUR)
    assert whole == Span(round((80 + 40 + 20) / 3, 6), 100.0, QUARTER, 10.0, 2 * HOUR)
    assert series.over(600, 1200) == Span(60.0, 100.0, QUARTER, 20.0, 600)  # parts of two readings


def test_spans_against_a_sum_over_seconds() -> None:
    """Random steps below an hour; every second asked what holds in it, in fractions."""
    draw = random.Random(4)
    times, value = [0], [round(draw.uniform(-20, 50), 1)]
    while times[-1] < 5 * HOUR:
        times.append(times[-1] + 60 * draw.choice((5, 15, 20, 60)))
        value.append(round(draw.uniform(-20, 50), 1))
    series = Readings.of(times, value)
    for _ in range(20):
        begin = 60 * draw.randrange(240)
        end = begin + 60 * draw.randrange(1, 60)
        held = [value[max(i for i, t in enumerate(times) if t <= s)] for s in range(begin, end, 60)]
        span = series.over(begin, end)
        assert span.mean == round(float(sum(map(Fraction, held)) / len(held)), 6)
        assert (span.high, span.low) == (max(held), min(held))
        assert series.over(span.high_s, span.high_s + 1).mean == span.high


def test_a_gap_is_what_lies_more_than_an_hour_behind_a_reading() -> None:
    series = Readings.of([0, HOUR, 3 * HOUR, 3 * HOUR + QUARTER, 6 * HOUR], [1.0, 2.0, 3.0, 4.0, 5.0])
    assert series.gap(0, 2 * HOUR) is None
    assert series.gap(0, 4 * HOUR) == Gap(2 * HOUR, 3 * HOUR, 3)
    assert series.gap(3 * HOUR, 7 * HOUR) == Gap(3 * HOUR + 2 * QUARTER, 6 * HOUR, 5)
    assert series.gap(6 * HOUR, 7 * HOUR) == Gap(6 * HOUR + QUARTER, 7 * HOUR, 6)  # as long as before the gap
    assert series.gap(-HOUR, 0) == Gap(-HOUR, 0, 1)
    with pytest.raises(ValueError, match="a gap between"):
        series.over(0, 4 * HOUR)


def test_six_hours_apart_is_all_gaps() -> None:
    series = Readings.of([0, 6 * HOUR, 12 * HOUR], [20.0, 40.0, 20.0])
    assert series.gap(0, 6 * HOUR) == Gap(HOUR, 6 * HOUR, 2)


# a site


def tiny(place: Path, change: Callable[[str], str], name: str = "weather.csv") -> Path:
    """Write the tiny site with one of its series changed line by line (comment and header are kept)."""
    folder = Path(shutil.copytree(TINY, place / "tiny"))
    head, *rows = re.split(r"\n(?=\d)", (folder / name).read_text())
    (folder / name).write_text("\n".join([head, *map(change, rows)]))
    return folder


def entries(hours: climate.Hours, weight: bool) -> list[tuple[float, float]]:
    """Return (hour, dry bulb) of the entries that weigh, or of those that only limit."""
    some = (hours.weight_h_per_year > 0.0) == weight
    return list(zip(hours.hour_of_day[some].tolist(), hours.dry_bulb_c[some].tolist(), strict=True))


@pytest.fixture(scope="module")
def planned() -> tuple[Site, Plan]:
    """A day in steps of 6 h."""
    site = random_site(1)
    return site, codesign.plan(site)


def test_three_hours_are_their_mean_and_their_highest() -> None:
    toy = codesign.load(TOY).with_({"clock.hour_step_h": 1})
    hourly = climate.hours(toy).dry_bulb_c.reshape(3, 8, 3)
    price = climate.hours(toy).price_usd_per_mwh.reshape(3, 8, 3)
    hours = climate.hours(toy.with_({"clock.hour_step_h": 3}))
    weighs = hours.weight_h_per_year > 0.0
    assert hours.dry_bulb_c[weighs] == pytest.approx(hourly.mean(axis=2).ravel(), abs=1e-6)
    assert hours.price_usd_per_mwh[weighs] == pytest.approx(price.mean(axis=2).ravel(), abs=1e-6)
    assert hours.weight_h_per_year.sum() == 8760.0
    most = np.full(24, -np.inf)
    np.maximum.at(most, hours.span, hours.dry_bulb_c)
    assert most.tolist() == hourly.max(axis=2).ravel().tolist()
    assert [hours.dry_bulb_c[hours.day_index == day].min() for day in range(3)] == hourly.min((1, 2)).tolist()
    at = int(hours.dry_bulb_c.argmax())
    assert (hours.date[at], hours.hour_of_day[at], hours.dry_bulb_c[at]) == ("2023-08-18", 17.0, 43.0)


def test_quarter_hours_of_weather_are_their_mean_and_their_highest(tmp_path: Path) -> None:
    """14:15 is 4 K above the hour and 14:30 2 K below it."""

    def quarters(row: str) -> str:
        time, dry_bulb, humidity = row.split(",")
        hot = {"15": 4.0, "30": -2.0, "45": 0.0} if "T14:" in time else dict.fromkeys(("15", "30", "45"), 0.0)
        more = [f"{time[:-2]}{m},{float(dry_bulb) + k:.1f},{humidity.strip()}" for m, k in hot.items()]
        return "\n".join([row.strip(), *more])

    plain = climate.hours(codesign.load(TINY))
    hours = climate.hours(codesign.load(tiny(tmp_path, quarters)))
    base = float(plain.dry_bulb_c[14])
    assert entries(hours, weight=False) == [(14.25, pytest.approx(base + 4.0))]
    wanted = [each + (0.5 if hour == 14 else 0.0) for hour, each in enumerate(plain.dry_bulb_c)]
    assert [each for _, each in entries(hours, weight=True)] == pytest.approx(wanted, abs=1e-6)
    assert hours.price_usd_per_mwh[hours.weight_h_per_year > 0.0].tolist() == plain.price_usd_per_mwh.tolist()


def test_quarter_hours_of_prices_cost_what_their_mean_costs(tmp_path: Path) -> None:
    """20, 100, 100, 100 USD/MWh in each hour are 80, as hourly prices of 80 are."""

    def quarters(row: str) -> str:
        hour, usd = row.partition(":")[0], {"00": 20, "15": 100, "30": 100, "45": 100}
        return "\n".join(f"{hour}:{minute},{each}" for minute, each in usd.items())

    fine = codesign.load(tiny(tmp_path / "a", quarters, "price.csv"))
    flat = codesign.load(tiny(tmp_path / "b", lambda row: f"{row.partition(',')[0]},80", "price.csv"))
    assert climate.hours(fine).price_usd_per_mwh.tolist() == climate.hours(flat).price_usd_per_mwh.tolist()
    assert set(climate.hours(fine).price_usd_per_mwh) == {80.0}


def test_half_an_hour_beside_the_prices_takes_half_of_each(tmp_path: Path) -> None:
    """Prices are the hour's number: 12:00 to 13:00 of the site is 12:30 to 13:30 of the market."""
    site = year_of(tmp_path, dates("2023-05-01", 3)).with_(
        {"climate.utc_offset_h": -5.5, "clock.hour_step_h": 1}
    )
    assert climate.hours(site).price_usd_per_mwh[12] == 12.5


@pytest.mark.parametrize("hours", [(14, 16), (13, 17)])
def test_a_peak_between_the_steps_limits_as_it_does_hour_by_hour(
    tmp_path: Path, hours: tuple[int, int], planned: tuple[Site, Plan]
) -> None:
    """Two hours of 44 degC: contract, rejection and hot spot see them at steps of 1, 3 and 6 h alike."""
    site, plan = planned
    folder = site.save(tmp_path)
    rows = (folder / "weather.csv").read_text().splitlines()
    hot = [re.sub(r"(:00),[-\d.]+", r"\1,44.0", row) for row in rows]
    rows = [each if row[11:13] in map(str, hours) else row for row, each in zip(rows, hot, strict=True)]
    (folder / "weather.csv").write_text("\n".join(rows))
    worst = []
    for step in (1, 3, 6):
        other = codesign.load(folder).with_({"clock.hour_step_h": step})
        assert plan.setting is not None
        exact = evaluation.evaluate(other, plan.setting, plan.sizes, plan.schedule)
        worst.append({(m.limit, m.place.split(", 2")[0]): m.margin for m in exact.margins})
        (demand,) = [item.usd_per_year for item in exact.cost_items if item.name == "demand"]
        worst[-1]["demand", ""] = demand
        assert exact.hours["poi_mw"].max() > plan.hours["poi_mw"].max()
    for found in worst[1:]:
        assert found == pytest.approx(worst[0], rel=1e-9, abs=1e-9)


def test_energy_of_wide_steps_is_that_of_their_means(planned: tuple[Site, Plan]) -> None:
    """By hand from the recorded hours: only the mean entries weigh, at the mean price."""
    _, plan = planned
    weighs = plan.hours["weight_h_per_year"] > 0.0
    assert weighs.sum() == 4
    assert plan.hours.rows > 4
    price, power = (plan.hours[name][weighs].tolist() for name in ("price_usd_per_mwh", "poi_mw"))
    energy = sum(365 * 6 * usd * mw for usd, mw in zip(price, power, strict=True))
    (said,) = [item.usd_per_year for item in plan.cost_items if item.name == "energy"]
    assert said == pytest.approx(energy, rel=1e-12)
    assert plan.sizes["contract"].value == plan.hours["poi_mw"].max() > plan.hours["poi_mw"][weighs].max()


# what is refused, with row, time and remedy


MISSING, COMMA = "a missing value? Fill it in", "decimal comma? Write 0.25 for 0,25"
NOTHING = "nothing from 2023-07-01T14:00 to 2023-07-01T15:00"


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("price.csv", ("T14:00,.*", "T14:00,-9999"), ('row 10, price_usd_per_mwh = "-9999"', MISSING)),
        ("price.csv", ("T14:00,.*", "T14:00,9999"), ('row 10, price_usd_per_mwh = "9999"', MISSING)),
        ("weather.csv", ("T14:00,[^,]*", "T14:00,999"), ('row 15, dry_bulb_c = "999"', MISSING)),
        ("weather.csv", ("T14:00,[^,]*", "T14:00,nan"), ('row 15, dry_bulb_c = "nan"', MISSING)),
        ("weather.csv", ("T14:00,([^,]*),.*", r"T14:00,\1,999"), ("row 15, relative_humidity", MISSING)),
        ("price.csv", ("T14:00,.*", 'T14:00,"23,59"'), ('row 10, price_usd_per_mwh = "23,59"', COMMA)),
        ("price.csv", (r"(T14:00,\d+)\.", r"\1,"), ("row 10 = 3 entries", COMMA)),
        ("price.csv", ("time,", "time;"), ("column time;price_usd_per_mwh = unknown", "commas between them")),
        ("price.csv", ("T15:00", "T14:00"), ("row 11, time = 2023-07-01T14:00 again", "one offset from UTC")),
        ("price.csv", ("T15:00", "T12:00"), ('row 11, time = "2023-07-01T12:00"', "than 2023-07-01T14:00")),
        ("weather.csv", (":00,", ":30,"), ('row 1, time = "2023-07-01T00:30"', "stamps lie at :30")),
        ("weather.csv", ("\n[^\n]*T14:00.*", ""), (
            f"climate.series = {NOTHING}, before row 15",
            "a row at least every hour of days.0.date = 2023-07-01",
        )),
        ("price.csv", ("\n[^\n]*T14:00.*", ""), (
            f"energy.price_series = {NOTHING}, before row 10", "every hour",
        )),
    ],
)  # fmt: skip
def test_a_series_with_a_fault_is_refused_with_row_time_and_remedy(
    tmp_path: Path, name: str, change: tuple[str, str], said: tuple[str, ...]
) -> None:
    folder = Path(shutil.copytree(TINY, tmp_path / "tiny"))
    text = (folder / name).read_text()
    new = re.sub(*change, text)
    assert new != text
    (folder / name).write_text(new)
    with pytest.raises(InputError) as caught:
        codesign.load(folder)
    assert len(caught.value.faults) == (3 if "time;" in change else 1)
    for each in said:
        assert each in str(caught.value)


def test_a_price_that_a_market_allows_is_no_marker(tmp_path: Path) -> None:
    for usd in (-1000, -998.99, 999, 5000, 16_600):
        folder = tiny(tmp_path / str(usd), lambda row, usd=usd: f"{row.partition(',')[0]},{usd}", "price.csv")
        assert set(climate.hours(codesign.load(folder)).price_usd_per_mwh) == {usd}


# the year


def year_of(place: Path, dates: list[str], drop: str = "") -> Site:
    """Return the toy with hourly series, at -5 h and UTC, of some dates, without one price."""
    folder = Path(shutil.copytree(TOY, place / "toy"))
    weather = [f"{date}T{hour:02d}:00,{hour}" for date in dates for hour in range(24)]
    (folder / "weather.csv").write_text("\n".join(["time,dry_bulb_c", *weather]))
    price = [f"{date}T{hour:02d}:00,{hour}" for date in dates for hour in range(24)]
    rows = [row for row in price if not (drop and row.startswith(drop))]
    (folder / "price.csv").write_text("\n".join(["time,price_usd_per_mwh", *rows]))
    text = (folder / "site.toml").read_text().replace("utc_offset_h = 0", "utc_offset_h = -5")
    start, end = text.index("[[days]]"), text.index("[clock]")
    listed = f'[[days]]\ndate = "{dates[1]}"\nweight_days = 365\n'
    (folder / "site.toml").write_text(text[:start] + listed + text[end:])
    return codesign.load(folder)


def dates(first: str, number: int) -> list[str]:
    return [str(each) for each in np.datetime64(first) + np.arange(number)]


@pytest.mark.parametrize(
    ("turn", "without_h"),
    [
        (dates("2023-01-01", 365), 0.0), (dates("2024-01-01", 366), 0.0), (dates("2022-07-01", 365), 0.0),
        (dates("2023-07-01", 366), 0.0), ([*dates("2021-01-01", 120), *dates("2022-05-01", 245)], 0.0),
        ([*dates("2022-04-01", 183), *dates("2023-04-01", 182)], 24.0 * (365 - 183)),
        (dates("2023-01-01", 366), 0.0), (dates("2024-01-01", 365), 24.0),
        (dates("2023-03-01", 100), 24.0 * 265),
    ],
    ids=["year", "leap year", "from July", "over a leap day", "of two years' months", "two summers",
         "a day more", "a day less", "a summer"],
)  # fmt: skip
def test_a_year_is_one_turn_of_the_calendar(turn: list[str], without_h: float, tmp_path: Path) -> None:
    site = year_of(tmp_path, turn)
    months = {each[5:] for each in turn}
    whole = len(months) == len(turn) == (366 if "02-29" in months else 365)
    assert days.covers_year(site) == whole
    assert days.hours_without(site) == without_h
    if whole:
        assert days.days_of_year(site).dates == tuple(turn)


def test_two_summers_are_no_year_and_say_why(tmp_path: Path) -> None:
    site = year_of(tmp_path, [*dates("2022-04-01", 183), *dates("2023-04-01", 182)])
    said = r"365 whole days.*2022-04-01 and 2023-04-01.*one turn of the calendar"
    with pytest.raises(InputError, match=said):
        site.with_({"representative_days": {"number": 3}})


def test_an_hour_that_a_clock_skips_is_named(tmp_path: Path) -> None:
    site = year_of(tmp_path, dates("2023-01-01", 365), drop="2023-03-12T02")
    with pytest.raises(InputError) as caught:
        site.with_({"representative_days": {"number": 3}})
    said = "energy.price_series = nothing from 2023-03-12T02:00 to 2023-03-12T03:00, before row 1683"
    assert said in str(caught.value)
    assert "a clock set forward?" in str(caught.value)
    assert days.hours_without(site) == 24.0


def test_a_year_of_quarter_hours_has_means_and_extremes(tmp_path: Path) -> None:
    site = year_of(tmp_path, dates("2023-01-01", 365))
    rows: Any = {"time": [], "dry_bulb_c": []}
    for time, dry_bulb in zip(site.series.weather["time"], site.series.weather["dry_bulb_c"], strict=True):
        rows["time"] += [time, f"{time[:-2]}30"]
        rows["dry_bulb_c"] += [dry_bulb, dry_bulb + 1.0]
    folder = tmp_path / "toy"
    (folder / "weather.csv").write_text(
        "\n".join(["time,dry_bulb_c", *(f"{t},{v}" for t, v in zip(*rows.values(), strict=True))])
    )
    year = days.days_of_year(codesign.load(folder))
    assert year.dry_bulb_c[7].tolist() == [hour + 0.5 for hour in range(24)]
    assert year.high_c[7].tolist() == [hour + 1.0 for hour in range(24)]
    assert year.low_c[7].tolist() == [float(hour) for hour in range(24)]
    assert readings.utc_s("1970-01-02T00:00", 0.0) == 86_400
