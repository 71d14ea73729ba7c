"""`hash-password`, with and without a terminal."""

import os
import pty
import subprocess
from pathlib import Path

import bcrypt
import pytest
import yaml
from click.testing import CliRunner, Result

from iometer_exporter.cli import cli
from iometer_exporter.config.web_file import parse_web_config
from iometer_exporter.errors import ConfigError
from tests.processes import CLEAN_ENVIRONMENT, COMMAND


def hash_password(*words: str, given: str) -> Result:
    return CliRunner().invoke(cli, ["hash-password", *words], input=given)


@pytest.mark.parametrize(
    ("words", "user"), [([], "prometheus"), (["grafana"], "grafana"), (["on"], "on"), (["12"], "12")]
)
@pytest.mark.parametrize("given", ["geheim", "geheim\n", "geheim\r\nmore\n"])
def test_the_line_is_taken_by_a_web_configuration(words: list[str], user: str, given: str) -> None:
    result = hash_password(*words, given=given)
    assert (result.exit_code, result.stderr, result.stdout.count("\n")) == (0, "", 1)
    users = parse_web_config(f"basic_auth_users:\n  {result.stdout}", Path()).users
    assert users.keys() == {user}
    assert bcrypt.checkpw(b"geheim", users[user].encode())
    assert users[user].startswith("$2b$10$")


def test_a_password_is_bytes_as_a_client_sends_them() -> None:
    hashed = yaml.safe_load(hash_password(given="Zähler\n").stdout)["prometheus"]
    assert bcrypt.checkpw("Zähler".encode(), hashed.encode())


@pytest.mark.parametrize(
    ("words", "given", "message"),
    [
        ([], "", "the password is empty, choose one"),
        ([], "\n", "the password is empty, choose one"),
        ([], "x" * 73, "the password is longer than the 72 bytes that bcrypt looks at"),
        (["a:b"], "x", "'a:b' is not a user name, it must not be empty or contain a colon"),
        ([""], "x", "'' is not a user name, it must not be empty or contain a colon"),
    ],
)
def test_what_cannot_be_a_user_or_a_password(words: list[str], given: str, message: str) -> None:
    result = hash_password(*words, given=given)
    assert result.stdout == ""
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == message


@pytest.mark.parametrize(("again", "code"), [("geheim", 0), ("anders", 1)])
def test_on_a_terminal_it_asks_twice_and_shows_nothing(again: str, code: int) -> None:
    """The prompts go to the terminal, so that the line alone is in a file."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "hash-password"],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        env=CLEAN_ENVIRONMENT,
        start_new_session=True,
        # getpass opens the controlling terminal.
        preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
    )
    os.close(terminal)
    seen = b""
    for answer in (b"geheim\n", again.encode() + b"\n"):
        prompt = b"Again" if seen else b"Password"
        while prompt not in seen:
            seen += os.read(controller, 1000)
        while not seen.rstrip(b" ").endswith(b":"):
            seen += os.read(controller, 1000)
        os.write(controller, answer)
    if code:
        while b"do not match" not in seen:
            seen += os.read(controller, 1000)
        process.kill()
    out, _ = process.communicate(timeout=30)
    os.close(controller)
    assert b"geheim" not in seen
    assert out.startswith(b"prometheus: $2b$10$") if not code else out == b""
