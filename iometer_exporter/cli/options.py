"""Option types and options that several commands share; each option is also an environment variable."""

import os
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from iometer_exporter.config.environment import unknown_variables, variable
from iometer_exporter.config.file import BridgeConfig, check_names, parse_bridges
from iometer_exporter.config.values import parse_duration
from iometer_exporter.errors import ConfigError
from iometer_exporter.log import set_up
from iometer_exporter.web.listen import parse_listen_address

Command = TypeVar("Command", bound=Callable[..., Any])


class _Option(click.Option):
    """An option whose errors name its variable only where the value came from there."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """The option, or the variable that holds the wrong value."""
        came_from = ctx.get_parameter_source(self.name or "") if ctx else None
        if came_from is not ParameterSource.ENVIRONMENT:
            return click.Parameter.get_error_hint(self, ctx)
        return super().get_error_hint(ctx)


class _Switch(click.types.BoolParamType):
    """On or off, as a variable of the environment says it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        """Whether it is on."""
        found = self.str_to_bool(value)
        if found is None:
            self.fail(f"{value!r} is neither true nor false", param, ctx)
        return found


def option(name: str, *declarations: str, command: str = "", **settings: Any) -> Callable[[Command], Command]:
    """A click option that can also come as `IOMETER_EXPORTER_…` (dots and dashes as underscores).

    A variable means one thing: with `command`, the variable is that of this command alone.
    """
    if settings.get("is_flag") or "/" in name:
        settings["type"] = _Switch()
    return click.option(
        name, *declarations, cls=_Option, envvar=variable(name, command), show_envvar=True, **settings
    )


class Parsed(click.ParamType[Any]):
    """A parameter read by one of this package's parsers; its ConfigError becomes a usage error."""

    def __init__(self, name: str, parse: Callable[[str], Any], *, choices: Iterable[str] = ()) -> None:
        """Read values by `parse`; the shell completes them from the choices."""
        self.name = name
        self._parse = parse
        self._choices = tuple(choices)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The parsed value; a value that is parsed already, such as a default, is left as it is."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The choices that begin with what is written so far."""
        return [CompletionItem(each) for each in self._choices if each.startswith(incomplete)]


class _Bridges(Parsed):
    """Bridges as one text: of the option, or of the whole variable."""

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """The text as it is: what separates bridges is known to their parser."""
        return [rv]


class _LogLevel(click.Choice[str]):
    """A level as other exporters write it; `warning`, as Python does, is `warn`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name of the level."""
        is_long = isinstance(value, str) and value.lower() == "warning"
        return str(super().convert("warn" if is_long else value, param, ctx))


def _positive_duration(text: str) -> float:
    seconds = parse_duration(text)
    if not seconds:
        raise ConfigError(f"{text!r} is not a time to wait, write one above 0 such as 10s")
    return seconds


FILE: Final = click.Path(path_type=Path, readable=False)
"""A file that is read later: what is wrong with it is said then, whatever it is."""

LISTEN_ADDRESS: Final = Parsed("[HOST]:PORT", parse_listen_address)
DURATION: Final = Parsed("duration", parse_duration)
POSITIVE_DURATION: Final = Parsed("duration", _positive_duration)


def bridge_option(help_text: str) -> Callable[[Command], Command]:
    """Add `--bridge`, which gives `bridges`."""
    return option(
        "--bridge",
        "bridges",
        type=_Bridges("[NAME=]HOST[:PORT]", parse_bridges),
        multiple=True,
        callback=_join_bridges,
        help=help_text,
    )


def listen_option(default: str, help_text: str) -> Callable[[Command], Command]:
    """Add `--web.listen-address`, which gives `listen_addresses`."""
    return option(
        "--web.listen-address",
        "listen_addresses",
        type=LISTEN_ADDRESS,
        multiple=True,
        default=[default],
        show_default=True,
        help=help_text,
    )


def _join_bridges(
    ctx: click.Context, param: click.Parameter, value: tuple[tuple[BridgeConfig, ...], ...]
) -> tuple[BridgeConfig, ...]:
    bridges = tuple(chain.from_iterable(value))
    try:
        check_names(bridges)
    except ConfigError as error:
        raise click.BadParameter(str(error), ctx, param) from error
    return bridges


def warn_of_unknown_variables() -> None:
    """Say on stderr which variables look like ours and are none."""
    for sentence in unknown_variables(os.environ):
        click.echo(f"Warning: {sentence}", err=True)


def json_option(command: Command) -> Command:
    """Add `--json`."""
    add: Callable[[Command], Command] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    return add(command)


def list_option(name: str, text: Callable[[], str], help_text: str) -> Callable[[Command], Command]:
    """Add an option that prints a text and ends the command."""

    def show(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            click.echo(text())
            ctx.exit()

    return click.option(name, is_flag=True, is_eager=True, expose_value=False, callback=show, help=help_text)


def logging_options(default_level: str = "info") -> Callable[[Command], Command]:
    """Add `--log.level` and `--log.format`, and set up the log before the command runs."""
    level = option(
        "--log.level",
        "log_level",
        type=_LogLevel(["debug", "info", "warn", "error"], case_sensitive=False),
        default=default_level,
        show_default=True,
        expose_value=False,
        callback=lambda ctx, _param, value: _set_up_when_complete(ctx, level=value),
        help="Least severe log lines to print.",
    )
    log_format = option(
        "--log.format",
        "log_format",
        type=click.Choice(["logfmt", "json"], case_sensitive=False),
        default="logfmt",
        show_default=True,
        expose_value=False,
        callback=lambda ctx, _param, value: _set_up_when_complete(ctx, log_format=value),
        help="Form of log lines, on stderr.",
    )
    return lambda command: level(log_format(command))


def _set_up_when_complete(ctx: click.Context, **setting: str) -> None:
    """Set up the log when level and format are both known, in whichever order they came."""
    settings = ctx.meta.setdefault("iometer_exporter.logging", {})
    settings |= setting
    if len(settings) == 2:
        set_up(**settings)
