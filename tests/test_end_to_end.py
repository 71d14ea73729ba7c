"""The real exporter process, simulated bridges over real sockets, a real Prometheus."""

import os
import re
import signal
import subprocess
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests import documents
from tests.conftest import require_program
from tests.processes import COMMAND, Prometheus, exporter, get, is_ready, prometheus, started
from tests.rawserver import bridge, hanging, served
from tests.waiting import eventually

pytestmark = pytest.mark.end_to_end


def test_bridges_found_by_mdns_and_scraped_by_prometheus(tmp_path: Path) -> None:
    """What a user has: bridges in the network, the exporter without a word of configuration about them."""
    config = tmp_path / "config.yml"
    config.write_text("discovery: {interfaces: [lo]}\n")
    simulate = [*COMMAND, "simulate", "--port", "0", "--bridges", "3", "--seed", str(os.getpid())]
    simulate += ["--mdns", "--mdns-interface", "127.0.0.1"]
    with (
        started(simulate, tmp_path / "simulator.log") as simulator,
        exporter(tmp_path, "--config.file", str(config)) as (process, url),
        prometheus(tmp_path, url.removeprefix("http://").rstrip("/")) as server,
    ):
        simulator.wait_for(r"(?s)(IOmeter-\w{6}.*){3}")
        names = set(re.findall(r"IOmeter-\w{6}", simulator.text()))
        # Other bridges may be announced on this host at the same time.
        ours = 'bridge=~"' + "|".join(names) + '"'
        eventually(lambda: is_ready(url))
        eventually(lambda: len(server.query(f"iometer_up{{{ours}}} == 1")) == 3)
        enough = f"count_over_time(iometer_power_watts{{{ours}}}[30s]) >= 13"
        eventually(lambda: len(server.query(enough)) == 3)
        for name in names:
            check_that_energy_is_power_over_time(server, name)
        assert server.values('iometer_bridges{source="discovered"}', by="source")["discovered"] >= 3
        assert server.query(f"iometer_up{{{ours}}} == 0") == []
        assert server.query(f"iometer_scrape_errors_total{{{ours}}} > 0") == []
        assert server.query("min_over_time(up[1m]) == 0") == []
        # Killed, the bridges are known on: a series that vanishes would end every alert about it.
        assert simulator.stop(signal.SIGKILL) == -signal.SIGKILL
        eventually(lambda: len(server.query(f"iometer_up{{{ours}}} == 0")) == 3)
        assert process.stop() == 0
    assert "Traceback" not in process.text() + simulator.text()


def check_that_energy_is_power_over_time(server: Prometheus, name: str) -> None:
    """Compare what two readings a second apart say; a second that no scrape has seen is left out."""

    def samples(metric: str) -> dict[float, float]:
        [series] = server.query(f'{metric}{{bridge="{name}"}}[30s]') or [{"values": []}]
        return {float(at): float(value) for at, value in series["values"]}

    taken, power = samples("iometer_reading_timestamp_seconds"), samples("iometer_power_watts")
    imported = samples("iometer_energy_import_joules_total")
    exported = samples("iometer_energy_export_joules_total")
    assert set(taken) == set(power) == set(imported) >= set(exported)
    joules = expected = 0.0
    seconds, stretches = 0, 1
    for before, after in pairwise(sorted(taken)):
        elapsed = taken[after] - taken[before]
        if elapsed > 1:
            stretches += 1
        elif elapsed == 1:
            seconds += 1
            expected += power[before]
            joules += imported[after] - imported[before]
            joules -= exported.get(after, 0.0) - exported.get(before, 0.0)
    assert seconds >= 10
    # Both registers count in steps of 360 J, and a stretch may begin and end within one.
    assert joules == pytest.approx(expected, abs=2 * 360 * stretches)


class Meter:
    """A meter that counts 20 Wh from one reading to the next, and replays 30 of its past once."""

    STEP_WH = 20.0
    REPLAY_AT = 30
    REPLAYED = 30

    def __init__(self) -> None:
        self._start = time.time() - 3600
        self._asked = 0

    def reading(self) -> bytes:
        """The next reading, one second after the last."""
        number = self._asked
        self._asked += 1
        since = number - self.REPLAY_AT
        step = since - 10 if 0 <= since < self.REPLAYED else number
        return documents.reading(self._start + step, imported=12345678.9 + step * self.STEP_WH)


