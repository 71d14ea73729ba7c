"""The event loop of this program: a name server that is silent holds up neither it nor its end.

asyncio looks names up in threads of its executor, for whose end the end of the process waits: up to half a
minute, or five from Python 3.12 on, and systemd or Docker would kill it long before.
"""

import asyncio
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

if sys.platform == "win32":  # pragma: no cover (the loop that asyncio takes there)
    _Base = asyncio.ProactorEventLoop
else:
    _Base = asyncio.SelectorEventLoop


class EventLoop(_Base):
    """asyncio's own, which looks names up in threads that end with the process."""

    async def getaddrinfo(
        self,
        host: str | bytes | None,
        port: str | bytes | int | None,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """As `socket.getaddrinfo`. Whoever is cancelled leaves its thread to end by itself."""
        return await in_daemon_thread(partial(socket.getaddrinfo, host, port, family, type, proto, flags))


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine to its end, as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        return runner.run(main)


def stop_signal() -> asyncio.Event:
    """An event of the running loop that SIGTERM and SIGINT set, which from now on no longer end the process.

    To be asked for before anybody is told that something runs: who reads that may stop it at once.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def in_daemon_thread(work: Callable[[], T]) -> T:
    """The result of the work, or its error, from a thread for which the end of the process does not wait."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def call() -> None:
        result, failure = None, None
        try:
            result = work()
        except Exception as error:
            failure = error
        # The loop may be closed by now: nobody waits any more.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, failure)

    try:
        threading.Thread(target=call, name="lookup", daemon=True).start()
    except RuntimeError as error:
        raise OSError("no thread is left for it") from error
    return await done
