"""How much asyncio receives at a time."""

import asyncio
from typing import Final

_RECEIVED_BYTES: Final = 64 * 1024


def receive_little(transport: asyncio.BaseTransport) -> None:
    """Let the transport receive at most 64 KiB at a time, which are given back if there is less.

    asyncio asks the system for 256 KiB of fresh memory each time, and returns it: so much is not taken of
    what the process has already. To receive a document took four times as long. `max_size` is where asyncio
    keeps the number; another kind of transport takes no notice.
    """
    transport.max_size = _RECEIVED_BYTES  # type: ignore[attr-defined]
