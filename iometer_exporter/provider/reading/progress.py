"""Whether a walk of the stored readings gets anywhere: one that goes in circles is an error, and soon."""

from typing import Final

from iometer_exporter.errors import ProviderError
from iometer_exporter.provider.api.models import ReadingsPage

_MOST_IDLE_PAGES: Final = 10
"""Pages in a row without anything new; an API that searches while it answers may send some."""

_MOST_PAGES_OF_OTHERS: Final = 10_000
"""Pages in a row with nothing but readings of other shards, of which nobody can tell whether they are new.

Of a hundred shards, one has such pages again and again, but not a hundred in a row.
"""


class ReadingsProgress:
    """Watches the pages of one walk; of what it has seen it keeps hashes, for a day has very many pages."""

    def __init__(self) -> None:
        self._pages: set[int] = set()
        self._cursors: set[int] = set()
        self._idle = 0
        self._of_others = 0

    def note(self, page: ReadingsPage) -> None:
        """Note the page; raises ProviderError where those that follow it would never end."""
        if page.cursor is None:
            return
        mark = hash(tuple((each.meter_id, each.reading.time) for each in page.readings))
        if page.readings and mark not in self._pages:
            self._idle = self._of_others = 0
            self._pages.add(mark)
        elif page.readings or not page.unwanted:
            self._idle += 1
        else:
            self._of_others += 1
        if self._idle > _MOST_IDLE_PAGES or self._of_others > _MOST_PAGES_OF_OTHERS:
            raise ProviderError(
                "invalid_document", "sent page after page without new readings, the walk would never end"
            )
        mark = hash(page.cursor)
        if mark in self._cursors:
            raise ProviderError("invalid_document", "gave the same cursor twice, the walk would never end")
        self._cursors.add(mark)
