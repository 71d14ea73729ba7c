"""The socket of a subscription: how it is opened, what bad messages cost, how it ends."""

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request as Upgrade
from websockets.http11 import Response

from iometer_exporter.errors import ProviderError
from iometer_exporter.meter.obis import ENERGY_IMPORT, POWER
from iometer_exporter.provider.api import websocket
from iometer_exporter.provider.api.client import ProviderClient
from iometer_exporter.provider.api.models import MeterReading, ScheduledReading
from tests.provider.api import CREDENTIALS, Talk, accept, certificate, push, socket_api

START = datetime(2024, 12, 31, 12, 30, 15, tzinfo=UTC)


def message(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "meter": {"id": "m1", "number": "1EMH0007058153"},
        "installation": {"id": "i1", "externalId": "customer-1"},
        "time": f"2024-12-31T12:00:{number:02}Z",
        "receiveTime": f"2024-12-31T12:01:{number:02}+00:00",
        "values": [
            {"obisCode": "01-00:01.08.00*ff", "value": 1000.5 + number, "unit": "Wh"},
            {"obisCode": "1-0:16.7.0", "value": -12, "unit": "W"},
        ],
    } | changes


async def collect(
    talk: Talk, *, most: int | None = None, timeout: float = 5.0, **settings: Any
) -> tuple[list[MeterReading | ProviderError], ProviderError | None]:
    """What the subscription gives, and the error that ended it."""
    found: list[MeterReading | ProviderError] = []
    async with (
        socket_api(talk, **settings) as api,
        ProviderClient(api.url, CREDENTIALS, timeout=timeout) as client,
        asyncio.timeout(10),
    ):
        stream = client.subscribe(START)
        try:
            async for item in stream:
                found.append(item)
                if len(found) == most:
                    await stream.aclose()
        except ProviderError as error:
            return found, error
    return found, None


async def test_a_subscription_from_its_opening_to_its_end() -> None:
    seen: list[Any] = []

    async def talk(socket: ServerConnection) -> None:
        assert socket.request is not None
        seen.append((socket.request.path, socket.request.headers["Authorization"], socket.subprotocol))
        seen.append(await accept(socket))
        await push(socket, data={"readings": message(1)})
        await socket.send(json.dumps({"id": "1", "type": "complete"}))
        await socket.wait_closed()

    [reading], error = await collect(talk)
    assert error is None
    assert isinstance(reading, MeterReading)
    assert (reading.installation_id, reading.external_id, reading.meter_id) == ("i1", "customer-1", "m1")
    assert reading.received == datetime(2024, 12, 31, 12, 1, 1, tzinfo=UTC)
    assert reading.reading.time == datetime(2024, 12, 31, 12, 0, 1, tzinfo=UTC)
    assert reading.reading.meter == "1EMH0007058153"
    assert reading.reading.registers[ENERGY_IMPORT].value == Decimal("1001.5")
    assert reading.reading.registers[POWER].value == Decimal(-12)
    assert reading.reading.problems == ()
    upgrade, (opening, subscription) = seen
    assert upgrade == ("/v1/query", CREDENTIALS.authorization, "graphql-transport-ws")
    assert opening == {"Authorization": CREDENTIALS.authorization}
    assert subscription["variables"] == {"startTime": "2024-12-31T12:30:15Z"}
    assert "subscription Readings" in subscription["query"]


async def test_opened_is_called_before_the_first_reading_comes() -> None:
    release = asyncio.Event()

    async def talk(socket: ServerConnection) -> None:
        await accept(socket)
        await release.wait()
        await push(socket, data={"readings": message(1)})
        await socket.wait_closed()

    async with socket_api(talk) as api, ProviderClient(api.url, CREDENTIALS) as client, asyncio.timeout(10):
        stream = client.subscribe(None, opened=release.set)
        assert isinstance(await anext(stream), MeterReading)
        await stream.aclose()


