import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from iometer_exporter.config.file import BridgeConfig, Config, DiscoveryConfig
from iometer_exporter.errors import ConfigError
from iometer_exporter.exporter import Exporter
from iometer_exporter.net.addresses import Address
from iometer_exporter.web.app import create_app
from tests import documents
from tests.bridges.test_probe import samples
from tests.configfile import ConfigFile
from tests.rawserver import Handler, RawServer, bridge, raw_server
from tests.waiting import until

OFF = DiscoveryConfig(enabled=False)


@asynccontextmanager
async def reloadable(
    config: Config, *, lifecycle: bool = True
) -> AsyncIterator[tuple[ConfigFile, httpx.AsyncClient, Exporter]]:
    source = ConfigFile(config)
    async with Exporter(source) as exporter:
        transport = httpx.ASGITransport(create_app(exporter, lifecycle=lifecycle))
        async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
            yield source, client, exporter


def of(*servers: RawServer, **changes: float) -> Config:
    bridges = tuple(BridgeConfig(server.address, f"bridge{i}") for i, server in enumerate(servers))
    return Config(bridges=bridges, discovery=OFF, **changes)  # type: ignore[arg-type]


def healthy(device: str = "1") -> Handler:
    return bridge(lambda: documents.reading(time.time()), lambda: documents.status(device_id=device))


async def metric(client: httpx.AsyncClient, line: str) -> bool:
    return line in (await client.get("/metrics")).text.splitlines()


def imported(text: str) -> float:
    return samples(text)["iometer_energy_import_joules_total", "bridge0"]


async def test_reloading_by_http_is_off_by_default() -> None:
    async with reloadable(of(), lifecycle=False) as (_, client, _exporter):
        answer = await client.post("/-/reload")
    assert (answer.status_code, answer.text) == (
        403,
        "reloading by HTTP is off: start with --web.enable-lifecycle, or send SIGHUP\n",
    )


async def test_reloading_is_post_only() -> None:
    async with reloadable(of()) as (_, client, _exporter):
        answer = await client.get("/-/reload")
    assert (answer.status_code, answer.text) == (405, "GET is not allowed here, use POST\n")


async def test_a_good_reload_is_followed_and_shown() -> None:
    async with (
        raw_server(healthy("1")) as first,
        raw_server(healthy("2")) as second,
        reloadable(of(first)) as (source, client, exporter),
    ):
        loaded_at = exporter.loaded_at
        source.config = of(first, second)
        answer = await client.post("/-/reload")
        assert (answer.status_code, answer.text) == (200, "configuration reloaded\n")
        text = (await client.get("/metrics")).text
    assert 'iometer_up{bridge="bridge1"} 1.0' in text
    assert "iometer_config_last_reload_successful 1.0" in text
    assert exporter.loaded_at > loaded_at


async def test_a_bad_reload_keeps_the_old_configuration(caplog: pytest.LogCaptureFixture) -> None:
    async with raw_server(healthy()) as server, reloadable(of(server)) as (source, client, exporter):
        loaded_at = exporter.loaded_at
        source.config = ConfigError("config.yml: timout: unknown key, did you mean 'timeout'?")
        answer = await client.post("/-/reload")
        text = "configuration not reloaded, the old one stays: " + str(source.config)
        assert (answer.status_code, answer.text) == (500, f"{text}\n")
        assert caplog.messages == [text]
        assert await metric(client, 'iometer_up{bridge="bridge0"} 1.0')
        assert await metric(client, "iometer_config_last_reload_successful 0.0")
        assert exporter.loaded_at == loaded_at
        source.config = of(server)
        await client.post("/-/reload")
        assert await metric(client, "iometer_config_last_reload_successful 1.0")


async def test_unchanged_bridges_keep_their_guard_and_connections() -> None:
    now = time.time()
    answers = [documents.reading(now, imported=1000.5), documents.reading(now - 900, imported=900.5)]
    async with (
        raw_server(bridge(lambda: answers.pop(0), documents.status)) as server,
        reloadable(of(server)) as (source, client, _exporter),
    ):
        await client.get("/metrics")
        source.config = of(server, timeout=5.0)
        await client.post("/-/reload")
        text = (await client.get("/metrics")).text
    assert server.connections == 2
    assert 'iometer_readings_rejected_total{bridge="bridge0",reason="replayed"} 1.0' in text
    assert imported(text) == 1000.5 * 3600


