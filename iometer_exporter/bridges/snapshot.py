"""Knowledge of one scrape about one bridge: plain values between the fleet and those who show them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple

from iometer_exporter.errors import FetchError, Reason
from iometer_exporter.meter.guard import Rejection
from iometer_exporter.meter.models import Endpoint, Reading, Status
from iometer_exporter.meter.obis import ObisCode
from iometer_exporter.metrics.families import Distribution
from iometer_exporter.metrics.lines import Heads

Source = Literal["configured", "discovered", "probed"]
"""Way in which a bridge became known."""

SOURCES: tuple[Source, ...] = ("configured", "discovered")
"""Sources of bridges that are known before somebody asks: label `source` of `iometer_bridges`."""


@dataclass(frozen=True, slots=True)
class KnownBridge:
    """A bridge as service discovery shows it; `address` is where it can be asked, as `host:port`."""

    name: str
    address: str
    source: Source
    meter: str
    device_id: str
    labels: Mapping[str, str]


class StreamState(NamedTuple):
    """The stream of an endpoint: whether it answers scrapes, and what has come of it since it is followed."""

    up: bool
    events: int
    reconnects: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One bridge as it answered one scrape; durations are in seconds.

    `reading` is what the guard lets through, `sent` what the bridge sent; both and `status` are None
    where the endpoint gave no valid document, and `failures` then says why. `energies` are the counters
    of `reading` in joules, none without it. `errors` and `rejected` count since the start of the process.
    `seen_for` is for how many seconds `reading` has been known; while `is_held`, its energies may not be
    served as counters yet. `heads` are those of its lines, which the bridge keeps from one scrape
    to the next. `streams` are those of a bridge that is followed, and `powers` the power of the readings that
    they brought, by meter; without any, None. `edition` is the same for the same
    `reading`, `energies` and `sent` of a bridge, if it is one.
    """

    bridge: str
    address: str
    source: Source
    meter: str
    reading: Reading | None
    energies: Mapping[ObisCode, Decimal]
    sent: Reading | None
    status: Status | None
    durations: Mapping[Endpoint, float]
    failures: Mapping[Endpoint, FetchError]
    errors: Mapping[tuple[Endpoint, Reason], int]
    rejected: Mapping[Rejection, int]
    seen_for: float = 0.0
    is_held: bool = False
    streams: Mapping[Endpoint, StreamState] = field(default_factory=dict)
    powers: tuple[str, Distribution] | None = None
    edition: int | None = field(default=None, compare=False)
    heads: Heads = field(default_factory=Heads, compare=False, repr=False)

    def age(self, now: float) -> float | None:
        """Seconds since the time of the reading at Unix time `now`, negative if it is in the future."""
        return None if self.reading is None else now - self.reading.time.timestamp()

    def is_stale(self, now: float, stale_after: float) -> bool:
        """Whether the reading is older than `stale_after` seconds (0: never), by its time or since it came.

        Of a bridge whose clock is ahead, the time alone would say so a day too late.
        """
        age = self.age(now)
        return age is not None and bool(stale_after) and max(age, self.seen_for) > stale_after

    @property
    def up(self) -> bool:
        """Whether at least one endpoint gave a valid document."""
        return self.sent is not None or self.status is not None
