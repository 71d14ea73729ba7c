from typing import Any, cast, get_args

import pytest

from iometer_exporter.errors import ConfigError
from iometer_exporter.simulator import FAULTS, Fault, FaultSpec, Timing, parse_fault
from iometer_exporter.simulator.faults import check_faults


def test_every_kind_is_described_in_a_sentence() -> None:
    assert tuple(FAULTS) == get_args(Fault), "Fault and FAULTS name the same faults in the same order"
    assert all(text.endswith(".") and text.count(". ") == 0 for text in FAULTS.values())


@pytest.mark.parametrize("kind", FAULTS)
def test_parses_a_kind_for_all_or_one(kind: Fault) -> None:
    assert parse_fault(kind) == FaultSpec(kind)
    assert parse_fault(f"{kind}@12") == FaultSpec(kind, 12)
    assert str(parse_fault(f"{kind}@12")) == f"{kind}@12"


def test_fault_hits_its_bridge_only() -> None:
    assert [parse_fault("hang@2").hits(number) for number in (1, 2, 3)] == [False, True, False]
    assert parse_fault("hang").hits(7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("replya", "there is no fault 'replya', the nearest is 'replay'"),
        ("http500@2", "there is no fault 'http500', the nearest is 'http-500'"),
        ("", "there is no fault '', the nearest is '.*'"),
        ("hang@0", "'0' in fault 'hang@0' is not a bridge number, count from 1 as in hang@1"),
        ("hang@", "'' in fault 'hang@' is not a bridge number, count from 1 as in hang@1"),
        ("hang@one", "'one' in fault 'hang@one' is not a bridge number, count from 1 as in hang@1"),
        ("hang@1@2", "'1@2' in fault 'hang@1@2' is not a bridge number, count from 1 as in hang@1"),
    ],
)
def test_names_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        parse_fault(text)


def test_fault_for_a_bridge_that_is_not_there() -> None:
    check_faults([FaultSpec("hang", 3), FaultSpec("drop")], 3)
    with pytest.raises(ConfigError, match=r"^fault hang@4 is for bridge 4, but there are only 3$"):
        check_faults([FaultSpec("hang", 4)], 3)
    with pytest.raises(ConfigError, match="no fault 'hnag'"):
        check_faults([FaultSpec(cast(Any, "hnag"))], 3)


def test_a_replay_runs_from_the_past_to_the_present_every_15_minutes() -> None:
    timing = Timing()
    assert timing.replayed(19.9) is None
    for begin in (20.0, 920.0, 1820.0):
        shown = []
        for step in range(30):
            elapsed = begin + step * 0.5
            behind = timing.replayed(elapsed)
            assert behind is not None
            shown.append(elapsed - behind)
        assert shown == pytest.approx([begin - 900 + 30 * step for step in range(30)])
        assert timing.replayed(begin + 15) is None


def test_glitches_are_numbered() -> None:
    timing = Timing()
    moments = (0, 29, 30, 39, 40, 149, 150, 160)
    assert [timing.glitch(elapsed) for elapsed in moments] == [None, None, 0, 0, None, None, 1, None]


def test_a_pin_is_lost_now_and_then() -> None:
    timing = Timing()
    moments = (0, 29, 30, 89, 90, 629, 630, 690)
    expected = [False, False, True, True, False, False, True, False]
    assert [timing.without_pin(elapsed) for elapsed in moments] == expected


def test_passing_faults_can_strike_at_once_and_stay() -> None:
    timing = Timing.at_once()
    for elapsed in (0.0, 1.0, 86_400.0):
        assert timing.replayed(elapsed) is not None
        assert timing.glitch(elapsed) == 0
        assert timing.without_pin(elapsed)
