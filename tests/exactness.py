"""Eight days of bridges with every fault that touches a counter, and exporters that are killed in them.

Simulated meters, the exporter's parser, guard and samples, at the times of scrapes; only HTTP and the
waiting are left out. What Prometheus makes of it is compared with what the meters counted.
"""

import json
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Final, Literal

from grafana.histories.history import Truth
from grafana.histories.text import Recorder
from iometer_exporter.bridges.samples import bridge_samples
from iometer_exporter.bridges.snapshot import Snapshot
from iometer_exporter.meter.guard import Guard, Judgement, Limits
from iometer_exporter.meter.memory import Memory
from iometer_exporter.meter.models import ENDPOINTS, parse_reading
from iometer_exporter.metrics.families import ENERGY_EXPORT, ENERGY_IMPORT, Owned
from iometer_exporter.simulator import Fault, SimulatedBridge, Timing

BEGIN: Final = 1_780_272_000.0
"""The first of June 2026: long days, so that much is exported."""
DAYS: Final = 8
END: Final = BEGIN + DAYS * 86_400
QUIET_FROM: Final = END - 86_400
"""On the last day nothing goes wrong, so that what waits for the meter has been passed by it."""

INTERVAL: Final = 60.0
FIRST: Final = BEGIN + 0.437 * INTERVAL
"""Time of the first scrape: Prometheus scrapes at any moment of its interval."""
LAST: Final = END - INTERVAL + 0.437 * INTERVAL
MINUTE: Final = 60.0
HOUR: Final = 3600.0

LIMITS: Final = Limits(max_power=100_000.0, reset_after=600.0)

FAMILIES: Final = (ENERGY_IMPORT, ENERGY_EXPORT)

_TRUTH_KEPT: Final = 3600
"""Seconds between two kept states of a home."""

_MINUTES_KEPT: Final = 600
"""Of each home: more than the farthest replay."""

Direction = Literal["import", "export"]

Trouble = Literal[Fault, "unreachable"]

_LASTS: Final[dict[Trouble, tuple[float, float]]] = {
    "replay": (10, 2 * HOUR),
    "pin-missing": (2 * MINUTE, 6 * HOUR),
    "decrease": (20, 5 * MINUTE),
    "spike": (20, 5 * MINUTE),
    "wrong-export": (20, 5 * MINUTE),
    "clock-ahead": (MINUTE, 2 * HOUR),
    "disconnected": (MINUTE, 3 * HOUR),
    "meter-in-status": (MINUTE, 3 * HOUR),
    "unreachable": (MINUTE, HOUR),
}
"""From how many to how many seconds each lasts."""

_FARTHEST: Final = 8 * HOUR
"""How far back a replay reaches at most."""

_GLITCHES: Final[frozenset[Trouble]] = frozenset(("decrease", "spike", "wrong-export"))

_UNKNOWABLE: Final[frozenset[Trouble]] = _GLITCHES | {"pin-missing"}
"""What a process without a memory cannot tell from the truth when it starts in the middle of it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A bridge: which home, seconds between two readings, whether the exporter has a state file."""

    name: str
    home: int
    measured_every: float
    remembers: bool
    reset_at: float | None = None
    """When the meter begins at zero again, in unix time."""


