"""Follows the event stream of one endpoint of one bridge, in the background."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar

from iometer_exporter.bridges.http.answer import BodySink
from iometer_exporter.bridges.live.deadline import Deadline
from iometer_exporter.bridges.live.incoming import Incoming
from iometer_exporter.bridges.live.rhythm import Rhythm
from iometer_exporter.bridges.snapshot import StreamState
from iometer_exporter.errors import FetchError
from iometer_exporter.meter.models import Endpoint
from iometer_exporter.net.backoff import Backoff

_log = logging.getLogger(__name__)

_OPEN_SECONDS: Final = 10.0
"""Longest time until a stream begins."""

_NO_STREAM_SECONDS: Final[dict[Literal["auto", "on"], float]] = {"auto": 600.0, "on": 60.0}
"""After them a bridge that answers without a stream is asked for one again: it may have newer firmware."""

_STEADY_SECONDS: Final = 60.0
"""A stream that lasted so long is opened again soon after its end."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Following:
    """How a bridge is followed. In mode `on` it is a fault if it cannot stream.

    A stream is silent, or brings no event, for `longest_silence` seconds at most.
    """

    mode: Literal["auto", "on"]
    longest_silence: float


class Follower(Generic[Result]):
    """Keeps the newest document of an endpoint while its stream is alive; end it with `aclose`.

    A stream is alive from its first good event on until it ends, is silent for longer than its rhythm
    explains, brings something bad, or is given up for a fetch.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        ask: Callable[[Endpoint, BodySink], Awaitable[object]],
        take: Callable[[bytes | FetchError], Result | None],
        how: Following,
        *,
        name: Callable[[], str],
    ) -> None:
        """Follow from now on.

        `ask` hands the stream to a sink until it ends, and raises FetchError where there is none. `take`
        gives what an event's data is worth, None for nothing, and is told of an event that cannot be taken.
        `name` gives that of the bridge for the log.
        """
        self.newest: Result | None = None
        """What the last event was worth; None unless the stream is alive."""
        self._endpoint = endpoint
        self._ask = ask
        self._take = take
        self._how = how
        self._name = name
        self._rhythm = Rhythm(how.longest_silence)
        self._event_at = 0.0
        """When the last event came, or the stream began."""
        self._backoff = Backoff()
        self._events = 0
        self._reconnects = 0
        self._has_streamed = False
        self._told = ""
        """Last reason in the log why there is no stream; empty while there is one, or nothing is known."""
        self._deadline: Deadline | None = None
        """When the try under way ends if no more comes."""
        self._is_given_up = False
        """Whether a fetch has taken the place of the try under way."""
        self._fetches = 0
        """Fetches of the endpoint under way."""
        self._free = asyncio.Event()
        self._free.set()
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def state(self) -> StreamState:
        """How the stream does, and what has come of it since it is followed."""
        return StreamState(self.newest is not None, self._events, self._reconnects)

    def end(self) -> None:
        """End the stream now; `aclose` waits until it is gone."""
        self.newest = None
        self._task.cancel()

    async def aclose(self) -> None:
        """End the stream, and wait until nothing is left of it."""
        self.end()
        await asyncio.gather(self._task, return_exceptions=True)

    @contextmanager
    def standing_aside(self) -> Iterator[None]:
        """Give up the stream, if one is open or asked for, and ask for none inside of the block.

        So two connections to a bridge are enough: each endpoint has one, for its stream or for its fetch.
        """
        self._fetches += 1
        self._free.clear()
        self.newest = None
        if self._deadline is not None and not self._deadline.is_over:
            self._is_given_up = True
            self._deadline.end()
        try:
            yield
        finally:
            self._fetches -= 1
            if not self._fetches:
                self._free.set()

    async def _run(self) -> None:
        while True:
            while self._fetches:
                # The next may have begun before this task has its turn.
                await self._free.wait()
            await asyncio.sleep(await self._try())

    async def _try(self) -> float:
        """Follow a stream to its end; how many seconds to wait before the next try."""
        clock = asyncio.get_running_loop().time
        incoming = Incoming(
            f"{self._endpoint}Event", begins=self._begin, lives=self._live, takes=self._event, clock=clock
        )
        failure = await self._follow(incoming)
        if incoming.began is not None:
            lasted = clock() - incoming.began
            if lasted >= _STEADY_SECONDS:
                self._backoff.succeeded()
            if not self._is_given_up or lasted >= _OPEN_SECONDS:
                # One that has just begun gives way to a scrape at each start: that is no news.
                self._tell(logging.INFO, f"stream ended: {failure}")
            if self._is_given_up:
                # That is no failure: a bridge that is slow to bring an event would hardly ever be followed if
                # it was asked ever more seldom.
                return Backoff().failed(incoming.retry_seconds)
        elif failure.reason == "http_status":
            mode = self._how.mode
            self._tell(logging.WARNING if mode == "on" else logging.INFO, f"no stream: {failure}")
            # With jitter: those that were asked at once are not all asked at once again.
            return Backoff(_NO_STREAM_SECONDS[mode], _NO_STREAM_SECONDS[mode]).failed()
        return self._backoff.failed(incoming.retry_seconds)

    async def _follow(self, incoming: Incoming) -> FetchError:
        """Follow a stream to its end, if there is one; why it is over."""
        self._is_given_up = False
        try:
            opens_until = asyncio.get_running_loop().time() + _OPEN_SECONDS
            async with Deadline(opens_until) as self._deadline:
                await self._ask(self._endpoint, incoming)
        except TimeoutError:
            if self._is_given_up:
                return FetchError("timeout", "given up for a fetch")
            if incoming.began is None:
                return FetchError("timeout", "no answer in time")
            self._rhythm.was_too_silent()
            return FetchError("timeout", "it was silent")
        except FetchError as error:
            if error.reason == "too_large":
                self._take(error)
            return error
        except Exception as error:
            # The last guard, as of a fetch: what one stream brings to light must not end all following.
            _log.exception("stream could not be read, please report this", extra=self._fields())
            return FetchError("protocol", f"fault of the exporter ({type(error).__name__})")
        finally:
            self._deadline = None
            self.newest = None
        if incoming.began is None:
            return FetchError("http_status", "the bridge answers without one")
        return FetchError("protocol", "the bridge has ended it")

    def _begin(self, now: float) -> None:
        self._reconnects += self._has_streamed
        self._has_streamed = True
        self._event_at = now
        self._rhythm.begin(now)
        self._expect_more(now)

    def _live(self, now: float) -> None:
        self._rhythm.beat(now)
        self._expect_more(now)

    def _event(self, data: bytes) -> None:
        self._events += 1
        self._event_at = asyncio.get_running_loop().time()
        newest = self._take(data)
        if self._is_given_up:
            return
        self.newest = newest
        if self._told and newest is not None:
            self._told = ""
            _log.info("documents are streamed", extra=self._fields())

    def _expect_more(self, now: float) -> None:
        """Let the try end after too long a silence from now on, but no later than where it was given up."""
        if self._deadline is not None:
            longest = self._event_at + self._how.longest_silence
            self._deadline.move(min(now + self._rhythm.patience, longest))

    def _fields(self) -> dict[str, str]:
        return {"bridge": self._name(), "endpoint": self._endpoint}

    def _tell(self, level: int, reason: str) -> None:
        """Log why there is no stream, when that is news."""
        if reason != self._told:
            self._told = reason
            _log.log(level, "%s", reason, extra=self._fields())
