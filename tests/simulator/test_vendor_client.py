"""The vendor's own client, two versions of it, reads the simulator."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import NoReturn

import pytest

from iometer_exporter.bridges.fleet import Fleet
from iometer_exporter.config.file import BridgeConfig, Config
from iometer_exporter.net.addresses import Address
from tests.waiting import PATIENCE

pytestmark = pytest.mark.end_to_end

VENDOR_HOST = "127.0.0.5"
"""The client takes no port: the simulator is on port 80 of an address of its own."""

SERVE = """
import asyncio
from iometer_exporter.errors import StartError
from iometer_exporter.simulator import Simulation

async def main():
    try:
        simulation = Simulation(host="127.0.0.5", port=80, bridges=1, interval=0.05, firmware="stream")
        async with simulation:
            bridge = simulation.bridges[0]
            print(bridge.meter, bridge.installation_id, bridge.device_id, flush=True)
            await asyncio.get_running_loop().run_in_executor(None, input)
    except StartError as error:
        print(error, flush=True)

asyncio.run(main())
"""

READ = """
import asyncio, sys, iometer

async def main():
    async with iometer.IOmeterClient("127.0.0.5", request_timeout=10) as client:
        reading = await client.get_current_reading()
        status = await client.get_current_status()
    core = status.device.core
    assert reading.get_total_consumption() > 1e6
    assert reading.get_total_production() > 1e6
    assert isinstance(reading.get_current_power(), int)
    states = core.connection_status, core.attachment_status, core.pin_status
    assert states == ("connected", "attached", "entered")
    assert status.meter.number == reading.meter.number
    print(reading.meter.number, getattr(reading, "installation_id", "-"), status.device.id)

asyncio.run(main())
"""

STREAM = """
import asyncio, iometer

async def main():
    async with iometer.IOmeterSSEClient("127.0.0.5", request_timeout=10) as client:
        meters = set()
        readings = client.watch_readings()
        for _ in range(3):
            meters.add((await anext(readings)).meter.number)
        await readings.aclose()
        states = client.watch_status()
        device = (await anext(states)).device.id
        await states.aclose()
    print(*meters, device)

asyncio.run(main())
"""


def missing(reason: str) -> NoReturn:
    """Skip on a machine that cannot do this; in CI it must be possible."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def bridge() -> Iterator[list[str]]:
    """Meter number, installation id and device id of a bridge on port 80."""
    process = subprocess.Popen([sys.executable, "-c", SERVE], stdin=PIPE, stdout=PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if line.startswith("port"):
            missing(line)
        yield line.split()
    finally:
        process.communicate("\n", timeout=10)


@pytest.fixture(scope="module")
def version_0_4_0(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with version 0.4.0, whose dependencies are those of 1.0.2."""
    folder = tmp_path_factory.mktemp("iometer-0.4.0")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(folder),
        "iometer==0.4.0",
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        missing(f"iometer 0.4.0 cannot be installed: {run.stderr[-300:]}")
    return folder


def run(code: str, path: Path | None = None) -> list[str]:
    """What a script prints, as words."""
    environment = os.environ | ({"PYTHONPATH": str(path)} if path else {})
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_version_1_0_2_reads_both_documents(bridge: list[str]) -> None:
    assert run("import iometer; print(iometer.__version__)") == ["1.0.2"]
    assert run(READ) == bridge


def test_version_1_0_2_follows_the_event_streams(bridge: list[str]) -> None:
    assert run(STREAM) == [bridge[0], bridge[2]]


async def test_ours_follows_what_the_client_of_the_vendor_follows(bridge: list[str]) -> None:
    one = BridgeConfig(Address("127.0.0.5"), "house")
    async with Fleet(Config(live="on", bridges=(one,))) as fleet:
        fleet.go_live()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE):
            while True:
                [snapshot] = await fleet.scrape(loop.time() + PATIENCE)
                if all(stream.up for stream in snapshot.streams.values()):
                    break
                await asyncio.sleep(0.01)
    assert snapshot.status is not None
    assert [snapshot.meter, snapshot.status.installation_id, snapshot.status.device_id] == bridge
    assert snapshot.errors == {}


def test_version_0_4_0_reads_both_documents(bridge: list[str], version_0_4_0: Path) -> None:
    assert run("import iometer; print(iometer.__file__)", version_0_4_0)[0].startswith(str(version_0_4_0))
    assert run(READ, version_0_4_0) == [bridge[0], "-", bridge[2]]
