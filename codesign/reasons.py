"""What set each size: a limit that breaks with less of it, or the cost.

Each size is made smaller (one unit less, or 10 % less) with operation chosen anew. A static limit that breaks
is what set it, the one that misses by most where several do; where none does, a back-off cut of a scenario
that the smaller size violates; else it is economic: the plan chose it because less of it costs more. Where
less would hold and cost less, what is on offer below it is named. A standard rating counts as such when the
need lies more than 10 % below it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from codesign import catalogue, evaluation, modes, smoothing, stopping, streams, window, worst
from codesign.design import Plan, Size, Sizes
from codesign.errors import StoppedError
from codesign.residue import residue
from codesign.site import Site
from codesign.sizing import COUNTED, amounts, card_of, unit_size

LESS = 0.9
LIFE, LASTING = "storage_life @ static", 1e6
"""A storage of so many times the cycle life does not wear."""
ROUNDING = 1e-9
"""Of a cost: what is cheaper by no more costs the same."""
ECONOMIC = "economic"
LISTED = "listed size: "
"""Before the limit that the next smaller size on offer breaks, where less of it would hold and cost less."""
LEAST = "the least on offer"
CHEAPER = "less of it holds and costs less"
SPARE = "spare: "
"""Before the reason of a size that was asked for, while 10 % less of it holds too and costs less."""


class Backoff(Protocol):
    """A cut of the refinement."""

    @property
    def limit(self) -> str: ...

    @property
    def scenario(self) -> str: ...

    def violated_by(self, sizes: Mapping[str, Size]) -> bool:
        """Whether sizes break the cut."""
        ...


def with_reasons(site: Site, plan: Plan, cuts: Sequence[Backoff] = ()) -> Sizes:
    """Return the plan's sizes, each with what set it; nothing is said of those that there is no time for."""
    said = dict(plan.sizes)
    try:
        for name, size in plan.sizes.items():
            stopping.heed()
            said[name] = replace(size, set_by=_reason(site, plan, name, cuts))
    except StoppedError:
        pass
    return Sizes(said)


def smaller(site: Site, name: str, size: Size) -> Size | None:
    """Return the next size down: one unit less, or 10 % less; None where there is nothing to take away."""
    if name in COUNTED:
        if not size.count:
            return None
        return unit_size(site, name, str(size.card), size.count - 1)
    return replace(size, value=LESS * size.value) if size.value > 0.0 else None


def costs_more(site: Site, plan: Plan, name: str, less: Size) -> bool:
    """Whether the plan with less of a size, operated anew, costs more, or no less than rounding."""
    if plan.setting is None or plan.cost_usd_per_year is None:
        raise ValueError("a plan without a setting has no cost to compare")
    free = {
        **plan.sizes,
        name: less,
        "contract": replace(plan.sizes["contract"], value=site.poi.contract_max_mw),
    }
    exact = evaluation.evaluate(site, plan.setting, free, plan.schedule, one_away=False)
    sizes = evaluation.settled(exact, {})
    settled = evaluation.evaluate(site, plan.setting, sizes, plan.schedule, one_away=False)
    least_usd = plan.cost_usd_per_year - ROUNDING * abs(plan.cost_usd_per_year)
    return settled.cost_usd_per_year >= least_usd


def _reason(site: Site, plan: Plan, name: str, cuts: Sequence[Backoff]) -> str:
    size = plan.sizes[name]
    if name == "transformer":
        return _transformer(site, plan, cuts)
    less = smaller(site, name, size)
    if less is None:
        return ECONOMIC
    sizes = {**plan.sizes, name: less}
    if (
        name != "contract"
    ):  # the contract follows the metered peak: a smaller size that only costs more is economic
        sizes["contract"] = replace(sizes["contract"], value=site.poi.contract_max_mw)
    broken = _what_breaks(site, plan, sizes, cuts)
    if broken is not None:
        return _life(site, plan, sizes, broken) if name == "storage_energy" else broken
    return ECONOMIC if costs_more(site, plan, name, less) else _on_offer(site, plan, name, cuts)


