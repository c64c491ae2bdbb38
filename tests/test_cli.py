"""The verbs that make and judge designs: exit codes, one JSON object, wrong usage, kills and Ctrl-C."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from test_design import JSON_KEYS
from tiny import random_site

import codesign
from codesign.cli import main
from codesign.design import Design
from codesign.planning import attempt, highs

TOY = Path(__file__).parents[1] / "instances" / "toy_1mw"
STORED = Path(__file__).parent / "designs" / "toy_1mw"
SHORT = {
    "scenarios.nominal_hot.duration_s": 2,
    "scenarios.chiller_trip.duration_s": 10, "scenarios.chiller_trip.at_s": 5,
    "scenarios.chiller_trip.off_s": 1, "scenarios.chiller_trip.reload_s": 4,
    "scenarios.cdu_pump_trip.duration_s": 6, "scenarios.cdu_pump_trip.at_s": 1,
    "scenarios.job_abort_restart.duration_s": 3, "scenarios.job_abort_restart.at_s": 1,
    "scenarios.job_abort_restart.off_s": 1,
}  # fmt: skip


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def run_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code, out, _ = run(capsys, *arguments, "--json")
    return code, json.loads(out)


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site that is solved in seconds."""
    return random_site(3).with_(SHORT).save(tmp_path_factory.mktemp("sites") / "tiny")


# usage and input


@pytest.mark.parametrize(
    "arguments",
    [
        ["sovle", TOY],
        ["solve"],
        ["solve", TOY, "--time-limit-s", "soon"],
        ["plan", TOY, "--gapp", "1"],
        ["check", STORED, "--scenario", "chiller_trap"],
        ["check", STORED, "--set", "sizes.cdu.cuont=1"],
        ["check", STORED, "--set", "sizes.cdu.count"],
        ["check", TOY],
        ["audit", TOY],
        ["audit", "nowhere"],
        ["audit", STORED, "--site", "nowhere"],
        ["solve", "nowhere"],
        ["solve", TOY, "--set", "poi.contract_max_mv=1"],
        ["plan", TOY, "--set", "sizes.cdoo.count=1"],
    ],
    ids=lambda arguments: " ".join(Path(argument).name for argument in arguments),
)
def test_wrong_usage_and_wrong_input_exit_1_in_words(
    capsys: pytest.CaptureFixture[str], arguments: list[Any]
) -> None:
    code, out, err = run(capsys, *arguments)
    assert code == 1
    assert out == ""
    assert err
    assert "Traceback" not in err


def test_a_foreign_folder_is_refused_before_anything_is_solved(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "thesis.tex").write_text("dear")
    monkeypatch.setattr(highs, "solve", lambda *_, **__: pytest.fail("something was solved"))
    code, _, err = run(capsys, "solve", TOY, "--out", tmp_path / "d")
    assert code == 1
    assert "older design" in err


# the line


def test_solve_saves_what_audit_accepts(
    capsys: pytest.CaptureFixture[str], tiny_folder: Path, tmp_path: Path
) -> None:
    code, told = run_json(capsys, "solve", tiny_folder / "site.toml", "--out", tmp_path / "d")
    assert code == 0
    assert list(told) == JSON_KEYS
    assert told["outcome"] == "certified"
    assert told["bound_usd_per_year"] <= told["cost_usd_per_year"] * (1 + 1e-9)
    assert {row["judge"] for row in told["margins"]} == {"integrated", "waveform", "static"}
    assert {row["scenario"] for row in told["margins"]} == {"static", *told["covered"]}
    assert (
        json.loads((tmp_path / "d" / "design.json").read_text())["cost_usd_per_year"]
        == told["cost_usd_per_year"]
    )
    assert Design.load(tmp_path / "d").site == codesign.load(tiny_folder)
    code, verdict = run_json(capsys, "audit", tmp_path / "d", "--site", tiny_folder)
    assert (code, verdict["breaches"]) == (0, [])
    assert verdict["cost_usd_per_year"] == told["cost_usd_per_year"]


def test_solve_without_out_says_that_nothing_is_saved(
    capsys: pytest.CaptureFixture[str], tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "solve", tiny_folder, "--set", "poi.contract_max_mw=0.2")
    assert code == 2
    assert "nothing is saved" in err
    assert "contract_max_mw" in out
    assert not list(tmp_path.iterdir())


def test_infeasible_exits_2_with_the_limit_and_null(
    capsys: pytest.CaptureFixture[str], tiny_folder: Path, tmp_path: Path
) -> None:
    code, told = run_json(
        capsys, "solve", tiny_folder, "--set", "poi.contract_max_mw=0.2", "--out", tmp_path / "d"
    )
    assert (code, told["outcome"]) == (2, "infeasible")
    assert "contract_max" in told["reason"]
    assert told["cost_usd_per_year"] is None
    assert (told["sizes"], told["margins"]) == ({}, [])
    assert not (tmp_path / "d").exists()


