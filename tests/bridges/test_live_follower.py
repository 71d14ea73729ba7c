"""A follower by itself: its waits after each end of a stream, and what it tells. The clock is the test's."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest

from iometer_exporter.bridges.http.answer import BodySink
from iometer_exporter.bridges.live import follower as module
from iometer_exporter.bridges.live.follower import Follower, Following
from iometer_exporter.errors import FetchError
from iometer_exporter.meter.models import Endpoint
from iometer_exporter.net.backoff import Backoff
from tests.clock import Clock

EVENT = b"event: readingEvent\ndata: {}\n\n"

Waited = tuple[tuple[float, ...], int, float | None]
"""One wait: its own bounds if it has some, the failures in a row before it, and what the server asked for."""

Try = Callable[[BodySink], Awaitable[None]]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[Waited]:
    """What was waited for, none of which takes any time."""
    waited: list[Waited] = []

    class Recorded(Backoff):
        def __init__(self, *bounds: float) -> None:
            super().__init__(*bounds)
            self._bounds = bounds

        def failed(self, retry_after: float | None = None) -> float:
            waited.append((self._bounds, self._failures, retry_after))
            super().failed(retry_after)
            return 0.0

    monkeypatch.setattr(module, "Backoff", Recorded)
    return waited


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@asynccontextmanager
async def following(
    *tries: Try, mode: Literal["auto", "on"] = "on", take: Callable[[Any], Any] = lambda data: data
) -> AsyncIterator[Follower[bytes]]:
    """A follower whose bridge answers by one try after the other, and then no more."""
    waiting = iter(tries)

    async def ask(_endpoint: Endpoint, sink: BodySink) -> None:
        one = next(waiting, None)
        await (asyncio.Event().wait() if one is None else one(sink))

    follower: Follower[bytes] = Follower("reading", ask, take, Following(mode, 900.0), name=lambda: "house")
    try:
        yield follower
    finally:
        await follower.aclose()


async def no_stream(_sink: BodySink) -> None:
    """The bridge answers with the document."""


async def refused(_sink: BodySink) -> None:
    raise FetchError("connect", "refused")


async def too_old(_sink: BodySink) -> None:
    raise FetchError("http_status", "answered status 406", status=406)


def lasting(clock: Clock, seconds: float, *parts: bytes) -> Try:
    """A stream that ends after so many seconds, of which it is silent for less than it may be."""

    async def stream(sink: BodySink) -> None:
        sink.begin()
        for part in parts:
            sink.feed(part)
        for _ in range(20):
            await clock.passes(seconds / 20)
            sink.feed(b":\n")

    return stream


async def open_until_given_up(sink: BodySink) -> None:
    sink.begin()
    sink.feed(b"retry: 1500\n\n")
    await asyncio.Event().wait()


@pytest.mark.parametrize(("mode", "seconds"), [("auto", 600.0), ("on", 60.0)])
@pytest.mark.parametrize("answer", [no_stream, too_old])
async def test_a_bridge_without_a_stream_is_asked_for_one_now_and_then(
    waits: list[Waited], clock: Clock, mode: Literal["auto", "on"], seconds: float, answer: Try
) -> None:
    async with following(answer, answer, mode=mode):
        await clock.passes(0)
    assert waits == [((seconds, seconds), 0, None)] * 2


async def test_waits_grow_with_each_failure_until_a_stream_has_lasted(
    waits: list[Waited], clock: Clock
) -> None:
    tries = [refused, lasting(clock, 55.0), refused, lasting(clock, 60.0), refused]
    async with following(*tries):
        for _ in range(1000):
            await asyncio.sleep(0)
    assert waits == [((), 0, None), ((), 1, None), ((), 2, None), ((), 0, None), ((), 1, None)]


async def test_what_a_server_asks_for_is_heeded(waits: list[Waited], clock: Clock) -> None:
    async with following(lasting(clock, 1.0, b"retry: 2500\n\n")):
        for _ in range(300):
            await asyncio.sleep(0)
    assert waits == [((), 0, 2.5)]


async def test_to_give_way_to_a_fetch_is_no_failure(waits: list[Waited], clock: Clock) -> None:
    async with following(refused, open_until_given_up, open_until_given_up, refused) as follower:
        await clock.passes(0)
        for _ in range(2):
            with follower.standing_aside():
                await clock.passes(1)
            await clock.passes(0)
    assert waits == [((), 0, None), ((), 0, 1.5), ((), 0, 1.5), ((), 1, None)]


@pytest.mark.parametrize(("seconds", "failures"), [(59.0, 1), (60.0, 0)])
async def test_who_has_lasted_and_gives_way_has_succeeded(
    waits: list[Waited], clock: Clock, seconds: float, failures: int
) -> None:
    async with following(refused, open_until_given_up, refused) as follower:
        await clock.passes(0)
        for _ in range(20):
            await clock.passes(seconds / 20)
            follower._live(asyncio.get_running_loop().time())
        with follower.standing_aside():
            await clock.passes(0)
        await clock.passes(0)
    assert waits == [((), 0, None), ((), 0, 1.5), ((), failures, None)]


async def test_a_stream_has_ten_seconds_to_begin(waits: list[Waited], clock: Clock) -> None:
    async def silent(_sink: BodySink) -> None:
        await asyncio.Event().wait()

    async with following(silent):
        await clock.passes(0)
        await clock.passes(9.9)
        assert not waits
        await clock.passes(0.2)
        assert waits == [((), 0, None)]


async def test_that_documents_are_streamed_is_news_where_they_were_not(
    waits: list[Waited], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stream = lasting(clock, 0.1, EVENT, EVENT)
    async with following(stream, stream) as follower:
        await clock.passes(0)
        assert follower.newest == b"{}"
        assert not caplog.records
        for _ in range(600):
            await asyncio.sleep(0)
        assert not follower.state.up
    assert [line.message for line in caplog.records] == [
        "stream ended: the bridge has ended it",
        "documents are streamed",
        "stream ended: the bridge has ended it",
    ]
    assert {line.__dict__["bridge"] for line in caplog.records} == {"house"}
    assert len(waits) == 2


async def test_an_end_counts_at_once_and_is_waited_for(clock: Clock) -> None:
    gone: list[str] = []

    async def slow_to_end(sink: BodySink) -> None:
        sink.begin()
        sink.feed(EVENT)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            gone.append("stream")

    async with following(slow_to_end) as follower:
        await clock.passes(0)
        assert follower.newest == b"{}"
        follower.end()
        assert not follower.state.up
        assert not gone
        await follower.aclose()
        assert gone == ["stream"]


async def test_no_stream_is_asked_for_until_all_fetches_are_over(waits: list[Waited], clock: Clock) -> None:
    async with following(refused) as follower:
        with follower.standing_aside():
            with follower.standing_aside():
                await clock.passes(1)
            await clock.passes(1)
            assert not waits
        await clock.passes(0)
        assert waits == [((), 0, None)]


async def test_why_a_stream_has_ended_is_told(
    waits: list[Waited], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def broken(sink: BodySink) -> None:
        sink.begin()
        raise ValueError

    async with following(open_until_given_up, open_until_given_up, open_until_given_up) as follower:
        await clock.passes(0)
        with follower.standing_aside():
            # It has just begun: no news.
            await clock.passes(0)
        await clock.passes(0)
        await clock.passes(31)
        await clock.passes(10)
        with follower.standing_aside():
            await clock.passes(0)
    assert [line.message for line in caplog.records] == [
        "stream ended: it was silent",
        "stream ended: given up for a fetch",
    ]
    caplog.clear()
    async with following(broken):
        await clock.passes(0)
    assert len(waits) == 4
    line, after = caplog.records
    assert line.message == "stream could not be read, please report this"
    assert after.message == "stream ended: fault of the exporter (ValueError)"
    assert (line.__dict__["bridge"], line.__dict__["endpoint"]) == ("house", "reading")
