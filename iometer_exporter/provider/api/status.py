"""Meaning of a bad HTTP status of the provider API."""

import math
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from iometer_exporter.errors import ProviderError, ProviderReason

_LONGEST_WAIT_SECONDS: Final = 86400.0
"""Longest `Retry-After` that is honoured."""

_REASONS: Final[dict[int, ProviderReason]] = {401: "unauthorized", 403: "unauthorized", 429: "rate_limited"}


def check_status(status: int, retry_after: str | None) -> None:
    """Raise ProviderError for a status whose body is not an answer to a GraphQL request."""
    if reason := _REASONS.get(status):
        meaning = "does not accept the credentials" if reason == "unauthorized" else "asks for fewer requests"
        raise ProviderError(reason, f"{meaning} (status {status})", retry_after=_seconds(retry_after))
    if 300 <= status < 400:
        raise ProviderError("http_status", f"answered {status}, a redirect: not followed")
    if status >= 500 or status in (404, 405, 408):
        raise ProviderError("http_status", f"answered status {status}", retry_after=_seconds(retry_after))


def _seconds(retry_after: str | None) -> float | None:
    """Seconds from now that a `Retry-After` asks to wait; None where it says nothing sensible."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), _LONGEST_WAIT_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        wait = moment.timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(math.ceil(wait), 0.0), _LONGEST_WAIT_SECONDS)
