"""The site file: sections, keys, units, bounds. A key's suffix is its unit.

Bounds keep out what cannot be meant (a temperature in degF, a power in kW); whether a site can be built
within its own limits is for the plan to find out.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from codesign.fields import (
    LIST,
    MAX_COUNT,
    RANGE,
    Cards,
    Count,
    Counts,
    Date,
    FrozenDict,
    In,
    Model,
    Name,
    Options,
    Path,
    Range,
    Seconds,
    Share,
    Text,
    Wait,
    Within,
    kind,
    refusal,
)  # fmt: skip
from codesign.poi import NO_RULE, RULES, resolved

SCHEMA_VERSION = 1
MODE = re.compile(r"^(?:baseline|(floor|cap)_(0\.[0-9]{1,4}|1(?:\.0)?))$")

Redundancy = Literal["n", "n+1"]

FLOW_L_PER_MIN, FLOW_KG_PER_S, VOLUME_M3 = In(1, 20_000), In(0.1, 1e5), In(0, 1e5, above=True)
POWER_MW, ENERGY_MWH = In(0, 1e4), In(0, 1e5)


def _frozen(value: Any) -> Any:
    return FrozenDict(value)


def _override(value: Any) -> Any:
    """Return the value of a card's key: a number, a text, or numbers as a tuple."""
    if isinstance(value, list | tuple):
        if len(value) > 100 or not all(isinstance(each, int | float) for each in value):
            raise refusal("a number, a text, or at most 100 numbers")
        return tuple(value)
    if not isinstance(value, int | float | str):
        raise refusal("a number, a text, or at most 100 numbers")
    return value


_Keys = Annotated[
    dict[str, Annotated[Any, AfterValidator(_override)]], Field(max_length=100), AfterValidator(_frozen)
]
_Named = Annotated[dict[str, _Keys], Field(max_length=1000), AfterValidator(_frozen)]
Overrides = Annotated[dict[str, _Named], AfterValidator(_frozen)]


class Finance(Model):
    """Annuity of what is bought."""

    discount_rate: Annotated[float, In(0, 1)]
    """Real, a year; 0.08 is 8 per cent."""
    life_years: Annotated[float, In(1, 100)]
    currency_year: Annotated[int, In(1990, 2100)]


class Climate(Model):
    """Weather of the site; columns time, dry_bulb_c, relative_humidity_percent."""

    series: Path
    utc_offset_h: Annotated[float, In(-14, 14)]
    altitude_m: Annotated[float, In(-430, 5000)] = 0.0


class Energy(Model):
    """Prices; columns time, price_usd_per_mwh."""

    price_series: Path
    utc_offset_h: Annotated[float, In(-14, 14)]
    demand_charge_usd_per_mw_month: Annotated[float, In(0, 1e6)]
    contract_charge_usd_per_mw_year: Annotated[float, In(0, 1e7)]
    metering_window_min: Annotated[float, In(0, 60, above=True)] = 15.0


class Day(Model):
    """A representative day (local); weight 0 makes it a design day, which only limits."""

    date: Date
    weight_days: Annotated[float, In(0, 366)]


class RepresentativeDays(Model):
    """In place of [[days]]: chosen from a whole year of weather and prices (`codesign.days`)."""

    chosen: Annotated[bool, Field(strict=True)] = False
    """Whether the [[days]] beside it are those chosen: a site that is written says so."""
    number: Annotated[int, In(1, 60)]
    """Real days, whose weights sum to 365."""
    design_days: Annotated[bool, Field(strict=True)] = True
    """Whether the days of the greatest need are added, at weight 0."""


class Clock(Model):
    """Steps and slots; each divides the next longer one."""

    step_s: Annotated[float, In(0.001, 60)]
    cycle_s: Seconds
    offset_slot_s: Seconds
    macro_s: Seconds
    event_slot_s: Seconds
    hour_step_h: Annotated[int, In(1, 24)] = 1
    """Span of the day clock: means of its readings count, limits hold at its highest (`readings`)."""


