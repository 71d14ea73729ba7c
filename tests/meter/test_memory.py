"""What is known of meters, on its way through JSON and back."""

import json
import time
from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.errors import StateError
from iometer_exporter.meter.guard import Guard, Judgement, Limits
from iometer_exporter.meter.history import Counter, Energy, History
from iometer_exporter.meter.memory import Memory, dump_history, load_history
from iometer_exporter.meter.models import Reading, Register
from iometer_exporter.meter.obis import ENERGY_IMPORT, ObisCode
from iometer_exporter.meter.quantities import energies
from tests.meter.test_guard import START, reading
from tests.properties import examples

LIMITS: Final = Limits(100_000.0, 600.0)
WALL: Final = START.timestamp()


def remembered(*readings: Reading) -> Memory:
    memory = Memory()
    guard = Guard(LIMITS, memory)
    for item in readings:
        guard.judge(item, item.time.timestamp() - WALL, wall=item.time.timestamp())
    return memory


def again(memory: Memory, *, is_behind: bool = False, started: float = WALL) -> Memory:
    """What another process knows that reads what this memory gives, as text."""
    entries = json.loads(json.dumps(list(memory.entries())))
    other = Memory()
    for key, payload in entries:
        other.restore(key, payload, started=started, is_behind=is_behind)
    return other


def payload() -> dict[str, Any]:
    [(_, found)] = remembered(reading(0, "1000.5", "20.25"), reading(900, "1020.5", 21)).entries()
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def test_what_comes_back_is_exact() -> None:
    memory = remembered(reading(0, "12345678.9012", power=1), reading(1, 12_345_000), reading(61, 12_346_000))
    [(_, before)] = memory.entries()
    [(_, after)] = again(memory).entries()
    assert before == after
    assert after["counters"][0][1:4] == ["12346000", "Wh", "44445600000"]


def test_a_key_that_could_be_read_in_two_ways_comes_back_as_it_was() -> None:
    code = ObisCode(1, 0, 1, 8, 12)
    assert str(ObisCode.parse("01-00:01.08.0c*ff")) == str(code)
    memory = remembered(reading(0, "5.5"))
    [(_, entry)] = memory.entries()
    entry["counters"][0][0] = "01-00:01.08.0c*ff"
    assert list(load_history(entry, started=WALL, is_behind=False).counters) == [code]


def test_a_counter_that_waits_for_the_meter_still_waits_afterwards() -> None:
    memory = again(remembered(reading(0, "12345678.9", power=1), reading(60, 12_345_000)))
    guard = Guard(LIMITS, memory)
    judgement = guard.judge(reading(120, 12_345_000), 0.0, wall=WALL + 120)
    assert judgement.rejection is None
    assert energies(judgement.served)[ENERGY_IMPORT] == Decimal("12345678.9") * 3600


def test_a_replay_after_an_orderly_end_gives_what_was_served_last() -> None:
    guard = Guard(LIMITS, again(remembered(reading(0, 1000.5), reading(900, 1001.5, power=7))))
    judgement = guard.judge(reading(450, 1000.9, power=5), 7.0, wall=WALL + 950)
    assert judgement == Judgement(reading(900, 1001.5), "replayed")
    # Known for the 50 seconds since, whenever the process began.
    assert judgement.seen == 7.0 - 50.0


def test_without_a_clock_what_was_kept_is_seen_first_when_it_is_judged() -> None:
    guard = Guard(LIMITS, again(remembered(reading(0, 1000.5))))
    assert guard.judge(reading(-1, 1000.4), 7.0).seen == 7.0


@pytest.mark.parametrize("is_orderly_since", [False, True])
def test_after_a_kill_counters_wait_for_a_reading_younger_than_the_run(is_orderly_since: bool) -> None:
    memory = again(remembered(reading(0, 1000.5)), is_behind=True, started=WALL + 100)
    if is_orderly_since:
        Guard(LIMITS, memory).judge(reading(-5, 1000.4), 0.0, wall=WALL + 101)
        memory = again(memory, started=WALL + 100)
    guard = Guard(LIMITS, memory)
    replayed = guard.judge(reading(-5, 1000.4), 0.0, wall=WALL + 101)
    between = guard.judge(reading(50, 1000.6), 1.0, wall=WALL + 102)
    young = guard.judge(reading(100, 1000.7), 2.0, wall=WALL + 103)
    assert [(each.rejection, each.is_held) for each in (replayed, between, young)] == [
        ("replayed", True),
        (None, True),
        (None, False),
    ]


