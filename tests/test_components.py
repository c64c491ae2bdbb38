"""Components: every card's check points, published and closed-form physics, one law for all numbers."""

import dataclasses
import importlib
import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign import smooth
from codesign.components.air import pressure_pu
from codesign.components.base import WATER_KJ_PER_KG_K

MODELS = Path(__file__).parents[1] / "models"
CLASSES = {
    "rack": "Rack", "cdu": "CDU", "fws_pump": "FwsPump", "dry_cooler": "DryCooler", "chiller": "Chiller",
    "eir_chiller": "EirChiller", "fan_wall": "FanWall", "buffer": "Buffer", "transformer": "Transformer",
    "storage": "Storage",
}  # fmt: skip
METADATA = {
    "source", "grade", "licence", "cost_source", "cost_grade", "currency_year", "note", "valid", "check",
    "held_source",
}  # fmt: skip


def tables(component: str) -> dict[str, Any]:
    return tomllib.loads((MODELS / f"{component}.toml").read_text())


def part(component: str, card: str) -> Any:
    parameters = {k: v for k, v in tables(component)[card].items() if k not in METADATA}
    return getattr(importlib.import_module(f"codesign.components.{component}"), CLASSES[component])(
        **parameters
    )


CARDS = [(component, card) for component in CLASSES for card in tables(component)]


def every_check() -> Iterator[Any]:
    for component, card in CARDS:
        for i, check in enumerate(tables(component)[card]["check"]):
            yield pytest.param(component, card, check, id=f"{component}/{card}-{check['call']}-{i}")


# cards
@pytest.mark.parametrize(("component", "card", "check"), list(every_check()))
def test_check_point(component: str, card: str, check: dict[str, Any]) -> None:
    value = getattr(part(component, card), check["call"])(**check["with"])
    assert value == pytest.approx(check["expect"], rel=0, abs=check["tolerance"])
    assert check["kind"] in {"published", "closed form", "own"}


@pytest.mark.parametrize(("component", "card"), CARDS)
def test_card_states_where_it_comes_from(component: str, card: str) -> None:
    table = tables(component)[card]
    wanted = {"source", "grade", "licence", "check"}
    if component != "rack":
        wanted |= {"cost_source", "cost_grade", "currency_year"}
    assert wanted <= set(table)
    assert table["grade"] in set("ABCEKR")
    assert table["check"]


@pytest.mark.parametrize(("component", "card"), CARDS)
def test_evaluate_at_a_point(component: str, card: str) -> None:
    unit = part(component, card)
    values = unit.evaluate({})
    assert values
    assert all(isinstance(value, float) and math.isfinite(value) for value in values.values())
    with pytest.raises(ValueError, match=r"unknown suply_c; valid are \w+"):
        unit.evaluate({"suply_c": 40.0})


def test_no_component_imports_a_solver() -> None:
    for file in (MODELS.parent / "codesign" / "components").glob("*.py"):
        assert not {"pyomo", "casadi", "highspy"} & set(file.read_text().split()), file


# smooth
@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(1e-3, 10))
def test_smooth_max_is_above_and_close(a: float, b: float, width: float) -> None:
    value = smooth.smooth_max(a, b, width)
    assert max(a, b) - 1e-9 <= value <= max(a, b) + width / 2 + 1e-9
    assert smooth.smooth_min(a, b, width) + value == pytest.approx(a + b, abs=1e-9)


@pytest.mark.parametrize(
    ("ntu", "ratio", "counterflow", "crossflow"),
    [(1, 0.5, 0.5647, 0.5448), (2, 0.5, 0.7746, 0.7388), (3, 0.75, 0.8171, 0.7553), (5, 1, 0.8333, 0.7490)],
)
def test_effectiveness_closed_forms(ntu: float, ratio: float, counterflow: float, crossflow: float) -> None:
    for low_is_hot in (True, False):
        hot, cold = (1.0, 1 / ratio) if low_is_hot else (1 / ratio, 1.0)
        assert smooth.counterflow_duty(ntu, hot, cold, 1.0) == pytest.approx(counterflow, abs=6e-5)
    assert smooth.crossflow_duty(ntu, 1.0, 1 / ratio, 1.0) == pytest.approx(crossflow, abs=6e-5)


