"""Pictures of the dashboards, for people who have no Grafana at hand: `python -m grafana.preview --help`.

Each picture shows what a real Prometheus answers to the committed dashboard, drawn with matplotlib. It is
a preview and not Grafana, and says so.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, tzinfo
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.error import URLError
from zoneinfo import ZoneInfo

from grafana import interpolate
from grafana.drawing.board import draw
from grafana.drawing.source import Source
from grafana.interpolate import Context

DASHBOARDS: Final = Path(__file__).parent / "dashboards"
LANGUAGES: Final = ("en", "de")

_PROGRAMS: Final = ("prometheus", "promtool")

_DEMO: Final = "three-60s"
"""The history of the tests that `--demo` shows: three bridges, PV, battery and wire."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw what the command line asks for."""
    options = _parser().parse_args(arguments)
    if options.demo and (missing := [name for name in _PROGRAMS if shutil.which(name) is None]):
        sys.exit(f"{' and '.join(missing)} not found: --demo needs a Prometheus (Debian package prometheus)")
    try:
        with _source(options) as (source, now, interval):
            zone = ZoneInfo(options.zone)
            for path in preview(source, now, zone, options.output, options.language, interval, options.board):
                print(path)
    except URLError as error:
        sys.exit(f"{options.prometheus} does not answer: {error.reason}")


def preview(
    source: Source,
    now: float,
    zone: tzinfo,
    folder: Path,
    language: str = "en",
    scrape_interval: float = 15.0,
    boards: Sequence[str] = (),
) -> Iterator[Path]:
    """Draw the dashboards of a language (all, or those named as in `home`) at a unix time into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted((DASHBOARDS / language).glob("*.json")):
        name = file.stem.removeprefix("iometer-").removeprefix(f"{language}-")
        if boards and name not in boards:
            continue
        dashboard = json.loads(file.read_text(encoding="utf-8"))
        span = dashboard["time"]
        variables = interpolate.variables(dashboard)
        context = Context(now, zone, scrape_interval, span["from"], span["to"], variables)
        path = folder / f"{name}.png"
        draw(dashboard, context, source, path)
        yield path


@contextmanager
def _source(options: argparse.Namespace) -> Iterator[tuple[Source, float, float]]:
    """The Prometheus to ask, the moment to show and the scrape interval in seconds."""
    if not options.demo:
        moment = options.time.timestamp() if options.time else time.time()
        yield Source(options.prometheus.rstrip("/")), moment, options.scrape_interval
        return
    # The histories are made by what the tests are made of, which nobody else needs.
    from tests.grafana.history import write
    from tests.grafana.history_plan import SCENARIOS
    from tests.grafana.history_server import prometheus_over

    scenario = SCENARIOS[options.scenario]
    with TemporaryDirectory() as folder, prometheus_over(write(scenario, Path(folder))) as server:
        yield Source(server.url), scenario.end, scenario.interval


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m grafana.preview", description="Draws each dashboard to a PNG file. It is not Grafana."
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--prometheus", metavar="URL", help="the Prometheus to ask")
    which.add_argument(
        "--demo", action="store_true", help="make nine days of simulated homes and show their end"
    )
    parser.add_argument(
        "--time", type=datetime.fromisoformat, help="the moment to show, ISO 8601 (default: now)"
    )
    parser.add_argument(
        "--zone", default="Europe/Berlin", help="time zone of the viewer (default: %(default)s)"
    )
    parser.add_argument("--language", choices=LANGUAGES, default="en")
    parser.add_argument("--scenario", default=_DEMO, help="which history --demo makes (default: %(default)s)")
    parser.add_argument(
        "--scrape-interval",
        type=float,
        default=15.0,
        metavar="SECONDS",
        help="as in the data source of Grafana",
    )
    parser.add_argument("--board", action="append", default=[], help="home, energy, load, health or fleet")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder of the pictures"
    )
    return parser


if __name__ == "__main__":
    main()