def test_after_a_kill_whole_kwh_tell_nothing_until_they_pass_what_was_kept() -> None:
    """The PIN is lost, and what was served last may be more than what is kept: nobody can know."""
    memory = again(remembered(reading(0, "1000.5")), is_behind=True, started=WALL + 100)
    guard = Guard(LIMITS, memory)
    for seconds, shown, is_held in (
        (101, 1000, True),
        (102, 1000, True),
        (900, 1000, True),
        (960, 2000, False),
    ):
        judgement = guard.judge(reading(seconds, shown), float(seconds), wall=WALL + seconds)
        assert judgement.is_held == is_held, seconds
    assert energies(judgement.served)[ENERGY_IMPORT] == 2000 * 3600


def test_after_a_kill_whole_kwh_that_stand_tell_nothing_either() -> None:
    memory = again(remembered(reading(0, "1000.5")), is_behind=True, started=WALL + 100)
    guard = Guard(LIMITS, memory)
    held = [guard.judge(reading(90, 1000), float(now), wall=WALL + now).is_held for now in (101, 170, 300)]
    assert held == [True, True, True]
    # With the PIN comes the truth.
    assert not guard.judge(reading(301, "1000.6"), 301.0, wall=WALL + 301).is_held


def test_after_a_kill_a_reading_that_stands_for_a_minute_is_believed() -> None:
    guard = Guard(LIMITS, again(remembered(reading(0, 1000.5)), is_behind=True, started=WALL + 100))
    held = [guard.judge(reading(0, 1000.5), now, wall=WALL + 100 + now).is_held for now in (0.0, 59.0, 60.0)]
    assert held == [True, True, False]


def test_after_a_kill_a_late_clock_is_believed_after_a_minute() -> None:
    guard = Guard(LIMITS, again(remembered(reading(0, 1000.5)), is_behind=True, started=WALL + 4000))
    held = [
        guard.judge(reading(400 + now, 1000.5 + now), now, wall=WALL + 4000 + now).is_held
        for now in (0, 10, 50, 60, 70)
    ]
    assert held == [True, True, True, False, False]


def test_a_new_truth_ends_the_wait_too() -> None:
    guard = Guard(LIMITS, again(remembered(reading(0, 50_000.5)), is_behind=True, started=WALL + 1e6))
    judgements = [
        guard.judge(reading(minute * 60, minute), minute * 60, wall=WALL + 1e6) for minute in range(1, 12)
    ]
    assert [judgement.is_held for judgement in judgements] == [True] * 10 + [False]


def test_a_reading_that_was_held_back_is_not_kept() -> None:
    memory = Memory()
    guard = Guard(LIMITS, memory)
    guard.judge(reading(0, 1000.5), 0.0, wall=WALL + 600)
    assert list(memory.entries()) == []
    guard.judge(reading(0, 1000.5), 60.0, wall=WALL + 660)
    assert [key for key, _ in memory.entries()] == ["meter:1ISK"]


def test_every_change_is_told_and_nothing_else() -> None:
    memory = Memory()
    guard = Guard(LIMITS, memory)
    told: list[int] = []
    step = 0
    memory.on_change = lambda: told.append(step)
    sent = [
        reading(0, 1000.5),
        reading(0, 1000.5),
        reading(-60, 999.5),
        reading(60, 900.5),
        reading(120, 1000.6),
    ]
    for step, item in enumerate(sent):
        guard.judge(item, float(step), wall=WALL)
    assert told == [0, 4]


def test_what_is_known_now_is_not_replaced_by_what_was_kept() -> None:
    memory = remembered(reading(0, 1000.5))
    for key, entry in remembered(reading(-900, 900.5)).entries():
        memory.restore(key, entry, started=WALL, is_behind=False)
    [(_, kept)] = memory.entries()
    assert kept["counters"][0][1] == "1000.5"


