"""The report: one page that needs nothing else, says what the design says, and destroys nothing of others."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import codesign
from codesign import catalogue, reporting, window, workload
from codesign.cli import main
from codesign.design import Check, Design, Outcome, Plan, Schedule
from codesign.errors import InputError
from codesign.reporting import poi, transients
from codesign.reporting.boxes import boxes
from codesign.reporting.text import MINUS, TIMES, escaped, quantity, words

STORED = Path(__file__).parent / "designs" / "toy_1mw"


@pytest.fixture(scope="module")
def design() -> Design:
    return Design.load(STORED)


@pytest.fixture(scope="module")
def page(design: Design) -> str:
    return reporting.html(design)


class Elements(HTMLParser):
    """Every element with its attributes, and the text of style and script elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is not None:
            self.inside.append((*self.found[-1], data))

    def figures(self) -> list[dict[str, Any]]:
        return [
            json.loads(text)
            for _, attributes, text in self.inside
            if attributes.get("type") == "application/json"
        ]


@pytest.fixture(scope="module")
def elements(page: str) -> Elements:
    return Elements(page)


def numbers(values: Any) -> np.ndarray:
    """Decode a trace's values."""
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"]).astype(float)
    return np.array(values, float)


def marks(elements: Elements) -> set[tuple[float, float]]:
    """Return time and height of every mark of a worst margin."""
    return {
        (round(float(numbers(trace["x"])[0]), 9), round(float(numbers(trace["y"])[0]), 9))
        for each in elements.figures()
        for trace in each["data"]
        if trace.get("meta") == "worst margin"
    }


def broken(design: Design, limit: str, scenario: str) -> Design:
    """Return a design one of whose margins is broken."""
    runs = tuple(
        replace(run, margins=tuple(replace(m, margin=-0.75) if m.limit == limit else m for m in run.margins))
        if run.id == scenario
        else run
        for run in design.check.scenarios
    )
    return replace(design, check=replace(design.check, scenarios=runs))


# one page, offline


def test_nothing_is_fetched(elements: Elements) -> None:
    fetching = ("src", "href", "srcset", "action", "data", "poster", "xlink:href")
    assert not [(tag, key) for tag, given in elements.found for key in given if key in fetching]
    assert not {"link", "iframe", "object", "embed", "base", "img"} & {tag for tag, _ in elements.found}
    (style,) = (text for tag, _, text in elements.inside if tag == "style")
    assert "url(" not in style
    assert "@import" not in style
    (policy,) = (
        given["content"]
        for tag, given in elements.found
        if given.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_the_library_stands_once_on_the_page(page: str, elements: Elements) -> None:
    large = [text for tag, _, text in elements.inside if tag == "script" and len(text) > 1_000_000]
    assert len(large) == 1
    assert page.count("plotly.js v") == 1


def test_text_from_the_design_stays_text(design: Design) -> None:
    evil = "</script><script>alert(1)</script><img src=http://example.org/x>"
    claim = replace(design.certificate, reason=evil)
    told = reporting.html(replace(design, certificate=claim, check=Check()))
    assert evil not in told
    assert escaped(evil) in told
    assert not [1 for tag, given in Elements(told).found if tag == "img" or "src" in given]


# the certificate


def test_the_page_starts_with_what_is_claimed_and_what_is_not(page: str, design: Design) -> None:
    claim = design.certificate
    head = page[page.index("<body>") : page.index('id="sizes"')]
    assert "Certified" in head
    assert "Not certified" not in head
    assert f"{claim.cost_usd_per_year:,.0f} USD a year" in head
    assert f"{claim.bound_usd_per_year:,.0f} USD a year" in head
    for entry in (*claim.not_covered, *claim.assumptions):
        assert escaped(entry) in head
    for name in claim.covered:
        assert f"scenario {words(name)}" in head
    for limit in {row.limit for row in design.check.margins}:
        assert f"<td>{words(limit)}</td>" in head


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.CERTIFIED])
def test_what_is_not_certified_is_shown_as_such(design: Design, outcome: Outcome) -> None:
    claim = replace(design.certificate, outcome=outcome, reason="for a reason")
    told = reporting.html(replace(design, certificate=claim, check=Check()))
    assert '<div class="verdict bad"' in told
    assert "verdict good" not in told
    assert "<title>toy_1mw: not certified</title>" in told
    assert "No scenario was run" in told


