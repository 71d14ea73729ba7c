"""httpx's transport for bridges: at most two connections to a device, long kept, to given IP addresses only.

What is opened or taken here is given back in a synchronous `finally`, so a fetch may be cancelled at any
await and nothing is lost.
"""

import asyncio
import errno
import os
import socket
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import httpx

from iometer_exporter.bridges.http.connection import Connection, StaleConnection
from iometer_exporter.net.addresses import Address

CONNECTIONS: Final = 2
"""At a time to one device: it has few sockets."""

ADDRESSES: Final = "iometer_addresses"
"""Extension of a request: the IP addresses of its device, in the order in which to try them."""

_WIRE: Final = "iometer_wire"
"""Extension of a request: its bytes, made once."""

_KEEPALIVE_SECONDS: Final = 3600.0
"""Far above any scrape interval, so that a scrape finds its connections open."""

_NEXT_ADDRESS_SECONDS: Final = 0.25
"""After them the next address of a device is tried beside the first (RFC 8305)."""

_SHORTEST_PATIENCE_SECONDS: Final = 2.0
"""A kept connection may be silent so long before the request is sent again on a new one."""

_PATIENCE_FACTOR: Final = 3.0
"""Silence allowed to a kept connection, as a multiple of the time that the device has needed lately."""

_DECAY: Final = 0.9
"""Share that each answer leaves of the longest time that the device has needed."""

_OUT_OF_FILES: Final = (errno.EMFILE, errno.ENFILE)


