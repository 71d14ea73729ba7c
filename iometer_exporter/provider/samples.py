"""Samples of the provider as a whole, from what its source knows; its installations are written elsewhere."""

import math
from collections.abc import Iterator
from typing import Final

from iometer_exporter.config.provider import ReadingsMode
from iometer_exporter.errors import PROVIDER_REASONS
from iometer_exporter.metrics.families import Distribution, Observed, Sample
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


def provider_samples(
    mode: ReadingsMode,
    *,
    inventory: Inventory,
    readings: Readings,
    request_log: RequestLog,
    counts: ReadingCounts,
    installations: int,
) -> Iterator[Sample | Observed]:
    """The samples of one scrape."""
    if inventory.succeeded is not None:
        yield families.UP, (), int(inventory.succeeded)
    yield families.INVENTORY_TIMESTAMP, (), inventory.completed
    yield families.INSTALLATIONS, (), installations
    for operation in _OPERATIONS[mode]:
        yield families.REQUEST_DURATION, (operation,), request_log.durations.get(operation)
        # From zero on, so that increase() sees the first error too.
        for reason in PROVIDER_REASONS:
            yield families.REQUEST_ERRORS, (operation, reason), request_log.errors.get((operation, reason), 0)
    if mode == "subscribe":
        yield families.SUBSCRIPTION_UP, (), int(readings.is_up)
        yield families.SUBSCRIPTION_RECONNECTS, (), readings.reconnects
    for result in RESULTS:
        yield families.READINGS, (result,), counts.results[result]
    delays = Distribution((*DELAY_BUCKETS, math.inf), tuple(counts.delays), counts.delay_sum)
    yield families.READING_DELAY, (), delays
    if inventory.account is not None:
        yield from _account(inventory.account)


def _account(account: Provider) -> Iterator[Sample]:
    yield families.INFO, (account.id, account.name), 1
    for pool in {pool.id: pool for pool in account.license_pools}.values():
        yield families.POOL_SIZE, (pool.id, pool.name), pool.size
        yield families.POOL_USED, (pool.id, pool.name), pool.usage
    for key in {key.id: key for key in account.signing_keys}.values():
        yield families.KEY_ENABLED, (key.id, key.name), key.enabled
