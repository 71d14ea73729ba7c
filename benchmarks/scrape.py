"""What a scrape costs: wall time, CPU and memory for N simulated bridges, and the time to the first answer.

    python benchmarks/scrape.py [--bridges 1,10,100,500] [--latency 0ms,50ms] [--scrapes 15]

The simulator and the exporter are processes of their own, talked to over loopback. The bound of a
scrape is the slowest single round trip to a bridge; `ratio` says how near it comes.
"""

import argparse
import http.client
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COMMAND = [sys.executable, "-m", "iometer_exporter"]
FIRST_PORT = 18080
EXPORTER_PORT = 18079
STARTS = 9
ROUND_TRIPS = 5
START_TIMEOUT = 60.0


@dataclass(frozen=True)
class Cost:
    """Medians over the scrapes of one setting: milliseconds, MB, and the slowest round trip."""

    wall: float
    cpu: float
    rss: float
    round_trip: float


def main() -> None:
    """Print one row per setting."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bridges", default="1,10,100,500")
    parser.add_argument("--latency", default="0ms,50ms")
    parser.add_argument("--scrapes", type=int, default=15)
    options = parser.parse_args()
    print(f"CPython {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}")
    print(" latency     N   wall ms   CPU ms  RSS MB  round trip ms  ratio")
    for latency in options.latency.split(","):
        for count in map(int, options.bridges.split(",")):
            with simulator(count, latency), exporter(count) as process:
                cost = measure(process, count, options.scrapes)
            print(
                f"{latency:>8} {count:>5} {cost.wall:>9.1f} {cost.cpu:>8.1f} {cost.rss:>7.1f} "
                f"{cost.round_trip:>14.2f} {cost.wall / cost.round_trip:>6.2f}"
            )
    with simulator(1, "0ms"):
        print(f"first 200 on /metrics after {statistics.median(start_up() for _ in range(STARTS)):.0f} ms")


@contextmanager
def simulator(count: int, latency: str) -> Iterator[None]:
    """Simulated bridges on consecutive ports."""
    command = [*COMMAND, "simulate", "--host", "127.0.0.1", "--port", str(FIRST_PORT)]
    command += ["--bridges", str(count), "--latency", latency]
    with running(command, FIRST_PORT + count - 1):
        yield


@contextmanager
def exporter(count: int) -> Iterator[subprocess.Popen[bytes]]:
    """The exporter, with the simulated bridges as its configuration."""
    lines = [f"  - {{host: 127.0.0.1, port: {FIRST_PORT + index}}}" for index in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yml")
        file.write_text("bridges:\n" + "\n".join(lines) + "\n")
        with running([*serve_command(), "--config.file", str(file)], EXPORTER_PORT) as process:
            yield process


def serve_command() -> list[str]:
    """The command line of an exporter without discovery on its port."""
    return [*COMMAND, "serve", "--no-discovery", "--web.listen-address", f"127.0.0.1:{EXPORTER_PORT}"]


@contextmanager
def running(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The command as a process, from when it listens on the port."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=10)


def wait_for(port: int) -> None:
    """Return once something listens on the port of this host."""
    give_up = time.monotonic() + START_TIMEOUT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.001)
        else:
            return


def measure(process: subprocess.Popen[bytes], count: int, scrapes: int) -> Cost:
    """Medians of the scrapes; the first two open connections and are not counted."""
    connection = http.client.HTTPConnection("127.0.0.1", EXPORTER_PORT)
    walls, cpus = [], []
    for index in range(scrapes + 2):
        cpu, started = cpu_seconds(process.pid), time.perf_counter()
        body = get(connection, "/metrics")
        wall = time.perf_counter() - started
        if index >= 2:
            walls.append(wall * 1000)
            cpus.append((cpu_seconds(process.pid) - cpu) * 1000)
        up = sum(line.startswith(b"iometer_up{") and line.endswith(b" 1.0") for line in body.splitlines())
        if up != count:
            raise SystemExit(f"only {up} of {count} bridges answered")
    return Cost(
        statistics.median(walls),
        statistics.fmean(cpus),
        rss_megabytes(process.pid),
        slowest_round_trip(count),
    )


def get(connection: http.client.HTTPConnection, path: str) -> bytes:
    """The body of a path, over the kept connection."""
    connection.request("GET", path)
    return connection.getresponse().read()


def slowest_round_trip(count: int) -> float:
    """Milliseconds of a document over a kept connection: the slowest bridge's median."""
    medians = []
    for port in range(FIRST_PORT, FIRST_PORT + min(count, 20)):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        get(connection, "/v1/reading")
        times = []
        for _ in range(ROUND_TRIPS):
            started = time.perf_counter()
            get(connection, "/v1/reading")
            times.append((time.perf_counter() - started) * 1000)
        medians.append(statistics.median(times))
        connection.close()
    return max(medians)


def start_up() -> float:
    """Milliseconds from the start of a process to its first answer on /metrics, with one bridge."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [*serve_command(), "--bridge", f"127.0.0.1:{FIRST_PORT}"], stderr=subprocess.DEVNULL
    )
    try:
        wait_for(EXPORTER_PORT)
        get(http.client.HTTPConnection("127.0.0.1", EXPORTER_PORT), "/metrics")
        return (time.perf_counter() - started) * 1000
    finally:
        process.terminate()
        process.wait(timeout=10)


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
