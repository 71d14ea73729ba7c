import asyncio
import socket
import threading
import time
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from iometer_exporter.config.file import Config, DiscoveryConfig, parse_config
from tests import documents
from tests.rawserver import answering, bridge, hanging, raw_server, response
from tests.waiting import PATIENCE
from tests.web.test_app import exporter

LOCKED = Config(discovery=DiscoveryConfig(enabled=False), probe_allow=())


def samples(text: str) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("bridge", "")): sample.value
        for family in parse_text(text)
        for sample in family.samples
    }


async def test_a_probe_answers_with_one_bridge_and_nothing_of_the_exporter() -> None:
    async with (
        raw_server(bridge(lambda: documents.reading(time.time()), documents.status)) as server,
        raw_server(bridge(documents.reading, documents.status)) as other,
        exporter(other) as client,
    ):
        answer = await client.get("/probe", params={"target": str(server.address)})
    found = samples(answer.text)
    name = str(server.address)
    assert answer.status_code == 200
    assert found["probe_success", ""] == 1
    assert 0 < found["probe_duration_seconds", ""] < 1
    assert found["iometer_energy_import_joules_total", name] == 44444444040
    assert {bridge for _, bridge in found} == {"", name}
    for foreign in (
        "process_",
        "python_",
        "iometer_bridges",
        "iometer_discovery_",
        "iometer_exporter_",
        "iometer_config_",
    ):
        assert foreign not in answer.text
    assert other.requests == []


async def test_a_failed_probe_is_data() -> None:
    async with exporter() as client:
        answer = await client.get("/probe", params={"target": "127.0.0.1:1"})
    assert answer.status_code == 200
    assert samples(answer.text)["probe_success", ""] == 0
    assert samples(answer.text)["iometer_up", "127.0.0.1:1"] == 0


async def test_a_probe_keeps_to_the_scrapers_timeout() -> None:
    config = Config(timeout=2 * PATIENCE, discovery=DiscoveryConfig(enabled=False))
    async with raw_server(hanging) as server, exporter(config=config) as client:
        headers = {"X-Prometheus-Scrape-Timeout-Seconds": "0.2"}
        async with asyncio.timeout(PATIENCE):
            answer = await client.get("/probe", params={"target": str(server.address)}, headers=headers)
    assert samples(answer.text)["probe_success", ""] == 0


@pytest.mark.parametrize("by", ["address", "name", "host name"])
async def test_a_known_bridge_keeps_its_name_and_its_guard(by: str) -> None:
    now = time.time()
    answers = [
        documents.reading(now, imported=1000.5),
        documents.reading(now - 900, imported=900.5),
        documents.reading(now - 899, imported=900.5),
    ]
    async with (
        raw_server(bridge(lambda: answers.pop(0), documents.status)) as server,
        exporter(server, config=LOCKED) as client,
    ):
        await client.get("/metrics")
        target = {"address": str(server.address), "name": "bridge0"}.get(by, str(server.address))
        answer = await client.get("/probe", params={"target": target})
    found = samples(answer.text)
    assert found["iometer_energy_import_joules_total", "bridge0"] == 1000.5 * 3600
    assert 'iometer_readings_rejected_total{bridge="bridge0",reason="replayed"} 1.0' in answer.text


