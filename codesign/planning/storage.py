"""Fast storage in the plan: sizes, and a dispatch over the macro clock against the window rule and the line.

With steady locked jobs the shared dispatch is exact. Under jitter or with unlocked jobs the same rows hold
for the mean course of a causal controller (`outer`), and a plan needs the restriction by streams as well
(`inner`), for a schedule already chosen.

A storage whose loss follows its power (`codesign.components.storage`) has no exact linear row: its outer
values (the converter's efficiency, the whole window) make the rows of the bound, its inner values those of a
plan.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from codesign import catalogue, evaluation, metering, realising, smoothing, streams, window
from codesign.components.storage import Storage
from codesign.design import Schedule, Size, Sizes
from codesign.planning import folded
from codesign.planning.covering import Course, Placed
from codesign.planning.menus import amount_menu
from codesign.planning.rows import Rows
from codesign.planning.schedule import Offsets
from codesign.site import Site
from codesign.sizing import amounts
from codesign.timing import spent

LEARNED_PU = 1e-3
"""Efficiencies that differ by less are the same."""
Efficiencies = Mapping[str, tuple[float, float]]

@dataclass(frozen=True, slots=True)
class FastStorage:
    """Sizes by card, the mean loss and the highest power of jobs and storage together [MW]."""

    card: dict[str | None, Any]
    power_mw: dict[str | None, Any]
    energy_mwh: dict[str | None, Any]
    loss_mw: Any
    peak_mw: Any
    metering_mw: Any = 0.0
    """By how much the meter reads more than the mean."""
    course: Course | None = None
    """The planned course whose states a stop meets."""


@spent("build")
def plan(
    rows: Rows, site: Site, offsets: Offsets, fixed: dict[str, Any], given: Schedule | None,
    real: Efficiencies | None = None,
) -> FastStorage:  # fmt: skip
    """Add sizes and dispatch; a given schedule with jobs that shift adds the rows by streams.

    `real` holds the efficiencies, charge and discharge, that a storage had in its real course, by card: inner
    rows take them in the place of the card's inner values.
    """
    menu, power, energy = _sizes(rows, site, fixed)
    if given is None:
        _stops(rows, site, menu, power, energy, site)
    cards = list(power)
    parts = streams.of(site, given) if given is not None else None
    steady_jobs = all(job.locked and job.jitter_s == 0.0 for job in site.jobs.values())
    linear = not lawful(site, cards)
    if linear:
        add = rows.exact if steady_jobs else rows.outer
    else:
        add = rows.inner if steady_jobs and parts is not None else rows.outer
    net, loss, stored = _dispatch(
        rows, site, offsets.power_mw, cards, power, energy, add, "storage", real=real
    )  # fmt: skip
    y = _filtered(rows, site, net, add, "poi_filter")
    _window(rows, site, y[-1], add)
    course = Course(offsets.power_mw, [Placed((0,), stored, net, y)])
    peak = rows.amount("job_peak_mw", None)
    for p in net:
        add("job_peak", peak >= p)
    metered = _metered(rows, site, net, add)
    if parts is not None and not steady_jobs:
        loss, course = _by_streams(rows, site, parts, cards, power, energy, peak, real)
    rest = _standby(rows, site, power, energy)
    return FastStorage(menu.picks, power, energy, loss + rest, peak + rest, metered, course)


def lawful(site: Site, cards: Iterable[str | None]) -> bool:
    """Whether the loss of a storage among these follows its power."""
    return any(catalogue.build(site, "storage", card).time_constant_s > 0.0 for card in cards if card)


def learn(
    site: Site, real: dict[str, tuple[float, float]], card: str, now: tuple[float, float] | None
) -> bool:
    """Keep the efficiencies of a storage's real course; return whether they differ from those known."""
    part = catalogue.build(site, "storage", card)
    known = real.get(card, (part.efficiency_charge, part.efficiency_discharge))
    if now is None or max(abs(a - b) for a, b in zip(known, now, strict=True)) <= LEARNED_PU:
        return False
    real[card] = now
    return True


