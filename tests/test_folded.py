"""The folded row against every schedule of tiny sites: the law of stops written out over all slots at once.

Arithmetic of its own: the filter as the response to each step's power, every y an explicit sum, one dense
linear programme over sizes, dispatch and the recoveries of all slots and copies.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import linprog
from tiny import random_site

import codesign
from codesign import catalogue, evaluation, window, workload
from codesign.design import Schedule, Size
from codesign.planning import folded
from codesign.stops import course

pytestmark = pytest.mark.slow


def responses(order: int, pole: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The settled response to 1 MW in one step of a period, and the response from rest."""
    spectrum = np.exp(-2j * np.pi * np.arange(steps) / steps)
    through = ((1 - spectrum) / (1 - pole * spectrum)) ** order
    settled = np.real(np.fft.ifft(through))
    rest = np.zeros(steps)
    rest[0] = 1.0
    for _ in range(order):
        rest = np.array([rest[t] - sum((1 - pole) * pole ** (t - i - 1) * rest[i] for i in range(t))
                         for t in range(steps)])  # fmt: skip
    return settled, rest


def least_usd(load: np.ndarray, falls: list[np.ndarray], *, usd: tuple[float, float],
              eta: tuple[float, float], window_pu: float, rate_mwh_per_mw: float, room: float, lags: int,
              horizon: int, pole: float, order: int, step_s: float) -> float:  # fmt: skip
    """Least cost of power and energy for which some dispatch leaves a recovery at every slot."""
    k, h, n = len(load), horizon, 2
    n += 2 * k + 1  # charge, discharge, energy at the start
    first = {(c, s): n + (c * k + s) * 2 * h for c in range(len(falls)) for s in range(k)}
    n += len(falls) * k * 2 * h
    settled, rest = responses(order, pole, max(k, h))
    settled = responses(order, pole, k)[0]
    into = np.array([[settled[(a - b) % k] for b in range(k)] for a in range(k)])  # periodic
    own = np.array([[rest[a - b] if a >= b else 0.0 for b in range(h)] for a in range(h)])
    rows: list[np.ndarray] = []
    right: list[float] = []

    def at_most(row: np.ndarray, value: float) -> None:
        rows.append(row)
        right.append(value)

    y, y0 = np.zeros((k, n)), into @ load
    y[:, 2 : 2 + k], y[:, 2 + k : 2 + 2 * k] = into, -into
    stored, flow = np.zeros((k + 1, n)), np.zeros(n)
    stored[0, 2 + 2 * k] = 1.0
    for s in range(k):
        flow = np.zeros(n)
        flow[2 + s], flow[2 + k + s] = step_s * eta[0], -step_s / eta[1]
        stored[s + 1] = stored[s] + flow
    size = np.zeros(n)
    size[1] = 3600.0 * window_pu
    for s in range(k):
        at_most(-stored[s], 0.0)
        at_most(stored[s] - size, 0.0)
        for lag, sign in itertools.product(range(1, lags + 1), (1.0, -1.0)):
            at_most(sign * (y[s] - y[s - lag]), room - sign * (y0[s] - y0[s - lag]))
    for (c, s), at in first.items():
        steps = (s + np.arange(h)) % k
        moved, moved0 = np.zeros((h, n)), -falls[c][steps]
        for t in range(h):
            moved[t, at + t], moved[t, at + h + t] = 1.0, -1.0
            moved[t, 2 + steps[t]] -= 1.0
            moved[t, 2 + k + steps[t]] += 1.0
        after, after0 = y[steps] + own @ moved, y0[steps] + own @ moved0
        energy = stored[s].copy()
        for t in range(h):
            energy = energy.copy()
            energy[at + t] += step_s * eta[0]
            energy[at + h + t] -= step_s / eta[1]
            at_most(-energy, 0.0)
            at_most(energy - size, 0.0)
            for lag, sign in itertools.product(range(1, lags + 1), (1.0, -1.0)):
                past, past0 = y[(s + t - lag) % k], y0[(s + t - lag) % k]
                if t >= lag:
                    past, past0 = after[t - lag], after0[t - lag]
                at_most(sign * (after[t] - past), room - sign * (after0[t] - past0))
    power = np.zeros((n - 3, n))
    columns = [*range(2, 2 + 2 * k), *range(3 + 2 * k, n)]
    power[np.arange(n - 3), columns], power[:, 0] = 1.0, -1.0
    cells = np.zeros(n)
    cells[0], cells[1] = rate_mwh_per_mw, -1.0
    cost = np.zeros(n)
    cost[:2] = usd
    answer = linprog(
        cost, A_ub=np.vstack([*rows, power, cells]), b_ub=np.concatenate([right, np.zeros(n - 3), [0.0]]),
        A_eq=(stored[k] - stored[0])[None, :], b_eq=[0.0], bounds=[(0.0, None)] * n, method="highs",
    )  # fmt: skip
    assert answer.status == 0, answer.message
    return float(answer.fun)


