"""Bridges that are followed by their event streams: what scrapes get, and what the bridges are asked."""

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from iometer_exporter.bridges import fleet as fleet_module
from iometer_exporter.bridges.fleet import Fleet
from iometer_exporter.bridges.http.answer import BodySink
from iometer_exporter.bridges.live import follower as follower_module
from iometer_exporter.bridges.live.follower import Follower, Following
from iometer_exporter.bridges.live.rhythm import Rhythm
from iometer_exporter.bridges.snapshot import Snapshot, StreamState
from iometer_exporter.config.file import BridgeConfig, Config, DiscoveryConfig, Live
from iometer_exporter.meter.models import Endpoint
from iometer_exporter.net.addresses import Address
from iometer_exporter.net.backoff import Backoff
from iometer_exporter.simulator import FaultSpec, SimulatedBridge, Simulation
from tests import documents
from tests.rawserver import Handler, raw_server, response
from tests.waiting import PATIENCE, until

CONFIG = Config(live="on", discovery=DiscoveryConfig(enabled=False))

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def event(name: str, document: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), document)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams are tried again at once, and may be silent for moments only."""
    monkeypatch.setattr(follower_module, "Backoff", lambda *_: Backoff(0.02, 0.02))


def short_silence(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.3) -> None:
    monkeypatch.setattr(Rhythm, "patience", property(lambda _: seconds))


def tasks_of_bridges() -> set[Any]:
    """Tasks that work for bridges, and not for those that play them."""
    tasks = asyncio.all_tasks()
    return {task for task in tasks if "/iometer_exporter/bridges/" in task.get_coro().cr_code.co_filename}  # type: ignore[union-attr]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@asynccontextmanager
async def following(address: Address, **changes: Any) -> AsyncIterator[Fleet]:
    """A fleet of one bridge that is followed; nothing of it is left in the end."""
    tasks, files = tasks_of_bridges(), descriptors()
    config = replace(CONFIG, bridges=(BridgeConfig(address, "house"),), **changes)
    async with Fleet(config) as fleet:
        fleet.go_live()
        yield fleet
    assert tasks_of_bridges() <= tasks
    await until(lambda: descriptors() <= files)


@asynccontextmanager
async def simulated(
    *faults: str, interval: float = 0.02, firmware: Any = "stream", **changes: Any
) -> AsyncIterator[tuple[SimulatedBridge, Fleet]]:
    specs = [FaultSpec(fault) for fault in faults]  # type: ignore[arg-type]
    async with Simulation(
        port=0, bridges=1, faults=specs, firmware=firmware, interval=interval
    ) as simulation:
        [bridge] = simulation.bridges
        async with following(Address(bridge.host, bridge.port), **changes) as fleet:
            yield bridge, fleet
        await until(lambda: not bridge.open_connections)


async def scrape(fleet: Fleet) -> Snapshot:
    [snapshot] = await fleet.scrape(asyncio.get_running_loop().time() + PATIENCE)
    return snapshot


def streams_of(fleet: Fleet) -> Any:
    [bridge] = fleet._inventory.known()
    return bridge._streams


async def alive(fleet: Fleet) -> None:
    streams = streams_of(fleet)
    await until(lambda: streams.reading.newest and streams.status.newest)


async def test_a_scrape_takes_the_newest_event_and_asks_for_nothing() -> None:
    async with simulated() as (bridge, fleet):
        await alive(fleet)
        asked = bridge.requests.copy()
        for _ in range(5):
            snapshot = await scrape(fleet)
            assert snapshot.up
            assert snapshot.failures == {}
            assert snapshot.durations == {"reading": 0.0, "status": 0.0}
            assert snapshot.meter == bridge.meter
            assert [state.up for state in snapshot.streams.values()] == [True, True]
        assert bridge.requests == asked == {"reading": 1, "status": 1}
        await until(lambda: streams_of(fleet).reading.state.events > 3)
        assert (await scrape(fleet)).streams["reading"].reconnects == 0
        assert bridge.most_connections == 2


async def test_each_event_reaches_the_page_for_people_without_a_request() -> None:
    async with simulated() as (bridge, fleet):
        await alive(fleet)
        [first] = await fleet.look(PATIENCE)
        assert first.reading is not None
        bridge.faults.add("disconnected")
        await until(lambda: not fleet_glance(fleet).status_is("connected"))
        [glance] = await fleet.look(PATIENCE)
        assert glance.status is not None
        assert glance.status.connection == "disconnected"
        assert not glance.failures
        assert bridge.requests == {"reading": 1, "status": 1}


class fleet_glance:  # noqa: N801 (reads like a question)
    def __init__(self, fleet: Fleet) -> None:
        [bridge] = fleet._inventory.known()
        self._status = bridge.glance().status

    def status_is(self, connection: str) -> bool:
        return self._status is not None and self._status.connection == connection


async def test_off_is_as_ever() -> None:
    async with simulated(live="off") as (bridge, fleet):
        for _ in range(2):
            snapshot = await scrape(fleet)
        assert (snapshot.streams, snapshot.powers) == ({}, None)
        assert bridge.requests == {"reading": 2, "status": 2}


@pytest.mark.parametrize(
    ("everywhere", "own", "is_followed"),
    [
        ("off", "on", True),
        ("on", "off", False),
        ("auto", None, True),
        ("off", None, False),
        ("off", "auto", True),
    ],
)
async def test_a_bridge_may_differ_from_all(everywhere: Live, own: Live | None, is_followed: bool) -> None:
    async with Simulation(port=0, bridges=1, firmware="stream") as simulation:
        [bridge] = simulation.bridges
        one = BridgeConfig(Address(bridge.host, bridge.port), "house", live=own)
        async with Fleet(replace(CONFIG, live=everywhere, bridges=(one,))) as fleet:
            assert streams_of(fleet) is None
            fleet.go_live()
            assert (streams_of(fleet) is not None) == is_followed


@pytest.mark.parametrize("mode", ["auto", "on"])
@pytest.mark.parametrize("firmware", ["new", "old"])
async def test_older_firmware_is_fetched(
    mode: Live, firmware: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "Backoff", lambda *_: Backoff(60, 60))
    caplog.set_level(logging.INFO)
    async with simulated(firmware=firmware, live=mode) as (_bridge, fleet):
        await until(lambda: "no stream: the bridge answers without one" in caplog.text)
        snapshot = await scrape(fleet)
        assert snapshot.up
        assert not snapshot.failures
        assert not snapshot.errors
        assert snapshot.streams["reading"] == StreamState(up=False, events=0, reconnects=0)
        assert snapshot.powers is None
    told = [line for line in caplog.records if "no stream" in line.message]
    assert {line.levelname for line in told} == {"WARNING" if mode == "on" else "INFO"}
    assert {line.__dict__["bridge"] for line in told} == {"house"}


async def test_newer_firmware_is_streamed_as_soon_as_it_is_there() -> None:
    async with simulated(live="auto", firmware="new") as (bridge, fleet):
        await until(lambda: bridge.requests["reading"] > 1)
        bridge.firmware = "stream"
        await alive(fleet)
        assert (await scrape(fleet)).streams["status"].up


@pytest.mark.parametrize("endpoint", ["reading", "status"])
async def test_an_endpoint_without_a_stream_is_fetched_beside_the_other(endpoint: Endpoint) -> None:
    other: Endpoint = "status" if endpoint == "reading" else "reading"
    async with simulated("no-stream", live="auto") as (bridge, fleet):
        bridge.endpoints = {endpoint}
        streams = streams_of(fleet)
        await until(lambda: getattr(streams, other).newest)
        before = bridge.requests[endpoint]
        snapshot = await scrape(fleet)
        assert snapshot.failures == {}
        assert [snapshot.streams[each].up for each in (endpoint, other)] == [False, True]
        assert bridge.requests[endpoint] > before


async def test_a_stream_without_an_event_is_given_up_for_a_fetch() -> None:
    """Both connections are taken by streams: the fetch gets the one of its endpoint."""
    documents_of = {"reading": documents.reading(time.time()), "status": documents.status()}
    fetched: list[str] = []

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> bool:
        endpoint = "reading" if b"/v1/reading" in head else "status"
        if b"event-stream" in head:
            writer.write(HEAD + b": welcome\n\n")
            await asyncio.Event().wait()
        fetched.append(endpoint)
        writer.write(response(documents_of[endpoint]))
        return True

    async with raw_server(handler) as server:
        async with following(server.address) as fleet:
            for _ in range(3):
                await until(lambda: server.open == 2)
                snapshot = await scrape(fleet)
                assert snapshot.failures == {}
        assert sorted(fetched) == ["reading"] * 3 + ["status"] * 3


async def test_a_stream_that_gives_way_to_each_scrape_is_asked_for_again_as_soon_as_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bridge whose first event comes later than the next scrape is followed from that event on."""
    monkeypatch.setattr(follower_module, "Backoff", lambda *_: Backoff(0.02, 1e6))
    speak = asyncio.Event()

    async def send(endpoint: str, writer: asyncio.StreamWriter) -> None:
        await speak.wait()
        document = documents.reading(time.time()) if endpoint == "reading" else documents.status()
        writer.write(event(f"{endpoint}Event", document))
        await asyncio.Event().wait()

    async with raw_server(streaming(send)) as server, following(server.address) as fleet:
        followers = streams_of(fleet).reading, streams_of(fleet).status
        await until(lambda: all(each._has_streamed for each in followers))
        for scraped in range(1, 21):
            assert (await scrape(fleet)).failures == {}
            await until(lambda: all(each.state.reconnects == scraped for each in followers))  # noqa: B023
        speak.set()
        await alive(fleet)
        assert [state.up for state in (await scrape(fleet)).streams.values()] == [True, True]


