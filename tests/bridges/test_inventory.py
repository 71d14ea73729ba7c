import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.bridges.bridge import Bridge
from iometer_exporter.bridges.client import Network
from iometer_exporter.bridges.discovery.admission import TRIAL_SECONDS
from iometer_exporter.bridges.discovery.announcements import Service
from iometer_exporter.bridges.fleet import parse_target
from iometer_exporter.bridges.http.transport import BridgeTransport
from iometer_exporter.bridges.inventory import BridgeInventory
from iometer_exporter.config.file import BridgeConfig, Config, DiscoveryConfig, check_names
from iometer_exporter.errors import ProbeTargetError
from iometer_exporter.meter.guard import Limits
from iometer_exporter.meter.memory import Memory
from iometer_exporter.net.addresses import Address
from iometer_exporter.net.resolver import Resolver
from tests.net.test_resolver import Names, names
from tests.waiting import until

__all__ = ["names"]


def config(*bridges: tuple[str, str], discovery: DiscoveryConfig | None = None) -> Config:
    """Bridges as (name, host)."""
    configured = tuple(BridgeConfig(Address(host), name) for name, host in bridges)
    return Config(bridges=configured, discovery=discovery or DiscoveryConfig())


def service(name: str, *hosts: str, host: str = "") -> Service:
    return Service(name, host or f"{name.lower()}.local", tuple(map(Address, hosts)))


@asynccontextmanager
async def inventory(
    config: Config, services: Callable[[], Sequence[Service]], resolver: Resolver | None = None
) -> AsyncIterator[BridgeInventory]:
    names, transport = resolver or Resolver(), BridgeTransport()
    found = BridgeInventory(config, services, Network(names, transport), names, Memory())
    try:
        yield found
    finally:
        await found.aclose()
        await transport.aclose()
        names.close()


def labels(inventory: BridgeInventory) -> list[str]:
    return [bridge.name for bridge in inventory.known()]


def answer(bridge: Bridge, device_id: str = "") -> None:
    """As if the last scrape had got a document."""
    bridge.answering = bridge.has_answered = True
    bridge.device_id = device_id


# What is announced, and what is configured by name.


async def test_a_name_that_hangs_holds_up_no_scrape(names: Names) -> None:
    """What is announced is a bridge of its own until it is known to be a configured one."""
    names.known["house.local"] = ["10.0.0.1"]
    names.hang("house.local")
    resolver = Resolver()
    announced = [service("IOmeter-1", "10.0.0.1")]
    async with inventory(config(("house", "house.local")), lambda: announced, resolver) as found:
        found.sync()
        assert labels(found) == ["house", "IOmeter-1"]
        await until(lambda: names.running["house.local"] == 1)
        found.sync()
        assert labels(found) == ["house", "IOmeter-1"]
        names.release()
        await until(lambda: bool(resolver.last(Address("house.local"))))
        found.sync()
        assert labels(found) == ["house"]
        assert names.asked["house.local"] == 1


async def test_names_are_asked_for_when_something_new_is_announced_and_not_else(names: Names) -> None:
    announced = [service("IOmeter-1", "10.0.0.1")]
    resolver = Resolver()
    async with inventory(config(("house", "house.local")), lambda: list(announced), resolver) as found:
        for _ in range(3):
            found.sync()
            await until(lambda: not resolver._lookups)
        assert names.asked["house.local"] == 1
        announced.append(service("IOmeter-2", "10.0.0.2"))
        names.known["house.local"] = ["10.0.0.2"]
        found.sync()
        await until(lambda: bool(resolver.last(Address("house.local"))))
        found.sync()
        assert labels(found) == ["house", "IOmeter-1"]


async def test_a_bridge_that_a_reload_configures_by_name_is_matched_with_what_is_announced(
    names: Names,
) -> None:
    names.known["house.local"] = ["10.0.0.1"]
    resolver = Resolver()
    announced = [service("IOmeter-1", "10.0.0.1")]
    async with inventory(config(), lambda: announced, resolver) as found:
        found.sync()
        assert labels(found) == ["IOmeter-1"]
        found.reconfigure(config(("house", "house.local")))
        found.sync()
        await until(lambda: bool(resolver.last(Address("house.local"))))
        found.sync()
        assert labels(found) == ["house"]
        # And no longer once it is removed.
        found.reconfigure(config())
        found.sync()
        assert labels(found) == ["IOmeter-1"]


