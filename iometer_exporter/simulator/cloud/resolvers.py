"""Resolvers of the fields of the schema that are not simply a key of their source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import GraphQLError

from iometer_exporter.simulator.cloud.cloud import Cloud
from iometer_exporter.simulator.cloud.faults import ProviderFault
from iometer_exporter.simulator.cloud.fleet import Meter
from iometer_exporter.simulator.cloud.registers import spelled

Resolver = Callable[..., Any]
"""Takes the source, the cloud, and the field's arguments by their names in snake case."""

_LIMIT: Final = 100
"""Readings that one answer has at most."""


@dataclass(frozen=True, slots=True)
class Site:
    """An installation, by its index."""

    index: int


def _installations(_: Any, cloud: Cloud, *, pagination: Mapping[str, Any] | None = None) -> list[Site]:
    page = pagination or {}
    offset, limit = page.get("offset") or 0, page.get("limit")
    if offset < 0 or (limit is not None and limit < 0):
        raise GraphQLError("offset and limit may not be negative")
    return [Site(index) for index in cloud.fleet.indexes(offset, limit)]


def _installation(
    _: Any, cloud: Cloud, *, id: str | None = None, external_id: str | None = None
) -> Site | None:
    if id is None and external_id is None:
        raise GraphQLError("installation requires either id or externalId")
    index = cloud.fleet.find(id, external_id)
    return None if index is None else Site(index)


def _readings(
    _: Any,
    cloud: Cloud,
    *,
    start_time: float | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> dict[str, Any]:
    limit = _LIMIT if limit is None else limit
    if not 1 <= limit <= _LIMIT:
        raise GraphQLError(f"limit must be from 1 to {_LIMIT}")
    try:
        readings, following = cloud.page(start_time, limit, cursor)
    except ValueError as error:
        raise GraphQLError(str(error)) from error
    cloud.sent["query"] += len(readings)
    return {"readings": readings, "cursor": following}


def _hit(site: Site, cloud: Cloud, kind: ProviderFault) -> bool:
    return kind in cloud.faults.kinds and cloud.faults.hits(site.index)


def _missing(site: Site, cloud: Cloud, place: int) -> bool:
    """Whether the value at this place is one of an installation's promised values that are null."""
    return _hit(site, cloud, "null") and site.index // 10 % 4 == place


def _license(site: Site, cloud: Cloud) -> dict[str, Any] | None:
    if _hit(site, cloud, "graphql-errors"):
        raise GraphQLError("the license service cannot be reached")
    found = cloud.licenses.of(site.index, cloud.now())
    if found and _missing(site, cloud, 0):
        found["status"] = None
    if found and _hit(site, cloud, "unknown-enum"):
        found["status"] = "suspended"
    return found


def _devices(site: Site, cloud: Cloud) -> list[dict[str, Any]]:
    devices: list[dict[str, Any]] = cloud.fleet.devices(site.index)
    for device in devices:
        if _missing(site, cloud, 1):
            device["core"] = None
        elif _hit(site, cloud, "unknown-enum"):
            device["localHttpPushStatus"] = "paused"
            device["bridge"] = {"connectionStatus": "roaming"}
            device["core"] |= {"powerStatus": "solar", "pinStatus": "locked", "attachmentStatus": "loose"}
    return devices


def _meters(site: Site, cloud: Cloud) -> list[Meter] | None:
    if _missing(site, cloud, 2):
        return None
    return [cloud.meter(site.index, place) for place in range(cloud.fleet.meter_count(site.index))]


def _current_meter(site: Site, cloud: Cloud) -> Meter | None:
    return cloud.meter(site.index, 0) if cloud.fleet.meter_count(site.index) else None


def _current_device(site: Site, cloud: Cloud) -> dict[str, Any] | None:
    devices = _devices(site, cloud)
    return devices[-1] if devices else None


def _create_registration_token(
    _: Any,
    cloud: Cloud,
    *,
    external_id: str,
    signing_key_id: str,
    license: Mapping[str, Any],
    installation_id: str | None = None,
) -> dict[str, str]:
    key = cloud.licenses.key(signing_key_id)
    pool = cloud.licenses.pool(license["pool_id"])
    if not key or not key["enabled"]:
        raise GraphQLError("there is no such signing key that is enabled")
    if not pool:
        raise GraphQLError("there is no such license pool")
    if pool["usage"] >= pool["size"]:
        raise GraphQLError("the license pool is used up")
    return cloud.licenses.register(pool, key, external_id, installation_id, license["start_date"])


def _update_license(
    _: Any,
    cloud: Cloud,
    *,
    installation_id: str,
    set_term: Mapping[str, Any] | None = None,
    set_end_time: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    index = cloud.fleet.find(installation_id)
    if index is None or not cloud.licenses.of(index, cloud.now()):
        raise GraphQLError("there is no such installation that has a license")
    if (set_term is None) == (set_end_time is None):
        raise GraphQLError("updateLicense requires either setTerm or setEndTime")
    if set_end_time is not None:
        cloud.licenses.set_end(index, set_end_time["end_time"])
    elif set_term is not None:
        if not 1 <= set_term["period"] <= 1200:
            raise GraphQLError("period must be from 1 to 1200 months")
        cloud.licenses.set_term(
            index, {"period": set_term["period"], "autoRenewal": set_term["auto_renewal"]}
        )
    updated = cloud.licenses.of(index, cloud.now())
    assert updated is not None  # noqa: S101 (it was there a moment ago)
    return updated


def _code(register: Mapping[str, Any], _: Cloud, *, format: Any = None) -> str:
    return spelled(register["code"], format)


RESOLVERS: Final[Mapping[str, Mapping[str, Resolver]]] = {
    "Query": {"provider": lambda _, cloud: cloud},
    "Mutation": {
        "createRegistrationToken": _create_registration_token,
        "updateLicense": _update_license,
    },
    "Provider": {
        "id": lambda _, cloud: cloud.id,
        "name": lambda _, cloud: cloud.name,
        "installations": _installations,
        "installation": _installation,
        "signingKeys": lambda _, cloud: cloud.licenses.keys,
        "signingKey": lambda _, cloud, *, id: cloud.licenses.key(id),
        "licensePools": lambda _, cloud: cloud.licenses.pools,
        "licensePool": lambda _, cloud, *, id: cloud.licenses.pool(id),
        "readings": _readings,
    },
    "Installation": {
        "id": lambda site, cloud: None if _missing(site, cloud, 3) else cloud.fleet.id(site.index),
        "externalId": lambda site, cloud: cloud.fleet.external_id(site.index),
        "license": _license,
        "meters": _meters,
        "currentMeter": _current_meter,
        "devices": _devices,
        "currentDevice": _current_device,
    },
    "Meter": {
        "id": lambda meter, _: meter.id,
        "number": lambda meter, _: meter.number,
        "installation": lambda meter, _: Site(meter.home),
        "latestReadings": lambda meter, cloud: cloud.latest(meter),
    },
    "Reading": {"obisCode": _code},
    "MeterReadingValue": {"obisCode": _code},
}
"""Resolver by type and field; any other field is the key of its name in its source, a dict."""
