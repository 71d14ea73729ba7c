"""The metric families: one visible table, and what a reading or a core puts into it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal

from iometer_exporter.meter import obis, quantities
from iometer_exporter.meter.models import Reading


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Name, type, labels and help of one metric; the help names its OBIS code or JSON field."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    unit: str = ""


_LABELS_AT_HAND: Final = 1024
"""Pairs of code and unit whose labels are remembered."""

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
STREAM_UP: Final = Family(
    "iometer_stream_up",
    "gauge",
    ("bridge", "endpoint"),
    "1 while scrapes are answered with the newest event of the endpoint's stream, 0 while it is fetched.",
)
STREAM_EVENTS: Final = Family(
    "iometer_stream_events_total",
    "counter",
    ("bridge", "endpoint"),
    "Documents that came as events of the endpoint's stream, good or not.",
)
STREAM_RECONNECTS: Final = Family(
    "iometer_stream_reconnects_total",
    "counter",
    ("bridge", "endpoint"),
    "Streams of the endpoint that began after an earlier one had ended.",
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
POWER_DISTRIBUTION: Final = Family(
    "iometer_power_distribution_watts",
    "histogram",
    _METER,
    "Power at the grid connection of each reading that the stream brought, negative while exporting; "
    "as iometer_power_watts.",
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
DISCOVERY_LIMITED: Final = Family(
    "iometer_discovery_limited",
    "gauge",
    (),
    "1 while more bridges announce themselves than discovery.limit lets in, else 0.",
)
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
"""Families of `/probe` beside those of the bridge."""

STREAMS: Final = (STREAM_UP, STREAM_EVENTS, STREAM_RECONNECTS)
"""Families of the event streams of a bridge, beside its `POWER_DISTRIBUTION`."""

COUNTERS: Final = (ENERGY_IMPORT, ENERGY_EXPORT, TARIFF_IMPORT, TARIFF_EXPORT)
"""Families of `counters` besides the time of the reading."""

INSTANTANEOUS: Final = (POWER, PHASE_POWER, PHASE_VOLTAGE, PHASE_CURRENT, FREQUENCY)
"""Families of `instantaneous`."""

CORE_STATES: Final = (CORE_CONNECTED, CORE_ATTACHED, CORE_BATTERY, CORE_POWER_STATUS, CORE_PIN_STATUS)
"""Families of `core_states`."""

FAMILIES: Final = (
    UP,
    ENDPOINT_UP,
    SCRAPE_DURATION,
    SCRAPE_ERRORS,
    *STREAMS,
    *COUNTERS,
    *INSTANTANEOUS,
    POWER_DISTRIBUTION,
    REGISTER,
    READING_TIMESTAMP,
    READINGS_REJECTED,
    BRIDGE_RSSI,
    CORE_RSSI,
    *CORE_STATES,
    BRIDGE_INFO,
    BRIDGES,
    DISCOVERY_LIMITED,
    BUILD_INFO,
    RELOAD_SUCCESSFUL,
    RELOAD_TIMESTAMP,
)
"""Every family of this package, in the order of the output."""

_TOTALS: Final[dict[obis.Direction, Family]] = {"import": ENERGY_IMPORT, "export": ENERGY_EXPORT}
_TARIFFS: Final[dict[obis.Direction, Family]] = {"import": TARIFF_IMPORT, "export": TARIFF_EXPORT}

_POWER_STATES: Final = ("battery", "wired")
_PIN_STATES: Final = ("entered", "pending", "missing")


@dataclass(frozen=True, slots=True)
class Distribution:
    """The value of a histogram: for each upper bound how many observations are not above it, and their sum.

    The last bound is infinity, so that the last count is that of all. Where a bound is negative, the sum is
    no counter and is not written, nor is the count.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


Sample = tuple[Family, tuple[str, ...], float | None]
"""A value of a family, with the labels after those that say whose it is; None gives no line."""

Observed = tuple[Family, tuple[str, ...], Distribution]
"""The same of a histogram."""

Owned = tuple[tuple[str, ...], Iterable[Sample | Observed]]
"""The labels that say whose samples follow, and these."""


def counters(energies: Mapping[obis.ObisCode, Decimal], time: datetime) -> Iterator[Sample]:
    """Samples that stay true however old the reading is: its energies, which are in joules, and its time."""
    for code, joules in energies.items():
        direction, tariff = obis.ENERGIES[code]
        if tariff:
            yield _TARIFFS[direction], (tariff,), float(joules)
        else:
            yield _TOTALS[direction], (), float(joules)
    yield READING_TIMESTAMP, (), time.timestamp()


def instantaneous(reading: Reading) -> Iterator[Sample]:
    """Samples that were true at the time of the reading only."""
    yield POWER, (), quantities.power(reading)
    for phase in quantities.phases(reading):
        yield PHASE_POWER, (phase.name,), phase.power
        yield PHASE_VOLTAGE, (phase.name,), phase.voltage
        yield PHASE_CURRENT, (phase.name,), phase.current
    yield FREQUENCY, (), quantities.frequency(reading)


def registers(reading: Reading) -> Iterator[Sample]:
    """Every register as it was sent."""
    for code, value, unit in reading.registers.values():
        yield REGISTER, _register_labels(code, unit), float(value)


@lru_cache(_LABELS_AT_HAND)
def _register_labels(code: obis.ObisCode, unit: str) -> tuple[str, str]:
    return str(code), unit


def core_states(
    *,
    connection: str | None,
    attachment: str | None,
    power: str | None,
    pin: str | None,
    battery_ratio: float | None,
) -> Iterator[Sample]:
    """Samples of the states of a core, from the words of the wire."""
    yield CORE_CONNECTED, (), boolean(connection, "connected", "disconnected")
    yield CORE_ATTACHED, (), boolean(attachment, "attached", "detached")
    yield CORE_BATTERY, (), battery_ratio
    yield from states(CORE_POWER_STATUS, power, _POWER_STATES)
    yield from states(CORE_PIN_STATUS, pin, _PIN_STATES)


def boolean(state: str | None, true: str, false: str) -> int | None:
    """1 or 0 for the two states known; None for one that this version does not know."""
    return {true: 1, false: 0}.get(state or "")


def states(family: Family, current: str | None, known: tuple[str, ...]) -> Iterator[Sample]:
    """A sample a state, 1 on the current one, which may be unknown today; none where it is None."""
    if current is not None:
        for state in dict.fromkeys((*known, current)):
            yield family, (state,), int(state == current)
