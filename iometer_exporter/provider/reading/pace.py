"""How fast background work goes on: as fast as it can, but a scrape comes first."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from iometer_exporter.provider.reading.clock import Clock, SystemClock

LONGEST_TURN_SECONDS: Final = 0.002
"""Of work, after which others get their turn."""

TURNS: Final = 4
"""Turns of the event loop that others get then: to accept a request, read it and answer it takes a dozen."""

REST: Final = 5.0
"""Rest beside a scrape, as a multiple of the work before it."""


class Pace:
    """Shares the event loop between background work and those who wait for an answer."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Go by this clock, or by that of the host."""
        self._clock: Clock = clock or SystemClock()
        self._scrapes = 0
        self._since = self._clock.monotonic()

    @contextmanager
    def scrape(self) -> Iterator[None]:
        """Let background work rest most of the time meanwhile: somebody waits for a page."""
        self._scrapes += 1
        try:
            yield
        finally:
            self._scrapes -= 1

    async def checkpoint(self) -> None:
        """Let others have their turn if it is time."""
        worked = self._clock.monotonic() - self._since
        if worked < LONGEST_TURN_SECONDS:
            return
        if self._scrapes:
            await self._clock.sleep(worked * REST)
        else:
            for _ in range(TURNS):
                await asyncio.sleep(0)
        self._since = self._clock.monotonic()
