"""The running exporter: its parts put together, started, and stopped without losing a scrape."""

import asyncio
import gc
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Final

import uvicorn

from iometer_exporter import __version__
from iometer_exporter.config import Config
from iometer_exporter.discovery import Discovery
from iometer_exporter.fleet import Fleet
from iometer_exporter.sockets import url_of
from iometer_exporter.web import Exporter, create_app

_log = logging.getLogger(__name__)

_GRACE: Final = 1.0
"""Seconds that scrapes under way get to finish by themselves once the process is told to stop."""

_DRAIN: Final = 1.6
"""Seconds after which connections are closed whatever they do: 2 s is the promise to the supervisor."""


async def serve(config: Config, sockets: Sequence[socket.socket]) -> None:
    """Serve on the listening sockets until SIGTERM or SIGINT."""
    async with running(config, sockets) as stop:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await stop.wait()


@asynccontextmanager
async def running(config: Config, sockets: Sequence[socket.socket]) -> AsyncIterator[asyncio.Event]:
    """The exporter, serving; it drains on exit, or as soon as the event it gives is set."""
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        discovery = None
        if config.discovery.enabled:
            discovery = await stack.enter_async_context(Discovery(config.discovery))
        fleet = await stack.enter_async_context(
            Fleet(config, discovery.services) if discovery else Fleet(config)
        )
        exporter = Exporter(
            config=config,
            fleet=fleet,
            loaded_at=time.time(),
            is_ready=discovery.first_round_done.is_set if discovery else lambda: True,
        )
        server = _Server(
            uvicorn.Config(
                create_app(exporter),
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                ws="none",
            )
        )
        # What is loaded by now stays: the collector need not walk it in every scrape, a tenth of its CPU.
        gc.freeze()
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
            yield stop
        finally:
            await _drain(server, serving, fleet)
            _log.info("iometer-exporter stopped")


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
