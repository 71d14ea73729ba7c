"""The histories that tests of dashboards and rules ask, made side by side."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

from grafana.histories.history import History
from grafana.histories.plan import Scenario
from grafana.histories.scenarios import write
from grafana.query.source import Source

_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Past:
    """A history and the Prometheus that holds it."""

    history: History
    source: Source


def write_all(scenarios: Iterable[Scenario], folder: Path) -> dict[str, History]:
    """The histories of all scenarios, each in a folder of its name; the longest should come first."""
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
