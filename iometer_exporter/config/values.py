"""Durations, powers and addresses as people write them in flags and files."""

import re
from typing import Final
from urllib.parse import urlsplit

from iometer_exporter.errors import ConfigError
from iometer_exporter.text import clean

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


def parse_dashboard_url(text: str) -> str:
    """The address of dashboards as a browser can follow it; raises ConfigError for anything else.

    A path, such as `/grafana`, is one on the host that serves the page. Empty is none.
    """
    text = text.strip()
    if not text or (text.startswith("/") and not text.startswith("//") and _is_plain(text)):
        return text
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or not _is_plain(text):
        raise ConfigError(
            f"{text!r} is no address of a web page, write one such as https://grafana.example/dashboards"
        )
    if parts.password is not None:
        raise ConfigError("an address with a password would be shown to everybody who sees the page")
    return text


def _is_plain(text: str) -> bool:
    return clean(text) == text and not any(character.isspace() or character in '<>"\\' for character in text)
