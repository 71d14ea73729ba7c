"""HTTP below the client: which connection is used again, and what an answer may cost."""

import asyncio
import gzip
import socket
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager

import h11
import pytest

from iometer_exporter.errors import ProviderError
from iometer_exporter.net.addresses import Address
from iometer_exporter.provider.api import dial, transport
from iometer_exporter.provider.api.dial import Dialer
from iometer_exporter.provider.api.transport import HttpTransport
from tests.provider.api import Api, Handler, Request, always, answer, each, http_api

MANY = 60.0
GOOD = answer(b"{}")


@asynccontextmanager
async def asked(handler: Handler) -> AsyncIterator[tuple[HttpTransport, Api]]:
    async with http_api(handler) as api, asyncio.timeout(MANY):
        http = HttpTransport(api.url, {"User-Agent": "test"}, dialer(api))
        try:
            yield http, api
        finally:
            http.close()


def dialer(api: Api) -> Dialer:
    return Dialer("127.0.0.1", int(api.url.rpartition(":")[2].partition("/")[0]), secure=False)


async def post(http: HttpTransport, *, again: bool = True) -> int:
    answer = await http.post(b"{}", again=again)
    return answer.status


async def test_what_comes_on_an_idle_connection_answers_no_request() -> None:
    """Some servers say that they are about to close; the next request would take it for its answer."""
    late = answer(b"the connection was idle", status=408)

    async def handler(_request: Request) -> list[bytes]:
        return [GOOD, late]

    async with asked(handler) as (http, api):
        for number in range(1, 4):
            assert await post(http) == 200
            await asyncio.sleep(0.05)
            assert api.connections == number


async def test_an_answer_that_is_sent_twice_is_read_once() -> None:
    async with asked(always(GOOD + answer(b"{}", status=500))) as (http, api):
        assert [await post(http) for _ in range(3)] == [200, 200, 200]
        assert api.connections == 3


async def test_a_connection_is_not_kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async with asked(always(GOOD)) as (http, api):
        await post(http)
        await post(http)
        assert api.connections == 1
        monkeypatch.setattr(transport, "_LONGEST_IDLE", 0.0)
        await post(http)
        assert api.connections == 2


async def test_a_server_that_wants_to_close_is_asked_on_a_new_connection() -> None:
    async with asked(always(answer(b"{}", headers="Connection: close\r\n"))) as (http, api):
        assert [await post(http) for _ in range(2)] == [200, 200]
        assert api.connections == 2


async def test_only_a_kept_connection_without_an_answer_is_replaced() -> None:
    async with asked(each(None, GOOD)) as (http, api):
        with pytest.raises(h11.RemoteProtocolError, match="closed without an answer"):
            await post(http)
        assert await post(http) == 200
        assert len(api.requests) == 2


async def test_half_an_answer_is_an_error_and_not_asked_for_again() -> None:
    async with asked(each(GOOD, [GOOD[:-1], b""], GOOD)) as (http, api):
        await post(http)
        with pytest.raises(ConnectionResetError):
            await post(http)
        assert (len(api.requests), api.connections) == (2, 1)


async def test_a_connection_that_ended_while_idle_is_not_even_tried() -> None:
    """So a request that may be sent only once is not lost on it."""
    async with asked(each([GOOD, b""], GOOD)) as (http, api):
        await post(http)
        await asyncio.sleep(0.05)
        assert await post(http, again=False) == 200
        assert api.connections == 2


async def test_interim_answers_come_before_the_real_one_but_not_for_ever() -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    async with asked(each(hint * 10 + GOOD, hint * 1000 + GOOD)) as (http, _):
        assert await post(http) == 200
        with pytest.raises(ProviderError, match="sends interim answers in place of one") as caught:
            await post(http)
    assert caught.value.reason == "protocol"


async def test_a_chatty_answer_leaves_the_event_loop_to_others() -> None:
    """Counted, not timed: without yields the other task would have no turn while the pieces are taken."""
    count = 40_000
    body = b"1\r\nx\r\n" * count + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    far, near = await pair()
    connection = transport._Connection()
    connection.connection_made(near.transport)
    connection.data_received(head + body)
    task = asyncio.create_task(other())
    request = h11.Request(method="POST", target="/", headers=[("Host", "x"), ("Content-Length", "0")])
    found = await connection.exchange(request, b"")
    task.cancel()
    assert found.body == b"x" * count
    assert turns > 5
    near.transport.abort()
    far.transport.abort()


