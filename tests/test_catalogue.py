"""Cards: every check point of every card, overrides by the site, names that do not exist."""

from pathlib import Path

import pytest

from codesign import catalogue
from codesign.catalogue import Card, Check
from codesign.errors import InputError
from codesign.site import Site, load

TOY = Path(__file__).parent.parent / "instances" / "toy_1mw"


@pytest.fixture(scope="module")
def toy() -> Site:
    return load(TOY)


@pytest.mark.parametrize(
    ("card", "check"),
    [
        pytest.param(card, check, id=f"{card.component}/{card.name}-{check.call}-{i}")
        for card in catalogue.cards()
        for i, check in enumerate(card.checks)
    ],
)
def test_check_point(card: Card, check: Check) -> None:
    value = getattr(card.build(), check.call)(**check.inputs)
    assert value == pytest.approx(check.expect, rel=0, abs=check.tolerance)
    assert check.kind in {"published", "closed form", "own"}


@pytest.mark.parametrize("card", catalogue.cards(), ids=lambda card: f"{card.component}/{card.name}")
def test_every_card_says_where_it_is_from(card: Card) -> None:
    assert card.source
    assert card.licence
    assert card.checks
    assert card.grade in {"A", "B", "C", "E", "R"}
    if any(key.startswith("cost_") for key in card.parameters):
        assert card.cost_grade in {"A", "B", "C", "E", "R"}
        assert card.cost_source
        assert card.currency_year is not None
        assert 2010 <= card.currency_year <= 2030
    assert all(low < high for low, high in card.valid.values())


def test_equipment_names_components() -> None:
    assert set(catalogue.EQUIPMENT.values()) | {"rack"} == set(catalogue.COMPONENTS)
    assert {card.component for card in catalogue.cards()} == set(catalogue.COMPONENTS)
    assert all(card.component == "cdu" for card in catalogue.cards("cdu"))


def test_lists_are_tuples_and_cards_are_frozen() -> None:
    card = catalogue.cards("eir_chiller")[0]
    assert isinstance(card.parameters["capft_c"], tuple)
    with pytest.raises(TypeError):
        card.parameters["capacity_kw"] = 1.0  # type: ignore[index]


def test_build_is_cached(toy: Site) -> None:
    assert catalogue.build(toy, "chiller", "warm-250") is catalogue.build(load(TOY), "chiller", "warm-250")


def test_the_site_overrides_a_cost(toy: Site) -> None:
    site = toy.with_({"cards": {"chiller": {"warm-250": {"cost_usd_per_kw": 310.0}}}})
    changed = catalogue.build(site, "chiller", "warm-250")
    assert changed.cost_usd_per_kw == 310.0
    assert catalogue.build(toy, "chiller", "warm-250").cost_usd_per_kw != 310.0
    assert changed.capacity_kw == 250.0
    assert catalogue.cost_grade(site, "chiller", "warm-250") == catalogue.SITE == "site"
    assert (
        catalogue.cost_grade(toy, "chiller", "warm-250") == catalogue.card("chiller", "warm-250").cost_grade
    )
    assert catalogue.build(site, "chiller", "warm-300") == catalogue.build(toy, "chiller", "warm-300")


def test_a_physical_override_leaves_the_cost_grade() -> None:
    card = catalogue.card("cdu", "cdu-600", {"approach_k": 5.0})
    assert card.parameters["approach_k"] == 5.0
    assert card.cost_grade == catalogue.card("cdu", "cdu-600").cost_grade


@pytest.mark.parametrize(
    ("component", "name", "near"),
    [
        ("chilller", "warm-250", "chiller"),
        ("chiller", "warm-25", "warm-250"),
        ("rack", "gb200", "gb200-nvl72"),
    ],
)
def test_an_unknown_name_gets_the_nearest(component: str, name: str, near: str) -> None:
    with pytest.raises(InputError) as caught:
        catalogue.card(component, name)
    (fault,) = caught.value.faults
    assert fault.nearest == near


def test_all_wrong_overrides_at_once() -> None:
    wrong = {
        "capacity_kv": 1.0,
        "capacity_kw": -1.0,
        "carnot_pu": 0.0,
        "cop_max": float("nan"),
        "fixed_pu": "much",
        "om_pu": True,
    }
    with pytest.raises(InputError) as caught:
        catalogue.card("chiller", "warm-250", wrong)
    faults = {fault.key.rsplit(".", 1)[1]: fault for fault in caught.value.faults}
    assert set(faults) == set(wrong)
    assert faults["capacity_kv"].nearest == "capacity_kw"


@pytest.mark.parametrize("value", [[1.0], 3.0, [1.0, 2.0, 3.0, 4.0, 5.0, float("inf")]])
def test_a_curve_keeps_its_length(value: object) -> None:
    with pytest.raises(InputError, match="6 finite numbers"):
        catalogue.card("eir_chiller", "air-100", {"capft_c": value})


def test_a_cost_may_be_nothing() -> None:
    assert catalogue.card("chiller", "warm-250", {"cost_usd_per_kw": 0}).cost_grade == "site"
