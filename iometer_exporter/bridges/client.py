"""The HTTP client of one bridge: asks for a document, gives its bytes or the reason why not."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import httpx

from iometer_exporter import __version__
from iometer_exporter.bridges.http.transport import ADDRESSES
from iometer_exporter.errors import FetchError, Reason
from iometer_exporter.meter.models import Endpoint
from iometer_exporter.net.addresses import Address
from iometer_exporter.net.resolver import literal

_HEADERS: Final = {
    "Accept": "application/json",
    # A compressed body could grow past any limit in one step.
    "Accept-Encoding": "identity",
    "User-Agent": f"iometer-exporter/{__version__}",
}

_LONGEST_QUOTE: Final = 120
"""Characters of an error text that may come from the other side."""

_NAME_SECONDS: Final = 0.25
"""After them a bridge with a known IP address is asked there, whatever its host name resolves to."""

_REASONS: Final[dict[type[Exception], Reason]] = {
    httpx.TimeoutException: "timeout",
    httpx.ConnectError: "connect",
    httpx.TransportError: "protocol",
    httpx.DecodingError: "protocol",
    httpx.StreamError: "protocol",
    httpx.CookieConflict: "protocol",
    httpx.InvalidURL: "resolve",
    httpx.TooManyRedirects: "http_status",
    httpx.HTTPStatusError: "http_status",
}
"""Each error that httpx can raise, by its nearest base here; a test finds one that is missing."""


class Names(Protocol):
    """Resolves host names, as `resolve.Resolver` does."""

    async def resolve(self, address: Address) -> tuple[Address, ...]:
        """The address with its host as IP addresses; empty if the name does not resolve."""

    def last(self, address: Address) -> tuple[Address, ...]:
        """Last known IP addresses of the address, without asking; empty if there are none."""


class Transport(Protocol):
    """Carries requests to IP addresses, as `transport.BridgeTransport` does."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response; raises httpx.TransportError or FetchError if there is none."""

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
        # The transport and not a client above it: there is no cookie, redirect or proxy to think of, and
        # a fetch costs half.
        self._transport = network.transport
        self._requests: dict[Endpoint, httpx.Request] = {}
        """Kept, for making one costs more than sending it."""
        self._asked_at: tuple[Address, ...] = ()
        self.addresses = addresses

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Addresses to ask the bridge at, in this order; a change counts from the next fetch on."""
        return self._addresses

    @addresses.setter
    def addresses(self, addresses: Sequence[Address]) -> None:
        self._addresses = tuple(addresses)
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

    async def fetch(self, endpoint: Endpoint) -> bytes:
        """The body of the endpoint's answer, at most 64 KiB; raises FetchError with the reason if none."""
        try:
            if self._host_names:
                await self._resolve()
            ip_addresses = self.ip_addresses
            if not ip_addresses:
                raise FetchError("resolve", f"host name {self._host_names[-1].host!r} does not resolve")
            if ip_addresses != self._asked_at:
                self._move_to(ip_addresses)
            return await self._get(endpoint)
        except FetchError:
            raise
        except Exception as error:
            reason = reason_of(error)
            if reason is None:
                raise
            raise FetchError(reason, _describe(error)) from error

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

    def _request(self, endpoint: Endpoint) -> httpx.Request:
        request = self._requests.get(endpoint)
        if request is None:
            ip = self._asked_at[0]
            # A zone is this host's own business.
            host = ip.host.partition("%")[0]
            request = self._requests[endpoint] = httpx.Request(
                "GET",
                httpx.URL(scheme="http", host=host, port=ip.port, path=f"/v1/{endpoint}"),
                headers={**_HEADERS, "Host": self._addresses[0].host_header},
                extensions={ADDRESSES: self._asked_at},
            )
        return request

    async def _get(self, endpoint: Endpoint) -> bytes:
        response = await self._transport.handle_async_request(self._request(endpoint))
        status = response.status_code
        if status == httpx.codes.NOT_FOUND:
            raise FetchError("no_data", "answered 404 Not Found", status=status)
        if 300 <= status < 400:
            raise FetchError("http_status", f"answered {status}, a redirect: not followed", status=status)
        if status != httpx.codes.OK:
            raise FetchError("http_status", f"answered status {status}", status=status)
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 (what such a transport gives)
        return b"".join([part async for part in response.stream])


def reason_of(error: Exception) -> Reason | None:
    """The reason of the metric table for an error of httpx or of this module; None for any other."""
    if isinstance(error, FetchError):
        return error.reason
    return next((_REASONS[base] for base in type(error).__mro__ if base in _REASONS), None)


def _describe(error: Exception) -> str:
    if isinstance(error, httpx.ConnectError):
        return str(error)
    # The text may quote what the other side sent: it must not fill the log.
    return f"HTTP exchange broken: {str(error)[:_LONGEST_QUOTE] or type(error).__name__}"
