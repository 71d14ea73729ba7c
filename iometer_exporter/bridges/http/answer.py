"""One HTTP answer of a bridge, read from bytes as they come in, within bounds that no bridge can stretch.

Two readers do it behind one seam, `AnswerReader`: one with httptools, in C, and one with h11 for machines
that have no wheel of httptools, such as those with a 32-bit Arm.
"""

from typing import Final, Protocol

from iometer_exporter.bridges.http.failures import ProtocolError
from iometer_exporter.errors import FetchError

MAX_BODY_BYTES: Final = 64 * 1024
"""Bytes; a real document has about one thousand."""

MAX_HEAD_BYTES: Final = 32 * 1024
"""Bytes of status lines and headers, those of interim answers among them."""

MAX_ANSWER_BYTES: Final = 128 * 1024
"""Bytes on the wire: head, body, and what frames the chunks of a body."""

_MOST_INTERIM: Final = 10
"""Answers with a status of 1xx before the real one."""

_MOST_HEADERS: Final = 100

_MOST_CHUNKS: Final = 512
"""Of one body; a server that sends each `print` as a chunk needs some dozen."""


EVENT_STREAM: Final = b"text/event-stream"


class BodySink(Protocol):
    """Takes an event stream as it comes; what it raises ends the connection."""

    def begin(self) -> None:
        """Take the beginning of the stream: its head has come."""

    def feed(self, part: bytes) -> None:
        """Take a part of the stream."""


class AnswerReader(Protocol):
    """Reads the answers of one connection, one after the other.

    `begin` prepares for the next one. `feed` and `resume` give whether to go on at once: a reader that has
    used up its turn says so, and `resume` continues. They raise ProtocolError or FetchError for
    anything that is not an answer.
    """

    status: int
    """Status code; 0 until the head is complete."""
    body: bytes
    complete: bool
    reusable: bool
    """Once complete: whether the connection can carry another request."""
    wire: int
    """Bytes of this answer received so far."""

    def begin(self, sink: BodySink | None = None) -> None:
        """Forget the last answer and wait for the next; the sink takes it if it is an event stream."""

    def feed(self, data: bytes) -> bool:
        """Take received bytes; True if there is more to work through, by `resume`."""

    def resume(self) -> bool:
        """Work through what is left; True if there is still more."""

    def end(self) -> None:
        """Take the end of the connection, which completes an answer without a length."""


class BoundedAnswer:
    """Base of both readers: the answer as far as it has come, and the bounds it is held to."""

    def __init__(self) -> None:
        self.forget()

    def forget(self, sink: BodySink | None = None) -> None:
        """Begin with nothing; an event stream is for the sink, if there is one, and has no end."""
        self.status = 0
        self.body = b""
        self.complete = False
        self.reusable = False
        self.wire = 0
        self.headers = 0
        """Headers of the head that is being read."""
        self.announced: int | None = None
        """Bytes of the body by its header."""
        self.chunked = False
        self._interim = 0
        self._chunks = 0
        self._received = 0
        self._parts: list[bytes] = []
        self._sink = sink
        self._media_type = b""
        self._stream: BodySink | None = None
        """Where the body goes as it comes."""

    def take_header(self, name: bytes, value: bytes) -> None:
        """Take a header or a trailer."""
        self.headers += 1
        if self.headers > _MOST_HEADERS:
            raise ProtocolError(f"more than {_MOST_HEADERS} headers")
        size = len(name)
        if size == 14 and name.lower() == b"content-length":
            if value.isdigit():
                self.announced = int(value[:20])
        elif size == 17 and name.lower() == b"transfer-encoding":
            if value.lower() != b"chunked":
                raise ProtocolError("a transfer encoding that was not asked for")
            self.chunked = True
        elif size == 12 and self._sink is not None and name.lower() == b"content-type":
            self._media_type = value.partition(b";")[0].strip().lower()

    def take_head(self, status: int) -> None:
        """Take the status code at the end of a head, that of an interim answer too."""
        if status == 101:
            raise ProtocolError("another protocol that was not asked for (status 101)")
        if status < 100:
            raise ProtocolError(f"a status code that does not exist ({status})")
        if status < 200:
            self._take_interim()
            return
        self.status = status
        if self._sink is not None and status == 200 and self._media_type == EVENT_STREAM:
            self._stream = self._sink
            self._stream.begin()
        elif self.announced is not None and self.announced > MAX_BODY_BYTES:
            raise FetchError(
                "too_large", f"announced a body of {self.announced} bytes, more than {MAX_BODY_BYTES}"
            )

    def take_chunk(self) -> None:
        """Count a chunk of the body."""
        self._chunks += 1
        if self._chunks > _MOST_CHUNKS and self._stream is None:
            raise FetchError("too_large", f"sent a body in more than {_MOST_CHUNKS} chunks")

    def take_body(self, part: bytes) -> None:
        """Take a part of the body."""
        if self._stream is not None:
            self._stream.feed(part)
            return
        self._received += len(part)
        if self._received > MAX_BODY_BYTES:
            raise FetchError("too_large", f"sent a body of more than {MAX_BODY_BYTES} bytes")
        self._parts.append(part)

    def finish(self, *, reusable: bool) -> None:
        """End the answer; `reusable` is whether its connection can carry another."""
        self.body = b"".join(self._parts)
        self._parts.clear()
        self.complete = True
        self.reusable = reusable

    def check_size(self) -> None:
        """Refuse what goes on and on."""
        if self.complete or self._stream is not None:
            return
        if not self.status and self.wire > MAX_HEAD_BYTES:
            raise ProtocolError(f"a head of more than {MAX_HEAD_BYTES} bytes")
        if self.wire > MAX_ANSWER_BYTES:
            raise FetchError("too_large", f"sent an answer of more than {MAX_ANSWER_BYTES} bytes")

    def cut(self) -> ProtocolError:
        """The error of a connection that has ended before the answer did."""
        if not self.wire:
            return ProtocolError("Server disconnected without sending a response.")
        if not self.status:
            return ProtocolError("peer closed connection without sending complete headers")
        told = "incomplete chunked read"
        if self.announced is not None and not self.chunked:
            told = f"received {self._received} bytes, expected {self.announced}"
        return ProtocolError(f"peer closed connection without sending complete message body ({told})")

    def _take_interim(self) -> None:
        self._interim += 1
        if self._interim > _MOST_INTERIM:
            raise ProtocolError(f"more than {_MOST_INTERIM} interim answers")
        self.headers = 0
        self.announced = None
        self.chunked = False
        self._media_type = b""
