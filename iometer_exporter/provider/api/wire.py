"""The documents of the API as msgspec decodes them: their fields, by their own names."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Final, TypeVar

import msgspec

from iometer_exporter.meter.json_object import LARGEST_INTEGER
from iometer_exporter.provider.api import answers

T = TypeVar("T")
Decode = Callable[[bytes | str], T]

UNREADABLE: Final = (msgspec.MsgspecError, ArithmeticError, ValueError, RecursionError)
"""Exceptions for a document that is not as it should be: other than expected, or with a number or a text
that cannot be held."""


class _Struct(msgspec.Struct, gc=False):
    """Fields have the API's own names; those that are not named here are passed over."""


def _decoder(kind: type[T]) -> Decode[T]:
    # Numbers keep their digits: as a float, 0.1 would be another one.
    return msgspec.json.Decoder(kind, float_hook=Decimal).decode


Integer = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_INTEGER)]
Percentage = Annotated[int, msgspec.Meta(ge=0, le=answers.FULL_BATTERY)]
Odd = Any
"""A field that has no business there, or one that is not read here: it is to be UNSET."""


class Id(_Struct):
    id: str


class MeterName(_Struct):
    id: str
    number: str


class InstallationName(_Struct):
    id: str
    externalId: str | None = None  # noqa: N815


class Value(_Struct):
    obisCode: str  # noqa: N815
    value: Any
    unit: str


class Reading(_Struct):
    meter: MeterName
    installation: InstallationName
    time: str
    receiveTime: str  # noqa: N815
    values: list[Value]


class Owned(_Struct):
    """A reading of which only the installation is looked at."""

    installation: Id


class ReadingData(_Struct):
    readings: Reading


class OwnedData(_Struct):
    readings: Owned


class ReadingPayload(_Struct):
    data: ReadingData
    errors: Odd = msgspec.UNSET


class OwnedPayload(_Struct):
    data: OwnedData
    errors: Odd = msgspec.UNSET


class ReadingMessage(_Struct):
    type: str
    id: str
    payload: ReadingPayload


class OwnedMessage(_Struct):
    type: str
    id: str
    payload: OwnedPayload


class Pool(_Struct):
    id: str
    name: str | None = None
    size: Odd = msgspec.UNSET
    usage: Odd = msgspec.UNSET
    term: Odd = msgspec.UNSET


class Term(_Struct):
    period: Integer
    autoRenewal: bool  # noqa: N815


class License(_Struct):
    pool: Pool
    startTime: str  # noqa: N815
    status: str
    term: Term | None = None
    endTime: str | None = None  # noqa: N815


class Latest(Value):
    time: str


class Meter(_Struct):
    id: str
    number: str
    latestReadings: list[Latest]  # noqa: N815


class Bridge(_Struct):
    connectionStatus: str  # noqa: N815


class Core(_Struct):
    connectionStatus: str  # noqa: N815
    attachmentStatus: str  # noqa: N815
    batteryLevel: Percentage  # noqa: N815
    powerStatus: str  # noqa: N815
    pinStatus: str  # noqa: N815


class Device(_Struct):
    id: str
    bridge: Bridge
    core: Core
    localHttpPushStatus: str  # noqa: N815


class Installation(_Struct):
    id: str
    meters: list[Meter]
    devices: list[Device]
    externalId: str | None = None  # noqa: N815
    license: License | None = None
    currentMeter: Id | None = None  # noqa: N815
    currentDevice: Id | None = None  # noqa: N815


class InstallationsOf(_Struct):
    installations: list[msgspec.Raw]


class InstallationsData(_Struct):
    provider: InstallationsOf


class InstallationsAnswer(_Struct):
    data: InstallationsData
    errors: Odd = msgspec.UNSET


class ReadingsOf(_Struct):
    readings: list[msgspec.Raw]
    cursor: str | None = None


class StoredReadings(_Struct):
    readings: ReadingsOf


class ReadingsData(_Struct):
    provider: StoredReadings


class ReadingsAnswer(_Struct):
    data: ReadingsData
    errors: Odd = msgspec.UNSET


decode_id: Final = _decoder(Id)
decode_installation: Final = _decoder(Installation)
decode_installations: Final = _decoder(InstallationsAnswer)
decode_owned: Final = _decoder(Owned)
decode_owned_message: Final = _decoder(OwnedMessage)
decode_reading: Final = _decoder(Reading)
decode_reading_message: Final = _decoder(ReadingMessage)
decode_readings: Final = _decoder(ReadingsAnswer)
