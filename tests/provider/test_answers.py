"""From answers to values: what good ones become, what bad items cost."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.meter.models import Register
from iometer_exporter.meter.obis import ENERGY_EXPORT, ENERGY_IMPORT, POWER, ObisCode
from iometer_exporter.provider.api import answers, models
from iometer_exporter.provider.api.models import (
    Device,
    Installation,
    License,
    LicensePool,
    LicenseTerm,
    Meter,
    SigningKey,
)

TIME = datetime(2024, 12, 31, 12, 0, tzinfo=UTC)


def register(**changes: Any) -> dict[str, Any]:
    return {
        "time": "2024-12-31T12:00:00Z",
        "obisCode": "01-00:01.08.00*ff",
        "value": Decimal("12345.678"),
        "unit": "Wh",
    } | changes


def device(**changes: Any) -> dict[str, Any]:
    return {
        "id": "d1",
        "bridge": {"connectionStatus": "connected"},
        "core": {
            "connectionStatus": "disconnected",
            "attachmentStatus": "attached",
            "batteryLevel": 55,
            "powerStatus": "battery",
            "pinStatus": "entered",
        },
        "localHttpPushStatus": "disabled",
    } | changes


def meter(**changes: Any) -> dict[str, Any]:
    return {"id": "m1", "number": "1EMH0007058153", "latestReadings": [register()]} | changes


def license_(**changes: Any) -> dict[str, Any]:
    return {
        "pool": {"id": "p1", "name": "Pool"},
        "term": {"period": 12, "autoRenewal": True},
        "startTime": "2024-01-01T00:00:00Z",
        "endTime": None,
        "status": "active",
    } | changes


def installation(**changes: Any) -> dict[str, Any]:
    return {
        "id": "i1",
        "externalId": "customer-1",
        "license": license_(),
        "meters": [meter()],
        "currentMeter": {"id": "m1"},
        "devices": [device()],
        "currentDevice": {"id": "d1"},
    } | changes


def parsed(**changes: Any) -> Installation:
    page = answers.installations_page({"id": "p", "name": "n", "installations": [installation(**changes)]})
    assert page.problems == ()
    [found] = page.installations
    return found


def test_a_whole_installation() -> None:
    found = parsed()
    assert found == Installation(
        id="i1",
        external_id="customer-1",
        license=License(
            pool=LicensePool("p1", "Pool", None, None, None),
            term=LicenseTerm(12, True),
            start=datetime(2024, 1, 1, tzinfo=UTC),
            end=None,
            status="active",
        ),
        meters=found.meters,
        current_meter=found.meters[0],
        devices=(
            Device("d1", "connected", "disconnected", "attached", "battery", "entered", 0.55, "disabled"),
        ),
        current_device=found.devices[0],
        problems=(),
    )
    [only] = found.meters
    assert only.latest is not None
    assert (only.id, only.number, only.latest.meter, only.latest.time) == (
        "m1",
        "1EMH0007058153",
        "1EMH0007058153",
        TIME,
    )
    assert only.latest.registers == {ENERGY_IMPORT: Register(ENERGY_IMPORT, Decimal("12345.678"), "Wh")}
    assert found.label == "customer-1"


def test_an_installation_of_which_nothing_is_known_yet() -> None:
    nothing: dict[str, Any] = {"meters": [], "devices": [], "currentMeter": None, "currentDevice": None}
    found = parsed(externalId=None, license=None, **nothing)
    assert found == Installation("i1", "", None, (), None, (), None, ())
    assert found.label == "i1"


def test_both_forms_of_obis_codes() -> None:
    registers = [register(obisCode="1-0:1.8.0"), register(obisCode="01-00:10.07.00*ff", unit="W")]
    [only] = parsed(meters=[meter(latestReadings=registers)]).meters
    assert only.latest is not None
    assert set(only.latest.registers) == {ENERGY_IMPORT, POWER}


def merged(*registers: dict[str, Any]) -> tuple[datetime, dict[ObisCode, Decimal]]:
    """The time of the reading that these latest registers make, and its values."""
    found = []
    for order in (registers, registers[::-1]):
        [only] = parsed(meters=[meter(latestReadings=list(order))]).meters
        assert only.latest is not None
        found.append((only.latest.time, {code: each.value for code, each in only.latest.registers.items()}))
    assert found[0] == found[1]
    return found[0]


def test_the_latest_registers_may_have_times_of_their_own() -> None:
    found = merged(
        register(),
        register(obisCode="1-0:2.8.0", value=7, time="2024-12-31T11:00:00Z"),
        register(obisCode="1-0:16.7.0", unit="W", value=500, time="2024-12-31T12:00:10Z"),
        register(obisCode="1-0:32.7.0", unit="V", value=230, time="2024-12-31T11:46:00Z"),
    )
    assert found == (
        TIME,
        {
            ENERGY_IMPORT: Decimal("12345.678"),
            ENERGY_EXPORT: Decimal(7),
            POWER: Decimal(500),
            ObisCode.parse("1-0:32.7.0"): Decimal(230),
        },
    )


def test_a_power_of_another_time_is_no_power_of_this_reading() -> None:
    old = register(obisCode="1-0:16.7.0", unit="W", value=500, time="2024-12-31T11:44:00Z")
    assert merged(register(), old) == (TIME, {ENERGY_IMPORT: Decimal("12345.678")})


def test_of_one_code_the_newest_counts() -> None:
    old = register(value=12000, time="2024-12-31T11:45:00Z")
    assert merged(register(), old) == (TIME, {ENERGY_IMPORT: Decimal("12345.678")})


def test_without_energies_the_newest_time_counts() -> None:
    powers = [
        register(obisCode="1-0:16.7.0", unit="W", value=500, time="2024-12-31T12:00:00Z"),
        register(obisCode="1-0:36.7.0", unit="W", value=200, time="2024-12-31T11:59:00Z"),
    ]
    time, values = merged(*powers)
    assert (time, len(values)) == (TIME, 2)


def test_a_meter_without_a_reading() -> None:
    assert parsed(meters=[meter(latestReadings=[])]).meters == (Meter("m1", "1EMH0007058153", None),)


def test_two_meters_and_two_devices() -> None:
    found = parsed(
        meters=[meter(), meter(id="m2", number="other")],
        currentMeter={"id": "m2"},
        devices=[device(), device(id="d2", localHttpPushStatus="error")],
        currentDevice={"id": "d2"},
    )
    assert found.current_meter is found.meters[1]
    assert found.current_device is found.devices[1]
    assert found.problems == ()


def test_states_that_are_unknown_today_are_kept() -> None:
    core = device()["core"] | {"powerStatus": "solar", "pinStatus": "sealed"}
    found = parsed(
        devices=[device(core=core, localHttpPushStatus="paused")], license=license_(status="paused")
    )
    assert found.current_device is not None
    assert found.license is not None
    assert (found.current_device.power, found.current_device.pin) == ("solar", "sealed")
    assert (found.current_device.http_push, found.license.status) == ("paused", "paused")
    assert found.problems == ()


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"externalId": 7}, ["externalId is a number, expected a text"]),
        ({"externalId": "x" * 200}, ["externalId is longer than 128 characters"]),
        (
            {"meters": None},
            ["meters is missing, expected a list",
             "currentMeter.id is the text 'm1', which is none of the list"],
        ),
        ({"meters": [None, meter()]}, ["meters[0] is missing, expected an object"]),
        ({"meters": [meter(id=None), meter()]}, ["meters[0].id is missing, expected a text"]),
        ({"meters": [meter(number=None)]}, ["meters[0].number is missing, expected a text"]),
        ({"meters": [meter(latestReadings=None)]}, ["meters[0].latestReadings is missing, expected a list"]),
        (
            {"meters": [meter(latestReadings=[register(value=None), register(obisCode="1-0:16.7.0")])]},
            ["meters[0].latestReadings[0].value is missing, expected a number"],
        ),
        (
            {"meters": [meter(latestReadings=[register(time="2024-12-31T24:30:15Z")])]},
            ["meters[0].latestReadings[0].time is the text '2024-12-31T24:30:15Z', "
             "expected a time such as '2024-11-11T11:11:00Z'"],
        ),
        (
            {"meters": [meter(latestReadings=[register(), register(value=1)])]},
            ["meters[0].latestReadings has 1-0:1.8.0 twice with different values"],
        ),
        (
            {"meters": [meter(latestReadings=[register(value=True)])]},
            ["meters[0].latestReadings[0].value is a boolean, expected a number"],
        ),
        (
            {"meters": [meter(latestReadings=[register(value=Decimal("1e400"))])]},
            ["meters[0].latestReadings[0].value is 1E+400, larger than any number this program can hold"],
        ),
        ({"currentMeter": {"id": "m9"}}, ["currentMeter.id is the text 'm9', which is none of the list"]),
        ({"currentMeter": "m1"}, ["currentMeter is the text 'm1', expected an object"]),
        ({"currentDevice": {}}, ["currentDevice.id is missing, which is none of the list"]),
        ({"devices": [device(core=None)]}, ["devices[0].core is missing, expected an object"]),
        ({"devices": [device(bridge=[])]}, ["devices[0].bridge is a list, expected an object"]),
        (
            {"devices": [device(core=device()["core"] | {"batteryLevel": 101})]},
            ["devices[0].core.batteryLevel is 101, expected a whole number from 0 to 100"],
        ),
        (
            {"devices": [device(core=device()["core"] | {"batteryLevel": None, "pinStatus": None})]},
            [
                "devices[0].core.batteryLevel is missing, expected a whole number from 0 to 100",
                "devices[0].core.pinStatus is missing, expected a text",
            ],
        ),
        ({"license": []}, ["license is a list, expected an object"]),
        ({"license": license_(pool=None)}, ["license.pool is missing, expected an object"]),
        ({"license": license_(pool={})}, ["license.pool.id is missing, expected a text"]),
        ({"license": license_(status=None)}, ["license.status is missing, expected a text"]),
        (
            {"license": license_(startTime=None, endTime="never")},
            [
                "license.startTime is missing, expected a time such as '2024-11-11T11:11:00Z'",
                "license.endTime is the text 'never', expected a time such as '2024-11-11T11:11:00Z'",
            ],
        ),
        (
            {"license": license_(term={"period": -1, "autoRenewal": "yes"})},
            [
                "license.term.period is -1, expected a whole number from 0 to 2147483647",
                "license.term.autoRenewal is the text 'yes', expected true or false",
            ],
        ),
    ],
)  # fmt: skip
def test_a_bad_field_costs_itself_and_is_named(changes: dict[str, Any], problems: list[str]) -> None:
    found = parsed(**changes)
    assert list(found.problems) == problems
    assert found.id == "i1"


def test_an_installation_without_an_id_is_left_out() -> None:
    items = [installation(id=None), installation(), "nonsense"]
    page = answers.installations_page({"id": "p", "name": "n", "installations": items})
    assert [found.id for found in page.installations] == ["i1"]
    assert page.size == 3
    assert page.problems == (
        "installations[0].id is missing, expected a text",
        "installations[2] is the text 'nonsense', expected an object",
    )


def test_a_page_without_a_list() -> None:
    page = answers.installations_page({"id": "p", "name": "n", "installations": None})
    assert (page.size, page.installations) == (0, ())
    assert page.problems == ("installations is missing, expected a list",)


def test_an_account() -> None:
    term = {"period": 3, "autoRenewal": False}
    account = answers.provider(
        {
            "id": "p",
            "name": "Provider\u2028",
            "signingKeys": [{"id": "k", "name": None, "enabled": True}, {"name": "no id", "enabled": True}],
            "licensePools": [
                {"id": "l", "name": "Pool", "size": 10, "usage": 3, "term": term},
                {"id": "l2", "name": None, "size": -1, "usage": None, "term": None},
            ],
        }
    )
    assert account.name == "Provider\N{REPLACEMENT CHARACTER}"
    assert account.signing_keys == (SigningKey("k", "", True),)
    assert account.license_pools == (
        LicensePool("l", "Pool", 10, 3, LicenseTerm(3, False)),
        LicensePool("l2", "", None, None, None),
    )
    assert account.problems == (
        "signingKeys[1].id is missing, expected a text",
        "licensePools[1].size is -1, expected a whole number from 0 to 2147483647",
        "licensePools[1].usage is missing, expected a whole number from 0 to 2147483647",
    )


def test_a_page_of_readings() -> None:
    values = [register(), register(obisCode="x"), register(obisCode="1-0:16.7.0", value=5, unit=None)]
    good = {
        "meter": {"id": "m1", "number": "1EMH"},
        "installation": {"id": "i1", "externalId": None},
        "time": "2024-12-31T12:00:00Z",
        "receiveTime": "2024-12-31T13:00:40+01:00",
        "values": values,
    }
    bad = [good | {"receiveTime": None}, good | {"installation": None}, good | {"meter": {}}]
    page = answers.readings_page({"readings": [good, *bad], "cursor": "c" * 500})
    [reading] = page.readings
    assert (reading.installation_id, reading.external_id, reading.meter_id) == ("i1", "", "m1")
    assert (reading.reading.time, reading.received) == (TIME, TIME.replace(second=40))
    assert list(reading.reading.registers) == [ENERGY_IMPORT]
    assert reading.reading.problems == (
        "values[1].obisCode 'x' is not an OBIS code such as '01-00:01.08.00*ff' or '1-0:1.8.0'",
        "values[2].unit is missing, expected a text",
    )
    assert page.cursor == "c" * 500
    assert len([problem for problem in page.problems if problem.startswith("readings[0].values")]) == 2
    assert (
        "readings[1].receiveTime is missing, expected a time such as '2024-11-11T11:11:00Z'" in page.problems
    )
    assert "readings[2].installation is missing, expected an object" in page.problems
    assert "readings[3].meter.id is missing, expected a text" in page.problems


@pytest.mark.parametrize("cursor", [None, "", 5, []])
def test_a_cursor_that_is_none_ends_the_pages(cursor: object) -> None:
    assert answers.readings_page({"readings": [], "cursor": cursor}).cursor is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(max_size=20),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=5), below, max_size=4),
    max_leaves=10,
)


@given(JSON, st.integers(0, 60))
def test_no_answer_is_an_exception(value: object, place: int) -> None:
    """Any value in any place of a good answer costs at most what stands there."""
    document: dict[str, Any] = {
        "id": "p",
        "name": "n",
        "installations": [installation(), installation(id="i2")],
    }
    places = list(_places(document["installations"][0]))
    container, key = places[place % len(places)]
    container[key] = value
    page = answers.installations_page(document)
    assert page.installations[-1].id == "i2"
    assert page.installations[-1].problems == ()


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    for key, below in value.items() if isinstance(value, dict) else enumerate(value):
        found.append((value, key))
        if isinstance(below, dict | list):
            found += _places(below)
    return found


def test_every_model_is_frozen_and_small() -> None:
    kinds = [kind for kind in vars(models).values() if isinstance(kind, type)]
    ours = [kind for kind in kinds if kind.__module__ == models.__name__ and not issubclass(kind, Enum)]
    assert len(ours) == 13
    for kind in ours:
        assert hasattr(kind, "__slots__")
        assert issubclass(kind, tuple) or kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
