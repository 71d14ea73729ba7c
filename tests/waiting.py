"""How a test waits for what others do: as long as a busy machine may need, and no longer than it takes."""

import asyncio
from collections.abc import Callable

from devtools.waiting import PATIENCE as PATIENCE
from devtools.waiting import eventually as eventually  # tests take both ways of waiting from here


async def until(condition: Callable[[], object], timeout: float = PATIENCE) -> None:
    """Wait until the condition is true, while others on the loop work."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + timeout
    while not (result := condition()):  # the condition is not ours to make an Event
        assert loop.time() < give_up, f"still {result!r} after {timeout} s"
        await asyncio.sleep(0.005)
