"""The macro clock again: waveforms from the schedule, the recorded storage dispatch, limits at the POI.

Jobs that may shift against the rest (jitter, or no common clock) count at their worst shift, each lagged
difference for itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from codesign import climate, window
from codesign.auditing import stops
from codesign.auditing.bank import Bank
from codesign.auditing.hall import Hall
from codesign.auditing.ledger import Ledger
from codesign.auditing.levels import Wave, power_mw
from codesign.design import Plan
from codesign.site import Site

S_PER_H = 3600.0
S_PER_YEAR = 8760.0 * S_PER_H
POWER_MW, ENERGY_MWH = 1e-7, 1e-9  # tolerances of a linear programme's answer
RELATIVE = 1e-7  # of the nameplate energy


@dataclass(frozen=True, slots=True)
class Stream:
    """Power that moves as one, and by how many steps it may be late against the rest (None: any)."""

    name: str
    power_mw: Wave
    shift_steps: float | None


def streams(site: Site, plan: Plan) -> list[Stream]:
    """Return what can shift against what: the locked jobs together, every other copy alone."""
    steps = round(site.clock.macro_s / site.clock.step_s)
    together, alone = np.zeros(steps), []
    for row in plan.schedule:
        job, power = site.jobs[row.job], power_mw(site, row)
        if job.locked and job.jitter_s == 0:
            together = together + power
            continue
        shift = job.jitter_s / site.clock.step_s if job.locked else None
        alone.append(Stream(f"{row.job}_{row.copy}", power, shift))
    return [Stream("locked", together, 0), *alone]


def high_passed(wave: Wave, site: Site) -> Wave:
    """Return a periodic wave behind the rule's high-pass y_k = a y_{k-1} + v_k - v_{k-1}, settled."""
    a = math.exp(-2 * math.pi * site.poi.band_hz[0] * site.clock.step_s)
    for _ in range(site.poi.filter_order):
        values, out, y = wave.tolist(), [0.0] * len(wave), 0.0
        turns = 2 + math.ceil(math.log(1e-15) / (len(wave) * math.log(a)))
        for _ in range(turns):
            for k in range(len(values)):
                y = a * y + values[k] - values[k - 1]
                out[k] = y
        wave = np.array(out)
    return wave


def judge(ledger: Ledger, hall: Hall, claims: bool) -> None:
    """Judge the dispatch of the storage, then window rule, interconnection and contract."""
    site, plan = hall.site, hall.plan
    if not _dispatched(ledger, hall):
        return
    found = streams(site, plan)
    nets = _nets(ledger, plan, found)
    if nets is None:
        return
    limit = window.room_mw(site)
    if site.poi.window_s:
        _window(ledger, "poi_window", "poi", _widest(site, found, nets), hall, limit)
        stops.judge(ledger, hall)
    _one_away(ledger, hall, limit)
    ledger.judged.append("window rule and interconnection on the waveform, storage dispatch")
    if claims:
        highest = float(np.max(sum(_worst(net, stream) for net, stream in zip(nets, found, strict=True))))
        _poi(ledger, hall, highest)


def _one_away(ledger: Ledger, hall: Hall, limit: float) -> None:
    """With any one copy away, the recorded shares of the storage are possible and keep the window rule."""
    if not hall.site.poi.one_job_absent or not hall.site.poi.window_s:
        return
    for row, rest in hall.plan.schedule.one_away():
        if not row.locked:
            continue  # its worst lagged difference is above zero: without it the rest is calmer
        place = f"poi, {row.job} {row.copy} away"
        parts = streams(hall.site, replace(hall.plan, schedule=rest))
        names = [f"away {row.job} {row.copy}.{part.name}" for part in parts]
        shares = [
            hall.plan.dispatch[name] if name in hall.plan.dispatch else np.zeros(len(parts[0].power_mw))
            for name in names
        ]
        power = float(sum(np.max(np.abs(share)) for share in shares))
        ledger.at_most("storage_power", place, power, hall.value["storage_power"], "MW", POWER_MW)
        _stored(ledger, hall, shares, place)
        nets = [part.power_mw + share for part, share in zip(parts, shares, strict=True)]
        _window(ledger, "poi_window_one_away", place, _widest(hall.site, parts, nets), hall, limit)


