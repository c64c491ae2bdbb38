"""What reading can judge: digests, sizes against the site's lists, the schedule, what the claim contains."""

from __future__ import annotations

from typing import Any

from codesign import catalogue, duration
from codesign.auditing.ledger import Ledger
from codesign.design import Design, Outcome, Plan, Size
from codesign.site import Site
from codesign.workload import Assignment

COUNTED = {
    "transformer": ("transformer", "rating_mva", "mva"),
    "cdu": ("cdu", "capacity_kw", "kw"),
    "dry_cooler": ("dry_cooler", "capacity_kw", "kw"),
    "chiller": ("chiller", "capacity_kw", "kw"),
    "fan_wall": ("fan_wall", "capacity_kw", "kw"),
    "air_chiller": ("eir_chiller", "capacity_kw", "kw"),
}
AMOUNTS = {
    "cdu_flow": ("cdu", "flow_l_per_min", "l_per_min"),
    "fws_pump": ("fws_pump", "flow_kg_per_s", "kg_per_s"),
    "buffer": ("buffer", "volume_m3", "m3"),
    "storage_power": ("storage", "power_mw", "mw"),
    "storage_energy": ("storage", "energy_mwh", "mwh"),
}


def digests(ledger: Ledger, design: Design, site: Site) -> None:
    """The design was made for this site and these cards."""
    claim = design.certificate
    ledger.equal("digest", "certificate, site", claim.site_digest, site.digest)
    ledger.equal("digest", "certificate, cards", claim.cards_digest, site.cards_digest)
    ledger.equal("digest", "stored site", design.site.digest, site.digest)
    ledger.equal("site", "name", design.plan.site_name, site.name)
    ledger.judged.append("digests of site and cards")


def sizes(ledger: Ledger, site: Site, plan: Plan) -> bool:
    """Every size is one that the site offers; return whether all are there."""
    names = {*COUNTED, *AMOUNTS, "contract"}
    ledger.equal("sizes", "ids", sorted(plan.sizes), sorted(names))
    if plan.setting is None or not names <= plan.sizes.keys():
        return False
    ledger.among("setting", "fws_supply_c", plan.setting.fws_supply_c, site.equipment.cooling.fws_supply_c)
    ledger.among("setting", "approach_k", plan.setting.approach_k, site.equipment.cdu.approach_k)
    whole = True
    for name in COUNTED:
        whole = _counted(ledger, site, name, plan.sizes[name]) and whole
    for name in AMOUNTS:
        _amount(ledger, site, name, plan.sizes[name])
    contract = plan.sizes["contract"].value
    ledger.at_least("contract", "poi", contract, 0.0, "MW")
    ledger.most("contract_max", "poi", contract, site.poi.contract_max_mw, "MW", 1e-9)
    for one, other in (("storage_power", "storage_energy"), ("cdu", "cdu_flow")):
        ledger.equal("sizes", f"{other}, card", plan.sizes[other].card, plan.sizes[one].card)
    ledger.judged.append("sizes against the site's lists")
    return whole


def _counted(ledger: Ledger, site: Site, name: str, size: Size) -> bool:
    component, rating, unit = COUNTED[name]
    spec = getattr(site.equipment, name)
    ledger.among("sizes", f"{name}, card", size.card, list(spec.cards))
    ledger.among("sizes", f"{name}, count", size.count, spec.count)
    ledger.equal("sizes", f"{name}, unit", size.unit, unit)
    if size.card not in spec.cards or size.count is None:
        return False
    total = size.count * getattr(catalogue.build(site, component, str(size.card)), rating)
    ledger.same("sizes", f"{name}, value", size.value, total, unit)
    return True


def _amount(ledger: Ledger, site: Site, name: str, size: Size) -> None:
    equipment, key, unit = AMOUNTS[name]
    spec = getattr(site.equipment, equipment)
    ledger.equal("sizes", f"{name}, unit", size.unit, unit)
    if size.card is None and equipment == "storage":  # none bought
        ledger.equal("sizes", f"{name}, value", size.value, 0.0)
        return
    ledger.among("sizes", f"{name}, card", size.card, list(spec.cards))
    ledger.among("sizes", f"{name}, value", size.value, getattr(spec, key))


