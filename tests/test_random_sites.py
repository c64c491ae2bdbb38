"""Sites drawn at random over the whole schema: loaded, planned, solved; nothing beyond a range is certified.

An InputError is a legal refusal. Any other exception (exit 70) fails, and names the seed of its site. Shares
of draws that end with a design are asserted, since a draw of nothing but refusals would show nothing. To look
at one site: `random_sites.write(seed, folder)`.

    python -m pytest -m longest -n 0 tests/test_random_sites.py -s     seeds, outcomes and shares as they come
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import random_sites
import range_judge

import codesign
from codesign import evaluation
from codesign.design import Design, Outcome, Plan, Setting, Size, Sizes, Table
from codesign.errors import InputError
from codesign.fields import FrozenDict
from codesign.site import Site

FIRST = 1000
"""Seed of the first site; the others follow. Refused sites are drawn again by those that plan and solve."""
LOADS = [(FIRST + 100 * k, 100) for k in range(20)]
PLANS = [(10_000 + 200 * k, 50) for k in range(4)]
SOLVES = [(20_000 + 200 * k, 20) for k in range(2)]
"""First seed and number of sites; at most 200 seeds are tried for a number."""
PLAN_S, SOLVE_S = 20.0, 180.0
QUICK = 10_015
"""A seed whose plan is proven in seconds."""
LEGAL, ENDED = 1 / 2, 1 / 3
"""Shares of draws that must be legal, and of legal ones that must end with a design."""
TINY = Path(__file__).parent / "data" / "tiny"
Run = Callable[[int, Site, float], Plan | Design | None]


def drawn(seed: int, folder: Path) -> Site | None:
    """The site of a seed, None where it is refused; any other exception names the seed."""
    where = folder / str(seed)
    where.mkdir()
    try:
        return codesign.load(random_sites.write(seed, where))
    except InputError:
        return None
    except Exception as error:
        raise AssertionError(f"seed {seed}: loading raised {error!r}") from error


def planned(seed: int, site: Site, time_limit_s: float) -> Plan | None:
    """The plan of a seed's site; whatever it claims is judged."""
    try:
        plan = codesign.plan(site, time_limit_s=time_limit_s)
        holds = plan.solved and statically(site, plan)
    except InputError:
        return None
    except Exception as error:
        raise AssertionError(f"seed {seed}: planning raised {error!r}") from error
    if holds:
        found = range_judge.of_plan(site, plan)
        assert not found, f"seed {seed}: " + "; ".join(found)
    return plan


def statically(site: Site, plan: Plan) -> bool:
    """Whether every static limit of a plan is told to hold."""
    assert plan.setting is not None
    exact = evaluation.evaluate(site, plan.setting, plan.sizes, plan.schedule)
    return all(margin.margin >= 0.0 for margin in exact.margins)


def solved(seed: int, site: Site, time_limit_s: float) -> Design | None:
    """The design of a seed's site; a certified one is judged."""
    try:
        design = codesign.solve(site, time_limit_s=time_limit_s)
    except InputError:
        return None
    except Exception as error:
        raise AssertionError(f"seed {seed}: solving raised {error!r}") from error
    if design.certificate.outcome is Outcome.CERTIFIED:
        found = range_judge.of_design(site, design)
        assert not found, f"seed {seed}: " + "; ".join(found)
    return design


def test_a_seed_gives_one_site(tmp_path: Path) -> None:
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))
    for folder, seed in ((first, 7), (again, 7), (other, 8)):
        folder.mkdir()
        random_sites.write(seed, folder)
    text = {
        folder: "".join(f.read_text() for f in sorted(folder.iterdir())) for folder in (first, again, other)
    }
    assert text[first] == text[again] != text[other]


def test_sites_load_or_are_refused_in_words(tmp_path: Path) -> None:
    found = [drawn(seed, tmp_path) for seed in range(FIRST, FIRST + 25)]
    assert sum(site is not None for site in found) >= LEGAL * len(found)


def test_a_plan_lies_within_every_range(tmp_path: Path) -> None:
    site = drawn(QUICK, tmp_path)
    assert site is not None
    plan = planned(QUICK, site, math.inf)
    assert plan is not None
    assert plan.solved
    assert statically(site, plan)


@pytest.mark.longest
@pytest.mark.parametrize(("seed", "number"), LOADS)
def test_two_thousand_sites_load_or_are_refused_in_words(seed: int, number: int, tmp_path: Path) -> None:
    taken = sum(drawn(each, tmp_path) is not None for each in range(seed, seed + number))
    print(f"loads from seed {seed}: {taken} of {number} are sites")
    assert taken >= LEGAL * number


