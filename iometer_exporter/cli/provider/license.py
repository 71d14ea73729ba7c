"""`provider license`: change the license of one installation, after a look at it."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from iometer_exporter.cli.options import Command, Parsed, option
from iometer_exporter.cli.provider.options import Access, provider_options
from iometer_exporter.cli.provider.status import term_in_words
from iometer_exporter.cli.table import table
from iometer_exporter.errors import ConfigError, IOmeterError
from iometer_exporter.net import event_loop
from iometer_exporter.provider.lookup import find

if TYPE_CHECKING:
    from iometer_exporter.provider.api.models import Installation, License

_LONGEST_TERM_MONTHS: Final = 1200
"""More than a hundred years are a slip of the hand."""

_BY_API: Final = "set by the API"


@click.group("license")
def license_() -> None:
    """The license of an installation."""


def _change_options(command: Command) -> Command:
    """Add what both commands take."""
    # Without an environment variable: what is not asked each time should be said each time.
    yes = click.option("--yes", is_flag=True, help="Do not ask.")
    argument = click.argument("installation")
    result: Command = argument(yes(provider_options(command)))
    return result


@license_.command("set-term")
@_change_options
@option("--months", type=click.IntRange(1, _LONGEST_TERM_MONTHS), required=True, help="Length of the term.")
@option(
    "--auto-renewal/--no-auto-renewal",
    default=None,
    help="Whether another term follows at the end.  [default: as it is]",
)
@click.pass_context
def set_term(
    ctx: click.Context,
    *,
    access: Access,
    installation: str,
    yes: bool,
    months: int,
    auto_renewal: bool | None,
) -> None:
    """Set the term of a license.

    The API calculates the new end of the license of INSTALLATION, an external id or an id. Shows what changes
    and asks; exit code 1 if the answer is no.
    """
    from iometer_exporter.provider.api.models import LicenseTerm

    found, before = event_loop.run(_look_up(access, installation))
    if auto_renewal is None:
        auto_renewal = bool(before.term and before.term.auto_renewal)
    wanted = LicenseTerm(months, auto_renewal)
    after = {"term": term_in_words(wanted), "end": _BY_API, "status": _BY_API}
    _confirm_and_change(ctx, access, found, before, after, yes=yes, term=wanted)


def _parse_time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is not a time, write one such as 2025-12-31T23:00:00Z") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


@license_.command("set-end")
@_change_options
@click.argument("time", type=Parsed("TIME", _parse_time))
@click.pass_context
def set_end(ctx: click.Context, *, access: Access, installation: str, time: datetime, yes: bool) -> None:
    """Set the end of a license.

    The license of INSTALLATION, an external id or an id, ends at TIME (UTC if it names no zone) and has no
    term any more. Shows what changes and asks; exit code 1 if the answer is no.
    """
    found, before = event_loop.run(_look_up(access, installation))
    after = {"term": "none", "end": _format_time(time), "status": _BY_API}
    _confirm_and_change(ctx, access, found, before, after, yes=yes, end=time)


async def _look_up(access: Access, name: str) -> "tuple[Installation, License]":
    async with access.client() as client:
        found = await find(client, name)
    if found.license is None:
        raise IOmeterError(f"the installation {found.label} has no license that could be changed")
    return found, found.license


def _confirm_and_change(
    ctx: click.Context,
    access: Access,
    installation: "Installation",
    before: "License",
    after: dict[str, str],
    *,
    yes: bool,
    **change: Any,
) -> None:
    """Show before and after, ask, change, and show what has become of it."""
    name = f"{installation.external_id} ({installation.id})" if installation.external_id else installation.id
    click.echo(f"License of {name}")
    click.echo(_comparison(before, _license_fields(before) | after, "AFTER"))
    if not yes and not _is_confirmed():
        click.echo("Nothing was changed.", err=True)
        ctx.exit(1)

    async def update() -> "License":
        async with access.client() as client:
            return await client.update_license(installation.id, **change)

    result = event_loop.run(update())
    click.echo("Changed.")
    click.echo(_comparison(before, _license_fields(result), "NOW"))


def _is_confirmed() -> bool:
    """The answer; raises IOmeterError where there is nobody who could give one."""
    try:
        return click.confirm("Change it?", err=True)
    except click.Abort as error:
        if sys.stdin.isatty():
            raise
        raise IOmeterError("nobody answers here, nothing was changed: give --yes to do without") from error


def _comparison(before: "License", after: dict[str, str], head: str) -> str:
    rows = [(name, value, after[name]) for name, value in _license_fields(before).items()]
    return "\n".join(f"  {line}" for line in table(("", "BEFORE", head), rows).splitlines())


def _license_fields(license_: "License") -> dict[str, str]:
    return {
        "status": license_.status or "unknown",
        "term": term_in_words(license_.term) if license_.term else "none",
        "start": _format_time(license_.start) if license_.start else "unknown",
        "end": _format_time(license_.end) if license_.end else "never",
        "pool": (license_.pool.name or license_.pool.id) if license_.pool else "unknown",
    }


def _format_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC")
