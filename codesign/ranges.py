"""Where a card is on offer: the distance of an hour's air, and of a flow, to the ends of the card's range.

Beyond a range the option is not on offer in that hour: no capacity, no power. Thin air counts as warmer air
for a condenser (components/air.py): the upper end is held against that, the lower one against the air itself.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from codesign import catalogue, climate
from codesign.climate import Array
from codesign.site import Site

CHILLER, DRY_COOLER, AIR_CHILLER = "chiller_range", "dry_cooler_range", "air_chiller_range"
TRANSFORMER, RACK = "transformer_range", "rack_range"
CDU_CAPACITY, CDU_TCS, CDU_FWS = "cdu_capacity", "cdu_tcs_range", "cdu_fws_range"
CELL_WATER, FWS_PUMP, BUFFER = "dry_cooler_water_range", "fws_pump_range", "buffer_range"
LOW_END = "_least"
"""What a plan's rows add to a name for the lower end of a flow: a heavier load may lie inside it."""


@lru_cache(maxsize=1024)
def spare_k(site: Site, component: str, card: str) -> Array:
    """Return the kelvin between the air of every modelled hour and the nearer end of a card's range."""
    low, high = climate.hours(site).dry_bulb_c, climate.hours(site).dry_bulb_c
    return air_spare_k(site, component, card, low, high)


def air_spare_k(site: Site, component: str, card: str, coldest_c: Array, hottest_c: Array) -> Array:
    """Return the kelvin between the air, at its coldest and its hottest, and the nearer end of a range."""
    name = {"eir_chiller": "entering_c", "transformer": "ambient_c"}.get(component, "dry_bulb_c")
    ends = catalogue.site_card(site, component, card).valid.get(name)
    if ends is None:
        return np.full(len(coldest_c), np.inf)
    part = catalogue.build(site, component, card)
    more = part.equivalent_c(0.0, climate.air_density_pu(site)) if hasattr(part, "equivalent_c") else 0.0
    return np.asarray(np.minimum(coldest_c - ends[0], ends[1] - hottest_c - more))


def on_offer(site: Site, component: str, card: str) -> Array:
    """Return 1 for the modelled hours in which a card is on offer, 0 for the others."""
    return (spare_k(site, component, card) >= 0.0).astype(float)
