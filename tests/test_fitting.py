"""Malformed design folders: one clear error with the key, exit 1, never an internal error."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codesign import evaluation
from codesign.cli import main
from codesign.design import DISPATCH_COLUMNS, HOUR_COLUMNS, Design
from codesign.errors import InputError

STORED = Path(__file__).parent / "designs" / "toy_1mw"
Spoil = Callable[[dict[str, Any]], object]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STORED, tmp_path / "d"))


def edit(path: Path, spoil: Spoil) -> None:
    told = json.loads(path.read_text())
    spoil(told)
    path.write_text(json.dumps(told))


MALFORMED: dict[str, tuple[str, Spoil, str]] = {
    "a margin without a limit": (
        "certificate.json", lambda d: d["margins"][0].pop("limit"), "margins.0.limit"),
    "no size of the CDUs": ("design.json", lambda d: d["sizes"].pop("cdu"), "sizes.cdu"),
    "an unknown size": ("design.json", lambda d: d["sizes"].update(tower=d["sizes"]["cdu"]), "sizes.tower"),
    "an unknown card": ("design.json", lambda d: d["sizes"]["cdu"].update(card="cdu-6"), "sizes.cdu.card"),
    "a counted size without a count": (
        "design.json", lambda d: d["sizes"]["cdu"].update(count=None), "sizes.cdu"),
    "an unknown job": ("design.json", lambda d: d["schedule"][0].update(job="nobody"), "schedule.0.job"),
    "an unknown pod": ("design.json", lambda d: d["schedule"][0].update(pod="nowhere"), "schedule.0.pod"),
    "no mode": ("design.json", lambda d: d["schedule"][0].update(mode="fast"), "schedule.0.mode"),
    "an empty schedule": ("design.json", lambda d: d.update(schedule=[]), "schedule"),
    "a dropped event": ("design.json", lambda d: d["schedule"][0].update(events=[]), "schedule.0.events"),
    "no setting": ("design.json", lambda d: d.update(setting=None), "setting"),
    "a column of the hours": ("design.json", lambda d: d["hours"].pop("poi_mw"), "hours.poi_mw"),
    "a column of the dispatch": ("design.json", lambda d: d["dispatch"].pop("soc_mwh"), "dispatch.soc_mwh"),
    "texts for numbers": (
        "design.json", lambda d: d["hours"].update(poi_mw=["x"] * len(d["hours"]["date"])), "hours.poi_mw"),
    "an hour that is not there": (
        "certificate.json", lambda d: d["runs"]["nominal_hot"].update(hour=999), "runs.nominal_hot.hour"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_design_is_wrong_input(copy: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    file, spoil, key = MALFORMED[name]
    edit(copy / file, spoil)
    for verb in (["audit", str(copy)], ["report", str(copy), "--out", str(copy.parent / "d.html")]):
        assert main(verb) == 1
        assert key in capsys.readouterr().err
    assert not (copy.parent / "d.html").exists()


WEIRD = (None, "", "x", -1, 0, 1e300, 1e-300, [], {}, True, 2.5, [1], {"a": 1})


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every value; of a list the first three."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    )
    for key, entry in entries:
        yield (*before, key)
        yield from places(entry, (*before, key))


@pytest.mark.parametrize("seed", range(4))
def test_any_spoiled_value_is_read_or_refused(copy: Path, seed: int) -> None:
    draw = random.Random(seed)
    for file in ("design.json", "certificate.json"):
        told = json.loads((STORED / file).read_text())
        *head, last = draw.choice(list(places(told)))
        holder = told
        for part in head:
            holder = holder[part]
        if draw.random() < 0.3:
            del holder[last]
        else:
            holder[last] = draw.choice(WEIRD)
        (copy / file).write_text(json.dumps(told))
        with contextlib.suppress(InputError):  # any other exception is an error of the reader
            str(Design.load(copy))
        shutil.copy(STORED / file, copy / file)


def test_a_plan_has_the_columns_that_readers_need() -> None:
    design = Design.load(STORED)
    plan = design.plan
    exact = evaluation.evaluate(design.site, plan.setting, plan.sizes, plan.schedule)
    assert set(HOUR_COLUMNS) <= set(exact.hours)
    assert set(DISPATCH_COLUMNS) <= set(exact.dispatch)
