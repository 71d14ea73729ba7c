"""From the decoded JSON of an answer to the values of `models`; the API's spelling stays here.

A bad item costs itself and is named in the problems, with its path.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from sys import intern
from typing import Any, Final, NamedTuple, TypeVar

from iometer_exporter.errors import ObisError
from iometer_exporter.meter.models import Reading, Register
from iometer_exporter.meter.obis import ENERGIES, ObisCode
from iometer_exporter.provider.api import fields
from iometer_exporter.provider.api.fields import Problems
from iometer_exporter.provider.api.models import (
    Device,
    Installation,
    InstallationsPage,
    License,
    LicensePool,
    LicenseTerm,
    Meter,
    MeterReading,
    Provider,
    ReadingsPage,
    RegistrationToken,
    ScheduledReading,
    SigningKey,
)

_FULL_BATTERY: Final = 100

_TOGETHER: Final = timedelta(minutes=15)
"""Longest time by which a power may be older than the energies to be of the same reading: the
longest of the intervals at which a device measures."""

Item = dict[str, Any]
Listed = TypeVar("Listed", Meter, Device)


def provider(root: Item) -> Provider:
    """The account in the object `provider`; a key or pool without an id is left out."""
    problems: Problems = []
    return Provider(
        id=fields.text(root, "id", problems),
        name=fields.text(root, "name", problems),
        signing_keys=fields.children(root, "signingKeys", problems, signing_key),
        license_pools=fields.children(root, "licensePools", problems, license_pool),
        problems=fields.without_leading_dot(problems),
    )


def installations_page(root: Item) -> InstallationsPage:
    """The installations in the object `provider`; one without an id is left out."""
    problems: Problems = []
    sent = root.get("installations")
    return InstallationsPage(
        installations=fields.children(root, "installations", problems, installation),
        size=len(sent) if isinstance(sent, list) else 0,
        problems=fields.without_leading_dot(problems),
    )


def readings_page(root: Item) -> ReadingsPage:
    """The readings and the cursor in the object `readings`; one without ids or times is left out."""
    problems: Problems = []
    cursor = root.get("cursor")
    return ReadingsPage(
        readings=fields.children(root, "readings", problems, meter_reading),
        # Opaque, and sent back as it is; an empty one would begin anew.
        cursor=cursor if isinstance(cursor, str) and cursor else None,
        problems=fields.without_leading_dot(problems),
    )


def installation(item: Item, problems: Problems) -> Installation | None:
    """The installation, with its own problems in itself; None and a problem where it has no id."""
    installation_id = fields.text(item, "id", problems)
    if not installation_id:
        return None
    found: Problems = []
    meters = fields.children(item, "meters", found, meter)
    devices = fields.children(item, "devices", found, device)
    return Installation(
        id=installation_id,
        external_id=fields.optional_text(item, "externalId", found),
        license=fields.optional_child(item, "license", found, license_),
        meters=meters,
        current_meter=_current(item, "currentMeter", meters, found),
        devices=devices,
        current_device=_current(item, "currentDevice", devices, found),
        problems=fields.without_leading_dot(found),
    )


def _current(item: Item, key: str, known: Sequence[Listed], problems: Problems) -> Listed | None:
    """The one of the list that the API names as current: it is asked for by its id alone, to halve a page."""
    value = item.get(key)
    if value is None:
        return None
    if not isinstance(value, dict):
        problems.append(f".{key} is {fields.kind(value)}, expected an object")
        return None
    for one in known:
        if one.id == value.get("id"):
            return one
    problems.append(f".{key}.id is {fields.kind(value.get('id'))}, which is none of the list")
    return None


def meter(item: Item, problems: Problems) -> Meter | None:
    """The meter with its newest registers; None and a problem where it has no id."""
    meter_id = fields.text(item, "id", problems)
    if not meter_id:
        return None
    number = fields.text(item, "number", problems)
    found: Problems = []
    stamped = fields.children(item, "latestReadings", found, _stamped_register)
    problems.extend(found)
    if not stamped:
        return Meter(meter_id, number, None)
    time, registers = _merged(stamped, problems)
    return Meter(
        meter_id, number, Reading(number, time, registers, problems=fields.without_leading_dot(found))
    )


def _merged(
    stamped: Sequence[tuple[datetime, Register]], problems: Problems
) -> tuple[datetime, dict[ObisCode, Register]]:
    """The time of a reading and its registers, out of the latest of each OBIS code with a time of its own.

    The time is that of the energies, which are what a guard goes by. A counter that was read earlier still
    holds; of power and the like only what was measured at about that time belongs to it.
    """
    newest: dict[ObisCode, datetime] = {}
    for time, register in stamped:
        newest[register.code] = max(time, newest.get(register.code, time))
    registers = _by_code([each for time, each in stamped if time == newest[each.code]], problems)
    of_energies = [time for code, time in newest.items() if code in ENERGIES]
    moment = max(of_energies or newest.values())
    earliest = moment - _TOGETHER
    return moment, {
        code: register for code, register in registers.items() if code in ENERGIES or newest[code] >= earliest
    }


def device(item: Item, problems: Problems) -> Device | None:
    """The device; None and a problem where it has no id."""
    device_id = fields.text(item, "id", problems)
    if not device_id:
        return None
    connection = fields.child(item, "bridge", problems, _bridge_connection)
    core = fields.child(item, "core", problems, _core)
    return Device(
        id=device_id,
        connection=connection,
        core_connection=core.connection,
        attachment=core.attachment,
        power=core.power,
        pin=core.pin,
        battery_ratio=core.battery_ratio,
        http_push=fields.state(item, "localHttpPushStatus", problems),
    )


class _Core(NamedTuple):
    """The core's part of a device."""

    connection: str | None
    attachment: str | None
    power: str | None
    pin: str | None
    battery_ratio: float | None


