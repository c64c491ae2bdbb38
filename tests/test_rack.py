"""Racks: metered power and leakage, thermal runaway, cold plate; answers from outside or by hand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from tiny import TOY, random_site

import codesign
from codesign import catalogue, steady
from codesign.components.rack import GAIN_MAX, Rack
from codesign.design import Setting
from codesign.errors import InputError

NODES = ("die_c", "lid_c", "plate_c", "coolant_c")
W_PER_K = 4.008e3 / 60.0  # of PG25, a l/min
OCP_PG25 = {  # l/min: K/W case to inlet of one 1 kW OAM plate
    0.4: 0.0389, 0.5: 0.0325, 0.6: 0.0300, 0.7: 0.0280, 0.8: 0.0265, 0.9: 0.0255, 1.0: 0.0245, 1.2: 0.0230,
    1.4: 0.0220, 1.6: 0.0214, 1.8: 0.0209, 2.0: 0.0204, 2.2: 0.0200, 2.4: 0.0197,
}  # fmt: skip
"""OCP OAI System Liquid Cooling Guidelines (2023), figure 7, as tabulated in Modelica Buildings
(OCP_1kW_OAM_PG25.mo, commit 8410af2, BSD-3-Clause; Copyright (c) The Regents of the University of California,
through Lawrence Berkeley National Laboratory). Digitised from the figure by its authors."""


def rack(name: str = "gb200-nvl72", **changes: float) -> Rack:
    built: Rack = catalogue.card("rack", name).build()
    return dataclasses.replace(built, **changes)


def convection(plate: Rack, l_per_min: float) -> float:
    """Plate to mean coolant by hand [K/W]."""
    return plate.plate_coolant_k_per_w * (l_per_min / plate.plate_flow_l_per_min) ** -plate.flow_exponent


# cold plate


def test_the_plate_follows_the_published_record() -> None:
    """Another plate than a GB200's: a check of the curve's shape, 4 % at every flow."""
    plate = rack()
    for flow, published in OCP_PG25.items():
        found = plate.resistance_k_per_w(plate.gpus * flow) - plate.die_lid_k_per_w
        assert found == pytest.approx(published, rel=0.04), flow


def test_the_record_speaks_for_the_mean_coolant() -> None:
    """What a plate leaves beside the caloric rise must not fall with a falling flow."""
    flows = np.array(list(OCP_PG25))
    total, rise = np.array(list(OCP_PG25.values())), 1.0 / (W_PER_K * flows)
    by_outlet, by_mean = total - rise, total - 0.5 * rise
    assert by_outlet[0] < 0.2 * by_outlet[-1]  # referred to the outlet a plate would conduct better at rest
    assert (by_mean > 0.016).all()
    assert by_mean.max() < 1.25 * by_mean.min()


@given(st.floats(0.0, 1.2), st.floats(15.0, 48.0), st.floats(20.0, 180.0))
def test_the_steady_state_is_a_fixed_point_and_keeps_the_heat(
    level: float, supply: float, flow: float
) -> None:
    part = rack()
    state = part.steady(level, supply, flow)
    assert max(abs(rate) for rate in part.rate(state, flow, supply, level).values()) < 1e-9
    carried_kw = (part.outlet_c(level, state["coolant_c"], supply, flow) - supply) * W_PER_K * flow / 1e3
    excess = part.steady_excess_k(level, supply, flow)
    assert carried_kw == pytest.approx(part.liquid_kw(level, excess), abs=1e-9)


def test_the_flow_rule_holds_the_return_temperature() -> None:
    part = rack(leakage_pu_per_k=0.0)
    level, supply = 0.95, 40.0
    flow = part.required_flow_l_per_min(level, supply)
    coolant = part.steady(level, supply, flow)["coolant_c"]
    assert part.outlet_c(level, coolant, supply, flow) == pytest.approx(part.return_target_c, abs=1e-9)
    assert part.it_kw(level, 7.0) == pytest.approx(part.liquid_kw(level, 7.0) + part.air_kw(level))


def network(part: Rack, l_per_min: float, supply_c: float, watts: float) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and input of the four nodes of one GPU, written down anew."""
    dl, lp, pc = part.die_lid_k_per_w, part.lid_plate_k_per_w, convection(part, l_per_min)
    carried = 2.0 * W_PER_K * l_per_min
    held = np.array([part.die_j_per_k, part.lid_j_per_k, part.plate_j_per_k, part.plate_volume_ml * 4.008])
    flow = np.array(
        [
            [-1 / dl, 1 / dl, 0, 0],
            [1 / dl, -1 / dl - 1 / lp, 1 / lp, 0],
            [0, 1 / lp, -1 / lp - 1 / pc, 1 / pc],
            [0, 0, 1 / pc, -1 / pc - carried],
        ]
    )
    return flow / held[:, None], np.array([watts, 0.0, 0.0, carried * supply_c]) / held


