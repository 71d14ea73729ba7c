import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import pytest

from iometer_exporter.bridges.diagnosis import Problem, headline, problems
from iometer_exporter.bridges.snapshot import Snapshot
from iometer_exporter.errors import FetchError, Reason
from iometer_exporter.meter.models import WEB_PAGE, Endpoint, Status
from iometer_exporter.meter.quantities import energies
from iometer_exporter.wording import duration, kilowatt_hours, local_time, totals, waited, watts
from tests import payloads

READ_AT: Final = datetime(2024, 11, 11, 11, 11, tzinfo=UTC).timestamp()


def snapshot_of(case: str) -> Snapshot:
    sent, status = payloads.reading(case), payloads.status(case)
    return Snapshot(
        bridge="house",
        address="192.168.1.50",
        source="configured",
        meter=sent.meter,
        reading=sent,
        energies=energies(sent),
        sent=sent,
        status=status,
        durations={"reading": 0.1, "status": 0.1},
        failures={},
        errors={},
        rejected={},
    )


def failed(**reasons: Reason) -> Snapshot:
    whole = snapshot_of("battery")
    failures: dict[Endpoint, FetchError] = {
        endpoint: FetchError(reasons[endpoint], f"{endpoint} failed")
        for endpoint in whole.durations
        if endpoint in reasons
    }
    no_reading = "reading" in failures
    return replace(
        whole,
        reading=None if no_reading else whole.reading,
        sent=None if no_reading else whole.sent,
        status=None if "status" in failures else whole.status,
        failures=failures,
    )


def found(snapshot: Snapshot, *, age: float = 5.0, stale_after: float = 1200.0) -> list[Problem]:
    return list(problems(snapshot, now=READ_AT + age, stale_after=stale_after))


def told(snapshot: Snapshot) -> list[str]:
    return [problem.what for problem in found(snapshot)]


@pytest.mark.parametrize(
    ("joules", "text"),
    [
        ("44444444040", "12345.6789 kWh"),
        ("0", "0 kWh"),
        ("360", "0.0001 kWh"),
        ("3600000", "1 kWh"),
        ("3.6e11", "100000 kWh"),
        ("44442000000", "12345 kWh"),
    ],
)
def test_energies_are_shown_as_the_meter_shows_them(joules: str, text: str) -> None:
    assert kilowatt_hours(Decimal(joules)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 W"),
        (10.0, "10 W"),
        (-1234.0, "-1234 W"),
        (432.1, "432.1 W"),
        (1234567.5, "1234567.5 W"),
        (1e300, "1e+300 W"),
    ],
)
def test_powers_have_their_sign(value: float, text: str) -> None:
    assert watts(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (45, "45 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (3601, "1 h"),
        (7500, "2 h 5 min"),
        (86400 * 3 + 3600 * 4 + 59, "3 d 4 h"),
        (86400 + 59, "1 d"),
        (-200, "-3 min 20 s"),
    ],
)
def test_durations_are_in_their_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.3, "0.3 s"), (3.0, "3 s"), (2.54, "2.5 s"), (9.96, "10 s"), (10.04, "10 s"), (60.1, "60 s")],
)
def test_a_wait_is_told_as_it_was_set(seconds: float, text: str) -> None:
    assert waited(seconds) == text


def test_a_time_is_that_of_the_clock_on_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert local_time(datetime(2026, 11, 20, 22, 10, 47, tzinfo=UTC)) == "2026-11-20 23:10:47 CET"
        assert local_time(datetime(2026, 6, 20, 22, 10, 47, tzinfo=UTC)) == "2026-06-21 00:10:47 CEST"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_totals_are_those_that_the_meter_has() -> None:
    assert totals(payloads.reading("wired")) == ("12345.6789 kWh", "98.7654321 kWh")
    assert totals(payloads.reading("import-only")) == ("12345.6789 kWh", None)


@pytest.mark.parametrize("case", ["battery", "wired", "no-meter", "three-phase", "unknown-fields-and-states"])
def test_a_bridge_in_order_has_no_problems(case: str) -> None:
    expected = ["the battery of the core is at 0%"] if case.startswith("unknown") else []
    assert told(snapshot_of(case)) == expected


def test_404_on_both_endpoints_is_a_local_api_that_is_not_unlocked() -> None:
    assert found(failed(reading="no_data", status="no_data")) == [
        Problem(
            "the bridge answers, but 404 for both the reading and the status",
            "unlock the local API for this device in the IOmeter app, or ask IOmeter's support to; "
            "if this is no IOmeter bridge, correct the address",
        )
    ]


NOT_A_BRIDGE = "check that the address is that of an IOmeter bridge and no other device"
SILENT = "the bridge does not answer: reading failed"
STRANGE = "the bridge does not answer as a bridge: reading failed"


@pytest.mark.parametrize(
    ("reason", "what", "advice"),
    [
        ("resolve", SILENT, "check the spelling of the name"),
        ("connect", SILENT, "check that the address is that of the bridge, that it has power"),
        ("timeout", SILENT, "check that the bridge has power and good Wi-Fi"),
        ("http_status", STRANGE, NOT_A_BRIDGE),
        (
            "invalid_json",
            "the bridge does not answer as a bridge: what it sends is not JSON",
            NOT_A_BRIDGE,
        ),
        ("invalid_document", STRANGE, NOT_A_BRIDGE),
        ("too_large", STRANGE, NOT_A_BRIDGE),
        ("protocol", STRANGE, "bring the bridge nearer to the access point, for weak Wi-Fi"),
    ],
)
def test_a_bridge_that_gives_nothing_has_one_problem_with_advice(
    reason: Reason, what: str, advice: str
) -> None:
    (problem,) = found(failed(reading=reason, status=reason))
    assert problem.what == what
    assert problem.advice.startswith(advice)


