"""YAML files read strictly: keys are taken one by one, and what is unknown or of the wrong kind is named.

Every error is a ConfigError that begins with the path of the key.
"""

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from iometer_exporter.errors import ConfigError

T = TypeVar("T")


class Section:
    """A mapping of the file; keys are taken one by one, and what is left at the end is unknown.

    With `secret`, errors do not quote what stands where keys and values were expected.
    """

    def __init__(self, values: dict[Any, Any], path: str, *, secret: bool = False) -> None:
        self.path = path
        self._values = values
        self._known: list[str] = []
        self._secret = secret

    @property
    def empty(self) -> bool:
        """Whether no key has a value."""
        return all(value is None for value in self._values.values())

    @classmethod
    def of(cls, value: object, path: str, *, secret: bool = False) -> "Section":
        """The mapping as a section, None as an empty one; raises ConfigError for anything else."""
        if value is None:
            value = {}
        if not isinstance(value, dict):
            where = f"{path}: is" if path else "the file holds"
            raise ConfigError(f"{where} {kind(value, secret=secret)}, expected keys and values")
        return cls(value, path, secret=secret)

    def take(self, key: str, convert: Callable[[Any], T], default: T) -> T:
        """The converted value of the key, or the default; raises ConfigError with the path of the key."""
        self._known.append(key)
        value = self._values.get(key)
        if value is None:
            return default
        try:
            return convert(value)
        except ConfigError as error:
            raise ConfigError(f"{self.at(key)}: {error}") from error

    def child(self, key: str) -> "Section":
        """The section at the key, empty if it is missing."""
        self._known.append(key)
        return Section.of(self._values.get(key), self.at(key), secret=self._secret)

    def children(self, key: str) -> list["Section"]:
        """The sections in the list at the key."""
        self._known.append(key)
        items = self._values.get(key)
        if items is None:
            return []
        if not isinstance(items, list):
            raise ConfigError(f"{self.at(key)}: is {kind(items, secret=self._secret)}, expected a list")
        return [
            Section.of(item, f"{self.at(key)}[{index}]", secret=self._secret)
            for index, item in enumerate(items)
        ]

    def done(self) -> None:
        """Raise ConfigError for a key that nobody took."""
        for key in self._values:
            if key not in self._known:
                nearest = difflib.get_close_matches(str(key), self._known, n=1, cutoff=0.0)
                raise ConfigError(f"{self.at(key)}: unknown key, did you mean {nearest[0]!r}?")

    def at(self, key: object) -> str:
        """The path of the key, for an error message."""
        return f"{self.path}.{key}" if self.path else str(key)


def load_file(path: Path, parse: Callable[[str], T]) -> T:
    """What `parse` makes of the text; raises ConfigError with the file for what is wrong."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def kind(value: object, *, secret: bool = False) -> str:
    """What a YAML value is, in words for an error message; a secret one is not quoted."""
    if isinstance(value, str):
        return "a text" if secret else f"the text {value!r}"
    if isinstance(value, bool | int | float):
        return "a single value" if secret else f"the value {str(value).lower()}"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"a {type(value).__name__}"


def as_text(value: object) -> str:
    """The value, if it is a text."""
    if not isinstance(value, str):
        raise ConfigError(f"is {kind(value)}, expected a text (put it in quotes)")
    return value


def as_secret(value: object) -> str:
    """The value, if it is a text; an error does not quote it."""
    if not isinstance(value, str):
        raise ConfigError(f"is {kind(value, secret=True)}, expected a text (put it in quotes)")
    return value


def as_boolean(value: object) -> bool:
    """The value, if it is true or false."""
    if not isinstance(value, bool):
        raise ConfigError(f"is {kind(value)}, expected true or false")
    return value


def as_texts(value: object) -> tuple[str, ...]:
    """The value, if it is a list of texts."""
    if not isinstance(value, list):
        raise ConfigError(f"is {kind(value)}, expected a list")
    return tuple(as_text(item) for item in value)


def one_of(*choices: str) -> Callable[[object], str]:
    """A converter for a text that must be one of the choices."""

    def convert(value: object) -> str:
        if as_text(value) not in choices:
            raise ConfigError(f"is {kind(value)}, expected one of {', '.join(choices)}")
        return as_text(value)

    return convert