def test_rates_and_time_constants_are_the_networks() -> None:
    part = rack(leakage_pu_per_k=0.0)
    matrix, drive = network(part, 1.6, 40.0, 1200.0)
    at = {"die_c": 83.0, "lid_c": 66.0, "plate_c": 57.0, "coolant_c": 46.0}
    found = list(part.rate(at, part.gpus * 1.6, 40.0, 1.0).values())
    assert found == pytest.approx(list(matrix @ np.array(list(at.values())) + drive), rel=1e-4)
    slowest_s = float((-1 / np.linalg.eigvals(matrix).real).max())
    assert 3.0 < slowest_s < 5.0  # plate and coolant; the rest is fast


def coast(tau_s: float, end_pu: float = 0.02) -> Callable[[float], float]:
    """Flow over its rating after a trip: coasts down to `end_pu`."""
    return lambda t: end_pu + (1 - end_pu) * math.exp(-t / tau_s)


@pytest.mark.parametrize("flow_pu", [coast(0.5), coast(3.0), coast(0.5, 0.5)])
def test_loss_of_flow(flow_pu: Callable[[float], float]) -> None:
    """Time to 87 degC after a pump trip, leakage off, against the network written down in this file."""
    part = rack(leakage_pu_per_k=0.0)
    begin = part.steady(1.0, 40.0, part.gpus * 1.6)

    def reaches(rate: Callable[[float, Any], Any]) -> float:
        def event(t: float, y: Any) -> float:
            return float(y[0] - 87.0)

        event.terminal = True  # type: ignore[attr-defined]
        start = [begin[n] for n in NODES]
        run = solve_ivp(rate, (0, 40), start, "Radau", events=event, rtol=1e-8, atol=1e-8, max_step=0.2)
        return float(run.t_events[0][0])

    def plant(t: float, y: Any) -> Any:
        state = dict(zip(NODES, y, strict=True))
        return list(part.rate(state, part.gpus * 1.6 * flow_pu(t), 40.0, 1.0).values())

    def by_hand(t: float, y: Any) -> Any:
        matrix, drive = network(part, 1.6 * max(flow_pu(t), 0.02), 40.0, 1200.0)
        return matrix @ y + drive

    assert reaches(plant) == pytest.approx(reaches(by_hand), rel=0.02)


# power and leakage


def by_hand_w(part: Rack, level: float, supply_c: float, l_per_min: float) -> float:
    """Fixed point of power and junction, found by a root finder [W]."""
    rated = 1000 * part.nominal_kw * part.gpu_pu / part.gpus
    inside = part.die_lid_k_per_w + part.lid_plate_k_per_w

    def resistance(flow: float) -> float:
        return inside + convection(part, flow) + 1 / (2 * W_PER_K * flow)

    metered = part.leakage_reference_c - resistance(part.plate_flow_l_per_min) * rated * (1 - level)

    def miss(watts: float) -> float:
        junction = supply_c + resistance(l_per_min) * watts
        return rated * level * (1 + part.leakage_pu_per_k * (junction - metered)) - watts

    return float(brentq(miss, -5e3, 5e4))


@given(st.floats(0.0, 1.2), st.floats(25.0, 45.0), st.floats(0.7, 2.5))
def test_steady_power_is_the_fixed_point_of_leakage(level: float, supply: float, flow: float) -> None:
    part = rack()
    expected = by_hand_w(part, level, supply, flow)
    assert part.steady_gpu_w(level, supply, part.gpus * flow) == pytest.approx(expected, rel=1e-4, abs=1e-6)
    excess = part.steady_excess_k(level, supply, part.gpus * flow)
    assert part.gpu_w(level, excess) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_a_profile_holds_its_leakage() -> None:
    """Where it was metered, a rack draws the profile, in a checkpoint too; elsewhere within 5 %."""
    part = rack()
    reference = part.metered_junction_c(0.0), part.gpus * part.plate_flow_l_per_min
    for level in (0.05, 0.27, 0.62, 0.95, 1.0):
        excess = part.steady_excess_k(level, *reference)
        assert part.it_kw(level, excess) == pytest.approx(132.0 * level, rel=1e-9)
        assert part.steady_junction_c(level, *reference) == pytest.approx(part.metered_junction_c(level))
        for supply in (25.0, 36.0, 45.0):
            flow = part.required_flow_l_per_min(0.95, supply)
            drawn = part.it_kw(level, part.steady_excess_k(level, supply, flow))
            assert drawn == pytest.approx(132.0 * level, rel=0.05)


