"""The load at the POI before and after storage, against the window rule: in time and as a spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign import modes, streams, window, workload
from codesign.design import Design, Margin
from codesign.reporting.figures import BLUE, FAINT, GREY, INK, ORANGE, figure, limit, line, marker, placed
from codesign.reporting.text import DASH, escaped, number, quantity

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Load:
    """The macro period at the POI, in the hour of the highest peak [MW]; the jobs as they are placed."""

    before_mw: Array
    after_mw: Array
    other_mw: float  # beside the jobs: leakage, mechanical power, losses
    widest_before_mw: float  # jobs that may shift at their worst shift
    widest_after_mw: float
    movable: bool  # whether any job may shift


def load(design: Design) -> Load:
    """Return the load from the schedule and the recorded dispatch."""
    site, plan = modes.plan_as_run(design.site, design.plan)
    parts = streams.of(site, plan.schedule)
    bare = [part.power_mw for part in parts]
    steps = len(bare[0])
    stored = [np.zeros(len(power)) for power in bare]
    if plan.dispatch.rows == steps:
        stored = streams.recorded(parts, plan.dispatch)
    nets = [power + extra for power, extra in zip(bare, stored, strict=True)]
    peak = plan.poi_peak_mw
    other = 0.0 if peak is None else peak - streams.highest(parts, nets)
    return Load(
        before_mw=streams.together(parts, bare, steps) + other,
        after_mw=streams.together(parts, nets, steps) + other,
        other_mw=other,
        widest_before_mw=streams.widest_window(site, parts, bare)[0],
        widest_after_mw=streams.widest_window(site, parts, nets)[0],
        movable=any(part.shift_steps != 0 for part in parts),
    )


def rolling_mw(filtered_mw: Array, lags: int, *, periodic: bool) -> Array:
    """Return max - min of each sample and the `lags` after it, or before it where not periodic [MW]."""
    if periodic:
        around = [np.roll(filtered_mw, -lag) for lag in range(lags + 1)]
    else:
        padded = np.concatenate([np.full(lags, np.nan), filtered_mw])
        around = [padded[lags - lag : len(padded) - lag] for lag in range(lags + 1)]
    return np.nanmax(around, axis=0) - np.nanmin(around, axis=0)


def lines_mw(power_mw: Array, step_s: float) -> tuple[Array, Array]:
    """Return the lines of a periodic power up to the clock's Nyquist: frequency [Hz], amplitude [MW]."""
    count = len(power_mw)
    amplitude = 2.0 * np.abs(np.fft.rfft(power_mw)) / count
    if count % 2 == 0:
        amplitude[-1] /= 2.0  # the line at the Nyquist frequency has no mirror
    return np.arange(1, len(amplitude)) / (count * step_s), amplitude[1:]


def poi(design: Design) -> str:
    """Return the second picture."""
    if not design.schedule:
        return "<p>There is no schedule, so there is no load to show.</p>"
    of = load(design)
    return f'<div class="panels two">{_power(design, of)}{_window(design, of)}{_spectrum(design, of)}</div>'


def _power(design: Design, of: Load) -> str:
    most = design.site.poi.interconnection_limit_mw
    traces = [
        *_both(design, of.before_mw, of.after_mw),
        limit([0.0, design.site.clock.macro_s], [most, most], "interconnection limit", shown=True),
    ]
    note = (
        f"Jobs as scheduled, and {quantity(of.other_mw, 'mw')} beside them (leakage, mechanical power, "
        "losses; constant here), in the hour of the highest peak. "
        "After storage: with the recorded dispatch."
    )
    made = figure(traces, "time on the macro clock, s", "power at the POI, MW", height=280, legend=True)
    return placed(made, "Power", note)


def _both(design: Design, before: Array, after: Array) -> list[Any]:
    """Return both lines over the macro period, the last step held to its end."""
    time_s = np.arange(len(before) + 1) * design.site.clock.step_s
    return [
        line(time_s, np.append(values, values[-1]), name, colour, held=True)
        for values, name, colour in ((before, "before storage", ORANGE), (after, "after storage", BLUE))
    ]


