"""The exporter as a process that can be asked what it does, and a scraper that never rests.

python -m benchmarks.watched CONFIG PORT
python -m benchmarks.watched --scrape PORT
"""

import asyncio
import random
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from benchmarks.questions import answer
from iometer_exporter.config.file import Config, load_config
from iometer_exporter.exporter import Exporter
from iometer_exporter.meter.models import Register
from iometer_exporter.provider.api.models import MeterReading
from iometer_exporter.provider.source import ProviderSource
from iometer_exporter.web import server
from iometer_exporter.web.listen import ListenAddress, listen

HOST: Final = "127.0.0.1"
TICK: Final = 0.002


async def run(file: Path, port: int) -> None:
    """The exporter, with a task that sees how long its event loop is busy at most."""
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

    listening = listen([ListenAddress(HOST, port)])
    async with server.running(load, listening) as running, ticking(tick()):
        started = time.time()
        source = provider_of(running)
        await answer(
            {
                "started": lambda: started,
                "stall": stall,
                "inventory": lambda: source.inventory.completed and source.inventory.completed - started,
                "known": lambda: len(source.installations),
                "readings": lambda: sum(source.counts.results.values()),
                "resume": lambda: source.readings.resume,
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
        asyncio.run(run(Path(first), port))


if __name__ == "__main__":
    main()
