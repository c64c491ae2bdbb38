"""The audit accepts what was certified, refuses every tampering, shares nothing with what made the design."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from test_design import shuffle
from tiny import opposed, random_site, unchecked

import codesign
from codesign import window, workload
from codesign.auditing import hall, levels, motion, radau, waves
from codesign.auditing.ledger import Ledger
from codesign.design import Audit, Check, Design, Table
from codesign.errors import InputError

STORED = sorted(path.parent for path in (Path(__file__).parent / "designs").glob("*/design.json"))
TOY = Path(__file__).parent / "designs" / "toy_1mw"
"""The design that is tampered with."""
FORBIDDEN = (
    "pyomo", "highspy", "casadi", "pandas", "codesign.planning", "codesign.checking", "codesign.refining",
    "codesign.steady", "codesign.evaluation", "codesign.smoothing",
)  # fmt: skip


@pytest.fixture(params=STORED, ids=lambda path: path.name)
def stored(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the first stored design, to tamper with."""
    return Path(shutil.copytree(TOY, tmp_path / "d"))


@pytest.fixture(scope="module")
def design() -> Design:
    return Design.load(TOY)


@pytest.fixture(scope="module")
def the_hall(design: Design) -> hall.Hall:
    return hall.Hall(design.site, design.plan)


def edit(path: Path, name: str, change: Callable[[Any], None]) -> None:
    """Change a JSON file of a design folder."""
    told = json.loads((path / name).read_text())
    change(told)
    (path / name).write_text(json.dumps(told))


