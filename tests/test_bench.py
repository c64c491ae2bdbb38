"""The bench: time by part, what counts as worse, files, the verb. No test asserts how long anything takes."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import codesign
from codesign import auditing, bench, bench_file, refining, timing
from codesign.bench import Bench, Earlier, Row
from codesign.cli import main
from codesign.errors import InputError
from codesign.timing import snapshot, spent

INSTANCES = Path(__file__).parents[1] / "instances"
TOY, INFEASIBLE = INSTANCES / "toy_1mw", INSTANCES / "toy_1mw_infeasible"

OLD = Row(
    name="toy_1mw", outcome="certified", reason="every limit holds", cost_usd_per_year=1000.0 / 3.0,
    bound_usd_per_year=300.1, gap=0.1, influenced_gap=0.2, rounds=2, milp_solves=7, wall_s=3.0,
    peak_mib=500.0, cpu_s={"build": 1.0, "milp": 2.0, "nlp": 0.0, "other": 0.1}, site_digest="a",
    cards_digest="b",
)  # fmt: skip
PROVEN = Row(name="toy_1mw", outcome="infeasible", reason="contract_max", rounds=0, milp_solves=4)
UNTOLD = Row(name="toy_1mw", outcome="time_limit", reason="stopped early")


def of(*rows: Row) -> Bench:
    return Bench(rows=rows, versions={"python": "3"}, machine={"cores": 2, "machine": "m", "system": "s"})


def worse(row: Row, old: Row, tolerance: float = 1e-6) -> list[str]:
    return [text.split()[0] for text in bench.compare(row, Earlier("old.json", old, tolerance)).worse]


# time by part


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A process clock that moves when told, and an empty account."""
    now = SimpleNamespace(s=100.0)
    monkeypatch.setattr(timing.time, "process_time", lambda: now.s)
    monkeypatch.setattr(timing, "_account", timing._Account())
    return now


def test_an_inner_part_takes_its_time_away_from_the_outer(clock: SimpleNamespace) -> None:
    clock.s += 1
    with spent("outer"):
        clock.s += 2
        with spent("inner"):
            clock.s += 4
            with spent("outer"):
                clock.s += 8
        clock.s += 16
    clock.s += 32
    assert snapshot().cpu_s == {"outer": 26.0, "inner": 4.0}
    assert snapshot().entries == {"outer": 2, "inner": 1}


def test_a_part_that_fails_is_closed(clock: SimpleNamespace) -> None:
    @spent("part")
    def fail() -> None:
        clock.s += 3
        raise ValueError

    for _ in range(2):
        with pytest.raises(ValueError, match=r"^$"):
            fail()
        clock.s += 5
    assert snapshot().cpu_s == {"part": 6.0}


def test_a_snapshot_less_an_earlier_one_is_what_lies_between(clock: SimpleNamespace) -> None:
    with spent("a"):
        clock.s += 1
        before = snapshot()
        clock.s += 2
        with spent("b"):
            clock.s += 4
        between = snapshot() - before
    assert (between.cpu_s, between.entries) == ({"a": 2.0, "b": 4.0}, {"a": 0, "b": 1})


def test_a_decorated_function_may_call_itself(clock: SimpleNamespace) -> None:
    @spent("down")
    def down(steps: int) -> int:
        clock.s += 1
        return down(steps - 1) + 1 if steps else 0

    assert down(3) == 3
    assert snapshot().cpu_s == {"down": 4.0}


def test_another_thread_has_its_own_account(clock: SimpleNamespace) -> None:
    def work() -> None:
        with spent("theirs"):
            clock.s += 1

    with spent("ours"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert set(snapshot().cpu_s) == {"ours"}


def test_the_parts_that_the_code_names_are_those_of_the_bench() -> None:
    code = "\n".join(path.read_text() for path in Path(bench.__file__).parent.glob("**/*.py"))
    assert set(re.findall(r'[@ ]spent\("(\w+)"\)', code)) == {*bench.PARTS} - {"other"}
    assert {*bench.CORES} < {*bench.PARTS}


# what counts as worse


def test_a_row_is_not_worse_than_itself() -> None:
    for row in (OLD, PROVEN, UNTOLD):
        assert worse(row, row, 0.0) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"cost_usd_per_year": 334.0}, ["cost"]),
        ({"cost_usd_per_year": 333.0}, []),
        ({"bound_usd_per_year": 300.0}, ["bound"]),
        ({"bound_usd_per_year": 301.0}, []),
        ({"bound_usd_per_year": None}, ["bound"]),
        ({"outcome": "not_certified"}, ["not_certified,"]),
        ({"outcome": "time_limit", "cost_usd_per_year": None}, ["cost", "time_limit,"]),
        ({"gap": 0.9, "influenced_gap": 0.9, "rounds": 8, "milp_solves": 99}, []),
        ({"wall_s": 1e6, "peak_mib": 1e6, "cpu_s": {"milp": 1e6}}, []),
        ({"site_digest": "c"}, []),
    ],
    ids=str,
)
def test_cost_bound_and_certificate_decide_and_nothing_else(change: dict[str, Any], named: list[str]) -> None:
    assert worse(replace(OLD, **change), OLD) == named


