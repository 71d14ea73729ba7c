"""What the supervisor hears, through a real datagram socket."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from iometer_exporter.web import systemd as notify


@contextmanager
def supervisor(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(5)
        receiver.bind("\0" + name[1:] if name.startswith("@") else name)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield receiver


@pytest.fixture(params=["path", "abstract"])
def receiver(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[socket.socket]:
    name = f"@iometer-exporter-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    with supervisor(monkeypatch, name) as socket_:
        yield socket_


def test_ready(receiver: socket.socket) -> None:
    notify.ready("serving 2 bridges")
    assert receiver.recv(999) == b"READY=1\nSTATUS=serving 2 bridges"


def test_stopping(receiver: socket.socket) -> None:
    notify.stopping()
    assert receiver.recv(999) == b"STOPPING=1"


def test_a_reload_says_since_when(receiver: socket.socket) -> None:
    notify.reloading("reading the configuration")
    message = receiver.recv(999).decode()
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=reading the configuration", message)


def test_a_status_cannot_smuggle_in_another_state(receiver: socket.socket) -> None:
    notify.ready("bad file:\nSTOPPING=1\r\n")
    assert receiver.recv(999) == b"READY=1\nSTATUS=bad file: STOPPING=1"


@pytest.mark.parametrize(
    "name", ["", "relative/path", "/nowhere/at/all", "@", "@nobody-listens", "/\udcff", "/a\0b"]
)
def test_it_never_raises(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(os, "environ", {"NOTIFY_SOCKET": name})
    notify.ready("text \udcff")
    notify.reloading()
    notify.stopping()


def test_it_is_silent_without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("a socket was opened"))
    notify.ready()


def test_a_supervisor_that_does_not_read_blocks_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with supervisor(monkeypatch, str(tmp_path / "notify")):
        for _ in range(5000):
            notify.ready("still here")
