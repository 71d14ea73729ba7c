"""Which bridges there are: those configured, those discovered, and which of them are one and the same."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from iometer_exporter.bridge import Network
from iometer_exporter.config import BridgeConfig, Config
from iometer_exporter.discovery import Service
from iometer_exporter.guard import Limits
from iometer_exporter.resolve import resolve
from iometer_exporter.target import Target
from iometer_exporter.units import Address

_log = logging.getLogger(__name__)

_RESOLVE_TIMEOUT: Final = 1.0
"""Seconds for the names of configured bridges when a new one is discovered: is it one of them?"""


class Roster:
    """The targets to read, kept in step with the configuration and with what mDNS knows."""

    def __init__(self, config: Config, services: Callable[[], Sequence[Service]], network: Network) -> None:
        """Take the configuration, and a function that gives the services known now."""
        self._services = services
        self._network = network
        self._seen: Sequence[Service] | None = None
        self._limits = _limits(config)
        self._configured: dict[Address, Target] = {}
        self._discovered: dict[str, Target] = {}
        self._aliases: dict[Target, Target] = {}
        self._retiring: dict[asyncio.Task[None], Target] = {}
        self._lock = asyncio.Lock()
        self._configure(config.bridges)

    async def aclose(self) -> None:
        """Give up what is under way and close all connections."""
        retiring = dict(self._retiring)
        for task in retiring:
            task.cancel()
        await asyncio.gather(*retiring, return_exceptions=True)
        await asyncio.gather(*(target.aclose() for target in (*retiring.values(), *self.all())))

    def all(self) -> Iterable[Target]:
        """All targets, those first that win when two are one device."""
        return (*self._configured.values(), *self._discovered.values())

    def bridges(self) -> list[Target]:
        """The targets without those that are another address of one before them."""
        return [target for target in self.all() if not self.is_alias(target)]

    def is_alias(self, target: Target) -> bool:
        """Whether the target is another address of a device that is shown under another name."""
        return target in self._aliases

    def due(self) -> list[Target]:
        """The targets to ask now: not those whose device answered at another address the last time."""
        return [
            target
            for target in self.all()
            if target not in self._aliases or not self._aliases[target].answering
        ]

    def find_at(self, ip_addresses: Iterable[Address]) -> Target | None:
        """The bridge at one of these IP addresses, if there is one."""
        places = set(ip_addresses)
        for target in self.all():
            if not places.isdisjoint(target.ip_addresses):
                return self._aliases.get(target, target)
        return None

    def find(self, text: str, address: Address) -> Target | None:
        """The bridge of this name or at this address, if there is one."""
        for target in self.all():
            if text == target.name or address in target.addresses:
                return self._aliases.get(target, target)
        return None

    def reconfigure(self, config: Config) -> None:
        """Follow a new configuration; bridges at the same address keep their connections and guard."""
        self._limits = _limits(config)
        self._configure(config.bridges)
        for target in self.all():
            target.limits = self._limits
        # What was discovered may be one of the new bridges, or no longer one of the old.
        self._seen = None

    async def sync(self) -> None:
        """Bring the discovered targets in step with what mDNS knows."""
        services = self._services()
        if services == self._seen:
            return
        async with self._lock:
            while services != self._seen:
                configured = self._configured
                places = await self._places() if services else {}
                # A reload meanwhile has other bridges, to be compared anew.
                if configured is self._configured:
                    self._follow(services, places)

    def find_aliases(self) -> None:
        """Note which targets are, by their `device.id`, the same device as one before them."""
        winners: dict[str, Target] = {}
        for target in self.all():
            if not target.device_id:
                continue
            winner = winners.get(target.device_id)
            if winner is None or not winner.answering:
                winners[target.device_id] = target
                self._aliases.pop(target, None)
            elif self._aliases.get(target) is not winner:
                self._aliases[target] = winner
                _log.info(
                    "is the same device as %s and shown as that",
                    winner.name,
                    extra={"bridge": target.name, "device_id": target.device_id},
                )

    def _configure(self, bridges: Iterable[BridgeConfig]) -> None:
        before = self._configured
        self._configured = {}
        for bridge in bridges:
            target = before.pop(bridge.address, None)
            if target is None:
                target = Target(bridge.name, "configured", [bridge.address], self._limits, self._network)
            target.name, target.labels = bridge.name, bridge.labels
            self._configured[bridge.address] = target
        for target in before.values():
            self._retire(target)

    def _follow(self, services: Sequence[Service], places: Mapping[Address, set[Address]]) -> None:
        """Take each service as another way to a configured bridge, or as a bridge of its own."""
        others = []
        ways = {address: [address] for address in self._configured}
        for service in services:
            same = next((address for address, place in places.items() if _is_at(service, place)), None)
            if same is None:
                others.append(service)
            else:
                # It may know a way where the configured name does not resolve.
                ways[same] += service.addresses
        for address, target in self._configured.items():
            target.addresses = tuple(dict.fromkeys(ways[address]))
        self._keep_only(others)
        self._seen = services

    def _keep_only(self, services: Sequence[Service]) -> None:
        names = {service.name for service in services}
        for name in self._discovered.keys() - names:
            target = self._discovered.pop(name)
            _log.info("no longer read on its own", extra={"bridge": target.name})
            self._retire(target)
        for service in services:
            if known := self._discovered.get(service.name):
                known.addresses = service.addresses
            else:
                self._discovered[service.name] = Target(
                    service.name, "discovered", service.addresses, self._limits, self._network
                )
        self._tell_apart()

    def _tell_apart(self) -> None:
        """Add its address to a discovered name that a configured bridge of another address has too."""
        taken = {target.name for target in self._configured.values()}
        for name, target in self._discovered.items():
            target.name = f"{name}@{target.addresses[0]}" if name in taken else name

    def _retire(self, target: Target) -> None:
        """Let scrapes under way have their answer, then close the target's connections."""
        self._aliases = {a: b for a, b in self._aliases.items() if target not in (a, b)}
        task = asyncio.get_running_loop().create_task(target.retire())
        self._retiring[task] = target
        task.add_done_callback(lambda done: self._retiring.pop(done, None))

    async def _places(self) -> dict[Address, set[Address]]:
        """The addresses of each configured bridge: as written, without case and last dot, and resolved."""
        own = list(self._configured)
        resolved = await asyncio.gather(*(resolve(address, _RESOLVE_TIMEOUT) for address in own))
        return {
            address: {Address(address.host.lower().rstrip("."), address.port), *found}
            for address, found in zip(own, resolved, strict=True)
        }


def _limits(config: Config) -> Limits:
    return Limits(config.max_power, config.reset_after)


def _is_at(service: Service, place: set[Address]) -> bool:
    by_name = Address(service.host, service.addresses[0].port)
    return not place.isdisjoint((by_name, *service.addresses))
