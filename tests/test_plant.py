"""The plant: the static chain is its fixed point, and its energy balance closes by construction."""

import importlib
import math
import random
import tomllib
from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np
import pytest

from codesign.plant import CONTROLS, SIZES, Group, Plant

MODELS = Path(__file__).parents[1] / "models"
NOT_PARAMETERS = {
    "source", "grade", "licence", "cost_source", "cost_grade", "currency_year", "note", "valid", "check",
    "held_source",
}  # fmt: skip
CARDS = {
    "cdu": ("CDU", "cdu-600"),
    "fws_pump": ("FwsPump", "fws-pump"),
    "dry_cooler": ("DryCooler", "cell-250"),
    "chiller": ("Chiller", "warm-250"),
    "buffer": ("Buffer", "buffer"),
    "fan_wall": ("FanWall", "wall-50"),
    "eir_chiller": ("EirChiller", "air-100"),
    "transformer": ("Transformer", "pad-1000"),
    "storage": ("Storage", "supercap-row"),
}


def part(component: str, kind: str, card: str) -> Any:
    module = importlib.import_module(f"codesign.components.{component}")
    table = tomllib.loads((MODELS / f"{component}.toml").read_text())[card]
    return getattr(module, kind)(**{k: v for k, v in table.items() if k not in NOT_PARAMETERS})


def hall(**changes: Any) -> Plant:
    """Six racks in two copies, and every other part of the catalogue's toy cards."""
    parts = {component: part(component, *names) for component, names in CARDS.items()}
    parts["air_chiller"] = parts.pop("eir_chiller")
    rack = part("rack", "Rack", "gb200-nvl72")
    groups = tuple(Group(name=f"pretrain_{i}", racks=racks, rack=rack) for i, racks in enumerate((4, 2)))
    given = {"power_factor": 0.98, "interconnection_limit_mw": 1.5, "air_density_pu": 0.98}
    return Plant(groups=groups, **{**parts, **given, **changes})


PLANT = hall()
P = dict(zip(SIZES, (3.0, 400.0, 25.0, 5.0, 2.0, 4.0, 4.0, 2.0, 2.0, 0.2, 0.004), strict=True))


def steady(dry_bulb_c: float = 36.0, level_pu: float = 0.95, dry_pu: float = 0.8, **options: Any) -> Any:
    rack = PLANT.groups[0].rack
    point = {
        "tcs_flow_l_per_min": 6 * rack.required_flow_l_per_min(0.95, 40.0),
        "tcs_supply_c": 40.0,
        "fws_supply_c": 36.0,
        "chilled_water_c": 10.0,
        "fan_wall_pu": 0.6,
        "dry_cooler_kw": dry_pu * 600.0 * level_pu,
        "chillers_on": 1.0,
        "storage_mwh": 0.002,
    }
    levels = {group.name: level_pu for group in PLANT.groups}
    return PLANT.steady(levels, dry_bulb_c, P, **{**point, **options})


def scale(name: str) -> float:
    """Size of a state: kelvin, flow or energy that counts as one."""
    return {"c": 1.0, "k": 1.0, "min": 100.0, "s": 1.0, "mwh": 1e-3, "mw": 0.1}[name.rsplit("_", 1)[1]]


@pytest.mark.parametrize("dry_bulb_c", [-15.0, 5.0, 20.0, 33.0])
@pytest.mark.parametrize("level_pu", [0.3, 0.7, 0.95, 1.0])
@pytest.mark.parametrize("dry_pu", [0.02, 0.4, 0.8])
def test_the_static_chain_is_a_fixed_point(dry_bulb_c: float, level_pu: float, dry_pu: float) -> None:
    x, u, d = steady(dry_bulb_c, level_pu, dry_pu)
    for name, rate in PLANT.rates(x, u, d, P).items():
        assert abs(rate) / scale(name) < 1e-9, name


def test_names_are_complete() -> None:
    x, u, d = steady()
    assert set(x) == set(PLANT.states) == set(PLANT.rates(x, u, d, P))
    assert (set(u), set(d), set(P)) == (set(PLANT.controls), set(PLANT.disturbances), set(PLANT.sizes))
    assert PLANT.controls == CONTROLS
    assert len(set(PLANT.states)) == len(PLANT.states)


def test_a_steady_hall_holds_its_limits() -> None:
    x, u, d = steady()
    broken = {name: limit for name, limit in PLANT.limits(x, u, d, P).items() if limit.excess > 0}
    assert not broken


def test_what_a_chain_cannot_carry_is_an_error() -> None:
    with pytest.raises(ValueError, match="no FWS flow"):
        steady(fws_supply_c=39.9)
    with pytest.raises(ValueError, match="dry coolers reject less"):
        steady(dry_bulb_c=51.0)


def random_point(rng: random.Random) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """A state far from any equilibrium."""
    x, u, d = steady()
    x = {k: v + rng.uniform(-8, 8) * scale(k) * (0.1 if k.endswith("mwh") else 1) for k, v in x.items()}
    u = {k: v * rng.uniform(0, 1.3) + rng.uniform(0, 0.1) for k, v in u.items()}
    d = {k: v * rng.uniform(0.2, 1.1) for k, v in d.items()}
    return x, u, d


