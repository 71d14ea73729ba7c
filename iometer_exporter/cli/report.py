"""Errors of a command, told on stderr: a sentence for each thing that is wrong, never a traceback."""

import click

from iometer_exporter.errors import ConfigError, IOmeterError


def report(error: IOmeterError) -> None:
    """Print a line for each problem."""
    for sentence in error.problems if isinstance(error, ConfigError) else (str(error),):
        click.echo(f"Error: {sentence}", err=True)
