"""The transport to bridges: at most two connections to a device, long kept, to given IP addresses only.

What is opened or taken here is given back in a synchronous `finally`, so a fetch may be cancelled at any
await and nothing is lost.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, NoReturn

from iometer_exporter.bridges.http.answer import BodySink
from iometer_exporter.bridges.http.connecting import Connector
from iometer_exporter.bridges.http.connection import Connection
from iometer_exporter.bridges.http.device import CONNECTIONS, Device
from iometer_exporter.bridges.http.failures import ConnectError, StaleConnectionError
from iometer_exporter.net.addresses import Address

_log = logging.getLogger(__name__)

_KEEPALIVE_SECONDS: Final = 3600.0
"""Far above any scrape interval, so that a scrape finds its connections open."""


class Answer(NamedTuple):
    """A complete answer of a device: its status code and its body."""

    status: int
    body: bytes


class BridgeTransport:
    """Sends requests as they are: without redirects, cookies, proxies and TLS, which bridges do not speak.

    There is no timeout: whoever waits cancels.
    """

    def __init__(
        self,
        *,
        connection: Callable[[], Connection] = Connection,
        idle_connections: int = 1024,
    ) -> None:
        """Make connections by the function, and have at most so many that are kept for later or stream."""
        self._connector = Connector(connection, self._make_room)
        self._idle_connections = idle_connections
        self._streams = 0
        """Event streams that are open or asked for."""
        self._are_too_many = False
        """Whether a stream was refused."""
        self._devices: dict[Address, Device] = {}
        self._idle: OrderedDict[Connection, Device] = OrderedDict()
        """Connections that wait for their next use, the longest waiting first."""

    @property
    def idle(self) -> int:
        """Number of connections that wait for their next use."""
        return len(self._idle)

    @property
    def devices(self) -> int:
        """Number of devices that have a connection, or somebody who waits for one."""
        return len(set(self._devices.values()))

    async def ask(self, request: bytes, addresses: Sequence[Address], sink: BodySink | None = None) -> Answer:
        """The answer of the device at the IP addresses, which are tried in this order.

        With a sink, an event stream goes there until it ends; the body is empty then.
        Raises ExchangeError or FetchError where there is none.
        """
        if sink is None:
            return await self._ask(request, addresses, None)
        if self._streams >= self._idle_connections:
            self._refuse_stream()
        self._streams += 1
        try:
            return await self._ask(request, addresses, sink)
        finally:
            self._streams -= 1

    def _refuse_stream(self) -> NoReturn:
        if not self._are_too_many:
            self._are_too_many = True
            _log.warning(
                "not all bridges can be followed: this process may have %d streams; the others are fetched, "
                "let it open more files",
                self._idle_connections,
            )
        raise ConnectError("as many streams are open as this process may have")

    async def _ask(self, request: bytes, addresses: Sequence[Address], sink: BodySink | None) -> Answer:
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
                    await connection.ask(request, patience=device.patience, sink=sink)
                except StaleConnectionError:
                    connection.abort()
                    connection = None
            if connection is None:
                connection = await self._connector.connect(addresses)
                await connection.ask(request, sink=sink)
            device.note(connection.seconds_to_first_byte)
            answer = connection.answer
            keep = answer.reusable and not connection.closed
            return Answer(answer.status, answer.body)
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

    def _device(self, addresses: Sequence[Address]) -> Device:
        """The device at the addresses; those that were taken for several until now become one."""
        if len(addresses) == 1 and (known := self._devices.get(addresses[0])) is not None:
            known.is_forgotten = False
            return known
        found = [self._devices[address] for address in addresses if address in self._devices]
        device = found[0] if found else Device()
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

    def _drop(self, device: Device) -> None:
        for address in device.addresses:
            if self._devices.get(address) is device:
                del self._devices[address]

    def _take_idle(self, device: Device) -> Connection | None:
        """A kept connection of the device that can be used, if there is one."""
        while device.idle:
            connection = device.idle.pop()
            del self._idle[connection]
            if connection.is_usable:
                return connection
            connection.abort()
        return None

    def _keep(self, device: Device, connection: Connection) -> None:
        now = asyncio.get_running_loop().time()
        connection.idle_since = now
        device.idle.append(connection)
        self._idle[connection] = device
        while self._idle:
            longest, owner = next(iter(self._idle.items()))
            if (
                len(self._idle) + self._streams <= self._idle_connections
                and now - longest.idle_since < _KEEPALIVE_SECONDS
            ):
                break
            self._close(longest, owner)

    def _close(self, connection: Connection, device: Device) -> None:
        device.idle.remove(connection)
        del self._idle[connection]
        connection.abort()
        if device.is_unused:
            self._drop(device)

    def _make_room(self) -> bool:
        """Close the connection that has waited longest; False if none waits."""
        if not self._idle:
            return False
        self._close(*next(iter(self._idle.items())))
        return True

    def _close_idle(self, device: Device) -> None:
        for connection in tuple(device.idle):
            self._close(connection, device)
