"""What people see of bridges: what is known at once, and nothing that scrapes would notice."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest

from iometer_exporter.bridges.background_reads import BackgroundReads
from iometer_exporter.bridges.fleet import Fleet
from iometer_exporter.bridges.glance import Glance
from iometer_exporter.bridges.single_flight import SingleFlight
from iometer_exporter.config.file import BridgeConfig, Config, DiscoveryConfig
from iometer_exporter.errors import Reason
from iometer_exporter.meter.models import Endpoint
from tests import documents
from tests.rawserver import Handler, RawServer, bridge, hanging, raw_server
from tests.waiting import until

PATIENCE = 0.2


@asynccontextmanager
async def fleet(*servers: RawServer, timeout: float = 10.0) -> AsyncIterator[Fleet]:
    bridges = tuple(BridgeConfig(server.address, f"bridge{i}") for i, server in enumerate(servers))
    config = Config(bridges=bridges, discovery=DiscoveryConfig(enabled=False), timeout=timeout)
    async with Fleet(config) as running:
        yield running


def healthy(device_id: str = "1", power: float = 10.0) -> Handler:
    return bridge(
        lambda: documents.reading(time.time(), power=power), lambda: documents.status(device_id=device_id)
    )


def switchable(handlers: Sequence[Handler]) -> Handler:
    """The handler that is first in the list at the time."""

    async def handle(head: bytes, writer: asyncio.StreamWriter) -> bool:
        return await handlers[0](head, writer)

    return handle


async def dropping(_head: bytes, _writer: asyncio.StreamWriter) -> bool:
    """Closes the connection without a word."""
    return False


async def look(running: Fleet, patience: float = 5.0) -> list[Glance]:
    return await running.look(patience)


async def counted(running: Fleet, budget: float) -> Mapping[tuple[Endpoint, Reason], int]:
    [snapshot] = await running.scrape(asyncio.get_running_loop().time() + budget)
    return snapshot.errors


async def test_a_bridge_that_answers_is_seen_as_it_is_now() -> None:
    async with raw_server(healthy()) as server, fleet(server) as running:
        [glance] = await look(running)
    assert (glance.name, glance.address, glance.meter) == ("bridge0", str(server.address), "1ISK0000000001")
    assert (glance.is_asked, glance.is_down, glance.failures, glance.rejection) == (True, False, {}, None)
    assert glance.reading is not None
    assert glance.status is not None
    assert glance.answered_at == pytest.approx(time.time(), abs=5)
    assert any(power == 10.0 for power in glance.recent.powers)


async def test_a_bridge_that_hangs_holds_nobody_up_and_shows_what_was_known() -> None:
    handlers = [healthy()]
    async with (
        raw_server(switchable(handlers)) as sick,
        raw_server(healthy("2")) as well,
        fleet(sick, well) as running,
    ):
        before, _ = await look(running)
        handlers[0] = hanging
        started = time.monotonic()
        now, other = await look(running, PATIENCE)
        assert time.monotonic() - started < 2.0
    assert now.reading == before.reading
    assert (now.is_down, now.answered_at) == (False, before.answered_at)
    assert other.reading is not None


async def test_a_bridge_that_never_answered_is_being_asked_until_its_time_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with raw_server(hanging) as server, fleet(server, timeout=0.3) as running:
        [first] = await look(running, 0.01)
        assert (first.is_asked, first.is_down) == (False, False)
        [late] = await look(running)
        assert late.is_down
        assert {failure.reason for failure in late.failures.values()} == {"timeout"}
        assert late.reading is None
        assert caplog.messages == []
        # Only now is it news, and counted.
        assert await counted(running, 0.1) == {("reading", "timeout"): 1, ("status", "timeout"): 1}
        assert len(caplog.messages) == 1


async def test_views_at_once_ask_a_bridge_once() -> None:
    async with raw_server(hanging) as server, fleet(server, timeout=0.5) as running:
        await asyncio.gather(*(look(running, 0.05) for _ in range(5)))
        await look(running, 0.05)
        assert len(server.requests) <= 2


async def test_a_scrape_counts_what_it_misses_though_somebody_looks() -> None:
    async with raw_server(hanging) as server, fleet(server, timeout=5.0) as running:
        await look(running, 0.01)
        assert await counted(running, 0.1) == {("reading", "timeout"): 1, ("status", "timeout"): 1}
        await until(lambda: server.open == 0)
        [glance] = await look(running, 0.01)
        assert glance.is_down


async def test_a_scrape_that_waits_longer_than_who_looks_gets_its_answer() -> None:
    release = asyncio.Event()

    async def slow(head: bytes, writer: asyncio.StreamWriter) -> bool:
        await release.wait()
        return await healthy()(head, writer)

    async with raw_server(slow) as server, fleet(server, timeout=0.2) as running:
        scrape = asyncio.create_task(running.scrape(asyncio.get_running_loop().time() + 10))
        await until(lambda: len(server.requests) == 2)
        [glance] = await look(running)
        assert glance.is_down
        release.set()
        [snapshot] = await scrape
        assert snapshot.up
        assert len(server.requests) == 2
        [glance] = await look(running)
        assert not glance.is_down


async def test_a_bridge_that_goes_away_keeps_its_last_values() -> None:
    handlers = [healthy()]
    async with raw_server(switchable(handlers)) as server, fleet(server) as running:
        [before] = await look(running)
        handlers[0] = dropping
        [gone] = await look(running)
        assert gone.is_down
        assert {failure.reason for failure in gone.failures.values()} == {"protocol"}
        assert (gone.reading, gone.status) == (before.reading, before.status)
        assert gone.answered_at == before.answered_at
        handlers[0] = healthy()
        [back] = await look(running)
        assert not back.is_down


async def test_a_refused_reading_is_told_with_what_is_served_instead() -> None:
    now = time.time()
    answers = [documents.reading(now, imported=1000.5), documents.reading(now + 1, imported=900.5)]
    async with (
        raw_server(bridge(lambda: answers.pop(0), documents.status)) as server,
        fleet(server) as running,
    ):
        await look(running)
        [glance] = await look(running)
    assert (glance.rejection, glance.rejected) == ("decreased", {"decreased": 1})
    assert glance.reading is not None
    assert glance.reading.time.timestamp() == int(now)


async def test_one_device_at_two_addresses_is_seen_once() -> None:
    async with (
        raw_server(healthy("same")) as first,
        raw_server(healthy("same")) as second,
        fleet(first, second) as running,
    ):
        await look(running)
        assert [glance.name for glance in await look(running)] == ["bridge0"]


async def test_a_device_that_falls_silent_at_one_address_is_seen_at_the_other() -> None:
    handlers = [healthy("same")]
    async with (
        raw_server(switchable(handlers)) as first,
        raw_server(healthy("same")) as second,
        fleet(first, second, timeout=0.3) as running,
    ):
        await look(running)
        handlers[0] = hanging
        glances = await look(running)
    assert [(glance.name, glance.is_down) for glance in glances] == [("bridge0", True), ("bridge1", False)]


async def test_without_bridges_there_is_nothing_to_see() -> None:
    async with fleet() as running:
        assert await look(running) == []


async def test_closing_ends_what_is_read_in_the_background() -> None:
    async with raw_server(hanging) as server:
        async with fleet(server) as running:
            await look(running, 0.01)
            await until(lambda: server.open == 2)
        await until(lambda: server.open == 0)


async def test_background_reads_of_nothing_wait_for_nothing() -> None:
    reads = BackgroundReads()
    await reads.refresh([], patience=10.0, timeout=10.0)
    await reads.aclose()


async def test_who_watches_a_run_does_not_keep_it_alive() -> None:
    flight = SingleFlight(asyncio.Event().wait)
    watched = flight.watch()
    joined = flight.join()
    assert joined is watched
    assert flight.leave(joined)
    await asyncio.wait([watched])
    assert watched.cancelled()
    flight.unwatch(watched)


async def test_who_watches_a_run_does_not_end_it_for_those_who_wait() -> None:
    release = asyncio.Event()
    flight = SingleFlight(release.wait)
    watched, joined = flight.watch(), flight.join()
    flight.unwatch(watched)
    release.set()
    assert await joined is True
    flight.unwatch(watched)


async def test_a_run_that_is_only_watched_ends_with_the_watching() -> None:
    flight = SingleFlight(asyncio.Event().wait)
    watched = flight.watch()
    flight.unwatch(watched)
    await asyncio.wait([watched])
    assert watched.cancelled()
    assert flight.waiters == 0
