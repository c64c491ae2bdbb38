"""Fast storage with a series resistance: data sheet, closed forms, SciPy; inner and outer values; limits."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from tiny import opposed, random_site, unchecked

import codesign
from codesign import catalogue, evaluation, realising, smoothing, streams, workload
from codesign.auditing.bank import Bank
from codesign.components.storage import Storage
from codesign.design import Plan, Schedule, Sizes, Table

pytestmark = pytest.mark.slow

CELL_F, CELL_V, CELL_OHM, CELL_WH = 3000.0, 2.7, 0.29e-3, 3.04
"""Maxwell K2 series, BCAP3000 P270 K04, document 1015370.4 (capacitance least, DC resistance most, new)."""


def supercap() -> Storage:
    return catalogue.card("storage", "supercap-row").build()  # type: ignore[no-any-return]


def ideal(**changes: float) -> Storage:
    """The bare cell: new, no converter, the whole of its voltage."""
    new = {"end_energy_pu": 1.0, "end_resistance_pu": 1.0, "window_min_pu": 0.25}
    none = {"fixed_efficiency_charge": 1.0, "fixed_efficiency_discharge": 1.0, "no_load_pu": 0.0}
    return replace(supercap(), **{**new, **none, **changes})


def test_the_data_sheet_of_the_cell() -> None:
    cell, held_mwh = ideal(), 0.5 * CELL_F * CELL_V**2 / 3.6e9
    assert held_mwh * 1e6 == pytest.approx(CELL_WH, abs=0.005)
    assert cell.time_constant_s == pytest.approx(CELL_F * CELL_OHM, rel=1e-9)
    matched_w_per_kg = 1e6 * cell.deliverable_mw(held_mwh) / 0.510
    assert matched_w_per_kg == pytest.approx(12_300, abs=50)  # document 1015370.1, impedance match power
    usable_w = 1e6 * cell.usable_power_pu * cell.deliverable_mw(held_mwh)
    assert usable_w == pytest.approx(3_020, abs=5)  # document 1015370.1, usable power
    leak_w = 1e6 * cell.standby_mw(0.0, CELL_WH / 1e6)
    assert leak_w == pytest.approx(5.2e-3 * CELL_V, rel=0.01)  # 5.2 mA


def test_charging_at_the_rating_keeps_the_cell_below_its_absolute_maximum_voltage() -> None:
    """2.85 V of a 2.7 V cell, at end of life, at the upper end of the window."""
    bank, energy = supercap(), 1.0
    power = energy / bank.energy_min_mwh(1.0)
    cells_mw = bank.fixed_efficiency_charge * power
    share = 2 * bank.end_time_constant_s / 3600 * cells_mw / (bank.high_pu * energy)
    assert CELL_V * (1 + math.sqrt(1 + share)) / 2 < 2.85


CELLS = 10_000


def constant_power_s(power_w: float) -> float:
    """Time of a cell's discharge at constant power down to half the voltage, in closed form.

    C V dV/dt = -2 p/(1 + s/V), s^2 = V^2 - 4 R p: t = C/(4 p) [V^2 + V s - 4 R p ln(V + s)] between its ends.
    """

    def primitive(volt: float) -> float:
        s = math.sqrt(volt**2 - 4 * CELL_OHM * power_w)
        return CELL_F / (4 * power_w) * (volt**2 + volt * s - 4 * CELL_OHM * power_w * math.log(volt + s))

    return primitive(CELL_V) - primitive(0.5 * CELL_V)


@pytest.mark.parametrize("power_w", [100.0, 800.0, 1500.0])
def test_discharge_at_constant_power_takes_the_time_of_the_closed_form(power_w: float) -> None:
    cell, full, power = ideal(), CELLS * 0.5 * CELL_F * CELL_V**2 / 3.6e9, CELLS * power_w / 1e6
    seconds = constant_power_s(power_w)

    def law(_: float, e: np.ndarray) -> list[float]:
        return [cell.rate(float(e[0]), 0.0, power)]

    end = solve_ivp(law, (0.0, seconds), [full], rtol=1e-10, atol=1e-14).y[0, -1]
    assert end == pytest.approx(0.25 * full, rel=1e-6)
    course = realising.course_mwh(cell, seconds / 200, np.full(200, -power), full)
    assert course[-1] == pytest.approx(0.25 * full, rel=1e-6)
    again = Bank(cell, full).course_mwh([-power] * 200, seconds / 200, full)
    assert again[-1] == pytest.approx(0.25 * full, rel=1e-6)


def test_efficiency_at_a_rate() -> None:
    """At x of matched power a discharge gives (1 + sqrt(1 - x))/2, a charge keeps 2/(1 + sqrt(1 + x))."""
    cell = ideal()
    for x in (0.1, 0.48, 0.9):
        power = x * cell.deliverable_mw(0.004)
        assert power / (-3600 * cell.rate(0.004, 0.0, power)) == pytest.approx((1 + math.sqrt(1 - x)) / 2)
        assert 3600 * cell.rate(0.004, power, 0.0) / power == pytest.approx(2 / (1 + math.sqrt(1 + x)))


def test_one_and_a_half_seconds_of_a_module_deliver_nothing() -> None:
    """What a hall stood on: 1.07 MW on 0.45 kWh."""
    bank = supercap()
    assert bank.deliverable_mw(bank.high_pu * 0.00045) < 0.5 * 1.07
    assert 0.0035 < bank.energy_min_mwh(1.07) < 0.009


SHARES = st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=12)
CARDS = st.builds(
    lambda tau, share, low, end, ohm: replace(
        supercap(), time_constant_s=tau, usable_power_pu=share, window_min_pu=low, end_energy_pu=end,
        end_resistance_pu=ohm,
    ),
    st.floats(0.1, 3.0), st.floats(0.05, 0.8), st.floats(0.2, 0.8), st.floats(0.6, 1.0), st.floats(1.0, 3.0),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(card=CARDS, shares=SHARES, at=st.floats(0.0, 1.0), spare=st.floats(1.0, 3.0))
def test_what_keeps_the_inner_values_keeps_the_law(
    card: Storage, shares: list[float], at: float, spare: float
) -> None:
    """A course within rating and inner window that moves no more than the energy of one window."""
    power, step = 1.0, 0.25
    energy = spare * card.energy_min_mwh(power)
    low, high = card.soc_min_pu * energy, card.soc_max_pu * energy
    linear = [low + at * (high - low)]
    moved, net = 0.0, []
    for share in shares:
        taken = share * (card.efficiency_charge if share > 0 else 1 / card.efficiency_discharge)
        after = linear[-1] + step / 3600 * taken
        moved += abs(after - linear[-1])
        if not low <= after <= high or moved > (card.high_pu - card.low_pu) * energy:
            break
        linear.append(after)
        net.append(share * power)
    if not net:
        return
    course = realising.course_mwh(card, step, np.array(net), linear[0])
    assert course.min() >= card.low_pu * energy * (1 - 1e-9)
    assert course.max() <= card.high_pu * energy * (1 + 1e-9)
    for held, power_mw in zip(course, net, strict=False):
        limits = card.limits(held, max(power_mw, 0.0), max(-power_mw, 0.0), power, energy)
        assert max(limits.values()) <= 1e-9


@settings(max_examples=100, deadline=None)
@given(card=CARDS, shares=SHARES, at=st.floats(0.0, 1.0), scale=st.floats(0.1, 30.0))
def test_the_outer_values_cut_off_no_course_that_keeps_the_law(
    card: Storage, shares: list[float], at: float, scale: float
) -> None:
    """Any course of the law: under the outer efficiencies it ends no lower; it has the outer energy."""
    energy, step = 0.004, 0.25
    net = np.array(shares) * scale
    held = [card.low_pu * energy + at * (card.high_pu - card.low_pu) * energy]
    for power in net.tolist():
        charge, discharge = max(power, 0.0), max(-power, 0.0)
        if discharge > card.deliverable_mw(held[-1]):
            return
        after = realising.course_mwh(card, step, np.array([power]), held[-1])[-1]
        if not card.low_pu * energy <= after <= card.high_pu * energy:
            return
        hours = step / 3600
        outer = card.outer_efficiency_charge * charge - discharge / card.outer_efficiency_discharge
        assert held[-1] + hours * outer >= after - 1e-12
        assert card.outer_energy_min_mwh(discharge) <= energy * (1 + 1e-9)
        held.append(after)
    assert card.outer_energy_min_mwh(1.0) <= card.energy_min_mwh(1.0)


def swinging(**changes: Any) -> codesign.Site:
    """One job that swings all the time: its storage turns over many times a minute."""
    halves = [{"name": "up", "share": 0.5, "level_pu": 1.0}, {"name": "down", "share": 0.5, "level_pu": 0.3}]
    job = {"count": 1, "racks": 5, "period_s": 10.0, "phases": halves}
    return random_site(0).with_({
        "jobs": {"swing": job}, "clock.cycle_s": 10.0, "poi.allocated_share": 0.02,
        "equipment.storage.power_mw": {"min": 0, "max": 1},
        "equipment.storage.energy_mwh": {"min": 0, "max": 0.05}, **changes,
    })  # fmt: skip


@cache
def swung() -> Plan:
    return codesign.plan(swinging().with_({"solver.method": "split"}), gap=1e-4)


def test_cycle_life_is_named_where_it_sets_the_energy() -> None:
    site, plan = swinging(), swung()
    assert plan.sizes["storage_energy"].set_by == "storage_life @ static"
    # by hand: discharged energy a year over cycles a year is the energy that is needed
    card = catalogue.build(site, "storage", "supercap-row")
    discharged_mwh = 8760.0 * float(plan.dispatch["discharge_mw"].mean())
    needed = discharged_mwh * card.calendar_life_years / card.cycle_life_efc
    assert needed == pytest.approx(plan.sizes["storage_energy"].value, rel=2e-3)


def test_the_rating_is_named_where_it_sets_the_energy() -> None:
    site = swinging(cards={"storage": {"supercap-row": {"cycle_life_efc": 1e8}}})
    plan = codesign.plan(site.with_({"solver.method": "split"}), gap=1e-4)
    assert plan.sizes["storage_energy"].set_by == "storage_rate @ static"
    seconds = 3600 * plan.sizes["storage_energy"].value / plan.sizes["storage_power"].value
    # 0.12 V^2/R at 70 % of the voltage, end of life (R twice, C 0.8), converter 97.2 %
    assert seconds == pytest.approx(0.5 * 0.87 * 2 / (0.12 * 0.49 * 0.972), rel=1e-4)


def test_the_course_of_a_plan_keeps_the_law_step_by_step() -> None:
    """SciPy's integrator over the recorded powers comes back to the recorded energies."""
    site = swinging()
    schedule = Schedule(workload.assignment(site, "swing", 0, workload.placements(site, "swing")[0])
                        for _ in range(1))  # fmt: skip
    card, energy = supercap(), 0.008
    found = smoothing.dispatch(
        site, streams.of(site, schedule), card, power_mw=0.25, energy_mwh=energy, other_mw=-math.inf
    )
    assert found.discharge_mw.max() > 0.05
    assert (np.minimum(found.charge_mw, found.discharge_mw) == 0.0).all()
    step, count = site.clock.step_s, len(found.soc_mwh)
    for k in range(count):
        c, d = float(found.charge_mw[k]), float(found.discharge_mw[k])

        def law(_: float, e: np.ndarray, c: float = c, d: float = d) -> list[float]:
            held = float(e[0])
            cells = d / card.fixed_efficiency_discharge - card.fixed_efficiency_charge * c
            tau = 0.87 * 2.0 * 0.8
            return [-held / tau * (1 - math.sqrt(1 - 2 * tau * cells / 3600 / held))]

        end = solve_ivp(law, (0.0, step), [found.soc_mwh[k]], rtol=1e-11, atol=1e-15).y[0, -1]
        assert end == pytest.approx(found.soc_mwh[(k + 1) % count], abs=2e-7 * energy)


