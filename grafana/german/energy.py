"""German of the dashboard Energy and cost."""

from typing import Final

_DAYS: Final = (
    "Ein Balken ist ein Tag von Mitternacht bis Mitternacht in Ihrer Zeitzone; vor der letzten "
    "Zeitumstellung "
    "beginnen die Tage um eine Stunde versetzt. Der letzte Balken ist heute bis jetzt."
)
_DAYS_IN_ENGLISH: Final = (
    "A bar is a day from midnight to midnight in your time zone; before the last change of clocks, days "
    "begin "
    "an hour off. The last bar is today so far."
)
_MONTHS: Final = "Die letzten 12 Monate und dieser bis jetzt, aus ihren Tagen in Ihrer Zeitzone."
_MONTHS_IN_ENGLISH: Final = "The last 12 months and this one so far, from the days of each in your time zone."

TEXTS: Final = {
    "IOmeter: Energy and cost": "IOmeter: Energie und Kosten",
    "Energy and money of all chosen bridges together, by day, month and year. Days and months begin at "
    "midnight in "
    "your time zone.": (
        "Energie und Geld aller gewählten Bridges zusammen, nach Tag, Monat und Jahr. Tage und Monate "
        "beginnen um "
        "Mitternacht in Ihrer Zeitzone."
    ),
    "Base fee per month": "Grundpreis je Monat",
    "Base fee of a month, of all chosen meters together.": (
        "Grundpreis eines Monats, für alle gewählten Zähler zusammen."
    ),
    "Bill of today": "Rechnung heute",
    "Since midnight, with the base fee of the whole day.": (
        "Seit Mitternacht, mit dem Grundpreis des ganzen Tages."
    ),
    "Bill of this month": "Rechnung dieser Monat",
    "Since the first, with the base fee of each day that has begun.": (
        "Seit dem Monatsersten, mit dem Grundpreis jedes begonnenen Tages."
    ),
    "Bill of last month": "Rechnung letzter Monat",
    "The month before this one, with its whole base fee even if a part of it was not read.": (
        "Der vorige Monat, mit ganzem Grundpreis, auch wenn er nur zum Teil abgelesen wurde."
    ),
    "Bill of this year": "Rechnung dieses Jahr",
    "Since 1 January, or since Prometheus first read the meter; with the base fee of these days.": (
        "Seit dem 1. Januar, oder seit Prometheus den Zähler zum ersten Mal gelesen hat; mit dem Grundpreis "
        "dieser Tage."
    ),
    "Energy": "Energie",
    "Base fee": "Grundpreis",
    "Days": "Tage",
    "Energy per day": "Energie je Tag",
    f"Drawn above zero, fed in below. {_DAYS_IN_ENGLISH}": f"Bezug über null, Einspeisung darunter. {_DAYS}",
    "Net cost per day": "Saldo je Tag",
    f"Cost with the day's share of the base fee, less revenue; below zero you earn. {_DAYS_IN_ENGLISH}": (
        f"Kosten mit anteiligem Grundpreis, abzüglich Erlös; unter null verdienen Sie. {_DAYS}"
    ),
    "Drawn today against yesterday": "Bezug heute und gestern",
    "Energy drawn since midnight, and in the day before up to the same time.": (
        "Bezogene Energie seit Mitternacht, und am Vortag bis zur selben Uhrzeit."
    ),
    "Fed in today against yesterday": "Einspeisung heute und gestern",
    "Energy fed in since midnight, and in the day before up to the same time.": (
        "Eingespeiste Energie seit Mitternacht, und am Vortag bis zur selben Uhrzeit."
    ),
    "Nothing fed in, or no export register": "Nichts eingespeist, oder kein Zählwerk dafür",
    "Months": "Monate",
    "Month": "Monat",
    "Money": "Geld",
    "Drawn per month": "Bezug je Monat",
    _MONTHS_IN_ENGLISH: _MONTHS,
    "Fed in per month": "Einspeisung je Monat",
    "Net cost per month": "Saldo je Monat",
    f"Cost with the base fee of the days that were read, less revenue. {_MONTHS_IN_ENGLISH}": (
        f"Kosten mit dem Grundpreis der abgelesenen Tage, abzüglich Erlös. {_MONTHS}"
    ),
    "Top days": "Spitzentage",
    "Tariffs": "Tarife",
    "Energy per day and tariff": "Energie je Tag und Tarif",
    f"For meters with more than one tariff. {_DAYS_IN_ENGLISH}": f"Für Zähler mit mehreren Tarifen. {_DAYS}",
    "Drawn, tariff {{tariff}}": "Bezug, Tarif {{tariff}}",
    "Fed in, tariff {{tariff}}": "Einspeisung, Tarif {{tariff}}",
    "The meter tells no tariffs": "Der Zähler nennt keine Tarife",
    "Days with most drawn": "Tage mit dem meisten Bezug",
    "Days with most fed in": "Tage mit der meisten Einspeisung",
    f"The ten highest days of the range. {_DAYS_IN_ENGLISH}": (
        f"Die zehn höchsten Tage des Zeitraums. {_DAYS}"
    ),
    "Day": "Tag",
}
