"""The text formats: pages of families with their headers, around lines that are the same in all of them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from iometer_exporter.metrics.families import Family
from iometer_exporter.metrics.lines import Lines, escape

_HEADERS_AT_HAND: Final = 512
"""Families whose header is remembered, more than there are in both formats."""


@dataclass(frozen=True, slots=True, eq=False)
class Format:
    """A text format: its media type, the version served, and how it is written."""

    media_type: str
    version: str
    header: Callable[[Family], bytes]
    """The comments before the lines of a family."""
    end: bytes
    """Trailer after the last family."""

    @property
    def content_type(self) -> str:
        """The value of the `Content-Type` header."""
        return f"{self.media_type}; version={self.version}; charset=utf-8"


def render(parts: Iterable[Lines], text_format: Format) -> bytes:
    """A page of the families that have lines, one part after the other; no family is in two parts."""
    pieces: list[bytes] = []
    for part in parts:
        for family, lines in part:
            pieces.append(text_format.header(family))
            pieces += lines
    pieces.append(text_format.end)
    return b"".join(pieces)


def chunks(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes, in chunks of about the size."""
    chunk: list[bytes] = []
    length = 0
    for piece in pieces:
        chunk.append(piece)
        length += len(piece)
        if length >= size:
            yield b"".join(chunk)
            chunk, length = [], 0
    if chunk:
        yield b"".join(chunk)


@lru_cache(_HEADERS_AT_HAND)
def _text_header(family: Family) -> bytes:
    text = family.help.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {family.name} {text}\n# TYPE {family.name} {family.type}\n".encode()


@lru_cache(_HEADERS_AT_HAND)
def _openmetrics_header(family: Family) -> bytes:
    """Here a counter goes by its name without `_total`, and the unit has a line of its own."""
    name = family.name.removesuffix("_total") if family.type == "counter" else family.name
    unit = f"# UNIT {name} {family.unit}\n" if family.unit else ""
    return f"# HELP {name} {escape(family.help)}\n# TYPE {name} {family.type}\n{unit}".encode()


TEXT: Final = Format("text/plain", "0.0.4", _text_header, b"")
OPENMETRICS: Final = Format("application/openmetrics-text", "1.0.0", _openmetrics_header, b"# EOF\n")