def learned(site: Site, real: dict[str, tuple[float, float]], sizes: Sizes, schedule: Schedule) -> bool:
    """Keep the efficiencies that a plan's storage had in its real course; return whether they are news."""
    power, energy = sizes["storage_power"], sizes["storage_energy"]
    if power.card is None:
        return False
    now = evaluation.dispatch(site, schedule, power.card, power.value, energy.value).efficiency
    return learn(site, real, power.card, now)


def _standby(rows: Rows, site: Site, power: dict[Any, Any], energy: dict[Any, Any]) -> Any:
    """Power that the storages draw whatever they do [MW]."""
    rest = rows.amount("storage_standby_mw")
    drawn = [catalogue.build(site, "storage", card).standby_mw(power[card], energy[card]) for card in power]
    rows.exact("storage_standby", rest == sum(drawn))
    return rest


@spent("build")
def also(
    rows: Rows, site: Site, schedule: Schedule, fast: FastStorage, real: Efficiencies | None = None
) -> Course:
    """Add a further course on which the same storage must keep the window rule, dispatched for it."""
    parts = streams.of(site, schedule)
    cards = [card for card in fast.power_mw if card is not None]
    if any(part.shift_steps != 0 for part in parts):
        peak = rows.amount("also_peak_mw", None)
        return _by_streams(rows, site, parts, cards, fast.power_mw, fast.energy_mwh, peak, real)[1]
    load = [float(p) for p in parts[0].power_mw]
    net, _, stored = _dispatch(rows, site, load, cards, fast.power_mw, fast.energy_mwh, rows.inner, "also",
                               real=real)  # fmt: skip
    y = _filtered(rows, site, net, rows.inner, "also_filter")
    _window(rows, site, y[-1], rows.inner, "also_window")
    return Course(load, [Placed((0,), stored, net, y)])


def without_dispatch(
    rows: Rows, site: Site, fixed: dict[str, Any], *, loss_mw: float, peak_mw: float,
    metering_mw: float = 0.0, of: Site | None = None,
) -> FastStorage:  # fmt: skip
    """Add the sizes alone, beside a mean loss and a highest power that are given.

    A relaxation of every schedule at no loss and the jobs' mean power: all turns of a schedule average to it.
    With the site `of` whose mixes all are bounded, the sizes cost at least what the stop of a job asks for.
    """
    menu, power, energy = _sizes(rows, site, fixed)
    if of is not None:
        _stops(rows, site, menu, power, energy, of)
    rest = _standby(rows, site, power, energy)
    return FastStorage(menu.picks, power, energy, loss_mw + rest, peak_mw + rest, metering_mw)


def _sizes(rows: Rows, site: Site, fixed: dict[str, Any]) -> tuple[Any, dict[Any, Any], dict[Any, Any]]:
    """Menu of cards, power and energy by card, and what they must hold whatever the schedule is."""
    options = cards(site, fixed)
    menu = rows.menu("storage_card", options)
    names = [card for card in options if card is not None]
    power = {
        card: amount_menu(rows, site, "storage_power", card, fixed, pick=menu.picks[card]) for card in names
    }
    energy = {
        card: amount_menu(rows, site, "storage_energy", card, fixed, pick=menu.picks[card]) for card in names
    }
    for card in names:
        part = catalogue.build(site, "storage", card)
        rows.exact("storage_rate", energy[card] >= part.energy_min_mwh(power[card]))
    return menu, power, energy


