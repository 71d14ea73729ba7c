import asyncio
import gzip
import re
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from iometer_exporter.bridges.discovery.browser import Discovery
from iometer_exporter.bridges.fleet import Fleet
from iometer_exporter.config.file import BridgeConfig, Config, DiscoveryConfig
from iometer_exporter.errors import ConfigError
from iometer_exporter.exporter import Exporter
from iometer_exporter.web import app as web
from iometer_exporter.web.app import create_app, is_impatient, scrape_budget
from tests import documents
from tests.rawserver import Handler, RawServer, bridge, hanging, raw_server, response
from tests.waiting import PATIENCE

CONFIG = Config(discovery=DiscoveryConfig(enabled=False))


@asynccontextmanager
async def exporter(
    *servers: RawServer, config: Config = CONFIG, ready: bool = True, lifecycle: bool = False
) -> AsyncIterator[httpx.AsyncClient]:
    bridges = tuple(BridgeConfig(server.address, f"bridge{i}") for i, server in enumerate(servers))
    config = replace(config, bridges=bridges)
    async with Exporter(lambda: config) as running:
        running.loaded_at = 1e9
        if not ready:
            running._discovery = Discovery(config.discovery)
        app = create_app(running, lifecycle=lifecycle)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
            yield client


def healthy() -> Handler:
    """A bridge whose reading is that of now: the counters of an old one would be held back at first."""
    return bridge(lambda: documents.reading(time.time()), documents.status)


