import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import respx

from iometer_exporter.bridge import LARGEST_BODY, BridgeClient, reason_of
from iometer_exporter.errors import REASONS, FetchError
from iometer_exporter.units import Address
from tests.rawserver import answering, hanging, raw_server, response


@pytest.fixture
async def clients() -> AsyncIterator[list[BridgeClient]]:
    opened: list[BridgeClient] = []
    yield opened
    for client in opened:
        await client.aclose()


def _subclasses(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _subclasses(below)


def _httpx_errors() -> list[type[Exception]]:
    roots = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError)
    found = {kind for root in roots for kind in _subclasses(root)}
    exported = {getattr(httpx, name) for name in httpx.__all__}
    errors = {kind for kind in exported if isinstance(kind, type) and issubclass(kind, Exception)}
    abstract = {httpx.HTTPError, httpx.RequestError}
    return sorted((found | errors) - abstract, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", _httpx_errors(), ids=lambda kind: kind.__name__)
def test_every_error_of_httpx_has_a_reason(kind: type[Exception]) -> None:
    assert reason_of(kind.__new__(kind)) in REASONS


def test_an_error_of_this_program_has_none() -> None:
    assert reason_of(TypeError("bug")) is None


async def _fetch(*addresses: Address) -> bytes:
    client = BridgeClient(addresses)
    try:
        return await client.fetch("reading")
    finally:
        await client.aclose()


async def _failure(*addresses: Address) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await _fetch(*addresses)
    return caught.value


async def test_fetch_gives_the_body_and_asks_politely() -> None:
    async with raw_server(answering(response(b"{}"))) as server:
        assert await _fetch(server.address) == b"{}"
    head = server.requests[0].decode()
    assert head.startswith("GET /v1/reading HTTP/1.1\r\n")
    assert "accept: application/json\r\n" in head.lower()
    assert "accept-encoding: identity\r\n" in head.lower()


@pytest.mark.parametrize(
    ("answer", "reason", "text"),
    [
        (response(b"", status="404 Not Found"), "no_data", "answered 404 Not Found"),
        (response(b"", status="500 Oops"), "http_status", "answered status 500"),
        (response(b"", status="204 No Content"), "http_status", "answered status 204"),
        (
            response(b"", status="302 Found", headers="Location: http://127.0.0.1:1/\r\n"),
            "http_status",
            "answered 302, a redirect: not followed",
        ),
        (
            b"nonsense\r\n\r\n",
            "protocol",
            "HTTP exchange broken: illegal status line: bytearray(b'nonsense')",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
            "protocol",
            "HTTP exchange broken: peer closed connection without sending complete message body "
            "(received 1 bytes, expected 100)",
        ),
        (b"", "protocol", "HTTP exchange broken: Server disconnected without sending a response."),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 209715200\r\n\r\n",
            "too_large",
            "announced a body of 209715200 bytes, more than 65536",
        ),
        (
            b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (LARGEST_BODY + 1),
            "too_large",
            "sent a body of more than 65536 bytes",
        ),
    ],
)
async def test_what_is_no_answer_has_a_reason(answer: bytes, reason: str, text: str) -> None:
    async with raw_server(answering(answer, keep=False)) as server:
        failure = await _failure(server.address)
    assert (failure.reason, str(failure)) == (reason, text)


async def test_a_body_at_the_limit_is_taken() -> None:
    async with raw_server(answering(response(b"x" * LARGEST_BODY))) as server:
        assert len(await _fetch(server.address)) == LARGEST_BODY


async def test_nobody_at_the_address_is_connect() -> None:
    failure = await _failure(Address("127.0.0.1", 1))
    assert (failure.reason, str(failure)) == ("connect", "no connection to 127.0.0.1:1: Connection refused")


async def test_a_name_that_is_none_is_resolve() -> None:
    failure = await _failure(Address("bridge.invalid"))
    assert (failure.reason, str(failure)) == ("resolve", "host name 'bridge.invalid' does not resolve")


async def test_the_next_address_is_tried_when_one_does_not_connect() -> None:
    async with raw_server(answering(response(b"{}"))) as server:
        assert await _fetch(Address("bridge.invalid"), Address("127.0.0.1", 1), server.address) == b"{}"


async def test_the_next_address_is_not_tried_when_the_bridge_answered() -> None:
    async with raw_server(answering(response(b"", status="404 Not Found"))) as server:
        failure = await _failure(server.address, Address("127.0.0.1", 1))
    assert failure.reason == "no_data"


async def test_proxy_variables_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with raw_server(answering(response(b"{}"))) as server:
        assert await _fetch(server.address) == b"{}"


