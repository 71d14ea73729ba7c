"""Real processes for end-to-end tests: those of `running`, and a Prometheus that scrapes.

A test that asks for a program which the machine lacks is skipped: see `require_program`.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from devtools.processes import CLEAN_ENVIRONMENT as CLEAN_ENVIRONMENT
from devtools.processes import COMMAND as COMMAND
from devtools.processes import Process as Process
from devtools.processes import Prometheus as Prometheus
from devtools.processes import exporter as exporter
from devtools.processes import free_port as free_port
from devtools.processes import get as get
from devtools.processes import is_ready as is_ready
from devtools.processes import post as post
from devtools.processes import started as started
from devtools.waiting import eventually as eventually  # many tests take it from here
from tests.conftest import require_program

ROOT: Final = Path(__file__).parent.parent


@contextmanager
def prometheus(
    folder: Path, target: str, interval: str = "1s", extra: str = "", sites: Sequence[str] = ()
) -> Iterator[Prometheus]:
    """A Prometheus that scrapes the target (host:port) in the job `iometer`, once for each label `site`."""
    program = require_program("prometheus")
    port = free_port()
    config = folder / "prometheus.yml"
    targets = ", ".join(f"{{targets: ['{target}'], labels: {{site: '{site}'}}}}" for site in sites or [""])
    config.write_text(
        f"global: {{scrape_interval: {interval}, scrape_timeout: {interval}}}\n"
        "scrape_configs:\n"
        f"  - {{job_name: iometer, static_configs: [{targets}]}}\n{extra}"
    )
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    with started(command, folder / "prometheus.log") as process:
        server = Prometheus(f"http://127.0.0.1:{port}", process)
        eventually(server.is_ready)
        yield server


def pytest_of_its_own(*options: str | Path) -> str:
    """The output of pytest as a process, in the folder of this project, well or not.

    What `.ci/run` asks of the tests that run it is not for those that it runs.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    command = [sys.executable, "-m", "pytest", "-q", *map(str, options)]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    ).stdout
