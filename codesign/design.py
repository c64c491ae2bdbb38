"""The results: Plan, Check, Design, Audit. Frozen data; equal by content, floats bit for bit.

Needs no room of the optimiser: loading or auditing a design loads no solver.

    Plan      sizes, setting, schedule, storage dispatch, hours, cost, bound         (made by planning)
    Check     trajectories and the margin of every limit in every scenario           (made by checking)
    Design    site + plan + check + certificate                                      (made by refining)
    Audit     every breach found when a design is judged again from the site alone   (made by auditing)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from codesign.site import Site
from codesign.workload import Assignment

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray


class Outcome(StrEnum):
    """How a run ended; `advice` says what to do next."""

    advice: str

    def __new__(cls, value: str, advice: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.advice = advice
        return member

    CERTIFIED = "certified", "every limit holds in every scenario covered; read what is not covered"
    NOT_CERTIFIED = "not_certified", "not shown to hold; reason and margins say which limit, where and when"
    INFEASIBLE = "infeasible", "proven: no design keeps every limit; move the limit that the reason names"
    INTERRUPTED = "interrupted", "stopped by hand; the best found so far is kept"
    TIME_LIMIT = "time_limit", "out of time; the best found so far is kept; allow more seconds"


class Table(Mapping[str, "NDArray[Any]"]):
    """Named read-only columns of equal length (float64, or str); equal when every entry is equal."""

    __slots__ = ("_columns",)

    def __init__(self, columns: Mapping[str, ArrayLike] | None = None) -> None:
        self._columns: dict[str, NDArray[Any]] = {}
        for name, values in (columns or {}).items():
            array = np.array(values)
            array = array if array.dtype.kind == "U" else array.astype(np.float64)
            array.setflags(write=False)
            self._columns[name] = array
        shapes = {array.shape for array in self._columns.values()}
        if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
            raise ValueError(f"a table takes flat columns of one length, got {sorted(shapes)}")

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def rows(self) -> int:
        """Entries in each column."""
        return next((len(array) for array in self._columns.values()), 0)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table):
            return NotImplemented
        return self.keys() == other.keys() and all(np.array_equal(self[name], other[name]) for name in self)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Table({self.rows} rows: {', '.join(self)})"

    def to_frame(self) -> pd.DataFrame:
        """Return the columns as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(dict(self._columns))


DISPATCH_COLUMNS = ("time_s", "charge_mw", "discharge_mw", "soc_mwh")
HOUR_COLUMNS = (
    "date", "hour_of_day", "weight_h_per_year", "dry_bulb_c", "price_usd_per_mwh", "it_mw", "chillers_on",
    "cycling_pu", "chiller_kw", "dry_cooler_kw", "fan_pu", "chiller_power_kw", "dry_cooler_power_kw",
    "cdu_pump_kw", "fws_pump_kw", "fan_wall_pu", "fan_wall_power_kw", "air_chiller_kw",
    "air_chiller_power_kw", "mechanical_mw", "storage_loss_mw", "transformer_loss_mw", "poi_mw",
    "poi_peak_mw",
)  # fmt: skip
"""Columns that every plan's tables hold (`Plan` says what they mean); others may stand beside them."""


def gap_pu(cost_usd: float | None, bound_usd: float | None) -> float | None:
    """Return (cost - bound) / |cost|; None where one is missing or the cost is nothing at all."""
    if cost_usd is None or bound_usd is None:
        return None
    if cost_usd == bound_usd:
        return 0.0
    return (cost_usd - bound_usd) / abs(cost_usd) if cost_usd != 0.0 else None


@dataclass(frozen=True, slots=True)
class Size:
    """One decision on equipment: `count` units of `card`, together `value` in `unit`."""

    card: str | None
    count: int | None
    value: float
    unit: str
    set_by: str = ""


class Sizes(Mapping[str, Size]):
    """Sizes by id.

    id              card  count  value                          unit
    transformer     yes   yes    total rating                   mva
    cdu             yes   yes    total capacity                 kw
    cdu_flow        -     -      rated TCS flow of one CDU      l_per_min
    fws_pump        yes   -      rated flow of the pump group   kg_per_s
    dry_cooler, chiller, fan_wall, air_chiller
                    yes   yes    total at rating                kw
    buffer          yes   -      volume in the FWS supply       m3
    storage_power   yes   -      power at the terminals         mw
    storage_energy  yes   -      nameplate energy, new          mwh
    contract        -     -      contracted power               mw
    """

    __slots__ = ("_sizes",)

    def __init__(self, sizes: Mapping[str, Size] | None = None) -> None:
        self._sizes = dict(sizes or {})

    def __getitem__(self, name: str) -> Size:
        return self._sizes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sizes)

    def __len__(self) -> int:
        return len(self._sizes)

    def __eq__(self, other: object) -> bool:
        return self._sizes == other._sizes if isinstance(other, Sizes) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Sizes({self._sizes!r})"

    def to_frame(self) -> pd.DataFrame:
        """Return one row a size."""
        import pandas as pd

        columns = ("card", "count", "value", "unit", "set_by")
        rows = [[name, *(getattr(size, column) for column in columns)] for name, size in self.items()]
        return pd.DataFrame(rows, columns=["size", *columns]).set_index("size")