@given(st.floats(0.05, 10), st.floats(0.02, 0.999999))
def test_counterflow_without_a_branch_is_the_textbook_form(ntu: float, ratio: float) -> None:
    e = math.exp(-ntu * (1 - ratio))
    textbook = (1 - e) / (1 - ratio * e)
    assert smooth.counterflow_duty(ntu, 1.0, 1 / ratio, 1.0) == pytest.approx(textbook, rel=1e-8)


def test_textbook_oil_cooler() -> None:
    """Incropera, example 11.1."""
    oil, water = 0.1 * 2.131, 0.2 * 4.178
    assert smooth.counterflow_duty(0.1973, oil, water, 70.0) == pytest.approx(8.524, rel=1e-3)


# rack
# CDU and pumps
def test_frontier_design_conductance() -> None:
    cdu = part("cdu", "frontier-cdu")
    assert cdu.conductance_kw_per_k(908.5, 12.58) == pytest.approx(252.0, rel=0.01)


@settings(max_examples=50)
@given(st.floats(0.2, 1.0), st.floats(3.5, 8.0))
def test_fws_flow_carries_the_duty(load_pu: float, approach_k: float) -> None:
    cdu = part("cdu", "cdu-600")
    tcs, cold_in_c, duty = 550.0 * load_pu, 36.0, 500.0 * load_pu
    hot_in_c = cold_in_c + approach_k + duty / cdu.capacity_rate_kw_per_k(tcs)
    fws = cdu.fws_flow_for(duty, hot_in_c, cold_in_c, tcs)
    assert cdu.duty_kw(hot_in_c, cold_in_c, tcs, fws) == pytest.approx(duty, rel=1e-12)
    assert math.isinf(cdu.fws_flow_for(duty, cold_in_c + 0.1, cold_in_c, tcs))


def test_duty_respects_the_second_law_at_small_flows() -> None:
    cdu = part("cdu", "frontier-cdu")
    for fws in (0.0, 0.3, 1.0, 3.0, 6.0):
        floor = smooth.floored(fws / cdu.fws_reference_kg_per_s) * cdu.fws_reference_kg_per_s
        assert cdu.duty_kw(1.0, 0.0, 900.0, fws) <= WATER_KJ_PER_KG_K * floor * (1 + 1e-12)


def test_pump_law() -> None:
    cdu = part("cdu", "cdu-600")
    friction = dataclasses.replace(cdu, head_fixed_kpa=0.0)
    constant = dataclasses.replace(cdu, head_friction_kpa=0.0)
    assert friction.pump_kw(300.0) == pytest.approx(friction.pump_kw(600.0) / 8)
    assert constant.pump_kw(300.0) == pytest.approx(constant.pump_kw(600.0) / 2)
    assert cdu.pump_kw(600.0) == pytest.approx(friction.pump_kw(600.0) + constant.pump_kw(600.0))


def test_standby_pump() -> None:
    cdu = part("cdu", "cdu-600")
    profile = [cdu.pump_availability(t) for t in (-1.0, 0.0, cdu.coast_down_s, cdu.standby_delay_s)]
    assert profile[:3] == pytest.approx([1.0, 1.0, math.exp(-1)])
    assert profile[3] < 0.05
    assert cdu.pump_availability(cdu.standby_delay_s + 0.5 * cdu.standby_ramp_s) == pytest.approx(0.5)
    assert cdu.pump_availability(60.0) == 1.0


