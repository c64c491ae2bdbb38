"""The cost again: annuities of what was bought from the cards, energy and demand from the recorded hours."""

from __future__ import annotations

from codesign import catalogue, modes
from codesign.auditing.ledger import Ledger
from codesign.design import Design, Plan
from codesign.site import Site

CENT = 0.01


def judge(ledger: Ledger, site: Site, design: Design, metering_mw: float = 0.0) -> None:
    """Re-add every item of the annual cost, the investment, and the arithmetic of the claim.

    The meter reads `metering_mw` above an hour's mean.
    """
    plan, claim = design.plan, design.certificate
    found, capex = _capital(site, plan)
    poi, weight, price = (plan.hours[name] for name in ("poi_mw", "weight_h_per_year", "price_usd_per_mwh"))
    found["energy"] = sum(
        float(w) * float(usd) * float(mw) for w, usd, mw in zip(weight, price, poi, strict=True)
    )
    found["demand"] = 12 * site.energy.demand_charge_usd_per_mw_month * (float(max(poi)) + metering_mw)
    found["contract"] = site.energy.contract_charge_usd_per_mw_year * plan.sizes["contract"].value
    if lost := _lost_work(site):
        found["lost_work"] = lost
    claimed = {item.name: item.usd_per_year for item in plan.cost_items}
    ledger.equal("cost", "items", sorted(claimed), sorted(found))
    for name in claimed.keys() & found.keys():
        ledger.same("cost", name, claimed[name], found[name], "USD/year", CENT)
    total = sum(found.values())
    for where, value in (("design", plan.cost_usd_per_year), ("certificate", claim.cost_usd_per_year)):
        ledger.same("cost", where, float("nan") if value is None else value, total, "USD/year", CENT)
    ledger.same("capex_usd", "design", plan.capex_usd or 0.0, capex, "USD", CENT)
    _claim(ledger, design, total)
    ledger.judged.append("cost, from the cards and the hours")


def _lost_work(site: Site) -> float:
    """Return what the jobs of a running site leave undone: hours of GPUs, by throughput and slack."""
    total = 0.0
    for job in site.jobs.values():
        rack = catalogue.build(site, "rack", site.pods[job.pod or next(iter(site.pods))].rack)
        (way,) = modes.ways(job)
        hours = 8760 * rack.gpus * job.racks * job.count
        total += hours * job.lost_work_usd_per_gpu_h * (1 - modes.throughput_pu(job, way))
    return total


def annuity(rate: float, years: float) -> float:
    """Return r / (1 - (1 + r)^-n)."""
    return 1 / years if rate == 0 else rate / (1 - (1 + rate) ** -years)


def _capital(site: Site, plan: Plan) -> tuple[dict[str, float], float]:
    """Return annual cost and investment of every size that is bought from a card."""
    spent: dict[str, tuple[str, float]] = {}  # size: component, investment

    def buy(size: str, component: str, *amount: float) -> None:
        card = plan.sizes[size].card
        if card is not None:
            spent[size] = component, float(catalogue.build(site, component, card).capex_usd(*amount))

    sizes = plan.sizes
    units = {name: float(size.count or 0) for name, size in sizes.items()}
    for name in ("transformer", "dry_cooler", "chiller", "fan_wall"):
        buy(name, name, units[name])
    buy("air_chiller", "eir_chiller", units["air_chiller"])
    buy("fws_pump", "fws_pump", sizes["fws_pump"].value)
    buy("buffer", "buffer", sizes["buffer"].value)
    buy("cdu", "cdu", units["cdu"], 0.0)
    buy("cdu_flow", "cdu", units["cdu"], sizes["cdu_flow"].value)
    if "cdu_flow" in spent:
        spent["cdu_flow"] = "cdu", spent["cdu_flow"][1] - spent["cdu"][1]
    buy("storage_power", "storage", sizes["storage_power"].value, 0.0)
    buy("storage_energy", "storage", 0.0, sizes["storage_energy"].value)
    annual = {}
    for name, (component, usd) in spent.items():
        part = catalogue.build(site, component, str(sizes[name].card))
        years = min(float(site.finance.life_years), part.life_years)
        annual[f"capital.{name}"] = usd * (annuity(site.finance.discount_rate, years) + part.om_pu)
    return annual, sum(usd for _, usd in spent.values())


def _claim(ledger: Ledger, design: Design, cost: float) -> None:
    """Bound below cost; gaps are what they are said to be."""
    claim = design.certificate
    bound, fixed = claim.bound_usd_per_year, claim.fixed_usd_per_year
    if bound is None or claim.gap is None:
        if (bound, claim.gap, claim.influenced_gap) != (None, None, None):
            ledger.breach("gap", "certificate", str(claim.gap), "a bound and its gaps, or none of them")
        return
    if not bound <= cost + 1e-9 * abs(cost) + CENT:
        ledger.breach("bound", "certificate", bound, f"at most the cost, {cost!r}", "USD/year")
    if design.plan.bound_usd_per_year is not None:
        ledger.same("bound", "certificate", bound, design.plan.bound_usd_per_year, "USD/year", CENT)
    ledger.same("gap", "certificate", claim.gap, (cost - bound) / abs(cost), "1", 1e-9)
    if fixed is not None and not fixed <= bound + 1e-9 * abs(bound) + CENT:
        ledger.breach("bound", "certificate, fixed part", fixed, f"at most the bound, {bound!r}", "USD/year")
    if fixed is not None and claim.influenced_gap is not None:
        ledger.same(
            "influenced gap", "certificate", claim.influenced_gap, (cost - bound) / (cost - fixed), "1", 1e-8
        )
    shares: dict[str, float] = {}
    moved = sum(abs(item.usd_per_year) for item in design.plan.cost_items)
    for item in design.plan.cost_items:
        shares[item.grade] = shares.get(item.grade, 0.0) + abs(item.usd_per_year) / moved
    for grade in shares.keys() | claim.cost_share_by_grade.keys():
        told, found = claim.cost_share_by_grade.get(grade, 0.0), shares.get(grade, 0.0)
        ledger.same("cost share", f"grade {grade}", told, found, "1", 1e-6)
