import asyncio
import json

import httpx
import pytest

from iometer_exporter.simulator import ENDPOINTS, Endpoint, SimulatedBridge
from tests.waiting import until

from .conftest import Clock, Connect, Start, fetch


async def test_serves_both_documents(start: Start) -> None:
    bridge = await start()
    reading, status = await fetch(bridge, "/v1/reading"), await fetch(bridge, "/v1/status?x=1")
    assert (reading.status, reading.fields["content-type"]) == (200, "application/json")
    assert reading.document == bridge.reading()
    assert status.document == bridge.status()
    assert bridge.requests == {"reading": 1, "status": 1}


async def test_httpx_reads_it_on_one_kept_connection(start: Start) -> None:
    bridge = await start()
    async with httpx.AsyncClient(base_url=bridge.url, trust_env=False, verify=False) as client:
        for _ in range(5):
            assert (await client.get("/v1/reading")).json() == bridge.reading()
    assert (bridge.connections, bridge.requests["reading"]) == (1, 5)


async def test_counts_open_connections(start: Start, connect: Connect) -> None:
    bridge = await start()
    clients = [await connect(bridge) for _ in range(3)]
    await until(lambda: bridge.open_connections == 3)
    for client in clients[1:]:
        await client.close()
    await until(lambda: bridge.open_connections == 1)
    assert (bridge.most_connections, bridge.connections) == (3, 3)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/readings", "/v2/reading"])
async def test_other_paths_are_not_found(start: Start, path: str) -> None:
    bridge = await start()
    assert (await fetch(bridge, path)).status == 404
    assert bridge.requests == {"other": 1}


async def test_only_get_is_allowed(start: Start, connect: Connect) -> None:
    client = await connect(await start())
    client.send("POST /v1/reading HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}")
    answer = await client.answer()
    assert (answer.status, answer.fields["allow"]) == (405, "get")
    assert await client.ended()


async def test_pipelined_requests_are_answered_in_turn(start: Start, connect: Connect) -> None:
    bridge = await start()
    client = await connect(bridge)
    client.send("GET /v1/reading HTTP/1.1\n\nGET /v1/status HTTP/1.1\n\nGET /v1/reading HTT")
    assert (await client.answer()).document == bridge.reading()
    assert (await client.answer()).document == bridge.status()
    client.send("P/1.1\n\n")
    assert (await client.answer()).document == bridge.reading()


async def test_request_that_comes_during_an_answer_waits(start: Start, connect: Connect) -> None:
    bridge = await start(latency=0.02)
    client = await connect(bridge)
    client.get("/v1/reading")
    await until(lambda: bridge.requests["reading"] == 1)
    client.get("/v1/status")
    assert (await client.answer()).document == bridge.reading()
    assert (await client.answer()).document == bridge.status()


async def test_pipelined_request_after_the_last_is_ignored(start: Start, connect: Connect) -> None:
    bridge = await start()
    client = await connect(bridge)
    client.send("GET /v1/status HTTP/1.1\nConnection: close\n\nGET /v1/status HTTP/1.1\n\n")
    assert (await client.answer()).status == 200
    assert await client.ended()
    assert bridge.requests["status"] == 1


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        ("1.1", "", True),
        ("1.1", "Connection: close\n", False),
        ("1.0", "", False),
        ("1.0", "Connection: Keep-Alive\n", True),
    ],
)
async def test_keeps_alive_as_asked(
    start: Start, connect: Connect, version: str, connection: str, kept: bool
) -> None:
    client = await connect(await start())
    client.send(f"GET /v1/status HTTP/{version}\n{connection}\n")
    answer = await client.answer()
    assert answer.fields["connection"] == ("keep-alive" if kept else "close")
    if kept:
        client.get("/v1/status")
        assert (await client.answer()).status == 200
    else:
        assert await client.ended()


@pytest.mark.parametrize(
    "head",
    [
        "nonsense",
        "GET /v1/reading HTTP/9",
        "GET  /v1/reading HTTP/1.1",
        "GET / HTTP/1.1\nno colon",
        "GET / HTTP/1.1\n x: y",
    ],
)
async def test_nonsense_is_a_bad_request(start: Start, connect: Connect, head: str) -> None:
    client = await connect(await start())
    client.send(f"{head}\n\n")
    assert (await client.answer()).status == 400
    assert await client.ended()


