"""`provider watch`: readings as the cloud receives them, a line each."""

import asyncio
import json
from collections.abc import Collection
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from iometer_exporter import wording
from iometer_exporter.cli.options import json_option, option
from iometer_exporter.cli.provider.options import Access, provider_options
from iometer_exporter.errors import ProviderError, StartError
from iometer_exporter.extras import advice_if_missing
from iometer_exporter.meter import quantities
from iometer_exporter.net import event_loop
from iometer_exporter.provider.lookup import InstallationPages, require_known

if TYPE_CHECKING:
    from iometer_exporter.provider.api.models import MeterReading


@click.command("watch")
@click.argument("installation", nargs=-1)
@option("--count", type=click.IntRange(1), default=None, help="End after this many readings.")
@json_option
@provider_options
def watch(*, access: Access, installation: tuple[str, ...], count: int | None, as_json: bool) -> None:
    """Print readings as they come.

    Of all installations, or of each INSTALLATION: an external id, an id or a meter number. Goes on after an
    interruption where it was; ends at Ctrl-C.
    """
    if (missing := advice_if_missing("provider", "websockets")) is not None:
        raise StartError(f"readings come over a socket: {missing}")
    event_loop.run(_watch(access, tuple(dict.fromkeys(installation)), count, as_json=as_json))


async def _watch(access: Access, wanted: Collection[str], count: int | None, *, as_json: bool) -> None:
    stopping = asyncio.create_task(event_loop.stop_signal().wait())
    printing = asyncio.create_task(_print_readings(access, wanted, count, as_json=as_json))
    await asyncio.wait([printing, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not printing.done():
        printing.cancel()
    try:
        await printing
    except asyncio.CancelledError:
        return


async def _print_readings(
    access: Access, wanted: Collection[str], count: int | None, *, as_json: bool
) -> None:
    from iometer_exporter.provider.reading.subscription import fresh_readings

    async with (
        access.client() as client,
        aclosing(fresh_readings(client, interrupted=_report_interruption)) as items,
    ):
        await require_known(client, wanted, InstallationPages(client, access.provider.page_size))
        whose = f" of {', '.join(wanted)}" if wanted else ""
        click.echo(f"Waiting for readings{whose}. Stop with Ctrl-C.", err=True)
        async for each in items:
            if isinstance(each, ProviderError):
                click.echo(f"Left out: {each}", err=True)
                continue
            names = (each.installation_id, each.external_id, each.reading.meter)
            if wanted and not any(name in wanted for name in names):
                continue
            click.echo(_as_json(each) if as_json else _format_line(each))
            if count is not None:
                count -= 1
                if not count:
                    return


def _report_interruption(error: ProviderError | None, wait: float) -> None:
    what_happened = error or "the provider API has ended the subscription"
    click.echo(f"Interrupted: {what_happened}; trying again in {wording.duration(wait)}.", err=True)


def _format_line(each: "MeterReading") -> str:
    reading = each.reading
    imported, exported = wording.totals(reading)
    power = quantities.power(reading)
    delay = (each.received - reading.time).total_seconds()
    parts = [
        reading.time.isoformat(timespec="seconds").replace("+00:00", "Z"),
        each.external_id or each.installation_id,
        f"meter {reading.meter}",
        f"import {imported}" if imported else "",
        f"export {exported}" if exported else "",
        "" if power is None else f"power {wording.watts(power)}",
        f"received {wording.duration(delay)} later",
    ]
    return "  ".join(part for part in parts if part)


def _as_json(each: "MeterReading") -> str:
    return json.dumps(
        {
            "installation": each.external_id or each.installation_id,
            "installation_id": each.installation_id,
            "meter": each.reading.meter,
            "time": each.reading.time.isoformat(),
            "received": each.received.isoformat(),
            "registers": [
                {"obis": str(register.code), "value": float(register.value), "unit": register.unit}
                for register in each.reading.registers.values()
            ],
        }
    )
