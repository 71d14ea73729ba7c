"""`config check`: whether a configuration file is right."""

from pathlib import Path

import click

from iometer_exporter.config.file import load_config
from iometer_exporter.config.provider import check_extra


@click.group("config")
def configuration() -> None:
    """Look at a configuration file."""


@configuration.command("check")
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Say what is wrong with FILE.

    Names the path of the key; exit code 1 if anything is wrong.
    """
    config = load_config(file)
    if config.provider is not None:
        check_extra()
    discovery = "on" if config.discovery.enabled else "off"
    provider = f", provider API at {config.provider.url}" if config.provider else ""
    click.echo(f"{file}: good, {len(config.bridges)} bridges configured, discovery {discovery}{provider}")
