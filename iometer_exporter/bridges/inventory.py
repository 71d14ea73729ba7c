"""Bridges there are: those configured, those discovered, and which of them are one and the same."""

import asyncio
import logging
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import chain, count
from typing import TYPE_CHECKING, Final

from iometer_exporter.bridges.bridge import Bridge
from iometer_exporter.bridges.client import Network
from iometer_exporter.bridges.discovery.admission import Admission
from iometer_exporter.bridges.discovery.announcements import Service
from iometer_exporter.bridges.snapshot import Source
from iometer_exporter.config.file import BridgeConfig, Config
from iometer_exporter.meter.memory import Memory
from iometer_exporter.net.addresses import Address
from iometer_exporter.net.resolver import Resolver

if TYPE_CHECKING:
    from iometer_exporter.bridges.live.streams import LiveSettings

_log = logging.getLogger(__name__)

_LONGEST_SILENCE_SECONDS: Final = 1200.0
"""Longest silence of a stream where readings never get stale."""

_WAYS: Final = 8
"""Addresses at which one configured bridge is asked in turn."""


class BridgeInventory:
    """The bridges to read, kept in step with the configuration and with what mDNS knows.

    Nothing here waits: names that have to be resolved are, in the background, and count from then on.
    """

    def __init__(
        self,
        config: Config,
        services: Callable[[], Sequence[Service]],
        network: Network,
        names: Resolver,
        memory: Memory,
    ) -> None:
        """Take the configuration, what gives the services announced now, and the memory of meters."""
        self._memory = memory
        self._services = services
        self._seen: Sequence[Service] | None = None
        self._network = network
        self._names = names
        self._limits = config.limits
        self._configured: dict[Address, Bridge] = {}
        self._discovered: dict[str, Bridge] = {}
        self._admission = Admission(config.discovery)
        self._ways: dict[Address, tuple[tuple[Address, ...], float]] = {}
        self._aliases: dict[Bridge, Bridge] = {}
        self._retiring: dict[asyncio.Task[None], Bridge] = {}
        self._config = config
        self._is_live = False
        self._configure(config.bridges)

    async def aclose(self) -> None:
        """Give up what is under way and close all connections."""
        retiring = dict(self._retiring)
        for task in retiring:
            task.cancel()
        await asyncio.gather(*retiring, return_exceptions=True)
        await asyncio.gather(*(bridge.aclose() for bridge in (*retiring.values(), *self.known())))

    @property
    def limited(self) -> bool:
        """Whether more bridges announce themselves than `discovery.limit` lets in."""
        return self._admission.left_out > 0

    def known(self) -> Iterable[Bridge]:
        """All bridges, those first that win when two are one device."""
        return (*self._configured.values(), *self._discovered.values())

    def shown(self) -> list[Bridge]:
        """The bridges without those that are another address of one before them."""
        return [bridge for bridge in self.known() if not self.is_alias(bridge)]

    def is_alias(self, bridge: Bridge) -> bool:
        """Whether the bridge is another address of a device that is shown under another name."""
        return bridge in self._aliases

    def to_ask(self) -> list[Bridge]:
        """The bridges to ask now: not those whose device answered at another address the last time."""
        bridges = [
            bridge
            for bridge in self.known()
            if bridge not in self._aliases or not self._aliases[bridge].answering
        ]
        self._note_asked(bridges)
        return bridges

    def standbys(self, asked: Container[Bridge]) -> list[Bridge]:
        """The other addresses of devices that have not answered at those asked in this round, to ask as well.

        So a device that falls silent at one address is read at the other in the same scrape, where its
        deadline allows it.
        """
        return [
            bridge for bridge, winner in self._aliases.items() if bridge not in asked and not winner.answering
        ]

    def find(self, text: str, address: Address) -> Bridge | None:
        """The bridge of this name or at this address, if there is one; `address` is what the text reads as.

        A name of the configuration goes first, then addresses, then the names that discovered bridges
        give themselves, and of those none that has a dot or a colon: whoever announces itself as
        `192.168.1.50` or `bridge.example.org` does not get what is meant for that host.
        """
        folded = _folded(address)
        bridge = (
            next((t for t in self._configured.values() if t.name == text), None)
            or next((t for t in self.known() if _is_at(t, folded)), None)
            or (
                next((t for t in self._discovered.values() if t.name == text), None)
                if not {".", ":"} & set(text)
                else None
            )
        )
        return self._found(bridge)

    def find_at(self, addresses: Iterable[Address]) -> Bridge | None:
        """The known bridge that is asked at any of these IP addresses, if there is one.

        A configured host name is where it resolved to when it last did.
        """
        asked = frozenset(addresses)
        return self._found(next((t for t in self.known() if not asked.isdisjoint(t.ip_addresses)), None))

    def go_live(self) -> None:
        """Follow the event streams of bridges as the configuration says, from now on."""
        self._is_live = True
        self._follow_streams()

    def reconfigure(self, config: Config) -> None:
        """Follow a new configuration; bridges at the same address keep their connections and guard."""
        self._config = config
        self._limits = config.limits
        self._admission.config = config.discovery
        self._configure(config.bridges)
        for bridge in self.known():
            bridge.limits = self._limits
        # A name that was taken may be free now, or a free one taken.
        taken = {bridge.name for bridge in self._configured.values()}
        for name, bridge in self._discovered.items():
            bridge.name = _free_name(name, bridge.addresses[0], taken)
            taken.add(bridge.name)
        self._follow_streams()

    def sync(self) -> None:
        """Bring the bridges in step with what mDNS knows; waits for nothing.

        What is announced is a bridge of its own until it is known to be at a configured address.
        """
        services = self._services()
        if services != self._seen:
            # It may be one of the configured bridges, by an address that was not asked for lately.
            self._seen = services
            for address in self._configured:
                self._names.prefetch(address)
        announced = services or self._ways or self._discovered or self._admission.services
        if not announced and not self.limited:
            # Neither now nor before: what follows would go through all bridges for each probe of one.
            return
        self._note_answers()
        self._admit(self._match(services))

    def find_aliases(self) -> None:
        """Note which bridges are, by their `device.id`, the same device as one before them."""
        self._note_answers()
        before = tuple(self._aliases)
        winners: dict[str, Bridge] = {}
        for bridge in self.known():
            if not bridge.device_id:
                continue
            winner = winners.get(bridge.device_id)
            if winner is None or not winner.answering:
                winners[bridge.device_id] = bridge
                self._aliases.pop(bridge, None)
            elif self._aliases.get(bridge) is not winner:
                self._aliases[bridge] = winner
                level = logging.WARNING if bridge.source == "configured" else logging.INFO
                _log.log(
                    level,
                    "bridge is another address of %s and is shown under that name",
                    winner.name,
                    extra={"bridge": bridge.name, "device_id": bridge.device_id},
                )
        if tuple(self._aliases) != before:
            self._follow_streams()

    def _follow_streams(self) -> None:
        """Follow the streams of all bridges as they are to be; of several addresses of a device, at one."""
        if self._is_live:
            for bridge in self.known():
                bridge.follow(None if self.is_alias(bridge) else self._live_settings(bridge))

    def _live_settings(self, bridge: Bridge) -> "LiveSettings | None":
        config = self._config
        discovered = config.discovery.live if bridge.source == "discovered" else None
        mode = bridge.live or discovered or config.live
        if mode == "off":
            return None
        # Imported here: few are followed, and the start-up is that of all.
        from iometer_exporter.bridges.live.follower import Following
        from iometer_exporter.bridges.live.streams import LiveSettings

        following = Following(mode, config.stale_after or _LONGEST_SILENCE_SECONDS)
        return LiveSettings(following, config.power_buckets)

    def _configure(self, configured: Iterable[BridgeConfig]) -> None:
        before = self._configured
        self._configured = {}
        for config in configured:
            bridge = before.pop(config.address, None)
            if bridge is None:
                bridge = self._new(config.name, "configured", [config.address])
            bridge.name, bridge.labels, bridge.live = config.name, config.labels, config.live
            self._configured[config.address] = bridge
        for bridge in before.values():
            self._retire(bridge)
        self._ways = {address: way for address, way in self._ways.items() if address in self._configured}
        self._names.configure(address.host for address in self._configured)
        self._seen = None

    def _new(self, name: str, source: Source, addresses: Sequence[Address]) -> Bridge:
        return Bridge(name, source, addresses, self._limits, self._network, self._memory)

    def _match(self, services: Sequence[Service]) -> list[Service]:
        """Take services as other ways to configured bridges; gives those that are bridges of their own."""
        known: dict[Address, Address] = {}
        for address in self._configured:
            for way in (_folded(address), *self._names.last(address)):
                known.setdefault(way, address)
        ways: dict[Address, tuple[Address, ...]] = {}
        others = []
        for service in services:
            by_name = known.get(Address(service.host, service.addresses[0].port))
            if by_name is not None:
                # It may know a way where the configured name does not resolve.
                ways[by_name] = (*ways.get(by_name, ()), *service.addresses)
            if by_name is not None or any(ip in known for ip in service.addresses):
                self._admission.drop(service.name)
            else:
                others.append(service)
        announced = {service.name for service in services}
        for service in self._admission.services:
            if service.name not in announced and any(ip in known for ip in service.addresses):
                self._admission.drop(service.name)
        self._show_ways(ways)
        return others

    def _show_ways(self, ways: Mapping[Address, tuple[Address, ...]]) -> None:
        """Let configured bridges be asked at what mDNS says of their names, or said not too long ago."""
        now = asyncio.get_running_loop().time()
        self._ways |= {address: (addresses, now) for address, addresses in ways.items()}
        for address, bridge in self._configured.items():
            addresses, seen_at = self._ways.get(address, ((), now))
            if now - seen_at >= self._admission.config.forget_after:
                addresses = ()
            _ask_at(bridge, tuple(dict.fromkeys((address, *addresses)))[:_WAYS])

    def _admit(self, services: Iterable[Service]) -> None:
        limited = self.limited
        reasons = self._admission.admit(services, asyncio.get_running_loop().time())
        admitted = {service.name: service for service in self._admission.services}
        for name in self._discovered.keys() - admitted.keys():
            bridge = self._discovered.pop(name)
            reason = reasons.get(name, "it is a configured bridge")
            _log.info("discovered bridge is no longer read: %s", reason, extra={"bridge": bridge.name})
            self._retire(bridge)
        for name, service in admitted.items():
            if known := self._discovered.get(name):
                _ask_at(known, service.addresses)
            else:
                taken = {bridge.name for bridge in self.known()}
                label = _free_name(name, service.addresses[0], taken)
                self._discovered[name] = self._new(label, "discovered", service.addresses)
                self._follow_streams()
        if self.limited and not limited:
            _log.warning(
                "%d more bridges announce themselves than discovery.limit lets in: name yours with --bridge, "
                "or raise the limit",
                self._admission.left_out,
            )
        elif limited and not self.limited:
            _log.info("all bridges that announce themselves have room again")

    def _note_answers(self) -> None:
        for service in self._admission.services:
            bridge = self._discovered.get(service.name)
            if bridge is not None and bridge.has_answered:
                service.standing.answered = True

    def _note_asked(self, bridges: Iterable[Bridge]) -> None:
        now = asyncio.get_running_loop().time()
        asked = set(bridges)
        for name, bridge in self._discovered.items():
            if bridge in asked:
                self._admission.asked(name, now)

    def _found(self, bridge: Bridge | None) -> Bridge | None:
        if bridge is None:
            return None
        found = self._aliases.get(bridge, bridge)
        self._note_asked([found])
        return found

    def _retire(self, bridge: Bridge) -> None:
        """Let scrapes under way have their answer, then close the bridge's connections."""
        self._aliases = {a: b for a, b in self._aliases.items() if bridge not in (a, b)}
        task = asyncio.get_running_loop().create_task(bridge.retire())
        self._retiring[task] = bridge
        task.add_done_callback(lambda done: self._retiring.pop(done, None))


def _ask_at(bridge: Bridge, addresses: tuple[Address, ...]) -> None:
    if bridge.addresses != addresses:
        bridge.addresses = addresses


def _is_at(bridge: Bridge, folded: Address) -> bool:
    host, port = folded
    # The port is compared first: it costs nothing.
    return any(at.port == port and _folded(at).host == host for at in bridge.addresses)


def _folded(address: Address) -> Address:
    return Address(address.host.lower().removesuffix("."), address.port)


def _free_name(name: str, address: Address, taken: Container[str]) -> str:
    """The name, with its address if another bridge has that name, and with a number if that is taken too."""
    placed = f"{name}@{address}"
    names = chain((name, placed), (f"{placed}#{number}" for number in count(2)))
    return next(candidate for candidate in names if candidate not in taken)