def _stored(ledger: Ledger, hall: Hall, shares: list[Wave], place: str) -> None:
    """Shares of the storage (charge less discharge) end where they began, within its window.

    With a series resistance: all together as they stand, and what each swings at constant efficiencies.
    """
    card, size, step = hall.storage, hall.value["storage_energy"], hall.site.clock.step_s
    if card is None:
        return
    usable, swings = (card.window_max_pu - card.window_min_pu) * card.end_energy_pu * size, 0.0
    for share in shares:
        rate = card.efficiency_charge * np.maximum(share, 0.0)
        rate = rate - np.maximum(-share, 0.0) / card.efficiency_discharge
        stored = np.concatenate([[0.0], np.cumsum(rate) * step / S_PER_H])
        if card.time_constant_s:
            stored = stored - np.linspace(0.0, stored[-1], len(stored))
        ledger.at_most("storage_dispatch", f"{place}, a period", abs(stored[-1]), 0.0, "MWh", ENERGY_MWH)
        swings += float(np.ptp(stored))
    if len(shares) > 1 or not card.time_constant_s:
        ledger.at_most("storage_energy", place, swings, usable, "MWh", ENERGY_MWH)
    if card.time_constant_s:
        bank = Bank(card, size)
        course = bank.periodic_mwh(np.sum(shares, axis=0).tolist(), step)
        within = max(ENERGY_MWH, RELATIVE * size)
        turn = abs(course[-1] - course[0])
        ledger.at_most("storage_dispatch", f"{place}, a period", turn, 0.0, "MWh", within)
        ledger.at_least("storage_energy", place, min(course), bank.low_mwh, "MWh", within)
        ledger.at_most("storage_energy", place, max(course), bank.high_mwh, "MWh", within)


def _window(ledger: Ledger, limit: str, place: str, widest: Wave, hall: Hall, room_mw: float) -> None:
    """Judge the widest lagged difference from each step on; a row of its own for each moment."""
    step_s = hall.site.clock.step_s
    for k in np.flatnonzero(widest >= widest.max() - 1e-6).tolist():
        ledger.most(limit, place, float(widest[k]), room_mw, "MW", 1e-6, time_s=k * step_s)


def _widest(site: Site, parts: list[Stream], nets: list[Wave]) -> Wave:
    """Return the widest lagged difference behind the high-pass from each step on, streams at their worst."""
    filtered, widest = [high_passed(net, site) for net in nets], np.zeros(len(nets[0]))
    for lag in range(1, math.floor(site.poi.window_s / site.clock.step_s + 1e-9) + 1):
        for sign in (1.0, -1.0):
            change = sum(
                _worst(sign * (np.roll(y, -lag) - y), part) for y, part in zip(filtered, parts, strict=True)
            )
            widest = np.maximum(widest, change)
    return widest


def _worst(wave: Wave, stream: Stream) -> Wave:
    """Return the largest of a stream's shifted waves, step by step."""
    if stream.shift_steps is None:
        return np.full(len(wave), wave.max())
    whole, part = divmod(stream.shift_steps + 1e-9, 1.0)
    found = [np.roll(wave, shift) for shift in range(int(whole) + 2)]
    late = (1 - part) * found[int(whole)] + part * found[int(whole) + 1]
    return np.max([*found[: int(whole) + 1], late], axis=0)


def _nets(ledger: Ledger, plan: Plan, found: list[Stream]) -> list[Wave] | None:
    """Return every stream with its share of the storage."""
    charge, discharge = plan.dispatch["charge_mw"], plan.dispatch["discharge_mw"]
    shared = any(name.startswith("charge_mw.") for name in plan.dispatch)
    if not shared or not (charge.any() or discharge.any()):
        return [stream.power_mw + (charge - discharge if i == 0 else 0.0) for i, stream in enumerate(found)]
    nets, rest = [], charge - discharge
    for stream in found:
        names = f"charge_mw.{stream.name}", f"discharge_mw.{stream.name}"
        there = set(names) & plan.dispatch.keys()
        if len(there) == 1:
            ledger.breach("storage_dispatch", stream.name, "not recorded", "charge and discharge, or neither")
            return None
        share = plan.dispatch[names[0]] - plan.dispatch[names[1]] if there else np.zeros(len(charge))
        nets.append(stream.power_mw + share)
        rest = rest - share
    ledger.at_most("storage_dispatch", "sum of the shares", float(np.max(np.abs(rest))), 0.0, "MW", POWER_MW)
    return nets