# dry cooler
def test_dry_cooler_rating_point() -> None:
    cell = part("dry_cooler", "bac-tdfs1238")
    duty = cell.duty_kw(1.0, 46.11, 35.0, 126.12)
    assert duty / (WATER_KJ_PER_KG_K * 126.12 * 11.11) == pytest.approx(0.5, abs=0.002)


@given(st.floats(0.0, 1.0), st.floats(0.5, 15.0))
def test_dry_cooler_duty_rises_with_fan_and_temperature(fan_pu: float, water: float) -> None:
    cell = part("dry_cooler", "cell-250")
    duty = cell.duty_kw(fan_pu, 45.0, 30.0, water)
    assert 0 < duty < WATER_KJ_PER_KG_K * water * 15.0 * 1.01
    assert cell.duty_kw(fan_pu + 0.05, 45.0, 30.0, water) > duty
    assert cell.duty_kw(fan_pu, 46.0, 30.0, water) > duty
    assert cell.duty_kw(fan_pu, 25.0, 30.0, water) < 0.05
    assert cell.fan_for_duty(duty, 45.0, 30.0, water) == pytest.approx(fan_pu, abs=1e-9)
    assert math.isinf(cell.fan_for_duty(1.01 * cell.duty_kw(1.0, 45.0, 30.0, water), 45.0, 30.0, water))


def test_air_density() -> None:
    """ICAO standard atmosphere: 0 and 1609 m (Denver, pressure 0.823)."""
    assert pressure_pu(0.0) == 1.0
    assert pressure_pu(1609.0) == pytest.approx(0.823, abs=0.001)


# chillers
def test_chiller_power_splits_into_fixed_and_proportional() -> None:
    machine = part("chiller", "warm-250")
    full = machine.capacity_at_kw(36.0, 38.0)
    at_full = machine.power_kw(2 * full, 2, 36.0, 38.0)
    assert at_full == pytest.approx(2 * full / machine.cop(36.0, 38.0))
    assert machine.power_kw(0.0, 2, 36.0, 38.0) == pytest.approx(machine.fixed_pu * at_full)
    assert machine.power_kw(0.0, 0, 36.0, 38.0) == 0.0


def test_chiller_holds_its_inputs_and_says_so() -> None:
    machine = part("chiller", "warm-250")
    assert machine.cop(10.0, 60.0) == machine.cop(18.0, 48.0)
    assert machine.out_of_range(10.0, 60.0) == {"leaving_c": -8.0, "dry_bulb_c": 12.0}
    assert machine.out_of_range(30.0, 30.0) == {}


def test_chiller_trip() -> None:
    machine = part("chiller", "warm-250")
    times = (-1.0, 0.0, 44.9, 45.0, 135.0, 225.0, 1e4)
    assert [machine.availability(t) for t in times] == pytest.approx([1, 0, 0, 0, 0.5, 1, 1])
    assert machine.availability(30.0, off_s=20.0, reload_s=20.0) == 0.5


SCALED = ("air-100", "air-500")
SETS = [card for card in tables("eir_chiller") if card not in SCALED]


@pytest.mark.parametrize("card", SCALED)
def test_air_chiller_is_set_e_scaled(card: str) -> None:
    toy, real = part("eir_chiller", card), part("eir_chiller", "york-ycal0033ee-101")
    assert (toy.capft_c, toy.eirft_c, toy.eirfplr_c) == (real.capft_c, real.eirft_c, real.eirfplr_c)
    load_kw = 0.6 * toy.capacity_kw
    assert toy.power_kw(load_kw, 1, 8.0, 35.0) < toy.power_kw(load_kw, 1, 8.0, 40.0)


@pytest.mark.parametrize(
    ("card", "full_kw"),
    list(zip(SETS, (1387, 2347, 1279, 1692, 105.5, 100.3), strict=True)),
)
def test_eir_full_load_at_the_standard_condition(card: str, full_kw: float) -> None:
    unit = part("eir_chiller", card)
    entering = 35.0 if card == "york-ycal0033ee-101" else 29.44
    assert unit.capacity_kw * unit.capft(6.67, entering) == pytest.approx(full_kw, rel=5e-4)


