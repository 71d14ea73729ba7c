"""The protocol graphql-transport-ws: one subscription over a socket of its own."""

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from itertools import count
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from iometer_exporter.provider.api.dial import dial
from iometer_exporter.provider.api.document import decode, no_answer
from iometer_exporter.provider.api.failures import refused

SUBPROTOCOL: Final = Subprotocol("graphql-transport-ws")

LARGEST_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""Size of one message at most; a reading has about two thousand bytes."""

_MESSAGES_IN_A_ROW: Final = 64
"""Messages that are taken before others get their turn: some 3 ms of work."""

_REST_SECONDS: Final = 0.002
"""Pause after so many messages: a backlog of a day takes minutes, in which scrapes and bridges are to be
served as at any other time. It waits in the network meanwhile."""

_CLOSE_SECONDS: Final = 0.5
"""Time for the other side to close the socket before the connection is cut."""

_ID: Final = "1"
"""Id of the subscription, the only one of its socket."""

_SILENT: Final = logging.getLogger("iometer_exporter.provider.api.websocket.frames")
_SILENT.setLevel(logging.CRITICAL)
"""websockets logs headers and messages, credentials among them, at debug level."""


async def payloads(
    url: str,
    tls: ssl.SSLContext | None,
    *,
    headers: Mapping[str, str],
    opening: Mapping[str, str],
    operation: Mapping[str, Any],
    timeout: float,
    opened: Callable[[], None] | None,
) -> AsyncGenerator[dict[str, Any], None]:
    """The payload of each message of the subscription `operation`, until the API completes it.

    `opening` is the payload of the message that opens the socket, `opened` is called when the API has
    accepted it; the way there may take `timeout` seconds. Raises ProviderError, OSError or what websockets
    does when the socket ends otherwise. Closing the iteration or a cancel, at any moment, ends the socket.
    """
    async with asyncio.timeout(timeout):
        socket = await _open(url, headers, tls)
        try:
            await _send(socket, type="connection_init", payload=opening)
            while (message := await _receive(socket))["type"] != "connection_ack":
                await _keep_alive(socket, message)
            await _send(socket, type="subscribe", id=_ID, payload=operation)
        except BaseException:
            socket.transport.abort()
            raise
    completed = False
    try:
        if opened is not None:
            opened()
        for taken in count(1):
            if taken % _MESSAGES_IN_A_ROW == 0:
                await asyncio.sleep(_REST_SECONDS)
            message = await _receive(socket)
            if message["type"] not in ("next", "error", "complete"):
                await _keep_alive(socket, message)
            elif not _is_of_another(message):
                if message["type"] == "complete":
                    completed = True
                    return
                yield _payload(message)
    finally:
        await _leave(socket, completed=completed)


def _payload(message: dict[str, Any]) -> dict[str, Any]:
    """The payload of the message; raises ProviderError for an error of the whole subscription."""
    payload = message.get("payload")
    if message["type"] == "error":
        raise refused(payload) if payload and isinstance(payload, list) else no_answer()
    if not isinstance(payload, dict) or not payload.keys() & {"data", "errors"}:
        raise no_answer()
    return payload


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception:
        # Elsewhere the credentials have no business.
        return exc


async def _open(url: str, headers: Mapping[str, str], tls: ssl.SSLContext | None) -> ClientConnection:
    """The open socket; there is no limit in time."""
    parts = urlsplit(url)
    sock = await dial(parts.hostname or "", parts.port or (80 if tls is None else 443))
    socket = await _Connect(
        url,
        sock=sock,
        ssl=tls,
        additional_headers={name: value for name, value in headers.items() if name != "User-Agent"},
        user_agent_header=headers.get("User-Agent"),
        subprotocols=[SUBPROTOCOL],
        proxy=None,
        max_size=LARGEST_MESSAGE_BYTES,
        open_timeout=None,
        close_timeout=_CLOSE_SECONDS,
        logger=_SILENT,
    )
    if socket.subprotocol != SUBPROTOCOL:
        socket.transport.abort()
        raise no_answer()
    return socket


async def _leave(socket: ClientConnection, *, completed: bool) -> None:
    """Close the socket in order where there is time for it, and cut the connection in any case."""
    try:
        async with asyncio.timeout(2 * _CLOSE_SECONDS):
            if not completed:
                await _send(socket, type="complete", id=_ID)
            await socket.close()
    except (ConnectionClosed, OSError):
        # It has ended already, or does not answer.
        pass
    finally:
        socket.transport.abort()


async def _send(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message, separators=(",", ":")))


async def _receive(socket: ClientConnection) -> dict[str, Any]:
    """The next message, which has a type."""
    message = decode(await socket.recv())
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise no_answer()
    return message


async def _keep_alive(socket: ClientConnection, message: dict[str, Any]) -> None:
    """Answer a ping; raises ProviderError for a message that has no business at this time."""
    if message["type"] == "ping":
        await _send(socket, type="pong")
    elif message["type"] != "pong":
        raise no_answer()


def _is_of_another(message: dict[str, Any]) -> bool:
    """Whether the message is of another subscription, which this socket does not have."""
    if not isinstance(message.get("id"), str):
        raise no_answer()
    return bool(message["id"] != _ID)
