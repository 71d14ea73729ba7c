"""German of the dashboard Fleet."""

from typing import Final

TEXTS: Final = {
    "IOmeter: Fleet": "IOmeter: Alle Bridges",
    "All bridges, worst first. The name of a bridge leads to its other dashboards.": (
        "Alle Bridges, die schlechteste zuerst. Der Name einer Bridge führt zu ihren anderen Dashboards."
    ),
    "Bridges": "Bridges",
    "Bridges that the exporters know.": "Bridges, die den Exportern bekannt sind.",
    "Bridges that do not answer": "Bridges ohne Antwort",
    "Bridges without any valid document in the last scrape.": (
        "Bridges, die bei der letzten Abfrage kein gültiges Dokument lieferten."
    ),
    "Bridges with a problem": "Bridges mit einem Problem",
    "Bridges with a severity above 0.": "Bridges mit einer Schwere über 0.",
    "Power of all": "Leistung aller",
    "Sum of the power at the grid connections that are known now.": (
        "Summe der Leistungen an den Netzanschlüssen, die jetzt bekannt sind."
    ),
    "No power known": "Leistung unbekannt",
    "Bridges, worst first": "Bridges, die schlechteste zuerst",
    "Severity sums up what is wrong: no answer 100, core out of reach 50, core off the meter 40, reading "
    "older than "
    "an hour 30, battery critical 30 or low 10, PIN missing 5, weak radio 2, weak Wi-Fi 1. A dash is "
    "unknown.": (
        "Die Schwere zählt zusammen, was nicht stimmt: keine Antwort 100, Core nicht erreichbar 50, Core "
        "nicht am "
        "Zähler 40, Ablesung älter als eine Stunde 30, Batterie fast leer 30 oder schwach 10, PIN fehlt 5, "
        "schwacher Funk 2, schwaches WLAN 1. Ein Strich heißt unbekannt."
    ),
    "Core": "Core",
    "In place": "In Ordnung",
    "Answers": "Antwortet",
    "Age": "Alter",
    "Drawn 24 h": "Bezug 24 h",
    "Fed in 24 h": "Einsp. 24 h",
    "Radio": "Funk",
    "Wi-Fi": "WLAN",
    "PIN": "PIN",
    "Home of this bridge": "Zuhause dieser Bridge",
    "Energy and cost of this bridge": "Energie und Kosten dieser Bridge",
    "Load profile of this bridge": "Lastprofil dieser Bridge",
    "Device health of this bridge": "Gerätezustand dieser Bridge",
}
