"""JSON from outside: decoded with all the digits of its numbers, and words for values that are not wanted."""

import math
import sys
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from json import JSONDecodeError, JSONDecoder, loads
from typing import Any, Final, NoReturn

from iometer_exporter.text import clean

LONGEST_TEXT_CHARACTERS: Final = 128
"""Length of a label at most: no number, name, version or id is longer, and it would bloat every series."""

TOO_LARGE: Final = "larger than any number this program can hold"

A_TIME: Final = "a time such as '2024-11-11T11:11:00Z'"

_LONGEST_SHOWN_CHARACTERS: Final = 60

_FLOAT_DIGITS: Final = sys.float_info.max_10_exp
"""A number with no more digits before its point can be held by a float."""


def decode(body: bytes | str, *, parse_int: type[int] | type[Decimal] = int) -> Any:
    """The document, integers as they are asked for and other numbers as Decimal.

    Raises ValueError or RecursionError for what is not JSON.
    """
    try:
        return _DECODERS[parse_int].decode(body if isinstance(body, str) else body.decode())
    except (InvalidOperation, ValueError):
        # What nearly no document needs: another encoding, a number beyond all, or words for what is wrong.
        return _decode_carefully(body, parse_int)


def _decode_carefully(body: bytes | str, parse_int: type[int] | type[Decimal]) -> Any:
    try:
        return loads(body, parse_float=Decimal, parse_int=parse_int, parse_constant=_no_constant)
    except JSONDecodeError:
        raise
    except (InvalidOperation, ValueError):
        # A number beyond even Decimal, or beyond the digits of an int: for the check of its field to judge.
        parse = Decimal if parse_int is Decimal else _integer
        return loads(body, parse_float=_decimal, parse_int=parse, parse_constant=_no_constant)


def _integer(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:
        # Python has a limit of digits here.
        return Decimal(text)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        # Infinite or zero.
        return Decimal(float(text))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


# To make one takes a quarter of the time that a document does.
_DECODERS: Final[dict[type, JSONDecoder]] = {
    parse_int: JSONDecoder(parse_float=Decimal, parse_int=parse_int, parse_constant=_no_constant)
    for parse_int in (int, Decimal)
}


def kind(value: object) -> str:
    """The kind of a JSON value in words for an error message."""
    if value is None:
        return "missing"
    if isinstance(value, str):
        return f"the text {shown(value)}"
    names = {bool: "a boolean", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")


def shown(value: object) -> str:
    """A value from outside as it may stand in a log line: escaped and short."""
    return shortened(repr(str(value)) if isinstance(value, Decimal) else repr(value))


def shortened(text: str) -> str:
    """The beginning of the text where it is long."""
    return text if len(text) <= _LONGEST_SHOWN_CHARACTERS else f"{text[: _LONGEST_SHOWN_CHARACTERS - 3]}..."


def utc(text: str) -> datetime:
    """The time in UTC, the zone of one without; raises ValueError or OverflowError where it is none."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is UTC:
        return time
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def is_finite(number: Decimal) -> bool:
    """Whether a float can hold the number."""
    # The conversion is only for those that are near the limit: it takes six times as long as this look.
    return number.is_finite() and (number.adjusted() < _FLOAT_DIGITS or math.isfinite(float(number)))


def label(text: str) -> str | None:
    """The text, cleaned for use as a label; None where it is too long for one."""
    return clean(text) if len(text) <= LONGEST_TEXT_CHARACTERS else None


def too_long() -> str:
    """The words for a text that is too long for a label."""
    return f"is longer than {LONGEST_TEXT_CHARACTERS} characters"