def broken(site: codesign.Site, plan: Plan) -> set[str]:
    """Limits and records of the storage, and of the rule that it serves, that the audit refuses."""
    refused = {breach.limit for breach in codesign.audit(unchecked(site, plan)).breaches}
    return {limit for limit in refused if limit.startswith(("storage", "poi_window"))}


def recorded(plan: Plan, **columns: Any) -> Plan:
    return replace(plan, dispatch=Table({**plan.dispatch, **columns}))


def test_the_audit_follows_the_law_in_volts_and_amperes() -> None:
    """A plan as it is; then energy, power or window of its storage as they cannot be."""
    site, plan = swinging(), swung()
    assert broken(site, plan) == set()
    soc = plan.dispatch["soc_mwh"]
    moved = soc.copy()
    moved[7] += 1e-6 * plan.sizes["storage_energy"].value
    assert "storage_balance" in broken(site, recorded(plan, soc_mwh=moved))
    at_rest = np.full(len(soc), soc[0])
    assert "storage_balance" in broken(site, recorded(plan, soc_mwh=at_rest))
    assert "storage_energy_low" in broken(site, recorded(plan, soc_mwh=0.5 * soc))
    less = replace(plan.sizes["storage_energy"], value=0.02 * plan.sizes["storage_energy"].value)
    small = replace(plan, sizes=Sizes({**plan.sizes, "storage_energy": less}))
    assert {"storage_rate", "storage_life", "storage_voltage"} <= broken(
        site, recorded(small, soc_mwh=0.02 * soc)
    )
    hours = Table({**plan.hours, "storage_loss_mw": plan.hours["storage_loss_mw"] - 0.0005})
    assert "storage_loss_mw" in broken(site, replace(plan, hours=hours))


