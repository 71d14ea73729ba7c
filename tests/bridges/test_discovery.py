"""Real mDNS on the loopback interface."""

import asyncio
import logging
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zeroconf import NotRunningException, ServiceStateChange
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from iometer_exporter.bridges.discovery import browser as discovery_module
from iometer_exporter.bridges.discovery import mdns
from iometer_exporter.bridges.discovery.announcements import MOST, Service
from iometer_exporter.bridges.discovery.browser import SERVICE_TYPE, Discovery
from iometer_exporter.config.file import DiscoveryConfig
from iometer_exporter.errors import DiscoveryError
from iometer_exporter.net.addresses import Address, parse_address
from iometer_exporter.text import clean
from tests import dnspackets
from tests.properties import examples
from tests.waiting import PATIENCE, until

NAME = f"IOmeter-T{os.getpid()}"
LOOPBACK = DiscoveryConfig(interfaces=("127.0.0.1",))


def info(name: str, port: int = 80, addresses: tuple[str, ...] = ("127.0.0.1",)) -> AsyncServiceInfo:
    return AsyncServiceInfo(
        SERVICE_TYPE,
        f"{name}.{SERVICE_TYPE}",
        port=port,
        server=f"{name}.local.",
        parsed_addresses=list(addresses),
    )


@asynccontextmanager
async def network() -> AsyncIterator[AsyncZeroconf]:
    """The side of the bridges."""
    zeroconf = AsyncZeroconf(interfaces=["127.0.0.1"])
    try:
        yield zeroconf
    finally:
        await zeroconf.async_close()


def ours(discovery: Discovery) -> list[Service]:
    """The bridges of these tests: others may be announced on this host at the same time."""
    return [service for service in discovery.services() if service.name.startswith(NAME)]


def names(discovery: Discovery) -> list[str]:
    return [service.name for service in ours(discovery)]


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if str(r.__dict__.get("bridge", "")).startswith(NAME)]


async def test_a_bridge_appears_moves_leaves_and_comes_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(discovery_module, "_GOODBYE_SECONDS", 0.05)
    caplog.set_level(logging.INFO, "iometer_exporter")
    async with network() as bridges, Discovery(LOOPBACK) as discovery:
        await (await bridges.async_register_service(info(NAME, 8001)))
        await until(lambda: names(discovery) == [NAME])
        [service] = ours(discovery)
        assert service.host == f"{NAME.lower()}.local"
        assert service.addresses == (Address("127.0.0.1", 8001),)
        assert discovery.services() is discovery.services()

        await (await bridges.async_update_service(info(NAME, 8002)))
        await until(lambda: ours(discovery)[0].addresses == (Address("127.0.0.1", 8002),))

        await (await bridges.async_unregister_service(info(NAME, 8002)))
        await until(lambda: names(discovery) == [])
        await (await bridges.async_register_service(info(NAME, 8001)))
        await until(lambda: names(discovery) == [NAME])
    assert messages(caplog) == [
        "bridge discovered at 127.0.0.1:8001",
        "bridge moved to 127.0.0.1:8002",
        "bridge no longer announced",
        "bridge announced again at 127.0.0.1:8001",
    ]


async def test_addresses_are_tried_ipv4_first_and_link_local_last() -> None:
    async with network() as bridges, Discovery(LOOPBACK) as discovery:
        addresses = ("fe80::1", "fd00::1", "127.0.0.1")
        await (await bridges.async_register_service(info(NAME, addresses=addresses)))
        await until(lambda: bool(ours(discovery)))
        hosts = [address.host for address in ours(discovery)[0].addresses]
    assert hosts[:2] == ["127.0.0.1", "fd00::1"]
    assert hosts[2].startswith("fe80::1")


async def test_the_first_round_is_over_also_when_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery_module, "_FIRST_ROUND_SECONDS", 0.05)
    async with Discovery(LOOPBACK) as discovery:
        assert not discovery.first_round_done.is_set()
        async with asyncio.timeout(PATIENCE):
            await discovery.first_round_done.wait()
        assert names(discovery) == []


async def test_interfaces_by_name() -> None:
    names_of_loopback = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    async with network() as bridges, Discovery(DiscoveryConfig(interfaces=(names_of_loopback[0],))) as found:
        await (await bridges.async_register_service(info(NAME)))
        await until(lambda: names(found) == [NAME])