def test_a_claim_that_the_margins_do_not_bear_out_is_not_repeated(design: Design) -> None:
    told = reporting.html(broken(design, "tcs_supply", "chiller_trip"))
    assert '<div class="verdict bad"' in told
    assert "its own check does not hold: tcs_supply" in told
    assert "DOES NOT HOLD" in told
    assert f"{MINUS}0.75 K, broken" in told


def test_a_run_without_a_design_has_a_page(design: Design) -> None:
    nothing = Plan(outcome=Outcome.INFEASIBLE, reason="no", site_name="toy_1mw")
    claim = replace(design.certificate, outcome=Outcome.INFEASIBLE, reason="no", cost_usd_per_year=None)
    told = reporting.html(Design(site=design.site, plan=nothing, check=Check(), certificate=claim))
    assert "Not certified: infeasible" in told
    assert "no sizes were found" in told


# sizes


def test_every_size_stands_in_both_diagrams(page: str, design: Design) -> None:
    for kind in ("wide", "narrow"):
        begin = page.index(f'<svg class="{kind}"')
        drawing = page[begin : page.index("</svg>", begin)]
        for size in design.sizes.values():
            assert escaped(quantity(size.value, size.unit)) in drawing
            assert size.card is None or size.card in drawing
            assert size.count is None or f"{size.count} {TIMES} {size.card}" in drawing
            assert f"set by {words(size.set_by.removesuffix(' @ static'))}" in drawing


def test_every_limit_belongs_to_a_part(design: Design) -> None:
    assert "other" not in boxes(design)


# load at the POI


def test_the_window_is_the_rule_s_own(design: Design) -> None:
    site, load = design.site, poi.load(design)
    limit = window.room_mw(site)
    (own,) = (row for row in design.check.static if row.limit == "poi_window")
    for power, widest in ((load.before_mw, load.widest_before_mw), (load.after_mw, load.widest_after_mw)):
        y = window.high_pass_periodic(power, site)
        rolling = poi.rolling_mw(y, window.steps(site), periodic=True)
        expected = window.range_mw(y, site.poi.window_s, site.clock.step_s, periodic=True)
        assert rolling.max() == pytest.approx(expected, abs=1e-12)
        assert widest == pytest.approx(expected, abs=1e-12)
    assert load.widest_before_mw > limit
    assert limit - load.widest_after_mw == pytest.approx(own.margin, abs=1e-6)


def test_the_load_peaks_where_the_plan_says(design: Design) -> None:
    assert poi.load(design).after_mw.max() == pytest.approx(design.plan.poi_peak_mw, abs=1e-12)


def test_a_job_that_shifts_at_will_stands_in_the_load_for_the_whole_period() -> None:
    """Unlocked, without events: its stream is one period long. Summed by hand, copy by copy."""
    site = codesign.load(STORED.parents[2] / "instances" / "toy_1mw").with_({"jobs.tune.locked": False})
    schedule = [
        workload.assignment(site, name, copy, workload.placements(site, name)[0])
        for name, job in site.jobs.items()
        for copy in range(job.count)
    ]
    plan = Plan(outcome=Outcome.NOT_CERTIFIED, reason="", site_name=site.name, schedule=Schedule(schedule))
    made = replace(Design.load(STORED), site=site, plan=plan)
    expected = np.sum([workload.assignment_mw(site, row) for row in schedule], axis=0)
    assert poi.load(made).before_mw == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("count", [7, 8])
def test_the_lines_carry_all_of_the_ripple(count: int) -> None:
    power = np.random.default_rng(1).normal(size=count)
    hz, mw = poi.lines_mw(power, 0.5)
    squares = mw**2 / 2.0
    if count % 2 == 0:
        squares[-1] *= 2.0
        assert hz[-1] == 1.0
    assert squares.sum() == pytest.approx(power.var())


