"""The exporter's state: the configuration in force, and the fleet and the browser that follow it."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from iometer_exporter.config import Config
from iometer_exporter.discovery import Discovery, Service
from iometer_exporter.errors import ConfigError
from iometer_exporter.fleet import Fleet

_log = logging.getLogger(__name__)


class Exporter:
    """The bridges under the configuration that `load` gives; running inside `async with`."""

    def __init__(self, load: Callable[[], Config], *, also_reload: Callable[[], None] | None = None) -> None:
        """Load the configuration; raises ConfigError if it is bad.

        `also_reload` reads again what belongs to a reload besides, all or nothing.
        """
        self._load = load
        self._also_reload = also_reload
        self.config = load()
        self.loaded_at = time.time()
        """Unix time at which a good configuration was last read."""
        self.reload_successful = True
        self._discovery: Discovery | None = None
        self.fleet = Fleet(self.config, self._services)
        self._reloading = asyncio.Lock()

    async def __aenter__(self) -> "Exporter":
        if self.config.discovery.enabled:
            self._discovery = Discovery(self.config.discovery)
            self._discovery.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._discovery is not None:
            await self._discovery.aclose()
        await self.fleet.aclose()

    @property
    def is_ready(self) -> bool:
        """Whether the bridges that are there have had the time to announce themselves."""
        return self._discovery is None or self._discovery.first_round_done.is_set()

    async def reload(self) -> None:
        """Read the configuration again and follow it; raises ConfigError, and keeps the old one, if bad."""
        async with self._reloading:
            try:
                config = self._load()
                if self._also_reload is not None:
                    self._also_reload()
            except ConfigError as error:
                self.reload_successful = False
                _log.error("configuration not reloaded, the old one stays: %s", error)
                raise
            await self._follow(config)
            self.loaded_at = time.time()
            self.reload_successful = True
            _log.info("configuration reloaded", extra={"bridges": len(config.bridges)})

    async def _follow(self, config: Config) -> None:
        before, self.config = self.config, config
        if config.discovery != before.discovery:
            old = self._discovery
            self._discovery = None
            if config.discovery.enabled:
                self._discovery = Discovery(config.discovery, known=old.services() if old else ())
                self._discovery.start()
                if old is not None and old.first_round_done.is_set():
                    # What the one before found is known already: there is nothing to wait for.
                    self._discovery.first_round_done.set()
            if old is not None:
                await old.aclose()
        self.fleet.reconfigure(config)

    def _services(self) -> Sequence[Service]:
        return self._discovery.services() if self._discovery is not None else ()
