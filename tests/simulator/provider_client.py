"""A provider's client as the vendor's documentation shows one: gql, and plain HTTP for what gql hides."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from iometer_exporter.simulator.cloud import ProviderSimulation

FRAGMENTS = """
fragment LicenseTermFragment on LicenseTerm { period autoRenewal }
fragment LicensePoolFragment on LicensePool { id name size usage term { ...LicenseTermFragment } }
fragment LicenseFragment on License {
  pool { ...LicensePoolFragment }
  term { ...LicenseTermFragment }
  startTime
  endTime
  status
}
fragment ReadingFragment on Reading { time obisCode value unit }
fragment MeterFragment on Meter { id number latestReadings { ...ReadingFragment } }
fragment DeviceFragment on Device {
  id
  bridge { connectionStatus }
  core { connectionStatus attachmentStatus batteryLevel powerStatus pinStatus }
  localHttpPushStatus
}
fragment InstallationFragment on Installation {
  id
  externalId
  license { ...LicenseFragment }
  meters { ...MeterFragment }
  currentMeter { ...MeterFragment }
  devices { ...DeviceFragment }
  currentDevice { ...DeviceFragment }
}
"""

INSTALLATIONS = (
    "query I($pagination: Pagination) { provider { installations(pagination: $pagination) "
    "{ ...InstallationFragment } } }" + FRAGMENTS
)

ONE = (
    "query I($id: Uuid, $externalId: String) { provider { installation(id: $id, externalId: $externalId) "
    "{ ...InstallationFragment } } }" + FRAGMENTS
)

NAME = "{ provider { name } }"

READINGS = """
query Readings($startTime: DateTime, $limit: Int, $cursor: String) {
  provider {
    readings(startTime: $startTime, limit: $limit, cursor: $cursor) {
      readings {
        meter { id number }
        installation { id externalId }
        time
        receiveTime
        values { obisCode value unit }
      }
      cursor
    }
  }
}
"""

SUBSCRIPTION = """
subscription Readings($startTime: DateTime) {
  readings(startTime: $startTime) {
    meter { id number }
    installation { id externalId }
    time
    receiveTime
    values { obisCode value unit }
  }
}
"""


def authorization(simulation: ProviderSimulation) -> str:
    """The header that the simulation wants."""
    pair = f"{simulation.credentials.token}:{simulation.credentials.secret}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def stamp(moment: float) -> str:
    """A unix time as the API writes it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unix(text: str) -> float:
    """A time of the API as unix time."""
    return datetime.fromisoformat(text).timestamp()


@asynccontextmanager
async def session(simulation: ProviderSimulation, **options: Any) -> AsyncIterator[AsyncClientSession]:
    """A gql session for queries and mutations."""
    transport = HTTPXAsyncTransport(
        simulation.url, headers={"Authorization": authorization(simulation)}, trust_env=False, verify=False
    )
    async with Client(transport=transport, **options) as opened:
        yield opened


@asynccontextmanager
async def subscriber(simulation: ProviderSimulation, **options: Any) -> AsyncIterator[AsyncClientSession]:
    """A gql session for subscriptions; its token and secret stand in `connection_init`."""
    options.setdefault("init_payload", {"Authorization": authorization(simulation)})
    url = simulation.url.replace("http", "ws", 1)
    # A client that stops to read what it has subscribed to could not read the server's goodbye either.
    options.setdefault("connect_args", {"max_queue": None})
    transport = WebsocketsTransport(url, subprotocols=["graphql-transport-ws"], close_timeout=1, **options)
    async with Client(transport=transport) as opened:
        yield opened


async def subscribed(simulation: ProviderSimulation, count: int = 1) -> None:
    """Wait until so many subscriptions have seen all there is."""
    async with asyncio.timeout(30):
        while simulation.cloud.live_count != count:  # noqa: ASYNC110 (the simulation knows no tests)
            await asyncio.sleep(0)


async def ask(opened: AsyncClientSession, query: str, **variables: Any) -> Any:
    """What a query gives; GraphQL errors are raised."""
    return await opened.execute(GraphQLRequest(query, variable_values=variables))


async def post(simulation: ProviderSimulation, query: str, **variables: Any) -> httpx.Response:
    """The answer to a query, whatever it is."""
    # Without TLS there is nothing to verify, and to read all authorities takes longer than the request.
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        return await client.post(
            simulation.url,
            json={"query": query, "variables": variables},
            headers={"Authorization": authorization(simulation)},
        )


async def walk(simulation: ProviderSimulation, limit: int = 100, **variables: Any) -> list[dict[str, Any]]:
    """All readings, page after page until the cursor is null."""
    found: list[dict[str, Any]] = []
    async with session(simulation) as opened:
        cursor = None
        while True:
            answer = await ask(opened, READINGS, limit=limit, cursor=cursor, **variables)
            page = answer["provider"]["readings"]
            assert len(page["readings"]) == limit or page["cursor"] is None
            found += page["readings"]
            cursor = page["cursor"]
            if cursor is None:
                return found


async def take(opened: AsyncClientSession, count: int, **variables: Any) -> list[dict[str, Any]]:
    """The first messages of the subscription to readings."""
    found: list[dict[str, Any]] = []
    messages = opened.subscribe(GraphQLRequest(SUBSCRIPTION, variable_values=variables))
    # gql waits for the end of a subscription that is not closed: closing the socket would take a second.
    async with aclosing(messages), asyncio.timeout(30):
        async for message in messages:
            found.append(message["readings"])
            if len(found) == count:
                break
    return found


async def error_of(simulation: ProviderSimulation, query: str, **variables: Any) -> str:
    """The first GraphQL error of an answer."""
    response = await post(simulation, query, **variables)
    assert response.json()["errors"]
    return str(response.json()["errors"][0]["message"])


async def statuses(simulation: ProviderSimulation, count: int) -> list[int]:
    """How so many requests, one after the other, are answered."""
    return [(await post(simulation, NAME)).status_code for _ in range(count)]


@asynccontextmanager
async def plain_socket(simulation: ProviderSimulation) -> AsyncIterator[ClientConnection]:
    """A socket on which nothing has been said."""
    url = simulation.url.replace("http", "ws", 1)
    async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], proxy=None) as opened:
        yield opened


async def greet(opened: ClientConnection, payload: Any) -> None:
    """Begin the protocol with this payload."""
    await opened.send(json.dumps({"type": "connection_init", "payload": payload}))


async def close_code(opened: ClientConnection) -> int:
    """The code with which the server closes a socket, without another message."""
    with pytest.raises(ConnectionClosed) as closed:
        await opened.recv()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code
