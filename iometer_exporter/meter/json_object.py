"""Objects of JSON from outside, read leniently: a field that is odd costs itself, and is named with its path.

Both bridges and the provider's cloud are read with it. Whatever is wrong is reported in the same words:
`license.term.period is missing, expected a whole number from 0 to 2147483647`.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from sys import intern
from typing import Any, Final, TypeVar

from iometer_exporter.meter.json_values import (
    A_TIME,
    LONGEST_TEXT_CHARACTERS,
    TOO_LARGE,
    is_finite,
    kind,
    label,
    shortened,
    too_long,
    utc,
)

T = TypeVar("T")

LARGEST_INTEGER: Final = 2**31 - 1
"""The largest `Int` of GraphQL."""


class JsonObject:
    """A JSON object, the place at which it stands in its document, and what is wrong in it.

    Each method gives the value of a field. Where there is none that can be used, it gives None, an empty text
    or an empty object, and reports a problem. What is optional may be missing or null without one.
    """

    __slots__ = ("_key", "_parent", "problems", "values")

    def __init__(
        self,
        values: dict[str, Any],
        problems: list[str] | None = None,
        parent: "JsonObject | None" = None,
        key: str | tuple[str, int] = "",
    ) -> None:
        """Without a parent it is the outermost object, from which paths begin."""
        self.values = values
        self.problems: list[str] = [] if problems is None else problems
        """Problems, each with the path of its field; shared by all objects of a document."""
        # Only whoever reports a problem needs the path, so it is put together then.
        self._parent = parent
        self._key = key

    def text(self, key: str) -> str:
        """The text, cleaned for use as a label."""
        value = self.values.get(key)
        # What nearly every text is: the rest is only for the odd ones.
        if type(value) is str and len(value) <= LONGEST_TEXT_CHARACTERS and value.isprintable():
            return value
        return self.label(key) or ""

    def optional_text(self, key: str) -> str:
        """The text, cleaned for use as a label; empty where there is none."""
        return "" if self.values.get(key) is None else self.text(key)

    def label(self, key: str) -> str | None:
        """The text, cleaned for use as a label, of which an empty one is one; None where there is none."""
        value = self.values.get(key)
        if type(value) is str and len(value) <= LONGEST_TEXT_CHARACTERS and value.isprintable():
            return value
        if not isinstance(value, str):
            self._miss(key, "a text")
            return None
        found = label(value)
        if found is None:
            self.report(key, too_long())
        return found

    def long_text(self, key: str) -> str:
        """The text as it is, of any length: it is not for use as a label."""
        value = self.values.get(key)
        if isinstance(value, str):
            return value
        self._miss(key, "a text")
        return ""

    def state(self, key: str) -> str | None:
        """The word of an enumeration, known or not."""
        return intern(self.text(key)) or None

    def optional_state(self, key: str) -> str | None:
        """The word of an enumeration, known or not; None where there is none."""
        return self.optional_text(key) or None

    def boolean(self, key: str) -> bool | None:
        """True or false."""
        value = self.values.get(key)
        if isinstance(value, bool):
            return value
        self._miss(key, "true or false")
        return None

    def integer(self, key: str, highest: int = LARGEST_INTEGER) -> int | None:
        """The whole number from 0 to the highest."""
        value = self.values.get(key)
        if type(value) is int and 0 <= value <= highest:
            return value
        expected = f"a whole number from 0 to {highest}"
        if type(value) is int or isinstance(value, Decimal | float):
            self.report(key, f"is {_figure(value)}, expected {expected}")
        else:
            self._miss(key, expected)
        return None

    def number(self, key: str) -> Decimal | None:
        """The number with all its digits."""
        value = self.values.get(key)
        if type(value) is int:
            value = Decimal(value)
        elif type(value) is float:
            # Not of `json_values.decode`: the shortest text of it is what was sent.
            value = Decimal(repr(value))
        if type(value) is not Decimal:
            self._miss(key, "a number")
        elif is_finite(value):
            return value
        else:
            self.report(key, f"is {_figure(value)}, {TOO_LARGE}")
        return None

    def optional_number(self, key: str) -> Decimal | None:
        """The number with all its digits; None where there is none."""
        return None if self.values.get(key) is None else self.number(key)

    def time(self, key: str) -> datetime | None:
        """The time in UTC, which is the zone of one without."""
        value = self.values.get(key)
        try:
            if isinstance(value, str):
                return utc(value)
        except (ValueError, OverflowError):
            pass
        self._miss(key, A_TIME)
        return None

    def optional_time(self, key: str) -> datetime | None:
        """The time in UTC, which is the zone of one without; None where there is none."""
        return None if self.values.get(key) is None else self.time(key)

    def child(self, key: str) -> "JsonObject":
        """The object; where there is none, an empty one in which nothing more is wrong."""
        value = self.values.get(key)
        if isinstance(value, dict):
            return JsonObject(value, self.problems, self, key)
        self._miss(key, "an object")
        return JsonObject({}, [], self, key)

    def optional_child(self, key: str) -> "JsonObject | None":
        """The object; None where there is none."""
        value = self.values.get(key)
        if isinstance(value, dict):
            return JsonObject(value, self.problems, self, key)
        if value is not None:
            self._miss(key, "an object")
        return None

    def children(self, key: str) -> Iterator["JsonObject"]:
        """The objects of the list; what is none is left out."""
        for index, value in enumerate(self.entries(key)):
            if (item := self.item(key, index, value)) is not None:
                yield item

    def entries(self, key: str) -> list[Any]:
        """The list as it was sent; an empty one where there is none."""
        values = self.values.get(key)
        if isinstance(values, list):
            return values
        self._miss(key, "a list")
        return []

    def item(self, key: str, index: int, value: object) -> "JsonObject | None":
        """The object at this place of the list that is the field; None where it is none."""
        if isinstance(value, dict):
            return JsonObject(value, self.problems, self, (key, index))
        self.report(f"{key}[{index}]", f"is {kind(value)}, expected an object")
        return None

    def parsed(self, key: str, parse: Callable[["JsonObject"], T | None]) -> tuple[T, ...]:
        """The results of `parse` for each object of the list, without those that are None."""
        found = map(parse, self.children(key))
        return tuple(each for each in found if each is not None)

    def alone(self) -> "JsonObject":
        """The same object as the outermost one, with problems of its own."""
        return JsonObject(self.values)

    def adopt(self, problems: list[str]) -> None:
        """Report problems of `alone` here too."""
        self.problems.extend(self.path(problem) for problem in problems)

    def report(self, key: str, problem: str) -> None:
        """Report what is wrong with the field."""
        self.problems.append(f"{self.path(key)} {problem}")

    def complaint(self, key: str, expected: str) -> str:
        """The words for a field that is none of what is expected."""
        return f"{self.path(key)} is {kind(self.values.get(key))}, expected {expected}"

    def path(self, key: str) -> str:
        """The path of the field in the document, such as `meters[0].number`."""
        path, above = key, self
        while above._parent is not None:
            name = above._key if isinstance(above._key, str) else "{}[{}]".format(*above._key)
            path, above = f"{name}.{path}", above._parent
        return path

    def _miss(self, key: str, expected: str) -> None:
        self.problems.append(self.complaint(key, expected))


def _figure(number: Decimal | int | float) -> str:
    # Python has a limit on the digits of an int as text, and none on those of a Decimal.
    return shortened(str(Decimal(number)))
