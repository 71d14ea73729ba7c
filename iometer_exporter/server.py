"""The running exporter: its parts put together, started, and stopped without losing a scrape."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

import uvicorn

from iometer_exporter import __version__
from iometer_exporter.config import Config
from iometer_exporter.errors import ConfigError
from iometer_exporter.exporter import Exporter
from iometer_exporter.fleet import Fleet
from iometer_exporter.sockets import url_of
from iometer_exporter.web import create_app

_log = logging.getLogger(__name__)

_GRACE: Final = 1.0
"""Seconds that scrapes under way get to finish by themselves once the process is told to stop."""

_DRAIN: Final = 1.6
"""Seconds after which connections are closed whatever they do: 2 s is the promise to the supervisor."""


async def serve(
    load: Callable[[], Config], sockets: Sequence[socket.socket], *, lifecycle: bool = False
) -> None:
    """Serve on the listening sockets until SIGTERM or SIGINT; SIGHUP reads the configuration again."""
    async with running(load, sockets, lifecycle=lifecycle) as exporter:
        loop = asyncio.get_running_loop()
        stop, hangup = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, hangup.set)
        reloading = asyncio.create_task(_reload_at(hangup, exporter))
        await stop.wait()
        reloading.cancel()


@asynccontextmanager
async def running(
    load: Callable[[], Config], sockets: Sequence[socket.socket], *, lifecycle: bool = False
) -> AsyncIterator[Exporter]:
    """The exporter, serving; it drains on exit."""
    async with Exporter(load) as exporter:
        config = exporter.config
        server = _Server(
            uvicorn.Config(
                create_app(exporter, lifecycle=lifecycle),
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                ws="none",
            )
        )
        # What is loaded by now stays: the collector need not walk it in every scrape, a tenth of its CPU.
        gc.freeze()
        gc.enable()
        serving = asyncio.create_task(server.serve(sockets=list(sockets)))
        _log.info(
            "iometer-exporter started",
            extra={
                "version": __version__,
                "address": ",".join(dict.fromkeys(url_of(listening) for listening in sockets)),
                "bridges": len(config.bridges),
                "discovery": "on" if config.discovery.enabled else "off",
            },
        )
        try:
            yield exporter
        finally:
            await _drain(server, serving, exporter.fleet)
            _log.info("iometer-exporter stopped")


async def _reload_at(hangup: asyncio.Event, exporter: Exporter) -> None:
    """Reload at each signal; signals that come meanwhile are one more reload, of the file as it is then."""
    while True:
        await hangup.wait()
        hangup.clear()
        with suppress(ConfigError):
            # The reason has been logged, and the metrics show it.
            await exporter.reload()


async def _drain(server: "_Server", serving: asyncio.Task[None], fleet: Fleet) -> None:
    """Take no more connections, let scrapes finish, and end what is left after a moment."""
    server.should_exit = True
    _, late = await asyncio.wait([serving], timeout=_GRACE)
    if late:
        await fleet.abandon()
        _, late = await asyncio.wait([serving], timeout=_DRAIN - _GRACE)
    if late:
        server.force_exit = True
    await serving


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the loop: uvicorn would raise them again after a clean stop."""
        yield
