"""The command line: click commands that read options, call one function, and say what went wrong."""

import sys

import click

from iometer_exporter import __version__
from iometer_exporter.cli.check import check
from iometer_exporter.cli.configuration import configuration
from iometer_exporter.cli.discover import discover
from iometer_exporter.cli.options import ENV_PREFIX
from iometer_exporter.cli.serve import serve
from iometer_exporter.cli.simulate import demo, simulate
from iometer_exporter.errors import IOmeterError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Prometheus exporter for IOmeter smart-meter bridges."""


for command in (serve, check, discover, simulate, demo, configuration):
    cli.add_command(command)


def main() -> None:
    """Run the command line; exit code 1 and one sentence on stderr for what this package reports."""
    try:
        cli(prog_name="iometer-exporter")
    except IOmeterError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


__all__ = ["ENV_PREFIX", "cli", "main"]
