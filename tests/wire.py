"""Transports over each of the two readers of HTTP answers, and work that is cancelled at a chosen await."""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any, Final

from iometer_exporter.bridges.http.answer import AnswerReader
from iometer_exporter.bridges.http.connection import Connection
from iometer_exporter.bridges.http.h11_reader import H11Reader
from iometer_exporter.bridges.http.httptools_reader import HttptoolsReader
from iometer_exporter.bridges.http.transport import BridgeTransport

Reader = Callable[[], AnswerReader]

READERS: Final[tuple[Reader, ...]] = (HttptoolsReader, H11Reader)


def transport(reader: Reader, *, idle_connections: int = 100) -> BridgeTransport:
    """A transport whose connections read with the reader."""
    return BridgeTransport(connection=lambda: Connection(reader), idle_connections=idle_connections)


def cancellations(most: int = 200) -> Iterator[tuple[int, bool]]:
    """Where to cancel: at each await, before what it waits for has come and just as it has."""
    for at in range(most):
        yield at, False
        yield at, True


@types.coroutine
def cancelled_at(work: Coroutine[Any, Any, Any], at: int, late: bool) -> Generator[Any, Any, bool]:
    """Run the work, cancelled at its await of that number; whether it came so far.

    A late cancellation takes the place of what the await would have given, as when both come in one turn of
    the loop. How the work ends is not told.
    """
    count = 0
    cancelled = False
    step: Callable[[Any], Any] = work.send
    value: Any = None
    while True:
        try:
            waited_for = step(value)
        except (StopIteration, asyncio.CancelledError):
            return cancelled
        is_here = count == at
        count += 1
        if is_here and not late:
            if waited_for is not None:
                waited_for._asyncio_future_blocking = False
                waited_for.cancel()
        else:
            try:
                step, value = work.send, (yield waited_for)
            except BaseException as error:
                step, value = work.throw, error
        if is_here:
            cancelled = True
            step, value = work.throw, asyncio.CancelledError()
