"""HTTP to the provider API with httpx, whose pool no cancel of asyncio reaches.

Such a cancel ends httpcore's clean-up half-way, and a place in its pool is lost for good. So each exchange
runs in a task of its own, for which the caller only waits. Where the caller gives up, the exchange is ended
by a cancel of anyio, which spares that clean-up, and its pool is retired: between two steps that may cost a
place too.
"""

import asyncio
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import anyio
import httpx

from iometer_exporter.errors import ProviderError
from iometer_exporter.provider.reading.clock import CooperativeYield

LARGEST_BODY_BYTES: Final = 32 * 1024 * 1024
"""Size of one answer at most, decompressed; a page of 1000 installations has about 3 MB."""

_LONGEST_IDLE_SECONDS: Final = 30.0
"""Longest life of an idle connection. Load balancers and routers forget one after minutes, some without a
word: a request on it would wait for its whole timeout."""

_LIMITS: Final = httpx.Limits(
    max_connections=8, max_keepalive_connections=2, keepalive_expiry=_LONGEST_IDLE_SECONDS
)

_LONGEST_CLOSING_SECONDS: Final = 1.0
"""In which exchanges that are given up end; they need some turns of the event loop."""

_GZIP: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its whole body, decompressed."""

    status: int
    retry_after: str | None
    body: bytes


class HttpTransport:
    """Posts documents to one URL, without proxies, redirects and cookies.

    There is no limit in time: whoever waits cancels, and nothing is left of the request.
    """

    def __init__(self, url: str, headers: Mapping[str, str], tls: ssl.SSLContext | None) -> None:
        """Send these headers with every request; without `tls` the URL is one of plain HTTP."""
        self._url = url
        self._headers = {
            **headers,
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
        }
        # To read all certificates takes its time, and plain HTTP needs none.
        self._tls = tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._pool = _Pool(self._tls)
        self._exchanges: dict[asyncio.Task[Answer], _Exchange] = {}

    async def aclose(self) -> None:
        """Close all connections; exchanges that still run end with an error."""
        for exchange in self._exchanges.values():
            exchange.scope.cancel()
        if self._exchanges:
            await asyncio.wait(self._exchanges, timeout=_LONGEST_CLOSING_SECONDS)
        pool, self._pool = self._pool, _Pool(self._tls)
        # In a task of its own: a cancel must not reach it either.
        await asyncio.wait([asyncio.create_task(pool.http.aclose())])

    async def post(self, body: bytes, *, again: bool) -> Answer:
        """The answer to the body; raises ProviderError, OSError or httpx.TransportError if there is none.

        With `again`, a kept connection that turns out to be closed costs one more try, on another one.
        """
        pool = self._pool
        exchange = _Exchange(pool, httpx.Request("POST", self._url, headers=self._headers, content=body))
        task = asyncio.create_task(exchange.run(again=again))
        self._exchanges[task] = exchange
        task.add_done_callback(self._ended)
        try:
            await asyncio.wait([task])
        finally:
            if not task.done():
                pool.is_retired = True
                if self._pool is pool:
                    self._pool = _Pool(self._tls)
                exchange.scope.cancel()
        return task.result()

    def _ended(self, task: asyncio.Task[Answer]) -> None:
        del self._exchanges[task]
        if not task.cancelled():
            # Perhaps nobody asks for it any more.
            task.exception()


class _Pool:
    """Connections, and who uses them."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        # Not a whole client of httpx, which keeps cookies and logs.
        self.http = httpx.AsyncHTTPTransport(verify=tls, trust_env=False, limits=_LIMITS)
        self.users = 0
        self.is_retired = False
        """Whether it gets no more exchanges; the last one closes it."""


class _Exchange:
    """A request and its answer."""

    def __init__(self, pool: _Pool, request: httpx.Request) -> None:
        self.scope = anyio.CancelScope()
        """Ends the exchange when it is cancelled."""
        self._pool = pool
        self._request = request
        request.extensions["trace"] = self._trace
        self._connected: Any = None
        """The connection where it was made for this request: None while it goes over a kept one."""
        self._turn = asyncio.Event()
        """Set in the turn of the event loop after that in which the answer was begun to be read."""
        pool.users += 1

    async def run(self, *, again: bool) -> Answer:
        """The answer, all of it."""
        try:
            with self.scope:
                return await _read(await self._send(again=again))
            # httpcore forgets one whose TLS handshake is cancelled.
            if self._connected is not None:
                await self._connected.aclose()
            raise ConnectionAbortedError("the request was given up")
        finally:
            self._pool.users -= 1
            if self._pool.is_retired and not self._pool.users:
                await self._pool.http.aclose()

    async def _send(self, *, again: bool) -> httpx.Response:
        """The answer up to its body."""
        while True:
            try:
                response = await self._pool.http.handle_async_request(self._request)
                if self._turn.is_set():
                    return response
                # Nothing had to be read: it came with the answer before, which was the last of use here.
                await response.aclose()
                raise httpx.RemoteProtocolError("the answer was there before the request")
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                # One try more at most for each kept connection, as the pool drops those that failed.
                if not again or self._connected is not None:
                    raise

    async def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            self._connected = info["return_value"]
        elif event == "http11.receive_response_headers.started":
            self._turn = asyncio.Event()
            asyncio.get_running_loop().call_soon(self._turn.set)


async def _read(response: httpx.Response) -> Answer:
    """The answer with its body; raises ProviderError where that is too large or does not decompress."""
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    try:
        if encoding not in ("identity", "gzip"):
            raise ProviderError("protocol", "sent a body in an encoding that was not asked for")
        unzip = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
        body = bytearray()
        cooperative = CooperativeYield()
        async for data in response.aiter_raw():
            # A compressed body could grow past any limit in one step.
            body += unzip.decompress(data, LARGEST_BODY_BYTES + 1 - len(body)) if unzip else data
            if max(len(body), response.num_bytes_downloaded) > LARGEST_BODY_BYTES:
                raise ProviderError("too_large", f"sent a body of more than {LARGEST_BODY_BYTES} bytes")
            # A chatty answer may be read without a wait for long, and other work waits for that.
            await cooperative.checkpoint()
    except zlib.error as error:
        raise ProviderError("protocol", "sent a body that does not decompress") from error
    finally:
        await response.aclose()
    return Answer(response.status_code, response.headers.get("Retry-After"), bytes(body))
