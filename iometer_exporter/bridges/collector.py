"""Plain collectors that fill the table of families from snapshots."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from iometer_exporter.bridges.snapshot import Snapshot
from iometer_exporter.errors import REASONS
from iometer_exporter.meter.guard import REJECTIONS
from iometer_exporter.meter.models import ENDPOINTS, Reading, Status
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
    core_states,
    counters,
    instantaneous,
    registers,
)
from iometer_exporter.metrics.family_builder import FamilyBuilder


class BridgeCollector(Collector):
    """The families of bridges, from one snapshot of each.

    `now` is Unix time; instantaneous values of readings older than `stale_after` seconds, by their time or
    since they came, are left out (0: never).
    """

    def __init__(self, snapshots: Iterable[Snapshot], *, now: float, stale_after: float) -> None:
        self._snapshots = tuple(snapshots)
        self._now = now
        self._stale_after = stale_after

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """The families, each with the samples of all bridges."""
        builder = FamilyBuilder()
        for snapshot in self._snapshots:
            _add_fetch(builder, snapshot)
            if snapshot.reading is not None:
                self._add_reading(builder, snapshot, snapshot.reading)
            if snapshot.sent is not None:
                builder.add_all((snapshot.bridge, snapshot.sent.meter), registers(snapshot.sent))
            if snapshot.status is not None:
                _add_status(builder, (snapshot.bridge, snapshot.meter), snapshot.status)
        yield from builder

    def _add_reading(self, builder: FamilyBuilder, snapshot: Snapshot, reading: Reading) -> None:
        labels = (snapshot.bridge, reading.meter)
        builder.add_all(labels, counters({} if snapshot.is_held else snapshot.energies, reading.time))
        # Last night's power is no power.
        if not snapshot.is_stale(self._now, self._stale_after):
            builder.add_all(labels, instantaneous(reading))


class ProbeCollector(Collector):
    """The families of one probe: whether the bridge answered, and the duration in seconds."""

    def __init__(self, *, success: bool, duration: float) -> None:
        self._success = success
        self._duration = duration

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """The two families."""
        builder = FamilyBuilder()
        builder.add(PROBE_SUCCESS, (), int(self._success))
        builder.add(PROBE_DURATION, (), self._duration)
        yield from builder


def _add_fetch(builder: FamilyBuilder, snapshot: Snapshot) -> None:
    bridge = snapshot.bridge
    builder.add(UP, (bridge,), int(snapshot.up))
    for endpoint in ENDPOINTS:
        builder.add(ENDPOINT_UP, (bridge, endpoint), int(endpoint not in snapshot.failures))
        builder.add(SCRAPE_DURATION, (bridge, endpoint), snapshot.durations[endpoint])
        # From zero on, so that increase() sees the first error too.
        for reason in REASONS:
            builder.add(SCRAPE_ERRORS, (bridge, endpoint, reason), snapshot.errors.get((endpoint, reason), 0))
    for rejection in REJECTIONS:
        builder.add(READINGS_REJECTED, (bridge, rejection), snapshot.rejected.get(rejection, 0))


def _add_status(builder: FamilyBuilder, labels: tuple[str, str], status: Status) -> None:
    builder.add(BRIDGE_RSSI, labels, status.bridge_rssi)
    builder.add(CORE_RSSI, labels, status.core_rssi)
    states = core_states(
        connection=status.connection,
        attachment=status.attachment,
        power=status.power,
        pin=status.pin,
        battery_ratio=status.battery_ratio,
    )
    builder.add_all(labels, states)
    identity = (status.device_id, status.installation_id, status.bridge_version, status.core_version)
    builder.add(BRIDGE_INFO, (*labels, *identity), 1)
