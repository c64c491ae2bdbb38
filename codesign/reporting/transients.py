"""Every scenario against its limits: the recorded quantity, the limit as the plant states it.

A limit line is the recorded quantity less the plant's excess over the limit, sample by sample. The judge
reads the margins between the samples too, so a mark may lie beside the line through them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign import climate, modes, window
from codesign.checking import steady
from codesign.checking.runs import range_rule
from codesign.design import Design, Margin, ScenarioResult
from codesign.errors import Fault, InputError
from codesign.reporting.figures import (
    BLUE,
    DASHES,
    GREY,
    SERIES,
    WIDTHS,
    figure,
    limit,
    line,
    marker,
    placed,
)
from codesign.reporting.poi import rolling_mw
from codesign.reporting.text import escaped, number, quantity, unit, words, worst_of_each

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity: columns of the run, and the limits that are distances from the first of them."""

    title: str
    unit: str
    columns: tuple[str, ...]  # "*" stands for every group of racks
    limits: tuple[str, ...] = ()  # upper; "-NAME" is a lower one


PANELS = (
    Panel("Junction temperature", "c", ("state.*.die_c",), ("junction",)),
    Panel("TCS supply", "c", ("state.tcs_supply_c",), ("tcs_supply",)),
    Panel("TCS return", "c", ("state.tcs_return_c",), ("tcs_return",)),
    Panel("FWS supply", "c", ("state.fws_supply_c",)),
    Panel("FWS flow, commanded", "kg_per_s", ("control.fws_flow_kg_per_s",), ("fws_flow",)),
    Panel("Trim chiller duty, commanded", "kw", ("control.chiller_kw",), ("chiller_capacity",)),
    Panel("Cold aisle", "c", ("output.cold_aisle_c",), ("cold_aisle",)),
    Panel("Air chiller duty", "kw", ("control.air_chiller_kw",), ("air_chiller_capacity",)),
    Panel("Transformer hot spot", "c", ("output.hot_spot_c",), ("hot_spot",)),
    Panel("Storage energy", "mwh", ("state.storage_mwh",), ("storage_energy_high", "-storage_energy_low")),
    Panel(
        "Storage power", "mw", ("control.charge_mw", "control.discharge_mw"),
        ("storage_charge", "storage_discharge"),
    ),
    Panel("Power at the POI", "mw", ("output.poi_mw",), ("interconnection",)),
)  # fmt: skip
LEGEND_MOST = 6
LABELS = {"control.charge_mw": "charge", "control.discharge_mw": "discharge"}


def transients(design: Design) -> str:
    """Return the third picture: one section a scenario."""
    check = design.check
    if not check.scenarios:
        return "<p>No scenario was run for this design: nothing is known of its transients.</p>"
    least = {(row.limit, row.unit): row for row in worst_of_each(_of_runs(design))}
    return "".join(_scenario(design, run, least) for run in check.scenarios)


def _of_runs(design: Design) -> list[Margin]:
    return [row for run in design.check.scenarios for row in run.margins]


def _scenario(design: Design, run: ScenarioResult, least: Mapping[tuple[str, str], Margin]) -> str:
    columns, allowed = run.columns(), limits(design, run)
    panels = [_panel(design, run, panel, columns, allowed, least) for panel in PANELS]
    panels.append(_window(design, run, least))
    verdict = "holds" if run.holds else "DOES NOT HOLD"
    kind = "" if run.holds else ' class="bad"'
    date, hour = _hour(design, run)
    notes = [f"{verdict}; weather of {date} {hour}, {number(run.time_s[-1])} s" if date else verdict]
    if run.status != "complete":
        notes.append(f"ended early: {run.status}")
    notes += [
        f"{name} beyond its card's range in {steps} steps"
        for name, steps in run.out_of_range.items()
    ]
    if run.failed_solves:
        notes.append(f"{run.failed_solves} steps without an answer of the controller: the last one held")
    told = "; ".join(escaped(note) for note in notes)
    return (
        f'<section data-scenario="{escaped(run.id)}"><h3>{escaped(words(run.id))}</h3>'
        f'<p{kind}>{told}</p><div class="panels">{"".join(panels)}</div></section>'
    )


def _hour(design: Design, run: ScenarioResult) -> tuple[str, str]:
    hours = design.plan.hours
    if not 0 <= run.hour < hours.rows:
        return "", ""
    return str(hours["date"][run.hour]), climate.clock(hours["hour_of_day"][run.hour])


def limits(design: Design, run: ScenarioResult) -> dict[str, Array]:
    """Return the plant's excess over every limit at every sample of a run, by `limit` or `limit.place`.

    InputError where the run does not record what the plant of the design needs.
    """
    site, plan = modes.plan_as_run(design.site, design.plan)
    plant, sizes = steady.plant(site, plan), steady.sizes(plan)
    try:
        excess = plant.limits(run.states, run.controls, run.disturbances, sizes)
    except KeyError as error:
        expected = "recorded, for the design's schedule and sizes"
        raise InputError([Fault("trajectories", run.id, f"{error.args[0]} missing", expected)]) from None
    count = len(run.time_s)
    return {key: np.broadcast_to(np.asarray(each.excess, float), (count,)) for key, each in excess.items()}


