"""Work that is given up at a wait of the test's choice, its own or that of a task it started."""

import asyncio
import types
from collections.abc import Coroutine, Generator
from contextvars import ContextVar
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")

Moment = Literal["early", "late"]
"""As soon as there is a wait, or when what is waited for has come and has not been told yet."""


async def cancelled_at(wait: int, moment: Moment, work: Coroutine[Any, Any, T]) -> T | None:
    """Run the work and cancel it at the wait of this number, from 1 on; None if it was cancelled.

    The waits of tasks that the work starts count too; it is the work that is cancelled. Gives the result
    where there are fewer waits, or where the work has taken no notice of the cancel.
    """
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(_counted)
    token = _steps.set(steps := _Steps(wait, moment))
    try:
        steps.task = task = asyncio.create_task(work)
        _steps.reset(token)
        return await task
    except asyncio.CancelledError:
        assert steps.done
        return None
    finally:
        loop.set_task_factory(before)


class _Steps:
    task: asyncio.Task[Any]

    def __init__(self, wait: int, moment: Moment) -> None:
        self._left = wait
        self._moment = moment
        self.done = False

    def waits_for(self, future: Any) -> None:
        self._left -= 1
        if self._left == 0:
            self.done = True
            if self._moment == "late" and future is not None:
                # Before the task hears of it, whose own callback is added after this one.
                future.add_done_callback(lambda _: self.task.cancel())
            else:
                asyncio.get_running_loop().call_soon(self.task.cancel)


_steps: ContextVar[_Steps | None] = ContextVar("steps", default=None)
"""Of the work to which a task belongs."""


def _counted(loop: asyncio.AbstractEventLoop, work: Any, **settings: Any) -> "asyncio.Task[Any]":
    steps = _steps.get()
    if steps is None:
        return asyncio.Task(work, loop=loop, **settings)
    task: asyncio.Task[Any] = asyncio.Task(_Counted(work).run(steps), loop=loop, **settings)
    # A task that is cancelled before its first step ends its own coroutine, and not the one within that.
    task.add_done_callback(lambda _: work.close())
    return task


class _Counted(Generic[T]):
    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._work = work

    async def run(self, steps: _Steps) -> T:
        return await self._pass(steps)

    @types.coroutine
    def _pass(self, steps: _Steps) -> Generator[Any, Any, T]:
        """Hand every wait of the work on to the task, and every wake-up to the work."""
        try:
            future = self._work.send(None)
            while True:
                steps.waits_for(future)
                try:
                    value = yield future
                except BaseException as error:
                    future = self._work.throw(error)
                else:
                    future = self._work.send(value)
        except StopIteration as end:
            result: T = end.value
            return result
