"""Text from outside, made fit to be shown."""

import re
from typing import Final

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters and line separators break a reader of the exposition text or a terminal, lone
surrogates have no UTF-8."""


def clean(text: str) -> str:
    """The text as it may stand in a label, a log line or a terminal: unprintable characters replaced."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


class FirstFew:
    """The first few of many texts, and how many more there are."""

    def __init__(self, most: int = 3) -> None:
        self.count = 0
        """How many there were."""
        self._most = most
        self._first: list[str] = []

    def add(self, *texts: str) -> None:
        """Take more of them."""
        self.count += len(texts)
        self._first += texts[: self._most - len(self._first)]

    def __str__(self) -> str:
        rest = self.count - len(self._first)
        return "; ".join(self._first) + (f" and {rest} more" if rest else "")