def streaming(
    send: Callable[[str, asyncio.StreamWriter], Any], fetched: list[bytes] | None = None
) -> Handler:
    """A handler that streams as the function does, and answers fetches."""

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> bool:
        endpoint = "reading" if b"/v1/reading" in head else "status"
        if b"event-stream" not in head:
            if fetched is not None:
                fetched.append(head)
            document = documents.reading(time.time()) if endpoint == "reading" else documents.status()
            writer.write(response(document))
            return True
        writer.write(HEAD)
        await send(endpoint, writer)
        return False

    return handler


async def test_a_silent_stream_is_broken_off_and_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    short_silence(monkeypatch)
    monkeypatch.setattr(follower_module, "Backoff", lambda *_: Backoff(60, 60))
    async with simulated("stream-stall") as (bridge, fleet):
        await alive(fleet)
        assert (await scrape(fleet)).streams["reading"].up
        await until(lambda: not bridge.open_connections)
        snapshot = await scrape(fleet)
        assert not snapshot.streams["reading"].up
        assert snapshot.failures == {}
        assert snapshot.errors == {}
        assert bridge.requests == {"reading": 2, "status": 2}


async def test_comments_keep_a_stream_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    short_silence(monkeypatch, 0.5)

    async def send(endpoint: str, writer: asyncio.StreamWriter) -> None:
        document = documents.reading(time.time()) if endpoint == "reading" else documents.status()
        writer.write(event(f"{endpoint}Event", document))
        while True:
            await asyncio.sleep(0.05)
            writer.write(b":\n")

    fetched: list[bytes] = []
    async with raw_server(streaming(send, fetched)) as server, following(server.address) as fleet:
        await alive(fleet)
        await asyncio.sleep(0.8)
        assert (await scrape(fleet)).streams == dict.fromkeys(
            ("reading", "status"), StreamState(up=True, events=1, reconnects=0)
        )
        assert not fetched
        # But a document that stays for too long is asked for: `stale_after`.
        fleet.reconfigure(replace(fleet._config, stale_after=0.2))
        await alive(fleet)
        streams = streams_of(fleet)
        await until(lambda: not streams.reading.newest)


