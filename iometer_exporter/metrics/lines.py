"""Samples as lines of text: the one way in which every sample of a table of families is written.

A sample becomes a line in three steps. Its *head*, name and labels, is formatted and escaped by `head_of`,
or taken from `Heads`, which keeps it for whoever is read again and again. `number` writes its value. `Lines`
puts the line to those of its family. A line is the same in all text formats, and the one that
prometheus_client would write; what differs from format to format is in `exposition`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from prometheus_client.utils import floatToGoString

from iometer_exporter.metrics.families import FAMILIES, PROBE_FAMILIES, Distribution, Family, Owned

_MOST_HEADS: Final = 256
"""Heads kept for one bridge: more than it has samples, and an end to what ever new labels may cost."""

_FAMILIES_AT_HAND: Final = 512
"""Families whose format is remembered, more than there are."""

_go_number: Final[Callable[[float], str]] = floatToGoString

_SMALL: Final = tuple(f"{count}.0" for count in range(100))


class Lines:
    """The lines of samples by family, in the order of a table.

    Samples find their family in the table by its name: the labels of installations are others than those of
    bridges.
    """

    def __init__(self, table: Sequence[Family] = (*FAMILIES, *PROBE_FAMILIES)) -> None:
        """Take samples of the families of the table."""
        self._lines: dict[str, tuple[Family, list[str]]] = {family.name: (family, []) for family in table}

    def add(self, owned: Iterable[Owned], heads: "Heads | None" = None) -> None:
        """A line for each sample but those without a value; its head is taken from `heads`, if there are any.

        Raises KeyError for a family that is not in the table: it would never be printed.
        """
        head = head_of if heads is None else heads.get
        of_name = self._lines
        for owner, samples in owned:
            for sampled, labels, value in samples:
                family, lines = of_name[sampled.name]
                if value is None:
                    continue
                if isinstance(value, Distribution):
                    lines += _distribution(family, (*owner, *labels), value, head)
                else:
                    lines.append(f"{head(family, (*owner, *labels))}{number(value)}\n")

    def __iter__(self) -> Iterator[tuple[Family, str]]:
        """The families that have lines, with these."""
        return ((family, "".join(lines)) for family, lines in self._lines.values() if lines)

    def columns(self) -> list[bytes]:
        """The lines of every family of the table, encoded."""
        return ["".join(lines).encode() for _, lines in self._lines.values()]


class Heads:
    """Heads that are kept from one page to the next, for those whose samples are written again and again."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Family, tuple[str, ...]], str] = {}

    def get(self, family: Family, labels: tuple[str, ...]) -> str:
        """The head as `head_of` gives it."""
        kept = self._kept
        key = family, labels
        head = kept.get(key)
        if head is None:
            if len(kept) >= _MOST_HEADS:
                kept.clear()
            head = kept[key] = head_of(family, labels)
        return head


def head_of(family: Family, labels: tuple[str, ...]) -> str:
    """Name and labels of a sample, and the space before its value; labels in the order of the family."""
    return _format(family)(*map(escape, labels))


def escape(text: str) -> str:
    """The text as a label value."""
    if "\\" in text or '"' in text or "\n" in text:
        return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return text


def number(value: float) -> str:
    """The value as Go writes it, which is how prometheus_client does."""
    if isinstance(value, int) and 0 <= value < len(_SMALL):
        return _SMALL[value]
    exact = float(value)
    # Go writes large numbers and infinities in a way of its own.
    return repr(exact) if -1e6 < exact < 1e6 else _go_number(exact)


def _distribution(
    family: Family,
    labels: tuple[str, ...],
    value: Distribution,
    head: Callable[[Family, tuple[str, ...]], str],
) -> Iterator[str]:
    bucket, count, total = _parts(family)
    observed = 0
    for bound, observed in value.buckets:
        yield f"{head(bucket, (*labels, number(bound)))}{number(observed)}\n"
    yield f"{head(count, labels)}{number(observed)}\n"
    yield f"{head(total, labels)}{number(value.sum)}\n"


@lru_cache(_FAMILIES_AT_HAND)
def _parts(family: Family) -> tuple[Family, Family, Family]:
    """Of a histogram: its buckets, its count and its sum, as the names and labels of their samples."""
    bucket, count, total = (
        replace(family, name=f"{family.name}{end}") for end in ("_bucket", "_count", "_sum")
    )
    return replace(bucket, labels=(*family.labels, "le")), count, total


@lru_cache(_FAMILIES_AT_HAND)
def _format(family: Family) -> Callable[..., str]:
    """The head as a format of the escaped label values, in the order of the family."""
    if not family.labels:
        return f"{family.name} ".format
    places = ",".join(f'{label}="{{{family.labels.index(label)}}}"' for label in sorted(family.labels))
    return f"{family.name}{{{{{places}}}}} ".format
