"""`provider installations`: the installations of the fleet, as they come."""

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from iometer_exporter import wording
from iometer_exporter.cli.options import json_option
from iometer_exporter.cli.provider.options import Access, provider_options
from iometer_exporter.cli.provider.progress import report_problems, with_progress
from iometer_exporter.errors import IOmeterError
from iometer_exporter.net import event_loop
from iometer_exporter.provider.lookup import InstallationPages

if TYPE_CHECKING:
    from iometer_exporter.provider.api.models import Installation, License

_HEAD: Final = ("INSTALLATION", "METER", "LICENSE", "CLOUD", "CORE", "BATTERY", "LAST READING")


@click.command("installations")
@click.argument("search", required=False)
@json_option
@provider_options
def installations(*, access: Access, search: str | None, as_json: bool) -> None:
    """List installations.

    With SEARCH those that have it in their id, external id or a meter number; exit code 1 if there is none.
    """
    writer: _Table | _Json = _Json() if as_json else _Table()
    found = event_loop.run(_list(access, (search or "").casefold(), writer))
    if search and not found:
        raise IOmeterError(f"no installation has {search!r} in its id, external id or meter number")
    if not found:
        click.echo("The provider has no installations yet.", err=True)


async def _list(access: Access, search: str, writer: "_Table | _Json") -> int:
    found = 0
    async with access.client() as client:
        pages = InstallationPages(client, access.provider.page_size)
        async for page in with_progress(pages):
            matching = [each for each in page if _matches(each, search)]
            found += len(matching)
            writer.write(matching)
    writer.end()
    report_problems(pages.problems)
    return found


def _matches(installation: "Installation", search: str) -> bool:
    names = (installation.id, installation.external_id, *(meter.number for meter in installation.meters))
    return any(search in name.casefold() for name in names)


class _Table:
    """Prints a table whose columns are as wide as the first page needs: the rest is not known yet."""

    def __init__(self) -> None:
        self._widths: list[int] = []

    def write(self, installations: Sequence["Installation"]) -> None:
        now = time.time()
        rows = [_row(each, now) for each in installations]
        if not self._widths:
            if not rows:
                return
            rows.insert(0, _HEAD)
            self._widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, self._widths, strict=True))
            click.echo("  ".join(cells).rstrip())

    def end(self) -> None:
        """There is nothing below a table."""


def _row(installation: "Installation", now: float) -> tuple[str, ...]:
    device = installation.current_device
    newest = installation.newest_time
    battery = None
    if device is not None and device.battery_ratio is not None:
        battery = f"{device.battery_ratio:.0%}" if device.power == "battery" else device.power
    return (
        installation.label,
        ", ".join(meter.number for meter in installation.meters) or "none",
        (installation.license.status if installation.license else "none") or "unknown",
        (device.connection if device else "no device") or "unknown",
        (device.core_connection if device else "no device") or "unknown",
        battery or "unknown",
        "never" if newest is None else f"{wording.duration(max(now - newest.timestamp(), 0.0))} ago",
    )


class _Json:
    """Prints one array, an installation a line, before all of them are known."""

    def __init__(self) -> None:
        self._before = "["

    def write(self, installations: Sequence["Installation"]) -> None:
        for each in installations:
            click.echo(f"{self._before}\n{json.dumps(_as_json(each))}", nl=False)
            self._before = ","

    def end(self) -> None:
        click.echo("[]" if self._before == "[" else "\n]")


def _as_json(installation: "Installation") -> dict[str, Any]:
    device = installation.current_device
    return {
        "id": installation.id,
        "external_id": installation.external_id or None,
        "license": None if installation.license is None else license_as_json(installation.license),
        "meters": [
            {
                "id": meter.id,
                "number": meter.number,
                "current": meter is installation.current_meter,
                "time": None if meter.latest is None else meter.latest.time.isoformat(),
                "registers": [
                    {"obis": str(register.code), "value": float(register.value), "unit": register.unit}
                    for register in (meter.latest.registers.values() if meter.latest else ())
                ],
            }
            for meter in installation.meters
        ],
        "device": None
        if device is None
        else {
            "id": device.id,
            "cloud": device.connection,
            "core": device.core_connection,
            "attachment": device.attachment,
            "power": device.power,
            "pin": device.pin,
            "battery": device.battery_ratio,
            "http_push": device.http_push,
        },
        "problems": list(installation.problems),
    }


def license_as_json(license_: "License") -> dict[str, Any]:
    """A license as `--json` prints it."""
    return {
        "status": license_.status,
        "start": license_.start.isoformat() if license_.start else None,
        "end": license_.end.isoformat() if license_.end else None,
        "months": license_.term.period if license_.term else None,
        "auto_renewal": license_.term.auto_renewal if license_.term else None,
        "pool": license_.pool.id if license_.pool else None,
    }