def test_what_the_profile_does_not_resolve_is_said(page: str, design: Design) -> None:
    assert f"says nothing above {workload.not_resolved_hz(design.site):g} Hz" in page


# transients


def test_every_scenario_has_its_pictures(page: str, design: Design, elements: Elements) -> None:
    shown = [given["data-scenario"] for _, given in elements.found if "data-scenario" in given]
    assert shown == [run.id for run in design.check.scenarios]
    assert len(elements.figures()) == 3 + len(shown) * (len(transients.PANELS) + 1)


def test_worst_margins_are_marked_where_the_design_says(design: Design, elements: Elements) -> None:
    site, sizes, found = design.site, design.sizes, marks(elements)
    rack = catalogue.build(site, "rack", site.pods["a"].rack)
    store = catalogue.build(site, "storage", sizes["storage_energy"].card or "")
    upper = {
        "junction": rack.junction_max_c, "tcs_supply": rack.supply_max_c, "tcs_return": rack.return_max_c,
        "cold_aisle": rack.air_max_c, "fws_flow": sizes["fws_pump"].value,
        "storage_energy_high": store.high_pu * sizes["storage_energy"].value,
        "storage_discharge": sizes["storage_power"].value,
        "interconnection": site.poi.interconnection_limit_mw, "poi_window": window.limit_mw(site),
    }  # fmt: skip
    for run in design.check.scenarios:
        rows = {row.limit: row for row in run.margins}
        for name, limit in upper.items():
            row = rows[name]
            assert (round(row.time_s, 9), round(limit - row.margin, 9)) in found, (run.id, name)
        low = rows["storage_energy_low"]
        assert (
            round(low.time_s, 9), round(store.low_pu * sizes["storage_energy"].value + low.margin, 9)
        ) in found  # fmt: skip


def test_trajectories_of_another_schedule_are_wrong_input(design: Design) -> None:
    runs = tuple(
        replace(run, states=type(run.states)({k: v for k, v in run.states.items() if k != "tune_0.die_c"}))
        for run in design.check.scenarios
    )
    with pytest.raises(InputError, match=r"tune_0\.die_c missing"):
        reporting.html(replace(design, check=replace(design.check, scenarios=runs)))


# the file and the verb


def test_an_older_report_is_replaced_and_nothing_else_is(design: Design, tmp_path: Path) -> None:
    out, bare = tmp_path / "new" / "hall.html", replace(design, check=Check())
    assert codesign.report(bare, out) == out
    first = out.read_text(encoding="utf-8")
    codesign.report(bare, out)
    assert out.read_text(encoding="utf-8") == first
    assert [each.name for each in out.parent.iterdir()] == ["hall.html"]


@pytest.mark.parametrize("kind", ["file", "folder", "link", "design"])
def test_a_foreign_place_is_refused(design: Design, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "hall.html"
    if kind == "file":
        out.write_text("<html>thesis</html>")
    elif kind == "folder":
        out.mkdir()
    elif kind == "link":
        out.symlink_to(tmp_path / "elsewhere.html")
    else:
        out = design.save(tmp_path / "d") / "hall.html"
    with pytest.raises(InputError):
        reporting.report(design, out)
    if kind == "file":
        assert out.read_text() == "<html>thesis</html>"
    assert not (tmp_path / "elsewhere.html").exists()


def test_the_verb(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "hall.html"
    assert main(["report", str(STORED), "--out", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    broken(Design.load(STORED), "junction", "chiller_trip").save(tmp_path / "broken")
    assert main(["report", str(tmp_path / "broken"), "--out", str(out)]) == 3
    assert out.exists()
    capsys.readouterr()
    foreign = tmp_path / "thesis.html"
    foreign.write_text("dear")
    for wrong in (
        [str(STORED), "--out", str(foreign)],
        [str(tmp_path / "nowhere"), "--out", str(out)],
        [str(STORED)],
    ):
        assert main(["report", *wrong]) == 1
        err = capsys.readouterr().err
        assert err
        assert "Traceback" not in err


def test_the_library_is_loaded_only_for_a_report() -> None:
    code = "import sys, codesign.reporting, codesign.cli; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
