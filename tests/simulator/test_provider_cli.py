"""`simulate provider` as a person runs it, and `simulate` as ever."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from iometer_exporter.simulator.cloud.faults import PROVIDER_FAULTS
from tests.commands import run
from tests.processes import CLEAN_ENVIRONMENT, COMMAND, started


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


@pytest.mark.end_to_end
def test_it_says_where_it_is_and_how_to_read_it(tmp_path: Path) -> None:
    command = [*COMMAND, "simulate", "provider", "--port", "0", "--installations", "100000"]
    command += ["--token", "ours", "--secret", "hidden", "--fault", "late", "--interval", "1m"]
    with started(command, tmp_path / "log") as process:
        url = process.wait_for(r"(?m)^    url: (\S+)$")[1]
        text = process.text()
        assert text.startswith(f"{url}  Simulated Energy with 100000 installations\n")
        assert yaml.safe_load(text.partition("configuration:\n")[2]) == {"provider": {"url": url}}
        assert "\n  IOMETER_EXPORTER_PROVIDER_TOKEN=ours\n" in text
        assert "\n  IOMETER_EXPORTER_PROVIDER_SECRET=hidden\n" in text
        query = "{ provider { installations(pagination: {offset: 99998}) { externalId } } }"
        answer = httpx.post(url, json={"query": query}, auth=("ours", "hidden"), trust_env=False)
        found = answer.json()["data"]["provider"]["installations"]
        assert found == [{"externalId": "home-099999"}, {"externalId": None}]
        assert process.stop() == 0


@pytest.mark.end_to_end
def test_simulate_alone_simulates_bridges(tmp_path: Path) -> None:
    with started([*COMMAND, "simulate", "--port", "0"], tmp_path / "log") as process:
        url = process.wait_for(r"(http://\S+)  IOmeter-")[1]
        assert httpx.get(f"{url}/v1/reading", trust_env=False).status_code == 200


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (["--fault", "lat"], "there is no fault 'lat', the nearest is 'late'", 2),
        (["--installations", "-1"], "-1 is not in the range", 2),
        (["--interval", "1.5s"], "readings every 1.5 s cannot be, choose whole seconds", 2),
        (["--interval", "0"], "readings every 0 s cannot be, choose 1 to 86400 s", 1),
        (["--token", "a:b"], "the token may have no colon", 1),
        (["--host", "nowhere.invalid"], "'nowhere.invalid' is not an address of this machine", 1),
    ],
)
def test_what_cannot_be_is_one_sentence(words: list[str], message: str, code: int) -> None:
    result = run("simulate", "provider", *words)
    assert message in last_line(result.stderr)
    assert result.returncode == code
    assert "Traceback" not in result.stderr


def test_options_of_bridges_are_not_for_a_provider() -> None:
    result = run("simulate", "--bridges", "3", "provider")
    assert result.returncode == 2
    assert last_line(result.stderr) == (
        "Error: --bridges before 'provider' is for bridges; write options of 'provider' after it."
    )


def test_the_environment_is_for_the_one_command_that_runs() -> None:
    fault = {"IOMETER_EXPORTER_SIMULATE_FAULT": "late"}
    assert "readings every 0 s" in run("simulate", "provider", "--interval", "0", env=fault).stderr
    result = run("simulate", "--port", "0", env=fault)
    assert result.returncode == 2
    assert "there is no fault 'late'" in result.stderr


def test_it_lists_every_fault() -> None:
    text = run("simulate", "provider", "--list-faults").stdout
    assert all(f"\n{fault} " in text for fault in PROVIDER_FAULTS)


def test_without_the_extra_it_says_what_to_install() -> None:
    program = "import sys; sys.modules['ariadne'] = None; from iometer_exporter.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", program, "simulate", "provider", "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env=CLEAN_ENVIRONMENT,
    )
    assert result.returncode == 1
    assert result.stderr == (
        "Error: the simulated provider needs more: ariadne is not installed, "
        f"run in the folder of the source: {sys.executable} "
        "-m pip install -c constraints.txt '.[simulator]'\n"
    )


def test_bridges_are_simulated_without_a_graphql_server() -> None:
    modules = {"ariadne", "graphql", "uvicorn", "starlette", "segno"}
    program = f"import sys, iometer_exporter.cli.simulate; print({modules} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
