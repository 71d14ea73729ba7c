"""`simulate provider`: the vendor's cloud for those who have no fleet at hand."""

import asyncio
from typing import TYPE_CHECKING, Any

import click

from iometer_exporter.cli.options import DURATION, Parsed, logging_options, option
from iometer_exporter.cli.signals import until_told_to_stop
from iometer_exporter.errors import ConfigError, StartError
from iometer_exporter.extras import advice_if_missing
from iometer_exporter.simulator.cloud.faults import PROVIDER_FAULTS, parse_provider_fault
from iometer_exporter.simulator.cloud.identity import SECRET, TOKEN

if TYPE_CHECKING:
    from iometer_exporter.simulator.cloud import ProviderSimulation


@click.command()
@option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@option(
    "--port",
    type=click.IntRange(0, 65535),
    default=18180,
    show_default=True,
    help="Port to listen on; 0 is any free one.",
)
@option(
    "--installations",
    type=click.IntRange(0, 10_000_000),
    default=50,
    show_default=True,
    help="How many installations the provider has.",
)
@option("--seed", type=int, default=1, show_default=True, help="Another seed is another fleet.")
@option(
    "--interval",
    type=DURATION,
    default="15m",
    show_default=True,
    help="Time between two readings of a meter, in whole seconds.",
)
@option("--token", default=TOKEN, show_default=True, help="Token that may read the fleet.")
@option("--secret", default=SECRET, show_default=True, help="Secret that belongs to the token.")
@option(
    "--fault",
    "faults",
    type=Parsed("KIND", parse_provider_fault),
    multiple=True,
    help=f"What goes wrong, may be given several times: {', '.join(PROVIDER_FAULTS)}.",
)
@logging_options("warning")
def provider(*, interval: float, **settings: Any) -> None:
    """Serve a simulated provider API."""
    if interval != int(interval):
        raise ConfigError(f"readings every {interval:g} s cannot be, choose whole seconds")
    asyncio.run(_simulate(_simulation(interval=int(interval), **settings)))


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

    async with simulation:
        for line in describe_provider(simulation):
            click.echo(line)
        await until_told_to_stop()
