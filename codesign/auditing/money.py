"""The cost again: annuities of what was bought from the cards, energy and demand from the recorded hours."""

from __future__ import annotations

from codesign import catalogue, modes
from codesign.auditing import gain
from codesign.auditing.ledger import Ledger
from codesign.design import Design, Plan
from codesign.site import Site

CENT = 0.01
COMPONENT = {
    "air_chiller": "eir_chiller", "cdu_flow": "cdu", "storage_power": "storage", "storage_energy": "storage",
}  # fmt: skip
"""Component of a size whose name differs from it."""


def judge(ledger: Ledger, site: Site, asked: Site, design: Design, metering_mw: float = 0.0) -> None:
    """Re-add every item of the annual cost, the investment, and the arithmetic of the claim.

    `site` is the one whose modes are decided by the plan, `asked` the one of the design. The meter reads
    `metering_mw` above an hour's mean.
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
    for item in plan.cost_items:
        ledger.equal("cost", f"{item.name}, grade", item.grade, _grade(site, plan, item.name))
    gain.judge(ledger, asked, design, total)
    ledger.judged.append("cost, from the cards and the hours")


def _grade(site: Site, plan: Plan, item: str) -> str:
    """Return the grade of an item's price: the card's, or "site" where the site states the price."""
    kind, _, size = item.partition(".")
    if kind != "capital" or size not in plan.sizes:
        return "site"
    component = COMPONENT.get(size, size)
    return catalogue.cost_grade(site, component, str(plan.sizes[size].card))


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