def _dispatched(ledger: Ledger, hall: Hall) -> bool:
    """Judge power, energy, balance and cycle life of the recorded dispatch; return whether it can be used."""
    site, table, step = hall.site, hall.plan.dispatch, hall.site.clock.step_s
    steps = round(site.clock.macro_s / step)
    needed = ("time_s", "charge_mw", "discharge_mw", "soc_mwh")
    if not set(needed) <= table.keys() or list(table["time_s"]) != [k * step for k in range(steps)]:
        ledger.breach("storage_dispatch", "time_s", "differs", f"{steps} steps of {step:g} s")
        return False
    charge, discharge, soc = (table[name].tolist() for name in needed[1:])
    power, energy = hall.value["storage_power"], hall.value["storage_energy"]
    if hall.storage is None:
        ledger.at_most("storage_power", "storage", max(*charge, *discharge), 0.0, "MW", POWER_MW)
        return True
    card = hall.storage
    bank, within = Bank(card, energy), max(ENERGY_MWH, RELATIVE * energy)
    ledger.at_least("storage_power", "storage", min(*charge, *discharge), 0.0, "MW", POWER_MW)
    for k in range(steps):
        at: dict[str, Any] = {"row": "storage", "time_s": k * step}
        place = f"storage, {k * step:g} s"
        ledger.most("storage_charge", place, charge[k], power, "MW", POWER_MW, **at)
        ledger.most("storage_discharge", place, discharge[k], power, "MW", POWER_MW, **at)
        ledger.least("storage_energy_low", place, soc[k], bank.low_mwh, "MWh", within, **at)
        ledger.most("storage_energy_high", place, soc[k], bank.high_mwh, "MWh", within, **at)
    for k in range(steps):
        place = f"{k * step:g} s"
        if bank.lossy:
            gained = bank.after_mwh(soc[k], charge[k] - discharge[k], step) - soc[k]
            carried = bank.most_mw(soc[k])
            ledger.most(
                "storage_voltage", place, discharge[k], carried, "MW", POWER_MW,
                row="storage", time_s=k * step,
            )  # fmt: skip
        else:
            given = discharge[k] / card.fixed_efficiency_discharge
            gained = (card.fixed_efficiency_charge * charge[k] - given) * step / S_PER_H
        missing = abs(soc[(k + 1) % steps] - soc[k] - gained)
        ledger.at_most("storage_balance", place, missing, 0.0, "MWh", within)
    a_year = sum(discharge) * step / S_PER_H * S_PER_YEAR / site.clock.macro_s
    worn = a_year * card.calendar_life_years / card.cycle_life_efc
    ledger.least("storage_rate", "storage", energy, float(card.energy_min_mwh(power)), "MWh", ENERGY_MWH)
    ledger.most("storage_life", "storage", worn, energy, "MWh", 1e-6 * energy + ENERGY_MWH)
    return True


def metering_excess_mw(hall: Hall) -> float:
    """Return by how much the highest mean over a metering window is above the mean, every window tried."""
    site, step = hall.site, hall.site.clock.step_s
    steps, length = round(site.clock.macro_s / step), 60 * site.energy.metering_window_min / step
    found = streams(site, hall.plan)
    nets = _nets(Ledger(), hall.plan, found)
    if nets is None or abs(length / steps - round(length / steps)) < 1e-9 * max(1.0, length / steps):
        return 0.0
    turns = math.ceil(length / steps) + 2
    whole, part = divmod(length, 1.0)
    most = -math.inf
    for early in (True, False):  # the part of a step at the end of the window, or at its beginning
        means = []
        for net in nets:
            course = np.tile(net, turns)
            total = np.concatenate([[0.0], np.cumsum(course)])
            begin = np.arange(steps) + (0 if early else 1)
            inside = total[begin + int(whole)] - total[begin]
            edge = course[begin + int(whole)] if early else course[begin - 1]
            means.append((inside + part * edge) / length)
        worst = sum(_worst(mean, stream) for mean, stream in zip(means, found, strict=True))
        most = max(most, float(np.max(worst)))
    return max(most - sum(float(net.mean()) for net in nets), 0.0)


def _poi(ledger: Ledger, hall: Hall, highest_mw: float) -> None:
    """Judge interconnection at every instant, contract on the metering window's means, hour by hour."""
    site, hours = hall.site, hall.plan.hours
    charge, discharge = hall.plan.dispatch["charge_mw"], hall.plan.dispatch["discharge_mw"]
    card = hall.storage
    at_rest = 0.0
    if card is not None:
        at_rest = card.no_load_pu * hall.value["storage_power"]
        at_rest += card.leakage_pu_per_h * hall.value["storage_energy"]
    loss = sum((charge - discharge).tolist()) / len(charge) + at_rest
    contract, excess = hall.value["contract"], metering_excess_mw(hall)
    for h in range(hours.rows):
        place = f"{hours['date'][h]} {climate.clock(hours['hour_of_day'][h])}"
        ledger.same("storage_loss_mw", place, float(hours["storage_loss_mw"][h]), loss, "MW", POWER_MW)
        other = (
            hall.racks.leakage_mw
            + hall.racks.idle_mw
            + float(hours["mechanical_mw"][h])
            + float(hours["transformer_loss_mw"][h])
        )
        peak = highest_mw + at_rest + other
        ledger.same("poi_peak_mw", place, float(hours["poi_peak_mw"][h]), peak, "MW", 1e-6)
        ledger.most("interconnection", place, peak, site.poi.interconnection_limit_mw, "MW", 1e-6, row="poi")
        drawn = float(hours["poi_mw"][h]) + excess
        ledger.most("contract", f"{place}, poi", drawn, contract, "MW", 1e-6)
