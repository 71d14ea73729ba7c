"""The stored readings of the cloud, page by page until there are no more."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Protocol

from iometer_exporter.errors import ProviderError
from iometer_exporter.provider.api.models import ReadingsPage
from iometer_exporter.provider.reading.progress import ReadingsProgress
from iometer_exporter.provider.reading.retrying import Retrying


class StoredReadingsClient(Protocol):
    """The part of the client that is asked here."""

    async def readings(self, *, start: datetime | None = None, cursor: str | None = None) -> ReadingsPage:
        """Readings received from the start on, from the cursor on."""
        ...


class CursorPosition:
    """A position in the readings received from the start on; it stays where it is after an error."""

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.at_end = False
        """Whether there are no more pages."""
        self.is_lost = False
        """Whether it leads nowhere: only a new one goes on."""
        self._cursor: str | None = None
        self._progress = ReadingsProgress()

    @property
    def is_within(self) -> bool:
        """Whether it is neither at the start nor at the end."""
        return self._cursor is not None

    async def read(self, client: StoredReadingsClient) -> ReadingsPage:
        """The page at the position; raises ProviderError."""
        try:
            return await client.readings(start=self.start, cursor=self._cursor)
        except ProviderError as error:
            # Perhaps the cursor is not known any more.
            self.is_lost = error.reason in ("graphql", "invalid_document")
            raise

    def advance(self, page: ReadingsPage) -> None:
        """Go on behind the page; raises ProviderError for pages that would never end."""
        try:
            self._progress.note(page)
        except ProviderError:
            self.is_lost = True
            raise
        self.go_to(page.cursor)

    def go_to(self, cursor: str | None) -> None:
        """Go to where the cursor leads, which an earlier walk was given; None is the end."""
        self._cursor = cursor
        self.at_end = cursor is None


def check(page: ReadingsPage) -> None:
    """Raise ProviderError for a page without a list: it is not the end of the readings."""
    missing = [problem for problem in page.problems if problem.startswith("readings ")]
    if missing:
        raise ProviderError("invalid_document", f"sent no readings: {missing[0]}")


async def pages(
    client: StoredReadingsClient, position: CursorPosition, retrying: Retrying
) -> AsyncGenerator[ReadingsPage, None]:
    """Each page from the position on, which is behind it; raises ProviderError for one that stays away."""
    while not position.at_end:
        page = await retrying.ask(lambda: position.read(client))
        check(page)
        position.advance(page)
        yield page
