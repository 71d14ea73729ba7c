"""Sockets to the provider API: straight, without proxies, and none left behind when the wait is given up."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, zip_longest
from typing import Any, Final, TypeVar

import certifi

Protocol = TypeVar("Protocol", bound=asyncio.BaseProtocol)

_NEXT_ADDRESS: Final = 0.25
"""Seconds after which the next address of a name is tried too."""


async def dial(host: str, port: int) -> socket.socket:
    """A connected socket, from the address of the host that connects first; raises OSError if none does.

    Whoever is cancelled here leaves no socket: that of each attempt is known, and closed with its end.
    """
    attempts: dict[asyncio.Task[None], socket.socket] = {}
    errors: list[BaseException] = []
    left = await _addresses(host, port)
    try:
        while left or attempts:
            if left:
                family, address = left.pop(0)
                task, sock = _attempt(family, address)
                attempts[task] = sock
            done, _ = await asyncio.wait(
                attempts, timeout=_NEXT_ADDRESS if left else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                sock = attempts.pop(task)
                if (error := task.exception()) is None:
                    return sock
                sock.close()
                errors.append(error)
    finally:
        for task, sock in attempts.items():
            _abandon(task, sock)
    raise errors[0]


async def connected(
    sock: socket.socket, factory: Callable[[], Protocol], host: str, tls: ssl.SSLContext | None
) -> Protocol:
    """The protocol that the factory makes, on the socket, behind TLS where there is a context."""
    loop = asyncio.get_running_loop()
    try:
        _, protocol = await loop.create_connection(
            factory, sock=sock, ssl=tls, server_hostname=host if tls else None
        )
    except BaseException:
        give_up(sock)
        raise
    return protocol


def give_up(sock: socket.socket) -> None:
    """End the connection, whatever still holds the socket.

    A TLS handshake that is given up in its first moment would otherwise go on by itself, and succeed with
    nobody there to close it.
    """
    # It may never have been connected, or be closed already.
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def tls_context() -> ssl.SSLContext:
    """Verification with the certificates of the system, or those that `SSL_CERT_FILE` names."""
    context = ssl.create_default_context()
    if not os.environ.get("SSL_CERT_FILE") and not os.environ.get("SSL_CERT_DIR"):
        # A small image may have none of its own.
        context.load_verify_locations(certifi.where())
    return context


async def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, Any]]:
    """The addresses of the host, both families in turn: one of them may lead nowhere."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    first = found[0][0]
    of_first = [(family, address) for family, *_, address in found if family == first]
    others = [(family, address) for family, *_, address in found if family != first]
    return [each for each in chain(*zip_longest(of_first, others)) if each is not None]


def _attempt(family: socket.AddressFamily, address: Any) -> tuple[asyncio.Task[None], socket.socket]:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return asyncio.create_task(_connect(sock, address)), sock


async def _connect(sock: socket.socket, address: Any) -> None:
    await asyncio.get_running_loop().sock_connect(sock, address)


def _abandon(task: "asyncio.Task[None]", sock: socket.socket) -> None:
    def close(_: object) -> None:
        # Only now the event loop does not watch it any more.
        sock.close()
        if not task.cancelled():
            task.exception()

    task.cancel()
    task.add_done_callback(close)
