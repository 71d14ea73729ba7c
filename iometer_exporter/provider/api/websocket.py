"""The protocol graphql-transport-ws: one subscription over a socket of its own."""

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from iometer_exporter.provider.api.burst import BurstConnection
from iometer_exporter.provider.api.dial import dial
from iometer_exporter.provider.api.document import decode, no_answer
from iometer_exporter.provider.api.failures import refused
from iometer_exporter.provider.api.models import Unwanted
from iometer_exporter.provider.api.request import SUBSCRIPTION_ID

SUBPROTOCOL: Final = Subprotocol("graphql-transport-ws")

LARGEST_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""Size of one message at most; a reading has about five hundred bytes."""

_CLOSE_SECONDS: Final = 0.5
"""Time for the other side to close the socket before the connection is cut."""

_SILENT: Final = logging.getLogger("iometer_exporter.provider.api.websocket.frames")
_SILENT.setLevel(logging.CRITICAL)
"""websockets logs headers and messages, credentials among them, at debug level."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Payload:
    """What a message of a subscription carries: data, errors beside it, or errors instead."""

    data: Any
    errors: Any


async def messages(
    url: str,
    tls: ssl.SSLContext | None,
    *,
    headers: Mapping[str, str],
    opening: Mapping[str, str],
    operation: Mapping[str, Any],
    timeout: float,
    opened: Callable[[], None] | None,
    shortcut: Callable[[str], T | Unwanted | None] | None,
) -> AsyncGenerator[T | Payload, None]:
    """The messages of the subscription `operation`, until the API completes it.

    Each is what `shortcut` makes of its text, or else its payload; UNWANTED ones are left out. `opening` is
    the payload of the message that opens the socket, `opened` is called when the API has accepted it; the
    way there may take `timeout` seconds. Raises ProviderError, OSError or what websockets does when the
    socket ends otherwise. Closing the iteration or a cancel, at any moment, ends the socket.
    """
    async with asyncio.timeout(timeout):
        socket = await _open(url, headers, tls)
        try:
            await _send(socket, type="connection_init", payload=opening)
            while (message := _decoded(await socket.next_message()))["type"] != "connection_ack":
                await _keep_alive(socket, message)
            await _send(socket, type="subscribe", id=SUBSCRIPTION_ID, payload=operation)
        except BaseException:
            socket.transport.abort()
            raise
    completed = False
    try:
        if opened is not None:
            opened()
        while True:
            text = await socket.next_message()
            found = shortcut(text) if shortcut is not None and isinstance(text, str) else None
            if found is not None:
                if not isinstance(found, Unwanted):
                    yield found
                continue
            message = _decoded(text)
            if message["type"] not in ("next", "error", "complete"):
                await _keep_alive(socket, message)
            elif not _is_of_another(message):
                if message["type"] == "complete":
                    completed = True
                    return
                yield _payload(message)
    finally:
        await _leave(socket, completed=completed)


def _payload(message: dict[str, Any]) -> Payload:
    """The payload of the message; raises ProviderError for an error of the whole subscription."""
    payload = message.get("payload")
    if message["type"] == "error":
        raise refused(payload) if payload and isinstance(payload, list) else no_answer()
    if not isinstance(payload, dict) or not payload.keys() & {"data", "errors"}:
        raise no_answer()
    return Payload(payload.get("data"), payload.get("errors"))


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception:
        # Elsewhere the credentials have no business.
        return exc


async def _open(url: str, headers: Mapping[str, str], tls: ssl.SSLContext | None) -> BurstConnection:
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
        # Compressed, a message takes a fifth of the bytes and 11 µs more, and a backlog twice as long.
        compression=None,
        max_size=LARGEST_MESSAGE_BYTES,
        open_timeout=None,
        close_timeout=_CLOSE_SECONDS,
        logger=_SILENT,
        create_connection=BurstConnection,
    )
    # It is what was asked for.
    assert isinstance(socket, BurstConnection)  # noqa: S101
    if socket.subprotocol != SUBPROTOCOL:
        socket.transport.abort()
        raise no_answer()
    return socket


async def _leave(socket: ClientConnection, *, completed: bool) -> None:
    """Close the socket in order where there is time for it, and cut the connection in any case."""
    try:
        async with asyncio.timeout(2 * _CLOSE_SECONDS):
            if not completed:
                await _send(socket, type="complete", id=SUBSCRIPTION_ID)
            await socket.close()
    except (ConnectionClosed, OSError):
        # It has ended already, or does not answer.
        pass
    finally:
        socket.transport.abort()


async def _send(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message, separators=(",", ":")))


def _decoded(text: str | bytes) -> dict[str, Any]:
    """The message, which has a type."""
    message = decode(text)
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
    return bool(message["id"] != SUBSCRIPTION_ID)
