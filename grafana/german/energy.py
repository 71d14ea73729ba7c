"""German of the dashboard Energy and cost."""

from typing import Final

_DAYS: Final = (
    "Ein Balken ist ein Tag von Mitternacht bis Mitternacht in Ihrer Zeitzone; vor der letzten "
    "Zeitumstellung sind die Tage um eine Stunde verschoben. Der letzte Balken ist heute bis jetzt."
)
_DAYS_IN_ENGLISH: Final = (
    "A bar is a day from midnight to midnight in your time zone; before the last change of clocks, days "
    "begin an hour off. The last bar is today so far."
)
_MONTHS: Final = "Die letzten 12 Monate und der laufende, jeder als Summe seiner Tage in Ihrer Zeitzone."
_MONTHS_IN_ENGLISH: Final = "The last 12 months and this one so far, from the days of each in your time zone."

TEXTS: Final = {
    "IOmeter: Energy and cost": "IOmeter: Energie und Kosten",
    "Energy and money of all chosen bridges together, by day, month and year, each beside the period before "
    "up to the same time. Days and months begin at midnight in your time zone.": (
        "Energie und Kosten aller gewählten Bridges zusammen, nach Tag, Monat und Jahr, daneben jeweils der "
        "vorige Zeitraum bis zum selben Zeitpunkt. Tage und Monate beginnen um Mitternacht in Ihrer Zeitzone."
    ),
    "Today": "Heute",
    "Drawn this year": "Bezug Jahr",
    "Energy drawn since 1 January, or since Prometheus first read the meter; below it the change to as many "
    "days and hours of the year before, if they are known.": (
        "Bezogene Energie seit dem 1. Januar, oder seit Prometheus die Messwerte aufzeichnet; darunter "
        "die Änderung zu ebenso vielen Tagen und Stunden des Vorjahres, sofern bekannt."
    ),
    "to last year": "zum Vorjahr",
    "Fed in this year": "Einspeisung Jahr",
    "Energy fed in since 1 January, or since Prometheus first read the meter; below it the change to as many "
    "days and hours of the year before, if they are known.": (
        "Eingespeiste Energie seit dem 1. Januar, oder seit Prometheus die Messwerte aufzeichnet; darunter "
        "die Änderung zu ebenso vielen Tagen und Stunden des Vorjahres, sofern bekannt."
    ),
    "Bill of today in $currency": "Rechnung für heute in $currency",
    "Since midnight, with the base fee of the whole day; below it that of yesterday up to the same time.": (
        "Seit Mitternacht, mit dem Grundpreis des ganzen Tages; darunter der Saldo von gestern bis zur "
        "selben Uhrzeit."
    ),
    "Yesterday by this time": "Gestern bis jetzt",
    "Bill of this month in $currency": "Rechnung laufender Monat in $currency",
    "Since the first, with the base fee of each day that has begun; below it that of as many days and hours "
    "of the month before, if they are known.": (
        "Seit dem Monatsersten, mit dem Grundpreis jedes begonnenen Tages; darunter der Saldo ebenso vieler "
        "Tage und Stunden des Vormonats, sofern bekannt."
    ),
    "Last month by this day": "Vormonat bis heute",
    "Last month in $currency": "Rechnung Vormonat in $currency",
    "The whole month before, with its whole base fee even if a part of it was not read.": (
        "Der ganze Vormonat mit seinem ganzen Grundpreis, auch wenn ein Teil der Messwerte fehlt."
    ),
    "Bill of this year in $currency": "Rechnung laufendes Jahr in $currency",
    "Since 1 January, or since Prometheus first read the meter, with the base fee of the days that were "
    "read; below it that of as many days and hours of the year before, if they are known.": (
        "Seit dem 1. Januar, oder seit Prometheus die Messwerte aufzeichnet, mit dem Grundpreis dieser Tage; "
        "darunter der Saldo ebenso vieler Tage und Stunden des Vorjahres, sofern bekannt."
    ),
    "Last year by this day": "Vorjahr bis heute",
    "Energy": "Energie",
    "Base fee": "Grundpreis",
    "Days": "Tage",
    "Energy per day": "Energie je Tag",
    f"Drawn above zero, fed in below. {_DAYS_IN_ENGLISH}": f"Bezug über null, Einspeisung darunter. {_DAYS}",
    "Net cost per day in $currency": "Saldo je Tag in $currency",
    f"Cost with the day's share of the base fee, less revenue; below zero you earn. {_DAYS_IN_ENGLISH}": (
        f"Kosten mit dem Anteil am Grundpreis, abzüglich Erlös; unter null verdienen Sie. {_DAYS}"
    ),
    "Drawn today against yesterday": "Bezug heute und gestern",
    "Yesterday": "Gestern",
    "Energy drawn since midnight, and in the day before up to the same time.": (
        "Bezogene Energie seit Mitternacht, und am Vortag bis zur selben Uhrzeit."
    ),
    "Fed in today against yesterday": "Einspeisung heute und gestern",
    "Energy fed in since midnight, and in the day before up to the same time.": (
        "Eingespeiste Energie seit Mitternacht, und am Vortag bis zur selben Uhrzeit."
    ),
    "Months": "Monate",
    "Month": "Monat",
    "Money": "Betrag",
    "Drawn per month": "Bezug je Monat",
    _MONTHS_IN_ENGLISH: _MONTHS,
    "Fed in per month": "Einspeisung je Monat",
    "Net cost per month in $currency": "Saldo je Monat in $currency",
    f"Cost with the base fee of the days that were read, less revenue. {_MONTHS_IN_ENGLISH}": (
        f"Kosten mit dem Grundpreis der Tage, von denen es Messwerte gibt, abzüglich Erlös. {_MONTHS}"
    ),
    "Top days": "Die höchsten Tage",
    "Tariffs": "Tarife",
    "Energy per day and tariff": "Energie je Tag und Tarif",
    f"For meters with more than one tariff. {_DAYS_IN_ENGLISH}": f"Für Zähler mit mehreren Tarifen. {_DAYS}",
    "Drawn, tariff {{tariff}}": "Bezug, Tarif {{tariff}}",
    "Fed in, tariff {{tariff}}": "Einspeisung, Tarif {{tariff}}",
    "The meter tells no tariffs": "Der Zähler nennt keine Tarife",
    "Days with most drawn": "Tage mit dem meisten Bezug",
    "Days with most fed in": "Tage mit der meisten Einspeisung",
    f"The ten highest days of the range. {_DAYS_IN_ENGLISH}": (
        f"Die zehn Tage mit den höchsten Werten im gezeigten Zeitraum. {_DAYS}"
    ),
    "Day": "Tag",
}