def _window(design: Design, of: Load) -> str:
    site, allowed = design.site, window.room_mw(design.site)
    if not window.applies(site):
        return ""
    lags = window.steps(site)
    before, after = (
        rolling_mw(window.high_pass_periodic(power, site), lags, periodic=True)
        for power in (of.before_mw, of.after_mw)
    )
    traces = [
        *_both(design, before, after),
        limit([0.0, site.clock.macro_s], [allowed, allowed], "window limit", shown=True),
    ]
    row = _own(design)
    if row is not None:
        text = f"worst margin {quantity(row.margin, row.unit)} at {number(row.time_s)} s"
        traces.append(marker(row.time_s, allowed - row.margin, text, broken=row.margin < 0.0))
    shifts = " (jobs that may shift at their worst shift)" if of.movable else ""
    note = (
        f"Largest change within {number(site.poi.window_s)} s from each instant, behind the high-pass at "
        f"{number(site.poi.band_hz[0])} Hz of order {site.poi.filter_order}. Widest{shifts}: before "
        f"{quantity(of.widest_before_mw, 'mw')}, after {quantity(of.widest_after_mw, 'mw')}; allowed "
        f"{quantity(allowed, 'mw')}, which is {quantity(window.limit_mw(site), 'mw')} by "
        f"{escaped(site.poi.rule)} less {window.FOLLOWS_PU:.1%} for losses and leakage"
        + (f"; the design's own worst margin is {quantity(row.margin, row.unit)}." if row else ".")
    )
    label = f"change within {number(site.poi.window_s)} s, MW"
    return placed(
        figure(traces, "time on the macro clock, s", label, height=280, legend=True), "Window rule", note
    )


def _own(design: Design) -> Margin | None:
    rows = [row for row in design.check.static if row.limit == "poi_window"]
    return min(rows, key=lambda row: row.margin, default=None)


def _spectrum(design: Design, of: Load) -> str:
    site, step = design.site, design.site.clock.step_s
    nyquist, unresolved = 1.0 / (2.0 * step), workload.not_resolved_hz(site)
    low, high = site.poi.band_hz
    traces = []
    for power, name, colour, width in (
        (of.before_mw, "before storage", ORANGE, 5.0), (of.after_mw, "after storage", BLUE, 2.2),
    ):  # fmt: skip
        hz, mw = lines_mw(power, step)
        x, y = np.repeat(hz, 3), np.zeros(3 * len(hz))
        y[1::3] = mw
        trace = line(x, y, name, colour, width=width)
        trace.update(hovertemplate=f"%{{x:.4g}} Hz: %{{y:.4g}} MW<extra>{name}</extra>")
        traces.append(trace)
    shapes = [_edge(low)] if window.applies(site) else []
    notes = [_said(low, "rule's band from here", "left")] if window.applies(site) else []
    if unresolved < nyquist:
        shapes.insert(0, _shade(unresolved, nyquist))
        notes.append(_said(unresolved, "not resolved", "left", below=True))
    made = figure(
        traces, "frequency, Hz", "amplitude, MW", height=300, legend=True,
        layout={"shapes": shapes, "annotations": notes, "xaxis.range": [0.0, nyquist * 1.01],
                "yaxis.rangemode": "tozero", "hovermode": "closest"},
    )  # fmt: skip
    band = (low, high) if window.applies(site) else None
    return placed(made, "Spectrum", _resolution(site.clock.macro_s, nyquist, unresolved, band), kind="all")


def _resolution(macro_s: float, nyquist: float, unresolved: float, band: tuple[float, float] | None) -> str:
    told = f"Lines every {number(1.0 / macro_s)} Hz up to {number(nyquist)} Hz, the clock's Nyquist frequency"
    told += "; " + (
        "no rule. " if band is None else f"the rule's band is {number(band[0])}{DASH}{number(band[1])} Hz. "
    )
    if math.isfinite(unresolved):
        told += f"The measured profile is averaged: it says nothing above {number(unresolved)} Hz (shaded). "
    first = min(unresolved, nyquist)
    if band is not None and first < band[1]:
        told += f"Not shown and not covered: {number(first)}{DASH}{number(band[1])} Hz."
    return told


def _edge(hz: float) -> dict[str, object]:
    return {"type": "line", "x0": hz, "x1": hz, "y0": 0, "y1": 1, "yref": "paper",
            "line": {"color": INK, "width": 1, "dash": "dot"}}  # fmt: skip


def _shade(low: float, high: float) -> dict[str, object]:
    return {"type": "rect", "x0": low, "x1": high, "y0": 0, "y1": 1, "yref": "paper", "layer": "below",
            "fillcolor": FAINT, "opacity": 0.6, "line": {"width": 0}}  # fmt: skip


def _said(hz: float, text: str, anchor: str, *, below: bool = False) -> dict[str, object]:
    return {"x": hz, "y": 0.86 if below else 0.99, "yref": "paper", "text": text, "showarrow": False,
            "xanchor": anchor, "yanchor": "top", "xshift": 4,
            "font": {"size": 11, "color": GREY}}  # fmt: skip
