"""The installations of a provider for a command: all of them page by page, or the one that is meant."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing
from typing import Final, Protocol, TypeVar

from iometer_exporter.errors import IOmeterError
from iometer_exporter.provider.api.models import Installation, InstallationsPage
from iometer_exporter.provider.api.pages import installation_pages
from iometer_exporter.text import FirstFew

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

T = TypeVar("T")


class PagesClient(Protocol):
    """The part of the client that gives all installations."""

    async def installations(self, offset: int, limit: int) -> InstallationsPage:
        """A page of installations."""
        ...


class OneClient(Protocol):
    """The part of the client that gives one installation."""

    async def installation(
        self, *, id: str | None = None, external_id: str | None = None
    ) -> Installation | None:
        """The installation with the id or the external id; None if there is none."""
        ...


async def _once(request: Callable[[], Awaitable[T]]) -> T:
    return await request()


class InstallationPages:
    """All installations, page by page, and what was wrong with them."""

    def __init__(
        self,
        client: PagesClient,
        page_size: int,
        *,
        ask: Callable[[Callable[[], Awaitable[InstallationsPage]]], Awaitable[InstallationsPage]] = _once,
    ) -> None:
        """Get each page by `ask`, which is given the request."""
        self.found = 0
        """Installations so far, that of the page being given included."""
        self.problems = FirstFew()
        self._client = client
        self._page_size = page_size
        self._ask = ask

    async def __aiter__(self) -> AsyncGenerator[tuple[Installation, ...], None]:
        """Each page without what stood on one before; raises ProviderError."""
        async with aclosing(installation_pages(self._read, self._page_size)) as pages:
            async for page in pages:
                self.problems.add(*page.errors, *page.problems)
                for each in page.installations:
                    self.problems.add(*(f"installation {each.label}: {problem}" for problem in each.problems))
                self.found += len(page.installations)
                yield page.installations

    async def _read(self, offset: int) -> InstallationsPage:
        return await self._ask(lambda: self._client.installations(offset, self._page_size))


async def require_known(client: OneClient, names: Collection[str], pages: InstallationPages) -> None:
    """Raise IOmeterError for a name that is no id, external id or meter number of an installation.

    All pages are looked through only where a name is neither of the ids.
    """
    left = [name for name in names if not any(await _by_ids(client, name))]
    if not left:
        return
    missing = set(left)
    async for page in pages:
        missing -= {meter.number for each in page for meter in each.meters}
        if not missing:
            return
    unknown = " or ".join(repr(name) for name in left if name in missing)
    raise IOmeterError(
        f"there is no installation with the external id, id or meter number {unknown}, "
        "look for it with `iometer-exporter provider installations`"
    )


async def _by_ids(client: OneClient, name: str) -> tuple[Installation | None, Installation | None]:
    """The installation with this external id, and the one with this id."""
    by_external_id = await client.installation(external_id=name)
    by_id = await client.installation(id=name) if _UUID.fullmatch(name) else None
    return by_external_id, by_id


async def find(client: OneClient, name: str) -> Installation:
    """The installation with the external id or the id; raises IOmeterError if there is none, or two."""
    by_external_id, by_id = await _by_ids(client, name)
    found = by_external_id or by_id
    if found is None:
        raise IOmeterError(
            f"there is no installation with the external id or id {name!r}, "
            "look for it with `iometer-exporter provider installations`"
        )
    if by_external_id and by_id and by_external_id.id != by_id.id:
        raise IOmeterError(f"{name!r} is the external id of one installation and the id of another")
    return found
