"""Background work beside scrapes: who gets how much of the event loop."""

import asyncio

import pytest

from iometer_exporter.provider.reading.pace import LONGEST_TURN_SECONDS, REST, TURNS, Pace
from tests.turns import turns_of_others

STEP = LONGEST_TURN_SECONDS / 8
"""Seconds of work between two checkpoints."""


class Work:
    """Work in small steps of simulated time, which passes while it works or rests and at no other time.

    It is the clock, too.
    """

    def __init__(self) -> None:
        self._time = 0.0
        self.pace = Pace(self)
        self.rests: list[float] = []
        """Seconds of each rest beside a scrape."""

    async def steps(self, number: int) -> None:
        for _ in range(number):
            self._time += STEP
            await self.pace.checkpoint()

    def time(self) -> float:
        return self._time

    def monotonic(self) -> float:
        return self._time

    async def sleep(self, seconds: float) -> None:
        self.rests.append(seconds)
        self._time += seconds
        await asyncio.sleep(0)


async def test_others_get_their_turns_after_each_turn_of_work_and_not_before() -> None:
    work = Work()
    async with turns_of_others() as turns:
        await work.steps(7)
        assert turns.count == 0
        await work.steps(1)
        assert turns.count == TURNS
        await work.steps(7)
        assert turns.count == TURNS
        await work.steps(1)
        assert turns.count == 2 * TURNS
    assert work.rests == []


async def test_beside_a_scrape_it_rests_most_of_the_time() -> None:
    work = Work()
    with work.pace.scrape():
        with work.pace.scrape():
            pass
        await work.steps(24)
    assert work.rests == [pytest.approx(LONGEST_TURN_SECONDS * REST)] * 3
    await work.steps(80)
    assert len(work.rests) == 3


async def test_a_long_step_is_rested_from_for_longer() -> None:
    work = Work()
    with work.pace.scrape():
        work._time += 20 * LONGEST_TURN_SECONDS
        await work.pace.checkpoint()
        # What was rested is not worked.
        await work.pace.checkpoint()
    assert work.rests == [pytest.approx(20 * LONGEST_TURN_SECONDS * REST)]
