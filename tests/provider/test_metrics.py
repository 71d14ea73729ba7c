"""The families of a provider: what the contract says of them, and one page with those of bridges."""

import asyncio
import subprocess
from collections import Counter
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from iometer_exporter.bridges.samples import add_bridges
from iometer_exporter.config.provider import ProviderConfig
from iometer_exporter.errors import PROVIDER_REASONS, ProviderError
from iometer_exporter.exporter import exporter_samples
from iometer_exporter.metrics import families as metrics
from iometer_exporter.metrics.exposition import OPENMETRICS, TEXT, Format, chunks
from iometer_exporter.metrics.lines import Lines
from iometer_exporter.provider.api.credentials import Credentials
from iometer_exporter.provider.api.models import LicensePool, Meter, ReadingsPage, SigningKey
from iometer_exporter.provider.served.families import (
    INSTALLATION_FAMILIES,
    PROVIDER_FAMILIES,
    SHARED_FAMILIES,
)
from iometer_exporter.provider.source import ProviderSource
from tests.conftest import require_program
from tests.metrics.test_families import snapshot_of
from tests.provider.fleet import (
    EXPORT,
    LIMITS,
    STALE_AFTER,
    ScriptedClient,
    SimulatedClock,
    account,
    installation,
    reading,
    received,
)

CONTRACT = {
    "iometer_provider_up": ("gauge", ""),
    "iometer_provider_info": ("gauge", "id name"),
    "iometer_provider_request_duration_seconds": ("gauge", "operation"),
    "iometer_provider_request_errors_total": ("counter", "operation reason"),
    "iometer_provider_inventory_timestamp_seconds": ("gauge", ""),
    "iometer_provider_installations": ("gauge", ""),
    "iometer_provider_subscription_up": ("gauge", ""),
    "iometer_provider_subscription_reconnects_total": ("counter", ""),
    "iometer_provider_readings_total": ("counter", "result"),
    "iometer_provider_reading_delay_seconds": ("histogram", ""),
    "iometer_license_pool_size": ("gauge", "pool name"),
    "iometer_license_pool_used": ("gauge", "pool name"),
    "iometer_signing_key_enabled": ("gauge", "key name"),
    "iometer_energy_import_joules_total": ("counter", "installation meter"),
    "iometer_energy_export_joules_total": ("counter", "installation meter"),
    "iometer_tariff_energy_import_joules_total": ("counter", "installation meter tariff"),
    "iometer_tariff_energy_export_joules_total": ("counter", "installation meter tariff"),
    "iometer_power_watts": ("gauge", "installation meter"),
    "iometer_phase_power_watts": ("gauge", "installation meter phase"),
    "iometer_phase_voltage_volts": ("gauge", "installation meter phase"),
    "iometer_phase_current_amperes": ("gauge", "installation meter phase"),
    "iometer_frequency_hertz": ("gauge", "installation meter"),
    "iometer_register": ("gauge", "installation meter obis unit"),
    "iometer_reading_timestamp_seconds": ("gauge", "installation meter"),
    "iometer_core_connected": ("gauge", "installation meter"),
    "iometer_core_attached": ("gauge", "installation meter"),
    "iometer_core_battery_ratio": ("gauge", "installation meter"),
    "iometer_core_power_status": ("gauge", "installation meter status"),
    "iometer_core_pin_status": ("gauge", "installation meter status"),
    "iometer_installation_info": ("gauge", "installation id external_id"),
    "iometer_device_info": ("gauge", "installation device_id"),
    "iometer_bridge_cloud_connected": ("gauge", "installation"),
    "iometer_local_http_push_status": ("gauge", "installation status"),
    "iometer_license_status": ("gauge", "installation status"),
    "iometer_license_start_timestamp_seconds": ("gauge", "installation"),
    "iometer_license_end_timestamp_seconds": ("gauge", "installation"),
    "iometer_license_auto_renewal": ("gauge", "installation"),
}

FULL = {
    EXPORT: ("2", "kWh"),
    "1-0:1.8.1": ("1", "kWh"),
    "1-0:2.8.1": ("1", "kWh"),
    "1-0:36.7.0": ("100", "W"),
    "1-0:32.7.0": ("230.1", "V"),
    "1-0:31.7.0": ("0.5", "A"),
    "1-0:14.7.0": ("50.01", "Hz"),
}


@asynccontextmanager
async def source(client: ScriptedClient, **settings: Any) -> Any:
    clock = SimulatedClock()
    running = ProviderSource(
        ProviderConfig(**settings),
        Credentials("token", "secret", "", ""),
        limits=LIMITS,
        stale_after=STALE_AFTER,
        client=lambda *_: client,
        clock=clock,
    )
    await running.start()
    await clock.settle()
    try:
        yield running
    finally:
        await running.aclose()


def full_client() -> ScriptedClient:
    meters = (Meter("m", "1ISK0000000009", reading(0, 1000, number="1ISK0000000009", more=FULL)),)
    return ScriptedClient(fleet=[installation("i1", "c-1", meters=meters), installation("i2")])


