"""German of the dashboard Device health."""

from typing import Final

TEXTS: Final = {
    "IOmeter: Device health": "IOmeter: Gerätezustand",
    "Whether bridges, cores and the exporter work, and how well.": (
        "Ob und wie gut Bridges, Cores und der Exporter arbeiten."
    ),
    "A row for each bridge, those that need a hand first. Age is that of the last reading; days left are "
    "those until the battery is empty if it goes on as in the last 14 days: the level comes in steps of 1 %, "
    "so the first weeks say little. A dash is unknown, or a core without a battery.": (
        "Eine Zeile für jede Bridge; zuerst die, bei denen etwas zu tun ist. Das Alter ist das des letzten "
        "Messwerts. Die Batterie reicht noch die angegebenen Tage, wenn es weitergeht wie in den letzten 14 "
        "Tagen: Die Ladung wird in ganzen Prozent gemeldet, deshalb sagen die ersten Wochen wenig. Ein "
        "Strich heißt: unbekannt, oder der Core hat keine Batterie."
    ),
    "Answers": "Antwortet",
    "Core": "Core",
    "In place": "In Ordnung",
    "PIN": "PIN",
    "Days left": "Tage übrig",
    "Connections": "Verbindungen",
    "Bridge answers": "Bridge antwortet",
    "Up while a bridge gives at least one valid document.": (
        "Erreichbar, solange eine Bridge mindestens ein gültiges Dokument liefert."
    ),
    "Up": "Erreichbar",
    "Down": "Ausgefallen",
    "Endpoints": "Endpunkte",
    "Up while /v1/reading or /v1/status gives a valid document.": (
        "Erreichbar, solange /v1/reading oder /v1/status ein gültiges Dokument liefert."
    ),
    "Core reaches bridge": "Core erreicht Bridge",
    "The 868 MHz connection between the core and its bridge.": (
        "Die 868-MHz-Verbindung zwischen dem Core und seiner Bridge."
    ),
    "Connected": "Verbunden",
    "Disconnected": "Getrennt",
    "No status of the device": "Kein Status des Geräts",
    "Core sits on meter": "Core sitzt am Zähler",
    "Whether the core is attached to the meter.": "Ob der Core am Zähler befestigt ist.",
    "Attached": "Befestigt",
    "Detached": "Abgenommen",
    "PIN of the meter": "PIN des Zählers",
    "Without its PIN a meter tells whole kWh and no power.": (
        "Ohne PIN nennt ein Zähler nur ganze kWh und keine Leistung."
    ),
    "Entered": "Eingegeben",
    "Pending": "Ausstehend",
    "Missing": "Fehlt",
    "Unknown state": "Unbekannter Zustand",
    "Power source": "Stromversorgung",
    "What the core is powered by.": "Woher der Core seinen Strom bekommt.",
    "Wired": "Netzteil",
    "More states": "Weitere Zustände",
    "Battery and radio": "Batterie und Funk",
    "Battery, last 30 days": "Batterie, letzte 30 Tage",
    "Charge of the core's batteries, whatever range is chosen above.": (
        "Ladung der Batterien des Cores, unabhängig vom oben gewählten Zeitraum."
    ),
    "No battery: powered by wire, or no status": (
        "Keine Batterie: Der Core hat ein Netzteil oder keinen Status"
    ),
    "Radio of the core": "Funk des Cores",
    "868 MHz signal between core and bridge; nearer to zero is better. The line is the limit of the alert.": (
        "868-MHz-Signal zwischen Core und Bridge; näher an null ist besser. Die Linie ist die Grenze, unter "
        "der ein Alarm ausgelöst wird."
    ),
    "Wi-Fi of the bridge": "WLAN der Bridge",
    "Wi-Fi signal at the bridge; nearer to zero is better. The line is the limit of the alert.": (
        "WLAN-Signal an der Bridge; näher an null ist besser. Die Linie ist die Grenze, unter der ein Alarm "
        "ausgelöst wird."
    ),
    "Readings": "Messwerte",
    "Age of the reading": "Alter des Messwerts",
    "Time since the meter was last read; the interval set in the app shows as teeth of a saw.": (
        "Zeit seit dem letzten Messwert; das in der App eingestellte Intervall zeigt sich als Sägezahn."
    ),
    "No reading in the last day": "Kein Messwert seit einem Tag",
    "Readings rejected": "Verworfene Messwerte",
    "Readings that were not served, by reason: replayed (older than the last), decreased, implausible. Some "
    "firmware replays a few every 15 minutes.": (
        "Messwerte, die nicht ausgegeben wurden, nach Grund: replayed (älter als der letzte), decreased "
        "(gesunken), implausible (unglaubhaft hoch). Manche Firmware wiederholt alle 15 Minuten einige alte."
    ),
    "No reading was rejected": "Kein Messwert verworfen",
    "How often an energy register of any bridge fell in the range: a new meter, or wrong readings. Marks on "
    "the curves say which.": (
        "Wie oft ein Zählerstand irgendeiner Bridge im gezeigten Zeitraum gesunken ist: neuer Zähler oder "
        "falsche Messwerte. Markierungen in den Kurven zeigen, welcher."
    ),
    "Event streams": "Live-Verbindungen",
    "Stream followed": "Live verfolgt",
    "Whether scrapes are answered with the newest event of the stream; otherwise the endpoint is fetched. "
    "Needs `live` in the configuration.": (
        "Ob Abfragen mit dem neuesten Live-Messwert beantwortet werden; sonst wird der Endpunkt abgerufen. "
        "Setzt `live` in der Konfiguration voraus."
    ),
    "Fetched": "Abgerufen",
    "Followed": "Live",
    "Events of streams": "Live empfangen",
    "Documents that came as events, a minute.": "Dokumente, die live empfangen wurden, je Minute.",
    "Streams opened again": "Erneut verbunden",
    "How often a stream began again after it had ended, a minute.": (
        "Wie oft eine Live-Verbindung nach ihrem Ende neu aufgebaut wurde, je Minute."
    ),
    "No stream had to be opened again": "Keine Live-Verbindung musste neu aufgebaut werden",
    "Fetches": "Abrufe",
    "Duration of fetches": "Dauer der Abrufe",
    "How long a bridge took to answer. Some take seconds now and then.": (
        "Wie lange eine Bridge für ihre Antwort gebraucht hat. Manche brauchen ab und zu Sekunden."
    ),
    "Errors by reason": "Fehler nach Grund",
    "Fetches without a valid document, a minute. docs/troubleshooting.md explains the reasons.": (
        "Abrufe ohne gültiges Dokument, je Minute. docs/troubleshooting.md erklärt die Gründe."
    ),
    "No fetch failed": "Kein Abruf fehlgeschlagen",
    "Firmware and registers": "Firmware und Register",
    "Firmware": "Firmware",
    "Versions of bridge and core, and the device's identity.": (
        "Versionen von Bridge und Core und die Kennung des Geräts."
    ),
    "Bridge firmware": "Firmware der Bridge",
    "Core firmware": "Firmware des Cores",
    "Device": "Gerät",
    "Installation": "Installation",
    "Exporter answers": "Exporter antwortet",
    "Up while Prometheus can scrape the exporter.": (
        "Erreichbar, solange Prometheus den Exporter abfragen kann."
    ),
    "No exporter known": "Kein Exporter bekannt",
    "How often the exporter was started again in the range.": (
        "Wie oft der Exporter im gezeigten Zeitraum neu gestartet wurde."
    ),
    "Bridges known": "Bekannte Bridges",
    "By how they became known.": "Wie sie bekannt wurden: aus der Konfiguration oder im Netz gefunden.",
    "configured": "konfiguriert",
    "discovered": "gefunden",
    "Configuration": "Konfiguration",
    "Whether the configuration was valid when it was last read.": (
        "Ob die Konfiguration gültig war, als sie zuletzt eingelesen wurde."
    ),
    "Valid": "Gültig",
    "Refused": "Abgelehnt",
    "Configuration read": "Konfiguration eingelesen",
    "When a valid configuration was last read.": "Wann zuletzt eine gültige Konfiguration eingelesen wurde.",
    "Registers as sent": "Register wie gesendet",
    "Every register of the last reading in its own unit, as the bridge sent it and not checked.": (
        "Jedes Register des letzten Messwerts in seiner eigenen Einheit, ungeprüft und so, wie die Bridge es "
        "gesendet hat."
    ),
    "No reading": "Kein Messwert",
    "OBIS": "OBIS",
    "Value as sent": "Wert",
    "Unit": "Einheit",
    "Versions": "Versionen",
    "Version of the exporter and of its Python.": "Version des Exporters und des Pythons, mit dem er läuft.",
    "Version": "Version",
    "Python": "Python",
}
