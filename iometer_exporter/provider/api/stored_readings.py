"""The stored readings of the cloud, page by page until there are no more."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from iometer_exporter.errors import ProviderError, ProviderReason
from iometer_exporter.provider.api.models import ReadingsPage
from iometer_exporter.provider.api.progress import ReadingsProgress
from iometer_exporter.provider.reading.backoff import Backoff

if TYPE_CHECKING:
    from iometer_exporter.provider.api.client import ProviderClient

_ATTEMPTS: Final = 6
"""Tries of one page before its error is raised."""

_SHORTEST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 60.0

_PASSING: Final[frozenset[ProviderReason]] = frozenset(
    {"timeout", "connect", "resolve", "rate_limited", "http_status", "protocol", "invalid_json"}
)
"""Reasons that may be gone at the next try."""


async def walk(
    client: "ProviderClient", start: datetime, interrupted: Callable[[ProviderError, float], None]
) -> AsyncIterator[ReadingsPage]:
    """Each page of the readings received from the start on.

    A page that fails for a reason that may pass is asked for again; `interrupted` is told of it and of the
    seconds until then. Raises ProviderError where it stays, and for pages that would never end.
    """
    cursor: str | None = None
    progress = ReadingsProgress()
    while True:
        page = await _page(client, start, cursor, interrupted)
        yield page
        cursor = page.cursor
        if cursor is None:
            return
        progress.note(page)


async def _page(
    client: "ProviderClient",
    start: datetime,
    cursor: str | None,
    interrupted: Callable[[ProviderError, float], None],
) -> ReadingsPage:
    backoff = Backoff(_SHORTEST_WAIT, _LONGEST_WAIT)
    for left in range(_ATTEMPTS - 1, -1, -1):
        try:
            return await client.readings(start=start, cursor=cursor)
        except ProviderError as error:
            # What never answered is more likely a wrong address than an interruption.
            absent = cursor is None and error.reason in ("connect", "resolve")
            if not left or absent or error.reason not in _PASSING:
                raise
            wait = backoff.failed(error.retry_after)
            interrupted(error, wait)
            await asyncio.sleep(wait)
    raise AssertionError
