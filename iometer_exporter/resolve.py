"""From host names to IP addresses."""

import asyncio
import ipaddress
import socket

from iometer_exporter.units import Address

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def literal(host: str) -> IPAddress | None:
    """The IP address that the host is already, None for a name; an IPv4 address written as IPv6 is IPv4."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


async def resolve(address: Address, timeout: float) -> tuple[Address, ...]:
    """The address with its host as IP addresses, in the order in which to try them; empty if there is none.

    Takes at most `timeout` seconds.
    """
    if (ip := literal(address.host)) is not None:
        return (Address(str(ip), address.port),)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            infos = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    hosts = [literal(str(info[4][0])) for info in infos]
    return tuple(dict.fromkeys(Address(str(host), address.port) for host in hosts))
