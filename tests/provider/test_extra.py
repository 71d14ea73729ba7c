"""Without the packages of the extra `provider`: what works all the same, and what is said of the rest."""

import subprocess
import sys
from pathlib import Path

import pytest

from iometer_exporter import extras
from iometer_exporter.config.file import Config, DiscoveryConfig
from iometer_exporter.config.provider import ProviderConfig
from iometer_exporter.errors import ConfigError
from iometer_exporter.exporter import Exporter
from tests.configfile import ConfigFile
from tests.processes import CLEAN_ENVIRONMENT
from tests.provider.cloud import ENVIRONMENT, Cloud

WITHOUT = (
    "import sys; sys.modules.update(websockets=None, segno=None, msgspec=None);"
    "from iometer_exporter.cli import main; main()"
)
ADVICE = f"run in the folder of the source: {sys.executable} -m pip install -c constraints.txt '.[provider]'"


def without(*words: str) -> subprocess.CompletedProcess[str]:
    """What a command says where none of the packages can be imported."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=CLEAN_ENVIRONMENT | ENVIRONMENT,
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [(["serve", "--web.listen-address", "127.0.0.1:0", "--config.file"], 2), (["config", "check"], 1)],
)
def test_a_configuration_with_a_provider_is_refused(words: list[str], code: int, tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("discovery: {enabled: false}\nprovider: {url: 'http://127.0.0.1:9/q'}\n")
    result = without(*words, str(file))
    assert (result.returncode, result.stdout) == (code, "")
    assert result.stderr == f"Error: {file}: provider: websockets is not installed, {ADVICE}\n"


def test_a_household_needs_none_of_it(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("bridges: [{name: house, host: 192.168.1.50}]\n")
    assert without("config", "check", str(file)).returncode == 0


async def test_a_reload_with_a_provider_is_refused(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    quiet = Config(discovery=DiscoveryConfig(enabled=False))
    file = ConfigFile(quiet)
    async with Exporter(file) as exporter:
        file.config = Config(discovery=quiet.discovery, provider=ProviderConfig())
        monkeypatch.setitem(sys.modules, "websockets", None)
        with pytest.raises(ConfigError, match="websockets is not installed"):
            await exporter.reload()
        assert (exporter.config, exporter.provider) == (quiet, None)
        assert not exporter.reload_successful
    assert "the old one stays: provider: websockets is not installed" in caplog.text


def test_what_only_asks_works(cloud: Cloud) -> None:
    url = ("--provider.url", cloud.simulation.url)
    for command in (
        ["status"],
        ["installations"],
        ["license", "set-term", "home-000001", "--months", "30", "--yes"],
    ):
        result = without("provider", *command, *url)
        assert (result.returncode, result.stderr) == (0, ""), command


def test_readings_as_they_come_need_the_socket(cloud: Cloud) -> None:
    result = without("provider", "watch", "--provider.url", cloud.simulation.url)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (f"Error: readings come over a socket: websockets is not installed, {ADVICE}\n")


def test_a_token_is_made_and_shown_without_its_picture(cloud: Cloud) -> None:
    words = ("token", "create", "--external-id", "customer-9", "--pool", "Household")
    result = without("provider", *words, "--provider.url", cloud.simulation.url)
    assert (result.returncode, result.stderr) == (0, "")
    assert "\n  deep link  " in result.stdout
    assert result.stdout.endswith(f"\nThere is no QR code: segno is not installed, {ADVICE}\n")


def test_where_pipx_has_installed_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pipx_metadata.json").write_text("{}")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setitem(sys.modules, "segno", None)
    assert extras.advice_if_missing("provider", "segno") == (
        "segno is not installed, run: pipx inject iometer-exporter websockets segno msgspec"
    )


def test_nothing_is_missing_here() -> None:
    assert extras.advice_if_missing("provider") is extras.advice_if_missing("simulator") is None


def test_a_package_that_is_broken_is_not_a_missing_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "websockets.py").write_text("import a_module_that_nobody_has")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "websockets")
    with pytest.raises(ModuleNotFoundError, match="a_module_that_nobody_has"):
        extras.advice_if_missing("provider", "websockets")
