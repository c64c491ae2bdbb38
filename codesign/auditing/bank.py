"""The storage's energy again: one capacitor in volts and amperes, or cells in proportion to their power.

A capacitor of 1 V when full: C dV/dt = -I, and at its terminals p = V I - I^2 R.
"""

from __future__ import annotations

import math

from codesign.components.storage import Storage

S_PER_H = 3600.0
PIECES = 2
"""Runge-Kutta steps a step of the clock: their error is far below the tolerance of an energy."""
HALVINGS = 60


class Bank:
    """A storage at end of life, at its sizes."""

    def __init__(self, card: Storage, energy_mwh: float) -> None:
        self.card = card
        self.low_mwh = card.window_min_pu * card.end_energy_pu * energy_mwh
        self.high_mwh = card.window_max_pu * card.end_energy_pu * energy_mwh
        self.lossy = card.time_constant_s > 0.0 and energy_mwh > 0.0
        if self.lossy:
            new_farad = 2e6 * S_PER_H * energy_mwh
            self.farad = new_farad * card.end_energy_pu
            self.ohm = card.time_constant_s / new_farad * card.end_resistance_pu

    def after_mwh(self, stored_mwh: float, net_mw: float, step_s: float) -> float:
        """Return the energy after a step at a constant power at the busbar, charge less discharge."""
        cells_mw = self._cells_mw(net_mw)
        if not self.lossy:
            return stored_mwh - cells_mw * step_s / S_PER_H
        volt, h = self._volt(stored_mwh), step_s / PIECES
        for _ in range(PIECES):
            k1 = self._slope(volt, cells_mw)
            k2 = self._slope(volt + h / 2 * k1, cells_mw)
            k3 = self._slope(volt + h / 2 * k2, cells_mw)
            k4 = self._slope(volt + h * k3, cells_mw)
            volt += h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return self.farad * volt * volt / (2e6 * S_PER_H)

    def most_mw(self, stored_mwh: float) -> float:
        """Return the most that the busbar can have: V^2/4R behind the converter."""
        return (
            self._volt(stored_mwh) ** 2 / (4 * self.ohm) * 1e-6 * self.card.fixed_efficiency_discharge
            if self.lossy
            else math.inf
        )

    def course_mwh(self, net_mw: list[float], step_s: float, start_mwh: float) -> list[float]:
        """Return the energy from start to end of a course."""
        course = [start_mwh]
        for net in net_mw:
            course.append(self.after_mwh(course[-1], net, step_s))
        return course

    def periodic_mwh(self, net_mw: list[float], step_s: float) -> list[float]:
        """Return the course that ends nearest to where it began, by halving the energy at its start.

        The more is stored, the less is lost: the end rises against the start.
        """
        low, high = self.low_mwh, self.high_mwh
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            course = self.course_mwh(net_mw, step_s, middle)
            if course[-1] < course[0]:
                low = middle
            else:
                high = middle
        return course

    def _cells_mw(self, net_mw: float) -> float:
        if net_mw > 0.0:
            return -self.card.fixed_efficiency_charge * net_mw
        return -net_mw / self.card.fixed_efficiency_discharge

    def _volt(self, stored_mwh: float) -> float:
        return math.sqrt(max(2e6 * S_PER_H * stored_mwh, 0.0) / self.farad)

    def _slope(self, volt: float, cells_mw: float) -> float:
        """Return dV/dt; beyond the matched power the current is that of the matched power."""
        root = math.sqrt(max(volt * volt - 4 * self.ohm * 1e6 * cells_mw, 0.0))
        return -(volt - root) / (2 * self.ohm) / self.farad
