"""The readings of the provider as they come, by subscription or by walking the cursor."""

from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final, Protocol

from iometer_exporter.errors import ProviderError
from iometer_exporter.net.backoff import Backoff
from iometer_exporter.provider.api.models import RETENTION_SECONDS, MeterReading, ReadingsPage
from iometer_exporter.provider.reading.clock import Clock
from iometer_exporter.provider.reading.pace import Pace
from iometer_exporter.provider.reading.request_log import Operation, RequestLog
from iometer_exporter.provider.reading.stored_readings import CursorPosition, StoredReadingsClient, check
from iometer_exporter.provider.reading.subscription import OVERLAP_SECONDS, SubscriptionClient, subscribed
from iometer_exporter.provider.served.counts import ReadingCounts
from iometer_exporter.provider.served.installations import Installations

_CLOUD_SKEW_SECONDS: Final = 300.0
"""Tolerated lead of the cloud's clock over this host's."""

_REST_SECONDS: Final = 1.0
"""Between two walks of the cursor at least, also where one takes longer than the interval."""


class ReadingsClient(StoredReadingsClient, SubscriptionClient, Protocol):
    """The part of the client that is asked here."""


class Readings:
    """Follows the readings from where it was the last time; `resume` is that Unix time, None at the start."""

    def __init__(
        self,
        client: ReadingsClient,
        installations: Installations,
        request_log: RequestLog,
        clock: Clock,
        *,
        counts: ReadingCounts,
        pace: Pace,
        resume: float | None = None,
    ) -> None:
        self.resume = resume
        """When the cloud received the newest reading seen."""
        self.is_up = False
        """Whether the subscription stands."""
        self.reconnects = 0
        self._client = client
        self._installations = installations
        self._request_log = request_log
        self._clock = clock
        self._counts = counts
        self._pace = pace
        self._backoff = Backoff()
        self._position: CursorPosition | None = None
        self._newest: datetime | None = None

    async def subscribe(self) -> None:
        """Take readings as they come, for ever; continue after each end of the subscription."""
        items = subscribed(
            self._client,
            self._start,
            opened=self._opened,
            interrupted=self._interrupted,
            backoff=self._backoff,
            sleep=self._reconnect_after,
        )
        try:
            async with aclosing(items):
                async for item in items:
                    if isinstance(item, ProviderError):
                        self._request_log.bad_item("subscription", item)
                    else:
                        self._take("subscription", item)
                        self._moved_to(item.received)
                    await self._pace.checkpoint()
        finally:
            self.is_up = False

    def _opened(self) -> None:
        self.is_up = True
        self._request_log.succeeded("subscription")

    def _interrupted(self, error: ProviderError | None, _wait: float) -> None:
        self.is_up = False
        if error is not None:
            self._request_log.failed("subscription", error)

    async def _reconnect_after(self, wait: float) -> None:
        await self._clock.sleep(wait)
        self.reconnects += 1

    async def poll(self, interval: float) -> None:
        """Ask for the readings that came since, every so many seconds, for ever."""
        while True:
            started = self._clock.monotonic()
            try:
                await self._walk_cursor()
            except ProviderError as error:
                self._request_log.failed("readings", error)
                wait = self._backoff.failed(error.retry_after)
            else:
                self._backoff.succeeded()
                wait = started + interval - self._clock.monotonic()
            await self._clock.sleep(max(wait, _REST_SECONDS))

    async def _walk_cursor(self) -> None:
        """Take what came since the last walk; one that failed goes on where it stopped."""
        if self._position is None:
            self._position, self._newest = CursorPosition(self._start()), None
        position = self._position
        try:
            while not position.at_end:
                page = await self._read_page(position)
                for item in page.readings:
                    self._take("readings", item)
                    if self._newest is None or item.received > self._newest:
                        self._newest = item.received
                    await self._pace.checkpoint()
                position.advance(page)
        except ProviderError:
            if position.is_lost:
                self._position = None
            raise
        self._position = None
        self._request_log.succeeded("readings")
        if self._newest is not None:
            # Not before: nothing says that the pages are in the order of receipt.
            self._moved_to(self._newest)

    async def _read_page(self, position: CursorPosition) -> ReadingsPage:
        started = self._clock.monotonic()
        try:
            page = await position.read(self._client)
        finally:
            self._request_log.durations["readings"] = self._clock.monotonic() - started
        self._request_log.problems("readings", page.problems)
        self._request_log.errors_beside("readings", page.errors)
        check(page)
        return page

    def _start(self) -> datetime:
        """From when on to ask: all that is kept at first, later what came since."""
        now = self._clock.time()
        oldest = now - RETENTION_SECONDS
        start = oldest if self.resume is None else max(oldest, min(self.resume, now) - OVERLAP_SECONDS)
        return datetime.fromtimestamp(start, UTC)

    def _moved_to(self, received: datetime) -> None:
        """Continue from this time of receipt on the next time."""
        moment = received.timestamp()
        if self.resume is not None and moment <= self.resume:
            return
        # A clock that runs away would have the readings until then skipped.
        if moment <= self._clock.time() + _CLOUD_SKEW_SECONDS:
            self.resume = moment

    def _take(self, operation: Operation, received: MeterReading) -> None:
        now, monotonic = self._clock.time(), self._clock.monotonic()
        taken = self._installations.receive(received, now, monotonic)
        if taken is None:
            return
        result, why = taken
        self._counts.results[result] += 1
        if result == "duplicate":
            return
        reading = received.reading
        if reading.problems:
            self._request_log.problems(operation, [f"reading {problem}" for problem in reading.problems])
        if result == "accepted":
            self._counts.delayed((received.received - reading.time).total_seconds())
        if why:
            self._request_log.refused(operation, [(why, reading.meter)])
