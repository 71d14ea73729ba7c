"""The two documents of a bridge: bytes in, frozen typed values out (shared wire names stay here).

A document that is unusable as a whole raises PayloadError; a single odd field or register costs only
itself and is named in `problems`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, get_args

from iometer_exporter.errors import ObisError, PayloadError
from iometer_exporter.meter.json_values import (
    A_TIME,
    TOO_LARGE,
    decode,
    is_finite,
    kind,
    label,
    shown,
    too_long,
    utc,
)
from iometer_exporter.meter.obis import ObisCode


@dataclass(frozen=True, slots=True)
class Register:
    """One OBIS value exactly as the bridge sent it (`meter.reading.registers[]`)."""

    code: ObisCode
    value: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class Reading:
    """All registers of a meter at one time (`/v1/reading`); `meter` is empty while unknown."""

    meter: str
    time: datetime
    registers: Mapping[ObisCode, Register]
    installation_id: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """State of bridge and core (`/v1/status`); None is what the bridge did not say.

    `bridge_rssi` and `core_rssi` are in dBm, `battery_ratio` is 0 to 1; states keep the wire's words.
    """

    meter: str = ""
    device_id: str = ""
    installation_id: str = ""
    bridge_version: str = ""
    core_version: str = ""
    bridge_rssi: float | None = None
    core_rssi: float | None = None
    connection: str | None = None
    attachment: str | None = None
    power: str | None = None
    pin: str | None = None
    battery_ratio: float | None = None
    problems: tuple[str, ...] = ()


def parse_reading(body: bytes) -> Reading:
    """The reading in the body of `/v1/reading`; raises PayloadError where it has no time or registers."""
    problems: list[str] = []
    root = _Fields.of_document(body, "iometer.reading.", problems)
    meter = root.child("meter")
    reading = meter.child("reading")
    registers = reading.values.get("registers")
    if not isinstance(registers, list):
        raise PayloadError(f"{reading.path}registers is {kind(registers)}, expected a list")
    return Reading(
        meter=meter.text("number"),
        time=_time(reading),
        registers=_registers(registers, f"{reading.path}registers", problems),
        installation_id=root.text("installationId"),
        problems=tuple(problems),
    )


def parse_status(body: bytes) -> Status:
    """The status in the body of `/v1/status`; raises PayloadError where it tells of no device."""
    problems: list[str] = []
    root = _Fields.of_document(body, "iometer.status.", problems)
    device = root.child("device")
    if not {"id", "bridge", "core"} & device.values.keys():
        raise PayloadError(
            "device has none of id, bridge and core: this is not a status of an IOmeter bridge"
        )
    bridge = device.child("bridge")
    core = device.child("core")
    level = core.number("batteryLevel", lowest=0, highest=100)
    return Status(
        meter=root.child("meter").text("number"),
        device_id=device.text("id"),
        installation_id=root.text("installationId"),
        bridge_version=bridge.text("version"),
        core_version=core.text("version"),
        bridge_rssi=_float(bridge.number("rssi")),
        core_rssi=_float(core.number("rssi")),
        connection=core.text("connectionStatus") or None,
        attachment=core.text("attachmentStatus") or None,
        power=core.text("powerStatus") or None,
        pin=core.text("pinStatus") or None,
        battery_ratio=_float(level / 100 if level is not None else None),
        problems=tuple(problems),
    )


@dataclass(frozen=True, slots=True)
class _Fields:
    """A JSON object with the path that leads to it; what it lacks or has in an odd type is left out."""

    values: Mapping[str, Any]
    path: str
    problems: list[str]

    @classmethod
    def of_document(cls, body: bytes, typename: str, problems: list[str]) -> "_Fields":
        document = _decode(body)
        if not isinstance(document, dict):
            raise PayloadError(f"the document is {kind(document)}, expected an object")
        sent = document.get("__typename", typename)
        # Any version is read: fields may be added, and what is missed is named by its own path.
        if not isinstance(sent, str) or not sent.startswith(typename):
            raise PayloadError(f"__typename is {shown(sent)}, expected {typename}v1")
        return cls(document, "", problems)

    def child(self, key: str) -> "_Fields":
        value = self.values.get(key)
        if value is not None and not isinstance(value, dict):
            self.problems.append(f"{self.path}{key} is {kind(value)}, expected an object")
        return _Fields(value if isinstance(value, dict) else {}, f"{self.path}{key}.", self.problems)

    def text(self, key: str) -> str:
        """The text of the field, cleaned for use as a label; empty where there is none."""
        value = self.values.get(key)
        if value is None:
            return ""
        try:
            return _text(value)
        except PayloadError as error:
            self.problems.append(f"{self.path}{key} {error}")
            return ""

    def number(self, key: str, *, lowest: float = -math.inf, highest: float = math.inf) -> Decimal | None:
        value = self.values.get(key)
        if value is None:
            return None
        try:
            number = _number(value)
            if not lowest <= number <= highest:
                raise PayloadError(f"is {shown(number)}, expected {lowest} to {highest}")
        except PayloadError as error:
            self.problems.append(f"{self.path}{key} {error}")
            return None
        return number


def _decode(body: bytes) -> object:
    try:
        # Decimal keeps every digit that the meter shows through the conversion of units.
        return decode(body, parse_int=Decimal)
    except UnicodeDecodeError as error:
        raise PayloadError("the body is not JSON: it is not UTF-8 text", reason="invalid_json") from error
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise PayloadError(f"the body is not JSON: {reason}", reason="invalid_json") from error


def _time(reading: _Fields) -> datetime:
    """Time of the reading; a time without zone is taken as UTC, the zone that the vendor documents."""
    value = reading.values.get("time")
    try:
        if not isinstance(value, str):
            raise ValueError
        return utc(value)
    except (ValueError, OverflowError) as error:
        raise PayloadError(f"{reading.path}time is {shown(value)}, expected {A_TIME}") from error


def _registers(items: list[Any], path: str, problems: list[str]) -> Mapping[ObisCode, Register]:
    registers: dict[ObisCode, Register] = {}
    for index, item in enumerate(items):
        try:
            register = _register(item)
            if registers.setdefault(register.code, register) != register:
                raise PayloadError(f".obis {register.code} is sent twice with different values")
        except PayloadError as error:
            problems.append(f"{path}[{index}]{error}")
    return registers


def _register(item: object) -> Register:
    if not isinstance(item, dict):
        raise PayloadError(f" is {kind(item)}, expected an object")
    field = "obis"
    try:
        code = ObisCode.parse(_text(item.get("obis")))
        field = "value"
        value = _number(item.get("value"))
        field = "unit"
        return Register(code, value, _text(item.get("unit")))
    except (PayloadError, ObisError) as error:
        raise PayloadError(f".{field} {error}") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise PayloadError(f"is {kind(value)}, expected a text")
    text = label(value)
    if text is None:
        raise PayloadError(too_long())
    return text


def _number(value: object) -> Decimal:
    if not isinstance(value, Decimal):
        raise PayloadError(f"is {kind(value)}, expected a number")
    if not is_finite(value):
        raise PayloadError(f"is {shown(value)}, {TOO_LARGE}")
    return value


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


Endpoint = Literal["reading", "status"]
"""The two documents of a bridge, `/v1/reading` and `/v1/status`."""


ENDPOINTS: tuple[Endpoint, ...] = get_args(Endpoint)
