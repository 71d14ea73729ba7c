"""One TCP connection to a bridge: sends a request, receives its answer, and is gone at once when given up."""

import asyncio
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from iometer_exporter.bridges.http.answer import AnswerReader, BodySink
from iometer_exporter.bridges.http.failures import ExchangeError, ReadError, StaleConnectionError
from iometer_exporter.net.receiving import receive_little

try:
    from iometer_exporter.bridges.http.httptools_reader import HttptoolsReader as Reader
except ImportError:  # pragma: no cover (no wheel on this machine; tests take this reader by name)
    from iometer_exporter.bridges.http.h11_reader import H11Reader as Reader  # type: ignore[assignment]

_HAS_POLL = hasattr(select, "poll")


class Connection(asyncio.Protocol):
    """A connection of its own; `abort` ends it at once, at any time.

    Whatever arrives while nobody has asked ends the connection: it would be taken for the next answer.
    """

    def __init__(self, reader: Callable[[], AnswerReader] = Reader) -> None:
        self.answer = reader()
        """The last answer, once `ask` has returned."""
        self.closed = False
        self.idle_since = 0.0
        """Time at which it was last given back, in seconds of the loop's clock."""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.seconds_to_first_byte = 0.0
        """Seconds that the last answer took to begin."""
        self._asked_at = 0.0
        self._asked_before = False
        self._poll: select.poll | None = None
        self._resuming: asyncio.Handle | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; it is ended if the connection was given up meanwhile."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (what a stream connection has)
        self._transport = transport
        if self.closed:
            transport.abort()
            return
        receive_little(transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if _HAS_POLL:
            self._poll = select.poll()
            self._poll.register(sock.fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Hand bytes to the reader; without a question they end the connection."""
        waiter = self._who_waits()
        if waiter is None:
            self.abort()
            return
        if not self.answer.wire:
            self.seconds_to_first_byte = self._loop.time() - self._asked_at
        try:
            more = self.answer.feed(data)
        except Exception as error:
            waiter.set_exception(error)
            self.abort()
            return
        self._go_on(waiter, more=more)

    def eof_received(self) -> None:
        """Take the end of what the bridge sends: the answer is complete by it, or cut."""
        self.closed = True
        self._cancel_resuming()
        waiter = self._who_waits()
        if waiter is not None:
            try:
                self.answer.end()
            except Exception as error:
                waiter.set_exception(error)
            else:
                waiter.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Take the end of the connection."""
        self.closed = True
        self._cancel_resuming()
        waiter = self._who_waits()
        if waiter is not None:
            lost = ReadError(str(error) if error else "the connection was closed")
            lost.__cause__ = error
            waiter.set_exception(lost)

    # What its user calls.

    @property
    def is_usable(self) -> bool:
        """Whether an idle connection can carry a request: it is open, and nothing waits to be read."""
        if self.closed or self._transport is None or self._transport.is_closing():
            return False
        return self._poll is None or not self._poll.poll(0)

    async def ask(
        self, request: bytes, *, patience: float | None = None, sink: BodySink | None = None
    ) -> None:
        """Send a request and wait until `answer` is complete; an event stream goes to the sink meanwhile.

        `patience` is how many seconds a connection that was used before may be silent. Raises
        StaleConnectionError where such a one turns out to be of no more use, ExchangeError or FetchError
        for what is no answer.
        """
        kept, self._asked_before = self._asked_before, True
        assert self._transport is not None  # noqa: S101 (it is given to a user once connected)
        waiter = self._waiter = self._loop.create_future()
        self.answer.begin(sink)
        silence = None
        if kept and patience is not None:
            silence = self._loop.call_later(patience, self._give_up_if_silent, waiter)
        self._asked_at = self._loop.time()
        self._transport.write(request)
        try:
            await waiter
        except ExchangeError as error:
            if kept and not self.answer.status:
                raise StaleConnectionError(str(error)) from error
            raise
        finally:
            self._waiter = None
            if silence is not None:
                silence.cancel()
        if kept and self.answer.status == HTTPStatus.REQUEST_TIMEOUT:
            # Said to the silence before this request, as it was on its way.
            raise StaleConnectionError("the bridge had given up the connection")

    def abort(self) -> None:
        """End the connection now, whatever it is doing."""
        self.closed = True
        self._cancel_resuming()
        transport, self._transport = self._transport, None
        if transport is None:
            return
        with suppress(OSError):
            # asyncio closes the socket at its next turn; another connection may be opened before.
            transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        transport.abort()

    def _who_waits(self) -> "asyncio.Future[None] | None":
        """The future that `ask` waits for; None once it is done, or while nobody asks."""
        return None if self._waiter is None or self._waiter.done() else self._waiter

    def _go_on(self, waiter: "asyncio.Future[None]", *, more: bool) -> None:
        if self.answer.complete:
            waiter.set_result(None)
        elif more:
            assert self._transport is not None  # noqa: S101 (it has received)
            # No more is read meanwhile: what is received must not outrun what is worked through.
            self._transport.pause_reading()
            self._resuming = self._loop.call_soon(self._resume, waiter)

    def _resume(self, waiter: "asyncio.Future[None]") -> None:
        """Let the reader, which has given others their turn, work on."""
        self._resuming = None
        if waiter.done():
            return
        assert self._transport is not None  # noqa: S101 (it has received)
        try:
            more = self.answer.resume()
        except Exception as error:
            waiter.set_exception(error)
            self.abort()
            return
        self._transport.resume_reading()
        self._go_on(waiter, more=more)

    def _cancel_resuming(self) -> None:
        if self._resuming is not None:
            self._resuming.cancel()
            self._resuming = None

    def _give_up_if_silent(self, waiter: "asyncio.Future[None]") -> None:
        if not waiter.done() and not self.answer.wire:
            waiter.set_exception(ReadError("the kept connection was silent"))
