"""How a test waits for what others do: as long as a busy machine may need, and no longer than it takes."""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

PATIENCE: Final = float(os.environ.get("PATIENCE", "60"))
"""Seconds; they pass only where a test fails. Trying mutants, where many do, takes less."""


def eventually(probe: Callable[[], T | None], timeout: float = PATIENCE) -> T:
    """The first true result of the probe."""
    give_up = time.monotonic() + timeout
    while not (result := probe()):
        assert time.monotonic() < give_up, f"still {result!r} after {timeout} s"
        time.sleep(0.05)
    return result


async def until(condition: Callable[[], object], timeout: float = PATIENCE) -> None:
    """Wait until the condition is true, while others on the loop work."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + timeout
    while not (result := condition()):  # the condition is not ours to make an Event
        assert loop.time() < give_up, f"still {result!r} after {timeout} s"
        await asyncio.sleep(0.005)
