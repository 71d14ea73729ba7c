import json
import math
import time
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.errors import PayloadError
from iometer_exporter.meter.json_object import JsonObject
from iometer_exporter.meter.models import (
    LastParsed,
    Reading,
    Register,
    Status,
    parse_reading,
    parse_register,
    parse_registers,
    parse_status,
)
from iometer_exporter.meter.obis import ObisCode
from tests import payloads

NOON: Final = datetime(2024, 11, 11, 11, 11, tzinfo=UTC)
INSTALLATION: Final = "0a6b7a51-5a43-4a0b-8d6f-2f4d0b8ce001"
BATTERY_DEVICE: Final = "658c2b34-2017-45f2-a12b-731235f8bb97"
WIRED_DEVICE: Final = "eaf4f756-1d8b-41fa-9d4f-06eff5b33dea"

REGISTERS: Final[dict[str, list[str]]] = {
    "bad-registers": ["1-0:1.8.0 1234.5 Wh", "1-0:32.7.0 230.5 W"],
    "battery": ["1-0:1.8.0 1234.5 Wh", "1-0:2.8.0 5432.1 Wh", "1-0:16.7.0 10 W"],
    "disconnected": ["1-0:1.8.0 1234.5 Wh", "1-0:2.8.0 5432.1 Wh", "1-0:16.7.0 10 W"],
    "import-only": ["1-0:1.8.0 12345678.9 Wh", "1-0:16.7.0 432.1 W"],
    "installation-id": ["1-0:1.8.0 1234.5 Wh", "1-0:2.8.0 5432.1 Wh", "1-0:16.7.0 10 W"],
    "kilo-units": [
        "1-0:1.8.0 12345.6789 kWh",
        "1-0:2.8.0 0.0001 kWh",
        "1-0:16.7.0 -1.2345 kW",
        "1-0:3.8.0 12.5 kvarh",
    ],
    "no-meter": ["1-0:1.8.0 1234.5 Wh", "1-0:2.8.0 5432.1 Wh", "1-0:16.7.0 10 W"],
    "phase-only": ["1-0:1.8.0 2468013.5 Wh", "1-0:36.7.0 345.6 W"],
    "pin-missing": ["1-0:1.8.0 12345000 Wh", "1-0:2.8.0 678000 Wh"],
    "tariffs": [
        "1-0:1.8.0 7000000.25 Wh",
        "1-0:1.8.1 5000000 Wh",
        "1-0:1.8.2 2000000.25 Wh",
        "1-0:2.8.0 300.5 Wh",
        "1-0:2.8.1 100 Wh",
        "1-0:2.8.2 200.5 Wh",
        "1-0:16.7.0 512 W",
    ],
    "three-phase": [
        "1-0:1.8.0 4567890.1 Wh",
        "1-0:2.8.0 0 Wh",
        "1-0:36.7.0 1200.5 W",
        "1-0:56.7.0 -300.25 W",
        "1-0:76.7.0 99.75 W",
        "1-0:32.7.0 230.1 V",
        "1-0:52.7.0 229.9 V",
        "1-0:72.7.0 231.4 V",
        "1-0:31.7.0 5.22 A",
        "1-0:51.7.0 1.31 A",
        "1-0:71.7.0 0.43 A",
        "1-0:14.7.0 49.98 Hz",
    ],
    "three-phase-upper-case": [
        "1-0:1.8.0 4567890.1 Wh",
        "1-0:16.7.0 1001 W",
        "1-0:36.7.0 1200.5 W",
        "1-0:56.7.0 -300.25 W",
        "1-0:76.7.0 99.75 W",
        "1-0:14.7.0 50 Hz",
    ],
    "unknown-fields-and-states": [
        "1-0:1.8.0 1234.5 Wh",
        "1-0:2.8.0 5432.1 Wh",
        "1-0:16.7.0 10 W",
        "1-0:96.1.0 7 ",
    ],
    "wired": ["1-0:1.8.0 12345678.9 Wh", "1-0:2.8.0 98765.4321 Wh", "1-0:16.7.0 -4321.5 W"],
}

