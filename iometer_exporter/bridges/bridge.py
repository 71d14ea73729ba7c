"""One bridge of the fleet over time: its client, its guard, its counters and what is logged of it."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from iometer_exporter.bridges.client import BridgeClient, Network
from iometer_exporter.bridges.single_flight import Shared
from iometer_exporter.bridges.snapshot import KnownBridge, Snapshot, Source
from iometer_exporter.errors import FetchError, PayloadError, Reason
from iometer_exporter.meter.guard import Guard, Judgement, Limits, Rejection
from iometer_exporter.meter.memory import Memory
from iometer_exporter.meter.models import ENDPOINTS, Endpoint, Reading, Status, parse_reading, parse_status
from iometer_exporter.net.addresses import Address

_log = logging.getLogger(__name__)

_PARSERS: Final[Mapping[Endpoint, Callable[[bytes], Reading | Status]]] = {
    "reading": parse_reading,
    "status": parse_status,
}

_PROBLEMS_LOGGED: Final = 3


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one fetch of an endpoint gave: a document or a failure; the guard's judgement on a reading."""

    duration: float
    document: Reading | Status | None = None
    judgement: Judgement | None = None
    failure: FetchError | None = None


class Target:
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
        self.source: Source = source
        self.device_id = ""
        """`device.id` of the last status; empty while unknown."""
        self.answering = False
        """Whether the last scrape got a valid document."""
        self.has_answered = False
        """Whether it ever gave a valid document."""
        self.shares = {endpoint: Shared(partial(self._fetch, endpoint)) for endpoint in ENDPOINTS}
        self._client = BridgeClient(addresses, network)
        self._guard = Guard(limits, memory)
        self._meter = ""
        self._errors: Counter[tuple[Endpoint, Reason]] = Counter()
        self._rejected: Counter[Rejection] = Counter()
        self._state: dict[Endpoint, Reason | None] = {}
        self._problems: dict[Endpoint, frozenset[str]] = {}
        self._rejection: Rejection | None = None
        self._is_held = False

    async def aclose(self) -> None:
        """Give up what is under way."""
        await asyncio.gather(*(share.aclose() for share in self.shares.values()))
        self._guard.remember()
        self._client.close()

    async def retire(self) -> None:
        """Wait for the scrapes under way, then end."""
        # At once, for the bridge that takes this one's place; and again at the end.
        self._guard.remember()
        await asyncio.gather(*(share.settle() for share in self.shares.values()))
        await self.aclose()

    @property
    def is_awaited(self) -> bool:
        """Whether a scrape or a probe waits for it now."""
        return any(share.waiters for share in self.shares.values())

    @property
    def ip_addresses(self) -> tuple[Address, ...]:
        """The IP addresses of the bridge as far as they are known now."""
        return self._client.ip_addresses

    @property
    def limits(self) -> Limits:
        """What the guard believes; a change counts from the next reading on."""
        return self._guard.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._guard.limits = limits

    def known_at(self, place: Address) -> KnownBridge:
        """The bridge for service discovery, at an address that others can reach."""
        return KnownBridge(
            name=self.name,
            place=place.with_port,
            source=self.source,
            meter=self._meter,
            device_id=self.device_id,
            labels=self.labels,
        )

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where the bridge is asked, in this order; a change counts from the next fetch on."""
        return self._client.addresses

    @addresses.setter
    def addresses(self, addresses: Sequence[Address]) -> None:
        self._client.addresses = tuple(addresses)

    @property
    def meter(self) -> str:
        """The number of the meter, empty until it is known; kept while the bridge is down."""
        return self._meter

    def timed_out(self, endpoint: Endpoint, *, counted: bool) -> Fetched:
        """The outcome of a fetch that somebody no longer waits for; to be counted once for all of them."""
        waited = asyncio.get_running_loop().time() - self.shares[endpoint].started
        failure = FetchError("timeout", f"no complete answer within {waited:.1f} s")
        if counted:
            self._note(endpoint, failure)
        return Fetched(waited, failure=failure)

    def snapshot(self, outcomes: Mapping[Endpoint, Fetched]) -> Snapshot:
        """What one scrape knows, from the outcome of each endpoint."""
        sent, status = outcomes["reading"].document, outcomes["status"].document
        status = status if isinstance(status, Status) else None
        judgement = outcomes["reading"].judgement
        meter = (status.meter if status else "") or self._meter
        snapshot = Snapshot(
            bridge=self.name,
            address=str(self.addresses[0]),
            source=self.source,
            meter=meter,
            reading=_with_meter(judgement.served if judgement else None, meter),
            sent=_with_meter(sent if isinstance(sent, Reading) else None, meter),
            status=status,
            durations={endpoint: fetched.duration for endpoint, fetched in outcomes.items()},
            failures={e: fetched.failure for e, fetched in outcomes.items() if fetched.failure},
            errors=dict(self._errors),
            rejected=dict(self._rejected),
            seen_for=asyncio.get_running_loop().time() - judgement.seen if judgement else 0.0,
            is_held=judgement is not None and judgement.is_held,
        )
        self.answering = snapshot.up
        return snapshot

    async def _fetch(self, endpoint: Endpoint) -> Fetched:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            document = _PARSERS[endpoint](await self._client.fetch(endpoint))
        except FetchError as error:
            failure = error
        except PayloadError as error:
            failure = FetchError(error.reason, str(error))
        except Exception as error:
            # The last guard of a bridge: a fault of this program that one document brings to light must
            # not hide all the others.
            failure = FetchError("protocol", f"fault of the exporter ({type(error).__name__})")
            if self._state.get(endpoint) != failure.reason:
                _log.exception("please report this", extra={"bridge": self.name, "endpoint": endpoint})
        else:
            duration = loop.time() - started
            self.has_answered = True
            self._note(endpoint, None)
            self._note_problems(endpoint, document.problems)
            if isinstance(document, Reading):
                document = replace(document, meter=document.meter or self._meter)
                self._meter = document.meter
                return Fetched(duration, document, self._judge(document, loop.time()))
            self._meter = self._meter or document.meter
            self.device_id = document.device_id or self.device_id
            return Fetched(duration, document)
        self._note(endpoint, failure)
        return Fetched(loop.time() - started, failure=failure)

    def _judge(self, reading: Reading, now: float) -> Judgement:
        owners = (self.device_id, self.name) if self.device_id else (self.name,)
        judgement = self._guard.judge(reading, now, wall=time.time(), owners=owners)
        if judgement.rejection:
            self._rejected[judgement.rejection] += 1
        self._log_judgement(reading, judgement)
        self._rejection = judgement.rejection
        self._is_held = judgement.is_held
        return judgement

    def _note(self, endpoint: Endpoint, failure: FetchError | None) -> None:
        """Count a failure, and log it when it is another one than before: not once per scrape."""
        reason = failure.reason if failure else None
        if reason:
            self._errors[endpoint, reason] += 1
        before = self._state.get(endpoint)
        self._state[endpoint] = reason
        if reason == before:
            return
        fields = {"bridge": self.name, "endpoint": endpoint}
        if failure:
            _log.warning("no document: %s", failure, extra={**fields, "reason": reason})
        else:
            _log.info("answers again", extra=fields)

    def _note_problems(self, endpoint: Endpoint, problems: tuple[str, ...]) -> None:
        if problems:
            self._errors[endpoint, "invalid_document"] += len(problems)
        # By field and not by text: a bad value that changes is still the same news.
        fields = frozenset(problem.partition(" ")[0] for problem in problems)
        if fields - self._problems.get(endpoint, frozenset()):
            more = len(problems) - _PROBLEMS_LOGGED
            text = "; ".join(problems[:_PROBLEMS_LOGGED]) + (f"; and {more} more" if more > 0 else "")
            _log.warning("left out: %s", text, extra={"bridge": self.name, "endpoint": endpoint})
        self._problems[endpoint] = fields

    def _log_judgement(self, reading: Reading, judgement: Judgement) -> None:
        fields = {"bridge": self.name, "meter": reading.meter}
        if judgement.reset:
            _log.warning("the refused readings agree with one another: served from now on", extra=fields)
        elif judgement.rejection and not self._rejection:
            _log.warning(
                "reading of %s refused, serving that of %s",
                reading.time.isoformat(),
                judgement.served.time.isoformat(),
                extra={**fields, "reason": judgement.rejection},
            )
        elif self._rejection and not judgement.rejection:
            _log.info("readings are believable again", extra=fields)
        if judgement.is_held and not self._is_held:
            _log.info(
                "counters held back: the reading of %s may be a replay",
                judgement.served.time.isoformat(),
                extra=fields,
            )


def _with_meter(reading: Reading | None, meter: str) -> Reading | None:
    """The reading under the meter number known otherwise, if it brings none of its own."""
    if reading is None or reading.meter:
        return reading
    return replace(reading, meter=meter)
