"""A server that answers each GraphQL request with the bytes that a test gives: the seam for bad answers."""

import asyncio
import json
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import trustme
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from iometer_exporter.provider.api.credentials import Credentials

CREDENTIALS = Credentials("the-token", "the-secret", "/run/token", "/run/secret")


@dataclass(frozen=True, slots=True)
class Request:
    """What the client sent: header names in lower case, and the decoded body."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


Handler = Callable[[Request], Awaitable[bytes | list[bytes] | None]]
"""Gives the bytes of the whole answer, or pieces that are sent one by one; None closes the connection, and an
empty last piece resets it."""


@dataclass
class Api:
    """Where the server is and what it saw."""

    url: str
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    """Connections that stand now."""


def answer(document: Any, *, status: int = 200, headers: str = "") -> bytes:
    """A complete HTTP answer with the JSON document, or with the bytes as they are."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def always(data: bytes) -> Handler:
    """A handler that gives the bytes to every request."""

    async def handler(_request: Request) -> bytes:
        return data

    return handler


def each(*answers: bytes | list[bytes] | None) -> Handler:
    """A handler that gives one answer after the other."""
    left = iter(answers)

    async def handler(_request: Request) -> bytes | list[bytes] | None:
        return next(left)

    return handler


@asynccontextmanager
async def http_api(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Api]:
    """A server on a free port of this host."""
    api = Api("")
    tasks: set[asyncio.Task[None]] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        api.connections += 1
        api.open += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
                method, path, _ = head[0].split(" ")
                pairs = [line.split(": ", 1) for line in head[1:] if line]
                headers = {name.lower(): value for name, value in pairs}
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                api.requests.append(Request(method, path, headers, body))
                data = await handler(api.requests[-1])
                if data is None:
                    break
                for piece in [data] if isinstance(data, bytes) else data:
                    writer.write(piece)
                    await writer.drain()
                    # The next one in a packet of its own.
                    await asyncio.sleep(0 if piece is data else 0.001)
                    if not piece:
                        sock = writer.get_extra_info("socket")
                        sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                        writer.transport.abort()
                        return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            api.open -= 1
            tasks.discard(task)

    server = await asyncio.start_server(connection, "127.0.0.1", 0, ssl=tls)
    api.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/query"
    try:
        yield api
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


Talk = Callable[[ServerConnection], Awaitable[None]]
"""What the server says on a socket after it has been opened."""


@asynccontextmanager
async def socket_api(
    talk: Talk, *, subprotocol: str = "graphql-transport-ws", **settings: Any
) -> AsyncIterator[Api]:
    """A WebSocket server on a free port of this host; the URL is that of HTTP, as in the configuration."""
    api = Api("")

    async def connection(socket: ServerConnection) -> None:
        api.connections += 1
        api.open += 1
        try:
            await talk(socket)
        finally:
            api.open -= 1

    server = await serve(connection, "127.0.0.1", 0, subprotocols=[Subprotocol(subprotocol)], **settings)
    port = next(iter(server.sockets)).getsockname()[1]
    try:
        api.url = f"http{'s' if settings.get('ssl') else ''}://127.0.0.1:{port}/v1/query"
        yield api
    finally:
        server.close()
        await server.wait_closed()


async def accept(socket: ServerConnection) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take the messages that open a subscription; gives the payloads of both."""
    opening = json.loads(await socket.recv())
    assert opening["type"] == "connection_init"
    await socket.send(json.dumps({"type": "connection_ack"}))
    subscription = json.loads(await socket.recv())
    assert (subscription["type"], subscription["id"]) == ("subscribe", "1")
    return opening["payload"], subscription["payload"]


async def push(socket: ServerConnection, **payload: Any) -> None:
    """Send a message of the subscription."""
    await socket.send(json.dumps({"id": "1", "type": "next", "payload": payload}))


def certificate() -> tuple[ssl.SSLContext, bytes]:
    """A server's context for this host, and the certificate of the authority that issued it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context, authority.cert_pem.bytes()
