"""What is taken for rounding, in proportion to the site: a margin that misses by no more is on its limit."""

from __future__ import annotations

from functools import lru_cache

from codesign import catalogue
from codesign.site import Site

RESIDUE = 1e-7
"""Of a kelvin and of a share; of an amount a unit for every MW of the racks' nominal power."""
OF_ENERGY = 1e-2
"""Of that an energy in MWh: what the storage holds is seconds of its power."""
HEAT_PU = 1e-10
"""Of the heat to reject: the same for a heat, 1 MW of racks giving about 1,000 kW."""


def residue(site: Site, unit: str) -> float:
    """Return what a margin may miss by, in its unit."""
    if unit in ("k", "c", "pu"):
        return RESIDUE
    return RESIDUE * racks_mw(site) * (OF_ENERGY if unit == "mwh" else 1.0)


@lru_cache(maxsize=64)
def racks_mw(site: Site) -> float:
    """Return the nominal power of all racks of the site [MW]."""
    return sum(
        pod.count * pod.racks * catalogue.build(site, "rack", pod.rack).nominal_kw / 1e3
        for pod in site.pods.values()
    )
