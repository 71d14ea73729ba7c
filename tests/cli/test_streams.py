"""What a command prints has nowhere to go: one sentence, exit code 1, and never a traceback."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iometer_exporter import cli
from tests import documents
from tests.processes import CLEAN_ENVIRONMENT, COMMAND
from tests.provider.cloud import ENVIRONMENT, cloud_of
from tests.rawserver import bridge, served

FULL = Path("/dev/full")

needs_full = pytest.mark.skipif(not FULL.is_char_device(), reason="this system has no /dev/full")

WAITING = "Waiting for readings. Stop with Ctrl-C.\n"
"""What `watch` says before the first reading is there."""

COMMANDS = [
    ["--help"],
    ["--version"],
    ["serve", "--help"],
    ["check", "BRIDGE"],
    ["check", "BRIDGE", "--json"],
    ["config", "check", "CONFIG"],
    ["discover", "--timeout", "1ms", "--interface", "127.0.0.1", "--json"],
    ["simulate", "--port", "0"],
    ["simulate", "provider", "--port", "0"],
    ["demo", "--web.listen-address", "127.0.0.1:0"],
]
PROVIDER_COMMANDS = [
    ["status"],
    ["status", "--json"],
    ["installations"],
    ["installations", "--json"],
    ["token", "create", "--external-id", "new", "--pool", "Household"],
    ["token", "create", "--external-id", "new", "--pool", "Household", "--json"],
    ["license", "set-term", "home-000001", "--months", "12", "--yes"],
    ["license", "set-end", "home-000001", "2030-01-31", "--yes"],
    ["watch", "--count", "1"],
    ["watch", "--count", "1", "--json"],
    ["backfill", "--since", "20s", "-o", "-"],
    ["backfill", "--since", "20s", "-o", "STDOUT"],
]
"""All commands that print, with and without `--json`."""


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[list[str]], list[str]]]:
    """Puts a living bridge, a configuration and a simulated cloud into the words of a command."""
    config = tmp_path_factory.mktemp("config") / "config.yml"
    config.write_text("bridges: []\n")
    # As /dev/stdout, which is not put at risk.
    stdout = config.with_name("stdout")
    stdout.symlink_to("/proc/self/fd/1")
    with (
        served(bridge(documents.reading, documents.status)) as place,
        cloud_of(installations=30, interval=1) as cloud,
    ):
        names = {"BRIDGE": str(place), "CONFIG": str(config), "STDOUT": str(stdout)}

        def complete(command: list[str]) -> list[str]:
            found = [names.get(word, word) for word in command]
            if command in PROVIDER_COMMANDS:
                return ["provider", *found, "--provider.url", cloud.simulation.url]
            return found

        yield complete


def ends(monkeypatch: pytest.MonkeyPatch, stdout: int, command: list[str]) -> int | str | None:
    """The exit code of a command whose stdout is the descriptor."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["iometer-exporter", *command])
    with open(stdout, "w", closefd=False) as file:
        monkeypatch.setattr(sys, "stdout", file)
        monkeypatch.setattr(sys, "stderr", sys.stderr)
        with pytest.raises(SystemExit) as ending:
            cli.main()
        monkeypatch.undo()
    return ending.value.code


@needs_full
@pytest.mark.parametrize("command", [*COMMANDS, *PROVIDER_COMMANDS], ids=" ".join)
def test_a_full_disk_behind_stdout_is_told_in_a_sentence(
    command: list[str],
    words: Callable[[list[str]], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with FULL.open("wb") as full:
        code = ends(monkeypatch, full.fileno(), words(command))
    said = capfd.readouterr().err.removeprefix(WAITING)
    told = "Error: cannot write to stdout: No space left on device\n"
    assert (code, said) == (1, told)


@pytest.mark.parametrize("command", [*COMMANDS, *PROVIDER_COMMANDS], ids=" ".join)
def test_whoever_has_read_enough_is_told_nothing(
    command: list[str],
    words: Callable[[list[str]], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        code = ends(monkeypatch, writer, words(command))
    finally:
        os.close(writer)
    assert (code, capfd.readouterr().err.removeprefix(WAITING)) == (1, "")


def process(*command: str, **settings: object) -> "subprocess.CompletedProcess[str]":
    run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
    return run([*COMMAND, *command], text=True, check=False, timeout=60, env=CLEAN_ENVIRONMENT, **settings)


@needs_full
@pytest.mark.parametrize("buffered", [True, False], ids=["buffered", "unbuffered"])
def test_the_interpreter_does_not_say_it_again_when_it_ends(buffered: bool) -> None:
    environment = CLEAN_ENVIRONMENT | ({} if buffered else {"PYTHONUNBUFFERED": "1"})
    with FULL.open("wb") as full:
        result = subprocess.run(
            [*COMMAND, "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            env=environment,
        )
    assert (result.returncode, result.stderr) == (
        1,
        "Error: cannot write to stdout: No space left on device\n",
    )


def test_a_process_without_stdout_says_so(tmp_path: Path) -> None:
    def close() -> None:
        os.close(1)

    result = process("--version", stderr=subprocess.PIPE, preexec_fn=close)
    assert (result.returncode, result.stderr) == (1, "Error: cannot write to stdout: Bad file descriptor\n")


def test_a_process_without_stderr_does_its_work() -> None:
    def close() -> None:
        os.close(2)

    result = process("--version", stdout=subprocess.PIPE, preexec_fn=close)
    assert result.returncode == 0
    assert result.stdout.startswith("iometer-exporter ")


@needs_full
def test_a_full_disk_behind_stderr_leaves_the_work_and_the_exit_code_as_they_are(tmp_path: Path) -> None:
    out = tmp_path / "readings.om"
    with cloud_of(installations=5) as cloud, FULL.open("wb") as full:
        url = cloud.simulation.url
        command = ["provider", "backfill", "--since", "1h", "-o", str(out), "--provider.url", url]
        result = subprocess.run(
            [*COMMAND, *command], stderr=full, check=False, timeout=60, env=CLEAN_ENVIRONMENT | ENVIRONMENT
        )
    assert result.returncode == 0
    assert out.read_text().endswith("# EOF\n")
    with FULL.open("wb") as full:
        assert process("config", "check", "/nowhere", stderr=full).returncode == 1


def test_a_pipe_that_another_process_made_non_blocking_is_waited_for(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with cloud_of(installations=30) as cloud:
        command = [*COMMAND, "provider", "backfill", "--since", "6h", "-o", "-"]
        command += ["--provider.url", cloud.simulation.url]
        with subprocess.Popen(
            command, stdout=writer, stderr=subprocess.PIPE, env=CLEAN_ENVIRONMENT | ENVIRONMENT
        ) as running:
            os.close(writer)
            with open(reader, "rb") as file:
                text = file.read()
            assert running.stderr is not None
            assert b"readings of" in running.stderr.read()
            assert running.wait(60) == 0
    assert len(text) > 10 * io.DEFAULT_BUFFER_SIZE
    assert text.endswith(b"# EOF\n")
