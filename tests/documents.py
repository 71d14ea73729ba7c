"""Documents of a bridge, built by hand for the tests."""

import json
from datetime import UTC, datetime
from typing import Any

IMPORT = "01-00:01.08.00*ff"
EXPORT = "01-00:02.08.00*ff"
POWER = "01-00:10.07.00*ff"


def stamp(unix: float) -> str:
    """A time as bridges write it."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def reading(
    time: str | float = "2024-11-11T11:11:00Z",
    *,
    meter: str | None = "1ISK0000000001",
    registers: list[Any] | None = None,
    imported: float = 12345678.9,
    exported: float = 5432.1,
    power: float = 10,
) -> bytes:
    """The body of `/v1/reading`."""
    if registers is None:
        registers = [
            {"obis": IMPORT, "value": imported, "unit": "Wh"},
            {"obis": EXPORT, "value": exported, "unit": "Wh"},
            {"obis": POWER, "value": power, "unit": "W"},
        ]
    stamped = time if isinstance(time, str) else stamp(time)
    body: dict[str, Any] = {"reading": {"time": stamped, "registers": registers}}
    if meter is not None:
        body["number"] = meter
    return json.dumps({"__typename": "iometer.reading.v1", "meter": body}).encode()


def status(
    *, meter: str | None = "1ISK0000000001", device_id: str = "658c2b34", core: dict[str, Any] | None = None
) -> bytes:
    """The body of `/v1/status`."""
    full_core = {
        "connectionStatus": "connected",
        "rssi": -40,
        "version": "build-58",
        "powerStatus": "battery",
        "batteryLevel": 80,
        "attachmentStatus": "attached",
        "pinStatus": "entered",
    }
    document: dict[str, Any] = {
        "__typename": "iometer.status.v1",
        "device": {
            "bridge": {"rssi": -30, "version": "build-60"},
            "id": device_id,
            "core": full_core if core is None else core,
        },
    }
    if meter is not None:
        document["meter"] = {"number": meter}
    return json.dumps(document).encode()
