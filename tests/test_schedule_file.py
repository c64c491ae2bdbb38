"""The schedule for the scheduler: round trips bit for bit, atomic writes, refusals in words, the verb."""

import csv
import json
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from codesign import scheduling as files
from codesign import writing
from codesign.cli import main
from codesign.design import Design, Schedule
from codesign.errors import InputError
from codesign.scheduling import EventRecord, Record, Records

STORED = Path(__file__).parent / "designs" / "toy_1mw"


@pytest.fixture(scope="module")
def design() -> Design:
    return Design.load(STORED)


@pytest.fixture(scope="module")
def records(design: Design) -> Records:
    return files.to_records(design)


def drawn(seed: int) -> Records:
    """Copies of any period and offset, events of some."""
    draw = random.Random(seed)
    rows = []
    for copy in range(20):
        period_s, offset_s = draw.uniform(0.1, 50), draw.uniform(0, 500)
        kinds = [kind for kind in ("checkpoint", "evaluation", "a-b_1") if draw.random() < 0.5]
        events = tuple(
            EventRecord(kind, *(draw.uniform(0.01, 1e4) for _ in range(3))) for kind in sorted(kinds)
        )
        locked, jitter_s = draw.random() < 0.5, 0.1 + 0.2 * draw.random()
        rows.append(
            Record(
                "j", copy, "a.1+a.2", 'a "b", c', period_s, offset_s, offset_s % period_s, locked, 0.01,
                jitter_s, events,
            )
        )  # fmt: skip
    return tuple(rows)


