"""The hall of 20 MW under other data: each answer moves the way that the data say."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

import codesign
from codesign.design import Design, Outcome

ROOT = Path(__file__).parents[1]
TORONTO = Path(os.environ.get("CODESIGN_DATA") or "nowhere") / "weather_openmeteo_CA-ON_2022.csv.gz"
"""Open-Meteo archive of Toronto, hourly, local time at UTC-4; not part of the project."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hall() -> codesign.Site:
    return codesign.load(ROOT / "instances" / "hall_20mw")


@pytest.fixture(scope="module")
def stored() -> Design:
    return Design.load(ROOT / "tests" / "designs" / "hall_20mw")


def test_prices_times_two_cost_the_energy_once_more(stored: Design, tmp_path: Path) -> None:
    """The old design pays its energy once more; the optimum pays no more than it, and about that."""
    folder = Path(shutil.copytree(ROOT / "instances" / "hall_20mw", tmp_path / "hall"))
    lines = (folder / "price.csv").read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("time,")) + 1
    for i, line in enumerate(lines[first:], first):
        time, price = line.split(",")
        lines[i] = f"{time},{2.0 * float(price)!r}"
    (folder / "price.csv").write_text("\n".join(lines) + "\n")
    energy = next(item.usd_per_year for item in stored.plan.cost_items if item.name == "energy")
    plan = codesign.plan(codesign.load(folder))
    assert plan.cost_usd_per_year is not None
    rise = plan.cost_usd_per_year - (stored.plan.cost_usd_per_year or 0.0)
    assert rise == pytest.approx(energy, rel=0.02)


def test_a_contract_below_the_floor_is_infeasible_with_the_reason(hall: codesign.Site) -> None:
    plan = codesign.plan(hall.with_({"poi.contract_max_mw": 17.0}))
    assert plan.outcome is Outcome.INFEASIBLE
    assert "contract_max" in plan.reason
    assert not plan.sizes


def test_a_smaller_share_of_the_window_needs_more_storage(hall: codesign.Site, stored: Design) -> None:
    plan = codesign.plan(hall.with_({"poi.allocated_share": 0.15}))
    assert plan.solved
    assert plan.sizes["storage_power"].value > stored.sizes["storage_power"].value
    assert (plan.cost_usd_per_year or 0.0) > (stored.plan.bound_usd_per_year or 0.0)


def test_no_cap_pays_where_work_is_worth_a_dollar_an_hour(hall: codesign.Site, stored: Design) -> None:
    """The largest job is offered a cap: not taken at 1 USD per GPU-hour, taken at a cent."""
    site = hall.with_({"jobs.pretrain.modes": ["baseline", "cap_0.85"]})
    assert site.jobs["pretrain"].lost_work_usd_per_gpu_h == 1.0
    dear = codesign.plan(site)
    assert not any(row.mode.startswith("cap") for row in dear.schedule)
    assert (dear.gap or 1.0) < 0.01
    cheap = codesign.plan(site.with_({"jobs.pretrain.lost_work_usd_per_gpu_h": 0.01}))
    assert {row.mode for row in cheap.schedule if row.job == "pretrain"} == {"cap_0.85"}
    assert (cheap.it_mw or 0.0) < (stored.plan.it_mw or 0.0)


@pytest.mark.skipif(not TORONTO.is_file(), reason="measured traces not found")
def test_the_weather_of_toronto_needs_fewer_chillers(stored: Design, tmp_path: Path) -> None:
    """Hours of 2022, on the dates of the prices' year."""
    folder = Path(shutil.copytree(ROOT / "instances" / "hall_20mw", tmp_path / "hall"))
    weather = pd.read_csv(TORONTO, comment="#")
    weather = weather.rename(
        columns={"temperature_2m": "dry_bulb_c", "relative_humidity_2m": "relative_humidity_percent"}
    )
    weather["time"] = weather["time"].str.replace("2022-", "2023-").str.slice(0, 16)
    columns = ["time", "dry_bulb_c", "relative_humidity_percent"]
    weather[columns].to_csv(folder / "weather.csv", index=False)
    site = (folder / "site.toml").read_text().replace("utc_offset_h = -5", "utc_offset_h = -4", 1)
    (folder / "site.toml").write_text(site)
    plan = codesign.plan(codesign.load(folder))
    assert plan.solved, plan.reason
    assert (plan.sizes["chiller"].count or 0) < (stored.sizes["chiller"].count or 0)
    assert (plan.pue or 9.0) < (stored.plan.pue or 0.0)
