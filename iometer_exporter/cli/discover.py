"""`discover`: the bridges that announce themselves here."""

import asyncio
import functools
import json
from collections.abc import Sequence
from typing import Final

import click

from iometer_exporter.bridges.discovery.announcements import Service
from iometer_exporter.bridges.discovery.browser import Discovery
from iometer_exporter.cli.options import POSITIVE_DURATION, logging_options, option
from iometer_exporter.cli.table import table
from iometer_exporter.config.file import DiscoveryConfig
from iometer_exporter.errors import IOmeterError

_option: Final = functools.partial(option, command="discover")


@click.command()
@_option("--timeout", type=POSITIVE_DURATION, default="5s", show_default=True, help="How long to look.")
@_option("--interface", "interfaces", multiple=True, help="Name or address; all if none is given.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@logging_options("error")
def discover(*, timeout: float, interfaces: tuple[str, ...], as_json: bool) -> None:
    """List the bridges found by mDNS.

    Exit code 1 if there is none.
    """
    services = sorted(asyncio.run(_discover(timeout, interfaces)), key=lambda service: service.name)
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
        raise IOmeterError(
            "no bridge has announced itself; is it powered, and in the same network segment as this host "
            "(mDNS passes no router, and a container needs host networking)?"
        )


async def _discover(timeout: float, interfaces: tuple[str, ...]) -> Sequence[Service]:
    discovery = Discovery(DiscoveryConfig(interfaces=interfaces))
    try:
        await discovery.browse()
        await asyncio.sleep(timeout)
        return discovery.services()
    finally:
        await discovery.aclose()
