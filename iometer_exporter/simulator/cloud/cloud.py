"""The simulated cloud's knowledge, and the readings that it gives out."""

import asyncio
import base64
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from iometer_exporter.simulator.cloud.arrivals import WINDOW, Arrival, Arrivals
from iometer_exporter.simulator.cloud.faults import Faults
from iometer_exporter.simulator.cloud.fleet import Fleet, Meter
from iometer_exporter.simulator.cloud.licenses import Licenses
from iometer_exporter.simulator.cloud.registers import registers
from iometer_exporter.simulator.cloud.stamps import stamp
from iometer_exporter.simulator.noise import bits

_LOOK_SECONDS: Final = 0.02
"""Between two looks at the clock, which need not be that of this machine."""

_METERS: Final = 20_000
"""Number of meters kept at hand; others are computed anew."""


class Cloud:
    """A provider's fleet at the time of its clock."""

    def __init__(
        self, *, installations: int, seed: int, interval: int, faults: Faults, clock: Callable[[], float]
    ) -> None:
        """A fleet whose meters send a reading every `interval` seconds."""
        self._clock = clock
        self.offset = 0.0
        """Seconds by which the cloud's clock is ahead."""
        self.started = clock()
        self.id = str(UUID(int=bits(seed, 30) << 64 | bits(seed, 31), version=4))
        self.name = "Simulated Energy"
        self.faults = faults
        self.fleet = Fleet(installations, seed=seed)
        self.meter: Callable[[int, int], Meter] = lru_cache(_METERS)(self.fleet.meter)
        self.arrivals = Arrivals(self.fleet, faults, interval=interval, started=self.started)
        self.licenses = Licenses(self.fleet, started=self.started)
        self.sent: Counter[str] = Counter()
        """Readings given out, by `query`, `subscription` or `scheduled`."""
        self.busy_seconds = 0.0
        """Seconds spent on making answers and messages."""
        self.live_count = 0
        """Subscriptions that have seen all there is and wait for more."""
        self._pulse = asyncio.Event()

    def now(self) -> float:
        """The cloud's unix time."""
        return self._clock() + self.offset

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count the time of a block in which nothing is waited for."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.busy_seconds += time.perf_counter() - began

    def wake(self) -> None:
        """Let all subscriptions look at the clock at once."""
        self._pulse.set()
        self._pulse = asyncio.Event()

    def reading(self, arrival: Arrival) -> dict[str, Any]:
        """A reading as the API sends it; its registers have their `code` instead of a spelled OBIS code."""
        index = arrival.home
        meter = self.meter(index, arrival.place)
        values = registers(meter, arrival.time, wrong=arrival.wrong)
        if "null" in self.faults.kinds and self.faults.hits(index):
            values[0]["value"] = None
        return {
            "meter": {"id": meter.id, "number": meter.number},
            "installation": {"id": self.fleet.id(index), "externalId": self.fleet.external_id(index)},
            "time": stamp(arrival.time),
            "receiveTime": stamp(arrival.received),
            "values": values,
        }

    def latest(self, meter: Meter) -> list[dict[str, Any]]:
        """The registers of a meter's newest reading, each as a reading of its own."""
        taken = self.arrivals.latest(meter.home, meter.place, self.now())
        common = {"meter": meter, "time": stamp(taken)}
        return [common | register for register in registers(meter, taken)]

    def page(
        self, start: float | None, limit: int, cursor: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """At most `limit` readings, and the cursor of those that remain; raises ValueError for a bad one."""
        second, skip = self._first(start), 0
        if cursor is not None:
            at, skip = _read_cursor(cursor)
            # What the cursor points to may have fallen out of the window meanwhile.
            second, skip = (at, skip) if at >= second else (second, 0)
        found: list[dict[str, Any]] = []
        for arrived in self.arrivals.seconds(second, int(self.now())):
            waiting = self.arrivals.at(arrived)
            if arrived != second:
                skip = 0
            room = limit - len(found)
            found += [self.reading(each) for each in waiting[skip : skip + room]]
            if len(waiting) - skip > room:
                return found, _cursor(arrived, skip + room)
        return found, None

    async def live(self, start: float | None) -> AsyncIterator[list[Arrival]]:
        """Readings received since a unix time (by default: now), and then those that come, without end."""
        done = int(self.now()) if start is None else self._first(start) - 1
        while True:
            now = int(self.now())
            # After a jump of the clock, nothing is older than what is kept.
            for second in self.arrivals.seconds(max(done + 1, now - WINDOW), now):
                yield self.arrivals.at(second)
                done = second
            done = max(done, now)
            self.live_count += 1
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._pulse.wait()
            except TimeoutError:
                pass
            finally:
                self.live_count -= 1

    def _first(self, start: float | None) -> int:
        """The first second of the readings from a unix time on that are still kept."""
        kept = int(self.now()) - WINDOW
        return kept if start is None else max(kept, math.ceil(start))


def _cursor(second: int, skip: int) -> str:
    return base64.urlsafe_b64encode(f"{second}:{skip}".encode()).decode()


def _read_cursor(text: str) -> tuple[int, int]:
    try:
        second, skip = base64.urlsafe_b64decode(text.encode()).decode("ascii").split(":")
        return int(second), max(0, int(skip))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a cursor of an earlier answer") from error
