"""Accepts the connections of clients, as many as there may be, and takes them through TLS.

asyncio's own server accepts without limit, and when no descriptors are left it logs thousands of lines a
second while it tries again.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from iometer_exporter.web.clients import Client, Clients, Seldom, group_of

_log = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 0.5
"""Seconds to wait when a connection cannot be accepted, such as for lack of descriptors."""


class Listener:
    """Accepts on listening sockets, which it closes in the end; made and used inside the loop.

    `serve` makes the protocol of a connection, `context` gives the TLS of a new one.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        serve: Callable[[Client], asyncio.Protocol],
        clients: Clients,
        *,
        context: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._sockets = sockets
        self._serve = serve
        self._clients = clients
        self._context = context
        self._tasks: list[asyncio.Task[None]] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._failing = Seldom()

    def start(self) -> None:
        """Accept from now on."""
        self._tasks = [asyncio.create_task(self._accept(listening)) for listening in self._sockets]
        self._tasks.append(asyncio.create_task(self._sweep()))

    def close(self) -> None:
        """Accept no more, and end TLS handshakes; connections that are open stay."""
        for task in (*self._tasks[:-1], *self._opening):
            task.cancel()

    async def wait_closed(self) -> None:
        """Return when all is over that was begun here."""
        self.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._opening, return_exceptions=True)
        for listening in self._sockets:
            listening.close()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._clients.room()
                try:
                    accepted, address = await loop.sock_accept(listening)
                except ConnectionAbortedError:
                    # The client has changed its mind.
                    continue
                except OSError as error:
                    await self._recover(error)
                    continue
                self._take(accepted, address)
                # Many may come at once, and there is more to do than to take them.
                await asyncio.sleep(0)
        finally:
            listening.close()

    async def _recover(self, error: OSError) -> None:
        """Wait for better times, and give a descriptor back for the case that there are none left."""
        self._clients.evict()
        if self._failing.due():
            _log.error(
                "connections cannot be accepted, trying again all the time",
                extra={"error": error.strerror or error, "clients": len(self._clients)},
            )
        await asyncio.sleep(_PAUSE_SECONDS)

    def _take(self, accepted: socket.socket, address: Any) -> None:
        client = Client(group_of(address[0]))
        task = client.opening = asyncio.create_task(self._open(accepted, client))
        self._opening.add(task)

        def opened(task: asyncio.Task[None]) -> None:
            client.opening = None
            self._opening.discard(task)
            if not client.transports:
                accepted.close()
            error = None if task.cancelled() else task.exception()
            if error is not None:
                _log.error("connection could not be opened, please report this", exc_info=error)
            if task.cancelled() or error is not None:
                client.abort()
                self._clients.remove(client)

        task.add_done_callback(opened)
        self._clients.add(client)

    async def _open(self, accepted: socket.socket, client: Client) -> None:
        loop = asyncio.get_running_loop()
        protocol = self._serve(client)
        if self._context is None:
            await loop.connect_accepted_socket(lambda: protocol, accepted)
            return
        # In two steps, so that the transport of the socket is known: only that one can say how much of an
        # answer has not been taken, and end a handshake at any point.
        plain, _ = await loop.connect_accepted_socket(_Quiet, accepted)
        client.transports = (plain,)
        timeout = self._clients.limits.head_timeout
        # The farewell of TLS waits for the answer to be taken, about which `Clients` decides.
        farewell = self._clients.limits.answer_timeout
        with suppress(OSError):
            secured = await loop.start_tls(
                plain,
                protocol,
                self._context(),
                server_side=True,
                ssl_handshake_timeout=timeout,
                ssl_shutdown_timeout=farewell,
            )
            if secured is not None:
                client.transports = (plain, secured)
                protocol.connection_made(secured)
                return
        # No TLS, or a client that has gone during the handshake.
        plain.abort()
        self._clients.remove(client)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._clients.pause)
            self._clients.sweep()


class _Quiet(asyncio.Protocol):
    """Leaves what comes in the socket until TLS reads it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (a TCP socket has no other)
        transport.pause_reading()
