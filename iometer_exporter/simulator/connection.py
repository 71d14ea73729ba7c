"""One client's connection to a simulated bridge, with every fault that a socket can show."""

import asyncio
import itertools
import socket
import struct
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import partial
from random import Random
from typing import Any, Final, cast

from iometer_exporter.simulator import wire
from iometer_exporter.simulator.bridge import SimulatedBridge
from iometer_exporter.simulator.faults import ENDPOINTS, Fault

_PATHS: Final = {"/v1/reading": "reading", "/v1/status": "status"}

_HUGE: Final = 200 * 1000 * 1000
_PIECE: Final = b" " * 65536

_HUGE_EVENT: Final = 10 * 1000 * 1000

_PADDED: Final = 65536
"""Bytes of the body that comes in chunks of one byte."""

_RESET: Final = struct.pack("ii", 1, 0)
"""For SO_LINGER: a close that the other side sees as a reset."""

_HTML: Final = b"<!DOCTYPE html><html><head><title>Router</title></head><body>Please log in.</body></html>"
_NOISE: Final = bytes((i * 197 + 91) % 256 for i in range(512))


class Connection(asyncio.Protocol):
    """Answers the requests of one connection, one after the other, until either side closes it."""

    def __init__(
        self, bridge: SimulatedBridge, *, latency: float, on_lost: Callable[["Connection"], None]
    ) -> None:
        self._bridge = bridge
        self._latency = latency
        self._on_lost = on_lost
        self._received = bytearray()
        self._answers = 0
        self._task: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport
        self._made = False
        self._number = 0
        self._doomed = False
        self._unseen = False
        self._random = Random()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._made = True
        self._unseen = all("no-accept" in self._bridge.wire_faults(endpoint) for endpoint in ENDPOINTS)
        if self._doomed:
            self._transport.abort()
        bridge = self._bridge
        bridge.open_connections += 1
        bridge.most_connections = max(bridge.most_connections, bridge.open_connections)
        self._number = bridge.connections
        bridge.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop whatever was under way: the client of a hung answer is gone."""
        self._bridge.open_connections -= 1
        self._stop_waiting()
        if self._task is not None:
            self._task.cancel()
        self._ended.set_result(None)
        self._on_lost(self)

    def pause_writing(self) -> None:
        """Wait for a client that reads slowly."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on after a client has caught up."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Collect bytes until there is a whole head."""
        if self._unseen:
            return
        self._received += data
        if self._task is None:
            self._next()
        elif len(self._received) > wire.MAX_HEAD:
            # Nobody sends that much before the answer is there.
            self._transport.abort()

    async def aclose(self) -> None:
        """Close the socket at once and wait until nothing runs any more."""
        # An accepted socket gets its transport a little later.
        self._doomed = True
        if self._made:
            self._transport.abort()
        await self._ended
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def _next(self) -> None:
        """Start to answer the request that has arrived, if none is being answered."""
        head, blank, rest = bytes(self._received).partition(b"\r\n\r\n")
        if len(head) > wire.MAX_HEAD:
            self._send(wire.error(431, keep_alive=False), close=True)
        elif blank:
            self._received = bytearray(rest)
            self._stop_waiting()
            request = wire.parse_request(head)
            if request is None:
                self._send(wire.error(400, keep_alive=False), close=True)
            else:
                self._task = asyncio.get_running_loop().create_task(self._serve(request))

    async def _serve(self, request: wire.Request) -> None:
        await self._answer(request)
        self._task = None
        self._answers += 1
        if not request.keep_alive:
            self._transport.close()
        else:
            self._watch_idle(self._bridge.wire_faults(_PATHS.get(request.path, "")))
        if not self._transport.is_closing():
            self._next()

    def _watch_idle(self, faults: AbstractSet[Fault]) -> None:
        """Close the connection after a moment without a request, where the faults say so."""
        farewell: Callable[[], None] | None = None
        if "idle-408" in faults:
            farewell = partial(self._send, wire.error(408, keep_alive=False), close=True)
        elif "close-idle" in faults and self._number % 2 == 0:
            farewell = self._transport.close
        if farewell is not None:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(self._bridge.timing.idle_seconds, farewell)

    async def _answer(self, request: wire.Request) -> None:
        bridge = self._bridge
        endpoint = _PATHS.get(request.path, "")
        bridge.requests[endpoint or "other"] += 1
        faults = bridge.wire_faults(endpoint)
        if faults & {"hang", "no-accept"} or ("swallow" in faults and self._answers):
            await asyncio.get_running_loop().create_future()
        stale = "close-idle" in faults and self._number % 2 == 1 and self._answers
        if stale or "drop" in faults:
            self._transport.close()
            return
        if delay := self._delay(faults):
            await asyncio.sleep(delay)
        if "huge" in faults:
            await self._flood()
        elif "interim-flood" in faults:
            await self._endless(b"", wire.INTERIM * 100, every=0)
        elif "drip-head" in faults:
            await self._endless(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x", every=bridge.timing.drip_seconds)
        elif request.method == "GET" and "text/event-stream" in request.accept and self._streams(endpoint):
            await self._stream(endpoint)
        else:
            self._send_whole(request, endpoint, faults)

    def _delay(self, faults: AbstractSet[Fault]) -> float:
        """Seconds until the answer begins."""
        timing, delay = self._bridge.timing, self._latency
        if "slow" in faults:
            delay += timing.slow_seconds
        if "jitter" in faults:
            delay += timing.jitter_around + self._random.uniform(-1, 1) * timing.jitter_spread
        return max(0.0, delay)

    def _send_whole(self, request: wire.Request, endpoint: str, faults: AbstractSet[Fault]) -> None:
        """Send an answer in one piece, or as much of it as the faults leave."""
        answer = self._body(request, endpoint, faults)
        if "reset-body" in faults:
            self._transport.write(answer)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()
            return
        if "doubled" in faults:
            answer += answer
        if "trailing" in faults:
            answer += _NOISE
        self._send(answer, close=bool(faults & {"truncated", "tiny-chunks"}))

    def _streams(self, endpoint: str) -> bool:
        wrong = {
            f"no-{endpoint}",
            "no-stream",
            "http-500",
            "garbage",
            "truncated",
            "reset-body",
            "tiny-chunks",
        }
        is_able = bool(endpoint) and self._bridge.firmware == "stream"
        return is_able and not self._bridge.wire_faults(endpoint) & wrong

    def _body(self, request: wire.Request, endpoint: str, faults: AbstractSet[Fault]) -> bytes:
        """The response to a request that gets one."""
        keep = request.keep_alive
        if request.method != "GET":
            return wire.error(405, keep_alive=keep)
        if "http-500" in faults:
            return wire.error(500, keep_alive=keep)
        if "garbage" in faults:
            page = self._bridge.requests.total() % 2 == 0
            kind = "text/html" if page else "application/json"
            return wire.response(200, _HTML if page else _NOISE, content_type=kind, keep_alive=keep)
        if not endpoint or f"no-{endpoint}" in faults:
            return wire.error(404, keep_alive=keep)
        body = wire.encode(self._document(endpoint))
        if "tiny-chunks" in faults:
            pieces = [wire.chunk(bytes([byte])) for byte in body.ljust(_PADDED)]
            return b"".join([wire.stream_head("application/json"), *pieces, wire.chunk(b"")])
        if faults & {"truncated", "reset-body"}:
            half = len(body) // 2
            return wire.response(200, body[:half], content_type="application/json", missing=len(body) - half)
        return wire.response(200, body, content_type="application/json", keep_alive=keep)

    def _document(self, endpoint: str) -> dict[str, Any]:
        return self._bridge.reading() if endpoint == "reading" else self._bridge.status()

    async def _stream(self, endpoint: str) -> None:
        """Send a document per measuring interval for as long as the client listens."""
        self._transport.write(wire.stream_head("text/event-stream"))
        for number in itertools.count():
            event = wire.event(f"{endpoint}Event", self._document(endpoint))
            faults = self._bridge.wire_faults(endpoint)
            if number >= self._bridge.timing.good_events:
                if "stream-restart" in faults:
                    self._transport.close()
                    return
                if "huge-event" in faults:
                    await self._flood_event(endpoint)
                if "half-event" in faults:
                    self._transport.write(wire.chunk(event[: len(event) // 2]))
                if faults & {"half-event", "stream-stall"}:
                    await asyncio.get_running_loop().create_future()
            self._transport.write(wire.chunk(event))
            await self._writable.wait()
            await asyncio.sleep(self._bridge.interval)

    async def _flood_event(self, endpoint: str) -> None:
        self._transport.write(wire.chunk(b"event: %bEvent\ndata: " % endpoint.encode()))
        for _ in range(_HUGE_EVENT // len(_PIECE)):
            self._transport.write(wire.chunk(_PIECE))
            await self._writable.wait()
            await asyncio.sleep(0)
        self._transport.write(wire.chunk(b"\n\n"))

    async def _flood(self) -> None:
        self._transport.write(wire.stream_head("application/json"))
        for _ in range(_HUGE // len(_PIECE)):
            self._transport.write(wire.chunk(_PIECE))
            await self._writable.wait()
            await asyncio.sleep(0)
        self._send(wire.chunk(b""), close=True)

    async def _endless(self, head: bytes, piece: bytes, *, every: float) -> None:
        """Send a piece over and over, for as long as the client listens."""
        self._transport.write(head)
        while True:
            self._transport.write(piece)
            await self._writable.wait()
            await asyncio.sleep(every)

    def _send(self, data: bytes, *, close: bool) -> None:
        self._transport.write(data)
        if close:
            self._transport.close()

    def _stop_waiting(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
