"""Recoveries found step by step, for every slot at once: quick, and a proof where one holds.

After a stop at slot k the net power n of each step must keep the filtered power within the rule's room of
every one of the last W steps, and the storage within power and energy:

    y_t = n_t + c_t,   c_t from the past alone          max_past y - room <= y_t <= min_past y + room
    n_t = load_t + s_t,   -min(P, e / (h out)) <= s_t <= min(P, (U - e) / (h in))

At each step a policy says which s it would like; the nearest one that both allow is taken. What no policy
holds may still hold: `codesign.stops.programme` decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign import window
from codesign.site import Site
from codesign.stops.course import Course, Fall, Store, ahead, steps

POLICIES = ("rest", "planned", "half", "middle")
CLOSE_MW = 1e-10
"""Two limits that cross by less meet."""


@dataclass(frozen=True, slots=True)
class Begin:
    """States at the beginning of each slot: energy, last net power, filters, the last W filtered values."""

    stored_mj: np.ndarray  # [N]
    net_mw: np.ndarray  # [N], of the step before
    filtered_mw: np.ndarray  # [order, N], of the step before
    past_mw: np.ndarray  # [N, W], the last first


def begin(site: Site, planned: Course, slots: np.ndarray) -> Begin:
    """Return the planned course's states at some slots."""
    count, lags = len(planned.load_mw), window.steps(site)
    last = planned.filtered_mw[-1]
    past = last[(slots[:, None] - 1 - np.arange(lags)[None, :]) % count]
    before = (slots - 1) % count
    return Begin(planned.stored_mj[slots], planned.net_mw[before], planned.filtered_mw[:, before], past)


def holds(
    site: Site, planned: Course, fall: Fall, own: Store, room_mw: float, slots: np.ndarray | None = None
) -> np.ndarray:
    """Return at which slots (all by default) some policy keeps every change within a room [N]."""
    count = len(planned.load_mw)
    slots = np.arange(count) if slots is None else slots
    horizon = steps(site)
    load = ahead(planned.load_mw - fall.mw, horizon)[slots]
    wanted = ahead(planned.planned_mw, horizon)[slots]
    kept = np.zeros(len(slots), bool)
    for policy in POLICIES:
        left = np.flatnonzero(~kept)
        if not len(left):
            break
        start = begin(site, planned, slots[left])
        kept[left] = _kept(site, start, load[left], wanted[left], own, room_mw, policy)
    return kept


def _kept(
    site: Site, start: Begin, load: np.ndarray, wanted: np.ndarray, own: Store, room_mw: float, policy: str
) -> np.ndarray:
    """Follow one policy from all states; return where every step could be taken."""
    a, h = window.high_pass_coefficient(site), site.clock.step_s
    energy, net, filters, past = start.stored_mj, start.net_mw, start.filtered_mw.copy(), start.past_mw
    kept = np.ones(len(load), bool)
    for t in range(load.shape[1]):
        known = a * filters.sum(axis=0) - net - filters[:-1].sum(axis=0)
        most, least = past.max(axis=1) - room_mw - known, past.min(axis=1) + room_mw - known
        low = np.maximum(most - load[:, t], -np.minimum(own.power_mw, energy / (h * own.discharged)))
        spare = np.maximum(own.usable_mj - energy, 0.0)
        high = np.minimum(least - load[:, t], np.minimum(own.power_mw, spare / (h * own.charged)))
        kept &= low <= high + CLOSE_MW
        middle = 0.5 * (past.max(axis=1) + past.min(axis=1)) - known - load[:, t]
        like = {"rest": 0.0, "planned": wanted[:, t], "half": 0.5 * wanted[:, t], "middle": middle}[policy]
        power = np.clip(like, low, np.maximum(high, low))
        into, out = np.maximum(power, 0.0), np.maximum(-power, 0.0)
        energy = np.clip(energy + h * (own.charged * into - own.discharged * out), 0.0, own.usable_mj)
        signal = load[:, t] + power
        filters, net = _filtered(filters, net, signal, a), signal
        past = np.column_stack([filters[-1], past[:, :-1]])
    return kept


def _filtered(filters: np.ndarray, before: np.ndarray, now: np.ndarray, a: float) -> np.ndarray:
    """Return the states of all orders after one more step of their input."""
    made = np.empty_like(filters)
    for order in range(len(filters)):
        made[order] = a * filters[order] + now - before
        before, now = filters[order], made[order]
    return made
