"""What a scrape costs: wall time, CPU and memory for N bridges, beside the least that asyncio needs.

    python -m benchmarks.scrape [--bridges 1,10,100,500] [--latency MS] [--json-exporter BINARY]

Prints a Markdown table: medians, with the quartiles in brackets. Bridges, exporter and benchmark are
processes of their own on loopback. In each round the same new documents are fetched in turn by the floor,
by the exporter, and by json_exporter where its program is given: whatever else the machine does meets all
of them.
"""

import argparse
import contextlib
import http.client
import json
import os
import platform
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.bridges import HOST
from benchmarks.floor import Floor, Target
from benchmarks.measuring import Figure, cpu_seconds, rss_megabytes
from benchmarks.peer import json_exporter, probes
from devtools.processes import COMMAND, Process, exporter, free_port, get, started

WARM_UP: Final = 3
"""Rounds that are not counted: they open connections."""

MODULE: Final = COMMAND[:2]
"""How a module of Python is run: what follows is its name."""

PROBED: Final = 100
"""Bridges that are probed at once."""

COLUMNS: Final = (
    *("connections", "bridges", "floor ms", "scrape ms", "÷ round trip", "÷ floor"),
    *("CPU ms a bridge", "RSS MB"),
)
PEER_COLUMNS: Final = ("json_exporter ms", "its CPU ms a bridge", "its RSS MB")


