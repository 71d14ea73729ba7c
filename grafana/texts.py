"""What people read, marked as such, and its German; a text without one stops the build."""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from grafana.german import GERMAN

Language = Literal["en", "de"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "de")

_PLACEHOLDERS: Final = re.compile(r"\{\{.*?\}\}|\$\{.*?\}|\$\w+")


class Text(str):
    """A text for people, in English; a plain str in a dashboard is for Grafana."""

    __slots__ = ()


class Texts(tuple[Text, ...]):
    """Texts that are translated one by one and stand in one paragraph."""

    __slots__ = ()


class UntranslatedError(LookupError):
    """A text of a dashboard has no German; the message is that text."""


def translated(node: Any, language: Language, german: Mapping[str, str] = GERMAN) -> Any:
    """The same document in a language, every `Text` in it replaced; raises UntranslatedError."""
    if isinstance(node, Text):
        return _in(node, language, german)
    if isinstance(node, Texts):
        return " ".join(_in(text, language, german) for text in node)
    if isinstance(node, dict):
        return {
            translated(key, language, german): translated(value, language, german)
            for key, value in node.items()
        }
    if isinstance(node, list | tuple):
        return [translated(item, language, german) for item in node]
    return node


def texts(node: Any) -> frozenset[str]:
    """Every text for people in a document that needs a translation."""
    if isinstance(node, Text):
        return frozenset({str(node)} if _has_words(node) else ())
    if isinstance(node, dict):
        return texts([*node.keys(), *node.values()])
    if isinstance(node, list | tuple):
        return frozenset().union(*(texts(item) for item in node))
    return frozenset()


def _in(text: Text, language: Language, german: Mapping[str, str]) -> str:
    if language == "en" or not _has_words(text):
        return str(text)
    if str(text) not in german:
        raise UntranslatedError(f"no German in grafana/german/ for: {text}")
    return german[str(text)]


def _has_words(text: str) -> bool:
    """Whether there is more than placeholders and signs: `{{bridge}}` is the same in any language."""
    return any(character.isalpha() for character in _PLACEHOLDERS.sub("", text))