def _stops(
    rows: Rows, site: Site, menu: Any, power: dict[Any, Any], energy: dict[Any, Any], of: Site
) -> None:
    """The folded row: what storage costs is at least what a stop at any moment asks for, thousand USD."""
    least = {card: folded.least_usd(of, card) for card in power}
    if not any(least.values()):
        return
    cost = sum(
        evaluation.annual_usd(site, name, Size(card, None, 1.0, "")) * columns[card]
        for name, columns in (("storage_power", power), ("storage_energy", energy))
        for card in power
    )
    asked = sum(usd * menu.picks[card] for card, usd in least.items())
    if None in menu.picks:
        asked = asked + min(least.values()) * menu.picks[None]
    rows.outer("job_stop", 1e-3 * (cost - asked) >= 0.0)


def cards(site: Site, fixed: dict[str, Any]) -> list[str | None]:
    """Return the storages to choose from, None for none of them."""
    if "storage_power.card" in fixed:
        return [fixed["storage_power.card"]]
    own: list[str | None] = [None] if _may_be_absent(site, fixed) else []
    return [*own, *site.equipment.storage.cards]


def _may_be_absent(site: Site, fixed: dict[str, Any]) -> bool:
    for name in ("storage_power", "storage_energy"):
        options = [fixed[f"{name}.value"]] if f"{name}.value" in fixed else amounts(site, name)
        if (options[0] if isinstance(options, tuple) else min(options)) > 0.0:
            return False
    return True


def _dispatch(rows: Rows, site: Site, load: list[Any], cards: list[str], power: dict[Any, Any],
              energy: dict[Any, Any], add: Any, name: str, calm: Any = None,
              at_rest: dict[str, dict[Any, Any]] | None = None, real: Efficiencies | None = None,
              ) -> tuple[list[Any], Any, dict[str, list[Any]]]:  # fmt: skip
    """Charge, discharge, energy (MJ above the least), periodic: net power by step, mean loss, the energy.

    At calm steps within the power and energy of `at_rest`. Rows that make a plan take a storage's inner
    values, rows of a bound its outer ones.
    """
    steps, step_s, inner = len(load), site.clock.step_s, add == rows.inner
    net, loss, kept = list(load), 0.0, dict[str, list[Any]]()
    for card in cards:
        part = catalogue.build(site, "storage", card)
        charge, discharge, stored = (
            [rows.amount(f"{name}_{what}") for _ in range(steps)]
            for what in ("charge_mw", "discharge_mw", "soc_mj")
        )
        usable = part.soc_max_pu - part.soc_min_pu if inner else part.high_pu - part.low_pu
        taken, given = _efficiencies(part, inner, (real or {}).get(card))
        own = inner and part.time_constant_s > 0.0
        rating = (1.0 - realising.TRIM_PU if own else 1.0) * power[card]
        kept[card] = stored
        for k in range(steps):
            if calm is not None and calm[k] and at_rest is not None:
                add(f"{name}_calm", charge[k] <= at_rest["power"][card])
                add(f"{name}_calm", discharge[k] <= at_rest["power"][card])
                add(f"{name}_calm", stored[k] <= smoothing.S_PER_H * usable * at_rest["energy"][card])
            add(f"{name}_power", charge[k] <= rating)
            add(f"{name}_power", discharge[k] <= rating)
            add(f"{name}_energy", stored[k] <= smoothing.S_PER_H * usable * energy[card])
            flow = step_s * (taken * charge[k] - discharge[k] / given)
            add(f"{name}_balance", stored[(k + 1) % steps] - stored[k] == flow)
            behind = rows.amount(f"{name}_net_mw", None)
            add(f"{name}_net", behind == net[k] + charge[k] - discharge[k])
            net[k] = behind
        periods = smoothing.H_PER_YEAR * smoothing.S_PER_H / (steps * step_s)
        used = 1.0 - (smoothing.LIFE_ROOM if own else 0.0)
        allowed_mj = used * part.throughput_max_mwh_per_year(smoothing.S_PER_H * energy[card]) / periods
        add(f"{name}_life", step_s * sum(discharge) <= allowed_mj)
        lost = rows.amount(f"{name}_loss_mw", None)
        add(f"{name}_loss", steps * lost == sum(charge) - sum(discharge))
        loss = loss + lost
    return net, loss, kept


