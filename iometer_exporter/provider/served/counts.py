"""Counts of readings by outcome, and of their delays."""

from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import Final

from iometer_exporter.provider.served.installations import Result

DELAY_BUCKETS: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
"""Upper bounds in seconds of the histogram of delays."""


class ReadingCounts:
    """Counts of readings by outcome, and of their delays from meter to cloud in seconds."""

    def __init__(self) -> None:
        self.results: Counter[Result] = Counter()
        self.delay_sum = 0.0
        self._delays = [0] * (len(DELAY_BUCKETS) + 1)

    def delayed(self, seconds: float) -> None:
        """Count a reading that took so long to the cloud; clocks that disagree give no negative time."""
        self._delays[bisect_left(DELAY_BUCKETS, seconds)] += 1
        self.delay_sum += max(seconds, 0.0)

    @property
    def delays(self) -> list[int]:
        """Cumulative counts per bucket, then the total."""
        return list(accumulate(self._delays))