async def pair() -> tuple[asyncio.StreamWriter, asyncio.StreamWriter]:
    """Both ends of a connection."""
    one, other = socket.socketpair()
    _, near = await asyncio.open_connection(sock=one)
    _, far = await asyncio.open_connection(sock=other)
    return far, near


async def test_an_answer_costs_no_more_memory_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 1024 * 1024
    monkeypatch.setattr(transport, "LARGEST_BODY", limit)
    bomb = gzip.compress(bytes(64 * limit))
    # One piece of it, as a connection gives it, would be all of it.
    body = transport._Body()
    body.encoded_as("gzip")
    tracemalloc.start()
    try:
        with pytest.raises(ProviderError) as caught:
            body.add(bomb)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.reason == "too_large"
    assert most < 3 * limit


async def test_what_is_on_the_wire_has_a_limit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LARGEST_BODY", 1000)
    monkeypatch.setattr(transport, "_LARGEST_OVERHEAD", 1000)
    # Chunks of one byte cost six.
    chunks = b"1\r\nx\r\n" * 900 + b"0\r\n\r\n"
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    async with asked(always(data)) as (http, _):
        with pytest.raises(ProviderError) as caught:
            await post(http)
    assert caught.value.reason == "too_large"


async def test_a_large_answer_waits_in_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_READ_AHEAD", 10_000)
    body = bytes(range(256)) * 40_000
    async with asked(always(answer(body))) as (http, _):
        found = await http.post(b"{}", again=True)
    assert found.body == body


async def test_a_switch_to_another_protocol_is_no_answer() -> None:
    async with asked(always(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")) as (http, _):
        with pytest.raises(h11.RemoteProtocolError):
            await post(http)


async def test_path_query_and_port_are_sent_as_they_are() -> None:
    async with http_api(always(GOOD)) as api:
        http = HttpTransport(f"{api.url}?key=a%20b", {}, dialer(api))
        await post(http)
        http.close()
    [request] = api.requests
    assert request.path == "/v1/query?key=a%20b"
    assert request.headers["host"] == api.url.split("/")[2]


def dialing(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> Dialer:
    """A dialer whose name has these addresses."""

    async def resolve(*_: object) -> tuple[Address, ...]:
        return tuple(Address(*address) for address in addresses)

    made = Dialer("name", 0, secure=False)
    monkeypatch.setattr(made._resolver, "resolve", resolve)
    return made


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[str, int]]:
    def ended(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(ended, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()


@pytest.fixture
def deaf() -> Iterator[tuple[str, int]]:
    """An address that never answers: a full queue of a socket that nobody accepts."""
    with ExitStack() as made:
        listener = made.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            filler = made.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()


async def test_of_several_addresses_one_that_refuses_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as good:
        sock = await dialing(monkeypatch, ("127.0.0.1", 1), good).socket()
        assert sock.getpeername() == good
        sock.close()


async def test_of_several_addresses_one_that_is_silent_costs_a_moment(
    monkeypatch: pytest.MonkeyPatch, deaf: tuple[str, int]
) -> None:
    async with listening() as good, asyncio.timeout(MANY):
        sock = await dialing(monkeypatch, deaf, good).socket()
        assert sock.getpeername() == good
        sock.close()
        await asyncio.sleep(0)


async def test_where_no_address_answers_the_first_error_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionRefusedError):
        await dialing(monkeypatch, ("127.0.0.1", 1), ("127.0.0.1", 2)).socket()


def test_both_families_are_tried_in_turn() -> None:
    addresses = [Address(host, 1) for host in ("::1", "::2", "::3", "127.0.0.1")]
    assert [address.host for address in dial._in_turn(addresses)] == ["::1", "127.0.0.1", "::2", "::3"]


async def test_a_name_that_hangs_holds_up_nobody_who_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """One lookup at a time, in a thread of its own, however often it is asked for."""
    release, asked_for = threading.Event(), []

    def getaddrinfo(host: str, *_: object, **__: object) -> list[object]:
        asked_for.append(host)
        release.wait(MANY)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    made = Dialer("api.invalid", 1, secure=False)
    for _ in range(20):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await made.socket()
    assert asked_for == ["api.invalid"]
    release.set()
    with pytest.raises(socket.gaierror):
        await made.socket()
    made.close()
