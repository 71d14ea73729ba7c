"""A Prometheus over one of the simulated histories, which is made once and kept until its source changes."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from devtools.processes import Prometheus
from grafana.histories.plan import Scenario
from grafana.histories.scenarios import write
from grafana.histories.server import prometheus_at

_ROOT: Final = Path(__file__).parent.parent.parent
_SOURCES: Final = ("iometer_exporter", "grafana/histories")
KEPT: Final = Path(__file__).parent / ".histories"


@contextmanager
def prometheus_of(scenario: Scenario) -> Iterator[Prometheus]:
    """A Prometheus that holds the scenario's days; raises MissingProgramError."""
    kept = KEPT / f"{scenario.name}-{_digest()}"
    with TemporaryDirectory() as folder:
        blocks = Path(folder) / "data"
        if kept.exists():
            # A copy: what Prometheus writes beside the blocks is not to be kept, and two may run at once.
            shutil.copytree(kept, blocks)
        else:
            write(scenario, Path(folder))
            _keep(blocks, kept)
        with prometheus_at(blocks) as server:
            yield server


def _keep(blocks: Path, kept: Path) -> None:
    """Keep the blocks in place of those of an older source."""
    for old in KEPT.glob(f"{kept.name.rpartition('-')[0]}-*"):
        shutil.rmtree(old)
    partial = kept.with_suffix(".partial")
    shutil.copytree(blocks, partial)
    partial.rename(kept)


def _digest() -> str:
    """Of all that a history is made by."""
    digest = hashlib.sha256()
    for folder in _SOURCES:
        for path in sorted((_ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
