"""The fast way from bytes to values, for what comes in masses: readings, and pages of installations.

What is as the API's document has it is decoded straight into typed structures. Anything odd is left to
`document` and `answers`, which take what can be taken and name what is wrong: here it is None. So both give
the same for any document, and nothing is said twice. Without msgspec all of it goes that way.

Where only some installations are wanted, the id is looked at before anything else is built.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from sys import intern

import msgspec

from iometer_exporter.errors import ObisError
from iometer_exporter.meter.json_object import JsonObject
from iometer_exporter.meter.json_values import LONGEST_TEXT_CHARACTERS, is_finite, utc
from iometer_exporter.meter.models import Reading, Register
from iometer_exporter.meter.obis import ObisCode
from iometer_exporter.provider.api import answers, wire
from iometer_exporter.provider.api.document import decode
from iometer_exporter.provider.api.models import (
    UNWANTED,
    Device,
    Installation,
    InstallationsPage,
    License,
    LicensePool,
    LicenseTerm,
    Meter,
    MeterReading,
    ReadingsPage,
    Unwanted,
    Wanted,
)
from iometer_exporter.provider.api.request import SUBSCRIPTION_ID


@dataclass(frozen=True, slots=True)
class ReadingMessages:
    """Decodes the messages of the subscription to readings that stands on a socket."""

    wanted: Wanted | None

    def __call__(self, text: str) -> MeterReading | Unwanted | None:
        """The reading in a message; None for any other message, and for one that is odd."""
        try:
            wanted = self.wanted
            if wanted is not None:
                owned = wire.decode_owned_message(text)
                owner = owned.payload.data.readings.installation.id
                if not self._is_ours(owned) or not owner or not _is_plain(owner):
                    return None
                if not wanted(owner):
                    return UNWANTED
            message = wire.decode_reading_message(text)
            return _meter_reading(message.payload.data.readings) if self._is_ours(message) else None
        except wire.UNREADABLE:
            return None

    def _is_ours(self, message: wire.OwnedMessage | wire.ReadingMessage) -> bool:
        return (
            message.id == SUBSCRIPTION_ID
            and message.type == "next"
            and message.payload.errors is msgspec.UNSET
        )


def installations_page(body: bytes, wanted: Wanted | None) -> InstallationsPage | None:
    """The wanted ones of the installations in the answer to a request; None for any other answer."""
    try:
        answer = wire.decode_installations(_text(body))
    except wire.UNREADABLE:
        return None
    if answer.errors is not msgspec.UNSET:
        return None
    items = answer.data.provider.installations
    found: list[Installation] = []
    unwanted: list[str] = []
    root = JsonObject({})
    for index, item in enumerate(items):
        elsewhere = _unwanted_id(item, wanted)
        if elsewhere is not None:
            unwanted.append(elsewhere)
            continue
        installation = _typed_installation(item)
        if installation is None:
            values = decode(bytes(item))
            elsewhere = answers.unwanted_id(values, wanted)
            if elsewhere is not None:
                unwanted.append(elsewhere)
                continue
            odd = root.item("installations", index, values)
            installation = None if odd is None else answers.installation(odd)
        if installation is not None:
            found.append(installation)
    return InstallationsPage(tuple(found), len(items), tuple(root.problems), (), tuple(unwanted))


def readings_page(body: bytes, wanted: Wanted | None) -> ReadingsPage | None:
    """The wanted readings and the cursor in the answer to a request; None for any other answer."""
    try:
        answer = wire.decode_readings(_text(body))
    except wire.UNREADABLE:
        return None
    if answer.errors is not msgspec.UNSET:
        return None
    page = answer.data.provider.readings
    found: list[MeterReading] = []
    unwanted = 0
    root = JsonObject({})
    for index, item in enumerate(page.readings):
        reading: MeterReading | Unwanted | None = _typed_reading(item, wanted)
        if reading is None:
            odd = root.item("readings", index, decode(bytes(item)))
            reading = None if odd is None else answers.wanted_reading(odd, wanted)
        if reading is UNWANTED:
            unwanted += 1
        elif reading is not None:
            found.append(reading)
    return ReadingsPage(tuple(found), page.cursor or None, tuple(root.problems), unwanted=unwanted)


def _text(body: bytes) -> str:
    # What is passed over is not looked at by msgspec; there, too, it has to be Unicode.
    return str(body, "utf-8")


def _is_plain(*texts: str) -> bool:
    """Whether none of the texts has to be cleaned, or is too long."""
    joined = "".join(texts)
    if not joined.isprintable():
        return False
    return len(joined) <= LONGEST_TEXT_CHARACTERS or max(map(len, texts)) <= LONGEST_TEXT_CHARACTERS


def _unwanted_id(item: msgspec.Raw, wanted: Wanted | None) -> str | None:
    if wanted is None:
        return None
    try:
        found = wire.decode_id(item).id
    except wire.UNREADABLE:
        return None
    return found if found and _is_plain(found) and not wanted(found) else None


def _typed_reading(item: msgspec.Raw, wanted: Wanted | None) -> MeterReading | Unwanted | None:
    try:
        if wanted is not None:
            owner = wire.decode_owned(item).installation.id
            if not owner or not _is_plain(owner):
                return None
            if not wanted(owner):
                return UNWANTED
        return _meter_reading(wire.decode_reading(item))
    except wire.UNREADABLE:
        return None


def _meter_reading(sent: wire.Reading) -> MeterReading | None:
    """The reading; None, or one of `UNREADABLE` is raised, where anything in it is odd."""
    meter, installation = sent.meter, sent.installation
    external_id = installation.externalId or ""
    if not meter.id or not installation.id:
        return None
    if not _is_plain(meter.id, meter.number, installation.id, external_id):
        return None
    registers = _registers(sent.values)
    if registers is None:
        return None
    reading = Reading(meter.number, utc(sent.time), registers)
    return MeterReading(installation.id, external_id, meter.id, utc(sent.receiveTime), reading)


def _registers(sent: Sequence[wire.Value]) -> dict[ObisCode, Register] | None:
    """The registers by code; None where one is odd, or there twice."""
    registers: dict[ObisCode, Register] = {}
    for each in sent:
        value, kind = each.value, _kind(each.obisCode, each.unit)
        if type(value) is not Decimal:
            # True is an int, too.
            if type(value) is not int:
                return None
            value = Decimal(value)
        if kind is None or kind[0] in registers or not is_finite(value):
            return None
        registers[kind[0]] = Register(kind[0], value, kind[1])
    return registers


@lru_cache(maxsize=1024)
def _kind(code: str, unit: str) -> tuple[ObisCode, str] | None:
    """Code and unit of a register, of which a fleet has few; None where one of them is odd."""
    try:
        return (ObisCode.parse(code), intern(unit)) if _is_plain(unit) else None
    except ObisError:
        return None


def _typed_installation(item: msgspec.Raw) -> Installation | None:
    """The installation; None where anything in it is odd."""
    try:
        sent = wire.decode_installation(item)
        meters = [_meter(each) for each in sent.meters]
        devices = [_device(each) for each in sent.devices]
        installed = None if sent.license is None else _license(sent.license)
    except (*wire.UNREADABLE, _OddError):
        return None
    external_id = sent.externalId or ""
    if not sent.id or not _is_plain(sent.id, external_id):
        return None
    current_meter = _named(sent.currentMeter, meters)
    current_device = _named(sent.currentDevice, devices)
    if (current_meter is None) != (sent.currentMeter is None):
        return None
    if (current_device is None) != (sent.currentDevice is None):
        return None
    return Installation(
        id=sent.id,
        external_id=external_id,
        license=installed,
        meters=tuple(meters),
        current_meter=current_meter,
        devices=tuple(devices),
        current_device=current_device,
        problems=(),
    )


class _OddError(Exception):
    """Something in an installation is odd."""


def _named(named: wire.Id | None, known: Sequence[answers.Listed]) -> answers.Listed | None:
    if named is None:
        return None
    return next((each for each in known if each.id == named.id), None)


def _meter(sent: wire.Meter) -> Meter:
    if not sent.id or not _is_plain(sent.id, sent.number):
        raise _OddError
    latest = sent.latestReadings
    if not latest:
        return Meter(sent.id, sent.number, None)
    registers = _registers(latest)
    if registers is None:
        raise _OddError
    text = latest[0].time
    time = utc(text)
    if any(each.time != text for each in latest):
        # Each code is there once: nothing can contradict.
        stamped = zip((utc(each.time) for each in latest), registers.values(), strict=True)
        time, registers, _ = answers.merged(list(stamped))
    return Meter(sent.id, sent.number, Reading(sent.number, time, registers))


def _device(sent: wire.Device) -> Device:
    bridge, core = sent.bridge, sent.core
    states = _states(
        bridge.connectionStatus,
        core.connectionStatus,
        core.attachmentStatus,
        core.powerStatus,
        core.pinStatus,
        sent.localHttpPushStatus,
    )
    if states is None or not sent.id or not _is_plain(sent.id):
        raise _OddError
    connection, core_connection, attachment, power, pin, http_push = states
    return Device(
        id=sent.id,
        connection=connection,
        core_connection=core_connection,
        attachment=attachment,
        power=power,
        pin=pin,
        battery_ratio=core.batteryLevel / answers.FULL_BATTERY,
        http_push=http_push,
    )


@lru_cache(maxsize=1024)
def _states(*words: str) -> tuple[str | None, ...] | None:
    """The words of enumerations, of which a fleet has few; None where one of them is odd."""
    return tuple(intern(word) or None for word in words) if _is_plain(*words) else None


def _license(sent: wire.License) -> License:
    pool, term = sent.pool, sent.term
    of_pool = _pool(pool.id, pool.name or "")
    odd = not (pool.size is pool.usage is pool.term is msgspec.UNSET)
    if of_pool is None or odd or not _is_plain(sent.status):
        raise _OddError
    return License(
        pool=of_pool,
        term=None if term is None else LicenseTerm(term.period, term.autoRenewal),
        start=utc(sent.startTime),
        end=None if sent.endTime is None else utc(sent.endTime),
        status=intern(sent.status) or None,
    )


@lru_cache(maxsize=1024)
def _pool(id: str, name: str) -> LicensePool | None:
    """A pool, of which a provider has few; None where its id or its name is odd."""
    return LicensePool(intern(id), intern(name), None, None, None) if id and _is_plain(id, name) else None
