"""The two clocks that the background work goes by; a test puts simulated time in their place."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Wall clock and monotonic clock, and how to wait for the latter."""

    def time(self) -> float:
        """Unix time."""
        ...

    def monotonic(self) -> float:
        """Seconds that no correction of the wall clock touches."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds of the monotonic clock."""
        ...


class SystemClock:
    """The clocks of this host."""

    def time(self) -> float:
        """Unix time."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that no correction of the wall clock touches."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds of the monotonic clock."""
        await asyncio.sleep(seconds)


class CooperativeYield:
    """Lets the event loop do its other work once a piece of work has taken too long."""

    def __init__(self, longest: float = 0.01) -> None:
        """Take at most so many seconds, and what is begun then, at a time."""
        self._longest = longest
        self._since = time.perf_counter()

    async def checkpoint(self) -> None:
        """Let the event loop run if it is time."""
        if time.perf_counter() - self._since >= self._longest:
            await asyncio.sleep(0)
            self._since = time.perf_counter()
