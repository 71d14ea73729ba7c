"""`provider token`: registration tokens."""

import json
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import click

from iometer_exporter.cli.options import Parsed, json_option, option
from iometer_exporter.cli.provider.options import Access, provider_options
from iometer_exporter.errors import ConfigError, IOmeterError
from iometer_exporter.extras import advice_if_missing
from iometer_exporter.net import event_loop
from iometer_exporter.text import clean

if TYPE_CHECKING:
    from iometer_exporter.provider.api.models import LicensePool, RegistrationToken, SigningKey


@click.group("token")
def token() -> None:
    """Registration tokens."""


def _parse_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is not a date, write one such as 2025-01-31") from error


@token.command("create")
@option("--external-id", required=True, help="Your name for the installation, such as a customer number.")
@option("--installation-id", default=None, help="Id of the installation.  [default: a new one]")
@option("--signing-key", default=None, help="Name or id of the key.  [default: the first enabled one]")
@option("--pool", default=None, help="Name or id of the license pool.  [default: the only one]")
@option(
    "--start-date",
    type=Parsed("YYYY-MM-DD", _parse_date),
    default=None,
    help="When the license begins.  [default: today, UTC]",
)
@json_option
@provider_options
def create(
    *,
    access: Access,
    external_id: str,
    installation_id: str | None,
    signing_key: str | None,
    pool: str | None,
    start_date: date | None,
    as_json: bool,
) -> None:
    """Create a token to register an installation with.

    Prints the token, the deep link that opens the app with it, and the QR code of that link. A license of the
    pool is used up once somebody registers with the token.
    """

    async def ask() -> "RegistrationToken":
        async with access.client() as client:
            account = await client.account()
            return await client.create_registration_token(
                external_id=external_id,
                signing_key_id=_select_key(account.signing_keys, signing_key).id,
                pool_id=_select_pool(account.license_pools, pool).id,
                start=start_date or datetime.now(UTC).date(),
                installation_id=installation_id,
            )

    if not external_id.strip():
        raise click.BadParameter(
            "it is empty, write your name for the installation", param_hint="'--external-id'"
        )
    made = event_loop.run(ask())
    if as_json:
        click.echo(
            json.dumps(
                {
                    "installation_id": made.installation_id,
                    "external_id": external_id,
                    "token": made.token,
                    "deeplink": made.deeplink,
                    "qr_code": _absolute_url(access.provider.url, made.qr_code),
                },
                indent=2,
            )
        )
        return
    # A terminal would obey what the API hides in them.
    name, deep_link = clean(external_id), clean(made.deeplink)
    click.echo(f"Registration token of {name}, for the installation {made.installation_id or 'unknown'}")
    click.echo(f"  token      {clean(made.token)}")
    click.echo(f"  deep link  {deep_link or 'none'}")
    click.echo(f"  QR code    {clean(_absolute_url(access.provider.url, made.qr_code)) or 'none'}")
    if deep_link:
        click.echo(f"\n{_qr_code(deep_link)}")


def _absolute_url(url: str, reference: str) -> str:
    """The address of the QR code, which the API gives relative to its own; as it was sent if it is none."""
    try:
        return urljoin(url, reference) if reference else ""
    except ValueError:
        return reference


def _select_key(keys: Sequence["SigningKey"], wanted: str | None) -> "SigningKey":
    named = [f"{key.name or 'without a name'} ({key.id})" for key in keys]
    if wanted is not None:
        found = [key for key in keys if wanted in (key.id, key.name)]
        if len(found) != 1:
            raise _selection_error(
                "--signing-key", f"{len(found) or 'no'} signing keys are called {wanted!r}", named
            )
        if found[0].enabled is False:
            raise IOmeterError(f"the signing key {wanted!r} is disabled, tokens signed with it are void")
        return found[0]
    for key in keys:
        if key.enabled:
            return key
    raise IOmeterError("the provider has no enabled signing key, create one in the admin backend")


def _select_pool(pools: Sequence["LicensePool"], wanted: str | None) -> "LicensePool":
    named = [f"{pool.name or 'without a name'} ({pool.id})" for pool in pools]
    if not pools:
        raise IOmeterError("the provider has no license pool, ask your key account manager for one")
    found = [pool for pool in pools if wanted is None or wanted in (pool.id, pool.name)]
    if len(found) != 1:
        what = (
            "there are several pools"
            if wanted is None
            else f"{len(found) or 'no'} pools are called {wanted!r}"
        )
        raise _selection_error("--pool", what, named)
    return found[0]


def _selection_error(option_name: str, what: str, names: Sequence[str]) -> click.UsageError:
    return click.BadParameter(f"{what}, name one of {', '.join(names)}", param_hint=f"'{option_name}'")


def _qr_code(text: str) -> str:
    """The QR code in half blocks; a sentence where it does not fit."""
    # Imported here: no other command draws one.
    import io

    # The token is made by now, whatever can be shown of it.
    if (missing := advice_if_missing("provider", "segno")) is not None:
        return f"There is no QR code: {missing}"
    import segno

    try:
        code = segno.make(text, error="l", micro=False)
    except segno.DataOverflowError:
        return "The deep link is too long for a QR code."
    width, _ = code.symbol_size()
    columns = shutil.get_terminal_size().columns
    if sys.stdout.isatty() and width > columns:
        return f"The QR code needs {width} columns, this terminal has {columns}: widen it, or use --json."
    out = io.StringIO()
    code.terminal(out, compact=True)
    return out.getvalue().rstrip("\n")