METERS: Final = {
    "battery": "1HLY0000000000",
    "phase-only": "1DZG0000000001",
    "tariffs": "1EMH0012345678",
    "three-phase": "1EBZ0100200300",
    "three-phase-upper-case": "1EBZ0100200300",
}
OTHER_METER: Final = "1ISK0000000000"


def ordinary_status(**differences: Any) -> Status:
    fields: dict[str, Any] = {
        "meter": OTHER_METER,
        "device_id": BATTERY_DEVICE,
        "bridge_version": "build-60",
        "core_version": "build-58",
        "bridge_rssi": -30.0,
        "core_rssi": -30.0,
        "connection": "connected",
        "attachment": "attached",
        "power": "battery",
        "pin": "entered",
        "battery_ratio": 1.0,
    }
    return Status(**(fields | differences))


STATUSES: Final = {
    "bad-registers": ordinary_status(
        core_version="",
        bridge_rssi=None,
        core_rssi=None,
        power="wired",
        pin=None,
        battery_ratio=None,
        problems=(
            "device.core.batteryLevel is 101, expected 0 to 100",
            "device.bridge.rssi is a list, expected a number",
            "device.core.rssi is the text '-30', expected a number",
            "device.core.pinStatus is a boolean, expected a text",
        ),
    ),
    "battery": ordinary_status(meter="1HLY0000000000"),
    "disconnected": Status(
        meter=OTHER_METER,
        device_id=WIRED_DEVICE,
        bridge_version="build-60",
        bridge_rssi=-15.0,
        connection="disconnected",
    ),
    "import-only": ordinary_status(),
    "installation-id": ordinary_status(installation_id=INSTALLATION),
    "kilo-units": ordinary_status(battery_ratio=0.575),
    "no-meter": ordinary_status(meter=""),
    "phase-only": ordinary_status(meter="1DZG0000000001"),
    "pin-missing": ordinary_status(pin="missing", battery_ratio=0.15),
    "tariffs": ordinary_status(meter="1EMH0012345678"),
    "three-phase": ordinary_status(meter="1EBZ0100200300"),
    "three-phase-upper-case": ordinary_status(meter="1EBZ0100200300"),
    "unknown-fields-and-states": ordinary_status(
        installation_id=INSTALLATION,
        core_version="build-99",
        core_rssi=-71.0,
        connection="pairing",
        attachment="loose",
        power="solar",
        pin="locked",
        battery_ratio=0.0,
    ),
    "wired": ordinary_status(device_id=WIRED_DEVICE, bridge_rssi=-15.0, power="wired", battery_ratio=None),
}


def register_texts(reading: Reading) -> list[str]:
    return [f"{code} {register.value} {register.unit}" for code, register in reading.registers.items()]


def a_reading(*registers: object, time: object = "2024-11-11T11:11:00Z", number: object = "1ISK") -> bytes:
    document = {"meter": {"number": number, "reading": {"time": time, "registers": list(registers)}}}
    return json.dumps(document).encode()


def with_value(literal: str) -> bytes:
    """A reading whose first register has the value as it stands, its second is good."""
    good = '{"obis": "01-00:02.08.00*ff", "value": 2, "unit": "Wh"}'
    odd = f'{{"obis": "01-00:01.08.00*ff", "value": {literal}, "unit": "Wh"}}'
    reading = f'{{"time": "2024-11-11T11:11:00Z", "registers": [{odd}, {good}]}}'
    return f'{{"meter": {{"number": "1ISK", "reading": {reading}}}}}'.encode()


def a_status(core: str = "{}", **more: str) -> bytes:
    fields = "".join(f', "{key}": {value}' for key, value in more.items())
    return f'{{"device": {{"id": "x", "bridge": {{}}, "core": {core}}}{fields}}}'.encode()


