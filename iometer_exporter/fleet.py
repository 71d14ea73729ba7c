"""All bridges of this process: kept in step with configuration and discovery, read at scrape time."""

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from iometer_exporter.config import Config
from iometer_exporter.discovery import Service
from iometer_exporter.guard import Guard
from iometer_exporter.snapshot import ENDPOINTS, Endpoint, Snapshot, Source
from iometer_exporter.target import Fetched, Target
from iometer_exporter.units import Address

_log = logging.getLogger(__name__)

_RESOLVE_TIMEOUT: Final = 1.0
"""Seconds for the names of configured bridges when a new one is discovered: is it one of them?"""


def _no_services() -> Sequence[Service]:
    return ()


class Fleet:
    """The known bridges; `services` gives those that mDNS knows now. Close it with `aclose`."""

    def __init__(self, config: Config, services: Callable[[], Sequence[Service]] = _no_services) -> None:
        self._config = config
        self._services = services
        self._seen_services: Sequence[Service] = ()
        self._configured = [
            self._target(bridge.name, "configured", [bridge.address]) for bridge in config.bridges
        ]
        self._own_address = {
            target: bridge.address for target, bridge in zip(self._configured, config.bridges, strict=True)
        }
        self._discovered: dict[str, Target] = {}
        self._aliases: dict[Target, Target] = {}
        self._sync_lock = asyncio.Lock()

    async def __aenter__(self) -> "Fleet":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give up what is under way and close all connections."""
        targets = (*self._configured, *self._discovered.values())
        await asyncio.gather(*(target.aclose() for target in targets))

    @property
    def counts(self) -> Mapping[Source, int]:
        """How many bridges are known, by source; two addresses of one device count once."""
        return Counter(target.source for target in self._targets() if target not in self._aliases)

    async def scrape(self, deadline: float) -> list[Snapshot]:
        """A snapshot of every bridge, read now; what has not answered by the deadline has failed.

        The deadline is in seconds of the loop's clock. Several scrapes at once share one fetch.
        """
        await self._sync()
        targets = [target for target in self._targets() if not self._is_covered(target)]
        runs = {
            (target, endpoint): target.shares[endpoint].join() for target in targets for endpoint in ENDPOINTS
        }
        try:
            if runs:
                remaining = deadline - asyncio.get_running_loop().time()
                await asyncio.wait(runs.values(), timeout=max(0.0, remaining))
        finally:
            outcomes = {run: self._leave(*run, task) for run, task in runs.items()}
        snapshots = [
            (target, target.snapshot({endpoint: outcomes[target, endpoint] for endpoint in ENDPOINTS}))
            for target in targets
        ]
        self._find_aliases()
        return [snapshot for target, snapshot in snapshots if target not in self._aliases]

    async def abandon(self) -> None:
        """End every fetch under way now, so that the scrapes that wait for them answer with the rest."""
        shares = [share for target in self._targets() for share in target.shares.values()]
        await asyncio.gather(*(share.aclose() for share in shares))

    def _leave(self, target: Target, endpoint: Endpoint, task: asyncio.Task[Fetched]) -> Fetched:
        given_up = target.shares[endpoint].leave(task)
        if task.done() and not task.cancelled():
            return task.result()
        return target.timed_out(endpoint, given_up=given_up)

    def _targets(self) -> Iterable[Target]:
        """All targets, those first that win when two are one device."""
        return (*self._configured, *self._discovered.values())

    def _is_covered(self, target: Target) -> bool:
        """Whether the target's device is read at another address, which answered the last time."""
        winner = self._aliases.get(target)
        return winner is not None and winner.answering

    def _find_aliases(self) -> None:
        """Note which targets are, by their `device.id`, the same device as one before them."""
        winners: dict[str, Target] = {}
        for target in self._targets():
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

    async def _sync(self) -> None:
        """Bring the discovered targets in step with what mDNS knows."""
        services = self._services()
        if services == self._seen_services:
            return
        async with self._sync_lock:
            if services == self._seen_services:
                return
            places = await self._places()
            others = []
            for service in services:
                same = next((t for t, place in places.items() if _is_at(service, place)), None)
                if same is None:
                    others.append(service)
                else:
                    # The service may know a way where the configured name does not resolve.
                    same.addresses = [self._own_address[same], *service.addresses]
            await self._keep_only(others)
            self._seen_services = services

    async def _keep_only(self, services: Sequence[Service]) -> None:
        names = {service.name for service in services}
        for name in self._discovered.keys() - names:
            target = self._discovered.pop(name)
            self._aliases = {a: b for a, b in self._aliases.items() if target not in (a, b)}
            _log.info("forgotten: not announced for long", extra={"bridge": target.name})
            await target.aclose()
        for service in services:
            if known := self._discovered.get(service.name):
                known.addresses = service.addresses
            else:
                name = self._free_name(service)
                self._discovered[service.name] = self._target(name, "discovered", service.addresses)

    def _free_name(self, service: Service) -> str:
        """The instance name, unless a configured bridge of another address has taken it."""
        taken = any(target.name == service.name for target in self._configured)
        return f"{service.name}@{service.addresses[0]}" if taken else service.name

    def _target(self, name: str, source: Source, addresses: Sequence[Address]) -> Target:
        guard = Guard(max_power=self._config.max_power, reset_after=self._config.reset_after)
        return Target(name, source, addresses, guard)

    async def _places(self) -> dict[Target, set[Address]]:
        """The addresses of each configured bridge as written and, for a name, as resolved."""
        own = list(self._own_address.values())
        resolved = await asyncio.gather(*(_resolve(address) for address in own))
        return dict(zip(self._configured, resolved, strict=True))


def _is_at(service: Service, place: set[Address]) -> bool:
    by_name = Address(service.host, service.addresses[0].port)
    return not place.isdisjoint((by_name, *service.addresses))


async def _resolve(address: Address) -> set[Address]:
    """The address as written (names in lower case, without the last dot) and all it resolves to."""
    loop = asyncio.get_running_loop()
    found = {Address(address.host.lower().rstrip("."), address.port)}
    try:
        async with asyncio.timeout(_RESOLVE_TIMEOUT):
            infos = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        # Not to be found now: then it is no other name of what was discovered.
        return found
    return found | {Address(str(info[4][0]), address.port) for info in infos}
