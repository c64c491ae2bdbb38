"""Infeasible sites whose conflict is known by hand: the sets, each limit of them needed, what is enough."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from tiny import random_site

import codesign
from codesign.design import Outcome, Setting
from codesign.planning import conflict, explain, highs
from codesign.planning.rows import Rows
from codesign.site import Site


def locked(**changes: Any) -> Site:
    """A tiny site of steady jobs, changed."""
    steady = {"poi.one_job_absent": False, "jobs.tune.jitter_s": 0.0, "jobs.tune.locked": True}
    return random_site(1).with_({**steady, **changes})


def contract(mw: float) -> dict[str, Any]:
    return {"poi.contract_max_mw": mw}


TWO_UNITS_FEW = {"equipment.fan_wall.count": [1]}  # one may be out, so one alone is none
NO_TANK = {"equipment.buffer.volume_m3": [0.001]}
NO_RATE = {  # power without the energy that its cells need, and a rule that nothing keeps without power
    "poi.allocated_share": 0.004, "equipment.storage.power_mw": [0.0, 0.3],
    "equipment.storage.energy_mwh": [0.0, 1e-6],
}  # fmt: skip


def sets(site: Site) -> list[set[str]]:
    settings = [Setting(site.equipment.cooling.fws_supply_c[0], site.equipment.cdu.approach_k[0])]
    models = conflict.Models(site, settings, {})
    found = list(conflict.conflicts(models, list(explain.LIMITS)))
    assert all(each.proven for each in found)
    for each in found:  # irreducible: with the limits of other sets out, any one of them out is enough
        rest = [name for name in models.limits(list(explain.LIMITS)) if name not in each.limits]
        assert models.possible(rest) is False
        for name in each.limits:
            assert models.possible([*rest, name]) is True
    return [set(each.limits) for each in found]


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        (contract(0.2), [{"contract_max"}]),
        (TWO_UNITS_FEW, [{"cold_aisle"}]),
        ({**contract(0.2), **TWO_UNITS_FEW, **NO_TANK}, [{"contract_max"}, {"loop_volume"}, {"cold_aisle"}]),
        ({"poi.interconnection_limit_mw": 0.2}, [{"interconnection"}]),
    ],
)
def test_the_sets_are_those_known_by_hand(changes: dict[str, Any], known: list[set[str]]) -> None:
    found = sets(locked(**changes))
    assert sorted(map(sorted, found)) == sorted(map(sorted, known))


def test_a_rule_and_the_energy_behind_a_power_conflict_together() -> None:
    """No power: a rule on changes breaks. Power: its cells want more energy than is on offer."""
    found = sets(locked(**NO_RATE))
    assert [len(each) for each in found if "storage_rate" in each] == [2], found


def test_the_value_that_is_enough_is_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = codesign.plan(locked(**contract(0.2)))
    assert plan.outcome is Outcome.INFEASIBLE
    told = float(plan.reason.rpartition("contract_max_mw = ")[2].partition(" ")[0])
    assert codesign.plan(locked(**contract(told))).solved
    assert codesign.plan(locked(**contract(told * (1 - 2 * conflict.NEAR)))).outcome is Outcome.INFEASIBLE
    few = codesign.plan(locked(**TWO_UNITS_FEW))
    assert "cold_aisle, alone enough: equipment.fan_wall.count = " in few.reason
    count = int(few.reason.rpartition("count = ")[2].partition(" ")[0])
    held = locked(**{"equipment.fan_wall.count": [1, count]})
    assert codesign.plan(held).sizes["fan_wall"].count == count
    assert codesign.plan(locked(**{"equipment.fan_wall.count": [1, count - 1]})).outcome is Outcome.INFEASIBLE


def test_where_sets_are_apart_none_alone_is_enough() -> None:
    plan = codesign.plan(locked(**TWO_UNITS_FEW, **NO_TANK))
    assert plan.outcome is Outcome.INFEASIBLE
    assert "none alone is enough" in plan.reason
    assert "loop_volume" in plan.reason
    assert "cold_aisle" in plan.reason


def test_a_stop_before_the_limits_are_known_leaves_what_is_proven() -> None:
    looks = itertools.count()
    whole = codesign.plan(locked(**contract(0.2)), stop=lambda: next(looks) < 0)
    total, outcomes = next(looks), set()
    for last in (0, total // 3, total - 3):
        looks = itertools.count()
        plan = codesign.plan(locked(**contract(0.2)), stop=lambda last=last, looks=looks: next(looks) > last)
        outcomes.add(plan.outcome)
        if plan.outcome is Outcome.INFEASIBLE:
            assert "stopped" in plan.reason or plan.reason == whole.reason
    assert outcomes == {Outcome.INTERRUPTED, Outcome.INFEASIBLE}


def test_a_row_of_constants_that_does_not_hold_is_infeasible_and_no_error() -> None:
    rows = Rows("never")
    rows.cost("some", rows.amount("x"))
    rows.exact("limit", False)
    assert highs.solve(rows.close()).status is highs.Status.INFEASIBLE