def _efficiencies(part: Storage, inner: bool, real: tuple[float, float] | None) -> tuple[float, float]:
    if inner and part.time_constant_s > 0.0 and real is not None:
        return real
    if inner:
        return part.efficiency_charge, part.efficiency_discharge
    return part.outer_efficiency_charge, part.outer_efficiency_discharge


def _metered(rows: Rows, site: Site, net: list[Any], add: Any) -> Any:
    """By how much the highest mean over a metering window is above the mean, wherever the window begins."""
    rest, steps = metering.rest_steps(site), len(net)
    if not rest:
        return 0.0
    share = rest / metering.window_steps(site)
    until = [rows.amount("metering_until_mw", None) for _ in range(steps + 1)]  # integral, in steps
    add("metering_until", until[0] == 0.0)
    for k in range(steps):
        add("metering_until", until[k + 1] == until[k] + net[k])

    def at(moment: float) -> Any:
        turns, left = divmod(moment, steps)
        k = min(int(left), steps - 1)
        return turns * until[steps] + until[k] + (left - k) * net[k]

    excess = rows.amount("metering_mw")
    for k in range(steps):
        for begin in (float(k), k - rest):
            over = at(begin + rest) - at(begin)
            add("metering", excess >= share * (over / rest - until[steps] / steps))
    return excess


def _filtered(rows: Rows, site: Site, net: list[Any], add: Any, name: str) -> list[list[Any]]:
    """The rule's high-pass, periodic: y_k = a y_{k-1} + p_k - p_{k-1}; the columns after each order."""
    a, made = window.high_pass_coefficient(site), []
    for _ in range(site.poi.filter_order):
        out = [rows.amount(f"{name}_mw", None) for _ in net]
        for k in range(len(net)):
            add(name, out[k] == a * out[k - 1] + net[k] - net[k - 1])
        net = out
        made.append(out)
    return made


def _window(rows: Rows, site: Site, y: list[Any], add: Any, name: str = "poi_window") -> None:
    """All lags within the rule's window."""
    limit, steps = window.room_mw(site), len(y)
    for lag in range(1, window.steps(site) + 1):
        for k in range(steps):
            change = y[(k + lag) % steps] - y[k]
            add(name, (-limit, change, limit))


