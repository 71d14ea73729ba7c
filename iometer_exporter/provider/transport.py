"""How requests to the provider API travel: one kept-alive httpx client's transport with limits."""

import math
import os
import ssl
import time
import zlib
from datetime import UTC
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from json import JSONDecodeError, loads
from typing import Any, Final, NoReturn

import certifi
import httpx

from iometer_exporter.errors import ProviderError, ProviderReason

LARGEST_BODY: Final = 32 * 1024 * 1024
"""Bytes of one answer, decompressed; a page of 1000 installations has about 3 MB."""

_LONGEST_WAIT: Final = 86400.0
"""Seconds; a `Retry-After` beyond it is no wish that an exporter could honour."""

_LIMITS: Final = httpx.Limits(max_connections=4, max_keepalive_connections=4, keepalive_expiry=600.0)

_GZIP: Final = 16 + zlib.MAX_WBITS

_REASONS: Final[dict[int, ProviderReason]] = {401: "unauthorized", 403: "unauthorized", 429: "rate_limited"}


class ProviderTransport(httpx.AsyncBaseTransport):
    """Sends requests without proxies and redirects, and gives whole bodies up to a limit.

    An answer that can hold no data raises ProviderError with the status and what `Retry-After` says.
    """

    def __init__(self, *, secure: bool) -> None:
        self._inner = httpx.AsyncHTTPTransport(
            verify=tls_context() if secure else False, trust_env=False, limits=_LIMITS
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer with its decompressed body."""
        response = await self._inner.handle_async_request(request)
        try:
            # Read also where the status is bad: only a finished answer leaves the connection usable.
            body = await _read(response)
        finally:
            await response.aclose()
        check_status(response.status_code, response.headers.get("Retry-After"))
        return httpx.Response(response.status_code, content=body, extensions=response.extensions)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def tls_context() -> ssl.SSLContext:
    """Verification with the certificates of the system, or those that `SSL_CERT_FILE` names."""
    context = ssl.create_default_context()
    if not os.environ.get("SSL_CERT_FILE") and not os.environ.get("SSL_CERT_DIR"):
        # A small image may have none of its own.
        context.load_verify_locations(certifi.where())
    return context


def check_status(status: int, retry_after: str | None) -> None:
    """Raise ProviderError for a status whose body is no answer to a GraphQL request."""
    if reason := _REASONS.get(status):
        meaning = "does not accept the credentials" if reason == "unauthorized" else "asks for fewer requests"
        raise ProviderError(reason, f"{meaning} (status {status})", retry_after=_seconds(retry_after))
    if 300 <= status < 400:
        raise ProviderError("http_status", f"answered {status}, a redirect: not followed")
    if status >= 500 or status in (404, 405, 408):
        raise ProviderError("http_status", f"answered status {status}", retry_after=_seconds(retry_after))


def decode(body: bytes | str) -> Any:
    """The JSON document, numbers with all their digits; raises ProviderError for anything else."""
    try:
        try:
            return loads(body, parse_float=Decimal, parse_constant=_no_constant)
        except InvalidOperation:
            # An exponent beyond even Decimal: infinite or zero, for the check of its field to judge.
            return loads(body, parse_float=lambda text: Decimal(float(text)), parse_constant=_no_constant)
    except RecursionError as error:
        raise ProviderError("invalid_json", "sent JSON that is nested too deeply") from error
    except (JSONDecodeError, UnicodeDecodeError, ValueError) as error:
        # The text of the error may quote the document.
        detail = f" at byte {error.pos}" if isinstance(error, JSONDecodeError) else ""
        raise ProviderError("invalid_json", f"sent a body that is not JSON{detail}") from error


def decode_answer(body: bytes) -> dict[str, Any]:
    """The object of an answer to a GraphQL request; raises ProviderError for anything else."""
    answer = decode(body)
    if not isinstance(answer, dict):
        raise ProviderError("invalid_document", "sent JSON that is no answer to a GraphQL request")
    return answer


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


async def _read(response: httpx.Response) -> bytes:
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise ProviderError("protocol", "sent a body in an encoding that was not asked for")
    unzip = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
    body = bytearray()
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 (what this transport gives)
    async for chunk in response.stream:
        try:
            # A compressed body could grow past any limit in one step.
            body += unzip.decompress(chunk, LARGEST_BODY + 1 - len(body)) if unzip else chunk
        except zlib.error as error:
            raise ProviderError("protocol", "sent a body that does not decompress") from error
        if len(body) > LARGEST_BODY:
            raise ProviderError("too_large", f"sent a body of more than {LARGEST_BODY} bytes")
    return bytes(body)


def _seconds(retry_after: str | None) -> float | None:
    """Seconds from now that a `Retry-After` asks to wait; None where it says nothing sensible."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        wait = moment.timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(math.ceil(wait), 0.0), _LONGEST_WAIT)
