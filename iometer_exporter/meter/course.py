"""The recent course of one meter, for people: power of the last hours, energy of today and yesterday."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal

from iometer_exporter.meter import obis, quantities
from iometer_exporter.meter.day_marks import DayEnergy, DayMarks, Totals
from iometer_exporter.meter.day_memory import DayMemory
from iometer_exporter.meter.models import Reading
from iometer_exporter.meter.power_ring import PowerRing


@dataclass(frozen=True, slots=True)
class Recent:
    """What a course shows: mean powers in W, oldest first, and the energy of two days."""

    powers: Sequence[float | None] = ()
    today: DayEnergy | None = None
    yesterday: DayEnergy | None = None


class Course:
    """Follows the readings that a guard believes, in a few kilobytes whatever comes."""

    __slots__ = ("_days", "_is_held", "_last", "_memory", "_meter", "_ring", "_zone")

    def __init__(self, zone: tzinfo | None = None, memory: DayMemory | None = None) -> None:
        """Days begin at midnight in this time zone; None is that of this host.

        The memory knows what was seen of them before.
        """
        self._zone = zone
        self._memory = DayMemory(zone) if memory is None else memory
        self._meter = ""
        self._last: datetime | None = None
        self._is_held = False
        # Both are made when a reading comes: a thousand addresses that were probed once need none.
        self._ring: PowerRing | None = None
        self._days: DayMarks | None = None

    def follow(self, reading: Reading, now: float, *, is_held: bool) -> None:
        """Take a believed reading that was seen at `now`, in seconds of a monotonic clock.

        One that was taken before is no news. Its energies are left out while they are held.
        """
        if reading.meter and self._meter and reading.meter != self._meter:
            self._ring = self._days = self._last = None
        self._meter = reading.meter or self._meter
        is_new = reading.time != self._last
        if not is_held and (is_new or self._is_held):
            totals = Totals(
                reading.time,
                _float(quantities.energy(reading, obis.ENERGY_IMPORT)),
                _float(quantities.energy(reading, obis.ENERGY_EXPORT)),
            )
            if self._days is None:
                self._days = self._memory.recall(self._meter)
            self._days.add(totals)
            self._memory.keep(self._meter, self._days)
        self._last, self._is_held = reading.time, is_held
        if is_new:
            watts = quantities.power(reading)
            if watts is not None:
                self._ring = self._ring or PowerRing()
                self._ring.add(now, watts)

    def recent(self, now: float, wall: datetime) -> Recent:
        """The course up to `now`, in seconds of the monotonic clock; `wall` is the same time of day."""
        today = yesterday = None
        if self._days is not None and (newest := self._days.newest_day()) is not None:
            # The clock of a bridge may be ahead, and by it today has begun.
            day = max(wall.astimezone(self._zone).date(), newest)
            today, yesterday = self._days.energy(day), self._days.energy(day - timedelta(days=1))
        powers = self._ring.means(now) if self._ring is not None else ()
        return Recent(powers, today, yesterday)


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
