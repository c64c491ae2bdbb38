"""What a schedule is worth: the plan of a site against the plan of the same site without any start gate.

Without gates every job drifts against the others: iterations meet at every alignment, planned events as often
as `codesign.streams` expects.  Both plans are found in the same way; each has its own bound, so the worth
lies between the bound of the one less the cost of the other, either way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codesign import planning
from codesign.design import Plan
from codesign.site import Site

OFFSETS = "offsets"


@dataclass(frozen=True, slots=True)
class Worth:
    """Two plans of one site: with its gates and offsets, and without."""

    plan: Plan
    without: Plan

    @property
    def usd_per_year(self) -> float | None:
        """What the plan without offsets costs more; None where one of them was not found."""
        with_usd, without_usd = self.plan.cost_usd_per_year, self.without.cost_usd_per_year
        return None if with_usd is None or without_usd is None else without_usd - with_usd

    def more(self, size: str) -> float | None:
        """Return how much larger a size is without offsets, in its unit."""
        if not (self.plan.solved and self.without.solved):
            return None
        return self.without.sizes[size].value - self.plan.sizes[size].value


def of_offsets(site: Site, **options: Any) -> Worth:
    """Plan a site with its locks and without; options are those of `codesign.plan`."""
    return Worth(planning.plan(site, **options), planning.plan(unlocked(site), **options))


def unlocked(site: Site) -> Site:
    """Return the site with every job unlocked."""
    free: Mapping[str, Any] = {"locks": [], "locked": False, "slack_pu": 0.0, "jitter_s": 0.0}
    return site.with_({f"jobs.{name}.{key}": value for name in site.jobs for key, value in free.items()})


def as_json(worth: Worth) -> dict[str, Any]:
    """Return what `--json` prints under without_offsets."""
    free = worth.without
    return {
        "outcome": free.outcome.value,
        "reason": free.reason,
        "cost_usd_per_year": free.cost_usd_per_year,
        "bound_usd_per_year": free.bound_usd_per_year,
        "worth_usd_per_year": worth.usd_per_year,
        "worth_storage_mw": worth.more("storage_power"),
        "worth_storage_mwh": worth.more("storage_energy"),
        "contract_more_mw": worth.more("contract"),
    }


def text(worth: Worth) -> str:
    """Return the comparison in a few lines."""
    usd, free = worth.usd_per_year, worth.without
    if usd is None:
        return (
            f"without offsets\n  no plan to compare with: {free.reason if worth.plan.solved else 'none with'}"
        )
    power, energy = free.sizes["storage_power"].value, free.sizes["storage_energy"].value
    return "\n".join(
        (
            "without offsets (every job unlocked)",
            f"  cost        {free.cost_usd_per_year:,.0f} USD a year   "
            f"storage {power:.4g} MW, {1e3 * energy:.4g} kWh",
            f"  schedule    worth {usd:,.0f} USD a year, {worth.more('storage_power'):.4g} MW and "
            f"{1e3 * (worth.more('storage_energy') or 0.0):.4g} kWh of storage; "
            f"contract {worth.more('contract'):+.4f} MW",
        )
    )