def failure_of(parse: Callable[[bytes], object], body: bytes) -> PayloadError:
    with pytest.raises(PayloadError) as caught:
        parse(body)
    return caught.value


def is_clean(text: str) -> bool:
    return not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)


def message_of(parse: Callable[[bytes], Reading | Status], body: bytes) -> str:
    """All that a log or a page shows of the outcome; other errors than PayloadError pass through."""
    try:
        document = parse(body)
    except PayloadError as error:
        return str(error)
    return " ".join((document.meter, document.installation_id, *document.problems))


def test_every_payload_case_is_expected_here() -> None:
    assert set(payloads.CASES) == REGISTERS.keys() == STATUSES.keys()


@pytest.mark.parametrize("case", payloads.CASES)
def test_the_reading_of_each_case_has_its_meter_time_and_registers(case: str) -> None:
    reading = payloads.reading(case)
    assert reading.meter == METERS.get(case, OTHER_METER)
    assert reading.time == NOON
    assert register_texts(reading) == REGISTERS[case]
    assert all(code == register.code for code, register in reading.registers.items())


@pytest.mark.parametrize("case", payloads.CASES)
def test_only_newer_firmware_tells_the_installation(case: str) -> None:
    expected = INSTALLATION if case in ("installation-id", "unknown-fields-and-states") else ""
    assert payloads.reading(case).installation_id == expected


@pytest.mark.parametrize("case", payloads.CASES)
def test_the_status_of_each_case_has_exactly_what_the_bridge_said(case: str) -> None:
    assert payloads.status(case) == STATUSES[case]


def test_a_bad_register_costs_only_itself_and_is_named() -> None:
    assert payloads.reading("bad-registers").problems == (
        "meter.reading.registers[1].value is the text '5432.1', expected a number",
        "meter.reading.registers[2].value is missing, expected a number",
        "meter.reading.registers[3].unit is missing, expected a text",
        "meter.reading.registers[4].obis 'power' is not an OBIS code "
        "such as '01-00:01.08.00*ff' or '1-0:1.8.0'",
        "meter.reading.registers[5].obis 1-0:1.8.0 is sent twice with different values",
        "meter.reading.registers[7].value is a boolean, expected a number",
        "meter.reading.registers[8].obis is missing, expected a text",
        "meter.reading.registers[9] is missing, expected an object",
        "meter.reading.registers[10] is the text '01-00:20.07.00*ff', expected an object",
    )


@pytest.mark.parametrize("case", [case for case in payloads.CASES if case != "bad-registers"])
def test_the_other_cases_have_no_problems(case: str) -> None:
    assert payloads.reading(case).problems == payloads.status(case).problems == ()


def test_what_nobody_said_is_empty() -> None:
    reading = Reading("1ISK", NOON, {})
    assert (reading.installation_id, reading.problems) == ("", ())
    empty = Status()
    assert (empty.meter, empty.device_id, empty.installation_id) == ("", "", "")
    assert (empty.bridge_version, empty.core_version, empty.problems) == ("", "", ())


@pytest.mark.parametrize("device", ['{"id": "x"}', '{"bridge": {}}', '{"core": null}'])
def test_a_status_tells_of_a_device_with_any_of_its_fields(device: str) -> None:
    assert parse_status(f'{{"device": {device}}}'.encode()).problems == ()


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Far from UTC, as most who run this are."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize("sent", ["2024-11-11T11:11:00", "2024-11-11T11:11:00Z", "2024-11-11T13:11:00+02:00"])
def test_the_zone_of_this_machine_changes_no_time(sent: str) -> None:
    parsed = parse_reading(a_reading(time=sent)).time
    assert (parsed, parsed.tzinfo) == (NOON, UTC)


@pytest.mark.parametrize(("length", "shown"), [(58, "'" + "x" * 58 + "'"), (59, "'" + "x" * 56 + "...")])
def test_a_long_value_is_cut_in_a_message(length: int, shown: str) -> None:
    assert failure_of(parse_reading, a_reading(time="x" * length)).args == (
        f"meter.reading.time is the text {shown}, expected a time such as '2024-11-11T11:11:00Z'",
    )