async def test_a_bridge_that_restarts_is_followed_again() -> None:
    async with simulated("stream-restart") as (bridge, fleet):
        streams = streams_of(fleet)
        await until(lambda: streams.reading.state.reconnects >= 2)
        bridge.faults.clear()
        await alive(fleet)
        snapshot = await scrape(fleet)
        assert snapshot.up
        assert snapshot.errors == {}
        assert snapshot.powers is not None
        assert snapshot.powers[0] == bridge.meter


async def test_half_an_event_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    short_silence(monkeypatch)
    async with simulated("half-event") as (_bridge, fleet):
        streams = streams_of(fleet)
        await until(lambda: streams.reading.state.reconnects >= 1)
        snapshot = await scrape(fleet)
        assert snapshot.failures == {}
        assert snapshot.errors == {}


async def test_an_event_of_10_mb_is_refused_and_counted() -> None:
    async with simulated("huge-event") as (_bridge, fleet):
        streams = streams_of(fleet)
        await until(lambda: streams.reading.state.reconnects >= 1)
        snapshot = await scrape(fleet)
        assert snapshot.failures == {}
        assert snapshot.errors["reading", "too_large"] >= 1


async def test_replays_within_the_stream_are_refused() -> None:
    async with simulated() as (bridge, fleet):
        await alive(fleet)
        before = await scrape(fleet)
        assert before.reading is not None
        bridge.timing.replay_first, bridge.timing.replay_spacing = 0.0, 100.0
        bridge.faults.add("replay")
        streams = streams_of(fleet)
        seen = streams.reading.state.events
        await until(lambda: streams.reading.state.events > seen + 3)
        snapshot = await scrape(fleet)
        assert snapshot.rejected["replayed"] >= 1
        assert snapshot.reading is not None
        assert snapshot.reading.time >= before.reading.time
        assert snapshot.failures == {}


