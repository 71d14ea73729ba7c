"""Waiting for what other processes do: as long as a busy machine may need, and no longer than it takes."""

import os
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

PATIENCE: Final = float(os.environ.get("PATIENCE", "60"))
"""Seconds; they pass only where a test fails. Trying mutants, where many do, takes less."""


def eventually(probe: Callable[[], T | None], timeout: float = PATIENCE) -> T:
    """The first true result of the probe."""
    give_up = time.monotonic() + timeout
    while not (result := probe()):
        assert time.monotonic() < give_up, f"still {result!r} after {timeout} s"
        time.sleep(0.05)
    return result
