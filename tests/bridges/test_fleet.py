import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from iometer_exporter.bridges import bridge as bridge_module
from iometer_exporter.bridges.discovery.announcements import Service
from iometer_exporter.bridges.fleet import Fleet
from iometer_exporter.bridges.snapshot import KnownBridge, Snapshot
from iometer_exporter.config.file import BridgeConfig, Config, DiscoveryConfig
from iometer_exporter.errors import Reason
from iometer_exporter.meter.guard import Limits
from iometer_exporter.meter.memory import Memory
from iometer_exporter.meter.obis import ENERGY_IMPORT
from iometer_exporter.net.addresses import Address
from tests import documents
from tests.net.test_resolver import Names, names
from tests.rawserver import Handler, RawServer, answering, bridge, hanging, raw_server, response
from tests.waiting import PATIENCE, until

__all__ = ["names"]


def config(*servers: RawServer, **names: RawServer) -> Config:
    bridges = [BridgeConfig(server.address, str(server.address)) for server in servers]
    bridges += [BridgeConfig(server.address, name) for name, server in names.items()]
    return Config(bridges=tuple(bridges))


async def scrape(fleet: Fleet, budget: float = 2.0) -> dict[str, Snapshot]:
    snapshots = await fleet.scrape(asyncio.get_running_loop().time() + budget)
    by_name = {snapshot.bridge: snapshot for snapshot in snapshots}
    assert len(by_name) == len(snapshots)
    return by_name


def healthy(*, device_id: str = "658c2b34", meter: str = "1ISK0000000001") -> Handler:
    return bridge(
        lambda: documents.reading(time.time(), meter=meter),
        lambda: documents.status(device_id=device_id, meter=meter),
    )


def service(name: str, *servers: RawServer, host: str = "") -> Service:
    return Service(name, host or f"{name.lower()}.local", tuple(server.address for server in servers))


async def test_a_fleet_without_bridges_scrapes_nothing() -> None:
    async with Fleet(Config()) as fleet:
        assert await scrape(fleet) == {}


async def test_a_bridge_gives_reading_and_status() -> None:
    async with raw_server(healthy()) as server, Fleet(config(house=server)) as fleet:
        snapshot = (await scrape(fleet))["house"]
    assert snapshot.up
    assert snapshot.reading is not None
    assert snapshot.status is not None
    assert (snapshot.meter, snapshot.failures, snapshot.source) == ("1ISK0000000001", {}, "configured")
    assert all(0 < seconds < 1 for seconds in snapshot.durations.values())


async def test_one_document_is_enough_to_be_up() -> None:
    async with (
        raw_server(bridge(lambda: b"", documents.status)) as no_reading,
        raw_server(bridge(documents.reading, lambda: b"")) as no_status,
        raw_server(bridge(lambda: b"", lambda: b"")) as neither,
        Fleet(config(no_reading=no_reading, no_status=no_status, neither=neither)) as fleet,
    ):
        found = await scrape(fleet)
    assert {name: snapshot.up for name, snapshot in found.items()} == {
        "no_reading": True,
        "no_status": True,
        "neither": False,
    }
    assert found["no_reading"].errors == {("reading", "no_data"): 1}


async def test_bad_bridges_cost_nobody_else() -> None:
    """20 bridges, some of which hang, reset, send nonsense, 200 MB or a redirect."""
    bad: list[tuple[Handler, Reason]] = [
        (hanging, "timeout"),
        (answering(b"", keep=False), "protocol"),
        (answering(response(b"<html>"), keep=False), "invalid_json"),
        (answering(response(b'{"hello": "world"}'), keep=False), "invalid_document"),
        (endless, "too_large"),
        (answering(response(b"", status="302 Found", headers="Location: /x\r\n")), "http_status"),
        (answering(b"\x00\xff" * 100 + b"\r\n\r\n", keep=False), "protocol"),
    ]
    async with AsyncExitStack() as stack:
        good = {
            f"good{index}": await stack.enter_async_context(raw_server(healthy(device_id=str(index))))
            for index in range(13)
        }
        servers = {
            f"bad{index}": await stack.enter_async_context(raw_server(handler))
            for index, (handler, _) in enumerate(bad)
        }
        fleet = await stack.enter_async_context(Fleet(config(**good, **servers)))
        async with asyncio.timeout(PATIENCE):
            found = await scrape(fleet, budget=1.0)
    assert all(found[name].up for name in good)
    reasons = [
        {failure.reason for failure in found[f"bad{index}"].failures.values()} for index in range(len(bad))
    ]
    assert reasons == [{reason} for _, reason in bad]
    assert all(found[f"bad{index}"].errors["reading", reason] == 1 for index, (_, reason) in enumerate(bad))


