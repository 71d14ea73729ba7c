"""Real mDNS on the loopback interface."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from iometer_exporter import discovery as discovery_module
from iometer_exporter import mdns
from iometer_exporter.announcements import Service
from iometer_exporter.config import DiscoveryConfig
from iometer_exporter.discovery import SERVICE_TYPE, Discovery
from iometer_exporter.errors import DiscoveryError
from iometer_exporter.units import Address

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


async def until(condition: Callable[[], bool], timeout: float = 10.0) -> None:
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 (zeroconf's state is not ours to make an Event)
            await asyncio.sleep(0.01)


def ours(discovery: Discovery) -> list[Service]:
    """The bridges of these tests: others may be announced on this host at the same time."""
    return [service for service in discovery.services() if service.name.startswith(NAME)]


def names(discovery: Discovery) -> list[str]:
    return [service.name for service in ours(discovery)]


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if str(r.__dict__.get("bridge", "")).startswith(NAME)]


async def test_a_bridge_appears_moves_leaves_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
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
        "discovered at 127.0.0.1:8001",
        "moved to 127.0.0.1:8002",
        "no longer announced",
        "announced again at 127.0.0.1:8001",
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
    monkeypatch.setattr(discovery_module, "_FIRST_ROUND", 0.05)
    async with Discovery(LOOPBACK) as discovery:
        assert not discovery.first_round_done.is_set()
        async with asyncio.timeout(5):
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
    monkeypatch.setattr(discovery_module, "_RETRY_AFTER", 0.01)
    monkeypatch.setattr(discovery_module, "_FIRST_ROUND", 0.01)
    opened = mdns.open_zeroconf
    tries = []

    def no_network_yet(interfaces: tuple[str, ...]) -> AsyncZeroconf:
        tries.append(interfaces)
        if len(tries) < 4:
            raise DiscoveryError("mDNS is not available: no network")
        return opened(interfaces)

    monkeypatch.setattr(discovery_module, "open_zeroconf", no_network_yet)
    async with network() as bridges, Discovery(LOOPBACK) as discovery:
        async with asyncio.timeout(5):
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