def edit_rows(path: Path, change: Callable[[list[dict[str, str]]], list[dict[str, str]]]) -> None:
    """Change the samples of a design folder."""
    with (path / "trajectories.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (path / "trajectories.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(change(rows))


def limits(verdict: Audit) -> set[str]:
    return {breach.limit for breach in verdict.breaches}


# accepted


def test_a_certified_design_is_accepted(stored: Path) -> None:
    verdict = codesign.audit(stored)
    assert verdict.holds, str(verdict)
    assert len(verdict.judged) >= 6


def test_a_reordered_and_reindented_design_is_accepted(copy: Path) -> None:
    shuffle(copy)
    assert codesign.audit(copy).holds


def test_the_site_may_be_given(copy: Path) -> None:
    site = codesign.load(copy / "site")
    assert codesign.audit(copy, site).holds
    other = site.with_({"energy.demand_charge_usd_per_mw_month": 1.0})
    assert {"digest", "cost"} <= limits(codesign.audit(copy, other))


# tampered


def sizes_smaller(name: str) -> Callable[[Path], None]:
    def change(told: dict[str, Any]) -> None:
        told["sizes"][name]["value"] *= 0.9

    return lambda path: edit(path, "design.json", change)


def one_unit_less(name: str) -> Callable[[Path], None]:
    def change(told: dict[str, Any]) -> None:
        size = told["sizes"][name]
        size["value"] *= (size["count"] - 1) / size["count"]
        size["count"] -= 1

    return lambda path: edit(path, "design.json", change)


def cheaper(path: Path) -> None:
    edit(path, "design.json", lambda told: told.update(cost_usd_per_year=0.99 * told["cost_usd_per_year"]))


def cheaper_everywhere(path: Path) -> None:
    for name in ("design.json", "certificate.json"):
        edit(path, name, lambda told: told.update(cost_usd_per_year=0.99 * told["cost_usd_per_year"]))


def offset_moved(path: Path) -> None:
    def change(told: dict[str, Any]) -> None:
        row = told["schedule"][0]
        row["offset_s"] = (row["offset_s"] + 1.0) % row["period_s"]

    edit(path, "design.json", change)


def digest_changed(name: str) -> Callable[[Path], None]:
    def change(told: dict[str, Any]) -> None:
        told[name] = told[name][::-1]

    return lambda path: edit(path, "certificate.json", change)


def bound_above_cost(path: Path) -> None:
    edit(
        path,
        "certificate.json",
        lambda told: told.update(bound_usd_per_year=1.01 * told["cost_usd_per_year"]),
    )


def margin_claimed(path: Path) -> None:
    def change(told: dict[str, Any]) -> None:
        row = next(row for row in told["margins"] if row["judge"] == "integrated")
        row["margin"] += 1.0

    edit(path, "certificate.json", change)


def scenario_deleted(path: Path) -> None:
    """Leave no trace of a scenario."""
    edit_rows(path, lambda rows: [row for row in rows if row["scenario"] != "chiller_trip"])

    def change(told: dict[str, Any]) -> None:
        del told["runs"]["chiller_trip"]
        told["margins"] = [row for row in told["margins"] if row["scenario"] != "chiller_trip"]
        for names in (told["covered"], told["check"]["covered"]):
            names.remove("chiller_trip")

    edit(path, "certificate.json", change)


def rows_deleted(path: Path) -> None:
    edit_rows(path, lambda rows: [row for row in rows if row["scenario"] != "chiller_trip"])


def sample_warmer(column: str, scenario: str, at: int) -> Callable[[Path], None]:
    def change(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        run = [row for row in rows if row["scenario"] == scenario]
        run[at][column] = repr(float(run[at][column]) + 1.0)
        return rows

    return lambda path: edit_rows(path, change)


def site_edited(path: Path) -> None:
    text = (path / "site" / "site.toml").read_text()
    assert "contract_max_mw" in text
    (path / "site" / "site.toml").write_text(text.replace("contract_max_mw = 1", "contract_max_mw = 2", 1))


TAMPERINGS: dict[str, tuple[Callable[[Path], None], str]] = {
    "storage power -10 %": (sizes_smaller("storage_power"), "sizes"),
    "buffer -10 %": (sizes_smaller("buffer"), "sizes"),
    "contract -10 %": (sizes_smaller("contract"), "contract"),
    "capacity of the CDUs -10 %": (sizes_smaller("cdu"), "sizes"),
    "one CDU less": (one_unit_less("cdu"), "cost"),
    "one transformer less": (one_unit_less("transformer"), "hot_spot"),
    "an offset moved": (offset_moved, "schedule"),
    "cost x 0.99": (cheaper, "cost"),
    "cost x 0.99 in both files": (cheaper_everywhere, "cost"),
    "bound above cost": (bound_above_cost, "bound"),
    "a margin claimed": (margin_claimed, "margin"),
    "site digest": (digest_changed("site_digest"), "digest"),
    "cards digest": (digest_changed("cards_digest"), "digest"),
    "stored site edited": (site_edited, "digest"),
    "scenario deleted": (scenario_deleted, "scenario"),
    "first sample + 1 K": (sample_warmer("state.tcs_supply_c", "chiller_trip", 0), "start"),
    "a sample + 1 K": (sample_warmer("state.fws_supply_c", "chiller_trip", 30), "trajectory"),
    "last sample + 1 K": (sample_warmer("state.pretrain_0.die_c", "cdu_pump_trip", -1), "trajectory"),
    "output + 1": (sample_warmer("output.it_mw", "nominal_hot", 5), "trajectory"),
    "control + 1": (sample_warmer("control.chiller_kw", "chiller_trip", 3), "trajectory"),
    "warmer weather": (sample_warmer("disturbance.dry_bulb_c", "nominal_hot", 5), "disturbance"),
    "no trip": (sample_warmer("disturbance.chiller_available", "chiller_trip", 13), "disturbance"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampered_design_is_refused(copy: Path, name: str) -> None:
    tamper, limit = TAMPERINGS[name]
    tamper(copy)
    verdict = codesign.audit(copy)
    assert limit in limits(verdict), str(verdict)


@pytest.mark.parametrize("name", ["design.json", "certificate.json", "trajectories.csv"])
def test_nan_is_refused(copy: Path, name: str) -> None:
    text = (copy / name).read_text()
    (copy / name).write_text(re.sub(r"\d+\.\d+", "NaN", text, count=1))
    with pytest.raises(InputError, match=re.escape(name)):
        codesign.audit(copy)


def test_missing_rows_are_refused(copy: Path) -> None:
    rows_deleted(copy)
    with pytest.raises(InputError, match=r"runs\.chiller_trip"):
        codesign.audit(copy)


def test_a_folder_without_a_design_is_wrong_input(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        codesign.audit(tmp_path)


def test_every_sample_is_held_to_the_plant(design: Design, the_hall: hall.Hall) -> None:
    """One kelvin more at any sample of any temperature shows, wherever it is."""
    random = np.random.default_rng(5)
    for _ in range(6):
        run = design.check.scenarios[random.integers(len(design.check.scenarios))]
        name = random.choice([name for name in run.states if name.endswith("_c")])
        values = np.array(run.states[name])
        values[random.integers(len(values))] += 1.0
        ledger = Ledger()
        tampered = replace(run, states=Table({**run.states, name: values}))
        motion.judge(ledger, the_hall, Check(scenarios=(tampered,)))
        assert ledger.breaches


# changed


def test_a_changed_design_is_judged_by_its_limits(design: Design) -> None:
    assert "cdu_duty" in limits(codesign.audit(design.with_({"sizes.cdu.count": 1})))
    aligned = design.with_({"schedule.offsets": "aligned", "schedule.events": "aligned"})
    assert "poi_window" in limits(codesign.audit(aligned))


# its own parts


def test_waveforms_are_those_of_the_workload(design: Design) -> None:
    """Closed loops against array operations: two codes, one waveform."""
    theirs = workload.levels(design.site, design.schedule)
    for row in design.schedule:
        assert levels.level_pu(design.site, row) == pytest.approx(theirs[row.job, row.copy], abs=1e-12)


def test_the_high_pass_is_that_of_the_workload(design: Design) -> None:
    steps = workload.macro_steps(design.site)
    wave = np.random.default_rng(2).normal(size=steps)
    theirs = window.high_pass_periodic(wave, design.site)
    assert waves.high_passed(wave, design.site) == pytest.approx(theirs, abs=1e-10)


def test_the_integrator_agrees_with_scipy_on_the_plant(design: Design, the_hall: hall.Hall) -> None:
    """Own calculation, twice: intervals of every scenario by Radau IIA, and by SciPy."""
    plant, sizes = motion.plant_of(the_hall), motion.sizes_of(the_hall)
    names = plant.states
    for run in design.check.scenarios:
        step_s = motion.step_of(the_hall, run.id)
        for k in (0, len(run.time_s) // 2):
            u = {name: float(values[k]) for name, values in run.controls.items()}
            d = {name: float(values[k]) for name, values in run.disturbances.items()}
            start = np.array([run.states[name][k] for name in names])

            def rate(x: np.ndarray, u: dict[str, float] = u, d: dict[str, float] = d) -> np.ndarray:
                rates = plant.rates(dict(zip(names, x, strict=True)), u, d, sizes)
                return np.array([np.broadcast_to(rates[name], x.shape[1:]) for name in names])

            ours = radau.integrate(rate, start[:, None], motion.dense_times_s(step_s))[-1, :, 0]
            theirs = solve_ivp(
                lambda t, x: rate(x),
                (0.0, step_s),
                start,
                method="Radau",
                rtol=1e-8,
                atol=1e-8,
                vectorized=True,
            ).y[:, -1]
            assert ours == pytest.approx(theirs, abs=1e-4, rel=1e-6)


def test_the_integrator_is_exact_on_a_stiff_line() -> None:
    """Closed form: x' = -k x over rates from 1e-3 to 100 per second."""
    k = np.geomspace(1e-3, 100.0, 7)
    path = radau.integrate(lambda x: (-k * x.T).T, np.ones((7, 3)), np.linspace(0.0, 2.0, 5))
    for time_s, x in zip(np.linspace(0.0, 2.0, 5), path, strict=True):
        assert x == pytest.approx(np.exp(-k * time_s)[:, None] * np.ones(3), abs=2e-4)


def test_a_point_far_from_any_solution_is_told() -> None:
    with np.errstate(all="ignore"), pytest.raises(radau.NotIntegratedError):
        radau.integrate(lambda x: np.where(x > 0, np.inf, -1e9 * x**3), np.ones((1, 1)), np.array([0.0, 1.0]))


def test_a_comparison_with_nan_is_a_breach() -> None:
    ledger = Ledger()
    ledger.most("a", "here", math.nan, 1.0, "degC")
    ledger.least("b", "here", math.nan, 1.0, "degC")
    ledger.same("c", "here", math.nan, 1.0, "K")
    assert [breach.limit for breach in ledger.breaches] == ["a", "b", "c"]


def test_the_audit_loads_no_optimiser() -> None:
    code = (
        "import sys, codesign; assert codesign.audit(sys.argv[1]).holds;"
        f"bad = set({FORBIDDEN!r}) & set(sys.modules); sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(TOY)], check=True, capture_output=True)


@pytest.mark.parametrize("seed", [0, 2, 5, None])
def test_plans_of_random_sites_are_found_again(seed: int | None) -> None:
    """Every static limit, duty, power and cost: unlocked jobs, steady ones, jitter; one of two jobs away."""
    site = opposed(one_job_absent=True) if seed is None else random_site(seed)
    plan = codesign.plan(site)
    design = unchecked(site, plan)
    verdict = codesign.audit(design)
    assert limits(verdict) == {"scenario", "outcome"}, str(verdict)
    if seed is None:
        fewer = Table({name: each for name, each in plan.dispatch.items() if not name.startswith("away ")})
        verdict = codesign.audit(replace(design, plan=replace(plan, dispatch=fewer)))
        assert "poi_window_one_away" in limits(verdict)
