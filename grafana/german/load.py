"""German of the dashboard Load profile."""

from typing import Final

TEXTS: Final = {
    "IOmeter: Load profile": "IOmeter: Lastprofil",
    "Base load, peaks and habits, from means of 15 minutes and of hours. Base load and peaks are those of "
    "each bridge; hours and distribution are those of all chosen bridges together.": (
        "Grundlast, Spitzen und Gewohnheiten, aus Mittelwerten von Viertelstunden und Stunden. Grundlast und "
        "Spitzen gelten für jede Bridge einzeln, Stunden und Verteilung für alle gewählten Bridges zusammen."
    ),
    "Hours ahead of UTC": "Zeitverschiebung zu UTC (Stunden)",
    "Your time in winter, in hours ahead of UTC: Berlin 1, Lisbon 0.": (
        "Um wie viele Stunden Ihre Winterzeit der Weltzeit UTC voraus ist: Berlin 1, Lissabon 0."
    ),
    "Summer time": "Sommerzeit",
    "Whether clocks are put forward from the last Sunday of March to the last one of October.": (
        "Ob die Uhren vom letzten Sonntag im März bis zum letzten Sonntag im Oktober vorgestellt sind."
    ),
    "as in the EU": "wie in der EU",
    "none": "keine",
    "as in the EU : 1, none : 0": "wie in der EU : 1, keine : 0",
    "No power known: without the meter's PIN there are whole kWh only": (
        "Leistung unbekannt: Ohne PIN nennt der Zähler nur ganze kWh"
    ),
    "Base load": "Grundlast",
    "What always runs: the mean of 15 minutes that is exceeded in 9 of 10 quarter-hours between midnight and "
    "4:00 in the time zone set above. A battery that feeds the house at night makes it too low.": (
        "Was immer läuft: der Viertelstundenwert, der zwischen 0 und 4 Uhr (in der oben eingestellten "
        "Zeitzone) in 9 von 10 Viertelstunden überschritten wird. Speist nachts ein Batteriespeicher das "
        "Haus, wird sie zu niedrig angezeigt."
    ),
    "Highest quarter-hour drawn": "Höchste Viertelstunde, Bezug",
    "Highest mean of 15 minutes on the clock, as tariffs with a demand charge count it.": (
        "Höchster Mittelwert einer vollen Viertelstunde, wie ihn Tarife mit Leistungspreis zugrunde legen."
    ),
    "Highest quarter-hour fed in": "Höchste Viertelstunde, Einspeisung",
    "Highest mean of 15 minutes on the clock that was fed in.": (
        "Höchster eingespeister Mittelwert einer vollen Viertelstunde."
    ),
    "Mean power": "Mittlere Leistung",
    "Mean power at the grid connection, feed-in taken off, where it is known in the range.": (
        "Mittlere Leistung am Netzanschluss, abzüglich Einspeisung, soweit sie im Zeitraum bekannt ist."
    ),
    "Means of 15 minutes": "Leistung je Viertelstunde",
    "Drawn above zero, fed in below, by the counters; each point ends a quarter-hour on the clock.": (
        "Mittlere Leistung nach den Zählerständen: Bezug über null, Einspeisung darunter. Jeder Punkt steht "
        "am Ende seiner Viertelstunde."
    ),
    "{{bridge}} drawn": "{{bridge}} Bezug",
    "{{bridge}} fed in": "{{bridge}} Einspeisung",
    "Peaks and distribution": "Spitzen und Verteilung",
    "Highest quarter-hours": "Höchste Viertelstunden",
    "The ten highest means of 15 minutes drawn by all chosen bridges together, and when they ended; complete "
    "in ranges of up to 100 days.": (
        "Die zehn Viertelstunden mit dem höchsten Bezug aller gewählten Bridges zusammen, und wann sie "
        "endeten; vollständig bei Zeiträumen bis 100 Tage."
    ),
    "Ended": "Ende",
    "Nights": "Nächte",
    "Base load of each night": "Grundlast jeder Nacht",
    "Of the night that ends on the day shown, by the same rule as above; a rise means that something new "
    "runs all the time.": (
        "Die Grundlast der Nacht, die am gezeigten Tag endet, nach derselben Regel wie oben. Steigt sie, so "
        "läuft ständig etwas Neues."
    ),
    "Distribution of power": "Verteilung der Leistung",
    "How many quarter-hours had which mean power at the grid connection; below zero while feeding in.": (
        "Wie viele Viertelstunden welche mittlere Leistung am Netzanschluss hatten; unter null wurde "
        "eingespeist."
    ),
    "Between scrapes": "Zwischen den Abfragen",
    "No event stream is followed": "Keine Bridge wird live verfolgt",
    "Distribution of power by hour": "Verteilung der Leistung, Stunde für Stunde",
    "Share of the readings of each hour whose power lay in each row, by the event streams of all chosen "
    "bridges; a row is named by its upper limit. Needs `live` in the configuration.": (
        "Welcher Anteil der Messwerte einer Stunde in welche Zeile fällt, nach den Live-Messwerten aller "
        "gewählten Bridges; an jeder Zeile steht ihre Obergrenze. Setzt `live` in der Konfiguration voraus."
    ),
    "Power within a quarter-hour": "Leistung innerhalb der Viertelstunde",
    "By the event streams: what the power was below for 1 %, half and 99 % of the readings of 15 minutes. "
    "The further apart, the shorter the peaks. Needs `live` in the configuration.": (
        "Nach den Live-Messwerten: worunter die Leistung bei 1 %, der Hälfte und 99 % der Messwerte einer "
        "Viertelstunde lag. Je weiter die Kurven auseinanderliegen, desto kürzer sind die Spitzen. Setzt "
        "`live` in der Konfiguration voraus."
    ),
    "{{bridge}} half": "{{bridge}} Hälfte",
    "Hours of the week": "Stunden der Woche",
    "Drawn by hour and weekday": "Bezug nach Stunde und Wochentag",
    "Mean power drawn in each hour of the week over the range, in the time zone set above.": (
        "Mittlerer Bezug in jeder Stunde der Woche im gezeigten Zeitraum, in der oben eingestellten Zeitzone."
    ),
    "Fed in by hour and weekday": "Einspeisung nach Stunde und Wochentag",
    "Mean power fed in in each hour of the week over the range, in the time zone set above.": (
        "Mittlere Einspeisung in jeder Stunde der Woche im gezeigten Zeitraum, in der oben eingestellten "
        "Zeitzone."
    ),
    "Hour": "Stunde",
    "Mon": "Mo",
    "Tue": "Di",
    "Wed": "Mi",
    "Thu": "Do",
    "Fri": "Fr",
    "Sat": "Sa",
    "Sun": "So",
}
