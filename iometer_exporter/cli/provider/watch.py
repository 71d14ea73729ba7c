"""`provider watch`: readings as the cloud receives them, a line each."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

from iometer_exporter import wording
from iometer_exporter.cli.options import option
from iometer_exporter.cli.provider.options import Access, json_option, provider_options
from iometer_exporter.cli.signals import until_told_to_stop
from iometer_exporter.errors import ProviderError
from iometer_exporter.meter import quantities

if TYPE_CHECKING:
    from iometer_exporter.provider.api.models import MeterReading

_SHORTEST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 60.0

_OVERLAP: Final = timedelta(seconds=5)
"""Asked for again after an interruption, in which nothing may be lost."""

_REMEMBERED: Final = 10_000
"""Readings that are known when the API sends them again."""


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
    asyncio.run(_watch(access, frozenset(installation), count, as_json=as_json))


async def _watch(access: Access, wanted: Collection[str], count: int | None, *, as_json: bool) -> None:
    printing = asyncio.create_task(_print(access, wanted, count, as_json=as_json))
    stopping = asyncio.create_task(until_told_to_stop())
    await asyncio.wait([printing, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not printing.done():
        printing.cancel()
    try:
        await printing
    except asyncio.CancelledError:
        return


async def _print(access: Access, wanted: Collection[str], count: int | None, *, as_json: bool) -> None:
    async with aclosing(_readings(access)) as readings:
        async for each in readings:
            names = (each.installation_id, each.external_id, each.reading.meter)
            if wanted and not any(name in wanted for name in names):
                continue
            click.echo(_as_json(each) if as_json else _line(each))
            if count is not None:
                count -= 1
                if not count:
                    return


async def _readings(access: Access) -> "AsyncGenerator[MeterReading, None]":
    """Each reading once, over as many sockets as it takes."""
    from iometer_exporter.provider.reading.backoff import Backoff

    seen: OrderedDict[tuple[str, datetime], None] = OrderedDict()
    backoff = Backoff(_SHORTEST_WAIT, _LONGEST_WAIT)
    opened = asyncio.Event()
    start: datetime | None = None
    async with access.client() as client:
        while True:
            try:
                async with aclosing(client.subscribe(start, opened=opened.set)) as stream:
                    async for each in stream:
                        backoff.succeeded()
                        if isinstance(each, ProviderError):
                            click.echo(f"Left out: {each}", err=True)
                            continue
                        start = max(start or each.received, each.received - _OVERLAP)
                        key = (each.meter_id, each.reading.time)
                        if key not in seen:
                            seen[key] = None
                            if len(seen) > _REMEMBERED:
                                seen.popitem(last=False)
                            yield each
                what = "the provider API has ended the subscription"
                retry_after = None
            except ProviderError as error:
                # What never worked will not begin to: a wrong address, wrong credentials.
                if not opened.is_set() or error.reason == "unauthorized":
                    raise
                what, retry_after = str(error), error.retry_after
            wait = backoff.failed(retry_after)
            click.echo(f"Interrupted: {what}; trying again in {wording.duration(wait)}.", err=True)
            if start is None:
                start = datetime.now(UTC) - _OVERLAP
            await asyncio.sleep(wait)


def _line(each: "MeterReading") -> str:
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
