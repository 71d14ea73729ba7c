"""A fleet that tests make up: values as the client gives them, a client with a script, and simulated time."""

import asyncio
import heapq
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any, Final, Self

from iometer_exporter.errors import ProviderError
from iometer_exporter.meter.guard import Limits
from iometer_exporter.meter.models import Reading, Register
from iometer_exporter.meter.obis import ObisCode
from iometer_exporter.provider.api.models import (
    Device,
    Installation,
    InstallationsPage,
    License,
    LicensePool,
    LicenseTerm,
    Meter,
    MeterReading,
    Provider,
    ReadingsPage,
    SigningKey,
)
from iometer_exporter.provider.served.families import INSTALLATION_FAMILIES
from iometer_exporter.provider.served.installations import Installations, Refusal

NOW: Final = datetime(2026, 11, 11, 11, 11, tzinfo=UTC).timestamp()
LIMITS: Final = Limits(100_000.0, 600.0)
STALE_AFTER: Final = 1200.0

_LONGEST_SETTLING_TURNS: Final = 200
"""Where something never comes to rest."""

_IDLE_TURNS: Final = 5
"""What goes over a socket of this host may take one."""

IMPORT, EXPORT, POWER = "1-0:1.8.0", "1-0:2.8.0", "1-0:16.7.0"


def at(seconds: float) -> datetime:
    """The time so many seconds after `NOW`."""
    return datetime.fromtimestamp(NOW + seconds, UTC)


def reading(
    seconds: float = 0.0,
    energy: float | str = 1000,
    *,
    number: str = "M1",
    power: float | str | None = 500,
    more: Mapping[str, tuple[str, str]] = {},
    problems: tuple[str, ...] = (),
) -> Reading:
    """A reading taken so many seconds after `NOW`, energy in Wh."""
    values = {IMPORT: (str(energy), "Wh"), **more}
    if power is not None:
        values[POWER] = (str(power), "W")
    registers = {}
    for text, (value, unit) in values.items():
        code = ObisCode.parse(text)
        registers[code] = Register(code, Decimal(value), unit)
    return Reading(number, at(seconds), registers, problems=problems)


def device(**changes: Any) -> Device:
    """A healthy device on battery."""
    values: dict[str, Any] = {
        "id": "device-1",
        "connection": "connected",
        "core_connection": "connected",
        "attachment": "attached",
        "power": "battery",
        "pin": "entered",
        "battery_ratio": 0.8,
        "http_push": "disabled",
    }
    return Device(**(values | changes))


def license_(**changes: Any) -> License:
    """A license that runs."""
    values: dict[str, Any] = {
        "pool": None,
        "term": LicenseTerm(12, True),
        "start": at(-86400),
        "end": at(86400),
        "status": "active",
    }
    return License(**(values | changes))


def installation(id: str = "i1", external_id: str = "", **changes: Any) -> Installation:
    """An installation with one meter `M1`, which has no reading yet."""
    meter = Meter(f"{id}-m1", "M1", None)
    values: dict[str, Any] = {
        "license": license_(),
        "meters": (meter,),
        "devices": (device(),),
        "current_device": device(),
        "problems": (),
    } | changes
    meters = values["meters"]
    values.setdefault("current_meter", meters[0] if meters else None)
    return Installation(id=id, external_id=external_id, **values)


def received(
    taken: Reading, *, id: str = "i1", meter_id: str = "", external_id: str = "", delay: float = 2.0
) -> MeterReading:
    """The reading as the cloud received it, so many seconds later."""
    moment = datetime.fromtimestamp(taken.time.timestamp() + delay, UTC)
    return MeterReading(id, external_id, meter_id or f"{id}-m1", moment, taken)


def fleet(*known: Installation, **changes: Any) -> Installations:
    """Installations that one refresh at `NOW` has seen."""
    settings: dict[str, Any] = {"limits": LIMITS, "stale_after": STALE_AFTER} | changes
    installations = Installations(**settings)
    refresh(installations, *known)
    return installations


def refresh(installations: Installations, *known: Installation, seconds: float = 0.0) -> list[Refusal]:
    """One complete refresh; gives what was refused."""
    installations.begin_refresh()
    refused = [each for one in known for each in installations.see(one, NOW + seconds, seconds)]
    installations.end_refresh()
    return refused