def _bridge_connection(item: Item, problems: Problems) -> str | None:
    return fields.state(item, "connectionStatus", problems)


def _core(item: Item, problems: Problems) -> _Core:
    level = fields.integer(item, "batteryLevel", problems, _FULL_BATTERY)
    return _Core(
        connection=fields.state(item, "connectionStatus", problems),
        attachment=fields.state(item, "attachmentStatus", problems),
        power=fields.state(item, "powerStatus", problems),
        pin=fields.state(item, "pinStatus", problems),
        battery_ratio=None if level is None else level / _FULL_BATTERY,
    )


def license_(item: Item, problems: Problems) -> License:
    """The license of an installation."""
    return License(
        pool=fields.child(item, "pool", problems, license_pool),
        term=fields.optional_child(item, "term", problems, license_term),
        start=fields.time(item, "startTime", problems),
        end=fields.optional_time(item, "endTime", problems),
        status=fields.state(item, "status", problems),
    )


def license_pool(item: Item, problems: Problems) -> LicensePool | None:
    """The pool; None and a problem where it has no id."""
    pool_id = fields.text(item, "id", problems)
    if not pool_id:
        return None
    return LicensePool(
        # Each installation names its pool, and there are few pools.
        id=intern(pool_id),
        name=intern(fields.optional_text(item, "name", problems)),
        size=fields.integer(item, "size", problems) if "size" in item else None,
        usage=fields.integer(item, "usage", problems) if "usage" in item else None,
        term=fields.optional_child(item, "term", problems, license_term),
    )


def license_term(item: Item, problems: Problems) -> LicenseTerm:
    """The term of a license or pool."""
    return LicenseTerm(
        fields.integer(item, "period", problems), fields.boolean(item, "autoRenewal", problems)
    )


def signing_key(item: Item, problems: Problems) -> SigningKey | None:
    """The key; None and a problem where it has no id."""
    key_id = fields.text(item, "id", problems)
    if not key_id:
        return None
    name = fields.optional_text(item, "name", problems)
    return SigningKey(key_id, name, fields.boolean(item, "enabled", problems))


def registration_token(item: Item, problems: Problems) -> RegistrationToken | None:
    """The token and its forms, which may be longer than any label; None and a problem where it is missing.

    What is missing beside it is empty. None of it is cleaned: it is passed on as it is.
    """
    token = fields.long_text(item, "token", problems)
    if not token:
        return None
    return RegistrationToken(
        installation_id=fields.text(item, "installationId", problems),
        token=token,
        qr_code=fields.long_text(item, "qrCode", problems),
        deeplink=fields.long_text(item, "deeplink", problems),
    )


def meter_reading(item: Item, problems: Problems) -> MeterReading | None:
    """The reading; None and a problem where it lacks a time or the id of its installation or meter."""
    time = fields.time(item, "time", problems)
    received = fields.time(item, "receiveTime", problems)
    meter_id, number = fields.child(item, "meter", problems, _reading_meter)
    installation_id, external_id = fields.child(item, "installation", problems, _reading_installation)
    if time is None or received is None or not meter_id or not installation_id:
        return None
    found: Problems = []
    registers = _by_code(fields.children(item, "values", found, _register), found)
    problems.extend(found)
    reading = Reading(number, time, registers, problems=fields.without_leading_dot(found))
    return MeterReading(installation_id, external_id, meter_id, received, reading)


def scheduled_reading(item: Item, problems: Problems) -> ScheduledReading | None:
    """The register; None and a problem where it lacks its code, value, time, or an id."""
    stamped = _stamped_register(item, problems)
    meter_id, number, installation_id, external_id = fields.child(item, "meter", problems, _scheduled_meter)
    if stamped is None or not meter_id or not installation_id:
        return None
    time, register = stamped
    reading = Reading(number, time, {register.code: register})
    return ScheduledReading(installation_id, external_id, meter_id, reading)


def _reading_meter(item: Item, problems: Problems) -> tuple[str, str]:
    return fields.text(item, "id", problems), fields.text(item, "number", problems)


def _reading_installation(item: Item, problems: Problems) -> tuple[str, str]:
    return fields.text(item, "id", problems), fields.optional_text(item, "externalId", problems)


def _scheduled_meter(item: Item, problems: Problems) -> tuple[str, str, str, str]:
    owner = fields.child(item, "installation", problems, _reading_installation)
    return (*_reading_meter(item, problems), *owner)


def _stamped_register(item: Item, problems: Problems) -> tuple[datetime, Register] | None:
    register = _register(item, problems)
    time = fields.time(item, "time", problems)
    return None if register is None or time is None else (time, register)


def _register(item: Item, problems: Problems) -> Register | None:
    code = fields.text(item, "obisCode", problems)
    value = fields.number(item, "value", problems)
    unit = intern(fields.text(item, "unit", problems))
    if not code or value is None or not unit:
        return None
    try:
        return Register(ObisCode.parse(code), value, unit)
    except ObisError as error:
        problems.append(f".obisCode {error}")
        return None


def _by_code(registers: Sequence[Register], problems: Problems) -> dict[ObisCode, Register]:
    found: dict[ObisCode, Register] = {}
    for register in registers:
        if found.setdefault(register.code, register) != register:
            problems.append(f": register {register.code} is sent twice with different values")
    return found