@pytest.mark.parametrize(
    ("card", "weighted"), list(zip(SETS, (6.95, 10.71, 9.10, 6.59, 4.64, 6.49), strict=True))
)
def test_eir_weighted_cop(card: str, weighted: float) -> None:
    """0.01/0.42/0.45/0.12 at 100/75/50/25 %, bare polynomials."""
    air = card == "york-ycal0033ee-101"
    points = (35.0, 26.67, 18.33, 12.78) if air else (29.44, 23.89, 18.33, 18.33)
    unit = part("eir_chiller", card)
    cops = [unit.cop_bare(p, 6.67, t, points[0]) for p, t in zip((1.0, 0.75, 0.5, 0.25), points, strict=True)]
    assert np.dot(cops, (0.01, 0.42, 0.45, 0.12)) == pytest.approx(weighted, abs=0.01)


@pytest.mark.parametrize("leaving_c", [12.0, 25.0])
def test_eir_component_extrapolates_nothing(leaving_c: float) -> None:
    unit = part("eir_chiller", "carrier-19xr-1407")
    held = unit.power_kw(900.0, 1, 10.0, 29.44)
    assert unit.power_kw(900.0, 1, leaving_c, 29.44) == held
    assert unit.out_of_range(leaving_c, 29.44) == {"leaving_c": leaving_c - 10.0}
    bare = unit.cop_bare(1.0, 25.0, 29.44, 29.44)
    assert bare > 100  # the corner that an optimiser would pick: COP 176


@pytest.mark.parametrize("card", SETS)
def test_eir_corners_are_rounded_by_no_more_than_a_tenth_of_a_per_cent(card: str) -> None:
    """Against the law with sharp corners: full load exact, the least load 0.1 % low at most."""
    unit = part("eir_chiller", card)
    at = unit.leaving_reference_c, unit.entering_reference_c
    full = unit.capacity_at_kw(*at)

    def sharp(load: float) -> float:
        unloaded, cycling = max(load, unit.plr_min_unloading), min(load / unit.plr_min, 1.0)
        return full / unit.cop_reference * unit.eirft(*at) * unit.eirfplr(unloaded) * cycling

    for load, within in ((1.0, 1e-5), (0.5, 1e-4), (unit.plr_min, 1e-3), (0.5 * unit.plr_min, 1e-3)):
        power = unit.power_kw(load * full, 1.0, *at)
        assert (1 - within) * sharp(load) <= power <= (1 + 1e-4) * sharp(load)


@given(st.floats(0.0, 1.0))
def test_eir_power_is_continuous_through_cycling(load_pu: float) -> None:
    unit = part("eir_chiller", "york-ys-1758")
    power = [unit.power_kw(max(load_pu + step, 0.0) * 1700.0, 1, 6.67, 29.44) for step in (0.0, 1e-4)]
    assert 0 <= power[1] - power[0] < 1.0


def test_eir_loader_refuses_bad_curves() -> None:
    unit = part("eir_chiller", "doe2-centrifugal")
    with pytest.raises(ValueError, match="concave"):
        dataclasses.replace(unit, eirfplr_c=(0.1, 1.2, -0.3))
    with pytest.raises(ValueError, match="more than 5 %"):
        dataclasses.replace(unit, cop_reference=5.5, eirft_c=tuple(1.256 * c for c in unit.eirft_c))
    with pytest.raises(ValueError, match="6 coefficients"):
        dataclasses.replace(unit, capft_c=(1.0, 2.0))


