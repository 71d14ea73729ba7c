"""The page for people with simulated bridges in every state, and its pictures in docs/.

`python -m devtools.landing -o docs` draws docs/landing.png and docs/landing.de.png (needs chromium,
Pillow); with `--all`, pages in every state are written to the folder as HTML, to look at.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from devtools.processes import program
from iometer_exporter.bridges.glance import Glance
from iometer_exporter.errors import FetchError
from iometer_exporter.meter.course import Course, Recent
from iometer_exporter.meter.models import ENDPOINTS, parse_reading, parse_status
from iometer_exporter.provider.source import Summary
from iometer_exporter.simulator import Fault, SimulatedBridge
from iometer_exporter.web.landing.language import DEUTSCH, ENGLISH, LANGUAGES, Language
from iometer_exporter.web.landing.page import Page, render_page

BERLIN: Final = ZoneInfo("Europe/Berlin")

NOON: Final = datetime(2026, 6, 18, 13, 0, 32, tzinfo=BERLIN).timestamp()

PROVIDER: Final = Summary(
    name="Stadtwerke Musterstadt",
    installations=12_480,
    inventory_at=NOON - 140,
    readings="subscribe",
    is_subscribed=True,
    problems=(),
)


@dataclass(frozen=True)
class Sample:
    """A bridge to show: its number in the simulation, and what is wrong with it since when."""

    name: str
    number: int = 1
    faults: tuple[Fault, ...] = ()
    silent_for: float = 0.0
    """Seconds since it last gave a reading."""
    begins_before: float = 38 * 3600.0
    """Seconds for which the exporter has run."""


EVERYDAY: Final = (
    Sample("House", 1, ("three-phase",)),
    Sample("Heat pump", 2, ("tariffs", "battery-low")),
    Sample("Workshop", 3, silent_for=2_760.0),
)

NAMES: Final = {"de": {"House": "Haus", "Heat pump": "Wärmepumpe", "Workshop": "Werkstatt"}}
"""By language, where they are other ones."""


def glance_of(sample: Sample, *, quick: bool = False) -> Glance:
    """The glance at noon at a bridge that was read every minute; `quick`: less often and not for so long."""
    step, longest = (600, 7 * 3600.0) if quick else (60, sample.begins_before)
    end = NOON - sample.silent_for
    start = min(NOON - min(sample.begins_before, longest), end - step)
    bridge = SimulatedBridge(sample.number, seed=11, faults=sample.faults, clock=lambda: start)
    bridge.faults -= {"detached", "disconnected"}
    course = Course(BERLIN)
    times = [*range(int(start), int(end) - 2, step), int(end) - 2]
    for time in times:
        reading = parse_reading(json.dumps(bridge.reading(float(time))).encode())
        course.follow(reading, time, is_held=False)
    bridge.faults |= set(sample.faults)
    status = parse_status(json.dumps(bridge.status(end)).encode())
    return Glance(
        name=sample.name,
        address=f"192.168.1.{50 + sample.number}",
        meter=bridge.meter,
        reading=reading,
        status=status,
        answered_at=end,
        seen_for=sample.silent_for,
        recent=course.recent(NOON, datetime.fromtimestamp(NOON, UTC)),
    )


def silent(glance: Glance) -> Glance:
    """The bridge while it does not answer."""
    failure = FetchError("timeout", "no complete answer within 10.0 s")
    return replace(glance, failures=dict.fromkeys(ENDPOINTS, failure))


def everyday_glances(*, quick: bool = False) -> list[Glance]:
    """A house, a heat pump with a weak battery, and a bridge that went away."""
    house, pump, workshop = (glance_of(sample, quick=quick) for sample in EVERYDAY)
    return [house, pump, silent(workshop)]


def glances_of_every_kind(*, quick: bool = False) -> list[Glance]:
    """Fifteen bridges: everything that a card can look like."""
    kinds = (
        Sample("House", 1),
        Sample("Heat pump", 2, ("tariffs",)),
        Sample("Workshop", 3, ("three-phase", "wired")),
        Sample("Garage", 4, ("import-only", "wired")),
        Sample("Cellar", 5, ("pin-missing",)),
        Sample("Barn", 6, ("detached",), silent_for=231.0),
        Sample("Stable", 7, ("disconnected",), silent_for=4_000.0),
        Sample("Attic", 8, ("battery-low", "three-phase", "tariffs")),
        Sample("iometer-a2bc7f-with-a-long-name-in-one-word-that-must-wrap.example.org", 9),
        Sample("Shed", 10, ("phase-only",), begins_before=4 * 3600.0),
        Sample("Away", 11, silent_for=18 * 3600.0),
        Sample("Refused", 12),
    )
    glances = [glance_of(sample, quick=quick) for sample in kinds]
    glances[10] = silent(glances[10])
    glances[11] = replace(glances[11], rejection="decreased", rejected={"decreased": 3, "replayed": 1})
    nobody = FetchError("connect", "connection refused")
    empty = FetchError("no_data", "answered 404: there is no data yet")
    return [
        *glances,
        Glance("New", "192.168.1.70", "", is_asked=False),
        Glance("Nobody", "192.168.1.71", "", failures=dict.fromkeys(ENDPOINTS, nobody)),
        replace(glances[1], name="Fresh", reading=None, failures={"reading": empty}, recent=Recent()),
    ]


def page_of(glances: Iterable[Glance], *, provider: Summary | None = None) -> Page:
    """The page at noon of a summer's day."""
    return Page(
        tuple(glances),
        now=NOON,
        stale_after=1200.0,
        discovery=True,
        loaded_at=NOON - 90_000,
        provider=provider,
        dashboard_url="https://grafana.example/d/iometer",
    )


