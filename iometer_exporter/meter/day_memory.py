"""Knowledge of days beyond this run: what meters showed at the last midnights, for the state file."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Final

from iometer_exporter.errors import StateError
from iometer_exporter.meter.day_marks import TIMES, DayMark, DayMarks, Totals
from iometer_exporter.meter.quantities import LARGEST_COUNTER_JOULES
from iometer_exporter.text import clean

_MAX_METERS: Final = 4096
"""Meters remembered; the one not read for longest is forgotten first."""

_LONGEST_TEXT: Final = 512


class DayMemory:
    """The days of each meter, by its number."""

    kind: Final = "days"
    """Of its entries in a state file."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        """Days begin at midnight in this time zone; None is that of this host."""
        self._zone = zone
        self._known: OrderedDict[str, DayMarks] = OrderedDict()
        self.on_change: Callable[[], None] | None = None
        """Called after whatever changes what `entries` gives."""

    def recall(self, meter: str) -> DayMarks:
        """The days of a meter to go on from, none of which are known of one that was never read."""
        known = self._known.get(meter)
        return known.copy() if known is not None else DayMarks(self._zone)

    def keep(self, meter: str, days: DayMarks) -> None:
        """Remember the days of a meter, which go on; of one whose number is unknown nothing is kept."""
        if meter:
            self._put(meter, days)
            if self.on_change is not None:
                self.on_change()

    def entries(self) -> Iterator[tuple[str, Any]]:
        """The number of every meter with its days as JSON."""
        for meter, days in list(self._known.items()):
            if days.last is not None:
                marks = [
                    [day.isoformat(), *_dump(mark.totals), mark.is_first, mark.is_estimated]
                    for day, mark in days.marks.items()
                ]
                yield meter, {"last": _dump(days.last), "marks": marks}

    def restore(self, key: str, payload: Any, *, started: float, is_behind: bool) -> None:
        """Remember the days of an earlier run, unless some are known; raises StateError if they are none."""
        try:
            last = _load(payload["last"])
            if not TIMES[0] <= last.time <= TIMES[1]:
                raise ValueError(f"{last.time} is centuries away")
            marks = {
                date.fromisoformat(day): DayMark(_load(totals), is_first is True, is_estimated is True)
                for day, *totals, is_first, is_estimated in payload["marks"]
            }
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise StateError(f"these are no days of a meter: {error}") from error
        if not 0 < len(key) <= _LONGEST_TEXT or clean(key) != key:
            raise StateError("the number of the meter is empty, too long or cannot be shown")
        if key not in self._known:
            self._put(key, DayMarks(self._zone, last=last, marks=marks))

    def _put(self, meter: str, days: DayMarks) -> None:
        self._known[meter] = days
        self._known.move_to_end(meter)
        if len(self._known) > _MAX_METERS:
            self._known.popitem(last=False)


def _dump(totals: Totals) -> list[Any]:
    return [totals.time.isoformat(), totals.imported, totals.exported]


def _load(values: Any) -> Totals:
    time, imported, exported = values
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None:
        raise ValueError(f"{time!r} has no zone")
    return Totals(moment.astimezone(UTC), _energy(imported), _energy(exported))


def _energy(value: Any) -> float | None:
    if value is None:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value < LARGEST_COUNTER_JOULES
    ):
        raise ValueError(f"{value!r} is no energy")
    return float(value)
