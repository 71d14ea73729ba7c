from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.bridges.discovery.admission import REST_SECONDS, TRIAL_SECONDS, Admission
from iometer_exporter.bridges.discovery.announcements import Service
from iometer_exporter.config.file import DiscoveryConfig
from iometer_exporter.net.addresses import Address


def service(name: str, host: str = "", *, answered: bool = False) -> Service:
    found = Service(name, f"{name}.local", (Address(host or f"10.0.{len(name)}.{sum(name.encode()) % 256}"),))
    found.standing.answered = answered
    return found


def several(count: int, *, answered: bool = False) -> list[Service]:
    return [
        service(f"b{index:04}", f"10.0.{index // 256}.{index % 256}", answered=answered)
        for index in range(count)
    ]


def names(admission: Admission) -> list[str]:
    return [service.name for service in admission.services]


def ask(admission: Admission, now: float) -> None:
    for name in names(admission):
        admission.asked(name, now)


def test_bridges_are_read_in_the_order_in_which_they_were_announced() -> None:
    admission = Admission(DiscoveryConfig())
    assert admission.admit(several(3), 0.0) == {}
    assert names(admission) == ["b0000", "b0001", "b0002"]
    assert admission.left_out == 0


def test_no_more_are_read_than_the_limit() -> None:
    admission = Admission(DiscoveryConfig(limit=250))
    admission.admit(several(3000), 0.0)
    assert names(admission) == [f"b{index:04}" for index in range(250)]
    assert admission.left_out == 2750


def test_one_that_has_answered_is_displaced_by_none_and_stays_for_a_day() -> None:
    admission = Admission(DiscoveryConfig(limit=2))
    admission.admit([service("a", answered=True), service("b")], 0.0)
    for now in range(0, 86399, 600):
        admission.admit(several(10), float(now))
        ask(admission, float(now))
        assert "a" in names(admission)
        assert len(names(admission)) == 2
    assert admission.admit(several(10), 86400.0)["a"] == "no longer announced for long"


def test_one_that_came_back_is_the_bridge_that_it_was() -> None:
    admission = Admission(DiscoveryConfig())
    admission.admit([service("a", answered=True)], 0.0)
    admission.admit([], 80000.0)
    again = service("a", "10.9.9.9")
    admission.admit([again], 90000.0)
    assert again.standing.answered
    assert [service.addresses for service in admission.services] == [(Address("10.9.9.9"),)]
    # Its day begins anew.
    assert admission.admit([], 90001.0) == {}
    assert admission.admit([], 90001.0 + 86399) == {}
    assert list(admission.admit([], 90001.0 + 86400)) == ["a"]


def test_one_that_never_answers_is_forgotten_although_it_is_announced_and_tried_again_later() -> None:
    admission = Admission(DiscoveryConfig())
    silent = service("a")
    asked = []
    for minute in range(0, 120, 1):
        admission.admit([silent], minute * 60.0)
        ask(admission, minute * 60.0)
        if names(admission):
            asked.append(minute)
    rest = int(REST_SECONDS / 60)
    assert asked[:6] == [0, 1, 2, 3, 4, 5]
    assert asked[6] == 6 + rest
    assert asked == [
        *range(6),
        *range(6 + rest, 12 + rest),
        *range(12 + 2 * rest, 18 + 2 * rest),
        *range(18 + 3 * rest, min(24 + 3 * rest, 120)),
    ]


def test_the_reason_says_when_it_is_tried_again() -> None:
    admission = Admission(DiscoveryConfig())
    admission.admit([service("a")], 0.0)
    ask(admission, 0.0)
    ask(admission, TRIAL_SECONDS - 1)
    assert admission.admit([service("a")], TRIAL_SECONDS - 1) == {}
    ask(admission, TRIAL_SECONDS)
    assert admission.admit([service("a")], TRIAL_SECONDS) == {
        "a": "never answered, tried again in 30 minutes if it is still announced"
    }


def test_a_trial_takes_no_time_while_nobody_asks() -> None:
    admission = Admission(DiscoveryConfig())
    admission.admit([service("a")], 0.0)
    assert admission.admit([service("a")], 1e6) == {}
    ask(admission, 1e6)
    # An hour without a scrape: it was asked once, and not for an hour in vain.
    assert admission.admit([service("a")], 1e6 + 3600) == {}


def test_one_that_answers_in_its_trial_stays() -> None:
    admission = Admission(DiscoveryConfig())
    booting = service("a")
    admission.admit([booting], 0.0)
    ask(admission, 0.0)
    ask(admission, TRIAL_SECONDS)
    booting.standing.answered = True
    assert admission.admit([booting], TRIAL_SECONDS) == {}


def test_one_that_is_announced_anew_or_elsewhere_has_a_trial_at_once() -> None:
    for between in ([], [service("a", "10.9.9.9")]):
        admission = Admission(DiscoveryConfig())
        admission.admit([service("a")], 0.0)
        ask(admission, 0.0)
        ask(admission, TRIAL_SECONDS)
        admission.admit([service("a")], TRIAL_SECONDS)
        assert names(admission) == []
        admission.admit(between, TRIAL_SECONDS + 1)
        admission.admit([service("a")], TRIAL_SECONDS + 2)
        assert names(admission) == ["a"]


