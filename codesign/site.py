"""The site: what a user writes, validated, its series carried inside, so that it needs no file afterwards.

    site = load("instances/toy_1mw")                        a folder, a site.toml, a site.json
    site.jobs["pretrain"].count, site.poi.contract_max_mw   attributes mirror the file
    site.with_({"poi.contract_max_mw": 1.1, "jobs.pretrain.count": 3, "days.0.weight_days": 90})
    site.save(folder)                                       load(folder) == site

[representative_days] in place of [[days]]: days are chosen when the site is made, and `days` lists them; once
`days` are changed by hand the site is one that lists its days.
Frozen, equal and hashed by content. Raises InputError with every fault at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from codesign import consistency, dotted, poi, reading, timeseries, toml
from codesign.errors import Fault, InputError, written
from codesign.faults import faults, keys_at
from codesign.fields import FrozenDict, Model
from codesign.schema import RepresentativeDays, Sections
from codesign.units import spelled_metric

REPRESENTATIVE = "representative_days"
PLACEHOLDER = {"date": "2023-01-01", "weight_days": 365}
"""Stands for days that are still to be chosen; no site keeps it."""

Columns = FrozenDict[str, tuple[Any, ...]]
Reader = Callable[[str, str, Mapping[str, Any]], timeseries.Table]


class Series(Model):
    """The columns of the series that a site names."""

    weather: Columns
    """time (local at climate.utc_offset_h), dry_bulb_c, relative_humidity_percent."""
    price: Columns
    """time (at energy.utc_offset_h), price_usd_per_mwh."""
    profiles: FrozenDict[str, Columns]
    """By name in the site file: phase_pu, power_pu, and quantiles where there are some."""


class Site(Sections):
    """A validated site with its series."""

    series: Series

    def to_dict(self) -> dict[str, Any]:
        """Return the site file as plain data, every default filled in, without the series' content."""
        return self.model_dump(mode="json", exclude={"series"}, exclude_none=True)

    def with_(self, changed: Mapping[str, Any]) -> Site:
        """Return the site with values changed by dotted path, validated like a file."""
        data = self.to_dict()
        found = dotted.apply(data, changed)
        if found:
            raise InputError(found)
        heads = {path.split(".")[0] for path in changed}
        if REPRESENTATIVE in heads and "days" not in heads:  # chosen anew
            del data["days"]
        elif "days" in heads and REPRESENTATIVE not in heads:  # listed
            data.pop(REPRESENTATIVE, None)
        if "poi.rule" in changed:
            own = {path.removeprefix("poi.") for path in changed}
            kept = poi.without_rule({**data["poi"], "rule": self.poi.rule})
            data["poi"] = {k: v for k, v in data["poi"].items() if k in own or k in kept or k == "rule"}
        return _made(data, "change", self._carried)

    def save(self, folder: str | Path) -> Path:
        """Write site.toml, the series and, for the record, the cards used; an existing site is refused."""
        target = Path(folder)
        if (target / "site.toml").exists() or (target / "site.json").exists():
            raise reading.refused(target, "", "a site", "a folder without one")
        target.mkdir(parents=True, exist_ok=True)
        for name, columns in self._series().items():
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_csv(columns), encoding="utf-8")
        (target / "cards.toml").write_text(toml.dumps(self._cards_used()), encoding="utf-8")
        (target / "site.toml").write_text(toml.dumps(self.to_dict()), encoding="utf-8")
        return target

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content, series included; the order of keys does not count, that of pods does."""
        series = {name: dict(columns) for name, columns in self._series().items()}
        return _sha256({"site": self.to_dict(), "pods": list(self.pods), "series": series})

    @cached_property
    def cards_digest(self) -> str:
        """SHA-256 of the parameters of every card that the site can use, its own values included."""
        return _sha256(self._cards_used())

    def _series(self) -> dict[str, Mapping[str, Any]]:
        """Return the series by file name."""
        named = {self.climate.series: self.series.weather, self.energy.price_series: self.series.price}
        return {**named, **self.series.profiles}

    def _carried(self, name: str, key: str, columns: Mapping[str, Any]) -> timeseries.Table:
        known = self._series()
        if name not in known or not set(known[name]) <= set(columns):
            fitting = [each for each in known if set(known[each]) <= set(columns)]
            expected = f"a series that the site carries: {', '.join(fitting)}"
            raise reading.refused(dotted.FILE, key, written(name), expected)
        return dict(known[name])

    def _cards_used(self) -> dict[str, Any]:
        from codesign import catalogue

        used: dict[str, dict[str, Any]] = {}
        for component, name, _ in consistency.cards_named(self):
            parameters = catalogue.site_card(self, component, name).parameters
            used.setdefault(component, {})[name] = dict(parameters)
        return used

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Site) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        racks = sum(pod.count * pod.racks for pod in self.pods.values())
        used = sum(job.count * job.racks for job in self.jobs.values())
        jobs = ", ".join(f"{job.count} x {name} on {job.racks} racks" for name, job in self.jobs.items())
        days = ", ".join(f"{day.date} ({day.weight_days:g})" for day in self.days)
        return "\n".join(
            (
                f"site {self.name}: {racks} racks, {used} in use",
                f"  jobs    {jobs}",
                f"  days    {days}",
                f"  poi     {self.poi.rule}, contract at most {self.poi.contract_max_mw:g} MW, "
                f"limit {self.poi.interconnection_limit_mw:g} MW",
                f"  digest  {self.digest[:12]}",
            )
        )

    def __repr__(self) -> str:
        return f"Site({self.name!r}, {self.digest[:12]})"


def load(path: str | Path) -> Site:
    """Return the site of a folder or of a site file (TOML or JSON). Raises InputError with every fault."""
    file = reading.site_path(path)
    data = reading.document(file)
    files = _place(data, file)

    def read(name: str, key: str, columns: Mapping[str, Any]) -> timeseries.Table:
        path = files[name]
        if isinstance(path, Fault):
            raise InputError([path])
        return timeseries.read(reading.text(path, reading.MAX_SERIES_BYTES, key), str(path), columns)

    return _made(data, str(file), read)


def given(site: Site | str | Path) -> Site:
    """Return a site as it is, or the one of a folder or file. Raises InputError as `load` does."""
    return site if isinstance(site, Site) else load(site)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a site file."""
    made = Sections.model_json_schema()
    extends = {"type": "string", "description": "A site file to build on; keys here replace its keys."}
    chosen = {REPRESENTATIVE: {"$ref": "#/$defs/RepresentativeDays"}}
    made["properties"] = {"extends": extends, **made["properties"], **chosen}
    made["required"].remove("days")
    of_poi = made["$defs"]["Poi"]
    of_poi["required"] = [key for key in of_poi["required"] if key not in poi.BY_RULE]
    made["anyOf"] = [{"required": ["days"]}, {"required": [REPRESENTATIVE]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "codesign site"}


def parse_assignment(text: str) -> tuple[str, Any]:
    """Return (path, value) of PATH=VALUE; the value as in TOML, a bare word is a text."""
    path, equals, value = text.partition("=")
    path, value = path.strip(), value.strip()
    if not equals or not path or not value or len(text) > reading.MAX_TEXT:
        raise reading.refused("--set", path or "PATH", written(text), "PATH=VALUE")
    try:
        parsed = tomllib.loads(f"value = {value}")
    except (ValueError, RecursionError):
        return path, value
    return path, parsed["value"] if len(parsed) == 1 else value


def _made(data: dict[str, Any], file: str, read: Reader) -> Site:
    """Return the site of plain data, or raise every fault: of keys, of series, of what must fit together."""
    data, renamed = spelled_metric(data, _keys)
    wanted, found = _to_choose(data, file)
    chosen = "days" not in data or bool(found)
    if chosen:
        data = {key: value for key, value in data.items() if key != REPRESENTATIVE}
    try:
        filled = {**data, "days": [PLACEHOLDER]} if chosen else data
        sections: Sections | None = Sections.model_validate(filled)
    except ValidationError as error:
        sections = None
        found += faults(error, Sections, file, renamed=renamed)
    tables: dict[str, timeseries.Table] = {}
    for table, key, place in reading.paths(data):
        try:
            tables[place] = read(str(table[key]), place, timeseries.COLUMNS.get(place, timeseries.PROFILE))
        except InputError as error:
            found += error.faults
    if chosen and sections is not None:
        sections, unfit = _with_days(sections, wanted, tables, file) if wanted and not found else (None, [])
        found += unfit
    whole = sections or consistency.partial(data)
    found += consistency.faults(whole, tables, file)
    if found or sections is None:
        raise InputError({str(fault): fault for fault in found}.values())
    return Site.model_construct(**dict(sections), series=_series_of(sections, tables))


def _to_choose(data: Mapping[str, Any], file: str) -> tuple[RepresentativeDays | None, list[Fault]]:
    """Return how days are to be chosen, None where they are there or at fault."""
    section = data.get(REPRESENTATIVE)
    if isinstance(section, Mapping) and section.get("chosen") is True and "days" in data:
        return None, []
    if (REPRESENTATIVE in data) == ("days" in data):
        key, found = (REPRESENTATIVE, "both") if "days" in data else ("days", "missing")
        return None, [Fault(file, key, found, "either [[days]] or [representative_days]")]
    if "days" in data:
        return None, []
    try:
        return RepresentativeDays.model_validate(data[REPRESENTATIVE]), []
    except ValidationError as error:
        return None, faults(error, RepresentativeDays, file, within=(REPRESENTATIVE,))


def _with_days(
    sections: Sections, wanted: RepresentativeDays, tables: Mapping[str, timeseries.Table], file: str
) -> tuple[Sections | None, list[Fault]]:
    """Return the sections with the days chosen from the series, or what is wrong with the series."""
    from codesign import days

    site = Site.model_construct(**dict(sections), series=_series_of(sections, tables))
    try:
        chosen = days.choose(site, wanted.number, design=wanted.design_days)
    except InputError as error:
        return None, [replace(fault, file=file) for fault in error.faults]
    said = wanted.model_copy(update={"chosen": True})
    return sections.model_copy(update={"days": chosen, REPRESENTATIVE: said}), []


def _series_of(sections: Sections, tables: Mapping[str, timeseries.Table]) -> Series:
    profiles = {
        job.profile: FrozenDict(tables[f"jobs.{name}.profile"])
        for name, job in sections.jobs.items()
        if job.profile is not None
    }
    return Series.model_construct(
        weather=FrozenDict(tables["climate.series"]),
        price=FrozenDict(tables["energy.price_series"]),
        profiles=FrozenDict(profiles),
    )


def _keys(place: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys that a table of a site file may have; those of a card's table are its component's."""
    if place[:1] == ("cards",) and len(place) == 3:
        return consistency.card_keys(place[1])
    return keys_at(Sections, place)


def _place(data: dict[str, Any], file: Path) -> dict[str, Path | Fault]:
    """Replace each path by the name that the site keeps for it; return each name's file or what is wrong."""
    files: dict[str, Path | Fault] = {}
    allow = data.get("files")
    outside = isinstance(allow, dict) and allow.get("allow_outside") is True
    home = Path(os.path.realpath(file.parent))
    for table, key, place in reading.paths(data):
        text = str(table[key])
        try:
            target = reading.resolved(table[key], outside)
        except ValueError as error:
            files[text] = Fault(str(file), place, written(text), str(error), None)
            continue
        name = target.relative_to(home).as_posix() if target.is_relative_to(home) else target.name
        while files.setdefault(name, target) != target:
            name = f"_{name}"
        table[key] = name
    return files


def _csv(columns: Mapping[str, tuple[Any, ...]]) -> str:
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns)]
    lines += [",".join(each if isinstance(each, str) else repr(each) for each in row) for row in rows]
    return "\n".join(lines) + "\n"


def _sha256(data: Any) -> str:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
