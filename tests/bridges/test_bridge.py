"""One bridge over time: what is counted, logged and remembered of it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from iometer_exporter.bridges import bridge as bridge_module
from iometer_exporter.bridges.bridge import Bridge
from iometer_exporter.bridges.client import Network
from iometer_exporter.bridges.fetched import Fetched, Outcomes
from iometer_exporter.bridges.http.transport import BridgeTransport
from iometer_exporter.bridges.samples import add_bridges
from iometer_exporter.bridges.single_flight import SingleFlight
from iometer_exporter.bridges.snapshot import KnownBridge, Snapshot
from iometer_exporter.meter.guard import Limits
from iometer_exporter.meter.memory import Memory
from iometer_exporter.meter.models import Status
from iometer_exporter.metrics.exposition import TEXT, render
from iometer_exporter.metrics.lines import Heads, Lines
from iometer_exporter.net.addresses import Address
from iometer_exporter.net.resolver import Resolver
from tests import documents
from tests.rawserver import bridge, hanging, raw_server
from tests.waiting import until

LIMITS = Limits(100_000.0, 600.0)

T = TypeVar("T")


@asynccontextmanager
async def running(address: Address, memory: Memory | None = None) -> AsyncIterator[Bridge]:
    names, transport = Resolver(), BridgeTransport()
    found = Bridge("house", "configured", [address], LIMITS, Network(names, transport), memory)
    try:
        yield found
    finally:
        await found.aclose()
        await transport.aclose()
        names.close()


def fresh(**fields: Any) -> bytes:
    """A reading of now, which the guard has nothing against."""
    return documents.reading(time.time(), **fields)


async def fetched(flight: SingleFlight[T]) -> T:
    run = flight.join()
    try:
        return await run
    finally:
        flight.leave(run)


async def read(bridge: Bridge) -> Snapshot:
    """One scrape, the reading first."""
    return bridge.snapshot(Outcomes(await fetched(bridge.reading), await fetched(bridge.status)))


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, dict[str, object]]]:
    """Level, text and fields of each line but that of the first answer."""
    fields = ("bridge", "endpoint", "reason", "meter")
    return [
        (line.levelname, line.getMessage(), {f: line.__dict__[f] for f in fields if f in line.__dict__})
        for line in caplog.records
        if line.getMessage() != "bridge answers"
    ]


async def turns() -> None:
    """Let everything go on that waits for nobody else."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "iometer_exporter.bridges")
    return caplog


def state(bridge: Bridge) -> tuple[bool, bool, bool]:
    return bridge.answering, bridge.has_answered, bridge.is_awaited


async def test_nothing_is_known_of_a_bridge_that_was_never_asked() -> None:
    async with running(Address("10.0.0.1", 81)) as house:
        assert state(house) == (False, False, False)
        assert (house.labels, house.device_id, house.meter, house.limits) == ({}, "", "", LIMITS)
        assert house.known_at(Address("10.0.0.1", 81)) == KnownBridge(
            "house", "10.0.0.1:81", "configured", "", "", {}
        )


async def test_a_bridge_that_answers_is_known_by_its_meter_and_device() -> None:
    handler = bridge(
        lambda: documents.reading(meter="M1"), lambda: documents.status(device_id="d", meter=None)
    )
    async with raw_server(handler) as server, running(server.address) as house:
        house.labels = {"room": "cellar"}
        snapshot = await read(house)
        assert state(house) == (True, True, False)
        assert (snapshot.up, snapshot.address) == (True, str(server.address))
        assert house.known_at(server.address) == KnownBridge(
            "house", server.address.with_port, "configured", "M1", "d", {"room": "cellar"}
        )
        assert 0 <= snapshot.durations["reading"] < 30
        assert 0 <= snapshot.durations["status"] < 30
        assert 0 <= snapshot.seen_for < 30


async def test_a_failure_is_logged_when_it_is_news(log: pytest.LogCaptureFixture) -> None:
    answers = {"reading": b"", "status": documents.status()}
    handler = bridge(lambda: answers["reading"], lambda: answers["status"])
    async with raw_server(handler) as server, running(server.address) as house:
        for answer in (b"", b"", b"nonsense", b"", fresh(), fresh()):
            answers["reading"] = answer
            snapshot = await read(house)
    fields = {"bridge": "house", "endpoint": "reading"}
    no_data = ("WARNING", "no document: answered 404 Not Found", {**fields, "reason": "no_data"})
    assert told(log) == [
        no_data,
        (
            "WARNING",
            "no document: the body is not JSON: Expecting value: line 1 column 1 (char 0)",
            {**fields, "reason": "invalid_json"},
        ),
        no_data,
        ("INFO", "endpoint answers again", fields),
    ]
    assert snapshot.errors == {("reading", "no_data"): 3, ("reading", "invalid_json"): 1}
    assert snapshot.failures == {}