def test_an_infeasible_row_has_an_infinite_bound() -> None:
    assert worse(PROVEN, OLD) == ["cost", "infeasible,"]
    assert worse(PROVEN, UNTOLD) == []
    assert worse(UNTOLD, PROVEN) == ["bound"]
    assert worse(OLD, PROVEN) == ["bound"]


def test_a_design_newly_certified_may_cost_more() -> None:
    before = replace(OLD, outcome="not_certified", cost_usd_per_year=320.0)
    assert worse(OLD, before) == []
    assert worse(replace(OLD, outcome="time_limit"), before) == ["cost"]
    assert worse(replace(OLD, bound_usd_per_year=299.0), before) == ["bound"]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_tolerance_is_a_share_of_the_earlier_number(sign: float) -> None:
    old = replace(OLD, cost_usd_per_year=sign * 400.0, bound_usd_per_year=sign * 200.0)
    inside = replace(old, cost_usd_per_year=sign * 400.0 + 3.9, bound_usd_per_year=sign * 200.0 - 1.9)
    outside = replace(old, cost_usd_per_year=sign * 400.0 + 4.1, bound_usd_per_year=sign * 200.0 - 2.1)
    assert worse(inside, old, 0.01) == []
    assert worse(outside, old, 0.01) == ["cost", "bound"]


def test_times_are_told_as_old_over_new() -> None:
    new = replace(OLD, wall_s=1.5, cpu_s={"build": 4.0, "milp": 1.0, "nlp": 0.0, "audit": 1.0})
    told = bench.compare(new, Earlier("f", OLD, 0.0))
    assert told.old_per_new == {
        "whole_cpu_s": pytest.approx(3.1 / 6.0), "wall_s": 2.0, "peak_mib": 1.0, "build": 0.25, "milp": 2.0,
    }  # fmt: skip
    assert told.same_site
    assert not bench.compare(replace(new, cards_digest="c"), Earlier("f", OLD, 0.0)).same_site


def test_whole_and_whole_over_cores() -> None:
    assert OLD.whole_cpu_s == pytest.approx(3.1)
    assert OLD.whole_per_core == pytest.approx(3.1 / 2.0)
    assert (PROVEN.whole_cpu_s, PROVEN.whole_per_core) == (None, None)
    assert replace(OLD, cpu_s={"other": 1.0}).whole_per_core is None


# what a row is held against


def test_references_are_rows() -> None:
    for path in INSTANCES.glob("*/reference.toml"):
        row, rtol = bench_file.reference(path, path.parent.name)
        assert worse(row, row, rtol) == []
        assert (row.outcome == "certified") == (row.cost_usd_per_year is not None)


def test_a_file_goes_before_the_reference_whose_tolerance_stays(tmp_path: Path) -> None:
    sites = bench.named([TOY, INFEASIBLE / "site.toml"])
    assert sites == {"toy_1mw": TOY / "site.toml", "toy_1mw_infeasible": INFEASIBLE / "site.toml"}
    kept = bench_file.earlier(sites)
    assert kept["toy_1mw"].file == str(TOY / "reference.toml")
    assert kept["toy_1mw"].row == bench_file.reference(TOY / "reference.toml", "toy_1mw")[0]
    assert kept["toy_1mw"].tolerance == pytest.approx(2e-6)
    assert kept["toy_1mw_infeasible"].tolerance == 1e-6
    path = bench_file.write(of(OLD), (), tmp_path / "old.json")
    found = bench_file.earlier(sites, path)
    assert found == {
        "toy_1mw": Earlier(str(path), OLD, kept["toy_1mw"].tolerance),
        "toy_1mw_infeasible": Earlier(str(path), None, 1e-6),
    }
    assert bench.compare(PROVEN, found["toy_1mw_infeasible"]).against == ""


def test_a_site_without_a_reference_has_nothing_to_compare_with(tmp_path: Path) -> None:
    folder = codesign.load(TOY).save(tmp_path / "alone")
    (found,) = bench_file.earlier(bench.named([folder])).values()
    assert found.row is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "outcome"),
        ('outcome = "certifed"', "outcome"),
        ('outcome = "certified"\ncost_usd_per_year = "much"', "cost_usd_per_year"),
        ('outcome = "certified"\nrtol = -1.0', "rtol"),
        ('outcome = "certified"\nrtol = nan', "rtol"),
    ],
)
def test_a_wrong_reference_is_refused(tmp_path: Path, text: str, key: str) -> None:
    (tmp_path / "reference.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        bench_file.reference(tmp_path / "reference.toml", "x")
    assert [(fault.file, fault.key) for fault in caught.value.faults] == [
        (str(tmp_path / "reference.toml"), key)
    ]


def test_two_sites_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="different names"):
        bench.named([TOY, TOY / "site.toml"])


