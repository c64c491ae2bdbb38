"""A job that stops, or comes back, at any moment: every slot and every distinct copy again.

The stop throws the net power off its planned course by x, the storage's change less the fall. The filter is
linear, so the filtered power is the planned one plus the response to x from rest,

    y_t = planned_t + sum_{i <= t} r_{t-i} x_i,      r the response to a jump and back of 1 MW, r_0 = 1

and the best recovery is a linear programme in charge and discharge alone. Slots that a simple recovery holds
are not asked of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import toeplitz
from scipy.optimize import linprog

from codesign import catalogue, window
from codesign.auditing.bank import Bank
from codesign.auditing.hall import Hall
from codesign.auditing.ledger import RELATIVE, Ledger
from codesign.auditing.levels import Wave, power_mw
from codesign.design import Schedule
from codesign.errors import SolverError
from codesign.site import Site
from codesign.workload import Assignment

S_PER_H = 3600.0
Slots = NDArray[np.int64]
REMEMBERED = 0.05
"""A recovery lasts for the window and until the filter, by its order, holds this share of a step."""
SPARE_MW, POWER_MW, ENERGY_MWH = 1e-6, 1e-7, 1e-9
ALIKE_MW = 1e-6


@dataclass(frozen=True, slots=True)
class Planned:
    """The course by step before anything happens: storage power, energy above the least, filtered power."""

    storage_mw: Wave
    stored_mj: Wave
    filtered_mw: Wave


def judge(ledger: Ledger, hall: Hall) -> None:
    """Judge every stop under the recorded dispatch, and every return under the dispatch without the copy."""
    site, plan = hall.site, hall.plan
    table, size = plan.dispatch, hall.value["storage_energy"]
    card = hall.storage
    least_mwh = 0.0 if card is None else card.window_min_pu * card.end_energy_pu * size
    share = table["charge_mw"] - table["discharge_mw"]
    course = _course(site, plan.schedule, share, table["soc_mwh"] - least_mwh)
    seen: set[Assignment] = set()
    for row in plan.schedule:
        if (same := replace(row, copy=0)) not in seen:
            seen.add(same)
            fall = power_mw(site, row) - _idle_mw(site, row)
            _write(ledger, hall, "job_stop", row, _worst_mw(hall, course, fall))
    for row, rest in plan.schedule.one_away():
        _returns(ledger, hall, row, rest, least_mwh)
    ledger.judged.append("a stop, and a return, of every distinct copy at every step of the macro clock")


def _returns(ledger: Ledger, hall: Hall, row: Assignment, rest: Schedule, least_mwh: float) -> None:
    """The recorded dispatch without a copy is possible, and the copy may come back at every step."""
    site, table, place = hall.site, hall.plan.dispatch, f"{row.job} {row.copy} away"
    before = f"away {row.job} {row.copy}."
    soc = table.get(f"{before}soc_mwh")
    if soc is None:
        ledger.breach("job_restart", place, "not recorded", "a dispatch without the copy")
        return
    none = np.zeros(len(soc))
    shares = [table[name] for name in table if name.startswith(before) and not name.endswith(".soc_mwh")]
    charge = np.sum([none, *(np.maximum(each, 0.0) for each in shares)], axis=0)
    discharge = np.sum([none, *(np.maximum(-each, 0.0) for each in shares)], axis=0)
    power, energy = hall.value["storage_power"], hall.value["storage_energy"]
    most = float(np.maximum(charge, discharge).max())
    ledger.at_most("storage_power", place, most, power, "MW", POWER_MW)
    if hall.storage is not None:
        bank, step_s = Bank(hall.storage, energy), site.clock.step_s
        within = max(ENERGY_MWH, RELATIVE * energy)
        net, held = (charge - discharge).tolist(), soc.tolist()
        after = [bank.after_mwh(held[k], net[k], step_s) for k in range(len(held))]
        missing = max(abs(after[k] - held[(k + 1) % len(held)]) for k in range(len(held)))
        ledger.at_most("storage_balance", place, missing, 0.0, "MWh", within)
        ledger.at_least("storage_energy", place, min(held), bank.low_mwh, "MWh", within)
        ledger.at_most("storage_energy", place, max(held), bank.high_mwh, "MWh", within)
    course = _course(site, rest, charge - discharge, soc - least_mwh)
    back = _idle_mw(site, row) - power_mw(site, row)
    _write(ledger, hall, "job_restart", row, _worst_mw(hall, course, back))


def _write(ledger: Ledger, hall: Hall, limit: str, row: Assignment, spares: dict[int, float]) -> None:
    """Write down the least spare of a copy, and every slot at which it was found."""
    for slot, spare in spares.items():
        at_s = slot * hall.site.clock.step_s
        ledger.least(limit, f"{row.job} {row.copy}", spare, 0.0, "MW", SPARE_MW, time_s=at_s)


def _idle_mw(site: Site, row: Assignment) -> float:
    """Return the power of a stopped copy."""
    job, rack = site.jobs[row.job], catalogue.build(site, "rack", site.pods[row.pod].rack)
    return float(job.racks * rack.nominal_kw / 1e3 * job.idle_pu * job.plateau_pu)


def _course(site: Site, schedule: Schedule, storage_mw: Wave, above_mwh: Wave) -> Planned:
    net = np.sum([storage_mw, *(power_mw(site, row) for row in schedule)], axis=0)
    pole = math.exp(-2 * math.pi * site.poi.band_hz[0] * site.clock.step_s)
    omega = np.exp(-2j * np.pi * np.arange(len(net) // 2 + 1) / len(net))
    through = ((1 - omega) / (1 - pole * omega)) ** site.poi.filter_order
    filtered = np.fft.irfft(np.fft.rfft(net) * through, len(net))
    return Planned(storage_mw, np.maximum(S_PER_H * above_mwh, 0.0), filtered)


def _response(site: Site) -> Wave:
    """Return y of 1 MW in the first step alone, for as long as a recovery lasts."""
    pole = math.exp(-2 * math.pi * site.poi.band_hz[0] * site.clock.step_s)
    memory = math.ceil(site.poi.filter_order * math.log(REMEMBERED) / math.log(pole) - 1e-9)
    y = np.zeros(math.floor(site.poi.window_s / site.clock.step_s + 1e-9) + memory)
    y[0] = 1.0
    for _ in range(site.poi.filter_order):
        late, last = 0.0, 0.0
        for t, value in enumerate(y.tolist()):
            last, late = pole * last + value - late, value
            y[t] = last
    return y


def _worst_mw(hall: Hall, course: Planned, fall: Wave) -> dict[int, float]:
    """Return by slot the room that the best recovery leaves: of the slots that may be the worst."""
    slots: Slots = np.arange(len(fall), dtype=np.int64)
    jump = _beyond(hall.site, course, slots, course.filtered_mw - fall)
    left = slots[np.lexsort((slots, -np.round(jump, 6)))]
    room, found = window.room_mw(hall.site), dict[int, float]()
    part, left = left[:1], left[1:]
    while len(part):
        for slot in part.tolist():
            spare = _spare_mw(hall, course, fall, slot)
            found[slot] = 0.0 if abs(spare) <= 0.5 * ALIKE_MW else spare
        left = left[~_held(hall, course, fall, left, room - round(min(found.values()), 6))]
        part, left = left[:32], left[32:]
    return found


def _lags(site: Site) -> int:
    return math.floor(site.poi.window_s / site.clock.step_s + 1e-9)


def _beyond(site: Site, course: Planned, slots: Slots, y: Wave) -> Wave:
    """Return how far a value at each slot lies from the farthest of the window before it."""
    past = course.filtered_mw[(slots[:, None] - 1 - np.arange(_lags(site))) % len(course.filtered_mw)]
    return np.maximum(past.max(axis=1) - y, y - past.min(axis=1))


def _held(hall: Hall, course: Planned, fall: Wave, slots: Slots, room: float) -> NDArray[np.bool_]:
    """Return at which slots the storage keeps a room by resting, or by its plan, wherever it may."""
    site, response, count = hall.site, _response(hall.site), len(fall)
    lags, h = _lags(site), site.clock.step_s
    power, (usable, into, out) = hall.value["storage_power"], _store(hall)
    held = np.zeros(len(slots), bool)
    for keep in (0.0, 1.0):
        stored, well = course.stored_mj[slots].copy(), np.ones(len(slots), bool)
        moved, y = np.zeros((len(slots), len(response))), np.zeros((len(slots), len(response) + lags))
        y[:, :lags] = course.filtered_mw[(slots[:, None] - lags + np.arange(lags)) % count]
        for t in range(len(response)):
            k = (slots + t) % count
            known = course.filtered_mw[k] + moved[:, :t] @ response[t:0:-1] - fall[k] - course.storage_mw[k]
            last = y[:, t : t + lags]
            low = np.maximum(last.max(axis=1) - room - known, -np.minimum(power, stored / (h * out)))
            most = np.minimum(power, (usable - stored) / (h * into))
            high = np.minimum(last.min(axis=1) + room - known, most)
            well &= low <= high + 1e-10
            own = np.clip(keep * course.storage_mw[k], low, np.maximum(low, high))
            stored = stored + h * np.where(own > 0.0, into, out) * own
            stored = np.clip(stored, 0.0, usable)
            moved[:, t] = own - course.storage_mw[k] - fall[k]
            y[:, t + lags] = known + own
        held |= well
    return held


def _store(hall: Hall) -> tuple[float, float, float]:
    """Return the usable energy, and what one MJ in, or out, moves it by [MJ]."""
    card = hall.storage
    if card is None:
        return 0.0, 1.0, 1.0
    window_pu = (card.window_max_pu - card.window_min_pu) * card.end_energy_pu
    usable = S_PER_H * window_pu * hall.value["storage_energy"]
    return usable, card.efficiency_charge, 1.0 / card.efficiency_discharge


def _spare_mw(hall: Hall, course: Planned, fall: Wave, slot: int) -> float:
    """Return the room that the best recovery of one stop leaves, negative where none keeps the rule."""
    site, response = hall.site, _response(hall.site)
    n, lags, h, count = len(response), _lags(site), site.clock.step_s, len(fall)
    k = (slot + np.arange(n)) % count
    power, (usable, into, out) = hall.value["storage_power"], _store(hall)
    spread = toeplitz(response, np.zeros(n))
    base = course.filtered_mw[k] - spread @ (course.storage_mw[k] + fall[k])
    before = course.filtered_mw[(slot - lags + np.arange(lags)) % count]
    base, spread = np.concatenate([before, base]), np.vstack([np.zeros((lags, n)), spread])
    late = np.tile(np.arange(lags, lags + n), lags)
    early = late - np.repeat(np.arange(1, lags + 1), n)
    difference, known = spread[late] - spread[early], base[late] - base[early]
    one = np.ones((len(late), 1))
    rows = [np.hstack([difference, -difference, -one]), np.hstack([-difference, difference, -one])]
    flow = h * np.tril(np.ones((n, n)))
    energy = np.hstack([into * flow, -out * flow, np.zeros((n, 1))])
    stored, room = min(course.stored_mj[slot], usable), window.room_mw(site)
    right = [room - known, room + known, np.full(n, usable - stored), np.full(n, stored)]
    answer = linprog(
        np.concatenate([np.zeros(2 * n), [1.0]]), A_ub=np.vstack([*rows, energy, -energy]),
        b_ub=np.concatenate(right), bounds=[(0.0, power)] * (2 * n) + [(None, None)],
    )  # fmt: skip
    if answer.status != 0 or answer.fun is None:
        raise SolverError(f"audit of stops: {answer.message}")
    return -float(answer.fun)
