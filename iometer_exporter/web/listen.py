"""Sockets on which the exporter listens."""

import errno
import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from iometer_exporter.errors import ConfigError, StartError
from iometer_exporter.net.addresses import parse_port

DEFAULT_PORT: Final = 10180
"""The main register of a meter is 1-0:1.8.0."""

_BACKLOG: Final = 2048
"""Clients that the system keeps waiting for us; it has a limit of its own, on Linux 4096."""

_TRIES: Final = 20
"""Free ports of IPv6 that are tried until IPv4 has the same one free."""

_NO_SUCH_FAMILY: Final = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Host and port to listen on: an empty host is all interfaces, port 0 is any free port."""

    host: str
    port: int


class _InUseError(StartError):
    """The port of an address is in use."""


def listen(addresses: Iterable[ListenAddress]) -> list[socket.socket]:
    """Listening sockets on the addresses; without a host two of them, for IPv4 and IPv6.

    Raises StartError, with what to do, where one cannot be had.
    """
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            sockets += _listen_at(address) if address.host else _listen_everywhere(address.port)
    except BaseException:
        for opened in sockets:
            opened.close()
        raise
    return sockets


def parse_listen_address(text: str) -> ListenAddress:
    """The address written as `:10180`, `127.0.0.1:10180` or `[::1]:10180`; raises ConfigError if none."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not (host.startswith("[") and host.endswith("]"))):
        raise ConfigError(f"{text!r} is not a listen address, write :10180, 127.0.0.1:10180 or [::1]:10180")
    return ListenAddress(host.removeprefix("[").removesuffix("]"), 0 if port == "0" else parse_port(port))


def local_url(address: ListenAddress, scheme: str = "http") -> str:
    """The URL at which this host reaches whatever listens on the address; raises ConfigError for any port."""
    if not address.port:
        raise ConfigError("port 0 is any free one: write the URL to ask")
    return _url(address.host, address.port, scheme)


def url_of(listening: socket.socket, scheme: str = "http") -> str:
    """The address of a listening socket as a URL that a person can open on this host."""
    host, port = listening.getsockname()[:2]
    return _url(host, port, scheme)


def _url(host: str, port: int, scheme: str) -> str:
    if host in ("", "0.0.0.0", "::"):
        host = "localhost"
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"


def _listen_everywhere(port: int) -> list[socket.socket]:
    for _ in range(0 if port else _TRIES - 1):
        # A free port of IPv6 may be somebody's on IPv4: another one will do.
        with suppress(_InUseError):
            return _listen_on_both(port)
    return _listen_on_both(port)


def _listen_on_both(port: int) -> list[socket.socket]:
    """IPv6 and IPv4 as two sockets, which works the same on every system; IPv6 alone may be missing."""
    try:
        six = [_bind(socket.AF_INET6, ("::", port))]
    except OSError as error:
        if error.errno not in _NO_SUCH_FAMILY:
            raise _explained(error, f":{port}") from error
        six = []
    if six:
        port = six[0].getsockname()[1]
    try:
        return [_bind(socket.AF_INET, ("0.0.0.0", port)), *six]
    except OSError as error:
        for opened in six:
            opened.close()
        raise _explained(error, f":{port}") from error


def _listen_at(address: ListenAddress) -> list[socket.socket]:
    host, port = address.host, address.port
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, socket_address = infos[0]
        return [_bind(family, socket_address)]
    except OSError as error:
        raise _explained(error, f"[{host}]:{port}" if ":" in host else f"{host}:{port}") from error


def _bind(family: int, address: tuple[object, ...]) -> socket.socket:
    # asyncio switches Nagle's delay of 40 ms off only where the protocol is said.
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
        opened.listen(_BACKLOG)
        opened.setblocking(False)
    except BaseException:
        opened.close()
        raise
    return opened


def _explained(error: OSError, address: str) -> StartError:
    advice = {
        errno.EADDRINUSE: "the port is in use, stop the other program or choose another with "
        "--web.listen-address",
        errno.EACCES: "the port needs root rights, choose one above 1023 with --web.listen-address",
        errno.EADDRNOTAVAIL: "this host has no such address",
    }
    text = advice.get(error.errno or 0, error.strerror or str(error))
    kind = _InUseError if error.errno == errno.EADDRINUSE else StartError
    return kind(f"cannot listen on {address}: {text}")
