"""The provider's part of the state file: what must be known after a restart."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from iometer_exporter.errors import StateError
from iometer_exporter.meter.history import History
from iometer_exporter.meter.memory import dump_history, load_history

_RESUME: Final = "resume"
_LONGEST_KEY_CHARACTERS: Final = 512


class ProviderMemory:
    """The beliefs of the guards of one API's meters, and the newest receipt of a reading (a Unix time).

    It refers to what lives elsewhere; its own is only what an earlier run has left, until its meter is seen.
    """

    def __init__(self, url: str) -> None:
        self.kind = f"provider {url}"
        """Of its entries in a state file: those of another address are nobody's."""
        self.resume: Callable[[], float | None] = lambda: None
        """Gives the newest receipt as it is now."""
        self.histories: Callable[[], Iterable[tuple[str, str, History]]] = tuple
        """Gives the ids of installation and meter and the history of each, as they are now."""
        self.on_change: Callable[[], None] | None = None
        """Called after whatever changes what `entries` gives."""
        self._left: dict[str, History] = {}
        self._left_resume: float | None = None

    def entries(self) -> Iterator[tuple[str, Any]]:
        """Every key with what is known as JSON; what changes while it runs may be missing or new."""
        received = self.resume()
        newest = self._left_resume if received is None else received
        if newest is not None:
            yield _RESUME, newest
        known = set()
        for installation_id, meter_id, history in self.histories():
            key = _key(installation_id, meter_id)
            known.add(key)
            # One whose counters were never served may not be true.
            if not history.is_held or history.behind_until is not None:
                yield key, dump_history(history)
        for key, history in tuple(self._left.items()):
            if key not in known:
                yield key, dump_history(history)

    def restore(self, key: str, payload: Any, *, started: float, is_behind: bool) -> None:
        """Take what an earlier run has left; raises StateError if it is none of that.

        `started` is the Unix time now. If `is_behind`, that run may have served later readings than this.
        """
        if key == _RESUME:
            self._left_resume = _moment(payload)
        elif not key or len(key) > _LONGEST_KEY_CHARACTERS:
            raise StateError("the key is empty or too long")
        else:
            self._left[key] = load_history(payload, started=started, is_behind=is_behind)

    def recall(self, installation_id: str, meter_id: str) -> History | None:
        """The history that an earlier run has left of a meter, for its guard to go on from; once."""
        return self._left.pop(_key(installation_id, meter_id), None)

    def recall_resume(self) -> float | None:
        """The newest receipt that an earlier run has left."""
        return self._left_resume

    def forget(self) -> None:
        """Forget what was left of meters that are not there any more."""
        if self._left:
            self._left.clear()
            self.note_change()

    def note_change(self) -> None:
        """Note that something has changed."""
        if self.on_change is not None:
            self.on_change()


def _moment(payload: Any) -> float:
    if isinstance(payload, bool) or not isinstance(payload, int | float) or not 0 <= payload < math.inf:
        raise StateError("the time to resume from is none")
    return float(payload)


def _key(installation_id: str, meter_id: str) -> str:
    return f"{installation_id}/{meter_id}"
