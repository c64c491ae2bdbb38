"""What a certificate says of its bound: taken as stated, but for its parts, its order and its gaps.

    fixed part <= bound <= static optimum, cost        the fixed part is computed again

The bound itself is proven again by `audit --bound` alone (`codesign.proving`).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from codesign import climate, modes
from codesign.auditing.hall import Hall
from codesign.auditing.ledger import Ledger
from codesign.design import Design, Outcome, Plan, Schedule, Setting
from codesign.site import Site

CENT = 0.01
PART = 1e-9
MODEL_PU = 0.05
"""A model's cost further from the exact one, as a share of it, is none of this plan's."""
MONTHS = 12


def judge(ledger: Ledger, site: Site, design: Design, cost: float) -> None:
    """Judge order and parts of the bound and the gaps, for the cost that was found again."""
    claim, plan = design.certificate, design.plan
    bound, fixed = claim.bound_usd_per_year, unavoidable_usd_per_year(site, plan)
    for where, value in (("certificate", claim.fixed_usd_per_year), ("design", plan.fixed_usd_per_year)):
        if value is None:
            ledger.breach("fixed part", where, "missing", f"{fixed!r} found again", "USD/year")
        else:
            ledger.same("fixed part", where, value, fixed, "USD/year", CENT)
    _static_optimum(ledger, design, cost)
    if bound is None or claim.gap is None or claim.influenced_gap is None:
        if (bound, claim.gap, claim.influenced_gap, plan.bound_usd_per_year) != (None, None, None, None):
            ledger.breach("gap", "certificate", str(claim.gap), "a bound and its gaps, or none of them")
        elif claim.outcome is Outcome.CERTIFIED:
            ledger.breach("bound", "certificate", "missing", "a bound, as the design is certified")
        return
    ledger.at_most("bound", "certificate", bound, cost, "USD/year", PART * abs(cost) + CENT)
    ledger.at_least("bound", "certificate, fixed part", bound, fixed, "USD/year", PART * abs(bound) + CENT)
    stated = plan.bound_usd_per_year
    ledger.same("bound", "design", float("nan") if stated is None else stated, bound, "USD/year", CENT)
    ledger.same("gap", "certificate", claim.gap, (cost - bound) / abs(cost), "1", 1e-9)
    influenced = (cost - bound) / (cost - fixed)
    ledger.same("influenced gap", "certificate", claim.influenced_gap, influenced, "1", 1e-8)
    ledger.judged.append("bound: taken as stated; its parts, order and gaps")
    _shares(ledger, design)


def proven(ledger: Ledger, design: Design, again: float, gap: float) -> None:
    """Refuse a bound above the one proven again by more than the gap at which the site's solver may stop."""
    claim = design.certificate
    if claim.bound_usd_per_year is None:
        ledger.breach("bound", "certificate", "missing", f"{again!r} proven again", "USD/year")
        return
    within = gap * abs(claim.cost_usd_per_year or again) + CENT
    ledger.at_most("bound", "certificate, proven again", claim.bound_usd_per_year, again, "USD/year", within)
    ledger.judged.append("bound: proven again")


def _static_optimum(ledger: Ledger, design: Design, cost: float) -> None:
    """The plan before the check: the very design after one round, else between bound and cost."""
    claim, plan = design.certificate, design.plan
    before, bound, model = (
        claim.plan_cost_usd_per_year, claim.bound_usd_per_year, plan.model_cost_usd_per_year,
    )  # fmt: skip
    if before is None:
        ledger.breach("static optimum", "certificate", "missing", "a cost", "USD/year")
    elif claim.rounds <= 1:
        ledger.same("static optimum", "certificate", before, cost, "USD/year", CENT)
    else:
        within = PART * abs(cost) + CENT
        ledger.at_most("static optimum", "certificate", before, cost, "USD/year", within)
        if bound is not None:
            ledger.at_least("static optimum", "certificate", before, bound, "USD/year", within)
    if model is None or not abs(model - cost) <= MODEL_PU * abs(cost) + CENT:
        ledger.breach("model cost", "design", str(model), f"near the cost, {cost!r}", "USD/year")


def _shares(ledger: Ledger, design: Design) -> None:
    """Every grade has its share of what the items move."""
    shares: dict[str, float] = {}
    moved = sum(abs(item.usd_per_year) for item in design.plan.cost_items)
    for item in design.plan.cost_items:
        shares[item.grade] = shares.get(item.grade, 0.0) + abs(item.usd_per_year) / moved
    claimed = design.certificate.cost_share_by_grade
    for grade in shares.keys() | claimed.keys():
        told, again = claimed.get(grade, 0.0), shares.get(grade, 0.0)
        ledger.same("cost share", f"grade {grade}", told, again, "1", 1e-6)


def unavoidable_usd_per_year(site: Site, plan: Plan) -> float:
    """Return energy, demand and contract of the IT power alone, where it is least.

    Every copy in the mode of least mean power, the setting of least leakage; an hour of negative price counts
    at the interconnection limit.
    """
    light = _lightest(site, plan)
    cooling = site.equipment
    settings = product(cooling.cooling.fws_supply_c, cooling.cdu.approach_k)
    it_mw = min(_it_mw(site, replace(light, setting=Setting(*each))) for each in settings)
    hours, energy, total = climate.hours(site), site.energy, 0.0
    prices, weights = hours.price_usd_per_mwh.tolist(), hours.weight_h_per_year.tolist()
    for price, weight in zip(prices, weights, strict=True):
        total += weight * price * (it_mw if price >= 0.0 else site.poi.interconnection_limit_mw)
    fixed = MONTHS * energy.demand_charge_usd_per_mw_month + energy.contract_charge_usd_per_mw_year
    return total + fixed * it_mw


def _it_mw(site: Site, plan: Plan) -> float:
    return Hall(*modes.plan_as_run(site, plan)).racks.it_mw


def _lightest(site: Site, plan: Plan) -> Plan:
    """Return the plan with every copy in the mode of its job that draws least."""
    for name, job in site.jobs.items():
        options = [
            replace(
                plan,
                schedule=Schedule(
                    replace(row, mode=mode) if row.job == name else row for row in plan.schedule
                ),
            )
            for mode in job.modes
        ]
        plan = min(options, key=lambda each: _it_mw(site, each)) if len(options) > 1 else options[0]
    return plan
