"""All installations of this shard: kept in step with the inventory and the readings, without any I/O."""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, get_args

from iometer_exporter.meter.guard import Limits, MeterGuard
from iometer_exporter.meter.history import History
from iometer_exporter.meter.models import Reading
from iometer_exporter.provider.api.models import Installation, MeterReading
from iometer_exporter.provider.served.families import INSTALLATION_FAMILIES
from iometer_exporter.provider.served.gc_freeze import FreezeSchedule
from iometer_exporter.provider.served.installation import (
    NOTHING,
    LicenseFacts,
    TrackedInstallation,
    TrackedMeter,
    encode,
)
from iometer_exporter.provider.served.labels import Labels
from iometer_exporter.provider.served.lines import NEVER, Encoded, LineStore
from iometer_exporter.provider.served.remembered import ProviderMemory
from iometer_exporter.provider.served.shard import WHOLE, Shard, in_shard

Result = Literal["accepted", "duplicate", "rejected"]
"""Outcome of a reading: label `result` of `iometer_provider_readings_total`."""

RESULTS: tuple[Result, ...] = get_args(Result)

FUTURE_SECONDS: Final = 86400.0
"""Lead over this host's clock from which on a time is nonsense, and not a clock that is wrong."""

_DEVICE_SKEW_SECONDS: Final = 300.0
"""Tolerated lead of the clock of a meter's device over the cloud's."""


class Refusal(NamedTuple):
    """The reason for which a reading of the inventory is not served, and its meter."""

    why: str
    meter: str
    is_first: bool
    """Whether the reading has not been refused before."""


