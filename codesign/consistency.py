"""What must fit together in a site: clocks, racks, weights, cards, days in series.

Every check names the sections it reads; where one of them is itself at fault, the check is left out and the
others still speak, so that all faults of a file are found at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from codesign import packing, readings, resolution, units
from codesign.errors import Fault, InputError, nearest, written
from codesign.faults import dotted
from codesign.fields import FrozenDict, Range
from codesign.poi import NO_RULE
from codesign.schema import Equipment, Job, Pod, Sections, mode_level

MAX_STEPS = 1_000_000
DAYS_A_YEAR = 365.0
DAY_S = 86_400
SLOW_STEP_S, FINE_S = 5.0, 0.5
"""Control step of the chiller trip; longest of the other scenarios."""
STORAGE_PER_LIMIT = 20.0  # above this multiple of the site's limit, a storage power is surely not in MW

Tables = Mapping[str, Mapping[str, tuple[Any, ...]]]
Found = Iterator[Fault]
Check = Callable[[Any, Tables], Found]


def faults(sections: Any, tables: Tables, file: str) -> list[Fault]:
    """Return what does not fit together in a site, whole or partial."""
    found: list[Fault] = []
    for needed, check in CHECKS:
        if all(_at(sections, name) is not None for name in needed):
            found += (replace(each, file=file) for each in check(sections, tables))
    return found


def partial(data: Mapping[str, Any]) -> Any:
    """Return the valid sections of a faulty site; of pods, jobs and equipment the valid entries.

    `whole_pods` and `whole_jobs` are there only where every entry is valid.
    """
    made = SimpleNamespace(equipment=SimpleNamespace())
    for name, field in Sections.model_fields.items():
        value = data.get(name)
        if name == "equipment":
            for piece, inner in Equipment.model_fields.items():
                absent = isinstance(value, dict) and piece not in value and not inner.is_required()
                of = value.get(piece) if isinstance(value, dict) else None
                valid = inner.get_default() if absent else _valid(inner.annotation, of)
                setattr(made.equipment, piece, valid)
        elif name in ("pods", "jobs"):
            entries = value if isinstance(value, dict) else {}
            valid = {key: _valid(Pod if name == "pods" else Job, each) for key, each in entries.items()}
            setattr(made, name, FrozenDict({key: each for key, each in valid.items() if each is not None}))
            setattr(made, f"whole_{name}", (bool(valid) and None not in valid.values()) or None)
        else:
            default = None if field.is_required() else field.get_default(call_default_factory=True)
            kind = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            setattr(made, name, _valid(kind, value) if name in data else default)
    return made


def _valid(kind: Any, value: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return None


def _at(sections: Any, name: str) -> Any:
    if name.startswith("whole_") and isinstance(sections, Sections):
        return True
    for part in name.split("."):
        sections = getattr(sections, part, None)
    return sections


def _fault(key: str, value: Any, expected: str, near: str | None = None) -> Fault:
    return Fault("", key, value, expected, near)


# clocks


def _clock(site: Any, _: Tables) -> Found:
    clock = site.clock
    for name, unit in (
        ("offset_slot_s", "step_s"),
        ("event_slot_s", "step_s"),
        ("cycle_s", "offset_slot_s"),
        ("macro_s", "cycle_s"),
    ):
        value, divisor = getattr(clock, name), getattr(clock, unit)
        if not _multiple(value, divisor):
            yield _fault(f"clock.{name}", value, f"a multiple of {unit} = {divisor:g} [s]")
    if clock.macro_s / clock.step_s > MAX_STEPS:
        yield _fault("clock.macro_s", clock.macro_s, f"at most {MAX_STEPS} steps of {clock.step_s:g} s")
    if 24 % clock.hour_step_h:
        yield _fault("clock.hour_step_h", clock.hour_step_h, "a divisor of 24 [h]")


def _window(site: Any, _: Tables) -> Found:
    """A window shorter than a step holds no change of power that the clock knows."""
    if site.poi.rule != NO_RULE and not site.clock.step_s <= site.poi.window_s * (1 + 1e-9):
        expected = f"at most poi.window_s = {site.poi.window_s:g} [s]"
        yield _fault("clock.step_s", site.clock.step_s, expected)


def _jobs_on_clock(site: Any, tables: Tables) -> Found:
    clock = site.clock
    for name, job in site.jobs.items():
        key = f"jobs.{name}"
        if clock.step_s <= job.period_s:
            yield from resolution.faults(name, job, tables.get(f"{key}.profile"), clock.step_s)
        if not _multiple(clock.cycle_s, job.period_s):
            yield _fault(
                f"{key}.period_s", job.period_s, f"a divisor of clock.cycle_s = {clock.cycle_s:g} [s]"
            )
        if not _multiple(job.period_s, clock.offset_slot_s):
            expected = f"a multiple of clock.offset_slot_s = {clock.offset_slot_s:g} [s]"
            yield _fault(f"{key}.period_s", job.period_s, expected)
        if job.events and not _multiple(clock.event_slot_s, job.period_s):
            expected = f"a multiple of jobs.{name}.period_s = {job.period_s:g} [s], where its events start"
            yield _fault("clock.event_slot_s", clock.event_slot_s, expected)
        for index, event in enumerate(job.events):
            place = f"{key}.events.{index}"
            if not _multiple(clock.macro_s, event.interval_s):
                expected = f"a divisor of clock.macro_s = {clock.macro_s:g} [s]"
                yield _fault(f"{place}.interval_s", event.interval_s, expected)
            elif not _multiple(event.interval_s, job.period_s):
                yield _fault(
                    f"{place}.interval_s", event.interval_s, f"a multiple of period_s = {job.period_s:g} [s]"
                )
            if not _multiple(event.duration_s, clock.step_s):
                expected = f"a multiple of clock.step_s = {clock.step_s:g} [s]"
                yield _fault(f"{place}.duration_s", event.duration_s, expected)
            if event.duration_s > event.interval_s:
                yield _fault(
                    f"{place}.duration_s", event.duration_s, f"at most interval_s = {event.interval_s:g} [s]"
                )


def _multiple(value: float, divisor: float) -> bool:
    ratio = value / divisor
    return math.isfinite(ratio) and round(ratio) >= 1 and abs(ratio - round(ratio)) <= 1e-9 * max(1.0, ratio)


# racks and days


def _one_rack(site: Any, _: Tables) -> Found:
    """Pods of one kind of rack: rack flow and supply temperature are one for the hall."""
    first, *rest = site.pods
    for name in rest:
        kind, other = site.pods[first].rack, site.pods[name].rack
        if other != kind:
            expected = f"{kind}, as pods.{first}.rack: one kind of rack a site"
            yield _fault(f"pods.{name}.rack", written(other), expected)


def _racks(site: Any, _: Tables) -> Found:
    used: dict[str, int] = {}
    first = next(iter(site.pods))
    for name, job in site.jobs.items():
        pod = job.pod or first
        if pod not in site.pods:
            expected = f"one of the pods {', '.join(site.pods)}"
            yield _fault(f"jobs.{name}.pod", written(pod), expected, nearest(pod, site.pods))
        else:
            used[pod] = used.get(pod, 0) + job.count * job.racks
    for pod, number in used.items():
        there = site.pods[pod].count * site.pods[pod].racks
        if number > there:
            yield _fault(f"pods.{pod}.racks", there, f"at least the {number} racks that its jobs use")
    yield from packing.faults(site)


def _levels(site: Any, tables: Tables) -> Found:
    """In no mode does a job ask of its racks more than their card is valid for."""
    for name, job in site.jobs.items():
        pod = site.pods.get(job.pod or next(iter(site.pods)))
        card = None if pod is None else _card(site, "rack", pod.rack)
        table = tables.get(f"jobs.{name}.profile")
        if card is None or (job.profile is not None and table is None) or site.clock.step_s > job.period_s:
            continue
        sampled = resolution.resampled(
            *resolution.source(job, {} if table is None else {job.profile: table}),
            round(job.period_s / site.clock.step_s),
        )
        peak, most = max(float(sampled.max()), *(each.level_pu for each in job.events), 0.0), 0.0
        for kind, level in map(mode_level, job.modes):
            most = max(most, min(peak, level) if kind == "cap" else max(peak, level * (kind == "floor")))
        low, high = card.valid["level_pu"]
        if job.plateau_pu * most > high * (1 + 1e-9):
            of = f"with {job.profile} the job" if job.profile else "the job"
            comes_to = f"{of} comes to {job.plateau_pu * most:.4g} of a rack's nominal power"
            within = f"{low:g} to {high:g}, where the card {card.name} is valid"
            expected = f"at most {math.floor(1e4 * high / most) / 1e4:g}: {comes_to}, beyond {within}"
            yield _fault(f"jobs.{name}.plateau_pu", job.plateau_pu, expected)


def _days(site: Any, _: Tables) -> Found:
    total = sum(day.weight_days for day in site.days)
    if abs(total - DAYS_A_YEAR) > 1e-6:
        yield _fault("days", f"weights that sum to {total:g}", f"weight_days that sum to {DAYS_A_YEAR:g}")
    dates = [day.date for day in site.days]
    for index, date in enumerate(dates):
        if date in dates[:index]:
            yield _fault(f"days.{index}.date", written(date), "no date twice")


def _weather(site: Any, tables: Tables) -> Found:
    yield from _gaps(site, tables, "climate.series", "dry_bulb_c", 0.0)


def _prices(site: Any, tables: Tables) -> Found:
    shift_h = site.energy.utc_offset_h - site.climate.utc_offset_h
    yield from _gaps(site, tables, "energy.price_series", "price_usd_per_mwh", shift_h)


def _gaps(site: Any, tables: Tables, key: str, column: str, shift_h: float) -> Found:
    """No day has a part without a reading in a series, whose stamps are shift_h ahead of the site's."""
    if key not in tables:
        return
    series = readings.stamped(tables[key]["time"], tables[key][column], 0.0)
    for index, day in enumerate(site.days):
        begin_s = readings.utc_s(f"{day.date}T00:00", 0.0) + round(3600.0 * shift_h)
        gap = series.gap(begin_s, begin_s + DAY_S)
        if gap is not None:
            yield _fault(key, gap.text(), f"{readings.NO_GAP} of days.{index}.date = {day.date}")


