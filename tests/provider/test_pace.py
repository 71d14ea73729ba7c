"""Background work beside scrapes: who gets how much of the event loop."""

import time

from iometer_exporter.provider.reading.pace import LONGEST_TURN_SECONDS, Pace
from tests.turns import turns_of_others


async def worked(pace: Pace, seconds: float) -> tuple[float, float]:
    """Work for so many seconds in small steps; gives the time that it took, and the longest of its turns."""
    began = last = time.perf_counter()
    spent = longest = 0.0
    while spent < seconds:
        step = time.perf_counter()
        while time.perf_counter() - step < LONGEST_TURN_SECONDS / 10:
            pass
        spent += time.perf_counter() - step
        before = time.perf_counter()
        await pace.checkpoint()
        if time.perf_counter() - before > LONGEST_TURN_SECONDS / 100:
            longest, last = max(longest, before - last), time.perf_counter()
    return time.perf_counter() - began, longest


async def test_work_goes_on_while_nobody_waits() -> None:
    took, longest = await worked(Pace(), 0.1)
    assert took < 0.2
    assert longest < 0.05


async def test_beside_a_scrape_it_rests_most_of_the_time() -> None:
    pace = Pace()
    with pace.scrape():
        with pace.scrape():
            pass
        took, _ = await worked(pace, 0.02)
    assert took > 0.06
    took, _ = await worked(pace, 0.02)
    assert took < 0.06


async def test_others_get_several_turns_between_two_turns_of_work() -> None:
    async with turns_of_others() as turns:
        await worked(Pace(), 20 * LONGEST_TURN_SECONDS)
    assert turns.count > 20
