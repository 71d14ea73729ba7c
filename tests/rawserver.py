"""A TCP server that does to each request what a test says: the seam for faults below HTTP."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from iometer_exporter.net.addresses import Address

Handler = Callable[[bytes, asyncio.StreamWriter], Coroutine[Any, Any, bool]]
"""Gets the head of a request; returns whether the connection is kept."""


@dataclass
class RawServer:
    """What the server saw."""

    address: Address
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    most_open: int = 0


@asynccontextmanager
async def raw_server(handler: Handler, host: str = "127.0.0.1") -> AsyncIterator[RawServer]:
    """A server on a free port that hands each request to the handler."""
    seen = RawServer(Address(host, 0))
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        seen.connections += 1
        seen.open += 1
        seen.most_open = max(seen.most_open, seen.open)
        try:
            keep = True
            while keep:
                head = await reader.readuntil(b"\r\n\r\n")
                seen.requests.append(head)
                keep = await _unless_closed(handler(head, writer), reader)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            seen.open -= 1
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(serve, host, 0)
    seen.address = Address(host, server.sockets[0].getsockname()[1])
    try:
        yield seen
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _unless_closed(work: Coroutine[Any, Any, bool], reader: asyncio.StreamReader) -> bool:
    """The result of the work; False as soon as the client closes while it is under way."""
    working, closed = asyncio.ensure_future(work), asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait([working, closed], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else False
    finally:
        working.cancel()
        closed.cancel()
        await asyncio.gather(working, closed, return_exceptions=True)


def response(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """A complete HTTP answer."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def answering(data: bytes, *, keep: bool = True) -> Handler:
    """A handler that sends the bytes to every request."""

    async def handler(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        writer.write(data)
        return keep

    return handler


async def hanging(_head: bytes, _writer: asyncio.StreamWriter) -> bool:
    """A handler that never answers."""
    await asyncio.Event().wait()
    return False


def bridge(reading: Callable[[], bytes], status: Callable[[], bytes]) -> Handler:
    """A handler that answers as a bridge with what the functions give at the time; empty is 404."""

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> bool:
        document = reading() if b"/v1/reading" in head else status()
        writer.write(response(document) if document else response(b"", status="404 Not Found"))
        return True

    return handler


@contextmanager
def served(handler: Handler) -> Iterator[Address]:
    """The address of a raw server that runs in a thread of its own."""
    ready: queue.Queue[Address] = queue.Queue()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        async with raw_server(handler) as server:
            ready.put(server.address)
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        yield ready.get(timeout=10)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
