"""The bridges that only `/probe` knows: each with its guard, as long as there is room."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from iometer_exporter.bridges.bridge import Target
from iometer_exporter.bridges.client import Network
from iometer_exporter.meter.guard import Limits
from iometer_exporter.meter.memory import Memory
from iometer_exporter.net.addresses import Address

_log = logging.getLogger(__name__)


class Probed:
    """One target for each device, however its address is spelled; close it with `aclose`.

    When there is no more room, the one probed longest ago leaves: first those that have never answered, and
    none that somebody waits for.
    """

    def __init__(self, limits: Limits, network: Network, memory: Memory, most: int) -> None:
        """Remember at most so many; the memory of their meters is kept apart, and longer."""
        self._limits = limits
        self._network = network
        self._memory = memory
        self._most = most
        self._targets: OrderedDict[Target, None] = OrderedDict()
        self._at: dict[Address, Target] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._is_full = False

    def __iter__(self) -> Iterator[Target]:
        return iter(tuple(self._targets))

    def __len__(self) -> int:
        return len(self._targets)

    @property
    def limits(self) -> Limits:
        """What the guards believe; a change counts from the next reading on."""
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._limits = limits
        for target in self._targets:
            target.limits = limits

    async def aclose(self) -> None:
        """Give up what is under way."""
        await asyncio.gather(*(target.aclose() for target in self._targets), *self._leaving)

    def at(self, ip_addresses: Sequence[Address]) -> Target:
        """The bridge at these IP addresses, which have been checked."""
        target = next((self._at[ip] for ip in ip_addresses if ip in self._at), None)
        if target is None:
            target = Target(
                str(ip_addresses[0]), "probed", ip_addresses, self._limits, self._network, self._memory
            )
            self._make_room()
        else:
            self._remove(target)
            target.addresses = ip_addresses
        for ip in ip_addresses:
            self._at.setdefault(ip, target)
        self._targets[target] = None
        self._targets.move_to_end(target)
        return target

    def _make_room(self) -> None:
        if len(self._targets) < self._most:
            return
        if not self._is_full:
            self._is_full = True
            _log.warning(
                "more than %d bridges are probed: those probed longest ago are forgotten, with their "
                "counters; name them in the configuration or probe fewer",
                self._most,
            )
        idle = [target for target in self._targets if not target.is_awaited]
        leaving = next((target for target in idle if not target.has_answered), next(iter(idle), None))
        if leaving is not None:
            self._forget(leaving)

    def _forget(self, target: Target) -> None:
        del self._targets[target]
        self._remove(target)
        task = asyncio.get_running_loop().create_task(target.retire())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _remove(self, target: Target) -> None:
        for ip in target.addresses:
            if self._at.get(ip) is target:
                del self._at[ip]
