"""A short form of `python -m benchmarks.soak`."""

import sys
from pathlib import Path

import pytest

from benchmarks.soak import Size, complete, measured

SCRAPES, FIRST = 320, 120


@pytest.mark.end_to_end
@pytest.mark.skipif(sys.platform != "linux", reason="measures itself in /proc")
def test_hundreds_of_scrapes_leave_nothing_behind(tmp_path: Path) -> None:
    sizes, tally = measured(tmp_path, SCRAPES, FIRST, seed=3)
    assert sizes[-1].grown(sizes[0]) == []
    assert set(tally.outcomes) <= {"200", "gave up"}
    assert tally.outcomes["200"] > SCRAPES / 2
    assert tally.outcomes["gave up"] > 0


def test_what_grows_beyond_its_bound_is_told() -> None:
    first = Size(500, rss=50.0, descriptors=20, sockets=10, tasks=8)
    assert Size(1000, rss=58.0, descriptors=26, sockets=16, tasks=10).grown(first) == []
    assert Size(1000, rss=58.5, descriptors=27, sockets=17, tasks=11).grown(first) == [
        "rss: 58.5, more than 58",
        "descriptors: 27, more than 26",
        "sockets: 17, more than 16",
        "tasks: 11, more than 10",
    ]


def test_a_bridge_is_complete_with_both_documents() -> None:
    text = """\
iometer_endpoint_up{bridge="a",endpoint="reading"} 1.0
iometer_endpoint_up{bridge="a",endpoint="status"} 1.0
iometer_endpoint_up{bridge="b",endpoint="reading"} 1.0
iometer_endpoint_up{bridge="b",endpoint="status"} 0.0
"""
    assert complete(text) == {"a"}
