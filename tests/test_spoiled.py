"""Every value that a design folder states, spoiled: refused, or on the list of what is only shown.

A path is that of a value in design.json or certificate.json without its indices; of each one index is drawn.
Spoiled is a number by one per cent (zero: by a thousandth), a text by a letter, a list by an entry.
"""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import codesign
from codesign.errors import InputError

STORED = Path(__file__).parent / "designs" / "toy_1mw"
FILES = ("design.json", "certificate.json")

SHOWN = {
    r"(design|certificate):seconds": "how long it took",
    r"certificate:check\.seconds": "how long it took",
    r"certificate:versions(\..*)?": "what it was made with",
    r"(design|certificate):reason": "a text; outcome and margins say the same in figures",
    r"certificate:(check\.)?not_covered(\.#)?": "a text",
    r"certificate:assumptions(\.#)?": "a text",
    r"certificate:runs\.\w+\.failed_solves": "of the controller; margins are integrated anyway",
    r"certificate:runs\.\w+\.energy_residual_pu": "held to 1e-6; found again by another integrator",
    r"certificate:rounds": "how often it was planned",
    r"design:model_cost_usd_per_year": "of the programme; the exact cost is found again",
    r"design:sizes\.(transformer|chiller|air_chiller|storage_\w+|contract)\.set_by": "a text",
}
"""Only shown, and why: no number among them on which a reader could act."""


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every value that is no table, and of every list."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from leaves(entry, (*place, key))
        return
    yield place
    for index, entry in enumerate(value if isinstance(value, list) else ()):
        yield from leaves(entry, (*place, index))


def paths() -> dict[str, list[tuple[Any, ...]]]:
    """Return every place of the stored design by its path."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for file in FILES:
        for place in leaves(json.loads((STORED / file).read_text())):
            dotted = ".".join("#" if isinstance(part, int) else part for part in place)
            found.setdefault(f"{file.removesuffix('.json')}:{dotted}", []).append(place)
    return found


PATHS = paths()
FAST = random.Random(4).sample(sorted(PATHS), 5)
"""A few for every run; the rest is slow."""


def spoiled(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 1.01 if abs(value) > 1e-9 else 1e-3
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, list):
        return value[:-1] if value else [0.0]
    return 1.0 if value is None else None


def accepted(path: str, tmp_path: Path) -> bool:
    """Spoil one place of a path and say whether the audit takes it."""
    copy = Path(shutil.copytree(STORED, tmp_path / "d"))
    file = copy / f"{path.partition(':')[0]}.json"
    *head, last = random.Random(path).choice(PATHS[path])
    told = json.loads(file.read_text())
    holder = told
    for part in head:
        holder = holder[part]
    holder[last] = spoiled(holder[last])
    file.write_text(json.dumps(told))
    try:
        return codesign.audit(copy).holds
    except InputError:
        return False


def held(path: str, tmp_path: Path) -> None:
    reason = next((why for shown, why in SHOWN.items() if re.fullmatch(shown, path)), None)
    assert reason or not accepted(path, tmp_path), path


def test_nothing_is_listed_twice_or_in_vain() -> None:
    for shown in SHOWN:
        assert any(re.fullmatch(shown, path) for path in PATHS), shown


@pytest.mark.parametrize("path", FAST)
def test_a_spoiled_value_is_refused(path: str, tmp_path: Path) -> None:
    held(path, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(set(PATHS) - set(FAST)))
def test_every_other_spoiled_value_is_refused(path: str, tmp_path: Path) -> None:
    held(path, tmp_path)


def test_a_bound_above_the_one_proven_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without proof it is taken as stated; gaps that fit do not tell."""
    design = codesign.Design.load(STORED)
    proven = design.certificate.bound_usd_per_year
    assert proven is not None
    for low, holds in ((1.0, True), (0.999, False)):
        monkeypatch.setattr("codesign.proving.bound_usd_per_year", lambda _, low=low: low * proven)
        verdict = codesign.audit(design, bound=True)
        assert verdict.holds is holds, str(verdict)


@pytest.mark.slow
def test_the_stated_bound_is_proven_again() -> None:
    assert codesign.audit(STORED, bound=True).holds
