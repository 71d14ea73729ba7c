import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.meter.guard import REJECTIONS, Guard, Judgement, Limits, MeterGuard
from iometer_exporter.meter.memory import Memory
from iometer_exporter.meter.models import Reading, Register
from iometer_exporter.meter.obis import ENERGY_EXPORT, ENERGY_IMPORT, POWER, ObisCode
from iometer_exporter.meter.quantities import energies
from tests.properties import examples

START: Final = datetime(2024, 11, 11, tzinfo=UTC)
MAX_POWER: Final = 100_000.0
RESET_AFTER: Final = 600.0
MINUTE: Final = 60.0
TARIFF: Final = ObisCode.parse("1-0:1.8.1")


def new_guard() -> Guard:
    return Guard(Limits(MAX_POWER, RESET_AFTER))


def reading(
    at: float,
    imported: float | str | None,
    exported: float | str | None = None,
    *,
    tariff: float | str | None = None,
    power: float | None = None,
    meter: str = "1ISK",
    unit: str = "Wh",
) -> Reading:
    """A reading `at` seconds after the start, with counters in Wh unless said otherwise."""
    sent = ((ENERGY_IMPORT, imported), (ENERGY_EXPORT, exported), (TARIFF, tariff))
    registers = {code: Register(code, Decimal(str(value)), unit) for code, value in sent if value is not None}
    if power is not None:
        registers[POWER] = Register(POWER, Decimal(str(power)), "W")
    return Reading(meter, START + timedelta(seconds=at), registers)


def judge_all(guard: Guard, *readings: Reading, now: float = 0.0) -> list[Judgement]:
    """The judgements on readings that arrive one second apart."""
    return [guard.judge(item, now + index) for index, item in enumerate(readings)]


def rejections(judgements: Sequence[Judgement]) -> list[str | None]:
    return [judgement.rejection for judgement in judgements]


def test_the_first_reading_is_served_whatever_it_is() -> None:
    first = reading(0, 1000.5)
    assert new_guard().judge(first, 0.0) == Judgement(first, None)


def test_a_newer_reading_that_rose_believably_is_served() -> None:
    guard = new_guard()
    later = reading(60, 1001.5, 10.5)
    judge_all(guard, reading(0, 1000.5, 10.5))
    assert guard.judge(later, 1.0) == Judgement(later, None)


def test_an_older_reading_is_replayed_and_the_last_one_is_served() -> None:
    guard = new_guard()
    last = reading(60, 1001.5)
    judge_all(guard, last)
    assert guard.judge(reading(0, 1000.5), 1.0) == Judgement(last, "replayed")


def test_an_older_reading_is_replayed_even_if_its_counter_is_higher() -> None:
    guard = new_guard()
    judge_all(guard, reading(60, 1001.5))
    assert guard.judge(reading(0, 1001.6), 1.0).rejection == "replayed"


@pytest.mark.parametrize("imported", [999.5, 1000.5, 9999.5])
def test_of_two_readings_of_one_time_the_first_stands_and_nothing_is_counted(imported: float) -> None:
    guard = new_guard()
    first = reading(0, 1000.5)
    judge_all(guard, first)
    assert guard.judge(reading(0, imported), 1.0) == Judgement(first, None)


@pytest.mark.parametrize(
    "lower",
    [
        reading(60, 1000.4, 10.5, tariff=5.5),
        reading(60, 1000.6, 10.4, tariff=5.5),
        reading(60, 1000.6, 10.5, tariff=5.4),
        reading(60, 999999.5, 0, tariff=5.5),
    ],
)
def test_a_newer_reading_with_any_lower_energy_register_is_decreased(lower: Reading) -> None:
    guard = new_guard()
    last = reading(0, 1000.5, 10.5, tariff=5.5)
    judge_all(guard, last)
    assert guard.judge(lower, 1.0) == Judgement(last, "decreased")


def test_power_may_fall_and_rise_at_will() -> None:
    readings = (reading(0, 1000.5, power=9000), reading(1, 1000.5, power=-9e6), reading(2, 1000.5, power=9e6))
    assert rejections(judge_all(new_guard(), *readings)) == [None, None, None]


@pytest.mark.parametrize(
    ("rise", "rejection"),
    [
        ("1666.7", None),
        # 100 kW for a minute is 1666.66… Wh, and one unit of resolution is 1 Wh.
        ("1667.6", None),
        ("1667.7", "implausible"),
        ("100000", "implausible"),
    ],
)
def test_a_rise_by_more_than_the_largest_power_is_implausible(rise: str, rejection: str | None) -> None:
    guard = new_guard()
    judge_all(guard, reading(0, "1000.1"))
    risen = Decimal("1000.1") + Decimal(rise)
    assert guard.judge(reading(60, str(risen)), 1.0).rejection == rejection


def test_each_register_is_checked_against_the_largest_power() -> None:
    guard = new_guard()
    judge_all(guard, reading(0, 1000.5, 10.5, tariff=1.5))
    assert guard.judge(reading(60, 1000.5, 5000.5, tariff=1.5), 1.0).rejection == "implausible"
    assert guard.judge(reading(61, 1000.5, 10.5, tariff=5000.5), 2.0).rejection == "implausible"


def test_the_elapsed_time_is_that_of_the_meter_not_of_the_scrapes() -> None:
    guard = new_guard()
    judge_all(guard, reading(0, 1000.5))
    assert guard.judge(reading(3600, 100_000.5), 0.001).rejection is None


def test_the_good_reading_right_after_a_bad_one_is_served() -> None:
    good = reading(3, 1000.7)
    judgements = judge_all(
        new_guard(),
        reading(0, 1000.5),
        reading(1, 1000.4),
        reading(2, 999_999.5),
        reading(-900, 990.5),
        good,
    )
    assert rejections(judgements) == [None, "decreased", "implausible", "replayed", None]
    assert judgements[-1].served is good


def test_a_wrong_export_value_now_and_then_costs_only_its_own_reading() -> None:
    truth = [reading(second, 1000 + second / 100, 20.5) for second in range(0, 3000, 10)]
    wrong = [
        reading(second, 1000 + second / 100, 0 if index % 7 == 3 else 20.5)
        for index, second in enumerate(range(0, 3000, 10))
    ]
    guard = new_guard()
    for right, sent in zip(truth, wrong, strict=True):
        judgement = guard.judge(sent, sent.time.timestamp())
        assert (judgement.served == right) is (judgement.rejection is None)
        assert not judgement.reset


def test_thirty_replayed_readings_leave_the_served_counter_where_it_was() -> None:
    guard = new_guard()
    history = [reading(second, 1000 + second / 10) for second in range(0, 600, 10)]
    judge_all(guard, *history)
    judgements = judge_all(guard, *history[10:40], now=1000.0)
    assert rejections(judgements) == ["replayed"] * 30
    assert {id(judgement.served) for judgement in judgements} == {id(history[-1])}


def test_replays_every_quarter_of_an_hour_never_add_up_to_a_new_truth() -> None:
    guard = new_guard()
    last = reading(100_000, 9000.5)
    guard.judge(last, 0.0)
    for quarter in range(1, 9):
        now = quarter * 15 * MINUTE
        replayed = [reading(quarter * 30 + second, 1000 + quarter + second / 100) for second in range(5)]
        assert rejections(judge_all(guard, *replayed, now=now)) == ["replayed"] * 5
        assert guard.judge(last, now + 5) == Judgement(last, None)


def test_three_agreeing_readings_after_reset_after_become_the_new_truth() -> None:
    guard = new_guard()
    old = reading(0, 50_000.5)
    guard.judge(old, 0.0)
    for minute in range(1, 11):
        judgement = guard.judge(reading(minute * MINUTE, minute / 10), minute * MINUTE)
        assert judgement == Judgement(old, "decreased")
    new = reading(11 * MINUTE, 1.1)
    assert guard.judge(new, 11 * MINUTE) == Judgement(new, None, reset=True)
    after = reading(12 * MINUTE, 1.2)
    assert guard.judge(after, 12 * MINUTE) == Judgement(after, None)


