"""`config check`, and that `serve` says the same of the same files."""

from pathlib import Path

import pytest

from tests.commands import run
from tests.secured import USERS, Certificates

NO_CREDENTIALS = {"IOMETER_EXPORTER_PROVIDER_TOKEN": "", "IOMETER_EXPORTER_PROVIDER_SECRET": ""}


def written(folder: Path, text: str, name: str = "config.yml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def refused(*words: str | Path, code: int) -> list[str]:
    """What a command says on stderr that ends with the exit code."""
    result = run(*map(str, words), env=NO_CREDENTIALS)
    assert (result.returncode, result.stdout) == (code, "")
    return result.stderr.splitlines()


def refused_by_both(file: Path) -> list[str]:
    told = refused("config", "check", file, code=1)
    assert refused("serve", "--config.file", file, code=2) == told
    return told


def test_everything_that_is_wrong_is_a_line(tmp_path: Path) -> None:
    file = written(tmp_path, "timout: 3s\nmax_power: 5\nbridges: [{name: house, hots: 1.2.3.4}]\n")
    assert refused_by_both(file) == [
        f"Error: {file}: max_power: '5' is not a power, write a number and a unit such as 500W or 100kW",
        f"Error: {file}: bridges[0].hots: unknown key, did you mean 'host'?",
        f"Error: {file}: timout: unknown key, did you mean 'timeout'?",
    ]


def test_credentials_that_cannot_be_read(tmp_path: Path) -> None:
    file = written(tmp_path, "timeout: soon\nprovider: {token_file: /nope, secret_file: /nope2}\n")
    assert refused_by_both(file) == [
        f"Error: {file}: timeout: 'soon' is not a duration, write a number and a unit such as 500ms, 10s, "
        "20m or 24h",
        f"Error: {file}: cannot read the provider token of /nope: No such file or directory",
        f"Error: {file}: cannot read the provider secret of /nope2: No such file or directory",
    ]


def test_credentials_that_are_nowhere(tmp_path: Path) -> None:
    file = written(tmp_path, "provider: {}\n")
    token, secret = refused_by_both(file)
    assert "there is no token for the provider API, set provider.token_file" in token
    assert "there is no secret for the provider API, set provider.secret_file" in secret


def test_a_provider_section_that_is_wrong_is_not_asked_for_credentials(tmp_path: Path) -> None:
    file = written(tmp_path, "provider: {token: secret-token}\n")
    [line] = refused_by_both(file)
    assert line.startswith(f"Error: {file}: provider.token: unknown key, did you mean 'token_file'?")


def test_a_file_that_cannot_be_read_is_wrong_whatever_the_reason(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yml"
    assert refused_by_both(missing) == [f"Error: cannot read {missing}: No such file or directory"]
    assert refused_by_both(tmp_path) == [f"Error: cannot read {tmp_path}: Is a directory"]


@pytest.mark.parametrize("text", ["basic_auth_users: {a: !geheim x}", "{'basic_auth_users': {a: geheim}}"])
def test_a_web_configuration_given_as_the_other_is_told_so(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, text)
    assert refused("serve", "--config.file", file, code=2) == [
        f"Error: {file}: is a web configuration, give it as --web.config.file"
    ]


def test_a_web_configuration_is_known_and_checked(tmp_path: Path) -> None:
    file = Certificates(tmp_path).config(more=USERS)
    result = run("config", "check", str(file))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{file}: good, a web configuration, TLS on, ")


def test_a_web_configuration_that_is_wrong(tmp_path: Path) -> None:
    file = written(tmp_path, "tls_server_config: {cert_file: c.pem, key_file: k.pem}\n", "web.yml")
    cert, key = refused("config", "check", file, code=1)
    assert cert.startswith(f"Error: {file}: tls_server_config.cert_file: ")
    assert key.startswith(f"Error: {file}: tls_server_config.key_file: ")
    file.write_text("basic_auth_users: {a: geheim}\nrate_limits: {}\n")
    users, limits = refused("config", "check", file, code=1)
    assert "is not a bcrypt hash, make one with iometer-exporter hash-password" in users
    assert limits == f"Error: {file}: rate_limits: unknown key, did you mean 'rate_limit'?"


def test_serve_says_what_is_wrong_with_both_files(tmp_path: Path) -> None:
    config = written(tmp_path, "timout: 3s\n")
    web = written(tmp_path, "basic_auth_user: {}\n", "web.yml")
    assert refused("serve", "--config.file", config, "--web.config.file", web, code=2) == [
        f"Error: {config}: timout: unknown key, did you mean 'timeout'?",
        f"Error: {web}: basic_auth_user: unknown key, did you mean 'basic_auth_users'?",
    ]


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("discovery: off", "nothing to serve: no bridge is configured and discovery is off, "),
        (
            "state_file: {folder}/none/state.json",
            "state_file: there is no folder {folder}/none, nothing can be kept until there is",
        ),
        ("state_file: {folder}", "state_file: {folder} is not a regular file, nothing can be kept in it"),
    ],
)
def test_what_a_start_would_take_but_not_as_meant_is_a_warning(
    tmp_path: Path, text: str, warning: str
) -> None:
    file = written(tmp_path, text.format(folder=tmp_path))
    result = run("config", "check", str(file))
    assert result.returncode == 0
    assert result.stderr.startswith(f"Warning: {warning.format(folder=tmp_path)}")


def test_credentials_without_encryption_are_a_warning(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        f"provider: {{url: 'http://cloud.example/q', token_file: {tmp_path}/t, secret_file: {tmp_path}/t}}",
    )
    written(tmp_path, "word", "t")
    result = run("config", "check", str(file), env=NO_CREDENTIALS)
    assert result.returncode == 0
    assert result.stderr.startswith("Warning: token and secret travel unencrypted to cloud.example: ")
