"""A real exporter with few descriptors, and a thousand clients that want nothing but its connections."""

import re
import resource
import selectors
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests import documents
from tests.processes import COMMAND, Process, get, started
from tests.rawserver import bridge, served
from tests.secured import Certificates
from tests.waiting import eventually

pytestmark = pytest.mark.end_to_end

CROWD = 1000
HALF = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Long: "
BODY = b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
KEPT = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
HELLO = bytes.fromhex("1603010200010001fc0303")
"""The beginning of a TLS handshake."""


@contextmanager
def descriptors(number: int) -> Iterator[None]:
    """As many for this process itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        if hard < number:
            pytest.skip(f"the crowd needs {number} descriptors, and the hard limit here is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def crowd(port: int, first: bytes, drip: bytes) -> Iterator[list[int]]:
    """Clients that connect, send the first bytes, then the drip again and again, and come back when closed.

    Yields a list with an item for each time that one of them was closed.
    """
    closed: list[int] = []
    stop = threading.Event()
    everybody = threading.Event()

    def connect(selector: selectors.BaseSelector) -> None:
        client = socket.create_connection(("127.0.0.1", port), 30)
        client.setblocking(False)
        selector.register(client, selectors.EVENT_READ)
        client.send(first)

    def stay() -> None:
        with selectors.DefaultSelector() as selector:
            try:
                while not stop.is_set():
                    # No faster than this: what is tried is how many there are.
                    for _ in range(min(50, CROWD - len(selector.get_map()))):
                        # Refused once the server stops.
                        with suppress(OSError):
                            connect(selector)
                    if len(selector.get_map()) == CROWD or len(closed) > CROWD // 4:
                        everybody.set()
                    stop.wait(0.05)
                    for key, _ in selector.select(0):
                        client = key.fileobj
                        assert isinstance(client, socket.socket)
                        if gone(client):
                            selector.unregister(client)
                            client.close()
                            closed.append(1)
                    if drip:
                        for key in list(selector.get_map().values()):
                            assert isinstance(key.fileobj, socket.socket)
                            with suppress(OSError):
                                key.fileobj.send(drip)
            finally:
                for key in list(selector.get_map().values()):
                    assert isinstance(key.fileobj, socket.socket)
                    key.fileobj.close()

    thread = threading.Thread(target=stay)
    thread.start()
    try:
        assert everybody.wait(60)
        yield closed
    finally:
        stop.set()
        thread.join()


def gone(client: socket.socket) -> bool:
    """Whether the server has closed the connection."""
    try:
        return client.recv(65536) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@contextmanager
def small_exporter(folder: Path, *options: str) -> Iterator[tuple[Process, str, int]]:
    """`serve` with 256 descriptors and no way to more, its URL and its port."""
    limited = ["sh", "-c", 'ulimit -n 256 && exec "$0" "$@"', *COMMAND, "serve", "--no-discovery"]
    limited += ["--web.listen-address", "127.0.0.1:0", *options]
    with started(limited, folder / "exporter.log") as process:
        url = process.wait_for(r"address=(https?://\S+/)")[1]
        yield process, url, int(re.findall(r":(\d+)/", url)[0])


@pytest.mark.parametrize(
    ("first", "drip"),
    [(b"", b""), (HALF, b""), (HALF, b"x"), (BODY, b"x"), (KEPT, b"")],
    ids=["idle", "half", "drip", "body", "kept"],
)
def test_every_scrape_succeeds_while_a_thousand_clients_stay(
    tmp_path: Path, first: bytes, drip: bytes
) -> None:
    with (
        descriptors(4 * CROWD),
        served(bridge(lambda: documents.reading(time.time()), documents.status)) as address,
        small_exporter(tmp_path, "--bridge", f"house={address}") as (process, url, port),
        crowd(port, first, drip) as closed,
    ):
        for _ in range(5):
            assert b'iometer_up{bridge="house"} 1.0' in get(f"{url}metrics")
            time.sleep(0.2)
            # For a moment there may be more: what has just sent something is not closed.
            eventually(lambda: len(list(Path(f"/proc/{process.popen.pid}/fd").iterdir())) < 100)
        assert get(f"{url}-/healthy") == b"healthy\n"
        assert closed, "nobody had to make room"
        assert process.stop() == 0
    assert len(process.text().splitlines()) <= 8, process.text()
    assert "Traceback" not in process.text()


@pytest.mark.parametrize("first", [b"", HELLO], ids=["silent", "hello"])
def test_every_scrape_succeeds_while_a_thousand_handshakes_are_never_finished(
    tmp_path: Path, first: bytes
) -> None:
    certificates = Certificates(tmp_path)
    handler = urllib.request.HTTPSHandler(context=certificates.trusting())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)
    web = str(certificates.config())
    with (
        descriptors(4 * CROWD),
        small_exporter(tmp_path, "--bridge", "house=127.0.0.1:1", "--web.config.file", web) as running,
        crowd(running[2], first, b"") as closed,
    ):
        process, url, _ = running
        for _ in range(5):
            with opener.open(f"{url}metrics", timeout=30) as answer:
                assert b'iometer_up{bridge="house"} 0.0' in answer.read()
            time.sleep(0.1)
        assert closed, "nobody had to make room"
        assert process.stop() == 0
    assert len(process.text().splitlines()) <= 8, process.text()
    assert "Traceback" not in process.text()


def test_more_scrapers_at_once_than_connections_are_all_answered(tmp_path: Path) -> None:
    with (
        descriptors(4 * CROWD),
        small_exporter(tmp_path, "--bridge", "a=127.0.0.1:1") as (process, _, port),
        ExitStack() as stack,
    ):
        scrapers = []
        for _ in range(CROWD):
            scraper = stack.enter_context(socket.create_connection(("127.0.0.1", port), 100))
            scraper.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            scrapers.append(scraper)
        assert {scraper.recv(15) for scraper in scrapers} == {b"HTTP/1.1 200 OK"}
        stack.close()
        assert process.stop() == 0


def test_plain_noise_on_a_tls_port_is_no_line_in_the_log(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    web = str(certificates.config())
    with small_exporter(tmp_path, "--bridge", "a=127.0.0.1:1", "--web.config.file", web) as (
        process,
        _,
        port,
    ):
        before = len(process.text().splitlines())
        for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03", HELLO + bytes(600), b"\0" * 100):
            for _ in range(5):
                with socket.create_connection(("127.0.0.1", port), 30) as client:
                    client.sendall(noise)
        context = certificates.trusting()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        with (
            socket.create_connection(("127.0.0.1", port), 30) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as client,
        ):
            client.sendall(b"no such thing\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 400 ")
        assert len(process.text().splitlines()) == before
        assert process.stop() == 0
