"""Energy of today and yesterday, from the totals that a meter showed at midnight."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

_DAY: Final = timedelta(days=1)

_NEAR: Final = timedelta(hours=1)
"""Two readings around midnight that lie further apart only let the total at midnight be estimated."""

TIMES: Final = (datetime(1970, 1, 2, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))
"""Times that have a day before and after them in every zone."""

_WHOLE: Final = timedelta(minutes=15)
"""A day whose last reading is so near its end is known whole."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals of a meter at one time, in joules; None is a counter that it does not have."""

    time: datetime
    imported: float | None
    exported: float | None


@dataclass(frozen=True, slots=True)
class DayEnergy:
    """Energy of one day in joules, None where it is unknown.

    `since` is set if the day was not seen from its beginning, `until` if it is over and was not seen to its
    end; `is_estimated` where no reading lay near midnight.
    """

    imported: float | None
    exported: float | None
    since: datetime | None = None
    until: datetime | None = None
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class DayMark:
    """The totals at the beginning of a day, or at the first reading of it if none came before."""

    totals: Totals
    is_first: bool
    is_estimated: bool


class DayMarks:
    """The totals at the last two midnights, and the newest.

    All by the clock of the readings: that of this host may jump when it is told the time.
    """

    __slots__ = ("_midnight_after", "_zone", "last", "marks")

    def __init__(
        self,
        zone: tzinfo | None = None,
        *,
        last: Totals | None = None,
        marks: Mapping[date, DayMark] | None = None,
    ) -> None:
        """Days begin at midnight in this time zone; None is that of this host.

        Goes on from the newest totals and the marks of an earlier run, if there are any.
        """
        self._zone = zone
        self.last = last
        """The newest totals."""
        self.marks = dict(marks or {})
        """The marks of the last two days."""
        self._midnight_after = datetime.min.replace(tzinfo=UTC)
        """The end of the day of the newest totals, once it is known."""

    def copy(self) -> "DayMarks":
        """Days that begin with the same knowledge and go on by themselves."""
        return DayMarks(self._zone, last=self.last, marks=self.marks)

    def add(self, totals: Totals) -> None:
        """Go on to the totals of a newer reading; older ones or lower ones are a new beginning.

        Those of a clock that is centuries wrong are left out.
        """
        if not TIMES[0] <= totals.time <= TIMES[1]:
            return
        last = self.last
        is_fall = last is not None and _falls(last, totals)
        if last is not None and not is_fall and totals.time < self._midnight_after:
            self.last = totals
            return
        day = self._day_of(totals.time)
        self._midnight_after = self._midnight(day + _DAY)
        if last is None or is_fall:
            self.marks = {day: DayMark(totals, is_first=True, is_estimated=False)}
        else:
            # Of a gap of years, only the last midnights count.
            first = max(self._day_of(last.time) + _DAY, day - _DAY)
            for passed in range((day - first).days + 1):
                self._mark(first + passed * _DAY, last, totals)
        self.marks = {each: mark for each, mark in self.marks.items() if each >= day - _DAY}
        self.last = totals

    def newest_day(self) -> date | None:
        """The local day of the newest reading; None before the first."""
        return None if self.last is None else self._day_of(self.last.time)

    def energy(self, day: date) -> DayEnergy | None:
        """The energy of a day as far as it is known; None if there is nothing to say of it."""
        mark, last = self.marks.get(day), self.last
        if mark is None or last is None:
            return None
        after = self.marks.get(day + _DAY)
        end = last if after is None else after.totals
        is_open = after is None and self._midnight(day + _DAY) - end.time > _WHOLE
        return DayEnergy(
            imported=_difference(mark.totals.imported, end.imported),
            exported=_difference(mark.totals.exported, end.exported),
            since=mark.totals.time if mark.is_first else None,
            until=end.time if is_open else None,
            is_estimated=mark.is_estimated or (after is not None and after.is_estimated),
        )

    def _mark(self, day: date, before: Totals, after: Totals) -> None:
        """Note the totals at the midnight between two readings, as if the power between them was even."""
        midnight = self._midnight(day)
        gap = after.time - before.time
        share = (midnight - before.time) / gap
        totals = Totals(
            midnight,
            _between(before.imported, after.imported, share),
            _between(before.exported, after.exported, share),
        )
        self.marks[day] = DayMark(totals, is_first=False, is_estimated=gap > _NEAR)

    def _day_of(self, moment: datetime) -> date:
        return moment.astimezone(self._zone).date()

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self._zone).astimezone(UTC)


def _falls(before: Totals, after: Totals) -> bool:
    pairs = ((before.imported, after.imported), (before.exported, after.exported))
    return after.time < before.time or any(a is not None and b is not None and b < a for a, b in pairs)


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _between(before: float | None, after: float | None, share: float) -> float | None:
    return None if before is None or after is None else before + (after - before) * share
