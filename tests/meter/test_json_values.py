"""JSON from outside: its numbers keep their digits, and one beyond every limit costs nothing else."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from iometer_exporter.meter.json_values import decode, is_finite, kind, label, shown, utc

MANY = "9" * 5000


def typed(value: object) -> tuple[type, object]:
    return type(value), value


@pytest.mark.parametrize(
    ("text", "as_int", "as_decimal"),
    [
        ("12", 12, Decimal(12)),
        ("-0", 0, Decimal("-0")),
        ("12.30", Decimal("12.30"), Decimal("12.30")),
        (MANY, Decimal(MANY), Decimal(MANY)),
        (f"1e{'9' * 30}", Decimal("Infinity"), Decimal("Infinity")),
        (f"1e-{'9' * 30}", Decimal(0), Decimal(0)),
    ],
    ids=["integer", "zero", "fraction", "many digits", "too large", "too small"],
)
def test_numbers(text: str, as_int: object, as_decimal: object) -> None:
    assert typed(decode(f"[{text}, 7]")[0]) == typed(as_int)
    assert typed(decode(f"[{text}, 7]", parse_int=Decimal)[0]) == typed(as_decimal)
    # Whatever it was, the number beside it is what was asked for.
    assert typed(decode(f"[{text}, 7]")[1]) == (int, 7)
    assert typed(decode(f"[{text}, 7]", parse_int=Decimal)[1]) == (Decimal, 7)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"NaN", "NaN is not a JSON number"),
        (b"[-Infinity]", "-Infinity is not a JSON number"),
        (f"[{MANY}, NaN]".encode(), "NaN is not a JSON number"),
        (b"{", "Expecting property name enclosed in double quotes: line 1 column 2"),
        (b"\xff", "can't decode byte"),
    ],
)
def test_no_json(body: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(body)


def test_what_is_nested_too_deeply() -> None:
    with pytest.raises(RecursionError):
        decode("[" * 100_000)


def test_words_for_values() -> None:
    values: list[object] = [None, True, 5, Decimal(5), "a\n", [], {}]
    assert [kind(value) for value in values] == [
        "missing",
        "a boolean",
        "a number",
        "a number",
        "the text 'a\\n'",
        "a list",
        "an object",
    ]
    assert (shown("x" * 58), shown("x" * 59)) == (f"'{'x' * 58}'", f"'{'x' * 56}...")
    assert shown(Decimal("1E+3")) == "'1E+3'"


def test_a_label_is_clean_and_not_long() -> None:
    assert (label("a\x00"), label("b" * 128), label("b" * 129)) == (
        "a\N{REPLACEMENT CHARACTER}",
        "b" * 128,
        None,
    )


def test_what_a_float_can_hold() -> None:
    assert [is_finite(Decimal(text)) for text in ("1e308", "1e309", "-Infinity", "NaN")] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("text", ["2024-11-11T11:11:00", "2024-11-11T11:11:00Z", "2024-11-11T12:11:00+01:00"])
def test_a_time_is_in_utc(text: str) -> None:
    time = utc(text)
    assert (time, time.tzinfo) == (datetime(2024, 11, 11, 11, 11, tzinfo=UTC), UTC)
