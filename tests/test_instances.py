"""Every instance against its reference: outcome, cost, bound, what set each size, what new data changes."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import codesign
from codesign import evaluation, reasons, refining, window
from codesign.design import Design, Margin, Outcome, Plan
from codesign.sizing import COUNTED

INSTANCES = Path(__file__).parents[1] / "instances"
DESIGNS = Path(__file__).parent / "designs"
SOLVED = sorted(path.name for path in DESIGNS.iterdir())
REFERENCES = sorted(path.parent.name for path in INSTANCES.glob("*/reference.toml"))
TRANSIENTS_ACTIVE, EXACT = "toy_1mw_trip", "toy_1mw"


def reference(name: str) -> dict[str, Any]:
    return tomllib.loads((INSTANCES / name / "reference.toml").read_text())


@pytest.fixture(scope="module", params=SOLVED)
def design(request: pytest.FixtureRequest) -> Design:
    return Design.load(DESIGNS / request.param)


def within(value: float | None, expected: float, rtol: float) -> bool:
    return value is not None and abs(value - expected) <= rtol * abs(expected)


def static(site: codesign.Site, plan: Plan, limit: str) -> list[Margin]:
    """Margins of a static limit; the dispatches without a copy are judged for their own limit alone."""
    assert plan.setting is not None
    away = limit == "poi_window_one_away"
    found = evaluation.evaluate(site, plan.setting, plan.sizes, plan.schedule, one_away=away)
    return [row for row in found.margins if row.limit == limit]


def breaks(site: codesign.Site, plan: Plan, limit: str) -> bool:
    return any(row.margin < 0.0 for row in static(site, plan, limit))


# stored designs


def test_every_instance_has_a_reference() -> None:
    names = {path.parent.name for path in INSTANCES.glob("*/site.toml")}
    assert names == {path.parent.name for path in INSTANCES.glob("*/reference.toml")}
    assert set(SOLVED) == {name for name in names if reference(name)["outcome"] == "certified"}


@pytest.mark.parametrize("name", REFERENCES)
def test_a_reference_is_of_its_site(name: str) -> None:
    kept, site = reference(name), codesign.load(INSTANCES / name)
    assert kept["site_digest"] == site.digest, "the site changed since its reference was made"
    assert kept["cards_digest"] == site.cards_digest, "cards changed since the reference was made"


def test_stored_design_is_that_of_the_reference(design: Design) -> None:
    kept = reference(design.site.name)
    assert design.site == codesign.load(INSTANCES / design.site.name)
    assert within(design.plan.cost_usd_per_year, kept["cost_usd_per_year"], 1e-12)
    assert within(design.plan.bound_usd_per_year, kept["bound_usd_per_year"], 1e-12)
    assert kept["bound_usd_per_year"] <= kept["cost_usd_per_year"]
    assert {name: (size.count, size.value) for name, size in design.sizes.items()} == {
        name: (size.get("count"), size["value"]) for name, size in kept["sizes"].items()
    }


def test_numbers_have_plausible_sizes(design: Design) -> None:
    plan, it = design.plan, design.plan.it_mw or 0.0
    assert 0.4e6 < (plan.cost_usd_per_year or 0.0) / it < 3e6
    assert 1.02 < (plan.pue or 0.0) < 1.3
    flow = design.sizes["cdu_flow"].value * ((design.sizes["cdu"].count or 0) - 1)
    assert 0.5 < flow / (1e3 * it) < 2.0  # l/min a kW
    assert 0.9 < (plan.poi_peak_mw or 0.0) / it < 1.5
    assert 300 < (plan.capex_usd_per_kw_it or 0.0) < 3000


def test_transients_cost_where_they_are_active_and_only_there(design: Design) -> None:
    claim = design.certificate
    assert claim.cost_usd_per_year is not None
    assert claim.plan_cost_usd_per_year is not None
    if design.site.name == TRANSIENTS_ACTIVE:
        assert claim.cost_usd_per_year > claim.plan_cost_usd_per_year
        assert design.sizes["buffer"].set_by.endswith("@ chiller_trip")
    elif design.site.name == EXACT:
        assert claim.cost_usd_per_year >= claim.plan_cost_usd_per_year
        transients = ("_trip", "abort_restart")
        assert not any(name in size.set_by for size in design.sizes.values() for name in transients)


def test_gaps_are_what_a_planner_can_use(design: Design) -> None:
    claim = design.certificate
    assert claim.gap is not None
    assert claim.influenced_gap is not None
    most, most_influenced = (0.02, 0.06) if design.site.name == EXACT else (0.01, 0.03)
    assert 0.0 <= claim.gap <= most  # a toy's one module of storage more is a large share of its cost
    assert claim.gap <= claim.influenced_gap <= most_influenced


def test_losses_that_follow_a_change_by_more_than_is_kept_are_said(design: Design) -> None:
    """d(loss)/d(load) by hand: twice the load loss at the load, over the load."""
    plan, card = design.plan, str(design.sizes["transformer"].card)
    part = codesign.card("transformer", card).parameters
    units = design.sizes["transformer"].count or 0
    mva = float(max(evaluation.transformer_mva(design.site, plan.hours)))
    loss_mw = units * float(part["load_loss_kw"]) / 1e3 * (mva / units / float(part["rating_mva"])) ** 2
    adds_pu = 2 * loss_mw / mva / design.site.poi.power_factor
    assert refining._marginal_loss_pu(design.site, plan) == pytest.approx(adds_pu, rel=1e-9)
    assert not any("transformers add" in said for said in design.certificate.not_covered)
    factor = 1.01 * window.FOLLOWS_PU / adds_pu
    lossy = design.site.with_(
        {f"cards.transformer.{card}.load_loss_kw": factor * float(part["load_loss_kw"])}
    )
    assert any("transformers add" in said for said in refining._not_covered(lossy, plan, None))


def test_the_answer_tells_flow_and_storage_time(design: Design) -> None:
    sizes, it_kw = design.sizes, 1e3 * (design.plan.it_mw or 0.0)
    flow = (sizes["cdu"].count or 0) * sizes["cdu_flow"].value / it_kw
    seconds = 3600 * sizes["storage_energy"].value / sizes["storage_power"].value
    (said,) = (line for line in str(design).splitlines() if line.startswith("  amounts"))
    assert f"{flow:.3g} l/min" in said
    assert f"{seconds:.3g} s" in said


# what set each size


ELECTRICAL = {"transformer", "contract", "storage_power", "storage_energy"}


def test_at_least_half_of_the_sizes_are_set_by_a_limit_from_both_sides(design: Design) -> None:
    limited = {
        name
        for name, size in design.sizes.items()
        if "@" in size.set_by and not size.set_by.startswith("spare: ")
    }
    assert len(limited) >= len(design.sizes) / 2
    assert limited & ELECTRICAL
    assert limited - ELECTRICAL


def less(plan: Plan, name: str, design: Design) -> Plan:
    smaller = reasons.smaller(design.site, name, plan.sizes[name])
    assert smaller is not None
    return replace(plan, sizes=type(plan.sizes)({**plan.sizes, name: smaller}))


def test_less_of_a_size_that_a_static_limit_set_breaks_that_limit(design: Design) -> None:
    for name, size in design.sizes.items():
        if not size.set_by.endswith("@ static"):
            continue
        limit = size.set_by.split(" @ ")[0]
        assert breaks(design.site, less(design.plan, name, design), limit), name


def test_ten_per_cent_less_breaks_too_where_the_size_is_an_amount(design: Design) -> None:
    for name, size in design.sizes.items():
        if name in COUNTED or not size.set_by.endswith("@ static"):
            continue
        changed = design.with_({f"sizes.{name}.value": 0.9 * size.value})
        assert breaks(changed.site, changed.plan, size.set_by.split(" @ ")[0]), name


def test_a_standard_rating_has_room_and_the_next_one_down_has_none(design: Design) -> None:
    """Ten per cent less rating would hold the need; what is on offer below it does not."""
    size = design.sizes["transformer"]
    if not size.set_by.startswith("standard rating: "):
        return
    rated = float(codesign.card("transformer", str(size.card)).parameters["rating_mva"])
    lower = design.site.with_({f"cards.transformer.{size.card}.rating_mva": 0.9 * rated})
    assert static(lower, design.plan, "hot_spot")
    assert not breaks(lower, design.plan, "hot_spot")
    on_offer = {
        str(card): float(codesign.card("transformer", str(card)).parameters["rating_mva"])
        for card in design.site.equipment.transformer.cards
    }
    next_down = max((card for card in on_offer if on_offer[card] < rated), key=lambda card: on_offer[card])
    changed = design.with_({"sizes.transformer.card": next_down})
    assert breaks(changed.site, changed.plan, size.set_by.removeprefix("standard rating: "))


def test_every_kind_of_reason_occurs() -> None:
    said = {size.set_by for name in SOLVED for size in Design.load(DESIGNS / name).sizes.values()}
    assert any(reason.endswith("@ static") for reason in said)
    assert any(reason.startswith("listed size: ") for reason in said)
    if TRANSIENTS_ACTIVE in SOLVED:
        assert any(reason.endswith("@ chiller_trip") for reason in said)


@pytest.mark.slow
def test_less_of_a_size_that_a_transient_set_breaks_it(design: Design) -> None:
    for name, size in design.sizes.items():
        limit, _, scenario = size.set_by.removeprefix("spare: ").partition(" @ ")
        if scenario in ("", "static"):
            continue
        plan = less(design.plan, name, design)  # may break the contract, which is settled anew
        check = codesign.check(design.site, plan, scenarios=[scenario], stop_on_static=False)
        broken = any(row.limit == limit and row.margin < 0.0 for row in check.margins)
        assert broken != size.set_by.startswith("spare: "), name


@pytest.mark.slow
def test_less_of_an_economic_size_costs_more(design: Design) -> None:
    for name, size in design.sizes.items():
        if size.set_by != "economic":
            continue
        fewer, less = {f"{name}.count": (size.count or 0) - 1}, {f"{name}.value": 0.9 * size.value}
        held = fewer if name in COUNTED else less
        plan = codesign.plan(design.site, sizes=held)
        cost = plan.cost_usd_per_year
        free = design.certificate.plan_cost_usd_per_year or 0.0  # of the same problem: without the scenarios
        assert cost is None or cost > free


def test_half_the_storage_breaks_the_law_of_stops(design: Design) -> None:
    half = 0.5 * design.sizes["storage_power"].value
    changed = design.with_({"sizes.storage_power.value": half})
    assert any(breaks(changed.site, changed.plan, limit) for limit in ("poi_window", "job_stop"))


# what a change of data does


def money(design: Design, site: codesign.Site) -> dict[str, float]:
    """Cost items of the same sizes and schedule under changed data."""
    plan = design.plan
    assert plan.setting is not None
    found = evaluation.evaluate(site, plan.setting, plan.sizes, plan.schedule, one_away=False)
    return {item.name: item.usd_per_year for item in found.cost_items}


def test_half_the_demand_charge_halves_its_cost_item_and_nothing_else(design: Design) -> None:
    charge = design.site.energy.demand_charge_usd_per_mw_month
    before = money(design, design.site)
    after = money(design, design.site.with_({"energy.demand_charge_usd_per_mw_month": charge / 2}))
    assert after["demand"] == pytest.approx(before["demand"] / 2, rel=1e-12)
    del before["demand"], after["demand"]
    assert after == before


def test_a_price_doubled_doubles_its_equipment(design: Design) -> None:
    card = design.sizes["dry_cooler"].card
    quoted = design.site.cards.get("dry_cooler", {}).get(str(card), {})
    price = {**codesign.card("dry_cooler", str(card)).parameters, **quoted}["cost_usd_per_kw"]
    before = money(design, design.site)
    after = money(design, design.site.with_({f"cards.dry_cooler.{card}.cost_usd_per_kw": 2 * price}))
    assert after["capital.dry_cooler"] == pytest.approx(2 * before["capital.dry_cooler"], rel=1e-12)


@pytest.mark.slow
def test_cost_moves_by_what_a_hand_calculation_allows() -> None:
    """An optimum under new data costs no more than the old design under them, and not much less."""
    design = Design.load(DESIGNS / "toy_1mw")
    cost = design.plan.cost_usd_per_year or 0.0
    items = {item.name: item.usd_per_year for item in design.plan.cost_items}
    half = codesign.plan(
        design.site.with_(
            {"energy.demand_charge_usd_per_mw_month": design.site.energy.demand_charge_usd_per_mw_month / 2}
        )
    )
    assert cost - items["demand"] / 2 == pytest.approx(half.cost_usd_per_year, rel=5e-3)
    assert half.cost_usd_per_year is not None
    assert half.cost_usd_per_year <= cost - items["demand"] / 2 + 1e-6
    fewer = codesign.plan(design.site.with_({"jobs.pretrain.count": 1}))
    assert fewer.cost_usd_per_year is not None
    share = 3 / 8  # racks that are gone
    assert cost * (1 - 1.2 * share) <= fewer.cost_usd_per_year <= cost * (1 - 0.6 * share)


# solved again


@pytest.mark.slow
@pytest.mark.parametrize("name", REFERENCES)
def test_solving_again_gives_the_reference(name: str) -> None:
    kept = reference(name)
    design = codesign.solve(codesign.load(INSTANCES / name))
    assert design.outcome == kept["outcome"]
    if design.outcome is Outcome.INFEASIBLE:
        assert kept["reason_names"] in design.plan.reason
        assert not design.plan.sizes
        return
    assert within(design.plan.cost_usd_per_year, kept["cost_usd_per_year"], kept["rtol"])
    assert within(design.plan.bound_usd_per_year, kept["bound_usd_per_year"], kept["rtol"])


def test_a_contract_below_the_load_is_infeasible_with_the_reason() -> None:
    plan = codesign.plan(codesign.load(INSTANCES / "toy_1mw_infeasible"))
    assert plan.outcome is Outcome.INFEASIBLE
    assert "contract_max" in plan.reason
    assert plan.cost_usd_per_year is None
    assert plan.bound_usd_per_year is None
