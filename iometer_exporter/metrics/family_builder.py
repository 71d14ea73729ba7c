"""Samples gathered into the families of prometheus_client, in the order of the table."""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from iometer_exporter.metrics.families import FAMILIES, PROBE_FAMILIES, Family, Sample


class FamilyBuilder:
    """Families under construction, given in the order of the table; None gives no sample."""

    def __init__(self, order: Sequence[Family] = (*FAMILIES, *PROBE_FAMILIES)) -> None:
        self._families: dict[Family, GaugeMetricFamily | CounterMetricFamily | None] = dict.fromkeys(order)

    def add(self, family: Family, labels: Sequence[str], value: float | None) -> None:
        """One sample, its label values in the order of the family's labels.

        Raises KeyError for a family that is not in the table: it would never be printed.
        """
        metric = self._families[family]
        if value is None:
            return
        if metric is None:
            kind = CounterMetricFamily if family.type == "counter" else GaugeMetricFamily
            metric = kind(family.name, family.help, labels=family.labels, unit=family.unit)
            self._families[family] = metric
        metric.add_metric(labels, value)

    def add_all(self, labels: tuple[str, ...], samples: Iterable[Sample]) -> None:
        """Samples of one owner, whose labels these are."""
        for family, more, value in samples:
            self.add(family, (*labels, *more), value)

    def __iter__(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        return (metric for metric in self._families.values() if metric is not None)
