"""Reading bridges in the background, for those who wait only a moment."""

import asyncio
from collections.abc import Iterable

from iometer_exporter.bridges.bridge import Bridge


class BackgroundReads:
    """At most one read of each bridge under way; end them with `aclose`."""

    def __init__(self) -> None:
        self._reads: dict[Bridge, asyncio.Task[None]] = {}

    async def refresh(self, bridges: Iterable[Bridge], *, patience: float, timeout: float) -> None:
        """Read the bridges, each within `timeout`, and wait for all of them, but no longer than `patience`.

        Both are in seconds. What has not ended by then goes on; a bridge that is read already is not asked
        twice.
        """
        reads = [self._read(bridge, timeout) for bridge in bridges]
        if reads:
            await asyncio.wait(reads, timeout=patience)

    async def aclose(self) -> None:
        """Give up what is under way."""
        reads = list(self._reads.values())
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)

    def _read(self, bridge: Bridge, timeout: float) -> asyncio.Task[None]:
        read = self._reads.get(bridge)
        if read is None:
            read = self._reads[bridge] = asyncio.create_task(bridge.refresh(timeout))
            read.add_done_callback(lambda _: self._reads.pop(bridge, None))
        return read
