"""Pictures of the dashboards, for people who have no Grafana at hand: `python -m grafana.preview --help`.

Each picture shows what a real Prometheus answers to the committed dashboard, drawn with matplotlib. It is
a preview and not Grafana, and says so.
"""

import argparse
import json
import re
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
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from grafana.board import TITLES
from grafana.drawing.board import draw
from grafana.histories.history import write
from grafana.histories.plan import SCENARIOS
from grafana.histories.server import prometheus_over
from grafana.query import interpolate
from grafana.query.interpolate import Context
from grafana.query.source import QueryError, Source

DASHBOARDS: Final = Path(__file__).parent / "dashboards"
LANGUAGES: Final = ("en", "de")

_PROGRAMS: Final = ("prometheus", "promtool")

_DEMO: Final = "three-60s"
"""The history that `--demo` shows: three bridges, PV, battery and wire."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw what the command line asks for."""
    options = _parser().parse_args(arguments)
    if options.demo:
        if options.scenario not in SCENARIOS:
            sys.exit(f"{options.scenario!r} is not a history, take one of: {', '.join(SCENARIOS)}")
        if missing := [name for name in _PROGRAMS if shutil.which(name) is None]:
            names = " and ".join(missing)
            sys.exit(f"{names} not found: --demo needs a Prometheus (Debian package prometheus)")
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"{options.output} is no folder to write to: {error.strerror}")
    try:
        with _source(options) as (source, now, interval):
            for path in preview(
                source, now, options.zone, options.output, options.language, interval, options.board
            ):
                print(path)
    except URLError as error:
        sys.exit(f"{options.prometheus} does not answer: {error.reason}")
    except QueryError as error:
        sys.exit(f"{options.prometheus} refuses a query: {error}")
    except json.JSONDecodeError:
        sys.exit(f"{options.prometheus} answers, but not as a Prometheus does")


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
    scenario = SCENARIOS[options.scenario]
    with TemporaryDirectory() as folder, prometheus_over(write(scenario, Path(folder))) as server:
        yield Source(server.url), scenario.end, scenario.interval


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m grafana.preview", description="Draws each dashboard to a PNG file. It is not Grafana."
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--prometheus", type=_address, metavar="URL", help="the Prometheus to ask")
    which.add_argument(
        "--demo", action="store_true", help="make nine days of simulated homes and show their end"
    )
    parser.add_argument("--time", type=_time, help="the moment to show, ISO 8601 (default: now)")
    parser.add_argument(
        "--zone", type=_zone, default="Europe/Berlin", help="time zone of the viewer (default: %(default)s)"
    )
    parser.add_argument("--language", choices=LANGUAGES, default="en")
    parser.add_argument("--scenario", default=_DEMO, help="which history --demo makes (default: %(default)s)")
    parser.add_argument(
        "--scrape-interval",
        type=_seconds,
        default=15.0,
        metavar="SECONDS",
        help="as in the data source of Grafana",
    )
    parser.add_argument("--board", action="append", choices=TITLES, default=[], help="these alone")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder of the pictures"
    )
    return parser


def _address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} is not an address such as http://localhost:9090")
    return text


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-04-05T19:42") from None


def _zone(text: str) -> tzinfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time zone such as Europe/Berlin") from None


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", text) or float(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds such as 15")
    return float(text)


if __name__ == "__main__":
    main()
