"""The exporter as infrastructure: signals, load, and each way a real Prometheus can find bridges."""

import asyncio
import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from iometer_exporter.simulator import Simulation
from tests import documents
from tests.processes import COMMAND, Process, eventually, exporter, get, is_ready, post, prometheus, started
from tests.rawserver import bridge, served

pytestmark = pytest.mark.end_to_end


@contextmanager
def simulated(folder: Path, *options: str) -> Iterator[tuple[Process, list[str]]]:
    """Simulated bridges on free ports, and their addresses."""
    count = options[options.index("--bridges") + 1] if "--bridges" in options else "1"
    with started([*COMMAND, "simulate", "--port", "0", *options], folder / "simulator.log") as process:
        process.wait_for(rf"(?s)(http://.*){{{count}}}\n")
        yield process, re.findall(r"http://(\S+)", process.text())


BAD = "bridges: [{name: bad\n"


def put(file: Path, text: str) -> None:
    """Replace the file in one step, so that nobody reads half of it."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def test_a_storm_of_hangups_ends_in_the_last_good_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text("bridges: [{name: first, host: 127.0.0.1, port: 1}]\n")
    with exporter(tmp_path, "--no-discovery", "--config.file", str(config)) as (process, url):
        for index in range(50):
            put(config, BAD if index % 2 else "bridges: [{name: more, host: 127.0.0.1, port: 2}]\n")
            process.popen.send_signal(signal.SIGHUP)
        eventually(lambda: b"iometer_config_last_reload_successful 0.0" in get(f"{url}metrics"))
        assert b'iometer_up{bridge="' in get(f"{url}metrics")
        put(config, "bridges: [{name: last, host: 127.0.0.1, port: 3}]\n")
        process.popen.send_signal(signal.SIGHUP)
        eventually(lambda: b'iometer_up{bridge="last"}' in get(f"{url}metrics"))
        assert b"iometer_config_last_reload_successful 1.0" in get(f"{url}metrics")
        assert process.stop() == 0
    assert "Traceback" not in process.text()
    assert "not reloaded, the old one stays" in process.text()


def test_term_during_a_scrape_completes_it(tmp_path: Path) -> None:
    def reading() -> bytes:
        time.sleep(0.5)
        return documents.reading(time.time())

    with (
        served(bridge(reading, documents.status)) as address,
        exporter(tmp_path, "--no-discovery", "--bridge", f"house={address}") as (process, url),
        ThreadPoolExecutor() as pool,
    ):
        scrape = pool.submit(get, f"{url}metrics")
        time.sleep(0.2)
        assert process.stop() == 0
        assert b'iometer_up{bridge="house"} 1.0' in scrape.result()


@contextmanager
def simulation(bridges: int, latency: float) -> Iterator[Simulation]:
    """Simulated bridges in a thread of this process, so that what they saw can be asked."""
    running = Simulation(port=0, bridges=bridges, latency=latency)
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with running:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield running
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def test_fifty_scrapers_at_once(tmp_path: Path) -> None:
    """No error, no growth of file descriptors, and never more than one fetch per bridge at a time."""
    seconds = 10.0
    with ExitStack() as stack:
        running = stack.enter_context(simulation(bridges=20, latency=0.02))
        bridges = [word for bridge in running.bridges for word in ("--bridge", bridge.target)]
        process, url = stack.enter_context(exporter(tmp_path, "--no-discovery", *bridges))
        get(f"{url}metrics")
        descriptors = Path(f"/proc/{process.popen.pid}/fd")
        before = len(list(descriptors.iterdir()))
        until = time.monotonic() + seconds

        def scrape() -> int:
            done = 0
            while time.monotonic() < until:
                text = get(f"{url}metrics").decode()
                assert text.count('endpoint="reading"} 1.0') == len(running.bridges)
                done += 1
            return done

        with ThreadPoolExecutor(50) as pool:
            scrapes = sum(future.result() for future in [pool.submit(scrape) for _ in range(50)])
        assert scrapes >= 50
        text = get(f"{url}metrics").decode()
        errors = re.findall(r"^iometer_scrape_errors_total\S+ (\S+)$", text, re.MULTILINE)
        assert set(errors) == {"0.0"}
        # One connection for each of the two documents: a second fetch of one would have opened a third.
        assert max(bridge.most_connections for bridge in running.bridges) <= 2
        assert max(bridge.requests["reading"] for bridge in running.bridges) < scrapes
        eventually(lambda: len(list(descriptors.iterdir())) <= before + 2)
        assert process.stop() == 0


SD_CONFIG = """\
  - job_name: sd
    http_sd_configs: [{{url: '{url}sd', refresh_interval: 1s}}]
    metrics_path: /probe
    relabel_configs:
      - {{source_labels: [__address__], target_label: __param_target}}
      - {{source_labels: [__param_target], target_label: instance}}
      - {{source_labels: [__meta_iometer_name], target_label: name}}
      - {{target_label: __address__, replacement: '{host}'}}
  - job_name: probe
    http_sd_configs: [{{url: '{url}sd?form=probe', refresh_interval: 1s}}]
