"""Grafana's words for moments and stretches of time (`now-7d`, `now/d`, `1d/d`), in the viewer's zone."""

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

_STEP: Final = re.compile(r"([-+/])(\d*)([smhdwMy])")
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwMy])")

_AGO: Final = re.compile(r"now-(\d+)([smhdwMy])")
_SO_FAR: Final = {
    "now/d": "Today so far",
    "now/w": "This week so far",
    "now/M": "This month so far",
    "now/y": "This year so far",
}
_NAMES: Final = {
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "M": "month",
    "y": "year",
}

SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
"""What PromQL and Grafana's intervals take a unit for; `M` is 30 days, and only there."""

_MONTH: Final = 2_592_000


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From one unix time to another."""

    begin: float
    end: float

    @property
    def seconds(self) -> int:
        """Its length as `$__range_s` has it."""
        return math.floor(self.end - self.begin + 0.5)


def seconds_of(text: str) -> float:
    """The length in seconds of an interval such as `15s`, `1d` or `>2m`; raises ValueError."""
    match = _DURATION.fullmatch(text.lstrip(">"))
    if match is None:
        raise ValueError(f"{text!r} is no interval such as 15s or 1d")
    number, unit = match.groups()
    return float(number) * (_MONTH if unit == "M" else SECONDS[unit])


def moment(text: str, now: float, zone: tzinfo, *, round_up: bool = False) -> float:
    """The unix time of a text such as `now-1d/d`, or of milliseconds as in the address of a dashboard.

    Rounding goes down, or up to the last ms. Raises ValueError for a text of another kind.
    """
    if text.isdigit():
        return int(text) / 1000
    if not text.startswith("now"):
        raise ValueError(f"{text!r} does not begin with now")
    return shifted(text.removeprefix("now"), now, zone, round_up=round_up)


def shifted(text: str, time: float, zone: tzinfo, *, round_up: bool = False) -> float:
    """A unix time after steps such as `-1d` or `-1d/d`; raises ValueError for other text."""
    at, rest = datetime.fromtimestamp(time, zone), text
    while rest:
        match = _STEP.match(rest)
        if match is None:
            raise ValueError(f"{text!r} is no step in time such as -1d or /d")
        sign, number, unit = match.groups()
        if sign == "/":
            at = _rounded(at, unit, round_up)
        else:
            at = _moved(at, int(number or 1) * (1 if sign == "+" else -1), unit)
        rest = rest[match.end() :]
    return at.timestamp()


def described(text: str, now: float, zone: tzinfo) -> TimeRange:
    """The range of a panel's `timeFrom`: `6h` and `now-6h` end now, as `now/d` does; raises ValueError."""
    return TimeRange(moment(_checked(text), now, zone), now)


def label(time_from: str, time_shift: str) -> str:
    """What Grafana writes beside the title of a panel with a range of its own."""
    begin = _checked(time_from) if time_from else ""
    match = _AGO.match(begin)
    unit = _NAMES[match[2]] + ("s" if int(match[1]) > 1 else "") if match else ""
    name = _SO_FAR.get(begin) or (f"Last {match[1]} {unit}" if match else "")
    return " ".join(part for part in (name, f"timeshift -{time_shift}" if time_shift else "") if part)


def shift(text: str, stretch: TimeRange, zone: tzinfo) -> TimeRange:
    """A range after a panel's `timeShift`: `1d` back, or with `1d/d` the whole of the day before."""
    _checked(text)
    step = f"-{text}"
    return TimeRange(shifted(step, stretch.begin, zone), shifted(step, stretch.end, zone, round_up=True))


def utc_offset(time: float, zone: tzinfo) -> float:
    """Seconds that the zone is ahead of UTC at a unix time."""
    offset = datetime.fromtimestamp(time, zone).utcoffset()
    return offset.total_seconds() if offset else 0.0


def _checked(text: str) -> str:
    """A panel's own time with the `now` that it may lack; Grafana leaves other texts aside."""
    begin = text if "now" in text else f"now-{text}"
    if begin not in _SO_FAR and not _AGO.match(begin):
        raise ValueError(f"{text!r} is not a time of a panel's own such as 6h, 1d/d or now/d")
    return begin


def _moved(at: datetime, number: int, unit: str) -> datetime:
    """Days and longer keep the time of day, whatever the clock was put to in between."""
    if unit in "dw":
        return at + timedelta(days=number * (7 if unit == "w" else 1))
    if unit in "My":
        months = at.year * 12 + at.month - 1 + number * (12 if unit == "y" else 1)
        year, month = divmod(months, 12)
        first = at.replace(year=year, month=month + 1, day=1)
        last = (_rounded(first, "M", round_up=True)).day
        return first.replace(day=min(at.day, last))
    return datetime.fromtimestamp(at.timestamp() + number * SECONDS[unit], at.tzinfo)


def _rounded(at: datetime, unit: str, round_up: bool) -> datetime:
    if unit in "smh":
        width = SECONDS[unit]
        offset = utc_offset(at.timestamp(), at.tzinfo) if at.tzinfo else 0.0
        down = at.timestamp() - (at.timestamp() + offset) % width
        return datetime.fromtimestamp(down + width - 0.001 if round_up else down, at.tzinfo)
    day = at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if unit == "w":
        day -= timedelta(days=day.weekday())
    elif unit in "My":
        day = day.replace(day=1, month=1 if unit == "y" else day.month)
    if not round_up:
        return day
    if unit in "My":
        after = day.replace(day=28) + timedelta(days=4) if unit == "M" else day.replace(year=day.year + 1)
        end = after.replace(day=1)
    else:
        end = day + timedelta(days=7 if unit == "w" else 1)
    return datetime.fromtimestamp(end.timestamp() - 0.001, at.tzinfo)
