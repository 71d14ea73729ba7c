"""Log lines on whether a bridge answers, and with what: one when that changes, and none for each scrape."""

import logging
from typing import Final

from iometer_exporter.bridges.snapshot import Snapshot
from iometer_exporter.errors import FetchError
from iometer_exporter.meter import quantities
from iometer_exporter.meter.guard import Judgement
from iometer_exporter.meter.models import Endpoint, Reading
from iometer_exporter.wording import watts

_log = logging.getLogger(__name__)

_PROBLEMS_SHOWN: Final = 3


class BridgeLog:
    """Gathers what changes while both endpoints are fetched, so that one cause is one line."""

    def __init__(self) -> None:
        self._changes: dict[Endpoint, FetchError | None] = {}
        self._has_answered = False
        self._problems: dict[Endpoint, frozenset[str]] = {}
        """Fields that were left out of the last document of each endpoint."""

    def note(self, endpoint: Endpoint, failure: FetchError | None) -> None:
        """Note that the endpoint fails in another way than before, or (None) answers again."""
        self._changes[endpoint] = failure

    def report(self, snapshot: Snapshot) -> None:
        """Log what was noted since the last call, and the first answer of the bridge."""
        if self._has_answered and not self._changes:
            return
        changes, self._changes = self._changes, {}
        is_first = snapshot.up and not self._has_answered
        lines: dict[str, list[Endpoint]] = {}
        for endpoint, failure in changes.items():
            lines.setdefault(str(failure or ""), []).append(endpoint)
        for endpoints in lines.values():
            fields = {"bridge": snapshot.bridge, "endpoint": ",".join(sorted(endpoints))}
            failure = changes[endpoints[0]]
            if failure is not None:
                _log.warning("no document: %s", failure, extra={**fields, "reason": failure.reason})
            elif not is_first:
                answer = "endpoint answers" if len(endpoints) == 1 else "endpoints answer"
                _log.info("%s again", answer, extra=fields)
        if is_first:
            self._has_answered = True
            _report_first_answer(snapshot)

    def left_out(self, bridge: str, endpoint: Endpoint, problems: tuple[str, ...]) -> None:
        """Log what was left out of a document, if that is more than of the one before."""
        # By field and not by text: a bad value that changes is still the same news.
        fields = frozenset(problem.partition(" ")[0] for problem in problems)
        if fields - self._problems.get(endpoint, frozenset()):
            more = len(problems) - _PROBLEMS_SHOWN
            text = "; ".join(problems[:_PROBLEMS_SHOWN]) + (f"; and {more} more" if more > 0 else "")
            _log.warning("left out: %s", text, extra={"bridge": bridge, "endpoint": endpoint})
        self._problems[endpoint] = fields

    def judged(
        self, bridge: str, reading: Reading, judgement: Judgement, *, before: Judgement | None
    ) -> None:
        """Log what the guard does with a reading, if it is another thing than with the one before."""
        fields = {"bridge": bridge, "meter": reading.meter}
        was_refused = before is not None and before.rejection is not None
        if judgement.reset:
            _log.warning("the refused readings agree with one another: served from now on", extra=fields)
        elif judgement.rejection and not was_refused:
            _log.warning(
                "reading of %s refused, serving that of %s",
                reading.time.isoformat(),
                judgement.served.time.isoformat(),
                extra={**fields, "reason": judgement.rejection},
            )
        elif was_refused and not judgement.rejection:
            _log.info("readings are believable again", extra=fields)
        if judgement.is_held and not (before is not None and before.is_held):
            _log.info(
                "counters held back: the reading of %s may be a replay",
                judgement.served.time.isoformat(),
                extra=fields,
            )


def _report_first_answer(snapshot: Snapshot) -> None:
    fields = {"bridge": snapshot.bridge, "meter": snapshot.meter}
    power = quantities.power(snapshot.reading) if snapshot.reading is not None else None
    _log.info("bridge answers", extra=fields if power is None else {**fields, "power": watts(power)})
