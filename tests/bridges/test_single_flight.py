import asyncio

import pytest

from iometer_exporter.bridges.single_flight import SingleFlight


class Work:
    def __init__(self) -> None:
        self.runs = 0
        self.cancelled = 0
        self.release = asyncio.Event()

    async def __call__(self) -> int:
        self.runs += 1
        number = self.runs
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return number


async def test_all_who_join_share_one_run() -> None:
    work = Work()
    flight = SingleFlight(work.__call__)
    tasks = [flight.join() for _ in range(3)]
    work.release.set()
    assert await asyncio.gather(*tasks) == [1, 1, 1]
    assert work.runs == 1
    assert not any(flight.leave(task) for task in tasks)


async def test_a_finished_run_is_not_served_again() -> None:
    work = Work()
    work.release.set()
    flight = SingleFlight(work.__call__)
    first = flight.join()
    await first
    second = flight.join()
    assert (flight.leave(first), await second, work.runs) == (False, 2, 2)


async def test_the_last_to_leave_ends_the_run() -> None:
    work = Work()
    flight = SingleFlight(work.__call__)
    task = flight.join()
    assert flight.join() is task
    await asyncio.sleep(0)
    assert flight.leave(task) is False
    assert flight.leave(task) is True
    await asyncio.wait([task])
    assert (task.cancelled(), work.cancelled) == (True, 1)


async def test_one_who_comes_after_a_run_was_given_up_gets_a_new_one() -> None:
    work = Work()
    flight = SingleFlight(work.__call__)
    old = flight.join()
    await asyncio.sleep(0)
    flight.leave(old)
    new = flight.join()
    assert new is not old
    work.release.set()
    assert await new == 2


async def test_closing_ends_the_run_and_waits_for_it() -> None:
    work = Work()
    flight = SingleFlight(work.__call__)
    task = flight.join()
    await asyncio.sleep(0)
    await flight.aclose()
    assert task.cancelled()
    assert flight.leave(task) is False
    await flight.aclose()


async def test_a_fault_reaches_who_waits() -> None:
    async def broken() -> int:
        raise ValueError("bug")

    flight = SingleFlight(broken)
    with pytest.raises(ValueError, match="bug"):
        await flight.join()


async def test_who_left_a_run_that_was_given_up_does_not_leave_the_next() -> None:
    """A scrape that ends late must not take the run of the next one away from those who wait for it."""
    work = Work()
    flight = SingleFlight(work.__call__)
    old = flight.join()
    await asyncio.sleep(0)
    flight.leave(old)
    new = flight.join()
    assert flight.leave(old) is False
    assert flight.waiters == 1
    work.release.set()
    assert await new == 2


async def test_nobody_waits_for_a_run_that_was_given_up() -> None:
    work = Work()
    flight = SingleFlight(work.__call__)
    assert flight.waiters == 0
    task = flight.join()
    assert flight.waiters == 1
    await asyncio.sleep(0)
    await flight.aclose()
    assert flight.waiters == 0
    assert flight.leave(task) is False
    assert flight.waiters == 0


async def test_settling_waits_for_the_run_and_does_not_end_it() -> None:
    work = Work()
    flight = SingleFlight(work.__call__)
    await flight.settle()
    task = flight.join()
    settling = asyncio.ensure_future(flight.settle())
    await asyncio.sleep(0)
    assert not settling.done()
    work.release.set()
    await settling
    assert (await task, work.cancelled) == (1, 0)


async def test_when_a_run_began_is_known_by_the_clock_of_the_loop() -> None:
    work = Work()
    shared = SingleFlight(work.__call__)
    loop = asyncio.get_running_loop()
    before = loop.time()
    task = shared.join()
    began = shared.started
    assert before <= began <= loop.time()
    await asyncio.sleep(0.001)
    # Who joins later has not begun another.
    assert shared.join() is task
    assert shared.started == began
    work.release.set()
    await task
    again = shared.join()
    assert shared.started > began
    await again


async def test_closing_waits_for_a_run_that_takes_its_time_to_end() -> None:
    ended = asyncio.Event()

    async def slow() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.set()
        return 0

    shared = SingleFlight(slow)
    task = shared.join()
    await asyncio.sleep(0)
    shared.leave(task)
    await shared.aclose()
    assert ended.is_set()