OTHER_DEVICE = "this is another device, such as a router or a printer: correct the address"


@pytest.mark.parametrize(
    ("failure", "what", "advice"),
    [
        (
            FetchError("http_status", "answered status 401", status=401),
            "what answers asks for a login (status 401)",
            OTHER_DEVICE,
        ),
        (
            FetchError("http_status", "answered status 403", status=403),
            "what answers asks for a login (status 403)",
            OTHER_DEVICE,
        ),
        (
            FetchError("http_status", "answered status 500", status=500),
            "the bridge answered status 500",
            "restart the bridge; if it stays, check that the address is that of the bridge",
        ),
        (
            FetchError("http_status", "answered 302, a redirect: not followed", status=302),
            "the bridge does not answer as a bridge: answered 302, a redirect: not followed",
            NOT_A_BRIDGE,
        ),
        (FetchError("invalid_json", WEB_PAGE), "what answers is a web page", OTHER_DEVICE),
    ],
)
def test_what_answers_in_place_of_a_bridge_is_recognised(failure: FetchError, what: str, advice: str) -> None:
    snapshot = failed(reading="no_data", status="no_data")
    both: dict[Endpoint, FetchError] = {"reading": failure, "status": failure}
    one: dict[Endpoint, FetchError] = {**snapshot.failures, "status": failure}
    for failures in (both, one):
        assert found(replace(snapshot, failures=failures)) == [Problem(what, advice)]


def test_a_name_of_mdns_that_does_not_resolve_needs_mdns() -> None:
    snapshot = replace(failed(reading="resolve", status="resolve"), address="iometer-a.local:81")
    [problem] = found(snapshot)
    assert (
        problem.advice
        == "a name in .local needs mDNS on this host: use the IP address that your router shows"
    )


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        (snapshot_of("battery"), "answers"),
        (failed(reading="timeout"), "answers"),
        (failed(reading="connect", status="timeout"), "does not answer"),
        (failed(reading="no_data", status="no_data"), "does not answer as a bridge"),
        (failed(reading="timeout", status="http_status"), "does not answer as a bridge"),
    ],
)
def test_a_bridge_in_a_few_words(snapshot: Snapshot, words: str) -> None:
    assert headline(snapshot) == words


def test_the_words_of_a_parser_are_for_the_log() -> None:
    failure = FetchError("invalid_json", "the body is not JSON: Expecting value: line 1 column 1 (char 0)")
    snapshot = replace(failed(status="invalid_json"), failures={"status": failure})
    assert told(snapshot) == ["there is no status: what it sends is not JSON"]


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        (failed(reading="no_data"), ["the bridge has no reading yet"]),
        (failed(status="no_data"), []),
        (failed(reading="timeout"), ["there is no reading: reading failed"]),
        (failed(status="timeout"), ["there is no status: status failed"]),
        (snapshot_of("disconnected"), ["the core does not reach the bridge"]),
        (
            snapshot_of("pin-missing"),
            [
                "the PIN of the meter is missing: it shows only whole kWh and no power",
                "the battery of the core is at 15%",
            ],
        ),
    ],
)
def test_each_state_of_need_is_told(snapshot: Snapshot, expected: list[str]) -> None:
    assert told(snapshot) == expected


def test_what_could_not_be_used_is_named_for_each_document() -> None:
    reading_problem, status_problem = told(snapshot_of("bad-registers"))
    assert reading_problem.startswith(
        "the bridge sent what cannot be used: meter.reading.registers[1].value is the text '5432.1', "
        "expected a number; meter.reading.registers[2].value is missing"
    )
    assert "device.core.batteryLevel is 101, expected 0 to 100" in status_problem


@pytest.mark.parametrize(
    ("status", "what", "advice"),
    [
        (
            Status(attachment="detached"),
            "the core is detached from the meter",
            "put it back onto the meter's optical port",
        ),
        (Status(pin="pending"), "the PIN of the meter is being entered", "wait some minutes"),
        (Status(battery_ratio=0.2), "the battery of the core is at 20%", "have new batteries at hand"),
        (Status(battery_ratio=0.1), "the battery of the core is at 10%", "replace the batteries now"),
    ],
)
def test_each_problem_of_the_core_has_its_advice(status: Status, what: str, advice: str) -> None:
    assert found(replace(snapshot_of("battery"), status=status)) == [Problem(what, advice)]


def test_a_battery_above_the_limit_is_no_problem() -> None:
    assert found(replace(snapshot_of("battery"), status=Status(battery_ratio=0.21))) == []


@pytest.mark.parametrize(
    ("age", "stale_after", "expected"),
    [
        (1200.0, 1200.0, []),
        (7500.0, 1200.0, ["the reading is 2 h 5 min old"]),
        (7500.0, 0.0, []),
        (-120.0, 1200.0, []),
        (-200.0, 1200.0, ["the reading is 3 min 20 s in the future"]),
    ],
)
def test_the_age_of_the_reading(age: float, stale_after: float, expected: list[str]) -> None:
    assert [p.what for p in found(snapshot_of("battery"), age=age, stale_after=stale_after)] == expected


def test_a_reading_from_the_future_that_stays_is_as_old_as_it_is_known() -> None:
    snapshot = replace(snapshot_of("battery"), seen_for=3600.0)
    assert [p.what for p in found(snapshot, age=-86_400.0, stale_after=1200.0)] == ["the reading is 1 h old"]
