"""Sizes as a planner writes them: capacity of a count of cards, the listed value nearest to a column."""

from __future__ import annotations

from collections.abc import Mapping

from codesign import catalogue
from codesign.design import Size
from codesign.errors import Fault, InputError
from codesign.fields import Range
from codesign.site import Site

COMPONENT = {
    "cdu_flow": "cdu",
    "air_chiller": "eir_chiller",
    "storage_power": "storage",
    "storage_energy": "storage",
}
"""Card component of a size whose name differs from it."""

COUNTED = ("transformer", "cdu", "dry_cooler", "chiller", "fan_wall", "air_chiller")
AMOUNTS = ("cdu_flow", "fws_pump", "buffer", "storage_power", "storage_energy")


def unit_size(site: Site, name: str, card: str, count: int) -> Size:
    """Return a counted size with its total capacity at rating."""
    part = catalogue.build(site, COMPONENT.get(name, name), card)
    if name == "transformer":
        return Size(card, count, count * part.rating_mva, "mva")
    return Size(card, count, count * part.capacity_kw, "kw")


def card_of(sizes: Mapping[str, Size], name: str) -> str:
    """Return the card of a size that needs one. Raises InputError where there is none."""
    card = sizes[name].card
    if card is None:
        raise InputError([Fault("sizes", f"{name}.card", "none", "a card")])
    return card


def amounts(site: Site, name: str) -> list[float] | tuple[float, float]:
    """Return the values that an amount may take: a list, or (least, most)."""
    equipment = site.equipment
    options = {
        "cdu_flow": equipment.cdu.flow_l_per_min,
        "fws_pump": equipment.fws_pump.flow_kg_per_s,
        "buffer": equipment.buffer.volume_m3,
        "storage_power": equipment.storage.power_mw,
        "storage_energy": equipment.storage.energy_mwh,
    }[name]
    return (options.min, options.max) if isinstance(options, Range) else list(options)


def listed(site: Site, name: str, value: float) -> float:
    """Return the listed value that a solved column means; a value from a range as it is."""
    options = amounts(site, name)
    return value if isinstance(options, tuple) else min(options, key=lambda option: abs(option - value))
