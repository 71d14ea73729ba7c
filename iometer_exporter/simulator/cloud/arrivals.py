"""When readings are taken and when they are received: functions of time, for fleets of any size."""

import math
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, NamedTuple

from iometer_exporter.simulator.cloud.faults import Faults
from iometer_exporter.simulator.cloud.fleet import Fleet
from iometer_exporter.simulator.noise import bits

WINDOW: Final = 86_400
"""Seconds for which readings are kept."""

_LATE: Final = 300
_LATE_FACTORS: Final = (1, 3, 8, 24)
"""A late reading comes with a later one, about these times 300 s after its own time."""

_REPLAYED: Final = 3 * 3_600
_AHEAD: Final = 2 * 86_400
"""Seconds by which the clock of a device is ahead where it jumps."""


class Arrival(NamedTuple):
    """A reading of a meter, received at the unix second `received`."""

    home: int
    """Index of the installation."""

    place: int
    time: int
    received: int
    wrong: str = ""
    """The fault whose wrong value it shows."""


class Arrivals:
    """The readings of a fleet: each meter's every `interval` seconds, spread evenly over it."""

    def __init__(self, fleet: Fleet, faults: Faults, *, interval: int, started: float) -> None:
        self._fleet = fleet
        self._faults = faults
        self._interval = interval
        self._started = int(started)
        # Any step without a common divisor visits every second of the interval once before it repeats.
        step = max(1, round(interval * 0.618))
        while math.gcd(step, interval) != 1:
            step += 1
        self._step = step % interval
        self._back = pow(step, -1, interval) if interval > 1 else 0
        self._phases: list[int] = []
        late = max(1, math.ceil(_LATE / interval))
        self._late_rounds = [late * factor for factor in _LATE_FACTORS]

    def seconds(self, begin: int, end: int) -> Iterator[int]:
        """The seconds from begin to end, both included, in which readings may arrive, in order."""
        interval, size = self._interval, self._fleet.size
        if size >= interval:
            yield from range(begin, end + 1)
            return
        if len(self._phases) != size:
            self._phases = sorted(index * self._step % interval for index in range(size))
        phases = self._phases
        first, phase = divmod(begin, interval)
        skip = bisect_left(phases, phase)
        for start in range(first * interval, end + 1, interval):
            for phase in phases[skip:]:
                if start + phase > end:
                    return
                yield start + phase
            skip = 0

    def at(self, second: int) -> list[Arrival]:
        """Readings received in a second, in the order in which they are sent."""
        fleet, kinds = self._fleet, self._faults.kinds
        first = second * self._back % self._interval
        found: list[Arrival] = []
        for index in range(first, fleet.size, self._interval):
            if index in fleet.hidden:
                continue
            silent = fleet.silent_for(index)
            for place in range(fleet.meter_count(index)):
                for taken in self._taken(index, place, second) if "late" in kinds else (second,):
                    if silent is None or taken <= self._started - silent:
                        found.append(Arrival(index, place, taken - self.delay(index), second))
        if "duplicates" in kinds:
            share = self._faults.duplicate_share
            found += [each for each in found if _chance(share, 12, each.home, each.place, each.time)]
        if kinds & {"decrease", "spike", "replay", "clock-jump"}:
            found = [wrong for each in found for wrong in self._wronged(each)]
        return found

    def latest(self, index: int, place: int, now: float) -> int:
        """When the newest reading that has been received at a unix time was taken."""
        silent = self._fleet.silent_for(index)
        end = int(now) if silent is None else min(int(now), self._started - silent)
        second = end - (end - index * self._step) % self._interval
        if "late" in self._faults.kinds:
            while second + self._late(index, place, second) > now:
                second -= self._interval
        return second - self.delay(index)

    def delay(self, index: int) -> int:
        """Seconds on the way of an installation's readings that are not late."""
        return 1 + index % 5

    def _taken(self, index: int, place: int, second: int) -> Iterator[int]:
        """When those readings would have been received on time that are received in this second."""
        for rounds in reversed(self._late_rounds):
            taken = second - rounds * self._interval
            if taken + self._late(index, place, taken) == second:
                yield taken
        if not self._late(index, place, second):
            yield second

    def _late(self, index: int, place: int, second: int) -> int:
        """By how many seconds a reading comes late."""
        if not _chance(self._faults.late_share, 11, index, place, second):
            return 0
        return self._late_rounds[bits(13, index, place, second) % len(_LATE_FACTORS)] * self._interval

    def _wronged(self, each: Arrival) -> list[Arrival]:
        """The reading as faults of its meter change it: every fourth one is hit."""
        kinds, number = self._faults.kinds, each.received // self._interval
        if each.home != 0 or each.place or number % 4:
            return [each]
        if "clock-jump" in kinds:
            each = each._replace(time=each.time + _AHEAD)
        for wrong in ("decrease", "spike"):
            if wrong in kinds:
                each = each._replace(wrong=wrong)
        return [each, each._replace(time=each.time - _REPLAYED)] if "replay" in kinds else [each]


def _chance(share: float, *keys: int) -> bool:
    """Whether one of these keys, of which `share` are chosen, is chosen."""
    return bits(*keys) % 1_000_000 < share * 1_000_000
