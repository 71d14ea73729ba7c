import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any, get_args

import pytest

from iometer_exporter.errors import ProviderError, ProviderReason
from iometer_exporter.provider.api import pages
from iometer_exporter.provider.api.models import Installation, InstallationsPage, Meter, Provider
from iometer_exporter.provider.reading.inventory import Inventory
from iometer_exporter.provider.reading.pace import Pace
from iometer_exporter.provider.reading.request_log import RequestLog
from iometer_exporter.provider.served.counts import ReadingCounts
from iometer_exporter.provider.served.installations import Installations
from tests.provider.fleet import (
    LIMITS,
    NOW,
    STALE_AFTER,
    ScriptedClient,
    SimulatedClock,
    account,
    installation,
    reading,
)
from tests.provider.stepping import Moment, cancelled_at

FLEET = [installation(f"i{number}") for number in range(25)]
TIMEOUT = ProviderError("timeout", "did not answer in time")


class Setting:
    def __init__(self, client: ScriptedClient, *, interval: float = 300.0, page_size: int = 10) -> None:
        self.client = client
        self.clock = SimulatedClock()
        self.request_log = RequestLog()
        self.installations = Installations(limits=LIMITS, stale_after=STALE_AFTER)
        self.counts = ReadingCounts()
        self.inventory = Inventory(
            client,
            self.installations,
            self.request_log,
            self.clock,
            counts=self.counts,
            pace=Pace(),
            interval=interval,
            page_size=page_size,
        )

    @property
    def ids(self) -> list[str]:
        return sorted(one.id for one in self.installations)


@asynccontextmanager
async def running(client: ScriptedClient, **settings: Any) -> AsyncIterator[Setting]:
    setting = Setting(client, **settings)
    task = asyncio.create_task(setting.inventory.run())
    await setting.clock.settle()
    try:
        yield setting
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_all_pages_are_read() -> None:
    client = ScriptedClient(fleet=list(FLEET))
    async with running(client) as setting:
        assert setting.ids == sorted(one.id for one in FLEET)
        assert setting.inventory.completed == NOW
        assert setting.inventory.succeeded is True
        # One page is on its way when the one before turns out to be short: what follows that shows the end.
        assert client.pages == [(0, 10), (10, 10), (20, 10), (30, 10), (25, 10)]


async def test_a_fleet_that_fills_its_last_page() -> None:
    async with running(ScriptedClient(fleet=FLEET[:20])) as setting:
        assert len(setting.installations) == 20
        assert setting.inventory.succeeded is True


async def test_an_empty_fleet() -> None:
    async with running(ScriptedClient()) as setting:
        assert setting.inventory.succeeded is True
        assert len(setting.installations) == 0


class Capped(ScriptedClient):
    """Gives at most so many installations, and notes how many pages it is asked for at once."""

    cap = 1_000_000
    most = now = together = 0

    async def installations(self, offset: int, limit: int) -> InstallationsPage:
        self.now += 1
        self.most = max(self.most, self.now)
        self.together += self.now > 1
        try:
            for _ in range(3):
                await asyncio.sleep(0)
            return await super().installations(offset, min(limit, self.cap))
        finally:
            self.now -= 1


@pytest.mark.parametrize("cap", [3, 2])
async def test_two_pages_are_asked_for_at_once(cap: int) -> None:
    """Also where the API gives less: from the second page on it is known how much."""
    client = Capped(fleet=FLEET)
    client.cap = cap
    async with running(client, page_size=3) as setting:
        for _ in range(4):
            await setting.clock.settle()
        assert setting.inventory.succeeded is True
        assert client.most == 2
        assert client.together >= len(client.pages) // 3


async def test_the_next_refresh_comes_an_interval_after_the_start_of_the_last() -> None:
    client = ScriptedClient(fleet=FLEET[:3])
    async with running(client) as setting:
        await setting.clock.advance(269)
        assert len(client.pages) == 3
        client.fleet = FLEET[1:5]
        await setting.clock.advance(61)
        assert setting.ids == ["i1", "i2", "i3", "i4"]
        assert all(270 <= slept <= 330 for slept in setting.clock.slept)


