"""The schedule by which what is kept of many installations leaves the garbage collector's sight."""

import gc
from typing import Final

_MOST_NEW_OBJECTS: Final = 20_000
"""New objects that one look at them by the collector may cover: some milliseconds of it."""

_OBJECTS_PER_CHANGE: Final = 16
"""Objects of an installation that has just become known; a reading has about as many."""


class FreezeSchedule:
    """Calls `gc.freeze()` once so many new long-lived objects have been created.

    Without it, a full collection walks a million objects and more, half a second in which nothing else
    happens, and does so again each time that their number has grown by a quarter. Frozen objects are freed
    as all others are when nothing refers to them any more; there are no cycles among them.
    """

    def __init__(self) -> None:
        self._objects = 0

    def note_new_objects(self, changes: int = 1) -> None:
        """Count the objects of so many new installations or readings."""
        self._objects += changes * _OBJECTS_PER_CHANGE
        if self._objects >= _MOST_NEW_OBJECTS:
            self._objects = 0
            # First whatever is garbage by now: frozen, it would stay for ever.
            gc.collect()
            gc.freeze()
