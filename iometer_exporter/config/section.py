"""YAML files read strictly: keys are taken one by one, and what is unknown or of the wrong kind is named.

Each problem is noted with the path of its key, and reading goes on: who corrects a file wants to know all.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from iometer_exporter.config.values import parse_duration
from iometer_exporter.errors import ConfigError

T = TypeVar("T")


class Problems:
    """Everything that is wrong, in the order in which it was found."""

    def __init__(self) -> None:
        self._sentences: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._sentences)

    def add(self, *sentences: str) -> None:
        """Note problems, one sentence each."""
        self._sentences += sentences

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what a ConfigError raised inside says, and go on after the block."""
        try:
            yield
        except ConfigError as error:
            self.add(*error.problems)

    def check(self) -> None:
        """Raise one ConfigError for all of them, if there is any."""
        if self._sentences:
            raise ConfigError(*self._sentences)


class Section:
    """A mapping of the file; keys are taken one by one, and what is left at the end is unknown.

    With `secret`, problems do not quote what stands where keys and values were expected.
    """

    def __init__(self, value: object, path: str, problems: Problems, *, secret: bool = False) -> None:
        """Take the mapping, None as an empty one; anything else is a problem, and then it is empty too."""
        self.path = path
        self.problems = problems
        self.good = True
        """Whether nothing is wrong so far with this section itself."""
        self._values: dict[Any, Any] = {}
        self._known: list[str] = []
        self._secret = secret
        if isinstance(value, dict):
            self._values = value
        elif value is not None:
            where = f"{path}: is" if path else "the file holds"
            self._note(f"{where} {kind(value, secret=secret)}, expected keys and values")

    @property
    def empty(self) -> bool:
        """Whether no key has a value."""
        return all(value is None for value in self._values.values())

    def take(self, key: str, convert: Callable[[Any], T], default: T) -> T:
        """The converted value of the key; the default without one, or with one that is wrong."""
        self._known.append(key)
        value = self._values.get(key)
        if value is None:
            return default
        try:
            return convert(value)
        except ConfigError as error:
            self._note(*(f"{self.at(key)}: {problem}" for problem in error.problems))
            return default

    def child(self, key: str, *, short: Callable[[object], object] = lambda value: value) -> "Section":
        """The section at the key, empty if it is missing; `short` writes out a value that stands for one."""
        self._known.append(key)
        value = short(self._values.get(key))
        return Section(value, self.at(key), self.problems, secret=self._secret)

    def items(self, key: str) -> list[tuple[str, object]]:
        """The items of the list at the key, each with its path."""
        found: list[object] = self.take(key, as_list, [])
        return [(f"{self.at(key)}[{index}]", item) for index, item in enumerate(found)]

    def done(self) -> None:
        """Note the keys that nobody took; called before a key that is missing is noted."""
        for key in self._values:
            if key not in self._known:
                self._note(f"{self.at(key)}: unknown key, {suggestion(str(key), self._known)}")

    @contextmanager
    def checking(self) -> Iterator[None]:
        """Note what a ConfigError raised inside says; to be used for what depends on several keys."""
        try:
            yield
        except ConfigError as error:
            self._note(*error.problems)

    def at(self, key: object) -> str:
        """The path of the key, for an error message."""
        return f"{self.path}.{key}" if self.path else str(key)

    def _note(self, *sentences: str) -> None:
        self.good = False
        self.problems.add(*sentences)


def load_file(path: Path, parse: Callable[[str], T]) -> T:
    """What `parse` makes of the text; raises ConfigError with the file for each thing that is wrong."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    except ConfigError as error:
        raise ConfigError(*(f"{path}: {problem}" for problem in error.problems)) from error


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is nearest, in whatever case it is written; None where none is near."""
    # Imported here: it costs start-up time, and most files are right.
    import difflib

    words = {each.lower(): each for each in known}
    return next((words[found] for found in difflib.get_close_matches(word.lower(), words, n=1)), None)


def suggestion(word: str, known: Iterable[str]) -> str:
    """The known word that is meant, as a question; all of them where none is near."""
    words = list(known)
    near = nearest(word, words)
    return f"did you mean {near!r}?" if near else f"there are {', '.join(words)}"


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


def as_list(value: object) -> list[object]:
    """The value, if it is a list."""
    if isinstance(value, list):
        return value
    example = f", write it in brackets: [{value}]" if isinstance(value, str) else ""
    raise ConfigError(f"is {kind(value)}, expected a list{example}")


def as_texts(value: object) -> tuple[str, ...]:
    """The value, if it is a list of texts."""
    return tuple(as_text(item) for item in as_list(value))


def as_number(lowest: int, highest: int) -> Callable[[object], int]:
    """A converter for a whole number in this range."""

    def convert(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise ConfigError(f"is {kind(value)}, expected a number from {lowest} to {highest}")
        return value

    return convert


def as_duration(value: object) -> float:
    """Seconds of the value, if it is a duration; a number without a unit is in seconds."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return parse_duration(str(value) if is_number else as_text(value))


def one_of(*choices: str) -> Callable[[object], str]:
    """A converter for a text that must be one of the choices."""

    def convert(value: object) -> str:
        if as_text(value) not in choices:
            raise ConfigError(f"is {kind(value)}, expected one of {', '.join(choices)}")
        return as_text(value)

    return convert
