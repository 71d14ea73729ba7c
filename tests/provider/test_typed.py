"""The fast way from bytes to values gives the same as the thorough one, whatever the document is."""

import json
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iometer_exporter.errors import ProviderError
from iometer_exporter.meter.json_object import JsonObject
from iometer_exporter.meter.obis import ENERGY_IMPORT
from iometer_exporter.provider.api import answers, typed
from iometer_exporter.provider.api.document import decode, decode_answer
from iometer_exporter.provider.api.models import UNWANTED, Wanted

INSTALLATION: dict[str, Any] = {
    "id": "i1",
    "externalId": "customer-1",
    "license": {
        "pool": {"id": "p1", "name": "Pool"},
        "term": {"period": 12, "autoRenewal": True},
        "startTime": "2024-01-01T00:00:00Z",
        "endTime": None,
        "status": "active",
    },
    "meters": [
        {
            "id": "m1",
            "number": "1EMH0007058153",
            "latestReadings": [
                {
                    "time": "2024-12-31T12:00:00Z",
                    "obisCode": "01-00:01.08.00*ff",
                    "value": 12345.678,
                    "unit": "Wh",
                },
                {
                    "time": "2024-12-31T12:00:00Z",
                    "obisCode": "01-00:10.07.00*ff",
                    "value": -12,
                    "unit": "W",
                },
            ],
        },
        {"id": "m2", "number": "1EMH0007058154", "latestReadings": []},
    ],
    "currentMeter": {"id": "m1"},
    "devices": [
        {
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
        }
    ],
    "currentDevice": {"id": "d1"},
}

READING: dict[str, Any] = {
    "meter": {"id": "m1", "number": "1EMH0007058153"},
    "installation": {"id": "i1", "externalId": "customer-1"},
    "time": "2024-12-31T12:00:00Z",
    "receiveTime": "2024-12-31T12:01:00+01:00",
    "values": [
        {"obisCode": "01-00:01.08.00*ff", "value": 12345.678, "unit": "Wh"},
        {"obisCode": "1-0:16.7.0", "value": -12, "unit": "W"},
    ],
}

MESSAGE: dict[str, Any] = {"type": "next", "id": "1", "payload": {"data": {"readings": READING}}}
INSTALLATIONS: dict[str, Any] = {
    "data": {"provider": {"installations": [INSTALLATION, INSTALLATION | {"id": "i2"}]}}
}
READINGS: dict[str, Any] = {"data": {"provider": {"readings": {"readings": [READING], "cursor": "c1"}}}}

LEAVES = st.sampled_from(
    [
        *(None, True, False, 0, -1, 1, 100, 101, 2**31 - 1, 2**31, 10**30, 10**400),
        *("", "i1", "i2", "a\nb", "\x7f", "\ud800", "x" * 128, "x" * 129, "näme", "12.5", "next", "1"),
        *("2024-12-31T12:00:00Z", "2024-12-31", "2024-12-31T12:00:00", "2024-12-31t12:00:00.1234567z"),
        *("0001-01-01T00:00:00+14:00", "2024-12-31T24:30:15Z", "1-0:1.8.0", "01-00:01.08.00*FF", "Wh"),
        *([], {}, [1], {"id": "i1"}, [[]], [{}], {"id": 1}, [READING], [READING["values"][0]] * 2),
    ]
)
NUMBERS = st.sampled_from(
    ["12345.678", "0.10", "-0", "-0.0", "1e2", "1E+400", "1e999999999999999999999", "1" * 5000, "NaN", "01"]
)
WANTED: list[Wanted | None] = [None, lambda id: id == "i1", lambda _: False]

Steps = list[tuple[str, int, Any]]
"""Changes of a document: what is done, to which of its places, and what is put there."""

CHANGES: st.SearchStrategy[Steps] = st.lists(
    st.tuples(
        st.sampled_from(["set", "drop", "add", "number", "twice"]), st.integers(0, 200), LEAVES | NUMBERS
    ),
    max_size=4,
)


def changed(document: Any, steps: Steps) -> str:
    """The JSON of the document after the changes, some of which make it something else."""
    document = deepcopy(document)
    numbers: list[str] = []
    for kind, place, value in steps:
        every = list(places(document))
        owner, key = every[place % len(every)]
        if kind == "set":
            owner[key] = deepcopy(value)
        elif kind == "drop":
            del owner[key]
        elif kind == "number" and isinstance(value, str):
            numbers.append(value)
            owner[key] = f"<{len(numbers) - 1}>"
        elif kind == "twice" and isinstance(owner, list):
            owner.append(deepcopy(owner[key]))
        elif isinstance(owner, dict):
            owner[f"{key}_"] = deepcopy(value)
        if not document:
            break
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    for index, number in enumerate(numbers):
        text = text.replace(f'"<{index}>"', number)
    return text


