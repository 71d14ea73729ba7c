"""Thousands of scrapes of the real exporter while everything around it goes wrong at random.

    python -m benchmarks.soak [--scrapes 20000] [--seed 1] [--write]

Faults of the bridges switch all the time, scrapers give up in the middle or have no patience at all,
several scrape at once, mDNS names come and go, the configuration is rewritten and reloaded, and the
event loop is stopped now and then. Afterwards every bridge must answer, and memory, descriptors,
sockets and tasks must be where they were after the first scrapes. `--write` puts the result into
docs/robustness.md. Exit code 1 if the exporter is not what it was.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.isolation import isolated
from benchmarks.page import write_section
from devtools.processes import Process, is_ready, started
from devtools.waiting import eventually
from iometer_exporter.errors import StartError
from iometer_exporter.simulator import (
    ENDPOINTS,
    FAULTS,
    Endpoint,
    Fault,
    SimulatedBridge,
    Simulation,
    Timing,
)
from iometer_exporter.simulator.announce import Announcer

SECTION: Final = "soak"
"""Of docs/robustness.md."""

CONFIGURED, DISCOVERED = 4, 2

CONNECTIONS: Final = 2
"""To one bridge at a time, at most."""

FIRST: Final = 500
"""Scrapes after which the exporter is measured for the first time."""

SCRAPERS: Final = 8
"""At once; half of them ask for /metrics and nothing else, as several Prometheus servers do."""

LIMIT: Final = 3000.0
"""Seconds after which a soak that does not end is given up."""

MEMORY_MARGIN: Final = 8.0
"""MB that memory may have grown by after the first measurement: fragments, and what is loaded late."""

TASK_MARGIN: Final = 2
"""Tasks that may be under way at the moment of a measurement, such as an answer to mDNS."""

_TIMEOUTS: Final = (0.02, 0.05, 0.1, 0.2, 0.5)
"""Seconds that scrapers give; the exporter's bridges get half of it."""

_PATIENCE: Final = 60.0


@dataclass(slots=True)
class Tally:
    """What has been asked so far, and what came of it."""

    scrapes: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Size:
    """The size of the exporter's process after so many scrapes."""

    scrapes: int
    rss: float
    descriptors: int
    sockets: int
    tasks: int

    def grown(self, first: "Size") -> list[str]:
        """What has grown beyond its bound since the first measurement."""
        # At rest there are one or two kept connections to each bridge.
        spare = CONFIGURED + DISCOVERED
        bounds = {
            "rss": first.rss + MEMORY_MARGIN,
            "descriptors": first.descriptors + spare,
            "sockets": first.sockets + spare,
            "tasks": first.tasks + TASK_MARGIN,
        }
        return [
            f"{name}: {getattr(self, name):g}, more than {bound:g}"
            for name, bound in bounds.items()
            if getattr(self, name) > bound
        ]


