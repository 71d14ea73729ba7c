import asyncio
from typing import Final

from iometer_exporter.net.receiving import receive_little

SENT: Final = b"0123456789" * 50_000


class Receiver(asyncio.Protocol):
    """Keeps what it is given, in the pieces it came in, until the other side has sent all."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        receive_little(transport)

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        self.ended.set_result(None)


async def test_all_is_received_in_small_pieces() -> None:
    async def send(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SENT)
        writer.close()

    server = await asyncio.start_server(send, "127.0.0.1", 0)
    async with server:
        receiver = Receiver()
        await asyncio.get_running_loop().create_connection(
            lambda: receiver, *server.sockets[0].getsockname()[:2]
        )
        await asyncio.wait_for(receiver.ended, 30.0)
    assert b"".join(receiver.pieces) == SENT
    assert max(map(len, receiver.pieces)) <= 64 * 1024
