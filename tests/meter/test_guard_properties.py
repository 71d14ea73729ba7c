"""A truthful meter behind everything that a bridge and a host may do: what `increase()` sees stays true."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from iometer_exporter.meter.guard import Guard, Judgement, Limits
from iometer_exporter.meter.memory import Memory
from iometer_exporter.meter.models import Reading, Register
from iometer_exporter.meter.obis import ENERGY_EXPORT, ENERGY_IMPORT, POWER, ObisCode
from iometer_exporter.meter.quantities import energies
from tests.properties import examples

START: Final = datetime(2024, 11, 11, tzinfo=UTC)
LIMITS: Final = Limits(max_power=100_000.0, reset_after=600.0)
KWH: Final = Decimal(3_600_000)
ENERGIES: Final = (ENERGY_IMPORT, ENERGY_EXPORT)


@dataclass(frozen=True)
class Shown:
    """What the meter showed at a time, in seconds since the start; energies in 0.1 Wh."""

    time: float
    imported: int
    exported: int
    pin: bool = True


def as_reading(shown: Shown) -> Reading:
    registers = {}
    for code, tenths in zip(ENERGIES, (shown.imported, shown.exported), strict=True):
        # As the simulator: without its PIN, the meter shows whole kWh, truncated.
        shown_tenths = tenths if shown.pin else tenths // 10_000 * 10_000
        registers[code] = Register(code, Decimal(shown_tenths) / 10, "Wh")
    if shown.pin:
        registers[POWER] = Register(POWER, Decimal(230), "W")
    return Reading("1ISK", START + timedelta(seconds=shown.time), registers)


@dataclass
class World:
    """A meter, a bridge, and an exporter that is started again and again; `now` is the time of all clocks."""

    start: tuple[int, int]
    pin: bool = True
    now: float = 1e6
    sent: list[Shown] = field(default_factory=list)
    """What the meter showed, in its order: what a replay may show again."""
    served: dict[ObisCode, Decimal] = field(default_factory=dict)
    increase: dict[ObisCode, Decimal] = field(default_factory=dict)
    begun: dict[ObisCode, Decimal] = field(default_factory=dict)
    resets: int = 0

    def __post_init__(self) -> None:
        self.imported, self.exported = self.start
        self.memory = Memory()
        self.guard = Guard(LIMITS, self.memory)
        self.saved = list(self.memory.entries())
        self.live()

    @property
    def truth(self) -> Shown:
        return Shown(self.now, self.imported, self.exported, self.pin)

    def live(self, seconds: float = 0.0, imported: int = 0, exported: int = 0) -> Judgement:
        """Time passes, the meter counts, and shows what it has."""
        self.now += seconds
        self.imported += imported
        self.exported += exported
        self.sent.append(self.truth)
        return self.deliver(self.truth)

    def deliver(self, shown: Shown) -> Judgement:
        judgement = self.guard.judge(as_reading(shown), self.now, wall=START.timestamp() + self.now)
        self.resets += judgement.reset
        if not judgement.is_held:
            assert judgement.energies == energies(judgement.served)
            for code, value in judgement.energies.items():
                before = self.served.get(code)
                if before is None:
                    self.begun[code], self.increase[code] = value, Decimal(0)
                else:
                    assert value >= before, f"{code} fell from {before} to {value}"
                    self.increase[code] += value - before
                self.served[code] = value
        return judgement

    def replay(self, lag: int, count: int, seconds: float) -> None:
        """Readings from the past, in their order, one after the other."""
        for shown in self.sent[-1 - lag :][:count]:
            self.now += seconds
            self.deliver(shown)

    @property
    def is_ahead(self) -> bool:
        """Whether a counter waits for the meter: that is lost with the memory."""
        now = energies(as_reading(self.truth))
        return any(value > now[code] for code, value in self.served.items())

    def save(self) -> None:
        self.saved = list(self.memory.entries())

    def restart(self, *, in_order: bool) -> None:
        """Another process goes on with what was saved, in the end or, after a kill, some time ago."""
        if in_order:
            self.save()
        self.memory = Memory()
        for key, payload in self.saved:
            started = START.timestamp() + self.now
            self.memory.restore(key, payload, started=started, is_behind=not in_order)
        self.guard = Guard(LIMITS, self.memory)

    def forget(self) -> None:
        """Another process goes on without any memory, while older readings are replayed in a hurry."""
        self.memory = Memory()
        self.saved = []
        self.guard = Guard(LIMITS, self.memory)

    def burst(self, at: int) -> None:
        """A replay as firmware does it: all that is left of the past within seconds, in steps."""
        step = 10.0
        last = -1e9
        for shown in self.sent[at:]:
            if self.now - shown.time > 200 and shown.time - last > 2 * step:
                self.now += 1.0
                last = shown.time
                self.deliver(shown)


COUNTED: Final = st.tuples(
    st.sampled_from([1.0, 10.0, 60.0, 900.0]), st.integers(0, 1000), st.integers(0, 1000)
)
"""Seconds, and how many thousandths of `max_power` the meter takes and gives in them."""

EVENTS: Final = st.one_of(
    st.tuples(st.just("live"), COUNTED),
    st.tuples(st.just("live"), COUNTED),
    st.tuples(
        st.just("replay"),
        st.tuples(st.integers(0, 40), st.integers(1, 40), st.sampled_from([0.0, 0.5, 15.0, 60.0, 900.0])),
    ),
    st.tuples(st.just("again"), st.just(())),
    st.tuples(st.just("pin"), st.just(())),
    st.tuples(st.just("future"), st.sampled_from([3700.0, 86400.0, 1e9])),
    st.tuples(
        st.just("wrong"), st.tuples(st.sampled_from([-60_000, -1, 10_000, 1 << 32]), st.integers(1, 2))
    ),
    st.tuples(st.just("wrong jump"), st.tuples(st.integers(1, 1000), st.integers(1, 3))),
    st.tuples(st.just("save"), st.just(())),
    st.tuples(st.just("restart"), st.just(())),
    st.tuples(st.just("kill"), st.just(())),
    st.tuples(st.just("forget"), st.integers(0, 60)),
)


def count(world: World, counted: tuple[float, int, int]) -> Judgement:
    seconds, imported, exported = counted
    most = int(LIMITS.max_power * seconds / 3600 * 10)
    return world.live(seconds, most * imported // 1000, most * exported // 1000)


def wrong(world: World, exported: int, times: int) -> None:
    """The export is wrong in some readings one after the other, each with a new time; the rest is right."""
    for _ in range(times):
        world.now += 1.0
        truth = world.truth
        world.deliver(Shown(truth.time, truth.imported, max(exported, 0), truth.pin))


@pytest.mark.no_cover
@examples(50, suppress_health_check=(HealthCheck.too_slow,))
@given(
    start=st.tuples(st.integers(0, 10**9), st.integers(10**6, 10**9)),
    pin=st.booleans(),
    events=st.lists(EVENTS, min_size=1, max_size=40),
)
def test_counters_never_fall_and_what_they_rise_by_is_what_the_meter_counted(
    start: tuple[int, int], pin: bool, events: list[tuple[str, object]]
) -> None:
    world = World(start, pin)
    settle(world)
    for kind, given_ in events:
        match kind, given_:
            case "live", (float(seconds), int(imported), int(exported)):
                count(world, (seconds, imported, exported))
            case "replay", (int(lag), int(number), float(seconds)):
                world.replay(lag, number, seconds)
            case "again", _:
                world.deliver(world.sent[-1])
            case "pin", _:
                world.pin = not world.pin
            case "future", float(ahead):
                truth = world.truth
                world.deliver(Shown(truth.time + ahead, truth.imported, truth.exported, truth.pin))
                settle(world)
            case "wrong", (int(by), int(times)):
                wrong(world, world.exported + by, times)
                count(world, (1.0, 10, 10))
            case "wrong jump", (int(share), int(times)):
                world.now += 900
                wrong(world, world.exported + 250_000 * share // 1000, times)
                count(world, (1.0, 10, 0))
            case "save", _:
                world.save()
            case "restart", _:
                world.restart(in_order=True)
            case "kill", _:
                if world.is_ahead:
                    world.save()
                world.restart(in_order=False)
                settle(world)
            case "forget", int(back) if not world.is_ahead:
                world.forget()
                world.burst(-back)
                settle(world)
    # What was counted too early has to be counted by the meter too.
    for _ in range(4):
        world.live(3600.0, 10_000, 300_000)
    settle(world)
    for code, tenths in zip(ENERGIES, (world.imported, world.exported), strict=True):
        counted = Decimal(tenths * 360) - world.begun[code]
        unit = KWH if not world.pin or world.begun[code] % KWH == 0 else Decimal(360)
        assert abs(world.increase[code] - counted) <= unit + counted / 1000


def settle(world: World) -> None:
    """Until all is forgotten that was wrong: the meter counts on, and is read every few seconds."""
    for _ in range(90):
        world.live(10.0, 2, 2)


def test_the_world_of_this_test_would_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a guard, a replay fails it."""

    def believe_all(_: Guard, reading: Reading, now: float, **_more: object) -> Judgement:
        return Judgement(reading, None, energies=energies(reading))

    monkeypatch.setattr(Guard, "judge", believe_all)
    world = World((10**6, 10**6))
    settle(world)
    with pytest.raises(AssertionError, match="fell"):
        world.replay(5, 1, 1.0)
