"""Over days with every fault, Prometheus counts what the meter counted."""

import gc
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from devtools.processes import Prometheus
from grafana.histories.history import write_blocks
from grafana.histories.server import prometheus_at
from grafana.histories.text import Recorder
from tests.conftest import require_program
from tests.exactness import DAYS, END, KINDS, Bridge, Direction, Kind, simulate

pytestmark = pytest.mark.end_to_end

SEED = 20_26


@dataclass(frozen=True, slots=True)
class Past:
    """The simulated bridges, and the Prometheus that holds what the exporter served of them."""

    bridges: dict[str, Bridge]
    server: Prometheus

    def value(self, function: str, direction: Direction, bridge: str) -> float:
        """A function of one counter over all days."""
        series = f'iometer_energy_{direction}_joules_total{{bridge="{bridge}"}}[{DAYS}d]'
        [found] = self.server.query(f"{function}({series})", END)
        return float(found["value"][1])


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    for name in ("prometheus", "promtool"):
        require_program(name)
    folder = tmp_path_factory.mktemp("exactness")
    recorder = Recorder({"job": "iometer"})
    gc.disable()
    try:
        bridges = simulate(KINDS, SEED, recorder)
    finally:
        gc.enable()
    with prometheus_at(write_blocks(recorder, folder)) as server:
        yield Past({bridge.kind.name: bridge for bridge in bridges}, server)


@pytest.mark.parametrize("direction", ["import", "export"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_increase_is_what_the_meter_counted(past: Past, kind: Kind, direction: Direction) -> None:
    bridge = past.bridges[kind.name]
    assert bridge.restarts > 20
    resets = past.value("resets", direction, kind.name)
    assert resets == (0 if kind.reset_at is None else 1)
    assert past.value("increase", direction, kind.name) == pytest.approx(bridge.counted(direction), rel=0.001)
