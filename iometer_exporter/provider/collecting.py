"""All that a backfill takes from the cloud: the names of installations first, then the stored readings."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime

from iometer_exporter.provider.backfill import Backfill
from iometer_exporter.provider.lookup import InstallationPages, PagesClient
from iometer_exporter.provider.reading.retrying import Retrying
from iometer_exporter.provider.reading.stored_readings import StoredReadingsClient, pages
from iometer_exporter.text import FirstFew


async def name_installations(
    client: PagesClient, filling: Backfill, page_size: int, retrying: Retrying
) -> AsyncGenerator[int, None]:
    """Name every installation as the exporter does; gives how many there are so far after each page.

    Raises ProviderError, as `collect_readings` does.
    """
    installations = InstallationPages(client, page_size, ask=retrying.ask)
    async for page in installations:
        filling.name(page)
        yield installations.found


async def collect_readings(
    client: StoredReadingsClient,
    filling: Backfill,
    start: datetime,
    retrying: Retrying,
    problems: FirstFew,
) -> AsyncGenerator[datetime, None]:
    """Take every reading received from the start on; gives the newest receipt on each page that has one."""
    async with aclosing(pages(client, start, retrying)) as found:
        async for page in found:
            filling.add(page.readings)
            problems.add(*page.errors, *page.problems)
            if page.readings:
                yield max(each.received for each in page.readings)
