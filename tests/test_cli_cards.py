"""The verbs without a solver, and the exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from codesign import cli, cli_cards
from codesign.site import load


def test_cards_lists_what_can_be_bought(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cards", "chiller"]) == 0
    told = capsys.readouterr().out
    assert "chiller/warm-250" in told
    assert "usd_per_kw" in told
    assert "facts" in told
    assert "rack/" not in told


def test_cards_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cards", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["chiller/warm-250"]["parameters"]["capacity_kw"] == 250.0
    assert found["rack/gb200-nvl72"]["cost_grade"] is None


def test_card_at_a_point(capsys: pytest.CaptureFixture[str]) -> None:
    """115 kW into PG25 at 4.008 kJ/lK, from 40 to 55 degC: 114.77 l/min (closed form)."""
    assert cli.main(["card", "rack/gb200-nvl72", "--at", "supply_c=40", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)["at"]
    assert values["required_flow_l_per_min"] == pytest.approx(115 * 60 / 4.008 / 15, rel=1e-9)


def test_card_tells_its_check_points_and_range(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cards", "rack/gb200-nvl72", "--at", "supply_c=46"]) == 0
    told = capsys.readouterr().out
    assert "check point (published)" in told
    assert "outside the card's range: supply_c=46" in told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["cards", "chilller"], "chiller"),
        (["card", "rack/gb200"], "gb200-nvl72"),
        (["card", "gb200-nvl72"], "rack/gb200-nvl72"),
        (["card", "rack/gb200-nvl72", "--at", "suply_c=40"], "supply_c"),
        (["card", "rack/gb200-nvl72", "--at", "supply_c=warm"], "finite"),
        (["new", "hall", "--from", "toy_1mv"], "toy_1mw"),
        (["new", "a b"], "letters"),
        (["nonsense"], "No such command"),
        (["cards", "--nonsense"], "No such option"),
        (["new"], "Missing argument"),
    ],
)
def test_wrong_use_is_exit_1(
    arguments: list[str],
    says: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 1
    told = capsys.readouterr()
    assert says in told.err
    assert not told.out
    assert "Traceback" not in told.err
    assert not list(tmp_path.iterdir())


def test_new_makes_a_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "halls" / "my_hall"
    assert cli.main(["new", str(folder), "--from", "toy_1mw"]) == 0
    made = load(folder)
    assert made.name == "my_hall"
    assert not (folder / "reference.toml").exists()
    assert [each.name for each in folder.parent.iterdir()] == ["my_hall"]
    assert cli.main(["new", str(folder)]) == 1
    assert "does not exist yet" in capsys.readouterr().err


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"]) == 0
    assert {"poi", "jobs", "equipment"} <= set(json.loads(capsys.readouterr().out)["properties"])


def test_an_internal_error_is_exit_70(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(cli_cards, "evaluate", broken)
    assert cli.main(["card", "rack/gb200-nvl72"]) == 70
    told = capsys.readouterr().err
    assert "on purpose" in told
    assert "report" in told
    assert "Python" in told


def test_a_closed_pipe_is_quiet() -> None:
    command = f"{sys.executable} -m codesign cards --json | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout == "{"
    assert not done.stderr
