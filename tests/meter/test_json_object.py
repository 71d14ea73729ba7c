"""The lenient reader of both sources: what it gives for a field, and the words for what is wrong with it."""

import math
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.meter.json_object import JsonObject
from iometer_exporter.meter.json_values import is_finite

A_NUMBER = "expected a number"
A_WHOLE = "expected a whole number from 0 to 9"


def test_a_problem_has_the_whole_path() -> None:
    root = JsonObject({"meters": [{}, 5, {"place": {"floor": "x"}}], "owner": []})
    _, second = root.children("meters")
    second.child("place").number("floor")
    second.child("roof").child("tiles").text("colour")
    assert root.optional_child("owner") is root.optional_child("dog") is None
    assert root.problems == [
        "meters[1] is a number, expected an object",
        "meters[2].place.floor is the text 'x', expected a number",
        "meters[2].roof is missing, expected an object",
        "owner is a list, expected an object",
    ]
    assert second.path("roof") == "meters[2].roof"


def test_what_stands_alone_has_its_own_problems() -> None:
    root = JsonObject({"meters": [{}]})
    [meter] = root.children("meters")
    own = meter.alone()
    assert own.text("id") == ""
    assert (own.problems, root.problems) == (["id is missing, expected a text"], [])
    meter.adopt(own.problems)
    assert root.problems == ["meters[0].id is missing, expected a text"]


@pytest.mark.parametrize(
    ("read", "value", "found", "problem"),
    [
        (JsonObject.number, 12, Decimal(12), None),
        (JsonObject.number, Decimal("1.50"), Decimal("1.50"), None),
        # As a decoder gives it that knows no Decimal.
        (JsonObject.number, 0.1, Decimal("0.1"), None),
        (JsonObject.number, math.inf, None, "is Infinity, larger than any number this program can hold"),
        (JsonObject.number, True, None, f"is a boolean, {A_NUMBER}"),
        (JsonObject.optional_number, None, None, None),
        (JsonObject.optional_number, "5", None, f"is the text '5', {A_NUMBER}"),
        (lambda one, key: one.integer(key, 9), 9, 9, None),
        (lambda one, key: one.integer(key, 9), 10, None, f"is 10, {A_WHOLE}"),
        (lambda one, key: one.integer(key, 9), Decimal("1.5"), None, f"is 1.5, {A_WHOLE}"),
        (lambda one, key: one.integer(key, 9), True, None, f"is a boolean, {A_WHOLE}"),
        (lambda one, key: one.integer(key, 9), None, None, f"is missing, {A_WHOLE}"),
        (JsonObject.label, "", "", None),
        (JsonObject.label, "a\n", "a\N{REPLACEMENT CHARACTER}", None),
        (JsonObject.label, "a" * 129, None, "is longer than 128 characters"),
        (JsonObject.text, 5, "", "is a number, expected a text"),
        (JsonObject.long_text, "a\n" * 200, "a\n" * 200, None),
        (JsonObject.long_text, None, "", "is missing, expected a text"),
        (JsonObject.state, "", None, None),
        (JsonObject.optional_state, None, None, None),
        (JsonObject.boolean, False, False, None),
        (JsonObject.boolean, 0, None, "is a number, expected true or false"),
        (JsonObject.optional_time, None, None, None),
        (JsonObject.time, 5, None, "is a number, expected a time such as '2024-11-11T11:11:00Z'"),
    ],
)
def test_a_field(
    read: Callable[[JsonObject, str], Any], value: object, found: object, problem: str | None
) -> None:
    one = JsonObject({"key": value})
    assert read(one, "key") == found
    assert one.problems == ([] if problem is None else [f"key {problem}"])


def test_an_integer_of_too_many_digits_is_told_short() -> None:
    one = JsonObject({"key": 10**5000})
    assert (one.integer("key"), one.number("key")) == (None, None)
    assert all(len(problem) < 150 for problem in one.problems)
    assert len(one.problems) == 2


@given(st.decimals() | st.floats().map(Decimal) | st.integers(-400, 400).map(lambda n: Decimal(10) ** n))
def test_finite_is_what_a_float_can_hold(number: Decimal) -> None:
    if not number.is_snan():
        assert is_finite(number) == math.isfinite(float(number))


@pytest.mark.parametrize(
    ("text", "finite"),
    [
        ("9.9e307", True),
        (str(sys.float_info.max), True),
        ("1.8e308", False),
        ("0e999", True),
        ("-1e309", False),
    ],
)
def test_the_limit_of_a_float(text: str, finite: bool) -> None:
    assert is_finite(Decimal(text)) is finite
