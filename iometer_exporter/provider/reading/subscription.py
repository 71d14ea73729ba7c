"""The subscription to readings, over as many sockets as it takes."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from iometer_exporter.errors import ProviderError
from iometer_exporter.net.backoff import Backoff
from iometer_exporter.provider.api.models import MeterReading

OVERLAP_SECONDS: Final = 5.0
"""Asked for again, so that nothing falls between two subscriptions or two walks of the cursor."""

_OVERLAP: Final = timedelta(seconds=OVERLAP_SECONDS)

_MOST_REMEMBERED: Final = 10_000
"""Readings that are known when the API sends them again."""

Interrupted = Callable[[ProviderError | None, float], None]
"""Told of the error that has ended a socket (None: the API has), and of the seconds until the next one."""


class SubscriptionClient(Protocol):
    """The part of the client that is asked here."""

    def subscribe(
        self, start: datetime | None, *, opened: Callable[[], None] | None = None
    ) -> AsyncGenerator[MeterReading | ProviderError, None]:
        """Readings as they are received; `opened` is called once the subscription stands."""
        ...


async def subscribed(
    client: SubscriptionClient,
    start: Callable[[], datetime | None],
    *,
    opened: Callable[[], None],
    interrupted: Interrupted,
    backoff: Backoff,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncGenerator[MeterReading | ProviderError, None]:
    """Each reading, and an error for each bad message, for ever.

    `start` gives when the next socket begins; an error that `interrupted` raises is the end.
    """
    while True:
        ended_by: ProviderError | None = None
        try:
            async with aclosing(client.subscribe(start(), opened=opened)) as items:
                async for item in items:
                    if not isinstance(item, ProviderError):
                        backoff.succeeded()
                    yield item
        except ProviderError as error:
            ended_by = error
        wait = backoff.failed(ended_by.retry_after if ended_by is not None else None)
        interrupted(ended_by, wait)
        await sleep(wait)


async def fresh_readings(
    client: SubscriptionClient, *, interrupted: Interrupted
) -> AsyncGenerator[MeterReading | ProviderError, None]:
    """Each reading that the cloud receives from now on, once, and an error for each bad message.

    Raises ProviderError where no socket was ever opened, or the credentials are not accepted any more.
    """
    seen: OrderedDict[tuple[str, datetime], None] = OrderedDict()
    opened = asyncio.Event()
    start: datetime | None = None

    def ended(error: ProviderError | None, wait: float) -> None:
        nonlocal start
        # What never worked will not begin to: a wrong address, wrong credentials.
        if error is not None and (not opened.is_set() or error.reason == "unauthorized"):
            raise error
        interrupted(error, wait)
        if start is None:
            start = datetime.now(UTC) - _OVERLAP

    items = subscribed(client, lambda: start, opened=opened.set, interrupted=ended, backoff=Backoff())
    async with aclosing(items):
        async for item in items:
            if isinstance(item, ProviderError):
                yield item
                continue
            start = max(start or item.received, item.received - _OVERLAP)
            key = (item.meter_id, item.reading.time)
            if key not in seen:
                seen[key] = None
                if len(seen) > _MOST_REMEMBERED:
                    seen.popitem(last=False)
                yield item
