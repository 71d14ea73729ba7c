from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iometer_exporter.guard import Guard, Judgement, Limits
from iometer_exporter.models import Reading, Register
from iometer_exporter.obis import ENERGY_EXPORT, ENERGY_IMPORT, POWER, ObisCode
from iometer_exporter.quantities import energies

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
        guard.judge(reading(900, 1.5), 1.0),
        guard.judge(reading(1100, 1.6), 300.0),
        guard.judge(reading(1200, 1.7), 601.0),
    ]
    assert rejections(judgements) == ["replayed", "decreased", None]
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


@settings(max_examples=300)
@given(deliveries())
def test_served_counters_never_fall_except_at_a_declared_reset(sequence: list[Delivery]) -> None:
    guard = new_guard()
    highest: dict[ObisCode, Decimal] = {}
    for delivery in sequence:
        judgement = guard.judge(delivery.reading, delivery.now)
        if judgement.reset:
            highest = {}
        counters = energies(judgement.served)
        assert all(value >= highest.get(code, value) for code, value in counters.items())
        highest |= counters


@settings(max_examples=300)
@given(deliveries())
def test_served_times_never_go_back_except_at_a_declared_reset(sequence: list[Delivery]) -> None:
    guard = new_guard()
    judgements = [guard.judge(delivery.reading, delivery.now) for delivery in sequence]
    for before, after in pairwise(judgements):
        assert after.reset or after.served.time >= before.served.time


@settings(max_examples=300)
@given(deliveries())
def test_no_true_reading_is_lost_while_the_truth_is_served(sequence: list[Delivery]) -> None:
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


@settings(max_examples=300)
@given(deliveries())
def test_a_judgement_serves_the_new_reading_or_the_last_one(sequence: list[Delivery]) -> None:
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


@settings(max_examples=200)
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
    guard.judge(old, 0.0)
    now, refused_since = 0.0, None
    for kind in noise:
        now += 20
        refused_since = refused_since or now
        # Higher than all that follows, so that it agrees with none of it.
        odd = reading(-now, "80000000.5") if kind == "replayed" else reading(0.5 + now / 1e3, "80000000.5")
        assert guard.judge(odd, now).rejection
    at, energy, served = 1.0, Decimal("0.1"), old
    for index, (elapsed, share, polls) in enumerate(steps, start=1):
        at += elapsed
        energy += (Decimal(MAX_POWER) * elapsed / 3600 * share / 1000).quantize(Decimal("0.1"), "ROUND_DOWN")
        truth = reading(at, str(energy))
        for poll in range(polls):
            now += elapsed / polls
            refused_since = refused_since or now
            judgement = guard.judge(truth, now)
            if served is not old:
                assert judgement == Judgement(truth, None)
            elif index >= 3 and now - refused_since >= RESET_AFTER:
                assert judgement == Judgement(truth, None, reset=True)
                served = truth
            else:
                assert judgement == Judgement(old, "replayed" if clock_was_wrong else "decreased"), poll
