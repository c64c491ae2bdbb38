"""Cards: what can be bought, with source, grade, licence, cost and check points; components built from them.

One TOML file a component under models/; one table a card; keys as the fields of the component's class, plus
META. A site overrides keys of a card in [cards.<component>."<name>"].
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from codesign import card_bounds
from codesign.components.base import part_range
from codesign.components.buffer import Buffer
from codesign.components.cdu import CDU
from codesign.components.chiller import Chiller
from codesign.components.dry_cooler import DryCooler
from codesign.components.eir_chiller import EirChiller
from codesign.components.fan_wall import FanWall
from codesign.components.fws_pump import FwsPump
from codesign.components.rack import Rack
from codesign.components.storage import Storage
from codesign.components.transformer import Transformer
from codesign.errors import Fault, InputError, nearest, written

if TYPE_CHECKING:
    from codesign.site import Site

COMPONENTS: Mapping[str, type[Any]] = MappingProxyType(
    {
        "rack": Rack, "cdu": CDU, "fws_pump": FwsPump, "dry_cooler": DryCooler, "chiller": Chiller,
        "eir_chiller": EirChiller, "fan_wall": FanWall, "buffer": Buffer, "transformer": Transformer,
        "storage": Storage,
    }
)  # fmt: skip

EQUIPMENT: Mapping[str, str] = MappingProxyType(
    {
        "cdu": "cdu", "fws_pump": "fws_pump", "dry_cooler": "dry_cooler", "chiller": "chiller",
        "buffer": "buffer", "fan_wall": "fan_wall", "air_chiller": "eir_chiller",
        "transformer": "transformer", "storage": "storage",
    }
)  # fmt: skip
"""Key under [equipment] -> component of its cards."""

META = frozenset(
    {
        "source", "grade", "licence", "cost_source", "cost_grade", "currency_year", "note", "held_source",
        "valid", "check",
    }
)  # fmt: skip

SITE = "site"
"""Grade of a cost that the site states itself."""

@dataclass(frozen=True, slots=True)
class Check:
    """A check point: the component's call with these inputs gives expect within tolerance (absolute).

    kind: "published", "closed form" or "own" (our own calculation).
    """

    call: str
    inputs: Mapping[str, Any]
    expect: float
    tolerance: float
    kind: str


@dataclass(frozen=True, slots=True)
class Card:
    """One card.

    grade: that of the worst number that decides a result (A read ... E estimate, R recalled).
    valid: input -> ends of its range, beyond which the card is not on offer; held_source: where it is read
    that the machine's own control holds an input (its condensing pressure in cold air).
    """

    component: str
    name: str
    parameters: Mapping[str, Any]
    source: str
    grade: str
    licence: str
    valid: Mapping[str, tuple[float, float]]
    checks: tuple[Check, ...] = field(repr=False)
    cost_grade: str | None = None
    cost_source: str | None = None
    currency_year: int | None = None
    note: str | None = None
    held_source: str | None = None

    def build(self) -> Any:
        """Return the component."""
        return COMPONENTS[self.component](**self.parameters)


def cards(component: str | None = None) -> tuple[Card, ...]:
    """Return all cards, or those of one component, in the files' order."""
    names = COMPONENTS if component is None else (_known_component(component),)
    return tuple(each for name in names for each in _cards(name).values())


def card(component: str, name: str, overrides: Mapping[str, Any] | None = None) -> Card:
    """Return a card, with some of its keys replaced. Raises InputError for an unknown name, key or value."""
    found = _cards(_known_component(component))
    if name not in found:
        expected = f"a card of {component}: {', '.join(found)}"
        near = nearest(name, list(found))
        raise InputError([Fault(f"models/{component}.toml", component, written(name), expected, near)])
    if not overrides:
        return found[name]
    faults = override_faults(component, name, overrides, "cards")
    if faults:
        raise InputError(faults)
    return _replaced(found[name], overrides)


