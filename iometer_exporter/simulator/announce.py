"""Announces bridges by multicast DNS, as real ones announce themselves."""

import ipaddress
from asyncio import gather
from collections.abc import Sequence
from typing import Final

import ifaddr
from zeroconf import DNSQuestionType, InterfaceChoice
from zeroconf import Error as ZeroconfError
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from iometer_exporter.errors import StartError
from iometer_exporter.simulator.bridge import SimulatedBridge

SERVICE_TYPE: Final = "_iometer._tcp.local."

_PROBE_MS: Final = 1000
"""For how long somebody else of the same name is looked for."""


class Announcer:
    """Announces bridges from `start` on; `aclose` says goodbye, and is due after a failed start too."""

    def __init__(self, interfaces: Sequence[str] | None = None) -> None:
        """Announce on the interfaces with these IP addresses (None: on all)."""
        self._interfaces = interfaces
        self._zeroconf: AsyncZeroconf | None = None

    async def start(self, bridges: Sequence[SimulatedBridge]) -> None:
        """Announce the bridges; raises StartError without multicast or if a name is taken."""
        try:
            self._zeroconf = AsyncZeroconf(interfaces=self._choice())
        except (OSError, RuntimeError, ValueError) as error:
            raise StartError(f"mDNS is not available: {error}; run without --mdns") from error
        registrations = [self._register(self._zeroconf, bridge) for bridge in bridges]
        # To the end even if one fails: none may go on in the background.
        for failure in await gather(*registrations, return_exceptions=True):
            if failure is not None:
                raise failure

    async def update(self, bridge: SimulatedBridge, *, addresses: Sequence[str] | None = None) -> None:
        """Announce a bridge again after its port or its addresses have changed."""
        if self._zeroconf is None:
            raise RuntimeError("nothing is announced yet")
        await (await self._zeroconf.async_update_service(self._info(bridge, addresses)))

    async def aclose(self) -> None:
        """Say goodbye for all bridges and close the sockets."""
        if self._zeroconf is not None:
            await self._zeroconf.async_unregister_all_services()
            await self._zeroconf.async_close()
            self._zeroconf = None

    async def _register(self, zeroconf: AsyncZeroconf, bridge: SimulatedBridge) -> None:
        info = self._info(bridge, None)
        try:
            # zeroconf's own probe asks for unicast answers, which the wrong one of two processes on this
            # machine gets: it would miss a second simulation.
            namesake = AsyncServiceInfo(SERVICE_TYPE, info.name)
            if await namesake.async_request(zeroconf.zeroconf, _PROBE_MS, DNSQuestionType.QM):
                raise StartError(f"another {bridge.name} is in this network; choose another --seed")
            await (await zeroconf.async_register_service(info, cooperating_responders=True))
        except (OSError, ZeroconfError) as error:
            raise StartError(f"{bridge.name} cannot be announced by mDNS: {error!r}") from error

    def _info(self, bridge: SimulatedBridge, addresses: Sequence[str] | None) -> AsyncServiceInfo:
        return AsyncServiceInfo(
            SERVICE_TYPE,
            f"{bridge.name}.{SERVICE_TYPE}",
            port=bridge.port,
            server=f"{bridge.name}.local.",
            properties={},
            parsed_addresses=list(addresses or self._addresses(bridge.host)),
        )

    def _choice(self) -> InterfaceChoice | list[str | int | tuple[tuple[str, int, int], int]]:
        return InterfaceChoice.All if self._interfaces is None else list(self._interfaces)

    def _addresses(self, host: str) -> list[str]:
        """The addresses at which clients reach a bridge that listens on `host`."""
        if not ipaddress.ip_address(host).is_unspecified:
            return [host]
        if self._interfaces is not None:
            return list(self._interfaces)
        own = [
            ipaddress.ip_address(ip.ip)
            for a in ifaddr.get_adapters()
            for ip in a.ips
            if isinstance(ip.ip, str)
        ]
        return [str(address) for address in own if not address.is_loopback] or ["127.0.0.1"]