async def test_a_bad_message_costs_itself() -> None:
    async def talk(socket: ServerConnection) -> None:
        await accept(socket)
        await push(socket, data={"readings": message(1)})
        await push(socket, data={"readings": message(2, time=None)})
        await push(socket, data={"readings": message(3, meter={"number": "x"})})
        await push(socket, data={"readings": "no"})
        await push(socket, data=None, errors=[{"message": "ill", "path": ["readings"]}])
        await push(socket, data={"readings": message(4)}, errors=[{"message": "odd"}])
        await push(
            socket, data={"readings": message(5, values=[{"obisCode": "x", "value": 1, "unit": "Wh"}])}
        )
        await socket.send(json.dumps({"type": "ping"}))
        assert json.loads(await socket.recv()) == {"type": "pong"}
        await push(socket, data={"readings": message(6)})
        await socket.wait_closed()

    found, error = await collect(talk, most=9)
    assert error is None
    bad = "invalid_document: sent a bad readings:"
    assert [
        f"{item.reason}: {item.what_happened}"
        if isinstance(item, ProviderError)
        else item.reading.time.second
        for item in found
    ] == [
        1,
        f"{bad} time is missing, expected a time such as '2024-11-11T11:11:00Z'",
        f"{bad} meter.id is missing, expected a text",
        f"{bad} it is not an object",
        "graphql: refused the request: ill (readings)",
        "graphql: refused the request: odd",
        4,
        5,
        6,
    ]
    odd = found[7]
    assert isinstance(odd, MeterReading)
    assert odd.reading.registers == {}
    assert odd.reading.problems == (
        "values[0].obisCode 'x' is not an OBIS code such as '01-00:01.08.00*ff' or '1-0:1.8.0'",
    )


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        "null",
        '{"type": "next", "payload": {}}',
        '{"type": "next", "id": "1", "payload": []}',
        '{"type": "error", "id": "1", "payload": {}}',
        '{"type": "error", "id": "1", "payload": []}',
        '{"type": "surprise"}',
        b"binary",
    ],
)
async def test_a_message_that_is_none_of_the_protocol_ends_the_socket(text: str | bytes) -> None:
    async def talk(socket: ServerConnection) -> None:
        await accept(socket)
        await push(socket, data={"readings": message(1)})
        await socket.send(text)
        await socket.wait_closed()

    found, error = await collect(talk)
    assert len(found) == 1
    assert error is not None
    assert error.reason in ("invalid_json", "invalid_document")
    assert len(str(error)) < 200


async def test_an_error_of_the_operation_ends_it() -> None:
    async def talk(socket: ServerConnection) -> None:
        await accept(socket)
        await socket.send(json.dumps({"id": "1", "type": "error", "payload": [{"message": "no field"}]}))
        await socket.wait_closed()

    found, error = await collect(talk)
    assert found == []
    assert error is not None
    assert (error.reason, error.what_happened) == ("graphql", "refused the request: no field")


@pytest.mark.parametrize(
    ("code", "reason", "text"),
    [
        (4401, "unauthorized", "check the token of /run/token and the secret of /run/secret"),
        (4403, "unauthorized", "check the token of /run/token and the secret of /run/secret"),
        (4429, "rate_limited", "asks for fewer requests"),
        (1012, "connect", "closed the socket (code 1012)"),
        (1000, "connect", "closed the socket (code 1000)"),
    ],
)
@pytest.mark.parametrize("accepted", [False, True])
async def test_how_the_socket_is_closed_is_the_reason(
    code: int, reason: str, text: str, accepted: bool
) -> None:
    async def talk(socket: ServerConnection) -> None:
        if accepted:
            await accept(socket)
        else:
            await socket.recv()
        await socket.close(code, "the-secret is wrong")

    found, error = await collect(talk)
    assert found == []
    assert error is not None
    assert error.reason == reason
    assert text in str(error)
    assert "the-secret" not in str(error)


async def test_a_connection_that_breaks() -> None:
    async def talk(socket: ServerConnection) -> None:
        await accept(socket)
        await push(socket, data={"readings": message(1)})
        socket.transport.abort()

    found, error = await collect(talk)
    assert len(found) == 1
    assert error is not None
    assert (error.reason, error.what_happened) == ("connect", "closed the socket (code 1006)")


def refusing(status: int, headers: Sequence[tuple[str, str]] = ()) -> Any:
    def process_request(socket: ServerConnection, _request: Upgrade) -> Response:
        response = socket.respond(status, "no\n")
        for name, value in headers:
            response.headers[name] = value
        return response

    return process_request