def test_the_meter_that_was_not_read_for_longest_is_forgotten_first() -> None:
    memory = Memory()
    entry = payload()
    for number in range(5000):
        memory.restore(f"bridge:{number}", entry, started=WALL, is_behind=False)
    assert len(memory) == 4096
    assert memory.recall(["bridge:903"]) is None
    assert memory.recall(["bridge:904"]) is not None


def test_a_bridge_that_is_forgotten_while_it_is_read_is_remembered_again() -> None:
    memory = Memory()
    guard = Guard(LIMITS, memory)
    guard.judge(reading(0, 1000.5, meter="live"), 0.0)
    entry = payload()
    for number in range(5000):
        memory.restore(f"bridge:{number}", entry, started=WALL, is_behind=False)
    assert memory.recall(["meter:live"]) is None
    guard.judge(reading(60, 1000.6, meter="live"), 60.0)
    assert memory.recall(["meter:live"]) is not None


def test_meter_numbers_of_nonsense_do_not_fill_the_memory() -> None:
    memory = Memory()
    guard = Guard(LIMITS, memory)
    for number in range(100):
        guard.judge(reading(0, 5.5, meter=f"nonsense {number}"), float(number))
    assert len(memory) == 8


def test_a_copy_goes_its_own_way() -> None:
    memory = remembered(reading(0, 1000.5))
    copy = memory.recall(["meter:1ISK"])
    assert copy is not None
    copy.believe(
        reading(60, 1001.5), {ENERGY_IMPORT: Energy(Decimal(3_605_400), Decimal(360))}, 1e5, 0.0, None
    )
    [(_, kept)] = memory.entries()
    assert kept["counters"][0][1] == "1000.5"


UNFIT: Final = "a text is missing, too long or cannot be shown"


@pytest.mark.parametrize(
    ("change", "value", "why"),
    [
        (("time",), None, UNFIT),
        (("time",), "yesterday", "'yesterday' is not a time"),
        (("time",), "2024-11-11T11:11:00", "'2024-11-11T11:11:00' has no zone"),
        (("time",), "0001-01-01T00:00:00+23:00", "'0001-01-01T00:00:00+23:00' is not a time"),
        (("meter",), None, UNFIT),
        (("meter",), "x" * 513, UNFIT),
        (("meter",), "a\x1b[0m", UNFIT),
        (("seen",), "x", "a number is none"),
        (("seen",), True, "a number is missing"),
        (("seen",), [1], "a number is missing"),
        (("seen",), 10**400, "a number is none"),
        (("counters",), None, "there is NoneType in place of list"),
        (("counters",), {"a": 1}, "there is dict in place of list"),
        (("counters", 0), "1.8.0", "there is str in place of list"),
        (("counters", 0), [1, 2], "a counter has not nine parts"),
        (("counters", 0, 0), "what", "'what' is not an OBIS code such as '01-00:01.08.00*ff' or '1-0:1.8.0'"),
        (("counters", 0, 0), "01-00:10.07.00*ff", "1-0:16.7.0 in 'Wh' is not an energy"),
        (("counters", 0, 1), "NaN", "a number is not finite"),
        (("counters", 0, 1), "Infinity", "a number is not finite"),
        (("counters", 0, 1), "1e999999", "a number is not finite"),
        (("counters", 0, 1), "-5", "-18000 J is more or less than a meter shows"),
        (("counters", 0, 1), "9" * 600, "a number is not finite"),
        (("counters", 0, 2), "W", "1-0:1.8.0 in 'W' is not an energy"),
        (("counters", 0, 3), "-1", "-1 J is more or less than a meter shows"),
        (("counters", 0, 3), "1e18", "1E+18 J is more or less than a meter shows"),
        (("counters", 0, 4), "0", "0 J is not a unit of a meter"),
        (("counters", 0, 4), "3600001", "3600001 J is not a unit of a meter"),
        (("counters", 0, 5), "-1", "-1 J is not a unit of a meter"),
        (("counters", 0, 6), "sNaN", "a number is not finite"),
        (("counters", 0, 7), 5, UNFIT),
        (("counters", 0, 8), "2024-11-11T11:11:00", "'2024-11-11T11:11:00' has no zone"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(change: tuple[Any, ...], value: object, why: str) -> None:
    entry = payload()
    *way, last = change
    place = entry
    for step in way:
        place = place[step]
    place[last] = value
    with pytest.raises(StateError) as caught:
        load_history(entry, started=WALL, is_behind=False)
    assert str(caught.value) == why


def test_what_is_no_object_is_refused_with_the_reason() -> None:
    with pytest.raises(StateError, match=r"^there is list in place of dict$"):
        load_history([], started=WALL, is_behind=False)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "the key is empty or too long"),
        ("x" * 513, "the key is empty or too long"),
        ("meter:another", "the reading is of another meter than the key"),
    ],
)
def test_a_key_that_cannot_be_is_refused_with_the_reason(key: str, why: str) -> None:
    memory = Memory()
    with pytest.raises(StateError) as caught:
        memory.restore(key, payload(), started=WALL, is_behind=False)
    assert str(caught.value) == why
    assert len(memory) == 0


