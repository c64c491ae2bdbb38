"""What a schedule is worth: two plans of one site, and the verb that compares them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny import random_site

import codesign
from codesign import worth
from codesign.cli import main
from codesign.site import Site

pytestmark = pytest.mark.slow

HALL = Path(__file__).parents[1] / "instances" / "hall_20mw"


def pair(**poi: object) -> Site:
    """Two jobs whose checkpoints break the rule where they meet."""
    return random_site(3).with_(
        {
            "jobs.tune.locked": True, "jobs.tune.jitter_s": 0.0, "jobs.pretrain.count": 2,
            "equipment.storage.power_mw": [0.0, 0.03, 0.08, 0.16, 0.3],
            "equipment.storage.energy_mwh": [0.0, 0.0004, 0.002], "solver.method": "split", **poi,
        }
    )  # fmt: skip


def test_the_worth_is_what_the_unlocked_site_costs_more() -> None:
    site = pair()
    found = worth.of_offsets(site, gap=1e-6)
    alone = codesign.plan(site.with_({"jobs.pretrain.locked": False, "jobs.tune.locked": False}), gap=1e-6)
    assert found.without.cost_usd_per_year == alone.cost_usd_per_year
    assert found.usd_per_year is not None
    assert found.usd_per_year > 0.0
    assert (found.more("storage_power") or 0.0) > 0.0
    assert not any(row.locked for row in found.without.schedule)
    # storage, its losses, what it draws at rest, and what they need of the contract: no lower metered mean
    assert abs(found.more("contract") or 0.0) < 0.002


def test_every_lock_is_taken_off() -> None:
    site = codesign.load(HALL)
    free = worth.unlocked(site)
    assert not any(job.locked or job.locks for job in free.jobs.values())
    assert worth.unlocked(free) == free


def test_the_verb_compares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, compare = pair().save(tmp_path / "pair"), worth.of_offsets
    kept: list[worth.Worth] = []

    def once(site: Site, **options: Any) -> worth.Worth:
        kept[:] = kept or [compare(site, **options)]
        return kept[0]

    monkeypatch.setattr(worth, "of_offsets", once)
    assert main(["plan", str(folder), "--without", "offsets", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    without = told["without_offsets"]
    more = without["cost_usd_per_year"] - told["cost_usd_per_year"]
    assert without["worth_usd_per_year"] == pytest.approx(more)
    assert main(["plan", str(folder), "--without", "offsets"]) == 0
    assert f"worth {more:,.0f} USD a year" in capsys.readouterr().out


def test_a_comparison_that_cannot_be_made_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = {"equipment.storage.power_mw": [0.0], "equipment.storage.energy_mwh": [0.0]}
    folder = pair(**small).save(tmp_path / "pair")
    assert main(["plan", str(folder), "--without", "offsets"]) == 0
    assert "no plan to compare with" in capsys.readouterr().out
    assert main(["plan", str(folder), "--without", "modes"]) == 1
    assert "--without = modes: expected offsets" in capsys.readouterr().err
