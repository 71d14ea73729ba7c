"""The exporter with a provider: the scrape, readiness, reload, the page for people, other requests beside."""

import asyncio
import gzip
import logging
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from iometer_exporter.config.file import BridgeConfig, Config, DiscoveryConfig
from iometer_exporter.config.provider import ProviderConfig
from iometer_exporter.config.shard import AutoShard
from iometer_exporter.errors import ConfigError
from iometer_exporter.exporter import Exporter
from iometer_exporter.provider.served.shard import in_shard
from iometer_exporter.provider.source import ProviderSource
from iometer_exporter.simulator.cloud import ProviderSimulation
from iometer_exporter.web import server
from iometer_exporter.web.app import create_app
from iometer_exporter.web.listen import ListenAddress, listen
from tests import documents
from tests.configfile import ConfigFile
from tests.rawserver import RawServer, bridge, raw_server
from tests.turns import turns_of_others
from tests.waiting import until

OFF = DiscoveryConfig(enabled=False)
BESIDE = "1ISK0000000001"
"""The number of the meter that the bridge of these tests reads."""


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOMETER_EXPORTER_PROVIDER_TOKEN", "token")
    monkeypatch.setenv("IOMETER_EXPORTER_PROVIDER_SECRET", "secret")


@asynccontextmanager
async def cloud(installations: int = 20, **settings: Any) -> AsyncIterator[ProviderSimulation]:
    async with ProviderSimulation(
        installations=installations, token="token", secret="secret", **settings
    ) as simulation:
        yield simulation


def config_of(simulation: ProviderSimulation, *servers: RawServer, **changes: Any) -> Config:
    bridges = tuple(BridgeConfig(server.address, f"bridge{i}") for i, server in enumerate(servers))
    provider = ProviderConfig(**({"url": simulation.url, "readings": "off"} | changes))
    return Config(discovery=OFF, bridges=bridges, provider=provider)


class Running:
    def __init__(self, exporter: Exporter, client: httpx.AsyncClient) -> None:
        self.exporter, self.client = exporter, client

    @property
    def source(self) -> ProviderSource:
        assert self.exporter.provider is not None
        return self.exporter.provider

    async def tried(self) -> None:
        await until(lambda: self.source.tried)

    async def text(self, **headers: str) -> str:
        answer = await self.client.get("/metrics", headers=headers)
        assert answer.status_code == 200
        return answer.text

    async def samples(self) -> dict[tuple[str, str, str], float]:
        """Values by name, installation and meter."""
        return {
            (sample.name, sample.labels.get("installation", ""), sample.labels.get("meter", "")): sample.value
            for family in parse_text(await self.text())
            for sample in family.samples
        }


@asynccontextmanager
async def running(file: ConfigFile) -> AsyncIterator[Running]:
    async with Exporter(file) as exporter:
        transport = httpx.ASGITransport(create_app(exporter, lifecycle=True))
        async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
            yield Running(exporter, client)


async def test_bridges_and_installations_are_on_one_page() -> None:
    async with (
        raw_server(bridge(documents.reading, documents.status)) as box,
        cloud() as simulation,
        running(ConfigFile(config_of(simulation, box))) as exporter,
    ):
        await exporter.tried()
        text = await exporter.text()
        found = await exporter.samples()
    types = Counter(line.split()[2] for line in text.splitlines() if line.startswith("# TYPE"))
    assert set(types.values()) == {1}
    assert 'iometer_up{bridge="bridge0"} 1.0' in text
    assert 'iometer_bridges{source="configured"} 1.0' in text
    assert found["iometer_provider_installations", "", ""] == 20
    [meter] = [meter.number for meter in simulation.fleet.meters(0)]
    taken = simulation.cloud.arrivals.latest(0, 0, simulation.cloud.now())
    assert found["iometer_energy_import_joules_total", "home-000001", meter] == pytest.approx(
        simulation.energy_import_wh(0, 0, taken) * 3600
    )
    assert any(line.startswith("process_cpu_seconds_total ") for line in text.splitlines())


