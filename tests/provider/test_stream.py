import asyncio
import collections
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count

import pytest

from iometer_exporter.errors import ProviderError
from iometer_exporter.provider.api.models import MeterReading, ReadingsPage
from iometer_exporter.provider.reading.pace import Pace
from iometer_exporter.provider.reading.progress import ReadingsProgress
from iometer_exporter.provider.reading.readings import Readings
from iometer_exporter.provider.reading.request_log import RequestLog
from iometer_exporter.provider.served.counts import DELAY_BUCKETS, ReadingCounts
from iometer_exporter.provider.served.installations import Installations
from iometer_exporter.provider.served.shard import in_shard
from tests.provider.fleet import (
    NOW,
    Cut,
    ScriptedClient,
    SimulatedClock,
    at,
    fleet,
    installation,
    reading,
    received,
)

DAY = 86400.0


class Setting:
    def __init__(self, client: ScriptedClient, installations: Installations | None = None) -> None:
        self.client = client
        self.clock = SimulatedClock()
        self.request_log = RequestLog()
        self.counts = ReadingCounts()
        self.installations = fleet(installation()) if installations is None else installations
        self.readings = Readings(
            client, self.installations, self.request_log, self.clock, counts=self.counts, pace=Pace()
        )

    async def send(self, *items: MeterReading | ProviderError | Cut | None) -> None:
        for item in items:
            self.client.stream.put_nowait(item)
        await self.clock.settle()

    @property
    def results(self) -> dict[str, int]:
        return {result: count for result, count in self.counts.results.items() if count}


@asynccontextmanager
async def subscribed(client: ScriptedClient | None = None) -> AsyncIterator[Setting]:
    setting = Setting(client or ScriptedClient())
    task = asyncio.create_task(setting.readings.subscribe())
    await setting.clock.settle()
    try:
        yield setting
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not setting.readings.is_up


async def test_the_first_subscription_asks_for_the_last_day() -> None:
    async with subscribed() as setting:
        assert setting.client.starts == [at(-DAY)]
        assert setting.readings.is_up


async def test_after_a_cut_it_goes_on_where_it_was() -> None:
    async with subscribed() as setting:
        up = [setting.readings.is_up]
        await setting.send(received(reading(-60, 1000), delay=20), Cut())
        up.append(setting.readings.is_up)
        await setting.clock.advance(1)
        up.append(setting.readings.is_up)
        assert up == [True, False, True]
        assert setting.readings.reconnects == 1
        assert setting.client.starts[1] == at(-60 + 20 - 5)


async def test_after_more_than_a_day_it_asks_for_the_last_day() -> None:
    async with subscribed() as setting:
        await setting.send(received(reading(-60, 1000)))
        await setting.clock.advance(2 * DAY)
        await setting.send(Cut())
        await setting.clock.advance(1)
        restarted = setting.client.starts[1]
        assert restarted is not None
        assert abs((restarted - at(DAY)).total_seconds()) <= 1


async def test_the_end_of_a_subscription_is_followed_by_another() -> None:
    async with subscribed() as setting:
        await setting.send(None)
        await setting.clock.advance(1)
        assert (setting.readings.is_up, setting.readings.reconnects) == (True, 1)
        assert not setting.request_log.errors


async def test_each_reading_counts_once() -> None:
    async with subscribed() as setting:
        await setting.send(
            received(reading(-900, 1000)),
            received(reading(-900, 1000)),
            received(reading(-600, 1)),
            received(reading(-300, 1001)),
            received(reading(-1200, 999)),
        )
        assert setting.results == {"accepted": 3, "duplicate": 1, "rejected": 1}


async def test_a_reading_of_another_shard_is_not_counted_but_seen() -> None:
    shard = 1 if in_shard("elsewhere", (2, 2)) else 2
    setting = Setting(ScriptedClient(), fleet(shard=(shard, 2)))
    task = asyncio.create_task(setting.readings.subscribe())
    await setting.send(received(reading(-900, 1000), id="elsewhere"))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert setting.results == {}
    assert setting.readings.resume == NOW - 900 + 2


async def test_a_bad_message_costs_itself(caplog: pytest.LogCaptureFixture) -> None:
    bad = ProviderError("invalid_document", "sent a bad readings: time is missing")
    async with subscribed() as setting:
        await setting.send(bad, received(reading(-900, 1000)), bad)
        assert setting.results == {"accepted": 1}
        assert setting.request_log.errors == {("subscription", "invalid_document"): 2}
        assert setting.readings.is_up
        assert setting.readings.reconnects == 0
    assert [record.getMessage() for record in caplog.records] == [
        "the provider API sent a bad readings: time is missing"
    ]


