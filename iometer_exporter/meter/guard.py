"""Decides which reading may be served, so that an energy counter falls only when the meter's own fell.

Some firmware replays old readings for seconds, some meters send a wrong value now and then. Passed
through, each would make a counter fall, and Prometheus would add the whole meter total to `increase()`.
The rules, for each meter by itself; "the truth" is what has been believed so far:

- **What is believed.** A reading that is newer than the truth, with no energy below it, and none above what
  `max_power` allows since then plus one unit of its resolution. The counters serve the highest value that
  was ever believed; time, power and the rest are those of the reading.
- **A coarser resolution is no fall.** Without its PIN a meter shows whole kWh, truncated, and no power. A
  fall by less than one unit of the last digit, of the new value or of the one before, is no fall: the
  reading is believed and its counter waits until the meter has passed the value served. The other way
  round, a coarse value hides up to a kWh, so a fine one that follows may be that much higher at once; but
  never more than `max_power` allows since the last value known better. So it does no harm that a fine value
  may end in 000.
- **A fall that ends above the value before the last jump corrects that jump.** It is believed, and the
  counter waits. Rises of less than a tenth of the jump, within an hour, are part of it: a wrong value that
  shows several times is corrected too.
- **The same time** as the truth: the last reading again. The first one of that time stands.
- **Older, and no energy above the truth: a replay,** however long it lasts and whatever it looks like. A
  meter's energies only rise, so all that it ever sent looks like this. It never counts towards a new truth,
  and never ends what does, unless it is newer than that and contradicts it. The exception needs two faults
  at once, registers that were reset (or a wrong first reading) under a clock that was wrong: if the truth
  is more than an hour ahead of this host's clock, and the reading is not, the truth's clock was wrong, and
  its age says nothing.
- **Everything else is refused, but may become the truth.** Newer and lower: the registers may have been
  reset. Newer and too high: they may have been set. Older, but with more energy than the truth: the truth's
  clock was ahead, since the meter cannot have shown that then. Such readings are put into chains, each
  reading believable after the one before it. One that is older than the end of a chain leaves that chain
  alone, since it may be a replay of what lies before; one that is newer and does not fit ends the chain. A
  chain of three, at least `reset_after` after the first refusal, becomes the truth. Only believable
  readings end the wait, and the truth seen again, where it is not older than the end of a chain.
- **At a new truth** only those counters fall whose new value is below all that the rules above explain.
- **The first reading of all,** if it is older than two minutes, is shown, but its counters are held back:
  it may be a replay, which moves on within seconds. They are served once it has stood for a minute, once a
  reading comes that is not that old, or once a newer one comes in its own time. A newer one that comes
  sooner than its time says is one more step of a replay. While nothing has been served, a reading that does
  not fit takes the place of the one held back. Power is shown at once: it is true of the time that is shown
  with it, and falls out by `stale_after` as at any other time.
- **After a restart** the truth is what was kept. If the last run did not end in order, it may have served
  later readings than those kept. Counters wait likewise, until a reading comes that is younger than this
  run, or one has stood for a minute, or newer ones have come in their own time for a minute. One with fewer
  digits than were served tells nothing: they wait on until the meter has passed what was kept.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from iometer_exporter.meter.history import REJECTIONS, Energy, History, Rejection, energies_of
from iometer_exporter.meter.memory import Memory
from iometer_exporter.meter.models import Reading
from iometer_exporter.meter.obis import ObisCode

__all__ = ["REJECTIONS", "Guard", "Judgement", "Limits", "MeterGuard", "Rejection"]

_CHAIN_LENGTH: Final = 3
"""Different refused readings, each believable after the one before, that make a new truth."""

_MAX_CHAINS: Final = 4
"""Chains of refused readings that are followed at a time."""

_MAX_METERS: Final = 8
"""Meters remembered for one bridge: enough for a swap, too few for nonsense to fill the memory."""

_YOUNG_SECONDS: Final = 120.0
"""Seconds up to which a first reading is taken for the present."""

_STANDING_SECONDS: Final = 60.0
"""Seconds for which no replay shows one reading."""

_MAX_PACE: Final = 1.25
"""Pace at which readings may come, by their own time and beside `_LEEWAY_SECONDS`: clocks differ."""

_LEEWAY_SECONDS: Final = 5.0
"""Seconds that a reading may be late or early: a scrape sees it some time after it was taken."""

_AHEAD_SECONDS: Final = 3600.0
"""Seconds ahead of this host's clock from which on a reading's time is taken for wrong."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The reading to serve now, and why the new one was refused (None: it was not)."""

    served: Reading
    """No energy of it is below what was served before."""
    rejection: Rejection | None
    reset: bool = False
    """Whether readings refused so far have just become the truth."""
    is_held: bool = False
    """Whether its energy counters must not be served yet; all else may."""
    seen: float = field(default=0.0, compare=False)
    """Time at which the served reading was first seen, in seconds of the monotonic clock."""
    energies: Mapping[ObisCode, Decimal] = field(default_factory=dict, compare=False)
    """Energy counters of the served reading by code, in joules."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest believable power in W, and for how many seconds readings are refused before a reset."""

    max_power: float
    reset_after: float


