"""Draws the dashboards to files, as Grafana shows them: `python -m grafana.pictures --help`.

Needs node, Chromium and the packages that `npm ci` installs in this folder; for simulated days Prometheus.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from devtools.processes import MissingProgramError, get, program
from grafana.board import ALONE
from grafana.histories.plan import EVERY, PROVIDER
from grafana.pictures.boards import View, languages, names, pictures
from grafana.pictures.histories import prometheus_of

FOLDER: Final = Path(__file__).parent

WIDTHS: Final = (1600, 1280, 420)
"""In px: a desktop, a tablet and a phone."""
THEMES: Final = ("dark", "light")

_FEW: Final = 64
"""Colours: enough for what is flat, and small in bytes."""

_SCENARIO: Final = "three-60s"
"""Three bridges with solar power, battery and wire; a provider's dashboard has a fleet instead."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw what the command line asks for; the exit code, 1 where a panel could not be drawn."""
    options = _parser().parse_args(arguments)
    if not (FOLDER / "node_modules").exists():
        sys.exit(f"the packages are missing: npm ci --prefix {FOLDER}")
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"{options.output} is no folder to write to: {error.strerror}")
    try:
        node, chromium = program("node"), program("chromium")
        return max(_drawn(options, node, chromium, *run) for run in _runs(options))
    except MissingProgramError as error:
        sys.exit(f"{error}")


def _runs(options: argparse.Namespace) -> Iterator[tuple[list[str], str]]:
    """Dashboards that are drawn together, and the scenario that has what they are about."""
    wanted = options.board or names()
    if options.prometheus or options.scenario:
        yield wanted, options.scenario or ""
        return
    for scenario, boards in (
        (_SCENARIO, [name for name in wanted if name != ALONE]),
        (PROVIDER.name, [name for name in wanted if name == ALONE]),
    ):
        if boards:
            yield boards, scenario


def _drawn(options: argparse.Namespace, node: str, chromium: str, boards: list[str], scenario: str) -> int:
    """Draw dashboards of a scenario, or of the given Prometheus; the exit code."""
    with _prometheus(options, scenario) as (url, now, interval):
        view = View(
            scrape_interval=interval,
            now=options.now.timestamp() if options.now else now,
            zone=options.zone,
            time_from=options.time_from,
            time_to=options.time_to,
            variables=_variables(options.variable),
            unfold=options.unfold,
            marks=options.marks,
            scale=options.scale,
            colors=_FEW if options.small else None,
        )
        job = {
            "prometheus": url,
            "chromium": chromium,
            "parallel": options.parallel,
            "pictures": list(
                pictures(
                    boards,
                    options.language or languages(),
                    options.theme or THEMES,
                    options.width or WIDTHS,
                    view,
                    options.output,
                )
            ),
        }
        command = [node, str(FOLDER / "draw.mjs")]
        return subprocess.run(command, input=json.dumps(job), text=True, check=False).returncode


@contextmanager
def _prometheus(options: argparse.Namespace, name: str) -> Iterator[tuple[str, float | None, str]]:
    """The address to ask, the moment to show and the scrape interval."""
    if options.prometheus:
        url = options.prometheus.rstrip("/")
        try:
            get(f"{url}/api/v1/query?query=1")
        except OSError as error:
            sys.exit(f"{url} does not answer as a Prometheus does: {error}")
        yield url, None, options.scrape_interval
        return
    scenario = EVERY[name]
    with prometheus_of(scenario) as server:
        yield server.url, scenario.end, f"{scenario.interval}s"


def _variables(given: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in given:
        values.setdefault(name, []).append(value)
    return values


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m grafana.pictures",
        description="Draws the dashboards with Grafana's own components, of simulated days or a Prometheus.",
        epilog="Without further options: all dashboards in both languages, both themes and three widths.",
    )
    add = parser.add_argument
    add("-o", "--output", type=Path, required=True, metavar="DIR", help="folder of the pictures")
    add("--board", action="append", choices=names(), help="this one alone; repeatable, as the next three")
    add("--language", action="append", choices=languages())
    add("--theme", action="append", choices=THEMES)
    add("--width", action="append", type=_width, metavar="PX", help="default: 1600, 1280 and 420")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--scenario", choices=EVERY, help=f"default: {_SCENARIO}, or {PROVIDER.name}")
    source.add_argument("--prometheus", type=_address, metavar="URL", help="a Prometheus to ask instead")
    add("--scrape-interval", type=_duration, default="15s", help="of that Prometheus (default: %(default)s)")
    add("--now", type=_time, metavar="TIME", help="the moment to show, ISO 8601 (default: the history's end)")
    add("--from", dest="time_from", metavar="TIME", help="such as now-7d or 2026-04-01T00:00:00Z")
    add("--to", dest="time_to", metavar="TIME")
    add("--zone", type=_zone, default="Europe/Berlin", help="of the browser (default: %(default)s)")
    add("--variable", action="append", type=_variable, default=[], metavar="NAME=VALUE", help="repeatable")
    add("--unfold", action="store_true", help="open collapsed rows")
    add("--marks", action="store_true", help="switch all annotations on")
    add("--scale", type=float, default=1.0, help="pixels for each px, 2 for fine print (default: 1)")
    add("--small", action="store_true", help="64 colours, which take a third of the bytes")
    add("--parallel", type=int, default=2, metavar="N", help="pictures at a time (default: %(default)s)")
    return parser


def _address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} is not an address such as http://localhost:9090")
    return text


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-04-05T19:42") from None


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time zone such as Europe/Berlin") from None
    return text


def _width(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{2,3}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a width such as 1600")
    return int(text)


def _duration(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d*(ms|s|m)", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 15s")
    return text


def _variable(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not a variable such as bridge=house")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