# air side
@given(st.floats(5.0, 60.0), st.floats(1.0, 4.0), st.floats(7.0, 18.0))
def test_fan_speed_just_holds_the_cold_aisle(heat_kw: float, units: float, water_c: float) -> None:
    wall = part("fan_wall", "wall-50")
    fan = wall.required_fan_pu(heat_kw, units, water_c, 27.0)
    if math.isinf(fan):
        assert wall.cold_aisle_at_c(heat_kw, units, 1.0, water_c) > 27.0
    else:
        cold_aisle_c = wall.cold_aisle_at_c(heat_kw, units, fan, water_c)
        if fan == wall.fan_min_pu:
            assert cold_aisle_c <= 27.0 + 1e-9
        else:
            assert cold_aisle_c == pytest.approx(27.0, abs=1e-9)
            assert wall.cold_aisle_at_c(heat_kw, units, 0.98 * fan, water_c) > 27.0


def test_fan_wall_steady_state_balances() -> None:
    wall = part("fan_wall", "wall-50")
    hot = wall.hot_aisle_c(120.0, 10.0, 0.7, 3.0)
    rates = wall.rate({"hot_aisle_c": hot, "chilled_water_c": 10.0}, 3.0, 0.7, 120.0, 124.0, 1000.0)
    assert rates["hot_aisle_c"] == pytest.approx(0.0, abs=1e-12)
    rise = hot - wall.cold_aisle_c(hot, 10.0, 0.7)
    assert rise == pytest.approx(120.0 / (3 * 0.7 * wall.air_kw_per_k))
    assert wall.required_fan_pu(0.0, 3.0, 10.0, 27.0) == wall.fan_min_pu
    assert math.isinf(wall.required_fan_pu(1.0, 0.0, 10.0, 27.0))
    assert math.isinf(wall.required_fan_pu(1.0, 1.0, 27.0, 27.0))


# electrical
@given(st.floats(-20.0, 45.0))
def test_transformer_limit_is_the_fixed_point_of_its_dynamics(ambient_c: float) -> None:
    unit = part("transformer", "pad-1000")
    load = unit.load_limit_pu(ambient_c)
    state = unit.steady(load, ambient_c)
    assert max(abs(rate) for rate in unit.rate(state, load, ambient_c).values()) < 1e-12
    hot_spot = unit.hot_spot_c(state)
    assert hot_spot == pytest.approx(unit.hot_spot_steady_c(load, ambient_c))
    assert hot_spot == pytest.approx(unit.hot_spot_max_c) or load == unit.load_max_pu


def test_transformer_settles_with_its_time_constants() -> None:
    unit = part("transformer", "power-40-onan")
    state = unit.steady(0.0, 20.0)
    rates = unit.rate(state, 1.0, 20.0)
    assert rates["top_oil_c"] == pytest.approx((80.0 - state["top_oil_c"]) / (0.5 * 210 * 60))
    assert rates["winding1_k"] == pytest.approx((2 * 22.1 - state["winding1_k"]) / (2 * 10 * 60), rel=1e-4)
    assert rates["winding2_k"] == pytest.approx((22.1 - state["winding2_k"]) * 2 / (210 * 60), rel=1e-4)
    pad = part("transformer", "pad-1000")
    state = pad.steady(0.0, 20.0)
    rates = pad.rate(state, 1.0, 20.0)
    assert rates["top_oil_c"] == pytest.approx((80.0 - state["top_oil_c"]) / (180 * 60))
    assert rates["winding1_k"] == pytest.approx((18.0 - state["winding1_k"]) / (2 * 4 * 60), rel=1e-4)


def test_transformer_losses() -> None:
    unit = part("transformer", "pad-1000")
    assert unit.loss_kw(1.0, 2.0) == pytest.approx(2 * unit.no_load_kw + unit.load_loss_kw / 2)
    slope_kw_per_mva = (unit.loss_kw(1.5 + 1e-3, 2.0) - unit.loss_kw(1.5 - 1e-3, 2.0)) / 2e-3
    assert unit.marginal_loss_pu(1.5, 2.0) == pytest.approx(slope_kw_per_mva / 1e3)
    limits = unit.load_limit_pu(np.array([10.0, 30.0]))
    assert limits == pytest.approx([unit.load_limit_pu(10.0), unit.load_limit_pu(30.0)])