class Guard:
    """The readings of one bridge, judged one after the other, each meter by itself."""

    def __init__(self, limits: Limits, memory: Memory | None = None) -> None:
        """Go on from what the memory knows of a meter when it is first seen, and keep it up to date."""
        self.limits = limits
        """May be replaced at any time; what has been believed stays."""
        self._memory = Memory() if memory is None else memory
        self._meters: OrderedDict[str, MeterGuard] = OrderedDict()
        self._owners: tuple[str, ...] = ()

    def judge(
        self, reading: Reading, now: float, *, wall: float | None = None, owners: Sequence[str] = ()
    ) -> Judgement:
        """The judgement on a reading that arrived at `now`, in seconds of a monotonic clock.

        `wall` is the Unix time; without it no counter is held back at the start. `owners` are names for
        the bridge, for the memory of a meter whose number is not known.
        """
        self._owners = tuple(f"bridge:{owner}" for owner in owners)
        guard = self._meters.get(reading.meter)
        if guard is None:
            guard = self._meters[reading.meter] = self._first_sight(reading.meter, wall)
            if len(self._meters) > _MAX_METERS:
                _, forgotten = self._meters.popitem(last=False)
                if forgotten.history is not None:
                    self._memory.forget(forgotten.history)
        self._meters.move_to_end(reading.meter)
        judgement = guard.judge(reading, now, self.limits, wall)
        if guard.history is not None:
            self._memory.offer(self._keys(reading.meter), guard.history)
        if guard.has_changed:
            self._memory.note_change()
        return judgement

    def remember(self) -> None:
        """Leave what is known to the bridge that reads these meters next: this one is given up."""
        for meter, guard in self._meters.items():
            if guard.history is not None:
                self._memory.keep(self._keys(meter), guard.history)

    def _first_sight(self, meter: str, wall: float | None) -> "MeterGuard":
        # Its readings so far may have come without the number, which the status has given since.
        nameless = self._meters.pop("", None) if meter else None
        known = self._memory.recall(self._keys(meter))
        if known is None:
            return nameless or MeterGuard()
        guard = MeterGuard(known)
        if nameless is not None and nameless.history is not None:
            guard.judge(nameless.history.last, nameless.history.seen or 0.0, self.limits, wall)
        return guard

    def _keys(self, meter: str) -> tuple[str, ...]:
        return (f"meter:{meter}",) if meter else self._owners


@dataclass(slots=True)
class _Chain:
    """Refused readings that agree with one another."""

    history: History
    length: int = 1

    def is_denied_by(self, reading: Reading, found: dict[ObisCode, Energy], limits: Limits) -> bool:
        """Whether the reading is newer than these, and does not agree with them."""
        if reading.time <= self.history.last.time:
            return False
        return self.history.objection(reading, found, limits.max_power) is not None


