"""One event stream as it comes in: its events, within bounds that no bridge can stretch."""

from collections.abc import Callable
from math import inf
from typing import Final

from iometer_exporter.bridges.http.answer import MAX_BODY_BYTES
from iometer_exporter.bridges.live.events import EventStream
from iometer_exporter.errors import FetchError

_LONGEST_RETRY_SECONDS: Final = 60.0
"""A server that wants to be left alone longer is asked then."""

_WINDOW_SECONDS: Final = 10.0
_MOST_EVENTS: Final = 100
_MOST_BYTES: Final = 1024 * 1024
"""Events and bytes in a window of time: no stream takes the time of all others."""


class Incoming:
    """Takes the parts of a stream; see `BodySink`."""

    def __init__(
        self,
        event_name: str,
        *,
        begins: Callable[[float], None],
        lives: Callable[[float], None],
        takes: Callable[[bytes], None],
        clock: Callable[[], float],
    ) -> None:
        """Tell when the stream begins, each sign of life, and the data of each event of this name.

        Times are those of the clock, in seconds. The bounds of a part are checked before its events are told.
        """
        self.began: float | None = None
        """When the stream began; None while there is none."""
        self._clock = clock
        self._events = EventStream(MAX_BODY_BYTES)
        self._event_name = event_name
        self._begins = begins
        self._lives = lives
        self._takes = takes
        self._window_ends = -inf
        self._window_events = self._window_bytes = 0

    @property
    def retry_seconds(self) -> float | None:
        """How long the server wants to be left alone, within reason; None if it has not said."""
        asked = self._events.retry_seconds
        return None if asked is None else min(asked, _LONGEST_RETRY_SECONDS)

    def begin(self) -> None:
        """Take the beginning of the stream."""
        self.began = self._clock()
        self._begins(self.began)

    def feed(self, part: bytes) -> None:
        """Take a part of the stream; raises FetchError for what goes beyond all bounds."""
        now = self._clock()
        events = [event for event in self._events.feed(part) if event.name == self._event_name]
        self._count(now, len(part), len(events))
        self._lives(now)
        for event in events:
            self._takes(event.data)

    def _count(self, now: float, size: int, events: int) -> None:
        if now >= self._window_ends:
            self._window_ends = now + _WINDOW_SECONDS
            self._window_events = self._window_bytes = 0
        self._window_bytes += size
        self._window_events += events
        if self._window_events > _MOST_EVENTS:
            raise FetchError("too_large", f"sent more than {_MOST_EVENTS} events in {_WINDOW_SECONDS:g} s")
        if self._window_bytes > _MOST_BYTES:
            raise FetchError("too_large", f"sent more than {_MOST_BYTES} bytes in {_WINDOW_SECONDS:g} s")