async def test_connections_are_kept_and_never_more_than_two(clients: list[BridgeClient]) -> None:
    async with raw_server(answering(response(b"{}"))) as server:
        client = BridgeClient([server.address])
        clients.append(client)
        for _ in range(5):
            await asyncio.gather(*(client.fetch("reading") for _ in range(6)))
    assert len(server.requests) == 30
    assert server.connections == 2


async def test_a_stale_connection_is_retried_once(clients: list[BridgeClient]) -> None:
    """The bridge closes when the second request of a connection arrives: only then can it be seen."""
    served: dict[asyncio.StreamWriter, int] = {}

    async def once_each(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        served[writer] = served.get(writer, 0) + 1
        if served[writer] > 1:
            return False
        writer.write(response(b"{}"))
        return True

    async with raw_server(once_each) as server:
        client = BridgeClient([server.address])
        clients.append(client)
        for _ in range(4):
            assert await client.fetch("reading") == b"{}"
    assert server.connections == 4


def reset(writer: asyncio.StreamWriter) -> None:
    """Close the connection by a reset, as a bridge does that has just restarted."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_a_connection_that_is_reset_is_protocol() -> None:
    async def resetting(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        reset(writer)
        return False

    async with raw_server(resetting) as server:
        failure = await _failure(server.address)
    assert (failure.reason, str(failure)) == (
        "protocol",
        "HTTP exchange broken: [Errno 104] Connection reset by peer",
    )
    assert server.connections == 1


async def test_a_kept_connection_that_is_reset_is_retried(clients: list[BridgeClient]) -> None:
    answered: set[asyncio.StreamWriter] = set()

    async def once_each(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        if writer in answered:
            reset(writer)
            return False
        answered.add(writer)
        writer.write(response(b"{}"))
        return True

    async with raw_server(once_each) as server:
        client = BridgeClient([server.address])
        clients.append(client)
        for _ in range(3):
            assert await client.fetch("reading") == b"{}"
    assert server.connections == 3


async def test_a_fresh_connection_that_breaks_is_not_retried() -> None:
    async with raw_server(answering(b"", keep=False)) as server:
        await _failure(server.address)
    assert server.connections == 1


async def test_an_answer_cut_on_a_kept_connection_is_not_retried(clients: list[BridgeClient]) -> None:
    answers = [response(b"{}"), b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"]

    async def cut_the_second(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        writer.write(answers.pop(0))
        return bool(answers)

    async with raw_server(cut_the_second) as server:
        client = BridgeClient([server.address])
        clients.append(client)
        await client.fetch("reading")
        with pytest.raises(FetchError, match="complete message body"):
            await client.fetch("reading")
    assert len(server.requests) == 2


async def test_a_stale_connection_that_fails_again_is_reported(clients: list[BridgeClient]) -> None:
    async with raw_server(answering(response(b"{}"))) as server:
        client = BridgeClient([server.address])
        clients.append(client)
        await client.fetch("reading")
    failure = await _failure_of(client)
    assert failure.reason == "connect"


async def _failure_of(client: BridgeClient) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await client.fetch("reading")
    return caught.value


async def test_a_cancelled_fetch_leaves_no_connection(clients: list[BridgeClient]) -> None:
    async with raw_server(hanging) as server:
        client = BridgeClient([server.address])
        clients.append(client)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.fetch("reading")
        await asyncio.sleep(0.05)
        assert server.most_open <= 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (httpx.ReadError("reset"), "protocol"),
        (httpx.WriteError("broken pipe"), "protocol"),
        (httpx.ConnectTimeout("slow"), "timeout"),
        (httpx.PoolTimeout("busy"), "timeout"),
        (httpx.RemoteProtocolError("odd"), "protocol"),
        (httpx.DecodingError("odd"), "protocol"),
    ],
)
@respx.mock(assert_all_called=False)
async def test_transport_faults(respx_mock: respx.MockRouter, error: httpx.HTTPError, reason: str) -> None:
    respx_mock.get("http://192.0.2.1/v1/reading").mock(side_effect=error)
    failure = await _failure(Address("192.0.2.1"))
    assert failure.reason == reason


@respx.mock(assert_all_called=False)
async def test_a_fault_of_this_program_is_not_hidden(respx_mock: respx.MockRouter) -> None:
    respx_mock.get("http://192.0.2.1/v1/reading").mock(side_effect=TypeError("bug"))
    with pytest.raises(TypeError):
        await _fetch(Address("192.0.2.1"))


async def test_an_ipv6_address_is_bracketed() -> None:
    async with raw_server(answering(response(b"{}")), host="::1") as server:
        assert await _fetch(server.address) == b"{}"
    assert f"host: [::1]:{server.address.port}\r\n" in server.requests[0].decode().lower()
