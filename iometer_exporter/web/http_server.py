"""The HTTP server: uvicorn, with connections that are limited in number and in the time they may take.

uvicorn can parse with httptools too. h11 is taken on every machine: it is strict about what a request is, it
limits the size of a request's head (16 KiB), and next to what a scrape costs it costs nothing.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from iometer_exporter.net.receiving import receive_little
from iometer_exporter.web.clients import Client, ClientLimits, Clients
from iometer_exporter.web.listener import Listener

if TYPE_CHECKING:
    from iometer_exporter.web.gate import WebGate

_CLOSE_SECONDS: Final = 0.1
"""Seconds that an idle client has to close its side when the server stops."""

_faults = logging.getLogger(f"{__name__}.faults")
# What uvicorn warns of is what clients send, and anybody can send as much of it as they like.
_faults.setLevel(logging.ERROR)


class HttpServer(uvicorn.Server):
    """Serves the application on listening sockets, which it closes; behind the gate if there is one."""

    def __init__(
        self,
        app: ASGIApp,
        sockets: Sequence[socket.socket],
        *,
        gate: "WebGate | None" = None,
        limits: ClientLimits | None = None,
    ) -> None:
        self._sockets = sockets
        self._gate = gate
        self._limits = limits or ClientLimits()
        self._clients: Clients | None = None
        config = uvicorn.Config(
            gate.wrap(app) if gate else app,
            http="h11",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            # Whoever stands in front has no say in what a client asked for.
            proxy_headers=False,
            timeout_keep_alive=self._limits.idle_timeout,
            ws="none",
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept; `sockets` is uvicorn's, and not in use."""
        await super().startup(sockets=[])
        gate, self._clients = self._gate, Clients(self._limits)
        listener = Listener(
            self._sockets, self._connection, self._clients, context=gate.tls_context if gate else None
        )
        listener.start()
        # uvicorn closes them first of all when it stops, and waits for them last of all.
        self.servers = [listener]  # type: ignore[list-item]

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until `should_exit` is set; `sockets` is uvicorn's, and not in use."""
        try:
            await super().serve(sockets=[])
        finally:
            for listening in self._sockets:
                listening.close()

    def abort(self) -> None:
        """Close all connections now."""
        if self._clients is not None:
            self._clients.abort()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the loop: uvicorn would raise them again after a clean stop."""
        yield

    def _connection(self, client: Client) -> asyncio.Protocol:
        assert self._clients is not None  # noqa: S101 (startup has made them)
        connection = _Connection(self.config, self.server_state, self.lifespan.state)
        connection.belongs_to(client, self._clients, self._gate.admits if self._gate else None)
        return connection


class _Connection(H11Protocol):
    """uvicorn's connection, which says when it waits for its client and when not.

    It closes before the first request if the gate does not admit the client's certificate.
    """

    def belongs_to(
        self, client: Client, clients: Clients, admits: Callable[[asyncio.Transport], bool] | None
    ) -> None:
        """Note whose connection it is; called once, before anything else."""
        self.logger = _faults
        self._client = client
        self._clients = clients
        self._admits = admits
        self._early = b""
        self._opened = self._lost = False
        self._between_requests = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if self._lost:
            return
        self._opened = True
        receive_little(transport)
        super().connection_made(transport)
        if not self._client.transports:
            self._client.transports = (transport,)
        # The handshake had its own time.
        self._clients.waits(self._client)
        if self._admits is not None and not self._admits(transport):
            transport.abort()
        elif self._early:
            early, self._early = self._early, b""
            self.data_received(early)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._clients.remove(self._client)
        if self._opened:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._opened:
            # Sent along with the end of the TLS handshake, of which we hear a moment later.
            self._early += data
            return
        if self.transport.is_closing():
            return
        if self._between_requests:
            self._between_requests = False
            self._clients.waits(self._client)
        super().data_received(data)
        if self._is_answering():
            self._clients.answers(self._client)
        elif self.transport.is_closing():
            # It was no HTTP. Over TLS the client has a part in the end, too.
            self._clients.waits(self._client)

    def on_response_complete(self) -> None:
        """Wait for the next request, or go on with it if it is there."""
        super().on_response_complete()
        if not self._is_answering():
            self._between_requests = self.conn.their_state is h11.IDLE
            self._clients.waits(self._client)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, and drop what was being answered before it on this connection."""
        if self._is_answering():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def shutdown(self) -> None:
        super().shutdown()
        if self.transport.is_closing():
            # asyncio would wait for an idle client to return the farewell of TLS.
            self.loop.call_later(_CLOSE_SECONDS, self.transport.abort)

    def _is_answering(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete and not cycle.disconnected
