"""A real Prometheus over the blocks of a history."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devtools.processes import THRIFTY, Prometheus, free_port, program, started
from devtools.waiting import eventually
from grafana.histories.history import History


@contextmanager
def prometheus_over(history: History) -> Iterator[Prometheus]:
    """A Prometheus that holds the history and scrapes nothing; raises MissingProgramError."""
    with prometheus_at(history.blocks) as server:
        yield server


@contextmanager
def prometheus_at(blocks: Path) -> Iterator[Prometheus]:
    """A Prometheus over a folder of blocks that scrapes nothing; raises MissingProgramError."""
    folder, port = blocks.parent, free_port()
    config = folder / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1m}\n")
    command = [program("prometheus"), f"--config.file={config}"]
    # Blocks as old as these are otherwise taken for expired.
    command += [f"--storage.tsdb.path={blocks}", "--storage.tsdb.retention.time=100y"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    with started(command, folder / "prometheus.log", THRIFTY) as process:
        server = Prometheus(f"http://127.0.0.1:{port}", process)
        eventually(server.is_ready)
        yield server
