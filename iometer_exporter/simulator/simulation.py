"""Several simulated bridges on consecutive ports."""

import ipaddress
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from iometer_exporter.errors import ConfigError
from iometer_exporter.simulator.bridge import Firmware, SimulatedBridge
from iometer_exporter.simulator.faults import ENDPOINTS, Endpoint, FaultSpec, check_faults
from iometer_exporter.simulator.server import BridgeServer

if TYPE_CHECKING:
    from iometer_exporter.simulator.announce import Announcer

_LAST_PORT: Final = 65535


class Simulation:
    """Simulated bridges that serve from `async with` on until its end."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 18080,
        bridges: int = 3,
        seed: int = 1,
        speedup: float = 1.0,
        latency: float = 0.0,
        interval: float = 1.0,
        faults: Sequence[FaultSpec] = (),
        firmware: Firmware = "new",
        mdns: bool = False,
        mdns_interfaces: Sequence[str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Bridges on ports from `port` (0: any free ones); raises ConfigError for what cannot be."""
        if bridges < 1:
            raise ConfigError(f"{bridges} bridges are none, simulate at least 1")
        if port and port + bridges - 1 > _LAST_PORT:
            raise ConfigError(
                f"{bridges} bridges from port {port} need ports above {_LAST_PORT}, start lower"
            )
        if not (0.0 < speedup < float("inf")):
            raise ConfigError(f"speedup {speedup:g} does not run time forward, use 1 or more")
        check_faults(faults, bridges)
        self._host = host
        self._port = port
        self._mdns = mdns
        self._mdns_interfaces = mdns_interfaces
        self._stack = AsyncExitStack()
        self.announcer: Announcer | None = None
        self.bridges = [
            SimulatedBridge(
                number,
                seed=seed,
                faults=[fault.kind for fault in faults if fault.hits(number)],
                firmware=firmware,
                speedup=speedup,
                interval=interval,
                clock=clock,
            )
            for number in range(1, bridges + 1)
        ]
        self.servers = [BridgeServer(bridge, latency=latency) for bridge in self.bridges]

    def switch(self, *faults: FaultSpec, endpoints: Iterable[Endpoint] = ENDPOINTS) -> None:
        """Have these faults from now on and no others; raises ConfigError for what cannot be.

        What goes wrong on the wire does so in the answers of these endpoints only.
        """
        check_faults(faults, len(self.bridges))
        for bridge in self.bridges:
            bridge.faults = {fault.kind for fault in faults if fault.hits(bridge.number)}
            bridge.endpoints = set(endpoints)

    async def __aenter__(self) -> "Simulation":
        async with AsyncExitStack() as stack:
            for index, server in enumerate(self.servers):
                await server.start(self._host, self._port + index if self._port else 0)
                stack.push_async_callback(server.aclose)
            if self._mdns:
                await self._announce(stack)
            # Everything is up: from here on it is __aexit__ that closes.
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _announce(self, stack: AsyncExitStack) -> None:
        # Imported here: zeroconf costs memory and time that most simulations need not pay.
        from iometer_exporter.simulator.announce import Announcer

        interfaces = self._mdns_interfaces
        if interfaces is None and ipaddress.ip_address(self.bridges[0].host).is_loopback:
            # Nobody else in the network can reach these bridges, so nobody else is told.
            interfaces = ["127.0.0.1"]
        self.announcer = Announcer(interfaces)
        stack.push_async_callback(self.announcer.aclose)
        await self.announcer.start(self.bridges)


def describe(simulation: Simulation) -> list[str]:
    """One line per bridge for a person: address, name, meter, what the home has, faults."""
    return [_line(bridge) for bridge in simulation.bridges]


def _line(bridge: SimulatedBridge) -> str:
    profile = bridge.home.profile
    home = [name for name, has in (("PV", profile.pv), ("heat pump", profile.heat_pump)) if has]
    parts = [
        bridge.url,
        bridge.name,
        f"meter {bridge.meter}",
        f"home with {' and '.join(home)}" if home else "home",
    ]
    if bridge.faults:
        parts.append(f"faults: {', '.join(sorted(bridge.faults))}")
    return "  ".join(parts)
