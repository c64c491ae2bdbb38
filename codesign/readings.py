"""Readings of a series over a span of time: mean, highest and lowest.

The rule, of any step, sub-hourly, hourly or mixed: a reading holds from its stamp until the next one. The
mean of a span is that of what holds in it, weighed by time; its highest and lowest are those of what holds in
any part of it. Prices and energy count with the mean; limits hold at the highest, and at a day's lowest.

Stamps are at most an hour apart where they are used: what lies more than `LONGEST_S` behind a reading is a
gap, before which a reading holds for as long as the one before it did, and nothing is filled in. A series of
longer steps is all gaps, so that nobody reads a heat wave between two readings that are six hours apart.

Everything is plain arithmetic of single numbers, correctly rounded: the same on every processor.
"""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

LONGEST_S = 3600
"""For as long a reading holds at most [s]."""
DECIMALS = 6
"""Of a mean."""
EPOCH = dt.datetime(1970, 1, 1)
NO_GAP = "a row at least every hour"


@dataclass(frozen=True, slots=True)
class Span:
    """What holds in a span; high_s and low_s: POSIX time [s] from which on the highest and the lowest do."""

    mean: float
    high: float
    high_s: int
    low: float
    low_s: int


@dataclass(frozen=True, slots=True)
class Gap:
    """The first part of a span without a reading, POSIX times [s]; `row` is that of the next, from 1."""

    begin_s: int
    end_s: int
    row: int

    def text(self, offset_h: float = 0.0) -> str:
        """Return where a series has nothing, in its own stamps, offset_h ahead of UTC."""
        begin, end = stamp(self.begin_s, offset_h), stamp(self.end_s, offset_h)
        return f"nothing from {begin} to {end}, before row {self.row}"


@dataclass(frozen=True, slots=True)
class Readings:
    """Stamps in order, POSIX times [s]; for each its value and until when it holds [s]."""

    time_s: tuple[int, ...]
    value: tuple[float, ...]
    until_s: tuple[int, ...]

    @classmethod
    def of(cls, time_s: Sequence[int], value: Sequence[float]) -> Readings:
        """Return readings, each with how long it holds."""
        until, held_s = [], LONGEST_S
        for now, later in pairwise((*time_s, math.inf)):
            held_s = round(later - now) if later - now <= LONGEST_S else held_s
            until.append(round(now) + held_s)
        return cls(tuple(time_s), tuple(map(float, value)), tuple(until))

    def gap(self, begin_s: int, end_s: int) -> Gap | None:
        """Return the first part of a span without a reading, None where there is none."""
        at, now = self._first(begin_s), begin_s
        while now < end_s:
            if at == len(self.time_s) or self.time_s[at] > now:
                until = end_s if at == len(self.time_s) else min(self.time_s[at], end_s)
                return Gap(now, until, at + 1)
            now = max(now, self.until_s[at])
            at += 1
        return None

    def over(self, begin_s: int, end_s: int) -> Span:
        """Return what holds in a span, begin_s below end_s; ValueError where it has a gap."""
        at = self._first(begin_s)
        if at < len(self.time_s) and self.time_s[at] <= begin_s and self.until_s[at] >= end_s:
            return Span(self.value[at], self.value[at], begin_s, self.value[at], begin_s)
        high = low = at
        parts, all_held_s = list[float](), 0
        while at < len(self.time_s) and self.time_s[at] < end_s:
            held_s = min(self.until_s[at], end_s) - max(self.time_s[at], begin_s)
            parts.append(self.value[at] * held_s)
            all_held_s += held_s
            high = at if self.value[at] > self.value[high] else high
            low = at if self.value[at] < self.value[low] else low
            at += 1
        if all_held_s < end_s - begin_s:
            raise ValueError(f"a gap between {stamp(begin_s, 0.0)} and {stamp(end_s, 0.0)}, UTC")
        if self.value[high] == self.value[low]:
            mean = self.value[high]
        else:
            mean = round(math.fsum(parts) / (end_s - begin_s), DECIMALS)
        starts = [max(self.time_s[i], begin_s) for i in (high, low)]
        return Span(mean, self.value[high], starts[0], self.value[low], starts[1])

    def _first(self, begin_s: int) -> int:
        """Return the index of the reading that holds at a time, or of the first after it."""
        at = bisect_right(self.time_s, begin_s) - 1
        return at if at >= 0 and self.until_s[at] > begin_s else at + 1


@lru_cache(maxsize=16)
def stamped(times: tuple[str, ...], values: tuple[float, ...], offset_h: float) -> Readings:
    """Return the readings of a series whose stamps, ISO 8601, are offset_h ahead of UTC; kept."""
    ahead_s = round(3600.0 * offset_h)
    return Readings.of([local_s - ahead_s for local_s in _local_s(times)], values)


@lru_cache(maxsize=8)
def _local_s(times: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(utc_s(time, 0.0) for time in times)


def utc_s(time: str, offset_h: float) -> int:
    """Return the POSIX time [s] of an ISO 8601 stamp in a zone offset_h ahead of UTC."""
    since = dt.datetime.fromisoformat(time) - EPOCH
    return 86_400 * since.days + since.seconds - round(3600.0 * offset_h)


def stamp(utc: int, offset_h: float) -> str:
    """Return the ISO 8601 stamp of a POSIX time [s] in a zone offset_h ahead of UTC."""
    zone = dt.timezone(dt.timedelta(hours=offset_h))
    return dt.datetime.fromtimestamp(utc, zone).strftime("%Y-%m-%dT%H:%M")
