"""The two documents of a bridge: bytes in, frozen typed values out (shared wire names stay here).

A document that is unusable as a whole raises PayloadError; a single odd field or register costs only
itself and is named in `problems`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from sys import intern
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar, get_args

from iometer_exporter.errors import ObisError, PayloadError
from iometer_exporter.meter.json_object import JsonObject
from iometer_exporter.meter.json_values import A_TIME, decode, is_finite, kind, shortened, shown
from iometer_exporter.meter.obis import ObisCode

_FULL_BATTERY: Final = 100

_LABELS_AT_HAND: Final = 1024
"""Pairs of code and unit that are remembered, as they were sent."""

WEB_PAGE: Final = "the body is not JSON: it is a web page"
"""What is wrong with the answer of most devices that are no bridge."""


class Register(NamedTuple):
    """One OBIS value exactly as the bridge sent it (`meter.reading.registers[]`)."""

    # A tuple takes a third of the time that a frozen dataclass takes to be made, and a fleet has many.

    code: ObisCode
    value: Decimal
    unit: str


class Reading(NamedTuple):
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


Document = TypeVar("Document", Reading, Status)


def parse_reading(body: bytes) -> Reading:
    """The reading in the body of `/v1/reading`; raises PayloadError where it has no time or registers."""
    root = _document(body, "iometer.reading.")
    meter = root.child("meter")
    reading = meter.child("reading")
    if not isinstance(reading.values.get("registers"), list):
        raise PayloadError(reading.complaint("registers", "a list"))
    number = meter.optional_text("number")
    time = reading.time("time")
    if time is None:
        raise PayloadError(reading.complaint("time", A_TIME))
    return Reading(
        meter=number,
        time=time,
        registers=parse_registers(reading, "registers", "obis"),
        installation_id=root.optional_text("installationId"),
        problems=tuple(root.problems),
    )


def parse_status(body: bytes) -> Status:
    """The status in the body of `/v1/status`; raises PayloadError where it tells of no device."""
    root = _document(body, "iometer.status.")
    device = root.child("device")
    if not {"id", "bridge", "core"} & device.values.keys():
        raise PayloadError(
            "device has none of id, bridge and core: this is not a status of an IOmeter bridge"
        )
    bridge = device.optional_child("bridge") or JsonObject({})
    core = device.optional_child("core") or JsonObject({})
    level = core.optional_number("batteryLevel")
    if level is not None and not 0 <= level <= _FULL_BATTERY:
        core.report("batteryLevel", f"is {shortened(str(level))}, expected 0 to {_FULL_BATTERY}")
        level = None
    meter = root.optional_child("meter") or JsonObject({})
    return Status(
        meter=meter.optional_text("number"),
        device_id=device.optional_text("id"),
        installation_id=root.optional_text("installationId"),
        bridge_version=bridge.optional_text("version"),
        core_version=core.optional_text("version"),
        bridge_rssi=_float(bridge.optional_number("rssi")),
        core_rssi=_float(core.optional_number("rssi")),
        connection=core.optional_state("connectionStatus"),
        attachment=core.optional_state("attachmentStatus"),
        power=core.optional_state("powerStatus"),
        pin=core.optional_state("pinStatus"),
        battery_ratio=_float(level / _FULL_BATTERY if level is not None else None),
        problems=tuple(root.problems),
    )


class LastParsed(Generic[Document]):
    """Parses documents that come one after the other, each of which may be the one before once more."""

    __slots__ = ("_body", "_document", "_parse")

    def __init__(self, parse: Callable[[bytes], Document]) -> None:
        self._parse: Callable[[bytes], Document] = parse
        self._body: bytes | None = None
        self._document: Document

    def __call__(self, body: bytes) -> Document:
        """The document in the body; raises PayloadError as the function does."""
        if body != self._body:
            self._document = self._parse(body)
            self._body = body
        return self._document


def parse_registers(parent: JsonObject, key: str, code_key: str) -> dict[ObisCode, Register]:
    """The registers in a list, by code; `code_key` is the field that has it. One that is odd is left out."""
    registers: dict[ObisCode, Register] = {}
    for index, values in enumerate(parent.entries(key)):
        register = _faultless_register(values, code_key)
        if register is None:
            item = parent.item(key, index, values)
            register = parse_register(item, code_key) if item is not None else None
            if register is None:
                continue
        first = registers.setdefault(register.code, register)
        if first is not register and first != register:
            parent.report(
                f"{key}[{index}].{code_key}", f"{register.code} is sent twice with different values"
            )
    return registers


def parse_register(item: JsonObject, code_key: str) -> Register | None:
    """The register, whose code is in the field `code_key`; None and one problem for an odd one."""
    code = item.label(code_key)
    if code is None:
        return None
    try:
        parsed = ObisCode.parse(code)
    except ObisError as error:
        item.report(code_key, str(error))
        return None
    value = item.number("value")
    if value is None:
        return None
    unit = item.label("unit")
    # There are few units, and many registers.
    return None if unit is None else Register(parsed, value, intern(unit))


def _faultless_register(values: Any, code_key: str) -> Register | None:
    """What `parse_register` gives where nothing is wrong, in a third of its time; None for all else.

    Registers are most of a document, and nearly all of them are like this.
    """
    try:
        value, labels = values["value"], _faultless_labels(values[code_key], values["unit"])
    except (KeyError, TypeError, ValueError):
        return None
    if type(value) is not Decimal or not is_finite(value):
        return None
    code, unit = labels
    return Register(code, value, unit)


@lru_cache(_LABELS_AT_HAND)
def _faultless_labels(code: object, unit: object) -> tuple[ObisCode, str]:
    """Code and unit of a register, as `parse_register` reads them; raises ValueError if one is odd.

    So what is odd, and may be long, is not remembered.
    """
    register = parse_register(JsonObject({"code": code, "unit": unit, "value": Decimal()}), "code")
    if register is None:
        raise ValueError
    return register.code, register.unit


def _document(body: bytes, typename: str) -> JsonObject:
    """The document in the body, if it is of the type; raises PayloadError for what is none."""
    document = _decode(body)
    if not isinstance(document, dict):
        raise PayloadError(f"the document is {kind(document)}, expected an object")
    sent = document.get("__typename", typename)
    # Any version is read: fields may be added, and what is missed is named by its own path.
    if not isinstance(sent, str) or not sent.startswith(typename):
        raise PayloadError(f"__typename is {shown(sent)}, expected {typename}v1")
    return JsonObject(document)


def _decode(body: bytes) -> object:
    if body.lstrip()[:1] == b"<":
        raise PayloadError(WEB_PAGE, reason="invalid_json")
    try:
        # Decimal keeps every digit that the meter shows through the conversion of units.
        return decode(body, parse_int=Decimal)
    except UnicodeDecodeError as error:
        raise PayloadError("the body is not JSON: it is not UTF-8 text", reason="invalid_json") from error
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise PayloadError(f"the body is not JSON: {reason}", reason="invalid_json") from error


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


Endpoint = Literal["reading", "status"]
"""The two documents of a bridge, `/v1/reading` and `/v1/status`."""


ENDPOINTS: tuple[Endpoint, ...] = get_args(Endpoint)