async def test_an_unknown_interface_is_named_with_those_there_are() -> None:
    discovery = Discovery(DiscoveryConfig(interfaces=("nope0",)))
    with pytest.raises(DiscoveryError, match="mDNS is not available on nope0: no interface is named 'nope0'"):
        await discovery.browse()
    await discovery.aclose()


async def test_a_host_without_multicast_is_told_once_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(discovery_module, "_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(discovery_module, "_FIRST_ROUND_SECONDS", 0.01)
    opened = mdns.open_zeroconf
    tries = []

    def no_network_yet(interfaces: tuple[str, ...]) -> AsyncZeroconf:
        tries.append(interfaces)
        if len(tries) < 4:
            raise DiscoveryError("mDNS is not available: no network")
        return opened(interfaces)

    monkeypatch.setattr(discovery_module, "open_zeroconf", no_network_yet)
    async with network() as bridges, Discovery(LOOPBACK) as discovery:
        async with asyncio.timeout(PATIENCE):
            await discovery.first_round_done.wait()
        await (await bridges.async_register_service(info(NAME)))
        await until(lambda: names(discovery) == [NAME])
    assert len(tries) == 4
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.getMessage() for record in warnings] == [
        "mDNS is not available: no network; configured bridges work on, tried again every 0 s"
    ]


async def test_a_host_without_ipv6_uses_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    from zeroconf import IPVersion
    from zeroconf import asyncio as zeroconf_asyncio

    versions = []

    def without_ipv6(*, ip_version: IPVersion, **options: object) -> str:
        versions.append(ip_version)
        if ip_version is IPVersion.All:
            raise OSError("Address family not supported by protocol")
        return "opened"

    monkeypatch.setattr(zeroconf_asyncio, "AsyncZeroconf", without_ipv6)
    assert mdns.open_zeroconf(()) == "opened"  # type: ignore[comparison-overlap]
    assert versions == [IPVersion.All, IPVersion.V4Only]


async def test_no_multicast_at_all_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from zeroconf import asyncio as zeroconf_asyncio

    def refused(**options: object) -> None:
        raise OSError("Operation not permitted")

    monkeypatch.setattr(zeroconf_asyncio, "AsyncZeroconf", refused)
    with pytest.raises(DiscoveryError, match=r"^mDNS is not available: Operation not permitted$"):
        mdns.open_zeroconf(())


class Air:
    """A discovery that hears what a test says: real zeroconf, its packets handed to it without a network."""

    def __init__(self) -> None:
        self.discovery = Discovery(LOOPBACK)

    async def __aenter__(self) -> "Air":
        await self.discovery.browse()
        assert self.discovery._zeroconf is not None
        await self.discovery._zeroconf.zeroconf.async_wait_for_start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.discovery.aclose()

    def say(self, *records: bytes) -> None:
        """One packet with the records."""
        self.say_bytes(dnspackets.packet(*records))

    def say_bytes(self, data: bytes) -> None:
        """One packet."""
        assert self.discovery._zeroconf is not None
        protocol = self.discovery._zeroconf.zeroconf.engine.protocols[0]
        protocol.datagram_received(data, ("127.0.0.1", 5353))

    @property
    def ours(self) -> list[Service]:
        """The bridges of these tests."""
        return ours(self.discovery)


def instance(text: str) -> bytes:
    return f"{NAME}{text}".encode()


async def test_a_bridge_that_brings_its_address_along_is_known_at_once() -> None:
    async with Air() as air:
        air.say(*dnspackets.bridge(instance("a"), bytes([10, 0, 0, 1]), 81))
        assert [(s.name, s.host, s.addresses) for s in air.ours] == [
            (f"{NAME}a", f"{NAME.lower()}a.local", (Address("10.0.0.1", 81),))
        ]
        assert not air.discovery._resolving


