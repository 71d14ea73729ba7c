"""Turns of the event loop that are left to others: counted, not timed, for a busy machine is no failure."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass
class Turns:
    """How many there have been."""

    count: int = 0


@asynccontextmanager
async def turns_of_others() -> AsyncIterator[Turns]:
    """Another task, which takes every turn that it is left while the block runs."""
    turns = Turns()

    async def other() -> None:
        while True:
            turns.count += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    try:
        yield turns
    finally:
        task.cancel()
