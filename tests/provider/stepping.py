"""A coroutine that is cancelled at a wait of its own choice: the way to try every one of them."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Literal, TypeVar

T = TypeVar("T")

Moment = Literal["early", "late"]
"""As soon as it waits, or when what it waits for has come and it has not been told yet."""


async def cancelled_at(wait: int, moment: Moment, work: Coroutine[Any, Any, T]) -> T | None:
    """Run the work and cancel it at its wait of this number, from 1 on; None if it was cancelled.

    Gives the result where the work has fewer waits, or has taken no notice of the cancel.
    """
    steps = _Steps(work, wait, moment)
    steps.task = asyncio.ensure_future(steps)
    try:
        return await steps.task
    except asyncio.CancelledError:
        assert steps.done
        return None
    finally:
        steps.close()


class _Steps(Coroutine[Any, Any, T]):
    task: asyncio.Future[T]

    def __init__(self, work: Coroutine[Any, Any, T], wait: int, moment: Moment) -> None:
        self._work = work
        self._left = wait
        self._moment = moment
        self.done = False

    def send(self, value: Any) -> Any:
        return self._waits_for(self._work.send(value))

    def throw(self, *error: Any) -> Any:
        return self._waits_for(self._work.throw(*error))

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, T]:
        raise NotImplementedError

    def _waits_for(self, future: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            self.done = True
            if self._moment == "late" and future is not None:
                # Before the task hears of it, whose own callback is added after this one.
                future.add_done_callback(lambda _: self.task.cancel())
            else:
                asyncio.get_running_loop().call_soon(self.task.cancel)
        return future
