"""The event loop of the program: names are looked up where nothing waits for a silent name server."""

import asyncio
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from iometer_exporter.net import event_loop
from tests.processes import CLEAN_ENVIRONMENT, started
from tests.waiting import PATIENCE

SILENT = """
import socket, time
real = socket.getaddrinfo
def getaddrinfo(host, *more, **named):
    if host in ("provider.example", b"provider.example"):
        print("asked", flush=True)
        time.sleep(60)
    return real(host, *more, **named)
socket.getaddrinfo = getaddrinfo
from iometer_exporter.cli import main
main()
"""
"""The program, with a name server that says nothing for a minute."""

STOPPED_AT_ITS_FIRST_LINE = """
import io, os, signal, sys
class Watched(io.FileIO):
    def write(self, data):
        written = super().write(data)
        os.kill(os.getpid(), signal.SIGTERM)
        return written
kept = [Watched(number, "w", closefd=False) for number in (1, 2)]
streams = sys.stdout, sys.stderr = [io.TextIOWrapper(io.BufferedWriter(raw)) for raw in kept]
from iometer_exporter.cli import main
main()
"""
"""The program, watched by somebody who stops it as soon as it says anything."""

CREDENTIALS = {"IOMETER_EXPORTER_PROVIDER_TOKEN": "t", "IOMETER_EXPORTER_PROVIDER_SECRET": "s"}


def test_a_name_and_a_port() -> None:
    async def look_up() -> list[Any]:
        return await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)

    assert event_loop.run(look_up()) == socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)


def test_an_error_is_that_of_the_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def look_up() -> None:
        with pytest.raises(socket.gaierror):
            await asyncio.get_running_loop().getaddrinfo("nobody.example", 80)

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    event_loop.run(look_up())


def test_who_gives_up_leaves_a_thread_that_ends_by_itself() -> None:
    hanging = threading.Event()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await event_loop.in_daemon_thread(partial(hanging.wait, PATIENCE))

    event_loop.run(give_up())
    # Still at work: nobody has waited for it.
    [left] = [thread for thread in threading.enumerate() if thread.name == "lookup"]
    assert left.daemon
    hanging.set()
    left.join()


def test_without_a_thread_it_is_an_error_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_thread: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    async def look_up() -> None:
        with pytest.raises(OSError, match="no thread is left"):
            await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)

    monkeypatch.setattr(threading.Thread, "start", full)
    event_loop.run(look_up())


@pytest.mark.end_to_end
def test_a_silent_name_server_does_not_hold_up_the_end(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("discovery: {enabled: false}\nprovider: {url: 'https://provider.example/q'}\n")
    words = ["serve", "--web.listen-address", "127.0.0.1:0", "--config.file", str(file)]
    with started([sys.executable, "-c", SILENT, *words], tmp_path / "log", CREDENTIALS) as process:
        process.wait_for("asked")
        asked = time.monotonic()
        assert process.stop(signal.SIGTERM, 30) == 0
        assert time.monotonic() - asked < 5


@pytest.mark.end_to_end
def test_a_command_ends_at_its_timeout() -> None:
    words = ["provider", "status", "--timeout", "1s", "--provider.url", "https://provider.example/q"]
    done = subprocess.run(
        [sys.executable, "-c", SILENT, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env=CLEAN_ENVIRONMENT | CREDENTIALS,
    )
    assert done.returncode == 1
    assert done.stderr == "Error: the provider API did not answer in time\n"


@pytest.mark.parametrize(
    "words",
    [
        "serve --no-discovery --bridge 127.0.0.1:1 --web.listen-address 127.0.0.1:0",
        "demo --web.listen-address 127.0.0.1:0",
        "simulate --port 0",
        "simulate provider --port 0",
    ],
)
def test_what_has_said_that_it_runs_ends_well_at_a_signal(words: str) -> None:
    """A supervisor may stop a unit the moment it is ready."""
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_AT_ITS_FIRST_LINE, *words.split()],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=CLEAN_ENVIRONMENT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout + done.stderr
