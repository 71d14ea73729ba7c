"""Requests and subscriptions that are given up, at every one of their waits: nothing is lost with them."""

import asyncio
import gzip
import json
import os
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from websockets.asyncio.server import ServerConnection

from iometer_exporter.errors import ProviderError
from iometer_exporter.provider.api import transport
from iometer_exporter.provider.api.client import ProviderClient
from iometer_exporter.provider.api.models import MeterReading
from tests.provider.api import (
    CREDENTIALS,
    Api,
    Request,
    accept,
    answer,
    certificate,
    http_api,
    push,
    socket_api,
)
from tests.provider.stepping import Moment, cancelled_at
from tests.provider.test_subscription import message

PATIENCE = 60.0
ACCOUNT = {"provider": {"id": "p", "name": "Provider", "signingKeys": [], "licensePools": []}}
ZIPPED = gzip.compress(json.dumps({"data": ACCOUNT}).encode())
GOOD = answer(ZIPPED, headers="Content-Encoding: gzip\r\n")
MOMENTS: tuple[Moment, ...] = get_args(Moment)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (it waits for sockets and tasks, which tell nobody)
            await asyncio.sleep(0.001)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Within it, neither a task nor a descriptor comes to stay."""
    tasks, files = asyncio.all_tasks(), descriptors()
    yield
    await until(lambda: asyncio.all_tasks() <= tasks and descriptors() <= files)


@pytest.fixture(autouse=True)
def one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool with a single place, so that the loss of one is seen at once."""
    monkeypatch.setattr(transport, "_LIMITS", httpx.Limits(max_connections=1))


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    context, authority = certificate()
    (tmp_path / "authority.pem").write_bytes(authority)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return context


async def pieces(_request: Request) -> list[bytes]:
    return [GOOD[:10], GOOD[10:-40], GOOD[-40:-1], GOOD[-1:]]


async def every_wait(client: ProviderClient, moment: Moment, *, new: bool) -> int:
    """Cancel a request at each of its waits, on a kept connection or a new one; how many waits there are."""
    for wait in count(1):
        if new:
            await client.__aexit__(None, None, None)
        cancelled = await cancelled_at(wait, moment, client.account()) is None
        async with asyncio.timeout(PATIENCE):
            assert (await client.account()).id == "p"
        if not cancelled:
            return wait
    raise AssertionError


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("new", [False, True])
async def test_a_request_that_is_cancelled_at_any_wait_costs_no_other(moment: Moment, new: bool) -> None:
    async with nothing_left(), http_api(pieces) as api:
        async with ProviderClient(api.url, CREDENTIALS, timeout=5.0) as client:
            assert await every_wait(client, moment, new=new) > 4
            await until(lambda: api.open <= 1)
        await until(lambda: api.open == 0)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_request_over_tls_likewise(moment: Moment, tls: Any) -> None:
    async with nothing_left(), http_api(pieces, tls) as api:
        async with ProviderClient(api.url, CREDENTIALS, timeout=5.0) as client:
            assert await every_wait(client, moment, new=True) > 6
            await until(lambda: api.open <= 1)
        await until(lambda: api.open == 0)


async def test_deadlines_about_the_time_of_the_answer_cost_no_later_request() -> None:
    chance = random.Random(11)

    async def late(_request: Request) -> bytes:
        await asyncio.sleep(chance.uniform(0, 0.004))
        return GOOD

    ends: set[str] = set()

    async def ask(api: Api, client: ProviderClient) -> None:
        client._timeout = chance.uniform(0, 2 * usual)
        try:
            await client.account()
            ends.add("answered")
        except ProviderError as error:
            ends.add(error.reason)

    async with nothing_left(), http_api(late) as api:
        async with ProviderClient(api.url, CREDENTIALS) as client:
            await client.account()
            begin = time.perf_counter()
            await asyncio.gather(*(client.account() for _ in range(4)))
            # A busy machine needs longer.
            usual = time.perf_counter() - begin
            for _ in range(100):
                await asyncio.gather(*(ask(api, client) for _ in range(4)))
            assert ends == {"answered", "timeout"}
            client._timeout = PATIENCE
            for found in await asyncio.gather(*(client.account() for _ in range(8))):
                assert found.id == "p"
        await until(lambda: api.open == 0)


async def test_an_event_loop_that_was_late_costs_no_later_request() -> None:
    """The answers wait in the kernel while the deadline passes: cancel and answer come in one turn."""
    async with nothing_left(), http_api(pieces) as api, ProviderClient(api.url, CREDENTIALS) as client:
        for delay in range(8):
            client._timeout = 0.02
            asks = [asyncio.create_task(client.account()) for _ in range(4)]
            for _ in range(delay):
                await asyncio.sleep(0)
            time.sleep(0.03)  # noqa: ASYNC251 (what is tested)
            await asyncio.gather(*asks, return_exceptions=True)
            client._timeout = PATIENCE
            assert (await client.account()).id == "p"


@pytest.mark.parametrize("secure", [False, True])
async def test_a_client_that_is_closed_ends_what_still_runs(secure: bool, tls: Any) -> None:
    """Also a TLS handshake that the other side never answers."""
    reached, ended = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        while await reader.read(1000):
            pass
        writer.close()
        ended.set()

    async with (
        nothing_left(),
        asyncio.timeout(PATIENCE),
        await asyncio.start_server(silent, "127.0.0.1", 0) as server,
    ):
        url = f"http{'s' if secure else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with ProviderClient(url, CREDENTIALS) as client:
            asked = asyncio.create_task(client.account())
            await reached.wait()
        with pytest.raises(ProviderError, match="cannot be reached: the request was given up"):
            await asked
        await ended.wait()


async def talk(socket: ServerConnection) -> None:
    await accept(socket)
    await socket.send(json.dumps({"type": "ping"}))
    for number in range(3):
        await push(socket, data={"readings": message(number)})
    await socket.wait_closed()


async def subscribed(client: ProviderClient, most: int) -> int:
    """Take so many readings and close the subscription."""
    stream = client.subscribe(None)
    taken = 0
    try:
        async for item in stream:
            assert isinstance(item, MeterReading)
            taken += 1
            if taken == most:
                break
    finally:
        await stream.aclose()
    return taken


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("secure", [False, True])
async def test_a_subscription_that_is_cancelled_at_any_wait_leaves_nothing(
    moment: Moment, secure: bool, tls: Any
) -> None:
    async with (
        nothing_left(),
        socket_api(talk, ssl=tls if secure else None) as api,
        ProviderClient(api.url, CREDENTIALS, timeout=5.0) as client,
    ):
        for wait in count(1):
            taken = await cancelled_at(wait, moment, subscribed(client, 2))
            await until(lambda: api.open == 0)
            async with asyncio.timeout(PATIENCE):
                assert await subscribed(client, 1) == 1
            if taken is not None:
                break
        assert wait > 5


async def test_a_second_cancel_cuts_a_goodbye_short() -> None:
    async def deaf(socket: ServerConnection) -> None:
        await accept(socket)
        await push(socket, data={"readings": message(1)})
        socket.transport.pause_reading()
        await ended.wait()
        socket.transport.abort()

    ended = asyncio.Event()

    async with nothing_left(), socket_api(deaf) as api, ProviderClient(api.url, CREDENTIALS) as client:
        first, before = asyncio.Event(), descriptors()

        async def read() -> None:
            async for _ in client.subscribe(None):
                first.set()

        task = asyncio.create_task(read())
        await first.wait()
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # The server's end of it is still there, and knows nothing.
        await until(lambda: descriptors() == before + 1)
        ended.set()
