"""Size columns: units by card and count, amounts from a list or a range; each brings its annual cost."""

from __future__ import annotations

from typing import Any

from codesign.design import Size
from codesign.evaluation import annual_usd
from codesign.planning.rows import Menu, Rows
from codesign.site import Site
from codesign.sizing import amounts


def unit_menu(rows: Rows, site: Site, name: str, fixed: dict[str, Any]) -> Menu:
    """Return the choice (card, count) of a piece of equipment; `fixed` narrows it to one card or count."""
    spec = getattr(site.equipment, name)
    cards = [fixed[f"{name}.card"]] if f"{name}.card" in fixed else spec.cards
    counts = [fixed[f"{name}.count"]] if f"{name}.count" in fixed else spec.count
    none = cards[0]  # none of one card is none of any
    options = [(card, count) for card in cards for count in counts if count or card == none]
    menu = rows.menu(name, options)
    rows.cost(f"capital.{name}", menu.total(lambda o: annual_usd(site, name, Size(o[0], o[1], 0.0, ""))))
    return menu


def amount_menu(
    rows: Rows, site: Site, name: str, card: str, fixed: dict[str, Any], *, pick: Any = 1.0, units: int = 1
) -> Any:
    """Return the column of an amount: from the site's list, or anywhere in its range; 0 where `pick` is 0.

    The annual cost is linear in the amount (`units` of it are bought).
    """
    options = [fixed[f"{name}.value"]] if f"{name}.value" in fixed else amounts(site, name)
    each = units * annual_usd(site, name, Size(card, 1, 1.0, ""))
    amount = rows.amount(name)
    if isinstance(options, tuple):
        low, high = options
        rows.exact(f"{name}.range", amount >= low * pick)
        rows.exact(f"{name}.range", amount <= high * pick)
    else:
        picks = {value: rows.count(f"{name}.list", 1) for value in options}
        rows.exact(f"{name}.one", sum(picks.values()) == pick)
        rows.exact(f"{name}.listed", amount == sum(value * one for value, one in picks.items()))
    rows.cost(f"capital.{name}", each * amount)
    return amount