def test_one_that_vanished_without_an_answer_is_forgotten_after_minutes() -> None:
    admission = Admission(DiscoveryConfig())
    admission.admit([service("a")], 0.0)
    assert admission.admit([], 10.0) == {}
    assert admission.admit([], 10.0 + TRIAL_SECONDS - 1) == {}
    assert admission.admit([], 10.0 + TRIAL_SECONDS) == {"a": "no longer announced for long"}


def test_names_that_nobody_answers_for_fill_no_table() -> None:
    """1000 names for ever, and one real bridge that comes last: it has its turn."""
    admission = Admission(DiscoveryConfig(limit=100))
    real = service("real", "192.168.1.50")
    announced = [*several(1000), real]
    for now in range(0, 7200, 60):
        admission.admit(announced, float(now))
        ask(admission, float(now))
        assert len(names(admission)) <= 100
        if "real" in names(admission):
            break
    assert now <= 1000 / 100 * (TRIAL_SECONDS + 60)
    real.standing.answered = True
    for later in range(now, now + 7200, 60):
        admission.admit(announced, float(later))
        ask(admission, float(later))
        assert "real" in names(admission)


def test_many_names_of_one_address_are_one_bridge() -> None:
    admission = Admission(DiscoveryConfig())
    admission.admit([service(f"name{index}", "10.0.0.1", answered=True) for index in range(50)], 0.0)
    assert names(admission) == ["name0"]
    assert admission.left_out == 0
    # Of a bridge that is gone, another may have the address now.
    admission.admit([service("name1", "10.0.0.1")], 1.0)
    assert names(admission) == ["name0", "name1"]


def test_a_lower_limit_keeps_those_that_answer_and_are_there() -> None:
    admission = Admission(DiscoveryConfig())
    silent, gone, here = service("silent"), service("gone!", answered=True), service("here..", answered=True)
    admission.admit([silent, gone, here], 0.0)
    admission.config = DiscoveryConfig(limit=2)
    assert admission.admit([silent, here], 1.0) == {"silent": "discovery.limit is lower now"}
    admission.config = DiscoveryConfig(limit=1)
    assert admission.admit([silent, here], 2.0) == {"gone!": "discovery.limit is lower now"}
    assert names(admission) == ["here.."]


def test_discovery_that_is_switched_off_forgets_all() -> None:
    admission = Admission(DiscoveryConfig(limit=1))
    announced = several(2, answered=True)
    admission.admit(announced, 0.0)
    admission.config = DiscoveryConfig(enabled=False)
    assert admission.admit(announced, 0.0) == {"b0000": "discovery is off"}
    assert (names(admission), admission.left_out) == ([], 0)


def test_one_that_is_read_otherwise_leaves_no_trace() -> None:
    admission = Admission(DiscoveryConfig())
    admission.admit([service("a", answered=True)], 0.0)
    admission.drop("a")
    admission.drop("never there")
    assert admission.admit([], 0.0) == {}
    assert names(admission) == []


announcements = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 4)), max_size=8, unique_by=lambda item: item[0]
)
steps = st.lists(
    st.tuples(announcements, st.floats(0, 2000), st.sets(st.sampled_from("abcdefgh"))), max_size=12
)


@given(steps, st.integers(1, 4))
def test_whatever_is_announced_the_table_is_bounded_and_answers_are_kept(
    steps: Sequence[tuple[Sequence[tuple[str, int]], float, set[str]]], limit: int
) -> None:
    admission = Admission(DiscoveryConfig(limit=limit, forget_after=1e9))
    now = 0.0
    kept: set[str] = set()
    for announced, pause, answering in steps:
        now += pause
        services = [service(name, f"10.0.0.{place}") for name, place in announced]
        gone = admission.admit(services, now)
        found = names(admission)
        assert len(found) == len(set(found)) <= limit
        assert kept <= set(found)
        assert not kept & gone.keys()
        assert 0 <= admission.left_out <= len(services)
        # Whoever has room and is announced is read where it is announced.
        for read in admission.services:
            here = [other for other in services if other.name == read.name]
            assert not here or here == [read]
        ask(admission, now)
        for read in admission.services:
            if read.name in answering:
                read.standing.answered = True
                kept.add(read.name)


def test_one_that_is_there_keeps_no_other_from_coming() -> None:
    admission = Admission(DiscoveryConfig())
    assert admission.left_out == 0
    admission.admit([service("a")], 0.0)
    admission.admit([service("a"), service("a-again", service("a").addresses[0].host), service("b")], 1.0)
    assert names(admission) == ["a", "b"]
    assert admission.left_out == 0


def test_a_bridge_that_answered_meanwhile_has_answered_however_it_is_announced() -> None:
    admission = Admission(DiscoveryConfig())
    admission.admit([service("a")], 0.0)
    again = service("a", answered=True)
    admission.admit([again], 1.0)
    assert again.standing.answered
