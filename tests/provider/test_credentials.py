"""Token and secret: where they come from, and that they are shown nowhere."""

from pathlib import Path

import pytest

from iometer_exporter.config.provider import ProviderConfig
from iometer_exporter.errors import ConfigError
from iometer_exporter.provider.api.credentials import Credentials, load

TOKEN = "zFfsKV98XcsMNtgj71jmx41oamNFKx9K"
SECRET = "JjNQKxIYugVSqCrxkbNfQ8Onpvd07K2G"
HEADER = "Basic ekZmc0tWOThYY3NNTnRnajcxam14NDFvYW1ORkt4OUs6SmpOUUt4SVl1Z1ZTcUNyeGtiTmZROE9ucHZkMDdLMkc="
"""The example of the API's document."""

ENVIRONMENT = {"IOMETER_EXPORTER_PROVIDER_TOKEN": TOKEN, "IOMETER_EXPORTER_PROVIDER_SECRET": SECRET}


@pytest.fixture
def config(tmp_path: Path) -> ProviderConfig:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "secret").write_text(f"  {SECRET}\r\n")
    return ProviderConfig(token_file=tmp_path / "token", secret_file=tmp_path / "secret")


def test_files_and_the_header_of_the_document(config: ProviderConfig) -> None:
    found = load(config, {})
    assert (found.token, found.secret) == (TOKEN, SECRET)
    assert (found.token_source, found.secret_source) == (str(config.token_file), str(config.secret_file))
    assert found.authorization == HEADER


def test_the_environment_beats_the_files(config: ProviderConfig) -> None:
    found = load(config, {"IOMETER_EXPORTER_PROVIDER_TOKEN": "other"})
    assert (found.token, found.token_source) == ("other", "IOMETER_EXPORTER_PROVIDER_TOKEN")
    assert found.secret == SECRET
    assert load(ProviderConfig(), ENVIRONMENT).authorization == HEADER


def test_files_are_read_each_time(config: ProviderConfig) -> None:
    load(config, {})
    assert config.token_file is not None
    config.token_file.write_text("rotated")
    assert load(config, {}).token == "rotated"


def test_no_way_of_showing_them_shows_them() -> None:
    credentials = Credentials(TOKEN, SECRET, "/run/token", "/run/secret")
    for shown in (repr(credentials), str(credentials), f"{credentials}", f"{[credentials]}"):
        assert TOKEN not in shown
        assert SECRET not in shown
    assert repr(credentials) == "Credentials(token of /run/token, secret of /run/secret)"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "the provider token of {file} is empty, put the token of an API key there"),
        (b" \n", "the provider token of {file} is empty, put the token of an API key there"),
        (b"to\x00ken", "the provider token of {file} has characters that no token has"),
        (b"to\nken", "the provider token of {file} has characters that no token has"),
        ("täken".encode(), "the provider token of {file} has characters that no token has"),
        (b"\xff\xfe", "the provider token of {file} has characters that no token has"),
        (b"to:ken", "the provider token of {file} contains a colon, which no token does"),
        (b"x" * 5000, "{file} is larger than 4096 bytes, it holds more than a provider token"),
        (None, "cannot read the provider token of {file}: No such file or directory"),
    ],
)
def test_what_cannot_be_a_token_is_said_but_not_quoted(
    config: ProviderConfig, content: bytes | None, text: str
) -> None:
    assert config.token_file is not None
    if content is None:
        config.token_file.unlink()
    else:
        config.token_file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(config, {})
    assert str(caught.value) == text.format(file=config.token_file)
    assert caught.value.__cause__ is None or isinstance(caught.value.__cause__, OSError)


def test_a_missing_one_says_where_to_put_it() -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            ProviderConfig(),
            {"IOMETER_EXPORTER_PROVIDER_TOKEN": TOKEN, "IOMETER_EXPORTER_PROVIDER_SECRET": ""},
        )
    assert str(caught.value) == (
        "there is no secret for the provider API, set provider.secret_file in the configuration "
        "or the variable IOMETER_EXPORTER_PROVIDER_SECRET"
    )
