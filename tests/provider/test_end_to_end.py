"""Real processes: the exporter, a simulated cloud, Prometheus."""

import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes import COMMAND, exporter, get, is_ready, prometheus, started
from tests.waiting import eventually

pytestmark = pytest.mark.end_to_end

CREDENTIALS = {
    "IOMETER_EXPORTER_PROVIDER_TOKEN": "the-token",
    "IOMETER_EXPORTER_PROVIDER_SECRET": "the-secret",
}


@contextmanager
def cloud(folder: Path, *options: str) -> Iterator[str]:
    command = [*COMMAND, "simulate", "provider", "--port", "0", "--token", "the-token"]
    with started([*command, "--secret", "the-secret", *options], folder / "cloud.log") as process:
        yield process.wait_for(r"(http://\S+)")[1]


def config(folder: Path, url: str) -> str:
    file = folder / "config.yml"
    file.write_text(f"discovery: {{enabled: false}}\nprovider: {{url: '{url}'}}\n")
    return str(file)


def test_a_fleet_reaches_prometheus_and_the_exporter_stops_at_once(tmp_path: Path) -> None:
    with (
        cloud(tmp_path, "--installations", "200", "--interval", "10s") as url,
        exporter(tmp_path, "--config.file", config(tmp_path, url), env=CREDENTIALS) as (process, own),
    ):
        eventually(lambda: is_ready(own))
        with prometheus(tmp_path, re.sub(r"^http://|/$", "", own)) as server:
            eventually(lambda: server.values("iometer_provider_installations", "job") == {"iometer": 200})
            found = eventually(
                lambda: server.values(
                    "rate(iometer_provider_readings_total{result='accepted'}[5s]) > 0", "job"
                )
            )
            assert found
            rising = "count(increase(iometer_energy_import_joules_total{installation!=''}[10s]) >= 0)"
            assert eventually(lambda: server.query(rising))
            [failures] = server.query("sum(iometer_provider_request_errors_total)")
            assert float(failures["value"][1]) == 0
            [scraped] = server.query("min_over_time(up[1m])")
            assert float(scraped["value"][1]) == 1
        text = get(f"{own}metrics").decode()
        asked = time.monotonic()
        assert process.stop(signal.SIGTERM) == 0
        assert time.monotonic() - asked < 2
        log = process.text()
    assert text.count("iometer_installation_info{") == 200
    assert "Traceback" not in log
    assert "level=warning" not in log
    assert "the-secret" not in log


def test_a_scraper_that_does_not_read_on_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    with (
        cloud(tmp_path, "--installations", "3000", "--interval", "1h") as url,
        exporter(tmp_path, "--config.file", config(tmp_path, url), env=CREDENTIALS) as (process, own),
    ):
        eventually(lambda: is_ready(own))
        host, port = re.sub(r"^http://|/$", "", own).split(":")
        with socket.create_connection((host, int(port)), timeout=10) as scraper:
            scraper.sendall(b"GET /metrics HTTP/1.1\r\nHost: exporter\r\n\r\n")
            assert scraper.recv(1000).startswith(b"HTTP/1.1 200")
            asked = time.monotonic()
            assert process.stop(signal.SIGTERM) == 0
            assert time.monotonic() - asked < 2.5
        log = process.text()
    assert "level=error" not in log
