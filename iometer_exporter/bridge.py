"""The HTTP client of one bridge: asks for a document, gives its bytes or the reason why not."""

import os
import socket
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import httpx

from iometer_exporter import __version__
from iometer_exporter.errors import FetchError, Reason
from iometer_exporter.snapshot import Endpoint
from iometer_exporter.transport import BridgeTransport, StaleConnection
from iometer_exporter.units import Address

LARGEST_BODY: Final = 64 * 1024
"""Bytes; a real document has about one thousand."""

_HEADERS: Final = {
    "Accept": "application/json",
    # A compressed body could grow past any limit in one step.
    "Accept-Encoding": "identity",
    "User-Agent": f"iometer-exporter/{__version__}",
}

_LONGEST_QUOTE: Final = 120
"""Characters of an error text that may come from the other side."""

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


class BridgeClient:
    """Asks one bridge, over at most two kept-alive connections of its own; close it with `aclose`.

    Several addresses are several ways to the same bridge, tried in turn until one connects. There is
    no timeout here: whoever waits for `fetch` cancels it.
    """

    def __init__(self, addresses: Sequence[Address]) -> None:
        self.addresses = tuple(addresses)
        # The transport and not a client above it: there is no cookie, redirect or proxy to think of, and
        # a fetch costs half.
        self._transport = BridgeTransport()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def fetch(self, endpoint: Endpoint) -> bytes:
        """The body of the endpoint's answer, at most 64 KiB; raises FetchError with the reason if none."""
        *others, last = self.addresses
        for address in others:
            try:
                return await self._fetch(address, endpoint)
            except FetchError as error:
                if error.reason not in ("connect", "resolve"):
                    raise
        return await self._fetch(last, endpoint)

    async def _fetch(self, address: Address, endpoint: Endpoint) -> bytes:
        try:
            url = _url(address, endpoint)
            body = await self._get_if_fresh(url)
            return await self._get(url) if body is None else body
        except Exception as error:
            reason = reason_of(error)
            if reason is None:
                raise
            raise FetchError(reason, _describe(error, address)) from error

    async def _get_if_fresh(self, url: httpx.URL) -> bytes | None:
        """The body; None if the kept-alive connection turned out closed, which allows one retry."""
        try:
            return await self._get(url)
        except httpx.TransportError as error:
            if isinstance(error.__cause__, StaleConnection):
                return None
            raise

    async def _get(self, url: httpx.URL) -> bytes:
        headers = {**_HEADERS, "Host": url.netloc.decode("ascii")}
        response = await self._transport.handle_async_request(httpx.Request("GET", url, headers=headers))
        try:
            # Read also where the status is bad: only a finished answer leaves the connection usable.
            body = await _read(response)
        finally:
            await response.aclose()
        if response.status_code == httpx.codes.NOT_FOUND:
            raise FetchError("no_data", "answered 404 Not Found")
        if response.is_redirect:
            raise FetchError("http_status", f"answered {response.status_code}, a redirect: not followed")
        if response.status_code != httpx.codes.OK:
            raise FetchError("http_status", f"answered status {response.status_code}")
        return body


@lru_cache(maxsize=4096)
def _url(address: Address, endpoint: Endpoint) -> httpx.URL:
    # Kept, for it is asked for at every fetch and parsing it costs a tenth of one.
    return httpx.URL(scheme="http", host=address.host, port=address.port, path=f"/v1/{endpoint}")


async def _read(response: httpx.Response) -> bytes:
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length[:20]) > LARGEST_BODY:
        raise FetchError("too_large", f"announced a body of {length} bytes, more than {LARGEST_BODY}")
    body = bytearray()
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 (what this transport gives)
    async for chunk in response.stream:
        body += chunk
        if len(body) > LARGEST_BODY:
            raise FetchError("too_large", f"sent a body of more than {LARGEST_BODY} bytes")
    return bytes(body)


def reason_of(error: Exception) -> Reason | None:
    """The reason of the metric table for an error of httpx or of this module; None for any other."""
    if isinstance(error, FetchError):
        return error.reason
    if isinstance(error, httpx.ConnectError) and isinstance(_root_cause(error), socket.gaierror):
        return "resolve"
    return next((_REASONS[base] for base in type(error).__mro__ if base in _REASONS), None)


def _describe(error: Exception, address: Address) -> str:
    if isinstance(error, FetchError):
        return str(error)
    cause = _root_cause(error)
    if isinstance(cause, socket.gaierror):
        return f"host name {address.host!r} does not resolve"
    if isinstance(error, httpx.ConnectError):
        detail = os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else str(cause)
        return f"no connection to {address}: {detail}"
    # The text may quote what the other side sent: it must not fill the log.
    return f"HTTP exchange broken: {str(cause)[:_LONGEST_QUOTE] or type(cause).__name__}"


def _root_cause(error: BaseException) -> BaseException:
    """The error at the bottom of the chain, below the wrappers of httpx, httpcore and anyio."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            error = error.__cause__ or error.__context__ or error
    return error