async def endless(_head: bytes, writer: asyncio.StreamWriter) -> bool:
    """200 MB without a length, for as long as the client takes it."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(200 * 16):
        writer.write(b"x" * 65536)
        await writer.drain()
    return False


async def test_two_scrapes_at_once_share_one_fetch() -> None:
    release = asyncio.Event()

    async def held(head: bytes, writer: asyncio.StreamWriter) -> bool:
        await release.wait()
        return await healthy()(head, writer)

    async with raw_server(held) as server, Fleet(config(house=server)) as fleet:
        scrapes = [asyncio.create_task(scrape(fleet)) for _ in range(5)]
        await until(lambda: len(server.requests) == 2)
        release.set()
        assert all(found["house"].up for found in await asyncio.gather(*scrapes))
        assert len(server.requests) == 2
        assert (await scrape(fleet))["house"].up
        assert len(server.requests) == 4
        assert server.most_open <= 2


async def test_a_patient_scrape_gets_what_an_impatient_one_did_not_wait_for() -> None:
    release = asyncio.Event()

    async def held(head: bytes, writer: asyncio.StreamWriter) -> bool:
        await release.wait()
        return await healthy()(head, writer)

    async with raw_server(held) as server, Fleet(config(house=server)) as fleet:
        patient = asyncio.create_task(scrape(fleet))
        impatient = await scrape(fleet, budget=0.05)
        assert impatient["house"].failures["reading"].reason == "timeout"
        release.set()
        snapshot = (await patient)["house"]
        assert snapshot.up
        assert snapshot.errors == {}
        assert len(server.requests) == 2


async def test_a_fault_of_this_program_costs_one_document_of_one_bridge(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_body: bytes) -> None:
        raise TypeError("bug")

    monkeypatch.setattr(bridge_module, "parse_reading", broken)
    async with raw_server(healthy()) as server, Fleet(config(house=server)) as fleet:
        for _ in range(2):
            snapshot = (await scrape(fleet))["house"]
    assert snapshot.up
    assert str(snapshot.failures["reading"]) == "fault of the exporter (TypeError)"
    assert caplog.messages == [
        "document could not be read, please report this",
        "no document: fault of the exporter (TypeError)",
    ]


async def test_an_impatient_scrape_is_neither_counted_nor_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with raw_server(hanging) as server, Fleet(config(house=server)) as fleet:
        deadline = asyncio.get_running_loop().time() + 0.05
        [snapshot] = await fleet.scrape(deadline, count_timeouts=False)
    assert (snapshot.up, snapshot.errors, caplog.messages) == (False, {}, [])


async def test_a_hung_fetch_ends_with_its_scrape() -> None:
    async with raw_server(hanging) as server, Fleet(config(house=server)) as fleet:
        for count in (1, 2, 3):
            snapshot = (await scrape(fleet, budget=0.05))["house"]
            assert not snapshot.up
            assert snapshot.errors == {("reading", "timeout"): count, ("status", "timeout"): count}
            await until(lambda: server.open == 0)
        assert server.most_open <= 2


async def test_one_hung_endpoint_does_not_hide_the_other() -> None:
    async def half(head: bytes, writer: asyncio.StreamWriter) -> bool:
        if b"/v1/status" in head:
            return await hanging(head, writer)
        return await healthy()(head, writer)

    async with raw_server(half) as server, Fleet(config(house=server)) as fleet:
        snapshot = (await scrape(fleet, budget=0.1))["house"]
    assert snapshot.up
    assert snapshot.reading is not None
    assert list(snapshot.failures) == ["status"]
    assert str(snapshot.failures["status"]) == "no complete answer within 0.1 s"


async def test_a_cancelled_scrape_gives_up_its_fetches() -> None:
    async with raw_server(hanging) as server, Fleet(config(house=server)) as fleet:
        waiting = asyncio.create_task(scrape(fleet))
        await until(lambda: len(server.requests) == 2)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await until(lambda: server.open == 0)


async def test_abandoned_scrapes_answer_with_what_there_is() -> None:
    async with (
        raw_server(hanging) as slow,
        raw_server(healthy()) as quick,
        Fleet(config(slow=slow, quick=quick)) as fleet,
    ):
        waiting = asyncio.create_task(scrape(fleet, budget=60))
        await until(lambda: len(slow.requests) == 2 and len(quick.requests) == 2)
        await asyncio.sleep(0.05)
        await fleet.abandon()
        found = await waiting
    assert (found["quick"].up, found["slow"].up) == (True, False)


async def test_the_guard_stands_between_bridge_and_counter() -> None:
    now = time.time()
    answers = [
        documents.reading(now, imported=1000.5),
        documents.reading(now - 900, imported=900.5),
        documents.reading(now + 1, imported=1000.6),
    ]
    async with (
        raw_server(bridge(lambda: answers.pop(0), documents.status)) as server,
        Fleet(config(house=server)) as fleet,
    ):
        served = []
        for _ in range(3):
            snapshot = (await scrape(fleet))["house"]
            assert snapshot.reading is not None
            served.append(snapshot.reading.time.timestamp())
    assert served == [int(now), int(now), int(now + 1)]
    assert snapshot.rejected == {"replayed": 1}


async def test_the_meter_of_one_document_serves_the_other() -> None:
    async with (
        raw_server(
            bridge(lambda: documents.reading(meter=None), lambda: documents.status(meter="M1"))
        ) as by_status,
        raw_server(
            bridge(lambda: documents.reading(meter="M2"), lambda: documents.status(meter=None, device_id="2"))
        ) as by_reading,
        Fleet(config(by_status=by_status, by_reading=by_reading)) as fleet,
    ):
        for _ in range(2):
            found = await scrape(fleet)
            for name, meter in (("by_status", "M1"), ("by_reading", "M2")):
                reading, sent = found[name].reading, found[name].sent
                assert reading is not None
                assert sent is not None
                assert (found[name].meter, reading.meter, sent.meter) == (meter, meter, meter)


async def test_bad_fields_are_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    registers = [{"obis": documents.IMPORT, "value": "1", "unit": "Wh"}, {"obis": "?"}, 1, 2, 3]
    async with (
        raw_server(bridge(lambda: documents.reading(registers=registers), documents.status)) as server,
        Fleet(config(house=server)) as fleet,
    ):
        for count in (5, 10):
            snapshot = (await scrape(fleet))["house"]
            assert snapshot.errors == {("reading", "invalid_document"): count}
    assert [record.getMessage() for record in caplog.records] == [
        "left out: meter.reading.registers[0].value is the text '1', expected a number; "
        "meter.reading.registers[1].obis '?' is not an OBIS code such as '01-00:01.08.00*ff' or '1-0:1.8.0'; "
        "meter.reading.registers[2] is a number, expected an object; and 2 more"
    ]


async def test_a_change_of_state_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "iometer_exporter")
    answers = {"reading": b"", "status": documents.status()}
    async with (
        raw_server(bridge(lambda: answers["reading"], lambda: answers["status"])) as server,
        Fleet(config(house=server)) as fleet,
    ):
        for _ in range(3):
            await scrape(fleet)
        answers["reading"] = documents.reading(time.time())
        for _ in range(3):
            await scrape(fleet)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "no document: answered 404 Not Found"),
        ("INFO", "bridge answers"),
        ("INFO", "endpoint answers again"),
    ]


@asynccontextmanager
async def two_ways_to_one_device() -> AsyncIterator[tuple[RawServer, RawServer]]:
    async with raw_server(healthy()) as first, raw_server(healthy()) as second:
        yield first, second


async def test_two_addresses_of_one_device_are_one_bridge(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "iometer_exporter")
    async with two_ways_to_one_device() as (first, second):
        services = [service("IOmeter-000001", second)]
        async with Fleet(config(house=first), lambda: services) as fleet:
            for _ in range(3):
                assert list(await scrape(fleet)) == ["house"]
                assert fleet.counts == {"configured": 1}
    # Only the first scrape could not know it.
    assert len(second.requests) == 2
    assert [record.getMessage() for record in caplog.records] == [
        "bridge answers",
        "bridge answers",
        "bridge is another address of house and is shown under that name",
    ]


async def test_two_configured_addresses_of_one_device_are_one_bridge() -> None:
    async with two_ways_to_one_device() as (first, second), Fleet(config(a=first, b=second)) as fleet:
        for _ in range(2):
            assert list(await scrape(fleet)) == ["a"]


async def test_the_other_address_of_a_device_takes_over_when_the_first_is_silent() -> None:
    down = [False]
    ok = healthy()

    async def sometimes(head: bytes, writer: asyncio.StreamWriter) -> bool:
        return False if down[0] else await ok(head, writer)

    async with raw_server(sometimes) as first, raw_server(ok) as second:
        services = [service("IOmeter-000001", second)]
        async with Fleet(config(house=first), lambda: services) as fleet:
            await scrape(fleet)
            down[0] = True
            # In the very scrape in which the first falls silent.
            found = await scrape(fleet)
            assert {name: snapshot.up for name, snapshot in found.items()} == {
                "house": False,
                "IOmeter-000001": True,
            }
            down[0] = False
            await scrape(fleet)
            assert list(await scrape(fleet)) == ["house"]


async def test_a_discovered_bridge_at_a_configured_address_is_not_asked_twice() -> None:
    async with raw_server(healthy()) as server:
        services = [service("IOmeter-000001", server)]
        by_name = Config(bridges=(BridgeConfig(Address("localhost", server.address.port), "house"),))
        async with Fleet(config(house=server), lambda: services) as fleet:
            assert list(await scrape(fleet)) == ["house"]
        assert len(server.requests) == 2
        assert server.most_open <= 2
        async with Fleet(by_name, lambda: services) as fleet:
            fleet._inventory.sync()
            await until(lambda: bool(fleet._names.last(by_name.bridges[0].address)))
            assert list(await scrape(fleet)) == ["house"]
        assert len(server.requests) == 4
        assert server.most_open <= 2


async def test_a_configured_mdns_name_works_where_only_discovery_knows_it() -> None:
    async with raw_server(healthy()) as server:
        address = Address("IOmeter-000001.invalid", server.address.port)
        services = [service("IOmeter-000001", server, host="iometer-000001.invalid")]
        configured = Config(bridges=(BridgeConfig(address, "house"),))
        async with Fleet(configured, lambda: services) as fleet:
            found = await scrape(fleet)
    assert (list(found), found["house"].up) == (["house"], True)


async def test_a_scrape_is_not_late_because_something_new_is_announced_and_a_name_hangs(
    names: Names,
) -> None:
    """The name is that of a configured bridge, which the new one may be."""
    names.hang("house.local")
    async with raw_server(healthy(device_id="1")) as good, raw_server(healthy(device_id="2")) as new:
        configured = config(good=good)
        hanging_name = BridgeConfig(Address("house.local"), "house")
        configured = replace(configured, bridges=(*configured.bridges, hanging_name))
        services: list[Service] = []
        async with Fleet(configured, lambda: list(services)) as fleet:
            for index in range(3):
                services.append(service(f"IOmeter-{index}", new))
                found = await scrape(fleet, budget=0.3)
                up = {name for name, snapshot in found.items() if snapshot.up}
                assert up == {"good", "IOmeter-0"}
                assert not found["house"].up
            assert (await fleet.probe(str(good.address), asyncio.get_running_loop().time() + 0.3)).up
    assert names.asked["house.local"] == 1


async def test_a_discovered_bridge_moves_and_is_forgotten() -> None:
    async with raw_server(healthy()) as first, raw_server(healthy()) as second:
        services = [service("IOmeter-000001", first)]
        async with Fleet(Config(), lambda: list(services)) as fleet:
            assert (await scrape(fleet))["IOmeter-000001"].source == "discovered"
            services[0] = service("IOmeter-000001", second)
            found = await scrape(fleet)
            assert found["IOmeter-000001"].address == str(second.address)
            assert fleet.counts == {"discovered": 1}
            services.clear()
            # It has answered: it is waited for.
            assert list(await scrape(fleet)) == ["IOmeter-000001"]
            fleet.reconfigure(Config(discovery=DiscoveryConfig(forget_after=0.0)))
            assert await scrape(fleet) == {}
            assert fleet.counts == {}
    assert (len(first.requests), len(second.requests)) == (2, 4)


async def test_a_discovered_name_that_is_taken_gets_its_address() -> None:
    async with raw_server(healthy(device_id="1")) as first, raw_server(healthy(device_id="2")) as second:
        services = [service("house", second)]
        async with Fleet(config(house=first), lambda: services) as fleet:
            assert list(await scrape(fleet)) == ["house", f"house@{second.address}"]


async def test_the_meter_of_the_reading_beats_that_of_the_status() -> None:
    documents_of = bridge(
        lambda: documents.reading(time.time(), meter="of the reading"),
        lambda: documents.status(meter="of the status"),
    )
    async with raw_server(documents_of) as server, Fleet(config(house=server)) as fleet:
        for _ in range(2):
            snapshot = (await scrape(fleet))["house"]
    assert snapshot.reading is not None
    assert (snapshot.reading.meter, fleet.meters) == ("of the reading", frozenset({"of the reading"}))
    # What is shown of the status has its own.
    assert snapshot.meter == "of the status"


async def test_a_reload_counts_for_probed_bridges_too() -> None:
    now = time.time()
    answers = [documents.reading(now - 60, imported=1000.0), documents.reading(now, imported=2000.0)]
    async with (
        raw_server(bridge(lambda: answers.pop(0), documents.status)) as server,
        Fleet(Config()) as fleet,
    ):
        deadline = asyncio.get_running_loop().time() + 10
        await fleet.probe(str(server.address), deadline)
        fleet.reconfigure(Config(max_power=1.0))
        snapshot = await fleet.probe(str(server.address), deadline)
    assert snapshot.rejected == {"implausible": 1}


def present(snapshot: Snapshot) -> float:
    """The import counter served, in Wh."""
    assert snapshot.reading is not None
    assert not snapshot.is_held
    return float(snapshot.reading.registers[ENERGY_IMPORT].value)


def sending(answers: list[bytes], meter: str | None = "1ISK0000000001", device_id: str = "1") -> Handler:
    return bridge(lambda: answers[0], lambda: documents.status(meter=meter, device_id=device_id))


async def test_a_number_that_only_the_status_knows_changes_no_history() -> None:
    now = time.time()
    answers = [documents.reading(now, meter=None, imported=1000.5)]
    async with raw_server(sending(answers)) as server, Fleet(config(house=server)) as fleet:
        first = (await scrape(fleet))["house"]
        answers[0] = documents.reading(now - 60, meter=None, imported=900.5)
        second = (await scrape(fleet))["house"]
    assert (first.meter, second.meter) == ("1ISK0000000001", "1ISK0000000001")
    assert (present(first), present(second)) == (1000.5, 1000.5)
    assert second.rejected == {"replayed": 1}


async def test_a_discovered_bridge_that_is_configured_goes_on_where_it_was() -> None:
    now = time.time()
    answers = [documents.reading(now, imported=1000.5)]
    async with raw_server(sending(answers)) as server:
        services = [service("house", server)]
        async with Fleet(Config(), lambda: services) as fleet:
            assert present((await scrape(fleet))["house"]) == 1000.5
            answers[0] = documents.reading(now - 60, imported=900.5)
            fleet.reconfigure(config(house=server))
            found = (await scrape(fleet))["house"]
    assert (found.source, present(found)) == ("configured", 1000.5)


async def test_a_bridge_at_another_address_under_another_name_goes_on_where_it_was() -> None:
    now = time.time()
    answers = [documents.reading(now, imported=1000.5)]
    async with (
        raw_server(sending(answers)) as old,
        raw_server(sending(answers)) as new,
        Fleet(config(house=old)) as fleet,
    ):
        await scrape(fleet)
        answers[0] = documents.reading(now - 60, imported=900.5)
        fleet.reconfigure(config(home=new))
        assert present((await scrape(fleet))["home"]) == 1000.5


async def test_a_bridge_without_any_number_is_known_by_its_device() -> None:
    now = time.time()
    answers = [documents.reading(now, meter=None, imported=1000.5)]
    handler = sending(answers, meter=None, device_id="658c")
    async with raw_server(handler) as old, raw_server(handler) as new, Fleet(config(house=old)) as fleet:
        for _ in range(2):
            await scrape(fleet)
        answers[0] = documents.reading(now - 60, meter=None, imported=900.5)
        fleet.reconfigure(config(house=new))
        assert present((await scrape(fleet))["house"]) == 1000.5


async def test_a_probed_bridge_that_was_forgotten_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("iometer_exporter.bridges.fleet._MAX_PROBED", 1)
    now = time.time()
    answers = [documents.reading(now, imported=1000.5)]
    async with (
        raw_server(sending(answers)) as server,
        raw_server(healthy(meter="other")) as other,
        Fleet(Config()) as fleet,
    ):
        for target in (server, other):
            await fleet.probe(str(target.address), asyncio.get_running_loop().time() + 5)
        answers[0] = documents.reading(now - 60, imported=900.5)
        again = await fleet.probe(str(server.address), asyncio.get_running_loop().time() + 5)
    assert present(again) == 1000.5


async def test_a_snapshot_says_for_how_long_its_reading_has_been_known() -> None:
    now = time.time()
    answers = [documents.reading(now + 86_400)]
    async with raw_server(sending(answers)) as server, Fleet(config(house=server)) as fleet:
        first = (await scrape(fleet))["house"]
        await asyncio.sleep(0.05)
        second = (await scrape(fleet))["house"]
    assert 0 <= first.seen_for < 0.05 + second.seen_for
    assert second.seen_for >= 0.05
    # A day ahead, it is stale as soon as any other that nobody renews.
    assert second.is_stale(now, 0.05)
    assert not second.is_stale(now, 3600.0)
    assert not second.is_stale(now, 0.0)


def soon(seconds: float) -> float:
    """A deadline."""
    return asyncio.get_running_loop().time() + seconds


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_probe_that_waits_less_than_a_bridge_may_take_is_not_counted(is_known: bool) -> None:
    async with raw_server(hanging) as server, Fleet(config(server) if is_known else Config()) as fleet:
        target = str(server.address)
        impatient = await fleet.probe(target, soon(0.05), count_timeouts=False)
        assert (impatient.up, impatient.errors) == (False, {})
        patient = await fleet.probe(target, soon(0.05))
        assert patient.errors == {("reading", "timeout"): 1, ("status", "timeout"): 1}


async def test_another_address_that_had_less_time_than_it_may_take_is_not_counted() -> None:
    faults: dict[str, Handler] = {}
    ok = healthy()

    async def first(head: bytes, writer: asyncio.StreamWriter) -> bool:
        return await faults.get("first", ok)(head, writer)

    async def second(head: bytes, writer: asyncio.StreamWriter) -> bool:
        return await faults.get("second", ok)(head, writer)

    async with raw_server(first) as one, raw_server(second) as two, Fleet(config(a=one, b=two)) as fleet:
        await scrape(fleet)
        faults["first"] = answering(response(b"", status="500 Oops"))
        faults["second"] = hanging
        found = await scrape(fleet, budget=0.3)
    assert found["a"].errors == {("reading", "http_status"): 1, ("status", "http_status"): 1}
    assert (found["b"].up, found["b"].errors) == (False, {})


async def test_service_discovery_knows_where_each_bridge_can_be_asked(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iometer_exporter.bridges.fleet._RESOLVE_SECONDS", 0.05)
    names.known["house.local"] = ["10.0.0.1", "10.0.0.9"]
    names.known["hangs.local"] = ["10.0.0.3"]
    names.hang("hangs.local", "announced.local")
    configured = Config(
        bridges=(
            BridgeConfig(Address("house.local", 81), "house", {"room": "cellar"}),
            BridgeConfig(Address("nowhere.local"), "nowhere"),
            BridgeConfig(Address("hangs.local"), "hangs"),
            BridgeConfig(Address("announced.local"), "announced"),
            BridgeConfig(Address("10.0.0.2"), "ip"),
        )
    )
    services = [
        Service("IOmeter-1", "iometer-1.local", (Address("10.0.0.7"), Address("fd00::7"))),
        Service("IOmeter-2", "announced.local", (Address("10.0.0.8"),)),
    ]
    async with Fleet(configured, lambda: services) as fleet:
        known = await fleet.known()
    assert known[0] == KnownBridge("house", "10.0.0.1:81", "configured", "", "", {"room": "cellar"})
    assert {bridge.name: bridge.address for bridge in known} == {
        "house": "10.0.0.1:81",
        "nowhere": "nowhere.local:80",
        "hangs": "hangs.local:80",
        "announced": "10.0.0.8:80",
        "ip": "10.0.0.2:80",
        "IOmeter-1": "10.0.0.7:80",
    }


async def test_what_the_guards_believe_is_configured() -> None:
    async with Fleet(Config(max_power=1.0, reset_after=2.0)) as fleet:
        assert fleet._probed.limits == Limits(1.0, 2.0)
        fleet.reconfigure(Config(max_power=3.0, reset_after=4.0))
        assert fleet._probed.limits == Limits(3.0, 4.0)


async def test_a_fleet_remembers_in_the_memory_that_it_is_given() -> None:
    now = time.time()
    answers = [documents.reading(now, imported=1000.5)]
    memory = Memory()
    async with raw_server(sending(answers)) as server:
        async with Fleet(config(house=server), memory=memory) as before:
            await scrape(before)
        answers[0] = documents.reading(now - 60, imported=900.5)
        async with Fleet(config(house=server), memory=memory) as after:
            assert present((await scrape(after))["house"]) == 1000.5