def _by_streams(rows: Rows, site: Site, parts: tuple[streams.Stream, ...], cards: list[str],
                power: dict[Any, Any], energy: dict[Any, Any], peak: Any,
                real: Efficiencies | None = None) -> tuple[Any, Course]:  # fmt: skip
    """A dispatch that follows each stream's own phase, and the envelopes of level and lagged difference.

    Returns the mean loss and the course with every stream where it is planned.
    """
    total = streams.together(parts, [part.power_mw for part in parts], len(parts[0].power_mw))
    placed: list[Placed] = []
    owning = [i for i, part in enumerate(parts) if part.own]
    cases = streams.met(site, parts)
    shares = {
        (what, card, i): rows.amount(f"share_{what}")
        for what in ("power", "energy", "calm_power", "calm_energy")
        for card in cards
        for i in owning
    }
    for card, case, (what, size) in itertools.product(cards, cases, (("power", power), ("energy", energy))):
        busy = sum(case[i] * shares[what, card, i] for i in owning)
        calm = sum((parts[i].count - case[i]) * shares[f"calm_{what}", card, i] for i in owning)
        rows.inner(f"share_{what}_sum", busy + calm <= size[card])
    loss: Any = 0.0
    level: list[Any] = [0.0] * len(parts[0].power_mw)
    fixed: dict[tuple[int, int, int], Any] = {}
    worst: dict[tuple[int, int, int], tuple[list[Any], Any]] = {}
    for part in parts:
        if not part.own:
            _known(site, part, level, fixed)
            bare = [y.tolist() for y in window.high_pass_orders(part.power_mw, site)]
            placed.append(Placed((0,), {}, part.power_mw.tolist(), bare))
    for i in owning:
        part = parts[i]
        own = {what: {card: shares[what, card, i] for card in cards} for what in ("power", "energy")}
        calm = {what: {card: shares[f"calm_{what}", card, i] for card in cards} for what in own}
        load = [float(p) for p in part.power_mw]
        net, lost, stored = _dispatch(
            rows, site, load, cards, own["power"], own["energy"], rows.inner, f"stream{i}", part.calm, calm,
            real,
        )  # fmt: skip
        loss = loss + part.count * lost
        filtered = _filtered(rows, site, net, rows.inner, f"stream{i}_filter")
        y = filtered[-1]
        placed.append(Placed(tuple(later for _, later in part.copies), stored, net, filtered))
        for k, high in enumerate(_envelope(rows, net, part, len(level))):
            level[k] = level[k] + part.count * high
        for lag in range(1, window.steps(site) + 1):
            pairs = streams.calm_pairs(part, lag)
            for sign in (1, -1):
                lagged = [sign * (y[(k + lag) % len(y)] - y[k]) for k in range(len(y))]
                high = _envelope(rows, lagged, part, len(level))
                quiet = rows.amount("calm_mw", None)
                for k in np.flatnonzero(pairs).tolist():
                    rows.inner("envelope", quiet >= lagged[k])
                worst[lag, sign, i] = high, quiet
    for high in level:
        rows.inner("job_peak_shifted", peak >= high)
    limit = window.room_mw(site)
    for case, lag, sign in itertools.product(cases, range(1, window.steps(site) + 1), (1, -1)):
        rest = sum((parts[i].count - case[i]) * worst[lag, sign, i][1] for i in owning)
        for k in range(len(level)):
            change = sum(case[i] * worst[lag, sign, i][0][k] for i in owning)
            rows.inner("poi_window_shifted", change + fixed.get((lag, sign, k), 0.0) + rest <= limit)
    return loss, Course([float(p) for p in total], placed)


def _known(
    site: Site, part: streams.Stream, level: list[Any], changes: dict[tuple[int, int, int], Any]
) -> None:
    """Add the worst level and the worst lagged differences of a stream that the storage does not follow."""
    for k, worst in enumerate(streams.at_worst(part.power_mw, part).tolist()):
        level[k] = level[k] + worst
    y = window.high_pass_periodic(part.power_mw, site)
    for lag in range(1, window.steps(site) + 1):
        for sign in (1, -1):
            for k, worst in enumerate(streams.at_worst(sign * (np.roll(y, -lag) - y), part).tolist()):
                changes[lag, sign, k] = changes.get((lag, sign, k), 0.0) + worst


def _envelope(rows: Rows, values: list[Any], part: streams.Stream, steps: int) -> list[Any]:
    """Columns above the values at every admissible shift of the stream, one a step."""
    if part.shift_steps == 0:
        return values
    if part.shift_steps is None:
        worst = rows.amount("worst_mw", None)
        for value in values:
            rows.inner("envelope", worst >= value)
        return [worst] * steps
    envelope = [rows.amount("worst_mw", None) for _ in values]
    for k, worst in enumerate(envelope):
        for shift in streams.shifts(part.shift_steps):
            whole = int(shift + 1e-9)
            late, now, before = shift - whole, (k - whole) % len(values), (k - whole - 1) % len(values)
            moved = values[now] if late <= 1e-9 else (1.0 - late) * values[now] + late * values[before]
            rows.inner("envelope", worst >= moved)
    return envelope


def read_card(storage: FastStorage, values: Any) -> str | None:
    """Return the card picked."""
    return max(storage.card, key=lambda card: values[storage.card[card]])