@pytest.mark.slow
@pytest.mark.parametrize(("site", "gap"), [(opposed(one_job_absent=True), 1e-2), (random_site(5), 1e-3)])
def test_the_audit_finds_the_same_with_a_job_away_and_with_jitter(site: codesign.Site, gap: float) -> None:
    assert broken(site, codesign.plan(site.with_({"solver.method": "split"}), gap=gap)) == set()


def test_what_storage_draws_at_rest_is_in_power_cost_and_pue() -> None:
    site = random_site(0)
    none = {"no_load_pu": 0.0, "leakage_pu_per_h": 0.0}
    idle = site.with_({"cards": {"storage": {"supercap-row": none}}})
    plan = codesign.plan(site.with_({"solver.method": "split"}), gap=1e-3)
    assert plan.setting is not None
    power, energy = (plan.sizes[f"storage_{what}"].value for what in ("power", "energy"))
    one, other = (
        evaluation.evaluate(each, plan.setting, plan.sizes, plan.schedule) for each in (site, idle)
    )
    drawn = one.hours["storage_loss_mw"] - other.hours["storage_loss_mw"]
    assert drawn == pytest.approx(0.0043 * power + 0.0046 * energy, rel=1e-6)
    assert (one.hours["poi_mw"] - other.hours["poi_mw"] >= drawn).all()
    assert (one.hours["poi_peak_mw"] - other.hours["poi_peak_mw"] >= drawn).all()
    assert one.cost_usd_per_year > other.cost_usd_per_year
