"""The readings of the provider as they come, by subscription or by walking the cursor."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from iometer_exporter.errors import ProviderError
from iometer_exporter.provider.api.models import MeterReading, ReadingsPage
from iometer_exporter.provider.api.progress import ReadingsProgress
from iometer_exporter.provider.reading.backoff import Backoff
from iometer_exporter.provider.reading.clock import Breather, Clock
from iometer_exporter.provider.reading.request_log import Journal, Operation
from iometer_exporter.provider.served.counts import ReadingCounts
from iometer_exporter.provider.served.installations import Installations

_KEPT: Final = 86400.0
"""Seconds for which the API keeps readings."""

_OVERLAP: Final = 5.0
"""Seconds asked for again, so that nothing falls between two subscriptions or two walks."""

_SKEW: Final = 300.0
"""Seconds that the cloud's clock may be ahead of this host's."""

_PAGE: Final = 100
"""Readings of one call, the API's maximum."""

_LONGEST_DRAINING: Final = 0.05
"""Seconds of taking readings at a time: more than are received in one turn of the event loop, so that a
backlog of a day waits in the network and not in this process's memory."""

_REST: Final = 1.0
"""Seconds between two walks at least, also where one takes longer than the interval."""

_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 60.0


class ReadingsClient(Protocol):
    """The part of the client that is asked here."""

    async def readings(
        self, *, start: datetime | None = None, limit: int = _PAGE, cursor: str | None = None
    ) -> ReadingsPage:
        """Readings received from the start on, from the cursor on."""
        ...

    def subscribe(
        self, start: datetime | None, *, opened: Callable[[], None] | None = None
    ) -> AsyncIterator[MeterReading | ProviderError]:
        """Readings as they are received; `opened` is called once the subscription stands."""
        ...


class Readings:
    """Follows the readings from where it was the last time; `resume` is that Unix time, None at the start."""

    def __init__(
        self,
        client: ReadingsClient,
        installations: Installations,
        journal: Journal,
        clock: Clock,
        *,
        counts: ReadingCounts,
        resume: float | None = None,
    ) -> None:
        self.resume = resume
        """When the cloud received the newest reading seen."""
        self.is_up = False
        """Whether the subscription stands."""
        self.reconnects = 0
        self._client = client
        self._installations = installations
        self._journal = journal
        self._clock = clock
        self._counts = counts
        self._backoff = Backoff(_FIRST_WAIT, _LONGEST_WAIT)
        self._walking: _Walk | None = None

    async def subscribe(self) -> None:
        """Take readings as they come, for ever; continue after each end of the subscription."""
        while True:
            retry_after = None
            try:
                await self._follow()
            except ProviderError as error:
                self._journal.failed("subscription", error)
                retry_after = error.retry_after
            finally:
                self.is_up = False
            await self._clock.sleep(self._backoff.failed(retry_after))
            self.reconnects += 1

    async def poll(self, interval: float) -> None:
        """Ask for the readings that came since, every so many seconds, for ever."""
        while True:
            started = self._clock.monotonic()
            try:
                await self._walk()
            except ProviderError as error:
                self._journal.failed("readings", error)
                wait = self._backoff.failed(error.retry_after)
            else:
                self._backoff.succeeded()
                wait = started + interval - self._clock.monotonic()
            await self._clock.sleep(max(wait, _REST))

    async def _follow(self) -> None:
        breather = Breather(_LONGEST_DRAINING)
        items = self._client.subscribe(self._start(), opened=self._opened)
        try:
            async for item in items:
                if isinstance(item, ProviderError):
                    self._journal.bad_item("subscription", item)
                else:
                    self._backoff.succeeded()
                    self._take("subscription", item)
                    self._moved_to(item.received)
                await breather.breathe()
        finally:
            if isinstance(items, AsyncGenerator):
                await items.aclose()

    def _opened(self) -> None:
        self.is_up = True
        self._journal.succeeded("subscription")

    async def _walk(self) -> None:
        """Take what came since the last walk; one that failed goes on where it stopped."""
        if self._walking is None:
            self._walking = _Walk(self._start())
        walk, breather = self._walking, Breather()
        more = True
        while more:
            page = await self._read_page(walk)
            for item in page.readings:
                self._take("readings", item)
                if walk.newest is None or item.received > walk.newest:
                    walk.newest = item.received
                await breather.breathe()
            try:
                walk.progress.note(page)
            except ProviderError:
                self._walking = None
                raise
            walk.cursor, more = page.cursor, page.cursor is not None
        self._walking = None
        self._journal.succeeded("readings")
        if walk.newest is not None:
            # Not before: nothing says that the pages are in the order of receipt.
            self._moved_to(walk.newest)

    async def _read_page(self, walk: "_Walk") -> ReadingsPage:
        started = self._clock.monotonic()
        try:
            page = await self._client.readings(start=walk.start, limit=_PAGE, cursor=walk.cursor)
        except ProviderError as error:
            if error.reason in ("graphql", "invalid_document"):
                # Perhaps the cursor is not known any more.
                self._walking = None
            raise
        finally:
            self._journal.durations["readings"] = self._clock.monotonic() - started
        self._journal.problems("readings", page.problems)
        self._journal.errors_beside("readings", page.errors)
        missing = [problem for problem in page.problems if problem.startswith("readings ")]
        if missing:
            # Not the end of the readings.
            raise ProviderError("invalid_document", f"sent no readings: {missing[0]}")
        return page

    def _start(self) -> datetime:
        """From when on to ask: all that is kept at first, later what came since."""
        now = self._clock.time()
        oldest = now - _KEPT
        start = oldest if self.resume is None else max(oldest, min(self.resume, now) - _OVERLAP)
        return datetime.fromtimestamp(start, UTC)

    def _moved_to(self, received: datetime) -> None:
        """Continue from this time of receipt on the next time."""
        moment = received.timestamp()
        # A clock that runs away would have the readings until then skipped.
        if moment <= self._clock.time() + _SKEW:
            self.resume = moment if self.resume is None else max(self.resume, moment)

    def _take(self, operation: Operation, received: MeterReading) -> None:
        now, monotonic = self._clock.time(), self._clock.monotonic()
        taken = self._installations.receive(received, now, monotonic)
        if taken is None:
            return
        result, why = taken
        self._counts.results[result] += 1
        if result == "duplicate":
            return
        if received.reading.problems:
            self._journal.problems(operation, [f"reading {problem}" for problem in received.reading.problems])
        if result == "accepted":
            self._counts.delayed((received.received - received.reading.time).total_seconds())
        if why:
            self._journal.refused(operation, [(why, received.reading.meter)])


@dataclass(slots=True)
class _Walk:
    """A walk of the cursor: from when on, where it is, and the newest receipt that it has seen."""

    start: datetime
    cursor: str | None = None
    newest: datetime | None = None
    progress: ReadingsProgress = field(default_factory=ReadingsProgress)
