"""How long a stream may be silent: learnt from how it has spoken."""

from typing import Final

_FIRST_GAP_SECONDS: Final = 10.0
"""Expected between two signs of life before any were seen."""

_PATIENCE_FACTOR: Final = 3.0
"""Silence allowed, as a multiple of the longest gap lately."""

_SHORTEST_PATIENCE_SECONDS: Final = 5.0

_DECAY: Final = 0.9
"""Share that each sign of life leaves of the longest gap before it."""


class Rhythm:
    """The gaps between the signs of life of a stream and of those before it."""

    def __init__(self, longest_silence: float) -> None:
        """Allow no longer silence than so many seconds, whatever is learnt."""
        self._longest_silence = longest_silence
        self._gap = _FIRST_GAP_SECONDS
        self._last = 0.0

    @property
    def patience(self) -> float:
        """Seconds that the stream may be silent now."""
        return min(self._longest_silence, max(_SHORTEST_PATIENCE_SECONDS, _PATIENCE_FACTOR * self._gap))

    def begin(self, now: float) -> None:
        """A stream begins at this time of the loop's clock."""
        self._last = now

    def beat(self, now: float) -> None:
        """A sign of life: any byte, a comment too."""
        self._gap = max(now - self._last, self._gap * _DECAY)
        self._last = now

    def was_too_silent(self) -> None:
        """A stream was broken off for its silence: the next one gets twice the time."""
        self._gap = min(2 * self._gap, self._longest_silence)
