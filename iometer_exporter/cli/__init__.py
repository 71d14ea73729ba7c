"""The command line: click commands that read options, call one function, and say what went wrong."""

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Final

import click

from iometer_exporter import __version__
from iometer_exporter.cli.report import report
from iometer_exporter.cli.streams import ReaderGoneError, Streams
from iometer_exporter.config.environment import PREFIX
from iometer_exporter.errors import IOmeterError

_COMMANDS: Final[Mapping[str, str]] = {
    "serve": "serve:serve",
    "check": "check:check",
    "discover": "discover:discover",
    "simulate": "simulate:simulate",
    "demo": "simulate:demo",
    "config": "config_check:configuration",
    "provider": "provider.group:provider",
    "hash-password": "hash_password:hash_password",
    "healthcheck": "healthcheck:healthcheck",
}
"""Module below this package and command in it, by name."""


class _LazyGroup(click.Group):
    """Imports the command that is asked for and no other: start-up time is paid on every start."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        assert isinstance(command, click.Command)  # noqa: S101 (the table above is part of this file)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            # Imported here: it costs start-up time, and most commands are right.
            import difflib

            for nearest in difflib.get_close_matches(args[0], _COMMANDS, n=1):
                raise click.UsageError(f"{error.message} Did you mean {nearest!r}?", ctx) from error
            raise


@click.group(
    cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
def cli() -> None:
    """Prometheus exporter for IOmeter smart-meter bridges."""


def _complete_variable() -> str | None:
    """The variable by which a shell asks for completions; None for the usual one, which has `_` before it."""
    name = f"{PREFIX}COMPLETE"
    return name if name in os.environ else None


def main() -> None:
    """Run the command line; exit code 1 and a sentence on stderr for each thing that this package reports."""
    streams = Streams()
    try:
        try:
            cli(prog_name="iometer-exporter", complete_var=_complete_variable())
        finally:
            streams.finish()
    except ReaderGoneError:
        sys.exit(1)
    except IOmeterError as error:
        report(error)
        sys.exit(1)
