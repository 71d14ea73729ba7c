"""What is known of a bridge at one moment, for people: the last values, also while it does not answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from iometer_exporter.errors import FetchError
from iometer_exporter.meter.course import Recent
from iometer_exporter.meter.guard import Rejection
from iometer_exporter.meter.models import ENDPOINTS, Endpoint, Reading, Status


@dataclass(frozen=True, slots=True)
class Glance:
    """One bridge as it was last seen; unlike in a snapshot, values outlive the fetch that brought them.

    `failures` are those of the last fetch of each endpoint, and `is_asked` whether any has ended yet.
    `answered_at` is the Unix time of the last valid document. `reading` is what the guard lets through, known
    for `seen_for` seconds; `rejection` says why the one sent last was refused, `rejected` counts since the
    start of the process.
    """

    name: str
    address: str
    meter: str
    reading: Reading | None = None
    status: Status | None = None
    is_asked: bool = True
    failures: Mapping[Endpoint, FetchError] = field(default_factory=dict)
    answered_at: float | None = None
    seen_for: float = 0.0
    rejection: Rejection | None = None
    rejected: Mapping[Rejection, int] = field(default_factory=dict)
    recent: Recent = field(default_factory=Recent)

    @property
    def is_down(self) -> bool:
        """Whether neither endpoint gave a valid document when it was last asked."""
        return self.failures.keys() >= set(ENDPOINTS)

    def age(self, now: float) -> float | None:
        """Seconds since the time of the reading at Unix time `now`, negative if it is in the future."""
        return None if self.reading is None else now - self.reading.time.timestamp()

    def is_stale(self, now: float, stale_after: float) -> bool:
        """Whether the reading is older than `stale_after` seconds (0: never), by its time or by ours."""
        age = self.age(now)
        return age is not None and bool(stale_after) and max(age, self.seen_for) > stale_after
