"""An outage of Prometheus filled in: simulated cloud, the real command, real promtool, real Prometheus."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import require_program
from tests.processes import CLEAN_ENVIRONMENT, COMMAND, prometheus
from tests.provider.cloud import ENVIRONMENT, cloud_of

pytestmark = pytest.mark.end_to_end

SHORTEST = 12 * 3600


@pytest.mark.parametrize("faults", [[], ["duplicates", "late", "spike"]], ids=["well", "ill"])
def test_increase_over_what_was_filled_in_is_the_truth(tmp_path: Path, faults: list[str]) -> None:
    promtool = require_program("promtool")
    require_program("prometheus")
    file = tmp_path / "readings.om"
    with cloud_of(installations=40, faults=faults) as cloud:
        command = [*COMMAND, "provider", "backfill", "--provider.url", cloud.simulation.url, "-o", str(file)]
        subprocess.run(command, check=True, timeout=60, env=CLEAN_ENVIRONMENT | ENVIRONMENT)
        fleet = cloud.simulation.fleet
        meters = {meter.number: meter for index in range(fleet.size) for meter in fleet.meters(index)}
    create = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(file), str(tmp_path / "data")]
    made = subprocess.run(create, check=False, timeout=60, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    times: dict[str, list[float]] = {}
    first: dict[str, float] = {}
    for number, joules, time in re.findall(
        r'^iometer_energy_import_joules_total\{.*meter="(.*)"\} (\S+) (\S+)$', file.read_text(), re.MULTILINE
    ):
        times.setdefault(number, []).append(float(time))
        first.setdefault(number, float(joules) / 3600)
    # An installation without a device sends nothing.
    assert len(meters) - 2 == len(times) == len(times.keys() & meters)
    with prometheus(tmp_path, "127.0.0.1:1") as server:
        for number, (begin, *_, end) in times.items():
            # The range begins and ends with a reading: nothing is extrapolated.
            assert end - begin > SHORTEST
            meter = meters[number]
            if abs(first[number] - meter.load.import_tenths(begin) / 10) > 1000:
                # By the time of day, the oldest reading there is may be a spike: that nothing can tell.
                assert ("spike" in faults, meter.home) == (True, 0)
                continue
            truth = (meter.load.import_tenths(end) - meter.load.import_tenths(begin)) / 10
            rise = f'increase(iometer_energy_import_joules_total{{meter="{number}"}}[{end - begin:.0f}s])'
            [series] = server.query(f"{rise} / 3600", end)
            # Without its PIN a meter shows whole kWh.
            assert float(series["value"][1]) == pytest.approx(
                truth, rel=0.001, abs=0.1 if meter.pin else 1000
            )
            name = fleet.external_id(meter.home) or fleet.id(meter.home)
            assert series["metric"] == {"installation": name, "meter": number}
            if meter.pin:
                [series] = server.query(f'iometer_power_watts{{meter="{number}"}}', end)
                assert float(series["value"][1]) == meter.load.power_watts(end)
