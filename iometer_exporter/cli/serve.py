"""`serve`: the exporter itself."""

import gc
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from iometer_exporter.cli.options import (
    FILE,
    POSITIVE_DURATION,
    Parsed,
    bridge_option,
    listen_option,
    logging_options,
    option,
)
from iometer_exporter.cli.report import report
from iometer_exporter.config.environment import unknown_variables
from iometer_exporter.config.file import LIVE, BridgeConfig, Config, Live, load_config, parse_state_file
from iometer_exporter.config.section import Problems
from iometer_exporter.config.values import parse_dashboard_url
from iometer_exporter.errors import ConfigError
from iometer_exporter.net import event_loop
from iometer_exporter.web.listen import DEFAULT_PORT, ListenAddress, listen
from iometer_exporter.web.preflight import NOTHING_TO_SERVE, check_config, is_empty

if TYPE_CHECKING:
    from iometer_exporter.web.gate import WebGate

_log = logging.getLogger(__name__)

_WRONG_USAGE: Final = 2

HEALTH_PATHS: Final = ("/-/healthy", "/-/ready")


@click.command()
@bridge_option(
    "Bridge to read, several separated by commas or given one by one; takes the place of the file's bridges."
)
@option("--discovery/--no-discovery", default=None, help="Find bridges by mDNS.  [default: discovery]")
@option(
    "--timeout",
    type=POSITIVE_DURATION,
    default=None,
    help="Longest time for the bridges to answer one scrape.  [default: 10s]",
)
@option(
    "--live",
    type=click.Choice(LIVE),
    default=None,
    help="Follow the event streams of newer firmware: off, auto (where a bridge has them) or on.  "
    "[default: off]",
)
@option(
    "--config.file",
    "config_file",
    type=FILE,
    default=None,
    help="YAML file with the configuration.",
)
@listen_option(
    f":{DEFAULT_PORT}",
    "Where to serve, may be given several times; without a host on all interfaces, IPv4 and IPv6.",
)
@option(
    "--web.config.file",
    "web_config_file",
    type=FILE,
    default=None,
    help="YAML file with TLS, authentication and headers, as exporter-toolkit reads it.",
)
@option(
    "--web.auth-exempt-health",
    "auth_exempt_health",
    is_flag=True,
    help="Leave /-/healthy and /-/ready open where the file asks for a password.",
)
@option(
    "--web.enable-lifecycle",
    "lifecycle",
    is_flag=True,
    help="Allow to reload the configuration with POST /-/reload (SIGHUP always does).",
)
@option(
    "--web.dashboard-url",
    "dashboard_url",
    type=Parsed("URL", parse_dashboard_url),
    default="",
    help="Address of your dashboards, such as Grafana's, for a link on the landing page.",
)
@option(
    "--state.file",
    "state_file",
    type=Parsed("PATH", parse_state_file),
    default=None,
    help="File that keeps what is known of meters across restarts; 'off' for none.  "
    "[default: state.json in $STATE_DIRECTORY, which systemd sets; else off]",
)
@logging_options()
def serve(
    *,
    bridges: tuple[BridgeConfig, ...],
    discovery: bool | None,
    timeout: float | None,
    live: Live | None,
    config_file: Path | None,
    listen_addresses: tuple[ListenAddress, ...],
    web_config_file: Path | None,
    auth_exempt_health: bool,
    lifecycle: bool,
    dashboard_url: str,
    state_file: str | None,
) -> None:
    """Serve the values of bridges on /metrics.

    Exit code 2 for a configuration that cannot be used: another start would not help.
    """
    for sentence in unknown_variables(os.environ):
        _log.warning(sentence)

    def override(config: Config) -> Config:
        return _overridden(
            config,
            bridges=bridges,
            discovery=discovery,
            timeout=timeout,
            live=live,
            state_file=state_file,
        )

    def load() -> Config:
        return override(load_config(config_file) if config_file else Config())

    try:
        config, gate = _check_files(config_file, web_config_file, exempt_health=auth_exempt_health)
        config = override(config)
        sockets = listen(listen_addresses)
        if is_empty(config):
            _log.warning(NOTHING_TO_SERVE)
        # Modules that load leave no garbage; looking for it is a twentieth of the start.
        gc.disable()
        # Imported here, after everything that can be wrong has been said.
        from iometer_exporter.web import server

        serving = server.serve(load, sockets, gate=gate, lifecycle=lifecycle, dashboard_url=dashboard_url)
        event_loop.run(serving)
    except ConfigError as error:
        report(error)
        sys.exit(_WRONG_USAGE)


def _check_files(
    config_file: Path | None, web_config_file: Path | None, *, exempt_health: bool
) -> "tuple[Config, WebGate | None]":
    """The configuration of the file and the gate of the other one.

    Raises ConfigError for all that is wrong with both.
    """
    problems = Problems()
    config, gate = Config(), None
    with problems.noted():
        if config_file is not None:
            config = check_config(config_file)
    with problems.noted():
        if web_config_file is not None:
            gate = _load_gate(web_config_file, exempt_health=exempt_health)
    problems.check()
    return config, gate


def _load_gate(file: Path, *, exempt_health: bool) -> "WebGate":
    # Imported here: most exporters are not guarded, and TLS and bcrypt are large.
    from iometer_exporter.config.web_file import load_web_config
    from iometer_exporter.web.gate import WebGate

    return WebGate(load_web_config(file), exempt_paths=HEALTH_PATHS if exempt_health else ())


def _overridden(
    config: Config,
    *,
    bridges: tuple[BridgeConfig, ...],
    discovery: bool | None,
    timeout: float | None,
    live: Live | None,
    state_file: str | None,
) -> Config:
    """The configuration with what flags and environment say in place of what the file says."""
    if bridges:
        config = replace(config, bridges=bridges)
    if discovery is not None:
        config = replace(config, discovery=replace(config.discovery, enabled=discovery))
    if timeout is not None:
        config = replace(config, timeout=timeout)
    if live is not None:
        config = replace(config, live=live)
    if state_file is not None:
        config = replace(config, state_file=state_file)
    elif config.state_file is None:
        config = replace(config, state_file=_default_state_file())
    return config


def _default_state_file() -> str:
    """The file in the folder that systemd gives a unit with `StateDirectory=`, the first of several."""
    folder = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return str(Path(folder) / "state.json") if folder else ""