async def test_a_new_limit_counts_from_the_next_reading_on() -> None:
    now = time.time()
    answers = [
        documents.reading(now, imported=1000.5),
        documents.reading(now + 60, imported=1500.5),
        documents.reading(now + 61, imported=1500.5),
    ]
    async with (
        raw_server(bridge(lambda: answers.pop(0), documents.status)) as server,
        reloadable(of(server, max_power=1000.0)) as (source, client, _exporter),
    ):
        await client.get("/metrics")
        assert imported((await client.get("/metrics")).text) == 1000.5 * 3600
        source.config = of(server)
        await client.post("/-/reload")
        assert imported((await client.get("/metrics")).text) == 1500.5 * 3600


async def test_a_bridge_can_be_renamed_and_removed() -> None:
    async with raw_server(healthy()) as server, reloadable(of(server)) as (source, client, exporter):
        await client.get("/metrics")
        source.config = Config(bridges=(BridgeConfig(server.address, "new"),), discovery=OFF)
        await client.post("/-/reload")
        assert await metric(client, 'iometer_up{bridge="new"} 1.0')
        assert server.connections == 2
        source.config = of()
        await client.post("/-/reload")
        assert "iometer_up{" not in (await client.get("/metrics")).text
        assert exporter.fleet.counts == {}
        await until(lambda: server.open == 0)


async def test_a_scrape_under_way_gets_the_bridge_that_a_reload_removes() -> None:
    release = asyncio.Event()

    async def held(head: bytes, writer: asyncio.StreamWriter) -> bool:
        await release.wait()
        return await healthy()(head, writer)

    async with raw_server(held) as server, reloadable(of(server)) as (source, client, _exporter):
        scrape = asyncio.create_task(client.get("/metrics"))
        await until(lambda: len(server.requests) == 2)
        source.config = of()
        await client.post("/-/reload")
        release.set()
        assert 'iometer_up{bridge="bridge0"} 1.0' in (await scrape).text


async def test_no_scrape_is_lost_under_reloads() -> None:
    async with (
        raw_server(healthy("1")) as first,
        raw_server(healthy("2")) as second,
        reloadable(of(first)) as (source, client, _exporter),
    ):
        for index in range(20):
            source.config = of(first, second) if index % 2 else of(first)
            answers = await asyncio.gather(
                *(client.get("/metrics") for _ in range(3)), client.post("/-/reload")
            )
            assert all(answer.status_code == 200 for answer in answers)
            assert all('iometer_up{bridge="bridge0"} 1.0' in answer.text for answer in answers[:3])
    assert first.most_open <= 2


async def test_discovery_is_switched_on_and_off_and_keeps_what_it_knew() -> None:
    on = Config(discovery=DiscoveryConfig(interfaces=("127.0.0.1",)))
    later = Config(discovery=DiscoveryConfig(interfaces=("127.0.0.1",), forget_after=5.0))
    async with reloadable(of()) as (source, _client, exporter):
        assert exporter.not_ready_reason is None
        source.config = on
        await exporter.reload()
        assert exporter._discovery is not None
        first = exporter._discovery
        from iometer_exporter.bridges.discovery.announcements import Service

        service = Service("IOmeter-AB12CD", "iometer-ab12cd.local", (Address("127.0.0.1", 1),))
        first._announcements.add(service)
        exporter.fleet._inventory.sync()
        source.config = later
        await exporter.reload()
        assert exporter._discovery is not first
        exporter.fleet._inventory.sync()
        assert "IOmeter-AB12CD" in [bridge.name for bridge in exporter.fleet._inventory.known()]
        await exporter.reload()
        source.config = of()
        await exporter.reload()
        exporter.fleet._inventory.sync()
        assert exporter.not_ready_reason is None
        assert exporter.fleet.counts == {}
