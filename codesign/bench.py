"""The bench: instances solved and audited, each in a process of its own; what it took, what is worse.

CPU seconds are split into parts that together are the whole (* marks the solvers' cores):

    start      interpreter and packages            check      making the controller's solvers, closed loop
    read       the site, from its files            nlp*       IPOPT
    build      models, and their arrays            integrate* CVODES
    milp*      HiGHS on these                      audit      the independent verdict on a certified design
    dispatch*  the storage's linear programmes     other      the rest: evaluation, exchange, reasons, and the
                                                              check's programmes, steady starts and margins

A row is worse than an earlier one of the same name in three ways, and never by a time or by memory:

    cost         above the earlier cost. Not asked of a design that is certified where the earlier one was
                 not: it has to hold more
    bound        below the earlier bound
    certificate  the earlier design was certified, this one is not (nor is one that the audit refuses)

Numbers may differ by a share TOLERANCE of the earlier one, plus `rtol` of the reference.toml beside the site
where there is one. Where there is no design the cost is infinite; where nothing is proven the bound is minus
infinity, and infinity where infeasible is.
"""

from __future__ import annotations

import math
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from codesign import apart, reading
from codesign.answer import versions
from codesign.design import Outcome
from codesign.errors import SolverError
from codesign.timing import snapshot, spent

PARTS = ("start", "read", "build", "milp", "dispatch", "stops", "check", "nlp", "integrate", "audit", "other")
CORES = ("milp", "dispatch", "nlp", "integrate")
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One instance; a reference tells neither rounds nor what they took."""

    name: str
    outcome: str
    reason: str = ""
    cost_usd_per_year: float | None = None
    bound_usd_per_year: float | None = None
    gap: float | None = None
    influenced_gap: float | None = None
    rounds: int | None = None  # of plan and check
    milp_solves: int | None = None
    wall_s: float | None = None
    peak_mib: float | None = None
    cpu_s: Mapping[str, float] = field(default_factory=dict)  # by part
    site_digest: str = ""
    cards_digest: str = ""

    @property
    def whole_cpu_s(self) -> float | None:
        """CPU seconds of the instance's process."""
        return sum(self.cpu_s.values()) if self.cpu_s else None

    @property
    def whole_per_core(self) -> float | None:
        """Whole CPU seconds over those in the solvers' cores."""
        core_s = sum(self.cpu_s.get(part, 0.0) for part in CORES)
        return None if self.whole_cpu_s is None or core_s == 0.0 else self.whole_cpu_s / core_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """All rows, and what they were made with and on."""

    rows: tuple[Row, ...]
    versions: Mapping[str, str]
    machine: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a row is held against: `row` is None where `file` has none of that name."""

    file: str
    row: Row | None
    tolerance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a row stands to an earlier one; times and memory as old over new, for information."""

    name: str
    against: str  # file; empty where there is nothing to compare with
    worse: tuple[str, ...] = ()
    same_site: bool = True
    old_per_new: Mapping[str, float] = field(default_factory=dict)


# measuring


def run(
    sites: Mapping[str, Path],
    *,
    time_limit_s: float = math.inf,
    progress: Callable[[str], None] | None = None,
) -> Bench:
    """Solve and audit sites by name, as `named` returns them, one after another.

    Processes are spawned: the caller's module guards its main. SolverError where one ends without a row.
    """
    rows: list[Row] = []
    for name, path in sites.items():
        if progress is not None:
            progress(f"{name}, {len(rows) + 1} of {len(sites)}")
        rows.append(_alone(name, path, time_limit_s))
    return Bench(rows=tuple(rows), versions=versions(), machine=machine())


def named(paths: Sequence[Path]) -> dict[str, Path]:
    """Return the sites' files by the sites' names; all of them are read, so that none is refused later."""
    from codesign import site

    found: dict[str, Path] = {}
    for path in paths:
        name = site.load(path).name
        if name in found:
            raise reading.refused(path, "name", name, "sites of different names", None)
        found[name] = reading.site_path(path)
    return found


def machine() -> dict[str, str | int]:
    """Return what a time depends on: cores that may be used, kind of machine, system."""
    return {"cores": apart.cores(), "machine": platform.machine(), "system": platform.platform()}


