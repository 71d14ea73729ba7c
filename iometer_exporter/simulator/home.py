"""A home and the two counters of its meter."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import Final

from iometer_exporter.simulator.profile import Profile

_WS_PER_TENTH: Final = 360
"""Watt-seconds in 0.1 Wh, the meter's resolution."""

_LONGEST_GAP: Final = 31 * 86_400
"""Seconds that are integrated at most: a host without a clock battery jumps by decades when told the time."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A piece of time within one minute of the home: energy in watt-seconds, and its tariff."""

    import_ws: int
    export_ws: int
    night: bool


class Home:
    """A home whose counters are exactly the integral of its power over time.

    Power is in whole W and constant within each second, energy in whole watt-seconds: nothing is ever
    rounded. With `speedup` S the profile of a day passes S times faster, while seconds stay seconds:
    power(t) = profile(start + (t - start) * S), and energy is the integral of that over real time. So
    stamps are honest and rate(energy) equals power at any speed.
    """

    def __init__(
        self,
        seed: int,
        *,
        pv: bool = True,
        heat_pump: bool = True,
        start: float,
        initial_import_wh: int = 0,
        initial_export_wh: int = 0,
        speedup: float = 1.0,
    ) -> None:
        self.profile = Profile(seed, pv=pv, heat_pump=heat_pump)
        self.start = self.time = int(start // 1)
        self.speedup = speedup
        self.import_ws = initial_import_wh * 3600
        self.export_ws = initial_export_wh * 3600
        self.night_tenths = initial_import_wh * 10 * 2 // 5

    @property
    def power_watts(self) -> int:
        """Grid power in W at the home's time; negative while it exports."""
        return self.profile(self._profile_time(self.time))

    @property
    def import_tenths(self) -> int:
        """Import as the meter shows it, in 0.1 Wh."""
        return self.import_ws // _WS_PER_TENTH

    @property
    def export_tenths(self) -> int:
        """Export as the meter shows it, in 0.1 Wh."""
        return self.export_ws // _WS_PER_TENTH

    @property
    def day_tenths(self) -> int:
        """The part of the import that was billed at the day tariff, in 0.1 Wh."""
        return self.import_tenths - self.night_tenths

    def advance(self, to: float) -> None:
        """Let the home live until a unix time, in whole seconds; a time that has passed changes nothing."""
        target = int(to // 1)
        if target - self.time > _LONGEST_GAP:
            self.time = target - _LONGEST_GAP
        for stretch in self._stretches(self.time, target):
            self._add(stretch)
        self.time = max(self.time, target)

    def rewound(self, to: float) -> "Home":
        """This home as it was at an earlier unix time."""
        past = copy(self)
        past.time = min(self.time, int(to // 1))
        lived = list(self._stretches(past.time, self.time))
        # Before a reset lies nothing that the registers could still tell.
        past.import_ws = max(0, self.import_ws - sum(stretch.import_ws for stretch in lived))
        past.export_ws = max(0, self.export_ws - sum(stretch.export_ws for stretch in lived))
        again = copy(past)
        for stretch in lived:
            again._add(stretch)
        night = self.night_tenths * 2 - again.night_tenths
        past.night_tenths = min(max(0, night), past.import_tenths)
        return past

    def reset(self) -> None:
        """Restart all registers at zero."""
        self.import_ws = self.export_ws = self.night_tenths = 0

    def _add(self, stretch: _Stretch) -> None:
        before = self.import_tenths
        self.import_ws += stretch.import_ws
        self.export_ws += stretch.export_ws
        if stretch.night:
            # Whole tenths go to one tariff or the other: both only grow, and their sum is the total.
            self.night_tenths += self.import_tenths - before

    def _stretches(self, begin: int, end: int) -> Iterator[_Stretch]:
        time = begin
        while time < end:
            minute, second = self.profile.locate(self._profile_time(time))
            watts = self.profile.minute(minute)
            # Sped up, the next second of real time lies elsewhere in the profile.
            width = end - time if self.speedup == 1.0 else 1
            piece = watts[second : second + width]
            total = sum(piece)
            exported = -sum(watt for watt in piece if watt < 0)
            yield _Stretch(total + exported, exported, self.profile.is_night_tariff(minute))
            time += len(piece)

    def _profile_time(self, time: int) -> float:
        return self.start + (time - self.start) * self.speedup