async def test_a_vanished_bridge_that_a_reload_configures_is_no_bridge_of_its_own() -> None:
    announced = [service("IOmeter-1", "10.0.0.1")]
    async with inventory(config(), lambda: list(announced)) as found:
        found.sync()
        announced.clear()
        found.sync()
        assert labels(found) == ["IOmeter-1"]
        found.reconfigure(config(("house", "10.0.0.1")))
        found.sync()
        assert labels(found) == ["house"]


async def test_an_announced_host_name_is_a_way_to_the_bridge_that_is_configured_by_it(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = [f"10.0.0.{index}" for index in range(1, 6)]
    announced = [
        service("IOmeter-1", *hosts[:2], host="house.local"),
        service("Rogue", *(f"10.1.0.{index}" for index in range(1, 30)), host="house.local"),
    ]
    async with inventory(config(("house", "House.local.")), lambda: list(announced)) as found:
        found.sync()
        assert labels(found) == ["house"]
        [bridge] = found.known()
        ways = list(bridge.addresses)
        assert ways[:3] == [Address("House.local."), Address("10.0.0.1"), Address("10.0.0.2")]
        assert len(ways) == 8
        announced[:] = [service("IOmeter-1", "10.0.0.3", host="house.local")]
        found.sync()
        known = [Address("House.local."), Address("10.0.0.3")]
        assert list(bridge.addresses) == known
        # Gone: as long as a vanished bridge is remembered.
        announced.clear()
        found.sync()
        assert list(bridge.addresses) == known
        now = asyncio.get_running_loop().time()
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now + 86401)
        found.sync()
        assert list(bridge.addresses) == [Address("House.local.")]


async def test_of_two_configured_spellings_of_a_host_the_first_has_its_announced_addresses(
    names: Names,
) -> None:
    announced = [service("IOmeter-1", "10.0.0.1", host="house.local")]
    async with inventory(config(("a", "house.local"), ("b", "HOUSE.local.")), lambda: announced) as found:
        found.sync()
        assert [len(bridge.addresses) for bridge in found.known()] == [2, 1]


# Names.


async def test_names_are_chosen_against_all_names_there_are() -> None:
    bridges = [("house", "10.0.0.1"), ("house@10.0.0.2", "10.0.0.9")]
    announced = [service("house", "10.0.0.2"), service("house@10.0.0.2", "10.0.0.3")]
    async with inventory(config(*bridges), lambda: announced) as found:
        found.sync()
        assert labels(found) == [
            "house",
            "house@10.0.0.2",
            "house@10.0.0.2#2",
            "house@10.0.0.2@10.0.0.3",
        ]
        found.reconfigure(config(("house", "10.0.0.1")))
        assert labels(found) == ["house", "house@10.0.0.2", "house@10.0.0.2@10.0.0.3"]
        found.reconfigure(config())
        assert labels(found) == ["house", "house@10.0.0.2"]


async def test_a_name_stays_when_the_bridge_moves() -> None:
    announced = [service("house", "10.0.0.2")]
    async with inventory(config(("house", "10.0.0.1")), lambda: list(announced)) as found:
        found.sync()
        announced[0] = service("house", "10.0.0.3")
        found.sync()
        assert labels(found) == ["house", "house@10.0.0.2"]
        assert list(found.known())[1].addresses == (Address("10.0.0.3"),)


few_names = st.sampled_from(
    [name + ending for name in ("a", "b") for ending in ("", "@10.0.0.1", "@10.0.0.2", "@10.0.0.1#2")]
)
places = st.integers(1, 5).map("10.0.0.{}".format)
mixes = st.tuples(
    st.lists(st.tuples(few_names, places), max_size=5, unique_by=(lambda b: b[0], lambda b: b[1])),
    st.lists(st.tuples(few_names, places), max_size=6, unique_by=lambda b: b[0]),
)


@given(st.lists(mixes, min_size=1, max_size=4))
def test_any_mix_of_configured_and_discovered_bridges_has_names_of_its_own(
    steps: list[tuple[list[tuple[str, str]], list[tuple[str, str]]]],
) -> None:
    async def run() -> None:
        announced: list[Service] = []
        async with inventory(config(*steps[0][0]), lambda: list(announced)) as found:
            for bridges, services in steps:
                check_names(config(*bridges).bridges)
                announced[:] = [service(name, host) for name, host in services]
                found.reconfigure(config(*bridges))
                found.sync()
                given = labels(found)
                assert len(given) == len(set(given))
                assert given[: len(bridges)] == [name for name, _ in bridges]
                # Every announced bridge is read at its address, under some name.
                read = {bridge.addresses[0] for bridge in found.known()}
                assert read >= {Address(host) for _, host in (*bridges, *services)}
                for _ in range(2):
                    found.find_aliases()
                    found.sync()
                    assert labels(found) == given

    asyncio.run(run())


