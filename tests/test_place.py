"""The place of a design: proven before work begins, swapped while others read, put right after a kill."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codesign import folder, place
from codesign.cli import main
from codesign.design import Design
from codesign.errors import InputError

HERE = Path(__file__).parent
STORED = HERE / "designs" / "toy_1mw"


@pytest.fixture(scope="module")
def design() -> Design:
    return Design.load(STORED)


def killed(tmp_path: Path, moments: int, seed: int) -> None:
    command = [
        sys.executable,
        str(HERE / "kill_saves.py"),
        str(STORED),
        str(tmp_path),
        str(moments),
        str(seed),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_killed_saves_with_a_reader_and_a_second_writer(tmp_path: Path) -> None:
    killed(tmp_path, 4, 1)


@pytest.mark.slow
def test_killed_saves_at_fifty_moments(tmp_path: Path) -> None:
    killed(tmp_path, 50, 2)


def test_a_reader_between_the_renames_waits(design: Design, tmp_path: Path) -> None:
    """The older design is not put back while a save holds the place: the save would lose the new one."""
    where = design.save(tmp_path / "d")
    script = "import sys; from codesign.design import Design; Design.load(sys.argv[1])"
    with place.held(where, exclusive=True):
        where.rename(place.old_of(where))
        reader = subprocess.Popen([sys.executable, "-c", script, str(where)])
        with pytest.raises(subprocess.TimeoutExpired):
            reader.wait(timeout=3.0)
        assert not where.exists()
        place.old_of(where).rename(where)
    assert reader.wait(timeout=60.0) == 0
    assert Design.load(where) == design


FULL = OSError(errno.ENOSPC, "No space left on device", "design.json")


def test_a_full_disk_is_told_and_the_older_design_stays(
    design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = design.save(tmp_path / "d")

    def full(*_: object) -> None:
        raise FULL

    monkeypatch.setattr(folder, "_write", full)
    with pytest.raises(InputError, match="No space left") as caught:
        design.with_({"sizes.contract.value": 3.0}).save(where)
    assert str(where) in str(caught.value)
    assert Design.load(where) == design
    assert [each.name for each in tmp_path.iterdir()] == ["d"]


def test_a_changed_design_is_printed_before_a_full_disk_loses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise FULL

    monkeypatch.setattr(folder, "_write", full)
    arguments = ["check", str(STORED), "--scenario", "nominal_hot", "--out", str(tmp_path / "d")]
    monkeypatch.setattr("codesign.trying.check", lambda design, **_: design)
    assert main(arguments) == 1
    told = capsys.readouterr()
    assert "toy_1mw: certified" in told.out
    assert str(tmp_path / "d") in told.err


@pytest.mark.parametrize(
    "kind", ["below a file", "long", "below nothing that can be made", "a link to nowhere"]
)
def test_an_unusable_place_is_refused_before_planning(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    places = {
        "below a file": tmp_path / "file" / "d", "long": tmp_path / ("n" * 250),
        "below nothing that can be made": Path("/proc/nothing/d"), "a link to nowhere": tmp_path / "link",
    }  # fmt: skip
    monkeypatch.setattr("codesign.refining.solve", lambda *_, **__: pytest.fail("planned"))
    assert main(["solve", str(HERE / "data" / "tiny"), "--out", str(places[kind])]) == 1
    assert str(places[kind])[:60] in capsys.readouterr().err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "link"]


def test_a_place_that_was_proven_is_left_as_it_was(tmp_path: Path) -> None:
    folder.prepare(tmp_path / "a" / "b" / "d")
    assert list(tmp_path.iterdir()) == []


def test_a_killed_save_of_this_process_number_does_not_block(design: Design, tmp_path: Path) -> None:
    """A number may come back: what an earlier process of it left is replaced."""
    (tmp_path / f"d.new-{os.getpid()}").mkdir()
    assert Design.load(design.save(tmp_path / "d")) == design


VERDICT = ["audit", str(STORED), "--set", "sizes.cdu.count=1"]


@pytest.mark.parametrize(
    ("redirect", "code"),
    [("| head -n 1 >/dev/null", 3), (">&-", 3), ("2>&-", 3), (">/dev/full", 1)],
)
def test_a_reader_that_leaves_does_not_change_the_verdict(redirect: str, code: int) -> None:
    command = f"{sys.executable} -m codesign {' '.join(VERDICT)} {redirect}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
