"""Files and values made to hang or break the loader: one InputError, within seconds."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import at_most

from codesign.errors import InputError
from codesign.site import Site, load, parse_assignment

TINY = Path(__file__).parent / "data" / "tiny"
MOST = 10.0
"""Work that a refusal may cost (`effort`): some seconds on a usual machine."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY, tmp_path / "tiny"))


@pytest.fixture(scope="module")
def tiny() -> Site:
    return load(TINY)


def refused(path: str | Path) -> None:
    """Hold load to InputError, a bounded message and bounded work."""
    with at_most(MOST), pytest.raises(InputError) as caught:
        load(path)
    assert len(str(caught.value)) < 50_000


TOML = {
    "empty": b"", "no text": b"\xff", "nul": b"\x00", "no value": b"a = ", "no end": b"[",
    "deep lists": b"a = " + b"[" * 5000, "deep tables": b"a = " + b"{a = " * 5000,
    "deep key": b"a." * 600_000 + b"a = 1", "deep header": b"[" + b"a." * 600_000 + b"a]",
    "deep quoted key": b'"a".' * 300_000 + b"a = 1",
    "deep key in a table": b"x = {" + b"a . " * 300_000 + b"a = 1}",
    "many deep keys": b"\n".join(b"a" + b".a" * 1000 + b"%d = 1" % i for i in range(800)),
    "digits": b"a = " + b"9" * 100_000, "hex digits": b"a = 0x" + b"f" * 100_000,
    "exponent": b"a = 1e" + b"9" * 100_000,
    "decimals": b"a = 1." + b"9" * 1_000_000, "long list": b"a = [" + b"1," * 400_000 + b"]",
    "long text": b'a = "' + b"x" * 1_000_000 + b'"', "long comment": b"# " + b"x" * 1_000_000,
    "long word": b"x" * 1_500_000, "quotes": b'"' * 1_500_000,
    "many keys": b"\n".join(b"a%d = 1" % i for i in range(50_000)),
    "many tables": b"\n".join(b"[a%d]" % i for i in range(50_000)), "many days": b"[[days]]\n" * 50_000,
    "no table": b"jobs = 1", "a moment": b"name = 1979-05-27T07:32:00-08:00",
}  # fmt: skip


@pytest.mark.parametrize("content", TOML.values(), ids=TOML)
def test_toml(folder: Path, content: bytes) -> None:
    (folder / "site.toml").write_bytes(content)
    refused(folder)


JSON = [
    "", "null", "[]", "1", "[" * 100_000, '{"a":' * 100_000, '{"a": NaN}', '{"a": 1e999}', '{"a": 1, "a": 2}',
    '{"\\ud800": 1}', '{"a": "\\ud800"}', "9" * 9999,
]  # fmt: skip


@pytest.mark.parametrize("content", JSON, ids=range(len(JSON)))
def test_json(folder: Path, content: str) -> None:
    (folder / "site.toml").unlink()
    (folder / "site.json").write_text(content)
    refused(folder)


SERIES = [
    "", "\n", "#", "time\n", "time,dry_bulb_c\n", '"', '"' * 100_000, "a," * 100_000 + "\n", "x" * 1_000_000,
    "\n" * 1_000_000, "time,dry_bulb_c\n" + "2023-07-01T00:00,1\n" * 200_000,
    "time,dry_bulb_c\n2023-W26-6,1\n",
    "time,dry_bulb_c\n" + "0," * 100_000, "time,dry_bulb_c\n2023-07-01T00:00," + "9" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("content", SERIES, ids=range(len(SERIES)))
def test_series(folder: Path, content: str) -> None:
    (folder / "weather.csv").write_text(content)
    refused(folder)


@pytest.mark.parametrize(
    "path", ["", "a\x00b", "\ud800", "x" * 5000, "/dev/null", "/proc/self/mem", "no/such/folder"]
)
def test_paths(path: str) -> None:
    refused(path)


WEIRD: list[Any] = [
    None, object(), b"x", print, 1j, dt.datetime(2023, 7, 1), 10**400, -(10**400), "9" * 400, float("nan"),
    float("inf"),
    [object()], [10**400] * 6, {"a": object()}, {1: 2}, {"": {}}, {"\ud800": 1},
]  # fmt: skip
PATHS = [
    "poi.contract_max_mw", "jobs", "jobs.big", "equipment.cdu.count", "equipment.buffer.volume_m3", "days",
    "cards",
    "cards.chiller.warm-250.capacity_kw", "cards.chiller.warm-250.cost_usd_per_kw",
    "scenarios.job_abort_restart.job",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_values(tiny: Site, path: str) -> None:
    for value in WEIRD:
        if path.endswith("restart.job") and value is None:
            continue  # the largest job
        with pytest.raises(InputError):
            tiny.with_({path: value})


def test_a_list_that_holds_itself(tiny: Site) -> None:
    loop: list[Any] = []
    loop.append(loop)
    for path in ("days", "equipment.cdu.count", "cards"):
        with pytest.raises(InputError):
            tiny.with_({path: loop})


def test_numbers_of_numpy_are_numbers(tiny: Site) -> None:
    changed = {
        "jobs.big.count": np.int64(1),
        "poi.contract_max_mw": np.float64(0.9),
        "equipment.cdu.count": np.arange(2, 4),
    }
    assert tiny.with_(changed) == tiny


NOWHERE = [
    "", ".", "..", "days.-1.weight_days", "days.7.weight_days", "days.x.weight_days", "days.0", "name.x",
    "digest",
    "series.weather", "poi.__class__", "a" * 10_000, "a." * 5000,
]  # fmt: skip


@pytest.mark.parametrize("path", NOWHERE, ids=range(len(NOWHERE)))
def test_paths_to_nowhere(tiny: Site, path: str) -> None:
    with pytest.raises(InputError):
        tiny.with_({path: 1})


@pytest.mark.parametrize(
    "value", ["[1", "[" * 4000, "9" * 4900, "0x" + "f" * 4000, "1\nb = 2", "\x00", "a." * 2000, "nan"]
)
def test_assignments(value: str) -> None:
    path, _ = parse_assignment(f"a={value}")
    assert path == "a"


def test_long_lists_are_quick(folder: Path) -> None:
    text = (folder / "site.toml").read_text()
    volumes = ", ".join(str(1 + i / 10) for i in range(10_000))
    (folder / "site.toml").write_text(text.replace("volume_m3 = [2.0, 4.0]", f"volume_m3 = [{volumes}]"))
    with at_most(MOST / 4):
        assert len(load(folder).equipment.buffer.volume_m3) == 10_000  # type: ignore[arg-type]
