"""The power of the last hours in a ring of fixed size, as a sparkline shows it."""

import math
from array import array
from typing import Final

SLOT_SECONDS: Final = 120
"""Seconds whose powers become one mean."""

SLOTS: Final = 180
"""Six hours."""


class PowerRing:
    """Mean power of each slot of the last hours; takes the same memory however often it is added to.

    Times are seconds of a clock that does not jump, such as the monotonic one: when the host is told another
    time of day, nothing moves.
    """

    __slots__ = ("_count", "_means", "_newest", "_sum")

    def __init__(self) -> None:
        self._means = array("f", [math.nan]) * SLOTS
        self._newest: int | None = None
        """Number of the slot that was added to last, counted from time 0."""
        self._sum = 0.0
        self._count = 0

    def add(self, at: float, watts: float) -> None:
        """Take a power that was shown at the time; one before the newest slot is left out."""
        slot = math.floor(at / SLOT_SECONDS)
        if self._newest is not None and slot < self._newest:
            return
        if slot != self._newest:
            self._begin(slot)
        self._sum += watts
        self._count += 1
        self._means[slot % SLOTS] = self._sum / self._count

    def means(self, now: float) -> list[float | None]:
        """Mean power in W of each slot up to that of now, the oldest first; None where nothing was shown."""
        last = math.floor(now / SLOT_SECONDS)
        return [self._mean(slot) for slot in range(last - SLOTS + 1, last + 1)]

    def _begin(self, slot: int) -> None:
        newest = slot - SLOTS if self._newest is None else self._newest
        for skipped in range(max(newest + 1, slot - SLOTS + 1), slot):
            self._means[skipped % SLOTS] = math.nan
        self._newest = slot
        self._sum, self._count = 0.0, 0

    def _mean(self, slot: int) -> float | None:
        if self._newest is None or not self._newest - SLOTS < slot <= self._newest:
            return None
        mean = self._means[slot % SLOTS]
        return mean if math.isfinite(mean) else None
