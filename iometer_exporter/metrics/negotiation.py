"""What a client says that it would like: the text format of its `Accept`, and whether to compress."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from iometer_exporter.metrics.exposition import OPENMETRICS, TEXT, Format

_HEADERS_AT_HAND: Final = 64
"""Headers whose meaning is remembered: a scraper sends the same ones each time."""


@lru_cache(_HEADERS_AT_HAND)
def choose_format(accept: str) -> Format:
    """The supported format that an `Accept` header likes best; plain text where it likes none.

    Written here because the library takes the first type it knows, whatever the weights, and fails on
    versions that are no numbers.
    """
    ranges = [_MediaRange.parse(item) for item in accept.split(",")]
    liked = {option: _quality(option, ranges) for option in (TEXT, OPENMETRICS)}
    best = max(liked, key=lambda option: liked[option])
    return best if liked[best][0] > 0 else TEXT


@lru_cache(_HEADERS_AT_HAND)
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