def test_after_a_reset_the_wait_for_the_next_one_starts_anew() -> None:
    guard = new_guard()
    guard.judge(reading(0, 50_000.5), 0.0)
    for minute in range(1, 12):
        guard.judge(reading(minute * MINUTE, minute), minute * MINUTE)
    refused = [reading(second, second) for second in range(4)]
    assert rejections(judge_all(guard, *refused, now=700.0)) == ["replayed"] * 4


def test_reset_after_alone_is_not_enough_without_three_different_readings() -> None:
    guard = new_guard()
    guard.judge(reading(0, 50_000.5), 0.0)
    first, second, third = (reading(900 * index, index) for index in (1, 2, 3))
    for now in range(900, 1800, 60):
        assert guard.judge(first, now).rejection == "decreased"
    for now in range(1800, 2700, 60):
        assert guard.judge(second, now).rejection == "decreased"
    assert guard.judge(third, 2700.0) == Judgement(third, None, reset=True)


def test_the_repeated_third_reading_is_served_once_reset_after_has_passed() -> None:
    guard = new_guard()
    guard.judge(reading(0, 50_000.5), 0.0)
    readings = [reading(second, second) for second in (1, 2, 3)]
    judge_all(guard, *readings, now=1.0)
    assert guard.judge(readings[-1], 1.0 + RESET_AFTER - 0.1).rejection == "decreased"
    assert guard.judge(readings[-1], 1.0 + RESET_AFTER) == Judgement(readings[-1], None, reset=True)


def test_readings_that_disagree_never_become_the_truth() -> None:
    guard = new_guard()
    old = reading(0, 50_000.5)
    guard.judge(old, 0.0)
    for minute in range(1, 60):
        noise = reading(minute * MINUTE, 100.5 if minute % 2 else 40_000.5)
        assert guard.judge(noise, minute * MINUTE) == Judgement(old, "decreased")


def test_after_a_disagreeing_reading_three_more_have_to_agree() -> None:
    guard = new_guard()
    guard.judge(reading(0, 50_000.5), 0.0)
    sent = [reading(601 + index, value) for index, value in enumerate((1.5, 1.5, 0.5, 0.5, 0.5))]
    guard.judge(reading(1, 900.5), 1.0)
    assert rejections([guard.judge(item, 601.0 + index) for index, item in enumerate(sent)]) == [
        "decreased",
        "decreased",
        "decreased",
        "decreased",
        None,
    ]


def test_a_believable_reading_in_between_starts_the_wait_anew() -> None:
    guard = new_guard()
    guard.judge(reading(0, 50_000.5), 0.0)
    for minute in range(1, 10):
        guard.judge(reading(minute * MINUTE, minute), minute * MINUTE)
    believable = reading(599, 50_000.6)
    assert guard.judge(believable, 599.0).served is believable
    for minute in range(10, 20):
        judgement = guard.judge(reading(minute * MINUTE, minute), minute * MINUTE)
        assert judgement == Judgement(believable, "decreased")
    assert guard.judge(reading(20 * MINUTE, 20), 20 * MINUTE).reset


def test_a_clock_that_was_in_the_future_is_forgiven() -> None:
    guard = new_guard()
    future = reading(10 * 365 * 86400, 1000.5)
    guard.judge(future, 0.0)
    for minute in range(1, 11):
        truth = reading(minute * MINUTE, 1000.5 + minute)
        assert guard.judge(truth, minute * MINUTE) == Judgement(future, "replayed")
    truth = reading(11 * MINUTE, 1011.5)
    assert guard.judge(truth, 11 * MINUTE) == Judgement(truth, None, reset=True)


def test_refusals_of_different_reasons_add_up() -> None:
    guard = new_guard()
    guard.judge(reading(1000, 50_000.5), 0.0)
    judgements = [
        guard.judge(reading(900, 60_000.5), 1.0),
        guard.judge(reading(1100, 1_000_000.6), 300.0),
        guard.judge(reading(1200, 1_000_000.7), 300.0),
        guard.judge(reading(1300, 1_000_000.8), 601.0),
    ]
    assert rejections(judgements) == ["replayed", "implausible", "implausible", None]
    assert judgements[-1].reset


def test_reset_after_zero_still_asks_for_three_agreeing_readings() -> None:
    guard = Guard(Limits(MAX_POWER, 0.0))
    readings = [reading(second, second or 50_000.5) for second in range(4)]
    assert rejections(judge_all(guard, *readings)) == [None, "decreased", "decreased", None]


def test_at_a_reset_the_reading_served_is_the_one_that_the_next_is_compared_with() -> None:
    guard = new_guard()
    guard.judge(reading(0, 50_000.5), 0.0)
    for second in (1, 2, 3):
        guard.judge(reading(second, 1.5), float(second))
    # The same time again with another value: the first one of that time stands, here too.
    reset = guard.judge(reading(3, 900.5), 700.0)
    assert (reset.reset, reset.served) == (True, reading(3, 1.5))
    assert guard.judge(reading(4, 1.6), 701.0).served == reading(4, 1.6)


def test_a_new_meter_number_starts_afresh() -> None:
    guard = new_guard()
    guard.judge(reading(1000, 50_000.5, meter="old"), 0.0)
    swapped = reading(0, 0.5, meter="new")
    assert guard.judge(swapped, 1.0) == Judgement(swapped, None)


def test_each_meter_is_judged_by_its_own_history() -> None:
    guard = new_guard()
    old = reading(1000, 50_000.5, meter="old")
    guard.judge(old, 0.0)
    guard.judge(reading(1100, 0.5, meter="new"), 1.0)
    assert guard.judge(reading(900, 49_000.5, meter="old"), 2.0) == Judgement(old, "replayed")
    assert guard.judge(reading(1200, 0.6, meter="new"), 3.0).rejection is None


def test_meter_numbers_of_nonsense_do_not_pile_up() -> None:
    guard = new_guard()
    guard.judge(reading(0, 5.5, meter="first"), 0.0)
    for index in range(100):
        guard.judge(reading(0, 5.5, meter=f"nonsense {index}"), 1.0)
        if index % 5 == 0:
            guard.judge(reading(0, 5.5, meter="in use"), 1.0)
    assert guard.judge(reading(-1, 4.5, meter="first"), 2.0).rejection is None
    assert guard.judge(reading(-1, 4.5, meter="in use"), 2.0).rejection == "replayed"


def test_a_register_that_vanishes_and_comes_back_may_not_have_fallen() -> None:
    judgements = judge_all(
        new_guard(),
        reading(0, 1000.5, 20.5),
        reading(10, 1000.6),
        reading(20, 1000.7, 19.5),
        reading(30, 1000.8, 20.6),
    )
    assert rejections(judgements) == [None, None, "decreased", None]


def test_a_register_that_was_away_may_have_risen_for_all_that_time() -> None:
    guard = new_guard()
    judge_all(guard, reading(0, 1000.5, 20.5), reading(3599, 1000.5), reading(3600, 1000.5, 90_000.5))
    assert guard.judge(reading(3601, 1000.5, 90_000.6), 9.0).rejection is None
    judgements = judge_all(
        new_guard(), reading(0, 1000.5, 20.5), reading(10, 1000.5), reading(20, 1.5e3, 1.5e3)
    )
    assert rejections(judgements) == [None, None, "implausible"]


def test_a_register_seen_for_the_first_time_may_have_any_value() -> None:
    judgements = judge_all(new_guard(), reading(0, 1000.5), reading(1, 1000.5, 90_000_000.5))
    assert rejections(judgements) == [None, None]


def test_a_counter_that_is_none_does_not_count_against_a_reading() -> None:
    judgements = judge_all(
        new_guard(), reading(0, 1000.5, 20.5), reading(1, 1000.5, -5), reading(2, 1000.5, 19.5)
    )
    assert rejections(judgements) == [None, None, "decreased"]


def test_readings_without_any_energy_are_guarded_by_their_time() -> None:
    judgements = judge_all(
        new_guard(), reading(1, None, power=5), reading(0, None, power=6), reading(2, None)
    )
    assert rejections(judgements) == [None, "replayed", None]


