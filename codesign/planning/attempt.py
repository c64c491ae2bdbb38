"""What both ways of planning share: a run of one setting, what was found so far, cuts, sharper curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyomo.environ as pyo

from codesign import evaluation, stopping
from codesign.design import Schedule, Setting, Size, Sizes
from codesign.planning import covering, highs, joint
from codesign.planning.highs import Status
from codesign.planning.joint import Points
from codesign.planning.rows import OBJECTIVE
from codesign.site import Site

APART = 1e-9
"""Points of a curve that differ by no more, relatively, are one."""
ALIKE = 1e-9
"""Costs that differ by no more, relatively, are the same."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A back-off cut: margin + sum gradient (x - at) >= 0 over sizes (counts for units).

    `limit` and `scenario` are where it comes from. Inner: it never enters a bound.
    """

    name: str
    margin: float
    gradient: Mapping[str, float]
    at: Mapping[str, float]
    limit: str
    scenario: str

    def violated_by(self, sizes: Mapping[str, Size]) -> bool:
        """Whether sizes break the cut."""
        change = sum(slope * (amount(sizes[name]) - self.at[name]) for name, slope in self.gradient.items())
        return self.margin + change < 0.0


@dataclass(frozen=True, slots=True)
class Need:
    """What a schedule needs of the storage, and hands to the day clock."""

    card: str | None
    power_mw: float
    energy_mwh: float
    loss_mw: float
    peak_mw: float
    metering_mw: float = 0.0
    """By how much the meter reads more than the mean."""


def amount(size: Size) -> float:
    """Return what a cut counts: units where there are some, else the value."""
    return float(size.value if size.count is None else size.count)


def cheaper(usd: float, than_usd: float, share: float = ALIKE) -> bool:
    """Whether an amount is below another by more than a share of its size, whatever the signs."""
    return usd < than_usd - share * abs(than_usd) if math.isfinite(than_usd) else usd < than_usd


@dataclass(slots=True)
class Found:
    """What the settings came to so far."""

    bound_usd: float = math.inf
    model_usd: float = math.inf
    setting: Setting | None = None
    sizes: Sizes | None = None
    schedule: Schedule | None = None
    exact: evaluation.Evaluation | None = None
    unproven: Status | None = None
    relaxation_feasible: bool = False
    stops: dict[Site, covering.Known] = field(default_factory=dict)
    """What is known of stops, by running site: the same at every setting."""

    def keep(
        self, run: Run, exact: evaluation.Evaluation, sizes: Sizes, schedule: Schedule, model_usd: float
    ) -> bool:
        """Take a plan that holds if none found before is cheaper; return whether it was taken."""
        cost = math.inf if self.exact is None else self.exact.cost_usd_per_year
        if exact.broken or not cheaper(exact.cost_usd_per_year, cost, -ALIKE):
            return False
        self.exact, self.sizes, self.schedule, self.setting = exact, sizes, schedule, run.setting
        self.model_usd = model_usd
        run.tell("exact", self.cost_usd)
        return True

    @property
    def cost_usd(self) -> float:
        """Cost of the best plan, infinite if there is none."""
        return math.inf if self.exact is None else self.exact.cost_usd_per_year


@dataclass(frozen=True, slots=True)
class Run:
    """One setting's solves."""

    site: Site
    setting: Setting
    fixed: dict[str, Any]
    gap: float
    log: bool
    progress: Callable[[str, float, float], None] | None

    def tell(self, stage: str, best_usd: float, bound_usd: float = -math.inf) -> None:
        """Tell progress under the name of a stage, USD a year."""
        if self.progress is not None:
            words = f"FWS {self.setting.fws_supply_c:g} degC{stage and f', {stage}'}"
            self.progress(words, best_usd, bound_usd)

    def solve(
        self, model: pyo.ConcreteModel, stage: str | None = None, start: Mapping[str, float] | None = None,
        enough_usd: float = math.inf, continuous: bool = False,
    ) -> highs.Solution:  # fmt: skip
        """Solve a model within what is left; progress is told under the name of a stage."""
        tell = None
        if self.progress is not None and stage is not None:
            named = stage

            def tell(best: float, least: float) -> None:
                self.tell(named, best / OBJECTIVE, least / OBJECTIVE)

        return highs.solve(
            model, gap=self.gap, start=start, log=self.log, progress=tell, enough=OBJECTIVE * enough_usd,
            continuous=continuous,
        )  # fmt: skip


def settled(run: Run, sizes: Sizes, schedule: Schedule) -> tuple[evaluation.Evaluation, Sizes]:
    """Return the exact evaluation of sizes, the contract at its metered peak; what was found is kept."""
    with stopping.finishing():
        exact = evaluation.evaluate(run.site, run.setting, sizes, schedule)
        sizes = Sizes(evaluation.settled(exact, run.fixed))
        return evaluation.evaluate(run.site, run.setting, sizes, schedule), sizes


def add_cuts(model: joint.Joint, cuts: Sequence[Cut]) -> None:
    if not cuts:
        return
    size = joint.size_expressions(model)
    for cut in cuts:
        change = sum(slope * (size[name] - cut.at[name]) for name, slope in cut.gradient.items())
        model.rows.inner(f"cut_{cut.name}", cut.margin + change >= 0.0)


def sharpen(
    model: joint.Joint, points: Points, answer: highs.Solution, sizes: Sizes, exact: evaluation.Evaluation
) -> bool:
    """Add to the curves of the losses where the model operates, and where the exact evaluation would.

    Returns whether a point is new.
    """
    transformer = (sizes["transformer"].card, sizes["transformer"].count)
    new = False
    for h, hour in enumerate(model.grid.load_mw):
        loads = {float(exact.hours["poi_mw"][h] - exact.hours["transformer_loss_mw"][h]), answer[hour]}
        there = points.loads.setdefault((transformer, h), [])
        more = [mw for mw in sorted(loads) if all(abs(mw - known) > APART * abs(mw) for known in there)]
        there.extend(more)
        new |= bool(more)
    return new