# The cap.


async def test_more_bridges_than_the_limit_are_told_once_and_configured_ones_do_not_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "iometer_exporter.bridges.inventory")
    announced = [service(f"b{index}", f"10.0.0.{index}") for index in range(6)]
    limited = config(("x", "10.0.0.0"), ("y", "10.0.1.1"), discovery=DiscoveryConfig(limit=2))
    async with inventory(limited, lambda: list(announced)) as found:
        for _ in range(3):
            found.sync()
            assert labels(found) == ["x", "y", "b1", "b2"]
            assert found.limited
        found.reconfigure(config(discovery=DiscoveryConfig(limit=250)))
        for _ in range(3):
            found.sync()
            assert not found.limited
        assert labels(found) == ["b1", "b2", "b0", "b3", "b4", "b5"]
        announced.clear()
    assert [(line.levelname, line.getMessage()) for line in caplog.records] == [
        (
            "WARNING",
            "3 more bridges announce themselves than discovery.limit lets in: name yours with --bridge, or "
            "raise the limit",
        ),
        ("INFO", "all bridges that announce themselves have room again"),
    ]


async def test_one_that_never_answers_is_forgotten_and_one_that_has_answered_is_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "iometer_exporter.bridges.inventory")
    loop = asyncio.get_running_loop()
    announced = [service("silent", "10.0.0.1"), service("good", "10.0.0.2"), service("probed", "10.0.0.3")]
    async with inventory(config(), lambda: announced) as found:
        start = loop.time()
        for seconds in (0.0, TRIAL_SECONDS / 2, TRIAL_SECONDS + 1, TRIAL_SECONDS + 2):
            monkeypatch.setattr(loop, "time", lambda seconds=seconds: start + seconds)
            found.sync()
            for bridge in found.to_ask():
                bridge.answering = bridge.name != "silent" and seconds == 0.0
                bridge.has_answered |= bridge.answering
            found.find_aliases()
    assert labels(found) == ["good", "probed"]
    assert [line.getMessage() for line in caplog.records] == [
        "discovered bridge is no longer read: never answered, tried again in 30 minutes if it is still "
        "announced"
    ]


async def test_a_probe_is_a_trial_too(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    announced = [service("silent", "10.0.0.1"), service("never-asked", "10.0.0.2")]
    async with inventory(config(), lambda: announced) as found:
        start = loop.time()
        for seconds in (0.0, TRIAL_SECONDS + 1, TRIAL_SECONDS + 2):
            monkeypatch.setattr(loop, "time", lambda seconds=seconds: start + seconds)
            found.sync()
            found.find("silent", Address("silent"))
        assert labels(found) == ["never-asked"]


# Whom a probe means.


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("house", "house"),
        ("10.0.0.1", "house"),
        ("10.0.0.1:81", None),
        ("Barn.Local", "barn"),
        ("barn.local.", "barn"),
        # A configured name is the user's own.
        ("10.0.0.7", "10.0.0.7"),
        ("IOmeter-1", "IOmeter-1"),
        ("10.0.0.3", "IOmeter-1"),
        # Names that somebody in the network gave itself.
        ("192.168.77.77", None),
        ("fd00--1", "fd00--1"),
        ("fd00::1", None),
        ("printer.example", None),
        ("10.0.0.4", "192.168.77.77"),
    ],
)
async def test_a_probe_means_a_configured_name_then_an_address_then_a_discovered_name(
    text: str, name: str | None
) -> None:
    configured = config(("house", "10.0.0.1"), ("barn", "BARN.local"), ("10.0.0.7", "10.0.0.8"))
    announced = [
        service("IOmeter-1", "10.0.0.3"),
        service("192.168.77.77", "10.0.0.4"),
        service("fd00::1", "10.0.0.5"),
        service("printer.example", "10.0.0.6"),
        service("fd00--1", "10.0.1.1"),
        # A host that an address of the configuration means goes to the configured one.
        service("house", "10.0.1.2"),
    ]
    async with inventory(configured, lambda: announced) as found:
        found.sync()
        bridge = found.find(text, parse_target(text))
        assert (bridge.name if bridge else None) == name