async def test_a_bad_event_costs_itself_and_is_counted() -> None:
    bad = asyncio.Event()
    go_on = asyncio.Event()

    async def send(endpoint: str, writer: asyncio.StreamWriter) -> None:
        if endpoint == "reading":
            writer.write(event("readingEvent", b"{nonsense"))
            bad.set()
            await go_on.wait()
            writer.write(event("otherEvent", b"{nonsense"))
            writer.write(event("readingEvent", documents.reading(time.time())))
        await asyncio.Event().wait()

    fetched: list[bytes] = []
    async with raw_server(streaming(send, fetched)) as server, following(server.address) as fleet:
        await bad.wait()
        streams = streams_of(fleet)
        await until(lambda: streams.reading.state.events)
        assert streams.reading.newest is None
        go_on.set()
        await until(lambda: streams.reading.newest)
        snapshot = await scrape(fleet)
        assert snapshot.streams["reading"] == StreamState(up=True, events=2, reconnects=0)
        assert snapshot.errors == {("reading", "invalid_json"): 1}
        assert not [head for head in fetched if b"/v1/reading" in head]


@pytest.mark.parametrize("flood", [b"data: 1\n\n", b"event: readingEvent\ndata: 1\n\n", b": comment\n"])
async def test_a_flood_is_broken_off(flood: bytes) -> None:
    ended = asyncio.Event()

    async def send(endpoint: str, writer: asyncio.StreamWriter) -> None:
        try:
            while endpoint == "reading":
                writer.write(flood * 1000)
                await writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            ended.set()
        await asyncio.Event().wait()

    async with raw_server(streaming(send)) as server, following(server.address) as fleet:
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
        snapshot = await scrape(fleet)
        assert snapshot.errors["reading", "too_large"] >= 1
        assert snapshot.failures == {}


