"""A time limit that is moved often: with each sign of life of a stream."""

import asyncio
from typing import Any


class Deadline:
    """Ends a block of `async with` by TimeoutError, at a time that may be moved again and again.

    `asyncio.timeout` takes a new timer for each move. Here it is only set anew where it would come too late,
    or has come too early, which both are rare.
    """

    def __init__(self, when: float) -> None:
        """End the block at that time, in seconds of the loop's clock."""
        self._loop = asyncio.get_running_loop()
        self._timeout = asyncio.timeout(None)
        self._when = when
        self._timer: asyncio.TimerHandle

    async def __aenter__(self) -> "Deadline":
        await self._timeout.__aenter__()
        self._set_timer()
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._timer.cancel()
        await self._timeout.__aexit__(*error)

    @property
    def is_over(self) -> bool:
        """Whether the block is being ended."""
        return self._timeout.expired()

    def move(self, when: float) -> None:
        """End the block at that time instead."""
        self._when = when
        if when < self._timer.when():
            self._timer.cancel()
            self._set_timer()

    def end(self) -> None:
        """End the block now."""
        if not self.is_over:
            self._timeout.reschedule(self._loop.time())

    def _set_timer(self) -> None:
        self._timer = self._loop.call_at(self._when, self._look)

    def _look(self) -> None:
        if self._loop.time() < self._when:
            self._set_timer()
        else:
            self.end()
