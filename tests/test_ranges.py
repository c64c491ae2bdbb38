"""Physics within its range: second law at every flow, thin air, media, ranges, a site's own card values."""

import math
from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import codesign
from codesign import catalogue, ranges, steady
from codesign.catalogue import Card
from codesign.components import air
from codesign.components.base import WATER_KJ_PER_KG_K
from codesign.design import Setting, Size
from codesign.errors import InputError
from codesign.fields import FrozenDict
from codesign.site import Site

TOY = Path(__file__).parents[1] / "instances" / "toy_1mw"
SETTING = Setting(36.0, 4.0)
FLOWS = st.one_of(st.just(0.0), st.sampled_from([1e-12, 1e-6, 1e-3]), st.floats(1e-9, 3.0))
"""Per unit of the reference: standstill, or a flow that a double can carry through a product."""
WATERS = st.floats(5.0, 70.0)


def of(component: str) -> list[Any]:
    return [pytest.param(card.build(), id=card.name) for card in catalogue.cards(component)]


def within(value: float, a: float, b: float) -> bool:
    return min(a, b) - 1e-9 <= value <= max(a, b) + 1e-9


def on_symbols(law: Any, *values: float) -> float:
    """The law as the plant has it."""
    symbols = [ca.SX.sym(f"a{i}") for i in range(len(values))]
    return float(ca.Function("law", symbols, [law(*symbols)])(*values))


# second law
@pytest.mark.parametrize("cdu", of("cdu"))
@settings(max_examples=60, deadline=None)
@given(WATERS, WATERS, FLOWS, FLOWS)
def test_no_outlet_of_a_cdu_is_beyond_its_inlets(
    cdu: Any, hot_c: float, cold_c: float, tcs: float, fws: float
) -> None:
    """Flows per unit of the card's reference, standstill included; heat runs from hot to cold."""
    flows = tcs * cdu.flow_l_per_min, fws * cdu.fws_reference_kg_per_s
    duty = cdu.duty_kw(hot_c, cold_c, *flows)
    assert duty == pytest.approx(on_symbols(cdu.duty_kw, hot_c, cold_c, *flows), rel=1e-9, abs=1e-9)
    rates = cdu.capacity_rate_kw_per_k(flows[0]), WATER_KJ_PER_KG_K * flows[1]
    assert duty * (hot_c - cold_c) >= 0.0
    for rate in rates:
        assert abs(duty) <= rate * abs(hot_c - cold_c) * (1 + 1e-12)
    if min(rates) > 0.0:
        assert within(hot_c - duty / rates[0], hot_c, cold_c)
        assert within(cold_c + duty / rates[1], hot_c, cold_c)


def test_a_cdu_without_flow_passes_no_heat() -> None:
    cdu = catalogue.card("cdu", "cdu-600").build()
    assert cdu.duty_kw(55.0, 36.0, 0.0, 9.6) == 0.0
    assert cdu.duty_kw(55.0, 36.0, 600.0, 0.0) == 0.0


@pytest.mark.parametrize("cell", of("dry_cooler"))
@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 1.0), WATERS, st.floats(-40.0, 55.0), FLOWS, st.floats(0.5, 1.1))
def test_no_outlet_of_a_dry_cooler_is_beyond_its_inlets(
    cell: Any, fan_pu: float, water_c: float, air_c: float, flow_pu: float, density_pu: float
) -> None:
    flow = flow_pu * cell.water_kg_per_s
    duty = cell.duty_kw(fan_pu, water_c, air_c, flow, density_pu)
    assert duty == pytest.approx(
        on_symbols(cell.duty_kw, fan_pu, water_c, air_c, flow, density_pu), rel=1e-9, abs=1e-9
    )
    warmer_k = max(water_c - air_c, 0.0)  # nothing is taken up from warmer air
    moved = cell.air_pu(fan_pu, cell.density_pu(air_c, density_pu)) * cell.air_kw_per_k
    assert 0.0 <= duty <= min(WATER_KJ_PER_KG_K * flow, moved) * warmer_k * (1 + 1e-12)


