"""The connections of clients: how many there may be, and how long each may make the server wait.

A connection either waits for its client, to finish a TLS handshake, to send a request or the next one, or it
is being answered. Who waits too long is cut off. When there are too many, the one that has waited longest
makes room for a new one; one that is being answered never does, unless its client has stopped reading.
"""

import asyncio
import ipaddress
import logging
import select
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_log = logging.getLogger(__name__)

_LOG_SECONDS: Final = 600.0
"""Seconds between two log lines on the same trouble with clients."""

_STALLED_SECONDS: Final = 2.0
"""Seconds in which a client took nothing of its answer, after which it may have to make room."""


_FRESH_SECONDS: Final = 0.05
"""Seconds in which a connection that begins to wait makes no room yet: a request may be on its way."""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Limits on what clients may take; times are in seconds."""

    connections: int = 2048
    head_timeout: float = 10.0
    """For a TLS handshake; for the head of a request, from the connection or the first byte on; for what is
    left of a request that has been answered."""
    idle_timeout: int = 5
    """For the next request after an answer."""
    stall_timeout: float = 10.0
    """In which a client must take something of its answer."""
    answer_timeout: float = 120.0
    """In which a client must have taken all of its answer."""
    unsent_bytes: int = 64 * 1024 * 1024
    """Of answers that clients have not taken yet, of all of them together."""


class Seldom:
    """Says yes once, and then only every `interval` seconds: for log lines that anybody can cause."""

    def __init__(self, interval: float = _LOG_SECONDS, now: Callable[[], float] = time.monotonic) -> None:
        self._interval = interval
        self._now = now
        self._next = float("-inf")

    def due(self) -> bool:
        """Whether it is time for a line."""
        now = self._now()
        if now < self._next:
            return False
        self._next = now + self._interval
        return True


class Client:
    """One connection; `group` is whom it counts for, see `group_of`."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.opening: asyncio.Task[None] | None = None
        """Task that makes a connection out of the accepted socket, the TLS handshake included."""
        self.transports: tuple[asyncio.Transport, ...] = ()
        """The one of the socket first, then the one of TLS."""
        self.since = 0.0
        """Time at which it began to wait for its client, if it does."""
        self.unsent = 0
        """Bytes of answers that the client had not taken when last looked at."""
        self.unsent_since = 0.0
        self.moved_at = 0.0
        """Time at which the client last took something of them."""

    def pending(self) -> int:
        """Bytes of answers that the client has not taken, without those in the system's own buffer."""
        try:
            return sum(transport.get_write_buffer_size() for transport in self.transports)
        except AttributeError:
            # asyncio's transport of TLS has no buffer any more once it was closed twice.
            return self.transports[0].get_write_buffer_size()

    def has_sent(self) -> bool:
        """Whether the client has sent what has not been read yet, or the connection is not open yet.

        Then it is the client that waits for us, as many do when many come at once.
        """
        if not self.transports:
            return True
        wire = self.transports[0].get_extra_info("socket")
        if wire is None or wire.fileno() < 0 or not hasattr(select, "poll"):
            return False
        poll = select.poll()
        poll.register(wire.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def abort(self) -> None:
        """Close the connection at once, whatever it is at."""
        if self.opening is not None:
            self.opening.cancel()
        if self.transports:
            self.transports[0].abort()


class Clients:
    """All connections of clients; `sweep` is called all the time. `now` is a clock in seconds."""

    def __init__(self, limits: ClientLimits, now: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._now = now
        self._all: dict[Client, None] = {}
        self._waiting: dict[str, dict[Client, None]] = {}
        self._changed = asyncio.Event()
        self._full = Seldom()

    def __len__(self) -> int:
        return len(self._all)

    @property
    def pause(self) -> float:
        """Seconds between two calls of `sweep`."""
        return min(1.0, self.limits.head_timeout / 4, self.limits.stall_timeout / 4)

    async def room(self) -> None:
        """Return once another connection can be taken, if need be in place of one that waits."""
        while len(self._all) >= self.limits.connections and self._to_evict() is None:
            self._changed.clear()
            with suppress(TimeoutError):
                # Time alone makes one that waits old enough.
                async with asyncio.timeout(_FRESH_SECONDS):
                    await self._changed.wait()

    def add(self, client: Client) -> None:
        """Take a new connection, and close those that wait if there are too many."""
        if len(self._all) >= self.limits.connections:
            self._shrink_to(self.limits.connections - 1)
            if self._full.due():
                _log.warning(
                    "too many connections of clients, those that wait longest make room for new ones",
                    extra={"connections": self.limits.connections},
                )
        self._all[client] = None
        self.waits(client)

    def remove(self, client: Client) -> None:
        """Forget a connection that is closed, or about to be."""
        self._all.pop(client, None)
        self.answers(client)
        self._changed.set()

    def waits(self, client: Client) -> None:
        """Note that from now on the connection waits for its client."""
        if client in self._all:
            self.answers(client)
            client.since = self._now()
            self._waiting.setdefault(client.group, {})[client] = None
            self._changed.set()

    def answers(self, client: Client) -> None:
        """Note that the connection waits for its client no more: a request of it is being answered."""
        if group := self._waiting.get(client.group):
            group.pop(client, None)
            if not group:
                del self._waiting[client.group]

    def evict(self) -> bool:
        """Close the connection that can best be missed; False if there is none."""
        client = self._to_evict()
        if client is None:
            return False
        self._close(client)
        return True

    def sweep(self) -> None:
        """Close what has waited too long for its client."""
        now, limits = self._now(), self.limits
        for client in list(self._all):
            pending = client.pending()
            if not pending:
                late = self._is_waiting(client) and now - client.since >= limits.head_timeout
            else:
                if not client.unsent:
                    client.unsent_since = now
                if pending != client.unsent:
                    client.moved_at = now
                late = (
                    now - client.moved_at >= limits.stall_timeout
                    or now - client.unsent_since >= limits.answer_timeout
                )
            client.unsent = pending
            if late:
                self._close(client)
        self._free_memory()
        self._shrink_to(limits.connections)
        self._changed.set()

    def abort(self) -> None:
        """Close all connections now."""
        for client in list(self._all):
            self._close(client)

    def _free_memory(self) -> None:
        slow = sorted((client for client in self._all if client.unsent), key=lambda one: one.unsent_since)
        unsent = sum(client.unsent for client in slow)
        for client in slow:
            if unsent <= self.limits.unsent_bytes:
                break
            unsent -= client.unsent
            self._close(client)

    def _shrink_to(self, number: int) -> None:
        """Close those that wait until there are so many, as far as there are any to close.

        There may be more by some: a connection that could be missed when another was about to be accepted may
        have sent a request by then.
        """
        while len(self._all) > number and self.evict():
            pass

    def _to_evict(self) -> Client | None:
        now = self._now()
        # Of those with the most, so that one client with many cannot push out another's few.
        for group in sorted(self._waiting.values(), key=len, reverse=True):
            for client in group:
                if now - client.since < _FRESH_SECONDS:
                    # So are those after it.
                    break
                if not client.pending() and not client.has_sent():
                    return client
        stopped = now - _STALLED_SECONDS
        stalled = [client for client in self._all if client.unsent and client.moved_at <= stopped]
        return min(stalled, key=lambda one: one.moved_at, default=None)

    def _is_waiting(self, client: Client) -> bool:
        return client in self._waiting.get(client.group, ())

    def _close(self, client: Client) -> None:
        client.abort()
        self.remove(client)


def group_of(host: str) -> str:
    """Whom a client's address counts for: an IPv4 address for itself, an IPv6 one for its network of 64 bits.

    Anybody can have as many IPv6 addresses as there are in a network.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.IPv6Address(int(address) >> 64 << 64))
        address = address.ipv4_mapped
    return str(address)
