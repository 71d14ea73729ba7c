"""Durations, powers and addresses as people write them in flags and files."""

import ipaddress
import re
from typing import Final, NamedTuple

from iometer_exporter.errors import ConfigError

_HOST_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.(?!-)[A-Za-z0-9_-]{1,63})*\.?", re.ASCII)

_ZONE: Final = re.compile(r"[A-Za-z0-9._-]{1,15}", re.ASCII)
"""An interface, as the zone of an IPv6 address names it; Linux allows 15 characters."""

_SHOWN_CHARACTERS: Final = 60
"""Characters of a text far too long that an error shows."""

HTTP_PORT: Final = 80
"""Where a bridge listens."""

LONGEST_HOST: Final = 253
"""Characters of a host name, as DNS has it."""

LONGEST_ADDRESS: Final = 270
"""Characters of host, port and what stands between and around them."""

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Address(NamedTuple):
    """Host (name or IP address, without brackets) and port of a bridge."""

    host: str
    port: int = HTTP_PORT

    def __str__(self) -> str:
        return self._bracketed if self.port == HTTP_PORT else self.with_port

    @property
    def with_port(self) -> str:
        """Host and port, also where the port is the usual one."""
        return f"{self._bracketed}:{self.port}"

    @property
    def host_header(self) -> str:
        """The header `Host` of a request to the address: never with a zone, which is ours alone."""
        return str(Address(self.host.partition("%")[0], self.port))

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def parse_address(text: str, default_port: int = HTTP_PORT) -> Address:
    """The address written as `HOST`, `HOST:PORT`, `[IPV6]:PORT` or a bare IPv6 address.

    Raises ConfigError for anything else, an URL among it.
    """
    if len(text) > LONGEST_ADDRESS:
        raise ConfigError(
            f"{_shortened(text)!r} is not an address, one has at most {LONGEST_ADDRESS} characters"
        )
    if "/" in text:
        check_host(text)
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise ConfigError(f"{text!r} is not an address, write [IPV6] or [IPV6]:PORT")
        return Address(_ip(host, text), parse_port(port[1:]) if port else default_port)
    if text.count(":") > 1:
        return Address(_ip(text, text), default_port)
    host, colon, port = text.partition(":")
    check_host(host)
    return Address(host, parse_port(port) if colon else default_port)


def parse_port(text: str) -> int:
    """The port number in the text, 1 to 65535; raises ConfigError for anything else."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise ConfigError(f"{text!r} is not a port, write a number from 1 to 65535")
    return int(text)


def parse_ip(text: str) -> IPAddress | None:
    """The IP address in the text, one written as IPv4 in IPv6 as IPv4; None for anything else.

    The zone of an IPv6 address is the name of an interface: the standard library would take any text.
    """
    zone = text.partition("%")[2]
    if "%" in text and not _ZONE.fullmatch(zone):
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def check_host(text: str) -> None:
    """Raise ConfigError unless the text is a host name or an IP address without a port."""
    if parse_ip(text) is not None:
        return
    if len(text) > LONGEST_HOST:
        raise ConfigError(f"{_shortened(text)!r} is not a host, a name has at most {LONGEST_HOST} characters")
    numeric = text.replace(".", "").isdigit()
    if numeric or not _HOST_NAME.fullmatch(text):
        raise ConfigError(
            f"{text!r} is not a host, write a name or an IP address such as 192.168.1.50, "
            "without http:// and path"
        )


def _ip(host: str, text: str) -> str:
    address = parse_ip(host)
    if address is None or ":" not in host:
        raise ConfigError(f"{text!r} is not an address: {host!r} is not an IPv6 address")
    return str(address)


def _shortened(text: str) -> str:
    return f"{text[:_SHOWN_CHARACTERS]}…"