# cards


def cards_named(site: Any) -> Iterator[tuple[str, str, str]]:
    """Yield (component, card, dotted key) of every card that the site can use; raises nothing."""
    from codesign import catalogue

    for name, pod in site.pods.items():
        yield "rack", pod.rack, f"pods.{name}.rack"
    for piece, component in catalogue.EQUIPMENT.items():
        spec = getattr(site.equipment, piece, None)
        for index, card in enumerate(getattr(spec, "cards", ())):
            yield component, card, f"equipment.{piece}.cards.{index}"


def card_keys(component: str) -> tuple[str, ...]:
    """Return the keys of a component's cards; none for an unknown component."""
    from codesign import catalogue

    known = catalogue.COMPONENTS.get(component)
    return tuple(each.name for each in fields(known)) if known is not None else ()


def _cards(site: Any, _: Tables) -> Found:
    from codesign import catalogue

    for component, name, key in cards_named(site):
        try:
            catalogue.card(component, name)
        except InputError as error:
            yield from (replace(fault, key=key) for fault in error.faults)


def _media(site: Any, _: Tables) -> Found:
    """A card stands on a port of its medium."""
    from codesign import catalogue

    for key, component, cards in _named(site, ("cdu", "air_chiller")):
        ports = {"eir_chiller": ("condenser", "air"), "cdu": ("coolant", "pg25")}
        port, medium = ports[component]
        fitting = [card.name for card in catalogue.cards(component) if card.parameters[port] == medium]
        for index, name in enumerate(cards):
            found = _card(site, component, name)
            if found is not None and name not in fitting:
                expected = f"{MEDIUM[component]}: {', '.join(fitting)}"
                yield _fault(f"{key}.cards.{index}", f"{name} ({found.parameters[port]})", expected)


