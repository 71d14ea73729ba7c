"""The bridges that only `/probe` knows: each with its guard, as long as there is room."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from iometer_exporter.bridges.bridge import Bridge
from iometer_exporter.bridges.client import Network
from iometer_exporter.meter.guard import Limits
from iometer_exporter.meter.memory import Memory
from iometer_exporter.net.addresses import Address

_log = logging.getLogger(__name__)


class Probed:
    """One bridge for each device, however its address is spelled; close it with `aclose`.

    When there is no more room, the one probed longest ago leaves: first those that have never answered, and
    none that somebody waits for.
    """

    def __init__(self, limits: Limits, network: Network, memory: Memory, max_bridges: int) -> None:
        """Remember at most so many; the memory of their meters is kept apart, and longer."""
        self._limits = limits
        self._network = network
        self._memory = memory
        self._max_bridges = max_bridges
        self._bridges: OrderedDict[Bridge, None] = OrderedDict()
        self._at: dict[Address, Bridge] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._is_full = False

    def __iter__(self) -> Iterator[Bridge]:
        return iter(tuple(self._bridges))

    def __len__(self) -> int:
        return len(self._bridges)

    @property
    def limits(self) -> Limits:
        """Limits of what the guards believe; a change counts from the next reading on."""
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._limits = limits
        for bridge in self._bridges:
            bridge.limits = limits

    async def aclose(self) -> None:
        """Give up what is under way."""
        await asyncio.gather(*(bridge.aclose() for bridge in self._bridges), *self._leaving)

    def at(self, ip_addresses: Sequence[Address]) -> Bridge:
        """The bridge at these IP addresses, which have been checked."""
        bridge = next((self._at[ip] for ip in ip_addresses if ip in self._at), None)
        if bridge is None:
            bridge = Bridge(
                str(ip_addresses[0]), "probed", ip_addresses, self._limits, self._network, self._memory
            )
            self._make_room()
        else:
            self._remove(bridge)
            bridge.addresses = ip_addresses
        for ip in ip_addresses:
            self._at.setdefault(ip, bridge)
        self._bridges[bridge] = None
        self._bridges.move_to_end(bridge)
        return bridge

    def _make_room(self) -> None:
        if len(self._bridges) < self._max_bridges:
            return
        if not self._is_full:
            self._is_full = True
            _log.warning(
                "more than %d bridges are probed: those probed longest ago are forgotten, with their "
                "counters; name them in the configuration or probe fewer",
                self._max_bridges,
            )
        idle = [bridge for bridge in self._bridges if not bridge.is_awaited]
        leaving = next((bridge for bridge in idle if not bridge.has_answered), next(iter(idle), None))
        if leaving is not None:
            self._forget(leaving)

    def _forget(self, bridge: Bridge) -> None:
        del self._bridges[bridge]
        self._remove(bridge)
        task = asyncio.get_running_loop().create_task(bridge.retire())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _remove(self, bridge: Bridge) -> None:
        for ip in bridge.addresses:
            if self._at.get(ip) is bridge:
                del self._at[ip]
