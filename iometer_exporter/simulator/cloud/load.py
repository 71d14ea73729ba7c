"""The truth about every meter: power and energy as closed forms of time, in whole numbers."""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

_ANCHOR: Final = 1_577_836_800
"""2020-01-01 UTC: when all meters began to count from their initial values."""

_SLOT: Final = 900
_WEEK: Final = 7 * 86_400
_SLOTS_OF_A_DAY: Final = 86_400 // _SLOT

_WS_PER_TENTH: Final = 360
"""Watt-seconds in 0.1 Wh, the meter's resolution."""

_WEEKEND: Final = (3, 4)
"""Saturday and Sunday of a week that begins on a Wednesday, as the anchor did."""


class Curve:
    """A power that is constant within each quarter of an hour and repeats every week, and its integral."""

    def __init__(self, power: Callable[[float], float]) -> None:
        """The curve of a function of the hour; Saturdays and Sundays are a quarter higher."""
        slots = [
            round(power(slot % _SLOTS_OF_A_DAY / 4) * (1.25 if slot // _SLOTS_OF_A_DAY in _WEEKEND else 1.0))
            for slot in range(7 * _SLOTS_OF_A_DAY)
        ]
        self._slots: Sequence[int] = tuple(slots)
        self._before: Sequence[int] = (0, *accumulate(value * _SLOT for value in slots))

    def at(self, second: int) -> int:
        """Power at a second since the anchor; none before it."""
        return self._slots[second % _WEEK // _SLOT] if second >= 0 else 0

    def until(self, second: int) -> int:
        """Power times seconds from the anchor to a second since then."""
        if second <= 0:
            return 0
        weeks, rest = divmod(second, _WEEK)
        slot, part = divmod(rest, _SLOT)
        return weeks * self._before[-1] + self._before[slot] + self._slots[slot] * part


def _bump(hour: float, centre: float, width: float) -> float:
    return math.exp(-(((hour - centre) / width) ** 2))


def _household(hour: float) -> float:
    return 6 + 10 * _bump(hour, 7.5, 1.5) + 7 * _bump(hour, 12.5, 1.5) + 18 * _bump(hour, 19.0, 2.0)


def _sun(hour: float) -> float:
    """Surplus of a roof in watts; only then does its home export, and only else does it import."""
    return 60 * math.sin(math.pi * (hour - 9) / 7) if 9 < hour < 16 else 0.0


def _night(hour: float) -> bool:
    return hour < 6 or hour >= 22


_IMPORT: Final = Curve(_household)
_IMPORT_NIGHT: Final = Curve(lambda hour: _household(hour) if _night(hour) else 0.0)
_IMPORT_PV: Final = Curve(lambda hour: 0.0 if _sun(hour) else _household(hour))
_EXPORT_PV: Final = Curve(_sun)


class Load(NamedTuple):
    """Values of a meter: a curve in units of `watts`, shifted in time, on top of initial counts."""

    watts: int
    shift: int
    initial_import_wh: int
    initial_export_wh: int
    pv: bool

    def power_watts(self, time: float) -> int:
        """Grid power in W at a unix time; negative while it exports."""
        second = self._second(time)
        if not self.pv:
            return self.watts * _IMPORT.at(second)
        return self.watts * (_IMPORT_PV.at(second) - _EXPORT_PV.at(second))

    def import_tenths(self, time: float) -> int:
        """Import at a unix time, in 0.1 Wh."""
        curve = _IMPORT_PV if self.pv else _IMPORT
        return self.initial_import_wh * 10 + self.watts * curve.until(self._second(time)) // _WS_PER_TENTH

    def export_tenths(self, time: float) -> int:
        """Export at a unix time, in 0.1 Wh; 0 without PV."""
        grown = self.watts * _EXPORT_PV.until(self._second(time)) if self.pv else 0
        return self.initial_export_wh * 10 + grown // _WS_PER_TENTH

    def night_tenths(self, time: float) -> int:
        """The part of a home without PV's import that was billed at the night tariff, in 0.1 Wh."""
        grown = self.watts * _IMPORT_NIGHT.until(self._second(time)) // _WS_PER_TENTH
        return self.initial_import_wh * 10 * 2 // 5 + grown

    def day_tenths(self, time: float) -> int:
        """The rest of the import, in 0.1 Wh: each tariff is counted, and cut to 0.1 Wh, by itself."""
        second = self._second(time)
        grown = self.watts * (_IMPORT.until(second) - _IMPORT_NIGHT.until(second)) // _WS_PER_TENTH
        return self.initial_import_wh * 10 - self.initial_import_wh * 10 * 2 // 5 + grown

    def _second(self, time: float) -> int:
        return int(time) - _ANCHOR - self.shift