class BridgeTransport(httpx.AsyncBaseTransport):
    """Sends requests as they are: without redirects, cookies, proxies and TLS, which bridges do not speak.

    There is no timeout: whoever waits cancels. The body of a response has been received when it is given.
    """

    def __init__(
        self,
        *,
        connection: Callable[[], Connection] = Connection,
        idle_connections: int = 1024,
    ) -> None:
        """Make connections by the function, and keep at most so many for later."""
        self._new_connection = connection
        self._idle_connections = idle_connections
        self._devices: dict[Address, _Device] = {}
        self._idle: OrderedDict[Connection, _Device] = OrderedDict()
        """Connections that wait for their next use, the longest waiting first."""
        self._losing: set[asyncio.Task[Connection]] = set()
        """Attempts to connect that another address has beaten, until they have ended."""

    @property
    def idle(self) -> int:
        """Number of connections that wait for their next use."""
        return len(self._idle)

    @property
    def devices(self) -> int:
        """Number of devices that have a connection, or somebody who waits for one."""
        return len(set(self._devices.values()))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response of the device at the addresses that the request's extension names.

        Raises httpx.TransportError or FetchError where there is none.
        """
        addresses: Sequence[Address] = request.extensions[ADDRESSES]
        wire = request.extensions.get(_WIRE) or _wire(request)
        device = self._device(addresses)
        await device.enter()
        # Meanwhile two may have become one.
        device = device.current
        device.busy += 1
        connection = None
        keep = False
        try:
            connection = self._take_idle(device)
            if connection is not None:
                try:
                    await connection.ask(wire, patience=device.patience)
                except StaleConnection:
                    connection.abort()
                    connection = None
            if connection is None:
                connection = await self._connect(addresses)
                await connection.ask(wire)
            device.note(connection.seconds_to_first_byte)
            answer = connection.answer
            keep = answer.reusable and not connection.closed
            return httpx.Response(answer.status, stream=_Received(answer.body))
        finally:
            device = device.current
            if connection is not None:
                # Where two devices became one, it may have more than it should.
                if keep and not device.is_forgotten and device.busy + len(device.idle) <= CONNECTIONS:
                    self._keep(device, connection)
                else:
                    connection.abort()
            device.busy -= 1
            device.leave()
            if device.is_unused:
                self._drop(device)

    async def aclose(self) -> None:
        """Close the connections that wait for their next use; those in use end with their requests."""
        for device in set(self._devices.values()):
            self._close_idle(device)

    def forget(self, addresses: Sequence[Address]) -> None:
        """Close the connections that wait at addresses where a device no longer is.

        Those in use are closed after their requests, unless somebody asks there again.
        """
        for device in {self._devices[address] for address in addresses if address in self._devices}:
            self._close_idle(device)
            if device.is_unused:
                self._drop(device)
            else:
                # Still known, so that whoever asks there meanwhile shares its places.
                device.is_forgotten = True

    def _device(self, addresses: Sequence[Address]) -> "_Device":
        """The device at the addresses; those that were taken for several until now become one."""
        found = [self._devices[address] for address in addresses if address in self._devices]
        device = found[0] if found else _Device()
        device.is_forgotten = False
        if len(found) == len(addresses) and all(other is device for other in found):
            return device
        for other in found:
            if other is not device and other.successor is None:
                device.absorb(other)
                for connection in other.idle:
                    self._idle[connection] = device
        device.addresses.update(addresses)
        for address in device.addresses:
            self._devices[address] = device
        while device.idle and device.busy + len(device.idle) > CONNECTIONS:
            self._close(device.idle[0], device)
        return device

    def _drop(self, device: "_Device") -> None:
        for address in device.addresses:
            if self._devices.get(address) is device:
                del self._devices[address]

    def _take_idle(self, device: "_Device") -> Connection | None:
        """A kept connection of the device that can be used, if there is one."""
        while device.idle:
            connection = device.idle.pop()
            del self._idle[connection]
            if connection.is_usable:
                return connection
            connection.abort()
        return None

    def _keep(self, device: "_Device", connection: Connection) -> None:
        now = asyncio.get_running_loop().time()
        connection.idle_since = now
        device.idle.append(connection)
        self._idle[connection] = device
        while self._idle:
            longest, owner = next(iter(self._idle.items()))
            if len(self._idle) <= self._idle_connections and now - longest.idle_since < _KEEPALIVE_SECONDS:
                break
            self._close(longest, owner)

    def _close(self, connection: Connection, device: "_Device") -> None:
        device.idle.remove(connection)
        del self._idle[connection]
        connection.abort()
        if device.is_unused:
            self._drop(device)

    def _close_idle(self, device: "_Device") -> None:
        for connection in tuple(device.idle):
            self._close(connection, device)

    async def _connect(self, addresses: Sequence[Address]) -> Connection:
        """A connection to the first address that takes one; raises httpx.ConnectError if none does."""
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
            raise httpx.ConnectError(f"no connection to {address}: {detail}") from error
        return connection

    async def _socket(self, family: int) -> socket.socket:
        while True:
            try:
                return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            except OSError as error:
                if error.errno not in _OUT_OF_FILES or not self._idle:
                    raise
                # Better one connection less for later than a bridge that is not read.
                self._close(*next(iter(self._idle.items())))
            # asyncio closes the socket at its next turn.
            await asyncio.sleep(0)


class _Device:
    """The two connections of one device, under all of its addresses."""

    def __init__(self) -> None:
        self.addresses: set[Address] = set()
        self.idle: list[Connection] = []
        self.used = 0
        """Places that are taken, by those too who are about to go on."""
        self.busy = 0
        """Requests under way, each with a connection of its own."""
        self.is_forgotten = False
        """Whether nobody will ask at its addresses again, as far as is known."""
        self.successor: _Device | None = None
        """The device that this one has turned out to be."""
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._slowest = 0.0

    @property
    def current(self) -> "_Device":
        """This device, or the one that it has turned out to be."""
        device = self
        while device.successor is not None:
            device = device.successor
        return device

    @property
    def is_unused(self) -> bool:
        """Whether nothing is lost with it."""
        return not (self.used or self.idle or self._waiters)

    @property
    def patience(self) -> float:
        """Seconds that a kept connection may be silent: some devices need seconds for any answer."""
        return max(_SHORTEST_PATIENCE_SECONDS, _PATIENCE_FACTOR * self._slowest)

    def note(self, seconds: float) -> None:
        """Note how long the device has taken to begin an answer."""
        self._slowest = max(seconds, self._slowest * _DECAY)

    async def enter(self) -> None:
        """Take one of the two places as soon as there is one; give it back by `leave`."""
        if self.used < CONNECTIONS:
            self.used += 1
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                # The place came with the cancellation: it is the next one's.
                self.current.leave()
            raise

    def leave(self) -> None:
        """Hand the place on to who has waited longest, if anybody waits."""
        # Where two became one, more may be in than there are places.
        while self._waiters and self.used <= CONNECTIONS:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.used -= 1

    def absorb(self, other: "_Device") -> None:
        """Become one with a device that was taken for another."""
        other.successor = self
        self.addresses |= other.addresses
        self.used += other.used
        self.busy += other.busy
        self.idle += other.idle
        self._waiters += other._waiters
        self._slowest = max(self._slowest, other._slowest)


class _Received(httpx.AsyncByteStream):
    """A body that is there."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body


def _wire(request: httpx.Request) -> bytes:
    """The bytes of a request without a body, which stay with it."""
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%b: %b" % header for header in request.headers.raw]
    wire = request.extensions[_WIRE] = b"\r\n".join([*lines, b"", b""])
    return wire


def _socket_address(address: Address) -> tuple[int, tuple[str, int] | tuple[str, int, int, int]]:
    """Family and address of a socket for an IP address; raises OSError for a zone that does not exist."""
    host, percent, zone = address.host.partition("%")
    if ":" not in host:
        return socket.AF_INET, (host, address.port)
    scope = 0
    if percent:
        scope = int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
    return socket.AF_INET6, (host, address.port, 0, scope)
