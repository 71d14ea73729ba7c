"""Reads the answers of a bridge with httptools, which is written in C."""

import re
from typing import Final

import httptools

from iometer_exporter.bridges.http.answer import BodySink, BoundedAnswer
from iometer_exporter.bridges.http.failures import ProtocolError

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] [0-9]{3}( .*)?")


class _SurplusError(Exception):
    """More bytes than the answer has: it stands, but its connection is of no more use."""


class HttptoolsReader(BoundedAnswer):
    """Reads answers with httptools; see `AnswerReader`."""

    def __init__(self) -> None:
        super().__init__()
        self._parser = httptools.HttpResponseParser(self)
        # Small web servers end lines with LF alone; as a client there is nobody to be confused by it.
        self._parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)

    def begin(self, sink: BodySink | None = None) -> None:
        """Forget the last answer and wait for the next; the sink takes it if it is an event stream."""
        self.forget(sink)

    def feed(self, data: bytes) -> bool:
        """Take received bytes; never leaves any for another turn."""
        self.wire += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self.complete:
                self.reusable = False
            elif isinstance(error, httptools.HttpParserCallbackError):
                # The parser wraps what a callback raises.
                raise (error.__context__ or error) from None
            else:
                raise ProtocolError(self._explained(error, data)) from None
        self.check_size()
        return False

    def resume(self) -> bool:
        """Nothing is ever left."""
        return False

    def end(self) -> None:
        """Take the end of the connection, which completes an answer without a length."""
        if self.complete:
            return
        if not self.status or self.chunked or self.announced is not None:
            raise self.cut()
        self.finish(reusable=False)

    def _explained(self, error: Exception, data: bytes) -> str:
        text = str(error)
        if text.startswith("Duplicate Content-Length"):
            return "conflicting Content-Length headers"
        if self._interim or self.wire != len(data):
            # The line that the parser means is another than the first of these.
            return text
        line = data.partition(b"\n")[0].rstrip()
        return text if _STATUS_LINE.fullmatch(line) else f"illegal status line: {line!r}"

    # What the parser calls, often enough that one call less counts.

    on_header = BoundedAnswer.take_header
    on_chunk_header = BoundedAnswer.take_chunk
    on_body = BoundedAnswer.take_body

    def on_message_begin(self) -> None:
        """Begin an answer, or refuse what comes after one."""
        if self.complete:
            raise _SurplusError

    def on_headers_complete(self) -> None:
        """Take the head."""
        self.take_head(self._parser.get_status_code())

    def on_message_complete(self) -> None:
        """Finish the answer, unless it was an interim one."""
        if self.status:
            self.finish(reusable=self._parser.should_keep_alive())
