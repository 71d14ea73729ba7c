"""A slice of `python -m benchmarks.faults`, and that its table in the docs is the one that it writes."""

from pathlib import Path

import pytest

from benchmarks.faults import (
    DOCUMENTS,
    OVER_TIME,
    SECTION,
    STREAMS,
    WAYS,
    WIRE,
    Row,
    Way,
    cell,
    fleet_of,
    rows,
    table,
)
from benchmarks.page import read_section
from iometer_exporter.simulator import ENDPOINTS, FAULTS, FaultSpec

BRIDGES = 20

TIMEOUT, BUDGET = 20.0, 3.0
"""Seconds of the scraper and of the exporter, far apart: the machine may be busy."""


def test_every_fault_is_in_the_table_or_in_another_test() -> None:
    assert {*WIRE, *DOCUMENTS, *OVER_TIME, *STREAMS} == set(FAULTS), (
        "say in WIRE, DOCUMENTS, OVER_TIME or STREAMS of benchmarks/faults.py what comes of each fault"
    )


def test_the_table_in_the_page_is_that_of_the_command() -> None:
    assert read_section(SECTION) == table({}, rows()), "run python -m benchmarks.faults --write"


@pytest.mark.end_to_end
@pytest.mark.parametrize("way", WAYS)
async def test_all_faults_at_once_each_at_one_bridge(way: Way, tmp_path: Path) -> None:
    """Each counts for its own reason and none for another bridge, and after it all are whole."""
    at_reading = [row for row in rows() if row.endpoints in (("reading",), ENDPOINTS)]
    at_status = [row for row in rows() if row.endpoints == ("status",)]
    async with fleet_of(len(at_reading) + 2, tmp_path, timeout=TIMEOUT, budget=BUDGET) as fleet:
        for chosen in (at_reading, at_status):
            assert await cell(fleet, dict(enumerate(chosen, 1)), way) == []


@pytest.mark.end_to_end
@pytest.mark.parametrize("fault", ["interim-flood", "tiny-chunks", "swallow"])
async def test_a_fault_of_all_bridges(fault: str, tmp_path: Path) -> None:
    """The ones that cost the exporter most."""
    [row] = [row for row in rows() if row.fault == fault and row.endpoints == ("reading",)]
    # Only this one goes on to the deadline; the others take what the machine takes to read so many bytes.
    budget = BUDGET if fault == "swallow" else TIMEOUT / 2
    async with fleet_of(BRIDGES, tmp_path, timeout=TIMEOUT, budget=budget) as fleet:
        assert await cell(fleet, dict.fromkeys(range(1, BRIDGES + 1), row), "/metrics") == []


@pytest.mark.end_to_end
async def test_what_is_not_as_the_row_says_is_told(tmp_path: Path) -> None:
    wrong = Row("drop", ("reading",), {"reading": ("timeout",), "status": ("no_data",)})
    async with fleet_of(2, tmp_path, timeout=TIMEOUT, budget=BUDGET) as fleet:
        bridge = fleet.simulation.bridges[0]
        name = bridge.name
        assert await cell(fleet, {1: wrong}, "/metrics") == [
            f"{name} reading: protocol, not timeout",
            f"{name} status: served, not no_data",
        ]
        bridge.clock = lambda: fleet.now - 1
        assert await fleet.ask("/metrics") == [f"{name} the reading is not the present one"]


@pytest.mark.end_to_end
async def test_answers_about_the_deadline_cost_no_later_scrape(tmp_path: Path) -> None:
    """A fetch that is given up just as its answer comes leaves nothing behind."""
    async with fleet_of(3, tmp_path, timeout=0.06, budget=BUDGET) as fleet:
        fleet.simulation.switch(FaultSpec("jitter"))
        for bridge in fleet.simulation.bridges:
            # The bridges have half of the time.
            bridge.timing.jitter_around, bridge.timing.jitter_spread = 0.03, 0.01
        for _ in range(100):
            await fleet.ask("/metrics")
        fleet.simulation.switch()
        fleet.timeout = TIMEOUT
        assert await fleet.ask("/metrics") == []
