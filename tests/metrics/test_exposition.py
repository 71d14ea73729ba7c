from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import REGISTRY, Collector

from iometer_exporter.metrics.exposition import OPENMETRICS, TEXT, of_library, render
from iometer_exporter.metrics.families import Family
from iometer_exporter.metrics.lines import Lines


def test_content_types_name_the_version_that_is_served() -> None:
    assert TEXT.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert OPENMETRICS.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"


class OneGauge(Collector):
    def __init__(self, name: str) -> None:
        self._name = name

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(self._name, "Help.", value=1)


def test_families_of_the_library_are_a_part_of_a_page() -> None:
    collectors = [OneGauge("a"), OneGauge("b")]
    own = Family("own_total", "counter", (), "Own.")
    lines = Lines([own])
    lines.add([((), [(own, (), 2)])])
    text = b"# HELP a Help.\n# TYPE a gauge\na 1.0\n# HELP b Help.\n# TYPE b gauge\nb 1.0\n"
    assert of_library(collectors, TEXT) == of_library(collectors, OPENMETRICS) == text
    assert (
        render(lines, TEXT, text)
        == b"# HELP own_total Own.\n# TYPE own_total counter\nown_total 2.0\n" + text
    )
    assert render(lines, OPENMETRICS, text) == (
        b"# HELP own Own.\n# TYPE own counter\nown_total 2.0\n" + text + b"# EOF\n"
    )


def test_nothing_is_left_in_the_global_registry() -> None:
    before = list(REGISTRY.collect())
    for _ in range(2):
        of_library([OneGauge("iometer_left_behind")], TEXT)
    assert [family.name for family in REGISTRY.collect()] == [family.name for family in before]
    assert "iometer_left_behind" not in {family.name for family in before}
