"""Thousands of broken sites through load, in one process: a site, or InputError with faults, nothing else."""

from __future__ import annotations

import copy
import json
import random
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from effort import at_most

from codesign.errors import InputError
from codesign.site import Site, load

TINY = Path(__file__).parent / "data" / "tiny"
MOST = 10.0
"""Work that one mutation may cost (`effort`): some seconds on a usual machine."""

TOKENS = [
    b"nan",
    b"inf",
    b"-inf",
    b"1e999",
    b"-1",
    b"0",
    b"-0.0",
    b"1e-320",
    b"9" * 400,
    b"9" * 5000,
    b"0x" + b"f" * 300,
    b"1_0",
    b"true",
    b"[]",
    b"{}",
    b"[[]]",
    b"[" * 200,
    b"{a=" * 150,
    b"a." * 300,
    b'"' * 3,
    b"'''",
    b"#",
    b"=",
    b"\n",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x94\xa5",
    b"\\u0000",
    b"\\ud800",
    b"..",
    b"/",
    b"../",
    b"/dev/zero",
    b"x" * 3000,
    b"2023-02-30",
    b"1979-05-27T07:32:00-08:00",
    b"07:32:00",
    b"[[days]]\n",
    b"[jobs.big]\n",
    b"[poi]\n",
    b'extends = "site.toml"\n',
    b"[files]\nallow_outside = true\n",
    b"%s%n",
    b"${HOME}",
    b"~",
]

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    7,
    0.5,
    -0.5,
    1e-12,
    1e6,
    1e12,
    1e308,
    10**30,
    -(10**30),
    10**400,
    float("nan"),
    float("inf"),
    "",
    " ",
    "a",
    "n+1",
    "site.toml",
    "weather.csv",
    "price.csv",
    "..",
    "../tiny/weather.csv",
    "/etc/hostname",
    "/dev/zero",
    "a\x00b",
    "\ud800",
    "x" * 5000,
    "2023-07-01",
    "2023-02-30",
    "ercot_2026_draft",
    [],
    {},
    [[]],
    [1],
    [1, 1],
    ["a"],
    [None],
    [float("nan")],
    list(range(20_000)),
    {"min": 1, "max": 0},
    {"min": 0.1, "max": 0.2},
    {"min": "a"},
    {"": {}},
    {"a": {"a": {"a": {}}}},
    [{}],
    [{"name": "a"}],
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("weather.csv", "price.csv"):
        (tmp_path / name).write_bytes((TINY / name).read_bytes())
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "outside.csv").symlink_to("/etc/hostname")
    return tmp_path


def test_some_mutations(folder: Path) -> None:
    _run(folder, 400, seed=1)


@pytest.mark.slow
def test_ten_thousand_mutations(folder: Path) -> None:
    _run(folder, 10_000, seed=2)


def _run(folder: Path, number: int, seed: int) -> None:
    dice = random.Random(seed)
    files = {name: (TINY / name).read_bytes() for name in ("site.toml", "weather.csv", "price.csv")}
    tree = tomllib.loads(files["site.toml"].decode())
    good = refused = 0
    for index in range(number):
        written = folder / "site.toml"
        if index % 4 == 0:
            written = folder / "site.json"
            written.write_text(json.dumps(_changed_tree(tree, dice)))
        elif index % 4 == 1:
            name = dice.choice(["weather.csv", "price.csv"])
            (folder / name).write_bytes(_changed_text(files[name], dice))
            written.write_bytes(files["site.toml"])
        else:
            written.write_bytes(_changed_text(files["site.toml"], dice))
        with at_most(MOST):
            found = _site_or_error(written)
        if isinstance(found, Site):
            good += 1
            assert str(found)
            assert load(found.save(folder / "saved" / str(good))) == found
        else:
            refused += 1
            assert found.faults
            assert len(str(found)) < 20_000
            assert all(line.isprintable() for line in str(found).splitlines())
        if index % 4 == 1:
            for name in ("weather.csv", "price.csv"):
                (folder / name).write_bytes(files[name])
    assert min(good, refused) > number / 100


def _site_or_error(path: Path) -> Site | InputError:
    try:
        return load(path)
    except InputError as error:
        return error


def _changed_text(text: bytes, dice: random.Random) -> bytes:
    """Return a file with one to three spans deleted, doubled, moved, or replaced by something odd."""
    for _ in range(dice.randint(1, 3)):
        low = dice.randrange(len(text) + 1)
        high = min(len(text), low + dice.choice([0, 1, 1, 2, 8, 40, 400]))
        span = text[low:high]
        new = dice.choice(
            [
                b"",
                span * 2,
                span[::-1],
                dice.choice(TOKENS),
                bytes(dice.randrange(256) for _ in range(len(span))),
                text[dice.randrange(len(text) + 1) :][: dice.choice([1, 5, 60])],
                dice.choice(TOKENS),
            ]
        )
        text = text[:low] + new + text[high:]
        lines = text.split(b"\n")
        if dice.random() < 0.3:
            at = dice.randrange(len(lines))
            key, equals, _ = lines[at].partition(b"=")
            lines[at] = key + equals + b" " + dice.choice(TOKENS)
            text = b"\n".join(lines)
        elif dice.random() < 0.2:
            dice.shuffle(lines)
            text = b"\n".join(lines)
        if not text:
            return text
    return text


def _changed_tree(tree: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """Return a site's tree with one to three values replaced, removed, renamed, or copied elsewhere."""
    tree = copy.deepcopy(tree)
    changes: list[Callable[[Any, Any], None]] = [
        _replace(dice),
        _replace(dice),
        _remove,
        _rename(dice),
        _copy(tree, dice),
    ]
    for _ in range(dice.randint(1, 3)):
        places = list(_places(tree))
        if places:
            dice.choice(changes)(*dice.choice(places))
    return tree


def _places(node: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    keys = (
        list(node)
        if isinstance(node, dict)
        else range(len(node))
        if isinstance(node, list) and len(node) < 100
        else []
    )
    for key in keys:
        yield node, key
        if depth < 10:
            yield from _places(node[key], depth + 1)


def _replace(dice: random.Random) -> Callable[[Any, Any], None]:
    def change(node: Any, key: Any) -> None:
        node[key] = copy.deepcopy(dice.choice(VALUES))

    return change


def _remove(node: Any, key: Any) -> None:
    del node[key]


def _rename(dice: random.Random) -> Callable[[Any, Any], None]:
    def change(node: Any, key: Any) -> None:
        if isinstance(node, dict):
            node[dice.choice([f"{key}x", key[:-1], key.upper(), "", "a" * 300, "__class__", f"{key}_ft"])] = (
                node.pop(key)
            )

    return change


def _copy(tree: Any, dice: random.Random) -> Callable[[Any, Any], None]:
    def change(node: Any, key: Any) -> None:
        other, at = dice.choice(list(_places(tree)))
        node[key] = copy.deepcopy(other[at])

    return change
