"""From host names to IP addresses, without a name that hangs holding up any other."""

import asyncio
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from iometer_exporter.net.addresses import Address, IPAddress, parse_ip

_LOOKUPS_AT_ONCE: Final = 16
"""Lookups at once, in each of the four lanes; a silent name server holds the thread of each for 10 s."""

_MOST_QUEUED: Final = 256
"""Lookups that may wait in a lane of names that are not configured; beyond, the oldest is given up."""

_MOST_REMEMBERED: Final = 1024
"""Names that are not configured whose last good answer is remembered."""

_REMEMBERED_SECONDS: Final = 86400.0
"""Seconds for which a good answer stands in while the name does not resolve."""

_MOST_ADDRESSES: Final = 16
"""Addresses of one name that are taken."""

_PATIENCE_SECONDS: Final = 0.5
"""Seconds after which the last good answer is given in place of one that is on its way."""


def literal(host: str) -> IPAddress | None:
    """The IP address that the host is already, None for a name; an IPv4 address written as IPv6 is IPv4."""
    return parse_ip(host)


class _Lane(NamedTuple):
    """Names that share a number of threads, so that names of another lane never wait for them."""

    configured: bool
    healthy: bool
    """Whether the last lookup gave an answer."""


@dataclass(frozen=True, slots=True)
class _Answer:
    hosts: tuple[str, ...]
    at: float
    """Seconds of the monotonic clock."""
    healthy: bool = True
    """False once a later lookup failed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Lookup:
    host: str
    done: asyncio.Future[tuple[str, ...]]
    started: float
    """Seconds of the monotonic clock."""


class Resolver:
    """Resolves host names in threads of its own; one lookup per name at a time, shared by all who wait.

    While a name does not resolve, or not within half a second, its last good answer stands in, for a
    day at most: a bridge is read on while the name server is dead. Names of configured bridges and
    others, and in both those that resolved last time and those that did not, never wait for one another.

    Belongs to one event loop; the lookups end with `close`, or with the process.
    """

    def __init__(self) -> None:
        self._configured: frozenset[str] = frozenset()
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        self._lookups: dict[str, _Lookup] = {}
        self._queues: dict[_Lane, OrderedDict[str, _Lookup]] = {}
        self._running: dict[_Lane, int] = {}
        self._closed = False

    def configure(self, hosts: Iterable[str]) -> None:
        """Take the hosts of the configured bridges, whose answers are never displaced by others."""
        self._configured = frozenset(map(str.lower, hosts))

    async def resolve(self, address: Address) -> tuple[Address, ...]:
        """The address with its host as IP addresses, in the order in which to try them; empty if unknown.

        Waits as long as the lookup takes where there is no answer to stand in. Whoever is cancelled
        leaves the lookup running for the next one who asks.
        """
        if literal(address.host) is not None:
            return self.last(address)
        host = address.host.lower()
        lookup = self._join(host)
        if (known := self._answer(host)) is None:
            await asyncio.wait([lookup.done])
        elif known.healthy:
            # Counted from its start: one that hung in an earlier scrape is not waited for again.
            rest = lookup.started + _PATIENCE_SECONDS - time.monotonic()
            await asyncio.wait([lookup.done], timeout=max(0.0, rest))
        if lookup.done.done() and (hosts := lookup.done.result()):
            return _at(hosts, address.port)
        return self.last(address)

    def prefetch(self, address: Address) -> None:
        """Begin to resolve the address, without waiting: `last` gives the answer once it is there."""
        if literal(address.host) is None:
            self._join(address.host.lower())

    def last(self, address: Address) -> tuple[Address, ...]:
        """The last good answer for the address, without asking; empty if there was none."""
        if (ip := literal(address.host)) is not None:
            return (Address(str(ip), address.port),)
        known = self._answer(address.host.lower())
        return _at(known.hosts, address.port) if known else ()

    def close(self) -> None:
        """Give up all lookups: whoever waits gets the last good answer or none."""
        self._closed = True
        self._queues.clear()
        for lookup in tuple(self._lookups.values()):
            self._finish(lookup, ())

    def _join(self, host: str) -> _Lookup:
        lookup = self._lookups.get(host)
        if lookup is None:
            lookup = _Lookup(host, asyncio.get_running_loop().create_future(), time.monotonic())
            self._lookups[host] = lookup
            if self._closed:
                self._finish(lookup, ())
            else:
                self._enqueue(lookup)
        return lookup

    def _enqueue(self, lookup: _Lookup) -> None:
        known = self._answers.get(lookup.host)
        lane = _Lane(lookup.host in self._configured, known is not None and known.healthy)
        queue = self._queues.setdefault(lane, OrderedDict())
        queue[lookup.host] = lookup
        self._start(lane)
        if len(queue) > _MOST_QUEUED and not lane.configured:
            _, oldest = queue.popitem(last=False)
            self._finish(oldest, ())

    def _start(self, lane: _Lane) -> None:
        """Begin as many of the lookups that wait in the lane as may run at once."""
        queue = self._queues[lane]
        while queue and self._running.get(lane, 0) < _LOOKUPS_AT_ONCE:
            _, lookup = queue.popitem(last=False)
            # Not of an executor: that of the loop is for others too, and those of the standard library
            # hold up the end of the process until the last name server has answered.
            thread = threading.Thread(
                target=self._look_up,
                args=(lookup, lane, asyncio.get_running_loop()),
                name="resolver",
                daemon=True,
            )
            try:
                thread.start()
            except RuntimeError:
                # This host has no thread left: no answer, as from a name server that is down.
                self._finish(lookup, ())
            else:
                self._running[lane] = self._running.get(lane, 0) + 1

    def _look_up(self, lookup: _Lookup, lane: _Lane, loop: asyncio.AbstractEventLoop) -> None:
        """Ask the operating system; runs in a thread."""
        hosts: tuple[str, ...] = ()
        try:
            with suppress(OSError, ValueError):
                hosts = _numeric(lookup.host)
        finally:
            # The loop may be closed by now: nobody waits any more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._looked_up, lookup, lane, hosts)

    def _looked_up(self, lookup: _Lookup, lane: _Lane, hosts: tuple[str, ...]) -> None:
        self._running[lane] -= 1
        if not self._closed:
            self._finish(lookup, hosts)
            self._start(lane)

    def _finish(self, lookup: _Lookup, hosts: tuple[str, ...]) -> None:
        self._lookups.pop(lookup.host, None)
        if hosts:
            self._remember(lookup.host, hosts)
        elif known := self._answers.get(lookup.host):
            # From now on it waits in the lane of those that do not resolve, and nobody waits for it.
            self._answers[lookup.host] = replace(known, healthy=False)
        if not lookup.done.done():
            lookup.done.set_result(hosts)

    def _remember(self, host: str, hosts: tuple[str, ...]) -> None:
        self._answers[host] = _Answer(hosts, time.monotonic())
        self._answers.move_to_end(host)
        if len(self._answers) > _MOST_REMEMBERED + len(self._configured):
            oldest = next(known for known in self._answers if known not in self._configured)
            del self._answers[oldest]

    def _answer(self, host: str) -> _Answer | None:
        known = self._answers.get(host)
        if known is None or time.monotonic() - known.at < _REMEMBERED_SECONDS:
            return known
        del self._answers[host]
        return None


def _numeric(host: str) -> tuple[str, ...]:
    """The IP addresses of the name as text; raises OSError or ValueError where there is none."""
    infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    found = (literal(str(info[4][0])) for info in infos)
    return tuple(dict.fromkeys(str(ip) for ip in found if ip is not None))[:_MOST_ADDRESSES]


def _at(hosts: Iterable[str], port: int) -> tuple[Address, ...]:
    return tuple(Address(host, port) for host in hosts)
