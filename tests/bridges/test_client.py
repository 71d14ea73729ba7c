import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import pytest

from iometer_exporter import __version__
from iometer_exporter.bridges.client import BridgeClient, Network
from iometer_exporter.bridges.http.answer import MAX_BODY_BYTES, BodySink
from iometer_exporter.bridges.http.failures import ConnectError, ExchangeError, ReadError
from iometer_exporter.bridges.http.transport import Answer
from iometer_exporter.errors import REASONS, FetchError
from iometer_exporter.net.addresses import Address
from iometer_exporter.net.resolver import Resolver
from tests.rawserver import answering, raw_server, response
from tests.wire import READERS, transport

Client = Callable[..., BridgeClient]


@pytest.fixture(params=READERS)
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """Makes clients of one transport, over each of the readers."""
    shared = transport(request.param)

    def make(*addresses: Address) -> BridgeClient:
        return BridgeClient(addresses, Network(Resolver(), shared))

    yield make
    await shared.aclose()


class Failing:
    """A transport whose exchanges fail, in ways that no server can be made to give too."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def ask(self, request: bytes, addresses: Sequence[Address], sink: BodySink | None = None) -> Answer:
        assert request.startswith(b"GET /v1/reading HTTP/1.1\r\n")
        assert addresses == (Address("192.0.2.1"),)
        raise self._error

    def forget(self, addresses: Sequence[Address]) -> None:
        """Keep nothing."""


def failing(error: Exception) -> BridgeClient:
    return BridgeClient([Address("192.0.2.1")], Network(Resolver(), Failing(error)))


def _kinds(kind: type[ExchangeError]) -> Iterator[type[ExchangeError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


@pytest.mark.parametrize("kind", list(_kinds(ExchangeError)), ids=lambda kind: kind.__name__)
async def test_every_failure_of_an_exchange_has_a_reason_and_words(kind: type[ExchangeError]) -> None:
    failure = await failure_of(failing(kind("it broke")))
    assert failure.reason in REASONS
    assert failure.reason == ("connect" if kind is ConnectError else "protocol")
    assert str(failure) == ("it broke" if kind is ConnectError else "HTTP exchange broken: it broke")


async def test_what_the_other_side_says_does_not_fill_the_log() -> None:
    assert str(await failure_of(failing(ReadError("x" * 1000)))) == f"HTTP exchange broken: {'x' * 120}"
    assert str(await failure_of(failing(ReadError("")))) == "HTTP exchange broken: ReadError"


async def failure_of(client: BridgeClient) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await client.fetch("reading")
    return caught.value


async def test_fetch_gives_the_body_and_asks_politely(client: Client) -> None:
    async with raw_server(answering(response(b"{}"))) as server:
        assert await client(server.address).fetch("reading") == b"{}"
    assert server.requests[0].decode().split("\r\n") == [
        "GET /v1/reading HTTP/1.1",
        f"Host: {server.address}",
        "Accept: application/json",
        "Accept-Encoding: identity",
        f"User-Agent: iometer-exporter/{__version__}",
        "",
        "",
    ]


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
            "HTTP exchange broken: illegal status line: b'nonsense'",
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
            b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_BODY_BYTES + 1),
            "too_large",
            "sent a body of more than 65536 bytes",
        ),
    ],
)
async def test_what_is_no_answer_has_a_reason(client: Client, answer: bytes, reason: str, text: str) -> None:
    async with raw_server(answering(answer, keep=False)) as server:
        failure = await failure_of(client(server.address))
    assert (failure.reason, str(failure)) == (reason, text)


async def test_a_stream_is_asked_for_with_the_same_politeness(client: Client) -> None:
    taken: list[bytes] = []

    class Sink:
        def begin(self) -> None:
            taken.append(b"begins")

        def feed(self, part: bytes) -> None:
            taken.append(part)

    stream = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n\r\ndata: 1\n\n"
    async with raw_server(answering(stream, keep=False)) as server:
        assert await client(server.address).fetch("status", Sink()) == b""
    assert taken == [b"begins", b"data: 1\n\n"]
    assert server.requests[0].decode().split("\r\n")[:4] == [
        "GET /v1/status HTTP/1.1",
        f"Host: {server.address}",
        "Accept: text/event-stream",
        "Accept-Encoding: identity",
    ]


@pytest.mark.parametrize("kind", ["application/json", "text/event-streams"])
async def test_what_is_no_stream_is_no_business_of_the_sink(client: Client, kind: str) -> None:
    class Sink:
        def begin(self) -> None:
            pytest.fail("it began")

        def feed(self, part: bytes) -> None:
            pytest.fail(f"it got {part!r}")

    answer = response(b"{}", headers=f"Content-Type: {kind}\r\n")
    async with raw_server(answering(answer)) as server:
        assert await client(server.address).fetch("reading", Sink()) == b"{}"


async def test_a_body_at_the_limit_is_taken(client: Client) -> None:
    async with raw_server(answering(response(b"x" * MAX_BODY_BYTES))) as server:
        assert len(await client(server.address).fetch("reading")) == MAX_BODY_BYTES


async def test_nobody_at_the_address_is_connect(client: Client) -> None:
    failure = await failure_of(client(Address("127.0.0.1", 1)))
    assert (failure.reason, str(failure)) == ("connect", "no connection to 127.0.0.1:1: Connection refused")


async def test_a_name_that_is_none_is_resolve(client: Client) -> None:
    failure = await failure_of(client(Address("bridge.invalid")))
    assert (failure.reason, str(failure)) == ("resolve", "host name 'bridge.invalid' does not resolve")


async def test_the_next_address_is_tried_when_one_does_not_connect(client: Client) -> None:
    async with raw_server(answering(response(b"{}"))) as server:
        assert (
            await client(Address("bridge.invalid"), Address("127.0.0.1", 1), server.address).fetch("reading")
            == b"{}"
        )


async def test_the_next_address_is_not_tried_when_the_bridge_answered(client: Client) -> None:
    async with raw_server(answering(response(b"", status="404 Not Found"))) as server:
        failure = await failure_of(client(server.address, Address("127.0.0.1", 1)))
    assert failure.reason == "no_data"


async def test_proxy_variables_are_ignored(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with raw_server(answering(response(b"{}"))) as server:
        assert await client(server.address).fetch("reading") == b"{}"


async def test_connections_are_kept_and_never_more_than_two(client: Client) -> None:
    async with raw_server(answering(response(b"{}"))) as server:
        asking = client(server.address)
        for _ in range(5):
            await asyncio.gather(*(asking.fetch("reading") for _ in range(6)))
    assert len(server.requests) == 30
    assert server.connections == 2


async def test_a_stale_connection_is_retried_once(client: Client) -> None:
    """The bridge closes when the second request of a connection arrives: only then can it be seen."""
    served: dict[asyncio.StreamWriter, int] = {}

    async def once_each(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        served[writer] = served.get(writer, 0) + 1
        if served[writer] > 1:
            return False
        writer.write(response(b"{}"))
        return True

    async with raw_server(once_each) as server:
        asking = client(server.address)
        for _ in range(4):
            assert await asking.fetch("reading") == b"{}"
    assert server.connections == 4


def reset(writer: asyncio.StreamWriter) -> None:
    """Close the connection by a reset, as a bridge does that has just restarted."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_a_connection_that_is_reset_is_protocol(client: Client) -> None:
    async def resetting(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        reset(writer)
        return False

    async with raw_server(resetting) as server:
        failure = await failure_of(client(server.address))
    assert (failure.reason, str(failure)) == (
        "protocol",
        "HTTP exchange broken: [Errno 104] Connection reset by peer",
    )
    assert server.connections == 1


async def test_a_kept_connection_that_is_reset_is_retried(client: Client) -> None:
    answered: set[asyncio.StreamWriter] = set()

    async def once_each(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        if writer in answered:
            reset(writer)
            return False
        answered.add(writer)
        writer.write(response(b"{}"))
        return True

    async with raw_server(once_each) as server:
        asking = client(server.address)
        for _ in range(3):
            assert await asking.fetch("reading") == b"{}"
    assert server.connections == 3


async def test_a_fresh_connection_that_breaks_is_not_retried(client: Client) -> None:
    async with raw_server(answering(b"", keep=False)) as server:
        await failure_of(client(server.address))
    assert server.connections == 1


async def test_an_answer_cut_on_a_kept_connection_is_not_retried(client: Client) -> None:
    answers = [response(b"{}"), b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"]

    async def cut_the_second(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        writer.write(answers.pop(0))
        return bool(answers)

    async with raw_server(cut_the_second) as server:
        asking = client(server.address)
        await asking.fetch("reading")
        with pytest.raises(FetchError, match="complete message body"):
            await asking.fetch("reading")
    assert len(server.requests) == 2


async def test_a_stale_connection_that_fails_again_is_reported(client: Client) -> None:
    async with raw_server(answering(response(b"{}"))) as server:
        asking = client(server.address)
        await asking.fetch("reading")
    failure = await failure_of(asking)
    assert failure.reason == "connect"


async def test_a_fault_of_this_program_is_not_hidden() -> None:
    with pytest.raises(TypeError):
        await failing(TypeError("bug")).fetch("reading")


async def test_an_ipv6_address_is_bracketed(client: Client) -> None:
    async with raw_server(answering(response(b"{}")), host="::1") as server:
        assert await client(server.address).fetch("reading") == b"{}"
    assert f"host: [::1]:{server.address.port}\r\n" in server.requests[0].decode().lower()
