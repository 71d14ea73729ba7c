"""`provider watch` and `provider backfill` against the simulated cloud."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from iometer_exporter.errors import ConfigError
from iometer_exporter.provider.reading import retrying
from iometer_exporter.provider.served.shard import in_shard
from tests.processes import CLEAN_ENVIRONMENT, COMMAND, started
from tests.provider.cloud import ENVIRONMENT, Cloud, cloud_of, run_with_little_room
from tests.waiting import eventually


def test_watch_prints_readings_and_ends() -> None:
    with cloud_of(installations=200, interval=1) as busy:
        lines = busy.good("watch", "--count", "5").splitlines()
        assert len(lines) == 5
        for line in lines:
            assert re.fullmatch(
                r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  \S+  meter \S+  import \S+ kWh .*received \d+ s later",
                line,
            ), line
        found = [json.loads(line) for line in busy.good("watch", "--count", "3", "--json").splitlines()]
        assert [set(each) for each in found] == [
            {"installation", "installation_id", "meter", "time", "received", "registers"}
        ] * 3
        name = "home-000003"
        lines = busy.good("watch", name, "--count", "2").splitlines()
        assert [line.split("  ")[1] for line in lines] == [name, name]


def test_watch_says_that_it_waits_and_for_whom(cloud: Cloud) -> None:
    with cloud_of(installations=3, interval=1) as busy:
        [one] = json.loads(busy.good("installations", "home-000002", "--json"))
        number = one["meters"][0]["number"]
        result = busy.run("watch", number, one["id"], "--count", "1")
        assert result.exit_code == 0
        assert result.stderr == f"Waiting for readings of {number}, {one['id']}. Stop with Ctrl-C.\n"
        assert busy.run("watch", "--count", "1").stderr == "Waiting for readings. Stop with Ctrl-C.\n"


def test_watch_of_an_installation_that_there_is_not(cloud: Cloud) -> None:
    result = cloud.run("watch", "home-000001", "nope", "none", "--count", "1")
    assert (result.exit_code, result.output) == (1, "")
    assert str(result.exception) == (
        "there is no installation with the external id, id or meter number 'nope' or 'none', "
        "look for it with `iometer-exporter provider installations`"
    )


def test_watch_goes_on_after_an_interruption() -> None:
    with cloud_of(installations=100, interval=1) as busy:

        def interrupt() -> None:
            eventually(lambda: busy.simulation.sent["subscription"] > 50)
            busy.call("cut_sockets")

        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        result = busy.run("watch", "--count", "250", "--json")
        interrupting.join()
    assert result.exit_code == 0
    assert "Interrupted: the provider API closed the socket (code 1006); trying again in" in result.stderr
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert len({(each["meter"], each["time"]) for each in found}) == 250


def test_backfill_writes_the_file_at_once(cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "readings.om"
    file.write_text("old")
    result = cloud.run("backfill", "--since", "3h", "-o", str(file))
    assert result.exit_code == 0, result.output
    text = file.read_text()
    assert text.startswith("# HELP iometer_energy_import_joules ")
    assert text.endswith("\n# EOF\n")
    assert [each.name for each in tmp_path.iterdir()] == ["readings.om"]
    told = re.search(r"^(\d+) readings of (\d+) meters written, 0 duplicates and 0 refused", result.stderr)
    assert told is not None
    assert int(told[1]) == text.count("iometer_reading_timestamp_seconds{")
    assert f"promtool tsdb create-blocks-from openmetrics {file} " in result.stderr
    oldest = min(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[0] != "#")
    assert datetime.now(UTC).timestamp() - oldest < 3 * 3600 + 900


def test_backfill_makes_a_file_that_only_its_owner_reads(cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "readings.om"
    cloud.good("backfill", "--since", "1h", "-o", str(file))
    assert file.stat().st_mode & 0o777 == 0o600


def test_backfill_to_a_fifo(cloud: Cloud, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    found: list[str] = []
    reading = threading.Thread(target=lambda: found.append(fifo.read_text()))
    reading.start()
    result = cloud.run("backfill", "--since", "1h", "-o", str(fifo))
    reading.join(60)
    assert result.exit_code == 0
    assert found[0].endswith("# EOF\n")
    assert fifo.is_fifo()
    # There is no file to do anything with.
    assert "promtool" not in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left_of_a_backfill_that_is_stopped(tmp_path: Path, number: signal.Signals) -> None:
    with cloud_of(installations=5, faults=["slow"]) as slow:
        command = [*COMMAND, "provider", "backfill", "--provider.url", slow.simulation.url]
        with started(
            [*command, "-o", str(tmp_path / "readings.om")], tmp_path / "log", ENVIRONMENT
        ) as running:
            # It has the file that it writes and, beside two sockets of its loop, one to the cloud: it waits.
            eventually(lambda: sum(link.startswith("socket:") for link in open_files(running.popen.pid)) > 2)
            assert nameless_files(running.popen.pid, tmp_path)
            code = running.stop(number)
    assert code in (1, -number)
    assert [each.name for each in tmp_path.iterdir()] == ["log"]
    assert running.text().strip() in ("", "Aborted!")


def open_files(process: int) -> list[str]:
    """What a process has open, as `/path`, `/path (deleted)` or `socket:[number]`."""
    links = []
    for each in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            links.append(os.readlink(each))
    return links


def nameless_files(process: int, folder: Path) -> list[str]:
    """The files in the folder that a process has open, and that have no name."""
    links = open_files(process)
    return [link for link in links if link.startswith(f"{folder}/") and link.endswith(" (deleted)")]


@pytest.mark.parametrize(
    ("since", "what"),
    [("1h", "write FOLDER/readings.om"), ("24h", "keep readings in the folder FOLDER until they are sorted")],
)
def test_a_disk_that_gets_full_is_told_in_a_sentence(tmp_path: Path, since: str, what: str) -> None:
    file = tmp_path / "readings.om"
    with cloud_of(installations=30) as cloud:
        command = [*COMMAND, "provider", "backfill", "--provider.url", cloud.simulation.url]
        result = run_with_little_room([*command, "--since", since, "-o", str(file)], 10_000)
    told = what.replace("FOLDER", str(tmp_path))
    assert (result.returncode, result.stderr) == (1, f"Error: cannot {told}: File too large\n")
    assert list(tmp_path.iterdir()) == []


def test_backfill_to_stdout(cloud: Cloud) -> None:
    result = cloud.run("backfill", "--since", "1h", "-o", "-")
    assert result.exit_code == 0
    assert result.stdout.startswith("# HELP ")
    assert result.stdout.endswith("# EOF\n")


def test_backfill_adds_the_labels_of_the_scrape(cloud: Cloud) -> None:
    words = ["backfill", "--since", "1h", "-o", "-", "--label", "job=iometer", "--label", 'instance=a"b:1']
    samples = [line for line in cloud.good(*words).splitlines() if line[0] != "#"]
    assert samples
    assert all(',job="iometer",instance="a\\"b:1"' in line for line in samples)


def test_backfill_writes_the_shard_of_the_pod(cloud: Cloud, tmp_path: Path) -> None:
    words = ["backfill", "--config.file", str(sharded(tmp_path)), "-o", "-"]
    text = cloud.good(*words, env={"IOMETER_EXPORTER_POD_NAME": "iometer-1"})
    fleet = cloud.simulation.fleet
    ours = [index for index in range(fleet.size) if in_shard(fleet.id(index), (2, 3))]
    written = set(re.findall(r'installation="([^"]*)"', text))
    assert written
    assert written <= {fleet.external_id(index) or fleet.id(index) for index in ours}


def test_backfill_where_no_pod_is(cloud: Cloud, tmp_path: Path) -> None:
    words = ["backfill", "--config.file", str(sharded(tmp_path)), "-o", str(tmp_path / "readings.om")]
    result = cloud.run(*words, env={"IOMETER_EXPORTER_POD_NAME": "laptop"})
    assert isinstance(result.exception, ConfigError)
    assert not (tmp_path / "readings.om").exists()
    # Other commands read the same file, and do not care.
    assert cloud.good("status", *words[1:3], env={"IOMETER_EXPORTER_POD_NAME": "laptop"})


def sharded(folder: Path) -> Path:
    """A configuration that takes the shard from the name of the pod."""
    config = folder / "config.yml"
    config.write_text("provider: {shard: auto/3}\n")
    return config


@pytest.mark.parametrize(
    ("fault", "why"), [("decrease", "decreased"), ("spike", "implausible"), ("clock-jump", "future")]
)
def test_backfill_counts_what_it_leaves_out(tmp_path: Path, fault: str, why: str) -> None:
    # Every fourth reading is wrong, that of the full hour: a first reading that is would be believed.
    since = 23 * 3600 + time.time() % 3600 - 1200
    with cloud_of(installations=20, faults=["duplicates", "late", fault]) as ill:
        result = ill.run("backfill", "--since", f"{since:.0f}s", "-o", str(tmp_path / "readings.om"))
    assert result.exit_code == 0, result.output
    told = re.search(
        r"^(\d+) readings of \d+ meters written, (\d+) duplicates and (\d+) refused", result.stderr
    )
    assert told is not None
    written, duplicates, refused = map(int, told.groups())
    assert written > 1000
    assert duplicates > 50
    assert refused > 10
    line = re.search(r"^Refused: (.+)\.$", result.stderr, re.MULTILINE)
    assert line is not None
    counts = {reason: int(count) for count, reason in re.findall(r"(\d+) ([a-z]+)", line[1])}
    assert sum(counts.values()) == refused
    assert counts[why] > 0.8 * refused


def test_backfill_of_an_api_that_fails_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "SHORTEST_WAIT_SECONDS", 0.001)
    with cloud_of(installations=20, faults=["http-500"]) as ill:
        result = ill.run("backfill", "--since", "6h", "-o", "-")
    assert result.exit_code == 0
    assert "the provider API answered status 500; trying again in" in result.stderr
    assert result.stdout.endswith("# EOF\n")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--since", "25h", "-o", "x"], 2, "'25h' cannot be asked for, the API keeps readings for 24h"),
        (["--since", "0", "-o", "x"], 2, "'0' cannot be asked for"),
        ([], 2, "Missing option '--output' / '-o'"),
        (["-o", "x", "--label", "job"], 2, "'job' is not a label, write NAME=VALUE such as job=iometer"),
        (["-o", "x", "--label", "__a=b"], 2, "'__a=b' is not a label"),
        (["-o", "x", "--label", "phase=b"], 2, "the series have a label phase of their own"),
        (["-o", "/nowhere/readings.om"], 1, "cannot write /nowhere/readings.om: No such file or directory"),
    ],
)
def test_a_backfill_that_cannot_be(cloud: Cloud, words: list[str], code: int, text: str) -> None:
    result = cloud.run("backfill", *words)
    assert result.exit_code == code
    assert text in (str(result.exception) if code == 1 else result.stderr)


def test_nothing_is_left_of_a_backfill_that_fails(tmp_path: Path) -> None:
    file = tmp_path / "readings.om"
    with cloud_of(installations=0) as empty:
        result = empty.run("backfill", "-o", str(file))
    assert (result.exit_code, list(tmp_path.iterdir())) == (1, [])
    assert str(result.exception) == "the API has no readings of the last 1 d"


def test_backfill_into_a_pipe_that_is_closed_says_nothing(cloud: Cloud) -> None:
    command = [*COMMAND, "provider", "backfill", "--since", "6h", "-o", "-"]
    with subprocess.Popen(
        [*command, "--provider.url", cloud.simulation.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=CLEAN_ENVIRONMENT | ENVIRONMENT,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline().startswith(b"# HELP ")
        running.stdout.close()
        assert (running.wait(30), running.stderr.read()) == (1, b"")