async def never(socket: ServerConnection) -> None:
    raise AssertionError


@pytest.mark.parametrize(
    ("status", "headers", "reason", "retry_after"),
    [
        (401, [], "unauthorized", None),
        (403, [], "unauthorized", None),
        (429, [("Retry-After", "9")], "rate_limited", 9.0),
        (503, [("Retry-After", "3")], "http_status", 3.0),
        (200, [], "http_status", None),
        (400, [], "http_status", None),
    ],
)
async def test_a_socket_that_is_refused(
    status: int, headers: list[tuple[str, str]], reason: str, retry_after: float | None
) -> None:
    found, error = await collect(never, process_request=refusing(status, headers))
    assert found == []
    assert error is not None
    assert (error.reason, error.retry_after) == (reason, retry_after)


async def test_credentials_follow_no_redirect_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:1")
    reached = False

    async def talk(socket: ServerConnection) -> None:
        nonlocal reached
        reached = True

    async with socket_api(talk) as other:
        location = other.url.replace("http:", "ws:")
        redirect = refusing(302, [("Location", location)])
        found, error = await collect(never, process_request=redirect)
    assert (found, reached) == ([], False)
    assert error is not None
    assert (error.reason, error.what_happened) == ("http_status", "answered 302, a redirect: not followed")


async def test_a_server_that_never_accepts_costs_the_timeout() -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.wait_closed()

    found, error = await collect(talk, timeout=0.2)
    assert found == []
    assert error is not None
    assert (error.reason, error.what_happened) == ("timeout", "did not answer in time")


async def test_a_server_of_the_old_protocol_is_refused() -> None:
    _, error = await collect(never, subprotocol="graphql-ws")
    assert error is not None
    assert error.reason in ("protocol", "http_status")


