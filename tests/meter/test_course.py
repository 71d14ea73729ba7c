from datetime import UTC, datetime, timedelta
from decimal import Decimal

from iometer_exporter.meter import obis
from iometer_exporter.meter.course import Course, Recent
from iometer_exporter.meter.day_marks import DayEnergy
from iometer_exporter.meter.models import Reading, Register

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


def reading(
    minute: float = 0, *, kwh: str = "1", watts: int | None = 100, meter: str = "1", export: str | None = "0"
) -> Reading:
    values = {obis.ENERGY_IMPORT: (kwh, "kWh"), obis.ENERGY_EXPORT: (export, "kWh")}
    values |= {obis.POWER: (None if watts is None else str(watts), "W")}
    registers = {
        code: Register(code, Decimal(value), unit)
        for code, (value, unit) in values.items()
        if value is not None
    }
    return Reading(meter, NOON + timedelta(minutes=minute), registers)


def recent(course: Course, minute: float) -> Recent:
    return course.recent(minute * 60, NOON + timedelta(minutes=minute))


def powers(course: Course, minute: float) -> list[float]:
    return [power for power in recent(course, minute).powers if power is not None]


def test_nothing_is_known_at_first() -> None:
    assert Course(UTC).recent(0.0, NOON) == Recent()


def test_readings_become_powers_and_energy_of_the_day() -> None:
    course = Course(UTC)
    for minute in range(6):
        course.follow(
            reading(minute, kwh=f"{1 + minute / 10}", watts=100 * minute), minute * 60, is_held=False
        )
    assert powers(course, 5) == [50.0, 250.0, 450.0]
    assert recent(course, 5).today == DayEnergy(
        0.5 * 3.6e6, 0.0, since=NOON, until=NOON + timedelta(minutes=5)
    )


def test_a_reading_that_was_taken_before_is_no_news() -> None:
    course = Course(UTC)
    for minute in range(10):
        course.follow(reading(0), minute * 60, is_held=False)
    assert powers(course, 10) == [100.0]


def test_held_energies_wait_until_they_are_believed() -> None:
    course = Course(UTC)
    course.follow(reading(0, kwh="5"), 0.0, is_held=True)
    assert recent(course, 0).today is None
    assert powers(course, 0) == [100.0]
    course.follow(reading(0, kwh="5"), 30.0, is_held=False)
    assert recent(course, 1).today is not None


def test_another_meter_begins_anew_and_an_unknown_one_goes_on() -> None:
    course = Course(UTC)
    course.follow(reading(0), 0.0, is_held=False)
    course.follow(reading(3, meter=""), 180.0, is_held=False)
    assert powers(course, 3) == [100.0, 100.0]
    course.follow(reading(6, meter="2", kwh="77", watts=7), 360.0, is_held=False)
    assert powers(course, 6) == [7.0]
    today = recent(course, 6).today
    assert today is not None
    assert (today.imported, today.since) == (0.0, NOON + timedelta(minutes=6))


def test_a_meter_without_power_has_no_course_of_it() -> None:
    course = Course(UTC)
    course.follow(reading(0, watts=None, export=None), 0.0, is_held=False)
    assert powers(course, 0) == []
    today = recent(course, 0).today
    assert today is not None
    assert today.exported is None


def test_a_bridge_whose_clock_is_a_day_ahead_has_a_today_too() -> None:
    course = Course(UTC)
    for minute in (0, 60):
        ahead = reading(minute, kwh=f"{1 + minute}")
        course.follow(ahead._replace(time=ahead.time + timedelta(days=1)), minute * 60, is_held=False)
    today = recent(course, 60).today
    assert today is not None
    assert today.imported == 60 * 3.6e6


def test_a_clock_of_this_host_that_jumps_moves_nothing() -> None:
    course = Course(UTC)
    course.follow(reading(0), 0.0, is_held=False)
    long_ago = course.recent(60.0, datetime(1970, 1, 1, tzinfo=UTC))
    assert [power for power in long_ago.powers if power is not None] == [100.0]
    assert long_ago.today is not None


def test_a_day_without_readings_has_an_unknown_today_and_a_known_yesterday() -> None:
    course = Course(UTC)
    course.follow(reading(0), 0.0, is_held=False)
    course.follow(reading(60, kwh="3"), 3600.0, is_held=False)
    later = recent(course, 60 * 24)
    assert later.today is None
    assert later.yesterday is not None
    assert later.yesterday.imported == 2 * 3.6e6