def lines(installations: Installations, seconds: float = 0.0) -> list[str]:
    """All lines of samples, so many seconds after `NOW`."""
    store = installations.store
    for _ in store.refresh(NOW + seconds):
        pass
    text = b"".join(piece for family in range(len(INSTALLATION_FAMILIES)) for piece in store.pieces(family))
    return text.decode().splitlines()


def values(installations: Installations, seconds: float = 0.0) -> dict[str, float]:
    """The samples by name and labels as they are written."""
    return dict(split(line) for line in lines(installations, seconds))


def split(line: str) -> tuple[str, float]:
    series, _, value = line.rpartition(" ")
    return series, float(value)


def account(**changes: Any) -> Provider:
    """The account of the provider."""
    values: dict[str, Any] = {
        "id": "provider-1",
        "name": "Example",
        "signing_keys": (SigningKey("key-1", "default", True),),
        "license_pools": (LicensePool("pool-1", "main", 100, 7, None),),
    }
    return Provider(**(values | changes))


class SimulatedClock:
    """Time that passes only in `advance`."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now
        self._passed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self.slept: list[float] = []
        """What was asked for, in the order of it."""

    def time(self) -> float:
        return self.now + self._passed

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._passed + seconds, next(self._numbers), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Wake the sleepers one after the other, each at its time."""
        until = self._passed + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            self._passed, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
            await self.settle()
        self._passed = until
        await self.settle()

    async def settle(self) -> None:
        """Let everything run that can, until the event loop has been idle for some turns."""
        # Of the loop's own: asyncio does not say by itself whether anything else wants to run.
        ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
        idle = 0
        for _ in range(_LONGEST_SETTLING_TURNS):
            await asyncio.sleep(0)
            idle = 0 if ready else idle + 1
            if idle == _IDLE_TURNS:
                return


@dataclass
class ScriptedClient:
    """A client that gives what a test puts into it; an error in a place of data is raised."""

    fleet: list[Installation] = field(default_factory=list)
    provider: Provider | ProviderError = field(default_factory=account)
    page_errors: dict[int, ProviderError] = field(default_factory=dict)
    """By the offset of the page."""
    page_problems: tuple[str, ...] = ()
    """Of every page that is not empty."""
    pages: list[tuple[int, int]] = field(default_factory=list)
    """What was asked: offset and limit."""
    stream: "asyncio.Queue[MeterReading | ProviderError | Cut | None]" = field(default_factory=asyncio.Queue)
    """What the subscription gives: a ProviderError is a bad message, None the end."""
    refuse: ProviderError | None = None
    """What a subscription is refused with."""
    starts: list[datetime | None] = field(default_factory=list)
    """Where subscriptions and walks began."""
    walk: Callable[[datetime | None, str | None], ReadingsPage] | None = None
    opened: int = 0
    closed: int = 0

    async def __aenter__(self) -> Self:
        self.opened += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed += 1

    async def account(self) -> Provider:
        if isinstance(self.provider, ProviderError):
            raise self.provider
        return self.provider

    async def installations(self, offset: int, limit: int) -> InstallationsPage:
        self.pages.append((offset, limit))
        await asyncio.sleep(0)
        if error := self.page_errors.get(offset):
            raise error
        items = tuple(self.fleet[offset : offset + limit])
        return InstallationsPage(items, len(items), self.page_problems if items else ())

    async def readings(
        self, *, start: datetime | None = None, limit: int = 100, cursor: str | None = None
    ) -> ReadingsPage:
        self.starts.append(start)
        assert limit == 100
        assert self.walk is not None
        return self.walk(start, cursor)

    async def subscribe(
        self, start: datetime | None, *, opened: Callable[[], None] | None = None
    ) -> AsyncGenerator[MeterReading | ProviderError, None]:
        self.starts.append(start)
        if self.refuse is not None:
            raise self.refuse
        if opened is not None:
            opened()
        while (item := await self.stream.get()) is not None:
            if isinstance(item, Cut):
                raise item.error
            yield item


@dataclass
class Cut:
    """In the stream: the subscription ends with the error."""

    error: ProviderError = field(default_factory=lambda: ProviderError("connect", "closed the socket"))
