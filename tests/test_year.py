"""The year in the certificate: found again by the audit, said in the answer, short days added to the site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_days import HOTTEST, TOY, ample, changed, folder

import codesign
from codesign import answer, evaluation, modes, refining, year
from codesign.auditing import year as audited
from codesign.auditing.hall import Hall
from codesign.auditing.ledger import Ledger
from codesign.design import Design, Outcome, Plan, YearClaim
from codesign.reporting.certificate import certificate
from codesign.site import Site

MILD = "[representative_days]\nnumber = 2\ndesign_days = false\n"


@pytest.fixture(scope="module")
def dallas(tmp_path_factory: pytest.TempPathFactory) -> Site:
    place = folder(tmp_path_factory.mktemp("dallas"))
    return codesign.load(place).with_({"clock.hour_step_h": 6})


@pytest.fixture(scope="module")
def mild(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Days are chosen, none of them hot."""
    place = folder(tmp_path_factory.mktemp("mild"), MILD)
    return codesign.load(place).with_({"clock.hour_step_h": 6})


@pytest.fixture(scope="module")
def stored(dallas: Site) -> Design:
    """The toy's design, with room for the highest hour of the year."""
    design = Design.load(Path(__file__).parent / "designs" / "toy_1mw")
    return replace(design, plan=ample(dallas, design.plan, contract_mw=1.1))


def judged(site: Site, plan: Plan, stored: Design, claim: YearClaim) -> Ledger:
    """Return what the audit finds of a claim about a plan operated on the site's days."""
    assert plan.setting is not None
    exact = evaluation.evaluate(site, plan.setting, plan.sizes, plan.schedule)
    plan = replace(plan, hours=exact.hours, cost_items=exact.cost_items)
    ledger = Ledger()
    running, as_run = modes.plan_as_run(site, plan)
    design = replace(stored, site=site, plan=plan, certificate=replace(stored.certificate, year=claim))
    audited.judge(ledger, Hall(running, as_run), design)
    return ledger


SHORT: tuple[Mapping[str, Any], ...] = (
    {},
    {"chiller": 2, "air_chiller": 2, "transformer": 1},
    {"chiller": 0, "dry_cooler": 1, "air_chiller": 1},
    {"dry_cooler": 0, "contract_mw": 0.97},
)


@pytest.mark.parametrize("counts", SHORT, ids=lambda counts: "-".join(counts) or "as planned")
def test_the_audit_finds_the_year_of_the_evaluation_again(
    dallas: Site, stored: Design, counts: Mapping[str, Any]
) -> None:
    """Cost, unserved heat and power, hours, worst day and limit, by code that shares only the cards."""
    site = dallas.with_({"poi.interconnection_limit_mw": 1.1}) if counts else dallas
    plan = changed(site, stored.plan, **counts)
    claim = year.claim(year.evaluate_year(site, plan))
    ledger = judged(site, plan, stored, claim)
    assert not ledger.breaches
    assert ledger.judged == ["year: cost and unserved energy, every dry bulb operated anew"]
    assert (claim.unserved_usd_per_year > 0.0) == bool(counts)
    assert (claim.short, claim.worst_day) == ("", "") or (claim.short and claim.worst_day)


def test_a_tampered_claim_of_the_year_is_refused(dallas: Site, stored: Design) -> None:
    plan = changed(dallas, stored.plan, chiller=2)
    claim = year.claim(year.evaluate_year(dallas, plan))
    tampered = {
        "cost_usd_per_year": claim.cost_usd_per_year * (1 - 1e-4), "unserved_heat_mwh": 0.0,
        "unserved_power_mwh": 1.0, "hours_short": claim.hours_short - 6.0, "short": "contract @ poi",
        "worst_day": "2023-01-01", "days": 366, "added": ("2023-01-01",),
        "demand_usd_per_year": claim.demand_usd_per_year and claim.demand_usd_per_year + 1.0,
    }  # fmt: skip
    assert tampered.keys() == set(YearClaim.__dataclass_fields__) - {"unserved_usd_per_mwh"}
    assert not judged(dallas, plan, stored, claim).breaches
    for name, value in tampered.items():
        assert judged(dallas, plan, stored, replace(claim, **{name: value})).breaches, name


