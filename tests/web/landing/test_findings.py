from dataclasses import replace

import pytest

from iometer_exporter.bridges.glance import Glance
from iometer_exporter.errors import FetchError, Reason
from iometer_exporter.meter.guard import Rejection
from iometer_exporter.meter.models import ENDPOINTS, Status
from iometer_exporter.web.landing.findings import Finding, State, findings_of, state_of
from iometer_exporter.web.landing.language import DEUTSCH, ENGLISH
from tests.web.landing.pages import READ_AT, failing, glance_of

WELL = glance_of("battery")


def found(glance: Glance, *, age: float = 5.0, stale_after: float = 1200.0) -> list[Finding]:
    arguments = {"now": READ_AT + age, "stale_after": stale_after}
    # Everything that is said is said in German too.
    german = list(findings_of(glance, DEUTSCH, **arguments))
    english = list(findings_of(glance, ENGLISH, **arguments))
    assert [each.severity for each in german] == [each.severity for each in english]
    assert not {each.what for each in german} & {each.what for each in english}
    return english


def state(glance: Glance, *, age: float = 5.0) -> State:
    return state_of(glance, found(glance, age=age))


def with_status(**changes: object) -> Glance:
    assert WELL.status is not None
    return replace(WELL, status=replace(WELL.status, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("case", ["battery", "wired", "three-phase", "tariffs", "import-only"])
def test_of_a_bridge_that_is_well_there_is_nothing_to_say(case: str) -> None:
    assert found(glance_of(case)) == []
    assert state(glance_of(case)) == "well"


@pytest.mark.parametrize(
    ("reason", "what"),
    [
        ("resolve", "The name of the bridge does not resolve."),
        ("connect", "Nothing answers at this address."),
        ("timeout", "The bridge does not answer in time."),
        ("http_status", "The bridge answers with an error."),
        ("invalid_json", "What answers does not speak like a bridge."),
        ("too_large", "What answers does not speak like a bridge."),
    ],
)
def test_a_bridge_that_is_down_says_why_once(reason: Reason, what: str) -> None:
    glance = failing(WELL, reading=reason, status=reason)
    [finding] = found(glance)
    assert (finding.severity, finding.what, finding.detail) == ("down", what, "reading failed")
    assert finding.advice
    assert state(glance) == "down"


def test_a_bridge_that_does_not_answer_in_time_is_no_matter_of_the_timeout() -> None:
    [finding] = found(failing(WELL, reading="timeout", status="timeout"))
    assert "--timeout" not in finding.advice


def test_a_bridge_whose_interface_is_locked_is_to_be_unlocked() -> None:
    [finding] = found(failing(WELL, reading="no_data", status="no_data"))
    assert finding.severity == "down"
    assert finding.advice.startswith("Unlock the local interface")


def test_a_bridge_that_has_not_been_asked_yet_is_neither_well_nor_down() -> None:
    assert state(Glance("new", "192.168.1.50", "", is_asked=False)) == "asking"


@pytest.mark.parametrize(
    ("reasons", "what", "expected"),
    [
        ({"reading": "no_data"}, "The bridge has no reading.", "hand"),
        ({"reading": "timeout"}, "The bridge gives its status, but no reading.", "hand"),
        ({"status": "no_data"}, "There is no status: this firmware has none.", "well"),
        ({"status": "invalid_json"}, "The bridge gives its reading, but no status.", "hand"),
    ],
)
def test_one_document_that_fails(reasons: dict[str, Reason], what: str, expected: State) -> None:
    glance = failing(WELL, **reasons)
    [finding] = found(glance)
    assert finding.what == what
    assert state(glance) == expected


@pytest.mark.parametrize(
    ("changes", "what", "expected"),
    [
        ({"connection": "disconnected"}, "The core does not reach the bridge.", "hand"),
        ({"attachment": "detached"}, "The core has come off the meter.", "hand"),
        (
            {"pin": "missing"},
            "The PIN of the meter is missing: it shows only whole kWh and no power.",
            "hand",
        ),
        ({"pin": "pending"}, "The PIN of the meter is being entered.", "well"),
        ({"battery_ratio": 0.2}, "The battery of the core is at 20%.", "hand"),
        ({"battery_ratio": 0.07}, "The battery of the core is at 7%.", "hand"),
    ],
)
def test_what_the_status_tells(changes: dict[str, object], what: str, expected: State) -> None:
    glance = with_status(**changes)
    assert [finding.what for finding in found(glance)] == [what]
    assert state(glance) == expected


@pytest.mark.parametrize(
    ("ratio", "advice"), [(0.2, "Have new batteries at hand."), (0.1, "Replace the batteries now.")]
)
def test_a_battery_becomes_urgent(ratio: float, advice: str) -> None:
    [finding] = found(with_status(battery_ratio=ratio))
    assert finding.advice == advice


def test_states_that_nobody_knows_yet_are_no_trouble() -> None:
    assert found(with_status(connection="asleep", attachment="hovering", pin="guessed")) == []


@pytest.mark.parametrize(
    ("age", "stale_after", "what"),
    [
        (1201.0, 1200.0, ["The reading is 20 min old."]),
        (1201.0, 0.0, []),
        (-119.0, 1200.0, []),
        (-86_400.0, 1200.0, ["The reading is 1 d in the future."]),
    ],
)
def test_the_age_of_a_reading(age: float, stale_after: float, what: list[str]) -> None:
    told = [finding.what.replace("\u00a0", " ") for finding in found(WELL, age=age, stale_after=stale_after)]
    assert told == what


def test_a_reading_that_stands_still_under_a_clock_that_is_ahead_is_old() -> None:
    [finding] = found(replace(WELL, seen_for=1300.0), age=-10.0)
    assert finding.what.replace("\u00a0", " ") == "The reading is 21 min old."


@pytest.mark.parametrize(
    ("rejection", "expected"), [("replayed", "well"), ("decreased", "hand"), ("implausible", "hand")]
)
def test_a_reading_that_is_refused_now(rejection: Rejection, expected: State) -> None:
    glance = replace(WELL, rejection=rejection, rejected={rejection: 7})
    [finding] = found(glance)
    assert "good" in finding.what
    assert state(glance) == expected


@pytest.mark.parametrize(
    ("count", "what"),
    [(1, "One reading was refused."), (1234, "1,234 readings were refused since the start.")],
)
def test_readings_that_were_refused_are_a_note(count: int, what: str) -> None:
    [finding] = found(replace(WELL, rejected={"replayed": count}))
    assert (finding.severity, finding.what) == ("note", what)


def test_what_cannot_be_used_is_a_note_with_its_reason() -> None:
    assert WELL.reading is not None
    glance = replace(
        WELL,
        reading=WELL.reading._replace(problems=("registers[3].unit is missing",)),
        status=Status(problems=("device.core is a list",)),
    )
    [finding] = found(glance)
    assert (finding.severity, finding.detail) == (
        "note",
        "registers[3].unit is missing; device.core is a list",
    )


def test_a_bridge_that_is_down_is_down_whatever_was_known_before() -> None:
    glance = replace(
        with_status(attachment="detached"),
        failures=dict.fromkeys(ENDPOINTS, FetchError("connect", "refused")),
        rejected={"replayed": 1},
    )
    assert [finding.severity for finding in found(glance)] == ["down"]
