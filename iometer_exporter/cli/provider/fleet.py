"""Installations of a provider for the commands: all of them page by page, or the one that is meant."""

import re
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from iometer_exporter.errors import IOmeterError

if TYPE_CHECKING:
    from iometer_exporter.provider.api.client import ProviderClient
    from iometer_exporter.provider.api.models import Installation, InstallationsPage

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

_TOLD: Final = 3
"""Problems told of all that there are."""


class Pages:
    """All installations, page by page, and what was wrong with them."""

    def __init__(self, client: "ProviderClient", page_size: int) -> None:
        self._client = client
        self._page_size = page_size
        self._problems: list[str] = []
        self._wrong = 0

    async def __aiter__(self) -> AsyncGenerator[Sequence["Installation"], None]:
        """Each page without what stood on one before."""
        from iometer_exporter.provider.api.pages import installation_pages

        found = 0

        async def read(offset: int) -> "InstallationsPage":
            return await self._client.installations(offset, self._page_size)

        try:
            async with aclosing(installation_pages(read, self._page_size)) as pages:
                async for page in pages:
                    self._note(*page.errors, *page.problems)
                    for each in page.installations:
                        self._note(*(f"installation {each.label}: {problem}" for problem in each.problems))
                    found += len(page.installations)
                    yield page.installations
                    _show_progress(f"{found} installations so far")
        finally:
            _show_progress("")

    def tell_problems(self) -> None:
        """Say on stderr what was wrong, the first few of it."""
        if self._wrong:
            rest = self._wrong - len(self._problems)
            more = f" and {rest} more" if rest else ""
            click.echo(f"Left out: {'; '.join(self._problems)}{more}", err=True)

    def _note(self, *problems: str) -> None:
        self._wrong += len(problems)
        self._problems += problems[: _TOLD - len(self._problems)]


async def find(client: "ProviderClient", name: str) -> "Installation":
    """The installation with the external id or the id; raises IOmeterError if there is none, or two."""
    by_external_id = await client.installation(external_id=name)
    by_id = await client.installation(id=name) if _UUID.fullmatch(name) else None
    found = by_external_id or by_id
    if found is None:
        raise IOmeterError(
            f"there is no installation with the external id or id {name!r}, "
            "look for it with `iometer-exporter provider installations`"
        )
    if by_external_id and by_id and by_external_id.id != by_id.id:
        raise IOmeterError(f"{name!r} is the external id of one installation and the id of another")
    return found


def newest_time(installation: "Installation") -> datetime | None:
    """The time of the newest reading of its meters."""
    return max((meter.latest.time for meter in installation.meters if meter.latest), default=None)


def _show_progress(text: str) -> None:
    """Replace the line on a terminal that says how far it is."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)
