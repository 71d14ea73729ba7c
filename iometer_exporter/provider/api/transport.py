"""HTTP to the provider API over connections of our own, each of which ends with the wait that is given up.

A pool that several requests share can lose a place in it when one of them is cancelled. Here a connection
belongs to one request at a time: either its answer was read to the end, and it is kept for the next, or it is
cut.
"""

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import h11

from iometer_exporter.errors import ProviderError
from iometer_exporter.provider.api.dial import Dialer
from iometer_exporter.provider.reading.clock import Breather

LARGEST_BODY: Final = 32 * 1024 * 1024
"""Bytes of one answer, decompressed; a page of 1000 installations has about 3 MB."""

_LARGEST_OVERHEAD: Final = 1024 * 1024
"""Bytes that an answer may have on the wire beside those of its body."""

_INTERIM: Final = 10
"""Interim answers (status 1xx) before the real one; more of them have no end."""

_READ_AHEAD: Final = 256 * 1024
"""Bytes that may lie unread before the other side is asked to wait."""

_LONGEST_IDLE: Final = 30.0
"""Seconds for which a connection is kept. Load balancers and routers forget one after minutes, some without a
word: a request on it would wait for its whole timeout."""

_GZIP: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its whole body, decompressed."""

    status: int
    retry_after: str | None
    body: bytes


class HttpTransport:
    """Posts documents to one URL, without proxies, redirects and a limit in time: whoever waits cancels.

    However a request ends, nothing is left of it but an idle connection, if any.
    """

    def __init__(self, url: str, headers: Mapping[str, str], dialer: Dialer) -> None:
        """Send these headers with every request, over connections of the dialer."""
        parts = urlsplit(url)
        self._dialer = dialer
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = [
            ("Host", parts.netloc),
            *headers.items(),
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
            ("Accept-Encoding", "gzip"),
        ]
        self._idle: list[_Connection] = []

    def close(self) -> None:
        """Cut the connections that are kept; those in use are cut by the end of their requests."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.abort()

    async def post(self, body: bytes, *, again: bool) -> Answer:
        """The answer to the body; raises ProviderError, OSError or h11.RemoteProtocolError if there is none.

        With `again`, a kept connection that turns out to be closed costs one more try, on a new one.
        """
        kept = self._kept()
        if kept is not None:
            try:
                return await self._exchange(kept, body)
            except (_UnansweredError, OSError):
                if not again or kept.has_answered:
                    raise
        return await self._exchange(await self._dialer.connect(_Connection), body)

    def _kept(self) -> "_Connection | None":
        """The connection used last, if it can be used again: the others may grow too old."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
            connection.abort()
        return None

    async def _exchange(self, connection: "_Connection", body: bytes) -> Answer:
        length = ("Content-Length", str(len(body)))
        request = h11.Request(method="POST", target=self._path, headers=[*self._headers, length])
        try:
            answer = await connection.exchange(request, body)
        except BaseException:
            connection.abort()
            raise
        if connection.begin_anew():
            self._idle.append(connection)
        else:
            connection.abort()
        return answer


class _UnansweredError(h11.RemoteProtocolError):
    """The connection was closed before the first byte of an answer."""


class _Connection(asyncio.Protocol):
    """One connection, for one request after the other."""

    def __init__(self) -> None:
        self.has_answered = False
        """Whether anything came back to the present request."""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._http = h11.Connection(h11.CLIENT)
        self._unread = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._news: asyncio.Future[None] | None = None
        self._idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (it is no datagram)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if len(self._unread) > _READ_AHEAD:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended, self._error = True, exc
        self._wake()

    @property
    def is_usable(self) -> bool:
        """Whether a request may go over it: whatever came while it was idle answers nothing."""
        return not self._ended and not self._unread and self._loop.time() - self._idle_since < _LONGEST_IDLE

    def abort(self) -> None:
        """Cut the connection, now."""
        self._transport.abort()

    def begin_anew(self) -> bool:
        """Get ready for the next request; False where the connection cannot have one."""
        http = self._http
        if http.our_state is not h11.DONE or http.their_state is not h11.DONE or http.trailing_data[0]:
            return False
        http.start_next_cycle()
        self.has_answered = False
        self._idle_since = self._loop.time()
        return self.is_usable

    async def exchange(self, request: h11.Request, body: bytes) -> Answer:
        """Send a request and read its answer to the end, so that another one can follow."""
        for part in (request, h11.Data(data=body), h11.EndOfMessage()):
            self._transport.write(self._http.send(part) or b"")
        breather = Breather()
        interim = on_wire = 0
        answer: h11.Response | None = None
        content = _Body()
        while True:
            # A chatty answer may be read without a wait for long, and other work waits for that.
            await breather.breathe()
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                data = await self._read()
                if not data and not self.has_answered:
                    raise _UnansweredError("the connection was closed without an answer")
                self.has_answered = True
                on_wire += len(data)
                if on_wire > LARGEST_BODY + _LARGEST_OVERHEAD:
                    raise _too_large()
                self._http.receive_data(data)
            elif isinstance(event, h11.InformationalResponse):
                interim += 1
                if interim > _INTERIM:
                    raise ProviderError("protocol", "sends interim answers in place of one")
            elif isinstance(event, h11.Response):
                answer = event
                content.encoded_as(_header(answer, b"content-encoding") or "identity")
            elif isinstance(event, h11.Data):
                content.add(event.data)
            else:
                break
        assert answer is not None  # noqa: S101 (there is no end without a beginning)
        return Answer(answer.status_code, _header(answer, b"retry-after"), content.complete())

    async def _read(self) -> bytes:
        """The bytes that came, at least one; none at the end. Raises OSError where the connection broke."""
        while not self._unread and not self._ended:
            self._news = self._loop.create_future()
            await self._news
        if not self._unread and self._error is not None:
            raise self._error
        data = bytes(self._unread)
        self._unread.clear()
        self._transport.resume_reading()
        return data

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


class _Body:
    """The body of an answer, decompressed up to a limit."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._unzip: zlib._Decompress | None = None

    def encoded_as(self, encoding: str) -> None:
        """Take what follows in this encoding; raises ProviderError for one that was not asked for."""
        if encoding.lower() not in ("identity", "gzip"):
            raise ProviderError("protocol", "sent a body in an encoding that was not asked for")
        if encoding.lower() == "gzip":
            self._unzip = zlib.decompressobj(_GZIP)

    def add(self, data: bytes | bytearray) -> None:
        """Take a part; raises ProviderError where it does not decompress, or makes the body too large."""
        try:
            # A compressed body could grow past any limit in one step.
            left = LARGEST_BODY + 1 - len(self._bytes)
            self._bytes += self._unzip.decompress(data, left) if self._unzip else data
        except zlib.error as error:
            raise ProviderError("protocol", "sent a body that does not decompress") from error
        if len(self._bytes) > LARGEST_BODY:
            raise _too_large()

    def complete(self) -> bytes:
        """All of it."""
        return bytes(self._bytes)


def _header(answer: h11.Response, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in answer.headers if key == name), None)


def _too_large() -> ProviderError:
    return ProviderError("too_large", f"sent a body of more than {LARGEST_BODY} bytes")