class Poi(Model):
    """Point of interconnection: its rule and its limits."""

    rule: Annotated[str, BeforeValidator(lambda value: _known(value, tuple(RULES)))]
    allocated_share: Annotated[float, In(0, 1, above=True)]
    """Share of the rule's window that is this site's."""
    contract_max_mw: Annotated[float, In(0, 1e4, above=True)]
    interconnection_limit_mw: Annotated[float, In(0, 1e4, above=True)]
    power_factor: Annotated[float, In(0.5, 1)] = 1.0
    filter_order: Annotated[int, In(1, 4)]
    band_hz: tuple[Annotated[float, In(0.001, 1e4)], Annotated[float, In(0.001, 1e4)]]
    window_s: Annotated[float, In(0, 3600)]
    window_mw: Annotated[float, In(0, 1e4, above=True)]
    unlocked_alignment: Literal["once_a_year", "any"] = "once_a_year"
    """Which planned events of unlocked jobs coincide in the window rule: those expected to, or all."""
    one_job_absent: Annotated[bool, Field(strict=True)] = False
    """Whether the window rule must hold as well while any one job copy is away."""

    @model_validator(mode="before")
    @classmethod
    def _rule(cls, value: Any) -> Any:
        return resolved(value)

    @model_validator(mode="after")
    def _band(self) -> Self:
        if self.band_hz[0] >= self.band_hz[1]:
            raise refusal("band_hz from low to high", "band_hz")
        if self.rule != NO_RULE and not self.window_s:
            raise refusal(f'a number above 0, or rule = "{NO_RULE}"', "window_s")
        stated = {key: getattr(self, key) for key in RULES[NO_RULE] if key != "allocated_share"}
        if self.rule == NO_RULE and stated != {key: RULES[NO_RULE][key] for key in stated}:
            raise refusal("a rule, where a window or a filter is stated", "rule")
        return self


class Pod(Model):
    """Equal pods of equal racks."""

    count: Count
    racks: Count
    """Racks of one pod."""
    rack: Text
    unused: Literal["idle", "off"] = "idle"
    """Racks that no job uses: on and idle, or switched off and shut off from the water."""
    idle_pu: Share = 0.2
    """Dynamic power of a rack without a job, per unit of nominal power.

    E: one B300 draws 0.167 of its limit, initialised and empty (sinkers/gpu-power-lab 249b1c9); the rest of a
    rack idles higher.
    """


class Phase(Model):
    """A share of the period at a level, per unit of the plateau."""

    name: Text
    share: Share
    level_pu: Annotated[float, In(0, 2)]


class Event(Model):
    """Something slow at an iteration boundary: a checkpoint, an evaluation."""

    kind: Name
    interval_s: Seconds
    duration_s: Seconds
    level_pu: Annotated[float, In(0, 2)]


class Lock(Model):
    """A start gate on the common clock: what it gives up, and how late an iteration may still start."""

    slack_pu: Annotated[float, In(0, 1)]
    """By how much the tick exceeds the mean step, per unit of it."""
    jitter_s: Wait