async def test_a_bridge_is_found_at_what_its_name_resolved_to(names: Names) -> None:
    names.known["house.local"] = ["10.0.0.1", "fd00::1"]
    resolver = Resolver()
    announced = [service("IOmeter-1", "10.0.0.2"), service("IOmeter-2", "10.0.0.3")]
    async with inventory(config(("house", "house.local")), lambda: announced, resolver) as found:
        found.sync()
        assert found.find_at([Address("10.0.0.1")]) is None
        await until(lambda: bool(resolver.last(Address("house.local"))))
        house, first, second = found.known()
        assert found.find_at([Address("10.9.9.9"), Address("fd00::1")]) is house
        assert found.find_at([Address("10.0.0.1", 81)]) is None
        assert found.find_at([Address("10.0.0.3")]) is second
        assert found.find_at([]) is None
        for bridge in (house, first):
            answer(bridge, "one device")
        found.find_aliases()
        assert found.find_at([Address("10.0.0.2")]) is house


@given(st.text() | st.text(alphabet="[]:.-%0123456789abfe@\r\n", max_size=30))
def test_any_target_text_is_a_bridge_none_or_refused(text: str) -> None:
    refused: list[str] = []

    async def run() -> None:
        announced = [service(text, "10.0.0.2")]
        async with inventory(config(("house", "10.0.0.1")), lambda: announced) as found:
            found.sync()
            try:
                address = parse_target(text)
            except ProbeTargetError as error:
                refused.append(str(error))
                return
            assert len(str(address)) <= 270
            assert str(address).isprintable()
            bridge = found.find(text, address)
            if bridge is not None and bridge.name == text:
                assert not {".", ":"} & set(text)

    asyncio.run(run())
    assert all(sentence.isprintable() and len(sentence) < 1200 for sentence in refused)


# Two addresses of one device.


async def test_two_configured_names_of_one_device_are_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    async with inventory(config(("a", "10.0.0.1"), ("b", "10.0.0.2")), lambda: ()) as found:
        for bridge in found.known():
            answer(bridge, "one device")
        for _ in range(3):
            found.find_aliases()
        assert [bridge.name for bridge in found.shown()] == ["a"]
    assert [(line.levelname, line.getMessage(), line.__dict__["bridge"]) for line in caplog.records] == [
        ("WARNING", "bridge is another address of a and is shown under that name", "b")
    ]


async def test_the_other_address_is_asked_in_the_scrape_in_which_the_first_is_silent() -> None:
    async with inventory(config(("a", "10.0.0.1"), ("b", "10.0.0.2")), lambda: ()) as found:
        first, second = found.known()
        for bridge in (first, second):
            answer(bridge, "one device")
        found.find_aliases()
        asked = found.to_ask()
        assert asked == [first]
        assert found.standbys(asked) == []
        first.answering = False
        assert found.standbys(asked) == [second]
        asked = found.to_ask()
        assert asked == [first, second]
        assert found.standbys(asked) == []
        found.find_aliases()
        # From then on both are asked, until the first is back.
        asked = found.to_ask()
        assert asked == [first, second]
        assert found.standbys(asked) == []


async def test_a_flood_makes_no_more_targets_than_the_limit() -> None:
    announced = [service(f"b{index}", f"10.{index // 250}.0.{index % 250}") for index in range(2000)]
    async with inventory(config(("house", "10.9.0.1")), lambda: announced) as found:
        for _ in range(3):
            found.sync()
            assert len(found.to_ask()) == 251
            found.find_aliases()


async def test_one_bridge_more_than_the_limit_is_limited() -> None:
    announced = [service("a", "10.0.0.1"), service("b", "10.0.0.2")]
    async with inventory(config(discovery=DiscoveryConfig(limit=1)), lambda: list(announced)) as found:
        found.sync()
        assert found.limited
        found.reconfigure(config(discovery=DiscoveryConfig(limit=2)))
        found.sync()
        assert not found.limited


