"""German of the dashboard Provider."""

from typing import Final

TEXTS: Final = {
    "IOmeter: Provider": "IOmeter: Anbieter",
    "All installations that a provider has in the vendor's cloud: what they deliver, which of them need a "
    "hand, licenses, and the exporters that read them. Shards add up; what belongs to the account is shown "
    "once.": (
        "Alle Installationen, die ein Anbieter in der Cloud des Herstellers hat: was sie liefern, bei "
        "welchen etwas zu tun ist, die Lizenzen und die Exporter, die sie lesen. Die Teile der Exporter "
        "werden zusammengezählt; was zum Konto gehört, steht einmal da."
    ),
    "No exporter reads a provider": "Kein Exporter liest von einem Anbieter",
    "No license known": "Keine Lizenz bekannt",
    "Installations": "Installationen",
    "Installations that all exporters together serve.": (
        "Installationen, die alle Exporter zusammen ausgeben."
    ),
    "Silent installations": "Ohne Messwerte",
    "Installations whose newest reading is older than an hour; they send one every 15 minutes at least.": (
        "Installationen, deren neuester Messwert älter als eine Stunde ist; üblich ist mindestens einer alle "
        "15 Minuten."
    ),
    "Need a hand": "Handlungsbedarf",
    "Installations with any problem of those in the table below.": (
        "Installationen, bei denen mindestens eines der Probleme aus der Tabelle unten vorliegt."
    ),
    "Ending licenses": "Lizenzen enden",
    "Licenses that end in the next 14 days and do not renew themselves.": (
        "Lizenzen, die in den nächsten 14 Tagen enden und sich nicht selbst verlängern."
    ),
    "Time since the whole inventory was read for the last time, of the oldest shard.": (
        "Zeit, seit der ganze Bestand zuletzt gelesen wurde; die längste aller Exporter."
    ),
    "Provider API": "Provider-API",
    "Whether all exporters have read the inventory without an error the last time.": (
        "Ob alle Exporter den Bestand zuletzt fehlerfrei gelesen haben."
    ),
    "Readings a minute": "Messwerte je Minute",
    "Readings received: accepted, received before, or not believable.": (
        "Empfangene Messwerte: angenommen, schon einmal empfangen oder unglaubhaft."
    ),
    "accepted": "angenommen",
    "duplicate": "doppelt",
    "rejected": "verworfen",
    "Delay of readings": "Verzögerung der Messwerte",
    "Time from a reading at the meter to its receipt by the cloud, of the readings of an hour.": (
        "Zeit von der Messung am Zähler bis zum Empfang in der Cloud, für die Messwerte einer Stunde."
    ),
    "half of them within": "die Hälfte innerhalb von",
    "95 % within": "95 % innerhalb von",
    "No reading in an hour": "Kein Messwert seit einer Stunde",
    "What needs a hand": "Was zu tun ist",
    "Only installations with a problem, the worst first, at most 100 of them; a dash is no problem, or "
    "unknown. Silent is who has sent no reading for an hour.": (
        "Nur Installationen mit einem Problem, das dringendste zuerst, höchstens 100. Ein Strich heißt: kein "
        "Problem, oder unbekannt. Stumm ist, wer seit einer Stunde keinen Messwert geliefert hat."
    ),
    "Nothing needs a hand": "Nichts zu tun",
    "Silent": "Stumm",
    "Bridge offline": "Bridge offline",
    "License has ended": "Lizenz abgelaufen",
    "License about to end": "Lizenz läuft bald ab",
    "Local push fails": "Lokaler Push schlägt fehl",
    "Silent for": "Stumm seit",
    "Cloud": "Cloud",
    "Offline": "Offline",
    "License ends": "Lizenzende",
    "Alerts of prometheus/alerts.yml on the provider and the exporters; none without that file loaded in "
    "Prometheus.": (
        "Alarme aus prometheus/alerts.yml zum Anbieter und zu den Exportern; keine, solange Prometheus diese "
        "Datei nicht lädt."
    ),
    "Licenses": "Lizenzen",
    "License pools": "Lizenzpools",
    "Used share of each license pool; when it is full, no customer can be registered from it.": (
        "Genutzter Anteil jedes Lizenzpools; ist er voll, kann daraus niemand mehr angemeldet werden."
    ),
    "No license pool known": "Kein Lizenzpool bekannt",
    "Licenses that end next": "Als Nächstes ablaufende Lizenzen",
    "The next licenses to end that do not renew themselves, at most 20.": (
        "Die Lizenzen, die als Nächstes enden und sich nicht selbst verlängern, höchstens 20."
    ),
    "Installations by the state of their license.": "Installationen nach dem Zustand ihrer Lizenz.",
    "active": "gültig",
    "expired": "abgelaufen",
    "inactive": "künftig",
    "API and exporters": "API und Exporter",
    "Request errors": "Fehler der Anfragen",
    "Errors of the provider API, a minute, by operation and reason. docs/provider.md explains them.": (
        "Fehler der Provider-API je Minute, nach Art der Anfrage und Grund. docs/provider.md erklärt sie."
    ),
    "No request failed": "Keine Anfrage fehlgeschlagen",
    "Duration of requests": "Dauer der Anfragen",
    "Time that the last request of each kind took, of the slowest exporter.": (
        "Wie lange die letzte Anfrage jeder Art gedauert hat, beim langsamsten Exporter."
    ),
    "Shards": "Exporter und ihre Teile",
    "A row for each exporter that reads the provider; the oldest inventory first. Reconnects of the "
    "subscription are those in the range.": (
        "Eine Zeile für jeden Exporter, der vom Anbieter liest; der mit dem ältesten Bestand zuerst. "
        "Abbrüche des Abonnements sind die im gezeigten Zeitraum, nach denen es neu verbunden wurde."
    ),
    "API": "API",
    "Inventory age": "Alter des Bestands",
    "Inventory": "Bestand",
    "Readings/min": "Werte/min",
    "Subscription": "Abonnement",
    "Reconnects": "Abbrüche",
    "Signing keys": "Signaturschlüssel",
    "Keys that sign registration tokens, and whether they may.": (
        "Schlüssel, mit denen Anmeldungen signiert werden, und ob sie das dürfen."
    ),
    "Name": "Name",
    "Key": "Schlüssel",
    "Enabled": "Aktiv",
    "No": "Nein",
    "Yes": "Ja",
    "No signing key known": "Kein Signaturschlüssel bekannt",
}