def localized(language: Language) -> Language:
    """The language with the time zone of the samples."""
    return replace(language, zone=BERLIN)


def pages_to_look_at(*, quick: bool = False) -> Iterator[tuple[str, Page]]:
    """Pages in every state, by name; `quick` as for each bridge."""
    everyday, every_kind = everyday_glances(quick=quick), glances_of_every_kind(quick=quick)
    yield "one", page_of(everyday[:1])
    yield "three", page_of(everyday)
    yield (
        "fifteen",
        replace(
            page_of(every_kind, provider=PROVIDER),
            reload_error="config.yml: timout: unknown key, did you mean 'timeout'?",
        ),
    )
    yield "none", page_of(())
    problem = "the provider API answered status 503"
    troubled = replace(PROVIDER, name="", inventory_at=None, is_subscribed=False, problems=(problem,))
    yield "provider", page_of((), provider=troubled)


def shoot(html: str, picture: Path, *, width: int, height: int, dark: bool = False) -> None:
    """A picture of the page as a browser draws it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(html, encoding="utf-8")
        command = [
            program("chromium"),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
            f"--window-size={width},{height}",
            f"--screenshot={picture.absolute()}",
            *(["--blink-settings=preferredColorScheme=0"] if dark else []),
            file.as_uri(),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=60)


def main() -> None:
    """Draw the pictures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    parser.add_argument("--all", action="store_true", help="everything, to look at")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    if options.all:
        for name, page in pages_to_look_at():
            for language in LANGUAGES:
                html = render_page(page, localized(language))
                (options.output / f"{name}.{language.code}.html").write_text(html, encoding="utf-8")
        return
    glances = everyday_glances()
    for language, name in ((ENGLISH, "landing.png"), (DEUTSCH, "landing.de.png")):
        names = NAMES.get(language.code, {})
        page = page_of(replace(glance, name=names.get(glance.name, glance.name)) for glance in glances)
        shoot(render_page(page, localized(language)), options.output / name, width=1200, height=820)


if __name__ == "__main__":
    main()
