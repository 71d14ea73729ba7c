"""`provider backfill --work-dir`: killed, refused or out of disk, it goes on and gives the same file."""

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from math import ceil
from pathlib import Path
from typing import Self

import pytest

from iometer_exporter.errors import IOmeterError
from iometer_exporter.provider.kept_pages import NAME
from iometer_exporter.simulator.cloud.gate import Credentials
from tests.processes import COMMAND, Process, started
from tests.provider.cloud import ENVIRONMENT, SECRET, TOKEN, Cloud, cloud_of, run_with_little_room
from tests.waiting import eventually

pytestmark = pytest.mark.end_to_end

PER_PAGE = 100


@contextmanager
def standing_cloud(*, seed: int = 1, port: int = 0) -> Iterator[Cloud]:
    """A cloud whose clock stands, so that each run is given the same.

    An hour ahead: nothing that it keeps is older than what any of the runs asks for.
    """
    now = time.time() + 3600
    with cloud_of(
        installations=40, faults=["duplicates", "late"], clock=lambda: now, seed=seed, port=port
    ) as cloud:
        yield cloud


def command(cloud: Cloud, folder: Path, output: Path) -> list[str]:
    options = ["--provider.url", cloud.simulation.url, "--work-dir", str(folder), "-o", str(output)]
    return [*COMMAND, "provider", "backfill", *options]


@contextmanager
def stopped_in_the_middle(cloud: Cloud, tmp_path: Path, pages: int) -> Iterator[Process]:
    """A backfill that has fetched so many pages and waits for the next one."""
    before = cloud.simulation.sent["query"]
    with started(
        command(cloud, tmp_path / "kept", tmp_path / "readings.om"), tmp_path / "log", ENVIRONMENT
    ) as running:
        eventually(lambda: cloud.simulation.sent["query"] - before >= pages * PER_PAGE)
        cloud.simulation.faults.kinds.add("slow")
        assert running.popen.poll() is None, running.text()
        yield running
    cloud.simulation.faults.kinds.discard("slow")


