"""A simulated provider in a thread, and the commands that ask it."""

import asyncio
import resource
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from click.testing import CliRunner, Result

from iometer_exporter.cli import cli
from iometer_exporter.errors import IOmeterError
from iometer_exporter.simulator.cloud import ProviderSimulation
from tests.processes import CLEAN_ENVIRONMENT

TOKEN = "simulated-token"
SECRET = "simulated-secret"
ENVIRONMENT = {"IOMETER_EXPORTER_PROVIDER_TOKEN": TOKEN, "IOMETER_EXPORTER_PROVIDER_SECRET": SECRET}


class Cloud:
    """A simulated provider in a thread of its own."""

    def __init__(self, simulation: ProviderSimulation, loop: asyncio.AbstractEventLoop) -> None:
        self.simulation = simulation
        self._loop = loop

    def call(self, name: str) -> None:
        """Call a method of the simulation where it runs."""
        self._loop.call_soon_threadsafe(getattr(self.simulation, name))

    def run(self, *words: str, env: dict[str, str] | None = None, given: str | None = None) -> Result:
        """What a provider command says."""
        command = ["provider", *words, "--provider.url", self.simulation.url]
        result = CliRunner().invoke(
            cli, command, prog_name="iometer-exporter", env=ENVIRONMENT | (env or {}), input=given
        )
        assert SECRET not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit | IOmeterError), (
            result.output
        )
        return result

    def good(self, *words: str, **settings: Any) -> str:
        """What a provider command prints that does not fail."""
        result = self.run(*words, **settings)
        assert result.exit_code == 0, result.output
        return result.stdout


def run_with_little_room(command: Sequence[str], size: int) -> subprocess.CompletedProcess[str]:
    """The command as a process none of whose files can be larger, in bytes: what a full disk is to it."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    # What coverage writes would not fit either.
    unmeasured = {key: value for key, value in CLEAN_ENVIRONMENT.items() if "COVERAGE" not in key}
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=unmeasured | ENVIRONMENT,
        preexec_fn=limit,
    )


@contextmanager
def cloud_of(**settings: Any) -> Iterator[Cloud]:
    simulation = ProviderSimulation(**settings)
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with simulation:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield Cloud(simulation, loop)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
