"""All that a backfill takes from the cloud: the names of installations first, then the stored readings.

With kept pages, what an earlier run has fetched is taken from there, and what is fetched is kept.
"""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime

from iometer_exporter.errors import ProviderError
from iometer_exporter.provider.api.models import ReadingsPage
from iometer_exporter.provider.backfill import Backfill
from iometer_exporter.provider.kept_pages import KeptPages
from iometer_exporter.provider.lookup import InstallationPages, PagesClient
from iometer_exporter.provider.reading.retrying import Retrying
from iometer_exporter.provider.reading.stored_readings import CursorPosition, StoredReadingsClient, pages
from iometer_exporter.text import FirstFew


async def name_installations(
    client: PagesClient,
    filling: Backfill,
    page_size: int,
    retrying: Retrying,
    kept: KeptPages | None = None,
) -> AsyncGenerator[int, None]:
    """Name every installation as the exporter does; gives how many there are so far after each page.

    Raises ProviderError, as `collect_readings` does, and OutputError where pages cannot be kept.
    """
    if kept is not None and kept.has_readings:
        for names in kept.names():
            filling.name(names)
        return
    installations = InstallationPages(client, page_size, ask=retrying.ask)
    async for page in installations:
        names = [(each.id, each.external_id) for each in page]
        filling.name(names)
        if kept is not None:
            kept.keep_names(names)
        yield installations.found


class ReadingsWalk:
    """The way through the stored readings, from the first one received at the start to the last there is."""

    def __init__(self, start: datetime, filling: Backfill, problems: FirstFew) -> None:
        """Give the readings to the backfill, and what is wrong with pages to the problems."""
        self.newest: datetime | None = None
        """The newest receipt of a reading so far."""
        self._position = CursorPosition(start)
        self._filling = filling
        self._problems = problems

    @property
    def at_end(self) -> bool:
        """Whether there is nothing more to ask for."""
        return self._position.at_end

    def recall(self, kept: KeptPages) -> Iterator[int]:
        """Go over what is kept to its end; gives the bytes of each page. Raises OutputError."""
        for page, size in kept.pages():
            self._position.go_to(page.cursor)
            self._take(page)
            yield size

    async def fetch(
        self,
        client: StoredReadingsClient,
        retrying: Retrying,
        *,
        kept: KeptPages | None = None,
        lost: Callable[[ProviderError], None] = lambda _: None,
    ) -> AsyncGenerator[None, None]:
        """Fetch what follows, page by page, to the end; raises ProviderError, or OutputError of kept pages.

        A cursor of an earlier run that the API does not know any more costs that everything is asked for
        again, after `lost` is told; what comes twice is written once.
        """
        is_of_earlier_run = self._position.is_within
        while True:
            try:
                async with aclosing(self._pages(client, retrying, kept)) as found:
                    async for _ in found:
                        is_of_earlier_run = False
                        yield
                return
            except ProviderError as error:
                if not (is_of_earlier_run and self._position.is_lost):
                    raise
                lost(error)
            is_of_earlier_run = False
            self._position = CursorPosition(self._position.start)

    async def _pages(
        self, client: StoredReadingsClient, retrying: Retrying, kept: KeptPages | None
    ) -> AsyncGenerator[None, None]:
        async with aclosing(pages(client, self._position, retrying)) as found:
            async for page in found:
                if kept is not None:
                    ours = tuple(self._filling.of_shard(page.readings))
                    kept.keep(replace(page, readings=ours))
                self._take(page)
                yield

    def _take(self, page: ReadingsPage) -> None:
        self._filling.add(page.readings)
        self._problems.add(*page.errors, *page.problems)
        for each in page.readings:
            if self.newest is None or each.received > self.newest:
                self.newest = each.received
