"""`simulate provider`: the vendor's cloud for those who have no fleet at hand."""

import asyncio
import functools
from typing import TYPE_CHECKING, Any, Final

import click

from iometer_exporter.cli.options import Parsed, list_option, logging_options, option
from iometer_exporter.cli.table import table
from iometer_exporter.config.values import parse_duration
from iometer_exporter.errors import ConfigError, StartError
from iometer_exporter.extras import advice_if_missing
from iometer_exporter.net.event_loop import stop_signal
from iometer_exporter.simulator.cloud.faults import PROVIDER_FAULTS, parse_provider_fault
from iometer_exporter.simulator.cloud.identity import SECRET, TOKEN

if TYPE_CHECKING:
    from iometer_exporter.simulator.cloud import ProviderSimulation

_option: Final = functools.partial(option, command="simulate-provider")


def _whole_seconds(text: str) -> int:
    seconds = parse_duration(text)
    if seconds != int(seconds):
        raise ConfigError(f"readings every {seconds:g} s cannot be, choose whole seconds")
    return int(seconds)


@click.command()
@_option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@_option(
    "--port",
    type=click.IntRange(0, 65535),
    default=18180,
    show_default=True,
    help="Port to listen on; 0 is any free one.",
)
@_option(
    "--installations",
    type=click.IntRange(0, 10_000_000),
    default=50,
    show_default=True,
    help="How many installations the provider has.",
)
@_option("--seed", type=int, default=1, show_default=True, help="Another seed is another fleet.")
@_option(
    "--interval",
    type=Parsed("duration", _whole_seconds),
    default="15m",
    show_default=True,
    help="Time between two readings of a meter, in whole seconds.",
)
@_option("--token", default=TOKEN, show_default=True, help="Token that may read the fleet.")
@_option("--secret", default=SECRET, show_default=True, help="Secret that belongs to the token.")
@_option(
    "--fault",
    "faults",
    type=Parsed("KIND", parse_provider_fault, choices=PROVIDER_FAULTS),
    multiple=True,
    help="What goes wrong, may be given several times.",
)
@list_option(
    "--list-faults",
    lambda: table(("FAULT", "WHAT GOES WRONG"), list(PROVIDER_FAULTS.items())),
    "Print what --fault knows, and end.",
)
@logging_options("warn")
def provider(**settings: Any) -> None:
    """Serve a simulated provider API."""
    asyncio.run(_simulate(_simulation(**settings)))


def _simulation(**settings: Any) -> "ProviderSimulation":
    try:
        from iometer_exporter.simulator.cloud import ProviderSimulation
    except ModuleNotFoundError as error:
        if (missing := advice_if_missing("simulator")) is None:
            raise
        raise StartError(f"the simulated provider needs more: {missing}") from error
    return ProviderSimulation(**settings)


async def _simulate(simulation: "ProviderSimulation") -> None:
    from iometer_exporter.simulator.cloud import describe_provider

    stop = stop_signal()
    async with simulation:
        for line in describe_provider(simulation):
            click.echo(line)
        await stop.wait()
