"""What a profile says and what the clock keeps of it. Levels, losses and steps by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import codesign
from codesign import resolution, workload
from codesign.errors import InputError

TOY = Path(__file__).parents[1] / "instances" / "toy_1mw"


@pytest.fixture(scope="module")
def toy() -> codesign.Site:
    return codesign.load(TOY)


def written(folder: Path, rows: list[float], replaced: dict[str, str] | None = None) -> Path:
    """The toy with a profile of its own."""
    for name in ("price.csv", "weather.csv"):
        (folder / name).write_text((TOY / name).read_text())
    lines = [f"{(i + 0.5) / len(rows):.6f},{value:.6f}" for i, value in enumerate(rows)]
    (folder / "training_notch.csv").write_text("\n".join(["phase_pu,power_pu", *lines]) + "\n")
    text = (TOY / "site.toml").read_text()
    for old, new in (replaced or {}).items():
        assert old in text
        text = text.replace(old, new)
    (folder / "site.toml").write_text(text)
    return folder


def refused(make: Any) -> dict[str, str]:
    with pytest.raises(InputError) as error:
        make()
    return {fault.key: str(fault) for fault in error.value.faults}


# what 1 stands for: seven tenths of the period at a quarter, so the median is the valley
LOW = [0.25] * 7 + [1.0] * 3


@pytest.mark.parametrize(
    ("key", "factor"), [("plateau", 1.0), ("peak", 1.0), ("mean", 1.0 / (0.7 * 0.25 + 0.3 * 1.0))]
)
def test_a_profile_is_per_unit_of_what_its_author_states(tmp_path: Path, key: str, factor: float) -> None:
    changed = {"jobs.pretrain.per_unit_of": key, "jobs.pretrain.plateau_pu": 0.45}  # no rack bears 2 of 1
    site = codesign.load(written(tmp_path, LOW)).with_(changed)
    level = workload.profile(site.jobs["pretrain"], site)
    assert level == pytest.approx(0.45 * factor * np.array(LOW), rel=1e-12)


def test_only_a_stated_unit_makes_kilowatts_a_level(tmp_path: Path) -> None:
    half = [value / 2 for value in LOW]
    site = codesign.load(written(tmp_path, half))
    assert workload.profile(site.jobs["pretrain"], site).max() == pytest.approx(0.95 / 2)
    peak = site.with_({"jobs.pretrain.per_unit_of": "peak"})
    assert workload.profile(peak.jobs["pretrain"], peak).max() == pytest.approx(0.95)


def test_less_energy_is_no_fault_of_its_own(tmp_path: Path) -> None:
    """The toy holds at its plateau; below it all the time it holds as well, the swing given room."""
    site = codesign.load(written(tmp_path, LOW)).with_({
        "poi.allocated_share": 0.2, "clock.macro_s": 20.0, "jobs.pretrain.events": [],
        "days": [{"date": "2023-08-18", "weight_days": 365}], "clock.hour_step_h": 6,
        "clock.event_slot_s": 10.0, "solver.gap": 0.05,
    })  # fmt: skip
    assert codesign.plan(site).solved


def test_the_message_names_the_profile_and_its_peak(tmp_path: Path) -> None:
    site = codesign.load(written(tmp_path, LOW))
    asked = {"jobs.pretrain.per_unit_of": "mean"}
    beyond = refused(lambda: site.with_(asked))["jobs.pretrain.plateau_pu"]
    assert "with training_notch.csv the job comes to 2 of a rack's nominal power" in beyond
    cool = {"cards": {"rack": {"gb200-nvl72": {"junction_max_c": 70}}}, "jobs.pretrain.plateau_pu": 0.47}
    plan = codesign.plan(site.with_({**asked, **cool}))
    assert plan.outcome.value == "infeasible"
    assert "junction" in plan.reason
    assert "jobs.pretrain, training_notch.csv: 0.247 to 0.989 per unit of nominal power" in plan.reason


def test_phases_are_per_unit_of_the_plateau(toy: codesign.Site) -> None:
    assert "jobs.tune.per_unit_of" in refused(lambda: toy.with_({"jobs.tune.per_unit_of": "peak"}))


def test_no_power_at_all_is_refused(tmp_path: Path) -> None:
    assert "power_pu" in refused(lambda: codesign.load(written(tmp_path, [0.0] * 10)))
    mostly = [0.0] * 7 + [1.0] * 3
    assert codesign.load(written(tmp_path, mostly))


# what the step keeps


def test_below_its_own_averaging_time(toy: codesign.Site) -> None:
    found = refused(lambda: toy.with_({"jobs.pretrain.averaging_s": 12.0}))
    assert "averaging_s = 12 [s]" in found["jobs.pretrain.period_s"]
    assert toy.with_({"jobs.pretrain.averaging_s": 10.0})


def test_a_notch_shorter_than_the_step_is_refused(tmp_path: Path) -> None:
    """A fifth of a second of no power in steps of a second: 0.8 of the depth is lost; at 0.2 s nothing is."""
    notch = [1.0] * 50
    notch[20] = 0.0
    found = refused(lambda: codesign.load(written(tmp_path, notch)))
    assert list(found) == ["clock.step_s"]
    assert "at most 0.2: the valley of jobs.pretrain at 0 becomes 0.8 in means over a step" in (
        found["clock.step_s"]
    )
    fine = {"step_s = 1.0": "step_s = 0.2"}
    assert codesign.load(written(tmp_path, notch, fine)).clock.step_s == 0.2


def test_a_named_phase_shorter_than_the_step_is_refused(toy: codesign.Site) -> None:
    phases = [
        {"name": "compute", "share": 0.95, "level_pu": 1.0}, {"name": "wait", "share": 0.05, "level_pu": 0.2},
    ]  # fmt: skip
    found = refused(lambda: toy.with_({"jobs.tune.period_s": 10.0, "jobs.tune.phases": phases}))
    assert "at most 0.5: phase wait of jobs.tune at 0.2 becomes 0.6" in found["clock.step_s"]


def test_a_phase_that_begins_within_a_step_keeps_its_level_in_another(toy: codesign.Site) -> None:
    phases = [
        {"name": "compute", "share": 0.65, "level_pu": 1.0}, {"name": "wait", "share": 0.35, "level_pu": 0.2},
    ]  # fmt: skip
    assert toy.with_({"jobs.tune.period_s": 10.0, "jobs.tune.phases": phases})


def test_no_mean_over_a_span_loses_more_than_half_in_steps_up_to_it() -> None:
    """The worst notch: an impulse, averaged over 2 s, in steps of 2 s that begin at its middle."""
    fine, span = 400, 40  # bins of 0.05 s; 2 s
    for begin in range(span):
        impulse = np.zeros(fine)
        impulse[(100 + begin) % fine] = 1.0
        averaged = np.convolve(np.tile(impulse, 3), np.ones(span) / span, "same")[fine : 2 * fine]
        twice = np.convolve(np.tile(averaged, 3), np.ones(span) / span, "same")[fine : 2 * fine]
        for course in (averaged, twice):
            sampled = resolution.resampled(course, np.full(fine, 1 / fine), fine // span)
            assert sampled.max() >= (1 - resolution.AVERAGED_LOSS_PU) * course.max() - 1e-12


def test_a_profile_averaged_over_less_than_the_step_keeps_its_valley(toy: codesign.Site) -> None:
    """The toy's valley lies 0.13 of the range above its bins' in steps of a second, 0.086 in half of one."""
    found = refused(lambda: toy.with_({"jobs.pretrain.averaging_s": 0.5}))
    assert "at most 0.25: the valley of jobs.pretrain at 0.7776 becomes 0.8072" in found["clock.step_s"]
    fine = {"jobs.pretrain.averaging_s": 0.5, "clock.step_s": 0.25}
    assert toy.with_(fine).clock.step_s == 0.25


def test_an_event_lasts_whole_steps(toy: codesign.Site) -> None:
    for wrong in (0.4, 15.5):
        found = refused(lambda wrong=wrong: toy.with_({"jobs.pretrain.events.0.duration_s": wrong}))
        assert "a multiple of clock.step_s" in found["jobs.pretrain.events.0.duration_s"]


# kinds of rack; events that end


def test_two_kinds_of_rack_are_refused_with_the_keys_of_both(toy: codesign.Site) -> None:
    found = refused(lambda: toy.with_({"pods.b": {"count": 1, "racks": 2, "rack": "gb300-nvl72"}}))
    assert "gb200-nvl72, as pods.a.rack" in found["pods.b.rack"]
    assert toy.with_({"pods.b": {"count": 1, "racks": 2, "rack": "gb200-nvl72"}})


@pytest.mark.parametrize(
    ("scenario", "changes", "key", "words"),
    [
        ("nominal_hot", {"duration_s": 0.2}, "duration_s", "at least one control step, 0.5"),
        ("chiller_trip", {"duration_s": 4, "at_s": 0}, "duration_s", "at least one control step, 5"),
        ("cdu_pump_trip", {"at_s": 60}, "at_s", "below duration_s = 60"),
        ("cdu_pump_trip", {"at_s": 57}, "duration_s", "at least 62, as from 57 s the event lasts 5 s"),
        ("chiller_trip", {"at_s": 400}, "duration_s", "at least 625"),
        ("job_abort_restart", {"at_s": 0, "off_s": 200}, "duration_s", "at least 200.5"),
        ("job_abort_restart", {"at_s": 60, "off_s": 40}, "duration_s", "at least 100.5"),
    ],
)
def test_an_event_ends_within_its_run(
    toy: codesign.Site, scenario: str, changes: dict[str, float], key: str, words: str
) -> None:
    made = {f"scenarios.{scenario}.{name}": value for name, value in changes.items()}
    found = refused(lambda: toy.with_(made))
    assert list(found) == [f"scenarios.{scenario}.{key}"]
    assert words in found[f"scenarios.{scenario}.{key}"]
