"""Who may ask the simulated cloud, over HTTP and by socket."""

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest
from gql.transport.exceptions import TransportConnectionFailed, TransportError
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from iometer_exporter.simulator.cloud import ProviderSimulation
from tests.simulator.conftest import Clock
from tests.simulator.provider_client import (
    NAME,
    SUBSCRIPTION,
    authorization,
    close_code,
    greet,
    plain_socket,
    stamp,
    statuses,
    subscribed,
    subscriber,
    take,
)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer abc", "Basic", "Basic ???", "Basic eDp5", "Basic c2ltdWxhdGVkLXRva2VuOg=="]
)
async def test_who_has_no_secret_gets_401(clock: Clock, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with (
        ProviderSimulation(clock=clock) as simulation,
        httpx.AsyncClient(trust_env=False, verify=False) as client,
    ):
        response = await client.post(simulation.url, json={"query": NAME}, headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Basic")
        assert "Simulated" not in response.text
        assert simulation.statuses == {401: 1}


async def test_a_new_secret_ends_the_old_one(clock: Clock) -> None:
    async with ProviderSimulation(token="ours", secret="a:b", clock=clock) as simulation:
        old = {"Authorization": authorization(simulation)}
        assert await statuses(simulation, 1) == [200]
        simulation.credentials.secret = "new"
        assert await statuses(simulation, 1) == [200]
        async with httpx.AsyncClient(trust_env=False, verify=False, headers=old) as client:
            assert (await client.post(simulation.url, json={"query": NAME})).status_code == 401


@pytest.mark.parametrize("payload", [None, {}, {"Authorization": "Basic eDp5"}, {"Authorization": 5}])
async def test_a_socket_without_a_secret_is_closed(clock: Clock, payload: Any) -> None:
    async with ProviderSimulation(clock=clock) as simulation, plain_socket(simulation) as socket:
        await greet(socket, payload)
        assert await close_code(socket) == 4403


async def test_a_socket_may_have_its_secret_in_the_header(clock: Clock) -> None:
    async with ProviderSimulation(installations=1, clock=clock) as simulation:
        header = {"Authorization": authorization(simulation)}
        async with subscriber(simulation, init_payload={}, headers=header) as opened:
            assert await take(opened, 1, startTime=stamp(clock() - 3_600))
        with pytest.raises(InvalidStatus, match="401"):
            await connect(
                simulation.url.replace("http", "ws", 1),
                additional_headers={"Authorization": "Basic eDp5"},
                proxy=None,
            )


async def test_a_subscription_before_the_greeting_is_refused(clock: Clock) -> None:
    async with ProviderSimulation(clock=clock) as simulation, plain_socket(simulation) as socket:
        await socket.send('{"type": "subscribe", "id": "1", "payload": {"query": "{ provider { id } }"}}')
        assert await close_code(socket) == 4401


@pytest.mark.parametrize(
    "text", ["{", "5", "[]", "{}", '{"type": "dance"}', '{"type": "subscribe", "id": "1"}']
)
async def test_nonsense_on_a_socket_costs_only_itself(
    clock: Clock, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with ProviderSimulation(installations=1, clock=clock) as simulation:
        async with plain_socket(simulation) as socket:
            await greet(socket, {"Authorization": authorization(simulation)})
            assert "connection_ack" in str(await socket.recv())
            await socket.send(text)
            assert await close_code(socket) == 4400
        async with subscriber(simulation) as opened:
            assert await take(opened, 1, startTime=stamp(clock() - 3_600))
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("leaving", ["a body", "a handshake", "a backlog"])
async def test_a_client_that_is_refused_or_leaves_is_nothing_to_complain_of(
    clock: Clock, leaving: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with ProviderSimulation(installations=50, clock=clock) as simulation:
        if leaving == "a body":
            _, writer = await asyncio.open_connection("127.0.0.1", simulation.port)
            head = f"POST /v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization(simulation)}\r\n"
            head += "Content-Type: application/json\r\nContent-Length: 99\r\n\r\n"
            writer.write(f'{head}{{"query"'.encode())
            await asyncio.sleep(0.05)
            writer.close()
        elif leaving == "a handshake":
            simulation.refuse_sockets = True
            with pytest.raises(InvalidStatus, match="503"):
                async with plain_socket(simulation):
                    pass
        else:
            async with plain_socket(simulation) as socket:
                await greet(socket, {"Authorization": authorization(simulation)})
                await socket.recv()
                payload = {"query": SUBSCRIPTION, "variables": {"startTime": stamp(clock() - 86_000)}}
                await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
                await socket.recv()
                socket.transport.abort()
        assert await statuses(simulation, 2) == [200, 200]
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_revoked_token_ends_everything_until_there_is_a_new_one(clock: Clock) -> None:
    async with ProviderSimulation(installations=1, clock=clock) as simulation:
        async with subscriber(simulation) as opened:
            taking = asyncio.create_task(take(opened, 1))
            await subscribed(simulation)
            simulation.revoke()
            with pytest.raises(TransportConnectionFailed):
                await taking
        assert await statuses(simulation, 1) == [401]
        with pytest.raises(TransportError):
            async with subscriber(simulation):
                pass
        simulation.faults.kinds.clear()
        assert await statuses(simulation, 1) == [200]