async def test_a_reading_that_may_be_a_replay_is_let_go_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With no other event: what the stream has shown last stands as long as it lives."""

    async def send(endpoint: str, writer: asyncio.StreamWriter) -> None:
        document = documents.reading(time.time() - 900) if endpoint == "reading" else documents.status()
        writer.write(event(f"{endpoint}Event", document))
        await asyncio.Event().wait()

    async with raw_server(streaming(send)) as server, following(server.address) as fleet:
        await alive(fleet)
        snapshot = await scrape(fleet)
        assert snapshot.is_held
        assert snapshot.powers is None
        loop = asyncio.get_running_loop()
        now = loop.time
        monkeypatch.setattr(loop, "time", lambda: now() + 61)
        [bridge] = fleet._inventory.known()
        assert bridge.snapshot(bridge.leave(bridge.join(), count_timeouts=False)).is_held is False
        monkeypatch.undo()


async def test_peaks_between_scrapes_are_in_the_distribution() -> None:
    peak = asyncio.Event()

    async def send(endpoint: str, writer: asyncio.StreamWriter) -> None:
        now = time.time()
        for second, power in enumerate((300, 7000, 300)):
            if endpoint == "reading":
                writer.write(event("readingEvent", documents.reading(now + second - 3, power=power)))
        if endpoint == "status":
            writer.write(event("statusEvent", documents.status()))
        peak.set()
        await asyncio.Event().wait()

    async with (
        raw_server(streaming(send)) as server,
        following(server.address, power_buckets=(0.0, 1000.0, 5000.0)) as fleet,
    ):
        await alive(fleet)
        snapshot = await scrape(fleet)
        assert snapshot.powers is not None
        meter, powers = snapshot.powers
        assert meter == snapshot.meter
        assert powers.counts == (0, 2, 2, 3)


async def test_there_are_no_more_streams_than_the_process_has_files_for(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "kept_connections", lambda: 3)
    async with Simulation(port=0, bridges=3, firmware="stream", interval=0.02) as simulation:
        ports = {bridge.port: bridge for bridge in simulation.bridges}
        bridges = tuple(BridgeConfig(Address("127.0.0.1", port), str(port)) for port in ports)
        async with Fleet(replace(CONFIG, bridges=bridges)) as fleet:
            fleet.go_live()
            followed = [one._streams for one in fleet._inventory.known()]

            def alive() -> int:
                both = [stream.states.values() for stream in followed if stream is not None]
                return sum(state.up for states in both for state in states)

            await until(lambda: alive() == 3)
            for snapshot in await fleet.scrape(asyncio.get_running_loop().time() + PATIENCE):
                assert snapshot.failures == {}
            assert alive() == 3
    told = [line.message for line in caplog.records if line.levelname == "WARNING"]
    assert told == [
        "not all bridges can be followed: this process may have 3 streams; the others are fetched, "
        "let it open more files"
    ]


async def test_a_reload_ends_and_begins_streams_at_once() -> None:
    async with simulated() as (bridge, fleet):
        await alive(fleet)
        counted = (await scrape(fleet)).streams
        fleet.reconfigure(replace(fleet._config, timeout=3.0))
        assert (await scrape(fleet)).streams["reading"].events >= counted["reading"].events
        fleet.reconfigure(replace(fleet._config, live="off"))
        await until(lambda: not bridge.open_connections)
        assert (await scrape(fleet)).streams == {}
        fleet.reconfigure(replace(fleet._config, live="auto"))
        await alive(fleet)
        fleet.reconfigure(replace(fleet._config, bridges=()))
        await until(lambda: not bridge.open_connections)


async def test_a_fleet_may_end_at_any_time() -> None:
    """Whatever its streams are about: nothing is left, which `following` checks."""
    async with Simulation(port=0, bridges=1, firmware="stream", interval=0.01) as simulation:
        [bridge] = simulation.bridges
        for turns in range(30):
            async with following(Address(bridge.host, bridge.port)) as fleet:
                for _ in range(turns):
                    await asyncio.sleep(0)
                if turns % 3 == 0:
                    await fleet.scrape(asyncio.get_running_loop().time() + 0.001)
        await until(lambda: not bridge.open_connections)


async def test_scrapes_that_give_up_leave_the_streams_whole() -> None:
    """A fetch whose scrape has left at once gives its place back to the stream."""
    async with simulated() as (_bridge, fleet):
        loop = asyncio.get_running_loop()
        for number in range(40):
            await fleet.scrape(loop.time() + 0.0005 * (number % 5), count_timeouts=False)
            await asyncio.sleep(0.001 * (number % 7))
        await alive(fleet)
        assert (await scrape(fleet)).streams["reading"].up


@pytest.mark.parametrize(
    "fault", [None, "disconnected", "detached", "pin-missing", "battery-low", "no-meter", "phase-only"]
)
async def test_the_documents_of_a_stream_are_those_of_a_fetch(fault: Any) -> None:
    """The clock stands still: both ways say the same, whatever the state of core and meter."""
    now = time.time()
    faults = [FaultSpec(fault)] if fault else []
    async with Simulation(
        port=0, bridges=1, firmware="stream", clock=lambda: now, faults=faults
    ) as simulation:
        [bridge] = simulation.bridges
        address = Address(bridge.host, bridge.port)
        async with following(address) as fleet:
            await alive(fleet)
            streamed = await scrape(fleet)
            assert [state.up for state in streamed.streams.values()] == [True, True]
        async with following(address, live="off") as fleet:
            fetched = await scrape(fleet)
    assert (streamed.sent, streamed.status) == (fetched.sent, fetched.status)
    assert (streamed.energies, streamed.meter) == (fetched.energies, fetched.meter)
    assert json.loads(json.dumps(bridge.meter)) == streamed.meter


@asynccontextmanager
async def many(number: int, *faults: str) -> AsyncIterator[tuple[Sequence[SimulatedBridge], Fleet]]:
    """A fleet of several bridges that are followed; nothing of it is left in the end."""
    specs = [FaultSpec(fault) for fault in faults]  # type: ignore[arg-type]
    tasks = tasks_of_bridges()
    async with Simulation(
        port=0, bridges=number, faults=specs, firmware="stream", interval=0.05
    ) as simulation:
        found = [BridgeConfig(Address(one.host, one.port), str(one.port)) for one in simulation.bridges]
        async with Fleet(replace(CONFIG, bridges=tuple(found))) as fleet:
            fleet.go_live()
            yield simulation.bridges, fleet
        assert tasks_of_bridges() <= tasks
        await until(lambda: not any(one.open_connections for one in simulation.bridges))


def states_of(fleet: Fleet) -> list[StreamState]:
    followed = [one._streams for one in fleet._inventory.known()]
    return [state for streams in followed if streams is not None for state in streams.states.values()]


async def test_many_streams_that_end_at_once_come_back_without_a_crowd() -> None:
    async with many(25, "stream-restart") as (bridges, fleet):
        await until(lambda: all(state.reconnects >= 2 for state in states_of(fleet)))
        for bridge in bridges:
            bridge.faults.clear()
        await until(lambda: all(state.up for state in states_of(fleet)))
        loop = asyncio.get_running_loop()
        snapshots = await fleet.scrape(loop.time() + PATIENCE)
        assert len(snapshots) == len(bridges)
        assert not [snapshot.failures for snapshot in snapshots if snapshot.failures]
        assert not [snapshot.errors for snapshot in snapshots if snapshot.errors]
        assert max(bridge.most_connections for bridge in bridges) == 2


async def test_a_bridge_that_accepts_and_says_nothing_is_followed_once_it_speaks() -> None:
    async with simulated("hang") as (bridge, fleet):
        loop = asyncio.get_running_loop()
        for _ in range(3):
            [snapshot] = await fleet.scrape(loop.time() + 0.1)
            assert not snapshot.up
            assert {failure.reason for failure in snapshot.failures.values()} == {"timeout"}
        assert not [state for state in states_of(fleet) if state.up or state.events]
        # Those that were given up are closed.
        await until(lambda: bridge.open_connections <= 2)
        bridge.faults.clear()
        # The stream that was asked for meanwhile is still waited for: a scrape takes its place.
        assert (await scrape(fleet)).failures == {}
        await alive(fleet)
        assert (await scrape(fleet)).streams["reading"].up


async def test_scrapes_at_the_same_time_share_what_a_stream_does_not_bring() -> None:
    async with simulated("no-stream") as (bridge, fleet):
        bridge.endpoints = {"status"}
        await until(lambda: streams_of(fleet).reading.newest)
        before = bridge.requests["reading"]
        # It may be asked for a stream of the status at any time.
        snapshots = await asyncio.gather(*(scrape(fleet) for _ in range(5)))
        assert {snapshot.status for snapshot in snapshots} == {snapshots[0].status}
        assert not [snapshot.failures for snapshot in snapshots if snapshot.failures]
        assert bridge.requests["reading"] == before


async def test_reloads_beside_scrapes_leave_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    """Turned on and off, removed and added again, at any moment."""
    caplog.set_level(logging.INFO)
    async with many(3) as (_bridges, fleet):
        config = fleet._config
        scrapes = []
        for number in range(60):
            live: Live = ("on", "off", "auto")[number % 3]
            bridges = config.bridges if number % 5 else config.bridges[:1]
            fleet.reconfigure(replace(config, live=live, bridges=bridges, stale_after=100.0 + number % 2))
            scrapes.append(asyncio.create_task(fleet.scrape(asyncio.get_running_loop().time() + PATIENCE)))
            await asyncio.sleep(0.002 * (number % 4))
        for snapshots in await asyncio.gather(*scrapes):
            assert not [snapshot.failures for snapshot in snapshots if snapshot.failures]
        fleet.reconfigure(replace(config, live="on"))
        await until(lambda: len(states_of(fleet)) == 6 and all(state.up for state in states_of(fleet)))
        assert len({task for task in tasks_of_bridges() if "Follower._run" in str(task.get_coro())}) == 6
    assert {line.levelname for line in caplog.records} <= {"INFO"}
    told = {line.message for line in caplog.records}
    assert told <= {"bridge answers", "documents are streamed"}


async def test_a_stream_is_not_asked_for_between_two_fetches() -> None:
    """The second of which begins in the same turn as the first ends."""
    asked: list[str] = []

    async def ask(endpoint: Endpoint, _sink: BodySink) -> None:
        asked.append(endpoint)
        await asyncio.Event().wait()

    how = Following("on", 100.0)
    follower: Follower[bytes] = Follower("reading", ask, lambda _: None, how, name=lambda: "house")
    try:
        with follower.standing_aside():
            await asyncio.sleep(0)
        with follower.standing_aside():
            for _ in range(5):
                await asyncio.sleep(0)
            assert not asked
        await until(lambda: asked)
    finally:
        await follower.aclose()
