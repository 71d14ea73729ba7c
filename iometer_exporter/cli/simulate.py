"""`simulate` and `demo`: bridges for those who have none at hand."""

import asyncio
import functools
from collections.abc import Sequence
from typing import Any, Final

import click
from click.core import ParameterSource

from iometer_exporter.cli.options import (
    DURATION,
    Command,
    Parsed,
    list_option,
    listen_option,
    logging_options,
    option,
)
from iometer_exporter.cli.simulate_cloud import provider
from iometer_exporter.cli.table import table
from iometer_exporter.config.file import BridgeConfig, Config, DiscoveryConfig
from iometer_exporter.errors import ConfigError
from iometer_exporter.net.addresses import Address
from iometer_exporter.net.event_loop import stop_signal
from iometer_exporter.simulator import FAULTS, SITUATIONS, Simulation, check_faults, describe, parse_fault
from iometer_exporter.web.listen import DEFAULT_PORT, ListenAddress, listen, url_of

_option: Final = functools.partial(option, command="simulate")

_HAS_SUBCOMMAND: Final = "iometer_exporter.simulate.has_subcommand"
"""Whether the first word after `simulate` is a command of its own."""


def _faults_in_words() -> str:
    faults = [(kind, text) for kind, text in FAULTS.items() if kind not in SITUATIONS]
    situations = [(kind, text) for kind, text in FAULTS.items() if kind in SITUATIONS]
    return "\n\n".join(
        [
            table(("FAULT", "WHAT THE BRIDGE DOES"), faults),
            table(("SITUATION", "NOTHING IS WRONG, BUT"), situations),
        ]
    )


def _home_options(command: Command) -> Command:
    """Add what says how the simulated bridges behave."""
    for decorate in (
        _option("--seed", type=int, default=1, show_default=True, help="Another seed is another home."),
        _option(
            "--speedup",
            type=click.FloatRange(min=0, min_open=True),
            default=1.0,
            show_default=True,
            help="Pass through the day this many times faster; energy stays the integral of power.",
        ),
        _option(
            "--latency", type=DURATION, default="0", show_default=True, help="Time that every answer takes."
        ),
        _option(
            "--fault",
            "faults",
            type=Parsed("KIND[@N]", parse_fault, choices=FAULTS),
            multiple=True,
            help="Fault or situation of all bridges, or of bridge N; may be given several times.",
        ),
        list_option("--list-faults", _faults_in_words, "Print what --fault knows, and end."),
        _option(
            "--firmware",
            type=click.Choice(["stream", "new", "old"]),
            default="new",
            show_default=True,
            help="That of a stream also sends events; old firmware sends no installationId.",
        ),
    ):
        command = decorate(command)
    return command


class _Simulate(click.Group):
    """Leaves its own options, also those of the environment, out of it where a command below is called."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_HAS_SUBCOMMAND] = bool(args) and args[0] in self.commands
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        params = super().get_params(ctx)
        return [each for each in params if each.is_eager] if ctx.meta.get(_HAS_SUBCOMMAND) else params


@click.group(cls=_Simulate, invoke_without_command=True)
@_option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@_option(
    "--port",
    type=click.IntRange(0, 65535),
    default=18080,
    show_default=True,
    help="Port of the first bridge, the others follow; 0 is any free one.",
)
@_option("--bridges", type=click.IntRange(1, 5000), default=1, show_default=True, help="How many bridges.")
@_option("--mdns", is_flag=True, help="Announce the bridges in the local network.")
@_option("--mdns-interface", "mdns_interfaces", multiple=True, help="Address to announce on; all if none.")
@_home_options
@logging_options("warn")
@click.pass_context
def simulate(ctx: click.Context, /, **settings: Any) -> None:
    """Serve simulated bridges, or with `provider` the vendor's cloud."""
    if ctx.invoked_subcommand is not None:
        _reject_bridge_options(ctx)
        return
    settings["mdns_interfaces"] = settings["mdns_interfaces"] or None
    asyncio.run(_simulate(_simulation(**settings)))


simulate.add_command(provider)


def _reject_bridge_options(ctx: click.Context) -> None:
    """Raise a usage error for an option of the bridges that is given to something else."""
    for parameter in ctx.command.params:
        given = ctx.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and parameter.expose_value:
            name, command = parameter.opts[0], ctx.invoked_subcommand
            raise click.UsageError(
                f"{name} before {command!r} is for bridges; write options of {command!r} after it.", ctx
            )


@click.command()
@listen_option(f"localhost:{DEFAULT_PORT}", "Where the exporter serves.")
@_option("--bridges", type=click.IntRange(1, 100), default=1, show_default=True, help="How many homes.")
@_home_options
@logging_options("warn")
def demo(*, listen_addresses: tuple[ListenAddress, ...], **settings: Any) -> None:
    """Show the exporter with a simulated home."""
    asyncio.run(_demo(_simulation(port=0, **settings), listen_addresses))


def _simulation(**settings: Any) -> Simulation:
    """The simulation; raises a usage error for a fault of a bridge that is not there."""
    try:
        check_faults(settings["faults"], settings["bridges"])
    except ConfigError as error:
        raise click.BadParameter(str(error), param_hint="'--fault'") from error
    return Simulation(**settings)


async def _simulate(simulation: Simulation) -> None:
    stop = stop_signal()
    async with simulation:
        for line in describe(simulation):
            click.echo(line)
        await stop.wait()


async def _demo(simulation: Simulation, listen_addresses: Sequence[ListenAddress]) -> None:
    from iometer_exporter.web.server import running

    sockets, stop = listen(listen_addresses), stop_signal()
    async with simulation:
        bridges = tuple(
            BridgeConfig(Address(bridge.host, bridge.port), bridge.name) for bridge in simulation.bridges
        )
        config = Config(bridges=bridges, discovery=DiscoveryConfig(enabled=False))
        async with running(lambda: config, sockets):
            url = url_of(sockets[0])
            homes = "A simulated home is" if len(bridges) == 1 else f"{len(bridges)} simulated homes are"
            click.echo(f"{homes} running. Open in a browser:")
            click.echo(f"  {url}         all at a glance")
            click.echo(f"  {url}metrics  what Prometheus reads")
            click.echo("Stop with Ctrl-C.")
            await stop.wait()