class MeterGuard:
    """The readings of one meter, judged one after the other."""

    __slots__ = ("_began", "_chains", "_refused_since", "_since", "has_changed", "history")

    def __init__(self, history: History | None = None) -> None:
        """Go on from a history, if there is one."""
        self.history = history
        """Belief so far; the same object for as long as this guard lives."""
        self.has_changed = False
        """Whether the last judgement changed the history."""
        self._began: float | None = None
        """Time at which this guard first judged a reading."""
        self._since: float | None = None
        """Time at which this guard first saw the last believed reading."""
        self._chains: Sequence[_Chain] = ()
        self._refused_since: float | None = None

    @property
    def served(self) -> Reading | None:
        """The last believed reading, no energy below what was served before; None while there is none."""
        return self.history.served if self.history is not None else None

    def judge(self, reading: Reading, now: float, limits: Limits, wall: float | None = None) -> Judgement:
        """The judgement on a reading that arrived at `now`, in seconds of a monotonic clock.

        `wall` is the Unix time; without it no counter is held back at the start.
        """
        truth = self.history
        self.has_changed = True
        if self._began is None:
            self._began = now
        if truth is None:
            truth = self.history = _beginning(reading, energies_of(reading), now, wall)
            self._since = now
            return _serving(truth)
        if truth.seen is None:
            truth.seen = _seen_before(truth, now, wall)
        if reading.time == truth.last.time:
            self.has_changed = self._see_again(truth, now)
            return _serving(truth)
        found = energies_of(reading)
        rejection = truth.objection(reading, found, limits.max_power)
        if rejection is None:
            self._believe(truth, reading, found, limits, now, wall)
            return _serving(truth)
        if truth.is_held and truth.behind_until is None:
            truth.replace_by(_beginning(reading, found, now, wall))
            self._since = now
            return _serving(truth)
        if rejection == "replayed" and truth.has_seen(found) and not _was_ahead(truth, reading, wall):
            self.has_changed = False
            self._chains = tuple(
                each for each in self._chains if not each.is_denied_by(reading, found, limits)
            )
            return _serving(truth, rejection)
        chain = self._extend_chains(reading, found, limits, now, wall)
        if self._refused_since is None:
            self._refused_since = now
        if chain.length >= _CHAIN_LENGTH and now - self._refused_since >= limits.reset_after:
            truth.begin_again(chain.history)
            self._since = chain.history.seen
            self._end_refusals()
            return _serving(truth, reset=True)
        self.has_changed = False
        return _serving(truth, rejection)

    def _see_again(self, truth: History, now: float) -> bool:
        """Take note of the last believed reading, sent again; gives whether its counters are now served."""
        # Older than the end of a chain, it is only replayed.
        if all(chain.history.last.time < truth.last.time for chain in self._chains):
            self._end_refusals()
        if self._since is None:
            self._since = now
        if truth.is_held and now - self._since >= _STANDING_SECONDS and not _may_have_served_more(truth):
            _release(truth)
            return True
        return False

    def _believe(
        self,
        truth: History,
        reading: Reading,
        found: dict[ObisCode, Energy],
        limits: Limits,
        now: float,
        wall: float | None,
    ) -> None:
        is_true = truth.is_held and (
            _is_present(truth, reading, wall) or self._comes_in_its_time(truth, reading, now)
        )
        truth.believe(reading, found, limits.max_power, now, wall)
        if is_true and not _may_have_served_more(truth):
            _release(truth)
        self._since = now
        self._end_refusals()

    def _comes_in_its_time(self, truth: History, reading: Reading, now: float) -> bool:
        """Whether the reading follows the last one no sooner than its time says.

        After an end that was not in order, readings must have done so for longer than a replay lasts.
        """
        if self._since is None or self._began is None:
            return False
        if truth.behind_until is not None and now - self._began < _STANDING_SECONDS:
            return False
        advance = (reading.time - truth.last.time).total_seconds()
        return advance <= (now - self._since) * _MAX_PACE + _LEEWAY_SECONDS

    def _end_refusals(self) -> None:
        """Forget the refused readings: a believable one has come."""
        self._chains = ()
        self._refused_since = None

    def _extend_chains(
        self,
        reading: Reading,
        found: dict[ObisCode, Energy],
        limits: Limits,
        now: float,
        wall: float | None,
    ) -> _Chain:
        """Put the refused reading into the chains that it continues; gives the longest, or a new one."""
        own: list[_Chain] = []
        others: list[_Chain] = []
        for chain in self._chains:
            history = chain.history
            if reading.time == history.last.time:
                own.append(chain)
            elif reading.time < history.last.time:
                others.append(chain)
            elif history.objection(reading, found, limits.max_power) is None:
                history.believe(reading, found, limits.max_power, now, wall)
                chain.length += 1
                own.append(chain)
        if not own:
            own.append(_Chain(History.of(reading, found, now, wall)))
        if len(others) + len(own) > _MAX_CHAINS:
            others.remove(min(others, key=lambda chain: chain.length))
        self._chains = (*others, *own)
        return max(own, key=lambda chain: chain.length)


def _beginning(reading: Reading, found: dict[ObisCode, Energy], now: float, wall: float | None) -> History:
    history = History.of(reading, found, now, wall)
    history.is_held = not _is_present(history, reading, wall)
    return history


def _is_present(truth: History, reading: Reading, wall: float | None) -> bool:
    """Whether the reading is too young to be a replay of what may have been served before."""
    if wall is None:
        return True
    from_ = wall - _YOUNG_SECONDS if truth.behind_until is None else truth.behind_until
    return reading.time.timestamp() >= from_


def _was_ahead(truth: History, reading: Reading, wall: float | None) -> bool:
    """Whether the truth's time has not come yet, and the reading's has: then its age shows no replay."""
    return (
        wall is not None and truth.last.time.timestamp() > wall + _AHEAD_SECONDS >= reading.time.timestamp()
    )


def _may_have_served_more(truth: History) -> bool:
    """Whether an earlier run may have served a value that the meter, for lack of digits, does not show."""
    return truth.behind_until is not None and truth.is_too_coarse


def _release(truth: History) -> None:
    truth.is_held, truth.behind_until = False, None


def _seen_before(truth: History, now: float, wall: float | None) -> float:
    """Time at which an earlier run first saw the last reading, on the clock of this one."""
    if wall is None or truth.seen_at is None:
        return now
    return now - max(wall - truth.seen_at, 0.0)


def _serving(truth: History, rejection: Rejection | None = None, *, reset: bool = False) -> Judgement:
    return Judgement(truth.served, rejection, reset, truth.is_held, truth.seen or 0.0, truth.energies)
