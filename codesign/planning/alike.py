"""Hours that one set of columns serves: those of equal weather.

Everything that an hour has of its own in the model is its dry bulb, its price and its weight. What a plant
draws in an hour follows from its sizes and the dry bulb alone: it runs at the least power that holds the
limits, and draws nothing for a price, a negative one either (`evaluation`). So hours of equal dry bulb share
their columns, which is exact, and their weights times prices add up.
"""

from __future__ import annotations

from codesign import climate
from codesign.site import Site


def leaders(site: Site) -> list[int]:
    """Return by hour the first hour like it."""
    first = dict[float, int]()
    return [first.setdefault(float(dry_bulb), h) for h, dry_bulb in enumerate(climate.hours(site).dry_bulb_c)]
