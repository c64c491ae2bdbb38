"""Hours that one set of columns serves: equal weather, and a price that rewards no waste.

Everything that an hour has of its own in the model is its dry bulb, its price and its weight. Where the price
is not negative, cost and every limit only rise with an hour's power, so an optimum has hours of equal dry
bulb at the same, least power: sharing their columns is exact, and their weights times prices add up.
"""

from __future__ import annotations

from codesign import climate
from codesign.site import Site


def leaders(site: Site) -> list[int]:
    """Return by hour the first hour like it; an hour of negative price is like no other."""
    hours, first = climate.hours(site), dict[float, int]()
    return [
        h if price < 0.0 else first.setdefault(float(dry_bulb), h)
        for h, (dry_bulb, price) in enumerate(zip(hours.dry_bulb_c, hours.price_usd_per_mwh, strict=True))
    ]


def negative(site: Site) -> list[bool]:
    """Return by hour whether power is paid for being drawn."""
    return [bool(price < 0.0) for price in climate.hours(site).price_usd_per_mwh]