def test_energy_balance_is_an_identity() -> None:
    rng = random.Random(1)
    for _ in range(200):
        x, u, d = random_point(rng)
        rates, out = PLANT.rates(x, u, d, P), PLANT.outputs(x, u, d, P)
        ahead = PLANT.outputs({k: v + rates[k] for k, v in x.items()}, u, d, P)["stored_kj"]
        stored_kw = ahead - out["stored_kj"]  # exact: stored_kj is linear in the state
        through_kw = abs(out["heat_in_kw"]) + abs(out["heat_out_kw"])
        assert abs(out["heat_in_kw"] - out["heat_out_kw"] - stored_kw) < 1e-9 * through_kw


def test_power_balance() -> None:
    x, u, d = steady()
    out = PLANT.outputs(x, u, d, P)
    mva = out["transformer_load_pu"] * P["transformer_count"] * PLANT.transformer.rating_mva
    loss_mw = PLANT.transformer.loss_kw(mva, P["transformer_count"]) / 1000
    rest_mw = PLANT.storage.standby_mw(P["storage_power_mw"], P["storage_energy_mwh"])
    assert rest_mw > 0.0
    parts_mw = out["it_mw"] + out["mechanical_kw"] / 1000 + rest_mw + loss_mw
    assert out["poi_mw"] == pytest.approx(parts_mw, rel=1e-12)
    assert out["poi_filtered_mw"] == 0.0
    assert out["heat_in_kw"] == pytest.approx(out["heat_out_kw"], rel=1e-12)


def vector(values: dict[str, Any]) -> Any:
    return ca.vertcat(*values.values())


def test_same_laws_on_floats_arrays_and_symbols() -> None:
    rng = random.Random(2)
    points = [random_point(rng) for _ in range(4)]
    names = [list(group) for group in points[0]]
    symbols = [{name: ca.SX.sym(name) for name in group} for group in names]
    arrays = [
        {name: np.array([point[i][name] for point in points]) for name in group}
        for i, group in enumerate(names)
    ]
    for law in ("rates", "outputs"):
        on_arrays = getattr(PLANT, law)(*arrays, P)
        on_symbols = getattr(PLANT, law)(*symbols, P)
        function = ca.Function("law", [vector(s) for s in symbols], [vector(on_symbols)])
        for i, point in enumerate(points):
            on_floats = getattr(PLANT, law)(*point, P)
            values = np.array(function(*[list(group.values()) for group in point])).ravel()
            for (name, value), symbolic in zip(on_floats.items(), values, strict=True):
                size = max(1.0, abs(value))
                assert abs(np.broadcast_to(on_arrays[name], 4)[i] - value) < 1e-9 * size, name
                assert abs(symbolic - value) < 1e-9 * size, name


def test_hessian_is_finite_at_a_standstill() -> None:
    x, u, d = steady()
    state = {name: ca.SX.sym(name) for name in x}
    control = {name: ca.SX.sym(name) for name in u}
    total = sum(rate for rate in PLANT.rates(state, control, d, P).values())
    z = ca.vertcat(*state.values(), *control.values())
    hessian = ca.Function("hessian", [z], [ca.hessian(total, z)[0]])
    still = {**x, "tcs_flow_l_per_min": 0.0, "fws_flow_kg_per_s": 0.0}
    at_rest = {**u, "fan_pu": 0.0, "chiller_kw": 0.0, "fan_wall_pu": 0.0, "air_chiller_kw": 0.0}
    assert np.isfinite(np.array(hessian([*still.values(), *at_rest.values()]))).all()


def test_a_tripped_cdu_takes_its_share_of_the_flow() -> None:
    x, u, d = steady()
    running = PLANT.outputs(x, u, d, P)["tcs_flow_running_l_per_min"]
    tripped = PLANT.outputs(x, u, {**d, "cdu_available": 0.0}, P)["tcs_flow_running_l_per_min"]
    assert tripped == pytest.approx(running * 2 / 3)
    rates = PLANT.rates(x, u, {**d, "cdu_available": 0.0}, P)
    assert rates["pretrain_0.coolant_c"] > 0.1
    assert rates["tcs_supply_c"] == pytest.approx(0.0, abs=0.2)


def test_a_tripped_chiller_heats_the_loop() -> None:
    x, u, d = steady()
    off = {**d, "chiller_available": 0.0}
    rates = PLANT.rates(x, u, off, P)
    held = PLANT.chiller.heat_kj_per_k(P["chiller_count"], PLANT.fws_pump.pipe_l)
    assert rates["chiller_out_c"] == pytest.approx(u["chiller_kw"] / held, rel=1e-9)
    assert PLANT.outputs(x, u, off, P)["chiller_power_kw"] == 0.0


def test_filter_orders() -> None:
    for order in (0, 1, 2):
        plant = hall(filter_order=order)
        assert len(plant.filter_states) == order
    x, u, d = steady()
    x["filter_mw"] -= 0.1
    assert PLANT.rates(x, u, d, P)["filter_mw"] == pytest.approx(2 * math.pi * 0.1 * 0.1)


def test_a_cdu_with_another_coolant_is_refused() -> None:
    with pytest.raises(ValueError, match="PG25"):
        hall(cdu=part("cdu", "CDU", "frontier-cdu"))
