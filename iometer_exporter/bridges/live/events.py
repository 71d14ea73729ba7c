"""Server-sent events from bytes as they come in, by the rules of the HTML standard (WHATWG, 9.2.6)."""

from typing import Final, NamedTuple

from iometer_exporter.errors import FetchError

_BOM: Final = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event: its type, its data, whose lines are joined by LF, and the last id that was sent."""

    name: str
    data: bytes
    id: str


class EventStream:
    """Reads the events of one stream. What has not ended with the stream is no event."""

    def __init__(self, most_bytes: int) -> None:
        """Take lines and events of at most so many bytes."""
        self.retry_seconds: float | None = None
        """How long the server wants to be left alone before it is asked again; None if it has not said."""
        self._most_bytes = most_bytes
        self._start: bytes | None = b""
        """What may yet be a byte order mark; None once that is known."""
        self._after_cr = False
        """Whether a line has ended in CR, so that a LF that follows belongs to its end."""
        self._line: list[bytes] = []
        """Pieces of the line that has not ended yet."""
        self._line_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._name = ""
        self._id = ""

    def feed(self, received: bytes) -> list[Event]:
        """The events that end in these bytes.

        Raises FetchError for a line or an event that is too large; the stream is of no use any more then.
        """
        if self._start is not None:
            self._start += received
            if len(self._start) < len(_BOM) and _BOM.startswith(self._start):
                return []
            received, self._start = self._start.removeprefix(_BOM), None
        if self._after_cr and received:
            received = received.removeprefix(b"\n")
            self._after_cr = False
        events: list[Event] = []
        # Of bytes, unlike of text, this splits at CR, LF and CRLF and nowhere else.
        for piece in received.splitlines(keepends=True):
            line = piece.rstrip(b"\r\n")
            if len(line) == len(piece):
                self._keep(line)
                continue
            if self._line:
                self._keep(line)
                line = b"".join(self._line)
                self._line.clear()
                self._line_bytes = 0
            if line:
                self._take_line(line)
            elif (event := self._event()) is not None:
                events.append(event)
        self._after_cr = received.endswith(b"\r") or (self._after_cr and not received)
        return events

    def _keep(self, piece: bytes) -> None:
        """Keep a piece of a line that has not ended, or the last piece of one."""
        self._line_bytes += len(piece)
        self._check(self._line_bytes)
        self._line.append(piece)

    def _take_line(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            # Each line counts one more: without that, empty ones could be endless.
            self._data_bytes += len(value) + 1
            self._check(self._data_bytes - 1)
            self._data.append(value)
        elif name == b"event":
            self._check(len(value))
            self._name = value.decode(errors="replace")
        elif name == b"id" and b"\0" not in value:
            self._check(len(value))
            self._id = value.decode(errors="replace")
        elif name == b"retry" and value.isdigit() and len(value) <= 9:
            self.retry_seconds = int(value) / 1000
        # Anything else is a comment, whose name is empty, or a field that nobody knows.

    def _event(self) -> Event | None:
        """The event that an empty line ends, if it has data."""
        event = None
        if self._data:
            event = Event(self._name or "message", b"\n".join(self._data), self._id)
            self._data.clear()
            self._data_bytes = 0
        self._name = ""
        return event

    def _check(self, size: int) -> None:
        if size > self._most_bytes:
            raise FetchError("too_large", f"sent an event of more than {self._most_bytes} bytes")
