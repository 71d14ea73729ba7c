"""The metric families of the provider API: those of its own, and those that it shares with bridges."""

from dataclasses import replace
from typing import Final

from iometer_exporter.metrics import families as metrics
from iometer_exporter.metrics.families import Family

_INSTALLATION: Final = ("installation",)

_SHARED_HELP: Final = " Of an installation: as the provider API gave it last, served from memory."

UP: Final = Family(
    "iometer_provider_up",
    "gauge",
    (),
    "1 if the last refresh of the inventory from the provider API was complete, else 0; absent before the "
    "first one.",
)
INFO: Final = Family(
    "iometer_provider_info", "gauge", ("id", "name"), "Provider that the API key belongs to, always 1."
)
REQUEST_DURATION: Final = Family(
    "iometer_provider_request_duration_seconds",
    "gauge",
    ("operation",),
    "Time that the last request to the provider API took.",
    "seconds",
)
REQUEST_ERRORS: Final = Family(
    "iometer_provider_request_errors_total",
    "counter",
    ("operation", "reason"),
    "Errors of the provider API, by reason; graphql also counts each error beside data, invalid_document "
    "each field that was left out of data that is otherwise served.",
)
INVENTORY_TIMESTAMP: Final = Family(
    "iometer_provider_inventory_timestamp_seconds",
    "gauge",
    (),
    "Unix time of the last complete refresh of the inventory; what comes from it is served from memory.",
    "seconds",
)
INSTALLATIONS: Final = Family(
    "iometer_provider_installations",
    "gauge",
    (),
    "Installations that this exporter serves from memory: those of its shard.",
)
SUBSCRIPTION_UP: Final = Family(
    "iometer_provider_subscription_up",
    "gauge",
    (),
    "1 while readings are subscribed to, 0 while the connection for them is down; absent if they are not "
    "subscribed to.",
)
SUBSCRIPTION_RECONNECTS: Final = Family(
    "iometer_provider_subscription_reconnects_total",
    "counter",
    (),
    "How often the subscription to readings was tried anew after it had ended.",
)
READINGS: Final = Family(
    "iometer_provider_readings_total",
    "counter",
    ("result",),
    "Readings received, each once: accepted, duplicate (received before), or rejected (not believable: an "
    "energy register fell or rose by more than max_power allows, or the time is in the future).",
)
READING_DELAY: Final = Family(
    "iometer_provider_reading_delay_seconds",
    "histogram",
    (),
    "From the time of a reading to its receipt by the cloud, MeterReading.receiveTime - time.",
    "seconds",
)
POOL_SIZE: Final = Family(
    "iometer_license_pool_size",
    "gauge",
    ("pool", "name"),
    "Licenses that the pool holds, LicensePool.size, served from memory.",
)
POOL_USED: Final = Family(
    "iometer_license_pool_used",
    "gauge",
    ("pool", "name"),
    "Licenses of the pool in use, LicensePool.usage, served from memory.",
)
KEY_ENABLED: Final = Family(
    "iometer_signing_key_enabled",
    "gauge",
    ("key", "name"),
    "1 if the key may sign registration tokens, else 0, SigningKey.enabled, served from memory.",
)

INSTALLATION_INFO: Final = Family(
    "iometer_installation_info",
    "gauge",
    ("installation", "id", "external_id"),
    "Both ids of an installation, always 1, Installation.id and externalId, served from memory.",
)
DEVICE_INFO: Final = Family(
    "iometer_device_info",
    "gauge",
    ("installation", "device_id"),
    "Device in use, always 1, Installation.currentDevice.id, served from memory.",
)
CLOUD_CONNECTED: Final = Family(
    "iometer_bridge_cloud_connected",
    "gauge",
    _INSTALLATION,
    "1 if the bridge reaches the vendor's cloud, else 0, DeviceBridge.connectionStatus, served from memory.",
)
HTTP_PUSH_STATUS: Final = Family(
    "iometer_local_http_push_status",
    "gauge",
    ("installation", "status"),
    "1 on the state of the device's local HTTP push, 0 on the others, Device.localHttpPushStatus, served "
    "from memory.",
)
LICENSE_STATUS: Final = Family(
    "iometer_license_status",
    "gauge",
    ("installation", "status"),
    "1 on the state of the license, 0 on the others, License.status, served from memory.",
)
LICENSE_START: Final = Family(
    "iometer_license_start_timestamp_seconds",
    "gauge",
    _INSTALLATION,
    "Unix time at which the license starts, License.startTime, served from memory.",
    "seconds",
)
LICENSE_END: Final = Family(
    "iometer_license_end_timestamp_seconds",
    "gauge",
    _INSTALLATION,
    "Unix time at which the license ends, absent if it has no end, License.endTime, served from memory.",
    "seconds",
)
LICENSE_AUTO_RENEWAL: Final = Family(
    "iometer_license_auto_renewal",
    "gauge",
    _INSTALLATION,
    "1 if the license begins anew at its end, else 0, LicenseTerm.autoRenewal, served from memory.",
)

HTTP_PUSH_STATES: Final = ("disabled", "enabled", "error")
LICENSE_STATES: Final = ("inactive", "active", "expired")

PROVIDER_FAMILIES: Final = (
    UP,
    INFO,
    REQUEST_DURATION,
    REQUEST_ERRORS,
    INVENTORY_TIMESTAMP,
    INSTALLATIONS,
    SUBSCRIPTION_UP,
    SUBSCRIPTION_RECONNECTS,
    READINGS,
    READING_DELAY,
    POOL_SIZE,
    POOL_USED,
    KEY_ENABLED,
)
"""Of the provider as a whole, in the order of the output."""


def _of_installation(family: Family) -> Family:
    """The family as it stands for installations: `installation` in place of `bridge`."""
    return replace(family, labels=(*_INSTALLATION, *family.labels[1:]), help=f"{family.help}{_SHARED_HELP}")


SHARED_FAMILIES: Final = tuple(
    map(
        _of_installation,
        (
            *metrics.COUNTERS,
            *metrics.INSTANTANEOUS,
            metrics.REGISTER,
            metrics.READING_TIMESTAMP,
            *metrics.CORE_STATES,
        ),
    )
)
"""Of installations, under the names that bridges use too."""

INSTALLATION_FAMILIES: Final = (
    *SHARED_FAMILIES,
    INSTALLATION_INFO,
    DEVICE_INFO,
    CLOUD_CONNECTED,
    HTTP_PUSH_STATUS,
    LICENSE_STATUS,
    LICENSE_START,
    LICENSE_END,
    LICENSE_AUTO_RENEWAL,
)
"""Of each installation, in the order of the output."""
