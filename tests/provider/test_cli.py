"""The `provider` commands against the simulated cloud: what they show, and whose credentials they take."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from iometer_exporter.cli import cli
from tests.provider.cloud import ENVIRONMENT, SECRET, TOKEN, Cloud, cloud_of


def test_status(cloud: Cloud) -> None:
    text = cloud.good("status")
    assert re.match(r"Provider Simulated Energy \([0-9a-f-]{36}\) at http://127.0.0.1:\d+/v1/query\n", text)
    assert "Installations: 30, with 30 meters\n" in text
    assert re.search(r"^  license +active +\d+$", text, re.MULTILINE)
    assert re.search(
        r"^  Household +[0-9a-f-]{36} +\d+ +\d+ +\d+  12 months, renews itself$", text, re.MULTILINE
    )
    assert re.search(r"^  former +[0-9a-f-]{36}  no$", text, re.MULTILINE)
    assert re.search(r"^Newest reading: .* ago\), of ", text, re.MULTILINE)


def test_status_counts_every_installation_once(cloud: Cloud, tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text("provider: {page_size: 7}\n")
    found = json.loads(cloud.good("status", "--json", "--config.file", str(config)))
    assert found["installations"] == 30
    for states in found["states"].values():
        assert sum(states.values()) == 30
    for pool in found["license_pools"]:
        assert 0 <= pool["used"] <= pool["size"]
    assert found["median_delay_seconds"] > 0
    # The account, five pages of which the last is not full, what was on its way then and what follows it, and
    # the readings.
    assert cloud.simulation.statuses[200] in (8, 9)


def test_status_of_an_empty_provider() -> None:
    with cloud_of(installations=0) as empty:
        text = empty.good("status")
        assert "Installations: 0, with 0 meters\n  none\n" in text
        assert text.endswith("Readings: none yet\n")
        result = empty.run("installations")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == "The provider has no installations yet.\n"


def test_installations_as_a_table(cloud: Cloud) -> None:
    head, *rows = cloud.good("installations").splitlines()
    assert head.split("  ")[0] == "INSTALLATION"
    assert len(rows) == 30
    assert rows[0].startswith("home-000001 ")
    column = head.index("LAST READING")
    assert all(re.fullmatch(r"never|.* ago", row[column:]) for row in rows)


def test_installations_are_searched_by_id_external_id_and_meter(cloud: Cloud) -> None:
    every = json.loads(cloud.good("installations", "--json"))
    assert len(every) == 30
    one = every[4]
    for search in (one["id"], one["external_id"].upper(), one["meters"][0]["number"][2:]):
        assert [each["id"] for each in json.loads(cloud.good("installations", search, "--json"))] == [
            one["id"]
        ]
    result = cloud.run("installations", "nothing-like-it")
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        str(result.exception)
        == "no installation has 'nothing-like-it' in its id, external id or meter number"
    )
    assert cloud.run("installations", "nothing-like-it", "--json").stdout == "[]\n"


def test_what_is_wrong_with_installations_is_said_once() -> None:
    with cloud_of(installations=30, faults=["null"]) as ill:
        result = ill.run("installations")
        assert result.exit_code == 0
        [line] = result.stderr.splitlines()
        assert line.startswith("Left out: ")
        assert len(line) < 1000
    with cloud_of(installations=30, faults=["graphql-errors"]) as ill:
        result = ill.run("installations", "--json")
        assert len(json.loads(result.stdout)) == 30
        assert "Left out: " in result.stderr


def test_what_never_worked_is_not_tried_again(cloud: Cloud) -> None:
    cloud.call("revoke")
    for words in (["watch"], ["status"], ["installations"]):
        result = cloud.run(*words)
        assert result.exit_code == 1
        assert "does not accept the credentials" in str(result.exception)
        assert "IOMETER_EXPORTER_PROVIDER_TOKEN" in str(result.exception)
        assert TOKEN not in result.output + str(result.exception)


def test_flags_beat_the_environment_and_the_environment_the_file(cloud: Cloud, tmp_path: Path) -> None:
    for name, content in (("token", TOKEN), ("secret", SECRET), ("wrong", "wrong")):
        (tmp_path / name).write_text(content)
    config = tmp_path / "config.yml"
    wrong, token, secret = tmp_path / "wrong", tmp_path / "token", tmp_path / "secret"
    config.write_text(
        f"provider: {{token_file: {wrong}, secret_file: {secret}, url: 'http://127.0.0.1:1/'}}\n"
    )
    nothing = dict.fromkeys(ENVIRONMENT, "")
    words = ["status", "--config.file", str(config)]
    assert cloud.run(*words, env=nothing).exit_code == 1
    assert cloud.run(*words, "--provider.token-file", str(token), env=nothing).exit_code == 0
    only_token = nothing | {"IOMETER_EXPORTER_PROVIDER_TOKEN": TOKEN}
    assert cloud.run(*words, env=only_token).exit_code == 0
    result = cloud.run(*words, "--provider.token-file", str(wrong), env=only_token)
    assert result.exit_code == 1
    assert f"check the token of {wrong}" in str(result.exception)


def test_no_credentials_at_all(cloud: Cloud) -> None:
    result = cloud.run("status", env=dict.fromkeys(ENVIRONMENT, ""))
    assert result.exit_code == 1
    assert "there is no token for the provider API, set provider.token_file" in str(result.exception)


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["token", "create", "--external-id", "x", "--pool", "Trial"],
        ["watch", "--count", "1"],
        ["backfill", "--since", "5m", "-o", "-"],
    ],
)
def test_a_log_of_everything_has_no_secret(words: list[str]) -> None:
    with cloud_of(installations=5, interval=1) as busy:
        result = busy.run(*words, "--log.level", "debug")
        assert result.exit_code == 0
        assert TOKEN not in result.stderr
        assert "Basic " not in result.stderr


def test_config_check_names_the_provider(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("provider: {page_size: 50}\n")
    result = CliRunner().invoke(cli, ["config", "check", str(file)], env=ENVIRONMENT)
    assert result.output == (
        f"{file}: good, 0 bridges configured, discovery on, "
        "provider API at https://provider-api.prod.iometer.cloud/v1/query\n"
    )
    file.write_text("provider: {page: 50}\n")
    result = CliRunner().invoke(cli, ["config", "check", str(file)])
    assert result.exit_code == 1
    assert str(result.exception) == f"{file}: provider.page: unknown key, did you mean 'page_size'?"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("iometer-3", ", shard 4/8 by the name 'iometer-3'"),
        # The file is good for eight pods, of which this host is none.
        ("iometer-8", ", shard auto/8 (the name 'iometer-8' is none of its pods)"),
        ("laptop", ", shard auto/8 (the name 'laptop' is none of its pods)"),
    ],
)
def test_config_check_says_which_shard_a_pod_has(tmp_path: Path, name: str, expected: str) -> None:
    file = tmp_path / "config.yml"
    file.write_text("provider: {shard: auto/8}\n")
    env = ENVIRONMENT | {"IOMETER_EXPORTER_POD_NAME": name}
    result = CliRunner().invoke(cli, ["config", "check", str(file)], env=env)
    assert result.exit_code == 0
    assert result.output == (
        f"{file}: good, 0 bridges configured, discovery on, "
        f"provider API at https://provider-api.prod.iometer.cloud/v1/query{expected}\n"
    )


def test_graphql_is_imported_only_when_it_is_needed() -> None:
    code = (
        "import sys, iometer_exporter.cli.provider.group, iometer_exporter.config.file; print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert not {"gql", "graphql", "websockets", "httpx", "segno"} & set(loaded.split())


@pytest.mark.parametrize(("scheme", "warnings"), [("http", 1), ("https", 0)])
def test_credentials_that_travel_unencrypted_are_a_warning(scheme: str, warnings: int) -> None:
    # 0.0.0.1 is nobody's address.
    words = ["provider", "status", "--provider.url", f"{scheme}://0.0.0.1:9/q"]
    result = CliRunner().invoke(cli, words, prog_name="iometer-exporter", env=ENVIRONMENT)
    assert result.exit_code == 1
    assert result.stderr.count("Warning: token and secret travel unencrypted to 0.0.0.1: ") == warnings
