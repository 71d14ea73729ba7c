"""Bridges that a command asks once: those that are named, those configured, or those that mDNS finds."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from iometer_exporter.bridges.discovery.announcements import Service
from iometer_exporter.bridges.discovery.browser import Discovery
from iometer_exporter.bridges.fleet import Fleet
from iometer_exporter.bridges.snapshot import Snapshot
from iometer_exporter.config.file import BridgeConfig, Config, DiscoveryConfig
from iometer_exporter.errors import DiscoveryError, IOmeterError
from iometer_exporter.net.addresses import HTTP_PORT, Address
from iometer_exporter.net.resolver import Resolver, literal

LOOK_SECONDS: Final = 3.0
"""Seconds in which bridges that are there have announced themselves, with one lost packet."""

_MDNS_FIRST_SECONDS: Final = 1.5
"""Seconds in which mDNS may say more of a name in `.local`, its port, than the system does."""

_POLL_SECONDS: Final = 0.05

_DOMAIN: Final = ".local"

NOBODY: Final = (
    "no bridge has announced itself; is it powered, and in the same network segment as this host "
    "(mDNS passes no router, and a container needs host networking)?"
)


async def discovered(config: DiscoveryConfig, seconds: float) -> list[Service]:
    """The bridges that announce themselves within so many seconds, by name.

    Raises DiscoveryError where mDNS cannot be used.
    """
    discovery = Discovery(config)
    try:
        await discovery.browse()
        await asyncio.sleep(seconds)
        return sorted(discovery.services(), key=lambda service: service.name)
    finally:
        await discovery.aclose()


async def choose(
    named: Sequence[BridgeConfig], config: Config, *, look: float = LOOK_SECONDS
) -> list[BridgeConfig]:
    """The bridges that are meant: those named, by address or any of their names, else all there are.

    All are those of the configuration, else those that announce themselves; raises IOmeterError if there
    are none. An address stands in it once.
    """
    if named:
        # `NAME=HOST` says itself where it is.
        configured = {bridge.name: bridge for bridge in config.bridges}
        named = [
            configured.get(bridge.name, bridge) if bridge.name == str(bridge.address) else bridge
            for bridge in named
        ]
        bridges = await _located(named, config.discovery, look)
    elif config.bridges:
        bridges = list(config.bridges)
    elif not config.discovery.enabled:
        raise IOmeterError("no bridge is configured and discovery is off: name the bridge to ask")
    else:
        bridges = [
            BridgeConfig(service.addresses[0], service.name)
            for service in await discovered(config.discovery, look)
        ]
        if not bridges:
            raise IOmeterError(NOBODY)
    return list({bridge.address: bridge for bridge in reversed(bridges)}.values())[::-1]


async def ask(bridges: Sequence[BridgeConfig], config: Config, timeout: float) -> list[Snapshot]:
    """A snapshot of each bridge, asked once for so many seconds; of a device at two addresses the first."""
    asked = replace(config, bridges=tuple(bridges), discovery=DiscoveryConfig(enabled=False))
    async with Fleet(asked) as fleet:
        return await fleet.scrape(asyncio.get_running_loop().time() + timeout)


async def _located(
    bridges: Sequence[BridgeConfig], config: DiscoveryConfig, look: float
) -> list[BridgeConfig]:
    """The bridges, with the addresses that mDNS knows of names that only it may know."""
    if not any(_may_be_announced(bridge.address) for bridge in bridges):
        return list(bridges)
    discovery, names = Discovery(config), Resolver()
    try:
        # Without mDNS, there is what the system knows.
        with suppress(DiscoveryError):
            await discovery.browse()
            return list(
                await asyncio.gather(*(_locate(bridge, discovery, names, look) for bridge in bridges))
            )
        return list(bridges)
    finally:
        names.close()
        await discovery.aclose()


async def _locate(bridge: BridgeConfig, discovery: Discovery, names: Resolver, look: float) -> BridgeConfig:
    """The bridge where it is announced, as soon as it is; as it was if nobody but the system knows it."""
    if not _may_be_announced(bridge.address):
        return bridge
    loop = asyncio.get_running_loop()
    started = loop.time()
    resolving = asyncio.ensure_future(names.resolve(bridge.address))
    mdns_first = (
        _MDNS_FIRST_SECONDS if bridge.address.host.lower().removesuffix(".").endswith(_DOMAIN) else 0.0
    )
    try:
        while (waited := loop.time() - started) < look:
            for service in discovery.services():
                if _is_meant(bridge.address, service):
                    return replace(bridge, address=service.addresses[0])
            if resolving.done() and resolving.result() and waited >= mdns_first:
                break
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        resolving.cancel()
    return bridge


def _may_be_announced(address: Address) -> bool:
    host = address.host.lower().removesuffix(".")
    return literal(host) is None and host != "localhost" and ("." not in host or host.endswith(_DOMAIN))


def _is_meant(address: Address, service: Service) -> bool:
    """Whether the name is that of the announced bridge or of its host; a port, if there is one, too."""
    host = address.host.lower().removesuffix(".")
    names = (service.name.lower(), service.host, service.host.removesuffix(_DOMAIN))
    return host in names and address.port in (HTTP_PORT, service.addresses[0].port)
