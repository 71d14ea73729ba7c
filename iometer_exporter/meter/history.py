"""Belief about one meter: its last reading, and how far each of its counters has come."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, NamedTuple, get_args

from iometer_exporter.meter.models import Reading, Register
from iometer_exporter.meter.obis import ObisCode
from iometer_exporter.meter.quantities import energies, resolutions

Rejection = Literal["replayed", "decreased", "implausible"]
"""Reason why a reading was refused: label `reason` of `iometer_readings_rejected_total`."""

REJECTIONS: tuple[Rejection, ...] = get_args(Rejection)

_FINEST_JOULES: Final = Decimal(3600)
"""Joules, 1 Wh: what a counter may rise beyond `max_power` however many digits it shows."""

_SAME_JUMP: Final = 10
"""A rise of less than one part in so many of the jump before is part of that jump."""

_CORRECTABLE: Final = timedelta(hours=1)
"""For how long after a jump, by the meter's clock, a fall may be its correction."""


class Energy(NamedTuple):
    """One counter of a reading in joules, and the unit of the last digit that it shows."""

    value: Decimal
    unit: Decimal


@dataclass(slots=True)
class Counter:
    """One energy register; everything in joules."""

    value: Decimal
    """As shown by the last believed reading."""
    unit: Decimal
    """Of the last digit of `value`."""
    slack: Decimal
    """Energy beyond `value` that the meter may have counted: what its last digit hides."""
    served: Decimal
    """The highest value so far; it never falls."""
    register: Register
    """The register that showed `served`."""
    floor: Decimal
    """The value before the last jump; a fall that ends above it corrects that jump."""
    jumped: datetime
    """Time of the reading that showed the jump."""
    time: datetime
    """Time of the last believed reading that had this register."""

    def has_seen(self, value: Decimal) -> bool:
        """Whether the meter may have counted so much by then."""
        return value <= self.served or value < self.value + self.slack

    def is_below_all(self, energy: Energy) -> bool:
        """Whether the value fell further than a coarser last digit or a correction explains."""
        fall = self.floor - energy.value
        # Rounded or truncated: the next fine value may lie on either side of a coarse one.
        return fall > 0 and fall >= max(energy.unit, self.unit)

    def is_above_all(self, value: Decimal, time: datetime, max_power: float) -> bool:
        """Whether the meter cannot have counted so much at that time if it took up to `max_power` W."""
        # The first is nearly always the answer where readings follow one another within seconds.
        return value > self._most_at_once and value > self.most_after(time, max_power)

    def most_after(self, time: datetime, max_power: float) -> Decimal:
        """The most that the meter can have counted at that time if it took up to `max_power` W."""
        elapsed = max((time - self.time).total_seconds(), 0.0)
        return self._most_at_once + Decimal(max_power) * Decimal(elapsed)

    @property
    def _most_at_once(self) -> Decimal:
        """The most that the meter can have counted if no time has passed."""
        return max(self.value + max(self.slack, _FINEST_JOULES), self.served)

    def follow(self, energy: Energy, register: Register, time: datetime, max_power: float) -> None:
        """Go on to the value that a believed reading shows."""
        value = energy.value
        rise = value - self.value
        if rise > 0 and (rise * _SAME_JUMP >= self.value - self.floor or time - self.jumped > _CORRECTABLE):
            self.floor, self.jumped = self.value, time
        slack = energy.unit
        if slack > self.unit:
            # A round value may hide up to a kWh, or nothing: no more than the meter can have counted since.
            slack = min(slack, self.most_after(time, max_power) - value)
        self.slack = slack
        self.value, self.unit, self.time = value, energy.unit, time
        if value >= self.served:
            self.served, self.register = value, register


