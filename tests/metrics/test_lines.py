"""What is written is what prometheus_client writes, byte for byte: here it is the reference."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest as generate_text
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from iometer_exporter.metrics import lines as module
from iometer_exporter.metrics.exposition import OPENMETRICS, TEXT, Format, render
from iometer_exporter.metrics.families import Distribution, Family, Observed, Owned, Sample
from iometer_exporter.metrics.lines import Heads, Lines, Text, _format, number

KINDS: Final = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}

go_string: Any = floatToGoString


class Reference(Collector):
    """The same samples as prometheus_client's own families."""

    def __init__(self, table: Sequence[Family], samples: Sequence[Sample | Observed]) -> None:
        self._table, self._samples = table, samples

    def collect(self) -> Iterator[Metric]:
        for family in self._table:
            own = [(labels, value) for of, labels, value in self._samples if of is family]
            metric: Any = KINDS[family.type](family.name, family.help, labels=family.labels, unit=family.unit)
            for labels, value in own:
                if isinstance(value, Distribution):
                    buckets = list(zip(map(go_string, value.bounds), value.counts, strict=True))
                    metric.add_metric(labels, buckets, value.sum)
                elif value is not None:
                    metric.add_metric(labels, value)
            if metric.samples:
                yield metric


def reference(table: Sequence[Family], samples: Sequence[Sample | Observed], text_format: Format) -> bytes:
    write: Any = generate_text if text_format is TEXT else generate_openmetrics
    written: bytes = write(Reference(table, samples))
    return written


# Any text that can be sent at all: a lone surrogate is none.
TEXTS: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.text(
    st.sampled_from('a"\\\n{},= \N{LATIN SMALL LETTER A WITH DIAERESIS}\N{SNOWMAN}'), max_size=8
)
NUMBERS: Final = (
    st.floats()
    | st.integers(-(2**70), 2**70)
    | st.integers(-3, 120)
    | st.integers(999_990, 1_000_010)
    | st.booleans()
    | st.floats(min_value=1e5, max_value=1e8)
    | st.sampled_from([0.0, -0.0, 1e6, 1e6 - 1e-9, -1e6, 1e15, 1e16, 1e17, 5e-324, math.inf, -math.inf])
)
NAMES: Final = st.sampled_from(
    ["zebra", "apple", "id", "name", "bridge", "meter", "obis", "Upper", "_x", "le2"]
)


@st.composite
def families(draw: st.DrawFn, number: int) -> Family:
    kind = draw(st.sampled_from(["counter", "gauge", "histogram"]))
    unit = draw(st.sampled_from(["", "seconds", "joules"]))
    name = "_".join([f"family{number}", *([unit] if unit else []), *(["total"] if kind == "counter" else [])])
    labels = draw(st.lists(NAMES, unique=True, max_size=4))
    return Family(name, kind, tuple(labels), draw(TEXTS), unit)  # type: ignore[arg-type]


@st.composite
def distributions(draw: st.DrawFn) -> Distribution:
    bounds = sorted(draw(st.sets(st.floats(min_value=0, allow_infinity=False, allow_nan=False), max_size=4)))
    counts = sorted(draw(st.lists(st.integers(0, 2**60), min_size=len(bounds) + 1, max_size=len(bounds) + 1)))
    return Distribution((*bounds, math.inf), tuple(counts), draw(st.floats(allow_nan=False)))


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Family], list[Owned]]:
    """Some families, and samples of them, each with some of its labels as those of an owner."""
    table = [draw(families(number)) for number in range(draw(st.integers(1, 4)))]
    owned: list[Owned] = []
    for family in draw(st.lists(st.sampled_from(table), max_size=8)):
        labels = tuple(draw(TEXTS) for _ in family.labels)
        cut = draw(st.integers(0, len(labels)))
        sample: Sample | Observed
        if family.type == "histogram":
            sample = family, labels[cut:], draw(distributions())
        else:
            sample = family, labels[cut:], draw(st.none() | NUMBERS)
        owned.append((labels[:cut], [sample]))
    return table, owned


