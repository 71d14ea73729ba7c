"""How long a stream may be silent, and what its readings are counted as."""

from datetime import UTC, datetime, timedelta
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.bridges.live.distribution import PowerDistribution
from iometer_exporter.bridges.live.rhythm import Rhythm


def after(*gaps: float, longest: float = 1200.0) -> Rhythm:
    rhythm, now = Rhythm(longest), 100.0
    rhythm.begin(now)
    for gap in gaps:
        now += gap
        rhythm.beat(now)
    return rhythm


def test_patience_is_learnt() -> None:
    assert after().patience == 30
    assert after(60).patience == 180
    assert after(*[1] * 50).patience == 5
    assert after(*[4] * 50).patience == pytest.approx(12)
    assert after(*[1] * 50, 20).patience == 60
    assert after(1).patience == pytest.approx(27)


def test_patience_has_an_end() -> None:
    assert after(900).patience == 1200
    assert after(longest=20).patience == 20
    assert after(*[1] * 50, longest=2).patience == 2


def test_a_stream_that_was_too_silent_gets_twice_the_time() -> None:
    rhythm = after()
    for seconds in (60, 120, 240, 480, 960, 1200, 1200):
        rhythm.was_too_silent()
        assert rhythm.patience == seconds


def test_silence_before_a_stream_is_none_of_its_own() -> None:
    rhythm = after(*[1] * 50)
    rhythm.begin(10_000.0)
    rhythm.beat(10_001.0)
    assert rhythm.patience == 5


@given(st.lists(st.floats(0, 1e6), max_size=20), st.floats(1, 1e5))
def test_patience_is_at_least_the_last_gap_and_never_above_the_longest(
    gaps: list[float], longest: float
) -> None:
    patience = after(*gaps, longest=longest).patience
    assert patience <= longest
    assert not gaps or patience >= min(longest, gaps[-1]) * (1 - 1e-6)


NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_each_reading_counts_once_in_the_bucket_of_its_power() -> None:
    powers = PowerDistribution((-100.0, 0.0, 100.0))
    for second, power in enumerate((-500, -100, -99.5, 0, 0.5, 100, 101, 5000)):
        powers.observe("M", power, at(second))
    powers.observe("M", 7.0, at(7))
    powers.observe("M", 7.0, at(3))
    found = powers.value
    assert found is not None
    assert (found.bounds, found.counts) == ((-100.0, 0.0, 100.0, inf), (2, 4, 6, 8))
    assert found.sum == 4502
    assert powers.meter == "M"


def test_nothing_is_told_before_the_first_reading() -> None:
    assert PowerDistribution((0.0,)).value is None


@pytest.mark.parametrize("first", ["", "M"])
def test_another_meter_begins_anew(first: str) -> None:
    """Also one whose number was not known at first."""
    powers = PowerDistribution((0.0,))
    for meter, power, counts in ((first, 5.0, (0, 1)), ("N", -5.0, (1, 1))):
        powers.observe(meter, power, at(10))
        found = powers.value
        assert found is not None
        assert (powers.meter, found.counts, found.sum) == (meter, counts, power)