INVALID_JSON: Final = {
    b"": "Expecting value: line 1 column 1 (char 0)",
    b"\r\n <!doctype html><title>Router</title>": "it is a web page",
    b'{"meter": {"number": "1IS': "Unterminated string starting at: line 1 column 22 (char 21)",
    b'{"meter": "\xff"}': "it is not UTF-8 text",
    b"[" * 60_000: "nested too deeply",
    b'{"a":' * 10_000: "nested too deeply",
    with_value("NaN"): "NaN is not a JSON number",
    with_value("Infinity"): "Infinity is not a JSON number",
    with_value("-Infinity"): "-Infinity is not a JSON number",
}


@pytest.mark.parametrize("parse", [parse_reading, parse_status])
@pytest.mark.parametrize(("body", "message"), INVALID_JSON.items(), ids=range(len(INVALID_JSON)))
def test_a_body_that_is_no_json_is_refused(
    parse: Callable[[bytes], object], body: bytes, message: str
) -> None:
    error = failure_of(parse, body)
    assert (str(error), error.reason) == (f"the body is not JSON: {message}", "invalid_json")


def test_the_trailing_comma_of_the_vendors_sample_is_no_json() -> None:
    assert failure_of(parse_status, b'{"meter": {"number": "1ISK",}}').reason == "invalid_json"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"null", "the document is missing, expected an object"),
        (b"[]", "the document is a list, expected an object"),
        (b"true", "the document is a boolean, expected an object"),
        (b"12", "the document is a number, expected an object"),
        (b'"up"', "the document is the text 'up', expected an object"),
        (b'{"__typename": "iometer.status.v1"}', None),
        (b'{"__typename": null}', None),
    ],
)
def test_another_json_document_is_no_reading(body: bytes, message: str | None) -> None:
    error = failure_of(parse_reading, body)
    assert error.reason == "invalid_document"
    shown = "'iometer.status.v1'" if b"status" in body else "None"
    assert str(error) == (message or f"__typename is {shown}, expected iometer.reading.v1")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{}", "meter.reading.registers is missing, expected a list"),
        ('{"meter": null}', "meter.reading.registers is missing, expected a list"),
        ('{"meter": "1ISK"}', "meter.reading.registers is missing, expected a list"),
        ('{"meter": {"reading": []}}', "meter.reading.registers is missing, expected a list"),
        (
            '{"meter": {"reading": {"registers": {"1-0:1.8.0": 5}}}}',
            "meter.reading.registers is an object, expected a list",
        ),
        (
            '{"meter": {"reading": {"registers": "none"}}}',
            "meter.reading.registers is the text 'none', expected a list",
        ),
        (
            '{"meter": {"reading": {"registers": true}}}',
            "meter.reading.registers is a boolean, expected a list",
        ),
        ('{"meter": {"reading": {"registers": 1}}}', "meter.reading.registers is a number, expected a list"),
        (
            '{"meter": {"reading": {"registers": []}}}',
            "meter.reading.time is missing, expected a time such as '2024-11-11T11:11:00Z'",
        ),
    ],
)
def test_a_reading_without_registers_or_time_is_refused(body: str, message: str) -> None:
    error = failure_of(parse_reading, body.encode())
    assert (str(error), error.reason) == (message, "invalid_document")


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2024-11-11T11:11:00Z", NOON),
        ("2024-11-11T11:11:00+00:00", NOON),
        ("2024-11-11T12:11:00+01:00", NOON),
        ("2024-11-11T11:11:00", NOON),
        ("2024-11-11T11:11:00.250Z", NOON.replace(microsecond=250_000)),
        ("2999-01-01T00:00:00Z", datetime(2999, 1, 1, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_utc_with_their_fraction_and_a_time_without_zone_is_utc(
    time: str, expected: datetime
) -> None:
    parsed = parse_reading(a_reading(time=time)).time
    assert (parsed, parsed.tzinfo) == (expected, UTC)


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("yesterday", "the text 'yesterday'"),
        ("", "the text ''"),
        ("2024-13-01T00:00:00Z", "the text '2024-13-01T00:00:00Z'"),
        ("2024-02-30T00:00:00Z", "the text '2024-02-30T00:00:00Z'"),
        ("0001-01-01T00:00:00+05:00", "the text '0001-01-01T00:00:00+05:00'"),
        ("9999-12-31T23:59:59-05:00", "the text '9999-12-31T23:59:59-05:00'"),
        ("\ud800", r"the text '\ud800'"),
        ("2024\n", r"the text '2024\n'"),
        ("9" * 100, f"the text '{'9' * 56}..."),
        (1731323460, "a number"),
        (True, "a boolean"),
        (None, "missing"),
        ({}, "an object"),
    ],
)
def test_what_is_no_time_is_refused_and_shown_short_and_escaped(time: object, shown: str) -> None:
    error = failure_of(parse_reading, a_reading(time=time))
    assert str(error) == f"meter.reading.time is {shown}, expected a time such as '2024-11-11T11:11:00Z'"
    assert error.reason == "invalid_document"


