"""Token and secret of the provider API, from files or the environment, shown nowhere."""

import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from iometer_exporter.config.provider import ProviderConfig
from iometer_exporter.config.section import Problems
from iometer_exporter.errors import ConfigError

TOKEN_VARIABLE: Final = "IOMETER_EXPORTER_PROVIDER_TOKEN"  # noqa: S105 (the name of a variable)
SECRET_VARIABLE: Final = "IOMETER_EXPORTER_PROVIDER_SECRET"  # noqa: S105 (the name of a variable)

_LARGEST_FILE_BYTES: Final = 4096
"""Of a file with a token or secret; anything longer is another file."""


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """A token and its secret; the sources say for an error message where each came from."""

    token: str
    secret: str
    token_source: str
    secret_source: str

    def __repr__(self) -> str:
        return f"Credentials(token of {self.token_source}, secret of {self.secret_source})"

    @property
    def authorization(self) -> str:
        """The value of an `Authorization` header for basic authentication."""
        return "Basic " + b64encode(f"{self.token}:{self.secret}".encode()).decode("ascii")


def load(config: ProviderConfig, environ: Mapping[str, str] = os.environ) -> Credentials:
    """The credentials as they are now; the environment beats the files of the configuration.

    Raises ConfigError, without quoting them, where one is missing or cannot be one; it names both.
    """
    problems = Problems()
    token = token_source = secret = secret_source = ""
    with problems.noted():
        token, token_source = _one("token", TOKEN_VARIABLE, config.token_file, environ)
        if ":" in token:
            raise ConfigError(f"the provider token of {token_source} contains a colon, which no token does")
    with problems.noted():
        secret, secret_source = _one("secret", SECRET_VARIABLE, config.secret_file, environ)
    problems.check()
    return Credentials(token, secret, token_source, secret_source)


def _one(what: str, variable: str, file: Path | None, environ: Mapping[str, str]) -> tuple[str, str]:
    if text := environ.get(variable):
        source = variable
    elif file is not None:
        text, source = _read(what, file), str(file)
    else:
        raise ConfigError(
            f"there is no {what} for the provider API, "
            f"set provider.{what}_file in the configuration or the variable {variable}"
        )
    text = text.strip()
    if not text:
        raise ConfigError(f"the provider {what} of {source} is empty, put the {what} of an API key there")
    if not text.isascii() or not text.isprintable():
        raise ConfigError(f"the provider {what} of {source} has characters that no {what} has")
    return text, source


def _read(what: str, file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(_LARGEST_FILE_BYTES + 1)
        if len(content) > _LARGEST_FILE_BYTES:
            raise ConfigError(
                f"{file} is larger than {_LARGEST_FILE_BYTES} bytes, it holds more than a provider {what}"
            )
        return content.decode("utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the provider {what} of {file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"the provider {what} of {file} has characters that no {what} has") from None