async def test_bad_registers_are_counted_and_the_rest_is_taken() -> None:
    async with subscribed() as setting:
        await setting.send(received(reading(0, 1000, problems=("values[3].unit is missing",))))
        assert setting.results == {"accepted": 1}
        assert setting.request_log.errors == {("subscription", "invalid_document"): 1}


async def test_waits_grow_to_a_minute_and_begin_anew_after_a_reading() -> None:
    client = ScriptedClient(refuse=ProviderError("connect", "cannot be reached"))
    async with subscribed(client) as setting:
        await setting.clock.advance(1000)
        waits = list(setting.clock.slept)
        for number, wait in enumerate(waits):
            assert 0.5 <= wait <= min(60.0, 2**number)
        assert max(waits) > 30
        assert setting.readings.reconnects == len(waits) - 1
        client.refuse = None
        await setting.clock.advance(60)
        await setting.send(received(reading(900, 1000)), Cut())
        assert setting.clock.slept[-1] <= 1


async def test_a_subscription_that_is_cut_at_once_again_and_again_is_not_tried_each_second() -> None:
    async with subscribed() as setting:
        for _ in range(10):
            await setting.send(Cut())
            await setting.clock.advance(60)
        assert max(setting.clock.slept) > 5


async def test_the_wait_that_the_api_asks_for_is_kept() -> None:
    limited = ProviderError("rate_limited", "asks for fewer requests", retry_after=120.0)
    async with subscribed(ScriptedClient(refuse=limited)) as setting:
        [wait] = setting.clock.slept
        assert 120 <= wait <= 121


async def test_an_api_that_asks_for_no_wait_is_not_tried_each_second() -> None:
    limited = ProviderError("rate_limited", "asks for fewer requests", retry_after=0.0)
    async with subscribed(ScriptedClient(refuse=limited)) as setting:
        for _ in range(20):
            await setting.clock.advance(60)
        assert max(setting.clock.slept) > 5


async def test_a_cut_and_its_end_are_one_line_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client = ScriptedClient()
    async with subscribed(client) as setting:
        client.refuse = ProviderError("connect", "cannot be reached")
        await setting.send(Cut())
        await setting.clock.advance(600)
        client.refuse = None
        await setting.clock.advance(61)
    assert [record.getMessage() for record in caplog.records] == [
        "the provider API closed the socket",
        "the provider API answers again",
    ]


async def test_a_receipt_in_the_future_does_not_move_on() -> None:
    async with subscribed() as setting:
        await setting.send(
            received(reading(-900, 1000)),
            received(reading(-600, 1001), delay=4 * 3600),
            received(reading(-300, 1002), delay=3 * DAY),
            Cut(),
        )
        await setting.clock.advance(1)
        assert setting.client.starts[1] == at(-900 + 2 - 5)
        assert setting.results == {"accepted": 2, "rejected": 1}


async def test_a_wall_clock_that_jumps_back_asks_for_no_future() -> None:
    async with subscribed() as setting:
        await setting.send(received(reading(-900, 1000)))
        setting.clock.now -= 7200
        await setting.send(Cut())
        await setting.clock.advance(1)
        start = setting.client.starts[1]
        assert start is not None
        assert start.timestamp() <= setting.clock.time()


async def test_rejected_readings_are_one_line_a_kind(caplog: pytest.LogCaptureFixture) -> None:
    async with subscribed() as setting:
        await setting.send(received(reading(-9000, 1000)))
        await setting.send(*(received(reading(-800 + number, number)) for number in range(20)))
        assert setting.results["rejected"] == 20
    [record] = caplog.records
    assert record.getMessage() == "a reading is not served, as may be others: it is decreased"
    assert record.__dict__["meter"] == "M1"


async def test_delays_are_counted_in_buckets() -> None:
    async with subscribed() as setting:
        for number, delay in enumerate((-3.0, 0.5, 1.0, 1.5, 100.0, 90_000.0)):
            await setting.send(received(reading(-90_000 + number, 1000 + number), delay=delay))
        await setting.send(received(reading(-90_000, 1000)))
    bounds = [*DELAY_BUCKETS, float("inf")]
    assert dict(zip(bounds, setting.counts.delays, strict=True)) == {
        1: 3, 5: 4, 15: 4, 60: 4, 300: 5, 900: 5, 3600: 5, 14400: 5, 86400: 5, float("inf"): 6,
    }  # fmt: skip
    assert setting.counts.delay_sum == 90_103


