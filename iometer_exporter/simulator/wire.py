"""The little of HTTP/1.1 that a bridge speaks, by hand: faults need the bytes."""

import json
from dataclasses import dataclass
from typing import Any, Final

MAX_HEAD: Final = 8192
"""Bytes of a request's head that a bridge accepts."""

_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
}


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request, as far as a bridge looks at it."""

    method: str
    path: str
    accept: str
    keep_alive: bool


def parse_request(head: bytes) -> Request | None:
    """The request in a head without its final blank line; None if it is none."""
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.0", "HTTP/1.1"):
        return None
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            return None
        fields[name.lower()] = value.strip().lower()
    connection = fields.get("connection", "keep-alive" if parts[2] == "HTTP/1.1" else "close")
    # The bridge reads no bodies: what follows one cannot be told from the next request.
    has_body = fields.get("content-length", "0") != "0" or "transfer-encoding" in fields
    keep_alive = "keep-alive" in connection and not has_body
    return Request(parts[0], parts[1].partition("?")[0], fields.get("accept", ""), keep_alive)


def response(
    status: int, body: bytes, *, content_type: str = "text/plain", keep_alive: bool = True, missing: int = 0
) -> bytes:
    """A whole response; its Content-Length promises `missing` bytes more than there are."""
    lines = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body) + missing}",
        f"Connection: {'keep-alive' if keep_alive else 'close'}",
    ]
    if status == 405:
        lines.append("Allow: GET")
    return "\r\n".join([*lines, "", ""]).encode() + body


def error(status: int, *, keep_alive: bool = True) -> bytes:
    """A response that says what is wrong in its status line's own words."""
    return response(status, _REASONS[status].encode(), keep_alive=keep_alive)


INTERIM: Final = b"HTTP/1.1 103 Early Hints\r\nLink: </v1>\r\n\r\n"
"""An answer that says that the answer is still to come."""


def stream_head(content_type: str) -> bytes:
    """The head of a response whose body comes in chunks, as long as the client stays."""
    lines = ("HTTP/1.1 200 OK", f"Content-Type: {content_type}", "Cache-Control: no-cache")
    return "\r\n".join([*lines, "Transfer-Encoding: chunked", "Connection: close", "", ""]).encode()


def chunk(data: bytes) -> bytes:
    """A piece of a chunked body; an empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(name: str, document: dict[str, Any]) -> bytes:
    """A document as a server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), encode(document))


def encode(document: dict[str, Any]) -> bytes:
    """A document as compact JSON, in one line."""
    return json.dumps(document, separators=(",", ":")).encode()