def test_series_of_three_days_have_no_year(stored: Design) -> None:
    """Nothing is claimed, which is said; a claim is refused."""
    assert stored.certificate.year is None
    assert refining._year(stored.site, stored.plan, stored.plan, None, []) is None
    assert any(
        "not a whole year" in said for said in refining._not_covered(codesign.load(TOY), stored.plan, None)
    )
    claim = YearClaim(
        days=365, cost_usd_per_year=1.0, unserved_heat_mwh=0.0, unserved_power_mwh=0.0,
        unserved_usd_per_mwh=1.0, hours_short=0.0, short="", worst_day="",
    )  # fmt: skip
    assert [each.limit for each in judged(stored.site, stored.plan, stored, claim).breaches] == ["year"]


def test_the_year_is_said_everywhere_and_kept(dallas: Site, stored: Design, tmp_path: Path) -> None:
    plan = changed(dallas, stored.plan, chiller=2)
    claim = year.claim(year.evaluate_year(dallas, plan), [HOTTEST])
    design = replace(stored, certificate=replace(stored.certificate, year=claim))
    assert Design.load(design.save(tmp_path / "design")).certificate == design.certificate
    told = design.to_json()
    assert told["year_cost_usd_per_year"] == claim.cost_usd_per_year
    assert told["year_unserved_usd_per_year"] == 1e4 * told["year_unserved_mwh"] > 0.0
    assert (told["year_short"], told["days_added"]) == (claim.short, [HOTTEST])
    assert stored.to_json()["year_cost_usd_per_year"] is None
    assert told.keys() == stored.to_json().keys() == stored.plan.to_json().keys()
    for text in (str(design), certificate(design)):
        assert f"{claim.cost_usd_per_year:,.0f}" in text
        assert f"most on {claim.worst_day}" in text
        assert HOTTEST in text
    assert "all 365 days" not in str(stored)
    assert answer.short_in_year(replace(claim, short="")) == "no static limit is short on any of them"


def test_a_site_that_leaves_the_choice_gets_the_days_on_which_its_plan_is_short(
    mild: Site, stored: Design
) -> None:
    """Planned again with them, as design days; the site still says that its days were chosen."""
    weak = replace(changed(mild, stored.plan, chiller=2), outcome=Outcome.NOT_CERTIFIED)
    whole = replace(stored.plan, outcome=Outcome.NOT_CERTIFIED)
    asked: list[Site] = []

    def planned(site: Site) -> Plan:
        asked.append(site)
        return whole

    site, plan, seen = refining._with_worst(mild, weak, planned)
    assert plan is whole
    assert asked == [site]
    assert site.days[:2] == mild.days
    assert all(day.weight_days == 0.0 for day in site.days[2:])
    assert site.days[2].date == year.evaluate_year(mild, weak).worst_day
    assert site.representative_days == mild.representative_days
    assert seen is not None
    assert seen.worst_day is None
    claim = refining._year(site, replace(plan, reason="else"), plan, seen, [site.days[2].date])
    assert claim == year.claim(seen, [site.days[2].date])


def test_days_are_not_added_to_a_list_nor_where_no_plan_serves_them(mild: Site, stored: Design) -> None:
    weak = replace(changed(mild, stored.plan, chiller=2), outcome=Outcome.NOT_CERTIFIED)
    none = Plan(outcome=Outcome.INFEASIBLE, reason="", site_name=mild.name)
    site, plan, seen = refining._with_worst(mild, weak, lambda site: none)
    assert (site, plan) == (mild, weak)
    assert seen is not None
    assert seen.unserved_usd_per_year > 0.0
    listed = mild.with_({"days": [day.model_dump() for day in mild.days]})
    assert refining._with_worst(listed, weak, lambda site: none) == (listed, weak, None)


def test_a_site_says_whether_its_days_were_chosen(mild: Site, tmp_path: Path) -> None:
    assert mild.representative_days is not None
    assert mild.representative_days.chosen
    again = codesign.load(mild.save(tmp_path / "saved"))
    assert (again, again.days) == (mild, mild.days)
    assert mild.with_({"poi.contract_max_mw": 1.5}).representative_days == mild.representative_days
    by_hand = mild.with_({"days.0.weight_days": 265, "days.1.weight_days": 100})
    assert by_hand.representative_days is None
    fewer = mild.with_({"representative_days.number": 1})
    assert [day.weight_days for day in fewer.days] == [365.0]


@pytest.mark.slow
def test_a_site_of_chosen_days_is_solved_for_the_year(mild: Site) -> None:
    design = codesign.solve(mild)
    claim = design.certificate.year
    assert claim is not None
    assert claim.unserved_usd_per_year < 30_000.0
    assert {day.date for day in design.site.days} - {day.date for day in mild.days} == set(claim.added)
    assert codesign.audit(design).holds