MEDIUM = {
    "eir_chiller": "a chiller whose condenser takes outdoor air: a site has no ring of condenser water yet",
    "cdu": "a CDU whose coolant is 25 % propylene glycol (pg25), as the racks'",
}


def _coolants(site: Any, _: Tables) -> Found:
    """The coolant of a CDU holds the heat that its medium holds."""
    from codesign.components.base import PG25_KJ_PER_L_K

    for name, keys in (site.cards.get("cdu") or {}).items():
        value = keys.get("tcs_kj_per_l_k", PG25_KJ_PER_L_K)
        if isinstance(value, int | float) and not math.isclose(value, PG25_KJ_PER_L_K, rel_tol=1e-9):
            expected = f"{PG25_KJ_PER_L_K:g}, that of the racks' coolant [kJ/l K]"
            yield _fault(f'cards.cdu."{name}".tcs_kj_per_l_k', value, expected)


def _trim_water(site: Any, _: Tables) -> Found:
    if site.equipment.chiller.on_offer:
        asked = site.equipment.cooling.fws_supply_c
        yield from _within(site, "chiller", "leaving_c", "cooling.fws_supply_c", asked)


def _air_water(site: Any, _: Tables) -> Found:
    asked = (site.equipment.air_chiller.chilled_water_c,)
    yield from _within(site, "air_chiller", "leaving_c", "air_chiller.chilled_water_c", asked)