async def test_a_probed_bridge_that_is_not_known_has_a_guard_too() -> None:
    now = time.time()
    answers = [documents.reading(now, imported=1000.5), documents.reading(now - 900, imported=900.5)]
    async with (
        raw_server(bridge(lambda: answers.pop(0), documents.status)) as server,
        exporter() as client,
    ):
        for _ in range(2):
            answer = await client.get("/probe", params={"target": str(server.address)})
    assert samples(answer.text)["iometer_energy_import_joules_total", str(server.address)] == 1000.5 * 3600


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "one parameter 'target' is needed, such as /probe?target=192.168.1.50"),
        ("target=", "one parameter 'target' is needed, such as /probe?target=192.168.1.50"),
        ("target=a&target=b", "one parameter 'target' is needed, such as /probe?target=192.168.1.50"),
        (
            "target=http://192.168.1.50/",
            "target: 'http://192.168.1.50/' is not a host, "
            "write a name or an IP address such as 192.168.1.50, "
            "without http:// and path",
        ),
        ("target=192.168.1.50:99999", "target: '99999' is not a port, write a number from 1 to 65535"),
        (
            "target=user:secret@host",
            "target: 'secret@host' is not a port, write a number from 1 to 65535",
        ),
        (
            "target=bridge.invalid",
            "the target's host 'bridge.invalid' does not resolve: check its spelling",
        ),
        (
            "target=192.0.2.1",
            "the target 192.0.2.1 is neither a known bridge nor in an allowed network: "
            "add its network to probe.allow in the configuration",
        ),
        (
            "target=[::ffff:192.0.2.1]:8080",
            "the target 192.0.2.1:8080 is neither a known bridge nor in an allowed network: "
            "add its network to probe.allow in the configuration",
        ),
    ],
)
async def test_a_target_that_cannot_be_asked_is_400_with_a_sentence(query: str, text: str) -> None:
    async with exporter() as client:
        answer = await client.get(f"/probe?{query}")
    assert (answer.status_code, answer.text) == (400, f"{text}\n")


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("10.0.0.1", True),
        ("172.16.0.1", True),
        ("172.32.0.1", False),
        ("192.168.255.1", True),
        ("169.254.1.1", True),
        ("8.8.8.8", False),
        ("0.0.0.0", False),
        ("::1", True),
        ("fe80::1", True),
        ("fd00::1", True),
        ("2001:db8::1", False),
        ("::ffff:10.0.0.1", True),
        ("::ffff:8.8.8.8", False),
        ("::", False),
    ],
)
def test_the_default_networks(target: str, allowed: bool) -> None:
    from iometer_exporter.bridges.fleet import Fleet
    from iometer_exporter.net.addresses import Address

    fleet = Fleet.__new__(Fleet)
    fleet._config = Config()
    assert fleet._is_allowed(Address(target)) is allowed


async def test_the_allowed_networks_are_those_of_the_configuration() -> None:
    config = replace(parse_config("probe: {allow: [127.0.0.0/8]}"), discovery=LOCKED.discovery)
    async with raw_server(bridge(documents.reading, documents.status)) as server:
        async with exporter(config=config) as client:
            answer = await client.get("/probe", params={"target": str(server.address)})
        async with exporter(config=LOCKED) as client:
            refused = await client.get("/probe", params={"target": str(server.address)})
    assert (answer.status_code, refused.status_code) == (200, 400)
    assert len(server.requests) == 2


async def test_the_checked_address_is_the_one_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves to a good address when it is checked, and to another one ever after."""
    resolved: list[str] = []

    async with raw_server(bridge(documents.reading, documents.status)) as server, exporter() as client:

        def rebinding(host: str, port: int, *_: object, **__: object) -> list[object]:
            resolved.append(host)
            place = "127.0.0.1" if len(resolved) == 1 else "192.0.2.1"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, port))]

        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        answer = await client.get("/probe", params={"target": f"rebinding.example:{server.address.port}"})
    assert samples(answer.text)["probe_success", ""] == 1
    assert resolved == ["rebinding.example"]


async def test_of_a_name_with_several_addresses_only_the_allowed_ones_are_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with raw_server(bridge(documents.reading, documents.status)) as server, exporter() as client:

        def both(_host: str, port: int, *_: object, **__: object) -> list[object]:
            places = ("192.0.2.1", "127.0.0.1")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, port)) for place in places]

        monkeypatch.setattr(socket, "getaddrinfo", both)
        answer = await client.get("/probe", params={"target": f"both.example:{server.address.port}"})
    assert samples(answer.text)["probe_success", ""] == 1


async def test_a_probe_follows_no_redirect() -> None:
    async with raw_server(bridge(documents.reading, documents.status)) as inside:
        redirect = response(
            b"", status="302 Found", headers=f"Location: http://{inside.address}/v1/reading\r\n"
        )
        async with raw_server(answering(redirect)) as server, exporter() as client:
            answer = await client.get("/probe", params={"target": str(server.address)})
    assert samples(answer.text)["probe_success", ""] == 0
    assert inside.requests == []


async def test_only_so_many_probed_bridges_are_remembered(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("iometer_exporter.bridges.fleet._MAX_PROBED", 2)
    async with exporter() as client:
        for port in range(1, 5):
            assert (await client.get(f"/probe?target=127.0.0.1:{port}")).status_code == 200
        again = await client.get("/probe?target=127.0.0.1:4")
        answer = await client.get("/probe?target=127.0.0.1:1")
    assert 'reason="connect"} 2.0' in again.text
    # Forgotten meanwhile: its errors count from one again.
    assert 'reason="connect"} 1.0' in answer.text
    assert len([record for record in caplog.records if "bridges are probed" in record.message]) == 1


async def test_one_that_has_answered_stays_before_one_that_never_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iometer_exporter.bridges.fleet._MAX_PROBED", 2)
    now = time.time()
    answers = [documents.reading(now, imported=1000.5), documents.reading(now - 900, imported=900.5)]
    async with (
        raw_server(bridge(lambda: answers.pop(0), documents.status)) as server,
        exporter() as client,
    ):
        await client.get("/probe", params={"target": str(server.address)})
        for port in range(1, 5):
            await client.get(f"/probe?target=127.0.0.1:{port}")
        answer = await client.get("/probe", params={"target": str(server.address)})
    assert samples(answer.text)["iometer_energy_import_joules_total", str(server.address)] == 1000.5 * 3600


async def test_more_probes_at_once_than_are_remembered_all_get_their_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None that somebody waits for is forgotten, whatever comes meanwhile."""
    monkeypatch.setattr("iometer_exporter.bridges.fleet._MAX_PROBED", 3)

    async def soon(head: bytes, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(0.01)
        return await bridge(documents.reading, documents.status)(head, writer)

    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(raw_server(soon)) for _ in range(12)]
        client = await stack.enter_async_context(exporter())
        for _ in range(2):
            answers = await asyncio.gather(
                *(client.get("/probe", params={"target": str(server.address)}) for server in servers)
            )
            assert [answer.status_code for answer in answers] == [200] * 12
            assert [samples(answer.text)["probe_success", ""] for answer in answers] == [1] * 12