def schedule(ledger: Ledger, site: Site, plan: Plan) -> bool:
    """Every job copy is placed once, on the clocks' slots, in a pod that holds it; return whether so."""
    before = len(ledger.breaches)
    due = sorted((name, copy) for name, job in site.jobs.items() for copy in range(job.count))
    ledger.equal("schedule", "job copies", sorted((row.job, row.copy) for row in plan.schedule), due)
    racks: dict[str, int] = {}
    for row in plan.schedule:
        if row.job not in site.jobs or row.pod not in site.pods:
            ledger.breach(
                "schedule", f"{row.job} {row.copy}", f"pod {row.pod}", "a job and a pod of the site"
            )
            continue
        job, place = site.jobs[row.job], f"{row.job} {row.copy}"
        racks[row.pod] = racks.get(row.pod, 0) + job.racks
        ledger.among("schedule", f"{place}, mode", row.mode, list(job.modes))
        _lock(ledger, job, row, place)
        ledger.same("schedule", f"{place}, period", row.period_s, job.period_s, "s")
        if not (0 <= row.offset_s < row.period_s and _on(row.offset_s, site.clock.offset_slot_s)):
            slots = f"a slot of {site.clock.offset_slot_s:g} s within the period"
            ledger.breach("schedule", f"{place}, offset", row.offset_s, slots, "s")
        _events(ledger, site, row, place)
    for pod, used in racks.items():
        ledger.at_most("racks", f"pod {pod}", used, site.pods[pod].count * site.pods[pod].racks, "racks")
    ledger.judged.append("schedule: every job copy, on the clocks' slots")
    return len(ledger.breaches) == before


def _lock(ledger: Ledger, job: Any, row: Assignment, place: str) -> None:
    """The lock is the job's, or one on its menu, where none is always one."""
    own = (job.locked, job.slack_pu, job.jitter_s) if job.locked else (False, 0.0, 0.0)
    menu = [(True, lock.slack_pu, lock.jitter_s) for lock in job.locks]
    taken = (row.locked, row.slack_pu, row.jitter_s)
    ledger.among("schedule", f"{place}, lock", taken, [*menu, (False, 0.0, 0.0)] if menu else [own])


def _events(ledger: Ledger, site: Site, row: Assignment, place: str) -> None:
    """Every event starts in a slot counted from the offset, and at an iteration boundary."""
    job = site.jobs[row.job]
    due = sorted(event.kind for event in job.events)
    ledger.equal("schedule", f"{place}, events", sorted(kind for kind, _ in row.events), due)
    for event in job.events:
        for kind, start_s in row.events:
            slot_s = start_s - row.offset_s
            on_slot = _on(slot_s, site.clock.event_slot_s) and _on(slot_s, job.period_s)
            if kind == event.kind and not (0 <= slot_s < event.interval_s and on_slot):
                slots = f"offset and a slot of {site.clock.event_slot_s:g} s within {event.interval_s:g} s"
                ledger.breach("schedule", f"{place}, {kind}", start_s, slots, "s")


def _on(value_s: float, slot_s: float) -> bool:
    return abs(value_s / slot_s - round(value_s / slot_s)) < 1e-9


def scenarios(ledger: Ledger, site: Site, design: Design) -> None:
    """Every scenario that the site asks for was run to its end, and the claim is one."""
    due = set(duration.names(site))
    run = {result.id for result in design.check.scenarios}
    for name in sorted(due - run):
        ledger.breach("scenario", name, "not run", "run")
    for name in sorted(run - due):
        ledger.breach("scenario", name, "run", "a scenario of the site")
    ledger.equal("scenario", "covered", sorted(design.certificate.covered), sorted(due))
    for result in design.check.scenarios:
        ledger.equal("scenario", f"{result.id}, status", result.status, "complete")
    ledger.equal("outcome", "certificate", design.outcome.value, Outcome.CERTIFIED.value)
