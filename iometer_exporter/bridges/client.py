"""The HTTP client of one bridge: asks for a document, gives its bytes or the reason why not."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

from iometer_exporter import __version__
from iometer_exporter.bridges.http.answer import BodySink
from iometer_exporter.bridges.http.failures import ExchangeError
from iometer_exporter.bridges.http.transport import Answer
from iometer_exporter.errors import FetchError
from iometer_exporter.meter.models import Endpoint
from iometer_exporter.net.addresses import Address
from iometer_exporter.net.resolver import literal

_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"

_HEADERS: Final = (
    # A compressed body could grow past any limit in one step.
    "Accept-Encoding: identity",
    f"User-Agent: iometer-exporter/{__version__}",
)

_NAME_SECONDS: Final = 0.25
"""After them a bridge with a known IP address is asked there, whatever its host name resolves to."""


class Names(Protocol):
    """Resolves host names, as `resolve.Resolver` does."""

    async def resolve(self, address: Address) -> tuple[Address, ...]:
        """The address with its host as IP addresses; empty if the name does not resolve."""

    def last(self, address: Address) -> tuple[Address, ...]:
        """Last known IP addresses of the address, without asking; empty if there are none."""


class Transport(Protocol):
    """Carries requests to IP addresses, as `transport.BridgeTransport` does."""

    async def ask(self, request: bytes, addresses: Sequence[Address], sink: BodySink | None = None) -> Answer:
        """The answer of the device at the addresses, an event stream to the sink.

        Raises ExchangeError or FetchError if there is none.
        """

    def forget(self, addresses: Sequence[Address]) -> None:
        """Close what is kept for addresses where the bridge no longer is."""


@dataclass(frozen=True, slots=True)
class Network:
    """Resolver and transport, which all bridges share."""

    names: Names
    transport: Transport


class BridgeClient:
    """Asks one bridge for its documents.

    Several addresses are several ways to the same bridge. There is no timeout here: whoever waits for
    `fetch` cancels it.
    """

    def __init__(self, addresses: Sequence[Address], network: Network) -> None:
        self._names = network.names
        self._transport = network.transport
        self._requests: dict[Endpoint, bytes] = {}
        self._asked_at: tuple[Address, ...] = ()
        self.addresses = addresses

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Addresses to ask the bridge at, in this order; a change counts from the next fetch on."""
        return self._addresses

    @addresses.setter
    def addresses(self, addresses: Sequence[Address]) -> None:
        self._addresses = tuple(addresses)
        self.shown = str(self._addresses[0])
        """The first of them, as people write it."""
        self._host_names = [address for address in addresses if literal(address.host) is None]
        self._fixed = () if self._host_names else self._known()

    @property
    def ip_addresses(self) -> tuple[Address, ...]:
        """The IP addresses of the bridge as far as they are known now."""
        return self._fixed or self._known()

    def _known(self) -> tuple[Address, ...]:
        return tuple(dict.fromkeys(ip for address in self._addresses for ip in self._names.last(address)))

    def close(self) -> None:
        """Close the connections that are kept; those in use end with their fetches."""
        self._transport.forget(self._asked_at)

    async def fetch(self, endpoint: Endpoint, sink: BodySink | None = None) -> bytes:
        """The body of the endpoint's answer, at most 64 KiB; raises FetchError with the reason if none.

        With a sink the endpoint's event stream is asked for, and goes there until it ends. A bridge that has
        none may answer with the document instead.
        """
        try:
            if self._host_names:
                await self._resolve()
            ip_addresses = self.ip_addresses
            if not ip_addresses:
                raise FetchError("resolve", f"host name {self._host_names[-1].host!r} does not resolve")
            if ip_addresses != self._asked_at:
                self._move_to(ip_addresses)
            return await self._get(endpoint, sink)
        except ExchangeError as error:
            raise FetchError(error.reason, error.explained()) from error

    async def _resolve(self) -> None:
        """Let all host names be resolved; not waited for long where the bridge can be asked without."""
        if len(self._addresses) == 1:
            await self._names.resolve(self._host_names[0])
            return
        lookups = [asyncio.ensure_future(self._names.resolve(name)) for name in self._host_names]
        try:
            has_others = len(lookups) < len(self._addresses)
            await asyncio.wait(lookups, timeout=_NAME_SECONDS if has_others else None)
        finally:
            for lookup in lookups:
                lookup.cancel()

    def _move_to(self, ip_addresses: tuple[Address, ...]) -> None:
        """Ask at these addresses from now on."""
        self._transport.forget([ip for ip in self._asked_at if ip not in ip_addresses])
        self._asked_at = ip_addresses
        self._requests = {}

    def _request(self, endpoint: Endpoint) -> bytes:
        request = self._requests.get(endpoint)
        if request is None:
            request = self._requests[endpoint] = self._written(endpoint, _JSON)
        return request

    def _written(self, endpoint: Endpoint, accept: str) -> bytes:
        host = self._addresses[0].host_header
        lines = (f"GET /v1/{endpoint} HTTP/1.1", f"Host: {host}", f"Accept: {accept}", *_HEADERS, "", "")
        return "\r\n".join(lines).encode("ascii")

    async def _get(self, endpoint: Endpoint, sink: BodySink | None) -> bytes:
        request = self._request(endpoint) if sink is None else self._written(endpoint, _EVENTS)
        status, body = await self._transport.ask(request, self._asked_at, sink)
        if status == HTTPStatus.OK:
            return body
        if status == HTTPStatus.NOT_FOUND:
            raise FetchError("no_data", "answered 404 Not Found", status=status)
        if 300 <= status < 400:
            raise FetchError("http_status", f"answered {status}, a redirect: not followed", status=status)
        raise FetchError("http_status", f"answered status {status}", status=status)
