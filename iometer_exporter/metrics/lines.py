"""Samples as lines of text: the one way in which every sample of a table of families is written.

A sample becomes a line in three steps. Its head, which is name and labels, is formatted and escaped, or
taken from the `Heads` that are kept for whoever is read again and again. `number` writes its value. `Lines`
puts the line to those of its family. A line is the same in all text formats, and the one that
prometheus_client would write; what differs from format to format is in `exposition`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from prometheus_client.utils import floatToGoString

from iometer_exporter.metrics.families import (
    FAMILIES,
    PROBE_FAMILIES,
    Distribution,
    Family,
    Observed,
    Owned,
    Sample,
)

_MOST_HEADS: Final = 128
"""Heads kept of one owner: more than a bridge has samples, and an end to what ever new labels may cost."""

_MOST_OWNERS: Final = 4
"""Owners whose heads are kept together: a bridge by itself, and with its meter."""

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
        of_name = self._lines
        for owner, samples in owned:
            kept = None if heads is None else heads.of(owner)
            escaped = tuple(map(escape, owner)) if kept is None else ()
            for sampled, labels, value in samples:
                family, lines = of_name[sampled.name]
                if value is None:
                    continue
                if isinstance(value, Distribution):
                    lines += _distribution(family, labels, value, HeadsOf(escaped) if kept is None else kept)
                elif kept is None:
                    lines.append(f"{_format(family)(*escaped, *map(escape, labels))}{number(value)}\n")
                else:
                    lines.append(f"{kept[family, labels]}{number(value)}\n")

    def add_steady(
        self,
        owner: tuple[str, ...],
        samples: Callable[..., Iterable[Sample | Observed]],
        arguments: tuple[object, ...],
        heads: "Heads",
    ) -> None:
        """The same for the samples that the function gives for the arguments, which seldom change.

        While they are the ones of the page before, so are the lines, which are kept in `heads`.
        """
        made_of = (owner, arguments)
        kept = heads.texts.get(samples)
        if kept is None or kept[0] != made_of:
            given = list(samples(*arguments))
            own = Lines(list(dict.fromkeys(family for family, _, _ in given)))
            own.add([(owner, given)])
            kept = heads.texts[samples] = (made_of, [(family.name, text) for family, text in own])
        for name, text in kept[1]:
            self._lines[name][1].append(text)

    def __iter__(self) -> Iterator[tuple[Family, str]]:
        """The families that have lines, with these."""
        return ((family, "".join(lines)) for family, lines in self._lines.values() if lines)

    def columns(self) -> list[bytes]:
        """The lines of every family of the table, encoded."""
        return ["".join(lines).encode() if lines else b"" for _, lines in self._lines.values()]


class Heads:
    """Heads that are kept from one page to the next, for few owners that are read again and again.

    Of samples that seldom change, whole lines are kept: see `Lines.add_steady`.
    """

    def __init__(self) -> None:
        self._of: dict[tuple[str, ...], HeadsOf] = {}
        self.texts: dict[
            Callable[..., Iterable[Sample | Observed]], tuple[object, list[tuple[str, str]]]
        ] = {}
        """Lines of steady samples by the function that gives them: what they are made of, and by family."""

    def of(self, owner: tuple[str, ...]) -> "HeadsOf":
        """Those of an owner, whose labels these are."""
        heads = self._of.get(owner)
        if heads is None:
            if len(self._of) >= _MOST_OWNERS:
                self._of.clear()
            heads = self._of[owner] = HeadsOf(tuple(map(escape, owner)))
        return heads


class HeadsOf(dict[tuple[Family, tuple[str, ...]], str]):
    """The heads of one owner, by family and the labels after the owner's; each is made when it is missed."""

    def __init__(self, escaped: tuple[str, ...]) -> None:
        """Of the owner with these label values, which are escaped."""
        super().__init__()
        self._owner = escaped

    def __missing__(self, key: tuple[Family, tuple[str, ...]]) -> str:
        if len(self) >= _MOST_HEADS:
            self.clear()
        family, labels = key
        head = self[key] = _format(family)(*self._owner, *map(escape, labels))
        return head


def escape(text: str) -> str:
    """The text as a label value."""
    if "\\" in text or '"' in text or "\n" in text:
        return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return text


def number(value: float) -> str:
    """The value as Go writes it, which is how prometheus_client does."""
    if type(value) is not float and isinstance(value, int) and 0 <= value < len(_SMALL):
        return _SMALL[value]
    exact = float(value)
    # Go writes large numbers and infinities in a way of its own.
    return repr(exact) if -1e6 < exact < 1e6 else _go_number(exact)


def _distribution(
    family: Family, labels: tuple[str, ...], value: Distribution, heads: HeadsOf
) -> Iterator[str]:
    bucket, count, total = _parts(family)
    observed = 0
    for bound, observed in value.buckets:
        yield f"{heads[bucket, (*labels, number(bound))]}{number(observed)}\n"
    if value.buckets[0][0] >= 0:
        yield f"{heads[count, labels]}{number(observed)}\n"
        yield f"{heads[total, labels]}{number(value.sum)}\n"


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
