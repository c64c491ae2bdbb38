"""Climate: hours joined on UTC. The numbers are those of the committed series."""

from pathlib import Path

import numpy as np
import pytest

from codesign import climate, readings
from codesign.errors import InputError
from codesign.site import Site, load

TOY = Path(__file__).parent.parent / "instances" / "toy_1mw"


@pytest.fixture(scope="module")
def toy() -> Site:
    return load(TOY)


def test_the_hottest_hour_pairs_with_its_price(toy: Site) -> None:
    """17:00 at UTC-5 is 22:00 UTC: 43.0 degC and 831.805 USD/MWh, as in the files."""
    hours = climate.hours(toy.with_({"clock.hour_step_h": 1}))
    (at,) = np.flatnonzero((hours.date == "2023-08-18") & (hours.hour_of_day == 17.0))
    assert hours.dry_bulb_c[at] == hours.dry_bulb_c.max() == 43.0
    assert readings.stamp(int(hours.utc[at]), 0.0) == "2023-08-18T22:00"
    assert readings.stamp(int(hours.utc[at]), -5.0) == "2023-08-18T17:00"
    rows = (TOY / "price.csv").read_text().splitlines()
    (row,) = (row for row in rows if row.startswith("2023-08-18T22:00"))
    assert hours.price_usd_per_mwh[at] == float(row.split(",")[1])


def test_one_entry_an_hour_of_a_day(toy: Site) -> None:
    hours = climate.hours(toy.with_({"clock.hour_step_h": 1}))
    assert len(hours) == 72
    assert hours.hour_of_day.tolist() == 3 * [float(h) for h in range(24)]
    assert hours.day_index.tolist() == [i for i in range(3) for _ in range(24)]
    assert hours.weight_h_per_year.sum() == 8760.0
    assert hours.weight_h_per_year[0] == toy.days[0].weight_days
    assert (np.diff(hours.utc.reshape(3, 24), axis=1) == 3600).all()


def test_wider_steps_weigh_more(toy: Site) -> None:
    """Entries that only limit stand beside them (`test_readings`)."""
    hours = climate.hours(toy.with_({"clock.hour_step_h": 3}))
    weighs = hours.weight_h_per_year > 0.0
    assert weighs.sum() == 24
    assert hours.hour_of_day[weighs].tolist() == 3 * [0.0, 3.0, 6.0, 9.0, 12.0, 15.0, 18.0, 21.0]
    assert hours.weight_h_per_year.sum() == 8760.0


def test_arrays_are_cached_and_read_only(toy: Site) -> None:
    hours = climate.hours(toy)
    assert hours is climate.hours(load(TOY))
    with pytest.raises(ValueError, match="read-only"):
        hours.dry_bulb_c[0] = 0.0


def test_a_missing_price_is_named(toy: Site) -> None:
    """Prices read as UTC+1: the last hour of a day is not in the file."""
    with pytest.raises(InputError, match=r"energy\.price_series"):
        climate.hours(toy.with_({"energy.utc_offset_h": -1}))


def test_air_density(toy: Site) -> None:
    """ICAO standard atmosphere: 142 m gives 0.9833 of the pressure at sea level; 0 m gives 1."""
    assert climate.air_density_pu(toy) == pytest.approx(0.98328, abs=1e-5)
    assert climate.air_density_pu(toy.with_({"climate.altitude_m": 0})) == 1.0


def test_an_hour_of_the_day_is_told_with_its_minutes() -> None:
    told = [climate.clock(hour) for hour in (0.0, 14.25, 23.75, 9 + 5 / 60)]
    assert told == ["00:00", "14:15", "23:45", "09:05"]
