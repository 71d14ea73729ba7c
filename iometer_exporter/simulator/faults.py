"""What can go wrong with a bridge, by name, and when the passing faults strike."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from iometer_exporter.errors import ConfigError

FAULTS: Final[dict[str, str]] = {
    "no-reading": "/v1/reading answers 404, as before the first reading.",
    "no-status": "/v1/status answers 404, as on some firmware.",
    "no-meter": "The status names no meter.",
    "disconnected": "The core is out of radio reach, the reading stays as it was when that began.",
    "detached": "The core has come off the meter, the reading stays as it was when that began.",
    "pin-missing": "The meter's PIN is not entered: whole kWh only, and no power.",
    "battery-low": "The core's battery is at 7 %.",
    "wired": "The core is powered by wire and has no battery.",
    "import-only": "The meter has no export register, and the home no PV.",
    "tariffs": "The meter also counts import by day (1.8.1) and night tariff (1.8.2).",
    "three-phase": "The meter also sends power, voltage and current per phase, and the frequency.",
    "phase-only": "The meter has no 16.7.0 and sends its total power as 36.7.0 alone.",
    "replay": "Every 15 minutes a run of 30 older readings comes back, then the present again.",
    "decrease": "Now and then an energy register is lower than before, with a new time.",
    "spike": "Now and then an energy register is absurdly high, with a new time.",
    "reset-meter": "After a while all registers restart at zero, with the same meter number.",
    "slow": "Every answer takes 3 s.",
    "hang": "Requests are accepted and never answered.",
    "drop": "The connection is closed instead of an answer.",
    "truncated": "The connection is closed in the middle of the body.",
    "garbage": "The answer is 200 with HTML or random bytes.",
    "huge": "The answer is a body of 200 MB.",
    "close-idle": "An idle kept-alive connection is closed without a word, or at its second request.",
    "http-500": "Every answer is 500.",
}
"""Every kind of fault and what it does."""


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """A kind of fault, and the 1-based number of the bridge that has it (None: all have it)."""

    kind: str
    bridge: int | None = None

    def __str__(self) -> str:
        return self.kind if self.bridge is None else f"{self.kind}@{self.bridge}"

    def hits(self, number: int) -> bool:
        """Whether the bridge of this number has the fault."""
        return self.bridge in (None, number)


@dataclass(slots=True)
class Timing:
    """When the faults that come and go strike, in seconds since the bridge started."""

    replay_first: float = 20.0
    replay_every: float = 900.0
    replay_count: int = 30
    replay_spacing: float = 0.5
    """For how long each of the older readings is shown."""
    replay_reach: float = 900.0
    """How far back the first of the older readings lies; the others follow evenly up to the present."""

    glitch_first: float = 30.0
    glitch_every: float = 120.0
    glitch_seconds: float = 10.0
    """For how long a wrong value is shown."""

    reset_after: float = 60.0
    slow_seconds: float = 3.0
    idle_seconds: float = 1.0

    def replayed(self, elapsed: float) -> float | None:
        """How many seconds before the present the reading shown now lies; None outside of a replay."""
        since = (elapsed - self.replay_first) % self.replay_every
        step = int(since // self.replay_spacing)
        if elapsed < self.replay_first or step >= self.replay_count:
            return None
        return since + self.replay_reach * (1.0 - step / self.replay_count)

    def glitch(self, elapsed: float) -> int | None:
        """The number of the wrong value shown now, from 0; None while values are right."""
        number, since = divmod(elapsed - self.glitch_first, self.glitch_every)
        return None if number < 0 or since >= self.glitch_seconds else int(number)


def parse_fault(text: str) -> FaultSpec:
    """The fault written as `KIND` or `KIND@N`; raises ConfigError for an unknown kind or number."""
    kind, at, bridge = text.partition("@")
    if kind not in FAULTS:
        near = difflib.get_close_matches(kind, FAULTS, n=1, cutoff=0.0)
        raise ConfigError(f"there is no fault {kind!r}, the nearest is {near[0]!r}")
    if not at:
        return FaultSpec(kind)
    if not re.fullmatch(r"[1-9][0-9]{0,5}", bridge, re.ASCII):
        raise ConfigError(f"{bridge!r} in fault {text!r} is no bridge number, count from 1 as in {kind}@1")
    return FaultSpec(kind, int(bridge))


def check_faults(faults: Iterable[FaultSpec], bridges: int) -> None:
    """Raise ConfigError if a fault is of no known kind, or for a bridge that is not there."""
    for fault in faults:
        parse_fault(str(fault))
        if fault.bridge is not None and fault.bridge > bridges:
            raise ConfigError(f"fault {fault} is for bridge {fault.bridge}, but there are only {bridges}")