async def test_the_first_answer_is_one_line(log: pytest.LogCaptureFixture) -> None:
    """Whatever came before it: it need not be told that the endpoints answer `again`."""
    answers = {"reading": b"", "status": b""}
    handler = bridge(lambda: answers["reading"], lambda: answers["status"])
    async with raw_server(handler) as server, running(server.address) as house:
        await read(house)
        answers |= {"reading": fresh(power=-432.5, meter="M1"), "status": documents.status(meter="M1")}
        await read(house)
        await read(house)
    assert [record.getMessage() for record in log.records] == [
        "no document: answered 404 Not Found",
        "bridge answers",
    ]
    answer = log.records[-1].__dict__
    assert log.records[-1].levelname == "INFO"
    assert (answer["bridge"], answer["meter"], answer["power"]) == ("house", "M1", "-432.5 W")


async def test_the_first_answer_without_power(log: pytest.LogCaptureFixture) -> None:
    async with raw_server(bridge(lambda: b"", documents.status)) as server, running(server.address) as house:
        await read(house)
    assert [record.getMessage() for record in log.records] == [
        "no document: answered 404 Not Found",
        "bridge answers",
    ]
    assert "power" not in log.records[-1].__dict__


async def test_one_cause_is_one_line(log: pytest.LogCaptureFixture) -> None:
    answers = {"reading": fresh(), "status": documents.status()}
    handler = bridge(lambda: answers["reading"], lambda: answers["status"])
    async with raw_server(handler) as server, running(server.address) as house:
        for document in (True, False, False, True):
            answers |= {
                "reading": fresh() if document else b"",
                "status": documents.status() if document else b"",
            }
            await read(house)
    both = {"bridge": "house", "endpoint": "reading,status"}
    assert told(log) == [
        ("WARNING", "no document: answered 404 Not Found", {**both, "reason": "no_data"}),
        ("INFO", "endpoints answer again", both),
    ]


async def test_a_bridge_that_answers_from_the_first_is_no_news(log: pytest.LogCaptureFixture) -> None:
    handler = bridge(fresh, documents.status)
    async with raw_server(handler) as server, running(server.address) as house:
        await read(house)
    assert told(log) == []


async def test_fields_that_are_left_out_are_news_by_their_name(log: pytest.LogCaptureFixture) -> None:
    answers: list[dict[str, object]] = []
    handler = bridge(fresh, lambda: documents.status(core=answers[0]))
    async with raw_server(handler) as server, running(server.address) as house:
        for core in ({"rssi": "a"}, {"rssi": "b"}, {"rssi": "b", "version": 1}, {}, {"rssi": "b"}):
            answers[:] = [{**core}]
            snapshot = await read(house)
    fields = {"bridge": "house", "endpoint": "status"}
    rssi = "device.core.rssi is the text {!r}, expected a number"
    version = "device.core.version is a number, expected a text"
    assert told(log) == [
        ("WARNING", "left out: " + rssi.format("a"), fields),
        ("WARNING", f"left out: {version}; {rssi.format('b')}", fields),
        ("WARNING", "left out: " + rssi.format("b"), fields),
    ]
    assert snapshot.errors == {("status", "invalid_document"): 5}


@pytest.mark.parametrize(("count", "more"), [(3, ""), (4, "; and 1 more")])
async def test_of_many_problems_three_are_told(log: pytest.LogCaptureFixture, count: int, more: str) -> None:
    registers = list(range(count))
    handler = bridge(lambda: fresh(registers=registers), documents.status)
    async with raw_server(handler) as server, running(server.address) as house:
        await read(house)
    [(_, text, _)] = told(log)
    assert (
        text
        == "left out: "
        + "; ".join(f"meter.reading.registers[{index}] is a number, expected an object" for index in range(3))
        + more
    )


async def test_a_refused_reading_is_told_once_and_that_it_is_over(log: pytest.LogCaptureFixture) -> None:
    now = int(time.time())
    answers: list[bytes] = []
    async with (
        raw_server(bridge(lambda: answers[0], documents.status)) as server,
        running(server.address) as house,
    ):
        for offset, value in ((-60, 1000.0), (-900, 900.0), (-899, 900.0), (-898, 900.0), (0, 1000.1)):
            answers[:] = [documents.reading(now + offset, imported=value)]
            snapshot = await read(house)
    assert snapshot.rejected == {"replayed": 3}
    fields = {"bridge": "house", "meter": "1ISK0000000001"}
    [refused, over] = [line for line in told(log) if "counters held back" not in line[1]]
    assert refused[0] == "WARNING"
    assert refused[1] == f"reading of {iso(now - 900)} refused, serving that of {iso(now - 60)}"
    assert refused[2] == {**fields, "reason": "replayed"}
    assert over == ("INFO", "readings are believable again", fields)


