"""Errors of the provider API and durations of requests: counted always, logged when they are news."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, get_args

from iometer_exporter.errors import ProviderError, ProviderReason

_log = logging.getLogger(__name__)

Operation = Literal["account", "installations", "readings", "subscription"]
"""Kind of request to the API: label `operation` of the metrics of requests."""

OPERATIONS: tuple[Operation, ...] = get_args(Operation)

_INDEX: Final = re.compile(r"\[\d+\]")

_MOST_KINDS: Final = 20
"""Kinds of trouble logged of each operation between two refreshes: more would be a flood."""


class RequestLog:
    """Counters, durations in seconds, and one log line for each kind of trouble and for its end."""

    def __init__(self) -> None:
        self.durations: dict[Operation, float] = {}
        """Of the last request of each operation."""
        self._errors: Counter[tuple[Operation, ProviderReason]] = Counter()
        self._failing: dict[Operation, ProviderError] = {}
        self._kinds: dict[Operation, set[str]] = {operation: set() for operation in OPERATIONS}
        self._kinds_before: dict[Operation, set[str]] = {operation: set() for operation in OPERATIONS}

    @property
    def errors(self) -> Mapping[tuple[Operation, ProviderReason], int]:
        """Failures by operation and reason; what never happened is left out."""
        return self._errors

    @property
    def failing(self) -> list[str]:
        """A sentence for each operation that fails now."""
        return list(dict.fromkeys(str(error) for error in self._failing.values()))

    def failed(self, operation: Operation, error: ProviderError) -> None:
        """Count a request without data, and log it if the one before did not fail for the same reason."""
        self._errors[operation, error.reason] += 1
        before = self._failing.get(operation)
        self._failing[operation] = error
        if before is None or before.reason != error.reason:
            _log.warning("%s", error, extra={"operation": operation, "reason": error.reason})

    def succeeded(self, operation: Operation) -> None:
        """Note a request with data, and log the end of its failing."""
        if self._failing.pop(operation, None) is not None:
            _log.info("the provider API answers again", extra={"operation": operation})

    def problems(self, operation: Operation, problems: Sequence[str]) -> None:
        """Count what was left out of an answer; log it if it is of a kind that was not seen lately."""
        self._note(operation, "invalid_document", "left out of what the provider API sent: %s", problems)

    def errors_beside(self, operation: Operation, errors: Sequence[str]) -> None:
        """Count what the API reported beside its data; log it likewise."""
        self._note(operation, "graphql", "the provider API reports beside its data: %s", errors)

    def bad_item(self, operation: Operation, error: ProviderError) -> None:
        """Count one bad message among good ones; log it likewise."""
        self._note(operation, error.reason, "%s", [str(error)])

    def refused(self, operation: Operation, refusals: Iterable[tuple[str, str]]) -> None:
        """Log why readings are not served, given with their meter; they are counted elsewhere."""
        for why, meter in refusals:
            if self._is_news(operation, why):
                extra = {"operation": operation, "meter": meter}
                _log.warning("a reading is not served, as may be others: %s", why, extra=extra)

    def start_period(self) -> None:
        """Start a new period: a kind of trouble that has not come for a whole one is news again."""
        self._kinds_before = self._kinds
        self._kinds = {operation: set() for operation in OPERATIONS}

    def _note(self, operation: Operation, reason: ProviderReason, message: str, texts: Sequence[str]) -> None:
        if texts:
            self._errors[operation, reason] += len(texts)
            if news := [text for text in texts if self._is_news(operation, _kind(text))]:
                extra = {"operation": operation, "reason": reason, "count": len(texts)}
                _log.warning(message, _list(news), extra=extra)

    def _is_news(self, operation: Operation, kind: str) -> bool:
        """Whether a kind of trouble was not seen lately; from now on it was."""
        kinds = self._kinds[operation]
        if kind in kinds or len(kinds) >= _MOST_KINDS:
            return False
        kinds.add(kind)
        return kind not in self._kinds_before[operation]


def _kind(text: str) -> str:
    """Texts of one kind differ in places of lists and in values only: the path of the field tells it."""
    return _INDEX.sub("[]", text.partition(" is ")[0])


def _list(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{texts[0]}; and {len(texts) - 1} of another kind"