def faults_of(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        files.read(path)
    assert all(fault.file == str(path) for fault in caught.value.faults)
    return [fault.key for fault in caught.value.faults]


# records


def test_one_record_a_copy(design: Design, records: Records) -> None:
    assert [(row.job, row.copy) for row in records] == [(a.job, a.copy) for a in design.schedule]
    for row, assigned in zip(records, design.schedule, strict=True):
        job = design.site.jobs[row.job]
        assert (row.pod, row.mode, row.period_s, row.offset_s) == (
            "a", assigned.mode, assigned.period_s, assigned.offset_s,
        )  # fmt: skip
        assert (row.locked, row.slack_pu, row.jitter_s) == (job.locked, job.slack_pu, job.jitter_s)
        assert {event.kind: event.first_s for event in row.events} == dict(assigned.events)
        for event in row.events:
            (given,) = (each for each in job.events if each.kind == event.kind)
            assert (event.interval_s, event.duration_s) == (given.interval_s, given.duration_s)


def test_the_gate_opens_at_the_offset_modulo_the_period(design: Design) -> None:
    late = Schedule(replace(each, offset_s=each.offset_s + 3 * each.period_s) for each in design.schedule)
    for row, assigned in zip(
        files.to_records(design.site, replace(design.plan, schedule=late)), design.schedule, strict=True
    ):
        assert row.gate_tick_s == assigned.offset_s % assigned.period_s
        assert 0 <= row.gate_tick_s < row.period_s


def test_events_start_where_iterations_do(records: Records) -> None:
    for row in records:
        for event in row.events:
            for start in (event.first_s, event.first_s + event.interval_s):
                assert (start - row.gate_tick_s) % row.period_s == pytest.approx(0, abs=1e-9)


def test_the_lock_is_that_of_the_copy(design: Design) -> None:
    """One copy of a job may keep a gate that another does not."""
    first, second, other = design.plan.schedule
    free = replace(first, locked=False), replace(second, slack_pu=0.01, jitter_s=0.25)
    rows = files.to_records(design.site, replace(design.plan, schedule=Schedule((*free, other))))
    assert [(row.locked, row.slack_pu, row.jitter_s) for row in rows] == [
        (False, 0.0, 0.0), (True, 0.01, 0.25), (True, 0.0, 0.0),
    ]  # fmt: skip


def test_the_pod_is_numbered_where_its_group_has_several(design: Design, tmp_path: Path) -> None:
    several = {"jobs.pretrain.count": 2, "jobs.pretrain.racks": 3, "jobs.tune.count": 1, "jobs.tune.racks": 2}
    for count, racks, pods in (
        (1, 8, ["a", "a", "a"]),
        (2, 5, ["a.1", "a.2", "a.1"]),
        (4, 2, ["a.1+a.4", "a.2+a.4", "a.3"]),
    ):
        site = design.site.with_({**several, "pods.a.count": count, "pods.a.racks": racks})
        rows = files.to_records(site, design.plan)
        assert [row.pod for row in rows] == pods
        for form in ("csv", "json"):
            assert files.read(files.write(rows, tmp_path / f"s.{form}")) == rows


def test_a_schedule_of_another_site_is_refused(design: Design) -> None:
    strange = Schedule(replace(each, job=f"{each.job}x") for each in design.schedule)
    with pytest.raises(InputError) as caught:
        files.to_records(design.site, replace(design.plan, schedule=strange))
    assert [fault.nearest for fault in caught.value.faults] == [each.job for each in design.schedule]
    eventless = Schedule(replace(each, events=()) for each in design.schedule)
    with pytest.raises(InputError, match="checkpoint"):
        files.to_records(design.site, replace(design.plan, schedule=eventless))
    late = Schedule(replace(each, copy=each.copy + 5) for each in design.schedule)
    with pytest.raises(InputError, match=r"schedule.pretrain.6 = 6: expected a copy from 0 to 1"):
        files.to_records(design.site, replace(design.plan, schedule=late))
    elsewhere = Schedule(replace(each, pod="b") for each in design.schedule)
    with pytest.raises(InputError, match=r"schedule.tune.0.pod = \"b\": expected the job's group of pods, a"):
        files.to_records(design.site, replace(design.plan, schedule=elsewhere))
    with pytest.raises(InputError, match="a plan with a schedule"):
        files.to_records(design.site, replace(design.plan, schedule=Schedule()))
    with pytest.raises(InputError, match="a plan with a schedule"):
        files.to_records(design.site)


# round trips


@pytest.mark.parametrize("form", ["csv", "json"])
def test_round_trip(records: Records, tmp_path: Path, form: str) -> None:
    path = files.write(records, tmp_path / f"schedule.{form}")
    assert files.read(path) == records


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("seed", range(5))
def test_any_floats_come_back_bit_for_bit(tmp_path: Path, form: str, seed: int) -> None:
    rows = drawn(seed)
    assert files.read(files.write(rows, tmp_path / f"s.{form}")) == rows


def test_the_two_forms_say_the_same(records: Records, tmp_path: Path) -> None:
    one, other = files.write_csv(records, tmp_path / "s.csv"), files.write_json(records, tmp_path / "s.json")
    assert files.read(one) == files.read(other)


def test_a_csv_is_one_flat_row_a_copy(records: Records, tmp_path: Path) -> None:
    with files.write_csv(records, tmp_path / "s.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(records)
    assert rows[0]["checkpoint.interval_s"] == "100.0"
    assert rows[-1]["job"] == "tune"
    assert rows[-1]["checkpoint.first_s"] == ""
    assert {row["locked"] for row in rows} == {"true"}


def test_a_spreadsheet_may_drop_the_zeros_and_break_lines_its_way(records: Records, tmp_path: Path) -> None:
    text = files.as_csv(records).replace(".0,", ",").replace(".0\n", "\n").replace("\n", "\r\n")
    (tmp_path / "s.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert files.read(tmp_path / "s.csv") == records


def test_only_finite_numbers_are_written(records: Records, tmp_path: Path) -> None:
    wrong = [replace(records[0], jitter_s=float("nan"))]
    for form in ("csv", "json"):
        with pytest.raises(ValueError, match=r"finite|compliant"):
            files.write(wrong, tmp_path / f"s.{form}")
    assert list(tmp_path.iterdir()) == []


# places


def test_an_older_schedule_is_replaced_and_nothing_else(records: Records, tmp_path: Path) -> None:
    path = files.write(records, tmp_path / "new" / "folder" / "s.csv")
    assert files.read(files.write(records[:1], path)) == records[:1]
    assert files.read(files.write_json(records, path)) == records
    for name, text in (
        ("thesis.csv", "dear\n"),
        ("a.json", "{}"),
        ("b.json", "[1]"),
        ("c.csv", "job,copy\n"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match="older schedule"):
            files.write(records, tmp_path / name)
        assert (tmp_path / name).read_text() == text


def test_a_design_folder_a_folder_and_another_ending_are_refused(records: Records, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="design folder"):
        files.write(records, STORED / "schedule.csv")
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(InputError, match="a folder"):
        files.write(records, tmp_path / "d.csv")
    with pytest.raises(InputError, match="ends in"):
        files.write(records, tmp_path / "schedule.txt")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_is_refused(records: Records, tmp_path: Path) -> None:
    files.write(records, tmp_path / "real.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    with pytest.raises(InputError, match="a link"):
        files.write(records[:1], tmp_path / "link.csv")
    assert files.read(tmp_path / "real.csv") == records


def test_a_failed_write_leaves_the_old_file(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files.write(records, tmp_path / "s.csv")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(writing.os, "fsync", fail)
    with pytest.raises(OSError, match="space"):
        files.write(records[:1], path)
    assert [each.name for each in tmp_path.iterdir()] == ["s.csv"]
    assert files.read(path) == records


# what is read


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("job", ""),
        ("job", 3),
        ("copy", -1),
        ("copy", 0.5),
        ("copy", True),
        ("pod", ""),
        ("pod", 1),
        ("pod", "a.0"),
        ("pod", "a.1+b.2"),
        ("pod", "a.1+a"),
        ("pod", "a+a"),
        ("pod", "a.1\n"),
        ("period_s", 0.0),
        ("period_s", "ten"),
        ("period_s", float("inf")),
        ("offset_s", -1.0),
        ("offset_s", None),
        ("gate_tick_s", 3.0),
        ("gate_tick_s", 10.0),
        ("locked", "yes"),
        ("locked", 1),
        ("jitter_s", float("nan")),
        ("jitter_s", -0.1),
        ("jitter_s", 10**400),
        ("events", "none"),
        ("events.0", 1),
        ("events.0.kind", ""),
        ("events.0.first_s", -1.0),
        ("events.0.interval_s", 0.0),
        ("events.0.duration_s", "x"),
        ("offset", 1.0),
    ],
)
def test_a_wrong_value_names_its_place(records: Records, tmp_path: Path, key: str, value: object) -> None:
    whole = json.loads(files.as_json(records))
    at, *parts = whole["schedule"][0], *key.split(".")
    for part in parts[:-1]:
        at = at[int(part)] if part.isdigit() else at[part]
    at[int(parts[-1]) if parts[-1].isdigit() else parts[-1]] = value
    (tmp_path / "s.json").write_text(json.dumps(whole))
    assert faults_of(tmp_path / "s.json") == [f"schedule.0.{key}"]


def test_a_missing_key_and_a_copy_twice(records: Records, tmp_path: Path) -> None:
    whole = json.loads(files.as_json([*records, records[0]]))
    del whole["schedule"][1]["pod"]
    (tmp_path / "s.json").write_text(json.dumps(whole))
    assert faults_of(tmp_path / "s.json") == ["schedule.1.pod", f"schedule.{len(records)}"]


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "{}", '{"schedule": {}}', '{"tool": "x", "schema_version": 1, "schedule": []}',
        '{"tool": "codesign-dc", "schema_version": 2, "schedule": []}',
        '{"tool": "codesign-dc", "schema_version": 1, "schedule": [], "more": 1}',
        '{"tool": "codesign-dc", "tool": "codesign-dc", "schema_version": 1, "schedule": []}',
        "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_schedule_in_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text)
    assert faults_of(tmp_path / "s.json")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("baseline,10.0", "baseline,ten", "line 2.period_s"),
        ("true", "True", "line 2.locked"),
        ("pretrain,1", "pretrain,one", "line 3.copy"),
        ("100.0,16.0", "100.0,", "line 2.events.0.duration_s"),
        ("tune,0", "tune", "line 4"),
        ("copy,pod", "pod,copy", "header"),
        ("checkpoint.first_s", "checkpoint.fist_s", "header"),
        ("gate_tick_s", "gate_tick", "header"),
        ("tune", '"tune', ""),
    ],
)
def test_a_wrong_entry_names_its_line(records: Records, tmp_path: Path, old: str, new: str, key: str) -> None:
    (tmp_path / "s.csv").write_text(files.as_csv(records).replace(old, new))
    assert faults_of(tmp_path / "s.csv")[0] == key


def test_no_file_is_refused(tmp_path: Path) -> None:
    assert faults_of(tmp_path / "nowhere.csv") == [""]
    assert faults_of(tmp_path) == [""]


# the verb


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("form", ["csv", "json"])
def test_the_verb_writes(
    capsys: pytest.CaptureFixture[str], records: Records, tmp_path: Path, form: str
) -> None:
    path = tmp_path / f"schedule.{form}"
    for _ in range(2):
        code, out, err = run(capsys, "schedule", STORED, "--out", path)
        assert (code, out) == (0, "")
        assert str(path) in err
        assert files.read(path) == records


def test_the_verb_prints(capsys: pytest.CaptureFixture[str], records: Records) -> None:
    code, out, err = run(capsys, "schedule", STORED)
    assert (code, out, err) == (0, files.as_csv(records), "")
    code, out, err = run(capsys, "schedule", STORED, "--json")
    assert (code, err) == (0, "")
    assert len(json.loads(out)["schedule"]) == len(records)


def test_the_verb_says_what_is_not_certified(
    capsys: pytest.CaptureFixture[str], design: Design, tmp_path: Path
) -> None:
    design.with_({"schedule.offsets": "aligned"}).save(tmp_path / "d")
    code, _, err = run(capsys, "schedule", tmp_path / "d", "--out", tmp_path / "s.csv")
    assert code == 3
    assert "not_certified" in err
    assert {row.offset_s for row in files.read(tmp_path / "s.csv")} == {0.0}


@pytest.mark.parametrize("name", ["s.txt", "s", "designs.csv"])
def test_the_verb_refuses_in_words(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str) -> None:
    (tmp_path / "designs.csv").write_text("mine\n")
    code, out, err = run(capsys, "schedule", STORED, "--out", tmp_path / name)
    assert (code, out) == (1, "")
    assert err
    assert "Traceback" not in err
    assert run(capsys, "schedule", tmp_path)[0] == 1
