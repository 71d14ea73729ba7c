"""Language of the page: chosen by the browser's wish; its words, and its way to write numbers and times."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Final

from iometer_exporter.web.landing.german import GERMAN

NARROW_SPACE: Final = "\N{NARROW NO-BREAK SPACE}"
NO_BREAK_SPACE: Final = "\N{NO-BREAK SPACE}"
MINUS: Final = "\N{MINUS SIGN}"

_QUALITY: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""In English; German dates have numbers."""

_LATEST: Final = 253_370_764_800.0
"""Unix time of the year 9999."""

_ABSURD: Final = 1e12
"""Numbers from here on are nonsense, and are kept short."""

_KWH: Final = 3.6e6
"""Joules."""

_KILOWATTS_FROM: Final = 9999.5
_MEGAWATTS_FROM: Final = 999_950.0
_TENTHS_BELOW: Final = 9.95
"""Watts."""


@dataclass(frozen=True)
class Language:
    """How to say things to a reader; times are those of the zone, None is that of this host."""

    code: str
    decimal_point: str
    group_separator: str
    date_format: str
    words: Mapping[str, str] | None = field(default=None, repr=False)
    """The translation of each English text; None is English itself."""
    zone: tzinfo | None = None

    def say(self, text: str, **values: str) -> str:
        """The text, which is written in English, in this language; values stand for its `{names}`."""
        translated = text if self.words is None else self.words[text]
        return translated.format(**values) if values else translated

    def number(self, value: float, digits: int = 0) -> str:
        """With so many digits after the point, in groups of three: `12,345.6`."""
        text = f"{abs(value):,.{digits}f}" if abs(value) < _ABSURD else f"{abs(value):.0e}"
        sign = MINUS if value < 0 and any(digit in text for digit in "123456789") else ""
        return sign + text.translate({ord(","): self.group_separator, ord("."): self.decimal_point})

    def watts(self, value: float) -> tuple[str, str]:
        """A power as number and unit, with no more digits than a person needs: `309`, `W`."""
        size = abs(value)
        if size >= _MEGAWATTS_FROM:
            return self.number(value / 1e6, 2), "MW"
        if size >= _KILOWATTS_FROM:
            return self.number(value / 1e3, 1), "kW"
        digits = 1 if size < _TENTHS_BELOW and value % 1 else 0
        # Four digits need no group: 1635 W.
        return self.number(value, digits).replace(self.group_separator, ""), "W"

    def power(self, value: float) -> str:
        """A power in one piece: `309 W`."""
        return NO_BREAK_SPACE.join(self.watts(value))

    def kilowatt_hours(self, joules: float, digits: int) -> str:
        """An energy in kWh without the unit, with so many digits after the point."""
        return self.number(joules / _KWH, digits)

    def quantity(self, value: float, unit: str, digits: int = 0) -> str:
        """A number and its unit, which stay together."""
        return f"{self.number(value, digits)}{NO_BREAK_SPACE}{unit}"

    def percent(self, ratio: float) -> str:
        """A ratio of 0 to 1."""
        return f"{self.number(ratio * 100)}{'' if self.words is None else NO_BREAK_SPACE}%"

    def duration(self, seconds: float) -> str:
        """A time span in its largest unit, below three of which the next one follows: `1 h 20 min`."""
        rest = max(0, round(seconds))
        sizes = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
        for (size, unit), (smaller, next_unit) in zip(sizes, (*sizes[1:], (1, "")), strict=True):
            count, left = divmod(rest, size)
            if count:
                more = left // smaller if next_unit and count < 3 else 0
                parts = [(count, unit), *([(more, next_unit)] if more else [])]
                return NO_BREAK_SPACE.join(f"{n}{NO_BREAK_SPACE}{self.say(unit)}" for n, unit in parts)
        return f"0{NO_BREAK_SPACE}{self.say('s')}"

    def clock(self, unix: float, *, with_zone: bool = False) -> str:
        """The time of day: `13:00:32`."""
        moment = self._local(unix)
        zone = f"{NO_BREAK_SPACE}{moment:%Z}" if with_zone else ""
        return f"{moment:%H:%M:%S}{zone}"

    def moment(self, unix: float, now: float) -> str:
        """The time of day, with the date where that is not today's: `13:00`, `27 Nov, 13:00`."""
        moment = self._local(unix)
        if moment.date() == self._local(now).date():
            return f"{moment:%H:%M}"
        date = self.date_format.format(day=moment.day, number=moment.month, month=_MONTHS[moment.month - 1])
        return f"{date}, {moment:%H:%M}".replace(" ", NO_BREAK_SPACE)

    def _local(self, unix: float) -> datetime:
        # Clocks of bridges may be centuries wrong.
        near = min(max(unix, 0.0), _LATEST)
        return datetime.fromtimestamp(near, self.zone).astimezone(self.zone)


ENGLISH: Final = Language("en", ".", ",", "{day} {month}")
DEUTSCH: Final = Language("de", ",", ".", "{day}.{number}.", words=GERMAN)

LANGUAGES: Final = (ENGLISH, DEUTSCH)
"""The first one is for those who ask for none of them."""


def choose_language(accept_language: str) -> Language:
    """The language that the header `Accept-Language` likes best; what is malformed in it is left out.

    `de-CH` asks for German too, `*` for any that is not named, and q=0 excludes.
    """
    known = {language.code: language for language in LANGUAGES}
    wishes: dict[str, float] = {}
    for item in accept_language.lower().split(","):
        wish, *parameters = (part.strip() for part in item.split(";"))
        primary = wish.partition("-")[0]
        quality = _quality(parameters)
        if quality is not None and (primary in known or wish == "*"):
            wishes[primary] = max(quality, wishes.get(primary, 0.0))
    # Of two that are liked alike, the one that is named first, which `wishes` begins with.
    named = [code for code in (*wishes, *known) if code in known]
    qualities = {code: wishes.get(code, wishes.get("*", 0.0)) for code in named}
    best = max(qualities, key=lambda code: qualities[code])
    return known[best] if qualities[best] > 0 else LANGUAGES[0]


def _quality(parameters: list[str]) -> float | None:
    """The weight of a wish, 0 to 1; None if it is malformed."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return float(value) if _QUALITY.fullmatch(value.strip()) else None
    return 1.0
