"""The ProviderError for an exception of the network or of HTTP, and the texts of GraphQL's errors."""

import os
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final

import httpx

from iometer_exporter.errors import ProviderError
from iometer_exporter.text import clean

_NO_NAME: Final = (socket.gaierror, UnicodeError, httpx.InvalidURL)
"""A name that is not known, or that cannot be one: too long, or with characters that no name has."""

UNREACHED: Final = (OSError, *_NO_NAME)
"""Exceptions where there is no connection."""

_QUOTE_CHARACTERS: Final = 120
"""Of a text that comes from the other side."""

_MOST_ERRORS: Final = 20
"""Errors reported of one answer."""

_UNAUTHORIZED: Final = {"UNAUTHENTICATED", "UNAUTHORIZED", "FORBIDDEN"}


def provider_error(error: BaseException) -> ProviderError:
    """The error with the reason of the metric table and one sentence that quotes little of the other side."""
    chain = list(causes(error))
    for cause in chain:
        if isinstance(cause, TimeoutError):
            return ProviderError("timeout", "did not answer in time")
        if isinstance(cause, _NO_NAME):
            return ProviderError("resolve", "has a host name that does not resolve")
    for cause in reversed(chain):
        if isinstance(cause, ssl.SSLError):
            detail = getattr(cause, "verify_message", None) or cause.reason or "broken"
            return ProviderError("connect", f"has no TLS that can be trusted: {detail}")
        if isinstance(cause, OSError):
            detail = os.strerror(cause.errno) if cause.errno else str(cause)[:_QUOTE_CHARACTERS]
            return ProviderError("connect", f"cannot be reached: {detail}")
    for cause in chain:
        if isinstance(cause, httpx.RemoteProtocolError):
            return ProviderError("protocol", f"broke the exchange: {clean(str(cause))[:_QUOTE_CHARACTERS]}")
    return ProviderError("protocol", f"broke the exchange ({type(chain[-1]).__name__})")


def graphql_errors(errors: Any) -> tuple[str, ...]:
    """The errors of an answer, a short text each."""
    if not isinstance(errors, list):
        return ("an error without a list",)
    return tuple(_graphql_error(error) for error in errors[:_MOST_ERRORS])


def refused(errors: Any) -> ProviderError:
    """The error of an answer that has errors and no data."""
    texts = graphql_errors(errors)
    items = errors if isinstance(errors, list) else []
    codes = {
        error["extensions"].get("code")
        for error in items
        if isinstance(error, dict) and isinstance(error.get("extensions"), dict)
    }
    if any(isinstance(code, str) and code.upper() in _UNAUTHORIZED for code in codes):
        return ProviderError("unauthorized", f"does not accept the credentials: {texts[0]}")
    return ProviderError("graphql", f"refused the request: {'; '.join(texts[:3]) or 'without a reason'}")


def _graphql_error(error: Any) -> str:
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return "an error without a message"
    text = clean(error["message"])[:_QUOTE_CHARACTERS]
    path = error.get("path")
    if isinstance(path, list) and path:
        # Indexes differ from error to error of one kind.
        names = [step for step in path if isinstance(step, str)]
        return f"{text} ({clean('.'.join(names))[:_QUOTE_CHARACTERS]})"
    return text


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, the wrappers first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
