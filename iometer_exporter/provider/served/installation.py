"""One installation and its meters over time, and its samples."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from iometer_exporter.meter.guard import MeterGuard
from iometer_exporter.meter.models import Reading
from iometer_exporter.metrics import families as metrics
from iometer_exporter.metrics.families import Owned, Sample
from iometer_exporter.metrics.lines import Lines
from iometer_exporter.provider.api.models import Device, License
from iometer_exporter.provider.served import families
from iometer_exporter.provider.served.lines import NEVER, Encoded

_READINGS_REMEMBERED: Final = 100
"""Readings of a meter that are told from a repeated one: 24 hours of those taken every 15 minutes."""

_SPAN_MILLISECONDS: Final = 1 << 32
"""Times are remembered in 4 bytes, as milliseconds of a span of seven weeks: much more than the API keeps."""


class LicenseFacts(NamedTuple):
    """The served part of a license; times are Unix times."""

    status: str | None
    start: float | None
    end: float | None
    auto_renewal: bool | None

    @classmethod
    def of(cls, installed: License) -> "LicenseFacts":
        """The facts in a license of the API."""
        return cls(
            status=installed.status,
            start=installed.start.timestamp() if installed.start is not None else None,
            end=installed.end.timestamp() if installed.end is not None else None,
            auto_renewal=installed.term.auto_renewal if installed.term is not None else None,
        )


@dataclass(slots=True, eq=False)
class TrackedMeter:
    """A meter over time: what its guard believes, and what was sent last."""

    id: str
    number: str
    generation: int
    """The refresh of the inventory during which it became known."""
    guard: MeterGuard = field(default_factory=MeterGuard)
    sent: Reading | None = None
    seen: "array[int]" = field(default_factory=lambda: array("I"))
    is_in_order: bool = True
    """Whether each of `seen` is later than the one before, as it is until a late reading comes."""

    ahead_since: float = NEVER
    """When the cloud received the served reading, if that was before the reading's own time."""

    def has_passed(self, time: datetime, moment: float) -> bool:
        """Whether a reading of this time, which the cloud has at Unix time `moment`, is nothing new.

        Only where the served one was from a time that had not come yet, an older one is news: the guard has
        to find out which clock is wrong.
        """
        history = self.guard.history
        if history is None:
            return False
        served = history.served
        return time == served.time or (time < served.time and moment <= self.ahead_since)

    def is_new(self, time: float) -> bool:
        """Whether no reading of this Unix time was received yet; it is one of those received from now on."""
        moment = int(time * 1000) % _SPAN_MILLISECONDS
        seen = self.seen
        # Nearly all are later than the one before: to look at all of them takes a tenth of a reading's time.
        if not self.is_in_order or (seen and moment <= seen[-1]):
            if moment in seen:
                return False
            self.is_in_order = False
        seen.append(moment)
        if len(seen) > _READINGS_REMEMBERED:
            del seen[0]
        return True


@dataclass(slots=True, eq=False)
class TrackedInstallation:
    """An installation as it is served, under a label of its own."""

    id: str
    external_id: str
    label: str
    position: int
    """Index of its lines in the store."""
    generation: int
    """The refresh of the inventory that saw it last."""
    license: LicenseFacts | None = None
    device: Device | None = None
    current_meter: str = ""
    """Number of the meter in use, empty while unknown."""
    meters: tuple[TrackedMeter, ...] = ()

    def served_meters(self) -> list[TrackedMeter]:
        """The meters, each number once: of two with one number, the one with the newest reading."""
        if len(self.meters) < 2:
            return list(self.meters)
        newest: dict[str, TrackedMeter] = {}
        for meter in self.meters:
            before = newest.setdefault(meter.number, meter)
            if _time_of(meter) > _time_of(before):
                newest[meter.number] = meter
        return list(newest.values())


def _time_of(meter: TrackedMeter) -> float:
    reading = meter.guard.served
    return reading.time.timestamp() if reading is not None else -NEVER


NOTHING: Final[Encoded] = ((b"",) * len(families.INSTALLATION_FAMILIES), NEVER)
"""The lines of no installation."""


def encode(
    tracked: TrackedInstallation, *, now: float, stale_after: float, local: frozenset[str]
) -> tuple[list[bytes], float]:
    """The lines of the installation at Unix time `now`, and the time until when they hold.

    Nothing is said of meters that bridges serve, whose numbers are in `local`.
    """
    installation = tracked.label
    owners: list[Owned] = [((installation,), _facts(tracked))]
    expiry = NEVER
    for meter in tracked.served_meters():
        if meter.number in local:
            continue
        labels = (installation, meter.number)
        history = meter.guard.history
        if history is not None:
            served = history.served
            if not history.is_held:
                owners.append((labels, metrics.counters(history.energies, served.time)))
            # A reading from a time to come is as old as its arrival.
            measured = min(served.time.timestamp(), meter.ahead_since)
            stale_at = measured + stale_after if stale_after else NEVER
            if now <= stale_at:
                expiry = min(expiry, stale_at)
                owners.append((labels, metrics.instantaneous(served)))
        if meter.sent is not None:
            owners.append((labels, metrics.registers(meter.sent)))
    if tracked.device is not None and tracked.current_meter not in local:
        owners.append(((installation, tracked.current_meter), _core(tracked.device)))
    lines = Lines(families.INSTALLATION_FAMILIES)
    lines.add(owners)
    return lines.columns(), expiry


def _core(device: Device) -> Iterator[Sample]:
    return metrics.core_states(
        connection=device.core_connection,
        attachment=device.attachment,
        power=device.power,
        pin=device.pin,
        # On wired power the level says nothing of a battery.
        battery_ratio=device.battery_ratio if device.power == "battery" else None,
    )


def _facts(tracked: TrackedInstallation) -> Iterator[Sample]:
    yield families.INSTALLATION_INFO, (tracked.id, tracked.external_id), 1
    device = tracked.device
    if device is not None:
        yield families.DEVICE_INFO, (device.id,), 1
        yield families.CLOUD_CONNECTED, (), metrics.boolean(device.connection, "connected", "disconnected")
        yield from metrics.states(families.HTTP_PUSH_STATUS, device.http_push, families.HTTP_PUSH_STATES)
    if tracked.license is not None:
        status = tracked.license.status
        yield from metrics.states(families.LICENSE_STATUS, status, families.LICENSE_STATES)
        yield families.LICENSE_START, (), tracked.license.start
        yield families.LICENSE_END, (), tracked.license.end
        yield families.LICENSE_AUTO_RENEWAL, (), tracked.license.auto_renewal
