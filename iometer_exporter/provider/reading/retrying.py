"""Requests of a command: asked again, a few times, after an error that may pass."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from iometer_exporter.errors import ProviderError, ProviderReason
from iometer_exporter.net.backoff import LONGEST_WAIT_SECONDS, SHORTEST_WAIT_SECONDS, Backoff

T = TypeVar("T")

_ATTEMPTS: Final = 6
"""Tries of one request before its error is raised."""

_PASSING: Final[frozenset[ProviderReason]] = frozenset(
    {"timeout", "connect", "resolve", "rate_limited", "http_status", "protocol", "invalid_json"}
)
"""Reasons that may be gone at the next try."""


class Retrying:
    """Requests to one API; `interrupted` is told of each error that may pass and of the seconds to wait."""

    def __init__(self, interrupted: Callable[[ProviderError, float], None]) -> None:
        self._interrupted = interrupted
        self._has_answered = False

    async def ask(self, request: Callable[[], Awaitable[T]]) -> T:
        """The answer to the request; raises ProviderError where the error stays."""
        backoff = Backoff(SHORTEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS)
        for left in range(_ATTEMPTS - 1, -1, -1):
            try:
                answer = await request()
            except ProviderError as error:
                # What never answered is more likely a wrong address than an interruption.
                absent = not self._has_answered and error.reason in ("connect", "resolve")
                if not left or absent or error.reason not in _PASSING:
                    raise
                wait = backoff.failed(error.retry_after)
                self._interrupted(error, wait)
                await asyncio.sleep(wait)
            else:
                self._has_answered = True
                return answer
        raise AssertionError
