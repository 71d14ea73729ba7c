"""All bridges of this process, read at scrape time: at once, within a deadline, one fetch for all."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from iometer_exporter.bridges.background_reads import BackgroundReads
from iometer_exporter.bridges.bridge import Bridge
from iometer_exporter.bridges.client import Network
from iometer_exporter.bridges.discovery.announcements import Service
from iometer_exporter.bridges.glance import Glance
from iometer_exporter.bridges.http.transport import BridgeTransport
from iometer_exporter.bridges.inventory import BridgeInventory
from iometer_exporter.bridges.probed import Probed
from iometer_exporter.bridges.snapshot import KnownBridge, Snapshot, Source
from iometer_exporter.config.file import Config
from iometer_exporter.errors import ConfigError, ProbeTargetError
from iometer_exporter.meter.memory import Memory
from iometer_exporter.net.addresses import Address, parse_address
from iometer_exporter.net.descriptors import kept_connections
from iometer_exporter.net.resolver import Resolver, literal

_RESOLVE_SECONDS: Final = 3.0
"""Seconds to resolve the names of bridges for service discovery."""

_MAX_PROBED: Final = 1000
"""Bridges that only `/probe` knows and whose guard is remembered."""


def _no_services() -> Sequence[Service]:
    return ()


class Fleet:
    """The known bridges; `services` gives those that mDNS knows now. Close it with `aclose`."""

    def __init__(
        self,
        config: Config,
        services: Callable[[], Sequence[Service]] = _no_services,
        memory: Memory | None = None,
    ) -> None:
        """Read the bridges of the configuration and the services; the memory outlives each bridge."""
        self._config = config
        self._names = Resolver()
        self._transport = BridgeTransport(idle_connections=kept_connections())
        network = Network(self._names, self._transport)
        memory = Memory() if memory is None else memory
        self._inventory = BridgeInventory(config, services, network, self._names, memory)
        self._probed = Probed(config.limits, network, memory, _MAX_PROBED)
        self._background = BackgroundReads()

    async def __aenter__(self) -> "Fleet":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give up what is under way and close all connections."""
        await self._background.aclose()
        await self._inventory.aclose()
        await self._probed.aclose()
        await self._transport.aclose()
        self._names.close()

    def go_live(self) -> None:
        """Follow the event streams of those bridges that the configuration says, from now on."""
        self._inventory.go_live()

    def reconfigure(self, config: Config) -> None:
        """Follow a new configuration; scrapes under way end as they began."""
        self._config = config
        self._inventory.reconfigure(config)
        self._probed.limits = config.limits

    @property
    def counts(self) -> Mapping[Source, int]:
        """Number of known bridges by source; two addresses of one device count once."""
        return Counter(bridge.source for bridge in self._inventory.shown())

    @property
    def limited(self) -> bool:
        """Whether more bridges announce themselves than `discovery.limit` lets in."""
        return self._inventory.limited

    @property
    def meters(self) -> frozenset[str]:
        """The numbers of the meters that known bridges serve, those of bridges that are down too."""
        return frozenset(bridge.meter for bridge in self._inventory.shown() if bridge.meter)

    async def scrape(self, deadline: float, *, count_timeouts: bool = True) -> list[Snapshot]:
        """A snapshot of every bridge, read now; what has not answered by the deadline has failed.

        The deadline is in seconds of the loop's clock. Several scrapes at once share one fetch. What
        one misses that waits less than a bridge may take is neither logged nor counted: `count_timeouts`.
        """
        self._inventory.sync()
        bridges = self._inventory.to_ask()
        snapshots = await _read(bridges, deadline, count_timeouts=count_timeouts)
        others = self._inventory.standbys(bridges)
        if others and asyncio.get_running_loop().time() < deadline:
            bridges += others
            # They may get less time than a bridge may take.
            snapshots += await _read(others, deadline, count_timeouts=False)
        self._inventory.find_aliases()
        return [
            snapshot
            for bridge, snapshot in zip(bridges, snapshots, strict=True)
            if not self._inventory.is_alias(bridge)
        ]

    async def look(self, patience: float) -> list[Glance]:
        """What is known of every bridge, for people: they are read now, and waited for so many seconds.

        Those that take longer are shown as they were last seen, and read on in the background. What they
        miss is neither logged nor counted.
        """
        self._inventory.sync()
        reads, timeout = self._background, self._config.timeout
        bridges = self._inventory.to_ask()
        await reads.refresh(bridges, patience=patience, timeout=timeout)
        if others := self._inventory.standbys(bridges):
            await reads.refresh(others, patience=patience, timeout=timeout)
        self._inventory.find_aliases()
        return [bridge.glance() for bridge in self._inventory.shown()]

    async def probe(self, text: str, deadline: float, *, count_timeouts: bool = True) -> Snapshot:
        """A snapshot of one bridge, read now: a known one by name or address, else one that is allowed.

        Timeouts are counted as for a scrape. Raises ProbeTargetError where the text is not an address, does
        not resolve by the deadline or is not allowed.
        """
        self._inventory.sync()
        address = parse_target(text)
        bridge = self._inventory.find(text, address)
        if bridge is None:
            ip_addresses = await self._resolve(address, deadline)
            bridge = self._inventory.find_at(ip_addresses)
        if bridge is not None:
            [snapshot] = await _read([bridge], deadline, count_timeouts=count_timeouts)
            return snapshot
        bridge = self._probed.at(self._allowed(address, ip_addresses))
        [snapshot] = await _read([bridge], deadline, count_timeouts=count_timeouts)
        # Another spelling of the same address is the same bridge, under the name that each asked for.
        return replace(snapshot, bridge=text)

    async def known(self) -> list[KnownBridge]:
        """The bridges for service discovery, with the IP address under which each can be asked."""
        self._inventory.sync()
        self._inventory.find_aliases()
        bridges = self._inventory.shown()
        addresses = await asyncio.gather(*(self._address_of(bridge) for bridge in bridges))
        return [bridge.known_at(address) for bridge, address in zip(bridges, addresses, strict=True)]

    async def abandon(self) -> None:
        """End every fetch under way now, so that the scrapes that wait for them answer with the rest."""
        bridges = (*self._inventory.known(), *self._probed)
        await asyncio.gather(*(bridge.abandon() for bridge in bridges))

    async def _resolve(self, address: Address, deadline: float) -> Sequence[Address]:
        """The IP addresses of the target; raises ProbeTargetError if it has none, or none by the deadline."""
        try:
            async with asyncio.timeout_at(deadline):
                ip_addresses = await self._names.resolve(address)
        except TimeoutError as error:
            raise ProbeTargetError(
                f"the target's host {address.host!r} did not resolve in time: is the name server reachable?"
            ) from error
        if not ip_addresses:
            raise ProbeTargetError(f"the target's host {address.host!r} does not resolve: check its spelling")
        return ip_addresses

    def _allowed(self, address: Address, ip_addresses: Sequence[Address]) -> Sequence[Address]:
        """IP addresses of the target that `probe.allow` lets us ask; the only ones that are asked."""
        allowed = [ip for ip in ip_addresses if self._is_allowed(ip)]
        if not allowed:
            raise ProbeTargetError(
                f"the target {address} is neither a known bridge nor in an allowed network: "
                "add its network to probe.allow in the configuration"
            )
        return allowed

    async def _address_of(self, bridge: Bridge) -> Address:
        """The address to ask the bridge at, by IP address if its name resolves."""
        first, *others = bridge.addresses
        try:
            async with asyncio.timeout(_RESOLVE_SECONDS):
                found = await self._names.resolve(first)
        except TimeoutError:
            found = ()
        return next(iter((*found, *others)), first)

    def _is_allowed(self, address: Address) -> bool:
        ip = literal(address.host)
        return any(ip in network for network in self._config.probe_allow if ip is not None)


def parse_target(text: str) -> Address:
    """The address in the parameter `target` of a probe; raises ProbeTargetError if it is none."""
    try:
        return parse_address(text)
    except ConfigError as error:
        raise ProbeTargetError(f"target: {error}") from error


async def _read(bridges: Iterable[Bridge], deadline: float, *, count_timeouts: bool) -> list[Snapshot]:
    """A snapshot of each bridge, all asked at once, complete or not at the deadline."""
    joined = [(bridge, bridge.join()) for bridge in bridges]
    try:
        if joined:
            remaining = deadline - asyncio.get_running_loop().time()
            tasks = [task for _, fetches in joined for task in fetches.tasks]
            # There is none where all are streamed.
            if tasks:
                await asyncio.wait(tasks, timeout=max(0.0, remaining))
    finally:
        outcomes = [
            (bridge, bridge.leave(fetches, count_timeouts=count_timeouts)) for bridge, fetches in joined
        ]
    return [bridge.snapshot(outcome) for bridge, outcome in outcomes]
