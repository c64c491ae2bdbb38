"""A site of another size: units and rack power times s, counts kept, and so every other amount.

Temperatures, times, shares, prices and counts stay. Racks keep their number of GPUs, so that what belongs to
one of them is scaled: power, heat capacity and flow times s, thermal resistance by s. The physics of such a
site is that of the first: temperatures are equal and powers are in proportion.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from codesign import catalogue, consistency, evaluation
from codesign.design import Plan, Sizes
from codesign.schema import FLOW_L_PER_MIN
from codesign.site import Site

AMOUNTS = (
    "_kw", "_mva", "_kva", "_l", "_ml", "_l_per_min", "_kg_per_s", "_j_per_k", "_kj_per_k", "_kw_per_k",
    "_mw", "_mwh", "_m3", "_usd",
)  # fmt: skip
"""Endings of the names of amounts; a name with `_per_` before its unit, as cost_usd_per_kw, is none."""
INVERSE = ("_k_per_w", "_k_per_kw")
POI = ("window_mw", "contract_max_mw", "interconnection_limit_mw")
MENUS = {
    "cdu": "flow_l_per_min", "fws_pump": "flow_kg_per_s", "buffer": "volume_m3", "storage": "power_mw",
    "storage ": "energy_mwh",
}  # fmt: skip


def power_of(name: str) -> int:
    """Return the power of s that a card's number takes: 1, -1 or 0."""
    if name.endswith(INVERSE):
        return -1
    unit = next((end for end in sorted(AMOUNTS, key=len, reverse=True) if name.endswith(end)), None)
    return int(unit is not None and not name.removesuffix(unit).endswith("_per"))


def scaled_site(site: Site, s: float) -> Site:
    """Return the site with everything that is an amount times s."""
    cards: dict[str, dict[str, dict[str, Any]]] = {}
    for component, name, _ in consistency.cards_named(site):
        parameters = catalogue.site_card(site, component, name).parameters
        changed = {
            key: value * s ** power_of(key)
            for key, value in parameters.items()
            if isinstance(value, int | float) and power_of(key)
        }
        own = dict((site.cards.get(component) or {}).get(name) or {})
        cards.setdefault(component, {})[name] = {**own, **changed}
    changes: dict[str, Any] = {"cards": cards}
    changes |= {f"poi.{key}": getattr(site.poi, key) * s for key in POI}
    for part, key in MENUS.items():
        offered = site.to_dict()["equipment"][part.strip()][key]
        most = FLOW_L_PER_MIN.high if key == "flow_l_per_min" else float("inf")
        if isinstance(offered, dict):
            times: Any = {end: min(s * value, most) for end, value in offered.items()}
        else:
            times = sorted({min(s * value, most) for value in offered})
        changes[f"equipment.{part.strip()}.{key}"] = times
    changes |= {
        f"jobs.{name}.lost_work_usd_per_gpu_h": s * job.lost_work_usd_per_gpu_h
        for name, job in site.jobs.items()
        if job.lost_work_usd_per_gpu_h is not None
    }
    return site.with_(changes)


def scaled_plan(site: Site, plan: Plan, s: float) -> Plan:
    """Return a plan of `scaled_site(site, s)`: the sizes times s, operated as the exact evaluation does."""
    assert plan.setting is not None
    sizes = Sizes({name: replace(size, value=s * size.value) for name, size in plan.sizes.items()})
    exact = evaluation.evaluate(site, plan.setting, sizes, plan.schedule)
    return replace(plan, sizes=Sizes(exact.sizes), dispatch=exact.dispatch, hours=exact.hours)
