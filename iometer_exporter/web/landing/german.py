"""The German of the page: each English text that it says, and how a German says it."""

from collections.abc import Mapping
from typing import Final

GERMAN: Final[Mapping[str, str]] = {
    # states
    "{count} of {all} well": "{count} von {all} in Ordnung",
    "well": "in Ordnung",
    "down": "nicht erreichbar",
    "needs a hand": "braucht Hilfe",
    "need a hand": "brauchen Hilfe",
    "being asked": "wird gefragt",
    # power
    "from the grid": "aus dem Netz",
    "into the grid": "ins Netz",
    "balanced": "ausgeglichen",
    "last seen {moment}": "zuletzt gesehen {moment}",
    "{age} ago": "vor {age}",
    "in the future": "in der Zukunft",
    "now": "jetzt",
    "up to {power} drawn": "bis {power} Bezug",
    "up to {power} fed in": "bis {power} Einspeisung",
    "Power of the last {hours}: {extent}": "Leistung der letzten {hours}: {extent}",
    "The curve of the last hours begins here.": "Hier beginnt die Kurve der letzten Stunden.",
    "no answer yet": "noch keine Antwort",
    "no reading yet": "noch kein Messwert",
    "no power without the PIN": "ohne PIN keine Leistung",
    "the meter sends no power": "der Zähler sendet keine Leistung",
    # energies and phases
    "Drawn": "Bezug",
    "Fed in": "Einspeisung",
    "tariff {tariff}": "Tarif {tariff}",
    "Today": "Heute",
    "Yesterday": "Gestern",
    "Total": "Zählerstand",
    "since {moment}": "seit {moment}",
    "until {moment}": "bis {moment}",
    "Phase": "Phase",
    "Power": "Leistung",
    "Voltage": "Spannung",
    "Current": "Strom",
    # facts
    "Reading": "Messwert",
    "Last seen": "Zuletzt gesehen",
    "Wi-Fi": "WLAN",
    "Core": "Core",
    "{level} of 4 bars": "{level} von 4 Balken",
    "Battery": "Batterie",
    "Power supply": "Stromversorgung",
    "wired": "Kabel",
    "battery": "Batterie",
    "Frequency": "Frequenz",
    "Firmware": "Firmware",
    "Meter": "Zähler",
    "Address": "Adresse",
    "Check in detail": "Genauer prüfen",
    # provider
    "Provider API": "Provider-API",
    "installations": "Anlagen",
    "Inventory": "Bestand",
    "none yet": "noch keiner",
    "Readings": "Messwerte",
    "as they come": "sobald sie kommen",
    "none at the moment": "zurzeit keine",
    "asked for every minute": "jede Minute abgefragt",
    "with the inventory only": "nur mit dem Bestand",
    "The provider API does not do what it is asked.": "Die Provider-API tut nicht, worum sie gebeten wird.",
    "What is known is served on. The log of the exporter says more.": (
        "Was bekannt ist, wird weiter gezeigt. Mehr sagt das Protokoll des Exporters."
    ),
    # units of time
    "s": "s",
    "min": "min",
    "h": "h",
    "d": "d",
    # top, notices, footer
    "The new configuration has a mistake and is not in force.": (
        "Die neue Konfiguration hat einen Fehler und gilt nicht."
    ),
    "The exporter goes on with the one of {moment}. At its next start it would not come up.": (
        "Der Exporter arbeitet mit der von {moment} weiter. Einen Neustart würde er so nicht überstehen."
    ),
    "More bridges announce themselves than the exporter reads.": (
        "Es melden sich mehr Bridges, als der Exporter abfragt."
    ),
    "Name yours in the configuration, or raise the limit there.": (
        "Eigene Bridges in der Konfiguration nennen oder dort die Obergrenze anheben."
    ),
    "Looking for bridges in this network …": "Bridges in diesem Netz werden gesucht …",
    "This takes a few seconds.": "Das dauert einige Sekunden.",
    "No bridge has announced itself in this network yet.": (
        "In diesem Netz hat sich noch keine Bridge gemeldet."
    ),
    "A bridge must be in the same network segment as this host.": (
        "Eine Bridge muss im selben Netzsegment sein wie dieser Rechner."
    ),
    "Otherwise start the exporter with its address: ": "Sonst den Exporter mit ihrer Adresse starten: ",
    "No bridge is configured, and discovery is off.": (
        "Es ist keine Bridge konfiguriert, und die Suche ist abgeschaltet."
    ),
    "Start the exporter with one of these: ": "Den Exporter mit einer dieser Angaben starten: ",
    "Dashboards": "Dashboards",
    "Documentation": "Dokumentation",
    "Metrics": "Metriken",
    "Targets": "Ziele",
    "Health": "Zustand",
    "Read at {clock}, again in {seconds}": "Gelesen um {clock}, wieder in {seconds}",
    # what is wrong with a bridge
    "The bridge answers, but shows neither its reading nor its status.": (
        "Die Bridge antwortet, zeigt aber weder Messwert noch Status."
    ),
    "Unlock the local interface for this device in the IOmeter app, or ask IOmeter's support to. "
    "If this is no IOmeter bridge, correct the address.": (
        "Die lokale Schnittstelle für dieses Gerät in der IOmeter-App freischalten oder den Support von "
        "IOmeter darum bitten. Ist es keine IOmeter-Bridge, die Adresse berichtigen."
    ),
    "The name of the bridge does not resolve.": "Der Name der Bridge lässt sich nicht auflösen.",
    "Check its spelling, or use the IP address that your router shows for the bridge.": (
        "Die Schreibweise prüfen oder die IP-Adresse nehmen, die der Router für die Bridge zeigt."
    ),
    "Nothing answers at this address.": "Unter dieser Adresse antwortet nichts.",
    "Check that the address is that of the bridge, that it has power and is in this network.": (
        "Prüfen, ob die Adresse die der Bridge ist und ob sie Strom hat und in diesem Netz ist."
    ),
    "The bridge does not answer in time.": "Die Bridge antwortet nicht rechtzeitig.",
    "Check that it has power and good Wi-Fi, and that no firewall is in between.": (
        "Prüfen, ob sie Strom und gutes WLAN hat und keine Firewall dazwischen ist."
    ),
    "The bridge answers with an error.": "Die Bridge antwortet mit einem Fehler.",
    "Check that the address is that of the bridge, and restart the bridge if it is.": (
        "Prüfen, ob die Adresse die der Bridge ist; wenn ja, die Bridge neu starten."
    ),
    "What answers does not speak like a bridge.": "Was dort antwortet, spricht nicht wie eine Bridge.",
    "Check that the address is that of an IOmeter bridge and of no other device.": (
        "Prüfen, ob die Adresse die einer IOmeter-Bridge und nicht eines anderen Geräts ist."
    ),
    "The bridge has no reading.": "Die Bridge hat keinen Messwert.",
    "After set-up this takes some minutes. If it stays so, check the core on the meter.": (
        "Nach der Einrichtung dauert das einige Minuten. Bleibt es so, den Core am Zähler prüfen."
    ),
    "The bridge gives its status, but no reading.": "Die Bridge gibt ihren Status, aber keinen Messwert.",
    "The bridge gives its reading, but no status.": "Die Bridge gibt ihren Messwert, aber keinen Status.",
    "Restart the bridge if this stays.": "Bleibt es so, die Bridge neu starten.",
    "There is no status: this firmware has none.": "Einen Status gibt es nicht: diese Firmware hat keinen.",
    "The core does not reach the bridge.": "Der Core erreicht die Bridge nicht.",
    "Bring the bridge nearer to the meter, and check the core's battery.": (
        "Die Bridge näher an den Zähler bringen und die Batterie des Cores prüfen."
    ),
    "The core has come off the meter.": "Der Core sitzt nicht mehr auf dem Zähler.",
    "Put it back onto the meter's optical port.": "Wieder auf die optische Schnittstelle des Zählers setzen.",
    "The PIN of the meter is missing: it shows only whole kWh and no power.": (
        "Die PIN des Zählers fehlt: Er zeigt nur ganze kWh und keine Leistung."
    ),
    "Get the PIN from the operator of the meter, and enter it in the IOmeter app.": (
        "Die PIN beim Messstellenbetreiber erfragen und in der IOmeter-App eingeben."
    ),
    "The PIN of the meter is being entered.": "Die PIN des Zählers wird gerade eingegeben.",
    "The battery of the core is at {level}.": "Die Batterie des Cores ist bei {level}.",
    "Replace the batteries now.": "Jetzt die Batterien wechseln.",
    "Have new batteries at hand.": "Neue Batterien bereithalten.",
    "The reading is {age} old.": "Der Messwert ist {age} alt.",
    "Check the core on the meter, its way to the bridge, and how often it reads, which is set in the app.": (
        "Den Core am Zähler prüfen, seinen Weg zur Bridge und wie oft er abliest (in der App eingestellt)."
    ),
    "The reading is {age} in the future.": "Der Messwert liegt {age} in der Zukunft.",
    "Check the clock of this host. The bridge takes its own from the internet.": (
        "Die Uhr dieses Rechners prüfen. Die Bridge hat ihre aus dem Internet."
    ),
    "The bridge shows an older reading again; the last good one stays.": (
        "Die Bridge zeigt noch einmal einen älteren Messwert; der letzte gute bleibt."
    ),
    "This passes by itself.": "Das geht von selbst vorbei.",
    "The bridge shows less energy than before; the last good reading stays.": (
        "Die Bridge zeigt weniger Energie als zuvor; der letzte gute Messwert bleibt."
    ),
    "The bridge shows more energy than can have flowed; the last good reading stays.": (
        "Die Bridge zeigt mehr Energie, als geflossen sein kann; der letzte gute Messwert bleibt."
    ),
    "If the meter itself shows this, it is believed after some minutes.": (
        "Zeigt das der Zähler selbst, wird es nach einigen Minuten geglaubt."
    ),
    "{count} readings were refused since the start.": "Seit dem Start wurden {count} Messwerte verworfen.",
    "One reading was refused.": "Ein Messwert wurde verworfen.",
    "Something that the bridge sends cannot be used and is left out.": (
        "Etwas, das die Bridge sendet, ist unbrauchbar und wird weggelassen."
    ),
    "Everything else is served. Please report it, with the version of the firmware.": (
        "Alles andere wird gezeigt. Bitte melden, mit der Version der Firmware."
    ),
}
