"""HTTP below the client: which connection is used again, and what an answer may cost."""

import asyncio
import gzip
import socket
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager

import httpx
import pytest

from iometer_exporter.errors import ProviderError
from iometer_exporter.provider.api import dial, transport
from iometer_exporter.provider.api.transport import HttpTransport
from tests.provider.api import Api, Handler, Request, always, answer, each, http_api
from tests.turns import turns_of_others

MANY = 60.0
GOOD = answer(b"{}")


class Pieces(httpx.AsyncByteStream):
    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


@asynccontextmanager
async def asked(handler: Handler) -> AsyncIterator[tuple[HttpTransport, Api]]:
    async with http_api(handler) as api, asyncio.timeout(MANY):
        http = HttpTransport(api.url, {"User-Agent": "test"}, None)
        try:
            yield http, api
        finally:
            await http.aclose()


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
        assert transport._LIMITS.keepalive_expiry == 30.0
    monkeypatch.setattr(transport, "_LIMITS", httpx.Limits(keepalive_expiry=0.0))
    async with asked(always(GOOD)) as (http, api):
        await post(http)
        await post(http)
        assert api.connections == 2


async def test_a_server_that_wants_to_close_is_asked_on_a_new_connection() -> None:
    async with asked(always(answer(b"{}", headers="Connection: close\r\n"))) as (http, api):
        assert [await post(http) for _ in range(2)] == [200, 200]
        assert api.connections == 2


async def test_only_a_kept_connection_without_an_answer_is_replaced() -> None:
    async with asked(each(None, GOOD)) as (http, api):
        with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending a response"):
            await post(http)
        assert await post(http) == 200
        assert len(api.requests) == 2


async def test_half_an_answer_is_an_error_and_not_asked_for_again() -> None:
    async with asked(each(GOOD, [GOOD[:-1], b""], GOOD)) as (http, api):
        await post(http)
        with pytest.raises(httpx.ReadError):
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

    async def endless(_request: Request) -> list[bytes]:
        return [hint * 1000] * 100_000

    async with asked(always(hint * 10 + GOOD)) as (http, _):
        assert await post(http) == 200
    async with asked(endless) as (http, api):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await post(http)
        while api.open:  # noqa: ASYNC110 (sockets tell nobody)
            await asyncio.sleep(0.001)


async def test_a_chatty_answer_leaves_the_event_loop_to_others() -> None:
    """Counted, not timed: without yields the other task would have no turn while the pieces are taken."""
    count = 200_000
    async with turns_of_others() as turns:
        found = await transport._read(httpx.Response(200, stream=Pieces(*[b"x"] * count)))
    assert found.body == b"x" * count
    assert turns.count > 2


async def test_an_answer_costs_no_more_memory_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 1024 * 1024
    monkeypatch.setattr(transport, "LARGEST_BODY_BYTES", limit)
    bomb = gzip.compress(bytes(64 * limit))
    # One piece of it, as a connection gives it, would be all of it.
    response = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Pieces(bomb))
    tracemalloc.start()
    try:
        with pytest.raises(ProviderError) as caught:
            await transport._read(response)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.reason == "too_large"
    assert most < 3 * limit


async def test_a_compressed_body_has_a_limit_on_the_wire_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "LARGEST_BODY_BYTES", 1000)
    # Empty blocks decompress to nothing, however many there are.
    zip_ = zlib.compressobj(wbits=31)
    data = b"".join(zip_.flush(zlib.Z_FULL_FLUSH) for _ in range(2)) + b"\0\0\0\xff\xff" * 1000
    async with asked(always(answer(data, headers="Content-Encoding: gzip\r\n"))) as (http, _):
        with pytest.raises(ProviderError) as caught:
            await post(http)
    assert caught.value.reason == "too_large"


async def test_a_large_answer_is_read_whole() -> None:
    body = bytes(range(256)) * 40_000
    async with asked(always(answer(body))) as (http, _):
        found = await http.post(b"{}", again=True)
    assert found.body == body


async def test_a_switch_to_another_protocol_is_no_answer() -> None:
    async with asked(always(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")) as (http, _):
        with pytest.raises(httpx.RemoteProtocolError):
            await post(http)


async def test_path_query_and_port_are_sent_as_they_are() -> None:
    async with http_api(always(GOOD)) as api:
        http = HttpTransport(f"{api.url}?key=a%20b", {}, None)
        await post(http)
        await http.aclose()
    [request] = api.requests
    assert request.path == "/v1/query?key=a%20b"
    assert request.headers["host"] == api.url.split("/")[2]


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Every name has these addresses."""

    async def getaddrinfo(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", each) for each in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


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
        resolving(monkeypatch, ("127.0.0.1", 1), good)
        with await dial.dial("name", 0) as sock:
            assert sock.getpeername() == good


async def test_of_several_addresses_one_that_is_silent_costs_a_moment(
    monkeypatch: pytest.MonkeyPatch, deaf: tuple[str, int]
) -> None:
    monkeypatch.setattr(dial, "_NEXT_ADDRESS_SECONDS", 0.05)
    async with listening() as good, asyncio.timeout(MANY):
        resolving(monkeypatch, deaf, good)
        with await dial.dial("name", 0) as sock:
            assert sock.getpeername() == good


async def test_where_no_address_answers_the_first_error_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ("127.0.0.1", 1), ("255.255.255.255", 2))
    with pytest.raises(ConnectionRefusedError):
        await dial.dial("name", 0)


async def test_who_gives_up_while_it_is_dialled_leaves_no_socket(
    monkeypatch: pytest.MonkeyPatch, deaf: tuple[str, int]
) -> None:
    resolving(monkeypatch, deaf)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await dial.dial("name", 0)
