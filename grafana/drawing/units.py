"""Numbers with their units, scaled and rounded as Grafana writes them."""

import math
from datetime import datetime, tzinfo
from typing import Final

_PREFIXES: Final = ("n", "µ", "m", "", "k", "M", "G", "T")
_SCALED: Final = {
    "watt": ("W", 0),
    "kwatt": ("W", 1),
    "watth": ("Wh", 0),
    "kwatth": ("Wh", 1),
    "joule": ("J", 0),
    "volt": ("V", 0),
    "amp": ("A", 0),
    "hertz": ("Hz", 0),
}
"""Base unit, and the power of 1000 in which the value comes."""

_PLAIN: Final = {"dBm": " dBm", "celsius": " °C", "cpm": " c/m", "ops": " ops/s", "percent": "%"}
_CURRENCY: Final = {"currencyEUR": "€", "currencyUSD": "$", "currencyGBP": "£"}

_DURATIONS: Final = (
    (60.0, 1.0, " s"),
    (3600.0, 60.0, " mins"),
    (86_400.0, 3600.0, " hours"),
    (604_800.0, 86_400.0, " days"),
    (31_536_000.0, 604_800.0, " weeks"),
    (math.inf, 31_556_900.0, " years"),
)
_DAYS: Final = ((7.0, 1.0, " days"), (365.0, 7.0, " weeks"), (math.inf, 365.0, " years"))

_AGO: Final = (
    *((45, 1, "a few seconds"), (90, 0, "a minute"), (2700, 60, "{} minutes"), (5400, 0, "an hour")),
    *((79_200, 3600, "{} hours"), (129_600, 0, "a day"), (math.inf, 86_400, "{} days")),
)


def formatted(
    value: float, unit: str = "", decimals: int | None = None, *, now: float = 0.0, zone: tzinfo | None = None
) -> str:
    """A value in a unit of Grafana's; `now` and `zone` matter to points of time alone."""
    if unit in _SCALED:
        return _scaled(value, *_SCALED[unit], decimals)
    if unit in _CURRENCY:
        sign = "-" if value < 0 else ""
        return (
            sign + _CURRENCY[unit] + _scaled(abs(value), "", 0, decimals).replace(" ", "").replace("k", "K")
        )
    if unit == "percentunit":
        return _number(value * 100, decimals) + "%"
    if unit == "ms":
        return formatted(value / 1000, "s", decimals)
    if unit == "s":
        return _seconds(value, decimals)
    if unit == "d":
        return _staged(value, _DAYS, decimals)
    if unit == "dateTimeFromNow":
        return _from_now(value / 1000 - now)
    if unit.startswith(("dateTime", "time:")):
        pattern = "%Y-%m-%d" if unit == "time:YYYY-MM-DD" else "%Y-%m-%d %H:%M:%S"
        return datetime.fromtimestamp(value / 1000, zone).strftime(pattern)
    if unit.startswith("suffix:"):
        return _number(value, decimals) + unit.removeprefix("suffix:")
    if unit == "short":
        return _scaled(value, "", 0, decimals).replace("k", "K")
    return _number(value, decimals) + _PLAIN.get(unit, "")


def _scaled(value: float, base: str, power: int, decimals: int | None) -> str:
    index = _PREFIXES.index("") + power
    while abs(value) >= 1000 and index < len(_PREFIXES) - 1:
        value, index = value / 1000, index + 1
    while base and 0 < abs(value) < 1 and index > _PREFIXES.index("m") and _small(base, index):
        value, index = value * 1000, index - 1
    return f"{_number(value, decimals)} {_PREFIXES[index]}{base}".rstrip()


def _small(base: str, index: int) -> bool:
    """Whether a value goes on in the next smaller unit: 0.4 kWh is 400 Wh."""
    return index > _PREFIXES.index("") or base in ("V", "A", "W")


def _seconds(value: float, decimals: int | None) -> str:
    if value == 0:
        return "0 s"
    if abs(value) < 1:
        return f"{_number(value * 1000, decimals)} ms"
    return _staged(value, _DURATIONS, decimals)


def _staged(value: float, stages: tuple[tuple[float, float, str], ...], decimals: int | None) -> str:
    divisor, name = next((d, name) for limit, d, name in stages if abs(value) < limit)
    return _number(value / divisor, decimals) + name


def _from_now(seconds: float) -> str:
    span = abs(seconds)
    divisor, text = next((divisor, text) for limit, divisor, text in _AGO if span < limit)
    words = text.format(round(span / divisor) if divisor else "")
    return f"{words} ago" if seconds <= 0 else f"in {words}"


def _number(value: float, decimals: int | None) -> str:
    if not math.isfinite(value):
        return str(value)
    places = _decimals(value) if decimals is None else decimals
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _decimals(value: float) -> int:
    """Digits after the point, so that three or so count."""
    if value == 0 or value % 1 == 0:
        return 0
    places = 1 - math.floor(math.log10(abs(value)))
    return max(0, places + 1 if abs(value) * 10.0**places > 2.25 else places)
