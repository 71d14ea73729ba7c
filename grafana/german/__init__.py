"""The German of every text, by its English: a module for each dashboard; shared texts are in the first."""

from typing import Final

from grafana.german import energy, fleet, health, home, load, provider

MODULES: Final = (home, energy, load, health, fleet, provider)

GERMAN: Final[dict[str, str]] = {
    english: german for module in MODULES for english, german in module.TEXTS.items()
}