def of_schedule(site: codesign.Site, schedule: Schedule, card: str) -> float:
    """The least storage of one schedule, outer values of the card, every copy that differs."""
    part = catalogue.build(site, "storage", card)
    usd = tuple(
        evaluation.annual_usd(site, name, Size(card, None, 1.0, ""))
        for name in ("storage_power", "storage_energy")
    )
    waves = {row: workload.assignment_mw(site, row) for row in schedule}
    falls: list[np.ndarray] = []
    for row, wave in waves.items():
        idle = workload.idle_mw(site, row)
        if not any(np.array_equal(wave - idle, each) for each in falls):
            falls.append(wave - idle)
    step = site.clock.step_s
    pole = math.exp(-2 * math.pi * 0.1 * step)
    memory = math.ceil(site.poi.filter_order * math.log(20) / -math.log(pole))
    return least_usd(
        np.asarray(sum(waves.values())), falls, usd=(usd[0], usd[1]),
        eta=(part.outer_efficiency_charge, part.outer_efficiency_discharge),
        window_pu=part.high_pu - part.low_pu, rate_mwh_per_mw=part.energy_min_mwh(1.0),
        room=window.room_mw(site), lags=math.floor(5.0 / step), horizon=math.floor(5.0 / step) + memory,
        pole=pole, order=site.poi.filter_order, step_s=step,
    )  # fmt: skip


def schedules(site: codesign.Site) -> list[Schedule]:
    """Every schedule, unlocked jobs where the plan has them."""
    each = []
    for name, job in site.jobs.items():
        places = workload.placements(site, name)
        ways = itertools.combinations_with_replacement(places, job.count)
        each.append([workload.unlocked_places(site, name)] if not job.locked else list(ways))
    made = []
    for chosen in itertools.product(*each):
        rows = [
            workload.assignment(site, name, copy, place)
            for name, places in zip(site.jobs, chosen, strict=True)
            for copy, place in enumerate(places)
        ]
        made.append(Schedule(rows))
    return made


def below_all(seed: int, most: int) -> float:
    """The row's value against the least of so many schedules; how much of it the row is."""
    site = random_site(seed)
    value = folded.least_usd(site, "supercap-row")
    draw = np.random.default_rng(seed)
    all_of_them = schedules(site)
    some = [all_of_them[i] for i in draw.permutation(len(all_of_them))[:most]]
    least = min(of_schedule(site, schedule, "supercap-row") for schedule in some)
    assert value <= least * (1 + 1e-6) + 1e-3
    return value / least if least else 1.0


@pytest.mark.parametrize("seed", range(3))
def test_the_folded_row_is_below_every_schedule(seed: int) -> None:
    below_all(seed, 10)


@pytest.mark.slow
def test_the_folded_row_is_below_every_schedule_of_many_sites() -> None:
    assert np.mean([below_all(seed, 40) for seed in range(50)]) > 0.3


def peaky(step_s: float = 1.0) -> codesign.Site:
    """One job whose top is one second in ten; idle is its low level."""
    phases = [{"name": "top", "share": 0.1, "level_pu": 1.0}, {"name": "low", "share": 0.9, "level_pu": 0.3}]
    job = {"count": 1, "racks": 6, "period_s": 10.0, "phases": phases, "idle_pu": 0.3}
    changes = {"jobs": {"peaky": job}, "clock.step_s": step_s, "clock.macro_s": 10.0,
               "clock.cycle_s": 10.0, "clock.event_slot_s": 10.0, "clock.offset_slot_s": 1.0,
               "poi.allocated_share": 0.02}  # fmt: skip
    return random_site(0).with_(changes)


def test_a_top_of_one_second_needs_less_power_than_its_fall_beyond_the_room() -> None:
    """What a row of power alone asked for: the dispatch prepares, so less will do; the folded row knows."""
    site = peaky()
    schedule = schedules(site)[0]
    least = of_schedule(site, schedule, "supercap-row")
    fall = course.falls(site, schedule)[0].mw.max()
    part = catalogue.build(site, "storage", "supercap-row")
    alone = fall - window.room_mw(site)
    usd = {
        name: evaluation.annual_usd(site, name, Size("supercap-row", None, value, ""))
        for name, value in (("storage_power", alone), ("storage_energy", part.energy_min_mwh(alone)))
    }
    assert alone > 0.1
    assert least < 0.9 * sum(usd.values())
    assert folded.least_usd(site, "supercap-row") == pytest.approx(least, rel=1e-5)