@pytest.mark.parametrize(
    ("literal", "problem"),
    [
        ("1e999", "is 1E+999, larger than any number this program can hold"),
        ("-1e999", "is -1E+999, larger than any number this program can hold"),
        ("9" * 400, f"is {'9' * 57}..., larger than any number this program can hold"),
        (f"1e{'9' * 30}", "is Infinity, larger than any number this program can hold"),
        (f"-1.5e{'9' * 30}", "is -Infinity, larger than any number this program can hold"),
        ("true", "is a boolean, expected a number"),
        ("false", "is a boolean, expected a number"),
        ("null", "is missing, expected a number"),
        ('"1234.5"', "is the text '1234.5', expected a number"),
        ('"NaN"', "is the text 'NaN', expected a number"),
        ("[1]", "is a list, expected a number"),
        ("{}", "is an object, expected a number"),
    ],
)
def test_a_value_that_is_no_finite_number_costs_only_its_register(literal: str, problem: str) -> None:
    reading = parse_reading(with_value(literal))
    assert register_texts(reading) == ["1-0:2.8.0 2 Wh"]
    assert reading.problems == (f"meter.reading.registers[0].value {problem}",)


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("12345678.9", Decimal("12345678.9")),
        ("1234.50", Decimal("1234.50")),
        ("1e3", Decimal("1e3")),
        ("0", Decimal(0)),
        ("-5", Decimal(-5)),
        ("123456789012345678901234567890", Decimal("123456789012345678901234567890")),
        ("0.1234567890123456789", Decimal("0.1234567890123456789")),
        ("1e-9999", Decimal("1e-9999")),
        (f"1e-{'9' * 30}", Decimal(0)),
    ],
)
def test_values_keep_every_digit_as_sent(literal: str, value: Decimal) -> None:
    register = parse_reading(with_value(literal)).registers[ObisCode.parse("1-0:1.8.0")]
    assert str(register.value) == str(value)


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (12, " is a number, expected an object"),
        ([], " is a list, expected an object"),
        ({"obis": 180, "value": 1, "unit": "Wh"}, ".obis is a number, expected a text"),
        ({"obis": "1-0:1.8.0", "value": 1, "unit": 7}, ".unit is a number, expected a text"),
        ({"obis": "1-0:1.8.0", "value": 1, "unit": "W" * 129}, ".unit is longer than 128 characters"),
        ({"obis": "1" * 129, "value": 1, "unit": "W"}, ".obis is longer than 128 characters"),
        (
            {"obis": "1-0:1.8.0\n", "value": 1, "unit": "W"},
            ".obis '1-0:1.8.0\N{REPLACEMENT CHARACTER}' is not an OBIS code such as "
            "'01-00:01.08.00*ff' or '1-0:1.8.0'",
        ),
    ],
)
def test_an_odd_register_is_named_by_its_field(item: object, problem: str) -> None:
    reading = parse_reading(a_reading(item))
    assert reading.registers == {}
    assert reading.problems == (f"meter.reading.registers[0]{problem}",)


