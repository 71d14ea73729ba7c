"""Reads the answers of a bridge with h11, for machines where httptools is not installed."""

from http import HTTPStatus
from typing import Final

import h11

from iometer_exporter.bridges.http.answer import MAX_HEAD_BYTES, BodySink, BoundedAnswer
from iometer_exporter.bridges.http.failures import ProtocolError

_EVENTS_A_TURN: Final = 32
"""Events that h11, which needs some 50 µs for each, works through before others get their turn."""

_REQUEST: Final = h11.Request(method="GET", target="/", headers=[("Host", "bridge")])
"""Tells h11 that something was asked; what is sent is prepared elsewhere."""


class H11Reader(BoundedAnswer):
    """Reads answers with h11; see `AnswerReader`."""

    def __init__(self) -> None:
        super().__init__()
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)

    def begin(self, sink: BodySink | None = None) -> None:
        """Forget the last answer and wait for the next; the sink takes it if it is an event stream."""
        if self.complete:
            self._connection.start_next_cycle()
        self.forget(sink)
        self._connection.send(_REQUEST)
        self._connection.send(h11.EndOfMessage())

    def feed(self, data: bytes) -> bool:
        """Take received bytes; True if there is more to work through, by `resume`."""
        self.wire += len(data)
        self._connection.receive_data(data)
        return self.resume()

    def resume(self) -> bool:
        """Work through what is left; True if there is still more."""
        try:
            for _ in range(_EVENTS_A_TURN):
                if not self._next():
                    break
            else:
                return True
        except h11.RemoteProtocolError as error:
            raise ProtocolError(_explained(error)) from None
        self.check_size()
        return False

    def end(self) -> None:
        """Take the end of the connection, which completes an answer without a length."""
        if self.complete:
            return
        try:
            self._connection.receive_data(b"")
            while self._next():
                pass
        except h11.RemoteProtocolError:
            raise self.cut() from None
        if not self.complete:
            raise self.cut()

    def _next(self) -> bool:
        """Take one event; False if there is none until more is received."""
        event = self._connection.next_event()
        if isinstance(event, h11.Data):
            if event.chunk_start:
                self.take_chunk()
            self.take_body(bytes(event.data))
        elif isinstance(event, h11.Response | h11.InformationalResponse):
            for name, value in event.headers:
                self.take_header(name, value)
            self.take_head(event.status_code)
        elif isinstance(event, h11.EndOfMessage):
            surplus, has_ended = self._connection.trailing_data
            is_done = self._connection.their_state is h11.DONE
            self.finish(reusable=is_done and not surplus and not has_ended)
            return False
        else:
            return False
        return True


def _explained(error: h11.RemoteProtocolError) -> str:
    if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
        return f"a head of more than {MAX_HEAD_BYTES} bytes"
    if "_SWITCH_UPGRADE" in str(error):
        return "another protocol that was not asked for (status 101)"
    # h11 quotes its own buffer, not what it holds.
    return str(error).replace("bytearray(", "").rstrip(")")
