"""One connection to a bridge: what it does to the socket, and what ends it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from iometer_exporter.bridges.http.connection import Connection
from iometer_exporter.bridges.http.failures import (
    ExchangeError,
    ProtocolError,
    ReadError,
    StaleConnectionError,
)
from iometer_exporter.bridges.http.h11_reader import H11Reader
from iometer_exporter.errors import FetchError
from tests.rawserver import response
from tests.waiting import PATIENCE, until
from tests.wire import READERS, Reader

GOOD = response(b"{}")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ASKED = b"GET / HTTP/1.1\r\n\r\n"


@dataclass
class Wire:
    """A connection, and the end of it that a bridge has."""

    connection: Connection
    bridge: socket.socket

    async def received(self) -> bytes:
        """What the bridge gets next; empty at the end."""
        async with asyncio.timeout(PATIENCE):
            return await asyncio.get_running_loop().sock_recv(self.bridge, 65536)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.bridge, data)

    async def ask(self, answer: bytes = GOOD, patience: float | None = None) -> bytes:
        """The body of an answer that the bridge gives once it has been asked."""
        asking = asyncio.ensure_future(self.connection.ask(ASKED, patience=patience))
        assert await self.received() == ASKED
        await self.send(answer)
        async with asyncio.timeout(PATIENCE):
            await asking
        return self.connection.answer.body

    def reset(self) -> None:
        """End as a bridge does that has just restarted."""
        self.bridge.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.bridge.close()


async def connected(connection: Connection) -> Wire:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = socket.create_connection(listening.getsockname())
        bridge, _ = listening.accept()
    bridge.setblocking(False)
    ours.setblocking(False)
    await loop.create_connection(lambda: connection, sock=ours)
    return Wire(connection, bridge)


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> Reader:
    chosen: Reader = request.param
    return chosen


@pytest.fixture
async def wire(reader: Reader) -> AsyncIterator[Wire]:
    opened = await connected(Connection(reader))
    yield opened
    opened.connection.abort()
    opened.bridge.close()
    await asyncio.sleep(0)


def state(connection: Connection) -> tuple[bool, bool]:
    """Whether it is closed, and whether it is usable."""
    return connection.closed, connection.is_usable


def our_socket(wire: Wire) -> socket.socket:
    assert wire.connection._transport is not None
    found: socket.socket = wire.connection._transport.get_extra_info("socket")
    return found


async def failure(asking: "asyncio.Future[None]") -> Exception:
    done, _ = await asyncio.wait([asking], timeout=PATIENCE)
    assert done
    error = asking.exception()
    assert isinstance(error, Exception)
    return error


async def test_a_request_goes_out_as_it_is_and_its_answer_comes_back(wire: Wire) -> None:
    assert await wire.ask() == b"{}"
    assert await wire.ask(response(b"[]")) == b"[]"
    assert (wire.connection.closed, wire.connection.is_usable) == (False, True)


async def test_a_request_is_sent_without_delay(wire: Wire) -> None:
    assert our_socket(wire).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_how_long_the_first_byte_took_is_known(wire: Wire) -> None:
    loop = asyncio.get_running_loop()
    assert wire.connection.seconds_to_first_byte == 0
    for _ in range(2):
        before = loop.time()
        asking = asyncio.ensure_future(wire.connection.ask(ASKED))
        await wire.received()
        await asyncio.sleep(0.02)
        await wire.send(GOOD[:5])
        await until(lambda: wire.connection.answer.wire)
        first = loop.time() - before
        await asyncio.sleep(0.02)
        await wire.send(GOOD[5:])
        await asking
        assert 0.015 < wire.connection.seconds_to_first_byte <= first


@pytest.mark.parametrize("sent", [b"\r\n", GOOD, b""], ids=["a line", "an answer", "the end"])
async def test_a_kept_connection_with_anything_to_read_is_of_no_use(wire: Wire, sent: bytes) -> None:
    await wire.ask()
    assert wire.connection.is_usable
    if sent:
        wire.bridge.send(sent)
    else:
        wire.bridge.shutdown(socket.SHUT_WR)
    # The loop has not had its turn: only the kernel knows.
    assert state(wire.connection) == (False, False)
    await until(lambda: wire.connection.closed)
    assert state(wire.connection) == (True, False)


async def test_a_connection_is_of_no_use_before_and_after_its_time(reader: Reader) -> None:
    connection = Connection(reader)
    assert state(connection) == (False, False)
    wire = await connected(connection)
    assert state(connection) == (False, True)
    assert connection._transport is not None
    connection._transport.close()
    assert state(connection) == (False, False)
    connection.abort()
    assert state(connection) == (True, False)
    wire.bridge.close()


async def test_without_poll_what_has_been_read_tells(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows there is no poll."""
    monkeypatch.setattr("iometer_exporter.bridges.http.connection._HAS_POLL", False)
    wire = await connected(Connection(reader))
    await wire.ask()
    assert wire.connection.is_usable
    await wire.send(b"\r\n")
    await until(lambda: not wire.connection.is_usable)
    wire.bridge.close()


