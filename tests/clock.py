"""The clock of a loop in the hands of a test."""

import asyncio
import math
from typing import Any

import pytest


class Clock:
    """Time of the running loop, which passes when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        # Whole seconds: what passes is exact then.
        self._now = float(math.ceil(loop.time()))
        self.timers = 0
        call_at = loop.call_at

        def counted(*given: Any, **named: Any) -> asyncio.TimerHandle:
            self.timers += 1
            return call_at(*given, **named)

        monkeypatch.setattr(loop, "time", lambda: self._now)
        monkeypatch.setattr(loop, "call_at", counted)

    def after(self, seconds: float) -> float:
        """The time so many seconds from now on."""
        return self._now + seconds

    async def passes(self, seconds: float) -> None:
        """Let time pass, and whoever waits for it have their turns."""
        self._now += seconds
        for _ in range(10):
            await asyncio.sleep(0)