# files


def test_round_trip_bit_for_bit(tmp_path: Path) -> None:
    whole = of(OLD, replace(PROVEN, name="other"))
    path = bench_file.write(whole, [bench.compare(OLD, Earlier("f", OLD, 0.0))], tmp_path / "new" / "b.json")
    assert bench_file.read(path) == whole
    told = json.loads(path.read_text())
    assert told["bench"][0]["whole_cpu_s"] == OLD.whole_cpu_s
    assert told["compared"][0]["worse"] == []
    assert bench_file.read(bench_file.write(of(OLD), (), path)) == of(OLD)


def test_only_finite_numbers_are_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="compliant"):
        bench_file.write(of(replace(OLD, wall_s=math.nan)), (), tmp_path / "b.json")
    assert list(tmp_path.iterdir()) == []


def test_only_an_older_bench_is_replaced(tmp_path: Path) -> None:
    for text in ("dear", "{}", '{"tool": "codesign-dc", "schema_version": 1, "schedule": []}'):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(InputError, match="older bench"):
            bench_file.prepare(tmp_path / "a.json")
        with pytest.raises(InputError, match="older bench"):
            bench_file.write(of(OLD), (), tmp_path / "a.json")
        assert (tmp_path / "a.json").read_text() == text
    with pytest.raises(InputError, match=r"ends in \.json"):
        bench_file.prepare(tmp_path / "a.csv")


def edits() -> Iterator[tuple[str, Any]]:
    def of_row(key: str, value: Any) -> Any:
        return lambda whole: whole["bench"][0].__setitem__(key, value)

    yield "tool", lambda whole: whole.pop("tool")
    yield "schema_version", lambda whole: whole.__setitem__("schema_version", 2)
    yield "bench", lambda whole: whole.pop("bench")
    yield "bench", lambda whole: whole.__setitem__("bench", [1])
    yield "versions", lambda whole: whole.__setitem__("versions", [])
    yield "machine", lambda whole: whole.pop("machine")
    yield "bench.1.name", lambda whole: whole["bench"].append(whole["bench"][0])
    yield "bench.0.cost_usd_per_year", lambda whole: whole["bench"][0].pop("cost_usd_per_year")
    yield "bench.0.costs", of_row("costs", 1)
    yield "bench.0.outcome", of_row("outcome", "fine")
    yield "bench.0.cost_usd_per_year", of_row("cost_usd_per_year", "much")
    yield "bench.0.bound_usd_per_year", of_row("bound_usd_per_year", True)
    yield "bench.0.rounds", of_row("rounds", 1.5)
    yield "bench.0.wall_s", of_row("wall_s", -1)
    yield "bench.0.cpu_s", of_row("cpu_s", {"milp": None})
    yield "bench.0.name", of_row("name", ["x"])


@pytest.mark.parametrize(("key", "edit"), list(edits()))
def test_a_wrong_file_is_refused_by_its_key(tmp_path: Path, key: str, edit: Any) -> None:
    whole = json.loads(bench_file.as_json(of(OLD)))
    edit(whole)
    path = tmp_path / "b.json"
    path.write_text(json.dumps(whole))
    with pytest.raises(InputError) as caught:
        bench_file.read(path)
    (fault,) = caught.value.faults
    assert (fault.file, fault.key) == (str(path), key)
    assert fault.expected


