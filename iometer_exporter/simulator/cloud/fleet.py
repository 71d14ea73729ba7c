"""The fleet of a simulated provider: an installation is a function of seed and index, and kept nowhere."""

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from iometer_exporter.simulator.cloud.load import Load
from iometer_exporter.simulator.noise import bits

CYCLE: Final = 40
"""After so many installations the kinds of them repeat, with other people in them."""

TWO_METERS: Final = 3
REPLACED_DEVICE: Final = 6
NO_METER: Final = 7
NO_DEVICE: Final = 11
LOW_BATTERY: Final = 14
EXPIRED: Final = 15
DISCONNECTED: Final = 17
DETACHED: Final = 19
PIN_MISSING: Final = 23
NOT_STARTED: Final = 25
OFFLINE: Final = 27
PIN_PENDING: Final = 31
NO_LICENSE: Final = 33
PUSH_ERROR: Final = 35
"""Places in the cycle of 40 whose installations are special, each in its own way."""

_SILENT: Final = {NO_DEVICE: 60 * 86_400, DISCONNECTED: 7_200, DETACHED: 5 * 3_600, OFFLINE: 30 * 3_600}
"""Seconds from the last reading of those that are silent to the start of the simulation."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_LOW_BITS: Final = 62
_MASK: Final = (1 << _LOW_BITS) - 1
_STEP: Final = 0x1E3779B97F4A7C15
_STEP_BACK: Final = pow(_STEP, -1, 1 << _LOW_BITS)

_NUMBERS: Final = 10**8
_NUMBER_STEP: Final = 38_196_601
"""No common divisor with the count of numbers: no two meters have the same one."""


Device = dict[str, Any]
"""A device as the API tells of it."""


class Ids:
    """UUIDs of one kind of thing, from which its index can be told again."""

    def __init__(self, seed: int, kind: int) -> None:
        self._seed = seed
        self._kind = kind
        self._first = bits(seed, kind) & _MASK

    def __call__(self, index: int) -> str:
        """The UUID of the thing with this index."""
        high = bits(self._seed, self._kind, index)
        low = 1 << 63 | (self._first + index * _STEP) & _MASK
        return (
            f"{high >> 32:08x}-{high >> 16 & 0xFFFF:04x}-4{high & 0xFFF:03x}"
            f"-{low >> 48:04x}-{low & 0xFFFFFFFFFFFF:012x}"
        )

    def index(self, text: str) -> int | None:
        """The index of the thing with this UUID, if it is one of these."""
        if not _UUID.fullmatch(text):
            return None
        low = int(text.replace("-", ""), 16) & _MASK
        index = (low - self._first) * _STEP_BACK & _MASK
        return index if index < _NUMBERS and self(index) == text.lower() else None


class Meter(NamedTuple):
    """A meter of the installation with index `home`; `place` says which of its meters, from 0."""

    home: int
    place: int
    id: str
    number: str
    load: Load
    tariffs: bool
    phases: bool
    pin: bool
    """Whether the PIN is entered: without it the meter shows whole kWh, and no power."""

    @property
    def key(self) -> int:
        """A number that no other meter of the fleet has."""
        return self.home * 2 + self.place


class Fleet:
    """All installations of a provider; `size` and `hidden` may be changed at any time."""

    def __init__(self, size: int, *, seed: int = 1) -> None:
        self.size = size
        self.hidden: set[int] = set()
        """Indexes of installations that have been deleted."""
        self.seed = seed
        self.id = Ids(seed, 1)
        """The installation's UUID by its index."""
        self.meter_id = Ids(seed, 2)
        self.device_id = Ids(seed, 3)

    def indexes(self, offset: int = 0, limit: int | None = None) -> Sequence[int]:
        """The installations of a page, in the order in which they are listed."""
        every: Sequence[int] = range(self.size)
        if self.hidden:
            every = [index for index in every if index not in self.hidden]
        return every[offset:] if limit is None else every[offset : offset + limit]

    def has(self, index: int) -> bool:
        """Whether there is an installation of this index."""
        return 0 <= index < self.size and index not in self.hidden

    def find(self, id: str | None = None, external_id: str | None = None) -> int | None:
        """The index of the installation with this id, or else this external id."""
        if id is not None:
            index = self.id.index(id)
        elif external_id is not None and re.fullmatch(r"home-[0-9]{6,8}", external_id, re.ASCII):
            index = int(external_id[5:]) - 1
            index = index if self.external_id(index) == external_id else None
        else:
            index = None
        return index if index is not None and self.has(index) else None

    def external_id(self, index: int) -> str | None:
        """The provider's name for the installation; every tenth has none."""
        return None if index % 10 == 9 else f"home-{index + 1:06}"

    def meter_count(self, index: int) -> int:
        """Number of meters of the installation."""
        kind = index % CYCLE
        return 2 if kind == TWO_METERS else 0 if kind == NO_METER else 1

    def meters(self, index: int) -> list[Meter]:
        """The meters of an installation."""
        return [self.meter(index, place) for place in range(self.meter_count(index))]

    def meter(self, index: int, place: int = 0) -> Meter:
        """A meter of an installation that has it."""
        key = index * 2 + place
        noise = bits(self.seed, 4, key)
        # A second meter is that of a heat pump, which has nothing to do with the roof.
        pv = index % 3 == 1 and not place
        load = Load(
            watts=8 + noise % 61,
            shift=(noise >> 8) % 7_200,
            initial_import_wh=(noise >> 24) % 20_000_000,
            initial_export_wh=(noise >> 40) % 9_000_000 if pv else 0,
            pv=pv,
        )
        number = (bits(self.seed, 5) + key * _NUMBER_STEP) % _NUMBERS
        return Meter(
            index,
            place,
            self.meter_id(key),
            f"1ISK00{number:08}",
            load,
            tariffs=not pv and index % 5 == 2,
            phases=index % 5 == 4,
            pin=index % CYCLE not in (PIN_MISSING, PIN_PENDING),
        )

    def silent_for(self, index: int) -> int | None:
        """Seconds from the last reading to the start of the simulation; None where they go on."""
        return _SILENT.get(index % CYCLE)

    def devices(self, index: int) -> list[Device]:
        """The devices of an installation; the last one is in use."""
        kind = index % CYCLE
        if kind == NO_DEVICE:
            return []
        noise = bits(self.seed, 6, index)
        wired = index % 8 == 5
        battery = 100 if wired else 7 if kind == LOW_BATTERY else 20 + noise % 81
        core = {
            "connectionStatus": "disconnected" if kind == DISCONNECTED else "connected",
            "attachmentStatus": "detached" if kind == DETACHED else "attached",
            "batteryLevel": battery,
            "powerStatus": "wired" if wired else "battery",
            "pinStatus": {PIN_MISSING: "missing", PIN_PENDING: "pending"}.get(kind, "entered"),
        }
        push = "error" if kind == PUSH_ERROR else "enabled" if index % 10 == 2 else "disabled"
        device: Device = {
            "id": self.device_id(index * 2),
            "bridge": {"connectionStatus": "disconnected" if kind == OFFLINE else "connected"},
            "core": core,
            "localHttpPushStatus": push,
        }
        if kind != REPLACED_DEVICE:
            return [device]
        old = core | {"connectionStatus": "disconnected", "attachmentStatus": "detached", "batteryLevel": 1}
        bridge = {"connectionStatus": "disconnected"}
        return [
            {"id": self.device_id(index * 2 + 1), "bridge": bridge, "core": old}
            | {"localHttpPushStatus": "disabled"},
            device,
        ]
