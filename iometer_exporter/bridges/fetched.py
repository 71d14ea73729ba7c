"""What comes of asking a bridge for its documents."""

import asyncio
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from iometer_exporter.errors import FetchError
from iometer_exporter.meter.guard import Judgement
from iometer_exporter.meter.models import Reading, Status

Result = TypeVar("Result")


class Judged(NamedTuple):
    """A reading as it was sent, and the guard's judgement on it; another edition where either is another."""

    sent: Reading
    judgement: Judgement
    edition: int


@dataclass(frozen=True, slots=True)
class Fetched(Generic[Result]):
    """Outcome of one fetch of an endpoint, after so many seconds: what its document gave, or a failure."""

    duration: float
    result: Result | None = None
    failure: FetchError | None = None


class Fetches(NamedTuple):
    """One fetch of each endpoint under way, to wait for; or its outcome, where a stream has brought it."""

    reading: asyncio.Task[Fetched[Judged]] | Fetched[Judged]
    status: asyncio.Task[Fetched[Status]] | Fetched[Status]

    @property
    def tasks(self) -> "list[asyncio.Task[Fetched[Judged]] | asyncio.Task[Fetched[Status]]]":
        """Those that are under way."""
        return [task for task in self if isinstance(task, asyncio.Task)]


class Outcomes(NamedTuple):
    """Outcome of one fetch of each endpoint."""

    reading: Fetched[Judged]
    status: Fetched[Status]