def test_the_first_of_two_conflicting_registers_stands_and_equal_ones_are_no_problem() -> None:
    one, same, other = (
        {"obis": "01-00:01.08.00*ff", "value": 1, "unit": "Wh"},
        {"obis": "1-0:1.8.0", "value": 1.0, "unit": "Wh"},
        {"obis": "1-0:1.8.0*255", "value": 1, "unit": "kWh"},
    )
    assert parse_reading(a_reading(one, same)).problems == ()
    reading = parse_reading(a_reading(one, other))
    assert register_texts(reading) == ["1-0:1.8.0 1 Wh"]
    assert reading.problems == (
        "meter.reading.registers[1].obis 1-0:1.8.0 is sent twice with different values",
    )


@pytest.mark.parametrize(
    ("number", "meter", "problems"),
    [
        ("1ISK0000000000", "1ISK0000000000", ()),
        ("", "", ()),
        (None, "", ()),
        (12345, "", ("meter.number is a number, expected a text",)),
        (True, "", ("meter.number is a boolean, expected a text",)),
        ("1" * 128, "1" * 128, ()),
        ("1" * 129, "", ("meter.number is longer than 128 characters",)),
        (
            "1\n2\x00\x7f3",
            "1\N{REPLACEMENT CHARACTER}2\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}3",
            (),
        ),
        ("1\x9b2J\u2028", "1\N{REPLACEMENT CHARACTER}2J\N{REPLACEMENT CHARACTER}", ()),
        ("\ud83d", "\N{REPLACEMENT CHARACTER}", ()),
        ("\N{ELECTRIC PLUG} Zähler", "\N{ELECTRIC PLUG} Zähler", ()),
    ],
)
def test_the_meter_number_is_a_clean_short_text_or_left_out(
    number: object, meter: str, problems: tuple[str, ...]
) -> None:
    reading = parse_reading(a_reading(number=number))
    assert (reading.meter, reading.problems) == (meter, problems)


def test_a_byte_order_mark_is_no_fault() -> None:
    assert parse_reading(b"\xef\xbb\xbf" + a_reading()).time == NOON


def test_any_version_of_a_document_is_read_and_none_given_is_the_first() -> None:
    for typename in ('"iometer.status.v1"', '"iometer.status.v27"'):
        assert parse_status(a_status(__typename=typename)).device_id == "x"
    assert parse_status(a_status()).device_id == "x"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[]", "the document is a list, expected an object"),
        (
            b'{"__typename": "iometer.reading.v1"}',
            "__typename is 'iometer.reading.v1', expected iometer.status.v1",
        ),
        (b'{"__typename": 5, "device": {}}', "__typename is '5', expected iometer.status.v1"),
        (b"{}", "device has none of id, bridge and core: this is not a status of an IOmeter bridge"),
        (
            b'{"device": "bridge"}',
            "device has none of id, bridge and core: this is not a status of an IOmeter bridge",
        ),
        (
            b'{"device": {"name": "lamp"}}',
            "device has none of id, bridge and core: this is not a status of an IOmeter bridge",
        ),
    ],
)
def test_another_json_document_is_no_status(body: bytes, message: str) -> None:
    error = failure_of(parse_status, body)
    assert (str(error), error.reason) == (message, "invalid_document")


