"""The inventory of the provider, read again and again in the background."""

import asyncio
import logging
import random
from contextlib import aclosing
from typing import Final, Protocol

from iometer_exporter.errors import ProviderError
from iometer_exporter.net.backoff import Backoff
from iometer_exporter.provider.api.models import InstallationsPage, Provider
from iometer_exporter.provider.api.pages import installation_pages
from iometer_exporter.provider.reading.clock import Clock
from iometer_exporter.provider.reading.pace import Pace
from iometer_exporter.provider.reading.request_log import Operation, RequestLog
from iometer_exporter.provider.served.counts import ReadingCounts
from iometer_exporter.provider.served.installations import Installations, Refusal

_log = logging.getLogger(__name__)

_FIRST_WAIT_SECONDS: Final = 5.0
"""At most, after the first failure."""

_REST_SECONDS: Final = 1.0
"""Between two refreshes at least, also where one takes longer than the interval."""

_FEW_VANISHED: Final = 10
_VANISHED_RATIO: Final = 0.1
"""Installations that may vanish in one refresh without further question: so many, or this part of all."""

_JITTER_RATIO: Final = 0.1
"""Part of the interval by which refreshes of many exporters drift apart."""


class InventoryClient(Protocol):
    """The part of the client that is asked here."""

    async def account(self) -> Provider:
        """The account with its signing keys and license pools."""
        ...

    async def installations(self, offset: int, limit: int) -> InstallationsPage:
        """A page of installations."""
        ...


class Inventory:
    """Refreshes what is known of installations; times are in seconds."""

    def __init__(
        self,
        client: InventoryClient,
        installations: Installations,
        request_log: RequestLog,
        clock: Clock,
        *,
        counts: ReadingCounts,
        pace: Pace,
        interval: float,
        page_size: int,
    ) -> None:
        """Read pages of this size."""
        self.account: Provider | None = None
        """As it was read last."""
        self.completed: float | None = None
        """Unix time of the last complete refresh; None before the first one."""
        self.succeeded: bool | None = None
        """Whether the last refresh was complete; None before the first one has ended."""
        self.tried = asyncio.Event()
        """Set once the first refresh has ended, well or not."""
        self._client = client
        self._installations = installations
        self._request_log = request_log
        self._clock = clock
        self._counts = counts
        self._pace = pace
        self._interval = interval
        self._page_size = page_size
        self._backoff = Backoff(_FIRST_WAIT_SECONDS, interval)
        self._vanished: frozenset[str] = frozenset()
        """Ids that the last complete walk did not find, and that are kept until the next one agrees."""

    def take_over(self, before: "Inventory") -> None:
        """Know what another inventory of the same place knows."""
        self.account, self.completed, self.succeeded = before.account, before.completed, before.succeeded
        if before.tried.is_set():
            self.tried.set()

    async def run(self) -> None:
        """Refresh for ever."""
        while True:
            started = self._clock.monotonic()
            wait = await self.refresh()
            if wait is None:
                due = started + self._interval * random.uniform(1 - _JITTER_RATIO, 1 + _JITTER_RATIO)  # noqa: S311
                wait = due - self._clock.monotonic()
            await self._clock.sleep(max(wait, _REST_SECONDS))

    async def refresh(self) -> float | None:
        """Read the account and all pages; gives the seconds to wait after a failure, None after none.

        What came before the failure is served; nothing is dropped then.
        """
        operation: Operation = "account"
        try:
            self.account = await self._read_account()
            operation = "installations"
            self._installations.begin_refresh()
            await self._read_installations()
            if doubt := self._doubt():
                # Not asked again at once: what made the API forget them may take a while.
                self._failed(operation, doubt)
                return None
            self._installations.end_refresh()
        except ProviderError as error:
            self._failed(operation, error)
            return self._backoff.failed(error.retry_after)
        except Exception:
            self.succeeded = False
            raise
        else:
            self._request_log.succeeded(operation)
            self._request_log.start_period()
            self._backoff.succeeded()
            if self.completed is None:
                _log.info(
                    "the provider's inventory is read", extra={"installations": len(self._installations)}
                )
            self.succeeded, self.completed = True, self._clock.time()
            return None
        finally:
            self.tried.set()

    def _failed(self, operation: Operation, error: ProviderError) -> None:
        self._request_log.failed(operation, error)
        self.succeeded = False

    def _doubt(self) -> ProviderError | None:
        """The reason to keep what this walk did not find; None where it may be dropped.

        So many do not leave at once: more likely the API has lost sight of them. Where the next walk does not
        find them either, they are gone.
        """
        vanished = frozenset(self._installations.vanished())
        count, all_known = len(vanished - self._vanished), len(self._installations)
        self._vanished = vanished
        if count <= max(_FEW_VANISHED, _VANISHED_RATIO * all_known):
            self._vanished = frozenset()
            return None
        return ProviderError(
            "invalid_document",
            f"sent an inventory without {count} of {all_known} installations, "
            "which are kept until the next one lacks them too",
        )

    async def _read_account(self) -> Provider:
        started = self._clock.monotonic()
        try:
            account = await self._client.account()
        finally:
            self._request_log.durations["account"] = self._clock.monotonic() - started
        self._request_log.succeeded("account")
        self._request_log.problems("account", account.problems)
        self._request_log.errors_beside("account", account.errors)
        return account

    async def _read_installations(self) -> None:
        async with aclosing(installation_pages(self._read_page, self._page_size)) as pages:
            async for page in pages:
                await self._apply(page)

    async def _read_page(self, offset: int) -> InstallationsPage:
        started = self._clock.monotonic()
        page = await self._client.installations(offset, self._page_size)
        self._request_log.durations["installations"] = self._clock.monotonic() - started
        return page

    async def _apply(self, page: InstallationsPage) -> None:
        now, monotonic = self._clock.time(), self._clock.monotonic()
        problems = list(page.problems)
        refused: list[Refusal] = []
        for installation in page.installations:
            refused += self._installations.see(installation, now, monotonic)
            problems += (
                f"{problem} (installation {installation.label})" for problem in installation.problems
            )
            await self._pace.checkpoint()
        self._request_log.problems("installations", problems)
        self._request_log.errors_beside("installations", page.errors)
        self._request_log.refused("installations", [(each.why, each.meter) for each in refused])
        self._counts.results.update("rejected" for each in refused if each.is_first)