@pytest.mark.parametrize("key", ["b", "x" * 512, "bridge:another", "meter:1ISK"])
def test_a_key_may_be_short_or_long_and_of_a_bridge_with_any_meter(key: str) -> None:
    memory = Memory()
    memory.restore(key, payload(), started=WALL, is_behind=False)
    assert list(memory.entries()) == [(key, payload())]


def test_a_reading_without_a_number_may_be_of_any_meter() -> None:
    memory = Memory()
    memory.restore("meter:1ISK", payload() | {"meter": ""}, started=WALL, is_behind=False)
    assert [key for key, _ in memory.entries()] == ["meter:1ISK"]


def test_the_file_of_an_earlier_version_is_read() -> None:
    """Its keys and the order of a counter's parts are what files on disk have."""
    assert Memory.kind == "meter"
    memory = Memory()
    kept = {
        "meter": "m" * 512,
        "time": "2024-11-11T01:15:00+01:00",
        "seen": None,
        "behind": False,
        "counters": [
            [
                "01-00:01.08.00*ff",
                "1000.1",
                "Wh",
                "3600360.1",
                "1e-9",
                "0",
                "0",
                "2024-11-10T23:15:00-01:00",
                "2024-11-11T00:15:00Z",
            ]
        ],
    }
    memory.restore("bridge:house", kept, started=WALL, is_behind=False)
    history = memory.recall(["bridge:house"])
    assert history is not None
    then = START + timedelta(seconds=900)
    register = Register(ENERGY_IMPORT, Decimal("1000.1"), "Wh")
    assert history.last == history.served == Reading("m" * 512, then, {ENERGY_IMPORT: register})
    assert (history.seen_at, history.is_held, history.behind_until) == (None, False, None)
    assert history.counters == {
        ENERGY_IMPORT: Counter(
            value=Decimal("3600360.1"),
            unit=Decimal("1e-9"),
            slack=Decimal(0),
            served=Decimal("3600360"),
            register=register,
            floor=Decimal(0),
            jumped=then,
            time=then,
        )
    }
    # Any zone is read, one is written.
    [(_, written)] = memory.entries()
    assert written["time"] == "2024-11-11T00:15:00+00:00"
    assert written["counters"][0][7:] == ["2024-11-11T00:15:00+00:00"] * 2


@pytest.fixture
def far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_from_greenwich")
def test_times_are_kept_in_utc_wherever_the_exporter_runs() -> None:
    entry = payload()
    entry["time"] = entry["counters"][0][7] = "2024-11-11T01:15:00+01:00"
    history = load_history(entry, started=WALL, is_behind=False)
    written = dump_history(history)
    assert (written["time"], written["counters"][0][7]) == ("2024-11-11T00:15:00+00:00",) * 2


def test_a_counter_that_the_last_reading_has_not_is_kept_beside_it() -> None:
    memory = remembered(reading(0, "1000.5", "20.25"), reading(900, "1020.5"))
    history = again(memory).recall(["meter:1ISK"])
    assert history is not None
    assert {str(code): str(register.value) for code, register in history.last.registers.items()} == {
        "1-0:1.8.0": "1020.5"
    }
    assert [str(counter.register.value) for counter in history.counters.values()] == ["1020.5", "20.25"]


