"""Knowledge of meters beyond the bridge that reads them now, and beyond this run.

A `History` lives as long as the guard that adds to it; the memory refers to it, and so outlives the bridge. A
guard that sees a meter for the first time goes on from a copy: a bridge that changed its address, its name or
its source serves the same series, which must not fall.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from iometer_exporter.errors import IOmeterError, StateError
from iometer_exporter.meter.day_memory import DayMemory
from iometer_exporter.meter.history import Counter, History
from iometer_exporter.meter.models import Reading, Register
from iometer_exporter.meter.obis import ENERGIES, ObisCode
from iometer_exporter.meter.quantities import JOULES_PER_KWH, LARGEST_COUNTER_JOULES, joules
from iometer_exporter.text import clean

_MAX_METERS: Final = 4096
"""Meters remembered, those of bridges that are gone too; the one not read for longest is forgotten first."""

_LONGEST_TEXT_CHARACTERS: Final = 512


class Memory:
    """Histories by key: `meter:NUMBER`, or `bridge:NAME` while the number is not known."""

    kind: Final = "meter"
    """Of its entries in a state file."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, History] = OrderedDict()
        self._in_use: set[str] = set()
        """Keys of histories that a bridge adds to now."""
        self.on_change: Callable[[], None] | None = None
        """Called after whatever changes what `entries` gives."""
        self.days = DayMemory()
        """What is known of days, which is kept for itself: guards do without."""

    def __len__(self) -> int:
        return len(self._known)

    def recall(self, keys: Sequence[str]) -> History | None:
        """A copy of the history under the first key that has one; None if none has."""
        known = next((self._known[key] for key in keys if key in self._known), None)
        return known.copy() if known is not None else None

    def offer(self, keys: Sequence[str], history: History) -> None:
        """Remember the history that a bridge adds to, under those keys that no other bridge has in use."""
        for key in keys:
            if key not in self._in_use:
                self._put(key, history)
                self._in_use.add(key)

    def keep(self, keys: Sequence[str], history: History) -> None:
        """Remember the history of a bridge that is gone, in place of what is there."""
        for key in keys:
            self._put(key, history)
            self._in_use.discard(key)
        self.note_change()

    def forget(self, history: History) -> None:
        """Forget the history under every key."""
        for key in [key for key, known in self._known.items() if known is history]:
            del self._known[key]
            self._in_use.discard(key)

    def note_change(self) -> None:
        """Note that a history has gone on."""
        if self.on_change is not None:
            self.on_change()

    def entries(self) -> Iterator[tuple[str, Any]]:
        """Every key with its history as JSON; what changes while it runs may be missing or new.

        A history whose counters were never served is left out: nothing says that it is true.
        """
        for key, history in list(self._known.items()):
            if not history.is_held or history.behind_until is not None:
                yield key, dump_history(history)

    def restore(self, key: str, payload: Any, *, started: float, is_behind: bool) -> None:
        """Remember the history of an earlier run, unless there is one; raises StateError if it is none.

        `started` is the Unix time now. If `is_behind`, that run may have served later readings than this.
        """
        history = load_history(payload, started=started, is_behind=is_behind)
        if not 0 < len(key) <= _LONGEST_TEXT_CHARACTERS:
            raise StateError("the key is empty or too long")
        if key.startswith("meter:") and history.last.meter not in ("", key.removeprefix("meter:")):
            raise StateError("the reading is of another meter than the key")
        if key not in self._known:
            self._put(key, history)

    def _put(self, key: str, history: History) -> None:
        self._known[key] = history
        self._known.move_to_end(key)
        if len(self._known) > _MAX_METERS:
            forgotten, _ = self._known.popitem(last=False)
            self._in_use.discard(forgotten)


def dump_history(history: History) -> dict[str, Any]:
    """The history as JSON: all that the guard needs, and of the readings the energies alone."""
    return {
        "meter": history.last.meter,
        "time": history.last.time.isoformat(),
        "seen": history.seen_at,
        "behind": history.is_held,
        "counters": [
            [
                _hexadecimal(code),
                str(counter.register.value),
                counter.register.unit,
                *(str(each) for each in (counter.value, counter.unit, counter.slack, counter.floor)),
                counter.jumped.isoformat(),
                counter.time.isoformat(),
            ]
            for code, counter in history.counters.items()
        ],
    }


def load_history(payload: Any, *, started: float, is_behind: bool) -> History:
    """The history in the JSON, for a run begun at Unix time `started`; raises StateError if it is none.

    If `is_behind`, later readings than those of the history may have been served.
    """
    fields = _list_or_dict(payload, dict)
    time = _time(fields.get("time"))
    counters = dict(_counter(each) for each in _list_or_dict(fields.get("counters"), list))
    registers = {code: counter.register for code, counter in counters.items() if counter.time == time}
    reading = Reading(_text(fields.get("meter")), time, registers)
    seen = fields.get("seen")
    is_behind = is_behind or fields.get("behind") is True
    return History(
        last=reading,
        served=reading,
        counters=counters,
        seen_at=None if seen is None else float(_number(seen)),
        is_held=is_behind,
        behind_until=started if is_behind else None,
    )


def _counter(values: Any) -> tuple[ObisCode, Counter]:
    if len(_list_or_dict(values, list)) != 9:
        raise StateError("a counter has not nine parts")
    code_sent, shown, shown_unit, value, unit, slack, floor, jumped, time = values
    try:
        code = ObisCode.parse(_text(code_sent))
    except IOmeterError as error:
        raise StateError(str(error)) from error
    register = Register(code, _number(shown), _text(shown_unit))
    served = joules(register)
    if served is None or code not in ENERGIES:
        raise StateError(f"{code} in {register.unit!r} is not an energy")
    counter = Counter(
        value=_energy(_number(value)),
        unit=_unit(_number(unit)),
        slack=_unit(_number(slack), lowest=Decimal(0)),
        served=_energy(served),
        register=register,
        floor=_energy(_number(floor)),
        jumped=_time(jumped),
        time=_time(time),
    )
    return code, counter


def _hexadecimal(code: ObisCode) -> str:
    # In decimal, a code with two digits in every group would be read as hexadecimal.
    a, b, c, d, e, f = (f"{group:02x}" for group in (code.a, code.b, code.c, code.d, code.e, code.f))
    return f"{a}-{b}:{c}.{d}.{e}*{f}"


def _list_or_dict(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise StateError(f"there is {type(value).__name__} in place of {kind.__name__}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT_CHARACTERS or clean(value) != value:
        raise StateError("a text is missing, too long or cannot be shown")
    return value


def _time(value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(_text(value))
        if time.tzinfo is None:
            raise StateError(f"{value!r} has no zone")
        time = time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise StateError(f"{value!r} is not a time") from error
    return time


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise StateError("a number is missing")
    try:
        number = Decimal(
            value if isinstance(value, str) and len(value) <= _LONGEST_TEXT_CHARACTERS else float(value)
        )
    except (ValueError, InvalidOperation, OverflowError) as error:
        raise StateError("a number is none") from error
    if not number.is_finite() or not math.isfinite(float(number)):
        raise StateError("a number is not finite")
    return number


def _energy(value: Decimal) -> Decimal:
    if not 0 <= value < LARGEST_COUNTER_JOULES:
        raise StateError(f"{value} J is more or less than a meter shows")
    return value


def _unit(value: Decimal, *, lowest: Decimal = Decimal("1e-9")) -> Decimal:
    if not lowest <= value <= JOULES_PER_KWH:
        raise StateError(f"{value} J is not a unit of a meter")
    return value
