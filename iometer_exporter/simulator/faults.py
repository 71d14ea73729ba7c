"""What can go wrong with a bridge, by name, and when the passing faults strike."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from iometer_exporter.errors import ConfigError

Fault = Literal[
    "no-reading",
    "no-status",
    "disconnected",
    "detached",
    "pin-missing",
    "pin-lost",
    "battery-low",
    "replay",
    "decrease",
    "spike",
    "wrong-export",
    "wrong-first",
    "clock-ahead",
    "reset-meter",
    "slow",
    "jitter",
    "hang",
    "no-accept",
    "swallow",
    "drop",
    "truncated",
    "reset-body",
    "drip-head",
    "interim-flood",
    "tiny-chunks",
    "garbage",
    "huge",
    "doubled",
    "trailing",
    "close-idle",
    "idle-408",
    "http-500",
    "no-stream",
    "stream-stall",
    "stream-restart",
    "half-event",
    "huge-event",
    "wired",
    "import-only",
    "tariffs",
    "three-phase",
    "phase-only",
    "no-meter",
    "meter-in-status",
]
"""What a simulated bridge can be told to do."""

FAULTS: Final[dict[Fault, str]] = {
    "no-reading": "/v1/reading answers 404, as before the first reading.",
    "no-status": "/v1/status answers 404, as on some firmware.",
    "disconnected": "The core is out of radio reach, the reading stays as it was when that began.",
    "detached": "The core has come off the meter, the reading stays as it was when that began.",
    "pin-missing": "The meter's PIN is not entered: whole kWh only, and no power.",
    "pin-lost": "The meter loses its PIN now and then for a minute, as after a power cut, and gets it back.",
    "battery-low": "The core's battery is at 7 %.",
    "replay": "Every 15 minutes a run of 30 older readings comes back, then the present again.",
    "decrease": "Now and then an energy register is lower than before, with a new time.",
    "spike": "Now and then an energy register is absurdly high, with a new time.",
    "wrong-export": "Now and then the export register is 20 kWh too high, which 15 minutes could explain.",
    "wrong-first": "In the first seconds after the start the export register shows 99,999 kWh.",
    "clock-ahead": "The bridge's clock is a day ahead.",
    "reset-meter": "After a while all registers restart at zero, with the same meter number.",
    "slow": "Every answer takes 3 s.",
    "jitter": "Every answer takes a random time of 1.5 to 2.5 s.",
    "hang": "Requests are accepted and never answered.",
    "no-accept": "Connections are established, and nobody ever reads from them.",
    "swallow": "A kept-alive connection swallows its second request and all others without a word.",
    "drop": "The connection is closed instead of an answer.",
    "truncated": "The connection is closed in the middle of the body.",
    "reset-body": "The connection is reset in the middle of the body.",
    "drip-head": "The head of the answer comes a byte at a time, without end.",
    "interim-flood": "Interim answers (103) come without end, the answer itself never.",
    "tiny-chunks": "The body has 64 KiB, in chunks of one byte.",
    "garbage": "The answer is 200 with HTML or random bytes.",
    "huge": "The answer is a body of 200 MB.",
    "doubled": "Each answer is sent twice.",
    "trailing": "Random bytes follow the body.",
    "close-idle": "An idle kept-alive connection is closed without a word, or at its second request.",
    "idle-408": "An idle kept-alive connection is told 408 Request Timeout and closed.",
    "http-500": "Every answer is 500.",
    "no-stream": "Firmware that streams answers with the document instead, as older firmware does.",
    "stream-stall": "A stream sends nothing any more after some events, and stays open.",
    "stream-restart": "A stream ends after some events, as when the bridge restarts.",
    "half-event": "A stream stops in the middle of an event, and stays open.",
    "huge-event": "After some events a stream sends one of 10 MB.",
    "wired": "The core is powered by wire and has no battery.",
    "import-only": "The meter has no export register, and the home no PV.",
    "tariffs": "The meter also counts import by day (1.8.1) and night tariff (1.8.2).",
    "three-phase": "The meter also sends power, voltage and current per phase, and the frequency.",
    "phase-only": "The meter has no 16.7.0 and sends its total power as 36.7.0 alone.",
    "no-meter": "The status names no meter.",
    "meter-in-status": "Only the status names the meter, the reading does not.",
}
"""Every kind of fault and what it does; last the situations."""

SITUATIONS: Final[frozenset[Fault]] = frozenset(
    ("wired", "import-only", "tariffs", "three-phase", "phase-only", "no-meter", "meter-in-status")
)
"""What some meters and firmwares are like, with nothing wrong."""

Endpoint = Literal["reading", "status"]
"""The two documents of a bridge, `/v1/reading` and `/v1/status`."""

ENDPOINTS: Final[tuple[Endpoint, ...]] = get_args(Endpoint)


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """A kind of fault, and the 1-based number of the bridge that has it (None: all have it)."""

    kind: Fault
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

    first_wrong_seconds: float = 10.0
    """For how long after the start the wrong first value is shown."""

    pin_first: float = 30.0
    pin_every: float = 600.0
    pin_seconds: float = 60.0
    """For how long the meter is without its PIN each time."""

    reset_after: float = 60.0
    clock_ahead: float = 86_400.0
    slow_seconds: float = 3.0
    jitter_around: float = 2.0
    jitter_spread: float = 0.5
    drip_seconds: float = 0.1
    """Between two bytes of a dripping head."""
    idle_seconds: float = 1.0
    good_events: int = 5
    """Of a stream, before one of its own faults strikes."""

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

    def without_pin(self, elapsed: float) -> bool:
        """Whether the meter that loses its PIN now and then is without it now."""
        number, since = divmod(elapsed - self.pin_first, self.pin_every)
        return number >= 0 and since < self.pin_seconds

    @classmethod
    def at_once(cls) -> "Timing":
        """A timing by which every passing fault strikes when it is switched on, and stays."""
        never = 1e9
        return cls(
            replay_first=0.0,
            replay_every=never,
            replay_spacing=never / 30,
            glitch_first=0.0,
            glitch_every=never,
            glitch_seconds=never,
            first_wrong_seconds=never,
            pin_first=0.0,
            pin_every=never,
            pin_seconds=never,
            reset_after=0.0,
        )


def parse_fault(text: str) -> FaultSpec:
    """The fault written as `KIND` or `KIND@N`; raises ConfigError for an unknown kind or number."""
    name, at, bridge = text.partition("@")
    kind = next((fault for fault in FAULTS if fault == name), None)
    if kind is None:
        near = difflib.get_close_matches(name, FAULTS, n=1, cutoff=0.0)
        raise ConfigError(f"there is no fault {name!r}, the nearest is {near[0]!r}")
    if not at:
        return FaultSpec(kind)
    if not re.fullmatch(r"[1-9][0-9]{0,5}", bridge, re.ASCII):
        raise ConfigError(f"{bridge!r} in fault {text!r} is not a bridge number, count from 1 as in {kind}@1")
    return FaultSpec(kind, int(bridge))


def check_faults(faults: Iterable[FaultSpec], bridges: int) -> None:
    """Raise ConfigError if a fault is of no known kind, or for a bridge that is not there."""
    for fault in faults:
        parse_fault(str(fault))
        if fault.bridge is not None and fault.bridge > bridges:
            raise ConfigError(f"fault {fault} is for bridge {fault.bridge}, but there are only {bridges}")
