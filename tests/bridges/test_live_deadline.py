"""A time limit that is moved: when it ends its block, and by how many timers. The clock is the test's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from iometer_exporter.bridges.live.deadline import Deadline
from tests.clock import Clock


@asynccontextmanager
async def waiting(when: float) -> AsyncIterator[tuple[Deadline, "asyncio.Task[None]"]]:
    """A deadline, and a task that waits inside of it; nothing of both is left in the end."""
    deadline = Deadline(when)

    async def wait() -> None:
        async with deadline as entered:
            assert entered is deadline
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    try:
        yield deadline, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert deadline._timer.cancelled() or deadline._timer.when() <= asyncio.get_running_loop().time()


def ended(task: "asyncio.Task[None]") -> bool:
    """Whether the block has been ended by its deadline."""
    if not task.done():
        return False
    assert isinstance(task.exception(), TimeoutError)
    return True


async def test_a_block_ends_at_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    async with waiting(clock.after(10)) as (deadline, task):
        await clock.passes(9.9)
        assert (ended(task), deadline.is_over) == (False, False)
        await clock.passes(0.1)
        assert (ended(task), deadline.is_over) == (True, True)


async def test_it_is_put_off_again_and_again_by_few_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    async with waiting(clock.after(10)) as (deadline, task):
        for _ in range(400):
            deadline.move(clock.after(10))
            await clock.passes(0.1)
        assert not ended(task)
        # One each ten seconds, as the one before comes too early.
        assert clock.timers == 5
        await clock.passes(9.8)
        assert not ended(task)
        await clock.passes(0.11)
        assert ended(task)


async def test_an_earlier_time_counts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    async with waiting(clock.after(100)) as (deadline, task):
        deadline.move(clock.after(5))
        deadline.move(clock.after(7))
        await clock.passes(6.9)
        assert not ended(task)
        await clock.passes(0.1)
        assert ended(task)


async def test_a_time_that_has_passed_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    async with waiting(clock.after(100)) as (deadline, task):
        deadline.move(clock.after(-1))
        await clock.passes(0)
        assert ended(task)


async def test_what_is_ended_now_is_put_off_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    async with waiting(clock.after(100)) as (deadline, task):
        deadline.end()
        deadline.move(clock.after(50))
        await clock.passes(0)
        assert ended(task)
        # As one may to whom nobody has said that it is over.
        deadline.end()
        deadline.move(clock.after(5))
        await clock.passes(100)


async def test_who_leaves_the_block_in_time_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    async with Deadline(clock.after(1)) as deadline:
        await clock.passes(0.5)
    await clock.passes(10)
    assert not deadline.is_over


async def test_other_errors_and_cancellations_pass() -> None:
    with pytest.raises(KeyError):
        async with Deadline(asyncio.get_running_loop().time() + 100):
            raise KeyError
    async with waiting(asyncio.get_running_loop().time() + 100) as (deadline, task):
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert not deadline.is_over
