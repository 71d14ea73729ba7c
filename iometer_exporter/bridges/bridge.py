"""One bridge of the fleet over time: its client, its guard, its counters and what is logged of it."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from iometer_exporter import wording
from iometer_exporter.bridges.bridge_log import BridgeLog
from iometer_exporter.bridges.client import BridgeClient, Network
from iometer_exporter.bridges.fetched import Fetched, Fetches, Judged, Outcomes
from iometer_exporter.bridges.glance import Glance
from iometer_exporter.bridges.single_flight import SingleFlight
from iometer_exporter.bridges.snapshot import KnownBridge, Snapshot, Source
from iometer_exporter.config.file import Live
from iometer_exporter.errors import FetchError, PayloadError, Reason
from iometer_exporter.meter import quantities
from iometer_exporter.meter.course import Course
from iometer_exporter.meter.guard import Guard, Judgement, Limits, Rejection
from iometer_exporter.meter.memory import Memory
from iometer_exporter.meter.models import (
    ENDPOINTS,
    Document,
    Endpoint,
    LastParsed,
    Reading,
    Status,
    parse_reading,
    parse_status,
)
from iometer_exporter.metrics.lines import Heads
from iometer_exporter.net.addresses import Address

if TYPE_CHECKING:
    from iometer_exporter.bridges.live.streams import LiveSettings, Streams

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Bridge:
    """A bridge that is read again and again; end it with `aclose`."""

    def __init__(
        self,
        name: str,
        source: Source,
        addresses: Sequence[Address],
        limits: Limits,
        network: Network,
        memory: Memory | None = None,
    ) -> None:
        """Read at the addresses; the memory, if there is one, knows meters that were read before."""
        self.name = name
        self.labels: Mapping[str, str] = {}
        """For service discovery, from the configuration."""
        self.live: Live | None = None
        """Whether it is followed, by its own part of the configuration; None: as all are."""
        self.source: Source = source
        self.device_id = ""
        """`device.id` of the last status; empty while unknown."""
        self.answering = False
        """Whether the last scrape got a valid document."""
        self.has_answered = False
        """Whether it ever gave a valid document."""
        self.reading = SingleFlight(self._fetch_reading)
        self.status = SingleFlight(self._fetch_status)
        self._client = BridgeClient(addresses, network)
        self._parse_reading = LastParsed(parse_reading)
        self._parse_status = LastParsed(parse_status)
        self._streams: Streams[Fetched[Judged], Fetched[Status]] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        """Ends of streams that are not followed any more."""
        self._bridge_log = BridgeLog()
        self._guard = Guard(limits, memory)
        self._heads = Heads()
        self._meter = ""
        self._errors: Counter[tuple[Endpoint, Reason]] = Counter()
        self._rejected: Counter[Rejection] = Counter()
        self._outcomes: dict[Endpoint, FetchError | None] = {}
        """How the last fetch of each endpoint has failed, None if it has not."""
        self._missed: dict[Endpoint, FetchError] = {}
        """Timeouts since then of `refresh`, which are no news to the log."""
        self._answered_at: float | None = None
        """Unix time of the last valid document."""
        self._judged: Judged | None = None
        self._status: Status | None = None
        self._course = Course(memory=memory.days if memory is not None else None)

    async def aclose(self) -> None:
        """Give up what is under way."""
        self.follow(None)
        await self.abandon()
        await asyncio.gather(*self._ending)
        self._guard.remember()
        self._client.close()

    async def abandon(self) -> None:
        """End the fetches under way now, so that the scrapes that wait for them answer with the rest."""
        await asyncio.gather(self.reading.aclose(), self.status.aclose())

    async def retire(self) -> None:
        """Wait for the scrapes under way, then end."""
        self.follow(None)
        # At once, for the bridge that takes this one's place; and again at the end.
        self._guard.remember()
        await asyncio.gather(self.reading.settle(), self.status.settle())
        await self.aclose()

    @property
    def is_awaited(self) -> bool:
        """Whether a scrape or a probe waits for it now."""
        return bool(self.reading.waiters or self.status.waiters)

    @property
    def ip_addresses(self) -> tuple[Address, ...]:
        """The IP addresses of the bridge as far as they are known now."""
        return self._client.ip_addresses

    @property
    def limits(self) -> Limits:
        """Limits of what the guard believes; a change counts from the next reading on."""
        return self._guard.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._guard.limits = limits

    def known_at(self, address: Address) -> KnownBridge:
        """The bridge for service discovery, at an address that others can reach."""
        return KnownBridge(
            name=self.name,
            address=address.with_port,
            source=self.source,
            meter=self._meter,
            device_id=self.device_id,
            labels=self.labels,
        )

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Addresses to ask the bridge at, in this order; a change counts from the next fetch on."""
        return self._client.addresses

    @addresses.setter
    def addresses(self, addresses: Sequence[Address]) -> None:
        self._client.addresses = tuple(addresses)

    @property
    def meter(self) -> str:
        """The number of the meter, empty until it is known; kept while the bridge is down."""
        return self._meter

    def follow(self, live: "LiveSettings | None") -> None:
        """Follow the event streams from now on, whose events stand for fetches; None: follow none."""
        before = self._streams
        if live == (before.settings if before is not None else None):
            return
        if before is not None:
            before.end()
            ending = asyncio.get_running_loop().create_task(before.aclose())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
        self._streams = None
        if live is not None:
            # Imported here: few are followed, and the start-up is that of all.
            from iometer_exporter.bridges.live.streams import Streams

            ask = self._client.fetch
            self._streams = Streams(
                live, ask, self._stream_reading, self._stream_status, name=lambda: self.name
            )

    def join(self) -> Fetches:
        """Fetch both endpoints, or share the fetches under way; `leave` them when done or tired.

        An endpoint whose stream is alive is not fetched.
        """
        if self._streams is None:
            return Fetches(self.reading.join(), self.status.join())
        reading, status = self._newest_reading(), self._newest_status()
        return Fetches(
            self.reading.join() if reading is None else reading,
            self.status.join() if status is None else status,
        )

    def leave(self, fetches: Fetches, *, count_timeouts: bool) -> Outcomes:
        """The outcomes of the fetches, complete or not.

        One that nobody waits for any more is given up; that is logged and counted where timeouts are.
        """
        return Outcomes(
            self._leave("reading", self.reading, fetches.reading, count_timeouts=count_timeouts),
            self._leave("status", self.status, fetches.status, count_timeouts=count_timeouts),
        )

    def snapshot(self, outcomes: Outcomes) -> Snapshot:
        """Snapshot for one scrape, from the outcome of each endpoint."""
        sent, judgement, edition = outcomes.reading.result or (None, None, None)
        status = outcomes.status.result
        streams = self._streams
        powers = streams.powers.value if streams is not None else None
        fetched: dict[Endpoint, Fetched[Judged] | Fetched[Status]] = {
            "reading": outcomes.reading,
            "status": outcomes.status,
        }
        snapshot = Snapshot(
            bridge=self.name,
            address=self._client.shown,
            source=self.source,
            meter=(status.meter if status else "") or self._meter,
            reading=self._named(judgement.served) if judgement else None,
            energies=judgement.energies if judgement else {},
            sent=self._named(sent) if sent else None,
            status=status,
            durations={endpoint: each.duration for endpoint, each in fetched.items()},
            failures={endpoint: each.failure for endpoint, each in fetched.items() if each.failure},
            errors=dict(self._errors),
            rejected=dict(self._rejected),
            seen_for=asyncio.get_running_loop().time() - judgement.seen if judgement else 0.0,
            is_held=judgement is not None and judgement.is_held,
            streams=streams.states if streams is not None else {},
            powers=(streams.powers.meter, powers) if streams is not None and powers is not None else None,
            edition=edition,
            heads=self._heads,
        )
        self.answering = snapshot.up
        self._bridge_log.report(snapshot)
        return snapshot

    async def refresh(self, timeout: float) -> None:
        """Fetch both endpoints for `glance`, within so many seconds; what is missed is not counted.

        One whose stream is alive is not fetched. Scrapes that wait for the same fetches count as if nobody
        else did.
        """
        fetches = []
        if self._newest_reading() is None:
            fetches.append(self._refresh("reading", self.reading, timeout))
        if self._newest_status() is None:
            fetches.append(self._refresh("status", self.status, timeout))
        answered = await asyncio.gather(*fetches)
        self.answering = any(answered) or len(fetches) < len(ENDPOINTS)

    def glance(self) -> Glance:
        """What is known of the bridge now, by the last fetches of each endpoint; waits for nothing."""
        now = asyncio.get_running_loop().time()
        judgement = self._judged.judgement if self._judged is not None else None
        outcomes = self._outcomes | self._missed
        return Glance(
            name=self.name,
            address=self._client.shown,
            meter=self._meter,
            reading=self._named(judgement.served) if judgement else None,
            status=self._status,
            is_asked=bool(outcomes),
            failures={endpoint: failure for endpoint, failure in outcomes.items() if failure},
            answered_at=self._answered_at,
            seen_for=now - judgement.seen if judgement else 0.0,
            rejection=judgement.rejection if judgement else None,
            rejected=dict(self._rejected),
            recent=self._course.recent(now, datetime.now(UTC)),
        )

    async def _refresh(
        self, endpoint: Endpoint, flight: SingleFlight[Fetched[Result]], timeout: float
    ) -> bool:
        """Fetch an endpoint; whether it gave a valid document."""
        task, started = flight.watch(), flight.started
        try:
            done, _ = await asyncio.wait([task], timeout=timeout)
        finally:
            flight.unwatch(task)
        if not done:
            self._missed[endpoint] = _timed_out(asyncio.get_running_loop().time() - started)
        return bool(done) and not task.cancelled() and task.result().failure is None

    def _leave(
        self,
        endpoint: Endpoint,
        flight: SingleFlight[Fetched[Result]],
        task: asyncio.Task[Fetched[Result]] | Fetched[Result],
        *,
        count_timeouts: bool,
    ) -> Fetched[Result]:
        if isinstance(task, Fetched):
            return task
        given_up = flight.leave(task)
        if task.done() and not task.cancelled():
            return task.result()
        waited = asyncio.get_running_loop().time() - flight.started
        failure = _timed_out(waited)
        if given_up and count_timeouts:
            self._note(endpoint, failure)
        return Fetched(waited, failure=failure)

    async def _fetch_reading(self) -> Fetched[Judged]:
        return await self._fetch("reading", self._parse_reading, self._take_reading)

    async def _fetch_status(self) -> Fetched[Status]:
        return await self._fetch("status", self._parse_status, self._take_status)

    async def _fetch(
        self,
        endpoint: Endpoint,
        parse: Callable[[bytes], Document],
        take: Callable[[Document], Result],
    ) -> Fetched[Result]:
        started = asyncio.get_running_loop().time()
        content: bytes | FetchError
        try:
            if self._streams is None:
                content = await self._client.fetch(endpoint)
            else:
                with self._streams.of(endpoint).standing_aside():
                    content = await self._client.fetch(endpoint)
        except FetchError as error:
            # It is kept; its traceback would keep all that the fetch had at hand, and itself.
            content = FetchError(error.reason, str(error), status=error.status)
        except Exception as error:
            content = self._fault(endpoint, error)
        return self._take(endpoint, content, started, parse, take)

    def _take(
        self,
        endpoint: Endpoint,
        content: bytes | FetchError,
        started: float,
        parse: Callable[[bytes], Document],
        take: Callable[[Document], Result],
    ) -> Fetched[Result]:
        """The outcome of a fetch that began at that time of the loop's clock, by what it gave."""
        loop = asyncio.get_running_loop()
        failure = content if isinstance(content, FetchError) else None
        try:
            if not isinstance(content, FetchError):
                document = parse(content)
        except PayloadError as error:
            failure = FetchError(error.reason, str(error))
        except Exception as error:
            failure = self._fault(endpoint, error)
        if failure is not None:
            self._note(endpoint, failure)
            return Fetched(loop.time() - started, failure=failure)
        duration = loop.time() - started
        self.has_answered = True
        self._answered_at = time.time()
        self._note(endpoint, None)
        self._note_problems(endpoint, document.problems)
        return Fetched(duration, take(document))

    def _fault(self, endpoint: Endpoint, error: Exception) -> FetchError:
        """The failure that a fault of this program is: the last guard of a bridge.

        What one document brings to light must not hide all the others.
        """
        failure = FetchError("protocol", f"fault of the exporter ({type(error).__name__})")
        if _reason(self._outcomes.get(endpoint)) != failure.reason:
            fields = {"bridge": self.name, "endpoint": endpoint}
            _log.error("document could not be read, please report this", extra=fields, exc_info=error)
        return failure

    def _newest_reading(self) -> Fetched[Judged] | None:
        """The outcome of the newest event, while the stream of readings is alive."""
        newest = self._streams.reading.newest if self._streams is not None else None
        if newest is None or newest.result is None or not newest.result.judgement.is_held:
            return newest
        # As a fetch would: what is held is let go once it has stood unchanged for a while.
        return Fetched(0.0, self._take_reading(newest.result.sent))

    def _newest_status(self) -> Fetched[Status] | None:
        """The same of the status."""
        return self._streams.status.newest if self._streams is not None else None

    def _stream_reading(self, content: bytes | FetchError) -> Fetched[Judged] | None:
        """Take an event as a fetched document; None where it is none."""
        now = asyncio.get_running_loop().time()
        outcome = self._take("reading", content, now, self._parse_reading, self._take_reading)
        if outcome.result is None:
            return None
        judgement = outcome.result.judgement
        power = quantities.power(judgement.served)
        if self._streams is not None and power is not None and not (judgement.rejection or judgement.is_held):
            reading = self._named(judgement.served)
            self._streams.powers.observe(reading.meter, power, reading.time)
        # Whoever scrapes does not wait for it.
        return Fetched(0.0, outcome.result)

    def _stream_status(self, content: bytes | FetchError) -> Fetched[Status] | None:
        """The same of a status."""
        now = asyncio.get_running_loop().time()
        outcome = self._take("status", content, now, self._parse_status, self._take_status)
        return None if outcome.result is None else Fetched(0.0, outcome.result)

    def _take_status(self, status: Status) -> Status:
        self._meter = self._meter or status.meter
        self.device_id = status.device_id or self.device_id
        self._status = status
        return status

    def _take_reading(self, sent: Reading) -> Judged:
        reading = self._named(sent)
        self._meter = reading.meter
        now = asyncio.get_running_loop().time()
        owners = (self.device_id, self.name) if self.device_id else (self.name,)
        judgement = self._guard.judge(reading, now, wall=time.time(), owners=owners)
        if judgement.rejection:
            self._rejected[judgement.rejection] += 1
        before = self._judged
        self._bridge_log.judged(
            self.name, reading, judgement, before=None if before is None else before.judgement
        )
        self._course.follow(judgement.served, now, is_held=judgement.is_held)
        edition = 1
        if before is not None:
            edition = before.edition + (not _is_same(before, reading, judgement))
        self._judged = Judged(reading, judgement, edition)
        return self._judged

    def _named(self, reading: Reading) -> Reading:
        """The reading under the number known of its meter, if it brings none of its own."""
        return reading if reading.meter else reading._replace(meter=self._meter)

    def _note(self, endpoint: Endpoint, failure: FetchError | None) -> None:
        """Count a failure, and note one that is another than before for the log: not once per scrape."""
        reason = failure.reason if failure else None
        if reason:
            self._errors[endpoint, reason] += 1
        before = _reason(self._outcomes.get(endpoint))
        self._outcomes[endpoint] = failure
        self._missed.pop(endpoint, None)
        if reason == before:
            return
        self._bridge_log.note(endpoint, failure)

    def _note_problems(self, endpoint: Endpoint, problems: tuple[str, ...]) -> None:
        if problems:
            self._errors[endpoint, "invalid_document"] += len(problems)
        self._bridge_log.left_out(self.name, endpoint, problems)


def _is_same(before: Judged, reading: Reading, judgement: Judgement) -> bool:
    """Whether all that is served of a reading and of the judgement on it is what was served before."""
    return (
        reading is before.sent
        and judgement.served is before.judgement.served
        and judgement.energies == before.judgement.energies
    )


def _timed_out(waited: float) -> FetchError:
    return FetchError("timeout", f"no complete answer within {wording.waited(waited)}")


def _reason(failure: FetchError | None) -> Reason | None:
    return failure.reason if failure is not None else None