@pytest.mark.parametrize("wall", of("fan_wall"))
@given(st.floats(10.0, 60.0), st.floats(5.0, 25.0), st.floats(0.0, 1.0), st.floats(0.5, 1.1))
def test_no_air_behind_a_coil_is_beyond_air_and_water(
    wall: Any, hot_c: float, water_c: float, fan_pu: float, density_pu: float
) -> None:
    """Heat that leaves the air enters the water; the fans' heat comes on top."""
    coil = wall.coil_kw(hot_c, water_c, fan_pu, 2.0, density_pu)
    rate = wall.air_rate_kw_per_k(fan_pu, 2.0, density_pu)
    assert coil * (hot_c - water_c) >= 0.0
    assert abs(coil) <= rate * abs(hot_c - water_c) * (1 + 1e-12)
    cooled_c = wall.cold_aisle_c(hot_c, water_c, fan_pu) - wall.fan_kw * fan_pu**2 / wall.air_kw_per_k
    assert within(cooled_c, hot_c, water_c)
    assert rate * (hot_c - cooled_c) == pytest.approx(coil, abs=1e-9)


@pytest.mark.parametrize("machine", of("chiller") + of("eir_chiller"))
@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.02, 1.0))
def test_no_chiller_is_better_than_carnot(machine: Any, leaving: float, outside: float, load: float) -> None:
    """Between its water and its air or condenser water, anywhere in its range."""
    names = list(machine.RANGES)
    ends = [catalogue.part_range(machine, name) for name in names]
    cold_c, hot_c = (
        low + at * (high - low) for (low, high), at in zip(ends, (leaving, outside), strict=True)
    )
    full_kw = machine.capacity_at_kw(cold_c, hot_c)
    assert full_kw > 0.0
    power_kw = machine.power_kw(load * full_kw, 1.0, cold_c, hot_c)
    assert power_kw > 0.0
    if hot_c > cold_c:
        assert load * full_kw / power_kw <= (cold_c + 273.15) / (hot_c - cold_c)


# air
@pytest.mark.parametrize(
    ("altitude_m", "kpa"),
    [(-500, 107.478), (0, 101.325), (500, 95.461), (1000, 89.875), (1500, 84.556), (2000, 79.495),
     (3000, 70.108), (4000, 61.640), (5000, 54.020)],
)  # fmt: skip
def test_pressure_is_that_of_the_standard_atmosphere(altitude_m: float, kpa: float) -> None:
    """ASHRAE Handbook Fundamentals (2017), chapter 1, table 1."""
    assert 101.325 * air.pressure_pu(altitude_m) == pytest.approx(kpa, abs=0.01)


@pytest.mark.parametrize(("dry_bulb_c", "density"), [(15.0, 1.2250), (0.0, 1.2922), (35.0, 1.1455)])
def test_density_of_dry_air_at_sea_level(dry_bulb_c: float, density: float) -> None:
    """ICAO at 15 degC; dry-air tables at 101.325 kPa."""
    assert air.density_kg_per_m3(dry_bulb_c, 0.0) == pytest.approx(density, rel=5e-4)


def test_thin_air_takes_from_chillers_what_published_tables_take() -> None:
    """Carrier, Engineering Guide for Altitude Effects: air-cooled condensing units 0.98 ... 0.93."""
    for card in (*catalogue.cards("chiller"), *catalogue.cards("eir_chiller")):
        machine = card.build()
        if not machine.condenser_lift_k:
            continue
        at = (10.0, 35.0) if card.component == "eir_chiller" else (32.0, 35.0)
        for altitude_m, factor in ((762, 0.98), (1525, 0.97), (2285, 0.95), (3050, 0.93)):
            thin = air.pressure_pu(altitude_m)
            full_kw, before_kw = machine.capacity_at_kw(*at, thin), machine.capacity_at_kw(*at)
            assert -0.04 <= full_kw / before_kw - factor <= 0.02  # where it differs by more, it is below
            cop = full_kw / machine.power_kw(full_kw, 1.0, *at, thin)
            assert cop < before_kw / machine.power_kw(before_kw, 1.0, *at)