def test_plan_tells_cost_and_bound_and_holds_a_size(
    capsys: pytest.CaptureFixture[str], tiny_folder: Path
) -> None:
    code, told = run_json(capsys, "plan", tiny_folder)
    held_code, held = run_json(capsys, "plan", tiny_folder, "--set", "sizes.fan_wall.count=2")
    assert code == 0
    assert list(told) == JSON_KEYS
    assert told["bound_usd_per_year"] <= told["cost_usd_per_year"] * (1 + 1e-9)
    assert told["margins"] == []
    assert held_code in (0, 2)
    if held_code == 0:
        assert held["sizes"]["fan_wall"]["count"] == 2
        assert held["cost_usd_per_year"] >= told["cost_usd_per_year"] * (1 - 1e-9)


# a changed design


def test_check_of_a_design_with_one_cdu_names_the_limit(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = run_json(capsys, "check", STORED, "--set", "sizes.cdu.count=1")
    assert (code, told["outcome"]) == (3, "not_certified")
    assert "cdu" in told["reason"]
    assert any(row["margin"] < 0 and row["limit"].startswith("cdu") for row in told["margins"])


def test_check_of_a_smaller_storage_names_the_limit(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = run_json(
        capsys, "check", STORED, "--set", "sizes.storage_power.value=0.1"
    )
    assert (code, told["outcome"]) == (3, "not_certified")
    assert any(limit in told["reason"] for limit in ("poi_window", "job_stop", "job_restart"))


def test_one_scenario_of_a_certified_design_holds(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = run_json(capsys, "check", STORED, "--scenario", "cdu_pump_trip")
    assert code == 0
    assert told["covered"] == ["cdu_pump_trip"]
    assert "scenario chiller_trip" in told["not_covered"]
    assert told["outcome"] == "not_certified"


def test_audit_of_a_changed_design_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = run_json(capsys, "audit", STORED, "--set", "sizes.cdu.count=1")
    assert code == 3
    assert any(breach["limit"].startswith("cdu") for breach in told["breaches"])


def test_audit_of_a_broken_folder_is_wrong_input(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = Path(shutil.copytree(STORED, tmp_path / "d"))
    (path / "certificate.json").write_text("{")
    code, out, err = run(capsys, "audit", path)
    assert (code, out) == (1, "")
    assert "certificate.json" in err


# the process


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "codesign", *map(str, arguments)]


def test_progress_is_plain_lines_on_stderr(tiny_folder: Path) -> None:
    done = subprocess.run(command("plan", tiny_folder, "--json"), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["site"]
    assert "plan, FWS" in done.stderr
    assert "\x1b" not in done.stderr


def test_importing_the_package_is_silent() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import codesign"], capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.slow
def test_a_kill_leaves_the_old_design_the_new_one_or_none(tiny_folder: Path, tmp_path: Path) -> None:
    """kill -9 at 20 random moments of solve --out D, an older design there every other time."""
    draw, out = random.Random(11), tmp_path / "d"
    began = time.monotonic()
    subprocess.run(command("solve", tiny_folder, "--out", out), check=True, capture_output=True)
    whole_s = time.monotonic() - began
    newest = Design.load(out)
    older = newest.with_({"sizes.contract.value": newest.sizes["contract"].value + 0.1})
    for turn in range(20):
        shutil.rmtree(out, ignore_errors=True)
        if turn % 2:
            older.save(out)
        solving = subprocess.Popen(
            command("solve", tiny_folder, "--out", out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(draw.uniform(0.0, 1.1 * whole_s) if turn < 14 else whole_s * draw.uniform(0.9, 1.1))
        solving.kill()
        solving.wait()
        if out.exists() or out.with_name("d.old").exists():
            found = Design.load(out)
            assert (turn % 2 and found == older) or found.sizes == newest.sizes
        else:
            assert turn % 2 == 0
        assert not out.with_name("d.old").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no signal to another process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_the_best_found(tmp_path: Path, number: int) -> None:
    solving = subprocess.Popen(
        command("solve", TOY, "--out", tmp_path / "d"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert solving.stderr is not None
    for line in solving.stderr:
        if "best" in line and "no plan yet" not in line:
            break
    solving.send_signal(number)
    out, _ = solving.communicate(timeout=300)
    assert solving.returncode == 3
    assert out.splitlines()[0] == "toy_1mw: interrupted"
    assert Design.load(tmp_path / "d").outcome is codesign.Outcome.INTERRUPTED


def test_out_of_time_saves_the_best_found(
    capsys: pytest.CaptureFixture[str], tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The solver is out of time once a first plan is there: no matter how fast the machine is."""
    plans: list[bool] = []
    solve, keep = highs.solve, attempt.Found.keep
    late = highs.Solution(highs.Status.TIME_LIMIT, math.inf, -math.inf, None, {}, 0.0)

    def kept(*arguments: Any) -> bool:
        plans.append(keep(*arguments))
        return plans[-1]

    monkeypatch.setattr(attempt.Found, "keep", kept)
    monkeypatch.setattr(highs, "solve", lambda *a, **k: late if any(plans) else solve(*a, **k))
    settings = "equipment.cooling.fws_supply_c=[34, 36]"
    code, told = run_json(capsys, "solve", tiny_folder, "--set", settings, "--out", tmp_path / "d")
    assert (code, told["outcome"]) == (3, "time_limit")
    assert told["bound_usd_per_year"] is None or told["bound_usd_per_year"] <= told["cost_usd_per_year"]
    assert Design.load(tmp_path / "d").outcome is codesign.Outcome.TIME_LIMIT
