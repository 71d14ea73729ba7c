"""Histories side by side in processes of their own, and a real Prometheus on each."""

import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

from grafana.drawing.source import Source
from tests.conftest import require_program
from tests.grafana.history import History, write
from tests.grafana.history_plan import Scenario
from tests.processes import COMMAND, Prometheus, exporter, free_port, prometheus, started
from tests.waiting import eventually

_WORKERS = 2

_FIRING = """
groups:
  - name: test
    interval: 1s
    rules:
      - {alert: BatteryLow, expr: 'iometer_up{job="iometer"} == 1', labels: {severity: info}}
"""
"""An alert that fires, so that something is there for the panels that show them."""


@dataclass(frozen=True, slots=True)
class Past:
    """A history and the Prometheus that holds it."""

    history: History
    source: Source


def write_all(scenarios: Iterable[Scenario], folder: Path) -> dict[str, History]:
    """The histories of all scenarios, each in a folder of its name; the longest should come first."""
    # Here, as a process of the pool cannot skip a test.
    require_program("promtool")
    with _uncovered(), ProcessPoolExecutor(_WORKERS, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(write, scenario, folder / scenario.name) for scenario in scenarios]
        histories = [future.result() for future in futures]
    return {history.scenario.name: history for history in histories}


@contextmanager
def _uncovered() -> Iterator[None]:
    """Processes started here are not measured: it would take them twice the time, to cover what others do."""
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS")]:
            del os.environ[name]
        yield


@contextmanager
def prometheus_over(history: History) -> Iterator[Prometheus]:
    """A Prometheus that holds the history and scrapes nothing."""
    with prometheus_at(history.blocks) as server:
        yield server


@contextmanager
def prometheus_at(blocks: Path) -> Iterator[Prometheus]:
    """A Prometheus over a folder of blocks that scrapes nothing."""
    folder, port = blocks.parent, free_port()
    config = folder / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1m}\n")
    command = [require_program("prometheus"), f"--config.file={config}"]
    # Blocks as old as these are otherwise taken for expired.
    command += [f"--storage.tsdb.path={blocks}", "--storage.tsdb.retention.time=100y"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    with started(command, folder / "prometheus.log") as process:
        server = Prometheus(f"http://127.0.0.1:{port}", process)
        eventually(server.is_ready)
        yield server


@contextmanager
def living(folder: Path) -> Iterator[Source]:
    """Three simulated bridges, the real exporter and a Prometheus that scrapes it every second."""
    simulate = [*COMMAND, "simulate", "--port", "0", "--bridges", "3", "--seed", "7"]
    simulate += ["--fault", "three-phase@1", "--fault", "tariffs@1", "--fault", "wired@2"]
    with ExitStack() as stack:
        simulator = stack.enter_context(started(simulate, folder / "simulator.log"))
        simulator.wait_for(r"(?s)(http://.*){3}")
        hosts = re.findall(r"http://(\S+)", simulator.text())
        named = [f"{name}={host}" for name, host in zip(("house", "barn", "flat"), hosts, strict=True)]
        options = [word for bridge in named for word in ("--bridge", bridge)]
        _, url = stack.enter_context(exporter(folder, "--no-discovery", *options))
        target = url.removeprefix("http://").rstrip("/")
        rules = folder / "rules.yml"
        rules.write_text(_FIRING)
        extra = f"rule_files: ['{rules}']\n"
        server = stack.enter_context(prometheus(folder, target, extra=extra))
        yield Source(server.url)
