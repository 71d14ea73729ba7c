"""The exporter's state: the configuration in force, and the fleet and the browser that follow it."""

import asyncio
import logging
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from iometer_exporter import __version__
from iometer_exporter.bridges.fleet import Fleet
from iometer_exporter.bridges.snapshot import SOURCES, Source
from iometer_exporter.config.file import Config, DiscoveryConfig
from iometer_exporter.errors import ConfigError
from iometer_exporter.meter.memory import Memory
from iometer_exporter.metrics.families import (
    BRIDGES,
    BUILD_INFO,
    DISCOVERY_LIMITED,
    RELOAD_SUCCESSFUL,
    RELOAD_TIMESTAMP,
    Sample,
)

if TYPE_CHECKING:
    from iometer_exporter.bridges.discovery.announcements import Service
    from iometer_exporter.bridges.discovery.browser import Discovery
    from iometer_exporter.provider.source import ProviderSource
    from iometer_exporter.state.keeper import Keeper, StateKeeper

_log = logging.getLogger(__name__)


class Exporter:
    """The bridges under the configuration that `load` gives; running inside `async with`."""

    def __init__(self, load: Callable[[], Config], *, on_reload: Callable[[], None] | None = None) -> None:
        """Load the configuration; raises ConfigError if it is bad.

        `on_reload` reads again what belongs to a reload besides, all or nothing.
        """
        self._load = load
        self._on_reload = on_reload
        self.config = load()
        self.loaded_at = time.time()
        """Unix time at which a good configuration was last read."""
        self.reload_successful = True
        self.reload_error = ""
        """Why the configuration was not reloaded, empty if it was."""
        self._discovery: Discovery | None = None
        self._memory = Memory()
        self._state: StateKeeper | None = None
        self.fleet = Fleet(self.config, self._services, self._memory)
        self.provider: ProviderSource | None = None
        """The provider API, if one is configured."""
        self.provider = self._source(self.config)
        self._reloading = asyncio.Lock()

    async def __aenter__(self) -> "Exporter":
        # First: the guards go on from it.
        await self._keep_state(self.config.state_file)
        self.fleet.go_live()
        if self.config.discovery.enabled:
            self._discovery = _browsing(self.config.discovery)
        if self.provider is not None:
            await self.provider.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop_reading()
        if self._discovery is not None:
            await self._discovery.aclose()
        await self.fleet.aclose()
        await self._keep_state(None)

    async def stop_reading(self) -> None:
        """End what reads in the background, so that it is over when the last scrapes are."""
        if self.provider is not None:
            await self.provider.aclose()

    @property
    def is_discovered(self) -> bool:
        """Whether the bridges that are there have had the time to announce themselves."""
        return self._discovery is None or self._discovery.first_round_done.is_set()

    @property
    def not_ready_reason(self) -> str | None:
        """Reason in words why the exporter is not ready yet; None once it is."""
        if not self.is_discovered:
            return "the first discovery round is under way"
        if self.provider is not None and not self.provider.tried:
            return "the first inventory of the provider API is under way"
        return None

    def samples(self) -> Iterator[Sample]:
        """The samples of the exporter itself."""
        return exporter_samples(
            bridges=self.fleet.counts,
            limited=self.fleet.limited,
            reload_successful=self.reload_successful,
            reload_timestamp=self.loaded_at,
        )

    async def reload(self) -> None:
        """Read the configuration again and follow it; raises ConfigError, and keeps the old one, if bad."""
        async with self._reloading:
            try:
                config = self._load()
                provider = self._source(config)
                if self._on_reload is not None:
                    self._on_reload()
            except ConfigError as error:
                self.reload_successful = False
                self.reload_error = str(error)
                _log.error("configuration not reloaded, the old one stays: %s", error)
                raise
            await self._apply(config, provider)
            self.loaded_at = time.time()
            self.reload_successful = True
            self.reload_error = ""
            _log.info("configuration reloaded", extra={"bridges": len(config.bridges)})

    async def _apply(self, config: Config, provider: "ProviderSource | None") -> None:
        before, self.config = self.config, config
        if config.discovery != before.discovery:
            old = self._discovery
            self._discovery = None
            if config.discovery.enabled:
                self._discovery = _browsing(config.discovery)
                if old is not None and old.first_round_done.is_set():
                    # What the one before found is known already: there is nothing to wait for.
                    self._discovery.first_round_done.set()
            if old is not None:
                await old.aclose()
        if config.state_file != before.state_file:
            await self._keep_state(config.state_file)
        self.fleet.reconfigure(config)
        await self._switch_provider(provider)

    async def _keep_state(self, path: str | None) -> None:
        """Keep what is known in the file at the path, no longer in the one before; without path in none."""
        before, self._state = self._state, None
        if before is not None:
            await before.aclose()
        if path:
            # Imported here: most have no file, and the start-up is theirs.
            from iometer_exporter.state.keeper import StateKeeper

            keepers: list[Keeper] = [self._memory, self._memory.days]
            if self.provider is not None:
                keepers.append(self.provider.memory)
            self._state = StateKeeper(Path(path), keepers, started=time.time())
            await self._state.start()

    async def _switch_provider(self, provider: "ProviderSource | None") -> None:
        """Go on with the source of the new configuration, which may be the one that runs."""
        before, self.provider = self.provider, provider
        if provider is not before:
            if before is not None:
                await before.aclose()
            await self._keep_provider(before, provider)
            if provider is not None:
                await provider.start()
        if provider is not None:
            provider.configure(self.config.limits, self.config.stale_after)

    async def _keep_provider(self, before: "ProviderSource | None", after: "ProviderSource | None") -> None:
        """Keep in the state file what the new source knows; for the same place, the old one knew it too."""
        if self._state is None or (before and after and before.memory is after.memory):
            return
        if before is not None:
            self._state.remove(before.memory)
        if after is not None:
            await self._state.add(after.memory)

    def _source(self, config: Config) -> "ProviderSource | None":
        """The source for a configuration: none, the one that runs if it serves that, else a new one.

        Raises ConfigError where credentials or packages are missing, or the name of the pod says no shard.
        """
        if config.provider is None:
            return None
        # Imported here: few have a provider, and the start-up is that of all.
        from iometer_exporter.config.provider import check_extra

        check_extra()
        from iometer_exporter.provider.api.credentials import load
        from iometer_exporter.provider.source import ProviderSource

        credentials, before = load(config.provider), self.provider
        if before is not None and (before.config, before.credentials) == (config.provider, credentials):
            return before
        return ProviderSource(
            config.provider,
            credentials,
            limits=config.limits,
            stale_after=config.stale_after,
            before=before,
        )

    def _services(self) -> "Sequence[Service]":
        return self._discovery.services() if self._discovery is not None else ()


def _browsing(config: DiscoveryConfig) -> "Discovery":
    """Discovery that has started."""
    # Imported here: where discovery is off, the start-up goes without.
    from iometer_exporter.bridges.discovery.browser import Discovery

    discovery = Discovery(config)
    discovery.start()
    return discovery


def exporter_samples(
    *,
    bridges: Mapping[Source, int],
    limited: bool = False,
    reload_successful: bool,
    reload_timestamp: float,
) -> Iterator[Sample]:
    """The samples of the exporter itself; the time of the last good configuration is Unix time."""
    for source in SOURCES:
        yield BRIDGES, (source,), bridges.get(source, 0)
    yield DISCOVERY_LIMITED, (), int(limited)
    yield BUILD_INFO, (__version__, platform.python_version()), 1
    yield RELOAD_SUCCESSFUL, (), int(reload_successful)
    yield RELOAD_TIMESTAMP, (), reload_timestamp