@pytest.mark.parametrize("text_format", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
@given(tables(), st.booleans())
def test_a_page_is_the_one_of_prometheus_client(
    text_format: Format, given_: tuple[list[Family], list[Owned]], kept: bool
) -> None:
    table, owned = given_
    heads = Heads()
    for _ in range(2):
        # The second time, they are kept from the first.
        lines = Lines(table)
        lines.add(owned, heads if kept else None)
        written = render([lines], text_format)
        samples: list[Any] = [
            (family, (*owner, *labels), value) for owner, few in owned for family, labels, value in few
        ]
        assert written == reference(table, samples, text_format)


Page = tuple[list[Family], tuple[str, ...], list[Sample | Observed]]
"""A table, an owner, and the owner's samples."""


def compare_pages(
    pages: Sequence[Page | None], order: Sequence[int], texts: Callable[..., Sequence[Text]], *, kept: bool
) -> None:
    """Whatever page before they were kept from, the lines are those of now.

    `texts` gets the heads, the owner, what gives the samples, and its arguments. Where lines are kept,
    nothing is asked for them again while the page is the same.
    """
    asked: list[int] = []

    def samples(number: int, few: list[Sample | Observed]) -> list[Sample | Observed]:
        asked.append(number)
        return few

    heads = Heads()
    last = None
    for index in order:
        number = index % len(pages)
        page = pages[number]
        if page is None:
            continue
        table, owner, few = page
        lines, expected = Lines(table), Lines(table)
        asked.clear()
        lines.add_texts(texts(heads, owner, samples, (number, few)))
        expected.add([(owner, few)])
        assert lines.columns() == expected.columns()
        assert asked == ([] if kept and last == number else [number])
        last = number


@given(st.lists(tables(), min_size=1, max_size=3), st.lists(st.integers(0, 2), max_size=6))
def test_steady_samples_give_the_lines_of_what_they_are_made_of_now(
    pages: list[tuple[list[Family], list[Owned]]], order: list[int]
) -> None:
    of_first_owner: list[Page | None] = [
        (table, owned[0][0], list(owned[0][1])) if owned else None for table, owned in pages
    ]
    compare_pages(of_first_owner, order, Heads.steady, kept=True)


@given(st.lists(tables(), min_size=1, max_size=3), st.lists(st.integers(0, 2), max_size=6), st.booleans())
def test_samples_that_are_alike_give_the_lines_of_now(
    pages: list[tuple[list[Family], list[Owned]]], order: list[int], has_editions: bool
) -> None:
    """Of the same edition, the lines are kept as well as their heads."""

    def texts(heads: Heads, owner: Any, samples: Any, arguments: tuple[int, Any]) -> Sequence[Text]:
        return heads.alike(owner, samples, arguments, arguments[0] if has_editions else None)

    of_only_owner: list[Page | None] = [
        (table, owned[0][0], [sample for _, some in owned for sample in some])
        if len({owner for owner, _ in owned}) == 1
        else None
        for table, owned in pages
    ]
    compare_pages(of_only_owner, order, texts, kept=has_editions)


@pytest.mark.parametrize("values", [(1.0, 2.0, None), (5.5, None, 1e7), (None, None, None)])
def test_what_is_alike_may_come_and_go(values: tuple[float | None, ...]) -> None:
    family, other = (Family(name, "gauge", ("o", "l"), "Help.") for name in ("some", "other"))
    heads = Heads()
    for some in ((1.0, 2.0, 3.0), values, (4.0, 5.0, 6.0)):
        samples: list[Sample | Observed] = [
            (one, (label,), value)
            for one, label, value in zip((family, other, family), "a%s", some, strict=True)
        ]
        lines, expected = Lines([family, other]), Lines([family, other])
        lines.add_texts(heads.alike(("100%",), lambda few: few, (samples,)))
        expected.add([(("100%",), samples)])
        assert lines.columns() == expected.columns()


def test_histograms_of_ever_new_bounds_are_not_kept_for_ever() -> None:
    family = Family("some", "histogram", ("owner",), "Help.")
    heads = Heads()
    for bound in range(1000):
        value = Distribution((float(bound), math.inf), (1, 2), 3.0)
        lines, expected = Lines([family]), Lines([family])
        lines.add_texts(heads.alike(("o",), lambda few: few, ([(family, (), value)],)))
        expected.add([(("o",), [(family, (), value)])])
        assert lines.columns() == expected.columns()
    assert len(heads.of(("o",))._histograms) <= module._MOST_HISTOGRAMS


def test_what_is_kept_is_that_of_its_source_and_of_what_it_is_made_of() -> None:
    heads = Heads()
    texts = [("some", b"some 1.0\n")]
    others = [("some", b"some 2.0\n")]
    assert heads.kept("source", 1, lambda: texts) is texts
    assert heads.kept("source", 1, lambda: others) is texts
    assert heads.kept("other", 1, lambda: others) is others
    assert heads.kept("source", 1, lambda: others) is texts
    # What is other on each page is not kept, and what was kept stays.
    assert heads.kept("source", None, lambda: others) is others
    assert heads.kept("source", 1, lambda: others) is texts
    assert heads.kept("source", 2, lambda: others) is others
    assert heads.kept("source", 2, lambda: texts) is others


@given(NUMBERS)
def test_a_number_is_the_one_of_prometheus_client(value: float) -> None:
    assert number(value) == go_string(value)


def test_columns_are_the_lines_of_every_family() -> None:
    table = [Family("some", "gauge", (), "Help."), Family("none", "gauge", (), "Help.")]
    lines = Lines(table)
    lines.add([((), [(table[0], (), 1), (table[0], (), None), (table[1], (), None)])])
    assert lines.columns() == [b"some 1.0\n", b""]
    assert dict(lines) == {table[0]: [b"some 1.0\n"]}


def test_a_head_is_made_once_and_those_of_ever_new_labels_are_not_kept_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Family] = []

    def counted(family: Family) -> Any:
        made.append(family)
        return _format(family)

    monkeypatch.setattr(module, "_format", counted)
    family = Family("some", "gauge", ("owner", "label"), "Help.")
    heads = Heads()
    for _ in range(3):
        assert heads.of(("o",))[family, ("a",)] == 'some{label="a",owner="o"} '
    assert made == [family]
    for count in range(10_000):
        assert heads.of(("o",))[family, (str(count),)] == f'some{{label="{count}",owner="o"}} '
        assert heads.of((str(count),))[family, ("a",)] == f'some{{label="a",owner="{count}"}} '
    assert len(heads._of) <= module._MOST_OWNERS
    assert all(len(kept) <= module._MOST_HEADS for kept in heads._of.values())
