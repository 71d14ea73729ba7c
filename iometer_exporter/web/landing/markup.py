"""HTML from parts: whatever is not markup already is escaped."""

import re
from html import escape
from typing import Final

from iometer_exporter.text import clean

_VOID: Final = frozenset({"link", "meta"})

_DIRECTIONS: Final = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that turn the direction of what follows: a name could turn the text beside it."""


_HARMLESS: Final = re.compile(r"[\w .,:;/#%()+-]*", re.ASCII)
"""Most of all texts; it saves half the time."""


class Html(str):
    """Text that is markup."""

    __slots__ = ()


def text_of(text: str) -> Html:
    """The text as it may stand in a document or an attribute."""
    if _HARMLESS.fullmatch(text):
        return Html(text)
    return Html(escape(_DIRECTIONS.sub("\N{REPLACEMENT CHARACTER}", clean(text))))


def join(*parts: str | None, by: str = "") -> Html:
    """The parts one after the other, those escaped that are no markup; None and empty ones are left out."""
    markup = (part if isinstance(part, Html) else text_of(part) for part in parts if part)
    return Html(text_of(by).join(markup))


def tag(name: str, /, *children: str | None, **attributes: str | None) -> Html:
    """An element; an attribute that is None is left out, `class_` is written `class` and `a_b` as `a-b`."""
    written = "".join(
        f' {key.strip("_").replace("_", "-")}="{text_of(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(*children)}</{name}>")