def test_a_number_is_exact_up_to_a_length_that_a_meter_never_has() -> None:
    entry = payload()
    for length, is_exact in ((512, True), (513, False)):
        entry["counters"][0][1] = "1000.1".rjust(length, "0")
        [counter, _] = load_history(entry, started=WALL, is_behind=False).counters.values()
        assert (counter.register.value == Decimal("1000.1")) == is_exact
        assert counter.register.value == pytest.approx(Decimal("1000.1"))


def test_a_number_may_be_one_of_json() -> None:
    entry = payload()
    entry["counters"][0][1] = 1020.5
    entry["counters"][0][3:7] = [3_673_800.0, 360, 360, 3_601_800]
    [counter, _] = load_history(entry, started=WALL, is_behind=False).counters.values()
    [expected, _] = load_history(payload(), started=WALL, is_behind=False).counters.values()
    assert counter == expected


def known_histories(memory: Memory, *keys: str) -> list[str]:
    """The numbers of the meters under the keys."""
    histories = [memory.recall([key]) for key in keys]
    return [history.last.meter if history else "" for history in histories]


def test_what_a_bridge_adds_to_is_replaced_by_no_other_until_it_is_gone() -> None:
    memory = Memory()
    first, second, third = (
        History.of(reading(0, 5.5, meter=meter), {}, 0.0, None) for meter in ("1", "2", "3")
    )
    memory.offer(["a", "b"], first)
    memory.offer(["b", "c"], second)
    assert known_histories(memory, "a", "b", "c") == ["1", "1", "2"]
    memory.keep(["b"], third)
    assert known_histories(memory, "a", "b", "c") == ["1", "3", "2"]
    memory.offer(["a", "b", "c"], first)
    assert known_histories(memory, "a", "b", "c") == ["1", "1", "2"]


def test_what_is_forgotten_is_forgotten_under_its_own_keys_which_are_free_again() -> None:
    memory = Memory()
    first, second, third = (
        History.of(reading(0, 5.5, meter=meter), {}, 0.0, None) for meter in ("1", "2", "3")
    )
    memory.offer(["a", "b"], first)
    memory.offer(["c"], second)
    memory.forget(first)
    assert known_histories(memory, "a", "b", "c") == ["", "", "2"]
    memory.offer(["a", "c"], third)
    assert known_histories(memory, "a", "b", "c") == ["3", "", "2"]


def test_the_first_key_that_is_known_counts() -> None:
    memory = Memory()
    for key in ("a", "b"):
        memory.offer([key], History.of(reading(0, 5.5, meter=key), {}, 0.0, None))
    for keys, found in ((["none", "b", "a"], "b"), (["a", "b"], "a")):
        history = memory.recall(keys)
        assert history is not None
        assert history.last.meter == found
    assert memory.recall(["none"]) is None


JSON: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["1e5", "0"]),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.no_cover
@examples(50)
@given(change=st.tuples(st.sampled_from([*payload(), 0, 1, 2, 3, 4, 5, 6, 7, 8]), JSON), whole=JSON)
def test_any_json_is_a_history_that_can_be_judged_or_none(change: tuple[str | int, Any], whole: Any) -> None:
    entry = deepcopy(payload())
    place, value = change
    if isinstance(place, int):
        entry["counters"][0][place] = value
    else:
        entry[place] = value
    for each in (entry, whole):
        memory = Memory()
        try:
            memory.restore("meter:1ISK", each, started=WALL, is_behind=False)
        except StateError:
            continue
        guard = Guard(LIMITS, memory)
        for seconds in (-60, 0, 60, 1e6):
            judgement = guard.judge(reading(seconds, 1020.5 + seconds, 21), 0.0, wall=WALL)
            assert all(value.is_finite() for value in energies(judgement.served).values())
        json.dumps(list(memory.entries()))


def test_a_dump_is_of_energies_alone() -> None:
    history = History.of(reading(0, 5.5, power=500), {}, 0.0, None)
    assert dump_history(history) == {
        "meter": "1ISK",
        "time": (START + timedelta(0)).isoformat(),
        "seen": None,
        "behind": False,
        "counters": [],
    }
