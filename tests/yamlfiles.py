"""YAML of this project, read by the parser in C where PyYAML has it: it takes a tenth of the time."""

from collections.abc import Iterator
from typing import Any, Final

import yaml

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    """The document, as of `yaml.safe_load`."""
    return yaml.load(text, _LOADER)


def load_all(text: str) -> Iterator[Any]:
    """The documents, as of `yaml.safe_load_all`."""
    return yaml.load_all(text, _LOADER)