class Job(Model):
    """Equal jobs; the shape of an iteration from a profile or from phases."""

    count: Count
    racks: Count
    """Racks of one job."""
    period_s: Seconds
    profile: Path | None = None
    phases: Annotated[tuple[Phase, ...], Field(max_length=100)] = ()
    events: Annotated[tuple[Event, ...], Field(max_length=10)] = ()
    per_unit_of: Literal["plateau", "peak", "mean"] = "plateau"
    """What 1 in the profile's file is: values are taken as they stand, or divided by their peak or mean."""
    plateau_pu: Annotated[float, In(0, 1.2, above=True)] = 0.95
    """What 1 in the profile or in the phases is, per unit of the rack's nominal power."""
    idle_pu: Share = 0.33
    locked: Annotated[bool, Field(strict=True)] = True
    slack_pu: Annotated[float, In(0, 1)] = 0.0
    jitter_s: Wait = 0.0
    locks: Annotated[tuple[Lock, ...], Field(max_length=20)] = ()
    """Start gates to choose from, or none of them: in place of locked, slack_pu and jitter_s."""
    modes: Options[Annotated[str, BeforeValidator(lambda value: _mode(value))]] = ("baseline",)
    """baseline, floor_X, cap_X to choose from; X per unit of the plateau."""
    throughput_pu: Annotated[
        dict[str, Annotated[float, In(0, 1, above=True)]], Field(max_length=20), AfterValidator(_frozen)
    ] = Field(default_factory=FrozenDict)
    """Work done by mode over that of the baseline; by default that of `codesign.modes.CAP`."""
    lost_work_usd_per_gpu_h: Annotated[float, In(0, 1e4)] = 1.0
    pod: Name | None = None
    averaging_s: Seconds | None = None
    """What the profile was averaged over where it was measured; 2 s for a profile that does not say."""

    @model_validator(mode="before")
    @classmethod
    def _averaging(cls, value: Any) -> Any:
        measured = isinstance(value, dict) and value.get("profile") is not None
        return {"averaging_s": 2.0, **value} if measured else value

    @model_validator(mode="after")
    def _shape(self) -> Self:
        if (self.profile is None) == (not self.phases):
            raise refusal("either a profile or phases", "phases")
        if self.phases and abs(sum(phase.share for phase in self.phases) - 1.0) > 1e-9:
            raise refusal("shares of the phases that sum to 1", "phases")
        if self.phases and self.per_unit_of != "plateau":
            raise refusal("plateau: levels of phases are per unit of the plateau", "per_unit_of")
        if self.jitter_s >= self.period_s:
            raise refusal("jitter_s below period_s", "jitter_s")
        if len({event.kind for event in self.events}) != len(self.events):
            raise refusal("events of different kinds", "events")
        if self.locks and (not self.locked or self.slack_pu or self.jitter_s):
            raise refusal("either locks or locked, slack_pu, jitter_s", "locks")
        if any(lock.jitter_s >= self.period_s for lock in self.locks):
            raise refusal("locks with a jitter_s below period_s", "locks")
        if len({lock.slack_pu for lock in self.locks}) != len(self.locks):
            raise refusal("locks of different slack_pu", "locks")
        if unknown := [mode for mode in self.throughput_pu if mode not in self.modes]:
            raise refusal(f"throughput_pu of modes that the job has, not {unknown[0]}", "throughput_pu")
        return self


class Cooling(Model):
    """Supply temperatures of the facility water to choose from."""

    fws_supply_c: Options[Annotated[float, In(2, 60)]]


class Cdu(Model):
    """Coolant distribution units; flow_l_per_min is the rated coolant flow of one."""

    cards: Cards
    count: Counts
    flow_l_per_min: Annotated[
        Annotated[Options[Annotated[float, FLOW_L_PER_MIN]], Tag(LIST)]
        | Annotated[Range, Within(FLOW_L_PER_MIN), Tag(RANGE)],
        Discriminator(kind),
    ]
    approach_k: Options[Annotated[float, In(0.5, 30)]]
    redundancy: Redundancy = "n"


class FwsPump(Model):
    """Facility-water pumps; flow_kg_per_s is the rated flow of the whole group."""

    cards: Cards
    flow_kg_per_s: Annotated[
        Annotated[Options[Annotated[float, FLOW_KG_PER_S]], Tag(LIST)]
        | Annotated[Range, Within(FLOW_KG_PER_S), Tag(RANGE)],
        Discriminator(kind),
    ]


class Counted(Model):
    """Equipment bought by the piece."""

    cards: Cards
    count: Counts
    redundancy: Redundancy = "n"


class Chillers(Model):
    """Trim chillers of the facility water; a site may have none, or say nothing of them."""

    cards: Cards = ("warm-250",)
    count: Options[Annotated[int, In(0, MAX_COUNT)]] = (0,)
    redundancy: Redundancy = "n"

    @property
    def on_offer(self) -> bool:
        """Whether the site can have any."""
        return max(self.count) > 0


class Transformers(Counted):
    """Transformers in parallel. outage_h: how long one may be out, the rest carrying the schedule's load.

    24 h by default: a stocked unit of a distribution size is exchanged within a day (E). A longer outage
    lowers the hot spot that the emergency allows, by what it takes of the insulation's life.
    """

    outage_h: Annotated[float, In(0, 8760, above=True)] = 24.0


class Buffer(Model):
    """Volume added to the facility-water loop."""

    cards: Cards
    volume_m3: Annotated[
        Annotated[Options[Annotated[float, VOLUME_M3]], Tag(LIST)]
        | Annotated[Range, Within(VOLUME_M3), Tag(RANGE)],
        Discriminator(kind),
    ]


class FanWall(Counted):
    """Fan walls for the air share."""

    supply_air_max_c: Annotated[float, In(10, 45)] = 27.0


class AirChiller(Counted):
    """Chillers of the fan walls' own loop."""

    chilled_water_c: Annotated[float, In(1, 25)] = 10.0