def _alone(name: str, path: Path, time_limit_s: float) -> Row:
    began_s = time.perf_counter()
    try:
        (row,) = apart.each([partial(_measured, path, time_limit_s)])
    except SolverError as error:
        raise SolverError(f"{name}: {error}") from None
    return replace(row, wall_s=time.perf_counter() - began_s)


def _measured(path: Path, time_limit_s: float, progress: object) -> Row:
    """Solve and audit in this process, which does nothing else."""
    from codesign import site

    began_s = time.process_time()
    with spent("read"):
        the_site = site.load(path)
    with spent("start"):
        from codesign import auditing, refining
    design = refining.solve(the_site, time_limit_s=time_limit_s)
    outcome, reason, claim = design.outcome.value, design.certificate.reason, design.certificate
    if design.outcome is Outcome.CERTIFIED:
        with spent("audit"):
            verdict = auditing.audit(design)
        if not verdict.holds:
            outcome, reason = Outcome.NOT_CERTIFIED.value, f"the audit refuses it: {verdict.breaches[0]}"
    taken, whole_s = snapshot(), time.process_time()
    cpu_s = {part: taken.cpu_s.get(part, 0.0) for part in PARTS}
    cpu_s["start"] += began_s
    cpu_s["other"] = max(whole_s - sum(cpu_s.values()), 0.0)
    return Row(
        name=the_site.name, outcome=outcome, reason=reason, cost_usd_per_year=claim.cost_usd_per_year,
        bound_usd_per_year=claim.bound_usd_per_year, gap=claim.gap, influenced_gap=claim.influenced_gap,
        rounds=claim.rounds, milp_solves=taken.entries.get("milp", 0), cpu_s=cpu_s, peak_mib=_peak_mib(),
        site_digest=the_site.digest, cards_digest=the_site.cards_digest,
    )  # fmt: skip


def _peak_mib() -> float:
    """Return the most memory that this process held.

    Linux hands ru_maxrss of the process that spawned this one down to it, so its own mark is read first.
    """
    try:
        status = Path("/proc/self/status").read_text()
        return next(float(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
            2**20 if sys.platform == "darwin" else 1024
        )


# comparing


def compare(row: Row, before: Earlier) -> Comparison:
    """Hold a row against an earlier one; the module's text has the rule."""
    old = before.row
    if old is None:
        return Comparison(name=row.name, against="")
    return Comparison(
        name=row.name, against=before.file, worse=tuple(_worse(row, old, before.tolerance)),
        same_site=(row.site_digest, row.cards_digest) == (old.site_digest, old.cards_digest),
        old_per_new=dict(_ratios(row, old)),
    )  # fmt: skip


def _worse(row: Row, old: Row, tolerance: float) -> Iterator[str]:
    is_certified, was_certified = (each.outcome == Outcome.CERTIFIED.value for each in (row, old))
    comparable = was_certified or not is_certified
    if comparable and _cost_usd(row) > _cost_usd(old) + _slack(_cost_usd(old), tolerance):
        yield f"cost {_told(_cost_usd(row))}, {_told(_cost_usd(old))} before"
    if _bound_usd(row) < _bound_usd(old) - _slack(_bound_usd(old), tolerance):
        yield f"bound {_told(_bound_usd(row))}, {_told(_bound_usd(old))} before"
    if was_certified and not is_certified:
        yield f"{row.outcome}, {old.outcome} before ({row.reason})"


def _cost_usd(row: Row) -> float:
    return math.inf if row.cost_usd_per_year is None else row.cost_usd_per_year


def _bound_usd(row: Row) -> float:
    if row.bound_usd_per_year is not None:
        return row.bound_usd_per_year
    return math.inf if row.outcome == Outcome.INFEASIBLE.value else -math.inf


def _slack(value: float, tolerance: float) -> float:
    return tolerance * abs(value) if math.isfinite(value) else 0.0


def _told(usd: float) -> str:
    return f"{usd:,.2f} USD a year" if math.isfinite(usd) else "none" if usd < 0.0 else "infinite"


def _ratios(row: Row, old: Row) -> Iterator[tuple[str, float]]:
    for key in ("whole_cpu_s", "wall_s", "peak_mib"):
        if (was := getattr(old, key)) and (now := getattr(row, key)):
            yield key, was / now
    for part, now in row.cpu_s.items():
        if now and (was := old.cpu_s.get(part)):
            yield part, was / now
