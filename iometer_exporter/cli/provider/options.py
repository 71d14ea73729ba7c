"""Options that the commands for the provider API share, and the client that follows from them."""

import functools
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from iometer_exporter.cli.options import FILE, POSITIVE_DURATION, Command, Parsed, logging_options, option
from iometer_exporter.config.file import Config, load_config
from iometer_exporter.config.provider import DEFAULT_URL, ProviderConfig, cleartext_warning, parse_url

if TYPE_CHECKING:
    from iometer_exporter.provider.api.client import ProviderClient
    from iometer_exporter.provider.api.credentials import Credentials


@dataclass(frozen=True, slots=True)
class Access:
    """The way to the API that options, environment and file lead to; the timeout is in seconds."""

    config: Config
    provider: ProviderConfig
    credentials: "Credentials"
    timeout: float

    def client(self) -> "ProviderClient":
        """A client, to be entered."""
        # Imported here: it is large, and most commands fail before they need it or do without.
        from iometer_exporter.provider.api.client import ProviderClient

        return ProviderClient(self.provider.url, self.credentials, timeout=self.timeout)


def provider_options(command: Command) -> Command:
    """Add the options that say where the API is and who asks; the command gets them as `access`."""

    @functools.wraps(command)
    def with_access(
        *,
        config_file: Path | None,
        url: str | None,
        token_file: Path | None,
        secret_file: Path | None,
        timeout: float,
        **settings: Any,
    ) -> Any:
        config = load_config(config_file) if config_file else Config()
        provider = config.provider or ProviderConfig()
        provider = replace(
            provider,
            url=url or provider.url,
            token_file=token_file or provider.token_file,
            secret_file=secret_file or provider.secret_file,
        )
        access = Access(config, provider, _credentials(provider), timeout)
        if (warning := cleartext_warning(provider.url)) is not None:
            click.echo(f"Warning: {warning}", err=True)
        return command(access=access, **settings)

    decorated: Any = with_access
    for decorate in (
        logging_options("error"),
        option(
            "--timeout",
            command="provider",
            type=POSITIVE_DURATION,
            default="30s",
            show_default=True,
            help="Longest time for the API to answer one request.",
        ),
        option(
            "--provider.secret-file",
            "secret_file",
            type=FILE,
            default=None,
            help="File with the secret of the API key.",
        ),
        option(
            "--provider.token-file",
            "token_file",
            type=FILE,
            default=None,
            help="File with the token of the API key.",
        ),
        option(
            "--provider.url",
            "url",
            type=Parsed("URL", parse_url),
            default=None,
            help=f"Address of the API.  [default: {DEFAULT_URL}]",
        ),
        option(
            "--config.file",
            "config_file",
            type=FILE,
            default=None,
            help="YAML file with a section provider.",
        ),
    ):
        decorated = decorate(decorated)
    result: Command = decorated
    return result


def _credentials(provider: ProviderConfig) -> "Credentials":
    from iometer_exporter.provider.api import credentials

    environ = dict(os.environ)
    ctx = click.get_current_context()
    # A file named on the command line is meant more than a variable of the environment.
    for name, variable in (
        ("token_file", credentials.TOKEN_VARIABLE),
        ("secret_file", credentials.SECRET_VARIABLE),
    ):
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            environ.pop(variable, None)
    return credentials.load(provider, environ)
