"""From the decoded JSON of an answer to the values of `models`; the API's spelling stays here.

A bad item costs itself and is named in the problems, with its path.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from sys import intern
from typing import Any, Final, TypeVar

from iometer_exporter.meter.json_object import JsonObject
from iometer_exporter.meter.json_values import kind
from iometer_exporter.meter.models import Reading, Register, parse_register, parse_registers
from iometer_exporter.meter.obis import ENERGIES, ObisCode
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
    Provider,
    ReadingsPage,
    RegistrationToken,
    ScheduledReading,
    SigningKey,
    Unwanted,
    Wanted,
)

FULL_BATTERY: Final = 100

_TOGETHER: Final = timedelta(minutes=15)
"""Longest time by which a power may be older than the energies to be of the same reading: the
longest of the intervals at which a device measures."""

Listed = TypeVar("Listed", Meter, Device)


def provider(sent: dict[str, Any]) -> Provider:
    """The account in the object `provider`; a key or pool without an id is left out."""
    root = JsonObject(sent)
    return Provider(
        id=root.text("id"),
        name=root.text("name"),
        signing_keys=root.parsed("signingKeys", signing_key),
        license_pools=root.parsed("licensePools", license_pool),
        problems=tuple(root.problems),
    )


def installations_page(sent: dict[str, Any], wanted: Wanted | None = None) -> InstallationsPage:
    """The installations in the object `provider` that are wanted; one without an id is left out."""
    root = JsonObject(sent)
    items = sent.get("installations")
    unwanted: list[str] = []

    def parse(item: JsonObject) -> Installation | None:
        if (found := unwanted_id(item.values, wanted)) is None:
            return installation(item)
        unwanted.append(found)
        return None

    return InstallationsPage(
        installations=root.parsed("installations", parse),
        size=len(items) if isinstance(items, list) else 0,
        problems=tuple(root.problems),
        unwanted=tuple(unwanted),
    )


def unwanted_id(values: Any, wanted: Wanted | None) -> str | None:
    """The id of an installation that is not wanted; None for one that is, or whose id nobody can tell."""
    if wanted is None or not isinstance(values, dict):
        return None
    found = JsonObject(values).text("id")
    return found if found and not wanted(found) else None


def readings_page(sent: dict[str, Any], wanted: Wanted | None = None) -> ReadingsPage:
    """The wanted readings and the cursor in the object `readings`; one without ids or times is left out."""
    root, cursor = JsonObject(sent), sent.get("cursor")
    found: tuple[MeterReading | Unwanted, ...] = root.parsed(
        "readings", lambda item: wanted_reading(item, wanted)
    )
    readings = tuple(each for each in found if not isinstance(each, Unwanted))
    return ReadingsPage(
        readings=readings,
        # Opaque, and sent back as it is; an empty one would begin anew.
        cursor=cursor if isinstance(cursor, str) and cursor else None,
        problems=tuple(root.problems),
        unwanted=len(found) - len(readings),
    )


def installation(item: JsonObject) -> Installation | None:
    """The installation, with its own problems in itself; None and a problem where it has no id."""
    installation_id = item.text("id")
    if not installation_id:
        return None
    own = item.alone()
    meters = own.parsed("meters", meter)
    devices = own.parsed("devices", device)
    external_id = own.optional_text("externalId")
    licensed = own.optional_child("license")
    return Installation(
        id=installation_id,
        external_id=external_id,
        license=license_(licensed) if licensed is not None else None,
        meters=meters,
        current_meter=_current(own, "currentMeter", meters),
        devices=devices,
        current_device=_current(own, "currentDevice", devices),
        problems=tuple(own.problems),
    )


def _current(item: JsonObject, key: str, known: Sequence[Listed]) -> Listed | None:
    """The one of the list that the API names as current: it is asked for by its id alone, to halve a page."""
    named = item.optional_child(key)
    if named is None:
        return None
    current = named.values.get("id")
    for one in known:
        if one.id == current:
            return one
    named.report("id", f"is {kind(current)}, which is none of the list")
    return None


def meter(item: JsonObject) -> Meter | None:
    """The meter with its newest registers; None and a problem where it has no id."""
    meter_id = item.text("id")
    if not meter_id:
        return None
    number = item.text("number")
    own = item.alone()
    stamped = own.parsed("latestReadings", _stamped_register)
    item.adopt(own.problems)
    if not stamped:
        return Meter(meter_id, number, None)
    time, registers, contradicted = merged(stamped)
    for code in contradicted:
        item.report("latestReadings", f"has {code} twice with different values")
    return Meter(meter_id, number, Reading(number, time, registers, problems=tuple(own.problems)))


def merged(
    stamped: Sequence[tuple[datetime, Register]],
) -> tuple[datetime, dict[ObisCode, Register], list[ObisCode]]:
    """The time of a reading and its registers, out of the latest of each OBIS code with a time of its own.

    The time is that of the energies, which are what a guard goes by. A counter that was read earlier still
    holds; of power and the like only what was measured at about that time belongs to it. Of a code that has
    two values of one time the first one stands; those codes are the last of what is given.
    """
    newest: dict[ObisCode, datetime] = {}
    for time, register in stamped:
        newest[register.code] = max(time, newest.get(register.code, time))
    registers: dict[ObisCode, Register] = {}
    contradicted: list[ObisCode] = []
    for time, register in stamped:
        if time == newest[register.code]:
            first = registers.setdefault(register.code, register)
            if first is not register and first != register:
                contradicted.append(register.code)
    of_energies = [time for code, time in newest.items() if code in ENERGIES]
    moment = max(of_energies or newest.values())
    earliest = moment - _TOGETHER
    believed = {
        code: register for code, register in registers.items() if code in ENERGIES or newest[code] >= earliest
    }
    return moment, believed, contradicted


def device(item: JsonObject) -> Device | None:
    """The device; None and a problem where it has no id."""
    device_id = item.text("id")
    if not device_id:
        return None
    bridge = item.child("bridge")
    core = item.child("core")
    level = core.integer("batteryLevel", FULL_BATTERY)
    return Device(
        id=device_id,
        connection=bridge.state("connectionStatus"),
        core_connection=core.state("connectionStatus"),
        attachment=core.state("attachmentStatus"),
        power=core.state("powerStatus"),
        pin=core.state("pinStatus"),
        battery_ratio=None if level is None else level / FULL_BATTERY,
        http_push=item.state("localHttpPushStatus"),
    )


def license_(item: JsonObject) -> License:
    """The license of an installation."""
    return License(
        pool=license_pool(item.child("pool")),
        term=_optional_term(item),
        start=item.time("startTime"),
        end=item.optional_time("endTime"),
        status=item.state("status"),
    )


def license_pool(item: JsonObject) -> LicensePool | None:
    """The pool; None and a problem where it has no id."""
    pool_id = item.text("id")
    if not pool_id:
        return None
    return LicensePool(
        # Each installation names its pool, and there are few pools.
        id=intern(pool_id),
        name=intern(item.optional_text("name")),
        size=item.integer("size") if "size" in item.values else None,
        usage=item.integer("usage") if "usage" in item.values else None,
        term=_optional_term(item),
    )


def _optional_term(item: JsonObject) -> LicenseTerm | None:
    """The term of a license or pool; None where there is none."""
    term = item.optional_child("term")
    return None if term is None else LicenseTerm(term.integer("period"), term.boolean("autoRenewal"))


def signing_key(item: JsonObject) -> SigningKey | None:
    """The key; None and a problem where it has no id."""
    key_id = item.text("id")
    if not key_id:
        return None
    name = item.optional_text("name")
    return SigningKey(key_id, name, item.boolean("enabled"))


def registration_token(item: JsonObject) -> RegistrationToken | None:
    """The token and its forms, which may be longer than any label; None and a problem where it is missing.

    What is missing beside it is empty. None of it is cleaned: it is passed on as it is.
    """
    token = item.long_text("token")
    if not token:
        return None
    return RegistrationToken(
        installation_id=item.text("installationId"),
        token=token,
        qr_code=item.long_text("qrCode"),
        deeplink=item.long_text("deeplink"),
    )


def wanted_reading(item: JsonObject, wanted: Wanted | None) -> MeterReading | Unwanted | None:
    """The reading, as of `meter_reading`; UNWANTED where it is of an installation that is not wanted."""
    if unwanted_id(item.values.get("installation"), wanted) is not None:
        return UNWANTED
    return meter_reading(item)


def meter_reading(item: JsonObject) -> MeterReading | None:
    """The reading; None and a problem where it lacks a time or the id of its installation or meter."""
    time = item.time("time")
    received = item.time("receiveTime")
    of_meter = item.child("meter")
    meter_id, number = of_meter.text("id"), of_meter.text("number")
    installation_id, external_id = _installation_ids(item.child("installation"))
    if time is None or received is None or not meter_id or not installation_id:
        return None
    own = item.alone()
    registers = parse_registers(own, "values", "obisCode")
    item.adopt(own.problems)
    reading = Reading(number, time, registers, problems=tuple(own.problems))
    return MeterReading(installation_id, external_id, meter_id, received, reading)


def scheduled_reading(item: JsonObject) -> ScheduledReading | None:
    """The register; None and a problem where it lacks its code, value, time, or an id."""
    stamped = _stamped_register(item)
    of_meter = item.child("meter")
    meter_id, number = of_meter.text("id"), of_meter.text("number")
    installation_id, external_id = _installation_ids(of_meter.child("installation"))
    if stamped is None or not meter_id or not installation_id:
        return None
    time, register = stamped
    reading = Reading(number, time, {register.code: register})
    return ScheduledReading(installation_id, external_id, meter_id, reading)


def _installation_ids(item: JsonObject) -> tuple[str, str]:
    """The id of an installation, and its external id, which may be empty."""
    return item.text("id"), item.optional_text("externalId")


def _stamped_register(item: JsonObject) -> tuple[datetime, Register] | None:
    register = parse_register(item, "obisCode")
    time = item.time("time")
    return None if register is None or time is None else (time, register)
