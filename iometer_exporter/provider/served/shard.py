"""The exporter, of several, that serves an installation: rendezvous hashing of its id."""

from hashlib import blake2b
from typing import Final

Shard = tuple[int, int]
"""Number of this exporter, from 1 on, and how many there are."""

WHOLE: Final[Shard] = (1, 1)


def in_shard(installation_id: str, shard: Shard) -> bool:
    """Whether the installation belongs to this shard.

    It belongs to the shard whose weight is highest, so that one shard more takes only its own share of the
    installations away from the others and moves none between them.
    """
    number, count = shard
    if count == 1:
        return True
    own = _weight(installation_id, number)
    return all(own > _weight(installation_id, other) for other in range(1, count + 1) if other != number)


def _weight(installation_id: str, number: int) -> bytes:
    # The number last in both: no two shards have the same weight.
    text = f"{installation_id}/{number}".encode(errors="replace")
    return blake2b(text, digest_size=16).digest() + number.to_bytes(4, "big")
