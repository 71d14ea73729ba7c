"""What the histories are of: three homes' worth of scenarios, and what happened to their bridges."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from iometer_exporter.simulator import Fault

ZONE: Final = ZoneInfo("Europe/Berlin")

SEED: Final = 7
"""Of all simulated homes."""


def local(text: str) -> float:
    """Unix time of a local time such as `2026-04-05 19:42:07`."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()


BEGIN: Final = local("2026-03-28 00:00:00")
END: Final = local("2026-04-05 19:42:07")
"""Nearly nine days with the turn of a month and of the clock (29 March) in them."""

Kind = Literal[
    "disconnected",
    "exporter-off",
    "exporter-restart",
    "meter-reset",
    "no-status",
    "replay",
    "unreachable",
    # In the cloud of a provider:
    "api-down",
    "bad-answers",
]


@dataclass(frozen=True, slots=True)
class Event:
    """What happens to the exporter, or to a bridge (numbered from 1), from one unix time to another.

    To a provider's exporter: its number stands in place of the bridge's, 0 for all.
    """

    kind: Kind
    begin: float
    end: float
    bridge: int = 1


EVENTS: Final = (
    Event("replay", local("2026-03-28 15:00:00"), local("2026-03-28 15:40:00")),
    Event("no-status", local("2026-03-29 12:00:00"), local("2026-03-29 12:10:00")),
    Event("unreachable", local("2026-03-30 03:00:00"), local("2026-03-30 03:20:00")),
    # The registers begin at zero again; what the home uses goes on.
    Event("meter-reset", local("2026-03-30 12:00:00"), END),
    Event("exporter-off", local("2026-03-31 13:00:00"), local("2026-03-31 16:00:00")),
    Event("disconnected", local("2026-04-02 09:30:00"), local("2026-04-02 09:45:00")),
    # No scrape is missing: only the start time and the exporter's own counters tell.
    Event("exporter-restart", local("2026-04-04 20:00:00"), local("2026-04-04 20:00:00")),
    # Nothing to wake anybody for, but to be seen.
    Event("unreachable", local("2026-04-05 05:00:00"), local("2026-04-05 05:02:00")),
    Event("replay", local("2026-04-05 14:00:00"), local("2026-04-05 14:20:00")),
)

FIRMWARE_UPDATE: Final = local("2026-04-05 08:00:00")
"""When the bridges got the firmware that the simulator has."""


@dataclass(frozen=True, slots=True)
class Household:
    """A bridge: its name, which of the simulator's homes it is in (from 1), and its lasting faults.

    `events` is the seconds between two events of its stream; 0 is for one that is not followed.
    """

    name: str
    home: int
    faults: tuple[Fault, ...] = ()
    events: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """An exporter with bridges, scraped every `interval` seconds, from `begin` to `end` in unix time."""

    name: str
    interval: int
    households: tuple[Household, ...]
    begin: float = BEGIN
    end: float = END
    events: tuple[Event, ...] = EVENTS

    @property
    def instance(self) -> str:
        """The label `instance` of its series."""
        return "exporter:10180"


SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario("pv-15s", 15, (Household("house", 1, ("tariffs",)),)),
        Scenario(
            "three-60s",
            60,
            (
                Household("house", 1, ("three-phase", "tariffs"), events=20),
                Household("barn", 2, ("wired",)),
                Household("flat", 3, ("import-only",)),
            ),
        ),
        Scenario("plain-60s", 60, (Household("flat", 4, ("import-only", "wired")),)),
    )
}
"""15 s and 60 s, one bridge and three, with PV and without, on battery and wired, one with its streams."""

PROVIDER: Final = Scenario(
    "provider-120s",
    120,
    (),
    begin=local("2026-04-04 18:00:00"),
    events=(
        Event("api-down", local("2026-04-05 03:00:00"), local("2026-04-05 03:40:00"), 0),
        Event("exporter-off", local("2026-04-05 09:00:00"), local("2026-04-05 09:30:00"), 2),
        Event("bad-answers", local("2026-04-05 13:00:00"), local("2026-04-05 13:30:00"), 0),
    ),
)
"""A day of a provider's fleet with two shards: its cloud was down, sent nonsense, and a shard was off."""

EVERY: Final = {**SCENARIOS, PROVIDER.name: PROVIDER}
