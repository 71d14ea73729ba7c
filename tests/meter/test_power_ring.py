import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.meter.power_ring import SLOT_SECONDS, SLOTS, PowerRing

HOURS = SLOT_SECONDS * SLOTS

times = st.floats(0, 10 * HOURS)
powers = st.floats(-1e5, 1e5)


def known(ring: PowerRing, now: float) -> dict[int, float]:
    """Means by how many slots ago they were."""
    return {SLOTS - 1 - i: mean for i, mean in enumerate(ring.means(now)) if mean is not None}


def test_a_new_ring_knows_nothing() -> None:
    assert PowerRing().means(1000.0) == [None] * SLOTS


def test_powers_of_one_slot_become_their_mean() -> None:
    ring = PowerRing()
    for at, watts in ((0.0, 100.0), (60.0, 300.0), (119.9, 500.0), (120.0, -50.0)):
        ring.add(at, watts)
    assert known(ring, 120.0) == {1: 300.0, 0: -50.0}


def test_what_was_not_scraped_is_a_gap() -> None:
    ring = PowerRing()
    ring.add(0.0, 1.0)
    ring.add(5 * SLOT_SECONDS, 2.0)
    assert known(ring, 7 * SLOT_SECONDS) == {7: 1.0, 2: 2.0}


def test_what_is_older_than_the_ring_is_forgotten() -> None:
    ring = PowerRing()
    ring.add(0.0, 1.0)
    assert known(ring, HOURS - 1) == {SLOTS - 1: 1.0}
    assert known(ring, HOURS) == {}
    ring.add(HOURS, 2.0)
    assert known(ring, HOURS) == {0: 2.0}


def test_a_gap_longer_than_the_ring_leaves_nothing_behind() -> None:
    ring = PowerRing()
    for slot in range(SLOTS):
        ring.add(slot * SLOT_SECONDS, 1.0)
    ring.add(100 * HOURS, 2.0)
    assert known(ring, 100 * HOURS) == {0: 2.0}


def test_what_comes_late_is_left_out() -> None:
    ring = PowerRing()
    ring.add(SLOT_SECONDS, 1.0)
    ring.add(0.0, 9.0)
    assert known(ring, SLOT_SECONDS) == {0: 1.0}


@pytest.mark.parametrize("before", [0.0, SLOT_SECONDS - 0.1])
def test_a_view_from_before_the_newest_slot_shows_what_was_known_then(before: float) -> None:
    ring = PowerRing()
    ring.add(0.0, 1.0)
    ring.add(SLOT_SECONDS, 2.0)
    assert known(ring, before) == {0: 1.0}


@given(st.lists(st.tuples(times, powers)), times)
def test_the_ring_is_what_a_list_of_everything_would_show(
    added: list[tuple[float, float]], now: float
) -> None:
    ring = PowerRing()
    slots: dict[int, list[float]] = {}
    for at, watts in added:
        ring.add(at, watts)
        slot = math.floor(at / SLOT_SECONDS)
        if not slots or slot >= max(slots):
            slots.setdefault(slot, []).append(watts)
    newest, last = max(slots, default=0), math.floor(now / SLOT_SECONDS)
    expected = {
        last - slot: sum(watts) / len(watts)
        for slot, watts in slots.items()
        if slot > newest - SLOTS and last - SLOTS < slot <= last
    }
    assert known(ring, now) == pytest.approx(expected, rel=1e-6, abs=1e-2)


def test_it_takes_the_same_memory_whatever_comes() -> None:
    ring = PowerRing()
    for second in range(100_000):
        ring.add(float(second), 1.0)
    assert sys.getsizeof(ring._means) < 1024


@given(st.lists(st.tuples(times, st.floats(allow_nan=False))), times)
def test_no_power_is_too_large_for_it(added: list[tuple[float, float]], now: float) -> None:
    ring = PowerRing()
    for at, watts in added:
        ring.add(at, watts)
    assert all(math.isfinite(mean) for mean in known(ring, now).values())
