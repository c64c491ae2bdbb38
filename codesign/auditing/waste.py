"""Hours in which power is paid for being drawn: fans and machines draw no more than the heat asks of them.

Where power costs something, waste is only dear. At a negative price it would earn, and every limit would
hold: fans at full speed, machines that nobody needs, storage turned over. The law of the project excludes it,
so it is looked for: the recorded power against the least over a grid of fan speeds, for every number on.
"""

from __future__ import annotations

import numpy as np

from codesign import climate
from codesign.auditing.hall import Hall, Loops
from codesign.auditing.ledger import Ledger

SPEEDS = 401
WITHIN_PU = 1e-6
"""Of the least power on the grid, which is never below the true least."""
BOTH_MW = 1e-6
"""A storage charges and discharges in one step where it does both by more than this."""


def judge(ledger: Ledger, hall: Hall) -> None:
    """Look at every hour of negative price, those of equal dry bulb once."""
    hours = hall.plan.hours
    paid = np.flatnonzero(hours["price_usd_per_mwh"] < 0.0)
    if not len(paid) or not hall.count["cdu"]:
        return
    loops, known = hall.loops(hall.count["cdu"]), dict[float, float]()
    for h in paid.tolist():
        dry_bulb = float(hours["dry_bulb_c"][h])
        if dry_bulb not in known:
            known[dry_bulb] = _least_kw(hall, loops, dry_bulb)
        drawn = float(hours["dry_cooler_power_kw"][h] + hours["chiller_power_kw"][h])
        allowed = known[dry_bulb] * (1.0 + WITHIN_PU) + WITHIN_PU
        if not drawn <= allowed:
            place = f"{hours['date'][h]} {climate.clock(hours['hour_of_day'][h])}"
            ledger.breach("waste", place, drawn, f"{allowed!r}, the least that rejects the heat", "kW")
    dispatch = hall.plan.dispatch
    both = np.minimum(dispatch["charge_mw"], dispatch["discharge_mw"])
    alone = not any(name.startswith("charge_mw.") for name in dispatch)
    if alone and len(both) and not float(both.max()) <= BOTH_MW:
        at = float(dispatch["time_s"][int(both.argmax())])
        ledger.breach("waste", f"storage, {at:g} s", float(both.max()), "no charge while it discharges", "MW")
    ledger.judged.append("no power is wasted where it is paid for")


def _least_kw(hall: Hall, loops: Loops, dry_bulb_c: float) -> float:
    """Return the least power of fans and machines on the grid that rejects the heat [kW]."""
    cells, machine, heat = hall.count["dry_cooler"], hall.chiller, loops.heat_kw
    fans = np.linspace(0.0, 1.0, SPEEDS)
    free = np.zeros(SPEEDS)
    if cells:
        water = loops.fws_kg_per_s / cells
        free = cells * np.asarray(
            hall.dry_cooler.duty_kw(fans, loops.return_c, dry_bulb_c, water, hall.density_pu)
        )
    thin = hall.density_pu
    density = hall.dry_cooler.density_pu(dry_bulb_c, thin)
    fan_kw = cells * np.asarray(hall.dry_cooler.fan_power_kw(fans, density)) * np.ones(SPEEDS)
    cap = hall.machine_kw(dry_bulb_c)
    machines = hall.count["chiller"] if cap > 0.0 else 0  # beyond its card's range none is on offer
    low = machine.load_min_pu * cap
    rest, least = np.maximum(heat - free, 0.0), np.inf
    for on in range(machines + 1):
        load = np.maximum(rest, on * low)
        holds = (load <= on * cap) & (on * low <= heat)
        power = fan_kw + (np.asarray(machine.power_kw(load, on, hall.fws_c, dry_bulb_c, thin)) if on else 0.0)
        least = min(least, float(np.where(holds, power, np.inf).min()))
    if machines:  # one cycles below its least load
        cycling = rest / low * float(machine.power_kw(low, 1.0, hall.fws_c, dry_bulb_c, thin))
        least = min(least, float(np.where(rest <= low, fan_kw + cycling, np.inf).min()))
    return least
