"""The least storage of a schedule for which every stop, and every return, leaves a recovery.

The model of sizes and dispatch is solved, the stops that its course does not hold give cuts, and it is solved
again: by ranges a linear programme that keeps its basis; by lists until the sizes hold by a dispatch of their
own, each time with the proof that the last ones do not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import highspy
import pyomo.environ as pyo
from pyomo.repn import generate_standard_repn

from codesign import catalogue
from codesign.design import Schedule
from codesign.errors import SolverError
from codesign.linear import Kept
from codesign.planning import covering, highs, storage
from codesign.planning.attempt import Run
from codesign.planning.covering import Course
from codesign.planning.highs import Status
from codesign.planning.rows import OBJECTIVE, Rows
from codesign.sizing import listed as nearest
from codesign.smoothing import TIGHT_MW
from codesign.stops import course
from codesign.timing import spent
from codesign.workload import Assignment

MOST_ROUNDS = 60
Away = Sequence[tuple[Assignment, Course]]
Chosen = tuple[str | None, float, float]
"""Card, power [MW] and energy [MWh]."""


def ranged(
    run: Run, rows: Rows, schedule: Schedule, fast: storage.FastStorage, away: Away,
    below_usd: float = math.inf,
) -> Chosen | Status | None:  # fmt: skip
    """Return the cheapest sizes from ranges, or the status that proves none: a linear programme.

    None where they cost no less than `below_usd` a year: each round's optimum is a bound of the last one's.

    Raises
    ------
    StoppedError
        Time is up or the user asked to stop.
    """
    site, card = run.site, next(each for each in fast.power_mw if each is not None)
    lp, variables = highs.compiled(rows.model)
    lp.integrality_ = [highspy.HighsVarType.kContinuous] * len(variables)
    kept = Kept.of(lp, solver="ipm" if lp.num_row_ > highs.LARGE else "simplex")
    index = {id(column): number for number, column in enumerate(variables)}
    if fast.course is None:
        raise ValueError("a storage without a dispatch has no course")
    courses = [
        (fast.course, course.falls(site, schedule)),
        *((each, (course.returning(site, row),)) for row, each in away),
    ]
    part = catalogue.build(site, "storage", card)
    for _ in range(MOST_ROUNDS):
        with spent("milp"):
            answer = kept.solve()
        if answer is None:
            return Status.INFEASIBLE
        if answer.objective / OBJECTIVE >= below_usd:
            return None
        for column, value in zip(variables, answer.x, strict=True):
            column.set_value(value, skip_validation=True)
        power_mw, energy_mwh = (float(pyo.value(each[card])) for each in (fast.power_mw, fast.energy_mwh))
        own, cuts = course.store(part, course.rating_pu(part) * power_mw, energy_mwh), 0
        with spent("stops"):
            for columns, falls in courses:
                planned = columns.read(site, card, pyo.value)
                for each in covering.broken(site, planned, falls, own):
                    mw = each.fall.mw

                    def fall(t: int, mw: Any = mw, slot: int = each.slot) -> float:
                        return float(mw[(slot + t) % len(mw)])

                    row = covering.excess_mw(each.cut, columns, fast, site, card, fall)
                    linear = generate_standard_repn(row)
                    at = [index[id(column)] for column in linear.linear_vars]
                    kept.add_row(-float("inf"), at, linear.linear_coefs, -linear.constant - TIGHT_MW)
                    cuts += 1
        if not cuts:
            return card, power_mw, energy_mwh
    raise SolverError(f"storage for stops: no end after {MOST_ROUNDS} rounds of cuts")


def listed(
    run: Run, rows: Rows, schedule: Schedule, fast: storage.FastStorage, away: Away
) -> Chosen | Status:  # fmt: skip
    """Return the cheapest sizes from lists, or of several cards, or the status that proves none."""
    site, known = run.site, covering.Known()
    for _ in range(MOST_ROUNDS):
        answer = run.solve(rows.model)
        if answer.values is None:
            return answer.status
        card = storage.read_card(fast, answer)
        power_mw = 0.0 if card is None else nearest(site, "storage_power", answer[fast.power_mw[card]])
        energy_mwh = 0.0 if card is None else nearest(site, "storage_energy", answer[fast.energy_mwh[card]])
        known.stops.clear()
        known.judge(site, schedule, card, power_mw, energy_mwh, [row for row, _ in away])
        if not known.stops or answer.status is not Status.OPTIMAL:
            return card, power_mw, energy_mwh
        with spent("stops"):
            covering.add(rows, site, fast, None, known, schedule)
            for row, columns in away:
                covering.add_away(rows, site, fast, row, columns, known)
    raise SolverError(f"storage for stops: no end after {MOST_ROUNDS} rounds of cuts")