def _on_offer(site: Site, plan: Plan, name: str, cuts: Sequence[Backoff]) -> str:
    """Return why less of a size is not bought that would hold and cost less: what is on offer below it."""
    size = plan.sizes[name]
    if name in COUNTED:
        options: Any = getattr(site.equipment, name).count
        have: float = size.count or 0
    else:
        options, have = amounts(site, name), size.value
    if isinstance(options, tuple) and len(options) == 2 and name not in COUNTED:
        return f"{LISTED}{LEAST}" if have <= options[0] * (1.0 + ROUNDING) else f"{SPARE}{CHEAPER}"
    below = [option for option in options if option < have * (1.0 - ROUNDING)]
    if not below:
        return f"{LISTED}{LEAST}"
    if name in COUNTED:
        next_down = unit_size(site, name, str(size.card), int(max(below)))
    else:
        next_down = replace(size, value=max(below))
    free = {**plan.sizes, name: next_down}
    free["contract"] = replace(free["contract"], value=site.poi.contract_max_mw)
    broken = _what_breaks(site, plan, free, cuts)
    if broken is not None:
        return f"{LISTED}{broken.split(' @ ')[0]}"
    return ECONOMIC if costs_more(site, plan, name, next_down) else f"{SPARE}{CHEAPER}"


def _life(site: Site, plan: Plan, sizes: Mapping[str, Size], broken: str) -> str:
    """Return the cycle life instead of the window rule where less energy would keep the rule but for it."""
    power, energy = sizes["storage_power"], sizes["storage_energy"]
    if broken != "poi_window @ static" or power.card is None:
        return broken
    site, schedule = modes.as_run(site, plan.schedule)
    part = catalogue.build(site, "storage", power.card)
    lasting = replace(part, cycle_life_efc=part.cycle_life_efc * LASTING)
    best = smoothing.dispatch(
        site, streams.of(site, schedule), lasting, power_mw=power.value, energy_mwh=energy.value,
        other_mw=-math.inf, tolerances=smoothing.COARSE,
    )  # fmt: skip
    return LIFE if best.window_mw <= window.room_mw(site) + residue(site, "mw") else broken


def _transformer(site: Site, plan: Plan, cuts: Sequence[Backoff]) -> str:
    """A rating more than 10 % above the need is set by the list of standard ratings."""
    size = plan.sizes["transformer"]
    card = card_of(plan.sizes, "transformer")
    part = catalogue.build(site, "transformer", card)
    units = int(size.count or 0)
    run, schedule = modes.as_run(site, plan.schedule)
    mva = evaluation.transformer_mva(site, plan.hours)
    course = evaluation.shape_mw(run, schedule, plan.dispatch)
    spare = evaluation.hot_spot_spare_mva(run, plan.sizes, plan.hours, course)
    need = part.rating_mva * float((mva / np.maximum(mva + spare, 1e-9)).max())
    fewer = {**plan.sizes, "transformer": unit_size(site, "transformer", card, units - 1)}
    limit = _what_breaks(site, plan, fewer, cuts) or ECONOMIC
    if limit == ECONOMIC or need > LESS * part.rating_mva:
        return limit
    return f"standard rating: {limit.split(' @ ')[0]}"


def _what_breaks(site: Site, plan: Plan, sizes: Mapping[str, Any], cuts: Sequence[Backoff]) -> str | None:
    if plan.setting is None:
        raise ValueError("a plan without a setting has no sizes to explain")
    broken = evaluation.evaluate(site, plan.setting, sizes, plan.schedule, one_away=False).broken
    if (row := worst.worst(site, broken)) is not None:
        return f"{row.limit} @ static"
    for cut in cuts:
        if cut.violated_by(sizes):
            return f"{cut.limit} @ {cut.scenario}"
    if not site.poi.one_job_absent:
        return None
    broken = evaluation.evaluate(site, plan.setting, sizes, plan.schedule).broken
    row = worst.worst(site, broken)
    return None if row is None else f"{row.limit} @ static"
