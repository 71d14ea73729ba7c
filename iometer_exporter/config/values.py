"""Durations and powers as people write them in flags and files."""

import re
from typing import Final

from iometer_exporter.errors import ConfigError

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


_WATTS: Final = {"W": 1.0, "kW": 1e3, "MW": 1e6}


_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+", re.ASCII)


_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])", re.ASCII)


_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


_POWER: Final = re.compile(r"(\d+(?:\.\d+)?) ?(W|kW|MW)", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds of a duration such as `10s`, `1h30m` or `10`; raises ConfigError for anything else."""
    if _NUMBER.fullmatch(text):
        return float(text)
    if not _DURATION.fullmatch(text):
        raise ConfigError(
            f"{text!r} is not a duration, write a number and a unit such as 500ms, 10s, 20m or 24h"
        )
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def parse_power(text: str) -> float:
    """Watts of a power such as `100kW`; raises ConfigError for anything else."""
    match = _POWER.fullmatch(text)
    if not match:
        raise ConfigError(f"{text!r} is not a power, write a number and a unit such as 500W or 100kW")
    return float(match[1]) * _WATTS[match[2]]
