"""One run at a time of a piece of work, shared by all who wait for it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs a coroutine function; whoever joins while it runs shares that run and its result.

    The run is cancelled when the last one who waits for it has left; nothing is kept once it is done.
    Who only watches has no say in that: when those who wait give it up, it ends as if nobody watched.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._work = work
        self._task: asyncio.Task[T] | None = None
        self.waiters = 0
        """Number of those who wait for the run under way."""
        self._ending: set[asyncio.Task[T]] = set()
        self.started = 0.0
        """Time at which the last run began, in seconds of the loop's clock."""

    def join(self) -> asyncio.Task[T]:
        """The task of the run under way, or of a new one; `leave` it when done or tired of waiting."""
        task = self.watch()
        self.waiters += 1
        return task

    def watch(self) -> asyncio.Task[T]:
        """The task of the run under way, or of a new one, without waiting for it; `unwatch` it in the end."""
        if self._task is None or self._task.done():
            loop = asyncio.get_running_loop()
            self.started = loop.time()
            self._task = loop.create_task(self._work())
            self.waiters = 0
        return self._task

    def unwatch(self, task: asyncio.Task[T]) -> None:
        """Give up the run of the task unless somebody waits for it."""
        if task is self._task and not self.waiters and not task.done():
            self._give_up(task)

    def leave(self, task: asyncio.Task[T]) -> bool:
        """Stop waiting for the task; True if that was the last one to wait and the run is given up."""
        if task is not self._task:
            # It was given up; who waits now waits for another run.
            return False
        self.waiters -= 1
        if self.waiters or task.done():
            return False
        self._give_up(task)
        return True

    async def settle(self) -> None:
        """Wait until the run under way, if any, has ended by itself or been given up."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def aclose(self) -> None:
        """Give up the run under way and wait for every run to end."""
        if self._task is not None and not self._task.done():
            self._give_up(self._task)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _give_up(self, task: asyncio.Task[T]) -> None:
        self._task = None
        self.waiters = 0
        # Held until it has ended: the loop itself keeps only a weak reference.
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        task.cancel()
