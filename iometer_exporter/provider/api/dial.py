"""Connections to the provider API: without proxies, and none left behind when the wait is given up."""

import asyncio
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from typing import Final, TypeVar

import certifi

from iometer_exporter.net.addresses import Address
from iometer_exporter.net.resolver import Resolver

Protocol = TypeVar("Protocol", bound=asyncio.BaseProtocol)

_NEXT_ADDRESS: Final = 0.25
"""Seconds after which the next address of a name is tried too."""


class Dialer:
    """Opens connections to one host and port; close it in the end."""

    def __init__(self, host: str, port: int, *, secure: bool) -> None:
        """With TLS if `secure`."""
        self.tls = tls_context() if secure else None
        """What connections are behind; read once, at the beginning."""
        self._address = Address(host, port)
        self._resolver = Resolver()
        self._resolver.configure([host])

    def close(self) -> None:
        """Give up the lookups of the name; connections stay."""
        self._resolver.close()

    async def connect(self, factory: Callable[[], Protocol]) -> Protocol:
        """The protocol that the factory makes, on a connection of its own; raises OSError without one.

        Whoever is cancelled here, at any moment, leaves no connection.
        """
        sock = await self.socket()
        loop = asyncio.get_running_loop()
        name = self._address.host if self.tls else None
        # It closes the socket where it is cancelled.
        _, protocol = await loop.create_connection(factory, sock=sock, ssl=self.tls, server_hostname=name)
        return protocol

    async def socket(self) -> socket.socket:
        """A connected socket without TLS, of the address that connects first; raises OSError without one.

        It is the caller's from here on.
        """
        attempts: dict[asyncio.Task[None], socket.socket] = {}
        errors: list[BaseException] = []
        left = deque(_in_turn(await self._resolver.resolve(self._address)))
        try:
            while left or attempts:
                if left:
                    task, sock = _attempt(left.popleft())
                    attempts[task] = sock
                done, _ = await asyncio.wait(
                    attempts,
                    timeout=_NEXT_ADDRESS if left else None,
                    return_when=asyncio.FIRST_COMPLETED,
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
        raise errors[0] if errors else socket.gaierror(socket.EAI_NONAME, "the name does not resolve")


def tls_context() -> ssl.SSLContext:
    """Verification with the certificates of the system, or those that `SSL_CERT_FILE` names."""
    context = ssl.create_default_context()
    if not os.environ.get("SSL_CERT_FILE") and not os.environ.get("SSL_CERT_DIR"):
        # A small image may have none of its own.
        context.load_verify_locations(certifi.where())
    return context


def _in_turn(addresses: Sequence[Address]) -> list[Address]:
    """The addresses, both families in turn: one of them may lead nowhere."""
    first = [each for each in addresses if (":" in each.host) == (":" in addresses[0].host)]
    others = [each for each in addresses if each not in first]
    return [each for each in chain(*zip_longest(first, others)) if each is not None]


def _attempt(address: Address) -> tuple[asyncio.Task[None], socket.socket]:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return asyncio.create_task(_connect(sock, address)), sock


async def _connect(sock: socket.socket, address: Address) -> None:
    await asyncio.get_running_loop().sock_connect(sock, (address.host, address.port))


def _abandon(task: "asyncio.Task[None]", sock: socket.socket) -> None:
    def close(_: object) -> None:
        # Only now the event loop does not watch it any more.
        sock.close()
        if not task.cancelled():
            task.exception()

    task.cancel()
    task.add_done_callback(close)
