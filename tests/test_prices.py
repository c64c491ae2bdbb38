"""Negative, zero and mixed prices: one law of operation, a bound below and gaps with the right sign."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import brute_force
import pytest
from test_plan import with_series
from tiny import random_site, unchecked

import codesign
from codesign import auditing, evaluation, steady
from codesign.answer import share_by_grade
from codesign.cli_progress import Teller
from codesign.design import CostItem, Outcome, Plan, Sizes, Table, gap_pu
from codesign.planning import mixing
from codesign.planning.attempt import cheaper
from codesign.reasons import smaller
from codesign.site import Site

pytestmark = pytest.mark.slow

DECK = brute_force.cards(Path(__file__).parents[1] / "models")


def priced(seed: int, prices: tuple[float, ...]) -> Site:
    """A tiny site of steady jobs whose prices repeat through the day."""
    site = random_site(seed).with_(
        {
            "jobs.tune.locked": True, "jobs.tune.jitter_s": 0.0, "equipment.dry_cooler.count": [2, 3],
            "equipment.chiller.count": [2, 3], "equipment.fan_wall.count": [3],
        }
    )  # fmt: skip
    count = len(site.series.price["time"])
    values = [prices[h // 6 % len(prices)] for h in range(count)]
    return with_series(site, "price", "price_usd_per_mwh", values)


CASES = {
    "paid all year": (1, (-200.0,)), "nothing": (1, (0.0,)), "mixed, paid": (3, (-200.0, 90.0)),
    "mixed, dear": (1, (-50.0, 300.0, 80.0)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", ["joint", "split"])
def test_bound_and_cost_bracket_the_enumeration_at_any_price(case: str, method: str, tmp_path: Path) -> None:
    site = priced(*CASES[case])
    best = brute_force.best(*brute_force.read(site.save(tmp_path / "site")), DECK)
    plan = codesign.plan(site.with_({"solver.method": method}), gap=1e-7)
    assert plan.solved
    assert best.sizes is not None
    assert plan.bound_usd_per_year is not None
    assert plan.cost_usd_per_year is not None
    slack = 1e-7 * abs(best.cost)
    assert plan.bound_usd_per_year <= best.cost + slack
    assert best.cost <= plan.cost_usd_per_year + slack
    assert plan.gap is not None
    assert plan.gap >= 0.0
    if method == "joint":
        assert plan.cost_usd_per_year == pytest.approx(best.cost, rel=2e-3)
        assert plan.gap < 0.01


def test_no_size_is_economic_of_which_less_is_cheaper() -> None:
    site = priced(1, (-200.0,))
    plan = codesign.plan(site)
    assert plan.setting is not None
    for name, size in plan.sizes.items():
        less = smaller(site, name, size)
        if size.set_by != "economic" or less is None:
            continue
        free = {**plan.sizes, name: less}
        free["contract"] = replace(free["contract"], value=site.poi.contract_max_mw)
        exact = evaluation.evaluate(site, plan.setting, free, plan.schedule)
        settled = evaluation.evaluate(site, plan.setting, evaluation.settled(exact, {}), plan.schedule)
        assert settled.broken or settled.cost_usd_per_year >= (plan.cost_usd_per_year or 0.0), name


def test_operation_is_the_same_at_any_price() -> None:
    plan = codesign.plan(priced(1, (60.0,)))
    assert plan.setting is not None
    found = [
        evaluation.evaluate(priced(1, prices), plan.setting, plan.sizes, plan.schedule)
        for prices in ((60.0,), (-200.0, 0.0, 5000.0))
    ]
    for name in ("mechanical_mw", "fan_pu", "chillers_on", "poi_mw"):
        assert found[0].hours[name].tolist() == found[1].hours[name].tolist()


def test_power_that_is_wasted_for_its_price_is_refused_by_the_audit() -> None:
    """Fans at full speed keep every limit and earn 200 USD a MWh: the audit knows that less would do."""
    site = priced(1, (-200.0,))
    plan = codesign.plan(site)
    design = unchecked(site, wasting(site, plan))
    assert "waste" in {breach.limit for breach in auditing.audit(design).breaches}
    assert "waste" not in {breach.limit for breach in auditing.audit(unchecked(site, plan)).breaches}


def wasting(site: Site, plan: Plan) -> Plan:
    """The plan with one machine more running in the first hour than its heat needs, and its bill."""
    hours = {name: plan.hours[name].copy() for name in plan.hours}
    more_kw = 5.0
    hours["dry_cooler_power_kw"][0] += more_kw
    hours["fan_pu"][0] = min(1.0, hours["fan_pu"][0] * 1.3)
    for name in ("mechanical_mw", "poi_mw", "poi_peak_mw"):
        hours[name][0] += more_kw / 1e3
    return replace(plan, hours=Table(hours))


def test_gaps_and_comparisons_have_the_right_sign() -> None:
    assert gap_pu(-100.0, -120.0) == pytest.approx(0.2)
    assert gap_pu(100.0, 80.0) == pytest.approx(0.2)
    assert gap_pu(0.0, 0.0) == 0.0
    assert gap_pu(0.0, -1.0) is None
    assert cheaper(-101.0, -100.0)
    assert not cheaper(-100.0 - 1e-10, -100.0)
    assert cheaper(-99.0, -100.0, -0.02)
    assert not cheaper(-97.0, -100.0, -0.02)
    assert cheaper(1e300, float("inf"))


def test_what_a_lighter_rack_may_leak_never_raises_a_bound() -> None:
    site = priced(1, (-200.0,))
    setting = codesign.plan(site).setting
    assert setting is not None
    sets = mixing.Sets(site, setting)
    assert sets.usd_per_mw < 0.0
    assert mixing._leak_usd(sets, setting, mixing.lightest(site)) == 0.0


def test_shares_of_cost_are_of_what_is_paid_either_way() -> None:
    items = (CostItem("energy", -300.0, "site"), CostItem("capital.cdu", 100.0, "C"))
    assert share_by_grade(items) == {"C": 0.25, "site": 0.75}


def test_progress_at_a_negative_cost_tells_the_gap(capsys: pytest.CaptureFixture[str]) -> None:
    with Teller() as teller:
        teller.plan("FWS 36 degC", -100.0, -120.0)
    assert "best -100, bound -120, gap 20.00%" in capsys.readouterr().err


def test_a_gap_that_was_missed_is_said_with_the_reason() -> None:
    site = priced(1, (-200.0,))
    plan = codesign.plan(site, gap=1e-9)
    assert plan.outcome is Outcome.NOT_CERTIFIED
    assert plan.gap is not None
    assert plan.gap > 1e-9
    assert "asked for" in plan.reason
    assert "asked for" not in codesign.plan(random_site(1), gap=0.5).reason
    assert json.dumps(plan.to_json(), allow_nan=False)
    assert isinstance(plan.sizes, Sizes)
    assert steady.setting_margins(site, plan.setting or codesign.design.Setting(36.0, 4.0)) == []