@pytest.mark.parametrize(("before", "after"), [(12_345_000, 12_346_000), (0, 1000), ("5e6", "5001000.0")])
def test_a_meter_of_whole_kwh_may_step_by_one_within_a_second(
    before: float | str, after: float | str
) -> None:
    assert rejections(judge_all(new_guard(), reading(0, before), reading(1, after))) == [None, None]


def test_a_meter_of_whole_kwh_may_not_step_by_two_within_a_second() -> None:
    assert (
        rejections(judge_all(new_guard(), reading(0, 12_345_000), reading(1, 12_347_000)))[-1]
        == "implausible"
    )


@pytest.mark.parametrize("history", [["12345000.1"], ["12345000", "12345000.1"], ["12344999.5", "12345000"]])
def test_a_meter_of_fine_resolution_may_not_step_by_a_kwh_within_a_second(history: list[str]) -> None:
    guard = new_guard()
    judge_all(guard, *(reading(index, value) for index, value in enumerate(history)))
    risen = Decimal(history[-1]) + 1000
    assert guard.judge(reading(len(history), str(risen)), 9.0).rejection == "implausible"


def test_a_meter_that_sends_tenths_of_a_kwh_may_step_by_one_of_them() -> None:
    guard = new_guard()
    judge_all(guard, reading(0, "12.3", unit="kWh", power=500), reading(1, "12.4", unit="kWh", power=500))
    assert guard.judge(reading(2, "12.5", unit="kWh", power=500), 2.0).rejection is None
    assert guard.judge(reading(3, "12.7", unit="kWh", power=500), 3.0).rejection == "implausible"


def test_a_round_value_beside_a_power_is_no_sign_of_whole_kwh() -> None:
    judgements = judge_all(new_guard(), reading(0, 12_345_000, power=500), reading(1, 12_346_000, power=500))
    assert rejections(judgements) == [None, "implausible"]


def test_the_first_fine_reading_after_the_pin_was_entered_is_served() -> None:
    judgements = judge_all(new_guard(), reading(0, 12_345_000), reading(1, "12345678.9"))
    assert rejections(judgements) == [None, None]


WALL: Final = START.timestamp()


def served_import(judgement: Judgement) -> Decimal:
    """The import counter served, in Wh."""
    return judgement.energies[ENERGY_IMPORT] / 3600


