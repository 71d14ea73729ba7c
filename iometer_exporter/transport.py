"""httpx's transport for one bridge: few connections, long kept, straight on asyncio's streams."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import httpcore
import httpx

CONNECTIONS: Final = 2
"""At a time to one bridge: it has few sockets."""

_KEEPALIVE: Final = 3600.0
"""Seconds; far above any scrape interval, so that a scrape finds its connections open."""

_HAPPY_EYEBALLS: Final = 0.25
"""Seconds after which the next address of a name is tried too."""


class StaleConnection(httpcore.ReadError):
    """A kept-alive connection that the bridge has closed: nothing came back to the request."""


class BridgeTransport(httpx.AsyncHTTPTransport):
    """Sends requests as they are: without redirects, cookies, proxies and TLS, which bridges do not speak."""

    def __init__(self) -> None:
        # httpx takes no backend of one's own; its pool is made here as it makes it. The stock backend
        # goes through anyio, which is a quarter of the CPU of a fetch, and cannot tell a stale connection.
        # Without verification it builds no TLS context, which is never used and costs 17 ms.
        super().__init__(verify=False, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS,
            keepalive_expiry=_KEEPALIVE,
            network_backend=_Backend(),
        )


class _Backend(httpcore.AsyncNetworkBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            reader, writer = await asyncio.open_connection(host, port, happy_eyeballs_delay=_HAPPY_EYEBALLS)
        except OSError as error:
            raise httpcore.ConnectError(error) from error
        return _Stream(reader, writer)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._answered_before = False
        self._answered = False

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        self._answered_before = self._answered_before or self._answered
        self._answered = False
        try:
            self._writer.write(buffer)
            await self._writer.drain()
        except OSError as error:
            raise self._broken(httpcore.WriteError(error)) from error

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            data = await self._reader.read(max_bytes)
        except OSError as error:
            raise self._broken(httpcore.ReadError(error)) from error
        if not data and self._is_stale:
            raise StaleConnection("the bridge had closed the connection")
        self._answered = True
        return data

    async def aclose(self) -> None:
        self._writer.close()

    def get_extra_info(self, info: str) -> Any:
        # Asked of an idle connection: one that has ended is not used again.
        return self._reader.at_eof() if info == "is_readable" else None

    @property
    def _is_stale(self) -> bool:
        return self._answered_before and not self._answered

    def _broken(self, error: Exception) -> Exception:
        return StaleConnection(error) if self._is_stale else error