async def test_a_new_truth_is_told(log: pytest.LogCaptureFixture) -> None:
    now = int(time.time())
    answers: list[bytes] = []
    async with (
        raw_server(bridge(lambda: answers[0], documents.status)) as server,
        running(server.address) as house,
    ):
        house.limits = Limits(100_000.0, 0.0)
        for offset, value in ((-60, 1000.0), (-50, 500.0), (-40, 500.1), (-30, 500.2)):
            answers[:] = [documents.reading(now + offset, imported=value)]
            snapshot = await read(house)
    assert snapshot.rejected == {"decreased": 2}
    fields = {"bridge": "house", "meter": "1ISK0000000001"}
    refused = f"reading of {iso(now - 50)} refused, serving that of {iso(now - 60)}"
    assert told(log) == [
        ("WARNING", refused, {**fields, "reason": "decreased"}),
        ("WARNING", "the refused readings agree with one another: served from now on", fields),
    ]


def iso(unix: float) -> str:
    return documents.stamp(unix).replace("Z", "+00:00")


async def test_counters_that_are_held_back_are_told_once(log: pytest.LogCaptureFixture) -> None:
    """The first reading is older than two minutes: it may be a replay."""
    then = int(time.time()) - 3600
    answers = [documents.reading(then)]
    async with (
        raw_server(bridge(lambda: answers[0], documents.status)) as server,
        running(server.address) as house,
    ):
        for _ in range(3):
            assert (await read(house)).is_held
        answers[0] = fresh(imported=12345679.0)
        assert not (await read(house)).is_held
    assert told(log) == [
        (
            "INFO",
            f"counters held back: the reading of {iso(then)} may be a replay",
            {"bridge": "house", "meter": "1ISK0000000001"},
        )
    ]


async def test_a_fault_of_this_program_is_told_with_its_traceback_once(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_body: bytes) -> None:
        raise TypeError("bug")

    monkeypatch.setattr(bridge_module, "parse_status", broken)
    async with raw_server(bridge(fresh, documents.status)) as server, running(server.address) as house:
        for _ in range(2):
            failure = (await read(house)).failures["status"]
    assert (failure.reason, str(failure)) == ("protocol", "fault of the exporter (TypeError)")
    fields = {"bridge": "house", "endpoint": "status"}
    assert told(log) == [
        ("ERROR", "document could not be read, please report this", fields),
        ("WARNING", "no document: fault of the exporter (TypeError)", {**fields, "reason": "protocol"}),
    ]
    assert log.records[0].exc_info


@pytest.mark.parametrize("counted", [True, False])
async def test_who_waited_in_vain_is_told_how_long(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, counted: bool
) -> None:
    async with raw_server(hanging) as server, running(server.address) as house:
        fetches = house.join()
        await until(lambda: server.requests)
        assert house.is_awaited
        loop = asyncio.get_running_loop()
        with monkeypatch.context() as patch:
            patch.setattr(loop, "time", lambda: house.reading.started + 9.04)
            outcome = house.leave(fetches, count_timeouts=counted).reading
        status: Fetched[Status] = Fetched(0.0)
        snapshot = house.snapshot(Outcomes(outcome, status))
    assert outcome.duration == pytest.approx(9.04)
    assert (outcome.failure, outcome.result) == (snapshot.failures["reading"], None)
    assert str(outcome.failure) == "no complete answer within 9 s"
    assert outcome.failure is not None
    assert outcome.failure.reason == "timeout"
    endpoints = ("reading", "status") if counted else ()
    assert snapshot.errors == dict.fromkeys([(endpoint, "timeout") for endpoint in endpoints], 1)
    assert [fields["endpoint"] for _, _, fields in told(log)] == (["reading,status"] if counted else [])
    assert (snapshot.up, snapshot.meter, snapshot.seen_for, snapshot.is_held) == (False, "", 0.0, False)


async def test_a_target_that_retires_is_remembered_at_once_and_waits_for_who_reads_it() -> None:
    memory = Memory()
    now = time.time()
    answers = [documents.reading(now, imported=1000.5)]
    release = asyncio.Event()
    answering = bridge(lambda: answers[0], documents.status)

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> bool:
        if len(server.requests) > 2:
            await release.wait()
        return await answering(head, writer)

    async with raw_server(handler) as server, running(server.address, memory) as old:
        await read(old)
        run = old.reading.join()
        await until(lambda: len(server.requests) == 3)
        retiring = asyncio.ensure_future(old.retire())
        await turns()
        assert (retiring.done(), run.done()) == (False, False)
        async with running(server.address, memory) as new:
            release.set()
            answers[0] = documents.reading(now - 60, imported=900.5)
            assert (await read(new)).rejected == {"replayed": 1}
        await retiring
        assert run.result().result is not None