def _wall_water(site: Any, _: Tables) -> Found:
    asked = (site.equipment.air_chiller.chilled_water_c,)
    yield from _within(site, "fan_wall", "chilled_water_c", "air_chiller.chilled_water_c", asked)


def _within(site: Any, piece: str, quantity: str, key: str, values: Iterable[float]) -> Found:
    """The cards of a piece are valid for what the site asks of them; unknown cards are another check's."""
    for _, component, names in _named(site, (piece,)):
        for found in (_card(site, component, name) for name in names):
            if found is None:
                continue
            low, high = found.valid[quantity]
            for value in values:
                if not low <= value <= high:
                    within = f"{low:g} to {high:g}, where the card {found.name} is valid"
                    expected = f"{within} [{units.unit(quantity)}]"
                    yield _fault(f"equipment.{key}", value, expected)


def _named(site: Any, pieces: Iterable[str]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield (dotted key, component, cards) of pieces of equipment."""
    from codesign import catalogue

    for piece in pieces:
        spec = getattr(site.equipment, piece, None)
        yield f"equipment.{piece}", catalogue.EQUIPMENT[piece], tuple(getattr(spec, "cards", ()))


def _card(site: Any, component: str, name: str) -> Any:
    """Return a card with the site's overrides; None where it is unknown, without overrides that are wrong."""
    from codesign import catalogue

    overrides = ((site.cards or {}).get(component) or {}).get(name)
    for keys in (overrides, None):
        try:
            return catalogue.card(component, name, keys)
        except InputError:
            continue
    return None


def _overrides(site: Any, _: Tables) -> Found:
    from codesign import catalogue

    for component, named in site.cards.items():
        if component not in catalogue.COMPONENTS:
            expected = f"one of {', '.join(catalogue.COMPONENTS)}"
            near = nearest(component, catalogue.COMPONENTS)
            yield _fault(dotted(("cards", component)), written(component), expected, near)
            continue
        for name, keys in named.items():
            try:
                yield from catalogue.override_faults(component, name, keys, "")
            except InputError as error:
                yield from error.faults


# limits that a unit gives away


def _scenarios(site: Any, _: Tables) -> Found:
    """Each run lasts a control step at least, its event begins and is over within it."""
    for name, scenario in site.scenarios:
        key, duration_s = f"scenarios.{name}", scenario.duration_s
        step_s = SLOW_STEP_S if name == "chiller_trip" else fine_step(site)[0]
        if duration_s < step_s:
            yield _fault(f"{key}.duration_s", duration_s, f"at least one control step, {step_s:g} [s]")
            continue
        begins_s = getattr(scenario, "at_s", None) or 0.0
        if begins_s >= duration_s:
            yield _fault(f"{key}.at_s", begins_s, f"below duration_s = {duration_s:g} [s]")
            continue
        lasts_s = _lasts_s(site, name)
        if lasts_s is not None and begins_s + lasts_s > duration_s * (1 + 1e-9):
            over = f"from {begins_s:g} s the event lasts {lasts_s:.4g} s"
            least_s = math.ceil((begins_s + lasts_s) / step_s - 1e-9) * step_s
            yield _fault(f"{key}.duration_s", duration_s, f"at least {least_s:.6g}, as {over} [s]")
    job = site.scenarios.job_abort_restart.job
    if job is not None and job not in site.jobs:
        yield _fault(
            "scenarios.job_abort_restart.job",
            written(job),
            f"one of the jobs {', '.join(site.jobs)}",
            nearest(job, site.jobs),
        )


def fine_step(site: Any) -> tuple[float, int]:
    """Return the step of the fast scenarios [s] and how many make a step of the clock."""
    parts = math.ceil(site.clock.step_s / FINE_S - 1e-9)
    return site.clock.step_s / parts, parts


def _lasts_s(site: Any, name: str) -> float | None:
    """Return for how long an event lasts, a control step after a job's return included; None: it has none."""
    asked = getattr(site.scenarios, name)
    match name:
        case "chiller_trip":
            return float(asked.off_s + asked.reload_s)
        case "cdu_pump_trip":
            return _standby_s(site)
        case "job_abort_restart":
            return float(asked.off_s + fine_step(site)[0])
    return None


def _standby_s(site: Any) -> float | None:
    """Return when the slowest standby pump on offer is up after a trip; None where a card is at fault."""
    from codesign import catalogue

    try:
        found = [catalogue.site_card(site, "cdu", name).parameters for name in site.equipment.cdu.cards]
    except InputError:
        return None
    return max(float(each["standby_delay_s"]) + float(each["standby_ramp_s"]) for each in found)


def _storage(site: Any, _: Tables) -> Found:
    options = site.equipment.storage.power_mw
    largest = options.max if isinstance(options, Range) else max(options)
    limit = STORAGE_PER_LIMIT * site.poi.interconnection_limit_mw
    if largest > limit:
        yield _fault(
            "equipment.storage.power_mw",
            largest,
            f"at most {limit:g}, {STORAGE_PER_LIMIT:g} times the limit [MW]",
        )


CHECKS: tuple[tuple[tuple[str, ...], Check], ...] = (
    (("clock",), _clock),
    (("clock", "poi"), _window),
    (("clock", "jobs"), _jobs_on_clock),
    (("whole_pods",), _one_rack),
    (("whole_pods", "whole_jobs"), _racks),
    (("whole_pods", "whole_jobs", "clock", "cards"), _levels),
    (("days",), _days),
    (("days",), _weather),
    (("days", "energy", "climate"), _prices),
    ((), _cards),
    (("equipment.cooling", "equipment.chiller"), _trim_water),
    (("equipment.air_chiller",), _air_water),
    (("equipment.air_chiller", "equipment.fan_wall"), _wall_water),
    (("equipment",), _media),
    (("cards",), _coolants),
    (("cards",), _overrides),
    (("scenarios", "clock", "whole_jobs", "equipment.cdu", "cards"), _scenarios),
    (("equipment.storage", "poi"), _storage),
)