# the verb


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["bench", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """In place of a run: a row of this name, that of the reference but for what is put in here."""
    changes: dict[str, Any] = {}

    def instead(sites: dict[str, Path], **_: Any) -> Bench:
        rows = (bench_file.reference(path.parent / "reference.toml", name)[0] for name, path in sites.items())
        return of(*(replace(row, **changes) for row in rows))

    monkeypatch.setattr(bench, "run", instead)
    return changes


def test_against_an_earlier_file_exit_3_only_where_it_is_worse(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, solved: dict[str, Any]
) -> None:
    path, before = tmp_path / "b.json", bench_file.reference(TOY / "reference.toml", TOY.name)[0]
    solved |= {"cpu_s": {"milp": 1.0}, "wall_s": 1.0}
    assert run(capsys, TOY, INFEASIBLE, "--out", path)[0] == 0
    solved |= {"cpu_s": {"milp": 9.0}, "wall_s": 9.0}
    code, out, err = run(capsys, TOY, INFEASIBLE, "--against", path)
    assert (code, err) == (0, "")
    assert "(0.11)" in out
    solved |= {"cost_usd_per_year": 1e6}
    code, out, _ = run(capsys, TOY, "--against", path, "--out", path)
    assert code == 3
    was = f"{before.cost_usd_per_year:,.2f}"
    assert f"WORSE than in {path}: cost 1,000,000.00 USD a year, {was} USD a year before" in out
    assert run(capsys, TOY, "--against", path)[0] == 0
    assert run(capsys, TOY)[0] == 3


def test_json_is_one_object_and_nothing_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, solved: dict[str, Any]
) -> None:
    solved |= {"outcome": "not_certified", "reason": "junction misses"}
    code, out, _ = run(capsys, TOY, "--json", "--out", tmp_path / "b.json")
    assert code == 3
    assert json.loads(out) == json.loads((tmp_path / "b.json").read_text())
    (told,) = json.loads(out)["compared"]
    assert told["worse"] == ["not_certified, certified before (junction misses)"]


def test_many_instances_are_told_side_by_side_within_the_width(
    capsys: pytest.CaptureFixture[str], solved: dict[str, Any]
) -> None:
    sites = sorted(path.parent for path in INSTANCES.glob("*/site.toml"))
    solved |= {"cpu_s": dict.fromkeys(bench.PARTS, 12345.678)}
    code, out, _ = run(capsys, *sites)
    assert code == 0
    assert all(re.search(rf"\b{path.name}\b", out) for path in sites)
    assert max(len(line) for line in out.splitlines() if "reference.toml" not in line) <= 110


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nowhere"],
        [TOY, "nowhere"],
        [TOY, TOY],
        [TOY, "--against", "nowhere.json"],
        [TOY, "--against", TOY / "site.toml"],
        [TOY, "--out", TOY],
        [TOY, "--out", "b.csv"],
        [TOY, "--time-limit-s", "soon"],
    ],
    ids=lambda arguments: " ".join(Path(argument).name for argument in arguments),
)
def test_wrong_input_is_exit_1_before_anything_is_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[Any]
) -> None:
    monkeypatch.delattr(bench, "run")
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (1, "")
    assert err
    assert "Traceback" not in err


def test_an_interrupted_run_saves_nothing_and_exits_3(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: Any, **__: Any) -> Bench:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "run", interrupted)
    code, out, err = run(capsys, TOY, "--out", tmp_path / "b.json")
    assert (code, out) == (3, "")
    assert "interrupted; nothing is saved" in err
    assert list(tmp_path.iterdir()) == []


# a process of its own


def test_an_infeasible_instance_is_a_row_like_its_reference(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["bench", str(INFEASIBLE), "--json", "--out", str(tmp_path / "b.json")]) == 0
    out, _ = capfd.readouterr()
    (row,), (told,) = bench_file.read(tmp_path / "b.json").rows, json.loads(out)["compared"]
    assert (row.name, row.outcome) == ("toy_1mw_infeasible", "infeasible")
    assert "contract_max" in row.reason
    assert (row.cost_usd_per_year, row.bound_usd_per_year, row.gap, row.influenced_gap) == (None,) * 4
    assert row.milp_solves
    assert tuple(row.cpu_s) == bench.PARTS
    assert all(row.cpu_s[part] > 0.0 for part in ("start", "read", "build", "milp"))
    assert all(row.cpu_s[part] == 0.0 for part in ("check", "nlp", "integrate", "audit"))
    assert row.peak_mib
    assert (told["against"], told["worse"]) == (str(INFEASIBLE / "reference.toml"), [])


def test_a_process_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone"):  # what the site's reader refused, as it was said
        bench._alone("hall", tmp_path / "gone", 1.0)


def test_a_design_that_the_audit_refuses_is_not_certified(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = SimpleNamespace(
        reason="holds", cost_usd_per_year=2.0, bound_usd_per_year=1.0, gap=0.5, influenced_gap=0.5, rounds=1
    )
    design = SimpleNamespace(outcome=codesign.Outcome.CERTIFIED, certificate=claim)
    breaches: list[str] = []
    verdict = SimpleNamespace(breaches=breaches, holds=True)
    monkeypatch.setattr(refining, "solve", lambda site, **_: design)
    monkeypatch.setattr(auditing, "audit", lambda given: verdict)
    assert bench._measured(TOY, 1.0, None).outcome == "certified"
    breaches.append("cost at hall: 1, allowed 2")
    verdict.holds = False
    row = bench._measured(TOY, 1.0, None)
    assert (row.outcome, row.reason) == ("not_certified", "the audit refuses it: cost at hall: 1, allowed 2")
