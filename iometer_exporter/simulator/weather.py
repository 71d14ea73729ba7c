"""Sun, clouds, temperature and the clock on the wall of a place in Central Europe."""

import math
import time as _time
from calendar import timegm
from functools import lru_cache
from typing import Final

from iometer_exporter.simulator.noise import smooth

_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
_YEAR: Final = 365.25 * _DAY

_LATITUDE: Final = math.radians(50.0)
_LONGITUDE_SECONDS: Final = 10.0 / 360.0 * _DAY
"""How far the sun is ahead of Greenwich at 10 degrees east."""

_TILT: Final = math.radians(30.0)
_TILT_LIGHT: Final = 0.93
"""Inverter and cable losses of a panel."""

_CLOUDS, _SHADE, _FRONTS, _DAYS = 11, 12, 13, 14
"""One random curve each."""


@lru_cache(maxsize=8)
def _summer_time(year: int) -> tuple[int, int]:
    """Begin and end of the EU's summer time, unix seconds: last Sundays of March and October, 01:00 UTC."""
    begin, end = (timegm((year, month, 31, 1, 0, 0)) for month in (3, 10))
    # Day 0 of the epoch was a Thursday: Sundays are the days with (day + 4) % 7 == 0.
    return begin - (begin // _DAY + 4) % 7 * _DAY, end - (end // _DAY + 4) % 7 * _DAY


def utc_offset(time: float) -> int:
    """Seconds by which the clock on the wall is ahead of UTC."""
    # By rule instead of zoneinfo, whose database is missing on some hosts and in slim images.
    begin, end = _summer_time(_time.gmtime(time).tm_year)
    return 2 * _HOUR if begin <= time < end else _HOUR


def outside_celsius(seed: int, time: float) -> float:
    """Temperature of the air in degrees Celsius."""
    season = -math.cos(math.tau * (time / _YEAR - 20 / 365.25))
    hour = -math.cos(math.tau * ((time + _LONGITUDE_SECONDS) % _DAY / _DAY - 3 / 24))
    weather = 4.5 * smooth(seed + _FRONTS, time, 4 * _DAY) + 1.5 * smooth(seed + _DAYS, time, 7 * _HOUR)
    return 10.0 + 9.0 * season + (2.5 + 1.5 * season) * hour + weather


def _sun(time: float) -> tuple[float, float]:
    """Sine of the sun's height, and cosine of its angle to a south roof of 30 degrees."""
    year = math.tau * (time % _YEAR) / _YEAR
    declination = -math.radians(23.44) * math.cos(year + math.tau * 10 / 365.25)
    equation = 60.0 * (
        9.87 * math.sin(2 * (year - 1.39)) - 7.53 * math.cos(year - 1.39) - 1.5 * math.sin(year - 1.39)
    )
    hour = math.tau * (((time + _LONGITUDE_SECONDS + equation) % _DAY) / _DAY - 0.5)
    up = math.sin(declination)
    across = math.cos(declination) * math.cos(hour)
    height = math.sin(_LATITUDE) * up + math.cos(_LATITUDE) * across
    facing = math.sin(_LATITUDE - _TILT) * up + math.cos(_LATITUDE - _TILT) * across
    return height, facing


def cloud_cover(seed: int, time: float) -> float:
    """Share of the sunlight held back by clouds, 0 (clear) to 0.9."""
    sky = 0.5 + 0.75 * smooth(seed + _FRONTS, time, 1.5 * _DAY)
    # Broken clouds pass fast; a clear and an overcast sky stay so for hours.
    broken = max(0.0, 1.0 - abs(2.0 * sky - 1.0))
    passing = 0.7 * smooth(seed + _CLOUDS, time, 25 * 60) + 0.3 * smooth(seed + _SHADE, time, 4 * 60)
    return min(0.9, max(0.0, sky + broken * 0.8 * passing))


def sunlight(seed: int, time: float) -> float:
    """What panels give, as a ratio of their rated power: 0 from sunset to sunrise, about 1 at best."""
    height, facing = _sun(time)
    if height <= 0.0:
        return 0.0
    air_mass = min(1.0 / height, 38.0)
    clear = 1.353 * math.pow(0.7, math.pow(air_mass, 0.678))
    cover = cloud_cover(seed, time)
    direct = clear * max(0.0, facing) * (1.0 - cover)
    diffuse = clear * height * (0.1 + 0.15 * cover)
    return _TILT_LIGHT * (direct + diffuse)
