"""The families of the provider as a whole, from what its source knows."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from iometer_exporter.collectors import Samples
from iometer_exporter.errors import PROVIDER_REASONS
from iometer_exporter.provider import families
from iometer_exporter.provider.journal import Operation
from iometer_exporter.provider.models import Provider
from iometer_exporter.provider.state import RESULTS
from iometer_exporter.provider.stream import DELAY_BUCKETS

if TYPE_CHECKING:
    from iometer_exporter.provider.source import ProviderSource


class ProviderCollector(Collector):
    """What one scrape says of the provider itself; its installations are written elsewhere."""

    def __init__(self, source: "ProviderSource") -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        """The families, each with its samples."""
        source = self._source
        samples = Samples(families.PROVIDER_FAMILIES)
        inventory, readings = source.inventory, source.readings
        if inventory.succeeded is not None:
            samples.add(families.UP, (), int(inventory.succeeded))
        samples.add(families.INVENTORY_TIMESTAMP, (), inventory.completed)
        samples.add(families.INSTALLATIONS, (), len(source.installations))
        for operation in used_operations(source):
            samples.add(families.REQUEST_DURATION, (operation,), source.journal.durations.get(operation))
            # From zero on, so that increase() sees the first error too.
            for reason in PROVIDER_REASONS:
                errors = source.journal.errors.get((operation, reason), 0)
                samples.add(families.REQUEST_ERRORS, (operation, reason), errors)
        if source.config.readings == "subscribe":
            samples.add(families.SUBSCRIPTION_UP, (), int(readings.is_up))
            samples.add(families.SUBSCRIPTION_RECONNECTS, (), readings.reconnects)
        for result in RESULTS:
            samples.add(families.READINGS, (result,), source.counts.results[result])
        if inventory.account is not None:
            _add_account(samples, inventory.account)
        yield from samples
        yield self._delays()

    def _delays(self) -> HistogramMetricFamily:
        family = families.READING_DELAY
        delays = HistogramMetricFamily(family.name, family.help, unit=family.unit)
        bounds = [*map(floatToGoString, DELAY_BUCKETS), "+Inf"]
        counts = self._source.counts
        delays.add_metric((), list(zip(bounds, counts.delays, strict=True)), counts.delay_sum)
        return delays


def used_operations(source: "ProviderSource") -> tuple[Operation, ...]:
    """The operations that a source of this configuration asks for."""
    readings: dict[str, tuple[Operation, ...]] = {
        "subscribe": ("subscription",),
        "poll": ("readings",),
        "off": (),
    }
    return ("account", "installations", *readings[source.config.readings])


def _add_account(samples: Samples, account: Provider) -> None:
    samples.add(families.INFO, (account.id, account.name), 1)
    for pool in {pool.id: pool for pool in account.license_pools}.values():
        samples.add(families.POOL_SIZE, (pool.id, pool.name), pool.size)
        samples.add(families.POOL_USED, (pool.id, pool.name), pool.usage)
    for key in {key.id: key for key in account.signing_keys}.values():
        samples.add(families.KEY_ENABLED, (key.id, key.name), key.enabled)
