"""The provider API as a source beside the bridges: read in the background, served from memory."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

from iometer_exporter.config.provider import ProviderConfig, ReadingsMode, cleartext_warning
from iometer_exporter.config.shard import AutoShard, own_shard, pod_name
from iometer_exporter.meter.guard import Limits
from iometer_exporter.metrics.exposition import Format
from iometer_exporter.metrics.lines import Lines
from iometer_exporter.provider.api.credentials import Credentials
from iometer_exporter.provider.api.models import Wanted
from iometer_exporter.provider.reading.clock import Clock, CooperativeYield, SystemClock
from iometer_exporter.provider.reading.inventory import Inventory, InventoryClient
from iometer_exporter.provider.reading.pace import Pace
from iometer_exporter.provider.reading.readings import Readings, ReadingsClient
from iometer_exporter.provider.reading.request_log import RequestLog
from iometer_exporter.provider.samples import provider_samples
from iometer_exporter.provider.served.counts import ReadingCounts
from iometer_exporter.provider.served.exposition import assemble
from iometer_exporter.provider.served.families import PROVIDER_FAMILIES
from iometer_exporter.provider.served.installations import Installations
from iometer_exporter.provider.served.remembered import ProviderMemory
from iometer_exporter.provider.served.shard import WHOLE

_log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 60.0
"""Between two walks of the cursor."""

_WRITE_SECONDS: Final = 1.0
"""After which changes are written at the latest, so that a scrape finds little left to write."""

_LONGEST_WRITING_SECONDS: Final = 0.005
"""Of writing, after which the event loop gets its turn."""

_LONGEST_CLOSING_SECONDS: Final = 1.0

_RESTART_SECONDS: Final = 30.0
"""Until background work is begun anew that a fault of this program ended."""


class Client(InventoryClient, ReadingsClient, Protocol):
    """The part of `client.ProviderClient` that is used here."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Summary:
    """The source at a glance, for people.

    `inventory_at` is the Unix time of the last whole inventory, `problems` are sentences.
    """

    name: str
    installations: int
    inventory_at: float | None
    readings: ReadingsMode
    is_subscribed: bool
    problems: tuple[str, ...]


