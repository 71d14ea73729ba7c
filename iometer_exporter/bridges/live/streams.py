"""The event streams of one bridge: one of each endpoint, and what only they can tell."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from iometer_exporter.bridges.http.answer import BodySink
from iometer_exporter.bridges.live.distribution import PowerDistribution
from iometer_exporter.bridges.live.follower import Follower, Following
from iometer_exporter.bridges.snapshot import StreamState
from iometer_exporter.errors import FetchError
from iometer_exporter.meter.models import Endpoint

ReadingResult = TypeVar("ReadingResult")
StatusResult = TypeVar("StatusResult")


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How a bridge is followed, and the bounds in watts for the distribution of its power."""

    following: Following
    power_bounds: tuple[float, ...]


class Streams(Generic[ReadingResult, StatusResult]):
    """Followers of both endpoints; end them with `aclose`."""

    def __init__(
        self,
        settings: LiveSettings,
        ask: Callable[[Endpoint, BodySink], Awaitable[object]],
        take_reading: Callable[[bytes | FetchError], ReadingResult | None],
        take_status: Callable[[bytes | FetchError], StatusResult | None],
        *,
        name: Callable[[], str],
    ) -> None:
        """Follow from now on; what is given is that of a `Follower`."""
        self.settings = settings
        self.powers = PowerDistribution(settings.power_bounds)
        self.reading = Follower("reading", ask, take_reading, settings.following, name=name)
        self.status = Follower("status", ask, take_status, settings.following, name=name)

    @property
    def states(self) -> Mapping[Endpoint, StreamState]:
        """How both streams do."""
        return {"reading": self.reading.state, "status": self.status.state}

    def of(self, endpoint: Endpoint) -> Follower[ReadingResult] | Follower[StatusResult]:
        """The follower of an endpoint."""
        return self.reading if endpoint == "reading" else self.status

    def end(self) -> None:
        """End both now; `aclose` waits until they are gone."""
        self.reading.end()
        self.status.end()

    async def aclose(self) -> None:
        """End both now, and wait until nothing is left of them."""
        await asyncio.gather(self.reading.aclose(), self.status.aclose())
