"""What can go wrong with the simulated cloud, on demand and while it serves."""

import asyncio
import json
import time
from collections import Counter
from contextlib import aclosing, suppress
from typing import Any

import httpx
import pytest
from gql import GraphQLRequest
from gql.transport.exceptions import TransportConnectionFailed, TransportQueryError
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from iometer_exporter.simulator.cloud import ProviderSimulation
from tests.simulator.conftest import Clock
from tests.simulator.provider_client import (
    NAME,
    SUBSCRIPTION,
    authorization,
    greet,
    plain_socket,
    post,
    session,
    stamp,
    statuses,
    subscribed,
    subscriber,
    take,
    unix,
    walk,
)
from tests.waiting import PATIENCE

STATES = """{ provider { installations {
  id
  externalId
  license { status }
  meters { number }
  currentDevice {
    bridge { connectionStatus }
    core { connectionStatus attachmentStatus powerStatus pinStatus }
    localHttpPushStatus
  }
} } }"""


def times(readings: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    return Counter((reading["meter"]["id"], reading["time"]) for reading in readings)


@pytest.mark.parametrize(("fault", "status"), [("rate-limit", 429), ("http-500", 500), ("garbage", 200)])
async def test_every_third_request_fails(clock: Clock, fault: str, status: int) -> None:
    async with ProviderSimulation(faults=[fault], clock=clock) as simulation:
        assert await statuses(simulation, 6) == [200, 200, status] * 2
        simulation.faults.every = 1
        simulation.faults.retry_after = "17"
        response = await post(simulation, NAME)
        assert response.status_code == status
        if fault == "rate-limit":
            assert response.headers["retry-after"] == "17"
        if fault == "garbage":
            assert response.text.startswith("<!DOCTYPE html>")
        simulation.faults.kinds.clear()
        assert await statuses(simulation, 3) == [200] * 3


async def test_slow_answers_do_not_hold_up_the_end(clock: Clock) -> None:
    async with asyncio.timeout(PATIENCE), ProviderSimulation(faults=["slow"], clock=clock) as simulation:
        simulation.faults.slow_seconds = 0.05
        begin = time.monotonic()
        assert await statuses(simulation, 1) == [200]
        assert time.monotonic() - begin >= 0.05
        simulation.faults.slow_seconds = 2 * PATIENCE
        asking = asyncio.create_task(post(simulation, NAME))
        await asyncio.sleep(0.05)
    with pytest.raises(httpx.HTTPError):
        await asking


async def test_duplicates_come_twice_and_nothing_else_changes(clock: Clock) -> None:
    async with ProviderSimulation(installations=10, clock=clock) as simulation:
        right = times(await walk(simulation))
        simulation.faults.kinds.add("duplicates")
        found = times(await walk(simulation))
        assert set(found) == set(right)
        twice = [name for name, count in found.items() if count == 2]
        assert 0.05 < len(twice) / len(found) < 0.15
        assert max(found.values()) == 2


async def test_late_readings_come_with_later_ones(clock: Clock) -> None:
    async with ProviderSimulation(installations=10, faults=["late"], clock=clock) as simulation:
        found = await walk(simulation)
    assert set(times(found).values()) == {1}
    received = [unix(reading["receiveTime"]) for reading in found]
    assert received == sorted(received)
    delays = [unix(reading["receiveTime"]) - unix(reading["time"]) for reading in found]
    late = [delay for delay in delays if delay > 600]
    assert 0.02 < len(late) / len(delays) < 0.1
    assert max(late) > 6 * 3600 > min(late)


@pytest.mark.parametrize(("fault", "amount"), [("decrease", -5_000.0), ("spike", 0xFFFFFFFF / 10)])
async def test_a_wrong_import_comes_with_every_fourth_reading(
    clock: Clock, fault: str, amount: float
) -> None:
    async with ProviderSimulation(installations=2, faults=[fault], clock=clock) as simulation:
        wrong = Counter(
            (reading["installation"]["externalId"], round(reading["values"][0]["value"] - true, 1))
            for reading in await walk(simulation)
            for index in [int(reading["installation"]["externalId"][-1]) - 1]
            for true in [simulation.energy_import_wh(index, 0, unix(reading["time"]))]
        )
    assert set(wrong) == {("home-000001", 0.0), ("home-000001", round(amount, 1)), ("home-000002", 0.0)}
    assert 23 <= wrong["home-000001", round(amount, 1)] <= 25


async def test_a_replay_brings_back_old_readings(clock: Clock) -> None:
    async with ProviderSimulation(installations=1, faults=["replay"], clock=clock) as simulation:
        found = await walk(simulation)
    again = [each for each in found if unix(each["receiveTime"]) - unix(each["time"]) > 10_000]
    assert 23 <= len(again) <= 25
    assert set(times(found)) > set(times(again))
    for reading in again:
        assert reading["values"][0]["value"] == simulation.energy_import_wh(0, 0, unix(reading["time"]))


async def test_a_jumping_clock_stamps_readings_ahead(clock: Clock) -> None:
    async with ProviderSimulation(installations=1, faults=["clock-jump"], clock=clock) as simulation:
        ahead = [unix(each["time"]) - unix(each["receiveTime"]) for each in await walk(simulation)]
    assert Counter(seconds > 86_400 for seconds in ahead)[True] in (24, 25)


async def test_sockets_that_are_cut_can_be_opened_again(clock: Clock) -> None:
    start = stamp(clock() - 7_200)
    async with ProviderSimulation(installations=20, faults=["disconnect"], clock=clock) as simulation:
        simulation.faults.messages_per_socket = 30
        found: list[Any] = []
        async with subscriber(simulation) as opened:
            request = GraphQLRequest(SUBSCRIPTION, variable_values={"startTime": start})
            async with aclosing(opened.subscribe(request)) as messages, asyncio.timeout(30):
                with suppress(TransportConnectionFailed):
                    while True:
                        found.append((await anext(messages))["readings"])
        # What was under way when the socket was cut may be lost.
        assert len(found) <= 30 == simulation.sent["subscription"]
        simulation.faults.kinds.clear()
        async with subscriber(simulation) as opened:
            everything = await take(opened, 100, startTime=start)
        assert everything[: len(found)] == found


async def test_all_sockets_are_cut_at_once_and_refused(clock: Clock) -> None:
    async with ProviderSimulation(installations=1, clock=clock) as simulation:
        async with subscriber(simulation) as first, subscriber(simulation) as second:
            taking = [asyncio.create_task(take(opened, 1)) for opened in (first, second)]
            await subscribed(simulation, 2)
            assert simulation.cut_sockets() == 2
            simulation.refuse_sockets = True
            failed = await asyncio.gather(*taking, return_exceptions=True)
            assert [type(error) for error in failed] == [TransportConnectionFailed] * 2
        assert simulation.open_sockets == 0
        with pytest.raises(InvalidStatus, match="503"):
            await connect(simulation.url.replace("http", "ws", 1), proxy=None)
        assert await statuses(simulation, 1) == [200]
        simulation.refuse_sockets = False
        async with subscriber(simulation) as opened:
            assert await take(opened, 1, startTime=stamp(clock() - 3_600))


async def test_errors_beside_data_cost_only_their_field(clock: Clock) -> None:
    async with ProviderSimulation(installations=25, faults=["graphql-errors"], clock=clock) as simulation:
        response = await post(simulation, STATES)
        assert response.status_code == 200
        answer = response.json()
        found = answer["data"]["provider"]["installations"]
        assert [index for index, item in enumerate(found) if item["license"] is None] == [0, 10, 20]
        assert [error["path"] for error in answer["errors"]] == [
            ["provider", "installations", index, "license"] for index in (0, 10, 20)
        ]
        async with session(simulation) as opened:
            with pytest.raises(TransportQueryError) as error:
                await opened.execute(GraphQLRequest(STATES))
            assert error.value.data == answer["data"]


async def test_errors_between_readings_cost_no_reading(clock: Clock) -> None:
    async with ProviderSimulation(installations=2, faults=["graphql-errors"], clock=clock) as simulation:
        variables = {"startTime": stamp(clock() - 900)}
        async with plain_socket(simulation) as socket, asyncio.timeout(30):
            await greet(socket, {"Authorization": authorization(simulation)})
            await socket.recv()
            payload = {"query": SUBSCRIPTION, "variables": variables}
            await socket.send(json.dumps({"type": "subscribe", "id": "7", "payload": payload}))
            found = [json.loads(await socket.recv())["payload"] for _ in range(5)]
        homes = [
            message["data"] and message["data"]["readings"]["installation"]["externalId"] for message in found
        ]
        # The first one sends at the full hour, at the begin of this quarter and at its end.
        assert homes == [None, "home-000001", "home-000002", None, "home-000001"]
        assert [bool(message.get("errors")) for message in found] == [True, False, False, True, False]


async def test_null_where_the_schema_promises_a_value(clock: Clock) -> None:
    async with ProviderSimulation(installations=45, faults=["null"], clock=clock) as simulation:
        response = await post(simulation, STATES)
        found = response.json()["data"]["provider"]["installations"]
        assert "errors" not in response.json()
        assert found[0]["license"] == {"status": None}
        assert found[10]["currentDevice"]["core"] is None
        assert found[20]["meters"] is None
        assert [index for index, item in enumerate(found) if item["id"] is None] == [30]
        assert found[40]["license"] == {"status": None}
        values = {
            reading["installation"]["externalId"]: reading["values"][0]["value"]
            for reading in await walk(simulation)
        }
    assert values["home-000001"] is None
    assert values["home-000002"] > 0


async def test_states_that_the_schema_does_not_know(clock: Clock) -> None:
    async with ProviderSimulation(installations=12, faults=["unknown-enum"], clock=clock) as simulation:
        response = await post(simulation, STATES)
    found = response.json()["data"]["provider"]["installations"]
    assert "errors" not in response.json()
    for index in (0, 10):
        assert found[index]["license"]["status"] == "suspended"
        assert found[index]["currentDevice"] == {
            "bridge": {"connectionStatus": "roaming"},
            "core": {
                "connectionStatus": "connected",
                "attachmentStatus": "loose",
                "powerStatus": "solar",
                "pinStatus": "locked",
            },
            "localHttpPushStatus": "paused",
        }
    assert found[1]["license"]["status"] == "active"
