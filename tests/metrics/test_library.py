from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import REGISTRY, Collector

from iometer_exporter.metrics.exposition import OPENMETRICS, TEXT, Format, render
from iometer_exporter.metrics.library import LibraryFamilies


class Kept(Collector):
    """What other collectors collected at one moment."""

    def __init__(self, *collectors: Collector) -> None:
        self._metrics = [metric for collector in collectors for metric in collector.collect()]

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


class Counting(Collector):
    """A family that goes on, one with labels, and one that is there every other time."""

    def __init__(self) -> None:
        self._count = 0

    def collect(self) -> Iterator[Metric]:
        self._count += 1
        yield CounterMetricFamily("passed_seconds", "Time.", value=self._count, unit="seconds")
        gauge = GaugeMetricFamily("places", 'By "place".', labels=["zone", "city"])
        gauge.add_metric(["a\\b", "x"], 1.5)
        gauge.add_metric(["c", "y"], -1)
        yield gauge
        if self._count % 2 == 0:
            yield GaugeMetricFamily("even", "Even.", value=1)


@pytest.mark.parametrize("text_format", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
def test_the_families_of_the_library_are_written_as_it_does(text_format: Format) -> None:
    write: Any = generate_latest if text_format is TEXT else generate_openmetrics
    kept = Kept(ProcessCollector(registry=None), PlatformCollector(registry=None), Counting())
    page = render([LibraryFamilies([kept]).lines()], text_format)
    assert page == write(kept)
    assert {b"process_cpu_seconds_total", b"python_info"} < {
        line.split()[0].split(b"{")[0] for line in page.splitlines()
    }


def test_each_time_is_collected_anew() -> None:
    families, other = LibraryFamilies([Counting()]), Counting()
    for _ in range(3):
        assert render([families.lines()], TEXT) == generate_latest(Kept(other))


def test_nothing_is_left_in_the_global_registry() -> None:
    before = list(REGISTRY.collect())
    LibraryFamilies([Counting()]).lines()
    assert [family.name for family in REGISTRY.collect()] == [family.name for family in before]
