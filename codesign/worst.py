"""Which of several broken limits to name: the one that misses by most.

Misses of different units are compared by what is typical of the unit in a hall of 1 MW; power, energy and
flow grow with the IT power, temperatures do not.
"""

from __future__ import annotations

from collections.abc import Iterable

from codesign import steady
from codesign.design import Margin
from codesign.site import Site

TYPICAL = {"c": 5.0, "k": 5.0, "pu": 0.2}
"""A miss that counts 1, whatever the size of the site."""
TYPICAL_PER_MW = {
    "mw": 0.05, "mva": 0.05, "kw": 50.0, "mwh": 0.001, "l_per_min": 50.0, "kg_per_s": 1.0, "l": 100.0,
}  # fmt: skip


def miss_pu(site: Site, row: Margin) -> float:
    """Return by how much a limit is missed, in what is typical of its unit; negative where it holds."""
    per_mw = TYPICAL_PER_MW.get(row.unit)
    size = TYPICAL.get(row.unit, 1.0) if per_mw is None else per_mw * nominal_mw(site)
    return -row.margin / size


def nominal_mw(site: Site) -> float:
    """Return the nominal power of the jobs' racks [MW]."""
    return sum(job.count * job.racks for job in site.jobs.values()) * steady.rack(site).nominal_kw / 1e3


def worst(site: Site, rows: Iterable[Margin]) -> Margin | None:
    """Return the broken margin that misses by most, the first of equal ones; None where all hold."""
    broken = [row for row in rows if row.margin < 0.0]
    return max(broken, key=lambda row: miss_pu(site, row), default=None)
