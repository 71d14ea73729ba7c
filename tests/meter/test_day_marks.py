from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.meter.day_marks import DayEnergy, DayMarks, Totals

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY, TUESDAY, WEDNESDAY = date(2026, 6, 15), date(2026, 6, 16), date(2026, 6, 17)


def at(day: date, clock: str) -> datetime:
    """A local time in Berlin, as the UTC that a bridge sends."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=BERLIN).astimezone(UTC)


def marks(*seen: tuple[datetime, float, float | None]) -> DayMarks:
    found = DayMarks(BERLIN)
    for time, imported, exported in seen:
        found.add(Totals(time, imported, exported))
    return found


def test_nothing_is_known_before_the_first_reading() -> None:
    empty = DayMarks(BERLIN)
    assert (empty.newest_day(), empty.energy(MONDAY)) == (None, None)


def test_the_first_day_begins_with_the_first_reading() -> None:
    first = at(MONDAY, "13:00:00")
    found = marks((first, 1000.0, 50.0), (at(MONDAY, "14:00:00"), 1500.0, 80.0))
    assert found.energy(MONDAY) == DayEnergy(500.0, 30.0, since=first, until=at(MONDAY, "14:00:00"))
    assert found.energy(MONDAY - timedelta(days=1)) is None


def test_the_day_changes_at_midnight_of_the_zone() -> None:
    found = marks(
        (at(MONDAY, "23:00:00"), 0.0, 0.0),
        (at(MONDAY, "23:59:50"), 100.0, 10.0),
        (at(TUESDAY, "00:00:10"), 120.0, 20.0),
        (at(TUESDAY, "08:00:00"), 500.0, 20.0),
    )
    assert found.newest_day() == TUESDAY
    assert found.energy(TUESDAY) == DayEnergy(390.0, 5.0, until=at(TUESDAY, "08:00:00"))
    assert found.energy(MONDAY) == DayEnergy(110.0, 15.0, since=at(MONDAY, "23:00:00"))


def test_midnight_in_a_long_gap_is_estimated() -> None:
    found = marks(
        (at(MONDAY, "00:00:00"), 0.0, None),
        (at(MONDAY, "22:00:00"), 100.0, None),
        (at(TUESDAY, "02:00:00"), 300.0, None),
    )
    monday, tuesday = found.energy(MONDAY), found.energy(TUESDAY)
    assert monday is not None
    assert (monday.imported, monday.exported, monday.is_estimated) == (200.0, None, True)
    assert tuesday is not None
    assert (tuesday.imported, tuesday.is_estimated) == (100.0, True)


def test_a_gap_of_days_marks_the_last_two_midnights_only() -> None:
    start = at(MONDAY, "12:00:00")
    found = marks((start, 0.0, 0.0), (start + timedelta(days=1000), 1000.0, 0.0))
    last = MONDAY + timedelta(days=1000)
    energy = found.energy(last - timedelta(days=1))
    assert energy is not None
    assert energy.imported == pytest.approx(1.0)
    assert len(found.marks) == 2


def test_a_day_that_was_not_seen_to_its_end_says_until_when() -> None:
    last = at(MONDAY, "20:00:00")
    found = marks((at(MONDAY, "00:00:00"), 0.0, 0.0), (last, 7.0, 0.0))
    assert found.energy(MONDAY) == DayEnergy(7.0, 0.0, since=at(MONDAY, "00:00:00"), until=last)
    assert found.energy(TUESDAY) is None


@pytest.mark.parametrize(
    "next_one", [(at(TUESDAY, "10:00:00"), 90.0, 10.0), (at(TUESDAY, "08:00:00"), 200.0, 10.0)]
)
def test_a_meter_that_begins_anew_begins_the_day_anew(next_one: tuple[datetime, float, float]) -> None:
    found = marks(
        (at(MONDAY, "12:00:00"), 0.0, 0.0),
        (at(TUESDAY, "09:00:00"), 100.0, 10.0),
        next_one,
        (at(TUESDAY, "11:00:00"), 300.0, 10.0),
    )
    energy = found.energy(TUESDAY)
    assert energy is not None
    assert (energy.imported, energy.since) == (300.0 - next_one[1], next_one[0])
    assert found.energy(MONDAY) is None


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (MONDAY, 24)])
def test_days_have_the_hours_that_clocks_give_them(day: date, hours: int) -> None:
    found = DayMarks(BERLIN)
    start = at(day - timedelta(days=1), "12:00:00")
    for minute in range(0, 48 * 60, 10):
        found.add(Totals(start + timedelta(minutes=minute), float(minute), None))
    energy = found.energy(day)
    assert energy is not None
    assert energy.imported == pytest.approx(hours * 60)
    assert not energy.is_estimated


def test_without_a_zone_days_are_those_of_this_host() -> None:
    found = DayMarks()
    now = datetime.now(UTC)
    found.add(Totals(now - timedelta(days=1), 0.0, None))
    found.add(Totals(now, 24.0, None))
    assert found.newest_day() == now.astimezone().date()
    energy = found.energy(now.astimezone().date())
    assert energy is not None
    assert energy.imported is not None
    assert 0.0 <= energy.imported <= 24.0


@given(
    st.lists(st.tuples(st.timedeltas(timedelta(seconds=1), timedelta(days=3)), st.floats(0, 1e6)), min_size=1)
)
def test_energies_of_two_days_are_never_negative_nor_more_than_was_counted(
    steps: list[tuple[timedelta, float]],
) -> None:
    found, time, total = DayMarks(BERLIN), at(MONDAY, "12:00:00"), 0.0
    for pause, energy in steps:
        time, total = time + pause, total + energy
        found.add(Totals(time, total, None))
    day = found.newest_day()
    assert day is not None
    parts = [found.energy(day), found.energy(day - timedelta(days=1))]
    assert parts[0] is not None
    energies = [part.imported for part in parts if part is not None and part.imported is not None]
    assert all(energy >= -1e-6 for energy in energies)
    assert sum(energies) <= total + 1e-6
    assert len(found.marks) <= 2


@pytest.mark.parametrize("time", [datetime.min, datetime.max])
def test_clocks_that_are_centuries_wrong_are_left_out(time: datetime) -> None:
    found = marks((time.replace(tzinfo=UTC), 1.0, 1.0))
    assert found.newest_day() is None
