"""The hall of 20 MW under other data: each answer moves the way that the data say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import codesign
from codesign.design import Design, Outcome

ROOT = Path(__file__).parents[1]

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
