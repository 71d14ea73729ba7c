"""The server on real sockets, with clients that take their time, and with times short enough for a test."""

import asyncio
import contextlib
import logging
import os
import resource
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from iometer_exporter.config.web_file import load_web_config
from iometer_exporter.web.clients import Client, ClientLimits
from iometer_exporter.web.gate import WebGate
from iometer_exporter.web.listener import Listener
from tests.properties import examples
from tests.secured import Certificates, hello, serving

SHORT = ClientLimits(head_timeout=0.4, idle_timeout=60, stall_timeout=0.4)
"""Short where a test waits for it to be over; nothing is asserted to be as quick as that."""

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
LARGE = b"x" * (32 * 1024 * 1024)
"""More than the system's own buffers hold."""


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@contextlib.contextmanager
def connected(port: int, buffer: int = 0) -> Iterator[socket.socket]:
    """A plain connection; with a buffer, one that takes little in advance."""
    client = socket.socket()
    if buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.settimeout(60)
    client.connect(("127.0.0.1", port))
    with client:
        yield client


def until_closed(client: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    received = bytearray()
    with contextlib.suppress(ConnectionError):
        while data := client.recv(1024 * 1024):
            received += data
    return bytes(received)


def answer_of(client: socket.socket) -> bytes:
    """One answer of `hello`."""
    received = bytearray()
    while not received.endswith((b"0\r\n\r\n", b"HTTP request received.")):
        data = client.recv(65536)
        assert data, bytes(received)
        received += data
    return bytes(received)


def drip(client: socket.socket) -> None:
    """Send a byte now and then until the server closes the connection."""
    give_up = time.monotonic() + 60
    with contextlib.suppress(OSError):
        while time.monotonic() < give_up:
            client.sendall(b"x")
            time.sleep(0.1)
        pytest.fail("still open after 60 s")


async def large(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(LARGE))]}
    )
    await send({"type": "http.response.body", "body": LARGE})