def places(document: Any) -> list[tuple[Any, Any]]:
    """Every field and item of the document, with what it stands in."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    found = [(document, key) for key, _ in items]
    children = document.values() if isinstance(document, dict) else document
    for child in children:
        if isinstance(child, dict | list):
            found += places(child)
    return found


def same(fast: Callable[[], Any], thorough: Callable[[], Any]) -> None:
    """Hold the fast way, where it has taken a document, against the thorough one."""
    found = fast()
    if found is not None:
        expected = thorough()
        assert found == expected
        # A Decimal equals others with more digits, and -0.
        assert repr(found) == repr(expected)


def message(text: str, wanted: Wanted | None) -> Any:
    """What the thorough way makes of a message of the subscription."""
    sent = decode(text)
    assert (sent["type"], sent["id"]) == ("next", "1")
    assert not sent["payload"].get("errors")
    return answers.wanted_reading(JsonObject(sent["payload"]["data"]["readings"]), wanted)


def page(text: str, parse: Callable[[dict[str, Any]], Any]) -> Any:
    """What the thorough way makes of an answer."""
    answer = decode_answer(text.encode())
    assert not answer.get("errors")
    return parse(answer["data"]["provider"])


@pytest.mark.no_cover
@given(CHANGES, st.sampled_from(WANTED))
@example([("number", 14, "-0")], None)
@example([], WANTED[1])
def test_messages(steps: Steps, wanted: Wanted | None) -> None:
    text = changed(MESSAGE, steps)
    same(lambda: typed.ReadingMessages(wanted)(text), lambda: message(text, wanted))


@pytest.mark.no_cover
@given(CHANGES, st.sampled_from(WANTED))
def test_pages_of_installations(steps: Steps, wanted: Wanted | None) -> None:
    text = changed(INSTALLATIONS, steps)
    same(
        lambda: typed.installations_page(text.encode(errors="surrogatepass"), wanted),
        lambda: page(text, lambda sent: answers.installations_page(sent, wanted)),
    )


@pytest.mark.no_cover
@given(CHANGES, st.sampled_from(WANTED))
def test_pages_of_readings(steps: Steps, wanted: Wanted | None) -> None:
    text = changed(READINGS, steps)
    same(
        lambda: typed.readings_page(text.encode(errors="surrogatepass"), wanted),
        lambda: page(text, lambda sent: answers.readings_page(sent["readings"], wanted)),
    )


@pytest.mark.no_cover
@given(st.binary(max_size=3), st.integers(0, 2000), st.booleans())
def test_bytes_that_are_broken(junk: bytes, place: int, instead: bool) -> None:
    body = json.dumps(INSTALLATIONS).encode()
    place %= len(body)
    body = body[:place] + junk + body[place + len(junk) * instead :]
    fast = typed.installations_page(body, WANTED[1])
    if fast is not None:
        sent = decode_answer(body)["data"]["provider"]
        assert repr(fast) == repr(answers.installations_page(sent, WANTED[1]))


@pytest.mark.parametrize("bad", ["\xff", "\\ud800", "\x01"])
def test_what_is_passed_over_has_to_be_json_too(bad: str) -> None:
    body = json.dumps(INSTALLATIONS | {"extensions": "bad"}).replace("bad", bad).encode("latin-1")
    assert typed.installations_page(body, None) is None


def test_what_is_as_documented_goes_the_fast_way() -> None:
    """Or else nothing above has tried it."""
    reading = typed.ReadingMessages(None)(json.dumps(MESSAGE))
    assert reading is not None
    assert reading is not UNWANTED
    assert reading.reading.registers[ENERGY_IMPORT].value == Decimal("12345.678")
    assert typed.ReadingMessages(WANTED[2])(json.dumps(MESSAGE)) is UNWANTED
    found = typed.installations_page(json.dumps(INSTALLATIONS).encode(), WANTED[1])
    assert found is not None
    assert ([each.id for each in found.installations], found.size, found.unwanted) == (["i1"], 2, ("i2",))
    assert (
        found.installations
        == answers.installations_page({"installations": [decode(json.dumps(INSTALLATION))]}).installations
    )
    stored = typed.readings_page(json.dumps(READINGS).encode(), None)
    assert stored is not None
    assert (stored.cursor, stored.problems) == ("c1", ())


def test_new_fields_and_new_words_stay_on_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = json.loads(json.dumps(INSTALLATION))
    odd["license"]["status"] = "suspended"
    odd["devices"][0]["core"]["signal"] = {"rssi": [1, 2, {}]}
    expected = answers.installations_page({"installations": [decode(json.dumps(odd))]})
    monkeypatch.setattr(typed, "decode", None)
    body = json.dumps({"data": {"provider": {"installations": [odd], "more": 1}}, "extensions": {}})
    assert typed.installations_page(body.encode(), None) == expected


def test_one_bad_item_costs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    thorough: list[bytes | str] = []

    def noted(body: bytes | str) -> Any:
        thorough.append(body)
        return decode(body)

    monkeypatch.setattr(typed, "decode", noted)
    bad = INSTALLATION | {"license": {"pool": None}}
    items = [INSTALLATION, bad, 7, INSTALLATION | {"id": ""}]
    body = json.dumps({"data": {"provider": {"installations": items}}}).encode()
    found = typed.installations_page(body, None)
    assert found == answers.installations_page({"installations": decode(json.dumps(items))})
    assert found is not None
    assert len(thorough) == 3
    assert (
        found.problems
        == (
            "installations[2] is a number, expected an object",
            "installations[3].id is the text '', expected a text",
        )
        or len(found.problems) == 1
    )


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"type":"ping"}', '{"type":"complete","id":"1"}', "\ufeff1"]
)
def test_other_messages_are_left_to_others(text: str) -> None:
    for wanted in WANTED:
        assert typed.ReadingMessages(wanted)(text) is None


def test_another_subscription_and_errors_are_left_to_others() -> None:
    for odd in (MESSAGE | {"id": "2"}, MESSAGE | {"payload": MESSAGE["payload"] | {"errors": []}}):
        for wanted in WANTED:
            assert typed.ReadingMessages(wanted)(json.dumps(odd)) is None


def test_deep_nesting_is_an_error_of_the_thorough_way() -> None:
    text = json.dumps(MESSAGE).replace('"next"', '"next", "deep": ' + "[" * 5000 + "]" * 5000)
    assert typed.ReadingMessages(None)(text) is None
    with pytest.raises(ProviderError, match="nested too deeply"):
        decode(text)