def ended(seed: int, number: int, folder: Path, run: Run, time_limit_s: float) -> int:
    """How many of the first legal sites from a seed on end with a design; tells each as it comes."""
    tried = with_design = certified = 0
    for each in range(seed, seed + 200):
        site = drawn(each, folder) if tried < number else None
        if site is None:
            continue
        tried += 1
        result = run(each, site, time_limit_s)
        if result is None:
            print(f"seed {each}: refused")
            continue
        plan = result.plan if isinstance(result, Design) else result
        outcome = result.certificate.outcome if isinstance(result, Design) else result.outcome
        with_design += plan.solved
        certified += outcome is Outcome.CERTIFIED
        print(f"seed {each}: {outcome.value}{', a design' if plan.solved else ''}", flush=True)
    print(f"from seed {seed}: {tried} tried, {with_design} with a design, {certified} certified")
    assert tried == number
    return with_design


@pytest.mark.longest
@pytest.mark.parametrize(("seed", "number"), PLANS)
def test_two_hundred_plans_lie_within_every_range(seed: int, number: int, tmp_path: Path) -> None:
    assert ended(seed, number, tmp_path, planned, PLAN_S) >= ENDED * number


@pytest.mark.longest
@pytest.mark.parametrize(("seed", "number"), SOLVES)
def test_forty_solves_certify_nothing_beyond_a_range(seed: int, number: int, tmp_path: Path) -> None:
    assert ended(seed, number, tmp_path, solved, SOLVE_S) >= ENDED * number


# the judge itself


def by_hand() -> tuple[Site, Any]:
    """The tiny site with a plan and a run written by hand, every input within its card's range."""
    site = codesign.load(TINY)
    hours = {
        "dry_bulb_c": [22.0, 34.0], "chillers_on": [0.0, 1.0], "cycling_pu": [0.0, 0.0],
        "it_mw": [0.45, 0.45],
        "chiller_kw": [0.0, 100.0], "dry_cooler_kw": [400.0, 300.0], "dry_cooler_power_kw": [2.0, 9.0],
        "air_chiller_kw": [60.0, 60.0], "fan_wall_pu": [0.6, 0.6], "poi_mw": [0.5, 0.55],
    }  # fmt: skip
    sizes = {
        "cdu": Size("cdu-600", 2, 1200.0, "kw"), "cdu_flow": Size("cdu-600", None, 480.0, "l_per_min"),
        "fws_pump": Size("fws-pump", None, 20.0, "kg_per_s"), "buffer": Size("buffer", None, 4.0, "m3"),
        "dry_cooler": Size("cell-250", 4, 1000.0, "kw"), "chiller": Size("warm-250", 3, 750.0, "kw"),
        "fan_wall": Size("wall-50", 3, 150.0, "kw"), "air_chiller": Size("air-100", 2, 200.0, "kw"),
        "transformer": Size("pad-750", 2, 1.5, "mva"),
        "storage_power": Size("supercap-row", None, 0.05, "mw"),
        "storage_energy": Size("supercap-row", None, 0.0005, "mwh"),
    }  # fmt: skip
    dispatch = {"charge_mw": [0.0, 0.05], "discharge_mw": [0.04, 0.0], "soc_mwh": [0.0003, 0.00035]}
    rows = [SimpleNamespace(job=name, mode="baseline") for name in site.jobs]
    plan = SimpleNamespace(
        setting=Setting(32.0, 4.0), sizes=Sizes(sizes), schedule=rows, hours=Table(hours),
        dispatch=Table(dispatch),
    )  # fmt: skip
    run = SimpleNamespace(
        id="run",
        states=Table({
            "tcs_supply_c": [36.0, 37.0], "tcs_flow_l_per_min": [690.0, 680.0], "chilled_water_c": [9.0, 9.5],
            "fws_flow_kg_per_s": [10.0, 9.5], "chiller_out_c": [32.0, 33.0], "storage_mwh": [0.0003, 0.00035],
        }),
        controls=Table({
            "fan_pu": [0.9, 0.9], "fan_wall_pu": [0.6, 0.7], "charge_mw": [0.0, 0.05],
            "discharge_mw": [0.04, 0.0],
        }),
        disturbances=Table({
            "a.level_pu": [0.9, 0.5], "dry_bulb_c": [34.0, 34.0], "chillers_on": [1.0, 1.0],
            "chiller_available": [1.0, 0.0],
        }),
    )  # fmt: skip
    return site, SimpleNamespace(plan=plan, check=SimpleNamespace(scenarios=(run,)))


def with_column(table: Table, name: str, *values: float) -> Table:
    return Table({**table, name: list(values)})


def test_the_judge_passes_what_lies_within() -> None:
    site, design = by_hand()
    assert range_judge.of_design(site, design) == []


