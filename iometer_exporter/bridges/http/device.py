"""One device as the transport sees it: its two places, its idle connections, how patient to be with it."""

import asyncio
from collections import deque
from typing import Final

from iometer_exporter.bridges.http.connection import Connection
from iometer_exporter.net.addresses import Address

CONNECTIONS: Final = 2
"""At a time to one device: it has few sockets."""

_SHORTEST_PATIENCE_SECONDS: Final = 2.0
"""A kept connection may be silent so long before the request is sent again on a new one."""

_PATIENCE_FACTOR: Final = 3.0
"""Silence allowed to a kept connection, as a multiple of the time that the device has needed lately."""

_DECAY: Final = 0.9
"""Share that each answer leaves of the longest time that the device has needed."""


class Device:
    """One device under all of its addresses, and who may talk to it: two at a time."""

    def __init__(self) -> None:
        self.addresses: set[Address] = set()
        self.idle: list[Connection] = []
        self.used = 0
        """Places that are taken, by those too who are about to go on."""
        self.busy = 0
        """Requests under way, each with a connection of its own."""
        self.is_forgotten = False
        """Whether nobody will ask at its addresses again, as far as is known."""
        self.successor: Device | None = None
        """The device that this one has turned out to be."""
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._slowest = 0.0

    @property
    def current(self) -> "Device":
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

    def absorb(self, other: "Device") -> None:
        """Become one with a device that was taken for another."""
        other.successor = self
        self.addresses |= other.addresses
        self.used += other.used
        self.busy += other.busy
        self.idle += other.idle
        self._waiters += other._waiters
        self._slowest = max(self._slowest, other._slowest)
