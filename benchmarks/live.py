"""What following costs: CPU and memory for N bridges that each send an event of both endpoints a second.

    python -m benchmarks.live [--bridges 1,100,500] [--seconds 20] [--scrapes 15] [--pause 0]

Prints a Markdown table: CPU of the exporter by itself and a bridge in a second without a scrape, its memory,
and wall time and CPU of a scrape, which asks no bridge. Scrapes follow one another at once, and most lines
are those of the scrape before; with a pause of a second each bridge has sent new documents, but a virtual
machine may take long to wake up then. Bridges, exporter and benchmark are processes of their own on loopback.
"""

import argparse
import contextlib
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.measuring import cpu_seconds, rss_megabytes
from benchmarks.scrape import WARM_UP, Contender, Scraper, bridges, line, serving
from devtools.processes import get

COLUMNS: Final = (
    *("bridges", "CPU % of a core", "µs of CPU an event", "RSS MB", "RSS MB, fetched"),
    *("scrape ms", "CPU µs a bridge"),
)


LOOK_SECONDS: Final = 3.0
"""Between two looks whether all streams are open."""

LOOKS: Final = 40


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bridges", default="1,100,500", help="numbers of bridges")
    parser.add_argument("--seconds", type=float, default=20, help="how long events are counted")
    parser.add_argument("--scrapes", type=int, default=15, help="how many are counted for a row")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds from one scrape to the next")
    options = parser.parse_args(arguments)
    print(f"CPython {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}\n")
    print(line(COLUMNS), line("---" for _ in COLUMNS), sep="\n")
    for count in map(int, options.bridges.split(",")):
        print(line(row(count, options)), flush=True)


def row(count: int, options: argparse.Namespace) -> list[str]:
    """The cells of so many bridges."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        asked = argparse.Namespace(latency=0, scrapes=options.scrapes)
        ports = stack.enter_context(bridges(folder, count, asked, streaming=True))
        fetched = memory_when_fetched(folder, ports, options)
        process, url = stack.enter_context(serving(folder, ports, "--live", "on"))
        scraper = Contender(stack.enter_context(contextlib.closing(Scraper(url, count))).scrape, process)
        wait_for_streams(url, count)
        events, cpu, began = total(url), cpu_seconds(process.popen.pid), time.perf_counter()
        time.sleep(options.seconds)
        cpu = cpu_seconds(process.popen.pid) - cpu
        took = time.perf_counter() - began
        events = total(url) - events
        for index in range(WARM_UP + options.scrapes):
            time.sleep(options.pause)
            scraper.go(counted=index >= WARM_UP)
        return [
            str(count),
            f"{cpu / took:.2%}",
            f"{cpu / events * 1e6:.0f}",
            f"{scraper.rss:.1f}",
            f"{fetched:.1f}",
            scraper.wall.text(1),
            (scraper.cpu / (count / 1e3)).text(0),
        ]


def memory_when_fetched(folder: Path, ports: Sequence[int], options: argparse.Namespace) -> float:
    """Resident memory of an exporter that fetches the same bridges, in MB."""
    with serving(folder, ports) as (process, url):
        with contextlib.closing(Scraper(url, len(ports))) as scraper:
            for _ in range(WARM_UP + options.scrapes):
                scraper.scrape()
        return rss_megabytes(process.popen.pid)


def wait_for_streams(url: str, count: int) -> None:
    """Wait until all bridges stream; ends the program where they do not.

    It looks now and then only: a scrape fetches from bridges whose streams have not brought an event yet, and
    these give way to it.
    """
    for _ in range(LOOKS):
        time.sleep(LOOK_SECONDS)
        # On a busy machine a page may take longer than anybody waits for it.
        with contextlib.suppress(TimeoutError):
            if streams(url) == 2 * count:
                return
    raise SystemExit(f"not all of the {2 * count} streams have begun")


def streams(url: str) -> int:
    """How many streams are alive."""
    return sum(value == 1 for value in values(url, "iometer_stream_up"))


def total(url: str) -> float:
    """How many events have come."""
    return sum(values(url, "iometer_stream_events_total"))


def values(url: str, name: str) -> list[float]:
    """The values of a metric of bridges."""
    lines = get(f"{url}metrics").decode().splitlines()
    return [float(each.rpartition(" ")[2]) for each in lines if each.startswith(f"{name}{{")]


if __name__ == "__main__":
    main()