async def test_each_spelling_of_an_address_is_asked_as_one_bridge_under_its_own_name() -> None:
    async def soon(head: bytes, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(0.05)
        return await bridge(documents.reading, documents.status)(head, writer)

    async with raw_server(soon) as server, exporter() as client:
        port = server.address.port
        spellings = [f"127.0.0.1:{port}", f"[::ffff:127.0.0.1]:{port}", f"0x7f000001:{port}"]
        answers = await asyncio.gather(
            *(client.get("/probe", params={"target": spelling}) for spelling in spellings)
        )
    for answer, spelling in zip(answers, spellings, strict=True):
        assert samples(answer.text)["iometer_up", spelling] == 1
        assert f'iometer_up{{bridge="{spelling}"}}' in answer.text
    assert (server.most_open, len(server.requests)) == (2, 2)


@pytest.mark.parametrize("spelling", ["localhost", "LOCALHOST", "0x7f000001", "[::ffff:127.0.0.1]"])
async def test_a_known_bridge_is_known_by_any_spelling_of_its_address(spelling: str) -> None:
    async with (
        raw_server(bridge(documents.reading, documents.status)) as server,
        exporter(server, config=LOCKED) as client,
    ):
        answer = await client.get("/probe", params={"target": f"{spelling}:{server.address.port}"})
    assert samples(answer.text)["iometer_up", "bridge0"] == 1
    assert server.most_open == 2


async def test_a_probe_of_a_name_that_hangs_keeps_to_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hanging_lookup(*_: object, **__: object) -> list[object]:
        release.wait(60)
        return []

    async with exporter() as client:
        monkeypatch.setattr(socket, "getaddrinfo", hanging_lookup)
        headers = {"X-Prometheus-Scrape-Timeout-Seconds": "0.2"}
        answer = await client.get("/probe?target=hangs.example", headers=headers)
        release.set()
    assert (answer.status_code, answer.text) == (
        400,
        "the target's host 'hangs.example' did not resolve in time: is the name server reachable?\n",
    )


async def test_the_debug_page_tells_what_was_asked_answered_and_rejected() -> None:
    now = time.time()
    registers = [
        {"obis": documents.IMPORT, "value": 1000.5, "unit": "Wh"},
        {"obis": documents.POWER, "value": "10", "unit": "W"},
    ]
    answers = [
        documents.reading(now, imported=1000.5),
        documents.reading(now - 900, registers=registers),
    ]
    async with (
        raw_server(bridge(lambda: answers.pop(0), lambda: b"")) as server,
        exporter(server) as client,
    ):
        await client.get("/metrics")
        answer = await client.get("/probe", params={"target": str(server.address), "debug": "true"})
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    for line in (
        f"target {server.address}: configured bridge bridge0 at {server.address}",
        "GET /v1/reading: answered with a valid document (",
        "GET /v1/status: failed, no_data: answered 404 Not Found (",
        "left out: meter.reading.registers[1].value is the text '10', expected a number",
        "that reading was refused, served is the one of ",
        "readings refused since the start: replayed 1",
        "probe succeeded after ",
        "probe_success 1.0",
    ):
        assert any(found.startswith(line) for found in answer.text.splitlines()), line


async def test_the_debug_page_tells_why_there_are_no_counters_yet() -> None:
    async with raw_server(bridge(documents.reading, documents.status)) as server, exporter() as client:
        answer = await client.get("/probe", params={"target": str(server.address), "debug": "true"})
    assert "its counters are held back until it is clear that it is no replay of the past" in answer.text
