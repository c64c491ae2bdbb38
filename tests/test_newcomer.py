"""What a newcomer tries first: README, the schema in an editor, a script, a notebook, a wrong folder."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import jsonschema
import pytest

import codesign
from codesign.cli import main
from codesign.design import Design
from codesign.errors import InputError
from codesign.reporting.text import number
from codesign.site import json_schema

HERE = Path(__file__).parent
ROOT = HERE.parent
STORED = HERE / "designs" / "toy_1mw"
SITES = sorted((ROOT / "instances").glob("*/site.toml"))


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.parent.name)
def test_the_schema_takes_every_shipped_site(path: Path) -> None:
    jsonschema.Draft202012Validator(json_schema()).validate(tomllib.loads(path.read_text()))


@pytest.mark.parametrize("key", ["contract_max_mw", "contract_mx_mw"])
def test_the_schema_refuses_what_load_refuses(key: str) -> None:
    site = tomllib.loads(SITES[0].read_text())
    site["poi"][key] = -1.0
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema()).validate(site)


def test_a_design_is_short_in_a_console_and_a_table_in_a_notebook() -> None:
    design = Design.load(STORED)
    for thing in (design, design.plan, design.check, design.check.scenarios[0]):
        assert len(repr(thing)) < 200
    html = design._repr_html_()
    assert "toy_1mw: certified" in html
    assert html.count("<tr>") == 1 + len(design.sizes)


def test_the_package_knows_its_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", codesign.__version__)


def test_a_site_where_a_design_is_asked_for_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    for place in (SITES[0].parent, SITES[0]):
        assert main(["check", str(place)]) == 1
        assert "a site" in capsys.readouterr().err


@pytest.mark.parametrize("verb", [codesign.plan, codesign.solve])
def test_verbs_take_a_path(verb: object, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="site"):
        verb(str(tmp_path))  # type: ignore[operator]


def test_a_plan_of_a_path_is_that_of_its_site() -> None:
    path = ROOT / "instances" / "toy_1mw_infeasible"
    assert codesign.plan(str(path)).outcome is codesign.Outcome.INFEASIBLE


UNGUARDED = """
import codesign, codesign.refining
codesign.refining._solved = lambda *_: print("planned")
codesign.solve({site!r}, workers=2)
"""


def test_a_script_without_a_main_guard_is_told_before_planning(tmp_path: Path) -> None:
    script = tmp_path / "plan_it.py"
    script.write_text(UNGUARDED.format(site=str(SITES[0].parent)))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert "plan_it.py" in done.stderr
    assert 'if __name__ == "__main__"' in done.stderr
    assert "planned" not in done.stdout


def test_a_guarded_script_is_not_stopped(tmp_path: Path) -> None:
    script = tmp_path / "plan_it.py"
    lines = UNGUARDED.format(site=str(SITES[0].parent)).strip().splitlines()
    script.write_text(
        "\n".join([lines[0], 'if __name__ == "__main__":', *(f"    {line}" for line in lines[1:])])
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout.split()) == (0, ["planned"])


def test_solver_logs_keep_to_stderr() -> None:
    command = [sys.executable, "-m", "codesign", "plan", str(ROOT / "instances" / "toy_1mw_infeasible")]
    done = subprocess.run(
        [*command, "--log", "--json"], capture_output=True, text=True, check=False, timeout=300
    )
    assert json.loads(done.stdout)["outcome"] == "infeasible"
    assert "HiGHS" in done.stderr


@pytest.mark.parametrize(("value", "text"), [(10_900.0, "10,900"), (9_999.7, "10,000"), (12.34567, "12.35")])
def test_the_page_writes_numbers_out(value: float, text: str) -> None:
    assert number(value) == text


def test_the_page_tells_the_total_and_opens_in_print(tmp_path: Path) -> None:
    design = Design.load(STORED)
    page = codesign.report(design, tmp_path / "d.html").read_text()
    total = sum(item.usd_per_year for item in design.plan.cost_items)
    assert f"<strong>{total:,.0f}</strong>" in page
    assert "beforeprint" in page
    assert '"exponentformat":"power"' not in page.replace(" ", "").partition("plotly.js")[0]


# README


def blocks(language: str) -> list[str]:
    """Return README's indented blocks that begin like the language."""
    text = (ROOT / "README.md").read_text()
    found = [
        re.sub(r"(?m)^    ", "", block) for block in re.findall(r"(?m)(?:^    .*\n(?:\n(?=    ))?)+", text)
    ]
    starts = {"python": "import codesign", "bench": "codesign-dc bench", "install": "python3 -m venv"}
    return [block for block in found if block.startswith(starts[language])]


def test_readme_has_the_blocks_that_are_tested() -> None:
    assert [len(blocks(language)) for language in ("python", "bench", "install")] == [1, 1, 2]


@pytest.mark.slow
def test_the_python_block_of_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "instances" / "toy_1mw", "instances/toy_1mw")
    exec(compile(blocks("python")[0], "README.md", "exec"), {})
    assert Design.load("out/toy").outcome is codesign.Outcome.CERTIFIED


SHELL = [
    "check {design} --scenario nominal_hot --json", "audit {design}", "new mine --from toy_1mw",
    "new hall --from hall_20mw", "schema", "cards cdu", "cards rack/gb200-nvl72 --at supply_c=40",
    "report {design} --out hall.html", "schedule {design} --out schedule.csv",
    "plan {site} --set poi.contract_max_mw=1.2 --set sizes.cdu.count=3 --json",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("line", SHELL)
def test_the_shell_lines_of_readme_run(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    filled = line.format(design=STORED, site=ROOT / "instances" / "toy_1mw")
    verb = filled.split()[0]
    assert re.search(rf"`(codesign-dc )?{verb}[ `]", (ROOT / "README.md").read_text())
    assert main(shlex.split(filled)) == 0


@pytest.mark.slow
def test_the_bench_of_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "instances").symlink_to(ROOT / "instances")
    for line in blocks("bench")[0].strip().splitlines():
        assert main(shlex.split(line)[1:]) == 0


@pytest.mark.slow
def test_the_wheel_holds_the_instances_that_new_names(tmp_path: Path) -> None:
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for site in SITES:
        assert f"codesign/instances/{site.parent.name}/site.toml" in names