def test_storage_life() -> None:
    unit = part("storage", "supercap-row")
    years = 0.01 * unit.cycle_life_efc / unit.throughput_max_mwh_per_year(0.01)
    assert years == pytest.approx(unit.calendar_life_years)


# one law for floats, arrays and symbols
LAWS: list[tuple[str, str, str, list[tuple[float, ...]]]] = [
    ("rack", "gb200-nvl72", "steady_junction_c", [(0.9, 40.0, 115.0), (0.3, 25.0, 60.0)]),
    ("rack", "gb200-nvl72", "plate_resistance_k_per_w", [(115.0,), (0.0,), (2.0,)]),
    ("rack", "gb200-nvl72", "gain_pu", [(1.0, 115.0), (0.0, 0.0), (1.0, 2.0)]),
    ("rack", "gb200-nvl72", "excess_k", [(60.0, 50.0, 115.0), (60.0, 50.0, 0.0)]),
    ("rack", "gb200-nvl72", "it_kw", [(1.0, 5.0), (0.0, -20.0)]),
    (
        "cdu",
        "cdu-600",
        "duty_kw",
        [(55.0, 36.0, 600.0, 9.588), (50.0, 30.0, 0.0, 0.0), (50.0, 30.0, 600.0, 0.0)],
    ),
    ("cdu", "cdu-600", "pump_kw", [(600.0,), (0.0,)]),
    ("fws_pump", "fws-pump", "pump_kw", [(20.0,), (0.0,)]),
    ("dry_cooler", "cell-250", "duty_kw", [(0.7, 46.0, 35.0, 4.0), (0.0, 30.0, 35.0, 0.0)]),
    ("chiller", "warm-250", "power_kw", [(100.0, 1.0, 36.0, 38.0), (0.0, 0.0, 10.0, 60.0)]),
    ("eir_chiller", "air-100", "power_kw", [(80.0, 2.0, 10.0, 38.0), (0.0, 1.0, 12.0, 10.0)]),
    ("fan_wall", "wall-50", "cold_aisle_c", [(35.0, 10.0, 0.7), (35.0, 10.0, 0.0)]),
    ("transformer", "pad-1000", "hot_spot_steady_c", [(0.9, 30.0), (0.0, 30.0)]),
    ("transformer", "pad-1000", "loss_kw", [(1.2, 2.0), (0.0, 1.0)]),
    ("storage", "lithium-lto", "rate", [(0.1, 0.2, 0.0), (0.1, 0.0, 0.2)]),
    ("storage", "supercap-row", "rate", [(0.004, 1.0, 0.0), (0.002, 0.0, 1.0), (0.0, 0.0, 0.0)]),
]


@pytest.mark.parametrize(
    ("component", "card", "law", "points"), LAWS, ids=[f"{c}.{f}" for c, _, f, _ in LAWS]
)
def test_one_law_for_floats_arrays_and_symbols(
    component: str, card: str, law: str, points: list[tuple[float, ...]]
) -> None:
    function = getattr(part(component, card), law)
    on_floats = [function(*point) for point in points]
    assert function(*np.array(points).T) == pytest.approx(on_floats, rel=1e-12, abs=1e-12)
    symbols = [ca.SX.sym(f"a{i}") for i in range(len(points[0]))]
    value = function(*symbols)
    z = ca.vertcat(*symbols)
    smooth_function = ca.Function(law, [z], [value, ca.gradient(value, z), ca.hessian(value, z)[0]])
    for point, expected in zip(points, on_floats, strict=True):
        got, gradient, hessian = smooth_function(list(point))
        assert float(got) == pytest.approx(expected, rel=1e-12, abs=1e-12)
        assert np.isfinite(np.array(gradient)).all()
        assert np.isfinite(np.array(hessian)).all()
