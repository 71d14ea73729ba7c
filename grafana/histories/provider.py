"""A day of a provider's fleet in a minute: the simulated cloud, and the real source of each shard.

Only HTTP and sockets are left out: what the cloud would send over them is handed on as it is.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Final

from graphql import OperationType

from devtools.processes import program
from grafana.histories.history import History, write_blocks
from grafana.histories.plan import Kind, Scenario
from grafana.histories.text import Recorder
from iometer_exporter.config.provider import ProviderConfig
from iometer_exporter.errors import ProviderError
from iometer_exporter.exporter import exporter_samples
from iometer_exporter.meter.guard import Limits
from iometer_exporter.meter.json_object import JsonObject
from iometer_exporter.metrics.exposition import OPENMETRICS
from iometer_exporter.metrics.families import FAMILIES
from iometer_exporter.metrics.lines import Lines
from iometer_exporter.provider.api import answers, operations
from iometer_exporter.provider.api.credentials import Credentials
from iometer_exporter.provider.api.document import decode_answer
from iometer_exporter.provider.api.models import InstallationsPage, MeterReading, Provider, ReadingsPage
from iometer_exporter.provider.api.request import operation
from iometer_exporter.provider.source import ProviderSource
from iometer_exporter.simulator.cloud.cloud import Cloud
from iometer_exporter.simulator.cloud.faults import Faults
from iometer_exporter.simulator.cloud.queries import Documents
from iometer_exporter.simulator.cloud.schema import executable_schema

INSTALLATIONS: Final = 50
SHARDS: Final = 2
SEED: Final = 1
READING_SECONDS: Final = 900
"""Between two readings of a meter."""
ENDING_DAYS: Final = {20: 5, 21: 9}
"""Installations, by index, whose licenses end so many days after the history."""
POOL_SIZES: Final = {"Household": 27}
"""Of pools that are smaller than the cloud would have them, and so nearly used up."""

_LIMITS: Final = Limits(max_power=100_000.0, reset_after=600.0)
_CREDENTIALS: Final = Credentials("token", "secret", "the history", "the history")
_LOOK_SECONDS: Final = (0.008, 0.03)
_INVENTORY_SECONDS: Final = 900
"""As docs/scale.md has it for large fleets."""


def cloud_at(scenario: Scenario, clock: Callable[[], float]) -> Cloud:
    """The cloud of a history as its clock has it; the clock must show the history's begin at first."""
    faults = Faults({"late", "duplicates", "decrease"}, late_share=0.02)
    cloud = Cloud(
        installations=INSTALLATIONS, seed=SEED, interval=READING_SECONDS, faults=faults, clock=clock
    )
    for pool in cloud.licenses.pools:
        pool["size"] = POOL_SIZES.get(pool["name"], pool["size"])
    for index, days in ENDING_DAYS.items():
        cloud.licenses.set_end(index, scenario.end + days * 86_400)
    return cloud


class _Clock:
    """Simulated time, for the cloud and for the exporters."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._moved = asyncio.Event()
        self._looked = 0.0
        self._random = Random(SEED)

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        # A little later at each look, as a request takes its time, now more and now less.
        self._looked += self._random.uniform(*_LOOK_SECONDS)
        return self.now + self._looked

    async def sleep(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            await self._moved.wait()

    def move(self, now: float) -> None:
        self.now = now
        self._moved.set()
        self._moved = asyncio.Event()


class _Client:
    """What `ProviderClient` is, with the simulated cloud in place of the network."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._documents = Documents(executable_schema(), cloud)
        self._waiting: asyncio.Queue[MeterReading | None] = asyncio.Queue()
        self._is_open = False
        self.is_down = False

    async def __aenter__(self) -> "_Client":
        return self

    async def __aexit__(self, *_: Any) -> None:
        return

    async def account(self) -> Provider:
        return answers.provider(self._asked(operations.ACCOUNT))

    async def installations(self, offset: int, limit: int) -> InstallationsPage:
        pagination = {"offset": offset, "limit": limit}
        return answers.installations_page(self._asked(operations.INSTALLATIONS, pagination=pagination))

    async def readings(
        self, *, start: datetime | None = None, limit: int = 100, cursor: str | None = None
    ) -> ReadingsPage:
        raise AssertionError("readings are subscribed to")

    async def subscribe(
        self, start: datetime | None, *, opened: Callable[[], None] | None = None
    ) -> AsyncGenerator[MeterReading | ProviderError, None]:
        if self.is_down:
            raise ProviderError("connect", "could not be reached")
        if opened is not None:
            opened()
        self._is_open = True
        while (item := await self._waiting.get()) is not None:
            self._waiting.task_done()
            yield item
        self._waiting.task_done()
        self._is_open = False
        raise ProviderError("connect", "closed the socket")

    def send(self, first: int, last: int) -> None:
        """Send the readings that arrive from one second to another, both included, if anybody listens."""
        if not self._is_open:
            return
        request = operation(operations.SUBSCRIBE_READINGS, {})
        (field,) = self._documents.plan(request, OperationType.SUBSCRIPTION)
        assert field.project is not None  # noqa: S101 (a reading has fields)
        for second in self._cloud.arrivals.seconds(first, last):
            for arrival in self._cloud.arrivals.at(second):
                sent = _decoded({field.key: field.project(self._cloud.reading(arrival))})
                reading = answers.meter_reading(JsonObject(sent[field.key]))
                assert reading is not None  # noqa: S101 (the simulated cloud sends good ones)
                self._waiting.put_nowait(reading)

    def cut(self) -> None:
        """End the subscription."""
        self._waiting.put_nowait(None)

    async def drain(self) -> None:
        """Wait until all that was sent has been taken."""
        if self._is_open:
            await self._waiting.join()
        await asyncio.sleep(0)

    def _asked(self, document: str, **variables: Any) -> dict[str, Any]:
        if self.is_down:
            raise ProviderError("http_status", "answered status 503")
        (field,) = self._documents.plan(operation(document, variables), OperationType.QUERY)
        assert field.project is not None  # noqa: S101 (the provider has fields)
        root: dict[str, Any] = _decoded({field.key: field.project(self._cloud)})[field.key]
        return root