class Contender:
    """One of those who fetch all documents, and what it has taken each time."""

    def __init__(self, fetch: Callable[[], float], process: Process | None = None) -> None:
        """`fetch` gives the seconds it took; the CPU time and memory are those of the process."""
        self._fetch = fetch
        self._process = process
        self._walls: list[float] = []
        self._cpus: list[float] = []

    def go(self, *, counted: bool) -> None:
        """Fetch once."""
        before = self._cpu()
        wall = self._fetch()
        if counted:
            self._walls.append(wall * 1e3)
            self._cpus.append((self._cpu() - before) * 1e3)

    @property
    def wall(self) -> Figure:
        """Milliseconds of a round."""
        return Figure.of(self._walls)

    @property
    def cpu(self) -> Figure:
        """Milliseconds of CPU of a round."""
        return Figure.of(self._cpus)

    @property
    def rss(self) -> float:
        """Resident memory now, in MB."""
        assert self._process is not None
        return rss_megabytes(self._process.popen.pid)

    def _cpu(self) -> float:
        return 0.0 if self._process is None else cpu_seconds(self._process.popen.pid)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and below it the time of a start and the cost of a probe."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bridges", default="1,10,100,500", help="numbers of bridges")
    parser.add_argument("--latency", type=float, default=50, help="ms that a bridge takes to answer")
    parser.add_argument("--scrapes", type=int, default=15, help="how many are counted for a row")
    parser.add_argument("--starts", type=int, default=15, help="how many starts are counted")
    parser.add_argument("--json-exporter", metavar="BINARY", help="a json_exporter to measure beside")
    options = parser.parse_args(arguments)
    print(
        f"CPython {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}; "
        f"a bridge takes {options.latency:g} ms to answer\n"
    )
    columns = COLUMNS + (PEER_COLUMNS if options.json_exporter else ())
    print(line(columns), line("---" for _ in columns), sep="\n")
    for closing in (False, True):
        for count in map(int, options.bridges.split(",")):
            print(line(row(count, options, closing=closing)), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        start, probe = start_up(Path(folder), options.starts), probe_cpu(Path(folder), options)
    print(f"\nFirst 200 on /metrics after the start of the process: {start.text(0)} ms")
    print(f"/probe of {PROBED} known bridges at once: {probe.text(2)} ms of CPU each")


def line(cells: Iterator[str] | Sequence[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def row(count: int, options: argparse.Namespace, *, closing: bool) -> list[str]:
    """The cells of so many bridges."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = stack.enter_context(bridges(folder, count, options, closing=closing))
        process, url = stack.enter_context(serving(folder, ports))
        single = Contender(stack.enter_context(Floor(documents(ports[:1])[:1])).fetch)
        floor = Contender(stack.enter_context(Floor(documents(ports))).fetch)
        ours = Contender(stack.enter_context(contextlib.closing(Scraper(url, count))).scrape, process)
        contenders = [single, floor, ours]
        if options.json_exporter:
            peer, port = stack.enter_context(json_exporter(options.json_exporter, folder))
            contenders.append(Contender(stack.enter_context(Floor(probes(port, ports))).fetch, peer))
        for index in range(WARM_UP + options.scrapes):
            get(f"http://{HOST}:{ports[0]}/next")
            for contender in contenders:
                contender.go(counted=index >= WARM_UP)
        wall = ours.wall.median
        return [
            "closed each time" if closing else "kept",
            str(count),
            floor.wall.text(1),
            ours.wall.text(1),
            f"{wall / single.wall.median:.2f}",
            f"{wall / floor.wall.median:.2f}",
            *(cell for one in contenders[2:3] for cell in cost(one, count)),
            *(cell for one in contenders[3:] for cell in (one.wall.text(1), *cost(one, count))),
        ]


def cost(contender: Contender, count: int) -> tuple[str, str]:
    """CPU a bridge, and memory."""
    return (contender.cpu / count).text(2), f"{contender.rss:.0f}"


class Scraper:
    """Asks an exporter for its metrics over one connection, as Prometheus does."""

    def __init__(self, url: str, count: int) -> None:
        """Expect `count` bridges, all of them up."""
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc)
        self._count = count

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def scrape(self) -> float:
        """Seconds of one scrape; ends the program where a bridge is down."""
        begin = time.perf_counter()
        self._connection.request("GET", "/metrics")
        body = self._connection.getresponse().read()
        took = time.perf_counter() - begin
        up = sum(each.startswith(b"iometer_up{") and each.endswith(b" 1.0") for each in body.splitlines())
        if up != self._count:
            raise SystemExit(f"only {up} of {self._count} bridges answered")
        return took


@contextmanager
def bridges(
    folder: Path,
    count: int,
    options: argparse.Namespace,
    *,
    closing: bool = False,
    streaming: bool = False,
) -> Iterator[list[int]]:
    """So many bridges in a process of their own, and their ports."""
    command = [*MODULE, "benchmarks.bridges", f"--bridges={count}", f"--latency={options.latency / 1e3}"]
    command += [f"--rounds={options.scrapes + WARM_UP}", *(["--closing"] if closing else [])]
    command += ["--streaming"] if streaming else []
    with started(command, folder / "bridges.log") as process:
        yield json.loads(process.wait_for(r"(?m)^\[.*\]$")[0])


@contextmanager
def serving(folder: Path, ports: Sequence[int], *more: str) -> Iterator[tuple[Process, str]]:
    """The exporter with these bridges, without discovery and with more options, and its URL."""
    config = folder / "config.yml"
    config.write_text(json.dumps({"bridges": [{"host": HOST, "port": port} for port in ports]}))
    with exporter(folder, "--no-discovery", "--config.file", str(config), *more) as running:
        yield running


def documents(ports: Sequence[int]) -> list[Target]:
    """Both documents of each bridge."""
    return [Target(port, f"/v1/{kind}") for port in ports for kind in ("reading", "status")]


def start_up(folder: Path, starts: int) -> Figure:
    """Milliseconds from the start of a process with one bridge to its first answer on /metrics."""
    options = argparse.Namespace(latency=0, scrapes=0)
    with bridges(folder, 1, options) as ports:
        return Figure.of([first_answer(ports[0]) for _ in range(starts)])


def first_answer(bridge: int) -> float:
    """Milliseconds until a new exporter of one bridge has answered."""
    port = free_port()
    command = [*COMMAND, "serve", "--no-discovery", f"--web.listen-address={HOST}:{port}"]
    begin = time.perf_counter()
    process = subprocess.Popen([*command, f"--bridge={HOST}:{bridge}"], stderr=subprocess.DEVNULL)
    try:
        while not listens(port):
            assert process.poll() is None, "the exporter does not start"
            time.sleep(0.001)
        get(f"http://{HOST}:{port}/metrics")
        return (time.perf_counter() - begin) * 1e3
    finally:
        process.terminate()
        process.wait(10)


def listens(port: int) -> bool:
    """Whether somebody accepts connections on this port."""
    with socket.socket() as one:
        return one.connect_ex((HOST, port)) == 0


def probe_cpu(folder: Path, options: argparse.Namespace) -> Figure:
    """Milliseconds of CPU for a probe, where each of many known bridges is probed at the same time."""
    with bridges(folder, PROBED, options) as ports, serving(folder, ports) as (process, url):
        port = urlsplit(url).port
        assert port is not None
        targets = [Target(port, f"/probe?target={HOST}:{bridge}") for bridge in ports]
        with Floor(targets) as floor:
            contender = Contender(floor.fetch, process)
            for index in range(WARM_UP + options.scrapes):
                contender.go(counted=index >= WARM_UP)
            return contender.cpu / PROBED


if __name__ == "__main__":
    main()
