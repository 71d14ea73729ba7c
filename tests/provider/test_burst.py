"""Messages that come by the hundred, however the network cuts them."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK
from websockets.frames import CloseCode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from iometer_exporter.provider.api.burst import BurstConnection

MESSAGES: list[str | bytes] = [
    *("a", "", "äöü", "x" * 125, "x" * 126, "y" * 65_535, "z" * 65_536, b"bytes", b""),
    *(f"message {number}" for number in range(700)),
]


def frames(server: ServerProtocol, messages: Sequence[str | bytes], chance: random.Random) -> bytes:
    """The messages as they go over the wire, some in fragments, with pings anywhere between."""
    for message in messages:
        data = message.encode() if isinstance(message, str) else message
        send = server.send_text if isinstance(message, str) else server.send_binary
        cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice([0, 0, 1, 3])))
        parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        for index, part in enumerate(parts):
            fin = index == len(parts) - 1
            (send if index == 0 else server.send_continuation)(part, fin)
            if chance.random() < 0.1:
                server.send_ping(b"p" * chance.randrange(4))
    return b"".join(server.data_to_send())


@asynccontextmanager
async def serving(chunks: Callable[[ServerProtocol], list[bytes]]) -> AsyncIterator[str]:
    """A server that shakes hands and writes the chunks, the first of them with the end of its handshake."""
    server = ServerProtocol()

    ended = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError):
                await write(reader, writer)
        finally:
            writer.close()
            ended.set()

    async def write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not (events := server.events_received()):
            server.receive_data(await reader.read(65536))
        [request] = events
        assert isinstance(request, Request)
        server.send_response(server.accept(request))
        head = b"".join(server.data_to_send())
        cut = len(head) // 2
        writer.write(head[:cut])
        await writer.drain()
        await asyncio.sleep(0.01)
        first, *others = chunks(server)
        writer.write(head[cut:] + first)
        for chunk in others:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0)
        # A server is the one who closes the connection.
        while server.close_rcvd is None and (data := await reader.read(65536)):
            server.receive_data(data)

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with listening:
        yield f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        await ended.wait()


@asynccontextmanager
async def opened(chunks: Callable[[ServerProtocol], list[bytes]]) -> AsyncIterator[BurstConnection]:
    """A connection to a server that writes the chunks."""
    async with (
        asyncio.timeout(10),
        serving(chunks) as url,
        connect(
            url, proxy=None, compression=None, create_connection=BurstConnection, close_timeout=0.2
        ) as socket,
    ):
        assert isinstance(socket, BurstConnection)
        yield socket


async def received(
    chunks: Callable[[ServerProtocol], list[bytes]],
) -> tuple[list[str | bytes], ConnectionClosed]:
    """All messages, and the end of the connection."""
    found: list[str | bytes] = []
    async with opened(chunks) as socket:
        while True:
            try:
                found.append(await socket.next_message())
            except ConnectionClosed as end:
                return found, end


@pytest.mark.parametrize("seed", range(6))
async def test_messages_come_whole_and_in_order(seed: int) -> None:
    chance = random.Random(seed)
    messages = chance.sample(MESSAGES, len(MESSAGES))

    def chunks(server: ServerProtocol) -> list[bytes]:
        data = frames(server, messages, chance)
        server.send_close(CloseCode.NORMAL_CLOSURE)
        data += b"".join(server.data_to_send())
        size = chance.choice([37, 1000, 100_000])
        return [data[at : at + size] for at in range(0, len(data), size)]

    found, end = await received(chunks)
    assert found == messages
    assert isinstance(end, ConnectionClosedOK)


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\x02\xc3\x28",  # no UTF-8
        b"\x81\x81mask-",  # masked
        b"\xc1\x01z",  # compressed, which nobody agreed on
        b"\x83\x00",  # an opcode that is not there
        b"\x01\x01a",  # the next text within a text that has not ended
        b"\x80\x00",  # the end of a text that has not begun
        b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff",  # larger than anything
    ],
)
async def test_an_error_of_the_protocol_ends_it(data: bytes) -> None:
    def chunks(server: ServerProtocol) -> list[bytes]:
        return [frames(server, ["a", "b"], random.Random(0)) + data + b"\x81\x05later", b"\x81\x04last"]

    found, end = await received(chunks)
    assert found == ["a", "b"]
    assert isinstance(end, ConnectionClosedError)


async def test_a_connection_that_is_cut() -> None:
    """What has come whole is given, and then the error."""
    async with opened(lambda server: [frames(server, ["a"], random.Random(0)), b"\x81\x05cu"]) as socket:
        assert await socket.next_message() == "a"
        waiting = asyncio.create_task(socket.next_message())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        socket.transport.abort()
        with pytest.raises(ConnectionClosedError):
            await waiting


async def test_what_nobody_takes_waits_in_the_network() -> None:
    text = "x" * 1000
    async with opened(lambda server: [frames(server, [text] * 6_000, random.Random(0))]) as socket:
        for _ in range(3):
            await socket.next_message()
            await asyncio.sleep(0.05)
            assert len(socket._messages) < 1000
        for _ in range(5_000):
            assert await socket.next_message() == text
        socket.transport.abort()
