"""Limits that conflict: irreducible sets of them, and for each what it would have to be for a plan to exist.

A deletion filter on the model of outer and exact rows, integers kept: limits leave one after the other, all
settings at once; one without which a plan is no longer proven impossible comes back. What is left is a set
that cannot be kept together, and without any one of its members could. A solve that ends without a proof
brings its limit back too; the set is then said not to be proven irreducible. Sets that have no limit in
common are looked for until what is left can be kept: one limit of each has to move.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from codesign import stopping
from codesign.design import Setting
from codesign.errors import InputError, StoppedError
from codesign.fields import Range
from codesign.planning import highs, joint, mixing, split
from codesign.planning.highs import Status
from codesign.planning.rows import drop_inner
from codesign.site import Site
from codesign.steady import setting_margins

PROBE_S = 60.0
FAR, NEAR = 16.0, 0.005
"""A limit is moved by this factor at most, and the value that is enough is told this closely."""
MORE_UNITS = 64

KEYS = {
    "contract_max": ("poi.contract_max_mw",),
    "interconnection": ("poi.interconnection_limit_mw",),
    "poi_window": ("poi.allocated_share", "equipment.storage.power_mw"),
    "hot_spot": ("equipment.transformer.count",),
    "cdu_flow": ("equipment.cdu.flow_l_per_min",),
    "cdu_duty": ("equipment.cdu.count",),
    "fws_flow": ("equipment.fws_pump.flow_kg_per_s",),
    "heat_rejection": ("equipment.dry_cooler.count", "equipment.chiller.count"),
    "loop_volume": ("equipment.buffer.volume_m3",),
    "cold_aisle": ("equipment.fan_wall.count",),
    "air_chiller_capacity": ("equipment.air_chiller.count",),
    "job_stop": ("equipment.storage.power_mw", "equipment.storage.energy_mwh"),
    "job_stops": ("equipment.storage.power_mw", "equipment.storage.energy_mwh"),
    "storage_rate": ("equipment.storage.energy_mwh",),
    "storage_energy": ("equipment.storage.energy_mwh",),
    "storage_life": ("equipment.storage.energy_mwh",),
}
"""By limit what of the site may move so that it is kept."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Limits that no design keeps together; `proven`: without any one of them the others could be kept."""

    limits: tuple[str, ...]
    proven: bool


@dataclass(frozen=True, slots=True)
class Enough:
    """A key whose value alone makes a plan possible, all else as it is; None: no value tried does."""

    key: str
    now: float
    value: float | None


class Models:
    """The models of a site's settings, outer and exact rows only, asked for any plan at all."""

    def __init__(self, site: Site, settings: Sequence[Setting], fixed: dict[str, Any]) -> None:
        build = split.master if site.solver.method == "split" else joint.build
        light = mixing.lightest(site)
        self.models = [
            build(light, setting, fixed, joint.Points())
            for setting in settings
            if not setting_margins(light, setting)
        ]
        for model in self.models:
            drop_inner(model.rows)
            model.rows.model.annual_cost_kusd.set_value(0.0)

    def limits(self, known: Sequence[str]) -> list[str]:
        """Return those of the known limits that have rows here."""
        return [name for name in known if any(name in model.rows.kinds for model in self.models)]

    def ranges(self, known: Iterable[str]) -> list[str]:
        """Return the rows here, not known otherwise, that hold options to the ranges of their cards."""
        names = {name for model in self.models for name in model.rows.kinds}
        return sorted(name for name in names - set(known) if name.endswith("_range"))

    def possible(self, without: Sequence[str] = ()) -> bool | None:
        """Return whether a plan exists without some limits; None where it is not known."""
        known: bool | None = False
        for model in self.models:
            own = [name for name in without if name in model.rows.kinds]
            for name in own:
                model.rows.drop(name)
            try:
                answer = highs.solve(model.rows.model, time_limit_s=PROBE_S, gap=1.0)
            finally:
                for name in own:
                    model.rows.restore(name)
            if answer.values is not None:
                return True
            if answer.status is not Status.INFEASIBLE:
                stopping.heed()
                known = None
        return known


def conflicts(models: Models, limits: Sequence[str]) -> Iterator[Conflict]:
    """Yield disjoint irreducible sets until what is left can be kept; the limits given first stay longest.

    Nothing is yielded where the limits are not what conflicts: other rows do, whatever the limits.
    """
    left = models.limits(limits)
    if models.possible(left) is not True:
        return
    moved: list[str] = []
    while True:
        one = _irreducible(models, left, moved)
        yield one
        moved += one.limits
        left = [name for name in left if name not in one.limits]
        if not left or models.possible(moved) is not False:
            return


def _irreducible(models: Models, limits: Sequence[str], without: Sequence[str]) -> Conflict:
    """Take limits out as long as it stays proven that the rest cannot be kept."""
    kept, out, proven = list(limits), list(without), True
    try:
        for name in reversed(limits):
            answer = models.possible([*out, name])
            if answer is False:
                kept.remove(name)
                out.append(name)
            proven = proven and answer is not None
    except StoppedError:
        proven = False
    return Conflict(tuple(kept), proven)


def enough(site: Site, settings: Sequence[Setting], fixed: dict[str, Any], key: str) -> Enough | None:
    """Return the value of a key that alone makes a plan possible; None where the site has no such key."""
    now = _most(site, key)
    held = key.removeprefix("equipment.").rsplit(".", 1)
    if now is None or f"{held[0]}.{'count' if held[-1] == 'count' else 'value'}" in fixed:
        return None

    def holds(value: float) -> bool:
        moved = _moved(site, key, value)
        return moved is not None and Models(moved, settings, fixed).possible() is True

    whole = key.endswith(".count")
    most = now + MORE_UNITS if whole else min(FAR * now, 1.0) if key.endswith("_share") else FAR * now
    if now <= 0.0 or most <= now or not holds(most):
        return Enough(key, now, None)
    low, high = now, most
    while high - low > (1.0 if whole else NEAR * high):
        middle = float(math.floor(0.5 * (low + high))) if whole else math.sqrt(low * high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return Enough(key, now, high if whole else _rounded_up(high))


def _rounded_up(value: float) -> float:
    """Return a value with three digits, not smaller."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{math.ceil(value / unit - 1e-9) * unit:.6g}")


def _at(site: Site, key: str) -> Any:
    found: Any = site
    for part in key.split("."):
        found = getattr(found, part, None)
    return found


def _most(site: Site, key: str) -> float | None:
    """Return the largest value of a key; None where there is none."""
    options = _at(site, key)
    if options is None:
        return None
    if isinstance(options, Range):
        return float(options.max)
    if isinstance(options, int | float):
        return float(options) if math.isfinite(options) else None
    return float(max(options)) if len(options) else None


def _moved(site: Site, key: str, value: float) -> Site | None:
    """Return the site with a value beside those on offer; None where the site may not have it."""
    options = _at(site, key)
    if isinstance(options, Range):
        new: Any = {"min": options.min, "max": value}
    elif isinstance(options, int | float):
        new = value
    else:
        new = [*options, int(value) if key.endswith(".count") else value]
    try:
        return site.with_({key: new})
    except InputError:
        return None