def override_faults(component: str, name: str, overrides: Mapping[str, Any], file: str) -> list[Fault]:
    """Return what is wrong with a site's overrides of a known card: unknown keys, values out of bounds."""
    parameters, faults = card(component, name).parameters, []
    known = [each.name for each in fields(COMPONENTS[component])]
    for key, value in overrides.items():
        place = f'cards.{component}."{name}".{key}'
        if key not in known:
            faults.append(Fault(file, place, written(value), f"a key of {component}", nearest(key, known)))
            continue
        expected = card_bounds.refusal(key, value, parameters.get(key, 0.0))
        if expected is not None:
            faults.append(Fault(file, place, written(value), expected, None))
    if faults:
        return faults
    changed = {**parameters, **{key: _plain(value) for key, value in overrides.items()}}
    for key, value, expected in card_bounds.unfit(COMPONENTS[component], changed, parameters):
        place = f'cards.{component}."{name}".{key}'
        faults.append(Fault(file, place, written(value), expected, None))
    return faults


def build(site: "Site", component: str, name: str) -> Any:
    """Return the component of a card, with the site's overrides. The same object for an equal site."""
    return _build(site, component, name)


def site_card(site: "Site", component: str, name: str) -> Card:
    """Return a card with the site's overrides."""
    return card(component, name, _overrides(site, component, name))


def cost_grade(site: "Site", component: str, name: str) -> str:
    """Return the grade of a card's cost: the card's, or "site" when the site states a cost itself."""
    return site_card(site, component, name).cost_grade or "E"


@lru_cache(maxsize=4096)
def _build(site: "Site", component: str, name: str) -> Any:
    return site_card(site, component, name).build()


def _overrides(site: "Site", component: str, name: str) -> Mapping[str, Any]:
    return dict((site.cards.get(component) or {}).get(name) or {})


def _replaced(old: Card, overrides: Mapping[str, Any]) -> Card:
    values = {each.name: getattr(old, each.name) for each in fields(Card)}
    changed = {key: _plain(value) for key, value in overrides.items()}
    values["parameters"] = MappingProxyType({**old.parameters, **changed})
    values["valid"] = _valid(old.component, values["parameters"], old.valid)
    if any(key.startswith("cost_") for key in overrides):
        values |= {"cost_grade": SITE, "cost_source": "site file"}
    return Card(**values)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _known_component(component: str) -> str:
    if component not in COMPONENTS:
        expected = f"one of {', '.join(COMPONENTS)}"
        near = nearest(component, list(COMPONENTS))
        raise InputError([Fault("models", "component", written(component), expected, near)])
    return component


@cache
def _cards(component: str) -> Mapping[str, Card]:
    """Read one component's file."""
    tables = tomllib.loads(_models().joinpath(f"{component}.toml").read_text(encoding="utf-8"))
    return MappingProxyType({name: _read(component, name, table) for name, table in tables.items()})


def _read(component: str, name: str, table: Mapping[str, Any]) -> Card:
    checks = (
        Check(each["call"], MappingProxyType(each["with"]), each["expect"], each["tolerance"], each["kind"])
        for each in table["check"]
    )
    parameters = MappingProxyType({key: _plain(value) for key, value in table.items() if key not in META})
    stated = {key: (low, high) for key, (low, high) in table.get("valid", {}).items()}
    return Card(
        component=component, name=name, parameters=parameters,
        source=table["source"], grade=table["grade"], licence=table["licence"],
        valid=_valid(component, parameters, stated),
        checks=tuple(checks), cost_grade=table.get("cost_grade"), cost_source=table.get("cost_source"),
        currency_year=table.get("currency_year"), note=table.get("note"),
        held_source=table.get("held_source"),
    )  # fmt: skip


def _valid(
    component: str, parameters: Mapping[str, Any], stated: Mapping[str, tuple[float, float]]
) -> Mapping[str, tuple[float, float]]:
    """Return the ranges of a card's inputs: those that it states, and those that keys of it hold."""
    kind = COMPONENTS[component]
    names = getattr(kind, "RANGES", {})
    if not names:
        return MappingProxyType(dict(stated))
    part = kind(**parameters)
    return MappingProxyType({**stated, **{name: part_range(part, name) for name in names}})


def _models() -> Traversable:
    """Return the folder of the cards: inside the installed package, or beside it in a checkout."""
    inside = resources.files("codesign").joinpath("models")
    return inside if inside.is_dir() else Path(__file__).parent.parent / "models"