class Schedule(tuple[Assignment, ...]):
    """One assignment a job copy: mode, period, offset and slow events."""

    __slots__ = ()

    def __new__(cls, assignments: Iterable[Assignment] = ()) -> Self:
        return super().__new__(cls, assignments)

    def one_away(self) -> tuple[tuple[Assignment, Schedule], ...]:
        """Return each job copy with the schedule without it; copies in the same place once."""
        found: dict[Assignment, tuple[Assignment, Schedule]] = {}
        for index, row in enumerate(self):
            key = replace(row, copy=0)
            found.setdefault(key, (row, Schedule((*self[:index], *self[index + 1 :]))))
        return tuple(found.values())

    def to_frame(self) -> pd.DataFrame:
        """Return one row a job copy."""
        import pandas as pd

        columns = (
            "job", "copy", "pod", "mode", "locked", "slack_pu", "jitter_s", "period_s", "offset_s", "events",
        )  # fmt: skip
        return pd.DataFrame([[getattr(row, name) for name in columns] for row in self], columns=list(columns))


@dataclass(frozen=True, slots=True)
class Setting:
    """What is chosen once for the whole year."""

    fws_supply_c: float
    approach_k: float


@dataclass(frozen=True, slots=True)
class CostItem:
    """One term of the annual cost; `grade` is that of its price ("site" when the site file states it)."""

    name: str  # "capital.cdu" (annuity and O&M), "energy", "demand", "contract"
    usd_per_year: float
    grade: str