def test_fans_move_and_draw_by_the_density() -> None:
    """Fan laws: mass flow and power in proportion to density; at its rating a cell is as on its card."""
    cell = catalogue.card("dry_cooler", "cell-250").build()
    wall = catalogue.card("fan_wall", "wall-50").build()
    assert cell.density_pu(35.0, 1.0) == pytest.approx(1.0)
    assert cell.density_pu(35.0, 0.6) == pytest.approx(0.6)
    assert cell.fan_power_kw(1.0, 0.6) == pytest.approx(0.6 * cell.fan_kw)
    assert wall.fan_power_kw(1.0, 0.6) == pytest.approx(0.6 * wall.fan_kw)
    # by hand: T_w + (Q (1/e - 1) + P d/e)/(C d) with Q 50 kW, e 0.6, P 2.897 kW, C 3.4335 kW/K, d 0.6
    cold_aisle_c = 10 + (50 * (1 / 0.6 - 1) + 2.897 * 0.6 / 0.6) / (3.4335 * 0.6)
    assert wall.cold_aisle_at_c(50.0, 1.0, 1.0, 10.0, 0.6) == pytest.approx(cold_aisle_c, abs=1e-3)


def test_at_4000_m_the_toy_needs_another_fan_wall() -> None:
    toy = codesign.load(TOY)
    high = toy.with_({"climate.altitude_m": 4061})
    for site, walls, holds in ((toy, 3, True), (high, 3, False), (high, 4, True)):
        sizes = {"fan_wall": Size("wall-50", walls, 0.0, "kw"), "air_chiller": Size("air-100", 3, 0.0, "kw")}
        broken = {m.limit for m in steady.air_margins(site, SETTING, sizes) if m.margin < 0.0}
        assert ("cold_aisle" not in broken) is holds


# media
def test_a_condenser_of_water_stands_on_no_air() -> None:
    toy, wet = codesign.load(TOY), 0
    for card in catalogue.cards("eir_chiller"):
        air_cooled = "air" in card.name or "ycal" in card.name  # York YCAL: air-cooled scroll
        assert card.parameters["condenser"] == ("air" if air_cooled else "water")
        assert (card.held_source is not None) is air_cooled
        if not air_cooled:
            wet += 1
            with pytest.raises(InputError, match=r"cards\.0 = .*water.*outdoor air"):
                toy.with_({
                    "equipment.air_chiller.cards": [card.name], "equipment.air_chiller.chilled_water_c": 8,
                })  # fmt: skip
    assert wet == 5


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"equipment.cdu.cards": ["frontier-cdu"]}, "pg25"),
        ({"cards": {"cdu": {"cdu-600": {"tcs_kj_per_l_k": 4.17}}}}, "racks' coolant"),
        ({"cards": {"eir_chiller": {"air-100": {"condenser": "water"}}}}, "another medium"),
        ({"cards": {"chiller": {"warm-250": {"carnot_pu": 1.01}}}}, "at most 1"),
        ({"cards": {"fan_wall": {"wall-50": {"effectiveness": 1.2}}}}, "at most 1"),
        ({"cards": {"chiller": {"warm-250": {"load_min_pu": 1.5}}}}, "at most 1"),
        ({"cards": {"chiller": {"warm-250": {"leaving_min_c": 50}}}}, "from low to high"),
        ({"cards": {"chiller": {"warm-250": {"capacity_pu_per_k_ambient": -0.09}}}}, "capacity above 0"),
        ({"cards": {"eir_chiller": {"air-100": {"eirfplr_c": [2, 0, -1]}}}}, "concave"),
        ({"cards": {"eir_chiller": {"air-100": {"capft_c": [4.5, 0, 0, -0.1, 0, 0]}}}}, "above 0"),
        ({"equipment.air_chiller.chilled_water_c": 10.5}, "where the card air-100 is valid"),
    ],
)
def test_what_no_machine_can_be_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        codesign.load(TOY).with_(changed)