async def test_head_is_bounded(start: Start, connect: Connect) -> None:
    client = await connect(await start())
    client.send("GET / HTTP/1.1\n" + "x: y\n" * 2000)
    assert (await client.answer()).status == 431


async def test_what_a_client_sends_while_it_waits_is_bounded(start: Start, connect: Connect) -> None:
    bridge = await start("hang")
    client = await connect(bridge)
    client.get("/v1/reading")
    await until(lambda: bridge.requests["reading"] == 1)
    client.send("x" * 10_000)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await client.answer()


async def test_latency_delays_each_answer(start: Start) -> None:
    bridge = await start(latency=0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await fetch(bridge, "/v1/reading")
    assert loop.time() - began > 0.045


@pytest.mark.parametrize(("kind", "path"), [("no-reading", "reading"), ("no-status", "status")])
async def test_endpoint_not_found(start: Start, kind: str, path: str) -> None:
    bridge = await start(kind)
    found = {name: (await fetch(bridge, f"/v1/{name}")).status for name in ("reading", "status")}
    assert found.pop(path) == 404
    assert list(found.values()) == [200]


async def test_http_500(start: Start) -> None:
    assert (await fetch(await start("http-500"), "/v1/reading")).status == 500


async def test_slow(start: Start) -> None:
    bridge = await start("slow")
    assert bridge.timing.slow_seconds == 3
    bridge.timing.slow_seconds = 0.05
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await fetch(bridge, "/v1/reading")).status == 200
    assert loop.time() - began > 0.045


@pytest.mark.parametrize("kind", ["hang", "slow"])
async def test_client_that_gives_up_frees_its_connection_at_once(
    start: Start, connect: Connect, kind: str
) -> None:
    bridge = await start(kind)
    client = await connect(bridge)
    client.get("/v1/reading")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await client.answer()
    await client.close()
    await until(lambda: bridge.open_connections == 0)


async def test_drop_closes_without_an_answer(start: Start, connect: Connect) -> None:
    client = await connect(await start("drop"))
    client.get("/v1/reading")
    assert await client.ended()


async def test_truncated_body_is_shorter_than_promised(start: Start) -> None:
    with pytest.raises(asyncio.IncompleteReadError) as caught:
        await fetch(await start("truncated"), "/v1/reading")
    assert caught.value.partial.startswith(b'{"__typename":"iometer.reading.v1"')


async def test_garbage_is_html_and_noise_in_turns(start: Start) -> None:
    bridge = await start("garbage")
    answers = [await fetch(bridge, "/v1/reading") for _ in range(4)]
    assert {answer.status for answer in answers} == {200}
    assert {answer.fields["content-type"] for answer in answers} == {"text/html", "application/json"}
    for answer in answers:
        with pytest.raises(ValueError, match=r"."):
            json.loads(answer.body)


async def test_huge_stops_when_the_client_has_enough(start: Start, connect: Connect) -> None:
    bridge = await start("huge")
    client = await connect(bridge)
    client.get("/v1/reading")
    assert (await client.head()).fields["transfer-encoding"] == "chunked"
    await asyncio.sleep(0.05)  # let it fill all buffers
    size = 0
    while size < 20_000_000:
        size += len(await client.chunk())
    await client.close()
    await until(lambda: bridge.open_connections == 0)


