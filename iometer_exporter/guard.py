"""Decides which reading may be served, so that an energy counter falls only when the meter's own fell.

Some firmware replays old readings for seconds, some meters send a wrong value now and then. Passed
through, each would make a counter fall, and Prometheus would add the whole meter total to `increase()`.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, get_args

from iometer_exporter.models import Reading
from iometer_exporter.obis import ObisCode
from iometer_exporter.quantities import energies, resolution

Rejection = Literal["replayed", "decreased", "implausible"]
"""Why a reading was refused: label `reason` of `iometer_readings_rejected_total`."""

REJECTIONS: tuple[Rejection, ...] = get_args(Rejection)

_AGREEING: Final = 3
"""Different refused readings, each believable after the one before, that make a new truth."""

_METERS: Final = 8
"""Meters remembered for one bridge: enough for a swap, too few for nonsense to fill the memory."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The reading to serve now, and why the new one was refused (None: it was not)."""

    served: Reading
    rejection: Rejection | None
    reset: bool = False
    """Whether readings refused so far have just become the truth."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest believable power in W, and for how many seconds readings are refused before a reset."""

    max_power: float
    reset_after: float


class Guard:
    """The readings of one bridge, judged one after the other, each meter by itself."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        """May be replaced at any time; what has been believed stays."""
        self._meters: OrderedDict[str, MeterGuard] = OrderedDict()

    def judge(self, reading: Reading, now: float) -> Judgement:
        """The judgement on a reading that arrived at `now`, in seconds of a monotonic clock."""
        meter = self._meters.get(reading.meter)
        if meter is None:
            meter = self._meters[reading.meter] = MeterGuard()
            if len(self._meters) > _METERS:
                self._meters.popitem(last=False)
        self._meters.move_to_end(reading.meter)
        return meter.judge(reading, now, self.limits)


@dataclass(slots=True)
class _Counter:
    """Last believed value of one energy register and the unit in which it counts, in joules."""

    value: Decimal
    time: datetime
    resolution: Decimal


@dataclass(slots=True)
class _History:
    """Readings believed one after the other; a register missing in some keeps its last value."""

    last: Reading
    counters: dict[ObisCode, _Counter] = field(default_factory=dict)

    def objection(
        self, reading: Reading, values: dict[ObisCode, Decimal], max_power: float
    ) -> Rejection | None:
        """Why the reading cannot follow the last one; None if it can."""
        if reading.time <= self.last.time:
            return "replayed"
        known = [(self.counters[code], value) for code, value in values.items() if code in self.counters]
        if any(value < counter.value for counter, value in known):
            return "decreased"
        for counter, value in known:
            elapsed = Decimal((reading.time - counter.time).total_seconds())
            if value - counter.value > Decimal(max_power) * elapsed + counter.resolution:
                return "implausible"
        return None

    def believe(self, reading: Reading, values: dict[ObisCode, Decimal]) -> None:
        self.last = reading
        for code, value in values.items():
            unit = resolution(reading, code)
            if before := self.counters.get(code):
                # A register counts no coarser than it ever did; a round value shows nothing.
                unit = min(unit, before.resolution)
            self.counters[code] = _Counter(value, reading.time, unit)


class MeterGuard:
    """The readings of one meter, judged one after the other."""

    __slots__ = ("_agreeing", "_doubt", "_refused_since", "_truth")

    def __init__(self) -> None:
        self._truth: _History | None = None
        self._doubt: _History | None = None
        self._agreeing = 0
        self._refused_since: float | None = None

    @property
    def served(self) -> Reading | None:
        """The last believed reading; None while there is none."""
        return self._truth.last if self._truth is not None else None

    def judge(self, reading: Reading, now: float, limits: Limits) -> Judgement:
        """The judgement on a reading that arrived at `now`, in seconds of a monotonic clock."""
        values = energies(reading)
        if self._truth is None:
            self._truth = _history_of(reading, values)
            return Judgement(reading, None)
        if reading.time == self._truth.last.time:
            self._trust()
            return Judgement(self._truth.last, None)
        rejection = self._truth.objection(reading, values, limits.max_power)
        if rejection is None:
            self._truth.believe(reading, values)
            self._trust()
            return Judgement(reading, None)
        doubt = self._doubt_grows(reading, values, limits)
        if self._refused_since is None:
            self._refused_since = now
        if self._agreeing >= _AGREEING and now - self._refused_since >= limits.reset_after:
            self._truth = doubt
            self._trust()
            return Judgement(doubt.last, None, reset=True)
        return Judgement(self._truth.last, rejection)

    def _trust(self) -> None:
        """Forget the refused readings: a believable one came in between."""
        self._doubt, self._agreeing, self._refused_since = None, 0, None

    def _doubt_grows(self, reading: Reading, values: dict[ObisCode, Decimal], limits: Limits) -> _History:
        """Add the refused reading to those that agree with one another, or begin anew with it."""
        if self._doubt is None or (
            reading.time != self._doubt.last.time and self._doubt.objection(reading, values, limits.max_power)
        ):
            self._doubt, self._agreeing = _history_of(reading, values), 1
        elif reading.time != self._doubt.last.time:
            self._doubt.believe(reading, values)
            self._agreeing += 1
        return self._doubt


def _history_of(reading: Reading, values: dict[ObisCode, Decimal]) -> _History:
    history = _History(reading)
    history.believe(reading, values)
    return history
