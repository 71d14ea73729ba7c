"""German of the dashboard Load profile."""

from typing import Final

TEXTS: Final = {
    "IOmeter: Load profile": "IOmeter: Lastprofil",
    "Base load, peaks and habits, from means of 15 minutes and of hours. Base load and peaks are those of "
    "each "
    "bridge; hours and distribution are those of all chosen bridges together.": (
        "Grundlast, Spitzen und Gewohnheiten aus Viertelstunden- und Stundenmitteln. Grundlast und Spitzen "
        "gelten je "
        "Bridge; Wochenstunden und Verteilung für alle gewählten Bridges zusammen."
    ),
    "Hours ahead of UTC": "Stunden vor UTC",
    "Your time in winter, in hours ahead of UTC: Berlin 1, Lisbon 0.": (
        "Ihre Winterzeit, in Stunden vor UTC: Berlin 1, Lissabon 0."
    ),
    "Summer time": "Sommerzeit",
    "Whether clocks are put forward from the last Sunday of March to the last one of October.": (
        "Ob die Uhren vom letzten Sonntag im März bis zum letzten im Oktober vorgestellt sind."
    ),
    "as in the EU": "wie in der EU",
    "none": "keine",
    "as in the EU : 1, none : 0": "wie in der EU : 1, keine : 0",
    "No power known: without the meter's PIN there are whole kWh only": (
        "Leistung unbekannt: Ohne PIN nennt der Zähler nur ganze kWh"
    ),
    "Base load": "Grundlast",
    "What always runs: the mean of 15 minutes that is exceeded in 9 of 10 quarter-hours between midnight and "
    "4:00 in "
    "the time zone set above. A battery that feeds the house at night makes it too low.": (
        "Was immer läuft: das Viertelstundenmittel, das in 9 von 10 Viertelstunden zwischen 0 und 4 Uhr "
        "überschritten "
        "wird, in der oben eingestellten Zeitzone. Ein Hausspeicher, der nachts liefert, macht sie zu klein."
    ),
    "Highest quarter-hour drawn": "Höchstes Viertelstundenmittel, Bezug",
    "Highest mean of 15 minutes on the clock, as tariffs with a demand charge count it.": (
        "Höchstes Mittel einer Viertelstunde auf der Uhr, wie es Tarife mit Leistungspreis zählen."
    ),
    "Highest quarter-hour fed in": "Höchstes Viertelstundenmittel, Einspeisung",
    "Highest mean of 15 minutes on the clock that was fed in.": (
        "Höchstes eingespeistes Mittel einer Viertelstunde auf der Uhr."
    ),
    "Mean power": "Mittlere Leistung",
    "Mean power at the grid connection, feed-in taken off, where it is known in the range.": (
        "Mittlere Leistung am Netzanschluss, abzüglich Einspeisung, soweit sie im Zeitraum bekannt ist."
    ),
    "Means of 15 minutes": "Viertelstundenmittel",
    "Drawn above zero, fed in below, by the counters; each point ends a quarter-hour on the clock.": (
        "Bezug über null, Einspeisung darunter, nach den Zählwerken; jeder Punkt beendet eine Viertelstunde "
        "auf der Uhr."
    ),
    "{{bridge}} drawn": "{{bridge}} Bezug",
    "{{bridge}} fed in": "{{bridge}} Einspeisung",
    "Highest quarter-hours": "Höchste Viertelstunden",
    "The ten highest means of 15 minutes drawn by all chosen bridges together, and when they ended; complete "
    "in "
    "ranges of up to 100 days.": (
        "Die zehn höchsten Viertelstundenmittel des Bezugs aller gewählten Bridges zusammen, und wann sie "
        "endeten; "
        "vollständig bei Zeiträumen bis 100 Tage."
    ),
    "Ended": "Ende",
    "Base load of each night": "Grundlast jeder Nacht",
    "Of the night that ends on the day shown, by the same rule as above; a rise means that something new "
    "runs all "
    "the time.": (
        "Der Nacht vor dem gezeigten Tag, nach derselben Regel wie oben; steigt sie, läuft etwas Neues "
        "ständig."
    ),
    "Distribution of power": "Verteilung der Leistung",
    "How many quarter-hours had which mean power at the grid connection; below zero while feeding in.": (
        "Wie viele Viertelstunden welche mittlere Leistung am Netzanschluss hatten; unter null bei "
        "Einspeisung."
    ),
    "Quarter-hours": "Viertelstunden",
    "Hours of the week": "Stunden der Woche",
    "Drawn by hour and weekday": "Bezug nach Stunde und Wochentag",
    "Mean power drawn in each hour of the week over the range, in the time zone set above.": (
        "Mittlere bezogene Leistung jeder Wochenstunde im Zeitraum, in der oben eingestellten Zeitzone."
    ),
    "Fed in by hour and weekday": "Einspeisung nach Stunde und Wochentag",
    "Mean power fed in in each hour of the week over the range, in the time zone set above.": (
        "Mittlere eingespeiste Leistung jeder Wochenstunde im Zeitraum, in der oben eingestellten Zeitzone."
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
