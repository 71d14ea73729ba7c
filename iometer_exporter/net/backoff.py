"""Waits before something is tried again."""

import random
from typing import Final

SHORTEST_WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 60.0
"""Between tries of what a reading depends on."""

_LARGEST_EXPONENT: Final = 30


class Backoff:
    """Waits that grow with each failure in a row from `shortest` to `longest` seconds."""

    def __init__(
        self, shortest: float = SHORTEST_WAIT_SECONDS, longest: float = LONGEST_WAIT_SECONDS
    ) -> None:
        self.shortest = shortest
        self.longest = longest
        self._failures = 0

    def succeeded(self) -> None:
        """Begin with the shortest wait at the next failure."""
        self._failures = 0

    def failed(self, retry_after: float | None = None) -> float:
        """Seconds to wait after one more failure, at least what the other side asked for.

        Any time up to the bound: many that failed at once do not all come back at once.
        """
        bound = min(self.longest, self.shortest * 2 ** min(self._failures, _LARGEST_EXPONENT))
        self._failures += 1
        wait = random.uniform(min(self.shortest, bound) / 2, bound)  # noqa: S311 (no secret)
        if retry_after is None:
            return wait
        # A server that is down may ask for 0 seconds again and again.
        return max(wait, retry_after + random.uniform(0, self.shortest))  # noqa: S311 (no secret)
