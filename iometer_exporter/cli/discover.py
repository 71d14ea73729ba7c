"""`discover`: the bridges that announce themselves here."""

import asyncio
import functools
import json
from typing import Final

import click

from iometer_exporter.bridges.selection import NOBODY, discovered
from iometer_exporter.cli.options import POSITIVE_DURATION, json_option, logging_options, option
from iometer_exporter.cli.table import table
from iometer_exporter.cli.waiting import announced
from iometer_exporter.config.file import DiscoveryConfig
from iometer_exporter.errors import IOmeterError
from iometer_exporter.wording import waited

_option: Final = functools.partial(option, command="discover")


@click.command()
@_option("--timeout", type=POSITIVE_DURATION, default="5s", show_default=True, help="How long to look.")
@_option("--interface", "interfaces", multiple=True, help="Name or address; all if none is given.")
@json_option
@logging_options("error")
def discover(*, timeout: float, interfaces: tuple[str, ...], as_json: bool) -> None:
    """List the bridges found by mDNS.

    Exit code 1 if there is none.
    """
    looking = discovered(DiscoveryConfig(interfaces=interfaces), timeout)
    services = asyncio.run(announced(f"Looking for bridges for {waited(timeout)} …", looking))
    if as_json:
        found = [
            {
                "name": service.name,
                "host": service.host,
                "addresses": [address.host for address in service.addresses],
                "port": service.addresses[0].port,
            }
            for service in services
        ]
        click.echo(json.dumps(found, indent=2))
    elif services:
        rows = [(s.name, s.host, ", ".join(str(address) for address in s.addresses)) for s in services]
        click.echo(table(("NAME", "HOST", "ADDRESS"), rows))
    if not services:
        raise IOmeterError(NOBODY)
