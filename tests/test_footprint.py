"""Memory of models: what is estimated from the site alone covers what is built; too much is refused first."""

from __future__ import annotations

from typing import Any

import pytest
from tiny import opposed, random_site, steady_hall

import codesign
from codesign import workload
from codesign.design import Setting
from codesign.errors import InputError
from codesign.planning import exchange, footprint, highs, joint, split
from codesign.planning import schedule as offsets
from codesign.planning.rows import Rows
from codesign.site import Site

pytestmark = pytest.mark.slow


def terms(model: Any) -> int:
    lp, _ = highs.compiled(model)
    return len(lp.a_matrix_.value_)


def built(site: Site) -> int:
    """Terms of the largest model that a site's method builds."""
    setting = Setting(site.equipment.cooling.fws_supply_c[0], site.equipment.cdu.approach_k[0])
    if site.solver.method == "joint":
        found = [terms(joint.build(site, setting, {}, joint.Points()).rows.model)]
        if footprint._is_given(site):
            given = joint.build(site, setting, {}, joint.Points(), exchange.schedule(site))
            found.append(terms(given.rows.model))
        return max(found)
    schedule = exchange.schedule(site)
    rows = Rows("storage")
    fast = split.storage.plan(rows, site, offsets.plan(rows, site, schedule), {}, schedule)
    for _, rest in schedule.one_away()[: footprint.COURSES_AWAY] if site.poi.one_job_absent else ():
        split.storage.also(rows, site, rest, fast)
    rows.cost("loss", fast.loss_mw)
    day = split.master(site, setting, {}, joint.Points()).rows.model
    return max(terms(rows.close()), terms(day))


@pytest.mark.parametrize("method", ["joint", "split"])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_estimated_covers_what_is_built(seed: int, method: str) -> None:
    site = random_site(seed).with_({"solver.method": method})
    exact = built(site)
    assert exact <= footprint.most_terms(site) <= 2.5 * exact


def test_the_schedule_of_many_slots_is_what_grows() -> None:
    steady = {"poi.one_job_absent": False, "jobs.tune.jitter_s": 0.0, "jobs.tune.locked": True}
    site = random_site(1).with_(steady)
    long = site.with_({"clock.macro_s": 300.0, "jobs.pretrain.events.0.interval_s": 300})
    more = footprint.most_terms(long) - footprint.most_terms(site)
    places = [
        sum(len(workload.placements(each, name)) for name in each.jobs) * workload.macro_steps(each)
        for each in (site, long)
    ]
    assert more >= places[1] - places[0] > 0


def test_too_large_a_model_is_refused_before_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    site = opposed()
    allowed = 0.9 * footprint.BYTES * footprint.most_terms(site)
    monkeypatch.setattr(footprint, "allowed_bytes", lambda: allowed)
    monkeypatch.setattr(Rows, "_new", lambda *_: pytest.fail("a model was begun"))
    with pytest.raises(InputError, match=r"would fit: now a model of [\d,]+ terms and about") as refused:
        codesign.plan(site)
    (fault,) = refused.value.faults
    assert fault.key.startswith(("clock.", "jobs.", "solver."))
    value = fault.expected.split(",")[0].strip('"')
    smaller = site.with_({fault.key: value if fault.key == "solver.method" else float(value)})
    assert footprint.most_terms(smaller) * footprint.BYTES <= footprint.allowed_bytes()


def test_where_nothing_fits_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "allowed_bytes", lambda: 1.0)
    with pytest.raises(InputError, match=r"clock\.macro_s.*fewer kinds"):
        codesign.plan(random_site(0))


def test_the_hall_fits_and_a_machine_has_a_limit() -> None:
    assert 1e6 < footprint.allowed_bytes() <= footprint.BUDGET_BYTES
    assert footprint.most_terms(steady_hall()) * footprint.BYTES < footprint.BUDGET_BYTES