async def test_a_server_that_chooses_no_protocol_is_refused() -> None:
    server = await serve(never, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"
    async with server, ProviderClient(url, CREDENTIALS) as client, asyncio.timeout(60):
        with pytest.raises(ProviderError) as caught:
            await anext(client.subscribe(None))
    assert caught.value.reason == "invalid_document"


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n"])
async def test_what_is_no_websocket(answer: bytes) -> None:
    async def garbage(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(garbage, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, ProviderClient(url, CREDENTIALS) as client, asyncio.timeout(60):
        with pytest.raises(ProviderError, match="does not speak WebSocket") as caught:
            await anext(client.subscribe(None))
    assert caught.value.reason == "protocol"


async def test_pings_are_answered_from_the_beginning_on() -> None:
    async def talk(socket: ServerConnection) -> None:
        assert json.loads(await socket.recv())["type"] == "connection_init"
        for word in ("pong", "ping"):
            await socket.send(json.dumps({"type": word, "payload": {}}))
        assert json.loads(await socket.recv()) == {"type": "pong"}
        await socket.send(json.dumps({"type": "connection_ack", "payload": None}))
        assert json.loads(await socket.recv())["type"] == "subscribe"
        await push(socket, data={"readings": message(1)})
        await socket.wait_closed()

    found, error = await collect(talk, most=1)
    assert (len(found), error) == (1, None)


async def test_a_subscription_that_begins_without_its_acknowledgement_is_none() -> None:
    async def talk(socket: ServerConnection) -> None:
        await push(socket, data={"readings": message(1)})
        await socket.wait_closed()

    found, error = await collect(talk)
    assert found == []
    assert error is not None
    assert (error.reason, error.what_happened) == (
        "invalid_document",
        "sent what is not an answer to a GraphQL request",
    )


async def test_messages_of_another_subscription_are_no_business_of_this_one() -> None:
    async def talk(socket: ServerConnection) -> None:
        await accept(socket)
        for kind in ("next", "error", "complete"):
            await socket.send(json.dumps({"id": "2", "type": kind, "payload": [{"message": "x"}]}))
        await push(socket, data={"readings": message(1)})
        await socket.wait_closed()

    found, error = await collect(talk, most=1)
    assert (len(found), error) == (1, None)


async def test_a_server_that_takes_no_goodbye_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "_CLOSE_SECONDS", 0.05)
    gone = asyncio.Event()

    async def talk(socket: ServerConnection) -> None:
        await accept(socket)
        await push(socket, data={"readings": message(1)})
        socket.transport.pause_reading()
        await gone.wait()
        socket.transport.abort()

    async with socket_api(talk) as api, ProviderClient(api.url, CREDENTIALS) as client, asyncio.timeout(60):
        stream = client.subscribe(None)
        assert isinstance(await anext(stream), MeterReading)
        await stream.aclose()
        gone.set()


async def test_a_message_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "LARGEST_MESSAGE_BYTES", 70_000)

    async def talk(socket: ServerConnection) -> None:
        await accept(socket)
        await push(socket, data={"readings": message(1)}, padding="x" * 71_000)
        await socket.wait_closed()

    _, error = await collect(talk)
    assert error is not None
    assert (error.reason, error.what_happened) == ("too_large", "sent a message that is too large")


async def test_certificates_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(socket: ServerConnection) -> None:
        await accept(socket)
        await push(socket, data={"readings": message(1)})
        await socket.wait_closed()

    context, authority = certificate()
    found, error = await collect(talk, ssl=context)
    assert found == []
    assert error is not None
    assert error.reason == "connect"
    assert "certificate" in str(error)
    (tmp_path / "authority.pem").write_bytes(authority)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    found, error = await collect(talk, ssl=context, most=1)
    assert (len(found), error) == (1, None)


async def test_a_cancelled_subscription_leaves_nothing_behind() -> None:
    closed = asyncio.Event()

    async def talk(socket: ServerConnection) -> None:
        await accept(socket)
        assert json.loads(await socket.recv()) == {"id": "1", "type": "complete"}
        await socket.wait_closed()
        closed.set()

    async with socket_api(talk) as api, ProviderClient(api.url, CREDENTIALS) as client, asyncio.timeout(10):
        opened = asyncio.Event()

        async def read() -> None:
            async for _ in client.subscribe(None, opened=opened.set):
                pass

        before = asyncio.all_tasks()
        task = asyncio.create_task(read())
        await opened.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await closed.wait()
        # The server's own come to their end a little later.
        while asyncio.all_tasks() - before:  # noqa: ASYNC110 (tasks tell nobody of their end)
            await asyncio.sleep(0.001)


async def test_scheduled_readings() -> None:
    item = {
        "meter": {"id": "m1", "number": "1EMH", "installation": {"id": "i1", "externalId": None}},
        "time": "2024-12-31T12:00:00Z",
        "obisCode": "01-00:01.08.00*ff",
        "value": 987.65,
        "unit": "Wh",
    }
    seen: list[Any] = []

    async def talk(socket: ServerConnection) -> None:
        seen.append(await accept(socket))
        await push(socket, data={"scheduledReadings": item})
        await push(socket, data={"scheduledReadings": item | {"unit": None}})
        await socket.send(json.dumps({"id": "1", "type": "complete"}))
        await socket.wait_closed()

    async with socket_api(talk) as api, ProviderClient(api.url, CREDENTIALS) as client, asyncio.timeout(10):
        good, bad = [each async for each in client.subscribe_scheduled(["1-0:1.8.0"])]
    assert isinstance(good, ScheduledReading)
    assert (good.installation_id, good.external_id, good.meter_id) == ("i1", "", "m1")
    assert good.reading.meter == "1EMH"
    assert [register.value for register in good.reading.registers.values()] == [Decimal("987.65")]
    assert isinstance(bad, ProviderError)
    assert bad.what_happened == "sent a bad scheduledReadings: unit is missing, expected a text"
    assert seen[0][1]["variables"] == {"obisCodes": ["1-0:1.8.0"]}


async def test_nothing_secret_is_logged_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    async def talk(socket: ServerConnection) -> None:
        await accept(socket)
        await push(socket, data={"readings": message(1)})
        await socket.close(4401)

    caplog.set_level(logging.DEBUG)
    # The server of this test logs as the client would.
    _, error = await collect(talk, logger=logging.Logger("of the server"))
    assert error is not None
    assert "the-token" not in caplog.text
    assert CREDENTIALS.authorization.removeprefix("Basic ") not in caplog.text
