"""German of the dashboard Home and of what all dashboards share."""

from typing import Final

_ALERTS: Final = {
    "Exporter does not answer": "Exporter antwortet nicht",
    "No exporter is scraped": "Kein Exporter wird abgefragt",
    "New configuration refused": "Neue Konfiguration abgelehnt",
    "More bridges than allowed": "Mehr Bridges als erlaubt",
    "Bridge does not answer": "Bridge antwortet nicht",
    "Bridge answers now and then": "Bridge antwortet nur ab und zu",
    "No new reading": "Kein neuer Messwert",
    "Clock of the bridge is wrong": "Uhr der Bridge geht falsch",
    "No status for a day": "Seit einem Tag kein Status",
    "PIN of the meter missing": "PIN des Zählers fehlt",
    "Weak signal": "Schwaches Signal",
    "Battery empty soon": "Batterie bald leer",
    "Different firmware": "Unterschiedliche Firmware",
    "Readings refused": "Messwerte verworfen",
    "Energy counter stands still": "Zählerstand steht still",
    "Energy and power disagree": "Energie und Leistung passen nicht zusammen",
    "Nothing fed in for a day": "Seit einem Tag nichts eingespeist",
    "High power": "Hohe Leistung",
    "Base load has risen": "Grundlast gestiegen",
    "Provider API does not answer": "Provider-API antwortet nicht",
    "Inventory is old": "Bestand ist veraltet",
    "No live readings": "Keine laufenden Messwerte",
    "Errors of the provider API": "Fehler der Provider-API",
    "License pool nearly used up": "Lizenzpool fast aufgebraucht",
    "Licenses are about to end": "Lizenzen laufen bald ab",
    "Many installations are silent": "Viele Installationen melden sich nicht",
}

_DEVICES: Final = {
    "Needs a hand": "Zu tun",
    "Nothing": "Nichts",
    "Does not answer": "Antwortet nicht",
    "Core out of reach": "Core nicht erreichbar",
    "Core off the meter": "Core nicht am Zähler",
    "Old reading": "Alter Messwert",
    "Battery nearly empty": "Batterie fast leer",
    "Battery low": "Batterie schwach",
    "PIN missing": "PIN fehlt",
    "Weak radio": "Schwacher Funk",
    "Weak Wi-Fi": "Schwaches WLAN",
    "Age": "Alter",
    "Battery": "Batterie",
    "Radio": "Funk",
    "Wi-Fi": "WLAN",
    "No bridge known": "Keine Bridge bekannt",
}

