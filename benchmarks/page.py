"""The parts of docs/robustness.md that commands write."""

import re
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parent.parent / "docs" / "robustness.md"


def read_section(name: str) -> str:
    """The text between the markers of a section, such as `<!-- soak -->` and `<!-- end of soak -->`."""
    return _found(name)[2]


def write_section(name: str, text: str) -> None:
    """Put a text, which ends with a line break, between the markers of a section."""
    found = _found(name)
    page = PAGE.read_text()
    PAGE.write_text(f"{page[: found.start()]}{found[1]}\n{text}\n{found[3]}{page[found.end() :]}")


def _found(name: str) -> re.Match[str]:
    pattern = rf"(<!-- {name} -->\n)\n(.*?)\n?(<!-- end of {name} -->)"
    found = re.search(pattern, PAGE.read_text(), re.DOTALL)
    if found is None:
        raise SystemExit(f"{PAGE} has no section {name!r}")
    return found
