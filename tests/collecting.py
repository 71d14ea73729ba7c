"""Which files have nothing that is asked for: to import them all is a third of what some runs do."""

from typing import Final

END_TO_END: Final = "end_to_end"

WHOLE_FILE: Final = f"\npytestmark = pytest.mark.{END_TO_END}\n"
"""In a file all of whose tests are such."""


def is_beside(source: str, expression: str) -> bool:
    """Whether no test in the source of a file can be what `-m` asks for."""
    if expression == END_TO_END:
        return END_TO_END not in source
    return expression == f"not {END_TO_END}" and WHOLE_FILE in source
