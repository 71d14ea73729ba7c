"""The families of the provider as a whole, from what its source knows."""

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from iometer_exporter.config.provider import ReadingsMode
from iometer_exporter.errors import PROVIDER_REASONS
from iometer_exporter.metrics.family_builder import FamilyBuilder
from iometer_exporter.provider.api.models import Provider
from iometer_exporter.provider.reading.inventory import Inventory
from iometer_exporter.provider.reading.readings import Readings
from iometer_exporter.provider.reading.request_log import Operation, RequestLog
from iometer_exporter.provider.served import families
from iometer_exporter.provider.served.counts import DELAY_BUCKETS, ReadingCounts
from iometer_exporter.provider.served.installations import RESULTS

_OPERATIONS: Final[dict[ReadingsMode, tuple[Operation, ...]]] = {
    "subscribe": ("account", "installations", "subscription"),
    "poll": ("account", "installations", "readings"),
    "off": ("account", "installations"),
}
"""Operations of a source, by the way in which it gets readings."""


class ProviderCollector(Collector):
    """Families of the provider itself for one scrape; its installations are written elsewhere."""

    def __init__(
        self,
        mode: ReadingsMode,
        *,
        inventory: Inventory,
        readings: Readings,
        request_log: RequestLog,
        counts: ReadingCounts,
        installations: int,
    ) -> None:
        self._mode = mode
        self._inventory = inventory
        self._readings = readings
        self._request_log = request_log
        self._counts = counts
        self._installations = installations

    def collect(self) -> Iterator[Metric]:
        """The families, each with its samples."""
        inventory, readings, request_log = self._inventory, self._readings, self._request_log
        builder = FamilyBuilder(families.PROVIDER_FAMILIES)
        if inventory.succeeded is not None:
            builder.add(families.UP, (), int(inventory.succeeded))
        builder.add(families.INVENTORY_TIMESTAMP, (), inventory.completed)
        builder.add(families.INSTALLATIONS, (), self._installations)
        for operation in _OPERATIONS[self._mode]:
            builder.add(families.REQUEST_DURATION, (operation,), request_log.durations.get(operation))
            # From zero on, so that increase() sees the first error too.
            for reason in PROVIDER_REASONS:
                errors = request_log.errors.get((operation, reason), 0)
                builder.add(families.REQUEST_ERRORS, (operation, reason), errors)
        if self._mode == "subscribe":
            builder.add(families.SUBSCRIPTION_UP, (), int(readings.is_up))
            builder.add(families.SUBSCRIPTION_RECONNECTS, (), readings.reconnects)
        for result in RESULTS:
            builder.add(families.READINGS, (result,), self._counts.results[result])
        if inventory.account is not None:
            _add_account(builder, inventory.account)
        yield from builder
        yield self._delays()

    def _delays(self) -> HistogramMetricFamily:
        family = families.READING_DELAY
        delays = HistogramMetricFamily(family.name, family.help, unit=family.unit)
        bounds = [*map(floatToGoString, DELAY_BUCKETS), "+Inf"]
        delays.add_metric((), list(zip(bounds, self._counts.delays, strict=True)), self._counts.delay_sum)
        return delays


def _add_account(builder: FamilyBuilder, account: Provider) -> None:
    builder.add(families.INFO, (account.id, account.name), 1)
    for pool in {pool.id: pool for pool in account.license_pools}.values():
        builder.add(families.POOL_SIZE, (pool.id, pool.name), pool.size)
        builder.add(families.POOL_USED, (pool.id, pool.name), pool.usage)
    for key in {key.id: key for key in account.signing_keys}.values():
        builder.add(families.KEY_ENABLED, (key.id, key.name), key.enabled)
