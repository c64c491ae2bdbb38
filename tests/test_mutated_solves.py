"""Sites with one number changed, through the whole line with little time: an outcome, or an error of ours."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tiny import random_site

import codesign
from codesign.design import Outcome

FACTORS = (0.0, 0.1, 0.5, 0.9, 1.1, 2.0, 10.0, 1000.0)


def numbers(tree: Any, path: str = "") -> list[tuple[str, float]]:
    """Return (dotted path, value) of every number of a site file."""
    if isinstance(tree, dict):
        return [found for key, value in tree.items() for found in numbers(value, f"{path}.{key}".strip("."))]
    if isinstance(tree, list):
        return [found for i, value in enumerate(tree) for found in numbers(value, f"{path}.{i}")]
    return [(path, tree)] if isinstance(tree, int | float) and not isinstance(tree, bool) else []


def solve_changed(seed: int) -> None:
    draw = random.Random(seed)
    site = random_site(draw.randrange(50))
    path, value = draw.choice(numbers(site.to_dict()))
    changed = type(value)(value * draw.choice(FACTORS))
    try:
        design = codesign.solve(site.with_({path: changed}), time_limit_s=5)
    except codesign.CodesignError:
        return
    assert isinstance(design.outcome, Outcome)
    assert design.plan.solved or design.plan.cost_usd_per_year is None
    assert design.outcome is not Outcome.CERTIFIED or design.check.holds


def test_a_changed_site_ends_in_an_outcome_or_an_error_of_ours() -> None:
    solve_changed(0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 40))
def test_more_changed_sites_do_too(seed: int) -> None:
    solve_changed(seed)
