"""Text formats: the one that a client wants, and the families written in it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client import generate_latest as generate_text
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class Format:
    """A text format: its media type, the version served, and the writer."""

    media_type: str
    version: str
    write: Callable[[Collector], bytes]
    end: bytes
    """Trailer after the last family."""

    @property
    def content_type(self) -> str:
        """The value of the `Content-Type` header."""
        return f"{self.media_type}; version={self.version}; charset=utf-8"


TEXT: Final = Format("text/plain", "0.0.4", generate_text, b"")
OPENMETRICS: Final = Format("application/openmetrics-text", "1.0.0", generate_openmetrics, b"# EOF\n")


def render(collectors: Iterable[Collector], text_format: Format) -> bytes:
    """All families of the collectors, encoded; each call has a registry of its own."""
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    return text_format.write(registry)


def render_family(family: Metric, text_format: Format) -> bytes:
    """One family, encoded, without the end of the whole."""
    return text_format.write(_Only(family)).removesuffix(text_format.end)


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


class _Only(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family


def choose_format(accept: str) -> Format:
    """The supported format that an `Accept` header likes best; plain text where it likes none.

    Written here because the library takes the first type it knows, whatever the weights, and fails on
    versions that are no numbers.
    """
    ranges = [_MediaRange.parse(item) for item in accept.split(",")]
    liked = {option: _quality(option, ranges) for option in (TEXT, OPENMETRICS)}
    best = max(liked, key=lambda option: liked[option])
    return best if liked[best][0] > 0 else TEXT


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an `Accept-Encoding` header allows gzip."""
    ranges = {item.name: item.quality for item in map(_MediaRange.parse, accept_encoding.split(","))}
    return ranges.get("gzip", ranges.get("*", 0.0)) > 0


@dataclass(frozen=True, slots=True)
class _MediaRange:
    name: str
    version: str | None
    quality: float

    @classmethod
    def parse(cls, text: str) -> "_MediaRange":
        name, *parameters = (part.strip() for part in text.lower().split(";"))
        values = {
            key.strip(): value.strip().strip('"') for key, _, value in (p.partition("=") for p in parameters)
        }
        return cls(name, values.get("version"), _weight(values.get("q", "1")))

    def specificity(self, option: Format) -> int:
        """Closeness with which the range names the format; 0 where it does not mean it."""
        if self.name == option.media_type:
            return 0 if self.version not in (None, option.version) else 4 if self.version else 3
        kind = option.media_type.partition("/")[0]
        return {f"{kind}/*": 2, "*/*": 1}.get(self.name, 0)


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0


def _quality(option: Format, ranges: list[_MediaRange]) -> tuple[float, bool]:
    """Weight of the range that names the format most closely, and whether by name: it breaks a tie."""
    matching = [(item.specificity(option), item.quality) for item in ranges]
    specificity, quality = max(matching)
    return (quality, specificity >= 3) if specificity else (0.0, False)
