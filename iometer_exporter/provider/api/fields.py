"""Fields of a decoded JSON object: each function gives a value or None and names what is wrong.

Problems are relative paths (`.term.period is missing`); who descends into an object puts its path before
them, so that the paths of good documents are never written.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from sys import intern
from typing import Any, Final, TypeVar

from iometer_exporter.meter import json_values
from iometer_exporter.meter.json_values import (
    A_TIME,
    LONGEST_TEXT_CHARACTERS,
    TOO_LARGE,
    is_finite,
    label,
    shortened,
    too_long,
    utc,
)

T = TypeVar("T")
Problems = list[str]
"""What is wrong with an object, each with the path from it."""

_EMPTY: Final[dict[str, Any]] = {}


def text(item: dict[str, Any], key: str, problems: Problems) -> str:
    """The text, cleaned for use as a label; empty and a problem where there is none."""
    value = item.get(key)
    # What nearly every text is: the rest is only for the odd ones.
    if type(value) is str and len(value) <= LONGEST_TEXT_CHARACTERS and value.isprintable():
        return value
    if value is None or isinstance(value, str):
        return _odd_text(value, key, problems)
    problems.append(f".{key} is {kind(value)}, expected a text")
    return ""


def optional_text(item: dict[str, Any], key: str, problems: Problems) -> str:
    """The text, cleaned for use as a label; empty where there is none."""
    return "" if item.get(key) is None else text(item, key, problems)


def long_text(item: dict[str, Any], key: str, problems: Problems) -> str:
    """The text as it is, which is not a label; empty and a problem where there is none."""
    value = item.get(key)
    if isinstance(value, str):
        return value
    problems.append(f".{key} is {kind(value)}, expected a text")
    return ""


def state(item: dict[str, Any], key: str, problems: Problems) -> str | None:
    """The word of an enumeration, known or not; None and a problem where there is none."""
    return intern(text(item, key, problems)) or None


def boolean(item: dict[str, Any], key: str, problems: Problems) -> bool | None:
    """True or false; None and a problem where it is neither."""
    value = item.get(key)
    if isinstance(value, bool):
        return value
    problems.append(f".{key} is {kind(value)}, expected true or false")
    return None


def integer(item: dict[str, Any], key: str, problems: Problems, highest: int = 2**31 - 1) -> int | None:
    """The whole number from 0 to the highest; None and a problem where it is none."""
    value = item.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= highest:
        return value
    problems.append(f".{key} is {kind(value)}, expected a whole number from 0 to {highest}")
    return None


def number(item: dict[str, Any], key: str, problems: Problems) -> Decimal | None:
    """The number with all its digits; None and a problem where it is none."""
    value = item.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    elif isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        if is_finite(value):
            return value
        problems.append(f".{key} is {shortened(str(value))}, {TOO_LARGE}")
    else:
        problems.append(f".{key} is {kind(value)}, expected a number")
    return None


def time(item: dict[str, Any], key: str, problems: Problems) -> datetime | None:
    """The time in UTC, the zone of one without; None and a problem where it is none."""
    value = item.get(key)
    try:
        if isinstance(value, str):
            return utc(value)
    except (ValueError, OverflowError):
        pass
    problems.append(f".{key} is {kind(value)}, expected {A_TIME}")
    return None


def optional_time(item: dict[str, Any], key: str, problems: Problems) -> datetime | None:
    """The time in UTC; None where there is none, which is a problem only for a value that is not a time."""
    return None if item.get(key) is None else time(item, key, problems)


def child(
    item: dict[str, Any], key: str, problems: Problems, parse: Callable[[dict[str, Any], Problems], T]
) -> T:
    """What `parse` makes of the object, of an empty one and a problem where there is none."""
    value = item.get(key)
    if not isinstance(value, dict):
        problems.append(f".{key} is {kind(value)}, expected an object")
        return parse(_EMPTY, [])
    found: Problems = []
    result = parse(value, found)
    if found:
        problems.extend(f".{key}{problem}" for problem in found)
    return result


def optional_child(
    item: dict[str, Any], key: str, problems: Problems, parse: Callable[[dict[str, Any], Problems], T]
) -> T | None:
    """What `parse` makes of the object; None where there is none."""
    value = item.get(key)
    if value is None:
        return None
    if not isinstance(value, dict):
        problems.append(f".{key} is {kind(value)}, expected an object")
        return None
    return child(item, key, problems, parse)


def children(
    item: dict[str, Any],
    key: str,
    problems: Problems,
    parse: Callable[[dict[str, Any], Problems], T | None],
) -> tuple[T, ...]:
    """What `parse` makes of each object in the list; what it makes None of is left out."""
    values = item.get(key)
    if not isinstance(values, list):
        problems.append(f".{key} is {kind(values)}, expected a list")
        return ()
    results: list[T] = []
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            problems.append(f".{key}[{index}] is {kind(value)}, expected an object")
            continue
        found: Problems = []
        result = parse(value, found)
        if found:
            problems.extend(f".{key}[{index}]{problem}" for problem in found)
        if result is not None:
            results.append(result)
    return tuple(results)


def without_leading_dot(problems: Iterable[str]) -> tuple[str, ...]:
    """The problems of the outermost object, without the dot before their paths."""
    return tuple(problem.removeprefix(".") for problem in problems)


def kind(value: object) -> str:
    """The kind of a JSON value in words for an error message, with the value where it is a number."""
    if type(value) in (int, float, Decimal):
        return f"the number {shortened(str(value))}"
    return json_values.kind(value)


def _odd_text(value: str | None, key: str, problems: Problems) -> str:
    if value is None:
        problems.append(f".{key} is missing, expected a text")
        return ""
    found = label(value)
    if found is None:
        problems.append(f".{key} {too_long()}")
    return found or ""