@pytest.mark.parametrize("accepted", ["identity", "gzip"])
async def test_the_page_is_the_same_compressed(accepted: str) -> None:
    async with cloud() as simulation, running(ConfigFile(config_of(simulation))) as exporter:
        await exporter.tried()
        async with exporter.client.stream("GET", "/metrics", headers={"Accept-Encoding": accepted}) as answer:
            body = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers["Vary"] == "Accept, Accept-Encoding"
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    if accepted == "gzip":
        assert answer.headers["Content-Encoding"] == "gzip"
        body = gzip.decompress(body)
    else:
        assert int(answer.headers["Content-Length"]) == len(body)
    assert body.count(b"iometer_installation_info{") == 20


async def test_openmetrics_ends_once() -> None:
    async with cloud() as simulation, running(ConfigFile(config_of(simulation))) as exporter:
        await exporter.tried()
        text = await exporter.text(Accept="application/openmetrics-text; version=1.0.0")
    assert text.count("# EOF") == 1
    assert text.endswith("# EOF\n")
    assert "# UNIT iometer_energy_import_joules joules" in text


async def test_help_speaks_of_the_provider_only_where_there_is_one() -> None:
    async with (
        raw_server(bridge(documents.reading, documents.status)) as box,
        cloud() as simulation,
        running(file := ConfigFile(config_of(simulation, box))) as exporter,
    ):
        with_provider = await exporter.text()
        file.config = replace(config_of(simulation, box), provider=None)
        await exporter.client.post("/-/reload")
        without = await exporter.text()
    assert "served from memory" in with_provider
    assert "memory" not in without.replace("process_virtual_memory", "").replace(
        "Virtual memory", ""
    ).replace("resident_memory", "").replace("Resident memory", "")
    assert "iometer_provider" not in without
    assert "installation=" not in without


async def test_a_meter_that_a_bridge_reads_is_served_by_it_only() -> None:
    async with (
        cloud() as simulation,
        raw_server(bridge(lambda: documents.reading(time.time()), documents.status)) as box,
        running(ConfigFile(config_of(simulation, box))) as exporter,
    ):
        await exporter.tried()
        [known] = [one for one in exporter.source.installations if one.label == "home-000001"]
        known.meters[0].number = known.current_meter = BESIDE
        exporter.source.installations.store.change(known.position)
        text = await exporter.text()
        own = [line for line in text.splitlines() if 'installation="home-000001"' in line]
        assert own
        assert not [line for line in own if "meter=" in line]
        assert text.count(f'iometer_energy_import_joules_total{{bridge="bridge0",meter="{BESIDE}"}}') == 1
        assert text.count("iometer_energy_import_joules_total{") == len(simulation.fleet.meters(0)) + sum(
            len(simulation.fleet.meters(index)) for index in range(1, 20)
        )


async def test_a_meter_stays_with_its_bridge_while_that_is_down() -> None:
    down = False

    well = bridge(documents.reading, documents.status)

    async def box(head: bytes, writer: asyncio.StreamWriter) -> bool:
        return False if down else await well(head, writer)

    async with (
        raw_server(box) as address,
        cloud() as simulation,
        running(file := ConfigFile(config_of(simulation, address))) as exporter,
    ):
        await exporter.tried()
        await exporter.text()
        down = True
        assert 'iometer_up{bridge="bridge0"} 0.0' in await exporter.text()
        assert exporter.exporter.fleet.meters == {BESIDE}
        file.config = config_of(simulation)
        await exporter.client.post("/-/reload")
        await exporter.text()
        assert exporter.exporter.fleet.meters == frozenset()


