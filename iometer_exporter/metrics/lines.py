"""Samples as lines of text: the one way in which every sample of a table of families is written.

A sample becomes a line in three steps. Its head, which is name and labels, is formatted and escaped, or
taken from the `Heads` that are kept for whoever is read again and again, of samples that always come
together as one text with gaps. `number` writes its value. `Lines` puts the line, encoded, to those of its
family. A line is the same in all text formats, and the one that prometheus_client would write; what differs
from format to format is in `exposition`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import itemgetter
from typing import Final, cast

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

_MOST_HISTOGRAMS: Final = 4
"""Histograms of one owner whose heads are kept, by family, labels and bounds."""

_FAMILIES_AT_HAND: Final = 512
"""Families whose format is remembered, more than there are."""

Text = tuple[str, bytes]
"""The name of a family, and lines of it, encoded: so they are kept, and a page only joins them."""

_go_number: Final[Callable[[float], str]] = floatToGoString

_SMALL: Final = tuple(f"{count}.0" for count in range(100))


class Lines:
    """The lines of samples by family, in the order of a table.

    Samples find their family in the table by its name: the labels of installations are others than those of
    bridges.
    """

    def __init__(self, table: Sequence[Family] = (*FAMILIES, *PROBE_FAMILIES)) -> None:
        """Take samples of the families of the table."""
        self._lines: dict[str, tuple[Family, list[bytes]]] = {family.name: (family, []) for family in table}

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
                    own = HeadsOf(escaped) if kept is None else kept
                    lines.append(own.of_histogram(family, labels, value).encode())
                elif kept is None:
                    head = _format(family)(*escaped, *map(escape, labels))
                    lines.append(f"{head}{number(value)}\n".encode())
                else:
                    lines.append(f"{kept[family, labels]}{number(value)}\n".encode())

    def add_texts(self, texts: Iterable[Text]) -> None:
        """Lines that are written already; raises KeyError as `add` does."""
        of_name = self._lines
        for name, text in texts:
            of_name[name][1].append(text)

    def __iter__(self) -> Iterator[tuple[Family, Sequence[bytes]]]:
        """The families that have lines, with these, encoded."""
        return ((family, lines) for family, lines in self._lines.values() if lines)

    def columns(self) -> list[bytes]:
        """The lines of every family of the table, encoded."""
        return [b"".join(lines) for _, lines in self._lines.values()]


class Heads:
    """Heads that are kept from one page to the next, for few owners that are read again and again.

    Of samples that are the same as before, whole lines are kept.
    """

    def __init__(self) -> None:
        self._of: dict[tuple[str, ...], HeadsOf] = {}
        self._texts: dict[object, tuple[object, Sequence[Text]]] = {}
        """Lines that were kept by their source, with what they are made of."""

    def kept(self, source: object, made_of: object, write: Callable[[], Sequence[Text]]) -> Sequence[Text]:
        """The lines of a source: those that were kept, or new ones where they are made of others.

        `made_of` is None where they are others on each page: then they are written and not kept.
        """
        if made_of is None:
            return write()
        found = self._texts.get(source)
        if found is None or found[0] != made_of:
            found = self._texts[source] = made_of, write()
        return found[1]

    def steady(
        self,
        owner: tuple[str, ...],
        samples: Callable[..., Iterable[Sample | Observed]],
        arguments: tuple[object, ...],
    ) -> Sequence[Text]:
        """The lines of the samples that the function gives for the arguments, which seldom change.

        While they are the ones of the page before, so are the lines.
        """

        def write() -> Sequence[Text]:
            # Written once: here the lines are kept, and not the heads besides.
            return HeadsOf(tuple(map(escape, owner))).written(samples, samples(*arguments))

        return self.kept(samples, (owner, arguments), write)

    def alike(
        self,
        owner: tuple[str, ...],
        samples: Callable[..., Iterable[Sample | Observed]],
        arguments: tuple[object, ...],
        edition: object = None,
    ) -> Sequence[Text]:
        """The same where values change, and the families and labels seldom do: their heads are kept as one.

        So are the lines, for as long as the edition of the arguments is the same; None: there is none.
        """

        def write() -> Sequence[Text]:
            return self.of(owner).written(samples, samples(*arguments))

        return self.kept(samples, None if edition is None else (owner, edition), write)

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
        self._histograms: dict[tuple[Family, tuple[str, ...], tuple[float, ...]], str] = {}
        self._forms: dict[object, _Form] = {}

    def __missing__(self, key: tuple[Family, tuple[str, ...]]) -> str:
        if len(self) >= _MOST_HEADS:
            self.clear()
        family, labels = key
        head = self[key] = _format(family)(*self._owner, *map(escape, labels))
        return head

    def written(self, source: object, samples: Iterable[Sample | Observed]) -> list[Text]:
        """The lines of samples of this owner, with the name of their family; none without a value.

        The samples of a source have the same families and labels as those before, as a rule.
        """
        # Comprehensions: a page has thousands of samples.
        known = [sample for sample in samples if sample[2] is not None]
        texts: list[Text] = []
        if histograms := [sample for sample in known if isinstance(sample[2], Distribution)]:
            texts += [(each[0].name, self.of_histogram(*each).encode()) for each in histograms]
            known = [sample for sample in known if not isinstance(sample[2], Distribution)]
        if known:
            shape = [sample[:2] for sample in known]
            form = self._forms.get(source)
            if form is None or form.shape != shape:
                form = self._forms[source] = _Form(self._owner, shape)
            values = cast("list[tuple[Family, tuple[str, ...], float]]", known)
            texts += form.filled([number(value) for _, _, value in values])
        return texts

    def of_histogram(self, family: Family, labels: tuple[str, ...], value: Distribution) -> str:
        """The lines of a histogram: the heads of all its buckets are kept as one text with gaps."""
        key = family, labels, value.bounds
        gaps = self._histograms.get(key)
        if gaps is None:
            if len(self._histograms) >= _MOST_HISTOGRAMS:
                self._histograms.clear()
            gaps = self._histograms[key] = self._gaps(family, labels, value.bounds)
        values = [number(count) for count in value.counts]
        if value.bounds[0] >= 0:
            values += (values[-1], number(value.sum))
        return gaps % tuple(values)

    def _gaps(self, family: Family, labels: tuple[str, ...], bounds: tuple[float, ...]) -> str:
        bucket, count, total = _parts(family)
        parts = [(bucket, (*labels, number(bound))) for bound in bounds]
        if bounds[0] >= 0:
            parts += ((count, labels), (total, labels))
        return "".join(_gap(self._owner, part, own) for part, own in parts)


class _Form:
    """The heads of samples as texts with gaps for their values, one text a family."""

    __slots__ = ("_parts", "shape")

    def __init__(self, escaped: tuple[str, ...], shape: list[tuple[Family, tuple[str, ...]]]) -> None:
        """Of the owner with these label values, for at least one sample."""
        self.shape = shape
        """Families of the samples, and the labels after those of the owner."""
        places: dict[str, list[int]] = {}
        for index, (family, _) in enumerate(shape):
            places.setdefault(family.name, []).append(index)
        self._parts = [
            (
                name,
                "".join(_gap(escaped, *shape[index]) for index in indexes),
                itemgetter(*indexes),
            )
            for name, indexes in places.items()
        ]

    def filled(self, values: list[str]) -> list[Text]:
        """The lines with these values, with the name of their family."""
        # One value comes by itself, several as a tuple: `%` takes both.
        return [(name, (gaps % pick(values)).encode()) for name, gaps, pick in self._parts]


def _gap(escaped: tuple[str, ...], family: Family, labels: tuple[str, ...]) -> str:
    """The line of a sample with a gap for its value."""
    head = _format(family)(*escaped, *map(escape, labels))
    return f"{head.replace('%', '%%')}%s\n"


def escape(text: str) -> str:
    """The text as a label value."""
    if "\\" in text or '"' in text or "\n" in text:
        return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return text


def number(value: float) -> str:
    """The value as Go writes it, which is how prometheus_client does."""
    if type(value) is float:
        exact = value
    elif isinstance(value, int) and 0 <= value < 1_000_000:
        return _SMALL[value] if value < len(_SMALL) else f"{value}.0"
    else:
        exact = float(value)
    # Go writes large numbers and infinities in a way of its own.
    if -1e6 < exact < 1e6:
        return repr(exact)
    if 1e6 <= exact < 1e16:
        # Every energy: here is nothing to ask but where the point is.
        whole, _, rest = repr(exact).partition(".")
        return f"{f'{whole[0]}.{whole[1:]}{rest}'.rstrip('0.')}e+{len(whole) - 1:02d}"
    return _go_number(exact)


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
