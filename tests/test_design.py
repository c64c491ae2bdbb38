"""The results: saved and read bit for bit, changed by dotted path, told on one screen."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import codesign
from codesign import evaluation, folder, sizing, workload
from codesign.answer import as_json, share_by_grade
from codesign.design import (
    Audit,
    Breach,
    Certificate,
    Check,
    Design,
    Margin,
    Outcome,
    Plan,
    ScenarioResult,
    Schedule,
    Setting,
    Size,
    Sizes,
    Table,
)
from codesign.errors import InputError
from codesign.site import Site

JSON_KEYS = [
    "site", "outcome", "reason", "plan_cost_usd_per_year", "cost_usd_per_year", "bound_usd_per_year", "gap",
    "influenced_gap",
    "year_cost_usd_per_year", "year_demand_usd_per_year", "year_unserved_mwh", "year_unserved_usd_per_year",
    "year_hours_short", "year_short", "year_worst_day", "days_added",
    "it_mw", "poi_peak_mw", "pue", "wue_l_per_kwh", "capex_usd_per_kw_it", "sizes",
    "margins", "covered", "not_covered", "seconds", "versions",
]  # fmt: skip
TOY = Path(__file__).parent.parent / "instances" / "toy_1mw"
UNITS = {
    "transformer": ("pad-1500", 2), "cdu": ("cdu-600", 3), "dry_cooler": ("cell-250", 6),
    "chiller": ("warm-250", 4), "fan_wall": ("wall-50", 5), "air_chiller": ("air-100", 3),
}  # fmt: skip


@pytest.fixture(scope="module")
def site() -> Site:
    return codesign.load(TOY)


@pytest.fixture(scope="module")
def design(site: Site) -> Design:
    """A design put together by hand: real sizes and hours, a trajectory of random numbers."""
    sizes = {name: sizing.unit_size(site, name, card, count) for name, (card, count) in UNITS.items()}
    sizes |= {
        "cdu_flow": Size("cdu-600", None, 480.0, "l_per_min"),
        "fws_pump": Size("fws-pump", None, 18.0, "kg_per_s"),
        "buffer": Size("buffer", None, 4.0, "m3"),
        "storage_power": Size("supercap-row", None, 0.15, "mw"),
        "storage_energy": Size("supercap-row", None, 0.002, "mwh"),
        "contract": Size(None, None, 1.4, "mw", "contract @ static"),
    }
    schedule = Schedule(
        workload.assignment(site, name, copy, workload.placements(site, name)[-1 - copy])
        for name, job in site.jobs.items()
        for copy in range(job.count)
    )
    setting = Setting(36.0, 4.0)
    exact = evaluation.evaluate(site, setting, sizes, schedule)
    cost = exact.cost_usd_per_year
    plan = Plan(
        outcome=Outcome.NOT_CERTIFIED, reason="", site_name=site.name, sizes=Sizes(exact.sizes),
        setting=setting, schedule=schedule, dispatch=exact.dispatch, hours=exact.hours,
        cost_items=exact.cost_items, cost_usd_per_year=cost, bound_usd_per_year=0.9 * cost,
        fixed_usd_per_year=0.5 * cost, capex_usd=exact.capex_usd,
    )  # fmt: skip
    run = wild_run("nominal_hot")
    claim = Certificate(
        outcome=Outcome.CERTIFIED, reason="", plan_cost_usd_per_year=0.99 * cost, cost_usd_per_year=cost,
        bound_usd_per_year=0.9 * cost, gap=plan.gap, influenced_gap=plan.influenced_gap,
        fixed_usd_per_year=0.5 * cost, cost_share_by_grade=share_by_grade(exact.cost_items),
        covered=("nominal_hot",),
        not_covered=("above 2 Hz: not resolved by the profile",), assumptions=("POI rule is a draft",),
        site_digest=site.digest, cards_digest=site.cards_digest,
    )  # fmt: skip
    check = Check(static=exact.margins, scenarios=(run,), covered=("nominal_hot",))
    return Design(site=site, plan=plan, check=check, certificate=claim)


def wild_run(name: str) -> ScenarioResult:
    """Return a run of random numbers over many decades."""
    random = np.random.default_rng(7)

    def table(*names: str) -> Table:
        return Table(
            {each: random.normal(size=9) * 10.0 ** random.integers(-300, 300, size=9) for each in names}
        )

    return ScenarioResult(
        id=name, hour=17, status="complete", time_s=tuple((0.1 * np.arange(9)).tolist()),
        states=table("a.die_c", "tcs_flow_l_per_min"), controls=table("tcs_flow_l_per_min"),
        disturbances=table("dry_bulb_c"), outputs=table("poi_mw"),
        margins=(Margin("junction", name, "a", 0.1 + 0.2, 1 / 3, "k", "integrated"),),
        out_of_range={"chiller.leaving_c": 3}, failed_solves=1,
    )  # fmt: skip


# folder


def test_a_design_is_read_back_bit_for_bit(design: Design, tmp_path: Path) -> None:
    design.save(tmp_path / "d")
    assert Design.load(tmp_path / "d") == design
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_equality_sees_the_last_bit(design: Design) -> None:
    table = dict(design.check["nominal_hot"].outputs)
    table["poi_mw"] = np.nextafter(table["poi_mw"], np.inf)
    run = replace(design.check["nominal_hot"], outputs=Table(table))
    assert replace(design, check=replace(design.check, scenarios=(run,))) != design


def test_order_and_indentation_do_not_matter(design: Design, tmp_path: Path) -> None:
    path = design.save(tmp_path / "d")
    shuffle(path)
    assert Design.load(path) == design


def shuffle(path: Path) -> None:
    """Re-order keys, columns and rows of a design folder, and indent it otherwise."""

    def turned(value: object) -> object:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(entry) for entry in value] if isinstance(value, list) else value

    for name in ("design.json", "certificate.json"):
        text = (path / name).read_text()
        (path / name).write_text(json.dumps(turned(json.loads(text)), indent=7))
    with (path / "trajectories.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    order = [0, 1, *range(len(header) - 1, 1, -1)]
    with (path / "trajectories.csv").open("w", newline="") as file:
        csv.writer(file).writerows([row[i] for i in order] for row in (header, *reversed(rows)))


@pytest.mark.parametrize("name", ["design.json", "certificate.json", "trajectories.csv"])
def test_nan_is_refused_when_read(design: Design, tmp_path: Path, name: str) -> None:
    path = design.save(tmp_path / "d")
    text = (path / name).read_text()
    number = (
        repr(design.plan.cost_usd_per_year) if name != "trajectories.csv" else text.split(",")[-1].strip()
    )
    assert number in text
    (path / name).write_text(text.replace(number, "NaN"))
    with pytest.raises(InputError, match=name):
        Design.load(path)


def test_nan_is_refused_when_written(design: Design, tmp_path: Path) -> None:
    broken = replace(design, plan=replace(design.plan, capex_usd=float("nan")))
    with pytest.raises(ValueError, match="not finite"):
        broken.save(tmp_path / "d")
    assert not list(tmp_path.iterdir())


def test_all_faults_of_a_folder_are_told_at_once(design: Design, tmp_path: Path) -> None:
    path = design.save(tmp_path / "d")
    told = json.loads((path / "design.json").read_text())
    told["sizes"]["cdu"]["cuont"] = told["sizes"]["cdu"].pop("count")
    told["seconds"] = "soon"
    told["hours"]["it_mw"] = told["hours"]["it_mw"][:-1]
    (path / "design.json").write_text(json.dumps(told))
    with pytest.raises(InputError) as caught:
        Design.load(path)
    faults = {fault.key: fault for fault in caught.value.faults}
    assert faults["sizes.cdu.cuont"].nearest == "count"
    assert {"sizes.cdu.count", "seconds", "hours"} <= faults.keys()


def test_a_scenario_without_rows_is_refused(design: Design, tmp_path: Path) -> None:
    path = design.save(tmp_path / "d")
    header = (path / "trajectories.csv").read_text().splitlines()[0]
    (path / "trajectories.csv").write_text(header + "\n")
    with pytest.raises(InputError, match="nominal_hot"):
        Design.load(path)


def test_a_foreign_folder_is_refused_and_left_alone(design: Design, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "thesis.tex").write_text("dear")
    with pytest.raises(InputError, match="older design"):
        design.save(tmp_path / "d")
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["thesis.tex"]


def test_what_lies_beside_a_design_is_not_swept_away(design: Design, tmp_path: Path) -> None:
    path = design.save(tmp_path / "d")
    (path / "thesis.tex").write_text("dear")
    with pytest.raises(InputError, match=r"thesis\.tex"):
        design.save(path)
    assert (path / "thesis.tex").read_text() == "dear"


def test_a_foreign_folder_where_the_older_design_would_stand_is_left_alone(
    design: Design, tmp_path: Path
) -> None:
    path = design.save(tmp_path / "d")
    (tmp_path / "d.old").mkdir()
    (tmp_path / "d.old" / "thesis.tex").write_text("dear")
    with pytest.raises(InputError, match=r"d\.old"):
        design.save(path)
    assert Design.load(path) == design
    assert (tmp_path / "d.old" / "thesis.tex").read_text() == "dear"


def test_an_older_design_is_replaced(design: Design, tmp_path: Path) -> None:
    changed = design.with_({"sizes.contract.value": 1.5})
    design.save(tmp_path / "d")
    changed.save(tmp_path / "d")
    assert Design.load(tmp_path / "d") == changed
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_a_kill_between_the_renames_is_healed(design: Design, tmp_path: Path) -> None:
    path = design.save(tmp_path / "d")
    path.rename(tmp_path / "d.old")
    assert Design.load(path) == design
    assert [each.name for each in tmp_path.iterdir()] == ["d"]


def test_a_kill_before_the_last_removal_is_healed(design: Design, tmp_path: Path) -> None:
    path = design.save(tmp_path / "d")
    shutil.copytree(path, tmp_path / "d.old")
    assert not folder.recover(path)
    assert [each.name for each in tmp_path.iterdir()] == ["d"]


def test_what_a_killed_writer_left_is_removed(design: Design, tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / f"d.new-{gone.pid}").mkdir()
    (tmp_path / f"d.new-{os.getpid()}").mkdir()
    folder.recover(tmp_path / "d")
    assert [each.name for each in tmp_path.iterdir()] == [f"d.new-{os.getpid()}"]


# changes


def test_a_changed_size_takes_the_claims_with_it(design: Design) -> None:
    changed = design.with_({"sizes.cdu.count": 1})
    assert (changed.sizes["cdu"].count, changed.sizes["cdu"].value) == (1, 600.0)
    assert changed.outcome is Outcome.NOT_CERTIFIED
    assert "sizes.cdu.count" in changed.certificate.reason
    assert (changed.plan.cost_usd_per_year, changed.certificate.bound_usd_per_year) == (None, None)
    assert changed.check == Check()
    assert "nominal_hot" in changed.certificate.not_covered


def test_a_change_that_changes_nothing_keeps_the_claims(design: Design) -> None:
    assert design.with_({"sizes.cdu.count": 3, "sizes.contract.value": 1.4}) is design


def test_aligned_offsets_keep_the_slots_of_events(design: Design) -> None:
    aligned = design.with_({"schedule.offsets": "aligned"})
    assert {row.offset_s for row in aligned.schedule} == {0.0}
    for before, after in zip(design.schedule, aligned.schedule, strict=True):
        for (_, start), (_, moved) in zip(before.events, after.events, strict=True):
            assert moved == start - before.offset_s


def test_aligned_events_share_the_slot_of_the_first_copy(design: Design) -> None:
    aligned = design.with_({"schedule.events": "aligned"})
    slots = {start - row.offset_s for row in aligned.schedule for _, start in row.events}
    assert len(slots) == 1
    assert [row.offset_s for row in aligned.schedule] == [row.offset_s for row in design.schedule]


def test_one_offset_moves_one_copy(design: Design) -> None:
    moved = design.with_({"schedule.pretrain.1.offset_s": 2})
    offsets = {(row.job, row.copy): row.offset_s for row in moved.schedule}
    before = {(row.job, row.copy): row.offset_s for row in design.schedule}
    assert offsets == {**before, ("pretrain", 1): 2.0}


@pytest.mark.parametrize(
    ("path", "value", "nearest"),
    [
        ("sizes.cdu.cuont", 1, "sizes.cdu.count"),
        ("sizes.cdu.count", 1.5, None),
        ("sizes.cdu.count", -1, None),
        ("sizes.cdu.value", 500, None),
        ("sizes.contract.value", float("inf"), None),
        ("sizes.cdu.card", "cdu-6000", "cdu-600"),
        ("schedule.offset", "aligned", "schedule.offsets"),
        ("schedule.offsets", "random", None),
        ("schedule.pretrain.7.offset_s", 1, None),
        ("weather", 1, None),
    ],
)
def test_a_wrong_change_is_told(design: Design, path: str, value: object, nearest: str | None) -> None:
    with pytest.raises(InputError) as caught:
        design.with_({path: value})
    (fault,) = caught.value.faults
    if nearest is not None:
        assert fault.nearest == nearest


# told


def test_the_first_lines_are_the_answer(design: Design) -> None:
    lines = str(design).splitlines()
    assert lines[0] == "toy_1mw: certified"
    head = "\n".join(lines[:8])
    words = ("cost", "bound", "gap 10.000%", "IT ", "POI peak", "PUE", "USD per kW-IT", "grade", "binds")
    for word in words:
        assert word in head
    assert len(lines) < 75  # one line a limit, of which there are more
    assert max(len(line) for line in lines) < 140


def test_json_has_the_keys_that_others_read(design: Design) -> None:
    told = json.loads(json.dumps(design.to_json(), allow_nan=False))
    assert list(told) == JSON_KEYS
    assert told["cost_usd_per_year"] == design.plan.cost_usd_per_year
    assert told["sizes"]["contract"] == {
        "card": None, "count": None, "value": 1.4, "unit": "mw", "set_by": "contract @ static",
    }  # fmt: skip
    assert set(told["margins"][0]) == {"limit", "scenario", "place", "time_s", "margin", "unit", "judge"}


def test_json_holds_null_where_there_is_no_plan() -> None:
    told = as_json(
        Plan(outcome=Outcome.INFEASIBLE, reason="poi.contract_max_mw is below the load", site_name="s")
    )
    assert list(told) == JSON_KEYS
    assert told["outcome"] == "infeasible"
    assert [told[key] for key in ("cost_usd_per_year", "gap", "it_mw", "pue", "capex_usd_per_kw_it")] == [
        None
    ] * 5
    assert (told["sizes"], told["margins"]) == ({}, [])


def test_tables(design: Design) -> None:
    assert list(design.sizes.to_frame().columns) == ["card", "count", "value", "unit", "set_by"]
    assert len(design.schedule.to_frame()) == 3
    frame = design.check["nominal_hot"].to_frame()
    assert {"time_s", "state.a.die_c", "control.tcs_flow_l_per_min", "output.poi_mw"} <= set(frame.columns)
    assert len(design.check.to_frame()) == len(design.check.margins)
    with pytest.raises(KeyError, match="nominal_hot"):
        design.check["chiller_tripp"]


def test_an_audit_names_every_breach() -> None:
    verdict = Audit(site_name="s", breaches=(Breach("cost", "design", 1.0, 2.0, "USD/year"),))
    assert not verdict.holds
    assert str(verdict) == "s: refused, 1 broken\n  cost at design: 1.0 USD/year, allowed 2.0 USD/year"


def test_results_are_read_only(design: Design) -> None:
    with pytest.raises(ValueError, match="read-only"):
        design.plan.hours["it_mw"][0] = 0.0
    with pytest.raises(AttributeError):
        design.plan.capex_usd = 0.0  # type: ignore[misc]


def test_outcomes_carry_advice() -> None:
    assert [member.value for member in Outcome] == [
        "certified", "not_certified", "infeasible", "interrupted", "time_limit",
    ]  # fmt: skip
    assert all(member.advice for member in Outcome)


def test_reading_a_design_loads_no_solver(design: Design, tmp_path: Path) -> None:
    path = design.save(tmp_path / "d")
    code = (
        "import sys; from codesign.design import Design; print(Design.load(sys.argv[1]));"
        "bad = {'pyomo', 'highspy', 'casadi', 'pandas', 'codesign.planning', 'codesign.checking'};"
        "sys.exit(str(bad & set(sys.modules)) if bad & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(path)], check=True, capture_output=True)