class Installations:
    """The installations of this shard, and their lines; times given as `now` are Unix times."""

    def __init__(
        self,
        *,
        limits: Limits,
        stale_after: float,
        shard: Shard = WHOLE,
        memory: ProviderMemory | None = None,
    ) -> None:
        """Keep the installations of the shard; `stale_after` is in seconds, 0 for never.

        Guards go on from what the memory has of an earlier run, and it learns of them.
        """
        self._memory = memory or ProviderMemory("")
        self._memory.histories = self._histories
        self.limits = limits
        """Limits of the guards; a change counts from the next reading on."""
        self.shard = shard
        self.store = LineStore(len(INSTALLATION_FAMILIES), self._encode)
        self._stale_after = stale_after
        self._local: frozenset[str] = frozenset()
        self._by_id: dict[str, TrackedInstallation] = {}
        self._labels = Labels()
        self._at: list[TrackedInstallation | None] = []
        self._generation = 0
        self._freeze_schedule = FreezeSchedule()

    def _histories(self) -> Iterator[tuple[str, str, History]]:
        for tracked in tuple(self._by_id.values()):
            for meter in tracked.meters:
                if meter.guard.history is not None:
                    yield tracked.id, meter.id, meter.guard.history

    def _new_meter(self, tracked: TrackedInstallation, meter_id: str, number: str) -> TrackedMeter:
        history = self._memory.recall(tracked.id, meter_id)
        return TrackedMeter(meter_id, number, self._generation, MeterGuard(history))

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[TrackedInstallation]:
        return iter(self._by_id.values())

    @property
    def stale_after(self) -> float:
        """Seconds after which power, voltage, current and frequency are left out; 0 is never."""
        return self._stale_after

    @stale_after.setter
    def stale_after(self, seconds: float) -> None:
        if seconds != self._stale_after:
            self._stale_after = seconds
            for tracked in self._by_id.values():
                self.store.change(tracked.position)

    def is_ours(self, installation_id: str) -> bool:
        """Whether the installation belongs to this shard."""
        # Most are asked about for each of their readings: a look takes a tenth of the hash's time.
        return installation_id in self._by_id or in_shard(installation_id, self.shard)

    def serve_locally(self, numbers: frozenset[str]) -> None:
        """Leave out the meters with these numbers: bridges serve them."""
        differing = numbers ^ self._local
        self._local = numbers
        if differing:
            for tracked in self._by_id.values():
                if tracked.current_meter in differing or any(m.number in differing for m in tracked.meters):
                    self.store.change(tracked.position)

    def begin_refresh(self) -> None:
        """From here on, `end_refresh` drops what has not been seen again."""
        self._generation += 1

    def vanished(self) -> list[str]:
        """The ids of those that were neither in the inventory nor new since `begin_refresh`."""
        return [tracked.id for tracked in self if tracked.generation != self._generation]

    def end_refresh(self) -> None:
        """Drop those that have vanished."""
        self._memory.forget()
        for tracked in [self._by_id[vanished] for vanished in self.vanished()]:
            del self._by_id[tracked.id]
            self._labels.release(tracked.label)
            self._at[tracked.position] = None
            self.store.remove(tracked.position)

    def see(self, installation: Installation, now: float, monotonic: float) -> list[Refusal]:
        """Take an installation of the inventory; gives the readings that are refused."""
        tracked = self._of_shard(installation.id, installation.external_id)
        if tracked is None:
            return []
        tracked.generation = self._generation
        if tracked.external_id != installation.external_id:
            self._rename(tracked, installation.external_id)
        facts = LicenseFacts.of(installation.license) if installation.license is not None else None
        current = installation.current_meter.number if installation.current_meter is not None else ""
        seen = (facts, installation.current_device, current)
        if seen != (tracked.license, tracked.device, tracked.current_meter):
            tracked.license, tracked.device, tracked.current_meter = seen
            self.store.change(tracked.position)
        return self._see_meters(tracked, installation, now, monotonic)

    def receive(self, received: MeterReading, now: float, monotonic: float) -> tuple[Result, str] | None:
        """Take a reading; gives the outcome and its reason, None for one of another shard."""
        tracked = self._by_id.get(received.installation_id) or self._of_shard(
            received.installation_id, received.external_id
        )
        if tracked is None:
            return None
        reading, moment = received.reading, received.received.timestamp()
        taken = reading.time.timestamp()
        if max(taken, moment) > now + FUTURE_SECONDS:
            return "rejected", "its time is in the future"
        for meter in tracked.meters:
            if meter.id == received.meter_id:
                break
        else:
            meter = self._new_meter(tracked, received.meter_id, reading.meter)
            tracked.meters = (*tracked.meters, meter)
        if not meter.is_new(taken):
            return "duplicate", ""
        # Older, it comes late, or the inventory had it already.
        if meter.has_passed(reading.time, moment):
            return "accepted", ""
        return self._judge(tracked, meter, reading, moment, now, monotonic)

    def _judge(
        self,
        tracked: TrackedInstallation,
        meter: TrackedMeter,
        reading: Reading,
        moment: float,
        now: float,
        monotonic: float,
    ) -> tuple[Result, str]:
        """Let the guard judge a reading that the cloud had at Unix time `moment`."""
        meter.sent = reading
        self.store.change(tracked.position)
        # The first reading of all is the cloud's newest, not what a bridge replays in these seconds: its
        # counters are not held back.
        wall = now if meter.guard.history is not None else None
        judgement = meter.guard.judge(reading, monotonic, self.limits, wall)
        if meter.guard.has_changed:
            self._memory.note_change()
        if judgement.rejection is not None:
            return "rejected", f"it is {judgement.rejection}"
        self._freeze_schedule.note_new_objects()
        meter.ahead_since = moment if reading.time.timestamp() > moment + _DEVICE_SKEW_SECONDS else NEVER
        return "accepted", ""

    def _see_meters(
        self, tracked: TrackedInstallation, installation: Installation, now: float, monotonic: float
    ) -> list[Refusal]:
        before = {meter.id: meter for meter in tracked.meters}
        meters: dict[str, TrackedMeter] = {}
        refused: list[Refusal] = []
        for seen in installation.meters:
            meter = before.get(seen.id) or self._new_meter(tracked, seen.id, seen.number)
            meters[seen.id] = meter
            if meter.number != seen.number:
                meter.number = seen.number
                self.store.change(tracked.position)
            latest = seen.latest
            if latest is None or meter.has_passed(latest.time, now):
                continue
            if latest.time.timestamp() > now + FUTURE_SECONDS:
                reason = "its time is in the future"
            else:
                _, reason = self._judge(tracked, meter, latest, now, now, monotonic)
            if reason:
                # The subscription may bring it too: one reading is rejected once.
                refused.append(Refusal(reason, seen.number, meter.is_new(latest.time.timestamp())))
        for meter_id, meter in before.items():
            # A reading may tell of a meter before the inventory does.
            if meter_id not in meters and meter.generation == self._generation:
                meters[meter_id] = meter
        if tuple(meters.values()) != tracked.meters:
            tracked.meters = tuple(meters.values())
            self.store.change(tracked.position)
        return refused

    def _of_shard(self, installation_id: str, external_id: str) -> TrackedInstallation | None:
        """The installation, known from now on; None if it belongs to another shard."""
        tracked = self._by_id.get(installation_id)
        if tracked is None and in_shard(installation_id, self.shard):
            position = self.store.add()
            self._at += [None] * (self.store.positions - len(self._at))
            label = self._labels.take(installation_id, external_id)
            tracked = TrackedInstallation(installation_id, external_id, label, position, self._generation)
            self._at[position] = self._by_id[installation_id] = tracked
            self._freeze_schedule.note_new_objects()
        return tracked

    def _rename(self, tracked: TrackedInstallation, external_id: str) -> None:
        self._labels.release(tracked.label)
        tracked.external_id = external_id
        tracked.label = self._labels.take(tracked.id, external_id)
        self.store.change(tracked.position)

    def _encode(self, position: int, now: float) -> Encoded:
        tracked = self._at[position]
        if tracked is None:
            return NOTHING
        return encode(tracked, now=now, stale_after=self._stale_after, local=self._local)