@pytest.mark.parametrize("minutes", [1, 15])
def test_a_meter_that_loses_its_pin_makes_no_counter_fall(minutes: int) -> None:
    guard = new_guard()
    guard.judge(reading(-MINUTE, "12345678.7", "5000.1", tariff="777.7", power=500), -MINUTE)
    guard.judge(reading(0, "12345678.9", "5000.1", tariff="777.8", power=500), 0.0)
    for minute in range(minutes, 200, minutes):
        truth = 12_345_678.9 + 10 * minute
        coarse = reading(minute * MINUTE, int(truth) // 1000 * 1000, 5000, tariff=0)
        judgement = guard.judge(coarse, minute * MINUTE)
        assert (judgement.rejection, judgement.reset) == (None, False)
        assert judgement.served.time == coarse.time
        assert judgement.served.registers[ENERGY_EXPORT].value == Decimal("5000.1")
        assert judgement.served.registers[TARIFF].value == Decimal("777.8")
        assert served_import(judgement) == max(Decimal("12345678.9"), int(truth) // 1000 * 1000)
        assert POWER not in judgement.served.registers


@pytest.mark.parametrize("fine", ["12346000.2", "12345999.8", "12345678.9", "12345200.3"])
def test_when_the_pin_returns_the_fine_value_may_be_just_above_or_below_the_coarse_one(fine: str) -> None:
    guard = new_guard()
    readings = [
        reading(0, "12345678.9", power=1),
        reading(60, 12_345_000),
        reading(900, 12_346_000),
        reading(960, fine, power=1),
        reading(1020, "12346000.4", power=1),
    ]
    judgements = judge_all(guard, *readings)
    assert rejections(judgements) == [None] * 5
    assert served_import(judgements[2]) == 12_346_000
    assert served_import(judgements[3]) == max(12_346_000, Decimal(fine))
    assert served_import(judgements[4]) == Decimal("12346000.4")


def test_a_fall_by_a_whole_unit_of_a_coarse_meter_is_one() -> None:
    guard = new_guard()
    judge_all(guard, reading(0, 12_346_000), reading(1, 12_346_000))
    assert guard.judge(reading(60, 12_345_000), 2.0).rejection == "decreased"


def test_a_fall_by_more_than_the_last_digit_hides_is_one_even_if_all_is_whole() -> None:
    guard = new_guard()
    guard.judge(reading(0, "12345678.9", power=1), 0.0)
    assert guard.judge(reading(60, 12_344_000), 1.0).rejection == "decreased"


def test_one_round_register_beside_fine_ones_is_no_lost_pin() -> None:
    guard = new_guard()
    guard.judge(reading(0, "1000.5", "10.5"), 0.0)
    assert guard.judge(reading(60, "1000.6", 0), 1.0).rejection == "decreased"


def test_a_meter_that_lost_its_pin_cannot_have_counted_a_kwh_at_once() -> None:
    guard = new_guard()
    judge_all(guard, reading(0, "12345678.9", power=1), reading(1, 12_345_000))
    assert guard.judge(reading(2, 12_346_000), 2.0).rejection == "implausible"
    assert guard.judge(reading(60, 12_346_000), 3.0).rejection is None


def test_firmware_that_sends_fewer_digits_makes_no_counter_fall() -> None:
    judgements = judge_all(
        new_guard(),
        reading(0, "12345.6789", unit="kWh", power=1),
        reading(60, "12345.6", unit="kWh", power=1),
        reading(120, "12345.7", unit="kWh", power=1),
    )
    assert rejections(judgements) == [None] * 3
    assert [served_import(each) for each in judgements] == [
        Decimal("12345678.9"),
        Decimal("12345678.9"),
        Decimal(12_345_700),
    ]


@pytest.mark.parametrize("energy", ["49000.5", "50000.5", "50000.55"])
@pytest.mark.parametrize("is_timed", [False, True])
def test_a_replay_is_none_the_less_one_for_lasting_a_day(energy: str, is_timed: bool) -> None:
    guard = new_guard()
    last = reading(100_000, "50000.5", 10.5)
    wall = WALL + 100_000 if is_timed else None
    guard.judge(last, 0.0, wall=wall)
    for minute in range(1, 1440):
        old = reading(minute * MINUTE, energy, "10.4")
        judgement = guard.judge(old, minute * MINUTE, wall=wall and wall + minute * MINUTE)
        assert judgement == Judgement(last, "replayed")


@pytest.mark.parametrize("replays", [1, 2, 30])
def test_replays_every_quarter_do_not_keep_a_clock_that_was_wrong(replays: int) -> None:
    """Readings of every quarter of an hour, after one from the future, and old ones in between."""
    guard = new_guard()
    past = [reading(900 * index, 1000.5 + index, power=1) for index in range(8)]
    for item in past:
        guard.judge(item, item.time.timestamp() - WALL)
    now = 900.0 * 8
    future = reading(now + 86_400, 1009.5, power=1)
    assert guard.judge(future, now).served is future
    judgements = []
    for quarter in range(1, 5):
        truth = reading(now + 900 * quarter, 1009.5 + quarter, power=1)
        judgements.append(guard.judge(truth, now + 900 * quarter))
        # Those of an hour ago and less: older ones and, later, some of those refused above.
        past.append(truth)
        for step, old in enumerate(past[-1 - replays : -1]):
            guard.judge(old, now + 900 * quarter + 1 + step / 100)
    assert rejections(judgements) == ["replayed", "replayed", None, None]
    assert [judgement.reset for judgement in judgements] == [False, False, True, False]


@pytest.mark.parametrize("lag", [1, 2, 3])
def test_replays_every_quarter_do_not_keep_the_registers_of_before_a_reset(lag: int) -> None:
    guard = new_guard()
    sent = [reading(900 * index, 50_000.5 + index) for index in range(4)]
    for item in sent:
        guard.judge(item, item.time.timestamp() - WALL)
    judgements = []
    for quarter in range(4, 9):
        truth = reading(900 * quarter, 0.5 + quarter)
        sent.append(truth)
        judgements.append(guard.judge(truth, 900.0 * quarter))
        guard.judge(sent[-1 - lag], 900.0 * quarter + 1)
    assert rejections(judgements) == ["decreased", "decreased", None, None, None]


def test_the_last_reading_before_a_reset_replayed_each_quarter_does_not_hold_it_up() -> None:
    guard = new_guard()
    last = reading(0, 50_000.5)
    guard.judge(last, 0.0)
    for quarter in (1, 2):
        assert guard.judge(reading(900 * quarter, quarter), 900.0 * quarter).rejection == "decreased"
        assert guard.judge(last, 900.0 * quarter + 1) == Judgement(last, None)
    assert guard.judge(reading(2700, 3), 2700.0).reset


def test_a_future_reading_that_was_refused_does_not_end_the_chain_after_it() -> None:
    guard = new_guard()
    guard.judge(reading(0, 50_000.5), 0.0)
    assert guard.judge(reading(10**9, 1), 1.0).rejection == "decreased"
    for minute in range(1, 11):
        assert guard.judge(reading(minute * MINUTE, minute), minute * MINUTE).rejection == "decreased"
    assert guard.judge(reading(11 * MINUTE, 11), 11 * MINUTE).reset


def test_wrong_values_now_and_then_under_a_clock_that_was_wrong_become_no_truth() -> None:
    """Where the meter stands still, all that is right looks like a replay, but it contradicts them."""
    guard = new_guard()
    guard.judge(reading(3000, 1000.5, 10.5), 0.0)
    for minute in range(1, 40):
        exported = 10**9 if minute % 5 == 0 else 10.5
        judgement = guard.judge(reading(minute * MINUTE, 1000.5, exported), minute * MINUTE)
        assert (judgement.rejection, judgement.reset) == ("replayed", False)


@pytest.mark.parametrize("ahead", [7200.0, 86_400.0, 1e9])
def test_a_first_reading_from_the_future_with_a_wrong_total_is_forgiven(ahead: float) -> None:
    """All that is true looks like a replay of it; but its time has not come."""
    guard = new_guard()
    guard.judge(reading(ahead, 999_999.5), 0.0, wall=WALL)
    for minute in range(1, 11):
        judgement = guard.judge(reading(minute * MINUTE, 500), minute * MINUTE, wall=WALL + minute * MINUTE)
        assert judgement.rejection == "replayed"
    last = guard.judge(reading(660, 501), 660.0, wall=WALL + 660)
    assert last.reset
    assert served_import(last) == 501


def test_a_wrong_but_plausible_export_waits_for_the_meter_to_pass_it() -> None:
    guard = new_guard()
    guard.judge(reading(0, 1000.5, "5000000.5", power=1), 0.0)
    wrong = guard.judge(reading(900, 1001.5, "5020000.5", power=1), 900.0)
    assert wrong.rejection is None
    exported = [5_000_100.5, 5_000_200.5, 5_019_000.5, 5_020_000.6, 5_030_000.5]
    for index, value in enumerate(exported, start=2):
        judgement = guard.judge(reading(900 * index, 1000.5 + index, value, power=1), 900.0 * index)
        assert judgement.rejection is None
        assert served_import(judgement) == Decimal(str(1000.5 + index))
        served = judgement.served.registers[ENERGY_EXPORT].value
        assert served == max(Decimal("5020000.5"), Decimal(str(value)))


def test_a_wrong_export_that_shows_several_times_is_corrected_too() -> None:
    guard = new_guard()
    values = ["5000000.5", "5020000.5", "5020000.5", "5020100.5", "5020200.5", "5000400.5", "5000500.5"]
    judgements = [
        guard.judge(reading(900 * index, 1000.5 + index, value, power=1), 900.0 * index)
        for index, value in enumerate(values)
    ]
    assert rejections(judgements) == [None] * 7
    assert judgements[-1].served.registers[ENERGY_EXPORT].value == Decimal("5020200.5")


def test_a_fall_below_the_value_before_the_jump_is_no_correction() -> None:
    guard = new_guard()
    judge_all(guard, reading(0, 1000.5), reading(900, 1020.5))
    assert guard.judge(reading(1800, 1000.4), 2.0).rejection == "decreased"


def test_what_was_wrongly_high_may_have_been_right() -> None:
    """A low value between two high ones: the high one after it is not implausible."""
    guard = new_guard()
    judgements = judge_all(
        guard, reading(0, "1000.5"), reading(900, "21000.5"), reading(910, "1000.6"), reading(920, "21000.7")
    )
    assert rejections(judgements) == [None] * 4
    assert [served_import(each) for each in judgements[1:]] == [
        Decimal("21000.5"),
        Decimal("21000.5"),
        Decimal("21000.7"),
    ]


def test_at_a_new_truth_only_the_register_that_fell_falls() -> None:
    guard = new_guard()
    judge_all(guard, reading(0, 1000.5, "5000000.5"), reading(900, 1001.5, "5020000.5"))
    for minute in range(16, 28):
        truth = reading(minute * MINUTE, minute / 10, "5010000.5")
        judgement = guard.judge(truth, minute * MINUTE)
    assert judgement.rejection is None
    assert served_import(judgement) == Decimal("2.7")
    assert judgement.served.registers[ENERGY_EXPORT].value == Decimal("5020000.5")


def test_a_register_missing_at_a_new_truth_stays_guarded() -> None:
    guard = new_guard()
    guard.judge(reading(0, 50_000.5, 10.5), 0.0)
    for minute in range(1, 12):
        guard.judge(reading(minute * MINUTE, minute), minute * MINUTE)
    assert guard.judge(reading(720, 12, 5.5), 720.0).rejection == "decreased"
    assert guard.judge(reading(780, 13, 10.5), 780.0).rejection is None


@pytest.mark.parametrize(
    ("age", "is_held"), [(0, False), (-1e6, False), (120, False), (121, True), (1e9, True)]
)
def test_a_first_reading_is_shown_but_an_old_one_reaches_no_counter(age: float, is_held: bool) -> None:
    first = reading(0, 1000.5, power=5)
    assert new_guard().judge(first, 0.0, wall=WALL + age) == Judgement(first, None, is_held=is_held)


def test_an_old_first_reading_is_believed_once_it_has_stood_for_a_minute() -> None:
    guard = new_guard()
    first = reading(0, 1000.5)
    held = [guard.judge(first, now, wall=WALL + 600 + now).is_held for now in (0.0, 30.0, 59.9, 60.0, 61.0)]
    assert held == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("later", "now", "is_held"),
    [
        # Of the present.
        (600, 5.0, False),
        # Of a clock that is late, at the pace of that clock.
        (10, 10.0, False),
        (60, 45.0, False),
        # The next step of a replay.
        (30, 0.5, True),
        (300, 30.0, True),
    ],
)
def test_an_old_first_reading_is_believed_once_a_newer_one_comes_in_its_own_time(
    later: float, now: float, is_held: bool
) -> None:
    guard = new_guard()
    guard.judge(reading(0, 1000.5), 0.0, wall=WALL + 600)
    newer = reading(later, 1000.6)
    assert guard.judge(newer, now, wall=WALL + 600 + now) == Judgement(newer, None, is_held=is_held)


def test_a_start_in_a_replay_gives_no_counter_until_it_is_over() -> None:
    guard = new_guard()
    shown = []
    for step in range(30):
        old = reading(-900 + 25 * step, 40_000 + step)
        shown.append(guard.judge(old, step / 2, wall=WALL + step / 2))
    assert all(judgement.is_held for judgement in shown)
    assert rejections(shown) == [None] * 30
    present = reading(15, 40_001_000)
    assert guard.judge(present, 15.0, wall=WALL + 15) == Judgement(present, None)


def test_a_wrong_first_reading_that_was_held_back_has_served_nothing() -> None:
    guard = new_guard()
    assert guard.judge(reading(-600, 1000.5, 99_999_000.5), 0.0, wall=WALL).is_held
    for second, exported in ((10, 5000.5), (20, 5000.6)):
        truth = reading(second, 1000.6, exported)
        assert guard.judge(truth, second, wall=WALL + second) == Judgement(truth, None)


def test_a_held_reading_gives_way_to_an_older_one_too() -> None:
    guard = new_guard()
    guard.judge(reading(0, 1000.5), 0.0, wall=WALL + 600)
    older = reading(-300, 999.5)
    assert guard.judge(older, 1.0, wall=WALL + 601) == Judgement(older, None, is_held=True)
    assert not guard.judge(older, 61.0, wall=WALL + 661).is_held


def test_a_judgement_says_when_the_served_reading_was_first_seen() -> None:
    guard = new_guard()
    sent = [reading(0, 5.5), reading(0, 5.5), reading(-9, 5.4), reading(1, 5.6), reading(1, 5.6)]
    assert [guard.judge(item, 10.0 * index).seen for index, item in enumerate(sent)] == [0, 0, 0, 30, 30]


def test_the_history_moves_along_when_the_number_becomes_known() -> None:
    guard = new_guard()
    nameless = reading(100, 50_000.5, meter="")
    guard.judge(nameless, 0.0)
    replayed = guard.judge(reading(0, 49_000.5, meter="1ISK"), 1.0)
    assert (replayed.rejection, served_import(replayed)) == ("replayed", Decimal("50000.5"))
    # Once: a second number is another meter.
    assert guard.judge(reading(0, 5.5, meter="2ISK"), 2.0).rejection is None


def test_a_new_bridge_goes_on_where_another_left_the_meter() -> None:
    memory = Memory()
    old = Guard(Limits(MAX_POWER, RESET_AFTER), memory)
    old.judge(reading(100, 50_000.5), 0.0)
    old.judge(reading(200, 50_001.5), 1.0)
    old.remember()
    new = Guard(Limits(MAX_POWER, RESET_AFTER), memory)
    replayed = new.judge(reading(150, 50_000.9), 2.0)
    assert (replayed.rejection, served_import(replayed)) == ("replayed", Decimal("50001.5"))
    assert Guard(Limits(MAX_POWER, RESET_AFTER)).judge(reading(150, 50_000.9), 2.0).rejection is None


def test_two_bridges_of_one_meter_do_not_disturb_one_another() -> None:
    """Whoever claims to serve the same meter."""
    memory = Memory()
    honest = Guard(Limits(MAX_POWER, RESET_AFTER), memory)
    rogue = Guard(Limits(MAX_POWER, RESET_AFTER), memory)
    honest.judge(reading(0, 1000.5), 0.0)
    rogue.judge(reading(60, 2000.5), 1.0)
    truth = reading(61, 1000.6)
    assert honest.judge(truth, 2.0) == Judgement(truth, None)
    third = Guard(Limits(MAX_POWER, RESET_AFTER), memory)
    assert served_import(third.judge(reading(0, 1), 3.0)) == Decimal("1000.6")


def test_a_meter_without_a_number_is_known_by_its_bridge() -> None:
    memory = Memory()
    limits = Limits(MAX_POWER, RESET_AFTER)
    Guard(limits, memory).judge(reading(100, 50_000.5, meter=""), 0.0, owners=("658c", "house"))
    for owners, rejection in ((("658c", "other"), "replayed"), (("house",), "replayed"), (("other",), None)):
        guard = Guard(limits, Memory() if rejection is None else memory)
        judged = guard.judge(reading(0, 49_000.5, meter=""), 1.0, owners=owners)
        assert judged.rejection == rejection


def test_a_meter_without_a_number_is_not_that_of_another_bridge() -> None:
    memory = Memory()
    limits = Limits(MAX_POWER, RESET_AFTER)
    Guard(limits, memory).judge(reading(100, 50_000.5, meter=""), 0.0, owners=("house",))
    other = Guard(limits, memory).judge(reading(0, 49_000.5, meter=""), 1.0, owners=("barn",))
    assert other.rejection is None


def test_a_number_that_becomes_known_brings_what_is_remembered_of_it() -> None:
    memory = Memory()
    limits = Limits(MAX_POWER, RESET_AFTER)
    Guard(limits, memory).judge(reading(200, 50_000.5), 0.0)
    guard = Guard(limits, memory)
    guard.judge(reading(100, 49_000.5, meter=""), 1.0)
    judged = guard.judge(reading(150, 49_500.5), 2.0)
    assert (judged.rejection, served_import(judged)) == ("replayed", Decimal("50000.5"))


def test_the_reasons_are_those_that_readings_are_refused_for() -> None:
    judgements = judge_all(
        new_guard(), reading(9, 5.5), reading(8, 5.5), reading(10, 4.5), reading(11, 10**6)
    )
    assert tuple(rejections(judgements)[1:]) == REJECTIONS


@pytest.mark.parametrize(
    ("elapsed", "rise", "rejection"),
    [
        # 100 kW for 36 s are 1000 Wh.
        (36, "1001", None),
        (36, "1001.0001", "implausible"),
        (0.5, "14.8", None),
        (0.5, "14.9", "implausible"),
    ],
)
def test_a_fine_counter_may_rise_by_one_watt_hour_more(
    elapsed: float, rise: str, rejection: str | None
) -> None:
    guard = new_guard()
    guard.judge(reading(0, "1000.1"), 0.0)
    risen = Decimal("1000.1") + Decimal(rise)
    assert guard.judge(reading(elapsed, str(risen)), 1.0).rejection == rejection


def test_a_fall_by_less_than_a_joule_is_one_if_the_meter_shows_it() -> None:
    judgements = judge_all(new_guard(), reading(0, "1000.0003"), reading(1, "1000.0001"))
    assert rejections(judgements) == [None, "decreased"]


HOUR: Final = 3600.0


@pytest.mark.parametrize(
    ("later", "value", "rejection"),
    [
        # A rise of less than a tenth of the jump is part of it, and a tenth is another.
        (60, "2095.5", None),
        (60, "2100.5", "decreased"),
        # For an hour.
        (HOUR, "2001.5", None),
        (HOUR + 1, "2001.5", "decreased"),
        (HOUR + 1, "2000.5001", "decreased"),
        # What stands still has not risen.
        (2 * HOUR, "2000.5", None),
    ],
)
def test_what_a_fall_may_correct(later: float, value: str, rejection: str | None) -> None:
    guard = new_guard()
    judge_all(guard, reading(0, "1000.5"), reading(60, "2000.5"), reading(60 + later, value))
    corrected = guard.judge(reading(90 + later, "1500.5"), 3.0)
    assert corrected.rejection == rejection
    assert served_import(corrected) == Decimal(value)


def test_a_coarse_meter_that_has_just_stepped_hides_a_whole_kwh_again() -> None:
    judgements = judge_all(
        new_guard(), reading(0, 12_345_000), reading(1, 12_346_000), reading(2, "12346678.9", power=1)
    )
    assert rejections(judgements) == [None] * 3


def test_a_new_register_leaves_the_others_guarded() -> None:
    judgements = judge_all(
        new_guard(), reading(0, 1000.5), reading(1, 1000.5, 20.5), reading(2, 999.5, 20.5), reading(3, 1000.5)
    )
    assert rejections(judgements) == [None, None, "decreased", None]


def test_a_counter_that_waits_is_not_served_where_the_meter_does_not_send_it() -> None:
    guard = new_guard()
    judge_all(guard, reading(0, 1000.5, 1000.5), reading(900, 1000.5, 21000.5), reading(910, 1000.5, 1000.6))
    without = reading(920, 1000.5)
    assert guard.judge(without, 9.0).served is without
    nonsense = reading(930, 1000.5, -5)
    assert guard.judge(nonsense, 10.0).served is nonsense


def test_a_counter_waits_with_the_register_that_showed_it_last() -> None:
    guard = new_guard()
    sent = [reading(0, "12.3456", unit="kWh", power=1), reading(60, "12345.6", power=1)]
    judge_all(guard, *sent)
    waits = guard.judge(reading(120, "12.3", unit="kWh", power=1), 2.0)
    assert waits.served.registers[ENERGY_IMPORT] is sent[1].registers[ENERGY_IMPORT]


def new_impatient_guard() -> Guard:
    """A guard for which the length of a chain decides alone."""
    return Guard(Limits(MAX_POWER, 0.0))


def test_a_replay_of_what_was_wrongly_high_is_one() -> None:
    guard = new_impatient_guard()
    judge_all(guard, reading(0, "1000.5"), reading(900, "21000.5"), reading(910, "1000.6"))
    judgements = judge_all(guard, *(reading(901 + second, "21000.5") for second in range(5)), now=5.0)
    assert [(each.rejection, each.reset) for each in judgements] == [("replayed", False)] * 5


@pytest.mark.parametrize(("value", "is_reset"), [("12345999.9", False), ("12346000.0", True)])
def test_an_older_reading_has_more_energy_where_it_passes_what_a_coarse_one_hides(
    value: str, is_reset: bool
) -> None:
    guard = new_impatient_guard()
    guard.judge(reading(100, 12_345_000), 0.0)
    judgements = judge_all(guard, *(reading(second, value, power=1) for second in (1, 2, 3)), now=1.0)
    assert judgements[-1].reset is is_reset


@pytest.mark.parametrize(
    ("truth", "older", "is_reset"),
    [(HOUR, 0, False), (HOUR + 0.5, 0, True), (2 * HOUR, HOUR, True), (2 * HOUR, HOUR + 0.5, False)],
)
def test_a_clock_is_wrong_where_it_is_more_than_an_hour_ahead(
    truth: float, older: float, is_reset: bool
) -> None:
    guard = new_impatient_guard()
    guard.judge(reading(truth, 50_000.5), 0.0, wall=WALL)
    sent = [reading(older - 2, 1.5), reading(older - 1, 1.6), reading(older, 1.7)]
    judgements = [guard.judge(each, 1.0 + index, wall=WALL) for index, each in enumerate(sent)]
    assert judgements[-1].reset is is_reset


def test_four_chains_are_followed_and_the_shortest_gives_way() -> None:
    others = [reading(900, 10), reading(800, 20), reading(700, 30)]
    one_more = reading(600, 40)

    def after(*sent: Reading) -> list[bool]:
        guard = new_impatient_guard()
        judge_all(guard, reading(0, 50_000.5), *sent)
        following = [reading(1002, 6.5), reading(1003, 6.6), reading(1004, 6.7)]
        return [judgement.reset for judgement in judge_all(guard, *following, now=99.0)]

    assert after(reading(1000, 5.5), *others) == [False, True, False]
    assert after(reading(1000, 5.5), *others, one_more) == [False, False, True]
    assert after(reading(1000, 5.5), reading(1001, 5.6), *others, one_more) == [True, False, False]


def test_a_reading_that_continues_two_chains_counts_for_the_longer_one() -> None:
    guard = new_impatient_guard()
    sent = [reading(1000, 5.5), reading(1001, 5.6), reading(900, 4.5), reading(1002, 5.7)]
    judgements = judge_all(guard, reading(0, 50_000.5), *sent)
    assert [judgement.reset for judgement in judgements] == [False, False, False, False, True]


def test_a_replay_of_the_time_at_the_end_of_a_chain_leaves_it_alone() -> None:
    guard = new_impatient_guard()
    guard.judge(reading(10_000, 1009.5), 0.0)
    sent = [reading(1000, 1010.5), reading(1000, 1009), reading(1001, 1010.6), reading(1002, 1010.7)]
    judgements = judge_all(guard, *sent, now=1.0)
    assert rejections(judgements) == ["replayed", "replayed", "replayed", None]


def test_a_replay_that_agrees_with_a_chain_leaves_it_alone() -> None:
    guard = new_impatient_guard()
    guard.judge(reading(10_000, 1009.5, 20.5), 0.0)
    sent = [reading(1000, 1009.1, 21.5), reading(1001, 1009.2), reading(1002, 1009.3, 21.6)]
    judgements = judge_all(guard, *sent, reading(1003, 1009.4, 21.7), now=1.0)
    assert [judgement.reset for judgement in judgements] == [False, False, False, True]


def test_a_chain_may_lose_its_digits_on_the_way() -> None:
    guard = new_impatient_guard()
    guard.judge(reading(0, "50000000.5", power=1), 0.0)
    last = judge_all(guard, reading(1, "2000.5", power=1), reading(2, 2000), reading(3, 2000), now=1.0)[-1]
    assert (last.reset, served_import(last)) == (True, Decimal("2000.5"))


def test_a_new_truth_without_one_register_keeps_those_that_wait() -> None:
    guard = new_impatient_guard()
    judge_all(
        guard,
        reading(0, 1000.5, 500.5, tariff="5000000.5"),
        reading(900, 1001.5, 500.6, tariff="5020000.5"),
    )
    sent = [reading(901 + second, 1.5, tariff="5010000.5") for second in range(3)]
    last = judge_all(guard, *sent, now=2.0)[-1]
    assert last.reset
    assert served_import(last) == Decimal("1.5")
    assert last.served.registers[TARIFF].value == Decimal("5020000.5")


def test_after_a_new_truth_a_counter_waits_with_the_register_that_showed_it_last() -> None:
    guard = new_impatient_guard()
    guard.judge(reading(0, "50.0005", "12.3456", unit="kWh", power=1), 0.0)
    sent = [reading(second, "1.5", "12345.6", power=1) for second in (1, 2, 3)]
    assert judge_all(guard, *sent, now=1.0)[-1].reset
    waits = guard.judge(reading(4, "0.002", "12.3", unit="kWh", power=1), 4.0)
    assert waits.rejection is None
    assert waits.served.registers[ENERGY_EXPORT] is sent[-1].registers[ENERGY_EXPORT]


def test_the_hour_of_a_jump_goes_on_at_a_new_truth() -> None:
    """The export has jumped in the second of three readings that become the truth, as the import fell."""
    guard = new_impatient_guard()
    guard.judge(reading(0, 50_000.5, 1000.5), 0.0)
    sent = [reading(100, 1.5, 1000.5), reading(200, 1.6, 2000.5), reading(3000, 1.7, 2000.5)]
    assert judge_all(guard, *sent, now=1.0)[-1].reset
    assert guard.judge(reading(3801, 1.8, 2001.5), 4.0).rejection is None
    assert guard.judge(reading(3802, 1.9, 1500.5), 5.0).rejection == "decreased"


def test_at_a_new_truth_the_reading_was_seen_when_it_came_first() -> None:
    memory = Memory()
    guard = Guard(Limits(MAX_POWER, RESET_AFTER), memory)
    guard.judge(reading(0, 50_000.5), 0.0, wall=WALL)
    for second in (1, 2, 3):
        guard.judge(reading(second, second), 10.0 * second, wall=WALL + 10 * second)
    reset = guard.judge(reading(3, 3), 700.0, wall=WALL + 700)
    assert (reset.reset, reset.seen) == (True, 30.0)
    assert dict(memory.entries())["meter:1ISK"]["seen"] == WALL + 30


@pytest.mark.parametrize(("later", "is_held"), [(61.25, False), (61.5, True)])
def test_the_pace_of_a_clock_may_be_a_quarter_off(later: float, is_held: bool) -> None:
    """By which a reading 45 seconds later may say 56 seconds, and 5 for the scrape."""
    guard = new_guard()
    guard.judge(reading(0, 1000.5), 500.0, wall=WALL + 600)
    newer = guard.judge(reading(later, 1000.6), 545.0, wall=WALL + 645)
    assert newer.is_held is is_held


def test_a_held_reading_must_stand_for_a_minute_whenever_it_came() -> None:
    guard = new_guard()
    first = reading(0, 1000.5)
    held = [guard.judge(first, now, wall=WALL + 100 + now).is_held for now in (500.0, 559.9, 560.0)]
    assert held == [True, True, False]


def test_the_reading_that_takes_the_place_of_one_held_back_is_seen_when_it_came() -> None:
    guard = new_guard()
    guard.judge(reading(0, 1000.5), 10.0, wall=WALL + 600)
    assert guard.judge(reading(-300, 999.5), 20.0, wall=WALL + 610).seen == 20.0


def test_a_held_reading_is_believed_with_a_coarse_one_of_the_present() -> None:
    guard = new_guard()
    guard.judge(reading(0, "12345678.9", power=1), 0.0, wall=WALL + 600)
    assert not guard.judge(reading(600, 12_345_000), 1.0, wall=WALL + 601).is_held


def test_the_memory_is_told_of_what_changes_belief_alone() -> None:
    memory = Memory()
    changes: list[None] = []
    memory.on_change = lambda: changes.append(None)
    guard = Guard(Limits(MAX_POWER, RESET_AFTER), memory)

    def changed(item: Reading, now: float) -> bool:
        changes.clear()
        guard.judge(item, now, wall=WALL + 600 + now)
        return bool(changes)

    first, later = reading(0, 1000.5), reading(610, 1000.6)
    assert [changed(first, now) for now in (0.0, 30.0, 60.0, 61.0)] == [True, False, True, False]
    assert changed(later, 70.0)
    assert not changed(first, 71.0)
    refused = [reading(700 + second, 1.5) for second in range(3)]
    assert [changed(item, 72.0) for item in refused] == [False] * 3
    assert changed(refused[-1], 900.0 + RESET_AFTER)


def test_a_guard_of_one_meter_says_what_it_serves() -> None:
    guard = MeterGuard()
    assert (guard.served, guard.has_changed) == (None, False)
    first = reading(0, 1000.5)
    guard.judge(first, 0.0, Limits(MAX_POWER, RESET_AFTER))
    assert (guard.served, guard.has_changed) == (first, True)


@pytest.mark.parametrize(("meters", "rejection"), [(8, "replayed"), (9, None)])
def test_eight_meters_of_a_bridge_are_remembered(meters: int, rejection: str | None) -> None:
    memory = Memory()
    guard = Guard(Limits(MAX_POWER, RESET_AFTER), memory)
    for index in range(meters):
        guard.judge(reading(0, 5.5, meter=str(index)), 0.0)
    assert len(memory) == 8
    assert guard.judge(reading(-1, 4.5, meter="0"), 1.0).rejection == rejection


def test_a_bridge_that_is_given_up_leaves_what_it_knew_in_place_of_another() -> None:
    memory = Memory()
    limits = Limits(MAX_POWER, RESET_AFTER)
    other, given_up = Guard(limits, memory), Guard(limits, memory)
    other.judge(reading(0, 1000.5), 0.0)
    given_up.judge(reading(60, 1001.5), 1.0)
    given_up.remember()
    replayed = Guard(limits, memory).judge(reading(30, 1000.6), 2.0)
    assert (replayed.rejection, served_import(replayed)) == ("replayed", Decimal("1001.5"))


@pytest.mark.parametrize("seen", [0.0, 5.0])
def test_a_reading_from_before_the_number_was_known_was_seen_then(seen: float) -> None:
    memory = Memory()
    limits = Limits(MAX_POWER, RESET_AFTER)
    Guard(limits, memory).judge(reading(200, 50_000.5), 0.0)
    guard = Guard(limits, memory)
    guard.judge(reading(300, 50_001.5, meter=""), seen)
    replayed = guard.judge(reading(250, 50_000.6), 6.0)
    assert (replayed.rejection, served_import(replayed)) == ("replayed", Decimal("50001.5"))
    assert replayed.seen == seen


def restarted(*readings: Reading, is_behind: bool = False, seen_at: float | None = WALL) -> Guard:
    """A guard in a run that began at `WALL`, after one that saw these readings one a second."""
    before = Memory()
    guard = Guard(Limits(MAX_POWER, RESET_AFTER), before)
    for index, item in enumerate(readings):
        guard.judge(item, float(index), wall=None if seen_at is None else seen_at + index)
    memory = Memory()
    for key, payload in before.entries():
        memory.restore(key, json.loads(json.dumps(payload)), started=WALL, is_behind=is_behind)
    return Guard(Limits(MAX_POWER, RESET_AFTER), memory)


@pytest.mark.parametrize(
    ("wall", "seen"), [(WALL, 999.5), (WALL + 100, 899.5), (WALL - 10, 1000.0), (None, 1000.0)]
)
@pytest.mark.parametrize("again", [reading(0, 5.5), reading(-5, 5.4)])
def test_after_a_restart_a_reading_was_seen_when_the_earlier_run_saw_it(
    again: Reading, wall: float | None, seen: float
) -> None:
    guard = restarted(reading(0, 5.5), seen_at=WALL - 0.5)
    assert guard.judge(again, 1000.0, wall=wall).seen == seen
    # Later ones do not change it.
    assert guard.judge(again, 1060.0, wall=wall).seen == seen


def test_after_a_restart_the_last_of_several_readings_was_seen_last() -> None:
    guard = restarted(reading(0, 5.5), reading(1, 5.6), reading(2, 5.7), seen_at=WALL - 10)
    assert guard.judge(reading(2, 5.7), 1000.0, wall=WALL).seen == 992.0


def test_after_a_restart_without_a_clock_a_reading_is_seen_now() -> None:
    guard = restarted(reading(0, 5.5), seen_at=None)
    assert guard.judge(reading(0, 5.5), 1000.0, wall=WALL + 99).seen == 1000.0


def test_after_an_orderly_end_counters_go_on_at_once() -> None:
    guard = restarted(reading(-600, 5.5), seen_at=WALL - 600)
    assert not guard.judge(reading(-600, 5.5), 0.0, wall=WALL).is_held


@pytest.mark.parametrize(
    ("at", "wall", "is_held"), [(0, WALL, False), (1, WALL + 900, False), (-0.1, WALL, True)]
)
def test_after_a_crash_counters_wait_for_a_reading_of_this_run(at: float, wall: float, is_held: bool) -> None:
    guard = restarted(reading(-600, 5.5), is_behind=True, seen_at=WALL - 600)
    assert guard.judge(reading(-600, 5.5), 1000.0, wall=WALL).is_held
    # Sooner than its time says.
    assert guard.judge(reading(at, 5.6), 1001.0, wall=wall).is_held is is_held


def test_after_a_crash_counters_wait_until_a_reading_has_stood_for_a_minute() -> None:
    last = reading(-600, 5.5)
    guard = restarted(last, is_behind=True, seen_at=WALL - 600)
    held = [guard.judge(last, 1000.0 + now, wall=WALL + now).is_held for now in (0.0, 30.0, 59.9, 60.0)]
    assert held == [True, True, True, False]


def test_after_a_crash_counters_wait_until_readings_came_in_their_time_for_a_minute() -> None:
    """Those of a clock that is late; beginning with one of which nothing says how long it took to come."""
    guard = restarted(reading(-900, 5.5), is_behind=True, seen_at=WALL - 900)
    steps = [-880, -850, -820, -790]
    held = [
        guard.judge(reading(at, 6 + index), 1000.0 + 20 * index, wall=WALL + 20 * index).is_held
        for index, at in enumerate(steps)
    ]
    assert held == [True, True, True, False]


def test_after_a_crash_a_replay_says_nothing_of_when_the_last_reading_came() -> None:
    guard = restarted(reading(-900, 5.5), is_behind=True, seen_at=WALL - 900)
    assert guard.judge(reading(-960, 5.4), 1000.0, wall=WALL).is_held
    assert guard.judge(reading(-800, 5.6), 1090.0, wall=WALL + 90).is_held
    assert not guard.judge(reading(-790, 5.7), 1100.0, wall=WALL + 100).is_held


def test_after_a_crash_a_reading_that_does_not_fit_is_refused() -> None:
    guard = restarted(reading(-900, 50_000.5), is_behind=True, seen_at=WALL - 900)
    judgement = guard.judge(reading(5, 1.5), 1000.0, wall=WALL + 5)
    assert (judgement.rejection, judgement.is_held) == ("decreased", True)
    assert served_import(judgement) == Decimal("50000.5")


def test_after_a_crash_a_coarse_meter_must_pass_what_was_kept() -> None:
    guard = restarted(reading(-900, "12345678.9", power=1), is_behind=True, seen_at=WALL - 900)
    coarse = reading(5, 12_345_000)
    held = [guard.judge(coarse, 1000.0 + now, wall=WALL + 5 + now).is_held for now in (0.0, 60.0, 120.0)]
    assert held == [True] * 3
    passed = guard.judge(reading(905, 12_346_000), 1900.0, wall=WALL + 905)
    assert (passed.is_held, served_import(passed)) == (False, Decimal(12_346_000))


def test_after_a_crash_a_counter_with_more_decimals_than_are_counted_is_served() -> None:
    guard = restarted(reading(-900, "12.3", unit="kWh", power=1), is_behind=True, seen_at=WALL - 900)
    fine = reading(5, "12.34567890123", unit="kWh", power=1)
    assert not guard.judge(fine, 1000.0, wall=WALL + 5).is_held


def test_after_a_crash_a_corrected_counter_that_waits_holds_nothing_up() -> None:
    guard = restarted(reading(-900, "1000.5"), reading(-10, "21000.5"), is_behind=True, seen_at=WALL - 10)
    corrected = guard.judge(reading(5, "1000.6"), 1000.0, wall=WALL + 5)
    assert (corrected.rejection, corrected.is_held) == (None, False)
    assert served_import(corrected) == Decimal("21000.5")


@pytest.mark.parametrize(("at", "is_held"), [(-500, True), (5, False)])
def test_after_a_crash_a_reading_from_before_the_number_was_known_is_of_its_time(
    at: float, is_held: bool
) -> None:
    guard = restarted(reading(-900, 5.5), is_behind=True, seen_at=WALL - 900)
    guard.judge(reading(at, 5.6, meter=""), 1000.0, wall=WALL + 5)
    assert guard.judge(reading(at, 5.6), 1001.0, wall=WALL + 6).is_held is is_held


@dataclass(frozen=True)
class Delivery:
    """A reading that arrives at `now`; `true` if it is what the meter shows."""

    reading: Reading
    now: float
    true: bool


@st.composite
def deliveries(draw: st.DrawFn) -> list[Delivery]:
    """A true history of one meter, with replays, falls and spikes between its readings."""
    at, imported, exported = 0.0, Decimal("50000.1"), Decimal("20000.1")
    now = 0.0
    true: list[Reading] = []
    sent: list[Delivery] = []
    kinds = st.sampled_from(["true", "true", "true", "replayed", "repeated", "decreased", "implausible"])
    for _ in range(draw(st.integers(1, 40))):
        now += draw(st.sampled_from([0.5, 5.0, 60.0, 900.0]))
        kind = draw(kinds) if true else "true"
        if kind in ("replayed", "repeated"):
            index = draw(st.integers(0, len(true) - 1)) if kind == "replayed" else len(true) - 1
            sent.append(Delivery(true[index], now, True))
            continue
        elapsed = draw(st.sampled_from([1, 10, 60, 900, 86_400]))
        at += elapsed
        most = Decimal(MAX_POWER) * elapsed / 3600
        imported += (most * draw(st.integers(0, 1000)) / 1000).quantize(Decimal("0.1"), "ROUND_DOWN")
        exported += (most * draw(st.integers(0, 1000)) / 1000).quantize(Decimal("0.1"), "ROUND_DOWN")
        if kind == "true":
            # Without the export now and then, but not at first: an unknown counter can be anything.
            vanished = bool(true) and draw(st.integers(0, 4)) == 0
            true.append(reading(at, str(imported), None if vanished else str(exported)))
            sent.append(Delivery(true[-1], now, True))
        else:
            wrong = Decimal(1) if kind == "decreased" else exported + 10**13
            sent.append(Delivery(reading(at, str(imported), str(wrong)), now, False))
    return sent


def served_counters_never_fall_except_at_a_declared_reset(sequence: list[Delivery]) -> None:
    guard = new_guard()
    highest: dict[ObisCode, Decimal] = {}
    for delivery in sequence:
        judgement = guard.judge(delivery.reading, delivery.now)
        if judgement.reset:
            highest = {}
        counters = judgement.energies
        assert counters == energies(judgement.served)
        assert all(value >= highest.get(code, value) for code, value in counters.items())
        highest |= counters


def served_times_never_go_back_except_at_a_declared_reset(sequence: list[Delivery]) -> None:
    guard = new_guard()
    judgements = [guard.judge(delivery.reading, delivery.now) for delivery in sequence]
    for before, after in pairwise(judgements):
        assert after.reset or after.served.time >= before.served.time


def no_true_reading_is_lost_while_the_truth_is_served(sequence: list[Delivery]) -> None:
    guard = new_guard()
    served = guard.judge(sequence[0].reading, sequence[0].now).served
    for delivery in sequence[1:]:
        judgement = guard.judge(delivery.reading, delivery.now)
        if judgement.reset:
            return
        if delivery.true and delivery.reading.time > served.time:
            assert judgement.rejection is None
            assert judgement.served is delivery.reading
        elif delivery.reading.time != served.time:
            assert judgement.rejection is not None
        served = judgement.served


def a_judgement_serves_the_new_reading_or_the_last_one(sequence: list[Delivery]) -> None:
    guard = new_guard()
    last: Reading | None = None
    for delivery in sequence:
        judgement = guard.judge(delivery.reading, delivery.now)
        if judgement.rejection:
            assert judgement.served is last
            assert not judgement.reset
        else:
            assert judgement.served.time == delivery.reading.time
        last = judgement.served


@pytest.mark.no_cover
@examples(100)
@given(deliveries())
def test_whatever_is_delivered(sequence: list[Delivery]) -> None:
    """To draw a sequence takes longer than to judge it: each is for all that is said of them."""
    served_counters_never_fall_except_at_a_declared_reset(sequence)
    served_times_never_go_back_except_at_a_declared_reset(sequence)
    no_true_reading_is_lost_while_the_truth_is_served(sequence)
    a_judgement_serves_the_new_reading_or_the_last_one(sequence)


@pytest.mark.no_cover
@examples(70)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([1, 15, 60, 300, 900]), st.integers(0, 1000), st.integers(1, 3)),
        min_size=3,
        max_size=30,
    ),
    clock_was_wrong=st.booleans(),
    noise=st.lists(st.sampled_from(["replayed", "decreased"]), max_size=3),
)
def test_after_a_genuine_reset_the_truth_is_served_as_soon_as_the_rule_allows(
    steps: list[tuple[int, int, int]], clock_was_wrong: bool, noise: list[str]
) -> None:
    guard = new_guard()
    old = reading(10**9 if clock_was_wrong else 0, "90000000.5")
    wall = START.timestamp() if clock_was_wrong else None
    guard.judge(old, 0.0, wall=wall)
    now, refused_since = 0.0, None
    for kind in noise:
        now += 20
        if kind == "decreased" or clock_was_wrong:
            refused_since = refused_since or now
        # Higher than all that follows, so that it agrees with none of it.
        odd = reading(-now, "80000000.5") if kind == "replayed" else reading(0.5 + now / 1e3, "80000000.5")
        assert guard.judge(odd, now, wall=wall).rejection
    at, energy, served = 1.0, Decimal("0.1"), old
    for index, (elapsed, share, polls) in enumerate(steps, start=1):
        at += elapsed
        energy += (Decimal(MAX_POWER) * elapsed / 3600 * share / 1000).quantize(Decimal("0.1"), "ROUND_DOWN")
        truth = reading(at, str(energy))
        for poll in range(polls):
            now += elapsed / polls
            refused_since = refused_since or now
            judgement = guard.judge(truth, now, wall=wall and wall + at)
            if served is not old:
                assert judgement == Judgement(truth, None)
            elif index >= 3 and now - refused_since >= RESET_AFTER:
                assert judgement == Judgement(truth, None, reset=True)
                served = truth
            else:
                assert judgement == Judgement(old, "replayed" if clock_was_wrong else "decreased"), poll