async def test_ready_once_the_provider_was_asked() -> None:
    async with cloud() as simulation:
        simulation.faults.kinds.add("slow")
        simulation.faults.slow_seconds = 0.2
        async with running(ConfigFile(config_of(simulation))) as exporter:
            answer = await exporter.client.get("/-/ready")
            assert (answer.status_code, answer.text) == (
                503,
                "not ready: the first inventory of the provider API is under way\n",
            )
            await exporter.tried()
            assert (await exporter.client.get("/-/ready")).status_code == 200


async def test_ready_also_where_the_provider_failed() -> None:
    async with (
        cloud(faults=["unauthorized"]) as simulation,
        running(ConfigFile(config_of(simulation))) as exporter,
    ):
        await exporter.tried()
        assert (await exporter.client.get("/-/ready")).status_code == 200
        assert (await exporter.samples())["iometer_provider_up", "", ""] == 0


async def test_a_reload_without_a_change_keeps_the_source() -> None:
    async with cloud() as simulation, running(ConfigFile(config_of(simulation))) as exporter:
        await exporter.tried()
        before = exporter.source
        assert (await exporter.client.post("/-/reload")).status_code == 200
        assert exporter.source is before


async def test_a_reload_reads_the_credentials_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("IOMETER_EXPORTER_PROVIDER_SECRET")
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    async with (
        cloud() as simulation,
        running(ConfigFile(config_of(simulation, secret_file=secret))) as exporter,
    ):
        await exporter.tried()
        simulation.credentials = type(simulation.credentials)("token", "another")
        secret.write_text("another\n")
        await exporter.client.post("/-/reload")
        # What was known is served without a gap.
        assert (await exporter.samples())["iometer_provider_installations", "", ""] == 20
        completed = exporter.source.inventory.completed
        await until(lambda: exporter.source.inventory.completed != completed)
        assert (await exporter.samples())["iometer_provider_up", "", ""] == 1


async def test_a_changed_section_takes_over_what_is_known() -> None:
    async with cloud() as simulation, running(file := ConfigFile(config_of(simulation))) as exporter:
        await exporter.tried()
        before = exporter.source
        simulation.faults.kinds.add("unauthorized")
        file.config = config_of(simulation, page_size=7)
        await exporter.client.post("/-/reload")
        assert exporter.source is not before
        assert exporter.source.installations is before.installations
        assert exporter.source.tried
        assert len(exporter.source.installations) == 20
        file.config = config_of(simulation, shard=(1, 2))
        await exporter.client.post("/-/reload")
        assert exporter.source.installations is not before.installations


async def test_removing_and_adding_the_section() -> None:
    async with cloud() as simulation, running(file := ConfigFile(config_of(simulation))) as exporter:
        await exporter.tried()
        file.config = replace(config_of(simulation), provider=None)
        await exporter.client.post("/-/reload")
        assert "iometer_provider" not in await exporter.text()
        assert exporter.exporter.provider is None
        file.config = config_of(simulation)
        await exporter.client.post("/-/reload")
        await exporter.tried()
        assert len(exporter.source.installations) == 20


async def test_a_failed_reload_keeps_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async with cloud() as simulation, running(file := ConfigFile(config_of(simulation))) as exporter:
        await exporter.tried()
        before = exporter.source
        file.config = ConfigError("provider.url: is no URL")
        assert (await exporter.client.post("/-/reload")).status_code == 500
        file.config = config_of(simulation, page_size=7)
        monkeypatch.delenv("IOMETER_EXPORTER_PROVIDER_SECRET")
        answer = await exporter.client.post("/-/reload")
        assert answer.status_code == 500
        assert "IOMETER_EXPORTER_PROVIDER_SECRET" in answer.text
        assert exporter.source is before
        found = await exporter.samples()
        assert found["iometer_provider_installations", "", ""] == 20
        assert found["iometer_config_last_reload_successful", "", ""] == 0