async def text_of(running: ProviderSource, text_format: Format = TEXT, *, bridges: bool = False) -> str:
    lines = Lines()
    if bridges:
        own = exporter_samples(bridges={"configured": 1}, reload_successful=True, reload_timestamp=1.0)
        add_bridges(lines, [snapshot_of("battery")], now=0.0, stale_after=0.0)
        lines.add([((), own)])
    pieces = await running.page([lines], text_format, local=frozenset())
    return b"".join(pieces).decode()


def parsed(text: str, text_format: Format) -> list[Metric]:
    parse = parse_text if text_format is TEXT else parse_openmetrics
    return list(parse(text))


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in parse_text(text)
        for sample in family.samples
    }


def test_the_table_is_the_contract() -> None:
    table = {
        family.name: (family.type, " ".join(family.labels))
        for family in (*PROVIDER_FAMILIES, *INSTALLATION_FAMILIES)
    }
    assert table == CONTRACT, "a family is in its table or in CONTRACT of this file, and not in the other"


def test_help_says_what_is_served_from_memory() -> None:
    for family in (*INSTALLATION_FAMILIES, *PROVIDER_FAMILIES[10:]):
        assert "served from memory" in family.help, family.name


def test_shared_families_are_those_of_bridges() -> None:
    of_bridges = {family.name: family for family in metrics.FAMILIES}
    for family in SHARED_FAMILIES:
        own = of_bridges[family.name]
        assert (family.type, family.unit, family.labels[1:]) == (own.type, own.unit, own.labels[1:])
        assert family.help.startswith(own.help)


async def test_every_family_of_the_contract_is_served() -> None:
    async with source(full_client()) as running:
        served = {name for name, _ in samples(await text_of(running))}
    histogram = "iometer_provider_reading_delay_seconds"
    expected = (CONTRACT.keys() - {histogram}) | {
        f"{histogram}_{part}" for part in ("bucket", "sum", "count")
    }
    odd = ", ".join(sorted(served ^ expected))
    assert served == expected, f"{odd}: in CONTRACT and not served to full_client, or the other way round"