async def test_three_thousand_names_are_a_table_of_bounded_size() -> None:
    async with Air() as air:
        air.say(*dnspackets.bridge(instance("real"), bytes([10, 0, 0, 1])))
        [real] = air.ours
        real.standing.answered = True
        for index in range(3000):
            address = bytes([10, 1, index // 250, index % 250])
            air.say(*dnspackets.bridge(instance(f"{index}"), address))
        assert len(air.discovery.services()) <= MOST
        assert air.ours[0] == real
        assert len(air.discovery._tasks) <= 1 + 16


async def test_three_thousand_names_without_address_are_asked_for_some_at_a_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(discovery_module, "_RESOLVE_TIMEOUT_MS", 1)
    async with Air() as air:
        for index in range(3000):
            air.say(dnspackets.ptr(instance(f"{index}")))
        assert len(air.discovery._tasks) <= 16
        assert len(air.discovery._unresolved) <= MOST
        # A bridge with an address does not wait behind them.
        air.say(*dnspackets.bridge(instance("real"), bytes([10, 0, 0, 1])))
        assert names(air.discovery) == [f"{NAME}real"]
        await until(lambda: not air.discovery._resolving and not air.discovery._unresolved)
        assert names(air.discovery) == [f"{NAME}real"]
    lost = [text for text in messages(caplog) if text == "bridge announced without an address"]
    assert 0 < len(lost) <= 100


async def test_an_address_that_comes_later_is_waited_for() -> None:
    async with Air() as air:
        air.say(dnspackets.ptr(instance("a")))
        assert len(air.discovery._resolving) == 1
        air.say(*dnspackets.bridge(instance("a"), bytes([10, 0, 0, 1]))[1:])
        await until(lambda: names(air.discovery) == [f"{NAME}a"])
        await until(lambda: not air.discovery._resolving)


async def test_one_that_leaves_is_no_longer_asked_for_and_the_next_is() -> None:
    async with Air() as air:
        for index in range(18):
            air.say(dnspackets.ptr(instance(f"{index}")))
        first = next(iter(air.discovery._resolving.values()))
        assert (len(air.discovery._resolving), len(air.discovery._unresolved)) == (16, 2)
        air.say(dnspackets.goodbye(instance("17")))
        assert (len(air.discovery._resolving), len(air.discovery._unresolved)) == (16, 1)
        air.say(dnspackets.goodbye(instance("0")))
        assert (len(air.discovery._resolving), len(air.discovery._unresolved)) == (16, 0)
        await until(first.done)
        assert first.cancelled()


async def test_an_address_that_cannot_be_asked_for_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def not_running(*_: object) -> bool:
        raise NotRunningException

    monkeypatch.setattr(AsyncServiceInfo, "async_request", not_running)
    async with Air() as air:
        air.say(dnspackets.ptr(instance("a")))
        await until(lambda: not air.discovery._tasks)
        assert air.discovery._resolving == {}
    assert messages(caplog) == ["bridge announced without an address"]


async def test_what_does_not_announce_itself_any_more_is_not_taken_for_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(discovery_module, "_GOODBYE_SECONDS", 0.0)
    async with Air() as air:
        air.say(*dnspackets.bridge(instance("a"), bytes([10, 0, 0, 1])))
        air.say(dnspackets.goodbye(instance("a")))
        await until(lambda: not air.ours)
        air.say(*dnspackets.bridge(instance("a"), bytes([10, 0, 0, 2]), port=81)[1:])
        assert air.ours == []
        assert not air.discovery._tasks


async def test_one_that_is_back_at_once_is_not_missed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is a line written for each of its 49 goodbyes."""
    monkeypatch.setattr(discovery_module, "_GOODBYE_SECONDS", 0.3)
    caplog.set_level(logging.INFO, "iometer_exporter")
    async with Air() as air:
        for index in range(50):
            if index:
                air.say(dnspackets.goodbye(instance("a"), index))
                assert len(air.discovery._leaving) == 1
            air.say(*dnspackets.bridge(instance("a"), bytes([10, 0, 0, 1]), ttl=4500 + index))
            assert not air.discovery._leaving
        assert names(air.discovery) == [f"{NAME}a"]
        air.say(dnspackets.goodbye(instance("a")))
        [timer] = air.discovery._leaving.values()
        # A second goodbye is no second reason to leave.
        assert air.discovery._zeroconf is not None
        zeroconf = air.discovery._zeroconf.zeroconf
        air.discovery._on_change(
            zeroconf, SERVICE_TYPE, f"{NAME}a.{SERVICE_TYPE}", ServiceStateChange.Removed
        )
        assert list(air.discovery._leaving.values()) == [timer]
        await until(lambda: not air.ours)
    assert messages(caplog) == ["bridge discovered at 10.0.0.1", "bridge no longer announced"]
    assert [record for record in caplog.records if record.name == "asyncio"] == []


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\n", "\x7f"])
async def test_a_name_that_no_bridge_can_have_is_ignored_and_told_once(
    character: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Air() as air:
        for index in range(50):
            air.say(*dnspackets.bridge(instance(f"{character}{index % 2}"), bytes([10, 0, 0, index])))
        await asyncio.sleep(0)
        assert air.ours == []
        assert air.discovery._tasks == set()
    assert [(line.levelname, line.getMessage()) for line in caplog.records] == [
        ("WARNING", "something announces itself under a name that no bridge can have: ignored, as all such")
    ]
    assert "\N{REPLACEMENT CHARACTER}" in caplog.records[0].__dict__["bridge"]


@pytest.mark.parametrize("character", ["\x85", "\x9b", "\u2028"])
async def test_an_instance_name_is_fit_for_a_label_a_log_line_and_a_terminal(character: str) -> None:
    async with Air() as air:
        air.say(*dnspackets.bridge(instance(f"{character}x"), bytes([10, 0, 0, 1])))
        assert names(air.discovery) == [f"{NAME}\N{REPLACEMENT CHARACTER}x"]


@pytest.mark.parametrize(
    "host",
    [b"red\x1b]0;pwned\x07", b"injected\n.local", b"a b", "brücke".encode(), b"\xff\xfe", b"-x", b"x" * 63],
)
async def test_a_host_name_that_is_none_is_left_out(host: bytes) -> None:
    async with Air() as air:
        air.say(*dnspackets.bridge(instance("a"), bytes([10, 0, 0, 1]), host=host))
        [service] = air.ours
        assert service.host == ("x" * 63 + ".local" if host == b"x" * 63 else "")


@pytest.mark.parametrize(
    ("address", "is_taken"),
    [
        (bytes([10, 0, 0, 1]), True),
        (bytes([127, 0, 0, 1]), True),
        (bytes([0, 0, 0, 0]), False),
        (bytes([224, 0, 0, 251]), False),
        (bytes([255, 255, 255, 255]), False),
        (bytes(15) + b"\x01", True),
        (bytes(16), False),
        (b"\xff\x02" + bytes(14), False),
    ],
)
async def test_addresses_of_no_single_host_are_left_out(address: bytes, is_taken: bool) -> None:
    async with Air() as air:
        air.say(*dnspackets.bridge(instance("a"), address))
        assert bool(air.ours) is is_taken


async def test_a_bridge_of_a_hundred_addresses_is_taken_at_some() -> None:
    async with Air() as air:
        host = (instance("a").lower(), b"local")
        more = [dnspackets.a(host, bytes([10, 0, 0, index])) for index in range(100)]
        air.say(*more)
        air.say(*dnspackets.bridge(instance("a"), bytes([10, 0, 0, 1])))
        assert len(air.ours[0].addresses) == 8


labels = st.binary(min_size=1, max_size=63) | st.text(min_size=1, max_size=15).map(
    lambda text: text.encode("utf-8", "surrogatepass")[:63]
)
hosts = st.lists(labels, min_size=1, max_size=3)
addresses = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)
ttls = st.sampled_from([0, 1, 120, 4500, 2**31 - 1, 2**32 - 1])
records = st.lists(
    st.one_of(
        st.builds(dnspackets.ptr, labels, ttls),
        st.builds(dnspackets.srv, labels, hosts, st.integers(0, 65535), ttls),
        st.builds(dnspackets.txt, labels, ttls),
        st.builds(dnspackets.a, hosts, addresses, ttls),
        st.builds(dnspackets.bridge, labels, addresses).map(b"".join),
        st.binary(max_size=60),
    ),
    max_size=8,
)
bridges = st.builds(dnspackets.bridge, labels, addresses, st.integers(0, 65535), labels)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as found:
        yield found


@pytest.mark.no_cover
@examples(30)
@given(packets=st.lists(st.binary(max_size=200) | records | bridges, max_size=6))
def test_any_packets_do_no_harm(
    packets: list[bytes | list[bytes] | tuple[bytes, ...]], runner: asyncio.Runner
) -> None:
    faults: list[object] = []

    async def hear() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
        async with Air() as air:
            for said in packets:
                if isinstance(said, bytes):
                    air.say_bytes(said)
                else:
                    air.say(*said)
            for _ in range(3):
                await asyncio.sleep(0)
            # And a bridge is found all the same.
            air.say(*dnspackets.bridge(instance("real"), bytes([10, 0, 0, 1])))
            for service in air.discovery.services():
                assert clean(service.name) == service.name
                assert len(service.name) <= 63
                assert re.fullmatch(r"[A-Za-z0-9_.-]{0,253}", service.host)
                assert 1 <= len(service.addresses) <= 8
                for address in service.addresses:
                    assert parse_address(address.with_port) == address
            assert f"{NAME}real" in [service.name for service in air.discovery.services()]

    runner.run(hear())
    assert faults == []
