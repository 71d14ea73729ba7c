"""The exporter, of several, that serves an installation: rendezvous hashing of its id."""

from hashlib import blake2b
from struct import Struct
from typing import Final

Shard = tuple[int, int]
"""Number of this exporter, from 1 on, and how many there are."""

WHOLE: Final[Shard] = (1, 1)

_AT_ONCE: Final = 8
"""Weights that one hash gives: looking at every reading of a fleet, each further hash would be felt."""

_weights: Final = Struct(f">{_AT_ONCE}Q").unpack


def in_shard(installation_id: str, shard: Shard) -> bool:
    """Whether the installation belongs to this shard.

    It belongs to the shard whose weight is highest, so that one shard more takes only its own share of the
    installations away from the others and moves none between them.
    """
    number, count = shard
    if count == 1:
        return True
    name = installation_id.encode(errors="replace")
    weights = _weights(blake2b(name).digest())
    if count < _AT_ONCE:
        weights = weights[:count]
    elif count > _AT_ONCE:
        for begin in range(_AT_ONCE, count, _AT_ONCE):
            weights += _weights(blake2b(b"%s/%d" % (name, begin)).digest())
        weights = weights[:count]
    # Of equal ones the first: no two shards take the same installation.
    return weights.index(max(weights)) == number - 1
