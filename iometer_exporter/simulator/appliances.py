"""What the people of a home switch on and when, planned one day at a time."""

from dataclasses import dataclass
from random import Random
from typing import Final

HOUR: Final = 3600
_MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class Use:
    """An appliance in use from `start` to `end` (seconds of the local day), W while its thermostat is on."""

    start: int
    end: int
    watts: int
    period: int = 1
    on: int = 1
    """Seconds of each period for which the thermostat is on."""


class _Day:
    """The uses of one day, collected."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.uses: list[Use] = []

    def add(
        self, hour: float, minutes: float, watts: float, *, spread: float = 0.5, duty: float = 1.0
    ) -> None:
        """Use an appliance around an hour, give or take; with a duty below 1 its thermostat cycles."""
        start = int((hour + self.random.uniform(-spread, spread)) * HOUR)
        end = start + int(minutes * self.random.uniform(0.7, 1.3) * _MINUTE)
        period = 1 if duty == 1.0 else self.random.randrange(40, 120)
        power = int(watts * self.random.uniform(0.85, 1.15))
        self.uses.append(Use(start, end, power, period, max(1, round(period * duty))))

    def chance(self, probability: float) -> bool:
        """Whether something happens today."""
        return self.random.random() < probability


def plan_day(seed: int, day: int, *, heat_pump: bool) -> tuple[Use, ...]:
    """The uses that begin on a local day (days since 1970-01-01)."""
    plan = _Day(Random(seed * 1_000_003 + day))
    weekend = (day + 3) % 7 >= 5
    _morning(plan, weekend=weekend)
    _noon(plan, weekend=weekend)
    _evening(plan)
    _housework(plan, weekend=weekend)
    if heat_pump:
        # Hot water, once a day, when the sun is most likely to pay for it.
        plan.add(13.0, 40, 1900, spread=0.7)
    return tuple(plan.uses)


def _morning(plan: _Day, *, weekend: bool) -> None:
    hour = 9.0 if weekend else 6.6
    plan.add(hour, 70, 110, spread=0.4)
    plan.add(hour, 4, 2000)
    plan.add(hour + 0.2, 12, 1100, duty=0.5)
    if plan.chance(0.6):
        plan.add(hour, 8, 1500)


def _noon(plan: _Day, *, weekend: bool) -> None:
    if plan.chance(0.85 if weekend else 0.5):
        plan.add(12.2, 30, 1800, duty=0.55)
        plan.add(12.5, 8, 900)
    plan.add(15.5, 4, 2000, spread=1.0)


def _evening(plan: _Day) -> None:
    plan.add(17.3, 310, 90)
    plan.add(18.5, 230, 120)
    plan.add(20.0, 170, 140, spread=0.7)
    plan.add(18.6, 40, 2000, spread=0.6, duty=0.65)
    plan.add(18.8, 25, 1400, duty=0.5)
    if plan.chance(0.5):
        plan.add(18.4, 45, 2300, duty=0.6)
    plan.add(21.0, 4, 2000, spread=1.0)


def _housework(plan: _Day, *, weekend: bool) -> None:
    if plan.chance(0.7):
        plan.add(20.2, 22, 2000)
        plan.add(21.2, 14, 1900, spread=0.2)
    if plan.chance(0.6 if weekend else 0.3):
        plan.add(10.5, 20, 2000, spread=1.5)
        plan.add(11.5, 60, 250, spread=1.5)
    if plan.chance(0.2):
        plan.add(14.0, 80, 900, spread=2.0, duty=0.8)
    if plan.chance(0.6):
        plan.add(14.5, 200, 130, spread=2.0)