KINDS: Final = (
    Kind("live-remembered", 1, 1.0, remembers=True),
    Kind("live-forgotten", 2, 1.0, remembers=False),
    Kind("quarterly-remembered", 5, 900.0, remembers=True),
    Kind("quarterly-forgotten", 6, 900.0, remembers=False),
    Kind("live-reset", 9, 1.0, remembers=True, reset_at=BEGIN + 4.3 * 86_400),
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that goes wrong from one unix time to another."""

    kind: Trouble
    begin: float
    end: float


def events_of(kind: Kind, random: Random) -> Iterator[Event]:
    """What goes wrong with a bridge, one after the other, in the order of time."""
    names = [name for name in _LASTS if kind.remembers or kind.measured_every == 1 or name != "wrong-export"]
    now = BEGIN + HOUR
    while now < QUIET_FROM:
        trouble = random.choice(names)
        shortest, longest = _LASTS[trouble]
        lasts = shortest * (longest / shortest) ** random.random()
        if trouble in _GLITCHES and kind.measured_every > INTERVAL:
            # A wrong value is one reading: it is shown until the next one.
            now, lasts = now // 900 * 900 + 900, 900
        event = Event(trouble, now, min(now + lasts, QUIET_FROM))
        # What was used at the moment of a reset is lost where no reading shows it: that is nobody's fault.
        if kind.reset_at is None or not event.begin - HOUR < kind.reset_at < event.end + HOUR:
            yield event
        now += lasts + random.uniform(10 * MINUTE, 2 * HOUR)


class Bridge:
    """A simulated bridge, and what the exporter knows of it: forgotten or kept when it is killed."""

    def __init__(self, kind: Kind, seed: int) -> None:
        self.kind = kind
        self.restarts = 0
        self._random = Random(f"{seed} {kind.name}")
        self._now = BEGIN
        self._sim = SimulatedBridge(
            kind.home, seed=seed, interval=kind.measured_every, clock=lambda: self._now
        )
        profile = self._sim.home.profile
        # A replay goes back over the same hours at every scrape.
        profile.minute = lru_cache(_MINUTES_KEPT)(profile.minute)  # type: ignore[method-assign]
        self.truth = Truth(self._sim.meter, [copy(self._sim.home)])
        self._events = list(events_of(kind, self._random))
        self._killed_at = BEGIN + self._random.uniform(HOUR, 3 * HOUR)
        self._off_until = self._wrong_until = 0.0
        self._is_reset = False
        self._saved = self._saved_before = "{}"
        self._start(is_behind=False)

    def scrape(self, now: float) -> list[Owned]:
        """The counters that the exporter serves at a unix time; none while it is off."""
        self._live(now)
        event = next((event for event in self._events if event.begin <= now < event.end), None)
        self._kill_or_start(event)
        self._break(event)
        if now < self._off_until or (event is not None and event.kind == "unreachable"):
            return []
        # A number that only the status tells is known from there.
        reading = parse_reading(json.dumps(self._sim.reading()).encode())._replace(meter=self._sim.meter)
        judgement = self._guard.judge(reading, now, wall=now)
        if self.kind.remembers:
            # What a process that is killed has written may be one scrape old.
            self._saved_before, self._saved = self._saved, json.dumps(dict(self._memory.entries()))
        return self._served(judgement)

    def finish(self) -> None:
        """Let the home live until the end."""
        self._live(END)

    def counted(self, direction: Direction) -> float:
        """Joules that the meter counted between its first and its last reading, resets left out."""
        every = self.kind.measured_every
        begin, end = FIRST // every * every, LAST // every * every
        if self.kind.reset_at is None:
            return self._between(direction, begin, end)
        before = self._between(direction, begin, self.kind.reset_at - 1)
        return before + self._between(direction, self.kind.reset_at, end)

    def _between(self, direction: Direction, begin: float, end: float) -> float:
        truth = self.truth
        return truth.imported(begin, end) if direction == "import" else truth.exported(begin, end)

    def _start(self, *, is_behind: bool) -> None:
        """Start the exporter with what is kept of the one before."""
        self._memory = Memory()
        kept = self._saved_before if is_behind else self._saved
        for key, payload in json.loads(kept).items():
            self._memory.restore(key, payload, started=self._now, is_behind=is_behind)
        self._guard = Guard(LIMITS, self._memory)

    def _live(self, now: float) -> None:
        """Let the home live, whether or not anybody asks."""
        home, last = self._sim.home, self.truth.states[-1].time
        for moment in range(last - last % _TRUTH_KEPT + _TRUTH_KEPT, int(now) + 1, _TRUTH_KEPT):
            home.advance(moment)
            self.truth.keep(home)
        if self.kind.reset_at is not None and now >= self.kind.reset_at and not self._is_reset:
            home.advance(self.kind.reset_at)
            self.truth.keep(home)
            home.reset()
            self.truth.keep(home)
            self._is_reset = True
        self._now = now

    def _kill_or_start(self, event: Event | None) -> None:
        """Kill the exporter every few hours, and start it again after some minutes at most."""
        now, random = self._now, self._random
        if self._off_until and now >= self._off_until:
            self._off_until = 0.0
            self._start(is_behind=random.random() < 0.5)
            if self.kind.remembers and event is None and random.random() < 0.3:
                self._wrong_until = now + 2 * MINUTE
        elif now >= self._killed_at and not self._off_until:
            away = random.choice((0.0, random.uniform(0, 10 * MINUTE)))
            if not self.kind.remembers and self._meets_the_unknowable(now + away):
                return
            self.restarts += 1
            self._off_until = now + max(away, 1.0)
            self._killed_at = now + random.uniform(2 * HOUR, 6 * HOUR)

    def _meets_the_unknowable(self, now: float) -> bool:
        """Whether a start around that time falls into what only a memory can tell from the truth."""
        spare = 15 * MINUTE
        return any(
            event.kind in _UNKNOWABLE and event.begin - spare <= now <= event.end + spare
            for event in self._events
        )

    def _break(self, event: Event | None) -> None:
        """Let the bridge have the fault of the moment."""
        sim = self._sim
        if event is None or event.kind == "unreachable":
            sim.faults.clear()
        elif event.kind not in sim.faults:
            sim.faults = {event.kind}
            sim.timing = self._timing(event)
        if self._now < self._wrong_until:
            sim.faults = {"wrong-first"}
            sim.timing = Timing(first_wrong_seconds=1e12)

    def _timing(self, event: Event) -> Timing:
        """When a fault strikes that has just begun."""
        random, lasts = self._random, event.end - event.begin
        if self.kind.remembers:
            # Also one that goes through the past more slowly than time goes.
            spacing = random.uniform(0.5, 1200)
            stride = spacing * random.uniform(0.1, 3)
        else:
            # It moves on within seconds and faster than time, or a new process takes it for the truth.
            spacing = random.uniform(0.5, 20)
            stride = max(spacing * 1.5, self.kind.measured_every) * random.uniform(1, 2)
        steps = max(2, int(min(lasts / spacing, _FARTHEST / stride)))
        return Timing(
            replay_first=event.begin - BEGIN,
            replay_every=1e9,
            replay_count=steps,
            replay_spacing=spacing,
            replay_reach=steps * stride,
            # The register of import or of export.
            glitch_first=self._now - BEGIN - random.choice((0, 1)) * 1e9,
            glitch_every=1e9,
            glitch_seconds=1e9,
        )

    def _served(self, judgement: Judgement) -> list[Owned]:
        """The samples of the counters."""
        snapshot = Snapshot(
            bridge=self.kind.name,
            address=self.kind.name,
            source="configured",
            meter=self._sim.meter,
            reading=judgement.served,
            energies=judgement.energies,
            sent=None,
            status=None,
            durations=dict.fromkeys(ENDPOINTS, 0.0),
            failures={},
            errors={},
            rejected={},
            is_held=judgement.is_held,
        )
        owned = bridge_samples(snapshot, now=self._now, stale_after=0.0)
        return [(owner, [sample for sample in samples if sample[0] in FAMILIES]) for owner, samples in owned]


def simulate(kinds: Sequence[Kind], seed: int, recorder: Recorder) -> list[Bridge]:
    """Scrape the bridges from begin to end into the recorder."""
    bridges = [Bridge(kind, seed) for kind in kinds]
    now = FIRST
    while now <= LAST:
        for bridge in bridges:
            recorder.record_owned(bridge.scrape(now), now)
        now += INTERVAL
    for bridge in bridges:
        bridge.finish()
    return bridges