class Storage(Model):
    """Fast storage at the point of interconnection; a list is of modules."""

    cards: Cards
    power_mw: Annotated[
        Annotated[Options[Annotated[float, POWER_MW]], Tag(LIST)]
        | Annotated[Range, Within(POWER_MW), Tag(RANGE)],
        Discriminator(kind),
    ]
    energy_mwh: Annotated[
        Annotated[Options[Annotated[float, ENERGY_MWH]], Tag(LIST)]
        | Annotated[Range, Within(ENERGY_MWH), Tag(RANGE)],
        Discriminator(kind),
    ]


class Equipment(Model):
    """What may be bought: cards and sizes to choose from."""

    cooling: Cooling
    cdu: Cdu
    fws_pump: FwsPump
    dry_cooler: Counted
    chiller: Chillers = Chillers()
    buffer: Buffer
    fan_wall: FanWall
    air_chiller: AirChiller
    transformer: Transformers
    storage: Storage


class NominalHot(Model):
    """The hottest hour, nothing fails."""

    duration_s: Seconds = 100.0


class ChillerTrip(Model):
    """Chillers stop at at_s, are off for off_s, and load again over reload_s."""

    off_s: Wait = 45.0
    reload_s: Seconds = 180.0
    at_s: Wait = 60.0
    duration_s: Seconds = 600.0
    units: Literal["all"] | Annotated[int, In(1, MAX_COUNT)] = "all"


class CduPumpTrip(Model):
    """The pump of one coolant distribution unit stops; its card says how the standby takes over."""

    at_s: Wait = 10.0
    duration_s: Seconds = 60.0


class JobAbortRestart(Model):
    """A job (by default the largest) falls to its idle level and comes back."""

    job: Name | None = None
    at_s: Wait | None = None
    """By default where stop and return are farthest from planned events: one fault at a time."""
    off_s: Seconds = 40.0
    duration_s: Seconds = 100.0


class Scenarios(Model):
    """What the check runs."""

    nominal_hot: NominalHot = NominalHot()
    chiller_trip: ChillerTrip = ChillerTrip()
    cdu_pump_trip: CduPumpTrip = CduPumpTrip()
    job_abort_restart: JobAbortRestart = JobAbortRestart()


class Solver(Model):
    """How the plan is found, and when it stops."""

    method: Literal["joint", "split"] = "joint"
    """One model of all clocks (exact, for small sites), or clocks apart (`planning.split`)."""
    gap: Share = 1e-4


class Files(Model):
    """Where series may lie."""

    allow_outside: Annotated[bool, Field(strict=True)] = False
    """Whether a path may leave the folder of the site."""


class Sections(Model):
    """A site, as it is written: sections and keys, the suffix of a key is its unit."""

    schema_version: Literal[1]
    name: Name
    description: Annotated[str, Field(max_length=2000)] = ""
    finance: Finance
    climate: Climate
    energy: Energy
    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=366)]
    representative_days: RepresentativeDays | None = None
    clock: Clock
    poi: Poi
    pods: Annotated[dict[Name, Pod], Field(min_length=1, max_length=1000), AfterValidator(_frozen)]
    jobs: Annotated[dict[Name, Job], Field(min_length=1, max_length=1000), AfterValidator(_frozen)]
    equipment: Equipment
    scenarios: Scenarios = Scenarios()
    solver: Solver = Solver()
    files: Files = Files()
    cards: Annotated[Overrides, Field(max_length=100)] = Field(default_factory=FrozenDict)
    """Keys of cards that this site states itself: [cards.COMPONENT."NAME"]."""


def mode_level(mode: str) -> tuple[str, float]:
    """Return a mode's kind, baseline, floor or cap, and its level per unit of the plateau (baseline: 1)."""
    found = MODE.match(mode)
    if found is None:
        raise ValueError(f"no mode: {mode}")
    return (found[1], float(found[2])) if found[1] else ("baseline", 1.0)


def _mode(value: Any) -> str:
    if not isinstance(value, str) or not MODE.match(value):
        raise refusal("baseline, floor_X or cap_X with X from 0.0001 to 1, as floor_0.9")
    kind, level = mode_level(value)
    if not level:
        raise refusal(f"{kind}_X with X above 0")
    return value


def _known(value: Any, options: tuple[str, ...]) -> Any:
    if not isinstance(value, str) or value not in options:
        raise refusal(f"one of {', '.join(options)}")
    return value
