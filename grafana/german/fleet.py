"""German of the dashboard Fleet."""

from typing import Final

TEXTS: Final = {
    "IOmeter: Fleet": "IOmeter: Alle Bridges",
    "All bridges, those that need a hand first. The name of a bridge leads to its other dashboards.": (
        "Alle Bridges; zuerst die, bei denen etwas zu tun ist. Der Name einer Bridge führt zu ihren anderen "
        "Dashboards."
    ),
    "Bridges": "Bridges",
    "Bridges that the exporters know.": "Bridges, die den Exportern bekannt sind.",
    "Bridges that do not answer": "Bridges ohne Antwort",
    "Bridges without any valid document in the last scrape.": (
        "Bridges, die bei der letzten Abfrage kein gültiges Dokument geliefert haben."
    ),
    "Bridges that need a hand": "Bridges, bei denen etwas zu tun ist",
    "Bridges with any problem of those in the table.": (
        "Bridges, bei denen mindestens eines der Probleme aus der Tabelle vorliegt."
    ),
    "Power of all": "Leistung aller Bridges",
    "Sum of the power at the grid connections that are known now.": (
        "Summe der Leistungen an allen Netzanschlüssen, für die sie gerade bekannt ist."
    ),
    "No power known": "Leistung unbekannt",
    "All bridges": "Alle Bridges",
    "Sorted by the worst that needs a hand: a bridge that does not answer, a core out of reach or off the "
    "meter, a reading older than an hour, a battery nearly empty or low, a missing PIN, a weak radio or "
    "Wi-Fi. A dash is unknown, or a core without a battery.": (
        "Nach dem dringendsten Problem sortiert: Die Bridge antwortet nicht, der Core ist nicht erreichbar "
        "oder nicht am Zähler, der Messwert ist älter als eine Stunde, die Batterie ist fast leer oder "
        "schwach, die PIN fehlt, Funk oder WLAN ist schwach. Ein Strich heißt: unbekannt, oder der Core hat "
        "keine Batterie."
    ),
    "Drawn 24 h": "Bezug 24 h",
    "Fed in 24 h": "Einspeisung 24 h",
    "Home of this bridge": "Zuhause dieser Bridge",
    "Energy and cost of this bridge": "Energie und Kosten dieser Bridge",
    "Load profile of this bridge": "Lastprofil dieser Bridge",
    "Device health of this bridge": "Gerätezustand dieser Bridge",
}
