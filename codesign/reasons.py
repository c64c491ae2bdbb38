"""What set each size: a limit that breaks with less of it, or the cost.

Each size is made smaller (one unit less, or 10 % less) with operation chosen anew. A static limit that breaks
is what set it; where none does, a back-off cut of a scenario that the smaller size violates; else it is
economic: the plan chose it because less of it costs more. A standard rating counts as such when the need lies
more than 10 % below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from codesign import catalogue, evaluation, stopping
from codesign.design import Plan, Size, Sizes
from codesign.errors import StoppedError
from codesign.site import Site
from codesign.sizing import COUNTED, card_of, unit_size

LESS = 0.9
ECONOMIC = "economic"
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
    """Whether the plan with less of a size, operated anew, costs more."""
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
    return settled.cost_usd_per_year > plan.cost_usd_per_year


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
    return _what_breaks(site, plan, sizes, cuts) or ECONOMIC


def _transformer(site: Site, plan: Plan, cuts: Sequence[Backoff]) -> str:
    """A rating more than 10 % above the need is set by the list of standard ratings."""
    size = plan.sizes["transformer"]
    card = card_of(plan.sizes, "transformer")
    part = catalogue.build(site, "transformer", card)
    units = int(size.count or 0)
    need = max(
        float(mva) / (units * evaluation.transformer_allowed_pu(site, part, units, float(ambient)))
        for mva, ambient in zip(
            evaluation.transformer_mva(site, plan.hours), plan.hours["dry_bulb_c"], strict=True
        )
    )
    fewer = {**plan.sizes, "transformer": unit_size(site, "transformer", card, units - 1)}
    limit = _what_breaks(site, plan, fewer, cuts) or ECONOMIC
    if limit == ECONOMIC or need > LESS * part.rating_mva:
        return limit
    return f"standard rating: {limit.split(' @ ')[0]}"


def _what_breaks(site: Site, plan: Plan, sizes: Mapping[str, Any], cuts: Sequence[Backoff]) -> str | None:
    if plan.setting is None:
        raise ValueError("a plan without a setting has no sizes to explain")
    broken = evaluation.evaluate(site, plan.setting, sizes, plan.schedule, one_away=False).broken
    if broken:
        return f"{broken[0].limit} @ static"
    for cut in cuts:
        if cut.violated_by(sizes):
            return f"{cut.limit} @ {cut.scenario}"
    if not site.poi.one_job_absent:
        return None
    broken = evaluation.evaluate(site, plan.setting, sizes, plan.schedule).broken
    return f"{broken[0].limit} @ static" if broken else None