def test_a_replay_does_not_reach_increase(tmp_path: Path) -> None:
    meter = Meter()
    with (
        served(bridge(meter.reading, documents.status)) as address,
        exporter(tmp_path, "--no-discovery", "--bridge", f"house={address}") as (_, url),
        prometheus(tmp_path, url.removeprefix("http://").rstrip("/"), interval="200ms") as server,
    ):
        rejected = 'iometer_readings_rejected_total{reason="replayed"}'
        eventually(lambda: server.query(f"{rejected} == {Meter.REPLAYED}"))
        counter = "iometer_energy_import_joules_total"
        seen = len(server.query(f"{counter}[5m]")[0]["values"])
        eventually(lambda: len(server.query(f"{counter}[5m]")[0]["values"]) >= seen + 5)
        [series] = server.query(f"{counter}[5m]")
        samples = [(float(at), float(value)) for at, value in series["values"]]
        first, last = samples[0], samples[-1]
        window = f"{round((last[0] - first[0]) * 1000)}ms"
        [increase] = server.query(f"increase({counter}[{window}])", at=last[0])
        truth = last[1] - first[1]
        assert truth > 0
        assert truth % (Meter.STEP_WH * 3600) == pytest.approx(0, abs=1e-3)
        assert float(increase["value"][1]) == pytest.approx(truth, rel=0.001)
        # What Prometheus would have made of it: the whole meter total, once per fall.
        [unguarded] = server.query(f'increase(iometer_register{{obis="1-0:1.8.0"}}[{window}])', at=last[0])
        assert float(unguarded["value"][1]) > 12_000_000


def test_promtool_finds_no_fault_in_the_metrics(tmp_path: Path) -> None:
    promtool = require_program("promtool")
    faults = ["three-phase@1", "tariffs@2", "wired@3", "no-status@4", "hang@5"]
    options = [word for fault in faults for word in ("--fault", fault)]
    simulate = [*COMMAND, "simulate", "--port", "0", "--bridges", "5", *options]
    with started(simulate, tmp_path / "simulator.log") as simulator:
        simulator.wait_for(r"(?s)(http://.*){5}")
        lines = simulator.text().splitlines()
        hosts = [line.split()[0].removeprefix("http://") for line in lines]
        bridges = [word for host in hosts for word in ("--bridge", host)]
        with exporter(tmp_path, "--no-discovery", "--timeout", "1s", *bridges) as (_, url):
            text = get(f"{url}metrics")
    assert b"iometer_tariff_energy_import_joules_total{" in text
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_exporter_quietly_though_a_bridge_hangs(tmp_path: Path, number: int) -> None:
    with (
        served(hanging) as address,
        exporter(tmp_path, "--no-discovery", "--bridge", str(address)) as (process, url),
    ):
        answers: list[bytes] = []
        scrape = threading.Thread(target=lambda: answers.append(get(f"{url}metrics")))
        scrape.start()
        time.sleep(0.3)
        asked = time.monotonic()
        code = process.stop(number)
        elapsed = time.monotonic() - asked
        scrape.join()
    assert code == 0
    assert elapsed < 2
    assert b"iometer_up{" in answers[0]
    assert "Traceback" not in process.text()


def test_demo_shows_a_home(tmp_path: Path) -> None:
    with started([*COMMAND, "demo", "--web.listen-address", "127.0.0.1:0"], tmp_path / "demo.log") as demo:
        url = demo.wait_for(r"(http://\S+/) ")[1]
        demo.wait_for("Ctrl-C")
        metrics, page = get(f"{url}metrics").decode(), get(url).decode()
        assert "iometer_power_watts{" in metrics
        assert "kWh" in page
        assert demo.stop(signal.SIGINT) == 0
    assert "Traceback" not in demo.text()


def test_the_first_scrape_after_the_start_is_answered(tmp_path: Path) -> None:
    """With discovery on and nothing found, and a name that does not resolve: still 200, still quick."""
    with exporter(tmp_path, "--bridge", "house=bridge.invalid") as (_, url):
        started_at = time.monotonic()
        text = get(f"{url}metrics").decode()
        assert time.monotonic() - started_at < 5
    assert 'iometer_up{bridge="house"} 0.0' in text
    assert 'iometer_scrape_errors_total{bridge="house",endpoint="reading",reason="resolve"} 1.0' in text
