"""German of the dashboard Home and of what all dashboards share."""

from typing import Final

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
    "Counter resets": "Zählerrücksprünge",
    "Counter reset": "Zählerrücksprung",
    "An energy register of {{bridge}} fell: a new meter, or wrong readings.": (
        "Ein Zählwerk von {{bridge}} ist gefallen: neuer Zähler oder falsche Ablesungen."
    ),
    "Exporter restarts": "Neustarts des Exporters",
    "Exporter restart": "Neustart des Exporters",
    "The exporter {{instance}} was started again.": "Der Exporter {{instance}} wurde neu gestartet.",
    "Firmware changes": "Firmware-Wechsel",
    "New firmware": "Neue Firmware",
    "{{bridge}}: bridge {{bridge_version}}, core {{core_version}}": (
        "{{bridge}}: Bridge {{bridge_version}}, Core {{core_version}}"
    ),
    "Price per kWh (as 0.30)": "Arbeitspreis je kWh (mit Punkt: 0.30)",
    "Price of a drawn kilowatt-hour, with a point: 0.30.": (
        "Preis einer bezogenen Kilowattstunde, mit Punkt statt Komma: 0.30."
    ),
    "Feed-in tariff (as 0.08)": "Einspeisevergütung (mit Punkt: 0.08)",
    "What a kilowatt-hour fed in brings, with a point: 0.08.": (
        "Vergütung einer eingespeisten Kilowattstunde, mit Punkt statt Komma: 0.08."
    ),
    "With an absolute time range at the top it shows that range instead.": (
        "Bei einem absoluten Zeitraum oben gilt stattdessen dieser."
    ),
    "critical": "kritisch",
    "warning": "Warnung",
    "info": "Hinweis",
    # Home
    "IOmeter: Home": "IOmeter: Zuhause",
    "Power at the grid connection, energy and money so far, and the state of the devices. Power and states "
    "are "
    "shown for each bridge; energy and money are those of all chosen bridges together.": (
        "Leistung am Netzanschluss, Energie und Geld bis jetzt und der Zustand der Geräte. Leistung und "
        "Zustände "
        "stehen je Bridge da; Energie und Geld sind die Summe aller gewählten Bridges."
    ),
    "Grid power now": "Netzleistung jetzt",
    "Power at the grid connection of each bridge; negative and blue while feeding in. Empty once the reading "
    "is "
    "older than 20 minutes: an old power is no power.": (
        "Leistung am Netzanschluss je Bridge; negativ und blau, solange eingespeist wird. Leer, sobald die "
        "Ablesung "
        "älter als 20 Minuten ist: Eine alte Leistung ist keine."
    ),
    "No power known: is the reading old, or the meter's PIN missing?": (
        "Leistung unbekannt: Ist die Ablesung alt, oder fehlt die PIN des Zählers?"
    ),
    "Direction": "Richtung",
    "Whether power is drawn from the grid or fed into it at this moment.": (
        "Ob in diesem Augenblick aus dem Netz bezogen oder eingespeist wird."
    ),
    "Feeding in": "Einspeisung",
    "Balanced": "Ausgeglichen",
    "Drawing": "Bezug",
    "Age of the reading": "Alter der Ablesung",
    "Time since the meter was last read. Usual is the interval set in the app, 15 minutes at most; the age "
    "goes on "
    "while a bridge does not answer.": (
        "Zeit seit der letzten Ablesung des Zählers. Üblich ist das in der App eingestellte Intervall, "
        "höchstens "
        "15 Minuten; antwortet eine Bridge nicht, steigt das Alter weiter."
    ),
    "No reading in the last day": "Keine Ablesung seit einem Tag",
    "Firing alerts": "Aktive Alarme",
    "Alerts of prometheus/alerts.yml for the chosen bridges; none without that file loaded in Prometheus.": (
        "Alarme aus prometheus/alerts.yml für die gewählten Bridges; keine, wenn Prometheus die Datei nicht "
        "lädt."
    ),
    "No alert is firing": "Kein Alarm aktiv",
    "Alert": "Alarm",
    "Severity": "Schwere",
    "Today": "Heute",
    "Energy since midnight in your time zone, of all chosen bridges.": (
        "Energie seit Mitternacht in Ihrer Zeitzone, Summe aller gewählten Bridges."
    ),
    "Drawn": "Bezogen",
    "Fed in": "Eingespeist",
    "No energy known for this time": "Für diese Zeit ist keine Energie bekannt",
    "Yesterday": "Gestern",
    "Energy of the whole day before, in your time zone.": "Energie des ganzen Vortags in Ihrer Zeitzone.",
    "This month": "Dieser Monat",
    "Energy since the first of the month.": "Energie seit dem Monatsersten.",
    "Money today": "Geld heute",
    "Cost and revenue since midnight at the prices set above, no base fee.": (
        "Kosten und Erlös seit Mitternacht zu den oben eingestellten Preisen, ohne Grundpreis."
    ),
    "Money yesterday": "Geld gestern",
    "Cost and revenue of the whole day before, no base fee.": (
        "Kosten und Erlös des ganzen Vortags, ohne Grundpreis."
    ),
    "Money this month": "Geld diesen Monat",
    "Cost and revenue since the first of the month, no base fee.": (
        "Kosten und Erlös seit dem Monatsersten, ohne Grundpreis."
    ),
    "Cost": "Kosten",
    "Revenue": "Erlös",
    "Net": "Saldo",
    "Power": "Leistung",
    "Mean power at the grid connection of each bridge; below zero while feeding in.": (
        "Mittlere Leistung am Netzanschluss je Bridge; unter null, solange eingespeist wird."
    ),
    "Battery of the core": "Batterie des Core",
    "Charge of the batteries in the core, the sensor on the meter.": (
        "Ladung der Batterien im Core, dem Lesekopf am Zähler."
    ),
    "No battery: powered by wire, or no status": "Keine Batterie: Netzteil, oder kein Status",
    "Radio of the core": "Funk des Core",
    "Strength of the 868 MHz signal between core and bridge; nearer to zero is better.": (
        "Stärke des 868-MHz-Signals zwischen Core und Bridge; näher an null ist besser."
    ),
    "No status of the device": "Kein Status des Geräts",
    "Wi-Fi of the bridge": "WLAN der Bridge",
    "Strength of the Wi-Fi signal at the bridge; nearer to zero is better.": (
        "Stärke des WLAN-Signals an der Bridge; näher an null ist besser."
    ),
    "Connection": "Verbindung",
    "Whether the core on the meter reaches the bridge.": "Ob der Core am Zähler die Bridge erreicht.",
    "Connected": "Verbunden",
    "Disconnected": "Getrennt",
    "Phases": "Phasen",
    "Power of the phases": "Leistung der Phasen",
    "Mean power of each phase; below zero while feeding in.": (
        "Mittlere Leistung je Phase; unter null, solange eingespeist wird."
    ),
    "The meter does not tell its phases": "Der Zähler nennt seine Phasen nicht",
    "Voltage of the phases": "Spannung der Phasen",
    "Voltage of each phase; 230 V plus or minus 10 % is usual.": (
        "Spannung je Phase; üblich sind 230 V plus oder minus 10 %."
    ),
    "The meter does not tell its voltages": "Der Zähler nennt keine Spannungen",
    "Current of the phases": "Strom der Phasen",
    "Current of each phase.": "Strom je Phase.",
    "The meter does not tell its currents": "Der Zähler nennt keine Ströme",
    "Grid frequency": "Netzfrequenz",
    "50 Hz, give or take a few hundredths.": "50 Hz, auf wenige Hundertstel genau.",
    "The meter does not tell the frequency": "Der Zähler nennt die Frequenz nicht",
}