def _decoded(data: dict[str, Any]) -> dict[str, Any]:
    """The data as a client decodes it."""
    found: dict[str, Any] = decode_answer(json.dumps({"data": data}).encode())["data"]
    return found


class _Shard:
    """An exporter with a part of the installations, and what Prometheus gets of it."""

    def __init__(self, number: int, cloud: Cloud, clock: _Clock) -> None:
        self.client = _Client(cloud)
        self.source = ProviderSource(
            replace(ProviderConfig(), page_size=25, shard=(number, SHARDS)),
            _CREDENTIALS,
            limits=_LIMITS,
            stale_after=1200.0,
            client=lambda *_: self.client,
            clock=clock,
        )
        self.recorder = Recorder({"job": "iometer", "instance": f"shard-{number}:10180"})
        self._started = clock.now
        self._following: asyncio.Task[None] | None = None
        self._due = clock.now

    async def live(self, last: float, now: float, kinds: set[Kind]) -> None:
        """Take what came since the last scrape, and read the inventory if it is time."""
        self._following = self._following or asyncio.create_task(self.source.readings.subscribe())
        await asyncio.sleep(0)
        is_down = "api-down" in kinds
        if is_down and not self.client.is_down:
            self.client.cut()
        self.client.is_down = is_down
        if not is_down:
            self.client.send(int(last) + 1, int(now))
        await self.client.drain()
        if now >= self._due:
            await self.source.inventory.refresh()
            self._due += _INVENTORY_SECONDS

    async def scrape(self, now: float, kinds: set[Kind]) -> None:
        """Record one page, without the registers as they were sent, as docs/scale.md advises."""
        off = "exporter-off" in kinds
        if not off:
            own = Lines(FAMILIES)
            samples = exporter_samples(bridges={}, reload_successful=True, reload_timestamp=self._started)
            own.add([((), samples)])
            pages = await self.source.page([own], OPENMETRICS, local=frozenset())
            self.recorder.record_text(b"".join(pages).decode(), now, leave_out=("iometer_register",))
        self.recorder.add("up", 0.0 if off else 1.0, now)
        self.recorder.add("scrape_duration_seconds", 0.001 if off else 0.021, now)

    async def end(self) -> None:
        """Stop following the readings."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])


async def _simulate(scenario: Scenario) -> list[Recorder]:
    clock = _Clock(scenario.begin)
    cloud = cloud_at(scenario, clock.time)
    shards = [_Shard(number, cloud, clock) for number in range(1, SHARDS + 1)]
    last = scenario.begin
    for now in _scrapes(scenario):
        clock.move(now)
        active = [event for event in scenario.events if event.begin <= now < event.end]
        cloud.faults.kinds ^= cloud.faults.kinds & {"null"}
        if any(event.kind == "bad-answers" for event in active):
            cloud.faults.kinds.add("null")
        for number, shard in enumerate(shards, 1):
            kinds = {event.kind for event in active if event.bridge in (0, number)}
            await shard.live(last, now, kinds)
            await shard.scrape(now, kinds)
        last = now
    for shard in shards:
        await shard.end()
    return [shard.recorder for shard in shards]


def _scrapes(scenario: Scenario) -> Iterator[float]:
    now = scenario.begin + 0.437 * scenario.interval
    while now <= scenario.end:
        yield now
        now += scenario.interval


def write(scenario: Scenario, folder: Path) -> History:
    """Add the blocks of a provider's scenario to those below the folder; raises MissingProgramError."""
    program("promtool")
    logger = logging.getLogger("iometer_exporter")
    before, logger.disabled = logger.disabled, True
    try:
        recorders = asyncio.run(_simulate(scenario))
    finally:
        logger.disabled = before
    blocks = [write_blocks(recorder, folder) for recorder in recorders]
    return History(scenario, blocks[0], {}, sum(recorder.samples for recorder in recorders))
