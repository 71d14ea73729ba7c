"""What is kept of a large fleet is taken out of the garbage collector's sight: it would halt the process."""

import gc
from typing import Final

_OBJECTS: Final = 20_000
"""New objects that one look at them by the collector may cover: some milliseconds of it."""

_PER_CHANGE: Final = 16
"""Objects of an installation that has just become known; a reading has about as many."""


class Settling:
    """Counts what is kept anew, and settles it as often as that is needed.

    Without it, a full collection walks a million objects and more, half a second in which nothing else
    happens, and does so again each time that their number has grown by a quarter. Settled objects are freed
    as all others are when nothing refers to them any more; there are no cycles among them.
    """

    def __init__(self) -> None:
        self._objects = 0

    def kept(self, changes: int = 1) -> None:
        """Note that so many installations or readings are kept that were not before."""
        self._objects += changes * _PER_CHANGE
        if self._objects >= _OBJECTS:
            self._objects = 0
            # First whatever is garbage by now: frozen, it would stay for ever.
            gc.collect()
            gc.freeze()
