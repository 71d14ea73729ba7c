"""The exporter, its simulator and a Prometheus as processes, and what they answer."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devtools.waiting import PATIENCE, eventually

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

COMMAND = [sys.executable, "-m", "iometer_exporter"]
CLEAN_ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("IOMETER_")}

THRIFTY = {"GOGC": "400", "GOMAXPROCS": "1"}
"""Environment of `promtool` and `prometheus` where much is to be computed.

They spend a third of their time collecting garbage and keeping several cores busy; four times the memory,
some 280 MB, is not too much.
"""


class MissingProgramError(Exception):
    """A program that this machine lacks; the text says which."""


def program(name: str) -> str:
    """Path of a program; raises MissingProgramError."""
    if path := shutil.which(name):
        return path
    raise MissingProgramError(f"the program {name!r} is not installed")


@dataclass
class Process:
    """A running program; what it prints goes to a file."""

    popen: subprocess.Popen[bytes]
    output: Path

    def text(self) -> str:
        """All it has printed so far."""
        return self.output.read_text()

    def wait_for(self, pattern: str, timeout: float = PATIENCE) -> re.Match[str]:
        """The first match of the pattern in what it prints."""

        def found() -> re.Match[str] | None:
            assert self.popen.poll() is None, self.text()
            return re.search(pattern, self.text())

        return eventually(found, timeout)

    def stop(self, number: int = signal.SIGTERM, timeout: float = 10.0) -> int:
        """Send the signal; the exit code."""
        self.popen.send_signal(number)
        return self.popen.wait(timeout)


@contextmanager
def started(command: Sequence[str], output: Path, env: Mapping[str, str] | None = None) -> Iterator[Process]:
    """The command as a process that does not outlive the block."""
    environment = CLEAN_ENVIRONMENT | dict(env or {})
    with output.open("wb") as file:
        popen = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
    process = Process(popen, output)
    try:
        yield process
    finally:
        if popen.poll() is None:
            popen.terminate()
        try:
            popen.wait(10)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()


@contextmanager
def exporter(
    folder: Path, *options: str, env: Mapping[str, str] | None = None, pattern: str = r"address=(http://\S+/)"
) -> Iterator[tuple[Process, str]]:
    """`serve` on a free port, and its URL."""
    command = [*COMMAND, "serve", "--web.listen-address", "127.0.0.1:0", *options]
    with started(command, folder / "exporter.log", env) as process:
        yield process, process.wait_for(pattern)[1]


@dataclass
class Prometheus:
    """The query API of a running server."""

    url: str
    process: Process

    def is_ready(self) -> bool:
        """Whether it answers queries."""
        assert self.process.popen.poll() is None, self.process.text()
        return is_ready(f"{self.url}/")

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """The result of an instant query."""
        parameters = {"query": expression} | ({} if at is None else {"time": f"{at:.3f}"})
        answer = json.loads(get(f"{self.url}/api/v1/query?{urllib.parse.urlencode(parameters)}"))
        result = answer["data"]["result"]
        assert isinstance(result, list)
        return result

    def values(self, expression: str, by: str = "bridge") -> dict[str, float]:
        """The values of an instant query by one of the labels."""
        return {series["metric"].get(by, ""): float(series["value"][1]) for series in self.query(expression)}


def get(url: str) -> bytes:
    """The body at a URL of this host."""
    with _OPENER.open(url, timeout=15) as answer:
        body = answer.read()
    assert isinstance(body, bytes)
    return body


def post(url: str) -> bytes:
    """The body of the answer to an empty POST."""
    with _OPENER.open(urllib.request.Request(url, method="POST"), timeout=15) as answer:
        body = answer.read()
    assert isinstance(body, bytes)
    return body


def is_ready(url: str) -> bool:
    """Whether the server at the URL says so itself."""
    try:
        return bool(get(f"{url}-/ready"))
    except OSError:
        return False


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        port = opened.getsockname()[1]
    assert isinstance(port, int)
    return port
