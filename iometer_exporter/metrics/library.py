"""Families that prometheus_client collects itself, such as those of the process, as lines like all others."""

from collections.abc import Iterable
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from iometer_exporter.metrics.families import Family
from iometer_exporter.metrics.lines import Heads, Lines


class LibraryFamilies:
    """The gauges and counters of collectors, which say the same of themselves each time."""

    def __init__(self, collectors: Iterable[Collector]) -> None:
        self._collectors = tuple(collectors)
        self._families: dict[str, Family] = {}
        self._heads = Heads()

    def lines(self) -> Lines:
        """The lines of what is collected now."""
        found = [(self._family(each), each) for one in self._collectors for each in one.collect()]
        lines = Lines([family for family, _ in found])
        samples = (
            (family, tuple(sample.labels.values()), sample.value)
            for family, metric in found
            for sample in metric.samples
        )
        lines.add([((), samples)], self._heads)
        return lines

    def _family(self, metric: Metric) -> Family:
        family = self._families.get(metric.name)
        if family is None:
            [name] = {sample.name for sample in metric.samples}
            labels: Any = metric.samples[0].labels
            family = Family(name, metric.type, tuple(labels), metric.documentation, metric.unit)  # type: ignore[arg-type]
            self._families[metric.name] = family
        return family
