"""Samples of snapshots: what the table of families says of a bridge."""

from collections.abc import Iterable, Iterator
from typing import Final

from iometer_exporter.bridges.snapshot import Snapshot
from iometer_exporter.errors import REASONS
from iometer_exporter.meter.guard import REJECTIONS
from iometer_exporter.meter.models import ENDPOINTS, Status
from iometer_exporter.metrics.families import (
    BRIDGE_INFO,
    BRIDGE_RSSI,
    CORE_RSSI,
    ENDPOINT_UP,
    PROBE_DURATION,
    PROBE_SUCCESS,
    READINGS_REJECTED,
    SCRAPE_DURATION,
    SCRAPE_ERRORS,
    UP,
    Owned,
    Sample,
    core_states,
    counters,
    instantaneous,
    registers,
)
from iometer_exporter.metrics.lines import Lines

_ERRORS: Final = tuple((endpoint, reason) for endpoint in ENDPOINTS for reason in REASONS)


def add_bridges(lines: Lines, snapshots: Iterable[Snapshot], *, now: float, stale_after: float) -> None:
    """Add the lines of bridges, from one snapshot of each; times are those of `bridge_samples`."""
    for snapshot in snapshots:
        lines.add(bridge_samples(snapshot, now=now, stale_after=stale_after), snapshot.heads)


def bridge_samples(snapshot: Snapshot, *, now: float, stale_after: float) -> Iterator[Owned]:
    """The samples of one bridge, under its own label and under those of its meter.

    `now` is Unix time; instantaneous values of readings older than `stale_after` seconds, by their time or
    since they came, are left out (0: never).
    """
    bridge, reading, sent, status = snapshot.bridge, snapshot.reading, snapshot.sent, snapshot.status
    yield (bridge,), _fetch(snapshot)
    if reading is not None:
        labels = (bridge, reading.meter)
        yield labels, counters({} if snapshot.is_held else snapshot.energies, reading.time)
        # Last night's power is no power.
        if not snapshot.is_stale(now, stale_after):
            yield labels, instantaneous(reading)
    if sent is not None:
        yield (bridge, sent.meter), registers(sent)
    if status is not None:
        yield (bridge, snapshot.meter), _status(status)


def probe_samples(*, success: bool, duration: float) -> Iterator[Sample]:
    """The samples of one probe: whether the bridge answered, and the duration in seconds."""
    yield PROBE_SUCCESS, (), int(success)
    yield PROBE_DURATION, (), duration


def _fetch(snapshot: Snapshot) -> Iterator[Sample]:
    yield UP, (), int(snapshot.up)
    for endpoint in ENDPOINTS:
        yield ENDPOINT_UP, (endpoint,), int(endpoint not in snapshot.failures)
        yield SCRAPE_DURATION, (endpoint,), snapshot.durations[endpoint]
    # From zero on, so that increase() sees the first error too.
    for error in _ERRORS:
        yield SCRAPE_ERRORS, error, snapshot.errors.get(error, 0)
    for rejection in REJECTIONS:
        yield READINGS_REJECTED, (rejection,), snapshot.rejected.get(rejection, 0)


def _status(status: Status) -> Iterator[Sample]:
    yield BRIDGE_RSSI, (), status.bridge_rssi
    yield CORE_RSSI, (), status.core_rssi
    yield from core_states(
        connection=status.connection,
        attachment=status.attachment,
        power=status.power,
        pin=status.pin,
        battery_ratio=status.battery_ratio,
    )
    identity = (status.device_id, status.installation_id, status.bridge_version, status.core_version)
    yield BRIDGE_INFO, identity, 1
