"""The metric families: one visible table, and plain collectors that fill it from snapshots."""

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from iometer_exporter import __version__, obis, quantities
from iometer_exporter.errors import REASONS
from iometer_exporter.guard import REJECTIONS
from iometer_exporter.models import Reading, Status
from iometer_exporter.snapshot import ENDPOINTS, SOURCES, Snapshot, Source


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Name, type, labels and help of one metric; the help names its OBIS code or JSON field."""

    name: str
    type: Literal["counter", "gauge"]
    labels: tuple[str, ...]
    help: str
    unit: str = ""


_BRIDGE: Final = ("bridge",)
_METER: Final = ("bridge", "meter")

UP: Final = Family(
    "iometer_up", "gauge", _BRIDGE, "1 if at least one endpoint gave a valid document, else 0."
)
ENDPOINT_UP: Final = Family(
    "iometer_endpoint_up",
    "gauge",
    ("bridge", "endpoint"),
    "1 if /v1/reading or /v1/status gave a valid document, else 0.",
)
SCRAPE_DURATION: Final = Family(
    "iometer_scrape_duration_seconds",
    "gauge",
    ("bridge", "endpoint"),
    "Time that this fetch of the endpoint took.",
    "seconds",
)
SCRAPE_ERRORS: Final = Family(
    "iometer_scrape_errors_total",
    "counter",
    ("bridge", "endpoint", "reason"),
    "Fetches that gave no valid document, by reason; invalid_document also counts each bad field "
    "or register of a document that is otherwise served.",
)
ENERGY_IMPORT: Final = Family(
    "iometer_energy_import_joules_total",
    "counter",
    _METER,
    "Energy drawn from the grid, OBIS 1-0:1.8.0.",
    "joules",
)
ENERGY_EXPORT: Final = Family(
    "iometer_energy_export_joules_total",
    "counter",
    _METER,
    "Energy fed into the grid, OBIS 1-0:2.8.0.",
    "joules",
)
TARIFF_IMPORT: Final = Family(
    "iometer_tariff_energy_import_joules_total",
    "counter",
    (*_METER, "tariff"),
    "Energy drawn from the grid in one tariff, OBIS 1-0:1.8.t.",
    "joules",
)
TARIFF_EXPORT: Final = Family(
    "iometer_tariff_energy_export_joules_total",
    "counter",
    (*_METER, "tariff"),
    "Energy fed into the grid in one tariff, OBIS 1-0:2.8.t.",
    "joules",
)
POWER: Final = Family(
    "iometer_power_watts",
    "gauge",
    _METER,
    "Power at the grid connection, negative while exporting: OBIS 1-0:16.7.0, else 1.7.0 - 2.7.0, "
    "else the sum of 36.7.0, 56.7.0 and 76.7.0, else 36.7.0 alone.",
    "watts",
)
PHASE_POWER: Final = Family(
    "iometer_phase_power_watts",
    "gauge",
    (*_METER, "phase"),
    "Power of one phase, negative while exporting, OBIS 1-0:36.7.0, 56.7.0, 76.7.0.",
    "watts",
)
PHASE_VOLTAGE: Final = Family(
    "iometer_phase_voltage_volts",
    "gauge",
    (*_METER, "phase"),
    "Voltage of one phase, OBIS 1-0:32.7.0, 52.7.0, 72.7.0.",
    "volts",
)
PHASE_CURRENT: Final = Family(
    "iometer_phase_current_amperes",
    "gauge",
    (*_METER, "phase"),
    "Current of one phase, OBIS 1-0:31.7.0, 51.7.0, 71.7.0.",
    "amperes",
)
FREQUENCY: Final = Family(
    "iometer_frequency_hertz", "gauge", _METER, "Grid frequency, OBIS 1-0:14.7.0.", "hertz"
)
REGISTER: Final = Family(
    "iometer_register",
    "gauge",
    (*_METER, "obis", "unit"),
    "Every register as the bridge sent it, unguarded, meter.reading.registers[].value.",
)
READING_TIMESTAMP: Final = Family(
    "iometer_reading_timestamp_seconds",
    "gauge",
    _METER,
    "Unix time of the served reading, meter.reading.time.",
    "seconds",
)
READINGS_REJECTED: Final = Family(
    "iometer_readings_rejected_total",
    "counter",
    ("bridge", "reason"),
    "Readings not served because they were older than the last one (replayed), had a lower energy "
    "register (decreased), or a higher one than max_power allows (implausible).",
)
BRIDGE_RSSI: Final = Family(
    "iometer_bridge_rssi_dbm", "gauge", _METER, "Wi-Fi signal of the bridge, device.bridge.rssi.", "dbm"
)
CORE_RSSI: Final = Family(
    "iometer_core_rssi_dbm", "gauge", _METER, "868 MHz signal of the core, device.core.rssi.", "dbm"
)
CORE_CONNECTED: Final = Family(
    "iometer_core_connected",
    "gauge",
    _METER,
    "1 if the core reaches the bridge, 0 if not, device.core.connectionStatus.",
)
CORE_ATTACHED: Final = Family(
    "iometer_core_attached",
    "gauge",
    _METER,
    "1 if the core sits on the meter, 0 if not, device.core.attachmentStatus.",
)
CORE_BATTERY: Final = Family(
    "iometer_core_battery_ratio",
    "gauge",
    _METER,
    "Charge of the core's battery from 0 to 1, device.core.batteryLevel.",
    "ratio",
)
CORE_POWER_STATUS: Final = Family(
    "iometer_core_power_status",
    "gauge",
    (*_METER, "status"),
    "1 on the power source in use, 0 on the others, device.core.powerStatus.",
)
CORE_PIN_STATUS: Final = Family(
    "iometer_core_pin_status",
    "gauge",
    (*_METER, "status"),
    "1 on the state of the meter's PIN, 0 on the others, device.core.pinStatus.",
)
BRIDGE_INFO: Final = Family(
    "iometer_bridge_info",
    "gauge",
    (*_METER, "device_id", "installation_id", "bridge_version", "core_version"),
    "Identity and firmware of the device, always 1: device.id, installationId, device.bridge.version, "
    "device.core.version.",
)
BRIDGES: Final = Family("iometer_bridges", "gauge", ("source",), "Bridges known, by how they became known.")
BUILD_INFO: Final = Family(
    "iometer_exporter_build_info",
    "gauge",
    ("version", "python_version"),
    "Version of the exporter and of Python, always 1.",
)
RELOAD_SUCCESSFUL: Final = Family(
    "iometer_config_last_reload_successful",
    "gauge",
    (),
    "1 if the configuration was valid when it was last read, else 0.",
)
RELOAD_TIMESTAMP: Final = Family(
    "iometer_config_last_reload_success_timestamp_seconds",
    "gauge",
    (),
    "Unix time of the last reading of a valid configuration.",
    "seconds",
)

PROBE_SUCCESS: Final = Family(
    "probe_success", "gauge", (), "1 if the probed bridge gave at least one valid document, else 0."
)
PROBE_DURATION: Final = Family(
    "probe_duration_seconds", "gauge", (), "Time that the whole probe took.", "seconds"
)

PROBE_FAMILIES: Final = (PROBE_SUCCESS, PROBE_DURATION)
"""What `/probe` answers beside the families of the bridge."""

FAMILIES: Final = (
    UP,
    ENDPOINT_UP,
    SCRAPE_DURATION,
    SCRAPE_ERRORS,
    ENERGY_IMPORT,
    ENERGY_EXPORT,
    TARIFF_IMPORT,
    TARIFF_EXPORT,
    POWER,
    PHASE_POWER,
    PHASE_VOLTAGE,
    PHASE_CURRENT,
    FREQUENCY,
    REGISTER,
    READING_TIMESTAMP,
    READINGS_REJECTED,
    BRIDGE_RSSI,
    CORE_RSSI,
    CORE_CONNECTED,
    CORE_ATTACHED,
    CORE_BATTERY,
    CORE_POWER_STATUS,
    CORE_PIN_STATUS,
    BRIDGE_INFO,
    BRIDGES,
    BUILD_INFO,
    RELOAD_SUCCESSFUL,
    RELOAD_TIMESTAMP,
)
"""Every family of this package, in the order of the output."""

_TARIFFS: Final = ((obis.ENERGY_IMPORT, TARIFF_IMPORT), (obis.ENERGY_EXPORT, TARIFF_EXPORT))
_TOTALS: Final = {obis.ENERGY_IMPORT: ENERGY_IMPORT, obis.ENERGY_EXPORT: ENERGY_EXPORT}

_POWER_STATES: Final = ("battery", "wired")
_PIN_STATES: Final = ("entered", "pending", "missing")


class _Samples:
    """Families under construction; None is an unknown value and gives no sample."""

    def __init__(self) -> None:
        self._families: dict[Family, GaugeMetricFamily | CounterMetricFamily] = {}

    def add(self, family: Family, labels: Sequence[str], value: float | None) -> None:
        if value is None:
            return
        metric = self._families.get(family)
        if metric is None:
            kind = CounterMetricFamily if family.type == "counter" else GaugeMetricFamily
            metric = kind(family.name, family.help, labels=family.labels, unit=family.unit)
            self._families[family] = metric
        metric.add_metric(labels, value)

    def __iter__(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        order = (*FAMILIES, *PROBE_FAMILIES)
        return (self._families[family] for family in order if family in self._families)


class BridgeCollector(Collector):
    """The families of bridges, from one snapshot of each.

    `now` is Unix time; instantaneous values of readings older than `stale_after` seconds are left out
    (0: never).
    """

    def __init__(self, snapshots: Iterable[Snapshot], *, now: float, stale_after: float) -> None:
        self._snapshots = tuple(snapshots)
        self._now = now
        self._stale_after = stale_after

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """The families, each with the samples of all bridges."""
        samples = _Samples()
        for snapshot in self._snapshots:
            _add_fetch(samples, snapshot)
            if snapshot.reading is not None:
                self._add_reading(samples, snapshot.bridge, snapshot.reading)
            if snapshot.sent is not None:
                _add_registers(samples, snapshot.bridge, snapshot.sent)
            if snapshot.status is not None:
                _add_status(samples, (snapshot.bridge, snapshot.meter), snapshot.status)
        yield from samples

    def _add_reading(self, samples: _Samples, bridge: str, reading: Reading) -> None:
        labels = (bridge, reading.meter)
        for code, joules in quantities.energies(reading).items():
            if family := _TOTALS.get(code):
                samples.add(family, labels, float(joules))
            for total, family in _TARIFFS:
                if tariff := obis.tariff_of(code, total):
                    samples.add(family, (*labels, tariff), float(joules))
        timestamp = reading.time.timestamp()
        samples.add(READING_TIMESTAMP, labels, timestamp)
        # Last night's power is no power.
        if not self._stale_after or self._now - timestamp <= self._stale_after:
            _add_instantaneous(samples, labels, reading)


class ProbeCollector(Collector):
    """The families of one probe: whether the bridge answered, and the duration in seconds."""

    def __init__(self, *, success: bool, duration: float) -> None:
        self._success = success
        self._duration = duration

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """The two families."""
        samples = _Samples()
        samples.add(PROBE_SUCCESS, (), int(self._success))
        samples.add(PROBE_DURATION, (), self._duration)
        yield from samples


class ExporterCollector(Collector):
    """The families of the exporter itself; the time of the last good configuration is Unix time."""

    def __init__(
        self, *, bridges: Mapping[Source, int], reload_successful: bool, reload_timestamp: float
    ) -> None:
        self._bridges = bridges
        self._reload_successful = reload_successful
        self._reload_timestamp = reload_timestamp

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """The families, each with its samples."""
        samples = _Samples()
        for source in SOURCES:
            samples.add(BRIDGES, (source,), self._bridges.get(source, 0))
        samples.add(BUILD_INFO, (__version__, platform.python_version()), 1)
        samples.add(RELOAD_SUCCESSFUL, (), int(self._reload_successful))
        samples.add(RELOAD_TIMESTAMP, (), self._reload_timestamp)
        yield from samples


def _add_fetch(samples: _Samples, snapshot: Snapshot) -> None:
    bridge = snapshot.bridge
    samples.add(UP, (bridge,), int(snapshot.up))
    for endpoint in ENDPOINTS:
        samples.add(ENDPOINT_UP, (bridge, endpoint), int(endpoint not in snapshot.failures))
        samples.add(SCRAPE_DURATION, (bridge, endpoint), snapshot.durations[endpoint])
        # From zero on, so that increase() sees the first error too.
        for reason in REASONS:
            samples.add(SCRAPE_ERRORS, (bridge, endpoint, reason), snapshot.errors.get((endpoint, reason), 0))
    for rejection in REJECTIONS:
        samples.add(READINGS_REJECTED, (bridge, rejection), snapshot.rejected.get(rejection, 0))


def _add_instantaneous(samples: _Samples, labels: tuple[str, str], reading: Reading) -> None:
    samples.add(POWER, labels, quantities.power(reading))
    for phase in quantities.phases(reading):
        samples.add(PHASE_POWER, (*labels, phase.name), phase.power)
        samples.add(PHASE_VOLTAGE, (*labels, phase.name), phase.voltage)
        samples.add(PHASE_CURRENT, (*labels, phase.name), phase.current)
    samples.add(FREQUENCY, labels, quantities.frequency(reading))


def _add_registers(samples: _Samples, bridge: str, reading: Reading) -> None:
    for register in reading.registers.values():
        labels = (bridge, reading.meter, str(register.code), register.unit)
        samples.add(REGISTER, labels, float(register.value))


def _add_status(samples: _Samples, labels: tuple[str, str], status: Status) -> None:
    samples.add(BRIDGE_RSSI, labels, status.bridge_rssi)
    samples.add(CORE_RSSI, labels, status.core_rssi)
    samples.add(CORE_CONNECTED, labels, _boolean(status.connection, "connected", "disconnected"))
    samples.add(CORE_ATTACHED, labels, _boolean(status.attachment, "attached", "detached"))
    samples.add(CORE_BATTERY, labels, status.battery_ratio)
    _add_states(samples, CORE_POWER_STATUS, labels, status.power, _POWER_STATES)
    _add_states(samples, CORE_PIN_STATUS, labels, status.pin, _PIN_STATES)
    identity = (status.device_id, status.installation_id, status.bridge_version, status.core_version)
    samples.add(BRIDGE_INFO, (*labels, *identity), 1)


def _boolean(state: str | None, true: str, false: str) -> int | None:
    """1 or 0 for the two states known; None for one that this version does not know."""
    return {true: 1, false: 0}.get(state or "")


def _add_states(
    samples: _Samples, family: Family, labels: tuple[str, str], current: str | None, known: tuple[str, ...]
) -> None:
    if current is None:
        return
    for state in dict.fromkeys((*known, current)):
        samples.add(family, (*labels, state), int(state == current))