async def test_huge_is_200_mb(start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    from iometer_exporter.simulator import connection

    assert connection._HUGE == 200_000_000
    monkeypatch.setattr(connection, "_HUGE", 10 * 65536)
    client = await connect(await start("huge"))
    client.get("/v1/status")
    await client.head()
    assert [len(await client.chunk()) for _ in range(11)] == [65536] * 10 + [0]
    assert await client.ended()


async def test_close_idle_closes_after_a_moment(start: Start, connect: Connect) -> None:
    bridge = await start("close-idle")
    bridge.timing.idle_seconds = 0.05
    client = await connect(bridge)
    for _ in range(2):
        client.get("/v1/reading")
        assert (await client.answer()).status == 200
    assert await client.ended()
    assert bridge.requests["reading"] == 2


async def test_close_idle_closes_every_other_connection_at_its_second_request(
    start: Start, connect: Connect
) -> None:
    bridge = await start("close-idle")
    bridge.timing.idle_seconds = 0.0
    await connect(bridge)
    client = await connect(bridge)
    client.get("/v1/reading")
    assert (await client.answer()).status == 200
    await asyncio.sleep(0.02)
    client.get("/v1/reading")
    assert await client.ended()


@pytest.mark.parametrize("kind", ["no-accept", "swallow", "drip-head", "interim-flood"])
async def test_a_request_without_an_answer_ends_with_its_client(
    start: Start, connect: Connect, kind: str
) -> None:
    bridge = await start(kind)
    client = await connect(bridge)
    client.get("/v1/reading")
    if kind == "swallow":
        assert (await client.answer()).status == 200
        client.get("/v1/reading")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await client.answer() if kind != "interim-flood" else await client.reader.read()
    await client.close()
    await until(lambda: bridge.open_connections == 0)


async def test_a_connection_that_nobody_reads_costs_later_ones_nothing(
    start: Start, connect: Connect
) -> None:
    bridge = await start("no-accept")
    unseen = await connect(bridge)
    unseen.get("/v1/reading")
    await until(lambda: bridge.open_connections == 1)
    bridge.faults.clear()
    assert (await fetch(bridge, "/v1/reading")).status == 200
    assert bridge.requests["reading"] == 1


async def test_a_head_drips_a_byte_at_a_time(start: Start, connect: Connect) -> None:
    bridge = await start("drip-head")
    bridge.timing.drip_seconds = 0.001
    client = await connect(bridge)
    client.get("/v1/reading")
    assert await client.reader.readuntil(b"xxxxx") == b"HTTP/1.1 200 OK\r\nX-Slow: xxxxx"


async def test_interim_answers_come_without_end(start: Start, connect: Connect) -> None:
    client = await connect(await start("interim-flood"))
    client.get("/v1/reading")
    for _ in range(1000):
        assert (await client.head()).status == 103


async def test_a_document_in_tiny_chunks(start: Start, connect: Connect) -> None:
    bridge = await start("tiny-chunks")
    client = await connect(bridge)
    client.get("/v1/reading")
    assert (await client.head()).fields["transfer-encoding"] == "chunked"
    body = b"".join([await client.chunk() for _ in range(65536)])
    assert await client.chunk() == b""
    assert len(body) == 65536
    assert json.loads(body) == bridge.reading()
    assert await client.ended()


async def test_reset_in_the_middle_of_the_body(start: Start, connect: Connect) -> None:
    client = await connect(await start("reset-body"))
    client.get("/v1/reading")
    with pytest.raises(ConnectionResetError):
        await client.answer()


async def test_each_answer_is_sent_twice(start: Start, connect: Connect) -> None:
    client = await connect(await start("doubled"))
    client.get("/v1/status")
    assert (await client.answer()) == (await client.answer())


async def test_noise_after_the_body(start: Start, connect: Connect) -> None:
    bridge = await start("trailing")
    client = await connect(bridge)
    client.get("/v1/status")
    assert (await client.answer()).document == bridge.status()
    assert len(await client.reader.readexactly(512)) == 512


async def test_an_idle_connection_is_told_so_and_closed(start: Start, connect: Connect) -> None:
    bridge = await start("idle-408")
    bridge.timing.idle_seconds = 0.01
    client = await connect(bridge)
    client.get("/v1/status")
    assert [(await client.answer()).status for _ in range(2)] == [200, 408]
    assert await client.ended()
    assert bridge.requests["status"] == 1


async def test_jitter_is_around_its_middle(start: Start) -> None:
    bridge = await start("jitter")
    bridge.timing.jitter_around, bridge.timing.jitter_spread = 0.05, 0.0
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await fetch(bridge, "/v1/reading")).status == 200
    assert loop.time() - began > 0.045


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_a_fault_of_one_endpoint_spares_the_other(start: Start, endpoint: Endpoint) -> None:
    bridge = await start("http-500")
    bridge.endpoints = {endpoint}
    statuses = {name: (await fetch(bridge, f"/v1/{name}")).status for name in ENDPOINTS}
    assert statuses.pop(endpoint) == 500
    assert list(statuses.values()) == [200]


