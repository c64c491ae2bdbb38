"""What the certificate says it does not cover, by sites that leave each of it open."""

from __future__ import annotations

from pathlib import Path

import pytest

import codesign
from codesign import evaluation, uncovered
from codesign.planning import explain
from codesign.site import Site

TOY = Path(__file__).parents[1] / "instances" / "toy_1mw"
HALL = TOY.with_name("hall_20mw")
GROUPS = ("transformer", "cdu", "dry_cooler", "chiller", "fan_wall", "air_chiller")


@pytest.fixture(scope="module")
def toy() -> Site:
    return codesign.load(TOY)


def said(site: Site) -> str:
    return "\n".join(uncovered.never_covered(site))


def test_what_a_utility_asks_is_named(toy: Site) -> None:
    for words in ("UPS", "PUE", "air flow within the rack", "sub-second", "above 0.25 Hz"):
        assert words in said(toy)


def test_the_step_limits_what_is_resolved_where_the_profile_does_not(toy: Site) -> None:
    """1/(2 x 1 s) of named phases alone; 1/(2 x 5 s) of a profile averaged over 5 s."""
    phases = [{"name": "all", "share": 1.0, "level_pu": 1.0}]
    named = toy.with_({"jobs": {"one": {"count": 1, "racks": 2, "period_s": 10.0, "phases": phases}}})
    assert "above 0.5 Hz (steps of 1 s)" in said(named)
    slow = toy.with_({"jobs.pretrain.averaging_s": 5.0})
    assert "above 0.1 Hz (profiles averaged over 5 s, steps of 1 s)" in said(slow)


def test_hours_without_weather_are_counted(toy: Site) -> None:
    """The toy's file holds three days and nothing else; the hall's the whole year."""
    hours = len(set(toy.series.weather["time"]))
    assert f"{8760 - hours} of 8760 hours of the year: no weather" in said(toy)
    assert "no weather" not in said(codesign.load(HALL))


def test_a_group_of_which_no_unit_may_be_out_is_named(toy: Site) -> None:
    assert "one unit out" not in said(toy)
    some = toy.with_({"equipment.cdu.redundancy": "n", "equipment.fan_wall.redundancy": "n"})
    assert 'one unit out of CDUs, fan walls: redundancy "n"' in said(some)


@pytest.mark.parametrize("limit", list(explain.GROUPS))
def test_a_unit_is_out_only_where_one_may_be(toy: Site, limit: str) -> None:
    none = toy.with_({f"equipment.{name}.redundancy": "n" for name in GROUPS})
    assert explain.in_words(toy, limit).endswith("out")
    assert "out" not in explain.in_words(none, limit).split()
    assert explain.in_words(none, limit) == explain.in_words(toy, limit).rsplit(" with one", 1)[0]


def test_the_hot_spot_names_the_outage_that_it_holds_for(toy: Site) -> None:
    assert evaluation.hot_spot_place(toy) == "transformers, one out"
    assert evaluation.hot_spot_place(toy.with_({"equipment.transformer.redundancy": "n"})) == "transformers"


def test_what_the_step_takes_of_a_profile_is_told(toy: Site) -> None:
    """The toy's valley of 0.7776 becomes 0.8072 of a range of 0.2311: 13 %; its peak 1.0087 1.0029: 3 %."""
    assert uncovered.sampled(toy) == (
        "steps of 1 s take of the swing of profiles: pretrain 13% of the valley and 3% of the peak",
    )
    assert uncovered.sampled(toy.with_({"clock.step_s": 0.2})) == ()