@pytest.mark.parametrize("text_format", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
@pytest.mark.parametrize("bridges", [False, True], ids=["alone", "beside bridges"])
async def test_each_family_stands_once_and_both_parsers_read_it(text_format: Format, bridges: bool) -> None:
    async with source(full_client()) as running:
        text = await text_of(running, text_format, bridges=bridges)
    headers = Counter(line for line in text.splitlines() if line.startswith("# TYPE"))
    assert set(headers.values()) == {1}
    assert text.endswith("# EOF\n") is (text_format is OPENMETRICS)
    assert text.count("# EOF") == (text_format is OPENMETRICS)
    series = Counter(
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in parsed(text, text_format)
        for sample in family.samples
    )
    assert set(series.values()) == {1}
    with_export = {family.name for family in parsed(text, text_format)}
    assert "iometer_energy_export_joules" in with_export


@pytest.mark.end_to_end
def test_promtool_finds_nothing_to_say() -> None:
    async def page() -> str:
        async with source(full_client()) as running:
            return await text_of(running, bridges=True)

    checked = subprocess.run(
        [require_program("promtool"), "check", "metrics"],
        input=asyncio.run(page()).encode(),
        capture_output=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


async def test_bridges_come_first_in_a_shared_family() -> None:
    async with source(full_client()) as running:
        text = await text_of(running, bridges=True)
    lines = [line for line in text.splitlines() if "iometer_energy_import_joules_total" in line]
    assert [line.partition("{")[2].partition("=")[0] for line in lines] == ["", "", "bridge", "installation"]
    assert lines[0].endswith(
        "OBIS 1-0:1.8.0. Of an installation: as the provider API gave it last, served from memory."
    )


async def test_without_an_installation_the_families_of_bridges_say_nothing_of_them() -> None:
    async with source(ScriptedClient()) as running:
        text = await text_of(running)
    assert "installation=" not in text
    assert "iometer_license_status" not in text
    assert samples(text)["iometer_provider_installations", ()] == 0


async def test_counters_begin_with_zero() -> None:
    async with source(ScriptedClient()) as running:
        found = samples(await text_of(running))
    for operation in ("account", "installations", "subscription"):
        for reason in PROVIDER_REASONS:
            assert found["iometer_provider_request_errors_total", (operation, reason)] == 0
    for result in ("accepted", "duplicate", "rejected"):
        assert found["iometer_provider_readings_total", (result,)] == 0
    assert found["iometer_provider_subscription_reconnects_total", ()] == 0
    assert found["iometer_provider_reading_delay_seconds_count", ()] == 0
    assert found["iometer_provider_subscription_up", ()] == 1


@pytest.mark.parametrize(("readings", "operation"), [("poll", "readings"), ("off", None)])
async def test_without_a_subscription_nothing_is_said_of_one(readings: str, operation: str | None) -> None:
    client = full_client()
    client.walk = lambda _start, _cursor: (
        pytest.fail("not now") if operation is None else ReadingsPage((), None)
    )
    async with source(client, readings=readings) as running:
        found = samples(await text_of(running))
    assert not any(name.startswith("iometer_provider_subscription") for name, _ in found)
    operations = {labels[0] for name, labels in found if name == "iometer_provider_request_errors_total"}
    assert operations == {"account", "installations", *([operation] if operation else [])}
    durations = {labels[0] for name, labels in found if name == "iometer_provider_request_duration_seconds"}
    assert durations == operations


async def test_before_the_first_answer_what_is_unknown_is_absent() -> None:
    client = full_client()
    client.provider = ProviderError("timeout", "did not answer in time")
    async with source(client) as running:
        running.inventory.succeeded = None
        found = samples(await text_of(running))
    names = {name for name, _ in found}
    assert not names & {
        "iometer_provider_up",
        "iometer_provider_info",
        "iometer_provider_inventory_timestamp_seconds",
        "iometer_license_pool_size",
    }
    assert found["iometer_provider_request_errors_total", ("account", "timeout")] == 1


async def test_a_failed_refresh_shows() -> None:
    client = full_client()
    async with source(client) as running:
        client.provider = ProviderError("timeout", "did not answer in time")
        await running.clock.advance(331)
        found = samples(await text_of(running))
    assert found["iometer_provider_up", ()] == 0
    assert found["iometer_provider_inventory_timestamp_seconds", ()] == running.clock.now
    assert found["iometer_provider_installations", ()] == 2


async def test_pools_and_keys() -> None:
    client = full_client()
    client.provider = account(
        license_pools=(LicensePool("p1", "main", 100, 7, None), LicensePool("p2", "", None, 0, None)),
        signing_keys=(
            SigningKey("k1", "old", False),
            SigningKey("k2", "new", True),
            SigningKey("k3", "", None),
        ),
    )
    async with source(client) as running:
        found = samples(await text_of(running))
    assert {key: value for key, value in found.items() if "pool" in key[0] or "key" in key[0]} == {
        ("iometer_license_pool_size", ("main", "p1")): 100,
        ("iometer_license_pool_used", ("main", "p1")): 7,
        ("iometer_license_pool_used", ("", "p2")): 0,
        ("iometer_signing_key_enabled", ("k1", "old")): 0,
        ("iometer_signing_key_enabled", ("k2", "new")): 1,
    }


async def test_what_the_account_lists_twice_is_one_series() -> None:
    client = full_client()
    pool, key = LicensePool("p1", "main", 100, 7, None), SigningKey("k1", "old", False)
    client.provider = account(license_pools=(pool, pool), signing_keys=(key, key))
    async with source(client) as running:
        text = await text_of(running)
    assert text.count("iometer_license_pool_size{") == 1
    assert text.count("iometer_signing_key_enabled{") == 1


async def test_delays_are_a_histogram() -> None:
    client = full_client()
    async with source(client) as running:
        for seconds, delay in ((900, 0.5), (1800, 20.0)):
            taken = reading(seconds, 1000 + seconds, number="1ISK0000000009")
            client.stream.put_nowait(received(taken, meter_id="m", delay=delay))
        await running.clock.settle()
        found = samples(await text_of(running))
    name = "iometer_provider_reading_delay_seconds"
    assert found[f"{name}_bucket", ("1.0",)] == 1
    assert found[f"{name}_bucket", ("60.0",)] == 2
    assert found[f"{name}_bucket", ("+Inf",)] == 2
    assert found[f"{name}_sum", ()] == 20.5


async def test_changes_are_written_in_the_background() -> None:
    client = full_client()
    async with source(client) as running:
        await running.clock.advance(1)
        assert not running.installations.store.pending
        client.stream.put_nowait(received(reading(900, 1001, number="1ISK0000000009"), meter_id="m"))
        await running.clock.settle()
        assert running.installations.store.pending
        await running.clock.advance(1)
        assert not running.installations.store.pending


async def test_a_page_does_not_change_while_it_is_sent() -> None:
    client = full_client()
    async with source(client) as running:
        pieces = await running.page([], TEXT, local=frozenset())
        before = b"".join(pieces)
        client.stream.put_nowait(received(reading(900, 5000, number="1ISK0000000009"), meter_id="m"))
        await running.clock.advance(5)
        assert b"".join(pieces) == before
        assert b"".join(await running.page([], TEXT, local=frozenset())) != before


def test_chunks_are_the_same_bytes() -> None:
    pieces = [bytes([number]) * (number % 7) for number in range(100)]
    for size in (1, 10, 1000):
        found = list(chunks(pieces, size))
        assert b"".join(found) == b"".join(pieces)
        assert all(size <= len(chunk) < size + 7 for chunk in found[:-1])
    assert list(chunks([], 10)) == []