class HalfADayLater(datetime):
    """The clock of this host, half a day ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(hours=12)


def undisturbed(cloud: Cloud, folder: Path) -> tuple[bytes, int, str]:
    """The file of an undisturbed run, how many readings it asked for, and what it said."""
    before = cloud.simulation.sent["query"]
    file = folder / "undisturbed.om"
    said = cloud.run("backfill", "-o", str(file)).stderr
    return file.read_bytes(), cloud.simulation.sent["query"] - before, said.splitlines()[0]


def test_killed_while_it_fetches_it_goes_on_and_gives_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "readings.om"
    with standing_cloud() as cloud:
        expected, readings, said = undisturbed(cloud, tmp_path)
        before = cloud.simulation.sent["query"]
        for pages in (8, 15):
            with stopped_in_the_middle(cloud, tmp_path, pages) as running:
                assert running.stop(signal.SIGKILL) == -signal.SIGKILL
            assert not file.exists()
            assert [each.name for each in (tmp_path / "kept").iterdir()] == [NAME]
        requests = cloud.simulation.statuses[200]
        result = cloud.run("backfill", "--work-dir", str(tmp_path / "kept"), "-o", str(file))
        asked = cloud.simulation.sent["query"] - before
        requests = cloud.simulation.statuses[200] - requests
    assert result.exit_code == 0, result.output
    assert file.read_bytes() == expected
    # What was under way when it was killed, twice, is all that was fetched again.
    assert readings <= asked <= readings + 2 * PER_PAGE
    lines = result.stderr.splitlines()
    told = re.fullmatch(r"(\d+) readings are kept in (\S+): going on from there\.", lines[0])
    assert told is not None
    assert 21 * PER_PAGE <= int(told[1]) < readings
    assert lines[1] == said
    # One request for the account, some for the rest and one for its end, none for installations.
    assert requests <= 2 + ceil((readings - int(told[1])) / PER_PAGE)
    assert not (tmp_path / "kept").exists()


def test_killed_while_it_writes_it_asks_for_nothing_again(tmp_path: Path) -> None:
    fifo, file = tmp_path / "fifo", tmp_path / "readings.om"
    os.mkfifo(fifo)
    with standing_cloud() as cloud:
        expected, readings, said = undisturbed(cloud, tmp_path)
        before = cloud.simulation.sent["query"]
        words = command(cloud, tmp_path / "kept", fifo)
        with started(words, tmp_path / "log", ENVIRONMENT) as running, fifo.open("rb") as reading:
            # Nobody reads any further: it waits in the middle of its output.
            assert reading.read(100).startswith(b"# HELP ")
            assert running.stop(signal.SIGKILL) == -signal.SIGKILL
        assert [each.name for each in (tmp_path / "kept").iterdir()] == [NAME]
        result = cloud.run("backfill", "--work-dir", str(tmp_path / "kept"), "-o", str(file))
        assert cloud.simulation.sent["query"] - before == readings
    assert result.exit_code == 0, result.output
    assert file.read_bytes() == expected
    assert result.stderr.splitlines()[:2] == [
        f"{readings} readings are kept in {tmp_path / 'kept'}: they are all.",
        said,
    ]
    assert not (tmp_path / "kept").exists()


def test_a_token_that_expires_is_told_and_a_new_one_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "readings.om"
    with standing_cloud() as cloud:
        expected, readings, _ = undisturbed(cloud, tmp_path)
        before = cloud.simulation.sent["query"]
        with stopped_in_the_middle(cloud, tmp_path, 10) as running:
            cloud.simulation.credentials = Credentials("new-token", "new-secret")
            cloud.simulation.faults.kinds.discard("slow")
            assert running.popen.wait(30) == 1
        kept = (tmp_path / "kept" / NAME).read_bytes()
        hint, error = running.text().splitlines()
        assert hint == (
            f"What was fetched is kept in {tmp_path / 'kept'}: the same command goes on from there."
        )
        assert error.startswith("Error: the provider API does not accept the credentials (status 401)")
        new = {
            "IOMETER_EXPORTER_PROVIDER_TOKEN": "new-token",
            "IOMETER_EXPORTER_PROVIDER_SECRET": "new-secret",
        }
        result = cloud.run("backfill", "--work-dir", str(tmp_path / "kept"), "-o", str(file), env=new)
        assert result.exit_code == 0, result.output
        assert cloud.simulation.sent["query"] - before == readings
    assert file.read_bytes() == expected
    for secret in (TOKEN, SECRET):
        assert secret.encode() not in kept


def test_other_options_and_another_account_are_refused(tmp_path: Path) -> None:
    with standing_cloud() as cloud:
        port = cloud.simulation.port
        with stopped_in_the_middle(cloud, tmp_path, 5) as running:
            running.stop(signal.SIGKILL)
        words = ["backfill", "--work-dir", str(tmp_path / "kept"), "-o", str(tmp_path / "readings.om")]
        account = cloud.simulation.cloud.id
        sharded = tmp_path / "sharded.yml"
        sharded.write_text("provider: {shard: 2/3}\n")
        refusals = [
            cloud.run(*words, "--since", "12h"),
            cloud.run(*words, "--config.file", str(sharded)),
        ]
        # What only says how to write it may be another.
        assert cloud.run(*words, "--label", "job=x", "--log.level", "info").exit_code == 0
        assert 'job="x"' in (tmp_path / "readings.om").read_text()
        with stopped_in_the_middle(cloud, tmp_path, 5) as running:
            running.stop(signal.SIGKILL)
    with standing_cloud(seed=2, port=port) as other:
        refusals.append(other.run(*words))
        another_account = other.simulation.cloud.id
    told = [
        "of the last 1 d and not 12 h",
        "of the shard 1/1 and not 2/3",
        f"of the account {account} and not {another_account}",
    ]
    for result, difference in zip(refusals, told, strict=True):
        assert isinstance(result.exception, IOmeterError)
        assert str(result.exception) == (
            f"what is kept in the folder {tmp_path / 'kept'} is of another backfill, {difference}: "
            "ask for the same, or take another folder"
        )
        assert result.stderr == ""


def test_a_disk_that_gets_full_is_told_and_with_room_it_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "readings.om"
    with standing_cloud() as cloud:
        expected, _, _ = undisturbed(cloud, tmp_path)
        result = run_with_little_room(command(cloud, tmp_path / "kept", file), 30_000)
        assert (result.returncode, result.stderr) == (
            1,
            f"What was fetched is kept in {tmp_path / 'kept'}: the same command goes on from there.\n"
            f"Error: cannot keep readings in the folder {tmp_path / 'kept'}: File too large\n",
        )
        assert not file.exists()
        again = cloud.run("backfill", "--work-dir", str(tmp_path / "kept"), "-o", str(file))
    assert again.exit_code == 0, again.output
    assert re.match(
        r"The last \d+ bytes in \S+/kept were half written or damaged: what they held is fetched again\.\n",
        again.stderr,
    )
    assert file.read_bytes() == expected


def test_what_the_api_has_dropped_meanwhile_is_told(tmp_path: Path) -> None:
    with cloud_of(installations=40) as cloud:
        with stopped_in_the_middle(cloud, tmp_path, 10) as running:
            running.stop(signal.SIGKILL)
        told = "The API keeps readings for 24h: those it received in the "
        words = ["backfill", "--work-dir", str(tmp_path / "kept"), "-o", "-"]
        (tmp_path / "copy").mkdir()
        (tmp_path / "copy" / NAME).write_bytes((tmp_path / "kept" / NAME).read_bytes())
        # Half a day later, what was not fetched of the first hours is gone.
        with pytest.MonkeyPatch.context() as later:
            later.setattr("iometer_exporter.cli.provider.backfill.datetime", HalfADayLater)
            result = cloud.run(*words)
        assert told in result.stderr
        soon = ["backfill", "--work-dir", str(tmp_path / "copy"), "-o", "-"]
        assert told not in cloud.run(*soon).stderr


def test_where_there_are_no_readings_nothing_is_kept(tmp_path: Path) -> None:
    with cloud_of(installations=0) as empty:
        result = empty.run("backfill", "--work-dir", str(tmp_path / "kept"), "-o", str(tmp_path / "x"))
    assert str(result.exception) == "the API has no readings of the last 1 d"
    assert "kept" not in result.stderr
    assert list(tmp_path.iterdir()) == []
