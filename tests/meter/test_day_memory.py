import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.errors import StateError
from iometer_exporter.meter import day_memory
from iometer_exporter.meter.day_marks import DayMarks, Totals
from iometer_exporter.meter.day_memory import DayMemory

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def followed(memory: DayMemory, meter: str, *totals: Totals) -> DayMarks:
    days = memory.recall(meter)
    for each in totals:
        days.add(each)
        memory.keep(meter, days)
    return days


def restored(memory: DayMemory) -> DayMemory:
    """What the memory of the next run knows, through the text of the file."""
    later = DayMemory(UTC)
    for key, payload in json.loads(json.dumps(list(memory.entries()))):
        later.restore(key, payload, started=0.0, is_behind=True)
    return later


def test_days_go_on_after_a_restart_over_midnight() -> None:
    memory = DayMemory(UTC)
    followed(
        memory, "1", Totals(NOON, 0.0, None), Totals(NOON + DAY / 2 - timedelta(minutes=1), 1000.0, None)
    )
    days = followed(restored(memory), "1", Totals(NOON + DAY / 2 + timedelta(minutes=1), 1100.0, None))
    monday, tuesday = days.energy(NOON.date()), days.energy(NOON.date() + DAY)
    assert monday is not None
    assert (monday.imported, monday.since, monday.is_estimated) == (1050.0, NOON, False)
    assert tuesday is not None
    assert (tuesday.imported, tuesday.exported, tuesday.since) == (50.0, None, None)


def test_what_is_known_now_stands_against_the_file() -> None:
    memory, later = DayMemory(UTC), DayMemory(UTC)
    followed(memory, "1", Totals(NOON, 1.0, 1.0))
    followed(later, "1", Totals(NOON + DAY, 2.0, 2.0))
    for key, payload in memory.entries():
        later.restore(key, payload, started=0.0, is_behind=False)
    assert later.recall("1").newest_day() == NOON.date() + DAY


def test_two_who_follow_one_meter_do_not_disturb_one_another() -> None:
    memory = DayMemory(UTC)
    first = followed(memory, "1", Totals(NOON, 1.0, 1.0))
    followed(memory, "1", Totals(NOON + DAY, 2.0, 2.0))
    assert first.newest_day() == NOON.date()


def test_changes_are_told_and_meters_without_a_number_are_not_kept() -> None:
    memory, told = DayMemory(UTC), []
    memory.on_change = lambda: told.append(1)
    followed(memory, "", Totals(NOON, 1.0, 1.0))
    assert (told, list(memory.entries())) == ([], [])
    followed(memory, "1", Totals(NOON, 1.0, 1.0))
    assert len(told) == 1


def test_days_of_which_nothing_is_known_are_not_written() -> None:
    memory = DayMemory(UTC)
    memory.keep("1", memory.recall("1"))
    assert list(memory.entries()) == []


def test_the_meter_not_read_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_memory, "_MAX_METERS", 2)
    memory = DayMemory(UTC)
    for meter in ("1", "2", "1", "3"):
        followed(memory, meter, Totals(NOON, 1.0, 1.0))
    assert [key for key, _ in memory.entries()] == ["1", "3"]


GOOD = {
    "last": [NOON.isoformat(), 1.0, None],
    "marks": [["2026-06-15", NOON.isoformat(), 1.0, None, True, False]],
}


@pytest.mark.parametrize(
    ("key", "payload"),
    [
        ("", GOOD),
        ("x" * 513, GOOD),
        ("a\nb", GOOD),
        ("1", None),
        ("1", {}),
        ("1", GOOD | {"last": None}),
        ("1", GOOD | {"last": ["2026-06-15T12:00:00", 1.0, None]}),
        ("1", GOOD | {"last": ["0001-01-01T00:00:00+00:00", 1.0, None]}),
        ("1", GOOD | {"last": ["0001-01-01T00:00:00+14:00", 1.0, None]}),
        ("1", GOOD | {"last": [NOON.isoformat(), -1.0, None]}),
        ("1", GOOD | {"last": [NOON.isoformat(), True, None]}),
        ("1", GOOD | {"last": [NOON.isoformat(), "1", None]}),
        ("1", GOOD | {"last": [NOON.isoformat(), 1e18, None]}),
        ("1", GOOD | {"marks": None}),
        ("1", GOOD | {"marks": [["yesterday", NOON.isoformat(), 1.0, None, True, False]]}),
        ("1", GOOD | {"marks": [["2026-06-15", 1.0, None, True, False]]}),
        ("1", GOOD | {"marks": [[20260615, NOON.isoformat(), 1.0, None, True, False]]}),
    ],
)
def test_what_is_damaged_is_refused(key: str, payload: Any) -> None:
    memory = DayMemory(UTC)
    with pytest.raises(StateError):
        memory.restore(key, payload, started=0.0, is_behind=False)
    assert list(memory.entries()) == []


def test_what_is_whole_is_taken() -> None:
    memory = DayMemory(UTC)
    memory.restore("1", GOOD, started=0.0, is_behind=False)
    assert memory.recall("1").marks.keys() == {date(2026, 6, 15)}
    assert list(memory.entries()) == [("1", GOOD)]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=30)
    | st.just(NOON.isoformat()),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(["last", "marks"]), inner),
    max_leaves=12,
)


@given(json_values)
def test_nothing_in_a_file_is_a_fault(payload: Any) -> None:
    memory = DayMemory(UTC)
    try:
        memory.restore("1", payload, started=0.0, is_behind=False)
    except StateError:
        return
    followed(memory, "1", Totals(NOON, 1.0, 1.0))