async def test_a_reload_changes_what_is_stale() -> None:
    async with cloud() as simulation, running(file := ConfigFile(config_of(simulation))) as exporter:
        await exporter.tried()
        assert "iometer_power_watts{" in await exporter.text()
        file.config = replace(config_of(simulation), stale_after=1e-6)
        await exporter.client.post("/-/reload")
        assert "iometer_power_watts{" not in await exporter.text()


def test_a_start_without_credentials_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IOMETER_EXPORTER_PROVIDER_TOKEN")
    with pytest.raises(ConfigError, match="IOMETER_EXPORTER_PROVIDER_TOKEN"):
        Exporter(lambda: Config(discovery=OFF, provider=ProviderConfig()))


async def test_the_name_of_the_pod_says_the_shard(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setenv("IOMETER_EXPORTER_POD_NAME", "iometer-1")
    async with cloud() as simulation:
        fleet = simulation.fleet
        ids = [fleet.id(index) for index in range(fleet.size)]
        async with running(ConfigFile(config_of(simulation, shard=AutoShard(3)))) as exporter:
            await exporter.tried()
            found = await exporter.samples()
    assert found["iometer_provider_installations", "", ""] == sum(in_shard(each, (2, 3)) for each in ids)
    assert "the name of the pod says shard 2 of 3" in caplog.text


def test_a_pod_without_a_shard_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOMETER_EXPORTER_POD_NAME", "iometer-3")
    with pytest.raises(ConfigError, match="auto/3 is for the pods 0 to 2, and this one is 'iometer-3'"):
        Exporter(lambda: Config(discovery=OFF, provider=ProviderConfig(shard=AutoShard(3))))


async def test_the_page_for_people_has_a_card_of_the_provider() -> None:
    async with cloud() as simulation, running(ConfigFile(config_of(simulation))) as exporter:
        await exporter.tried()
        page = (await exporter.client.get("/")).text
    assert simulation.cloud.name in page
    assert '<span class="value">20</span>' in page
    assert "home-000001" not in page
    assert "start the exporter with" not in page


async def test_the_page_for_people_says_what_is_wrong() -> None:
    async with (
        cloud(faults=["unauthorized"]) as simulation,
        running(ConfigFile(config_of(simulation))) as exporter,
    ):
        await exporter.tried()
        page = (await exporter.client.get("/")).text
    assert "does not accept the credentials" in page
    assert "secret" not in page.replace("the secret of", "")


async def test_other_requests_get_their_turn_while_a_page_is_sent() -> None:
    """Counted, not timed: turns of another task during one scrape of a page of many chunks."""
    async with (
        cloud(2000) as simulation,
        running(ConfigFile(config_of(simulation, page_size=500))) as exporter,
    ):
        await exporter.tried()
        await exporter.text()
        async with turns_of_others() as turns:
            text = await exporter.text()
    assert len(text) > 4_000_000
    assert turns.count >= 4 * (len(text) // 65536)


async def test_scrapers_at_once_get_the_same() -> None:
    async with cloud() as simulation, running(ConfigFile(config_of(simulation))) as exporter:
        await exporter.tried()
        texts = await asyncio.gather(*(exporter.text() for _ in range(5)))
    lines = [[line for line in text.splitlines() if "installation=" in line] for text in texts]
    assert all(own == lines[0] for own in lines)


async def test_a_scraper_that_goes_away_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with cloud(2000) as simulation:
        config = config_of(simulation, page_size=500)
        listening = listen([ListenAddress("127.0.0.1", 0)])
        async with server.running(lambda: config, listening) as exporter:
            await until(lambda: exporter.provider is not None and exporter.provider.tried)
            address = listening[0].getsockname()[:2]
            for _ in range(3):
                await asyncio.to_thread(ask_and_leave, address)
            await asyncio.sleep(0.05)
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            body = await reader.read()
            writer.close()
    assert body.count(b"iometer_installation_info{") == 2000
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []


def ask_and_leave(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(1000)
        time.sleep(0.01)
