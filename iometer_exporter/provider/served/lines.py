"""The lines of many installations as `metrics.lines` writes them, kept until their installation changes."""

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Final

BLOCK: Final = 64
"""Installations whose lines are kept together: few enough to rewrite in a millisecond, enough to be few."""

Encoded = tuple[Sequence[bytes], float]
"""The lines of one installation by family, and the last Unix time at which all of them are true."""

NEVER: Final = math.inf
_ALWAYS: Final = -math.inf

_EMPTY: Final = b""


class LineStore:
    """The lines of many installations, joined by family in blocks that are rewritten only where they change.

    No object is kept per line: that would take more memory than the text.
    """

    def __init__(self, families: int, encode: Callable[[int, float], Encoded]) -> None:
        """Keep lines of so many families; `encode` gives those of a position, from Unix time.

        Where it raises, the position has no lines until it does not: each `refresh` tries it again.
        """
        self.fault: Exception | None = None
        """The last exception of `encode`, for whoever writes the log; it may be taken away."""
        self._encode = encode
        self._nothing: tuple[bytes, ...] = (_EMPTY,) * families
        self._pieces: list[list[bytes]] = [[] for _ in range(families)]
        self._lengths: list[list[array[int] | None]] = [[] for _ in range(families)]
        self._expiries: list[array[float]] = []
        self._first_expiry: list[float] = []
        self._free: list[int] = []
        self._changed: dict[int, set[int]] = {}

    def add(self) -> int:
        """A position for one more installation, to be encoded by the next `refresh`."""
        if not self._free:
            self._free = list(range(self.positions + BLOCK - 1, self.positions - 1, -1))
            for pieces, lengths in zip(self._pieces, self._lengths, strict=True):
                pieces.append(_EMPTY)
                lengths.append(None)
            self._expiries.append(array("d", [NEVER]) * BLOCK)
            self._first_expiry.append(NEVER)
        position = self._free.pop()
        self.change(position)
        return position

    def remove(self, position: int) -> None:
        """Forget the lines at the position, which another installation may get; `encode` now gives none."""
        self.change(position)
        self._free.append(position)

    def change(self, position: int) -> None:
        """Have the lines at the position written anew by the next `refresh`."""
        block = position // BLOCK
        slots = self._changed.get(block)
        if slots is None:
            self._changed[block] = {position % BLOCK}
        else:
            slots.add(position % BLOCK)

    @property
    def positions(self) -> int:
        """Number of positions, free ones too."""
        return len(self._expiries) * BLOCK

    @property
    def pending(self) -> bool:
        """Whether there is something to write anew."""
        return bool(self._changed)

    def refresh(self, now: float) -> Iterator[None]:
        """Write anew, a block at a time, what has changed or is no longer true at Unix time `now`.

        What changes while it runs is left to the next time. Several may run at once: they share the work.
        """
        for block, expiry in enumerate(self._first_expiry):
            if expiry < now:
                expiries = self._expiries[block]
                old = {slot for slot in range(BLOCK) if expiries[slot] < now}
                self._changed.setdefault(block, set()).update(old)
        for block in list(self._changed):
            slots = self._changed.pop(block, None)
            if slots is not None:
                try:
                    self._rewrite(block, sorted(slots), now)
                except BaseException:
                    self._changed.setdefault(block, set()).update(slots)
                    raise
                yield

    def pieces(self, family: int) -> list[bytes]:
        """The lines of the family, in pieces; it never changes, whatever happens later."""
        return [piece for piece in self._pieces[family] if piece]

    def _rewrite(self, block: int, slots: Sequence[int], now: float) -> None:
        encoded = [self._encoded(block * BLOCK + slot, now) for slot in slots]
        for family, column in enumerate(zip(*(lines for lines, _ in encoded), strict=True)):
            self._replace(family, block, slots, column)
        expiries = self._expiries[block]
        for slot, (_, expiry) in zip(slots, encoded, strict=True):
            expiries[slot] = expiry
        self._first_expiry[block] = min(expiries)

    def _encoded(self, position: int, now: float) -> Encoded:
        try:
            return self._encode(position, now)
        except Exception as error:
            # One installation that brings a fault to light costs no other its lines.
            self.fault = error
            return self._nothing, _ALWAYS

    def _replace(self, family: int, block: int, slots: Sequence[int], lines: Sequence[bytes]) -> None:
        """Put the lines at the slots into the block of the family, and keep the others."""
        before = self._lengths[family][block]
        if before is None:
            if not any(lines):
                return
            before = array("I", [0]) * BLOCK
        old = self._pieces[family][block]
        ends = list(accumulate(before, initial=0))
        lengths = before[:]
        parts: list[bytes] = []
        kept = 0
        for slot, line in zip(slots, lines, strict=True):
            start, end = ends[slot], ends[slot + 1]
            if old[start:end] != line:
                parts += (old[kept:start], line)
                kept = end
                lengths[slot] = len(line)
        if parts:
            piece = b"".join((*parts, old[kept:]))
            self._pieces[family][block], self._lengths[family][block] = piece, lengths if piece else None