TEXTS: Final = {
    # all dashboards
    "Data source": "Datenquelle",
    "Job": "Job",
    "Exporter": "Exporter",
    "Bridge": "Bridge",
    "Meter": "Zähler",
    "Home": "Zuhause",
    "Energy and cost": "Energie und Kosten",
    "Load profile": "Lastprofil",
    "Device health": "Gerätezustand",
    "Fleet": "Alle Bridges",
    "Counter resets": "Gesunkene Zählerstände",
    "Counter reset": "Gesunkener Zählerstand",
    "An energy register of {{bridge}} fell: a new meter, or wrong readings.": (
        "Ein Zählerstand von {{bridge}} ist gesunken: neuer Zähler oder falsche Messwerte."
    ),
    "Exporter restarts": "Neustarts des Exporters",
    "Exporter restart": "Neustart des Exporters",
    "The exporter {{instance}} was started again.": "Der Exporter {{instance}} wurde neu gestartet.",
    "Firmware changes": "Neue Firmware",
    "New firmware": "Neue Firmware",
    "{{bridge}}: bridge {{bridge_version}}, core {{core_version}}": (
        "{{bridge}}: Bridge {{bridge_version}}, Core {{core_version}}"
    ),
    "Price per kWh (with a point: 0.30)": "Arbeitspreis je kWh (mit Punkt: 0.30)",
    "Price of a drawn kilowatt-hour. With a comma, panels of money show an error or a wrong sum.": (
        "Preis einer bezogenen Kilowattstunde. Mit Komma zeigen die Kosten einen Fehler oder eine falsche "
        "Summe."
    ),
    "Feed-in tariff (with a point: 0.08)": "Einspeisevergütung (mit Punkt: 0.08)",
    "What a kilowatt-hour fed in brings. With a comma, panels of money show an error or a wrong sum.": (
        "Vergütung einer eingespeisten Kilowattstunde. Mit Komma zeigen die Kosten einen Fehler oder eine "
        "falsche Summe."
    ),
    "Base fee per month": "Grundpreis je Monat",
    "Base fee of a month, of all chosen meters together; 0 leaves it out everywhere.": (
        "Grundpreis eines Monats für alle gewählten Zähler zusammen; mit 0 bleibt er überall weg."
    ),
    "Currency": "Währung",
    "Of the prices; stands in the titles of the panels.": (
        "Währung der Preise; sie steht in den Überschriften."
    ),
    "With an absolute time range at the top it shows that range instead.": (
        "Ist oben ein fester Zeitraum eingestellt, gilt stattdessen dieser."
    ),
    "critical": "kritisch",
    "warning": "Warnung",
    "info": "Hinweis",
    **_ALERTS,
    **_DEVICES,
    # Home
    "IOmeter: Home": "IOmeter: Zuhause",
    "Power at the grid connection, energy and cost so far, and the state of the devices. Power and states "
    "are shown for each bridge; energy and money are those of all chosen bridges together. What is drawn is "
    "orange, what is fed in is blue.": (
        "Leistung am Netzanschluss, Energie und Kosten bis jetzt und der Zustand der Geräte. Leistung und "
        "Zustand stehen für jede Bridge da, Energie und Kosten als Summe aller gewählten Bridges. Bezug ist "
        "orange, Einspeisung blau."
    ),
    "Power now": "Leistung jetzt",
    "Power at the grid connection of each bridge, over its curve of the last three hours: orange while drawn "
    "from the grid, blue and negative while fed in. Empty once the reading is older than 20 minutes, for "
    "then nobody knows.": (
        "Leistung am Netzanschluss für jede Bridge, dahinter ihr Verlauf in den letzten drei Stunden: orange "
        "beim Bezug, blau und negativ beim Einspeisen. Leer, sobald der Messwert älter als 20 Minuten ist, "
        "denn dann weiß es niemand mehr."
    ),
    "No power known: is the reading old, or the meter's PIN missing?": (
        "Leistung unbekannt: Ist der Messwert zu alt, oder fehlt die PIN des Zählers?"
    ),
    "Today by hour": "Heute, Stunde für Stunde",
    "Energy of each hour since midnight in your time zone, of all chosen bridges: drawn above zero, fed in "
    "below. The last bar is this hour so far.": (
        "Energie jeder Stunde seit Mitternacht in Ihrer Zeitzone, Summe aller gewählten Bridges: Bezug über "
        "null, Einspeisung darunter. Der letzte Balken ist die laufende Stunde."
    ),
    "Drawn": "Bezug",
    "Fed in": "Einspeisung",
    "Before": "Vorher",
    "This day": "Dieser Tag",
    "So far": "Bisher",
    "to last month": "zum Vormonat",
    "No energy known for this time": "Für diese Zeit ist keine Energie bekannt",
    "No feed-in": "Keine Einspeisung",
    "Drawn today": "Bezug heute",
    "Energy drawn since midnight in your time zone; the arrow compares it with yesterday by the same time.": (
        "Bezogene Energie seit Mitternacht in Ihrer Zeitzone; der Pfeil zeigt den Unterschied zu gestern um "
        "dieselbe Zeit."
    ),
    "Fed in today": "Einspeisung heute",
    "Energy fed in since midnight in your time zone; the arrow compares it with yesterday by the same "
    "time.": (
        "Eingespeiste Energie seit Mitternacht in Ihrer Zeitzone; der Pfeil zeigt den Unterschied zu gestern "
        "um dieselbe Zeit."
    ),
    "Drawn yesterday": "Bezug gestern",
    "Energy drawn on the whole day before, in your time zone; the arrow compares it with the day before "
    "that.": (
        "Bezogene Energie des ganzen Vortags in Ihrer Zeitzone; der Pfeil zeigt den Unterschied zum Tag "
        "davor."
    ),
    "Fed in yesterday": "Einspeisung gestern",
    "Energy fed in on the whole day before, in your time zone; the arrow compares it with the day before "
    "that.": (
        "Eingespeiste Energie des ganzen Vortags in Ihrer Zeitzone; der Pfeil zeigt den Unterschied zum Tag "
        "davor."
    ),
    "Cost today in $currency": "Kosten und Erlös heute in $currency",
    "Since midnight, at the prices set above: what is drawn and the day's share of the base fee, what is fed "
    "in, and the one less the other. Negative is what you earn.": (
        "Seit Mitternacht, zu den oben eingestellten Preisen: die Kosten des Bezugs mit dem Anteil des Tages "
        "am Grundpreis, der Erlös der Einspeisung und der Saldo aus beiden. Ist er negativ, verdienen Sie."
    ),
    "Cost this month in $currency": "Kosten und Erlös im laufenden Monat in $currency",
    "Since the first, at the prices set above: what is drawn and the base fee of each day that has begun, "
    "what is fed in, and the one less the other. Negative is what you earn.": (
        "Seit dem Monatsersten, zu den oben eingestellten Preisen: die Kosten des Bezugs mit dem Grundpreis "
        "aller begonnenen Tage, der Erlös der Einspeisung und der Saldo aus beiden. Ist er negativ, "
        "verdienen Sie."
    ),
    "Cost": "Kosten",
    "Revenue": "Erlös",
    "Net": "Saldo",
    "Drawn this month": "Bezug Monat",
    "Energy drawn since the first of the month; below it the change to as many days and hours of the month "
    "before, if they are known.": (
        "Bezogene Energie seit dem Monatsersten; darunter die Änderung zu ebenso vielen Tagen und "
        "Stunden des Vormonats, sofern bekannt."
    ),
    "Fed in this month": "Einspeisung Monat",
    "Energy fed in since the first of the month; below it the change to as many days and hours of the month "
    "before, if they are known.": (
        "Eingespeiste Energie seit dem Monatsersten; darunter die Änderung zu ebenso vielen Tagen und "
        "Stunden des Vormonats, sofern bekannt."
    ),
    "Power": "Leistung",
    "Mean power at the grid connection of a bridge: orange while drawn, blue and below zero while fed in.": (
        "Mittlere Leistung am Netzanschluss einer Bridge: orange beim Bezug, blau und unter null beim "
        "Einspeisen."
    ),
    "State of the devices": "Zustand der Geräte",
    "Devices": "Geräte",
    "What needs a hand, age of the last reading, charge of the core's battery, radio between core and "
    "bridge, Wi-Fi of the bridge. A dash is unknown, or a core without a battery.": (
        "Was zu tun ist, das Alter des letzten Messwerts, die Ladung der Batterie im Core, der Funk zwischen "
        "Core und Bridge, das WLAN der Bridge. Ein Strich heißt: unbekannt, oder der Core hat keine Batterie."
    ),
    "Firing alerts": "Aktive Alarme",
    "Alerts of prometheus/alerts.yml for the chosen bridges and their exporter; none without that file "
    "loaded in Prometheus.": (
        "Alarme aus prometheus/alerts.yml für die gewählten Bridges und ihren Exporter; keine, solange "
        "Prometheus diese Datei nicht lädt."
    ),
    "No alert is firing": "Kein Alarm aktiv",
    "Alert": "Alarm",
    "Severity": "Schweregrad",
    "About": "Betrifft",
    "Phases": "Phasen",
    "Power of the phases": "Leistung der Phasen",
    "Mean power of each phase; below zero while feeding in.": (
        "Mittlere Leistung jeder Phase; unter null, solange eingespeist wird."
    ),
    "The meter does not tell its phases": "Der Zähler nennt seine Phasen nicht",
    "Voltage of the phases": "Spannung der Phasen",
    "Voltage of each phase; 230 V plus or minus 10 % is usual.": (
        "Spannung jeder Phase; üblich sind 230 V plus oder minus 10 %."
    ),
    "The meter does not tell its voltages": "Der Zähler nennt keine Spannungen",
    "Current of the phases": "Strom der Phasen",
    "Current of each phase.": "Strom jeder Phase.",
    "The meter does not tell its currents": "Der Zähler nennt keine Ströme",
    "Grid frequency": "Netzfrequenz",
    "50 Hz, give or take a few hundredths.": "50 Hz, bis auf wenige Hundertstel.",
    "The meter does not tell the frequency": "Der Zähler nennt die Frequenz nicht",
}
