"""The exporter as a process that can be asked what it does, and a scraper that never rests.

python -m benchmarks.watched CONFIG PORT
python -m benchmarks.watched --scrape PORT
"""

import asyncio
import random
import selectors
import socket
import sys
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from benchmarks.questions import answer
from iometer_exporter.config.file import Config, load_config
from iometer_exporter.exporter import Exporter
from iometer_exporter.meter.models import Register
from iometer_exporter.provider.api.models import MeterReading
from iometer_exporter.provider.source import ProviderSource
from iometer_exporter.web import server
from iometer_exporter.web.listen import ListenAddress, listen

HOST: Final = "127.0.0.1"


async def run(file: Path, port: int, turns: "Turns") -> None:
    """The exporter, until nobody asks any more."""

    def load() -> Config:
        return load_config(file)

    listening = listen([ListenAddress(HOST, port)])
    async with server.running(load, listening) as running:
        started = time.time()
        source = provider_of(running)
        # What is imported at the start holds up nobody yet: it belongs to the turn that ends here.
        await asyncio.sleep(0)
        turns.longest()
        await answer(
            {
                "started": lambda: started,
                "turn": turns.longest,
                "inventory": lambda: source.inventory.completed and source.inventory.completed - started,
                "known": lambda: len(source.installations),
                "readings": lambda: sum(source.counts.results.values()),
                "resume": lambda: source.readings.resume,
                "change": lambda: change(source),
            }
        )


class Turns(selectors.DefaultSelector):
    """Takes note of the turns of an event loop: CPU time of its thread from one look for news to the next."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.thread_time()
        self._longest = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready, as an event loop asks at the beginning of each of its turns."""
        self._longest = max(self._longest, time.thread_time() - self._began)
        found = super().select(timeout)
        self._began = time.thread_time()
        return found

    def longest(self) -> float:
        """Seconds of the longest turn since this was asked the last time."""
        longest, self._longest = self._longest, 0.0
        return longest


def provider_of(running: Exporter) -> ProviderSource:
    """The source of an exporter that has one."""
    assert running.provider is not None
    return running.provider


async def change(source: ProviderSource) -> int:
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
            reading = served._replace(time=time_, registers=registers)
            received = MeterReading(one.id, one.external_id, meter.id, time_, reading)
            taken = source.installations.receive(received, time.time(), time.monotonic())
            accepted += taken is not None and taken[0] == "accepted"
        # What this takes is no turn of the exporter.
        await asyncio.sleep(0)
    return accepted


def scrape(port: int, *, gzip: bool = False, counted: bool = True) -> tuple[float, int, int]:
    """Seconds, bytes and samples of one scrape; the bytes are read as fast as they come."""
    accepted = "gzip" if gzip else "identity"
    request = f"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {accepted}\r\nConnection: close\r\n\r\n"
    size = lines = comments = 0
    started = time.perf_counter()
    with socket.create_connection((HOST, port)) as connection:
        connection.sendall(request.encode())
        buffer = bytearray(1 << 20)
        while received := connection.recv_into(buffer):
            size += received
            if counted and not gzip:
                lines += buffer.count(b"\n", 0, received)
                comments += buffer.count(b"# ", 0, received)
    return time.perf_counter() - started, size, lines - comments


def keep_scraping(port: int) -> None:
    """Scrape without a pause, once asked to, until the process is ended."""
    sys.stdin.readline()
    print("true", flush=True)
    while True:
        scrape(port, counted=False)


def main() -> None:
    """Be the exporter, or the scraper."""
    first, port = sys.argv[1], int(sys.argv[2])
    if first == "--scrape":
        keep_scraping(port)
    else:
        turns = Turns()
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(turns)) as runner:
            runner.run(run(Path(first), port, turns))


if __name__ == "__main__":
    main()
