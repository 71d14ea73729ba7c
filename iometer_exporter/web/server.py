"""The running exporter: its parts put together, started, and stopped without losing a scrape."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from iometer_exporter import __version__
from iometer_exporter.bridges.fleet import Fleet
from iometer_exporter.config.file import Config
from iometer_exporter.errors import ConfigError
from iometer_exporter.exporter import Exporter
from iometer_exporter.net.descriptors import client_connections, raise_limit
from iometer_exporter.net.event_loop import stop_signal
from iometer_exporter.web import systemd as notify
from iometer_exporter.web.app import create_app
from iometer_exporter.web.clients import ClientLimits
from iometer_exporter.web.http_server import HttpServer
from iometer_exporter.web.listen import url_of

if TYPE_CHECKING:
    from iometer_exporter.web.gate import WebGate

_log = logging.getLogger(__name__)

_NEW_OBJECTS: Final = 20_000
"""New objects after which the collector looks for cycles; a scrape of 500 bridges has not as many at a time.

All are freed without it as soon as nothing needs them. By its default of 700 it looked through those of each
scrape again and again, which took a tenth to a quarter of the CPU of 500 bridges.
"""

_GRACE_SECONDS: Final = 1.0
"""Seconds that scrapes under way get to finish by themselves once the process is told to stop."""

_DRAIN_SECONDS: Final = 1.6
"""Seconds after which connections are closed whatever they do: 2 s is the promise to the supervisor."""

_FORCED_SECONDS: Final = 0.2
"""Seconds for the server to end once it is forced to."""


async def serve(
    load: Callable[[], Config],
    sockets: Sequence[socket.socket],
    *,
    gate: "WebGate | None" = None,
    lifecycle: bool = False,
    dashboard_url: str = "",
) -> None:
    """Serve on the listening sockets until SIGTERM or SIGINT; SIGHUP reads the configuration again.

    The gate, if there is one, is what `--web.config.file` asks for: TLS, authentication, headers. The page
    for people links to `dashboard_url`, if there is one.
    """
    stop, hangup = stop_signal(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup.set)
    async with running(
        load, sockets, gate=gate, lifecycle=lifecycle, dashboard_url=dashboard_url
    ) as exporter:
        reloading = asyncio.create_task(_reload_at(hangup, exporter))
        await stop.wait()
        reloading.cancel()


@asynccontextmanager
async def running(
    load: Callable[[], Config],
    sockets: Sequence[socket.socket],
    *,
    gate: "WebGate | None" = None,
    lifecycle: bool = False,
    dashboard_url: str = "",
    limits: ClientLimits | None = None,
) -> AsyncIterator[Exporter]:
    """The exporter, serving; it drains on exit.

    Without limits of clients, there are as many connections of them as the system's limit on descriptors
    allows, which is raised as far as it may be.
    """
    if limits is None:
        limits = ClientLimits(connections=client_connections(raise_limit()))
    async with Exporter(load, on_reload=gate.reload if gate else None) as exporter:
        config = exporter.config
        app = create_app(exporter, lifecycle=lifecycle, dashboard_url=dashboard_url)
        server = HttpServer(app, sockets, gate=gate, limits=limits)
        # What is loaded by now stays: the collector need not walk it in every scrape, a tenth of its CPU.
        gc.freeze()
        gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
        gc.enable()
        serving = asyncio.create_task(server.serve())
        _log.info(
            "iometer-exporter started",
            extra={
                "version": __version__,
                "address": _urls(sockets, gate),
                "bridges": len(config.bridges),
                "discovery": "on" if config.discovery.enabled else "off",
            },
        )
        notify.ready(_state(exporter))
        try:
            yield exporter
        finally:
            notify.stopping()
            # What is known of the provider is still served to those that ask.
            await asyncio.gather(_drain(server, serving, exporter.fleet), exporter.stop_reading())
            _log.info("iometer-exporter stopped")


def _urls(sockets: Sequence[socket.socket], gate: "WebGate | None") -> str:
    scheme = gate.scheme if gate else "http"
    return ",".join(dict.fromkeys(url_of(listening, scheme) for listening in sockets))


async def _reload_at(hangup: asyncio.Event, exporter: Exporter) -> None:
    """Reload at each signal; signals that come meanwhile are one more reload, of the file as it is then."""
    while True:
        await hangup.wait()
        hangup.clear()
        notify.reloading()
        with suppress(ConfigError):
            # The reason has been logged, and the metrics show it.
            await exporter.reload()
        notify.ready(_state(exporter))


def _state(exporter: Exporter) -> str:
    bridges = f"{len(exporter.config.bridges)} bridges configured"
    return bridges if exporter.reload_successful else f"{bridges}; the last reload failed, see the log"


async def _drain(server: HttpServer, serving: asyncio.Task[None], fleet: Fleet) -> None:
    """Take no more connections, let scrapes finish, and end what is left after a moment."""
    server.should_exit = True
    _, late = await asyncio.wait([serving], timeout=_GRACE_SECONDS)
    if late:
        await fleet.abandon()
        _, late = await asyncio.wait([serving], timeout=_DRAIN_SECONDS - _GRACE_SECONDS)
    if late:
        # An answer that its client has not read by now would be an error in the log.
        server.abort()
        await asyncio.wait([serving], timeout=_FORCED_SECONDS / 2)
        server.force_exit = True
        await asyncio.wait([serving], timeout=_FORCED_SECONDS / 2)
        serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