"""


def test_prometheus_follows_bridges_through_both_forms_of_service_discovery(tmp_path: Path) -> None:
    """A bridge appears, moves to another port and disappears."""
    config = tmp_path / "config.yml"
    config.write_text("discovery: {interfaces: [lo], forget_after: 2s}\n")
    name = ""
    with ExitStack() as stack:
        process, url = stack.enter_context(exporter(tmp_path, "--config.file", str(config)))
        eventually(lambda: is_ready(url))
        host = url.removeprefix("http://").rstrip("/")
        server = stack.enter_context(prometheus(tmp_path, host, extra=SD_CONFIG.format(url=url, host=host)))
        seen: list[str] = []
        for _ in range(2):
            options = ["--seed", str(os.getpid()), "--mdns", "--mdns-interface", "127.0.0.1"]
            with simulated(tmp_path, *options) as (
                simulator,
                [address],
            ):
                name = simulator.text().split()[1]
                for job in ("sd", "probe"):
                    up = f'probe_success{{job="{job}",instance="{address}"}} == 1'
                    eventually(lambda up=up: server.query(up))  # type: ignore[misc]
                    power = f'iometer_power_watts{{job="{job}",bridge="{name}",instance="{address}"}}'
                    assert len(server.query(power)) == 1
                [named] = server.query(f'probe_success{{job="sd",instance="{address}"}}')
                assert named["metric"]["name"] == name
                seen.append(address)
        assert seen[0] != seen[1]
        # Forgotten after two seconds, and with it the targets.
        eventually(lambda: name not in get(f"{url}sd").decode())
        eventually(lambda: not server.query(f'probe_success{{instance="{seen[1]}"}}'))
        assert process.stop() == 0


def test_reload_under_load_loses_no_scrape(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    with ExitStack() as stack:
        _, addresses = stack.enter_context(simulated(tmp_path, "--bridges", "2"))
        lines = [
            f"  - {{name: bridge{i}, host: 127.0.0.1, port: {address.rpartition(':')[2]}}}"
            for i, address in enumerate(addresses)
        ]
        config.write_text("\n".join(["bridges:", *lines]))
        options = ["--no-discovery", "--config.file", str(config), "--web.enable-lifecycle"]
        process, url = stack.enter_context(exporter(tmp_path, *options))
        stop = threading.Event()
        failures: list[str] = []

        def scrape() -> None:
            while not stop.is_set():
                text = get(f"{url}metrics").decode()
                if 'iometer_up{bridge="bridge0"} 1.0' not in text:
                    failures.append(text)

        threads = [threading.Thread(target=scrape) for _ in range(4)]
        for thread in threads:
            thread.start()
        for index in range(30):
            put(config, "\n".join(["bridges:", *lines[: 1 + index % 2]]))
            assert post(f"{url}-/reload") == b"configuration reloaded\n"
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        assert process.stop() == 0


def test_service_discovery_answers_503_until_the_first_round_is_over(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text("discovery: {interfaces: [lo]}\n")
    with exporter(tmp_path, "--config.file", str(config)) as (_, url):
        assert not is_ready(url)
        with pytest.raises(OSError, match="503"):
            get(f"{url}sd")
        eventually(lambda: is_ready(url))
        assert isinstance(json.loads(get(f"{url}sd")), list)