async def test_giving_up_ends_the_connection_at_once(wire: Wire) -> None:
    asking = asyncio.ensure_future(wire.connection.ask(ASKED))
    await wire.received()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    wire.connection.abort()
    # Not one turn of the loop later.
    assert wire.bridge.recv(1) == b""
    assert wire.connection.closed
    wire.connection.abort()


async def test_one_that_is_given_up_while_it_connects_ends_as_it_is_connected(reader: Reader) -> None:
    connection = Connection(reader)
    connection.abort()
    assert connection.closed
    wire = await connected(connection)
    await asyncio.sleep(0)
    # A reset and no orderly end.
    with pytest.raises((ConnectionResetError, AssertionError)):
        assert await wire.received()
    assert not connection.is_usable
    wire.bridge.close()


async def test_a_cancelled_question_leaves_nothing_to_be_answered(wire: Wire) -> None:
    asking = asyncio.ensure_future(wire.connection.ask(ASKED, patience=0.001))
    await wire.received()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await wire.send(GOOD)
    await until(lambda: wire.connection.closed)


async def test_an_answer_that_comes_with_the_cancellation_ends_the_connection(wire: Wire) -> None:
    """Cancelled, but its task has not had its turn: the question is no longer there."""
    asking = asyncio.ensure_future(wire.connection.ask(ASKED))
    await wire.received()
    wire.bridge.send(GOOD)
    asking.cancel()
    assert wire.connection._waiter is not None
    assert wire.connection._waiter.done()
    wire.connection.data_received(GOOD)
    assert wire.connection.closed
    await asyncio.gather(asking, return_exceptions=True)


async def test_the_end_completes_an_answer_without_a_length(wire: Wire) -> None:
    asking = asyncio.ensure_future(wire.connection.ask(ASKED))
    await wire.received()
    await wire.send(b"HTTP/1.1 200 OK\r\n\r\n{}")
    wire.bridge.shutdown(socket.SHUT_WR)
    await asking
    assert (wire.connection.answer.body, wire.connection.closed) == (b"{}", True)


async def test_an_end_before_the_answer_is_told(wire: Wire) -> None:
    asking = asyncio.ensure_future(wire.connection.ask(ASKED))
    await wire.received()
    wire.bridge.shutdown(socket.SHUT_WR)
    error = await failure(asking)
    assert str(error) == "Server disconnected without sending a response."
    assert not isinstance(error, StaleConnectionError)
    assert wire.connection.closed


async def test_an_end_after_the_answer_is_none_of_it(wire: Wire) -> None:
    """The answer and the end come in one turn of the loop, before who asked has had his."""
    asking = asyncio.ensure_future(wire.connection.ask(ASKED))
    await wire.received()
    wire.connection.data_received(GOOD)
    wire.connection.eof_received()
    assert wire.connection.closed
    wire.connection.connection_lost(None)
    await asking
    assert wire.connection.answer.body == b"{}"


async def test_a_reset_is_told(wire: Wire) -> None:
    asking = asyncio.ensure_future(wire.connection.ask(ASKED))
    await wire.received()
    wire.reset()
    error = await failure(asking)
    assert type(error) is ReadError
    assert str(error) == "[Errno 104] Connection reset by peer"
    assert isinstance(error.__cause__, ConnectionResetError)
    assert wire.connection.closed


async def test_a_connection_that_is_closed_here_is_told(wire: Wire) -> None:
    asking = asyncio.ensure_future(wire.connection.ask(ASKED))
    await wire.received()
    wire.connection.abort()
    error = await failure(asking)
    assert type(error) is ReadError
    assert str(error) == "the connection was closed"


async def test_what_is_no_answer_ends_the_connection(wire: Wire) -> None:
    asking = asyncio.ensure_future(wire.connection.ask(ASKED))
    await wire.received()
    await wire.send(b"nonsense\r\n\r\n")
    error = await failure(asking)
    assert type(error) is ProtocolError
    assert str(error) == "illegal status line: b'nonsense'"
    assert wire.connection.closed
    assert wire.bridge.recv(1) == b""


async def test_what_is_too_large_ends_the_connection(wire: Wire) -> None:
    asking = asyncio.ensure_future(wire.connection.ask(ASKED))
    await wire.received()
    await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
    error = await failure(asking)
    assert isinstance(error, FetchError)
    assert error.reason == "too_large"
    assert wire.connection.closed