async def streamed(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(32):
        await send({"type": "http.response.body", "body": LARGE[: 1024 * 1024], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


# Times


@pytest.mark.parametrize("first", [b"", b"G", REQUEST[:-2], b"POST / HTTP/1.1\r\n"])
def test_who_does_not_finish_the_head_of_a_request_is_cut_off(first: bytes) -> None:
    with serving(None, limits=SHORT) as port, connected(port) as client:
        client.sendall(first)
        assert until_closed(client) == b""


def test_a_byte_now_and_then_does_not_help() -> None:
    with serving(None, limits=SHORT) as port, connected(port) as client:
        client.sendall(REQUEST[:-2])
        drip(client)


def test_the_next_request_of_a_kept_connection_has_the_same_time() -> None:
    with serving(None, limits=SHORT) as port, connected(port) as client:
        client.sendall(REQUEST)
        assert b"hello 1\n" in answer_of(client)
        client.sendall(REQUEST[:-2])
        assert until_closed(client) == b""


def test_a_kept_connection_is_closed_when_it_is_idle() -> None:
    with (
        serving(None, limits=replace(SHORT, head_timeout=60, idle_timeout=1)) as port,
        connected(port) as client,
    ):
        client.sendall(REQUEST)
        assert until_closed(client).endswith(b"0\r\n\r\n")


def test_a_body_that_never_ends_is_answered_and_cut_off() -> None:
    with serving(None, limits=SHORT) as port, connected(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\nx")
        assert b"hello 1\n" in answer_of(client)
        drip(client)


@pytest.mark.parametrize("first", [b"", bytes.fromhex("1603010200010001fc0303")])
def test_who_does_not_finish_the_handshake_is_cut_off(certificates: Certificates, first: bytes) -> None:
    gate = WebGate(load_web_config(certificates.config()))
    with serving(gate, limits=SHORT) as port, connected(port) as client:
        client.sendall(first)
        assert until_closed(client) == b""


def test_a_request_may_take_longer_than_its_head() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(2 * SHORT.head_timeout)
        await hello(scope, receive, send)

    with serving(None, slow, SHORT) as port, connected(port) as client:
        client.sendall(REQUEST)
        assert b"hello 1\n" in answer_of(client)


@pytest.mark.parametrize("app", [large, streamed])
@pytest.mark.parametrize("secure", [False, True])
def test_who_does_not_read_the_answer_is_cut_off(
    certificates: Certificates,
    app: object,
    secure: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    given_up = threading.Event()
    abort = Client.abort

    def noted(client: Client) -> None:
        abort(client)
        given_up.set()

    monkeypatch.setattr(Client, "abort", noted)
    gate = WebGate(load_web_config(certificates.config())) if secure else None
    with serving(gate, app, SHORT) as port, connected(port, 4096) as raw:  # type: ignore[arg-type]
        client = certificates.trusting().wrap_socket(raw, server_hostname="localhost") if secure else raw
        with client:
            client.sendall(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            # Not one byte is read before; what the client sees of it is what is there to be read then.
            assert given_up.wait(60)
            received = bytearray()
            with contextlib.suppress(OSError):
                while data := client.recv(1024 * 1024):
                    received += data
            assert len(received) < len(LARGE)
    assert not caplog.records


@pytest.mark.parametrize("secure", [False, True])
def test_who_reads_slowly_gets_all_of_it(certificates: Certificates, secure: bool) -> None:
    gate = WebGate(load_web_config(certificates.config())) if secure else None
    limits = replace(SHORT, stall_timeout=20)
    with serving(gate, large, limits) as port, connected(port, 65536) as raw:
        client = certificates.trusting().wrap_socket(raw, server_hostname="localhost") if secure else raw
        with client:
            client.sendall(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            # Longer than a head may take, also after the application is done.
            time.sleep(2 * SHORT.head_timeout)
            assert until_closed(client).endswith(LARGE)


def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(certificates: Certificates) -> None:
    gate = WebGate(load_web_config(certificates.config()))
    context = certificates.trusting()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with serving(gate) as port, connected(port) as client:
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        client.sendall(outgoing.read())
        while True:
            incoming.write(client.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                break
        tls.write(REQUEST)
        client.sendall(outgoing.read())
        received = b""
        while b"hello 1\n" not in received:
            incoming.write(client.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                while True:
                    received += tls.read(65536)


# Numbers


def test_the_oldest_that_waits_makes_room_for_a_request() -> None:
    limits = ClientLimits(connections=4, head_timeout=600)
    with serving(None, limits=limits) as port, contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(connected(port)) for _ in range(4)]
        for _ in range(3):
            client = stack.enter_context(connected(port))
            client.sendall(REQUEST)
            assert b"hello 1\n" in answer_of(client)
        assert [until_closed(client) for client in waiting[:3]] == [b""] * 3
        waiting[3].sendall(REQUEST)
        assert b"hello 1\n" in answer_of(waiting[3])


def test_whoever_finds_all_being_answered_waits_for_a_place() -> None:
    go_on = threading.Event()

    async def held(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.to_thread(go_on.wait, 60)
        await hello(scope, receive, send)

    def ask() -> bytes:
        with connected(port) as client:
            client.sendall(REQUEST)
            return answer_of(client)

    with serving(None, held, ClientLimits(connections=4)) as port, ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(ask) for _ in range(20)]
        time.sleep(0.5)
        done = [answer for answer in answers if answer.done()]
        go_on.set()
        assert not done
        assert all(b"hello 1\n" in answer.result() for answer in answers)


def test_no_descriptors_are_one_line_in_the_log_and_no_end(caplog: pytest.LogCaptureFixture) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with serving(None) as port, connected(port) as kept, contextlib.ExitStack() as stack:
        kept.sendall(REQUEST)
        assert b"hello 1\n" in answer_of(kept)
        first, second = (stack.enter_context(socket.socket()) for _ in range(2))
        free = os.dup(0)
        os.close(free)
        # From here on this process can have no new descriptor.
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            first.settimeout(60)
            second.settimeout(60)
            first.connect(("127.0.0.1", port))
            first.sendall(REQUEST)
            # The one that was idle is given up for it.
            assert b"hello 1\n" in answer_of(first)
            assert until_closed(kept) == b""
            second.connect(("127.0.0.1", port))
            second.sendall(REQUEST)
            assert b"hello 1\n" in answer_of(second)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    [record] = caplog.records
    assert record.getMessage() == "connections cannot be accepted, trying again all the time"
    assert record.__dict__["error"] == "Too many open files"


def test_a_fault_while_a_connection_is_opened_is_told_and_ends_nothing(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gate = WebGate(load_web_config(certificates.config()))
    broken = [True]
    refresh = gate.refresh

    def fault() -> None:
        if broken.pop() if broken else False:
            raise TypeError("bug")
        refresh()

    monkeypatch.setattr(gate, "refresh", fault)
    with serving(gate) as port:
        with connected(port) as client:
            assert until_closed(client) == b""
        with connected(port) as raw:
            client = certificates.trusting().wrap_socket(raw, server_hostname="localhost")
            client.sendall(REQUEST)
            assert b"hello 1\n" in answer_of(client)
            client.close()
    assert [record.getMessage() for record in caplog.records] == [
        "connection could not be opened, please report this"
    ]


async def test_a_client_that_gives_up_before_it_is_accepted_is_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    accept = loop.sock_accept
    faults = [ConnectionAbortedError(103, "Software caused connection abort")]

    async def aborted(listening: socket.socket) -> object:
        if faults:
            raise faults.pop()
        return await accept(listening)

    monkeypatch.setattr(loop, "sock_accept", aborted)
    from iometer_exporter.web.http_server import HttpServer

    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    server = HttpServer(hello, [listening])
    serve = asyncio.create_task(server.serve())
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    writer.write(REQUEST)
    assert b"hello 1\n" in await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 30)
    writer.close()
    server.should_exit = True
    await serve
    assert not faults
    assert not caplog.records
    assert listening.fileno() == -1


def test_the_stop_does_not_wait_for_handshakes(certificates: Certificates) -> None:
    gate = WebGate(load_web_config(certificates.config()))
    with serving(gate, limits=ClientLimits(head_timeout=600)) as port, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connected(port)) for _ in range(3)]
        time.sleep(0.2)
        still_open = stack.pop_all()
    with still_open:
        assert [until_closed(client) for client in clients] == [b""] * 3


# What is no HTTP


@pytest.mark.parametrize(
    "request_",
    [
        REQUEST.replace(b"Host", b"Connection: Upgrade\r\nUpgrade: websocket\r\nHost"),
        REQUEST.replace(b"Host", b"Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHost"),
    ],
)
def test_an_upgrade_is_answered_as_if_nobody_had_asked_for_one(
    request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(None) as port, connected(port) as client:
        client.sendall(request_)
        assert b"hello 1\n" in answer_of(client)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    "noise",
    [
        b"\r\n\r\nno such thing\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 300000,
        REQUEST[:-2] + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http_is_a_400_and_no_line_in_the_log(
    noise: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(None) as port:
        with connected(port) as client:
            client.sendall(noise)
            assert until_closed(client).startswith(b"HTTP/1.1 400 ")
        with connected(port) as client:
            client.sendall(REQUEST)
            assert b"hello 1\n" in answer_of(client)
    assert not caplog.records


def test_noise_over_tls_is_no_connection_for_long(certificates: Certificates) -> None:
    """The client never says farewell, for which asyncio would wait."""
    gate = WebGate(load_web_config(certificates.config()))
    with serving(gate, limits=SHORT) as port, connected(port) as raw:
        client = certificates.trusting().wrap_socket(
            raw, server_hostname="localhost", suppress_ragged_eofs=True
        )
        with client:
            client.sendall(b"no such thing\r\n\r\n")
            time.sleep(1)
            with contextlib.suppress(OSError):
                while client.recv(65536):
                    pass
            drip(client)


def test_a_request_with_two_lengths_is_never_two_requests() -> None:
    seen: list[str] = []

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["path"])
        await hello(scope, receive, send)

    with serving(None, noted, replace(SHORT, idle_timeout=1)) as port, connected(port) as client:
        client.sendall(
            b"POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        until_closed(client)
    assert "/second" not in seen or seen == ["/first", "/second"]


def test_noise_in_the_middle_of_an_answer_closes_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    """A broken chunk of the request's body, while the answer to it is being sent."""
    begun = threading.Event()
    go_on = threading.Event()

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        begun.set()
        await asyncio.to_thread(go_on.wait, 60)
        await send({"type": "http.response.body", "body": b"ended"})

    with serving(None, slow) as port, connected(port) as client:
        client.sendall(REQUEST[:-2] + b"Transfer-Encoding: chunked\r\n\r\n")
        assert begun.wait(30)
        client.sendall(b"zz\r\n")
        received = until_closed(client)
        go_on.set()
        assert b"begun" in received
        assert b"ended" not in received
    assert not caplog.records


@examples(25, suppress_health_check=(HealthCheck.function_scoped_fixture,))
@given(
    pieces=st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from(
                [
                    REQUEST,
                    REQUEST[:-2],
                    b"GET ",
                    b"/metrics?target=%ff HTTP/1.1\r\n",
                    b"Host: a\r\n",
                    b"Connection: Upgrade\r\nUpgrade: x\r\n",
                    b"Expect: 100-continue\r\n",
                    b"Content-Length: 5\r\n",
                    b"Transfer-Encoding: chunked\r\n",
                    b"\r\n",
                    b"5\r\nhello\r\n",
                    b"0\r\n\r\n",
                    b"CONNECT a:1 HTTP/1.1\r\n",
                    b"HEAD / HTTP/1.0\r\n\r\n",
                ]
            ),
        ),
        max_size=12,
    ),
    half_closed=st.booleans(),
)
@pytest.mark.no_cover
def test_any_bytes_give_an_answer_or_a_closed_connection(
    shared: tuple[int, list[logging.LogRecord]], pieces: list[bytes], half_closed: bool
) -> None:
    port, records = shared
    with connected(port) as client:
        with contextlib.suppress(OSError):
            for piece in pieces:
                client.sendall(piece)
            if half_closed:
                client.shutdown(socket.SHUT_WR)
        client.settimeout(0.02)
        with contextlib.suppress(OSError):
            answer = client.recv(65536)
            assert not answer or answer.startswith(b"HTTP/1.1 ")
            assert not answer.startswith(b"HTTP/1.1 5")
    with connected(port) as client:
        client.sendall(REQUEST)
        assert b"hello 1\n" in answer_of(client)
    assert not [record.getMessage() for record in records]


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[int, list[logging.LogRecord]]]:
    """One server for many examples, and all that is logged."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = records.append  # type: ignore[assignment, method-assign]
    logging.getLogger().addHandler(handler)
    try:
        with serving(None) as port:
            yield port, records
    finally:
        logging.getLogger().removeHandler(handler)


def test_the_listener_closes_sockets_it_never_accepted_on() -> None:
    async def run() -> socket.socket:
        listening = socket.create_server(("127.0.0.1", 0))
        listener = Listener([listening], lambda _client: asyncio.Protocol(), None)  # type: ignore[arg-type]
        await listener.wait_closed()
        return listening

    assert asyncio.run(run()).fileno() == -1
