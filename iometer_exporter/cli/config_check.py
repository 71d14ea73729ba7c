"""`config check`: whether a configuration file is right."""

from pathlib import Path

import click

from iometer_exporter.cli.options import FILE, warn_of_unknown_variables


@click.group("config")
def configuration() -> None:
    """Look at a configuration file."""


@configuration.command("check")
@click.argument("file", type=FILE)
def check(file: Path) -> None:
    """Say everything that is wrong with FILE.

    With the path of each key, and with the files that it names: token and secret, certificates. FILE is a
    configuration, or a web configuration. Exit code 1 if anything is wrong.
    """
    # Imported here: the command line is up before it.
    from iometer_exporter.web.preflight import check_file

    warn_of_unknown_variables()
    checked = check_file(file)
    click.echo(f"{file}: good, {checked.summary}")
    for warning in checked.warnings:
        click.echo(f"Warning: {warning}", err=True)
