"""Bridges that cost next to nothing, so that what is measured is who asks them.

    python -m benchmarks.bridges --bridges N --latency SECONDS [--closing] [--streaming] [--rounds N]

Prints the ports of the bridges as a JSON list. The documents are the simulator's, prepared as bytes: a
reading of a three-phase meter with tariffs, and a status. A request for `/next` to any of them lets five
seconds pass for all. Where they stream, time passes by itself, and who asks for events gets one each second.
"""

import argparse
import asyncio
import json
import time
from functools import partial
from typing import Final, cast

from iometer_exporter.simulator import wire
from iometer_exporter.simulator.bridge import SimulatedBridge

HOST: Final = "127.0.0.1"
STEP: Final = 5.0
"""Seconds from one round of documents to the next."""


class Bridges:
    """All bridges of the process and their answers by path, as they are now."""

    def __init__(
        self, count: int, *, latency: float, closing: bool = False, streaming: bool = False, rounds: int
    ) -> None:
        """Begin as long ago as the rounds take, so that no reading comes out of the future."""
        self.latency = latency
        self.closing = closing
        self.streaming = streaming
        self._now = time.time() - rounds * STEP
        self._bridges = [
            SimulatedBridge(number, faults=("three-phase", "tariffs"), clock=self._clock)
            for number in range(1, count + 1)
        ]
        self.answers: list[dict[str, bytes]] = []
        self._prepare()

    def _clock(self) -> float:
        return self._now

    def step(self) -> None:
        """Let time pass, and prepare the answers of the next round."""
        self._now += STEP
        self._prepare()

    def follow_the_clock(self) -> None:
        """Be in the present."""
        self._now = time.time()

    def event(self, index: int, path: str) -> bytes:
        """What a bridge sends of an endpoint now, to who asked for events."""
        bridge = self._bridges[index]
        document = bridge.reading() if path == "/v1/reading" else bridge.status()
        return wire.chunk(wire.event(f"{path.removeprefix('/v1/')}Event", document))

    def fresh(self, index: int, path: str) -> bytes:
        """What a bridge that streams answers now to who asks for the document."""
        bridge = self._bridges[index]
        self.follow_the_clock()
        return self._answer(bridge.reading() if path == "/v1/reading" else bridge.status())

    def _prepare(self) -> None:
        self.answers = [
            {"/v1/reading": self._answer(bridge.reading()), "/v1/status": self._answer(bridge.status())}
            for bridge in self._bridges
        ]

    def _answer(self, document: dict[str, object]) -> bytes:
        body = wire.encode(document)
        return wire.response(200, body, content_type="application/json", keep_alive=not self.closing)


class Connection(asyncio.Protocol):
    """Answers one request after the other, each after the latency."""

    def __init__(self, bridges: Bridges, index: int) -> None:
        self._bridges = bridges
        self._index = index
        self._received = b""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer a request once its head is there."""
        self._received += data
        if self._received.endswith(b"\r\n\r\n"):
            path = self._received.split(b" ", 2)[1].decode()
            streams = self._bridges.streaming and b"text/event-stream" in self._received
            self._received = b""
            if streams:
                self._transport.write(wire.stream_head("text/event-stream"))
                self._stream(path)
            elif path == "/next":
                self._bridges.step()
                self._transport.write(wire.response(200, b"", content_type="text/plain", keep_alive=True))
            else:
                self._loop.call_later(self._bridges.latency, self._answer, path)

    def _stream(self, path: str) -> None:
        if not self._transport.is_closing():
            self._bridges.follow_the_clock()
            self._transport.write(self._bridges.event(self._index, path))
            self._loop.call_later(1.0, self._stream, path)

    def _answer(self, path: str) -> None:
        streaming = self._bridges.streaming
        # Those prepared are older than what a stream has brought.
        fresh = self._bridges.fresh(self._index, path) if streaming else None
        self._transport.write(fresh or self._bridges.answers[self._index][path])
        if self._bridges.closing:
            self._transport.close()


async def serve(bridges: Bridges) -> None:
    """Listen on a free port for each bridge, say which, and go on until the process is ended."""
    loop = asyncio.get_running_loop()
    ports = []
    for index in range(len(bridges.answers)):
        server = await loop.create_server(partial(Connection, bridges, index), HOST, 0, backlog=1024)
        ports.append(server.sockets[0].getsockname()[1])
    print(json.dumps(ports), flush=True)
    await loop.create_future()


def main() -> None:
    """Serve as the options say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bridges", type=int, default=1)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--closing", action="store_true", help="close the connection after each answer")
    parser.add_argument("--streaming", action="store_true", help="send events to who asks for them")
    parser.add_argument("--rounds", type=int, default=20, help="how often /next will be asked")
    options = parser.parse_args()
    asyncio.run(
        serve(
            Bridges(
                options.bridges,
                latency=options.latency,
                closing=options.closing,
                streaming=options.streaming,
                rounds=options.rounds,
            )
        )
    )


if __name__ == "__main__":
    main()