@pytest.mark.parametrize(
    ("words", "column", "values"),
    [
        ("air at chillers that run", "dry_bulb_c", (22.0, 48.5)),
        ("air at dry coolers", "dry_bulb_c", (-30.5, 34.0)),
        ("air at air chillers", "dry_bulb_c", (-18.4, 34.0)),
        ("air at transformers", "dry_bulb_c", (22.0, 45.2)),
        ("speed of fan walls", "fan_wall_pu", (0.25, 0.6)),
        ("mean load of 1 transformers", "poi_mw", (0.5, 0.98)),
        ("heat of 1 CDUs", "it_mw", (0.72, 0.72)),
    ],
)
def test_the_judge_sees_an_hour_beyond_a_range(words: str, column: str, values: tuple[float, float]) -> None:
    site, design = by_hand()
    design.plan.hours = with_column(design.plan.hours, column, *values)
    assert any(line.startswith(words) for line in range_judge.of_design(site, design))


@pytest.mark.parametrize(
    ("words", "size", "value"),
    [
        ("TCS flow of 1 CDUs", "cdu_flow", Size("cdu-600", None, 100.0, "l_per_min")),
        ("flow of the FWS pumps", "fws_pump", Size("fws-pump", None, 2.0, "kg_per_s")),
        ("water of 50 cells", "dry_cooler", Size("cell-250", 50, 12_500.0, "kw")),
        ("buffer", "buffer", Size("buffer", None, 1001.0, "m3")),
        ("storage, energy over power", "storage_energy", Size("supercap-row", None, 0.0002, "mwh")),
        ("stored energy", "storage_energy", Size("supercap-row", None, 0.00083, "mwh")),
        ("storage, charge_mw", "storage_power", Size("supercap-row", None, 0.045, "mw")),
        ("air chiller: a condenser of water", "air_chiller", Size("york-ys-1758", 2, 3516.0, "kw")),
    ],
)
def test_the_judge_sees_a_size_beyond_a_range(words: str, size: str, value: Size) -> None:
    site, design = by_hand()
    design.plan.sizes = Sizes({**design.plan.sizes, size: value})
    assert any(line.startswith(words) for line in range_judge.of_design(site, design))


@pytest.mark.parametrize(
    ("words", "part", "column", "values"),
    [
        ("run: rack supply", "states", "tcs_supply_c", (24.8, 36.0)),
        ("run: TCS flow of a CDU", "states", "tcs_flow_l_per_min", (690.0, 1810.0)),
        ("run: FWS flow of a CDU", "states", "fws_flow_kg_per_s", (3.9, 9.5)),
        ("run: water of the air side", "states", "chilled_water_c", (9.0, 10.1)),
        ("run: water behind chillers", "states", "chiller_out_c", (42.2, 32.0)),
        ("run: stored energy", "states", "storage_mwh", (0.00019, 0.0003)),
        ("run: storage, discharge_mw", "controls", "discharge_mw", (0.0, 0.0502)),
        ("run: speed of fan walls", "controls", "fan_wall_pu", (0.29, 0.7)),
        ("run: a.level_pu", "disturbances", "a.level_pu", (0.9, 1.01)),
        ("run: air at chillers that run", "disturbances", "dry_bulb_c", (48.2, 34.0)),
    ],
)
def test_the_judge_sees_a_sample_beyond_a_range(
    words: str, part: str, column: str, values: tuple[float, float]
) -> None:
    site, design = by_hand()
    (run,) = design.check.scenarios
    setattr(run, part, with_column(getattr(run, part), column, *values))
    assert any(line.startswith(words) for line in range_judge.of_design(site, design))


def test_the_judge_counts_a_machine_that_is_off_for_nothing() -> None:
    """Water behind chillers that do not run, air where none of them does."""
    site, design = by_hand()
    (run,) = design.check.scenarios
    run.states = with_column(run.states, "chiller_out_c", 32.0, 60.0)
    run.disturbances = with_column(run.disturbances, "dry_bulb_c", 34.0, 49.0)
    assert range_judge.of_design(site, design) == []


def test_the_judge_sees_settings_levels_and_thin_air() -> None:
    site, design = by_hand()
    design.plan.setting = Setting(19.0, 4.0)
    assert any("rack supply" in line for line in range_judge.of_plan(site, design.plan))
    site, design = by_hand()
    big = site.jobs["big"].model_copy(update={"plateau_pu": 1.05})
    steep = site.model_copy(update={"jobs": FrozenDict({**site.jobs, "big": big})})
    assert any("rack level of big" in line for line in range_judge.of_plan(steep, design.plan))
    design.plan.hours = with_column(design.plan.hours, "dry_bulb_c", 22.0, 43.0)
    assert range_judge.of_plan(site, design.plan) == []
    high = site.with_({"climate.altitude_m": 3050})  # 12 K of lift become 17.4
    assert any("as felt" in line for line in range_judge.of_plan(high, design.plan))


def test_the_judge_takes_a_site_s_own_values() -> None:
    site, design = by_hand()
    own = site.with_({"cards": {"chiller": {"warm-250": {"ambient_max_c": 33}}}})
    assert any("air at chillers" in line for line in range_judge.of_plan(own, design.plan))
