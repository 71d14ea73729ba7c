"""Waiting that a person is told of."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import click

_MOMENT_SECONDS: Final = 1.0

T = TypeVar("T")


async def announced(text: str, work: Coroutine[Any, Any, T]) -> T:
    """The result of the work; the text on stderr, on a terminal at once, else if it takes a while."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait([task], timeout=0.0 if sys.stderr.isatty() else _MOMENT_SECONDS)
        if not done:
            click.echo(text, err=True)
        return await task
    finally:
        task.cancel()