@dataclass(slots=True, eq=False)
class History:
    """Readings believed one after the other; a register missing in some keeps its last value."""

    last: Reading
    """The last believed reading, as it was sent."""
    served: Reading
    """The last believed reading, no energy below what was served before."""
    counters: dict[ObisCode, Counter]
    seen: float | None = None
    """Time of the monotonic clock, in seconds, at which `last` was first seen; None if in an earlier run."""
    seen_at: float | None = None
    """The same as Unix time; None where nobody said what time it was."""
    is_held: bool = False
    """Whether the counters must not be served yet: a replay may be all that is known."""
    behind_until: float | None = None
    """Unix time at which this run began, if an earlier one may have served later readings than these."""

    @classmethod
    def of(
        cls, reading: Reading, found: Mapping[ObisCode, Energy], now: float, wall: float | None
    ) -> "History":
        """A history that begins with the reading."""
        counters = {
            code: Counter(
                value=energy.value,
                unit=energy.unit,
                slack=energy.unit,
                served=energy.value,
                register=reading.registers[code],
                floor=energy.value,
                jumped=reading.time,
                time=reading.time,
            )
            for code, energy in found.items()
        }
        return cls(reading, reading, counters, seen=now, seen_at=wall)

    @property
    def energies(self) -> dict[ObisCode, Decimal]:
        """The energy counters of `served` by code, in joules, as they were converted when it came."""
        time, sent = self.last.time, self.last.registers
        return {
            code: counter.served
            for code, counter in self.counters.items()
            if counter.time == time and code in sent
        }

    def copy(self) -> "History":
        """A history that goes its own way from here."""
        return replace(self, counters={code: replace(counter) for code, counter in self.counters.items()})

    def objection(
        self, reading: Reading, found: Mapping[ObisCode, Energy], max_power: float
    ) -> Rejection | None:
        """Reason why the reading cannot follow the last one; None if it can."""
        if reading.time <= self.last.time:
            return "replayed"
        known = [(self.counters[code], energy) for code, energy in found.items() if code in self.counters]
        if any(counter.is_below_all(energy) for counter, energy in known):
            return "decreased"
        if any(counter.is_above_all(energy.value, reading.time, max_power) for counter, energy in known):
            return "implausible"
        return None

    @property
    def is_too_coarse(self) -> bool:
        """Whether a counter waits for a meter that shows fewer digits than were served."""
        return any(
            counter.value < counter.served and counter.served % counter.unit
            for counter in self.counters.values()
        )

    def has_seen(self, found: Mapping[ObisCode, Energy]) -> bool:
        """Whether no energy is above what the meter had counted by the last believed reading."""
        return all(
            self.counters[code].has_seen(energy.value)
            for code, energy in found.items()
            if code in self.counters
        )

    def believe(
        self,
        reading: Reading,
        found: Mapping[ObisCode, Energy],
        max_power: float,
        now: float,
        wall: float | None,
    ) -> None:
        """Go on with the reading, first seen at `now`, at Unix time `wall`."""
        for code, energy in found.items():
            counter = self.counters.get(code)
            if counter is None:
                self.counters |= History.of(reading, {code: energy}, now, wall).counters
            else:
                counter.follow(energy, reading.registers[code], reading.time, max_power)
        self.seen, self.seen_at = now, wall
        self._serve(reading)

    def begin_again(self, other: "History") -> None:
        """Go on as the other history, which was not believed so far.

        A register that it shows below what was served falls, unless that only corrects the last jump; one
        that it does not show stays guarded as it was.
        """
        for code, before in self.counters.items():
            after = other.counters.get(code)
            if after is None:
                other.counters[code] = before
                continue
            if before.value < after.floor:
                # One more jump, which may turn out to be wrong as any other.
                after.floor, after.jumped = before.value, after.time
            if before.served > after.served and not before.is_below_all(Energy(after.value, after.unit)):
                after.served, after.register = before.served, before.register
        self.counters = other.counters
        self.seen, self.seen_at = other.seen, other.seen_at
        self.is_held, self.behind_until = other.is_held, other.behind_until
        self._serve(other.last)

    def replace_by(self, other: "History") -> None:
        """Become the other history: nothing of this one was ever served."""
        for slot in self.__slots__:
            setattr(self, slot, getattr(other, slot))

    def _serve(self, reading: Reading) -> None:
        self.last = reading
        held = {
            code: counter.register
            for code, counter in self.counters.items()
            if code in reading.registers and counter.time == reading.time and counter.served != counter.value
        }
        self.served = reading._replace(registers={**reading.registers, **held}) if held else reading


def energies_of(reading: Reading) -> dict[ObisCode, Energy]:
    """The energy counters of the reading, by code."""
    values = energies(reading)
    units = resolutions(reading, values)
    return {code: Energy(value, units[code]) for code, value in values.items()}
