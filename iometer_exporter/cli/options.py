"""Option types and options that several commands share; each option is also an environment variable."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from iometer_exporter.config.values import parse_duration
from iometer_exporter.errors import ConfigError
from iometer_exporter.log import set_up
from iometer_exporter.web.listen import parse_listen_address

ENV_PREFIX: Final = "IOMETER_EXPORTER_"

Command = TypeVar("Command", bound=Callable[..., Any])


def option(name: str, *declarations: str, **settings: Any) -> Callable[[Command], Command]:
    """A click option that can also come as `IOMETER_EXPORTER_…` (dots and dashes as underscores)."""
    words = name.partition("/")[0].removeprefix("--")
    variable = ENV_PREFIX + words.replace(".", "_").replace("-", "_").upper()
    return click.option(name, *declarations, envvar=variable, show_envvar=True, **settings)


class Parsed(click.ParamType[Any]):
    """A parameter read by one of this package's parsers; its ConfigError becomes a usage error."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The parsed value; a value that is parsed already, such as a default, is left as it is."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)


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


def logging_options(default_level: str = "info") -> Callable[[Command], Command]:
    """Add `--log.level` and `--log.format`, and set up the log before the command runs."""
    level = option(
        "--log.level",
        "log_level",
        type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
        default=default_level,
        show_default=True,
        expose_value=False,
        callback=lambda ctx, _param, value: _remember_logging(ctx, level=value),
        help="Least severe log lines to print.",
    )
    log_format = option(
        "--log.format",
        "log_format",
        type=click.Choice(["logfmt", "json"], case_sensitive=False),
        default="logfmt",
        show_default=True,
        expose_value=False,
        callback=lambda ctx, _param, value: _remember_logging(ctx, log_format=value),
        help="Form of log lines, on stderr.",
    )
    return lambda command: level(log_format(command))


def _remember_logging(ctx: click.Context, **setting: str) -> None:
    """Set up the log when level and format are both known, in whichever order they came."""
    settings = ctx.meta.setdefault("iometer_exporter.logging", {})
    settings |= setting
    if len(settings) == 2:
        set_up(**settings)