async def test_faults_can_change_while_it_runs(start: Start) -> None:
    bridge = await start("http-500")
    assert (await fetch(bridge, "/v1/reading")).status == 500
    bridge.faults.clear()
    assert (await fetch(bridge, "/v1/reading")).status == 200


async def next_event(bridge: SimulatedBridge, connect: Connect, path: str) -> tuple[str, str]:
    client = await connect(bridge)
    client.get(path, "Accept: text/event-stream")
    head = await client.head()
    assert (head.status, head.fields["content-type"]) == (200, "text/event-stream")
    await client.chunk()
    event, data, *rest = (await client.chunk()).decode().split("\n")
    assert rest == ["", ""]
    return event, data


@pytest.mark.parametrize("endpoint", ["reading", "status"])
async def test_streams_documents_as_events(start: Start, connect: Connect, endpoint: str) -> None:
    bridge = await start(interval=0.01, firmware="stream")
    event, data = await next_event(bridge, connect, f"/v1/{endpoint}")
    document = bridge.reading() if endpoint == "reading" else bridge.status()
    assert event == f"event: {endpoint}Event"
    assert json.loads(data.removeprefix("data: ")) == document
    assert bridge.requests == {endpoint: 1}


async def test_stream_ends_with_the_client(start: Start, connect: Connect) -> None:
    bridge = await start(firmware="stream")
    client = await connect(bridge)
    client.get("/v1/reading", "Accept: text/event-stream")
    await client.head()
    await client.close()
    await until(lambda: bridge.open_connections == 0)


async def test_no_stream_without_a_reading(start: Start, connect: Connect) -> None:
    client = await connect(await start("no-reading", firmware="stream"))
    client.get("/v1/reading", "Accept: text/event-stream")
    assert (await client.answer()).status == 404


@pytest.mark.parametrize(("fault", "firmware"), [("no-stream", "stream"), ("wired", "new"), ("wired", "old")])
async def test_firmware_without_a_stream_ignores_the_wish(
    start: Start, connect: Connect, fault: str, firmware: str
) -> None:
    bridge = await start(fault, firmware=firmware)
    client = await connect(bridge)
    client.get("/v1/reading", "Accept: text/event-stream")
    assert (await client.answer()).document == bridge.reading()


@pytest.mark.parametrize("fault", ["stream-stall", "stream-restart", "half-event", "huge-event"])
async def test_a_stream_goes_wrong_after_some_events(start: Start, connect: Connect, fault: str) -> None:
    bridge = await start(fault, firmware="stream", interval=0.01)
    bridge.timing.good_events = 2
    client = await connect(bridge)
    client.get("/v1/status", "Accept: text/event-stream")
    await client.head()
    whole = [await client.chunk() for _ in range(2)]
    assert all(each.startswith(b"event: statusEvent\ndata: {") and each.endswith(b"}\n\n") for each in whole)
    if fault == "stream-restart":
        assert await client.ended()
    elif fault == "half-event":
        assert whole[0].startswith(await client.chunk())
    elif fault == "huge-event":
        size = 0
        while not (piece := await client.chunk()).endswith(b"\n\n"):
            size += len(piece)
        assert 9_900_000 < size < 10_100_000
    if fault in ("half-event", "stream-stall"):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.read(1), 0.05)


async def test_clock_moves_the_reading(start: Start, clock: Clock) -> None:
    bridge = await start()
    before = (await fetch(bridge, "/v1/reading")).document
    clock.now += 3600
    after = (await fetch(bridge, "/v1/reading")).document
    assert after["meter"]["reading"]["time"] > before["meter"]["reading"]["time"]