async def test_metrics_are_exact_and_never_cached_on_the_way() -> None:
    async with raw_server(healthy()) as server, exporter(server) as client:
        answer = await client.get("/metrics", headers={"Accept-Encoding": "identity"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse_text(answer.text)
        for sample in family.samples
    }
    labels = (("bridge", "bridge0"), ("meter", "1ISK0000000001"))
    assert samples["iometer_energy_import_joules_total", labels] == 44444444040
    assert samples["iometer_up", (("bridge", "bridge0"),)] == 1
    assert samples["iometer_bridges", (("source", "configured"),)] == 1
    assert samples["iometer_bridges", (("source", "discovered"),)] == 0
    assert samples["iometer_config_last_reload_success_timestamp_seconds", ()] == 1e9
    assert any(name == "process_cpu_seconds_total" for name, _ in samples)
    assert any(name == "python_info" for name, _ in samples)


async def test_metrics_as_openmetrics() -> None:
    async with raw_server(healthy()) as server, exporter(server) as client:
        answer = await client.get(
            "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
        )
    assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    parsed = parse_openmetrics(answer.text)  # type: ignore[no-untyped-call]
    families = {family.name: family for family in parsed}
    assert families["iometer_energy_import_joules"].unit == "joules"


@pytest.mark.parametrize(
    ("accepted", "encoding"), [("gzip", "gzip"), ("gzip;q=0", None), ("identity", None), ("br, *", "gzip")]
)
async def test_gzip_where_it_is_wanted(accepted: str, encoding: str | None) -> None:
    async with (
        raw_server(bridge(documents.reading, documents.status)) as server,
        exporter(server) as client,
        client.stream("GET", "/metrics", headers={"Accept-Encoding": accepted}) as answer,
    ):
        body = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers.get("Content-Encoding") == encoding
    assert b"iometer_up{" in (gzip.decompress(body) if encoding else body)


@pytest.mark.parametrize(
    "accept", ["version=abc", "text/plain;version=abc", "\x7f", ";;;,,,q", "a/b;q=x", "*"]
)
async def test_a_strange_accept_is_no_error(accept: str) -> None:
    async with exporter() as client:
        answer = await client.get("/metrics", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"]) == (
        200,
        "text/plain; version=0.0.4; charset=utf-8",
    )


async def test_a_scrape_keeps_to_the_scrapers_timeout() -> None:
    config = replace(CONFIG, timeout=2 * PATIENCE)
    async with raw_server(hanging) as server, exporter(server, config=config) as client:
        async with asyncio.timeout(PATIENCE):
            answer = await client.get("/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "0.2"})
    assert 'iometer_up{bridge="bridge0"} 0.0' in answer.text


@pytest.mark.parametrize(
    ("header", "budget"),
    [
        (None, 10),
        ("10", 9.5),
        ("60", 10),
        ("3", 2.5),
        ("0.6", 0.3),
        ("0.01", 0.005),
        ("0.0099", 10),
        ("1e-320", 10),
        ("0", 10),
        ("-1", 10),
        ("nan", 10),
        ("inf", 10),
        ("soon", 10),
        ("", 10),
    ],
)
def test_scrape_budget(header: str | None, budget: float) -> None:
    assert scrape_budget(header, 10.0) == pytest.approx(budget)


@pytest.mark.parametrize(
    ("header", "impatient"),
    [(None, False), ("0.25", False), ("10", False), ("0.24", True), ("0.01", True), ("1e-320", False)],
)
def test_less_than_a_quarter_of_a_second_is_no_scrapers(header: str | None, impatient: bool) -> None:
    assert is_impatient(header) is impatient


@pytest.mark.parametrize("path", ["/metrics", "/probe?target=bridge0"])
@pytest.mark.parametrize("timeout", ["0.02", "0.2", "1e-320"])
async def test_an_impatient_client_makes_no_counter_rise_and_no_line(
    path: str, timeout: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def slow(_head: bytes, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(0.3)
        writer.write(response(documents.reading()))
        return True

    config = replace(CONFIG, timeout=5.0)
    async with raw_server(slow) as server, exporter(server, config=config) as client:
        for _ in range(3):
            await client.get(path, headers={"X-Prometheus-Scrape-Timeout-Seconds": timeout})
        answer = await client.get("/metrics")
    counted = [line for line in answer.text.splitlines() if line.startswith("iometer_scrape_errors_total{")]
    assert counted
    assert not [line for line in counted if 'reason="timeout"' in line and not line.endswith(" 0.0")]
    assert not [record for record in caplog.records if "timeout" in str(record.__dict__)]


async def test_the_list_of_bridges_does_not_wait_for_the_provider() -> None:
    async with Exporter(lambda: CONFIG) as running:

        class Awaited:
            tried = False

            async def aclose(self) -> None:
                pass

        running.provider = Awaited()  # type: ignore[assignment]
        transport = httpx.ASGITransport(create_app(running))
        async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
            assert (await client.get("/-/ready")).status_code == 503
            answer = await client.get("/sd")
        assert (answer.status_code, answer.json()) == (200, [])


async def test_the_list_of_bridges_waits_for_the_first_round() -> None:
    async with exporter(ready=False) as client:
        answer = await client.get("/sd")
    assert (answer.status_code, answer.text) == (503, "not ready: the first discovery round is under way\n")


@pytest.mark.parametrize("path", ["/metrics", "/probe?target=bridge0"])
async def test_a_cache_is_told_what_the_answer_depends_on(path: str) -> None:
    async with raw_server(bridge(documents.reading, documents.status)) as server, exporter(server) as client:
        answers = [await client.get(path, headers={"Accept-Encoding": how}) for how in ("gzip", "identity")]
    assert [answer.headers["Vary"] for answer in answers] == ["Accept, Accept-Encoding"] * 2


async def test_names_that_do_not_resolve_do_not_delay_compression() -> None:
    """The threads that all share are all busy; those for gzip are not among them."""
    loop = asyncio.get_running_loop()
    release = threading.Event()
    busy = [loop.run_in_executor(None, release.wait, 60) for _ in range(64)]
    pieces = [b"iometer_up 1\n" * 100_000] * 3
    with ThreadPoolExecutor(1) as own:
        try:
            async with asyncio.timeout(30):
                zipped = b"".join([chunk async for chunk in web._zipped(pieces, own)])
        finally:
            release.set()
            await asyncio.gather(*busy)
    assert gzip.decompress(zipped) == b"".join(pieces)


async def test_landing_page_shows_the_bridges() -> None:
    async with (
        raw_server(bridge(lambda: documents.reading(time.time(), power=-1500.0), documents.status)) as server,
        exporter(server) as client,
    ):
        answer = await client.get("/")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "script" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Vary"] == "Accept-Language, Accept-Encoding"
    assert answer.headers["Content-Encoding"] == "gzip"
    for text in ("bridge0", "1500", "into the grid", "12,345.7", "5.4", "80%", "metrics"):
        assert text in answer.text


async def test_landing_page_speaks_the_language_of_its_reader() -> None:
    async with exporter() as client:
        answer = await client.get("/", headers={"Accept-Language": "de-DE,de;q=0.9,en;q=0.8"})
        assert answer.headers["Content-Language"] == "de"
        assert '<html lang="de">' in answer.text
        assert (await client.get("/")).headers["Content-Language"] == "en"


async def test_landing_page_does_not_wait_for_a_bridge_that_hangs() -> None:
    config = replace(CONFIG, timeout=2 * PATIENCE)
    async with (
        raw_server(hanging) as sick,
        raw_server(healthy()) as well,
        exporter(sick, well, config=config) as client,
    ):
        async with asyncio.timeout(PATIENCE):
            answer = await client.get("/")
        assert "being asked" in answer.text
        assert "12,345.7" in answer.text
        text = (await client.get("/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "0.3"})).text
    # The scrape counts what it missed, the page has not.
    timeouts = re.findall(r'iometer_scrape_errors_total\{bridge="bridge0",.*reason="timeout"\} (\S+)', text)
    assert timeouts == ["1.0", "1.0"]


async def test_landing_page_says_why_a_configuration_was_refused() -> None:
    def load() -> Config:
        if load_count:
            raise ConfigError("config.yml: timout: unknown key")
        load_count.append(1)
        return CONFIG

    load_count: list[int] = []
    async with Exporter(load) as running:
        transport = httpx.ASGITransport(create_app(running, dashboard_url="https://grafana.example/"))
        async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
            assert "mistake" not in (await client.get("/")).text
            with pytest.raises(ConfigError):
                await running.reload()
            answer = await client.get("/")
    assert "config.yml: timout: unknown key" in answer.text
    assert 'href="https://grafana.example/"' in answer.text


@pytest.mark.parametrize(
    ("path", "ready", "status", "text"),
    [
        ("/-/healthy", False, 200, "healthy\n"),
        ("/-/ready", True, 200, "ready\n"),
        ("/-/ready", False, 503, "not ready: the first discovery round is under way\n"),
        ("/nothing", True, 404, "there is nothing here, see / for what there is\n"),
    ],
)
async def test_plain_answers(path: str, ready: bool, status: int, text: str) -> None:
    async with exporter(ready=ready) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.text) == (status, text)


async def test_a_wrong_method_is_told_the_right_one() -> None:
    async with exporter() as client:
        answer = await client.post("/metrics")
    assert answer.status_code == 405
    assert re.fullmatch("POST is not allowed here, use (GET, HEAD|HEAD, GET)\n", answer.text)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD"}


async def test_head_has_no_body() -> None:
    async with exporter() as client:
        answer = await client.head("/-/healthy")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_fault_of_this_program_is_a_plain_500(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_self: Fleet, _deadline: float, *, count_timeouts: bool) -> None:
        raise TypeError("bug")

    monkeypatch.setattr(Fleet, "scrape", broken)
    async with exporter() as client:
        answer = await client.get("/metrics")
    assert (answer.status_code, answer.text) == (
        500,
        "internal error (TypeError), the log of the exporter tells more\n",
    )
    [record] = caplog.records
    assert (record.getMessage(), record.__dict__["path"]) == (
        "request failed, please report this",
        "/metrics",
    )


async def test_scrapers_at_once_get_the_same_values_with_one_fetch() -> None:
    async with raw_server(bridge(documents.reading, documents.status)) as server, exporter(server) as client:
        answers = await asyncio.gather(*(client.get("/metrics") for _ in range(8)))
    assert all(answer.status_code == 200 for answer in answers)
    assert len(server.requests) == 2
