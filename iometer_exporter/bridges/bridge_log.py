"""Log lines on whether a bridge answers: one when that changes, and none for each scrape."""

import logging

from iometer_exporter.bridges.snapshot import Snapshot
from iometer_exporter.errors import FetchError
from iometer_exporter.meter import quantities
from iometer_exporter.meter.models import Endpoint
from iometer_exporter.wording import watts

_log = logging.getLogger(__name__)


class BridgeLog:
    """Gathers what changes while both endpoints are fetched, so that one cause is one line."""

    def __init__(self) -> None:
        self._changes: dict[Endpoint, FetchError | None] = {}
        self._has_answered = False

    def note(self, endpoint: Endpoint, failure: FetchError | None) -> None:
        """Note that the endpoint fails in another way than before, or (None) answers again."""
        self._changes[endpoint] = failure

    def report(self, snapshot: Snapshot) -> None:
        """Log what was noted since the last call, and the first answer of the bridge."""
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


def _report_first_answer(snapshot: Snapshot) -> None:
    fields = {"bridge": snapshot.bridge, "meter": snapshot.meter}
    power = quantities.power(snapshot.reading) if snapshot.reading is not None else None
    _log.info("bridge answers", extra=fields if power is None else {**fields, "power": watts(power)})
