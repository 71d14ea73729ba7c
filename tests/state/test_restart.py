"""The exporter ends and another goes on: the real process, and the configuration around it."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from iometer_exporter.config.file import BridgeConfig, Config, DiscoveryConfig
from tests import documents
from tests.processes import Process, eventually, exporter, get
from tests.rawserver import bridge, raw_server, served
from tests.web.test_reload import healthy, reloadable

IMPORT: Final = "iometer_energy_import_joules_total"
POWER: Final = "iometer_power_watts"
REGISTER: Final = "iometer_register"
WH: Final = 3600


@dataclass
class Meter:
    """What the bridge of these tests sends, changed while it runs."""

    begun: float = field(default_factory=lambda: time.time() - 1000.0)
    shown: float | None = None
    """Unix time of the reading that is shown; None for now."""

    def reading(self) -> bytes:
        at = time.time() if self.shown is None else self.shown
        return documents.reading(at, imported=round(40_000_000 + (at - self.begun) / 10, 1))


@contextmanager
def running(
    folder: Path, meter: Meter, *more: str
) -> Iterator[tuple[Process, Callable[[], dict[str, float]]]]:
    """An exporter with a state file that reads the meter, and what it serves."""
    with (
        served(bridge(meter.reading, documents.status)) as address,
        exporter(
            folder,
            "--no-discovery",
            f"--bridge=house={address}",
            f"--state.file={folder / 'state.json'}",
            *more,
        ) as (process, url),
    ):

        def samples() -> dict[str, float]:
            families = parse_text(get(f"{url}metrics").decode())
            return {
                sample.name: sample.value
                for family in families
                for sample in family.samples
                if sample.labels.get("obis", "1-0:1.8.0") == "1-0:1.8.0"
            }

        yield process, samples


@pytest.mark.end_to_end
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_a_restart_in_a_replay_goes_on_where_it_was(tmp_path: Path, number: int) -> None:
    """Where nothing was served since the file was written, the counter is there at once, after a kill too."""
    meter = Meter(shown=time.time() - 1)
    with running(tmp_path, meter) as (process, samples):
        before = samples()
        lock = tmp_path / "state.json.lock"
        eventually(lambda: (tmp_path / "state.json").exists() and lock.stat().st_size == 0, 60)
        process.stop(number)
    meter.shown = time.time() - 600
    with running(tmp_path, meter) as (process, samples):
        during = samples()
        meter.shown = None
        after = samples()
        assert process.stop() == 0
    assert during[REGISTER] * WH < before[IMPORT]
    assert during[IMPORT] == before[IMPORT] < after[IMPORT]
    assert "level=error" not in process.text()


@pytest.mark.end_to_end
def test_after_a_kill_in_full_run_no_counter_falls(tmp_path: Path) -> None:
    """What was served since the file was written is lost: the counter waits for the present."""
    meter = Meter()
    with running(tmp_path, meter) as (process, samples):
        samples()
        eventually((tmp_path / "state.json").exists, 60)
        # Readings have whole seconds; one more is served than written.
        first = samples()
        eventually(lambda: samples()[IMPORT] > first[IMPORT], 60)
        before = samples()
        eventually(lambda: (tmp_path / "state.json.lock").stat().st_size == 1, 60)
        process.stop(signal.SIGKILL)
        killed = time.time()
    meter.shown = killed - 1.5
    with running(tmp_path, meter) as (process, samples):
        during = samples()
        meter.shown = None
        eventually(lambda: IMPORT in samples(), 60)
        after = samples()
    assert REGISTER in during
    assert during.get(IMPORT, before[IMPORT]) >= before[IMPORT]
    assert after[IMPORT] >= before[IMPORT]


@pytest.mark.end_to_end
def test_without_a_file_a_start_in_a_replay_gives_no_counter(tmp_path: Path) -> None:
    meter = Meter(shown=time.time() - 600)
    with running(tmp_path, meter, "--state.file=off") as (_, samples):
        during = samples()
        meter.shown = None
        after = samples()
    assert IMPORT not in during
    assert POWER in during
    assert IMPORT in after
    assert not (tmp_path / "state.json").exists()


@pytest.mark.end_to_end
@pytest.mark.parametrize("content", [b"", b"\xff" * 5000, b"bridges: []\n", b'{"format":1}\n[]\n'])
def test_a_file_of_anything_stops_no_start(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    with running(tmp_path, Meter()) as (process, samples):
        assert samples()["iometer_up"] == 1
        assert process.stop() == 0
    assert process.text().count("level=warning") == bool(content)
    assert json.loads((tmp_path / "state.json").read_text().splitlines()[0])["ended"] is True


@pytest.mark.end_to_end
def test_systemd_says_where(tmp_path: Path) -> None:
    environment = {"STATE_DIRECTORY": f"{tmp_path / 'one'}:{tmp_path / 'two'}"}
    (tmp_path / "one").mkdir()
    for options, is_there in (((), True), (("--state.file=off",), False)):
        with exporter(tmp_path, "--no-discovery", "--bridge=127.0.0.1:1", *options, env=environment) as (
            process,
            _,
        ):
            process.stop()
        assert (tmp_path / "one" / "state.json").exists() is is_there
        (tmp_path / "one" / "state.json").unlink(missing_ok=True)


async def test_a_reload_moves_the_file_and_what_is_in_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    async with raw_server(healthy()) as server:
        config = Config(
            discovery=DiscoveryConfig(enabled=False),
            bridges=(BridgeConfig(server.address, "house"),),
            state_file=str(first),
        )
        async with reloadable(config) as (source, client, running_):
            await client.get("/metrics")
            for path in (str(second), "", str(second)):
                source.config = replace(config, state_file=path)
                await running_.reload()
    for file in (first, second):
        assert [json.loads(line)[:2] for line in file.read_text().splitlines()[1:-1]] == [
            ["meter", "meter:1ISK0000000001"],
            ["days", "1ISK0000000001"],
        ]


async def test_today_goes_on_after_a_restart(tmp_path: Path) -> None:
    now = [time.time() - 50.0]
    handler = bridge(
        lambda: documents.reading(now[0], imported=1000.0 + (now[0] % 100_000) / 10), documents.status
    )
    since = []
    async with raw_server(handler) as server:
        config = Config(
            discovery=DiscoveryConfig(enabled=False),
            bridges=(BridgeConfig(server.address, "house"),),
            state_file=str(tmp_path / "state.json"),
        )
        for _ in range(2):
            async with reloadable(config) as (_, _client, exporter_):
                [glance] = await exporter_.fleet.look(10.0)
                assert glance.recent.today is not None
                since.append((glance.recent.today.since, glance.recent.today.imported))
                now[0] += 40.0
    (first, none), (second, some) = since
    assert first == second
    assert none == 0.0
    assert some == pytest.approx(4.0 * 3600, rel=1e-3)
