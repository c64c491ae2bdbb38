"""The optimum against enumeration with arithmetic of its own."""

from __future__ import annotations

from pathlib import Path

import brute_force
import pytest
from tiny import TOY, random_site

import codesign
from codesign.design import Outcome

pytestmark = pytest.mark.slow

DECK = brute_force.cards(Path(__file__).parents[1] / "models")


def test_toy_is_small_enough_to_enumerate() -> None:
    site, series = brute_force.read(TOY)
    equipment = site["equipment"]
    sizes = len(equipment["cooling"]["fws_supply_c"])
    for spec in equipment.values():
        for key in (
            "cards",
            "count",
            "flow_l_per_min",
            "approach_k",
            "flow_kg_per_s",
            "volume_m3",
            "power_mw",
            "energy_mwh",
        ):
            sizes *= len(spec.get(key, [0]))
    assert sizes <= 1e5
    hall = brute_force.Hall(
        site, series, DECK, *[equipment["cooling"]["fws_supply_c"][0], equipment["cdu"]["approach_k"][0]]
    )
    assert len(brute_force.schedules(hall)) <= 1e3


def test_plan_of_the_toy_is_the_optimum_of_all_sizes_and_schedules() -> None:
    best = brute_force.best(*brute_force.read(TOY), DECK)
    plan = codesign.plan(codesign.load(TOY))
    # a storage whose loss follows its power: the plan leaves 1e-4 of its power to the trim of the course
    assert plan.cost_usd_per_year == pytest.approx(best.cost, rel=2e-5)
    assert plan.bound_usd_per_year is not None  # with the converter's loss alone
    assert (1 - 5e-4) * best.cost <= plan.bound_usd_per_year <= best.cost
    assert best.sizes is not None
    assert plan.sizes["transformer"].card == best.sizes["transformer"][0]
    assert {name: plan.sizes[name].count for name in ("cdu", "dry_cooler", "chiller")} == {
        name: best.sizes[name] for name in ("cdu", "dry_cooler", "chiller")
    }


def bracket(seed: int, folder: Path) -> None:
    """Enumeration between bound and cost of the joint model, and that between those of the clocks apart."""
    site = random_site(seed)
    best = brute_force.best(*brute_force.read(site.save(folder / "site")), DECK)
    whole = codesign.plan(site, gap=1e-7)
    apart = codesign.plan(site.with_({"solver.method": "split"}), gap=1e-7)
    if whole.outcome is Outcome.INFEASIBLE:
        assert best.sizes is None
        assert not apart.solved
    if apart.outcome is Outcome.INFEASIBLE:
        assert whole.outcome is Outcome.INFEASIBLE
    for plan in (whole, apart):
        if not plan.solved:  # a schedule exists for the mean course; none was found that a controller follows
            assert plan.bound_usd_per_year is None
            continue
        assert best.sizes is not None, "a plan where enumeration finds none"
        assert plan.bound_usd_per_year is not None
        assert plan.cost_usd_per_year is not None
        assert plan.bound_usd_per_year <= best.cost * (1 + 1e-7)
        assert best.cost <= plan.cost_usd_per_year * (1 + 1e-6)  # losses of a course found by turns
    if whole.solved and all(job.locked and job.jitter_s == 0.0 for job in site.jobs.values()):
        # stops guide the choice of the schedule by cuts at inner values: another one may do with less
        assert whole.cost_usd_per_year == pytest.approx(best.cost, rel=1e-2)


@pytest.mark.parametrize("seed", range(5))
def test_bound_and_cost_bracket_the_optimum(seed: int, tmp_path: Path) -> None:
    bracket(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5, 50))
def test_bound_and_cost_bracket_the_optimum_of_more_sites(seed: int, tmp_path: Path) -> None:
    bracket(seed, tmp_path)
