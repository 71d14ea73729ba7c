"""German of the dashboard Device health."""

from typing import Final

TEXTS: Final = {
    "IOmeter: Device health": "IOmeter: Gerätezustand",
    "Whether bridges, cores and the exporter work, and how well.": (
        "Ob und wie gut Bridges, Cores und der Exporter arbeiten."
    ),
    "Connections": "Verbindungen",
    "Bridge answers": "Bridge antwortet",
    "Up while a bridge gives at least one valid document.": (
        "Erreichbar, solange eine Bridge mindestens ein gültiges Dokument liefert."
    ),
    "Up": "Erreichbar",
    "Down": "Ausgefallen",
    "No bridge known": "Keine Bridge bekannt",
    "Endpoints": "Endpunkte",
    "Up while /v1/reading or /v1/status gives a valid document.": (
        "Erreichbar, solange /v1/reading oder /v1/status ein gültiges Dokument liefert."
    ),
    "Core reaches bridge": "Core erreicht Bridge",
    "The 868 MHz connection between the core and its bridge.": (
        "Die 868-MHz-Verbindung zwischen Core und Bridge."
    ),
    "Core sits on meter": "Core sitzt am Zähler",
    "Whether the core is attached to the meter.": "Ob der Core am Zähler befestigt ist.",
    "Attached": "Befestigt",
    "Detached": "Abgenommen",
    "PIN of the meter": "PIN des Zählers",
    "Without its PIN a meter tells whole kWh and no power.": (
        "Ohne PIN nennt ein Zähler ganze kWh und keine Leistung."
    ),
    "Entered": "Eingegeben",
    "Pending": "Läuft",
    "Missing": "Fehlt",
    "Unknown state": "Unbekannter Zustand",
    "Power source": "Stromversorgung",
    "What the core is powered by.": "Woraus der Core versorgt wird.",
    "Battery": "Batterie",
    "Wired": "Netzteil",
    "Battery and radio": "Batterie und Funk",
    "Charge of the core's batteries.": "Ladung der Batterien des Core.",
    "Battery days left": "Batterie: Tage übrig",
    "Days until the battery is empty if it goes on as in the last 14 days. The level comes in steps of 1 %, "
    "so the "
    "first weeks say little; empty while it does not fall.": (
        "Tage, bis die Batterie leer ist, wenn es weitergeht wie in den letzten 14 Tagen. Der Stand kommt in "
        "Schritten von 1 %, die ersten Wochen sagen daher wenig; leer, solange er nicht fällt."
    ),
    "No battery, or it did not fall in 14 days": "Keine Batterie, oder sie fiel seit 14 Tagen nicht",
    "Battery, last 30 days": "Batterie, letzte 30 Tage",
    "Charge of the core's batteries, whatever range is chosen above.": (
        "Ladung der Batterien des Core, unabhängig vom oben gewählten Zeitraum."
    ),
    "868 MHz signal between core and bridge; nearer to zero is better. The line is the limit of the alert.": (
        "868-MHz-Signal zwischen Core und Bridge; näher an null ist besser. Die Linie ist die Grenze des "
        "Alarms."
    ),
    "Wi-Fi signal at the bridge; nearer to zero is better. The line is the limit of the alert.": (
        "WLAN-Signal an der Bridge; näher an null ist besser. Die Linie ist die Grenze des Alarms."
    ),
    "Readings": "Ablesungen",
    "Time since the meter was last read; the interval set in the app shows as teeth of a saw.": (
        "Zeit seit der letzten Ablesung; das in der App eingestellte Intervall erscheint als Sägezahn."
    ),
    "Readings rejected": "Verworfene Ablesungen",
    "Readings that were not served, by reason: replayed (older than the last), decreased, implausible. Some "
    "firmware "
    "replays a few every 15 minutes.": (
        "Ablesungen, die nicht ausgegeben wurden, nach Grund: replayed (älter als die letzte), decreased "
        "(gefallen), "
        "implausible (unglaubhaft hoch). Manche Firmware wiederholt alle 15 Minuten einige alte."
    ),
    "No reading was rejected": "Keine Ablesung verworfen",
    "How often an energy register fell in the range: a new meter, or wrong readings.": (
        "Wie oft ein Zählwerk im Zeitraum fiel: neuer Zähler oder falsche Ablesungen."
    ),
    "Fetches": "Abrufe",
    "Firmware and registers": "Firmware und Register",
    "Duration of fetches": "Dauer der Abrufe",
    "How long a bridge took to answer. Some take seconds now and then.": (
        "Wie lange eine Bridge für ihre Antwort brauchte. Manche brauchen ab und zu Sekunden."
    ),
    "Errors by reason": "Fehler nach Grund",
    "Fetches without a valid document, a minute. docs/troubleshooting.md explains the reasons.": (
        "Abrufe ohne gültiges Dokument je Minute. docs/troubleshooting.md erklärt die Gründe."
    ),
    "No fetch failed": "Kein Abruf misslungen",
    "Firmware": "Firmware",
    "Versions of bridge and core, and the device's identity.": (
        "Versionen von Bridge und Core und die Kennung des Geräts."
    ),
    "Bridge firmware": "Firmware der Bridge",
    "Core firmware": "Firmware des Core",
    "Device": "Gerät",
    "Installation": "Installation",
    "Exporter answers": "Exporter antwortet",
    "Up while Prometheus can scrape the exporter.": (
        "Erreichbar, solange Prometheus den Exporter abfragen kann."
    ),
    "No exporter known": "Kein Exporter bekannt",
    "How often the exporter was started again in the range.": (
        "Wie oft der Exporter im Zeitraum neu gestartet wurde."
    ),
    "Bridges known": "Bekannte Bridges",
    "By how they became known.": "Danach, wie sie bekannt wurden.",
    "Configuration": "Konfiguration",
    "Whether the configuration was valid when it was last read.": (
        "Ob die Konfiguration beim letzten Einlesen gültig war."
    ),
    "Valid": "Gültig",
    "Refused": "Abgelehnt",
    "Configuration read": "Konfiguration eingelesen",
    "When a valid configuration was last read.": "Wann zuletzt eine gültige Konfiguration eingelesen wurde.",
    "Registers as sent": "Register wie gesendet",
    "Every register of the last reading in its own unit, as the bridge sent it and not checked.": (
        "Jedes Register der letzten Ablesung in seiner Einheit, wie von der Bridge gesendet und ungeprüft."
    ),
    "No reading": "Keine Ablesung",
    "OBIS": "OBIS",
    "Value as sent": "Wert",
    "Unit": "Einheit",
    "Versions": "Versionen",
    "Version of the exporter and of its Python.": "Version des Exporters und seines Pythons.",
    "Version": "Version",
    "Python": "Python",
}
