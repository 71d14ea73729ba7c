"""What a fleet in the provider API costs: first inventory, memory, scrapes, and what they do to bridges.

    python benchmarks/provider.py [--installations 1000,10000,100000] [--scrapes 5]

Simulated cloud, exporter and benchmark are processes of their own on loopback. "1 % changed" is a scrape
after new readings of one installation in a hundred; stalls are the longest time that the event loop of the
exporter was not free, of its CPU time, so that other programs on the machine do not count.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from iometer_exporter.config.file import Config, load_config
from iometer_exporter.exporter import Exporter
from iometer_exporter.meter.models import Register
from iometer_exporter.provider.api.models import MeterReading
from iometer_exporter.provider.source import ProviderSource
from iometer_exporter.simulator.cloud import ProviderSimulation
from iometer_exporter.web import server
from iometer_exporter.web.listen import ListenAddress, listen

HOST = "127.0.0.1"
CLOUD_PORT = 18180
BRIDGE_PORT = 18080
EXPORTER_PORT = 18079
TICK = 0.002
PROBES = 60
LONGEST = 1800.0


def main() -> None:
    """Print one block per fleet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--installations", default="1000,10000,100000")
    parser.add_argument("--page-size", type=int, default=100)
    parser.add_argument("--scrapes", type=int, default=5)
    parser.add_argument("--backlog", type=int, default=1000, help="installations of the readings' backlog")
    parser.add_argument("--child", choices=["cloud", "exporter", "scraper"], help=argparse.SUPPRESS)
    parser.add_argument("--config", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child == "cloud":
        asyncio.run(run_cloud(int(options.installations)))
    elif options.child == "exporter":
        asyncio.run(run_exporter(options.config))
    elif options.child == "scraper":
        keep_scraping()
    else:
        measure_all(options)


def measure_all(options: argparse.Namespace) -> None:
    """All settings, one after the other."""
    print(f"CPython {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}")
    base = 0.0
    for count in (0, *map(int, options.installations.split(","))):
        with child("cloud", "--installations", str(count)) as cloud:
            cloud.wait_for_start()
            with bridge(), exporter(readings="off", page_size=options.page_size) as process:
                if not count:
                    first_inventory(cloud, process)
                    time.sleep(1)
                    base = rss_megabytes(process.pid)
                    print(f"RSS without installations: {base:.1f} MB")
                else:
                    print(f"\n{count} installations")
                    measure(cloud, process, count, base, options.scrapes)
    measure_backlog(options.backlog, options.page_size)


def measure(cloud: "Child", process: "Child", count: int, base: float, scrapes: int) -> None:
    """Everything about one fleet."""
    # Once it answers, it has loaded its modules.
    process.ask("busy")
    before = cpu_seconds(process.pid)
    wall, busy = first_inventory(cloud, process)
    cpu = cpu_seconds(process.pid) - before
    print(
        f"  first inventory        {wall:9.2f} s, of which the simulator {busy:.2f} s; CPU "
        f"{cpu / count * 1e6:.0f} us per installation; longest stall {process.ask('stall') * 1000:.1f} ms"
    )
    scrape()
    time.sleep(1)
    rss = rss_megabytes(process.pid)
    print(f"  RSS                    {rss:9.1f} MB, {(rss - base) * 1000 / count:.2f} kB per installation")
    process.ask("stall")
    for name, gzip, change in (
        ("scrape unchanged", False, False),
        ("scrape, 1 % changed", False, True),
        ("unchanged, gzip", True, False),
    ):
        walls, cpus, size, samples = [], [], 0, 0
        for _ in range(scrapes):
            if change:
                process.ask("change")
                time.sleep(5 * TICK)
                process.ask("stall")
            cpu = cpu_seconds(process.pid)
            wall, size, lines = scrape(gzip=gzip)
            samples = samples if gzip else lines
            walls.append(wall)
            cpus.append(cpu_seconds(process.pid) - cpu)
        wall = statistics.median(walls)
        known = SAMPLES.setdefault(count, samples)
        print(
            f"  {name:<22} {wall * 1000:9.1f} ms, {wall / known * 1e6:.3f} us per sample "
            f"(CPU {statistics.median(cpus) / known * 1e6:.3f}), {known} samples, {size / 1e6:.1f} MB; "
            f"longest stall {process.ask('stall') * 1000:.1f} ms"
        )
    alone = probes(PROBES)
    beside = probes_beside()
    print(
        f"  probe of a bridge      {statistics.median(alone) * 1000:9.2f} ms alone, "
        f"{statistics.median(beside) * 1000:.2f} ms beside scrapes, worst {max(beside) * 1000:.1f} ms"
    )
    print(f"  RSS at the end         {rss_megabytes(process.pid):9.1f} MB")


SAMPLES: dict[int, int] = {}
"""Samples of a page, by the size of the fleet: a compressed page is not unpacked to count them."""


def measure_backlog(count: int, page_size: int) -> None:
    """How fast the readings of the last 24 hours are taken, as after a start."""
    with (
        child("cloud", "--installations", str(count)) as cloud,
        started_after(cloud),
        exporter(readings="subscribe", page_size=page_size) as process,
    ):
        first_inventory(cloud, process)
        before, cpu, busy = process.ask("readings"), cpu_seconds(process.pid), cloud.ask("busy")
        started = time.monotonic()
        process.ask("stall")
        last = -1
        while (taken := process.ask("readings")) != last and time.monotonic() - started < LONGEST:
            last = taken
            ended = time.monotonic()
            time.sleep(0.5)
        taken -= before
        print(
            f"\nbacklog of {count} installations: {taken} readings in {ended - started:.1f} s, CPU "
            f"{(cpu_seconds(process.pid) - cpu) / taken * 1e6:.0f} us each, of the simulator "
            f"{(cloud.ask('busy') - busy) / taken * 1e6:.0f} us; longest stall "
            f"{process.ask('stall') * 1000:.1f} ms"
        )


def first_inventory(cloud: "Child", process: "Child") -> tuple[float, float]:
    """Seconds from the start of the source to the first complete inventory, and those of the cloud in it."""
    give_up = time.monotonic() + LONGEST
    while not (taken := process.ask("inventory")):
        if time.monotonic() > give_up:
            raise SystemExit("the inventory is not complete in time")
        time.sleep(0.05)
    return taken, cloud.ask("busy")


def scrape(*, gzip: bool = False, counted: bool = True) -> tuple[float, int, int]:
    """Seconds, bytes and samples of one scrape; the bytes are read as fast as they come."""
    accepted = "gzip" if gzip else "identity"
    request = f"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {accepted}\r\nConnection: close\r\n\r\n"
    size = lines = comments = 0
    started = time.perf_counter()
    with socket.create_connection((HOST, EXPORTER_PORT)) as connection:
        connection.sendall(request.encode())
        buffer = bytearray(1 << 20)
        while received := connection.recv_into(buffer):
            size += received
            if counted and not gzip:
                lines += buffer.count(b"\n", 0, received)
                comments += buffer.count(b"# ", 0, received)
    return time.perf_counter() - started, size, lines - comments


def keep_scraping() -> None:
    """Scrape without a pause, once asked to, until the process is ended."""
    sys.stdin.readline()
    print("true", flush=True)
    while True:
        scrape(counted=False)


def probes(count: int) -> list[float]:
    """Seconds of each of some probes of the bridge."""
    request = (
        f"GET /probe?target={HOST}:{BRIDGE_PORT} HTTP/1.1\r\nHost: a\r\n"
        "Accept-Encoding: identity\r\nConnection: close\r\n\r\n"
    ).encode()
    walls = []
    for _ in range(count):
        started = time.perf_counter()
        with socket.create_connection((HOST, EXPORTER_PORT)) as connection:
            connection.sendall(request)
            body = b"".join(iter(lambda c=connection: c.recv(65536), b""))  # type: ignore[misc]
        walls.append(time.perf_counter() - started)
        if b"probe_success 1.0" not in body:
            raise SystemExit("the bridge was not read")
        time.sleep(0.005)
    return walls


def probes_beside() -> list[float]:
    """Seconds of probes while the page of the fleet is scraped without a pause, by another process."""
    with child("scraper") as scraper:
        scraper.ask("scrape")
        walls: list[float] = []
        while len(walls) < PROBES:
            walls += probes(1)
    return walls


class Child:
    """One of our processes, which answers one line of JSON to each line that it is asked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.pid = process.pid
        assert process.stdin is not None
        assert process.stdout is not None
        self._in: IO[str] = process.stdin
        self._out: IO[str] = process.stdout

    def wait_for_start(self) -> None:
        """Return once it answers."""
        self.ask("busy")

    def ask(self, what: str) -> Any:
        """The answer to a question of `run_cloud` or `run_exporter`."""
        self._in.write(f"{what}\n")
        self._in.flush()
        return json.loads(self._out.readline())


@contextmanager
def child(kind: str, *arguments: str, env: dict[str, str] | None = None) -> Iterator[Child]:
    """A process of this file."""
    command = [sys.executable, __file__, "--child", kind, *arguments]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
    )
    try:
        yield Child(process)
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def exporter(*, readings: str, page_size: int) -> Iterator[Child]:
    """The exporter with the simulated cloud as its provider."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yml")
        file.write_text(
            "discovery: {enabled: false}\n"
            f"provider: {{url: 'http://{HOST}:{CLOUD_PORT}/v1/query', readings: {readings}, "
            f"page_size: {page_size}, inventory_interval: 24h}}\n"
        )
        credentials = {
            "IOMETER_EXPORTER_PROVIDER_TOKEN": "token",
            "IOMETER_EXPORTER_PROVIDER_SECRET": "secret",
        }
        with child("exporter", "--config", str(file), env=credentials) as process:
            yield process


