"""The text formats: pages of families with their headers, around lines that are the same in all of them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from prometheus_client import generate_latest as generate_text
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from iometer_exporter.metrics.families import Family
from iometer_exporter.metrics.lines import Lines

_HEADERS_AT_HAND: Final = 512
"""Families whose header is remembered, more than there are in both formats."""


@dataclass(frozen=True, slots=True, eq=False)
class Format:
    """A text format: its media type, the version served, and how it is written."""

    media_type: str
    version: str
    header: Callable[[Family], str]
    """The comments before the lines of a family."""
    end: bytes
    """Trailer after the last family."""
    library: Callable[[Collector], bytes]
    """The writer of prometheus_client."""

    @property
    def content_type(self) -> str:
        """The value of the `Content-Type` header."""
        return f"{self.media_type}; version={self.version}; charset=utf-8"


def render(lines: Lines, text_format: Format, others: bytes = b"") -> bytes:
    """A page: each family that has lines, other families that are text already, and the end."""
    families = "".join([f"{text_format.header(family)}{text}" for family, text in lines])
    return b"".join((families.encode(), others, text_format.end))


def of_library(collectors: Iterable[Collector], text_format: Format) -> bytes:
    """The families of prometheus_client's own collectors, as a part of a page."""
    return text_format.library(_Together(collectors)).removesuffix(text_format.end)


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


class _Together(Collector):
    """Collectors as one, which needs no registry."""

    def __init__(self, collectors: Iterable[Collector]) -> None:
        self._collectors = collectors

    def collect(self) -> Iterator[Metric]:
        for collector in self._collectors:
            yield from collector.collect()


@lru_cache(_HEADERS_AT_HAND)
def _text_header(family: Family) -> str:
    text = family.help.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {family.name} {text}\n# TYPE {family.name} {family.type}\n"


@lru_cache(_HEADERS_AT_HAND)
def _openmetrics_header(family: Family) -> str:
    """Here a counter goes by its name without `_total`, and the unit has a line of its own."""
    name = family.name.removesuffix("_total") if family.type == "counter" else family.name
    text = family.help.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    unit = f"# UNIT {name} {family.unit}\n" if family.unit else ""
    return f"# HELP {name} {text}\n# TYPE {name} {family.type}\n{unit}"


TEXT: Final = Format("text/plain", "0.0.4", _text_header, b"", generate_text)
OPENMETRICS: Final = Format(
    "application/openmetrics-text", "1.0.0", _openmetrics_header, b"# EOF\n", generate_openmetrics
)
