"""Opens a connection to whichever address of a device takes one first; whoever gives up leaves no socket."""

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from iometer_exporter.bridges.http.connection import Connection
from iometer_exporter.bridges.http.failures import ConnectError
from iometer_exporter.net.addresses import Address

_NEXT_ADDRESS_SECONDS: Final = 0.25
"""After them the next address of a device is tried beside the first (RFC 8305)."""

_OUT_OF_FILES: Final = (errno.EMFILE, errno.ENFILE)


class Connector:
    """Connects to devices; what was begun and is needed no more is ended and closed."""

    def __init__(self, connection: Callable[[], Connection], make_room: Callable[[], bool]) -> None:
        """Make connections by the first function.

        Where the process has no file left, `make_room` closes a connection that can be spared, and gives
        whether there was one.
        """
        self._new_connection = connection
        self._make_room = make_room
        self._losing: set[asyncio.Task[Connection]] = set()
        """Attempts to connect that another address has beaten, until they have ended."""

    async def connect(self, addresses: Sequence[Address]) -> Connection:
        """A connection to the first address that takes one; raises ConnectError if none does."""
        if len(addresses) == 1:
            return await self._open(addresses[0])
        loop = asyncio.get_running_loop()
        left = deque(addresses)
        attempts: set[asyncio.Task[Connection]] = set()
        try:
            while True:
                if left:
                    attempts.add(loop.create_task(self._open(left.popleft())))
                timeout = _NEXT_ADDRESS_SECONDS if left else None
                done, _ = await asyncio.wait(attempts, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
                for attempt in done:
                    attempts.discard(attempt)
                    if (error := attempt.exception()) is None:
                        attempts.update(done - {attempt})
                        return attempt.result()
                    if not left and not attempts:
                        raise error
        finally:
            for attempt in attempts:
                self._let_lose(attempt)

    def _let_lose(self, attempt: "asyncio.Task[Connection]") -> None:
        """End an attempt; what it has opened, or opens while it ends, is closed."""
        self._losing.add(attempt)
        attempt.add_done_callback(self._close_loser)
        attempt.cancel()

    def _close_loser(self, attempt: "asyncio.Task[Connection]") -> None:
        self._losing.discard(attempt)
        if not attempt.cancelled() and attempt.exception() is None:
            attempt.result().abort()

    async def _open(self, address: Address) -> Connection:
        loop = asyncio.get_running_loop()
        connection = self._new_connection()
        try:
            family, socket_address = _socket_address(address)
            opened = await self._socket(family)
            try:
                opened.setblocking(False)
                await loop.sock_connect(opened, socket_address)
            except BaseException:
                # asyncio would forget the socket at its next turn only, when its number may be another's.
                loop.remove_writer(opened)
                opened.close()
                raise
            try:
                await loop.create_connection(lambda: connection, sock=opened)
            except BaseException:
                connection.abort()
                raise
        except OSError as error:
            detail = os.strerror(error.errno) if error.errno else str(error)
            raise ConnectError(f"no connection to {address}: {detail}") from error
        return connection

    async def _socket(self, family: int) -> socket.socket:
        while True:
            try:
                return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            except OSError as error:
                # Better one connection less for later than a bridge that is not read.
                if error.errno not in _OUT_OF_FILES or not self._make_room():
                    raise
            # asyncio closes the socket of what was closed at its next turn.
            await asyncio.sleep(0)


def _socket_address(address: Address) -> tuple[int, tuple[str, int] | tuple[str, int, int, int]]:
    """Family and address of a socket for an IP address; raises OSError for a zone that does not exist."""
    host, percent, zone = address.host.partition("%")
    if ":" not in host:
        return socket.AF_INET, (host, address.port)
    scope = 0
    if percent:
        scope = int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
    return socket.AF_INET6, (host, address.port, 0, scope)
