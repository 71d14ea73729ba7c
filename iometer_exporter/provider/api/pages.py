"""All installations of a provider, page by page, however many of them the API puts on one."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import replace
from typing import Any, Final

from iometer_exporter.errors import ProviderError, ProviderReason
from iometer_exporter.provider.api.models import InstallationsPage

ReadPage = Callable[[int], Coroutine[Any, Any, InstallationsPage]]
"""Asks for the page at an offset."""

_PAGES_IN_FLIGHT: Final = 2
"""Pages asked for at once: while one is parsed here, the other is made there."""

_MOST_INSTALLATIONS: Final = 10_000_000
"""Installations of one walk; more have no end."""


async def installation_pages(read: ReadPage, page_size: int) -> AsyncGenerator[InstallationsPage, None]:
    """Each page until an empty one, without what stood on one before: a new installation shifts the others.

    The API may give fewer than it was asked for: the next page begins where this one ended, and only an empty
    one is the end. Raises ProviderError for pages that would never end, or are none.
    """
    asked: deque[asyncio.Task[InstallationsPage]] = deque()
    astray: list[asyncio.Task[InstallationsPage]] = []
    # Hashes: the ids themselves would be ten megabytes of a large fleet.
    seen: set[int] = set()
    begin = ahead = idle = 0
    step, most = page_size, _PAGES_IN_FLIGHT
    try:
        while True:
            while not asked or len(asked) + sum(not task.done() for task in astray) < most:
                asked.append(asyncio.create_task(read(ahead)))
                ahead += step
            page = await asked[0]
            asked.popleft()
            _check(page)
            if not page.size:
                return
            known = len(seen)
            fresh = [each for each in page.installations if hash(each.id) not in seen]
            seen.update(hash(each.id) for each in fresh)
            seen.update(map(hash, page.unwanted))
            yield replace(page, installations=tuple(fresh))
            # One is the end of a fleet that grew at its front meanwhile; two go in circles.
            idle = 0 if len(seen) > known else idle + 1
            begin += page.size
            if idle == 2 or begin > _MOST_INSTALLATIONS:
                raise ProviderError(
                    "invalid_document",
                    "sent page after page without new installations, the walk would never end",
                )
            # One of another size is the last, or tells how many the API gives: the next one shows which.
            most = _PAGES_IN_FLIGHT if page.size == step else 1
            if page.size != step:
                # What is asked for already would leave out some, or give them twice.
                astray = [task for task in (*astray, *asked) if not task.done()]
                asked.clear()
                step, ahead = page.size, begin
    finally:
        left = (*asked, *astray)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def _check(page: InstallationsPage) -> None:
    """Raise ProviderError for a page without a list: it is not the end of the installations."""
    missing = [problem for problem in page.problems if problem.startswith("installations ")]
    if not page.size and (page.errors or missing):
        reason: ProviderReason = "graphql" if page.errors else "invalid_document"
        raise ProviderError(reason, f"sent no installations: {(*page.errors, *missing)[0]}")
