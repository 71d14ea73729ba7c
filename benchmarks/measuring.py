"""What a process has used so far, and figures with their spread."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NANO: Final = 1e-9


@dataclass(frozen=True)
class Figure:
    """Median and quartiles of what was measured several times."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        """The figure of at least one value."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)

    def __truediv__(self, divisor: float) -> "Figure":
        return Figure(self.median / divisor, self.low / divisor, self.high / divisor)

    def text(self, digits: int) -> str:
        """Median, and the quartiles in brackets."""
        return f"{self.median:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def cpu_seconds(pid: int) -> float:
    """Time that the threads of a process have run, exact to the nanosecond while they wait."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) * _NANO


def rss_megabytes(pid: int) -> float:
    """Resident memory of a process, in megabytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