class Soak:
    """An exporter under fire; `run` is the whole of it."""

    def __init__(self, folder: Path, simulation: Simulation, seed: int) -> None:
        self.tally = Tally()
        self._folder = folder
        self._simulation = simulation
        self._random = random.Random(seed)
        self._announcer = Announcer(["127.0.0.1"])
        self._calm = asyncio.Event()
        self._process: Process
        self._url = ("127.0.0.1", 0)

    async def run(self, scrapes: int, first: int) -> list[Size]:
        """The sizes after the first scrapes, at each quarter and at the end; raises AssertionError."""
        quarters = (scrapes * quarter // 4 for quarter in (1, 2, 3, 4))
        stops = [first, *(stop for stop in quarters if stop >= 4 * first or stop == scrapes)]
        sizes = []
        self._configure(CONFIGURED)
        options = ["serve", "--config.file", str(self._config), "--web.listen-address", "127.0.0.1:0"]
        command = [sys.executable, "-m", "benchmarks.stalling", str(self._report), *options]
        command += ["--web.enable-lifecycle", "--log.level", "error"]
        with started(command, self._folder / "exporter.log") as self._process:
            self._url = "127.0.0.1", await asyncio.to_thread(self._port)
            await asyncio.to_thread(eventually, lambda: is_ready(self._page), _PATIENCE)
            await self._announcer.start(self._found)
            try:
                for stop in stops:
                    await self._until(stop)
                    await self._settle()
                    sizes.append(await asyncio.to_thread(self._size))
            finally:
                await self._announcer.aclose()
        return sizes

    @property
    def _page(self) -> str:
        host, port = self._url
        return f"http://{host}:{port}/"

    @property
    def _config(self) -> Path:
        return self._folder / "exporter.yml"

    @property
    def _report(self) -> Path:
        return self._folder / "report.json"

    @property
    def _found(self) -> list[SimulatedBridge]:
        """The bridges that only mDNS tells of."""
        return self._simulation.bridges[CONFIGURED:]

    def _port(self) -> int:
        """The port of the exporter, which does not log it at this level."""

        def listening() -> int | None:
            assert self._process.popen.poll() is None, self._process.text()
            links = Path(f"/proc/{self._process.popen.pid}/fd").iterdir()
            try:
                inodes = {os.readlink(link) for link in links}
            except FileNotFoundError:
                # One was closed meanwhile.
                return None
            for line in Path(f"/proc/{self._process.popen.pid}/net/tcp").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                    return int(fields[1].partition(":")[2], 16)
            return None

        return eventually(listening, _PATIENCE)

    def _configure(self, count: int) -> None:
        """Write a configuration with the first bridges."""
        lines = [
            "discovery: {interfaces: [127.0.0.1], forget_after: 3s}",
            f"timeout: {5 + count}s",
            "bridges:",
        ]
        lines += [
            f"  - {{name: {bridge.name}, host: {bridge.host}, port: {bridge.port}}}"
            for bridge in self._simulation.bridges[:count]
        ]
        part = self._config.with_suffix(".part")
        part.write_text("\n".join(lines) + "\n")
        part.replace(self._config)

    async def _until(self, scrapes: int) -> None:
        """Let everything go wrong until so many scrapes have been made."""
        self._calm.clear()
        troubles = (self._switch(), self._churn(), self._reload(), self._stall())
        tasks = [asyncio.create_task(trouble) for trouble in troubles]
        try:
            async with asyncio.timeout(LIMIT):
                await asyncio.gather(*(self._scrape(number, scrapes) for number in range(SCRAPERS)))
        finally:
            # Each ends what it has begun: half an mDNS announcement would never end.
            self._calm.set()
            await asyncio.gather(*tasks)

    async def _rest(self, shortest: float, longest: float) -> bool:
        """Wait a random time, in seconds; False once there shall be no more trouble."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._random.uniform(shortest, longest)):
                await self._calm.wait()
        return not self._calm.is_set()

    async def _scrape(self, number: int, scrapes: int) -> None:
        """One scraper, which asks until all have asked so often together."""
        while self.tally.scrapes < scrapes:
            self.tally.scrapes += 1
            target = self._random.choice(self._simulation.bridges).target
            others = ("/metrics", f"/probe?target={target}", f"/probe?target={target}", "/", "/sd")
            path = "/metrics" if number < SCRAPERS // 2 else self._random.choice(others)
            patience = self._random.choice((None, None, None, self._random.uniform(0, 0.1)))
            outcome = await ask(self._url, path, self._random.choice(_TIMEOUTS), patience)
            self.tally.outcomes[outcome] += 1

    async def _switch(self) -> None:
        """Faults that come and go."""
        kinds: Sequence[Fault] = tuple(FAULTS)
        while await self._rest(0.01, 0.1):
            bridge = self._random.choice(self._simulation.bridges)
            bridge.faults = set(self._random.sample(kinds, self._random.choice((0, 1, 1, 2))))
            chosen: tuple[Endpoint, ...] = self._random.choice((ENDPOINTS, ("reading",), ("status",)))
            bridge.endpoints = set(chosen)

    async def _churn(self) -> None:
        """Bridges that leave and come back, by mDNS."""
        while await self._rest(0.5, 3):
            bridge = self._random.choice(self._found)
            addresses = self._random.choice((["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1", "::1"]))
            await self._announcer.update(bridge, addresses=addresses)
            if self._random.random() < 0.3:
                await self._announce_anew()

    async def _announce_anew(self) -> None:
        """Say goodbye for all, and be there again."""
        await self._announcer.aclose()
        for attempt in range(5):
            try:
                await self._announcer.start(self._found)
            except StartError:
                # An answer to the last goodbye can still be on its way.
                await self._announcer.aclose()
                await asyncio.sleep(attempt)
            else:
                return
        raise AssertionError("the simulated bridges cannot be announced")

    async def _reload(self) -> None:
        """Configurations with and without some of the bridges, or broken ones."""
        while await self._rest(0.1, 1):
            self._configure(self._random.randint(1, CONFIGURED))
            if self._random.random() < 0.1:
                self._config.write_text("timout: 5s\n")
            self._process.popen.send_signal(signal.SIGHUP)

    async def _stall(self) -> None:
        """A host that is starved now and then."""
        while await self._rest(0.2, 2):
            self._process.popen.send_signal(signal.SIGUSR2)

    async def _settle(self) -> None:
        """End what goes wrong; every bridge must answer within moments."""
        self._simulation.switch()
        self._configure(CONFIGURED)
        self._process.popen.send_signal(signal.SIGHUP)
        await self._announce_anew()
        names = {bridge.name for bridge in self._simulation.bridges}
        give_up = time.monotonic() + _PATIENCE
        while True:
            down = names - complete(await page(self._url))
            if not down:
                break
            if time.monotonic() > give_up:
                raise AssertionError(
                    f"after {self.tally.scrapes} scrapes do not answer: {', '.join(sorted(down))}"
                )
            await asyncio.sleep(0.2)
        # What was on its way ends by itself.
        await asyncio.sleep(1)
        crowded = {
            bridge.name for bridge in self._simulation.bridges if bridge.open_connections > CONNECTIONS
        }
        assert not crowded, f"more than {CONNECTIONS} connections are open to {', '.join(sorted(crowded))}"

    def _size(self) -> Size:
        self._report.unlink(missing_ok=True)
        self._process.popen.send_signal(signal.SIGUSR1)
        eventually(self._report.exists, _PATIENCE)
        return Size(self.tally.scrapes, **json.loads(self._report.read_text()))


async def ask(address: tuple[str, int], path: str, timeout: float, patience: float | None) -> str:
    """What came of one request: the status, or that the scraper gave up after its patience (seconds)."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        head = f"GET {path} HTTP/1.1\r\nHost: exporter\r\nConnection: close\r\n"
        writer.write(f"{head}X-Prometheus-Scrape-Timeout-Seconds: {timeout}\r\n\r\n".encode())
        async with asyncio.timeout(_PATIENCE if patience is None else patience):
            answer = await reader.read()
    except TimeoutError:
        return "no answer" if patience is None else "gave up"
    except ConnectionError as error:
        return type(error).__name__
    finally:
        # Nothing is said, as by a scraper that is killed.
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()
    return answer[:12].decode("latin-1").removeprefix("HTTP/1.1 ") or "closed"


async def page(address: tuple[str, int]) -> str:
    """All of /metrics, asked with patience."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: exporter\r\nConnection: close\r\n\r\n")
    try:
        async with asyncio.timeout(_PATIENCE):
            return (await reader.read()).decode()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def complete(text: str) -> set[str]:
    """The bridges of which both documents came."""
    seen: Counter[str] = Counter()
    for line in text.splitlines():
        if line.startswith("iometer_endpoint_up{") and line.endswith(" 1.0"):
            seen[line.partition('bridge="')[2].partition('"')[0]] += 1
    return {name for name, endpoints in seen.items() if endpoints == len(ENDPOINTS)}


@asynccontextmanager
async def _soak(folder: Path, seed: int) -> AsyncIterator[Soak]:
    """A soak whose bridges answer within milliseconds and whose faults are as quick."""
    async with Simulation(port=0, bridges=CONFIGURED + DISCOVERED, latency=0.002) as simulation:
        for bridge in simulation.bridges:
            bridge.timing = Timing(
                replay_first=0.0,
                replay_every=5.0,
                glitch_first=0.0,
                glitch_every=3.0,
                glitch_seconds=1.0,
                pin_first=0.0,
                pin_every=5.0,
                pin_seconds=2.0,
                slow_seconds=0.2,
                jitter_around=0.05,
                jitter_spread=0.05,
                idle_seconds=0.01,
                drip_seconds=0.005,
            )
        yield Soak(folder, simulation, seed)


def table(sizes: Sequence[Size]) -> str:
    """The sizes in Markdown."""
    lines = ["| after scrapes | memory | descriptors | sockets | tasks |\n", "|---|---|---|---|---|\n"]
    lines += [
        f"| {size.scrapes:,} | {size.rss:.1f} MB | {size.descriptors} | {size.sockets} | {size.tasks} |\n"
        for size in sizes
    ]
    return "".join(lines)


def measured(folder: Path, scrapes: int, first: int = FIRST, *, seed: int) -> tuple[list[Size], Tally]:
    """The sizes during a soak in a network of its own, and what came of it; raises AssertionError."""

    async def run() -> tuple[list[Size], Tally]:
        async with _soak(folder, seed) as running:
            return await running.run(scrapes, first), running.tally

    return isolated(lambda: asyncio.run(run()))


def main() -> int:
    """Print the sizes; 1 if the exporter is not what it was."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scrapes", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the result into docs/robustness.md")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            sizes, tally = measured(Path(folder), options.scrapes, seed=options.seed)
        except AssertionError as error:
            print(error, file=sys.stderr)
            return 1
    minutes = (time.monotonic() - began) / 60
    answers = ", ".join(f"{outcome} {count:,} times" for outcome, count in tally.outcomes.most_common())
    machine = f"CPython {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}"
    text = f"{table(sizes)}\n{machine}; {minutes:.0f} minutes. Outcomes: {answers}.\n"
    print(text)
    problems = sizes[-1].grown(sizes[0])
    problems += [f"answered {each}" for each in tally.outcomes if each not in ("200", "gave up")]
    for problem in problems:
        print(problem, file=sys.stderr)
    if options.write and not problems:
        write_section(SECTION, text)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