@pytest.mark.parametrize("slow", ["reading", "status"])
async def test_a_target_that_retires_waits_for_either_document(slow: str) -> None:
    release = asyncio.Event()
    answering = bridge(documents.reading, documents.status)

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> bool:
        if f"/v1/{slow}".encode() in head:
            await release.wait()
        return await answering(head, writer)

    async with raw_server(handler) as server, running(server.address) as house:
        fetches = house.join()
        quick, awaited = fetches.tasks if slow == "status" else reversed(fetches.tasks)
        await quick
        await until(lambda: len(server.requests) == 2)
        retiring = asyncio.ensure_future(house.retire())
        await turns()
        assert (retiring.done(), awaited.done()) == (False, False)
        release.set()
        await retiring
    assert [run.result().failure for run in fetches.tasks] == [None, None]


async def test_a_bridge_is_awaited_while_anyone_waits_for_either_document() -> None:
    async with raw_server(hanging) as server, running(server.address) as house:
        for flight in (house.reading, house.status):
            run: asyncio.Task[Any] = flight.join()
            assert house.is_awaited
            flight.leave(run)
            assert not house.is_awaited


async def test_a_failure_has_its_duration_and_what_succeeds_no_failure() -> None:
    async with (
        raw_server(bridge(lambda: b"", documents.status)) as server,
        running(server.address) as house,
    ):
        failed, succeeded = await fetched(house.reading), await fetched(house.status)
    assert failed.result is None
    assert failed.failure is not None
    assert 0 <= failed.duration < 30
    assert succeeded.failure is None
    assert succeeded.result is not None
    assert 0 <= succeeded.duration < 30


@pytest.mark.parametrize(
    ("device", "keys"), [("", ["bridge:house"]), ("658c2b34", ["bridge:658c2b34", "bridge:house"])]
)
async def test_a_meter_without_a_number_is_remembered_by_its_bridge(device: str, keys: list[str]) -> None:
    """By its device as well, where that is known: it stays the same under another name."""
    memory = Memory()
    handler = bridge(lambda: fresh(meter=None), lambda: documents.status(meter=None, device_id=device))
    async with raw_server(handler) as server, running(server.address, memory) as house:
        await fetched(house.status)
        await fetched(house.reading)
    assert [key for key, _ in memory.entries()] == keys


async def test_a_failure_that_is_kept_holds_on_to_nothing_of_its_fetch() -> None:
    async with raw_server(bridge(lambda: b"", lambda: b"{")) as server, running(server.address) as house:
        failures = (await read(house)).failures
        assert {endpoint: failure.reason for endpoint, failure in failures.items()} == {
            "reading": "no_data",
            "status": "invalid_json",
        }
        assert failures["reading"].status == 404
        for failure in failures.values():
            assert failure.__traceback__ is None
            assert failure.__cause__ is None
            assert failure.__context__ is None


def page(snapshot: Snapshot, stale_after: float = 900.0) -> bytes:
    lines = Lines()
    add_bridges(lines, [snapshot], now=time.time(), stale_after=stale_after)
    return render([lines], TEXT)


async def test_two_causes_are_two_lines(log: pytest.LogCaptureFixture) -> None:
    async with (
        raw_server(bridge(lambda: b"", lambda: b"nonsense")) as server,
        running(server.address) as house,
    ):
        await read(house)
    assert [(message, fields["endpoint"]) for _, message, fields in told(log)] == [
        ("no document: answered 404 Not Found", "reading"),
        ("no document: the body is not JSON: Expecting value: line 1 column 1 (char 0)", "status"),
    ]


async def test_lines_that_are_kept_are_those_that_would_be_written_anew() -> None:
    now = time.time()
    first, newer = (documents.reading(now + later, power=power) for later, power in ((-5, 300), (-1, 400)))
    older = documents.reading(now - 60, power=500)
    nameless = first.replace(b'"number":', b'"other":')
    assert nameless != first
    served: list[tuple[bytes, int]] = [
        *((nameless, 1), (nameless, 2), (first, 3), (first, 3), (newer, 4), (newer, 4)),
        # Refused: what is served stays, what was sent is another.
        *((older, 5), (older, 5), (newer, 6)),
    ]
    document = nameless
    async with (
        raw_server(bridge(lambda: document, documents.status)) as server,
        running(server.address) as one,
    ):
        for document, edition in served:  # noqa: B007 (the server takes it)
            snapshot = await read(one)
            assert snapshot.edition == edition
            for some in (snapshot, replace(snapshot, bridge="other name"), replace(snapshot, is_held=True)):
                assert page(some) == page(replace(some, heads=Heads()))
            assert page(snapshot, 0.5) == page(replace(snapshot, heads=Heads()), 0.5)
