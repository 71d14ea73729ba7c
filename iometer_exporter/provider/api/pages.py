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

_PARTS: Final = 64
"""Sets in which the ids of a walk are: those of a million are dropped and grow within a millisecond each."""

_FEW_OF_A_PART: Final = 1000
"""Ids up to which a part is dropped with the others, in one turn of the event loop."""


class _Seen:
    """Ids that have been seen, as their hashes: the ids themselves would be ten megabytes of a large fleet.

    In parts, for a set of a million takes a tenth of a second to be dropped, and half of that to grow.
    """

    def __init__(self) -> None:
        self._parts: list[set[int]] = [set() for _ in range(_PARTS)]

    def add(self, id: str) -> bool:
        """Whether the id is seen for the first time."""
        hashed = hash(id)
        part = self._parts[hashed % _PARTS]
        if hashed in part:
            return False
        part.add(hashed)
        return True

    async def forget(self) -> None:
        """Drop them, and let others have their turn after each part of many."""
        for part in self._parts:
            if len(part) > _FEW_OF_A_PART:
                part.clear()
                await asyncio.sleep(0)


async def installation_pages(read: ReadPage, page_size: int) -> AsyncGenerator[InstallationsPage, None]:
    """Each page until an empty one, without what stood on one before: a new installation shifts the others.

    The API may give fewer than it was asked for: the next page begins where this one ended, and only an empty
    one is the end. Raises ProviderError for pages that would never end, or are none.
    """
    asked: deque[asyncio.Task[InstallationsPage]] = deque()
    astray: list[asyncio.Task[InstallationsPage]] = []
    seen = _Seen()
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
            fresh = [each for each in page.installations if seen.add(each.id)]
            others = [id for id in page.unwanted if seen.add(id)]
            yield replace(page, installations=tuple(fresh))
            # One is the end of a fleet that grew at its front meanwhile; two go in circles.
            idle = 0 if fresh or others else idle + 1
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
        await seen.forget()


def _check(page: InstallationsPage) -> None:
    """Raise ProviderError for a page without a list: it is not the end of the installations."""
    missing = [problem for problem in page.problems if problem.startswith("installations ")]
    if not page.size and (page.errors or missing):
        reason: ProviderReason = "graphql" if page.errors else "invalid_document"
        raise ProviderError(reason, f"sent no installations: {(*page.errors, *missing)[0]}")
