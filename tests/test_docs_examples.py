"""The examples in the documents are taken by the programs that they are for; commands print what is shown."""

import io
import json
import re
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from iometer_exporter import log
from iometer_exporter.cli import cli
from iometer_exporter.config.environment import unknown_variables
from iometer_exporter.config.file import Config, parse_config
from iometer_exporter.meter.guard import Limits
from tests import documents
from tests.bridges.test_bridge import read, running
from tests.cli.test_cli import commands
from tests.conftest import PROGRAMS, require_program
from tests.pages import (
    PAGES,
    Block,
    Done,
    Step,
    agrees,
    blocks,
    checkout,
    normalised,
    perform,
    skip_without_namespaces,
    steps,
)
from tests.rawserver import bridge, raw_server
from tests.waiting import PATIENCE

EXPORTER_KEYS = (
    "timeout",
    "stale_after",
    "max_power",
    "reset_after",
    "discovery",
    "bridges",
    "probe",
    "provider",
)
"""Keys with which an example of the exporter's own file begins."""

NAMED_FILE = re.compile(r"\b(?:ca|cert|key|password|credentials)_file: *([A-Za-z0-9_.-]+)")
"""A file that stands beside the Prometheus configuration; promtool wants it to be there."""


def beginning_with(*keys: str) -> list[Block]:
    """The YAML examples whose first line that is no comment has one of the keys."""
    pattern = re.compile(rf"(?:#.*\n|\n)*(?:{'|'.join(keys)}):")
    return [block for block in blocks() if block.language == "yaml" and pattern.match(block.text)]


def examples(*keys: str) -> list[object]:
    """The same as parameters of a test."""
    return [pytest.param(block.text, id=block.where) for block in beginning_with(*keys)]


def queries() -> list[str]:
    """The PromQL examples of all pages."""
    return [block.text for block in blocks() if block.language == "promql"]


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub makes anchors of them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def check(promtool: str, kind: str, file: Path) -> None:
    done = subprocess.run(
        [promtool, "check", kind, file], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("example", examples("scrape_configs"))
@pytest.mark.end_to_end
def test_prometheus_takes_the_scrape_configurations(example: str, tmp_path: Path) -> None:
    promtool = require_program("promtool")
    (tmp_path / "prometheus.yml").write_text(example)
    for name in NAMED_FILE.findall(example):
        (tmp_path / name).touch()
    check(promtool, "config", tmp_path / "prometheus.yml")


@pytest.mark.parametrize("example", examples(*EXPORTER_KEYS))
def test_the_exporter_takes_its_configurations(example: str) -> None:
    assert isinstance(parse_config(example), Config)


@pytest.mark.end_to_end
def test_prometheus_takes_the_queries(tmp_path: Path) -> None:
    """Each line of the PromQL examples is a query of its own; comments end it."""
    promtool = require_program("promtool")
    lines = [line.partition("#")[0].strip() for example in queries() for line in example.splitlines()]
    rules = [{"record": f"docs:{index}", "expr": line} for index, line in enumerate(filter(None, lines))]
    assert len(rules) >= 10
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "docs", "rules": rules}]}))
    check(promtool, "rules", tmp_path / "rules.yml")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_a_heading(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text()):
        assert anchor in anchors(page.parent / target if target else page), f"{target}#{anchor}"


def test_there_are_examples_of_both_kinds() -> None:
    assert len(beginning_with("scrape_configs")) >= 6
    assert len(beginning_with(*EXPORTER_KEYS)) >= 3


NOT_RUN = {
    r"docker ": "takes a container engine and images: the workflow `image`, tests/container.sh",
    r".*--skip-meters ": "takes a bridge at a meter of the fleet; tests/provider/test_cli_skip_meters.py",
    r"kubectl ": "takes a cluster; tests/test_manifests.py",
    r"sudo ": "changes the system; the unit is tried by tests/test_deploy.py",
    r"systemctl ": "takes systemd as the first process",
    r".*(?:pip|pipx|uv tool) install|pipx inject|python3 -m venv": "tests/test_installing.py",
    r"install -m 600 ": "writes below /etc",
    r"promtool tsdb create-blocks-from ": "tests/provider/test_backfill_end_to_end.py",
    r"python3? .*benchmarks": "takes minutes",
    r".*fish_source": "takes the shell fish",
}
"""Commands that cannot be run here, and what there is instead."""

SCENES: dict[str, tuple[str, ...]] = {
    "getting-started.md": ("iometer-exporter simulate --bridges 3 --mdns",),
    "endpoints.md": ("iometer-exporter demo",),
    "provider.md": ("iometer-exporter simulate provider --interval 5m",),
    "troubleshooting.md": (
        "iometer-exporter simulate --host 192.168.1.50 --port 80 --fault no-reading --fault no-status",
        "iometer-exporter simulate --host 192.168.1.51 --port 80 --fault pin-missing",
    ),
}
"""What runs in the network of a page before its first command."""

FILES = {
    "iometer.yml": EXPORTER_KEYS,
    "prometheus.yml": ("scrape_configs",),
    "web.yml": ("tls_server_config",),
}
"""What a page calls the files that it shows, by the keys with which they begin."""


