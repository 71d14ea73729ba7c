"""The grid power of a home at any moment: what its people and machines use, less what its roof gives."""

from functools import lru_cache
from random import Random
from typing import Final

from iometer_exporter.simulator.appliances import Use, plan_day
from iometer_exporter.simulator.noise import bits, smooth, uniform
from iometer_exporter.simulator.weather import outside_celsius, sunlight, utc_offset

MINUTE: Final = 60
_DAY: Final = 86_400

_BASE, _FRIDGE, _PUMP, _ROOF, _JITTER, _DRIFT = 1, 2, 3, 4, 5, 6
"""One random number or curve each."""

_HEATING_LIMIT: Final = 15.5
"""Degrees Celsius outside above which nobody heats."""


class Profile:
    """Grid power of one home in W, constant within each second, a function of seed and time alone.

    It is computed a minute at a time, so that weeks pass in a second or two.
    """

    def __init__(self, seed: int, *, pv: bool, heat_pump: bool) -> None:
        self.pv = pv
        self.heat_pump = heat_pump
        self._seed = bits(seed)
        self._base = uniform(110, 200, self._seed, _BASE)
        self._fridge_period = int(uniform(38, 60, self._seed, _FRIDGE))
        self._fridge_watts = int(uniform(75, 120, self._seed, _FRIDGE, 1))
        self._heat_loss = uniform(60, 90, self._seed, _PUMP)
        self._pump_period = int(uniform(40, 70, self._seed, _PUMP, 1))
        self._rated_pv = uniform(5500, 9500, self._seed, _ROOF)
        # Or the machines of all homes would switch at the same second.
        self._phase = int(uniform(0, MINUTE, self._seed))
        self._days: dict[int, tuple[Use, ...]] = {}
        self._minute: tuple[int, bool, list[int]] | None = None
        self._sun = (-1, 0.0)

    def __call__(self, time: float) -> int:
        """Grid power in W at a unix time; negative while the home exports."""
        minute, second = self.locate(time)
        return self.minute(minute)[second]

    def locate(self, time: float) -> tuple[int, int]:
        """The home's minute that a unix time falls into, and the second within it."""
        return divmod(int(time // 1) + self._phase, MINUTE)

    def begin_of(self, minute: int) -> int:
        """Unix time at which a minute of the home begins."""
        return minute * MINUTE - self._phase

    def minute(self, minute: int) -> list[int]:
        """Grid power in W of each second of a minute."""
        cached = self._minute
        if cached is not None and cached[0] == minute and cached[1] == self.pv:
            return cached[2]
        begin = self.begin_of(minute)
        watts = self._load(minute, begin)
        if self.pv:
            now, then = (self._rated_pv * self._sunlight(begin + s) for s in (0, MINUTE))
            # Clouds drift: within the minute the roof follows a straight line.
            rise = (then - now) / MINUTE
            if now or then:
                watts = [load - int(now + rise * second) for second, load in enumerate(watts)]
        self._minute = (minute, self.pv, watts)
        return watts

    def is_night_tariff(self, minute: int) -> bool:
        """Whether a minute of the home is billed at the night tariff (22 to 6 o'clock)."""
        begin = self.begin_of(minute)
        return not 6 * 3600 <= (begin + utc_offset(begin)) % _DAY < 22 * 3600

    def _load(self, minute: int, begin: int) -> list[int]:
        steady = self._base * (1.0 + 0.25 * smooth(self._seed + _DRIFT, begin, 5400))
        steady += self._fridge(minute)
        if self.heat_pump:
            steady += self._pump(minute, begin)
        # A few watts of electronics that never rest; their size grows a little with the load.
        jitter = Random(bits(self._seed, _JITTER, minute)).randbytes(MINUTE)
        spread = 8 + int(steady) // 50
        level = int(steady)
        watts = [level + byte * spread // 256 for byte in jitter]
        self._add_uses(watts, begin + utc_offset(begin))
        return watts

    def _add_uses(self, watts: list[int], local: int) -> None:
        day, second = divmod(local, _DAY)
        for behind in (0, 1):
            offset = second + behind * _DAY
            for use in self._plan(day - behind):
                # Most of a day's uses are at other times of it.
                if use.end <= offset or use.start >= offset + MINUTE:
                    continue
                first, last = max(0, use.start - offset), min(MINUTE, use.end - offset)
                for index in range(first, last):
                    if (offset + index - use.start) % use.period < use.on:
                        watts[index] += use.watts

    def _sunlight(self, time: int) -> float:
        """The end of one minute is the begin of the next."""
        if self._sun[0] != time:
            self._sun = (time, sunlight(self._seed, time))
        return self._sun[1]

    def _plan(self, day: int) -> tuple[Use, ...]:
        plan = self._days.get(day)
        if plan is None:
            if len(self._days) > 3:
                self._days.clear()
            plan = self._days[day] = plan_day(self._seed, day, heat_pump=self.heat_pump)
        return plan

    def _fridge(self, minute: int) -> int:
        cycle, position = divmod(minute, self._fridge_period)
        return self._fridge_watts if position < uniform(12, 20, self._seed, _FRIDGE, cycle) else 0

    def _pump(self, minute: int, begin: int) -> float:
        """W of the heat pump: the colder, the longer it runs in a cycle, and in frost without a pause."""
        cycle, position = divmod(minute, self._pump_period)
        outside = outside_celsius(self._seed, begin - position * MINUTE)
        need = max(0.0, _HEATING_LIMIT - outside) * self._heat_loss
        if (begin + utc_offset(begin)) % _DAY < 5 * 3600:
            need *= 0.65
        power = min(2600.0, max(750.0, 1.2 * need))
        if position >= min(1.0, need / power) * self._pump_period:
            return 0.0
        return power * (1.0 + 0.05 * smooth(self._seed + _PUMP, begin, 240) + 0.08 * (cycle % 3 - 1))


@lru_cache(maxsize=64)
def _profile(seed: int, pv: bool, heat_pump: bool) -> Profile:
    return Profile(seed, pv=pv, heat_pump=heat_pump)


def power(seed: int, time: float, *, pv: bool = True, heat_pump: bool = True) -> int:
    """Grid power in W of the home of this seed at a unix time; negative while it exports."""
    return _profile(seed, pv, heat_pump)(time)
