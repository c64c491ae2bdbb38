"""Sites that leave something out, from file to certificate: no rule, no chiller, a meter off the clock."""

from __future__ import annotations

import pytest
import test_metering
import test_no_chiller
import test_no_rule

import codesign
from codesign.site import Site

pytestmark = pytest.mark.slow

TRIP = {
    "scenarios.chiller_trip.duration_s": 10, "scenarios.chiller_trip.at_s": 5,
    "scenarios.chiller_trip.off_s": 1, "scenarios.chiller_trip.reload_s": 4,
}  # fmt: skip
SHORT = {**test_no_chiller.SHORT, **TRIP}
SITES = {
    "no rule": lambda: test_no_rule.site().with_(SHORT),
    "no chiller": lambda: test_no_chiller.site().with_({"poi.allocated_share": 0.05}),
    "odd meter": lambda: test_metering.site().with_({**SHORT, "poi.allocated_share": 0.05}),
}


@pytest.mark.slow
@pytest.mark.parametrize("left_out", list(SITES))
def test_it_is_certified_and_the_audit_agrees(left_out: str) -> None:
    site: Site = SITES[left_out]()
    design = codesign.solve(site, gap=1e-3)
    assert design.outcome.value == "certified", design.certificate.reason
    covered = set(design.certificate.covered)
    assert ("chiller_trip" in covered) == (left_out != "no chiller")
    audit = codesign.audit(design)
    assert audit.holds, audit.breaches