async def test_a_device_that_is_announced_twice_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody has made a mistake. Bridges that have not said which device they are do not matter."""
    caplog.set_level(logging.INFO, "iometer_exporter.bridges.inventory")
    announced = [service("silent", "10.0.0.1"), service("a", "10.0.0.2"), service("b", "10.0.0.3")]
    async with inventory(config(), lambda: announced) as found:
        found.sync()
        for bridge in list(found.known())[1:]:
            answer(bridge, "one device")
        found.find_aliases()
        assert [bridge.name for bridge in found.shown()] == ["silent", "a"]
    [record] = caplog.records
    assert record.levelname == "INFO"
    assert (record.__dict__["bridge"], record.__dict__["device_id"]) == ("b", "one device")


# A reload.


async def test_bridges_that_stay_keep_what_is_known_of_them() -> None:
    announced = [service("IOmeter-1", "10.0.0.3")]
    limits = Limits(5.0, 6.0)
    async with inventory(config(("a", "10.0.0.1"), ("b", "10.0.0.2")), lambda: announced) as found:
        found.sync()
        first, second, discovered = found.known()
        changed = config(("new", "10.0.0.4"), ("other name", "10.0.0.1"))
        found.reconfigure(replace(changed, max_power=5.0, reset_after=6.0))
        new, kept, still = found.known()
        assert (kept, kept.name, still) == (first, "other name", discovered)
        assert new is not second
        assert (new.name, new.source, new.addresses) == ("new", "configured", (Address("10.0.0.4"),))
        announced.append(service("IOmeter-2", "10.0.0.5"))
        found.sync()
        assert [bridge.limits for bridge in found.known()] == [limits] * 4


async def test_what_mdns_said_of_a_name_outlives_a_reload(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced = [service("IOmeter-1", "10.0.0.1", host="house.local")]
    known: tuple[Address, ...] = (Address("house.local"), Address("10.0.0.1"))
    loop = asyncio.get_running_loop()
    start = loop.time()
    # Longer than this machine has been up, so that only the difference can be less.
    patience = DiscoveryConfig(forget_after=start + 1.0)
    configured = config(("house", "house.local"), discovery=patience)
    async with inventory(configured, lambda: list(announced)) as found:
        monkeypatch.setattr(loop, "time", lambda: start)
        found.sync()
        announced.clear()
        found.reconfigure(configured)
        found.sync()
        [bridge] = found.known()
        assert bridge.addresses == known
        monkeypatch.setattr(loop, "time", lambda: start + patience.forget_after)
        found.sync()
        assert bridge.addresses == known[:1]
        monkeypatch.setattr(loop, "time", lambda: start)
        announced.append(service("IOmeter-1", "10.0.0.1", host="house.local"))
        found.sync()
        announced.clear()
        # Removed and configured anew: nothing of it is left.
        found.reconfigure(config(discovery=patience))
        found.reconfigure(configured)
        found.sync()
        [bridge] = found.known()
        assert bridge.addresses == known[:1]


async def test_a_discovered_bridge_that_a_reload_configures_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "iometer_exporter.bridges.inventory")
    announced = [service("IOmeter-1", "10.0.0.1")]
    async with inventory(config(), lambda: announced) as found:
        found.sync()
        found.reconfigure(config(("house", "10.0.0.1")))
        found.sync()
        assert labels(found) == ["house"]
    assert [(record.getMessage(), record.__dict__["bridge"]) for record in caplog.records] == [
        ("discovered bridge is no longer read: it is a configured bridge", "IOmeter-1")
    ]


async def test_of_a_device_with_three_addresses_one_that_leaves_is_forgotten() -> None:
    bridges = [("a", "10.0.0.1"), ("b", "10.0.0.2"), ("c", "10.0.0.3"), ("d", "10.0.0.4"), ("e", "10.0.0.5")]
    async with inventory(config(*bridges), lambda: ()) as found:
        for bridge in found.known():
            answer(bridge, "one device" if bridge.name in "abc" else "another")
        found.find_aliases()
        assert [bridge.name for bridge in found.shown()] == ["a", "d"]
        found.reconfigure(config(*bridges[1:]))
        # What was shown as the first is a bridge again, until it is known what it is.
        assert [bridge.name for bridge in found.shown()] == ["b", "c", "d"]
        found.find_aliases()
        assert [bridge.name for bridge in found.shown()] == ["b", "d"]
        await until(lambda: not found._retiring)
        found.reconfigure(config(*bridges[1:4]))
        assert [bridge.name for bridge in found.shown()] == ["b", "d"]
        await until(lambda: not found._retiring)