async def test_an_installation_that_a_shift_repeats_counts_once() -> None:
    shifted = [*FLEET[:10], FLEET[9], *FLEET[10:14]]
    async with running(ScriptedClient(fleet=shifted)) as setting:
        assert len(setting.installations) == 14


@pytest.mark.parametrize("offset", [0, 10, 20])
async def test_a_refresh_that_fails_keeps_the_last_good_one(offset: int) -> None:
    client = ScriptedClient(fleet=list(FLEET))
    async with running(client) as setting:
        completed = setting.inventory.completed
        client.fleet = FLEET[:21]
        client.page_errors = {offset: TIMEOUT}
        await setting.clock.advance(335)
        assert len(setting.installations) == 25
        assert setting.inventory.completed == completed
        assert setting.inventory.succeeded is False
        assert setting.request_log.errors["installations", "timeout"] >= 1
        client.page_errors = {}
        await setting.clock.advance(335)
        assert len(setting.installations) == 21


async def test_pages_are_served_as_they_come() -> None:
    client = ScriptedClient(fleet=list(FLEET), page_errors={20: TIMEOUT})
    async with running(client) as setting:
        assert len(setting.installations) == 20
        assert setting.inventory.completed is None
        assert setting.inventory.tried.is_set()


async def test_after_failures_the_waits_grow_up_to_the_interval() -> None:
    client = ScriptedClient(provider=TIMEOUT)
    async with running(client) as setting:
        await setting.clock.advance(4000)
        waits = setting.clock.slept
        assert len(waits) > 10
        for number, wait in enumerate(waits):
            assert 2.5 <= wait <= min(300.0, 5 * 2**number)
        client.provider, client.fleet = account(), list(FLEET)
        await setting.clock.advance(300)
        assert setting.inventory.succeeded is True
        client.provider = TIMEOUT
        before = len(waits)
        await setting.clock.advance(331)
        assert waits[before] <= 5


async def test_the_wait_that_the_api_asks_for_is_kept() -> None:
    limited = ProviderError("rate_limited", "asks for fewer requests", retry_after=1234.0)
    async with running(ScriptedClient(provider=limited)) as setting:
        [wait] = setting.clock.slept
        assert 1234 <= wait <= 1239


