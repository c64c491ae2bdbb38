"""Random sites small enough to enumerate in a second: curves, jitter and unlocked jobs included."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import codesign
from codesign import evaluation
from codesign.answer import share_by_grade
from codesign.design import Certificate, Check, Design, Plan

TOY = Path(__file__).parents[1] / "instances" / "toy_1mw"
HALL = TOY.with_name("hall_20mw")


def random_site(seed: int) -> codesign.Site:
    """Return a site of one day in four steps and a macro period of ten steps, drawn from a seed."""
    draw = random.Random(seed)
    kind = draw.choice(("steady", "steady", "jitter", "unlocked"))
    levels = [round(draw.uniform(0.4, 0.95), 2) for _ in range(2)]
    changes: dict[str, Any] = {
        "days": [{"date": draw.choice(("2023-08-18", "2023-10-10", "2023-12-20")), "weight_days": 365}],
        "clock.step_s": 2.0, "clock.macro_s": 20.0, "clock.event_slot_s": 10.0, "clock.offset_slot_s": 2.0,
        "clock.hour_step_h": 6,
        "jobs.pretrain.count": draw.choice((1, 2)), "jobs.pretrain.racks": draw.choice((2, 3)),
        "jobs.pretrain.events": [
            {
                "kind": "checkpoint", "interval_s": 20, "duration_s": draw.choice((4, 6)),
                "level_pu": levels[0],
            },
        ],
        "jobs.tune.phases": [
            {"name": "compute", "share": 0.6, "level_pu": 1.0},
            {"name": "communicate", "share": 0.4, "level_pu": levels[1]},
        ],
        "jobs.tune.jitter_s": draw.choice((0.7, 2.0, 2.5)) if kind == "jitter" else 0.0,
        "jobs.tune.locked": kind != "unlocked",
        "poi.allocated_share": round(draw.uniform(0.018, 0.04), 4),
        "energy.demand_charge_usd_per_mw_month": draw.choice((2000, 8000, 14000)),
        "equipment.cooling.fws_supply_c": [draw.choice((32, 34, 36))],
        "equipment.cdu.flow_l_per_min": [200, 330, 480], "equipment.dry_cooler.count": [1, 2, 3, 4],
        "equipment.chiller.count": [2, 3, 4], "equipment.fan_wall.count": [2, 3],
        "equipment.buffer.volume_m3": [2.0, 3.0, 4.0],
        "equipment.fws_pump.flow_kg_per_s": [8, 11, 14],
        "equipment.storage.power_mw": [0.03, 0.08, 0.16, 0.3],
        "equipment.storage.energy_mwh": [0.0004, 0.002],
        "equipment.storage.cards": ["supercap-row"],
    }  # fmt: skip
    return codesign.load(TOY).with_(changes)


def opposed(**poi: object) -> codesign.Site:
    """Two equal jobs that cancel each other where they are half a period apart."""
    halves = [{"name": "up", "share": 0.5, "level_pu": 1.0}, {"name": "down", "share": 0.5, "level_pu": 0.1}]
    job = {"count": 2, "racks": 3, "period_s": 20.0, "phases": halves}
    changes = {
        "jobs": {"pair": job}, "clock.cycle_s": 20.0, "poi.allocated_share": 0.02,
        "equipment.storage.power_mw": [0.1, 0.22, 0.3],
        "equipment.storage.energy_mwh": [0.0003, 0.0008, 0.0014, 0.0022, 0.004],
        **{f"poi.{key}": value for key, value in poi.items()},
    }  # fmt: skip
    return random_site(0).with_(changes)


def steady_hall() -> codesign.Site:
    """The hall with one way for every job: the baseline, on its tick."""
    site = codesign.load(HALL)
    one = {"modes": ["baseline"], "locks": []}
    changes = {f"jobs.{name}.{key}": value for name in site.jobs for key, value in one.items()}
    return site.with_({**changes, "poi.one_job_absent": False})


def unchecked(site: codesign.Site, plan: Plan) -> Design:
    """A design of a plan whose static limits alone were judged, with a claim that fits it."""
    assert plan.setting is not None
    exact = evaluation.evaluate(site, plan.setting, plan.sizes, plan.schedule)
    claim = Certificate(
        outcome=plan.outcome, reason="", plan_cost_usd_per_year=plan.cost_usd_per_year,
        cost_usd_per_year=plan.cost_usd_per_year, bound_usd_per_year=plan.bound_usd_per_year, gap=plan.gap,
        influenced_gap=plan.influenced_gap, fixed_usd_per_year=plan.fixed_usd_per_year,
        cost_share_by_grade=share_by_grade(plan.cost_items), site_digest=site.digest,
        cards_digest=site.cards_digest,
    )  # fmt: skip
    return Design(site=site, plan=plan, check=Check(static=exact.margins), certificate=claim)