@pytest.mark.parametrize("how", ["end", "reset", "nonsense", "silence", "write"])
async def test_a_kept_connection_that_has_ended_is_stale(wire: Wire, how: str) -> None:
    await wire.ask()
    if how == "write":
        # The peer is gone and the kernel says so when the request is written.
        wire.reset()
        asking = asyncio.ensure_future(wire.connection.ask(ASKED))
    else:
        asking = asyncio.ensure_future(
            wire.connection.ask(ASKED, patience=0.01 if how == "silence" else None)
        )
        await wire.received()
    if how == "end":
        wire.bridge.shutdown(socket.SHUT_WR)
    elif how == "reset":
        wire.reset()
    elif how == "nonsense":
        await wire.send(b"nonsense\r\n\r\n")
    error = await failure(asking)
    assert isinstance(error, StaleConnectionError)
    assert isinstance(error.__cause__, ExchangeError)
    assert str(error) == str(error.__cause__)
    if how == "silence":
        assert isinstance(error.__cause__, ReadError)
        assert str(error) == "the kept connection was silent"


async def test_a_kept_connection_that_a_bridge_has_given_up_is_stale(wire: Wire) -> None:
    timed_out = response(b"", status="408 Request Timeout")
    await wire.ask(timed_out)
    assert wire.connection.answer.status == 408
    with pytest.raises(StaleConnectionError, match=r"^the bridge had given up the connection$"):
        await wire.ask(timed_out)


async def test_an_answer_cut_after_its_head_is_no_reason_to_ask_again(wire: Wire) -> None:
    await wire.ask()
    asking = asyncio.ensure_future(wire.connection.ask(ASKED))
    await wire.received()
    await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{")
    wire.bridge.shutdown(socket.SHUT_WR)
    error = await failure(asking)
    assert type(error) is ProtocolError


async def test_patience_is_for_kept_connections_that_say_nothing(wire: Wire) -> None:
    async def late(patience: float | None) -> None:
        asking = asyncio.ensure_future(wire.connection.ask(ASKED, patience=patience))
        await wire.received()
        if kept:
            await wire.send(GOOD[:1])
            await until(lambda: wire.connection.answer.wire)
        await asyncio.sleep(0.05)
        assert not asking.done()
        await wire.send(GOOD[1:] if kept else GOOD)
        await asking

    kept = False
    await late(0.01)
    kept = True
    await late(0.01)
    await late(None)


async def test_patience_ends_with_the_answer(wire: Wire) -> None:
    """What is left of it must not end the next question."""
    await wire.ask()
    await wire.ask(patience=0.02)
    asking = asyncio.ensure_future(wire.connection.ask(ASKED))
    await wire.received()
    await asyncio.sleep(0.05)
    assert not asking.done()
    await wire.send(GOOD)
    await asking


@pytest.fixture
async def busy() -> AsyncIterator[Wire]:
    """A connection whose reader needs several turns for what it has received."""
    opened = await connected(Connection(H11Reader))
    yield opened
    opened.connection.abort()
    opened.bridge.close()
    await asyncio.sleep(0)


def is_reading(wire: Wire) -> bool:
    assert wire.connection._transport is not None
    return wire.connection._transport.is_reading()


async def test_others_get_their_turn_and_no_more_is_read_meanwhile(busy: Wire) -> None:
    asking = asyncio.ensure_future(busy.connection.ask(ASKED))
    await busy.received()
    busy.connection.data_received(CHUNKED + b"1\r\n \r\n" * 100)
    assert not is_reading(busy)
    turns = 0
    while not is_reading(busy):
        turns += 1
        await asyncio.sleep(0)
    assert turns >= 3
    await busy.send(b"0\r\n\r\n")
    await asking
    assert busy.connection.answer.body == b" " * 100
    assert await busy.ask() == b"{}"


async def test_nonsense_in_a_later_turn_ends_the_connection(busy: Wire) -> None:
    asking = asyncio.ensure_future(busy.connection.ask(ASKED))
    await busy.received()
    busy.connection.data_received(CHUNKED + b"1\r\n \r\n" * 100 + b"nonsense\r\n")
    error = await failure(asking)
    assert type(error) is ProtocolError
    assert busy.connection.closed
    assert busy.bridge.recv(1) == b""


@pytest.mark.parametrize("how", ["abort", "end", "lost", "cancel"])
async def test_what_waits_for_its_turn_ends_with_the_connection(busy: Wire, how: str) -> None:
    connection = busy.connection
    asking = asyncio.ensure_future(connection.ask(ASKED))
    await busy.received()
    connection.data_received(CHUNKED + b"1\r\n \r\n" * 100)
    resumed = 0
    resume = connection.answer.resume

    def counted() -> bool:
        nonlocal resumed
        resumed += 1
        return resume()

    connection.answer.resume = counted  # type: ignore[method-assign]
    if how == "abort":
        connection.abort()
    elif how == "end":
        connection.eof_received()
    elif how == "lost":
        connection.connection_lost(ConnectionResetError("reset"))
    else:
        asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await asyncio.sleep(0)
    assert resumed == 0
