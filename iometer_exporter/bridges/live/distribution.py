"""The distribution of a meter's power over the readings that a stream has brought."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from math import inf

from iometer_exporter.metrics.families import Distribution


class PowerDistribution:
    """Counts the power of each reading once; a new meter begins anew."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """With these upper bounds in watts, which ascend; infinity follows by itself."""
        self._bounds = (*bounds, inf)
        self._value: Distribution | None = None
        self._begin("")

    def _begin(self, meter: str) -> None:
        self.meter = meter
        """The meter whose power it is, empty while that is unknown."""
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0
        self._counted_until: datetime | None = None

    def observe(self, meter: str, power: float, time: datetime) -> None:
        """Count the power in watts of the reading of this time, unless one as new was counted before."""
        if meter != self.meter:
            self._begin(meter)
        if self._counted_until is not None and time <= self._counted_until:
            # A stream that is opened again begins with the reading that is known.
            return
        self._counted_until = time
        self._counts[bisect_left(self._bounds, power)] += 1
        self._sum += power
        self._value = None

    @property
    def value(self) -> Distribution | None:
        """What has been counted so far; None if that is nothing."""
        # Many events may come between two scrapes, and none between others.
        if self._value is None and self._counted_until is not None:
            self._value = Distribution(self._bounds, tuple(accumulate(self._counts)), self._sum)
        return self._value
