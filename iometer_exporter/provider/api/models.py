"""Every type of the provider API, frozen; what the API did not say is None or an empty text.

Those of which a fleet has very many are tuples: they take a third of the time of a dataclass to be made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final, NamedTuple

from iometer_exporter.meter.models import Reading

RETENTION_SECONDS: Final = 86400.0
"""Age at which the API drops readings."""

Wanted = Callable[[str], bool]
"""Whether an installation, by its id, is one of those that are asked for: the API gives all of them."""


class Unwanted(Enum):
    """In place of something of an installation that is not wanted."""

    UNWANTED = auto()


UNWANTED: Final = Unwanted.UNWANTED


@dataclass(frozen=True, slots=True)
class LicenseTerm:
    """Length of a license in months, and whether it begins anew at the end."""

    period: int | None
    auto_renewal: bool | None


@dataclass(frozen=True, slots=True)
class LicensePool:
    """Licenses that a provider has bought, and how many of them are in use."""

    id: str
    name: str
    size: int | None
    usage: int | None
    term: LicenseTerm | None


class License(NamedTuple):
    """The license of an installation; without `end` it is not limited in time."""

    pool: LicensePool | None
    term: LicenseTerm | None
    start: datetime | None
    end: datetime | None
    status: str | None


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key with which registration tokens are signed."""

    id: str
    name: str
    enabled: bool | None


class Device(NamedTuple):
    """Bridge and core of a user: `connection` is that of bridge and cloud, `battery_ratio` 0 to 1.

    States keep the API's words, unknown ones too.
    """

    id: str
    connection: str | None
    core_connection: str | None
    attachment: str | None
    power: str | None
    pin: str | None
    battery_ratio: float | None
    http_push: str | None


class Meter(NamedTuple):
    """An energy meter; `latest` has its registers of the newest time, None where there are none yet."""

    id: str
    number: str
    latest: Reading | None


class Installation(NamedTuple):
    """A user's meters and devices; `external_id` is empty where the provider gave none."""

    id: str
    external_id: str
    license: License | None
    meters: tuple[Meter, ...]
    current_meter: Meter | None
    devices: tuple[Device, ...]
    current_device: Device | None
    problems: tuple[str, ...]

    @property
    def label(self) -> str:
        """The name for people: the external id if there is one, else the id."""
        return self.external_id or self.id

    @property
    def newest_time(self) -> datetime | None:
        """The time of the newest reading of its meters."""
        return max((meter.latest.time for meter in self.meters if meter.latest), default=None)


class MeterReading(NamedTuple):
    """A reading, the meter and installation it belongs to, and when the cloud received it.

    `meter_id` is the API's id; the number of the meter is that of the reading.
    """

    installation_id: str
    external_id: str
    meter_id: str
    received: datetime
    reading: Reading


@dataclass(frozen=True, slots=True)
class ReadingsPage:
    """Readings of one call; `cursor` asks for those that follow, None where there are none.

    `errors` are those that the API reported beside its data; `unwanted` counts the readings that were left
    out because nobody wants their installations.
    """

    readings: tuple[MeterReading, ...]
    cursor: str | None
    problems: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    unwanted: int = 0


@dataclass(frozen=True, slots=True)
class InstallationsPage:
    """Installations of one call; `size` counts the items sent, unusable ones too.

    `unwanted` are the ids of those that were left out because nobody wants them; `errors` are those that the
    API reported beside its data.
    """

    installations: tuple[Installation, ...]
    size: int
    problems: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provider:
    """The account: its signing keys and license pools, without its installations.

    `errors` are those that the API reported beside its data.
    """

    id: str
    name: str
    signing_keys: tuple[SigningKey, ...]
    license_pools: tuple[LicensePool, ...]
    problems: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RegistrationToken:
    """The token of a new installation's user; `qr_code` is an address relative to that of the API."""

    installation_id: str
    token: str
    qr_code: str
    deeplink: str


@dataclass(frozen=True, slots=True)
class ScheduledReading:
    """One register of the deprecated subscription `scheduledReadings`, of its meter and installation."""

    installation_id: str
    external_id: str
    meter_id: str
    reading: Reading
