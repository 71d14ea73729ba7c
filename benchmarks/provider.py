"""What a fleet in the provider API costs: CPU of what is sent, inventory, memory, start, scrapes beside it.

    python -m benchmarks.provider [--installations 1000,10000,100000] [--shard 2/8] [--scrapes 7] [--pause S]

Prints two Markdown tables. The first is CPU for one reading or installation, from its bytes to what is
served, beside what the decoder alone takes for the same bytes. The second has a column for each fleet.
Cloud, exporter, scraper and benchmark are processes of their own on loopback. "1 % changed" is a scrape
after new readings of one installation in a hundred; a turn of the event loop is measured in its CPU time,
so that other programs on the machine do not count.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from benchmarks import decoding
from benchmarks.cloud import SECRET, TOKEN
from benchmarks.measuring import cpu_seconds, rss_megabytes
from benchmarks.questions import Child, child
from benchmarks.watched import HOST, scrape
from devtools.processes import COMMAND, free_port

PROBES: Final = 60
LONGEST_SECONDS: Final = 3600.0

LOOK_SECONDS: Final = 0.5
"""From one look at a backlog to the next."""

QUIET_SECONDS: Final = 10.0
"""After which a backlog is at its end."""

Row = tuple[str, str]
"""What was measured, and the figure."""

GOALS: Final = {
    "per installation": "12 kB",
    "per sample": "0.6 µs",
    "longest turn of the event loop": "50 ms",
    "probe beside scrapes without a pause": "twice alone",
    "scrape meanwhile": "twice alone",
    "readings of the last 24 h": "180 s for 100 000",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--installations", default="1000,10000,100000", help="sizes of fleets")
    parser.add_argument("--shard", default="1/1", help="the part of the fleet that the exporter keeps")
    parser.add_argument(
        "--page-size", type=int, default=500, help="installations that are asked for at a time"
    )
    parser.add_argument("--scrapes", type=int, default=7, help="how many are counted for a figure")
    parser.add_argument(
        "--pause", type=float, default=LOOK_SECONDS, help="seconds between two scrapes beside a backlog"
    )
    parser.add_argument("--rounds", type=int, default=40, help="rounds of the first table")
    parser.add_argument(
        "--no-backlog", action="store_true", help="leave out the readings of the last 24 hours"
    )
    options = parser.parse_args(arguments)
    print(f"CPython {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}\n")
    print_table(
        ("µs of CPU for", "here", "decoder alone", "to reach"),
        [
            (
                each.name,
                f"{each.ours:.1f}",
                f"{each.floor:.1f}",
                "" if each.goal is None else f"{each.goal:g}",
            )
            for each in decoding.costs(options.rounds)
        ],
    )
    counts = [int(count) for count in options.installations.split(",")]
    base = memory_without_any(options)
    columns = [dict(fleet(count, base, options)) for count in counts]
    print()
    print_table(
        ("installations", *(f"{count:,}".replace(",", " ") for count in counts), "to reach"),
        [(name, *(column[name] for column in columns), GOALS.get(name, "")) for name in columns[0]],
    )


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    for cells in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(cells)} |", flush=True)


def fleet(count: int, base: float, options: argparse.Namespace) -> Iterator[Row]:
    """Everything about a fleet; an exporter without any installation has `base` MB."""
    with serving(count, options, readings="off") as (cloud, process, port):
        yield from first_inventory(cloud, process, count, base)
        yield from scrapes(process, port, options.scrapes)
        yield from probing(port)
    if not options.no_backlog:
        yield from backlog(count, options)


def memory_without_any(options: argparse.Namespace) -> float:
    """Megabytes of an exporter without installations."""
    with serving(0, options, readings="off") as (_, process, _port):
        wait_for_inventory(process)
        time.sleep(1)
        return rss_megabytes(process.pid)


def first_inventory(cloud: Child, process: Child, count: int, base: float) -> Iterator[Row]:
    """The start of an exporter that takes no readings."""
    before = cpu_seconds(process.pid)
    taken = wait_for_inventory(process)
    yield "first complete inventory", f"{taken:.1f} s"
    yield "of it the simulated cloud", f"{cloud.ask('busy'):.1f} s"
    yield "longest turn of the event loop in the inventory", milliseconds(process.ask("turn"))
    time.sleep(1.5)
    known = process.ask("known")
    yield (
        "CPU for an installation, with its lines",
        f"{(cpu_seconds(process.pid) - before) / count * 1e6:.0f} µs",
    )
    yield "installations served", f"{known}"
    rss = rss_megabytes(process.pid)
    yield "memory (RSS)", f"{rss:.0f} MB"
    yield f"per installation, above {base:.0f} MB without any", f"{(rss - base) * 1e3 / max(known, 1):.1f} kB"


def scrapes(process: Child, port: int, count: int) -> Iterator[Row]:
    """Scrapes with nothing else to do; the median of each kind."""
    scrape(port)
    process.ask("turn")
    _, size, samples = scrape(port)
    _, zipped, _ = scrape(port, gzip=True)
    yield "samples", f"{samples}"
    yield "page", f"{size / 1e6:.1f} MB"
    yield "page, gzip", f"{zipped / 1e6:.1f} MB"
    for name, gzip, change in (
        ("scrape, nothing changed", False, False),
        ("scrape, 1 % changed", False, True),
        ("scrape, gzip", True, False),
    ):
        walls = []
        for _ in range(count):
            if change:
                process.ask("change")
                time.sleep(0.01)
            walls.append(scrape(port, gzip=gzip)[0])
        yield name, milliseconds(statistics.median(walls))
        if not gzip and not change:
            yield "per sample", f"{statistics.median(walls) / samples * 1e6:.2f} µs"
    yield "longest turn of the event loop in scrapes", milliseconds(process.ask("turn"))


def probing(port: int) -> Iterator[Row]:
    """Probes of a bridge, alone and while another process scrapes the fleet without a pause."""
    with bridge() as bridge_port:
        yield "probe of a bridge alone", milliseconds(statistics.median(probes(port, bridge_port)))
        with child("watched", "--scrape", str(port)) as scraper:
            scraper.ask("scrape")
            beside = statistics.median(probes(port, bridge_port))
        yield "probe beside scrapes without a pause", milliseconds(beside)


def backlog(count: int, options: argparse.Namespace) -> Iterator[Row]:
    """The readings of the last 24 hours, as after a start, from a cloud whose stream costs it little."""
    with serving(count, options, readings="subscribe", prepared=True) as (cloud, process, port):
        wait_for_inventory(process)
        time.sleep(0.2)
        before, cpu, sent = process.ask("readings"), cpu_seconds(process.pid), cloud.ask("sent")
        process.ask("turn")
        began = ended = due = time.monotonic()
        last, walls = sent, []
        # What is sent from then on are the readings of now.
        while time.monotonic() < ended + QUIET_SECONDS and ended - began < LONGEST_SECONDS:
            time.sleep(LOOK_SECONDS)
            now = cloud.ask("sent")
            if now - last > count * LOOK_SECONDS / 100:
                ended = time.monotonic()
                if ended >= due:
                    walls.append(scrape(port, counted=False)[0])
                    due = time.monotonic() + options.pause
            last = now
        spent = cpu_seconds(process.pid) - cpu
        sent, taken = cloud.ask("sent") - sent, process.ask("readings") - before
        yield "readings of the last 24 h", f"{ended - began:.1f} s"
        yield "of them read, and ours", f"{sent} and {taken}"
        yield "CPU for one that is read, with scrapes", f"{spent / max(sent, 1) * 1e6:.1f} µs"
        yield "scrape meanwhile", milliseconds(statistics.median(walls)) if walls else "none"
        yield "longest turn of the event loop", milliseconds(process.ask("turn"))


def milliseconds(seconds: float) -> str:
    """The time as a cell."""
    return f"{seconds * 1e3:.1f} ms" if seconds < 0.02 else f"{seconds * 1e3:.0f} ms"


@contextmanager
def serving(
    count: int, options: argparse.Namespace, *, readings: str, prepared: bool = False
) -> Iterator[tuple[Child, Child, int]]:
    """The cloud and the exporter of a fleet, and the port of the latter."""
    cloud_port, port = free_port(), free_port()
    settings = {
        "url": f"http://{HOST}:{cloud_port}/v1/query",
        "readings": readings,
        "page_size": options.page_size,
        "inventory_interval": "24h",
        "shard": options.shard,
    }
    env = {"IOMETER_EXPORTER_PROVIDER_TOKEN": TOKEN, "IOMETER_EXPORTER_PROVIDER_SECRET": SECRET}
    words = [f"--installations={count}", f"--port={cloud_port}", *(["--prepared"] if prepared else [])]
    with ExitStack() as stack:
        file = Path(stack.enter_context(tempfile.TemporaryDirectory()), "config.yml")
        file.write_text(json.dumps({"discovery": {"enabled": False}, "provider": settings}))
        cloud = stack.enter_context(child("cloud", *words))
        cloud.ask("busy")
        process = stack.enter_context(child("watched", str(file), str(port), env=env))
        process.ask("started")
        yield cloud, process, port


def wait_for_inventory(process: Child) -> float:
    """Seconds from the start of the source to the first complete inventory."""
    give_up = time.monotonic() + LONGEST_SECONDS
    while not (taken := process.ask("inventory")):
        if time.monotonic() > give_up:
            raise SystemExit("the inventory is not complete in time")
        time.sleep(0.05)
    return float(taken)


@contextmanager
def bridge() -> Iterator[int]:
    """A simulated bridge, and its port."""
    port = free_port()
    command = [*COMMAND, "simulate", "--host", HOST, "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=10)


def wait_for_port(port: int) -> None:
    """Return once somebody listens there."""
    give_up = time.monotonic() + 60
    while True:
        with socket.socket() as one:
            if one.connect_ex((HOST, port)) == 0:
                return
        if time.monotonic() > give_up:
            raise SystemExit("the bridge does not start")
        time.sleep(0.05)


def probes(port: int, bridge_port: int) -> list[float]:
    """Seconds of each of some probes of the bridge."""
    request = (
        f"GET /probe?target={HOST}:{bridge_port} HTTP/1.1\r\nHost: a\r\n"
        "Accept-Encoding: identity\r\nConnection: close\r\n\r\n"
    ).encode()
    walls = []
    for _ in range(PROBES):
        started = time.perf_counter()
        with socket.create_connection((HOST, port)) as connection:
            connection.sendall(request)
            body = bytearray()
            while received := connection.recv(65536):
                body += received
        walls.append(time.perf_counter() - started)
        if b"probe_success 1.0" not in body:
            raise SystemExit("the bridge was not read")
        time.sleep(0.005)
    return walls


if __name__ == "__main__":
    main()