def runnable(page: str) -> list[Step]:
    """The commands of a page but those that cannot be run."""
    return [step for step in steps(page) if not any(re.match(pattern, step.command) for pattern in NOT_RUN)]


WITH_COMMANDS = [page.name for page in PAGES if runnable(page.name)]


def stage(page: str, home: Path) -> None:
    """Put the files that a page shows where its commands look for them."""
    checkout(home)
    for name, keys in FILES.items():
        shown = [block.text for block in beginning_with(*keys) if block.page == page]
        if shown:
            (home / name).write_text(shown[0].replace(SHOWN_HASH, HASH_OF_SECRET))
    if page == "provider.md":
        # The page's own file is for the vendor's cloud.
        (home / "iometer.yml").write_text(SIMULATED_PROVIDER)
        for name in ("token", "secret"):
            (home / name).write_text(f"simulated-{name}")


SHOWN_HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
HASH_OF_SECRET = "$2b$10$rEBNhj5.ZG06dvMAxo4Xc.3C9WEMXqn144Crdrtxlo660LDh8tRiu"
SIMULATED_PROVIDER = """\
provider: {url: "http://127.0.0.1:18180/v1/query", token_file: token, secret_file: secret}
"""


def test_what_only_a_slow_run_says_is_no_difference() -> None:
    shown = "Bridge house: answers\n"
    assert agrees(shown, f"Looking for bridges …\n{shown}")
    assert agrees(shown, f"Looking for bridges …\nAsking house …\n{shown}")
    assert not agrees(shown, f"Looking for bridges for 5 s …\n{shown}")
    assert not agrees(shown, f"Looking for bridges …\nsomething else\n{shown}")


@pytest.fixture(scope="module")
def performed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[list[Done]]]:
    """All pages, some at a time, as most of them wait for something, and those with most to do first."""
    skip_without_namespaces()
    futures = {}
    with ThreadPoolExecutor(4) as threads:
        for page in sorted(WITH_COMMANDS, key=lambda page: len(runnable(page)), reverse=True):
            home = tmp_path_factory.mktemp(Path(page).stem)
            stage(page, home)
            futures[page] = threads.submit(perform, SCENES.get(page, ()), runnable(page), home, 10 * PATIENCE)
    return futures


@pytest.mark.end_to_end
@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_the_commands_print_what_the_page_shows(page: str, request: pytest.FixtureRequest) -> None:
    todo = runnable(page)
    used = {word.rpartition("/")[2] for step in todo for word in re.findall(r"[\w./-]+", step.command)}
    for program in {"ip", *used} & set(PROGRAMS):
        require_program(program)
    performed: dict[str, Future[list[Done]]] = request.getfixturevalue("performed")
    for step, done in zip(todo, performed[page].result(), strict=True):
        where = f"{step.where}: {step.command}"
        if step.output is None:
            assert done.code == 0, f"{where}\n{done.output}"
        else:
            assert agrees(step.output, done.output), (
                f"{where}\n--- shown\n{normalised(step.output)}\n--- printed\n{done.output}"
            )


async def test_the_lines_of_the_log_are_those_of_a_refused_and_of_a_believed_reading() -> None:
    shown = {block.text for block in blocks() if block.language == "" and block.text.startswith("time=")}
    stream, now, answers = io.StringIO(), int(time.time()), [b""]
    log.set_up(level="warning", log_format="logfmt", stream=stream)
    async with (
        raw_server(bridge(lambda: answers[0], documents.status)) as server,
        running(server.address) as house,
    ):
        house.limits = Limits(100_000.0, 0.0)
        for offset, imported in ((-60, 1000.0), (-960, 999.0), (-50, 500.0), (-40, 500.1), (-30, 500.2)):
            answers[:] = [documents.reading(now + offset, imported=imported)]
            await read(house)
    written = {without_meter(line) for line in stream.getvalue().splitlines()}
    assert len(shown) == 2
    assert {without_meter(line) for line in shown} <= written


def without_meter(line: str) -> str:
    return re.sub("1ISK[0-9]{10}", "METER", normalised(line))


def test_every_reason_not_to_run_a_command_is_needed() -> None:
    written = [step.command for page in PAGES for step in steps(page.name)]
    for pattern in NOT_RUN:
        assert any(re.match(pattern, command) for command in written), pattern


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_within_sentences_are_those_of_the_program(page: Path) -> None:
    known = {**dict(commands()), "--version": cli}
    prose = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.M | re.S)
    for code in re.findall(r"`iometer-exporter ([^`]+)`", prose):
        words = code.split()
        command = known.get(" ".join(words[:2])) or known.get(words[0])
        assert command is not None, code
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word.partition("=")[0] for word in words if word.startswith("-")} <= options, code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_variables_are_those_of_the_program(page: Path) -> None:
    named = re.findall(r"\bIOMETER_EXPORTER_[A-Z_]*[A-Z]\b", page.read_text())
    assert list(unknown_variables(dict.fromkeys(named, ""))) == []