async def test_many_readings_at_once_leave_the_loop_to_others() -> None:
    """Counted, not timed: without yields the other task would have no turn until all are taken."""
    client = ScriptedClient()
    for number in range(3000):
        client.stream.put_nowait(received(reading(-3000 + number, 1000 + number)))
    setting = Setting(client)
    turns: list[int] = []

    async def other() -> None:
        while sum(setting.counts.results.values()) < 3000:
            turns.append(sum(setting.counts.results.values()))
            await asyncio.sleep(0)

    task = asyncio.create_task(setting.readings.subscribe())
    await asyncio.wait_for(other(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(set(turns)) > 3


class Cloud:
    """Readings by receipt, given in pages of three."""

    def __init__(self, *kept: MeterReading) -> None:
        self.kept = list(kept)
        self.asked: list[tuple[datetime | None, str | None]] = []
        self.errors: list[ProviderError | None] = []

    def __call__(self, start: datetime | None, cursor: str | None) -> ReadingsPage:
        self.asked.append((start, cursor))
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error
        since = start or datetime.fromtimestamp(0, UTC)
        found = sorted((one for one in self.kept if one.received >= since), key=lambda one: one.received)
        offset = int(cursor or 0)
        more = str(offset + 3) if len(found) > offset + 3 else None
        return ReadingsPage(tuple(found[offset : offset + 3]), more)


@asynccontextmanager
async def polled(cloud: Cloud) -> AsyncIterator[Setting]:
    setting = Setting(ScriptedClient(walk=cloud))
    task = asyncio.create_task(setting.readings.poll(60.0))
    await setting.clock.settle()
    try:
        yield setting
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def quarter(number: int) -> MeterReading:
    return received(reading(900 * number, 1000 + number))


async def test_a_walk_takes_all_pages() -> None:
    cloud = Cloud(*(quarter(number) for number in range(-10, 0)))
    async with polled(cloud) as setting:
        assert [cursor for _, cursor in cloud.asked] == [None, "3", "6", "9"]
        assert cloud.asked[0][0] == at(-DAY)
        assert setting.results == {"accepted": 10}


async def test_the_next_walk_begins_where_the_last_one_ended() -> None:
    cloud = Cloud(quarter(-2), quarter(-1))
    async with polled(cloud) as setting:
        await setting.clock.advance(61)
        assert cloud.asked[1] == (at(-900 + 2 - 5), None)
        cloud.kept.append(quarter(0))
        await setting.clock.advance(60)
        assert setting.results == {"accepted": 3, "duplicate": 2}


async def test_a_walk_that_failed_goes_on_where_it_stopped() -> None:
    cloud = Cloud(*(quarter(number) for number in range(-10, 0)))
    cloud.errors = [None, None, ProviderError("timeout", "did not answer in time")]
    async with polled(cloud) as setting:
        assert setting.results == {"accepted": 6}
        await setting.clock.advance(2)
        assert [cursor for _, cursor in cloud.asked] == [None, "3", "6", "6", "9"]
        assert setting.results == {"accepted": 10}
        assert setting.request_log.errors == {("readings", "timeout"): 1}


async def test_a_cursor_that_the_api_forgot() -> None:
    cloud = Cloud(*(quarter(number) for number in range(-10, 0)))
    cloud.errors = [None, None, ProviderError("graphql", "refused the request: no such cursor")]
    async with polled(cloud) as setting:
        await setting.clock.advance(2)
        assert [cursor for _, cursor in cloud.asked] == [None, "3", "6", None, "3", "6", "9"]
        assert setting.results == {"accepted": 10, "duplicate": 6}


async def test_a_page_without_a_list_is_not_the_end_of_the_readings() -> None:
    cloud = Cloud(*(quarter(number) for number in range(-10, 0)))
    broken = [False, True, True]

    def walk(start: datetime | None, cursor: str | None) -> ReadingsPage:
        if broken and broken.pop(0):
            return ReadingsPage((), None, ("readings is missing, expected a list",))
        return cloud(start, cursor)

    setting = Setting(ScriptedClient(walk=walk))
    task = asyncio.create_task(setting.readings.poll(60.0))
    await setting.clock.settle()
    assert setting.results == {"accepted": 3}
    assert setting.readings.resume is None
    await setting.clock.advance(5)
    assert setting.results == {"accepted": 10}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_cursor_that_leads_to_itself() -> None:
    client = ScriptedClient(walk=lambda _start, _cursor: ReadingsPage((quarter(-1),), "again"))
    setting = Setting(client)
    task = asyncio.create_task(setting.readings.poll(60.0))
    await setting.clock.settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert setting.request_log.errors == {("readings", "invalid_document"): 1}
    assert setting.results == {"accepted": 1, "duplicate": 1}


@pytest.mark.parametrize(
    ("cursors", "text"),
    [
        (["a", "b"], "gave the same cursor twice, the walk would never end"),
        ([], "sent page after page without new readings, the walk would never end"),
    ],
)
@pytest.mark.parametrize("empty", [True, False])
async def test_a_walk_in_a_circle_ends_and_is_paced(
    cursors: list[str], text: str, empty: bool, caplog: pytest.LogCaptureFixture
) -> None:
    calls = 0

    def walk(_start: datetime | None, _cursor: str | None) -> ReadingsPage:
        nonlocal calls
        calls += 1
        cursor = cursors[calls % len(cursors)] if cursors else f"cursor {calls}"
        return ReadingsPage(() if empty else (quarter(-1),), cursor)

    setting = Setting(ScriptedClient(walk=walk))
    task = asyncio.create_task(setting.readings.poll(60.0))
    await setting.clock.settle()
    assert setting.request_log.errors == {("readings", "invalid_document"): 1}
    await setting.clock.advance(600)
    assert calls < 1000
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [record.getMessage() for record in caplog.records] == [f"the provider API {text}"]


async def walk_to_a_reading(*pages: ReadingsPage) -> None:
    """Poll the pages, of which the last one has a reading: it is taken, and nothing is wrong."""
    following = list(pages)
    setting = Setting(ScriptedClient(walk=lambda _start, _cursor: following.pop(0)))
    task = asyncio.create_task(setting.readings.poll(60.0))
    await setting.clock.settle()
    assert setting.results == {"accepted": 1}
    assert not setting.request_log.errors
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_some_empty_pages_are_no_circle() -> None:
    empty = [ReadingsPage((), "a"), ReadingsPage((), "b")]
    await walk_to_a_reading(*empty, ReadingsPage((quarter(-1),), None))


async def test_pages_of_other_shards_are_no_circle_unless_they_never_end() -> None:
    of_others = [ReadingsPage((), f"cursor {number}", unwanted=100) for number in range(500)]
    await walk_to_a_reading(*of_others, ReadingsPage((quarter(-1),), None))
    progress, endless = ReadingsProgress(), (ReadingsPage((), str(number), unwanted=9) for number in count())
    with pytest.raises(ProviderError, match="the walk would never end"):
        collections.deque(map(progress.note, endless), maxlen=0)


async def test_a_walk_that_takes_longer_than_the_interval_is_followed_by_a_rest() -> None:
    setting = Setting(ScriptedClient())

    def walk(_start: datetime | None, _cursor: str | None) -> ReadingsPage:
        setting.clock._passed += 100
        return ReadingsPage((), None)

    setting.client.walk = walk
    task = asyncio.create_task(setting.readings.poll(60.0))
    await setting.clock.settle()
    assert setting.clock.slept == [1.0]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_reading_that_was_received_before_the_last_moves_nothing_back() -> None:
    async with subscribed() as setting:
        await setting.send(received(reading(-60, 1000)), received(reading(-3600, 900)), Cut())
        assert setting.readings.resume == NOW - 60 + 2
        await setting.clock.advance(1)
        assert setting.client.starts[1] == at(-60 + 2 - 5)


async def test_ten_minutes_without_the_api_lose_and_double_nothing() -> None:
    everything = [quarter(number) for number in range(-4, 40)]
    cloud = Cloud(*everything[:4])
    async with polled(cloud) as setting:
        for number, one in enumerate(everything[4:], start=1):
            if number == 5:
                cloud.errors = [ProviderError("connect", "cannot be reached")] * 6
            cloud.kept.append(one)
            await setting.clock.advance(900)
        await setting.clock.advance(120)
        assert setting.results["accepted"] == len(everything)
        assert setting.counts.results["rejected"] == 0
    assert NOW + 39 * 900 in [one.meters[0].guard.served.time.timestamp() for one in setting.installations]  # type: ignore[union-attr]
