"""Tables of a card: energies by day and tariff, and the phases."""

from typing import Final

from iometer_exporter.meter import obis, quantities
from iometer_exporter.meter.course import Recent
from iometer_exporter.meter.day_marks import DayEnergy
from iometer_exporter.meter.models import Reading
from iometer_exporter.web.landing.language import NARROW_SPACE, Language
from iometer_exporter.web.landing.markup import Html, tag
from iometer_exporter.web.landing.parts import UNKNOWN

_RECENT_SECONDS: Final = 60.0
"""Seconds: what ended so lately has not ended."""

_DAY_DIGITS: Final = 2
_TOTAL_DIGITS: Final = 1


def energies(reading: Reading, recent: Recent, say: Language, now: float) -> Html | None:
    """Energy of the days, the totals and the registers of tariffs; None if there are none."""
    known = quantities.energies(reading)
    if not known:
        return None
    digits = 0 if quantities.is_coarse(reading, known) else 1
    today, yesterday = recent.today, recent.yesterday
    rows = []
    registers = sorted((code.c, code.e, total, *obis.ENERGIES[code]) for code, total in known.items())
    for _, _, total, direction, tariff in registers:
        name = (
            say.say("tariff {tariff}", tariff=tariff)
            if tariff
            else say.say("Drawn" if direction == "import" else "Fed in")
        )
        days = (
            [None, None] if tariff else [_of_day(day, direction, say, digits) for day in (today, yesterday)]
        )
        figures = (*days, say.kilowatt_hours(float(total), digits * _TOTAL_DIGITS))
        rows.append(
            tag(
                "tr",
                tag("th", name, scope="row", class_="tariff" if tariff else direction),
                *(tag("td", figure or "") for figure in figures),
            )
        )
    heads = (
        _day_head(say.say("Today"), today, say, now),
        _day_head(say.say("Yesterday"), yesterday, say, now),
        tag("th", say.say("Total"), scope="col"),
    )
    return tag(
        "table",
        tag("thead", tag("tr", tag("th", "kWh", scope="col"), *heads)),
        tag("tbody", *rows),
        class_="energies",
    )


def phases(reading: Reading, say: Language) -> Html | None:
    """Power, voltage and current of each phase; None if the meter sends nothing of them."""
    each = tuple(quantities.phases(reading))
    rows = [
        (say.say("Power"), "W", 0, [phase.power for phase in each]),
        (say.say("Voltage"), "V", 1, [phase.voltage for phase in each]),
        (say.say("Current"), "A", 2, [phase.current for phase in each]),
    ]
    known = [row for row in rows if any(value is not None for value in row[3])]
    if not known:
        return None
    return tag(
        "table",
        tag(
            "thead",
            tag(
                "tr",
                tag("th", say.say("Phase"), scope="col"),
                *(tag("th", p.name, scope="col") for p in each),
            ),
        ),
        tag(
            "tbody",
            *(
                tag(
                    "tr",
                    tag("th", f"{name}, {unit}", scope="row"),
                    *(tag("td", UNKNOWN if value is None else say.number(value, digits)) for value in values),
                )
                for name, unit, digits, values in known
            ),
        ),
        class_="phases",
    )


def _day_head(name: str, day: DayEnergy | None, say: Language, now: float) -> Html:
    note = None
    if day is not None and day.since is not None:
        note = say.say("since {moment}", moment=say.moment(day.since.timestamp(), day.since.timestamp()))
    elif day is not None and day.until is not None and day.until.timestamp() < now - _RECENT_SECONDS:
        note = say.say("until {moment}", moment=say.moment(day.until.timestamp(), day.until.timestamp()))
    return tag("th", name, tag("small", note) if note else None, scope="col")


def _of_day(day: DayEnergy | None, direction: obis.Direction, say: Language, digits: int) -> str:
    energy = None if day is None else day.imported if direction == "import" else day.exported
    if day is None or energy is None:
        return UNKNOWN
    about = f"\N{ALMOST EQUAL TO}{NARROW_SPACE}" if day.is_estimated else ""
    return about + say.kilowatt_hours(energy, digits * _DAY_DIGITS)
