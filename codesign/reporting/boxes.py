"""What stands in the boxes of the single-line and flow diagram: sizes, what set them, margins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from codesign.design import Design, Margin, Size
from codesign.reporting.text import TIMES, quantity, where, words, worst_of_each


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a box; kind: title, size, note, head, margin, tight (nothing left), broken."""

    text: str
    kind: str
    value: str = ""  # at the right edge
    more: str = ""  # told when pointed at


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the hall."""

    id: str
    side: str  # "power", "heat" or "both"
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """The sizes of a part and the limits that are its own."""

    title: str
    side: str
    sizes: tuple[str, ...]
    limits: tuple[str, ...]


PARTS = {
    "poi": Part(
        "Grid, POI", "power", ("contract",), ("contract", "contract_max", "interconnection", "poi_window",
                                             "poi_window_one_away")
    ),
    "transformer": Part("Transformers", "power", ("transformer",), ("hot_spot", "transformer_range")),
    "storage": Part(
        "Fast storage", "power", ("storage_power", "storage_energy"),
        ("job_stop", "job_restart", "storage_rate", "storage_life", "storage_energy_low",
         "storage_energy_high", "storage_charge", "storage_discharge", "storage_voltage"),
    ),
    "racks": Part(
        "Racks", "both", (),
        ("junction", "thermal_runaway", "tcs_supply", "rack_flow", "rack_range", "tcs_return"),
    ),
    "cdu": Part(
        "CDUs", "heat", ("cdu", "cdu_flow"),
        ("cdu_flow", "cdu_duty", "cdu_capacity", "cdu_tcs_range", "cdu_fws_range", "tcs_flow"),
    ),
    "fws_pump": Part("FWS pumps", "heat", ("fws_pump",), ("fws_flow", "fws_pump_range")),
    "dry_cooler": Part(
        "Dry coolers", "heat", ("dry_cooler",),
        ("heat_rejection", "dry_cooler_range", "dry_cooler_water_range"),
    ),
    "chiller": Part(
        "Trim chillers", "heat", ("chiller",), ("heat_rejection", "chiller_capacity", "chiller_range")
    ),
    "buffer": Part("FWS buffer", "heat", ("buffer",), ("loop_volume", "buffer_range")),
    "fan_wall": Part("Fan walls", "heat", ("fan_wall",), ("cold_aisle", "fan_wall_range")),
    "air_chiller": Part(
        "Air chillers", "heat", ("air_chiller",), ("air_chiller_capacity", "air_chiller_range")
    ),
}  # fmt: skip


def boxes(design: Design) -> dict[str, Box]:
    """Return every box by id; sizes and limits that no part knows of stand in a box of their own."""
    made = {name: _box(design, name, part) for name, part in PARTS.items()}
    hours = design.plan.hours
    if hours.rows:
        made["mechanical"] = _box_of("mechanical", "power", "Pumps, fans, compressors", [
            Line("at most", "size", quantity(float(hours["mechanical_mw"].max()), "mw")),
        ])  # fmt: skip
        made["ambient"] = _box_of("ambient", "heat", "Ambient", [
            Line("dry bulb, hottest hour", "size", quantity(float(hours["dry_bulb_c"].max()), "c")),
        ])  # fmt: skip
    rest = _rest(design)
    return made | ({"other": rest} if rest else {})


def _box(design: Design, name: str, part: Part) -> Box:
    lines = list(_racks(design)) if name == "racks" else []
    for size in part.sizes:
        if size in design.sizes:
            lines += _size(size, design.sizes[size], several=len(part.sizes) > 1)
    if name == "cdu" and design.plan.setting is not None:
        lines.append(Line("approach", "size", quantity(design.plan.setting.approach_k, "k")))
    if name == "buffer" and design.plan.setting is not None:
        lines.append(Line("FWS supply", "size", quantity(design.plan.setting.fws_supply_c, "c")))
    lines += _margins([row for row in design.check.margins if row.limit in part.limits])
    return _box_of(name, part.side, part.title, lines)


def _box_of(name: str, side: str, title: str, lines: list[Line]) -> Box:
    return Box(name, side, (Line(title, "title"), *lines))


def _size(name: str, size: Size, several: bool) -> Iterator[Line]:
    what = "" if size.count is None else f"{size.count} {TIMES} "
    named = several and size.count is None  # one of several amounts: told by its name, the card once
    if named and name == "storage_power" and size.card:
        yield Line(size.card, "note")
    label = words(name) if named else what + (size.card or words(name))
    if size.count == 0:
        label = f"no {words(name)}"
    yield Line(label, "size", quantity(size.value, size.unit))
    if size.set_by:
        yield Line(f"set by {words(size.set_by.removesuffix(' @ static'))}", "note")


def _racks(design: Design) -> Iterator[Line]:
    for name, pod in design.site.pods.items():
        count = pod.count * pod.racks
        yield Line(f"pod {name}: {count} {TIMES} {pod.rack}", "size")
    if design.plan.it_mw is not None:
        yield Line("IT, annual mean", "size", quantity(design.plan.it_mw, "mw"))


def _margins(rows: list[Margin]) -> Iterator[Line]:
    if rows:
        yield Line("worst margins", "head")
    for row in worst_of_each(rows):
        kind = "broken" if row.margin < 0.0 else "tight" if row.margin == 0.0 else "margin"
        name = words(row.limit) + (" broken" if kind == "broken" else "")
        yield Line(name, kind, quantity(row.margin, row.unit), where(row))


def _rest(design: Design) -> Box | None:
    sizes = {name for part in PARTS.values() for name in part.sizes}
    limits = {name for part in PARTS.values() for name in part.limits}
    lines = [
        line
        for name, size in design.sizes.items()
        if name not in sizes
        for line in _size(name, size, several=False)
    ]
    lines += _margins([row for row in design.check.margins if row.limit not in limits])
    return _box_of("other", "both", "Other", lines) if lines else None