CARDS = st.sampled_from(catalogue.cards())
NUMBERS = st.floats(allow_nan=True) | st.integers(-10, 10) | st.floats(-5.0, 5.0) | st.just("x")


@settings(max_examples=400, deadline=None)
@given(CARDS, st.data())
def test_any_value_is_refused_or_gives_a_machine(card: Card, data: st.DataObject) -> None:
    """Overrides at random: never another error, and never a machine without finite physics at its point."""
    keys = data.draw(st.lists(st.sampled_from(sorted(card.parameters)), min_size=1, max_size=3, unique=True))
    changed: dict[str, Any] = {}
    for key in keys:
        old = card.parameters[key]
        near = st.floats(0.0, 3.0).map(lambda share, old=old: share * old) if number(old) else st.just(old)
        many = st.lists(NUMBERS, min_size=len(old), max_size=len(old)) if isinstance(old, tuple) else NUMBERS
        changed[key] = data.draw(near | many)
    try:
        machine = catalogue.card(card.component, card.name, changed).build()
    except InputError:
        return
    values = machine.evaluate({})
    assert all(not math.isnan(value) for value in values.values()), (changed, values)


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# ranges of air
def with_air(site: Site, dry_bulb_c: float) -> Site:
    """The site with one temperature in every hour."""
    weather = site.series.weather
    changed = FrozenDict({**weather, "dry_bulb_c": (dry_bulb_c,) * len(weather["time"])})
    series = site.series.model_copy(update={"weather": changed})
    return Site.model_construct(**{**dict(site), "series": series})


