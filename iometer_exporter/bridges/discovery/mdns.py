"""Sockets for mDNS, on the interfaces that are asked for."""

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING

from iometer_exporter.errors import DiscoveryError

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncZeroconf


def open_zeroconf(interfaces: Sequence[str]) -> "AsyncZeroconf":
    """Sockets on the interfaces (all, if none is named); raises DiscoveryError where there can be none."""
    # Imported here: it costs 6 MB and 18 ms, which a fixed set of bridges need not pay.
    from zeroconf import InterfaceChoice, IPVersion
    from zeroconf.asyncio import AsyncZeroconf

    try:
        if interfaces:
            return AsyncZeroconf(interfaces=_interface_addresses(interfaces))
        try:
            return AsyncZeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.All)
        except OSError:
            # A host with IPv6 switched off.
            return AsyncZeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.V4Only)
    except (OSError, RuntimeError, ValueError) as error:
        where = f" on {', '.join(interfaces)}" if interfaces else ""
        raise DiscoveryError(f"mDNS is not available{where}: {error}") from error


def _interface_addresses(interfaces: Sequence[str]) -> list[str | int | tuple[tuple[str, int, int], int]]:
    """IPv4 addresses and IPv6 interface numbers of interfaces given by name (`eth0`) or address."""
    import ifaddr

    adapters = {adapter.name: adapter for adapter in ifaddr.get_adapters()}
    found: list[str | int | tuple[tuple[str, int, int], int]] = []
    for interface in interfaces:
        adapter = adapters.get(interface)
        if adapter is None:
            try:
                found.append(str(ipaddress.ip_address(interface)))
            except ValueError:
                names = ", ".join(adapters)
                raise ValueError(f"no interface is named {interface!r}, there are {names}") from None
            continue
        found += [ip.ip for ip in adapter.ips if isinstance(ip.ip, str)]
        if adapter.index is not None and any(ip.is_IPv6 for ip in adapter.ips):
            found.append(adapter.index)
    return found