@pytest.mark.parametrize("cap", [1, 3, 5, 7, 9, 10])
async def test_an_api_that_gives_less_than_it_is_asked_for_loses_nothing(cap: int) -> None:
    client = Capped(fleet=list(FLEET))
    client.cap = cap
    async with running(client) as setting:
        for _ in range(10):
            await setting.clock.settle()
        assert len(setting.installations) == 25
        assert setting.inventory.succeeded is True
        # Not one page more than the fleet has, but the end, and what was on its way when the size was found.
        assert len(client.pages) <= -(-25 // cap) + 3


async def test_an_api_that_gives_more_than_it_is_asked_for_loses_nothing() -> None:
    class Generous(ScriptedClient):
        async def installations(self, offset: int, limit: int) -> InstallationsPage:
            return await super().installations(offset, 2 * limit)

    async with running(Generous(fleet=list(FLEET))) as setting:
        assert len(setting.installations) == 25
        assert setting.inventory.succeeded is True


async def test_a_cap_that_comes_while_running_drops_nothing() -> None:
    client = Capped(fleet=[installation(f"i{number}") for number in range(300)])
    async with running(client, page_size=100) as setting:
        assert len(setting.installations) == 300
        client.cap = 50
        await setting.clock.advance(331)
        for _ in range(4):
            await setting.clock.settle()
        assert len(setting.installations) == 300
        assert setting.inventory.succeeded is True


async def test_pages_of_any_size_lose_nothing() -> None:
    """The API leaves out what it pleases, but moves the next page accordingly."""
    chance = random.Random(5)

    class Moody(ScriptedClient):
        async def installations(self, offset: int, limit: int) -> InstallationsPage:
            return await super().installations(offset, chance.randint(1, limit))

    client = Moody(fleet=[installation(f"i{number}") for number in range(97)])
    async with running(client) as setting:
        for _ in range(30):
            await setting.clock.settle()
        assert len(setting.installations) == 97
        assert setting.inventory.succeeded is True


async def test_a_fleet_that_grows_at_its_front_between_two_pages_is_read() -> None:
    class Growing(ScriptedClient):
        async def installations(self, offset: int, limit: int) -> InstallationsPage:
            page = await super().installations(offset, limit)
            if offset == 0:
                self.fleet = [installation("new"), *FLEET[:20]]
            return page

    async with running(Growing(fleet=FLEET[:20])) as setting:
        assert len(setting.installations) == 20
        assert setting.inventory.succeeded is True


class Circle(ScriptedClient):
    """Goes through the same few pages again and again, or gives none with an installation."""

    around = 1

    async def installations(self, offset: int, limit: int) -> InstallationsPage:
        number = offset // limit % self.around
        return await super().installations(number * limit, limit)


@pytest.mark.parametrize("around", [1, 2])
async def test_pages_in_a_circle_end_the_refresh(around: int, caplog: pytest.LogCaptureFixture) -> None:
    client = Circle(fleet=list(FLEET))
    client.around = around
    async with running(client) as setting:
        assert setting.request_log.errors == {("installations", "invalid_document"): 1}
        assert len(setting.installations) == 10 * around
        assert (setting.inventory.succeeded, setting.inventory.tried.is_set()) == (False, True)
        # Two that show the circle, and one that was on its way.
        assert len(client.pages) <= around + 3
        await setting.clock.advance(600)
        # Paced, and told once.
        assert len(client.pages) <= 20 * (around + 3)
    [record] = caplog.records
    assert record.getMessage() == (
        "the provider API sent page after page without new installations, the walk would never end"
    )


async def test_pages_of_nothing_but_nonsense_end_the_refresh() -> None:
    class Nonsense(ScriptedClient):
        async def installations(self, offset: int, limit: int) -> InstallationsPage:
            self.pages.append((offset, limit))
            return InstallationsPage((), limit, ("installations[0].id is missing",))

    client = Nonsense()
    async with running(client) as setting:
        assert setting.inventory.succeeded is False
        assert len(client.pages) <= 4


async def test_a_fleet_without_end_ends_the_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_MOST_INSTALLATIONS", 100)

    class Endless(ScriptedClient):
        async def installations(self, offset: int, limit: int) -> InstallationsPage:
            found = tuple(installation(f"i{offset + number}") for number in range(limit))
            return InstallationsPage(found, limit)

    async with running(Endless()) as setting:
        assert setting.inventory.succeeded is False
        assert len(setting.installations) <= 110


async def test_a_refresh_that_takes_longer_than_the_interval_is_followed_by_a_rest() -> None:
    class Slow(ScriptedClient):
        clock: SimulatedClock | None = None

        async def account(self) -> Provider:
            if self.clock is not None:
                await self.clock.sleep(1000)
            return await super().account()

    client = Slow()
    async with running(client, interval=300) as setting:
        client.clock = setting.clock
        await setting.clock.advance(5000)
        assert [slept for slept in setting.clock.slept if slept != 1000][1:4] == [1.0, 1.0, 1.0]


BIG = [installation(f"i{number}") for number in range(200)]


async def test_many_that_vanish_at_once_are_kept_until_another_refresh_agrees(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    client = ScriptedClient(fleet=list(BIG))
    async with running(client, page_size=100) as setting:
        completed = setting.inventory.completed
        client.fleet = BIG[:120]
        await setting.clock.advance(331)
        assert len(setting.installations) == 200
        assert (setting.inventory.succeeded, setting.inventory.completed) == (False, completed)
        assert setting.request_log.errors == {("installations", "invalid_document"): 1}
        await setting.clock.advance(331)
        assert len(setting.installations) == 120
        assert setting.inventory.succeeded is True
    assert [record.getMessage() for record in caplog.records] == [
        "the provider API sent an inventory without 80 of 200 installations, "
        "which are kept until the next one lacks them too"
    ]


async def test_many_that_vanish_and_come_back_are_never_dropped() -> None:
    client = ScriptedClient(fleet=list(BIG))
    async with running(client, page_size=100) as setting:
        for _ in range(3):
            client.fleet = []
            await setting.clock.advance(331)
            assert len(setting.installations) == 200
            client.fleet = list(BIG)
            await setting.clock.advance(331)
            assert (len(setting.installations), setting.inventory.succeeded) == (200, True)


async def test_another_part_that_vanishes_is_another_doubt() -> None:
    client = ScriptedClient(fleet=list(BIG))
    async with running(client, page_size=100) as setting:
        for fleet in (BIG[:100], BIG[100:], BIG[:100]):
            client.fleet = fleet
            await setting.clock.advance(331)
            assert (len(setting.installations), setting.inventory.succeeded) == (200, False)


@pytest.mark.parametrize(("before", "after"), [(200, 180), (15, 5), (11, 1)])
async def test_a_few_that_vanish_are_dropped_at_once(before: int, after: int) -> None:
    client = ScriptedClient(fleet=BIG[:before])
    async with running(client, page_size=100) as setting:
        client.fleet = BIG[:after]
        await setting.clock.advance(331)
        assert (len(setting.installations), setting.inventory.succeeded) == (after, True)


async def test_the_error_of_a_refresh_stays_until_one_is_complete(caplog: pytest.LogCaptureFixture) -> None:
    """The first pages are good each time, and say nothing of the rest."""
    caplog.set_level(logging.INFO)
    client = ScriptedClient(fleet=list(FLEET), page_errors={20: TIMEOUT})
    async with running(client) as setting:
        await setting.clock.advance(1000)
        client.page_errors = {}
        await setting.clock.advance(331)
    assert [record.getMessage() for record in caplog.records] == [
        "the provider API did not answer in time",
        "the provider API answers again",
        "the provider's inventory is read",
    ]


@pytest.mark.parametrize(
    ("problems", "errors", "reason"),
    [
        (("installations is missing, expected a list",), (), "invalid_document"),
        (("installations is missing, expected a list",), ("out of memory (provider)",), "graphql"),
    ],
)
async def test_a_page_without_a_list_is_not_the_end_of_the_fleet(
    problems: tuple[str, ...], errors: tuple[str, ...], reason: ProviderReason
) -> None:
    class Broken(ScriptedClient):
        broken = False

        async def installations(self, offset: int, limit: int) -> InstallationsPage:
            if self.broken and offset == 10:
                return InstallationsPage((), 0, problems, errors)
            return await super().installations(offset, limit)

    client = Broken(fleet=list(FLEET))
    async with running(client) as setting:
        client.broken = True
        await setting.clock.advance(331)
        assert len(setting.installations) == 25
        assert setting.inventory.succeeded is False
        assert setting.request_log.errors["installations", reason] >= 1
        client.broken = False
        await setting.clock.advance(331)
        assert setting.inventory.succeeded is True


async def test_the_end_of_a_fleet_whose_provider_has_no_name() -> None:
    class Nameless(ScriptedClient):
        async def installations(self, offset: int, limit: int) -> InstallationsPage:
            page = await super().installations(offset, limit)
            return replace(page, problems=("name is missing, expected a text",))

    async with running(Nameless(fleet=FLEET[:20])) as setting:
        assert setting.inventory.succeeded is True


async def test_no_page_is_left_under_way_after_a_failure() -> None:
    class Slow(ScriptedClient):
        ended = 0

        async def installations(self, offset: int, limit: int) -> InstallationsPage:
            if offset == 0:
                raise TIMEOUT
            try:
                return await asyncio.Future()
            finally:
                self.ended += 1

    client = Slow(fleet=list(FLEET))
    async with running(client) as setting:
        assert setting.inventory.tried.is_set()
        assert client.ended == 1


async def test_problems_are_counted_and_named_once_a_kind(caplog: pytest.LogCaptureFixture) -> None:
    bad = [
        installation(
            f"i{number}",
            meters=(),
            problems=(f"meters[{number}].number is missing", f"devices[0].core is the number {number}"),
        )
        for number in range(5)
    ]
    client = ScriptedClient(fleet=bad, page_problems=("installations[3].id is missing",))
    async with running(client) as setting:
        assert setting.request_log.errors == {("installations", "invalid_document"): 11}
        assert len(setting.installations) == 5
        texts = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        assert texts == [
            "left out of what the provider API sent: installations[3].id is missing; and 2 of another kind"
        ]
        assert caplog.records[0].__dict__["count"] == 11
        await setting.clock.advance(1000)
        assert len(caplog.records) == 1


async def test_refused_readings_are_one_line_a_reason(caplog: pytest.LogCaptureFixture) -> None:
    def fleet_at(seconds: float, energy: float) -> list[Installation]:
        return [
            installation(f"i{number}", meters=(Meter(f"m{number}", f"M{number}", reading(seconds, energy)),))
            for number in range(8)
        ]

    client = ScriptedClient(fleet=fleet_at(0, 1000))
    async with running(client) as setting:
        client.fleet = fleet_at(300, 10)
        await setting.clock.advance(2000)
        # Each once, however often the inventory shows it.
        assert setting.counts.results == {"rejected": 8}
    [record] = caplog.records
    assert record.getMessage() == "a reading is not served, as may be others: it is decreased"
    assert record.__dict__["meter"] == "M0"


async def test_what_the_account_reports_beside_its_data(caplog: pytest.LogCaptureFixture) -> None:
    provider = account(errors=("pools are being counted (provider.licensePools)",), license_pools=())
    async with running(ScriptedClient(fleet=FLEET[:2], provider=provider)) as setting:
        assert setting.request_log.errors == {("account", "graphql"): 1}
        assert len(setting.installations) == 2
        assert setting.inventory.succeeded is True
    assert [record.getMessage() for record in caplog.records] == [
        "the provider API reports beside its data: pools are being counted (provider.licensePools)"
    ]


async def test_a_failure_and_its_end_are_one_line_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client = ScriptedClient(provider=ProviderError("unauthorized", "does not accept the credentials"))
    async with running(client) as setting:
        await setting.clock.advance(3000)
        client.provider = account()
        await setting.clock.advance(400)
        assert setting.request_log.errors["account", "unauthorized"] > 5
    assert [record.getMessage() for record in caplog.records] == [
        "the provider API does not accept the credentials",
        "the provider API answers again",
        "the provider's inventory is read",
    ]


async def test_durations_are_those_of_the_last_request() -> None:
    class Slow(ScriptedClient):
        def __init__(self) -> None:
            super().__init__(fleet=FLEET[:3])
            self.clock: SimulatedClock | None = None

        async def installations(self, offset: int, limit: int) -> InstallationsPage:
            if self.clock is not None:
                await self.clock.sleep(1.5)
            return await super().installations(offset, limit)

    client = Slow()
    async with running(client) as setting:
        client.clock = setting.clock
        await setting.clock.advance(340)
        assert setting.request_log.durations["installations"] == 1.5
        assert setting.request_log.durations["account"] == 0


@pytest.mark.parametrize("moment", get_args(Moment))
async def test_a_refresh_that_is_cancelled_at_any_wait_leaves_no_page_under_way(moment: Moment) -> None:
    async def refreshed() -> bool:
        return await setting.inventory.refresh() is None

    tasks = asyncio.all_tasks()
    for wait in count(1):
        setting = Setting(Capped(fleet=list(FLEET)), page_size=3)
        cancelled = await cancelled_at(wait, moment, refreshed()) is None
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == tasks
        if not cancelled:
            break
        assert await setting.inventory.refresh() is None
        assert len(setting.installations) == len(FLEET)
    assert wait > 5
    assert setting.inventory.succeeded is True
