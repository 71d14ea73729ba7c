"""`provider status`: what the API key sees, in tables."""

import json
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from iometer_exporter import wording
from iometer_exporter.bridges import diagnosis
from iometer_exporter.cli.options import json_option
from iometer_exporter.cli.provider.options import Access, provider_options
from iometer_exporter.cli.provider.progress import report_problems, with_progress
from iometer_exporter.cli.table import table
from iometer_exporter.net import event_loop
from iometer_exporter.provider.lookup import InstallationPages

if TYPE_CHECKING:
    from iometer_exporter.provider.api.models import (
        Device,
        Installation,
        LicensePool,
        LicenseTerm,
        Provider,
        ReadingsPage,
    )

_RECENT: Final = timedelta(minutes=15)
"""Span of the readings whose delays are looked at."""

_STATES: Final = ("license", "cloud", "core", "meter", "power", "PIN", "HTTP push")


@click.command("status")
@json_option
@provider_options
def status(*, access: Access, as_json: bool) -> None:
    """Say what the API key sees."""
    summary = event_loop.run(_collect_summary(access))
    click.echo(json.dumps(_as_json(summary), indent=2) if as_json else "\n\n".join(_sections(summary)))
    report_problems(summary.pages.problems)


@dataclass(slots=True)
class _Summary:
    """The account and its installations, counted."""

    url: str
    account: "Provider"
    pages: InstallationPages
    installations: int = 0
    meters: int = 0
    low_batteries: int = 0
    states: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in _STATES})
    newest: datetime | None = None
    newest_of: str = ""
    delays: Sequence[float] = ()
    """Seconds from the time of a reading until the cloud received it, of some recent ones."""

    def count(self, installation: "Installation") -> None:
        self.installations += 1
        self.meters += len(installation.meters)
        self.states["license"][_license_state(installation)] += 1
        self._count_device(installation.current_device)
        time = installation.newest_time
        if time is not None and (self.newest is None or time > self.newest):
            self.newest, self.newest_of = time, installation.label

    def _count_device(self, device: "Device | None") -> None:
        if device is None:
            for name in _STATES[1:]:
                self.states[name]["no device"] += 1
            return
        for name, state in (
            ("cloud", device.connection),
            ("core", device.core_connection),
            ("meter", device.attachment),
            ("power", device.power),
            ("PIN", device.pin),
            ("HTTP push", device.http_push),
        ):
            self.states[name][state or "unknown"] += 1
        if device.power == "battery" and device.battery_ratio is not None:
            self.low_batteries += device.battery_ratio <= diagnosis.LOW_BATTERY


async def _collect_summary(access: Access) -> _Summary:
    async with access.client() as client:
        account = await client.account()
        summary = _Summary(access.provider.url, account, InstallationPages(client, access.provider.page_size))
        async for page in with_progress(summary.pages):
            for installation in page:
                summary.count(installation)
        summary.delays = _delays(await client.readings(start=datetime.now(UTC) - _RECENT))
        return summary


def _license_state(installation: "Installation") -> str:
    if installation.license is None:
        return "no license"
    return installation.license.status or "unknown"


def _delays(page: "ReadingsPage") -> list[float]:
    return [(each.received - each.reading.time).total_seconds() for each in page.readings]


def _sections(summary: _Summary) -> Iterable[str]:
    account = summary.account
    yield f"Provider {account.name} ({account.id}) at {summary.url}"
    yield _installations_section(summary)
    rows = [
        (pool.name or "(no name)", pool.id, *_pool_sizes(pool), term_in_words(pool.term))
        for pool in account.license_pools
    ]
    yield _titled_table(
        "License pools", ("NAME", "ID", "SIZE", "USED", "FREE", "TERM"), rows, right=(2, 3, 4)
    )
    keys = [(key.name or "(no name)", key.id, _yes_no(key.enabled)) for key in account.signing_keys]
    yield _titled_table("Signing keys", ("NAME", "ID", "ENABLED"), keys)
    yield _readings_section(summary)


def _installations_section(summary: _Summary) -> str:
    rows = [
        (name if not index else "", state, str(count))
        for name, states in summary.states.items()
        for index, (state, count) in enumerate(states.most_common())
    ]
    if summary.low_batteries:
        rows.append(("battery", f"{diagnosis.LOW_BATTERY:.0%} or less", str(summary.low_batteries)))
    title = f"Installations: {summary.installations}, with {summary.meters} meters"
    return _titled_table(title, ("OF", "STATE", "INSTALLATIONS"), rows, right=(2,))


def _readings_section(summary: _Summary) -> str:
    if summary.newest is None:
        return "Readings: none yet"
    age = wording.duration(max(time.time() - summary.newest.timestamp(), 0.0))
    lines = [f"Newest reading: {summary.newest.isoformat()} ({age} ago), of {summary.newest_of}"]
    if summary.delays:
        median = wording.duration(statistics.median(summary.delays))
        recent = f"{len(summary.delays)} readings of the last {wording.duration(_RECENT.total_seconds())}"
        lines.append(f"Delay from the meter to the cloud: {median} (median of {recent})")
    return "\n".join(lines)


def _titled_table(
    title: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()
) -> str:
    body = table(head, rows, right=right) if rows else "none"
    return "\n".join([title, *(f"  {line}" for line in body.splitlines())])


def term_in_words(term: "LicenseTerm | None") -> str:
    """A license term in words."""
    if term is None or term.period is None:
        return "unlimited" if term is None else "unknown"
    renewal = {True: ", renews itself", False: ", does not renew itself", None: ""}[term.auto_renewal]
    return f"{term.period} months{renewal}"


def _pool_sizes(pool: "LicensePool") -> Iterable[str]:
    """Size, used and free licenses."""
    free = None if pool.size is None or pool.usage is None else pool.size - pool.usage
    return ("unknown" if number is None else str(number) for number in (pool.size, pool.usage, free))


def _yes_no(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "unknown"}[value]


def _as_json(summary: _Summary) -> dict[str, Any]:
    account = summary.account
    return {
        "id": account.id,
        "name": account.name,
        "url": summary.url,
        "installations": summary.installations,
        "meters": summary.meters,
        "states": {name: dict(states) for name, states in summary.states.items()},
        "low_batteries": summary.low_batteries,
        "license_pools": [
            {"id": pool.id, "name": pool.name, "size": pool.size, "used": pool.usage}
            for pool in account.license_pools
        ],
        "signing_keys": [
            {"id": key.id, "name": key.name, "enabled": key.enabled} for key in account.signing_keys
        ],
        "newest_reading": None if summary.newest is None else summary.newest.isoformat(),
        "median_delay_seconds": statistics.median(summary.delays) if summary.delays else None,
    }