def _panel(
    design: Design, run: ScenarioResult, panel: Panel, columns: Mapping[str, Array],
    allowed: Mapping[str, Array], least: Mapping[tuple[str, str], Margin],
) -> str:  # fmt: skip
    time_s, names = columns["time_s"], _named(panel, columns)
    held = not panel.columns[0].startswith("state.")
    traces = []
    for i, (column, label) in enumerate(names.items()):
        colour, dash = SERIES[i % len(SERIES)], DASHES[i // len(SERIES) % len(DASHES)]
        width = WIDTHS[i % len(WIDTHS)] if len(names) > 1 else WIDTHS[-1]
        traces.append(line(time_s, columns[column], label, colour, held=held, dash=dash, width=width))
    marks, told = [], []
    for i, name in enumerate(panel.limits):
        lower, key = name.startswith("-"), name.removeprefix("-")
        row = next((row for row in run.margins if row.limit == key), None)
        judged = _judged(key, row, panel, i, names)
        excess = allowed.get(f"{key}.{row.place}" if row else key, allowed.get(key))
        if judged is None or excess is None:
            continue
        edge = columns[judged] + excess if lower else columns[judged] - excess
        if i == 0 or lower or not np.allclose(edge, traces[-1].y):
            traces.append(limit(time_s, edge, f"{words(key)} limit"))
        if row is not None:
            at = float(np.interp(row.time_s, time_s, edge))
            marks.append(_mark(row, at + row.margin if lower else at - row.margin, least))
            told.append(_told(row, least))
    if panel.title == "FWS supply" and design.plan.setting is not None:
        setpoint = design.plan.setting.fws_supply_c
        traces.append(line(time_s[[0, -1]], [setpoint] * 2, "setpoint", GREY, dash="dot"))
        told.append("no limit of its own; dotted: the setpoint")
    several = 1 < len(names) <= LEGEND_MOST
    if len(names) > LEGEND_MOST:
        told.append(f"{len(names)} lines: each is named when pointed at")
    made = figure(
        [*traces, *marks], "time, s", unit(panel.unit), legend=several, height=230 if several else 205
    )
    return placed(made, escaped(panel.title), "<br>".join(told))


def _named(panel: Panel, columns: Mapping[str, Array]) -> dict[str, str]:
    """Return the panel's columns and what each is called."""
    found: dict[str, str] = {}
    for pattern in panel.columns:
        head, star, tail = pattern.partition("*")
        for column in columns:
            inside = column.removeprefix(head).removesuffix(tail)
            if star and column.startswith(head) and column.endswith(tail) and "." not in inside:
                found[column] = inside
            elif column == pattern:
                found[column] = LABELS.get(column, panel.title)
    return found


def _judged(key: str, row: Margin | None, panel: Panel, place: int, names: Mapping[str, str]) -> str | None:
    """Return the column that a limit is a distance from."""
    if "*" in panel.columns[0]:
        return next((each for each, label in names.items() if row and label == row.place), None)
    column = panel.columns[place] if len(panel.columns) > 1 else panel.columns[0]
    return column if column in names else None


def _mark(row: Margin, y: float, least: Mapping[tuple[str, str], Margin]) -> Any:
    text = f"{words(row.limit)}: {quantity(row.margin, row.unit)} at {number(row.time_s)} s"
    return marker(row.time_s, y, text, broken=row.margin < 0.0, worst=least[row.limit, row.unit] == row)


def _told(row: Margin, least: Mapping[tuple[str, str], Margin]) -> str:
    """Return a worst margin in words, as HTML."""
    words_ = f"{words(row.limit)}: {quantity(row.margin, row.unit)} at {number(row.time_s)} s, {row.place}"
    told = escaped(words_)
    if row.margin < 0.0:
        return f'<strong class="bad">{told}, broken</strong>'
    return (
        f"<strong>{told}, the worst of all scenarios</strong>" if least[row.limit, row.unit] == row else told
    )


def _window(design: Design, run: ScenarioResult, least: Mapping[tuple[str, str], Margin]) -> str:
    """Return the panel of the window rule: a run starts at rest, its last sample repeats the one before."""
    site, time_s = design.site, np.array(run.time_s[:-1])
    if len(time_s) < 2 or not window.applies(site):
        return ""
    rule, step_s = range_rule(site), float(time_s[1] - time_s[0])
    allowed, passed = rule.limit, np.asarray(run.outputs[rule.output][:-1])
    for _ in range(rule.sections):
        passed = window.high_pass(passed, 0.0, rule.pole(step_s))
    range_mw = rolling_mw(passed, rule.lags(step_s), periodic=False)
    traces = [
        line(time_s, range_mw, "change", BLUE, held=True),
        limit(time_s[[0, -1]], [allowed, allowed]),
    ]
    row = next((row for row in run.margins if row.limit == rule.name), None)
    if row is not None:
        traces.append(_mark(row, allowed - row.margin, least))
    title = f"Change at the POI within {number(site.poi.window_s)} s, high-passed"
    note = _told(row, least) if row is not None else ""
    return placed(figure(traces, "time, s", "MW", height=205), escaped(title), note)
