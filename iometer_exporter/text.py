"""Text from outside, made fit to be shown."""

import re
from typing import Final

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters and line separators break a reader of the exposition text or a terminal, lone
surrogates have no UTF-8."""


def clean(text: str) -> str:
    """The text as it may stand in a label, a log line or a terminal: unprintable characters replaced."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