@pytest.mark.parametrize("name", ["gb200-nvl72", "gb300-nvl72"])
@given(st.floats(0.0, 2.4), st.floats(0.0, 60.0), st.floats(0.0, 60.0), st.floats(0.0, 180.0))
def test_no_power_is_negative(name: str, level: float, plate: float, coolant: float, flow: float) -> None:
    """Nor does cooling save more than all of the leakage: 10 % of a chip's power as a rule (Breen et al.,
    From Chip to Cooling Tower Data Center Modeling: Chip Leakage Power, ASME J. Electron. Packag. 134, 2012).
    """
    part = rack(name)
    excess = part.excess_k(max(plate, coolant), coolant, flow)
    assert part.it_kw(level, max(excess, -part.leakage_reference_c)) >= 0.0
    if flow > 40.0:
        at = part.steady_excess_k(min(level, 1.0), max(coolant, 25.0), flow)
        assert part.leakage_w(min(level, 1.0), at) >= -0.10 * part.rated_w * min(level, 1.0)


def test_a_notch_is_the_profiles_own() -> None:
    """Faster than the plate follows, the racks draw what the profile says, whatever the junction does."""
    part = rack()
    flow = part.required_flow_l_per_min(1.0, 40.0)
    state = part.steady(1.0, 40.0, flow)
    run = solve_ivp(
        lambda t, y: list(part.rate(dict(zip(NODES, y, strict=True)), flow, 40.0, 0.44).values()),
        (0.0, 0.3), [state[n] for n in NODES], "Radau", rtol=1e-8,
    )  # fmt: skip
    end = dict(zip(NODES, run.y[:, -1], strict=True))
    assert state["die_c"] - end["die_c"] > 8.0
    drawn = part.it_kw(0.44, part.excess_k(end["plate_c"], end["coolant_c"], flow))
    assert drawn == pytest.approx(132.0 * 0.44, rel=0.01)


# runaway


def test_the_textbook_criterion_of_runaway() -> None:
    """dT/dt = (P(T) - (T - T_s)/R)/C settles where R dP/dT < 1 and grows without end beyond."""
    part = rack()
    flow = part.gpus * 1.6
    r, metered = part.resistance_k_per_w(flow), part.metered_junction_c(1.0)
    critical = 1.0 / (r * part.rated_w)
    for share in (0.9, 1.1):
        coefficient = share * critical

        def power(t_c: float, coefficient: float = coefficient) -> float:
            return part.rated_w * (1 + coefficient * (t_c - metered))

        run = solve_ivp(lambda t, y, p=power: (p(y[0]) - (y[0] - 40.0) / r) / 100.0, (0.0, 200.0), [90.0])
        assert (run.y[0, -1] < 90.0) == (share < 1.0)
    gain = rack(leakage_pu_per_k=0.5 * critical).gain_pu(1.0, flow)
    assert gain == pytest.approx(0.5, rel=1e-4)


def test_runaway_is_a_limit_with_a_gain_margin_of_two() -> None:
    site, setting = codesign.load(TOY), Setting(34.0, 4.0)
    (own,) = {pod.rack for pod in site.pods.values()}

    def margin(leakage: float) -> float:
        changed = site.with_({f'cards.rack."{own}".leakage_pu_per_k': leakage})
        rows = {m.limit: m for m in steady._rack_margins(changed, setting)}
        return rows["thermal_runaway"].margin

    load, part = steady.it_load(site, setting), steady.rack(site)
    gain = part.gain_pu(load.peak_level_pu, load.rack_flow_l_per_min)
    assert margin(0.003) == pytest.approx(GAIN_MAX - gain)
    assert margin(0.006) == pytest.approx(GAIN_MAX - 2 * gain)
    assert GAIN_MAX == 0.5


def test_a_leakage_beyond_physics_is_refused() -> None:
    (own,) = {pod.rack for pod in codesign.load(TOY).pods.values()}
    for value, said in ((0.05, "no junction temperature is steady"), (0.013, "negative")):
        with pytest.raises(ValueError, match=said):
            rack(leakage_pu_per_k=value)
        with pytest.raises(InputError) as caught:
            codesign.load(TOY).with_({f'cards.rack."{own}".leakage_pu_per_k': value})
        assert "leakage_pu_per_k" in str(caught.value)


def test_the_bound_over_mixes_takes_the_least_rise_of_power() -> None:
    """Between any two levels a rack's power rises by no less than the slope that the bound keeps."""
    from codesign.planning import mixing

    site = random_site(1)
    for fws_c in (22.0, 34.0, 40.0):
        setting = Setting(fws_c, 4.0)
        load, part = steady.it_load(site, setting), steady.rack(site)
        slope = mixing._least_slope(site, setting, load)
        levels = np.linspace(0.0, load.peak_level_pu, 30)
        flow, supply = load.rack_flow_l_per_min, steady.tcs_supply_c(setting)
        kw = np.array([part.it_kw(u, part.steady_excess_k(u, supply, flow)) for u in levels])
        assert (np.diff(kw) >= slope * part.nominal_kw * np.diff(levels) * (1 - 1e-4)).all()
        assert slope <= 1.0
