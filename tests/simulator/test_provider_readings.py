"""Readings: by cursor and by subscription, from the last 24 hours on, each of them once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from gql import GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportQueryError

from iometer_exporter.simulator.cloud import ProviderSimulation
from iometer_exporter.simulator.cloud.fleet import DETACHED, OFFLINE
from tests.simulator.conftest import Clock
from tests.simulator.provider_client import (
    READINGS,
    SUBSCRIPTION,
    ask,
    session,
    stamp,
    subscribed,
    subscriber,
    take,
    unix,
    walk,
)

DAY = 86_400


def name(reading: dict[str, Any]) -> tuple[str, str]:
    return reading["meter"]["id"], reading["time"]


def kept(simulation: ProviderSimulation, begin: float, end: float) -> list[dict[str, Any]]:
    """What the functions of the simulation say that the API has to give."""
    cloud = simulation.cloud
    found = [
        cloud.reading(each)
        for second in range(int(begin), int(end) + 1)
        for each in cloud.arrivals.at(second)
    ]
    for reading in found:
        reading["values"] = [
            {"obisCode": value["code"], "value": value["value"], "unit": value["unit"]}
            for value in reading["values"]
        ]
    return found


@asynccontextmanager
async def live(
    clock: Clock, installations: int
) -> AsyncIterator[tuple[ProviderSimulation, AsyncClientSession]]:
    """A simulation and a session for subscriptions to it."""
    async with (
        ProviderSimulation(installations=installations, clock=clock) as simulation,
        subscriber(simulation) as opened,
    ):
        yield simulation, opened


@pytest.mark.parametrize(("installations", "limit"), [(0, 100), (3, 7), (3, 100), (40, 100)])
async def test_the_cursor_leads_through_all_of_24_hours(clock: Clock, installations: int, limit: int) -> None:
    async with ProviderSimulation(installations=installations, interval=3_600, clock=clock) as simulation:
        found = await walk(simulation, limit)
        assert found == kept(simulation, clock() - DAY, clock())
    received = [unix(reading["receiveTime"]) for reading in found]
    assert received == sorted(received)
    assert len({name(reading) for reading in found}) == len(found)
    if installations == 3:
        # The first of them sends at the full hour: at both ends of the 24 hours.
        assert len(found) == 25 + 24 + 24


async def test_values_of_readings_are_the_truth(clock: Clock) -> None:
    async with ProviderSimulation(installations=2, clock=clock) as simulation:
        found = await walk(simulation)
        for reading in found:
            index = int(reading["installation"]["externalId"].removeprefix("home-")) - 1
            time = unix(reading["time"])
            values = {value["obisCode"]: value["value"] for value in reading["values"]}
            assert values["1-0:1.8.0"] == simulation.energy_import_wh(index, 0, time)
            assert values["1-0:16.7.0"] == simulation.power_watts(index, 0, time)


@pytest.mark.parametrize("limit", [1, 17])
async def test_pages_that_split_a_second_lose_nothing(clock: Clock, limit: int) -> None:
    start = stamp(clock() - 3)
    async with ProviderSimulation(installations=30, interval=2, clock=clock) as simulation:
        found = await walk(simulation, limit, startTime=start)
        assert found == kept(simulation, clock() - 3, clock())
        assert len(found) > 50


async def test_the_start_time_is_when_readings_were_received(clock: Clock) -> None:
    async with ProviderSimulation(installations=4, clock=clock) as simulation:
        everything = await walk(simulation)
        start = everything[200]["receiveTime"]
        found = await walk(simulation, startTime=start)
        assert found == [each for each in everything if unix(each["receiveTime"]) >= unix(start)]
        assert await walk(simulation, startTime=stamp(clock() - 9 * DAY)) == everything
        assert await walk(simulation, startTime=stamp(clock() + 1)) == []


async def test_a_cursor_goes_on_from_the_window_when_it_is_too_old(clock: Clock) -> None:
    async with ProviderSimulation(installations=3, clock=clock) as simulation, session(simulation) as opened:
        page = (await ask(opened, READINGS, limit=2))["provider"]["readings"]
        clock.now += DAY // 2
        later = (await ask(opened, READINGS, cursor=page["cursor"]))["provider"]["readings"]
        assert later["readings"] == kept(simulation, clock() - DAY, clock())[:100]


async def test_silent_installations_send_nothing_and_keep_their_last_reading(clock: Clock) -> None:
    async with ProviderSimulation(installations=40, interval=3_600, clock=clock) as simulation:
        found = await walk(simulation)
        newest = {reading["installation"]["id"]: unix(reading["time"]) for reading in found}
        assert clock() - newest[simulation.fleet.id(DETACHED)] > 5 * 3600
        assert simulation.fleet.id(OFFLINE) not in newest
        clock.now += DAY
        later = {reading["installation"]["id"] for reading in await walk(simulation)}
        assert simulation.fleet.id(DETACHED) not in later
        assert simulation.fleet.id(0) in later


async def test_a_subscription_replays_and_then_goes_on_with_the_clock(clock: Clock) -> None:
    async with live(clock, 5) as (simulation, opened):
        start = clock() - 7_200
        request = GraphQLRequest(
            "subscription R($startTime: DateTime) { readings(startTime: $startTime) "
            "{ meter { id } time receiveTime values { obisCode } } }",
            variable_values={"startTime": stamp(start)},
        )
        found = []
        expected = [name(reading) for reading in kept(simulation, start, clock())]
        async with aclosing(opened.subscribe(request)) as messages, asyncio.timeout(30):
            async for message in messages:
                found.append(name(message["readings"]))
                if len(found) == len(expected):
                    break
            for _ in range(3):
                before = clock()
                clock.now += 900
                simulation.wake()
                for reading in kept(simulation, before + 1, clock()):
                    found.append(name((await anext(messages))["readings"]))
                    expected.append(name(reading))
        assert found == expected
        assert simulation.sent["subscription"] == len(found) >= 5 * 8 + 5 * 3
        assert simulation.open_sockets == 1


async def test_a_subscription_without_a_start_gives_what_comes(clock: Clock) -> None:
    async with live(clock, 2) as (simulation, opened):
        taking = asyncio.create_task(take(opened, 2))
        await subscribed(simulation)
        begin = clock()
        clock.now += 900
        assert await taking == kept(simulation, begin + 1, clock())


async def test_a_subscription_reaches_back_24_hours_at_most(clock: Clock) -> None:
    async with live(clock, 2) as (simulation, opened):
        (first,) = await take(opened, 1, startTime=stamp(clock() - 9 * DAY))
        assert first == kept(simulation, clock() - DAY, clock())[0]


async def test_a_jump_of_the_clock_skips_what_is_no_longer_kept(clock: Clock) -> None:
    async with live(clock, 2) as (simulation, opened):
        request = GraphQLRequest("subscription { readings { receiveTime } }")
        async with aclosing(opened.subscribe(request)) as messages, asyncio.timeout(30):
            waiting = asyncio.ensure_future(anext(messages))
            await subscribed(simulation)
            simulation.jump(3 * DAY)
            first = unix((await waiting)["readings"]["receiveTime"])
            assert 0 <= first - (clock() + 2 * DAY) <= 900
            for _ in range(len(kept(simulation, clock() + 2 * DAY, clock() + 3 * DAY)) - 1):
                await anext(messages)
            simulation.jump(-2 * DAY)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await anext(messages)


async def test_a_subscription_spells_codes_as_asked(clock: Clock) -> None:
    async with live(clock, 1) as (_, opened):
        request = GraphQLRequest(
            "subscription S($t: DateTime, $f: ObisFormat = hex) "
            "{ reading: readings(startTime: $t) { values { obisCode(format: $f) } } }",
            variable_values={"t": stamp(clock() - 900)},
        )
        async with aclosing(opened.subscribe(request)) as messages:
            found = await anext(messages)
    assert found == {
        "reading": {"values": [{"obisCode": "01-00:01.08.00*ff"}, {"obisCode": "01-00:10.07.00*ff"}]}
    }


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (None, ["1-0:1.8.0", "1-0:16.7.0"]),
        (["1-0:1.8.0"], ["1-0:1.8.0"]),
        (["01-00:10.07.00*FF", "1-0:9.9.9"], ["1-0:16.7.0"]),
    ],
)
async def test_the_deprecated_subscription_gives_register_by_register(
    clock: Clock, codes: list[str] | None, expected: list[str]
) -> None:
    query = """subscription ScheduledReadings($obisCodes: [ObisCode!]) {
      scheduledReadings(obisCodes: $obisCodes) {
        meter { id installation { externalId } number latestReadings { value } }
        time
        obisCode
        value
        unit
      }
    }"""
    async with live(clock, 1) as (simulation, opened):
        request = GraphQLRequest(query, variable_values={"obisCodes": codes})
        async with aclosing(opened.subscribe(request)) as messages, asyncio.timeout(30):
            waiting = asyncio.ensure_future(anext(messages))
            await subscribed(simulation)
            clock.now += 1_800
            found = [(await waiting)["scheduledReadings"]]
            found += [(await anext(messages))["scheduledReadings"] for _ in range(2 * len(expected) - 1)]
    assert {reading["meter"]["installation"]["externalId"] for reading in found} == {"home-000001"}
    assert [reading["obisCode"] for reading in found] == expected * 2
    for reading in found:
        if reading["obisCode"] == "1-0:1.8.0":
            assert reading["value"] == simulation.energy_import_wh(0, 0, unix(reading["time"]))


async def test_subscriptions_with_a_directive_give_the_same(clock: Clock) -> None:
    """What takes the long way, through the executor."""
    long = SUBSCRIPTION.replace("unit", "unit @include(if: true)")
    scheduled = """subscription {
      scheduledReadings(obisCodes: ["1-0:1.8.0"]) { obisCode value unit @skip(if: true) }
    }"""
    async with live(clock, 1) as (simulation, opened):
        request = GraphQLRequest(long, variable_values={"startTime": stamp(clock() - 3_600)})
        expected = await take(opened, 4, startTime=stamp(clock() - 3_600))
        async with aclosing(opened.subscribe(request)) as messages, asyncio.timeout(30):
            found = [(await anext(messages))["readings"] for _ in range(4)]
        assert found == expected
        await subscribed(simulation, 0)
        async with (
            aclosing(opened.subscribe(GraphQLRequest(scheduled))) as messages,
            asyncio.timeout(30),
        ):
            waiting = asyncio.ensure_future(anext(messages))
            await subscribed(simulation)
            clock.now += 900
            (value,) = (await waiting).values()
        time = clock() - simulation.cloud.arrivals.delay(0)
        assert value == {"obisCode": "1-0:1.8.0", "value": simulation.energy_import_wh(0, 0, time)}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("subscription { weather { time } }", "Cannot query field"),
        ('subscription { readings(startTime: "now") { time } }', "is no RFC 3339 timestamp"),
        ('subscription { scheduledReadings(obisCodes: ["x"]) { time } }', "is not an OBIS code"),
    ],
)
async def test_a_wrong_subscription_gets_an_error(clock: Clock, query: str, message: str) -> None:
    async with ProviderSimulation(clock=clock) as simulation, subscriber(simulation) as opened:
        with pytest.raises(TransportQueryError, match=message):
            async for _ in opened.subscribe(GraphQLRequest(query)):
                pass


async def test_queries_and_several_subscriptions_share_a_socket(clock: Clock) -> None:
    async with live(clock, 2) as (simulation, opened):
        start = stamp(clock() - 3_600)
        first, second, answer = await asyncio.gather(
            take(opened, 6, startTime=start),
            take(opened, 6, startTime=start),
            opened.execute(GraphQLRequest("{ provider { name } }")),
        )
        assert first == second == kept(simulation, clock() - 3_600, clock())[:6]
        assert answer == {"provider": {"name": "Simulated Energy"}}
        assert simulation.open_sockets == 1


async def test_a_subscription_that_is_ended_sends_no_more(clock: Clock) -> None:
    async with live(clock, 2) as (simulation, opened):
        request = GraphQLRequest("subscription { readings { time } }")
        async with aclosing(opened.subscribe(request)) as messages, asyncio.timeout(30):
            waiting = asyncio.ensure_future(anext(messages))
            await subscribed(simulation)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await subscribed(simulation, 0)
        clock.now += 900
        assert await opened.execute(GraphQLRequest("{ provider { name } }"))
        assert simulation.sent["subscription"] == 0