@pytest.mark.parametrize(
    ("level", "ratio", "problems"),
    [
        ("100", 1.0, ()),
        ("0", 0.0, ()),
        ("57", 0.57, ()),
        ("1", 0.01, ()),
        ("null", None, ()),
        ("101", None, ("device.core.batteryLevel is 101, expected 0 to 100",)),
        ("-1", None, ("device.core.batteryLevel is -1, expected 0 to 100",)),
        (
            "1e999",
            None,
            ("device.core.batteryLevel is 1E+999, larger than any number this program can hold",),
        ),
        ('"57"', None, ("device.core.batteryLevel is the text '57', expected a number",)),
        ("true", None, ("device.core.batteryLevel is a boolean, expected a number",)),
    ],
)
def test_the_battery_level_becomes_a_ratio_from_0_to_1(
    level: str, ratio: float | None, problems: tuple[str, ...]
) -> None:
    status = parse_status(a_status(f'{{"batteryLevel": {level}}}'))
    assert (status.battery_ratio, status.problems) == (ratio, problems)


def test_a_part_of_the_status_in_another_shape_costs_only_itself() -> None:
    status = parse_status(
        b'{"meter": [], "device": {"id": "x", "bridge": "b", "core": {"rssi": -20, "powerStatus": ""}}}'
    )
    assert status == Status(
        device_id="x",
        core_rssi=-20.0,
        problems=(
            "device.bridge is the text 'b', expected an object",
            "meter is a list, expected an object",
        ),
    )


@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_a_payload_error(body: bytes) -> None:
    for parse in (parse_reading, parse_status):
        assert is_clean(message_of(parse, body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)

numbers = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.from_regex(r"-?[1-9][0-9]{0,3}(\.[0-9]{1,9})?[eE][+-]?[0-9]{1,25}", fullmatch=True),
).map(str)


@given(number=numbers)
def test_any_number_is_a_finite_value_or_a_problem(number: str) -> None:
    reading = parse_reading(with_value(number))
    assert all(math.isfinite(float(register.value)) for register in reading.registers.values())
    assert len(reading.registers) + len(reading.problems) == 2


@given(data=st.data(), case=st.sampled_from(payloads.CASES), endpoint=st.sampled_from(["reading", "status"]))
def test_any_field_may_hold_any_json_value(data: st.DataObject, case: str, endpoint: str) -> None:
    document = json.loads(payloads.body(case, endpoint))
    node = document
    while True:
        key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        if not (isinstance(node[key], dict | list) and node[key]) or data.draw(st.booleans()):
            break
        node = node[key]
    node[key] = data.draw(json_values)
    body = json.dumps(document).encode()
    assert is_clean(message_of(parse_reading if endpoint == "reading" else parse_status, body))


ODD: Final[st.SearchStrategy[Any]] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.just([]) | st.just({})
)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["obis", "value", "unit"]),
            st.sampled_from(["01-00:01.08.00*ff", "1-0:1.8.0", "1-0:2.8.0", "Wh", "W\x00h", "", "x" * 129])
            | st.decimals()
            | ODD,
        )
        | ODD,
        max_size=4,
    )
)
def test_the_short_way_to_a_register_leads_where_the_long_one_does(sent: list[Any]) -> None:
    short, long = JsonObject({"list": sent}), JsonObject({"list": sent})
    found = parse_registers(short, "list", "obis")
    expected: dict[ObisCode, Register] = {}
    for item in long.children("list"):
        register = parse_register(item, "obis")
        if register is not None and expected.setdefault(register.code, register) != register:
            item.report("obis", f"{register.code} is sent twice with different values")
    assert found == expected
    assert short.problems == long.problems


def test_a_document_is_parsed_once_while_it_stays_the_same() -> None:
    parse: LastParsed[Reading] = LastParsed(parse_reading)
    first, second = payloads.body("battery", "reading"), payloads.body("tariffs", "reading")
    assert parse(first) is parse(bytes(bytearray(first)))
    assert parse(second) == parse_reading(second)
    for _ in range(2):
        with pytest.raises(PayloadError):
            parse(b"{}")
    assert parse(second) == parse_reading(second)
    assert parse(first) == parse_reading(first)