@dataclass(frozen=True, slots=True)
class Margin:
    """Distance to one limit at its worst place and instant; negative: broken. Static: scenario "static"."""

    limit: str
    scenario: str
    place: str
    time_s: float
    margin: float
    unit: str
    judge: str  # "integrated", "waveform" or "static"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan: sizes, schedule and operation, with the cost of the exact evaluation and a bound.

    dispatch, one row a step of the macro clock:
        time_s charge_mw discharge_mw soc_mwh      (terminals, >= 0; soc at the step's start)
        charge_mw.STREAM discharge_mw.STREAM       where jobs may shift: "locked" and JOB_COPY, each its share
    hours, one row a span of the representative days at its mean dry bulb and price, and rows of weight 0 at
    the highest reading of the span and the lowest of the day, where those differ (`climate`):
        date hour_of_day weight_h_per_year dry_bulb_c price_usd_per_mwh
        it_mw chillers_on cycling_pu chiller_kw dry_cooler_kw fan_pu chiller_power_kw dry_cooler_power_kw
        cdu_pump_kw fws_pump_kw fan_wall_pu fan_wall_power_kw air_chiller_kw air_chiller_power_kw
        mechanical_mw storage_loss_mw transformer_loss_mw poi_mw poi_peak_mw
    """

    outcome: Outcome
    reason: str
    site_name: str
    sizes: Sizes = field(default_factory=Sizes)
    setting: Setting | None = None
    schedule: Schedule = field(default_factory=Schedule)
    dispatch: Table = field(default_factory=Table)
    hours: Table = field(default_factory=Table)
    cost_items: tuple[CostItem, ...] = ()
    cost_usd_per_year: float | None = None  # exact evaluation
    model_cost_usd_per_year: float | None = None  # the MILP's objective
    bound_usd_per_year: float | None = None
    fixed_usd_per_year: float | None = None  # proven constant part, for the influenced gap
    capex_usd: float | None = None
    seconds: float = 0.0

    @property
    def solved(self) -> bool:
        """Whether there are sizes to look at."""
        return len(self.sizes) > 0

    @property
    def gap(self) -> float | None:
        """(cost - bound) / |cost|: at a negative cost too, the share of it that is not proven."""
        return gap_pu(self.cost_usd_per_year, self.bound_usd_per_year)

    @property
    def influenced_gap(self) -> float | None:
        """(cost - bound) / (cost - fixed): the gap of the part that a design can influence."""
        cost, bound, fixed = self.cost_usd_per_year, self.bound_usd_per_year, self.fixed_usd_per_year
        if cost is None or bound is None or fixed is None:
            return None
        return 0.0 if cost == bound else (cost - bound) / (cost - fixed)

    def mean(self, column: str) -> float | None:
        """Return the annual mean of a column of `hours`, weighted by hours a year."""
        if not self.hours.rows:
            return None
        weight = self.hours["weight_h_per_year"]
        return float(weight @ self.hours[column] / weight.sum())

    @property
    def it_mw(self) -> float | None:
        """Annual mean IT power."""
        return self.mean("it_mw") if self.hours.rows else None

    @property
    def pue(self) -> float | None:
        """Annual energy at the POI over annual IT energy."""
        poi, it = self.mean("poi_mw"), self.mean("it_mw")
        return None if poi is None or it is None else poi / it

    @property
    def poi_peak_mw(self) -> float | None:
        """Highest instantaneous power at the POI in normal operation."""
        return float(self.hours["poi_peak_mw"].max()) if self.hours.rows else None

    @property
    def capex_usd_per_kw_it(self) -> float | None:
        """Investment per kW of annual mean IT power."""
        it_mw = self.it_mw
        return None if self.capex_usd is None or it_mw is None else self.capex_usd / (1000.0 * it_mw)

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        from codesign.answer import as_json

        return as_json(self)

    def __repr__(self) -> str:
        usd = "" if self.cost_usd_per_year is None else f", {self.cost_usd_per_year:,.0f} USD a year"
        return f"<Plan {self.site_name!r}: {self.outcome.value}{usd}, {len(self.sizes)} sizes>"

    def __str__(self) -> str:
        from codesign.answer import text_of_plan

        return text_of_plan(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The stop of one copy at its class's worst moment: slot and begin of the run on the macro clock [s]."""

    job: str
    copy: int
    at_s: float
    begins_s: float
    lead_s: float  # from the run's begin to the stop


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """One closed-loop run.

    Row k of `states` is the integrated state at time_s[k]; row k of `controls` and `disturbances` holds over
    [time_s[k], time_s[k+1]) (the last row repeats); `outputs` are read at time_s[k].
    """

    id: str
    hour: int  # row of Plan.hours whose weather it lives in
    status: str  # "complete", or why it ended early
    time_s: tuple[float, ...]
    states: Table
    controls: Table
    disturbances: Table
    outputs: Table
    margins: tuple[Margin, ...]
    energy_residual_pu: float = 0.0  # heat balance over the run, relative to the heat carried
    out_of_range: Mapping[str, int] = field(default_factory=dict)  # steps an input was held
    failed_solves: int = 0
    stop: Stop | None = None

    @property
    def holds(self) -> bool:
        """Whether the run is complete and every margin is >= 0."""
        return self.status == "complete" and all(row.margin >= 0.0 for row in self.margins)

    def __repr__(self) -> str:
        return f"<ScenarioResult {self.id!r}: {self.status}, {len(self.time_s)} samples>"

    def to_frame(self) -> pd.DataFrame:
        """Return the trajectory; columns `time_s`, `state.*`, `control.*`, `disturbance.*`, `output.*`."""
        import pandas as pd

        return pd.DataFrame(self.columns())

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the trajectory's columns under their prefixed names."""
        columns = {"time_s": np.array(self.time_s)}
        for kind in ("state", "control", "disturbance", "output"):
            table: Table = getattr(self, f"{kind}s")
            columns |= {f"{kind}.{name}": values for name, values in table.items()}
        return columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Static margins and the closed-loop scenarios; `check["chiller_trip"]` is one scenario."""

    static: tuple[Margin, ...] = ()
    scenarios: tuple[ScenarioResult, ...] = ()
    covered: tuple[str, ...] = ()  # scenario ids
    not_covered: tuple[str, ...] = ()  # what no judge looked at: scenarios skipped, bands not resolved
    seconds: float = 0.0

    def __getitem__(self, scenario: str) -> ScenarioResult:
        for result in self.scenarios:
            if result.id == scenario:
                return result
        raise KeyError(f"{scenario}: checked were {', '.join(self.covered) or 'none'}")

    @property
    def margins(self) -> tuple[Margin, ...]:
        """Static margins, then those of every scenario."""
        return self.static + tuple(row for result in self.scenarios for row in result.margins)

    @property
    def holds(self) -> bool:
        """Whether every margin is >= 0 and every scenario complete."""
        return all(row.margin >= 0.0 for row in self.static) and all(
            result.holds for result in self.scenarios
        )

    @property
    def worst(self) -> tuple[Margin, ...]:
        """The broken margins."""
        return tuple(row for row in self.margins if row.margin < 0.0)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a margin."""
        import pandas as pd

        columns = ("limit", "scenario", "place", "time_s", "margin", "unit", "judge")
        return pd.DataFrame(
            [[getattr(row, name) for name in columns] for row in self.margins], columns=list(columns)
        )

    def __repr__(self) -> str:
        names = ", ".join(self.covered) or "no scenario"
        return f"<Check: {'holds' if self.holds else 'does not hold'}; {names}>"

    def __str__(self) -> str:
        from codesign.answer import text_of_check

        return text_of_check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class YearClaim:
    """The design on every day of the site's series, static limits only; bound and gap are not of the year."""

    days: int
    cost_usd_per_year: float  # without what is unserved
    unserved_heat_mwh: float  # a year
    unserved_power_mwh: float
    unserved_usd_per_mwh: float
    hours_short: float  # a year, of limits that depend on the hour
    short: str  # the limit short by the most energy, and its place; empty where none is
    worst_day: str  # with the most unserved; empty where nothing is
    added: tuple[str, ...] = ()  # days that were added at weight 0 since an earlier plan was short on them
    demand_usd_per_year: float | None = None  # on the peak of each calendar month; part of the cost

    @property
    def unserved_usd_per_year(self) -> float:
        """Price of what is unserved."""
        return self.unserved_usd_per_mwh * (self.unserved_heat_mwh + self.unserved_power_mwh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What is claimed, of what, and what is not."""

    outcome: Outcome
    reason: str
    plan_cost_usd_per_year: float | None  # static optimum, before the transients were asked
    cost_usd_per_year: float | None  # of this design, exact evaluation
    bound_usd_per_year: float | None
    gap: float | None  # (cost - bound) / |cost|
    influenced_gap: float | None  # (cost - bound) / (cost - fixed)
    fixed_usd_per_year: float | None
    year: YearClaim | None = None  # None: no plan, or series that are not a whole year
    cost_share_by_grade: Mapping[str, float] = field(default_factory=dict)
    covered: tuple[str, ...] = ()
    not_covered: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    rounds: int = 0  # plan-check rounds
    versions: Mapping[str, str] = field(default_factory=dict)
    site_digest: str = ""
    cards_digest: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Sizes and schedule with their certificate, and all that is needed to judge them again."""

    site: Site
    plan: Plan
    check: Check
    certificate: Certificate

    @property
    def outcome(self) -> Outcome:
        """How the run ended."""
        return self.certificate.outcome

    @property
    def sizes(self) -> Sizes:
        """The plan's sizes."""
        return self.plan.sizes

    @property
    def schedule(self) -> Schedule:
        """The plan's schedule."""
        return self.plan.schedule

    def with_(self, changes: Mapping[str, Any]) -> Design:
        """Return the design with dotted paths changed and its claims withdrawn; InputError at a wrong path.

        Paths: `sizes.ID.count`, `sizes.ID.card`, `sizes.ID.value` (where there is no count),
        `setting.fws_supply_c`, `setting.approach_k`, `schedule.JOB.COPY.offset_s`;
        `schedule.offsets` and `schedule.events` take "aligned".
        """
        from codesign.changing import change

        return change(self, changes)

    def save(self, path: str | Path) -> Path:
        """Write the design folder; refused where anything but an older design of this tool stands."""
        from codesign import folder

        return folder.save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Design:
        """Read a design folder; InputError with every fault."""
        from codesign import folder

        return folder.load(path)

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        from codesign.answer import as_json

        return as_json(self)

    def __str__(self) -> str:
        from codesign.answer import text_of_design

        return text_of_design(self)

    def __repr__(self) -> str:
        cost = self.certificate.cost_usd_per_year
        usd = "" if cost is None else f", {cost:,.0f} USD a year"
        return f"<Design {self.plan.site_name!r}: {self.outcome.value}{usd}, {len(self.sizes)} sizes>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the answer, and the sizes as a table."""
        from codesign.answer import html_of_design

        return html_of_design(self)


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that does not hold: `value` against `allowed`, in `unit`."""

    limit: str
    place: str
    value: float | str
    allowed: float | str
    unit: str = ""

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.limit} at {self.place}: {self.value}{unit}, allowed {self.allowed}{unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The verdict: no breach, or all of them."""

    site_name: str
    breaches: tuple[Breach, ...]
    judged: tuple[str, ...] = ()  # what was looked at
    seconds: float = 0.0
    design: Design | None = field(default=None, repr=False)  # None: its folder could not be read

    @property
    def holds(self) -> bool:
        """Whether nothing is broken."""
        return not self.breaches

    def to_frame(self) -> pd.DataFrame:
        """Return one row a breach."""
        import pandas as pd

        columns = ("limit", "place", "value", "allowed", "unit")
        return pd.DataFrame(
            [[getattr(row, name) for name in columns] for row in self.breaches], columns=list(columns)
        )

    def __str__(self) -> str:
        from codesign.answer import text_of_audit

        return text_of_audit(self)