class ProviderSource:
    """Data of the provider API, kept up to date between `start` and `aclose`."""

    def __init__(
        self,
        config: ProviderConfig,
        credentials: Credentials,
        *,
        limits: Limits,
        stale_after: float,
        before: "ProviderSource | None" = None,
        client: Callable[[ProviderConfig, Credentials, Wanted | None], Client] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Read with these credentials; take over what a source `before` knows, if it is of the same place.

        A test puts its own client and clock in place of the real ones. Raises ConfigError where the name of
        the pod should say the shard and does not.
        """
        self.config = config
        self.credentials = credentials
        self.shard = own_shard(config.shard)
        self.clock: Clock = clock or SystemClock()
        self._open = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._fault = ""
        same = before if before is not None and before._place == self._place else None
        self.request_log: RequestLog = before.request_log if before is not None else RequestLog()
        self.counts: ReadingCounts = before.counts if before is not None else ReadingCounts()
        self.memory: ProviderMemory = same.memory if same is not None else ProviderMemory(config.url)
        """For the state file."""
        self.installations: Installations = (
            same.installations
            if same is not None
            else Installations(limits=limits, stale_after=stale_after, shard=self.shard, memory=self.memory)
        )
        wanted = None if self.shard == WHOLE else self.installations.is_ours
        self._client = (client or _real_client)(config, credentials, wanted)
        self.pace = Pace()
        """For whoever sends a page."""
        self.inventory: Inventory = Inventory(
            self._client,
            self.installations,
            self.request_log,
            self.clock,
            counts=self.counts,
            pace=self.pace,
            interval=config.inventory_interval,
            page_size=config.page_size,
        )
        self.readings: Readings = Readings(
            self._client,
            self.installations,
            self.request_log,
            self.clock,
            counts=self.counts,
            pace=self.pace,
            resume=same.readings.resume if same is not None else None,
        )
        self.memory.resume = lambda: self.readings.resume
        if before is not None:
            self.readings.reconnects = before.readings.reconnects
        if same is not None:
            self.inventory.take_over(same.inventory)

    @property
    def _place(self) -> tuple[str, tuple[int, int]]:
        return self.config.url, self.shard

    @property
    def tried(self) -> bool:
        """Whether the inventory has been read once, well or not."""
        return self.inventory.tried.is_set()

    def summary(self) -> Summary:
        """The source at a glance."""
        inventory = self.inventory
        return Summary(
            name=inventory.account.name if inventory.account is not None else "",
            installations=len(self.installations),
            inventory_at=inventory.completed,
            readings=self.config.readings,
            is_subscribed=self.readings.is_up,
            problems=tuple(self.request_log.failing),
        )

    def configure(self, limits: Limits, stale_after: float) -> None:
        """Follow the part of the configuration that is not about the API."""
        self.installations.limits = limits
        self.installations.stale_after = stale_after

    async def start(self) -> None:
        """Begin to read in the background, from where an earlier run has ended if the memory knows it."""
        if self.readings.resume is None:
            self.readings.resume = self.memory.recall_resume()
        if (warning := cleartext_warning(self.config.url)) is not None:
            _log.warning("%s", warning)
        if isinstance(self.config.shard, AutoShard):
            _log.info("the name of the pod says shard %d of %d", *self.shard, extra={"pod": pod_name()})
        await self._open.enter_async_context(self._client)
        self._tasks = [
            asyncio.create_task(self._last_guard(work))
            for work in (self.inventory.run, self._follow_readings, self._write)
        ]

    async def aclose(self) -> None:
        """Stop reading and close the connections; what is known stays."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            # Whoever does not answer a farewell is not waited for.
            await asyncio.wait(tasks, timeout=_LONGEST_CLOSING_SECONDS)
        await self._open.aclose()

    async def page(
        self, parts: Iterable[Lines], text_format: Format, *, local: frozenset[str]
    ) -> list[bytes]:
        """The page of a scrape, in pieces: the parts, such as that of bridges, and what is the provider's.

        Meters whose numbers are in `local` are served by bridges and left out here.
        """
        self.installations.serve_locally(local)
        with self.pace.scrape():
            await self._write_lines()
        own = Lines(PROVIDER_FAMILIES)
        samples = provider_samples(
            self.config.readings,
            inventory=self.inventory,
            readings=self.readings,
            request_log=self.request_log,
            counts=self.counts,
            installations=len(self.installations),
        )
        own.add([((), samples)])
        return assemble((*parts, own), self.installations.store, text_format)

    async def _write_lines(self) -> None:
        cooperative, store = CooperativeYield(_LONGEST_WRITING_SECONDS), self.installations.store
        for _ in store.refresh(self.clock.time()):
            await cooperative.checkpoint()
        if store.fault is not None and repr(store.fault) != self._fault:
            # Of one kind once: it is tried again at each scrape.
            self._fault = repr(store.fault)
            _log.error("an installation cannot be served, please report this", exc_info=store.fault)
        store.fault = None

    async def _write(self) -> None:
        while True:
            await self.clock.sleep(_WRITE_SECONDS)
            if self.installations.store.pending:
                await self._write_lines()

    async def _follow_readings(self) -> None:
        if self.config.readings == "off":
            return
        # The newest readings are in the inventory: those of the last day then cost little.
        await self.inventory.tried.wait()
        if self.config.readings == "subscribe":
            await self.readings.subscribe()
        else:
            await self.readings.poll(min(_POLL_SECONDS, self.config.inventory_interval))

    async def _last_guard(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """The work; a fault of this program that some data brings to light is logged, and it begins anew."""
        while True:
            try:
                return await work()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # Nobody has cancelled this: it got lost on its way to something else.
                _log.exception("reading the provider API ended by itself, please report this")
            except Exception:
                _log.exception("reading the provider API failed, please report this")
            self.inventory.tried.set()
            await self.clock.sleep(_RESTART_SECONDS)


def _real_client(config: ProviderConfig, credentials: Credentials, wanted: Wanted | None) -> Client:
    # Imported here, as a test with its own client needs none of it; and the socket before it is needed, as
    # that would hold up a scrape.
    from iometer_exporter.provider.api import websocket  # noqa: F401
    from iometer_exporter.provider.api.client import ProviderClient

    return ProviderClient(config.url, credentials, wanted=wanted)