@contextmanager
def started_after(cloud: Child) -> Iterator[None]:
    """Wait for the cloud."""
    cloud.wait_for_start()
    yield


@contextmanager
def bridge() -> Iterator[None]:
    """A simulated bridge."""
    command = [sys.executable, "-m", "iometer_exporter", "simulate", "--host", HOST]
    process = subprocess.Popen(
        [*command, "--port", str(BRIDGE_PORT)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


async def run_cloud(count: int) -> None:
    """The simulated cloud as a process."""
    async with ProviderSimulation(
        host=HOST, port=CLOUD_PORT, installations=count, token="token", secret="secret"
    ) as cloud:
        await answer({"busy": lambda: cloud.busy_seconds})


async def run_exporter(file: Path) -> None:
    """The exporter as a process, with a task that sees how long its event loop is busy at most."""
    stalls = [0.0]

    async def tick() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(TICK)
            stalls[0] = max(stalls[0], time.thread_time() - before)

    def stall() -> float:
        longest, stalls[0] = stalls[0], 0.0
        return longest

    def load() -> Config:
        return load_config(file)

    listening = listen([ListenAddress(HOST, EXPORTER_PORT)])
    async with server.running(load, listening) as running, ticking(tick()):
        started = time.time()
        source = provider_of(running)
        await answer(
            {
                "busy": lambda: 0,
                "stall": stall,
                "inventory": lambda: source.inventory.completed and source.inventory.completed - started,
                "readings": lambda: sum(source.counts.results.values()),
                "change": lambda: change(source),
            }
        )


def provider_of(running: Exporter) -> ProviderSource:
    """The source of an exporter that has one."""
    assert running.provider is not None
    return running.provider


@asynccontextmanager
async def ticking(tick: Any) -> AsyncIterator[None]:
    """The coroutine beside whatever is inside."""
    task = asyncio.create_task(tick)
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def change(source: ProviderSource) -> int:
    """New readings of one installation in a hundred; gives how many were accepted."""
    known = list(source.installations)
    accepted = 0
    for one in random.sample(known, len(known) // 100):
        for meter in one.meters:
            served = meter.guard.served
            if served is None:
                continue
            time_ = served.time + timedelta(seconds=60)
            registers = {
                code: Register(code, register.value + Decimal("0.1"), register.unit)
                for code, register in served.registers.items()
            }
            reading = replace(served, time=time_, registers=registers)
            received = MeterReading(one.id, one.external_id, meter.id, time_, reading)
            taken = source.installations.receive(received, time.time(), time.monotonic())
            accepted += taken is not None and taken[0] == "accepted"
    return accepted


async def answer(questions: dict[str, Callable[[], Any]]) -> None:
    """Answer lines on standard input until its end."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(questions[line.decode().strip()]()), flush=True)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_megabytes(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