def toy_sizes(cells: int = 4, machines: int = 4) -> dict[str, Size]:
    return {
        "cdu": Size("cdu-600", 3, 0.0, "kw"), "cdu_flow": Size("cdu-600", None, 440.0, "l_per_min"),
        "fws_pump": Size("fws-pump", None, 15.0, "kg_per_s"), "buffer": Size("buffer", None, 4.0, "m3"),
        "dry_cooler": Size("cell-250", cells, 0.0, "kw"), "chiller": Size("warm-250", machines, 0.0, "kw"),
        "fan_wall": Size("wall-50", 4, 0.0, "kw"), "air_chiller": Size("air-100", 4, 0.0, "kw"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("dry_bulb_c", "broken", "machines_off"),
    [
        (30.0, set(), False),
        (48.0, set(), False),
        (48.5, {"chiller_range", "heat_rejection"}, True),
        (53.8, {"chiller_range", "dry_cooler_range", "heat_rejection", "air_chiller_range"}, True),
        (-12.0, set(), True),  # dry coolers alone reject the heat; condensing pressure is held
        (-19.0, {"air_chiller_range"}, True),
        (-31.0, {"chiller_range", "dry_cooler_range", "heat_rejection", "air_chiller_range"}, True),
    ],
)
def test_beyond_its_range_a_machine_is_not_on_offer(
    dry_bulb_c: float, broken: set[str], machines_off: bool
) -> None:
    """warm-250 from -10 to 48 degC, cell-250 from -30 to 50, air-100 from -18 to 51.67."""
    site = with_air(codesign.load(TOY).with_({"climate.altitude_m": 0}), dry_bulb_c)
    sizes = toy_sizes()
    point = steady.fws_point(site, SETTING, "cdu-600", "fws-pump", 3)
    rejection = steady.reject(site, SETTING, sizes, point)
    margins = [
        *steady.heat_path_margins(site, SETTING, sizes, rejection),
        *steady.air_margins(site, SETTING, sizes),
    ]
    assert {m.limit for m in margins if m.margin < 0.0} - {"air_chiller_capacity"} == broken
    assert all(math.isfinite(m.margin) for m in margins)
    if machines_off:
        assert not rejection.chillers_on.any()
        assert not rejection.chiller_power_kw.any()
    assert np.isfinite(rejection.power_kw).all()


def test_condensing_pressure_is_held_in_cold_air_and_said_where() -> None:
    """The one law that holds a value: below the curves' 23.89 degC the fans keep the condensing pressure."""
    machine = catalogue.card("eir_chiller", "air-100").build()
    assert machine.power_kw(60.0, 1.0, 8.0, -15.0) == machine.power_kw(60.0, 1.0, 8.0, 23.89)
    assert machine.power_kw(60.0, 1.0, 8.0, 24.5) > machine.power_kw(60.0, 1.0, 8.0, 23.89)
    assert machine.out_of_range(8.0, -15.0) == {}
    assert machine.out_of_range(8.0, -18.5) == {"entering_c": pytest.approx(-0.5)}


def test_thin_air_narrows_the_range_of_a_condenser() -> None:
    """At 3,050 m 12 K of lift become 17.4: 43 degC are as 48.4 at sea level."""
    toy = codesign.load(TOY)
    assert ranges.spare_k(with_air(toy, 43.0), "chiller", "warm-250").min() > 0.0
    high = with_air(toy.with_({"climate.altitude_m": 3050}), 43.0)
    assert ranges.spare_k(high, "chiller", "warm-250").min() == pytest.approx(-0.4, abs=0.1)


def test_thin_air_does_not_warm_what_is_too_cold() -> None:
    """The lower end is that of the air itself: warm-250 runs from -10 degC on, air-100 from -18."""
    high = codesign.load(TOY).with_({"climate.altitude_m": 3050})
    for component, card, air_c, left_k in (
        ("chiller", "warm-250", -12.0, -2.0),
        ("chiller", "warm-250", -9.0, 1.0),
        ("eir_chiller", "air-100", -20.0, -2.0),
    ):
        assert ranges.spare_k(with_air(high, air_c), component, card).min() == pytest.approx(left_k)
        machine, water_c = catalogue.card(component, card).build(), 8.0 if card == "air-100" else 30.0
        beyond = machine.out_of_range(water_c, air_c, air.pressure_pu(3050))
        assert list(beyond.values()) == ([pytest.approx(left_k)] if left_k < 0.0 else [])


def test_rating_and_flow_range_of_a_cdu_are_limits() -> None:
    """Heat of one unit against 600 kW and flow against 900 l/min, by hand from the racks' load."""
    site = codesign.load(TOY)
    load = steady.it_load(site, SETTING)
    for running in (1, 2, 3):
        point = steady.fws_point(site, SETTING, "cdu-600", "fws-pump", running)
        margins = {
            m.limit: m.margin for m in steady.cdu_margins(site, SETTING, "cdu-600", "fws-pump", running, "")
        }
        each = load.racks * load.rack_flow_l_per_min / running
        assert margins["cdu_capacity"] == pytest.approx(600 * running - load.liquid_kw - point.cdu_pump_kw)
        assert margins["cdu_tcs_range"] == pytest.approx(min(900 - each, each - 60))
    assert margins["cdu_capacity"] > 0.0


@pytest.mark.parametrize(
    ("changed", "comes_to"),
    [
        ({"jobs.tune.plateau_pu": 1.02}, "1.02"),
        ({"jobs.tune.plateau_pu": 1.1, "jobs.tune.modes": ["cap_0.9"]}, None),  # 0.99
        ({"jobs.tune.plateau_pu": 1.1, "jobs.tune.modes": ["cap_0.95"]}, "1.045"),
        ({"jobs.pretrain.events.0.level_pu": 1.1}, "1.045"),  # of a plateau of 0.95
        ({"jobs.pretrain.events.0.level_pu": 1.05}, None),
        ({"jobs.pretrain.plateau_pu": 1.0}, "1.0"),  # its profile reaches 1.009
    ],
)
def test_no_job_asks_more_of_a_rack_than_its_card_is_valid_for(
    changed: dict[str, Any], comes_to: str | None
) -> None:
    toy = codesign.load(TOY)
    if comes_to is None:
        toy.with_(changed)
        return
    with pytest.raises(InputError, match=rf"plateau_pu.*comes to {comes_to}\d* of a rack's.*gb200-nvl72"):
        toy.with_(changed)
